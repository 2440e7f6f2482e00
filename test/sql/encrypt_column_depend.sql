--
-- What depends on a column that is converted: carried, or refused with a reason.
--
SET client_min_messages = error;
\set SHOW_CONTEXT never
SELECT steward.create_key('ed_key');
CREATE ROLE ed_owner;
CREATE ROLE ed_other;
GRANT CREATE, USAGE ON SCHEMA public TO ed_owner, ed_other;
CREATE TABLE ed_t (id int, c text, d text);
INSERT INTO ed_t SELECT n, 'c' || n, 'd' || n FROM generate_series(1, 20) AS n;

-- Makes a dependent, encrypts at once, says what comes of it, and undoes all.
CREATE FUNCTION ed_try(what text, setup text, call text DEFAULT $$SELECT steward.encrypt_column('ed_t', 'c', 'ed_key/c')$$,
    look text DEFAULT $$SELECT string_agg(c::text, ' ' ORDER BY id) FROM ed_t WHERE id < 3$$) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    m text; d text; h text; seen text;
BEGIN
    EXECUTE setup;
    EXECUTE call;
    EXECUTE look INTO seen;
    RAISE EXCEPTION 'carried: %', seen;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n    ', what || ': ' || m, nullif(d, ''), nullif(h, ''));
END
$$;
\pset format unaligned
\pset tuples_only on

-- ---- carried ----

SELECT ed_try('nothing', 'SELECT 1');
SELECT ed_try('index', 'CREATE INDEX ed_i ON ed_t (c)', look => $$SELECT pg_get_indexdef('ed_i'::regclass)$$);
SELECT ed_try('unique index', 'CREATE UNIQUE INDEX ed_i ON ed_t (d, c) NULLS NOT DISTINCT', look => $$SELECT pg_get_indexdef('ed_i'::regclass)$$);
SELECT ed_try('expression beside it', 'CREATE INDEX ed_i ON ed_t (lower(d), c DESC)', look => $$SELECT pg_get_indexdef('ed_i'::regclass)$$);
SELECT ed_try('predicate beside it', 'CREATE INDEX ed_i ON ed_t (c) WHERE d IS NOT NULL AND id > 3', look => $$SELECT pg_get_indexdef('ed_i'::regclass)$$);
SELECT ed_try('included', 'CREATE INDEX ed_i ON ed_t (id) INCLUDE (c)', look => $$SELECT pg_get_indexdef('ed_i'::regclass)$$);
SELECT ed_try('index elsewhere', 'CREATE INDEX ed_i ON ed_t (d)', look => $$SELECT pg_get_indexdef('ed_i'::regclass)$$);
SELECT ed_try('statistics of an index', 'CREATE INDEX ed_i ON ed_t (lower(d), c, upper(d)); ALTER INDEX ed_i ALTER COLUMN 1 SET STATISTICS 17; ALTER INDEX ed_i ALTER COLUMN 3 SET STATISTICS 0',
    look => $$SELECT string_agg(coalesce(attstattarget, -1)::text, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'ed_i'::regclass$$);
SELECT ed_try('default', $$ALTER TABLE ed_t ALTER COLUMN c SET DEFAULT upper('x')$$, look => $$INSERT INTO ed_t (id) VALUES (0) RETURNING c::text$$);
SELECT ed_try('storage', 'ALTER TABLE ed_t ALTER COLUMN c SET STORAGE MAIN', look => $$SELECT attstorage FROM pg_attribute WHERE attrelid = 'ed_t'::regclass AND attname = 'c'$$);
SELECT ed_try('compression', 'ALTER TABLE ed_t ALTER COLUMN c SET COMPRESSION pglz', look => $$SELECT attcompression FROM pg_attribute WHERE attrelid = 'ed_t'::regclass AND attname = 'c'$$);
SELECT ed_try('view', 'CREATE VIEW ed_v AS SELECT d, c FROM ed_t', look => $$SELECT c::text FROM ed_v WHERE d = 'd7'$$);
SELECT ed_try('view that had a trigger', 'CREATE VIEW ed_v AS SELECT c FROM ed_t; CREATE TRIGGER ed_g INSTEAD OF UPDATE ON ed_v FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger(); DROP TRIGGER ed_g ON ed_v',
    look => 'SELECT count(c) FROM ed_v');
SELECT ed_try('null test', 'CREATE VIEW ed_v AS SELECT id, c IS NULL AS none FROM ed_t', look => $$SELECT bool_or(none) FROM ed_v$$);
SELECT ed_try('views on views', $$CREATE VIEW ed_v AS SELECT * FROM ed_t; CREATE VIEW ed_w AS SELECT v.c AS one, s.c AS other FROM ed_v AS v JOIN (SELECT * FROM ed_v) AS s USING (id);
    CREATE VIEW ed_x AS SELECT one FROM ed_w UNION ALL SELECT c FROM ed_v$$, look => $$SELECT count(*) || min(one::text) FROM ed_x$$);
SELECT ed_try('checked view', $$CREATE VIEW ed_v AS SELECT * FROM ed_t WHERE id < 5 WITH CASCADED CHECK OPTION$$, look => $$SELECT reloptions FROM pg_class WHERE relname = 'ed_v'$$);
SELECT ed_try('view that decrypts another column', $$SELECT steward.encrypt_column('ed_t', 'd', 'ed_key/d'); CREATE VIEW ed_v AS SELECT d::text AS d, c FROM ed_t$$, look => $$SELECT d || c::text FROM ed_v LIMIT 1$$);
SELECT ed_try('partitions', $$DROP TABLE ed_t; CREATE TABLE ed_t (id int, c text NOT NULL, d text) PARTITION BY RANGE (id);
    CREATE TABLE ed_1 PARTITION OF ed_t FOR VALUES FROM (0) TO (10); CREATE TABLE ed_2 (d text, c text NOT NULL, id int);
    ALTER TABLE ed_t ATTACH PARTITION ed_2 FOR VALUES FROM (10) TO (20); INSERT INTO ed_t VALUES (1, 'one'), (11, 'two')$$, look => $$SELECT string_agg(c::text, ' ') FROM ed_t$$);
SELECT ed_try('heirs', $$CREATE TABLE ed_h (more int) INHERITS (ed_t); INSERT INTO ed_h VALUES (1, 'of heir')$$);
SELECT ed_try('unlogged', 'ALTER TABLE ed_t SET UNLOGGED');
SELECT ed_try('temporary', $$CREATE TEMP TABLE ed_t (id int, c text); INSERT INTO ed_t VALUES (1, 'temp')$$, $$SELECT steward.encrypt_column('pg_temp.ed_t', 'c', 'ed_key/c')$$, $$SELECT c::text FROM pg_temp.ed_t$$);
SELECT ed_try('policy elsewhere', 'CREATE POLICY ed_p ON ed_t USING (d IS NOT NULL); ALTER TABLE ed_t ENABLE ROW LEVEL SECURITY; ALTER TABLE ed_t FORCE ROW LEVEL SECURITY');
SELECT ed_try('audited', $$SELECT steward.enable_audit('ed_t'); UPDATE ed_t SET c = 'x' WHERE id = 1$$);
SELECT ed_try('bound to subjects', $$SELECT steward.encrypt_column('ed_t', 'd', 'ed_key/d'); SELECT steward.bind_subject('ed_t', 'ed_person', 'id')$$);

-- ---- refused ----

SELECT ed_try('key of subjects', $$SELECT steward.encrypt_column('ed_t', 'd', 'ed_key/d'); SELECT steward.bind_subject('ed_t', 'ed_person', 'id')$$, $$SELECT steward.encrypt_column('ed_t', 'id', 'ed_key/c')$$);
SELECT ed_try('primary key', 'ALTER TABLE ed_t ADD PRIMARY KEY (c)');
SELECT ed_try('unique', 'ALTER TABLE ed_t ADD UNIQUE (d, c)');
SELECT ed_try('exclusion', 'ALTER TABLE ed_t ADD EXCLUDE (c WITH =)');
SELECT ed_try('check', $$ALTER TABLE ed_t ADD CONSTRAINT ed_c CHECK (c <> '')$$);
SELECT ed_try('foreign key', 'CREATE TABLE ed_r (c text PRIMARY KEY); INSERT INTO ed_r SELECT c FROM ed_t; ALTER TABLE ed_t ADD FOREIGN KEY (c) REFERENCES ed_r');
SELECT ed_try('referenced', 'CREATE UNIQUE INDEX ON ed_t (c); CREATE TABLE ed_r (c text REFERENCES ed_t (c))');
SELECT ed_try('generated', 'ALTER TABLE ed_t ADD g text GENERATED ALWAYS AS (lower(c)) STORED');
SELECT ed_try('generated itself', 'ALTER TABLE ed_t DROP c, ADD c text GENERATED ALWAYS AS (lower(d)) STORED');
SELECT ed_try('identity', 'ALTER TABLE ed_t DROP c, ADD c int GENERATED ALWAYS AS IDENTITY');
SELECT ed_try('serial', 'ALTER TABLE ed_t DROP c, ADD c serial');
SELECT ed_try('expression index', 'CREATE INDEX ed_i ON ed_t (lower(c))');
SELECT ed_try('partial index', $$CREATE INDEX ed_i ON ed_t (id) WHERE c > 'c'$$);
SELECT ed_try('hash index', 'CREATE INDEX ed_i ON ed_t USING hash (c)');
SELECT ed_try('pattern index', 'CREATE INDEX ed_i ON ed_t (c text_pattern_ops)');
SELECT ed_try('replica identity', 'ALTER TABLE ed_t ALTER c SET NOT NULL; CREATE UNIQUE INDEX ed_i ON ed_t (c); ALTER TABLE ed_t REPLICA IDENTITY USING INDEX ed_i');
SELECT ed_try('policy', $$CREATE POLICY ed_p ON ed_t USING (c = current_user)$$);
SELECT ed_try('rule', $$CREATE RULE ed_r AS ON UPDATE TO ed_t WHERE NEW.c = 'x' DO ALSO NOTHING$$);
SELECT ed_try('trigger columns', $$CREATE TRIGGER ed_g BEFORE UPDATE OF c ON ed_t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()$$);
SELECT ed_try('trigger condition', $$CREATE TRIGGER ed_g BEFORE UPDATE ON ed_t FOR EACH ROW WHEN (NEW.c = 'x') EXECUTE FUNCTION suppress_redundant_updates_trigger()$$);
SELECT ed_try('publication columns', 'CREATE PUBLICATION ed_p FOR TABLE ed_t (id, c)');
SELECT ed_try('publication filter', $$CREATE PUBLICATION ed_p FOR TABLE ed_t WHERE (c = 'x') WITH (publish = 'insert')$$);
SELECT ed_try('statistics', 'CREATE STATISTICS ed_s ON c, d FROM ed_t');
SELECT ed_try('materialized view', 'CREATE MATERIALIZED VIEW ed_m AS SELECT c FROM ed_t');
SELECT ed_try('function', 'CREATE FUNCTION ed_f() RETURNS text BEGIN ATOMIC SELECT c FROM ed_t; END');
SELECT ed_try('row type', 'CREATE TABLE ed_r (r ed_t)');
SELECT ed_try('domain', 'CREATE DOMAIN ed_d AS text; ALTER TABLE ed_t ALTER c TYPE ed_d');
SELECT ed_try('collation', $$CREATE COLLATION ed_x (provider = icu, locale = 'und', deterministic = false); ALTER TABLE ed_t ALTER c TYPE text COLLATE ed_x$$);
SELECT ed_try('typed table', 'CREATE TYPE ed_y AS (c text); CREATE TABLE ed_z OF ed_y', $$SELECT steward.encrypt_column('ed_z', 'c', 'ed_key/c')$$);
SELECT ed_try('partition key', 'CREATE TABLE ed_p (c text) PARTITION BY LIST (c)', $$SELECT steward.encrypt_column('ed_p', 'c', 'ed_key/c')$$);
SELECT ed_try('partition', 'CREATE TABLE ed_p (id int, c text) PARTITION BY LIST (id); CREATE TABLE ed_q PARTITION OF ed_p DEFAULT', $$SELECT steward.encrypt_column('ed_q', 'c', 'ed_key/c')$$);
SELECT ed_try('partition index', 'CREATE TABLE ed_p (id int, c text) PARTITION BY LIST (id); CREATE TABLE ed_q PARTITION OF ed_p DEFAULT; CREATE INDEX ed_i ON ed_q (c)', $$SELECT steward.encrypt_column('ed_p', 'c', 'ed_key/c')$$);
SELECT ed_try('partitioned hash index', 'CREATE TABLE ed_p (id int, c text) PARTITION BY LIST (id); CREATE TABLE ed_q PARTITION OF ed_p DEFAULT; CREATE INDEX ed_i ON ed_p USING hash (c)', $$SELECT steward.encrypt_column('ed_p', 'c', 'ed_key/c')$$);
SELECT ed_try('partitioned index with a predicate', 'CREATE TABLE ed_p (id int, c text) PARTITION BY LIST (id); CREATE TABLE ed_q PARTITION OF ed_p DEFAULT; CREATE UNIQUE INDEX ed_i ON ed_p (id DESC, c) WHERE c IS NOT NULL', $$SELECT steward.encrypt_column('ed_p', 'c', 'ed_key/c')$$);
SELECT ed_try('partitioned index', 'CREATE TABLE ed_p (id int, c text) PARTITION BY LIST (id); CREATE TABLE ed_q PARTITION OF ed_p DEFAULT; CREATE INDEX ed_i ON ed_p (c)', $$SELECT steward.encrypt_column('ed_p', 'c', 'ed_key/c')$$);
CREATE TABLE ed_p (id int, c text) PARTITION BY LIST (id);
CREATE TABLE ed_q PARTITION OF ed_p DEFAULT;
INSERT INTO ed_p VALUES (1, 'one');
SELECT steward.encrypt_column('ed_p', 'c', 'ed_key/c');
CREATE UNIQUE INDEX ed_i ON public.ed_p USING btree (id int4_ops DESC NULLS FIRST, c steward.encrypted_unique_ops) WHERE (c IS NOT NULL);
DROP TABLE ed_p;
SELECT ed_try('check of an heir', $$CREATE TABLE ed_h () INHERITS (ed_t); ALTER TABLE ed_h ADD CHECK (c <> 'x')$$);
SELECT ed_try('heir', 'CREATE TABLE ed_h () INHERITS (ed_t)', $$SELECT steward.encrypt_column('ed_h', 'c', 'ed_key/c')$$);
SELECT ed_try('a view itself', 'CREATE VIEW ed_v AS SELECT c FROM ed_t', $$SELECT steward.encrypt_column('ed_v', 'c', 'ed_key/c')$$);
SELECT ed_try('catalog', 'SELECT 1', $$SELECT steward.encrypt_column('pg_authid', 'rolpassword', 'ed_key/c')$$);
SELECT ed_try('our own', 'SELECT 1', $$SELECT steward.encrypt_column('steward.policy_definition', 'age', 'ed_key/c')$$);
SELECT ed_try('foreign table', 'CREATE FOREIGN DATA WRAPPER ed_w; CREATE SERVER ed_s FOREIGN DATA WRAPPER ed_w; CREATE FOREIGN TABLE ed_f (c text) SERVER ed_s', $$SELECT steward.encrypt_column('ed_f', 'c', 'ed_key/c')$$);

-- Views: only those that mean the same.
SELECT ed_try('view, expression', 'CREATE VIEW ed_v AS SELECT lower(c) AS c FROM ed_t');
SELECT ed_try('view, concatenation', $$CREATE VIEW ed_v AS SELECT 'x' || c AS c FROM ed_t$$);
SELECT ed_try('view, format', $$CREATE VIEW ed_v AS SELECT format('%s', c) AS c FROM ed_t$$);
SELECT ed_try('view, row', $$CREATE VIEW ed_v AS SELECT row_to_json(t) AS c, t.c AS also FROM ed_t AS t$$);
SELECT ed_try('view, condition', $$CREATE VIEW ed_v AS SELECT id FROM ed_t WHERE c = 'x'$$);
SELECT ed_try('view, order', 'CREATE VIEW ed_v AS SELECT c FROM ed_t ORDER BY c');
SELECT ed_try('view, hidden order', 'CREATE VIEW ed_v AS SELECT d FROM ed_t ORDER BY c');
SELECT ed_try('view, groups', 'CREATE VIEW ed_v AS SELECT c, count(*) FROM ed_t GROUP BY c');
SELECT ed_try('view, distinct', 'CREATE VIEW ed_v AS SELECT DISTINCT c FROM ed_t');
SELECT ed_try('view, union', 'CREATE VIEW ed_v AS SELECT c FROM ed_t UNION SELECT c FROM ed_t');
SELECT ed_try('view, join', 'CREATE VIEW ed_v AS SELECT a.id FROM ed_t AS a JOIN ed_t AS b USING (c)');
SELECT ed_try('view, aggregate', 'CREATE VIEW ed_v AS SELECT count(DISTINCT c) FROM ed_t');
SELECT ed_try('view, below', 'CREATE VIEW ed_v AS SELECT c AS x FROM ed_t; CREATE VIEW ed_w AS SELECT length(x) FROM ed_v');
SELECT ed_try('view with trigger', 'CREATE VIEW ed_v AS SELECT c FROM ed_t; CREATE TRIGGER ed_g INSTEAD OF UPDATE ON ed_v FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()');
SELECT ed_try('view with rule', 'CREATE VIEW ed_v AS SELECT c FROM ed_t; CREATE RULE ed_r AS ON DELETE TO ed_v DO INSTEAD NOTHING');
SELECT ed_try('view with default', $$CREATE VIEW ed_v AS SELECT c FROM ed_t; ALTER VIEW ed_v ALTER c SET DEFAULT 'x'$$);
SELECT ed_try('temporary view', 'CREATE TEMP VIEW ed_v AS SELECT c FROM ed_t');
SELECT ed_try('view below materialized', 'CREATE VIEW ed_v AS SELECT c FROM ed_t; CREATE MATERIALIZED VIEW ed_m AS SELECT id FROM ed_t, ed_v LIMIT 1');
SELECT ed_try('row type of view', $$CREATE VIEW ed_v AS SELECT c FROM ed_t; CREATE FUNCTION ed_f(ed_v) RETURNS int LANGUAGE sql AS 'SELECT 1'$$);
SELECT ed_try('array of view', 'CREATE VIEW ed_v AS SELECT c FROM ed_t; CREATE TABLE ed_r (r ed_v[])');

-- Back, the same; and what only an encrypted column has.
SELECT steward.encrypt_column('ed_t', 'c', 'ed_key/c');
\set decrypt '$$SELECT steward.decrypt_column(\'ed_t\', \'c\')$$'
SELECT ed_try('unique index', 'CREATE UNIQUE INDEX ed_i ON ed_t (c steward.encrypted_unique_ops)', :decrypt, $$SELECT pg_get_indexdef('ed_i'::regclass)$$);
SELECT ed_try('foreign key', $$CREATE UNIQUE INDEX ed_i ON ed_t (c steward.encrypted_unique_ops); CREATE TABLE ed_r (c steward.encrypted_text('ed_key/c') REFERENCES ed_t (c))$$, :decrypt);
SELECT ed_try('check', $$ALTER TABLE ed_t ADD CHECK (c::text <> '') NOT VALID$$, :decrypt);
SELECT ed_try('view', $$CREATE VIEW ed_v AS SELECT c, c::text AS plain FROM ed_t WHERE c = 'c7'::text$$, :decrypt, $$SELECT c || plain FROM ed_v$$);
SELECT ed_try('view, function', 'CREATE VIEW ed_v AS SELECT steward.decrypt(c) FROM ed_t', :decrypt);
SELECT ed_try('default', $$ALTER TABLE ed_t ALTER c SET DEFAULT 'x'::text$$, :decrypt, $$INSERT INTO ed_t (id) VALUES (0) RETURNING c$$);
SELECT ed_try('encrypted default', $$ALTER TABLE ed_t ALTER c SET DEFAULT steward.encrypt_text('x', 'ed_key/c')$$, :decrypt);

-- ---- rights ----

\set encrypt '$$SELECT steward.encrypt_column(\'ed_t\', \'d\', \'ed_key/d\')$$'
SELECT ed_try('not granted', 'SET LOCAL ROLE ed_owner', :encrypt);
GRANT EXECUTE ON FUNCTION steward.encrypt_column, steward.decrypt_column, steward.abort_column_conversion TO ed_owner;
GRANT EXECUTE ON PROCEDURE steward.encrypt_column_online, steward.decrypt_column_online TO ed_owner;
GRANT EXECUTE ON PROCEDURE steward.encrypt_column_online TO ed_other;
SELECT ed_try('not the owner', 'SET LOCAL ROLE ed_owner', :encrypt);
ALTER TABLE ed_t OWNER TO ed_owner;
SELECT ed_try('the owner', 'SET LOCAL ROLE ed_owner', :encrypt, $$SELECT 'done'$$);
SELECT ed_try('view of somebody else', 'GRANT SELECT ON ed_t TO ed_other; SET LOCAL ROLE ed_other; CREATE VIEW ed_v AS SELECT d FROM ed_t; SET LOCAL ROLE ed_owner', :encrypt);
SELECT ed_try('the superuser may', 'GRANT SELECT ON ed_t TO ed_other; SET LOCAL ROLE ed_other; CREATE VIEW ed_v AS SELECT d FROM ed_t; RESET ROLE', :encrypt,
    $$SELECT viewowner || ' ' || (SELECT string_agg(d::text, ' ') FROM ed_v WHERE d = 'd7') FROM pg_views WHERE viewname = 'ed_v'$$);
SELECT ed_try('index without the right to search', 'CREATE UNIQUE INDEX ON ed_t (d); SET LOCAL ROLE ed_owner', :encrypt, $$SELECT 'done'$$);
SELECT ed_try('index with it', $$SELECT steward.grant_key('ed_key', 'ed_owner', 'search'); CREATE UNIQUE INDEX ON ed_t (d); SET LOCAL ROLE ed_owner$$, :encrypt, $$SELECT 'done'$$);
SELECT ed_try('decrypt without the right', 'SET LOCAL ROLE ed_owner', :decrypt);
SELECT ed_try('decrypt with it', $$SELECT steward.grant_key('ed_key', 'ed_owner', 'decrypt'); SET LOCAL ROLE ed_owner$$, :decrypt);
SELECT ed_try('the superuser for an owner without it', 'SELECT 1', :decrypt);
\pset format aligned
\pset tuples_only off

-- ---- online only ----

CALL steward.decrypt_column_online('ed_t', 'none');
BEGIN;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
ROLLBACK;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d', batch_size => 0);
CALL steward.encrypt_column_online('ed_t', 'd', NULL);
CALL steward.encrypt_column_online('ed_t', NULL, 'ed_key/d');
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d', patience => '-1 s');
SET default_transaction_read_only = on;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
RESET default_transaction_read_only;
SET ROLE ed_other;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
RESET ROLE;
CREATE TABLE ed_p (id int, c text) PARTITION BY LIST (id);
CALL steward.encrypt_column_online('ed_p', 'c', 'ed_key/c');
CREATE TABLE ed_h () INHERITS (ed_t);
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
DROP TABLE ed_h;
CREATE TEMP TABLE ed_temp (c text);
CALL steward.encrypt_column_online('ed_temp', 'c', 'ed_key/c');
ALTER TABLE ed_t ENABLE ROW LEVEL SECURITY;
ALTER TABLE ed_t FORCE ROW LEVEL SECURITY;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
ALTER TABLE ed_t NO FORCE ROW LEVEL SECURITY;
SELECT steward.bind_subject('ed_t', 'ed_person', 'id');
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
SELECT steward.unbind_subject('ed_t');
CREATE RULE ed_r AS ON UPDATE TO ed_t DO INSTEAD NOTHING;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
DROP RULE ed_r ON ed_t;
ALTER TABLE ed_t ADD CONSTRAINT ed_c CHECK (d <> '');
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
ALTER TABLE ed_t DROP CONSTRAINT ed_c;
-- At once the values of a bound table are not bound; that is said, and done by reencrypt.
CREATE TABLE ed_bound (id int, c text, d steward.encrypted_text('ed_key/d'));
INSERT INTO ed_bound VALUES (1, 'one');
SELECT steward.bind_subject('ed_bound', 'ed_person', 'id');
SET client_min_messages = notice;
SELECT steward.encrypt_column('ed_bound', 'c', 'ed_key/c');
SET client_min_messages = error;
CALL steward.reencrypt('ed_bound');
SELECT get_byte(steward.encrypted_text_send(c), 3) AS bound FROM ed_bound;
SELECT c::text FROM ed_bound;
SELECT steward.decrypt_column('ed_bound', 'c');
SELECT c FROM ed_bound;
CREATE INDEX ed_i ON ed_t (d);
-- Rights that only the end needs are asked for first, and what would be refused in the end is: nothing was begun.
CREATE FUNCTION ed_begun() RETURNS text LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM steward.column_conversion) || ' begun, columns ' || string_agg(attname, ' ' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = 'ed_t'::regclass AND attnum > 0 AND NOT attisdropped
$$;
SET ROLE ed_owner;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d', build_indexes => true);
RESET ROLE;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d', build_indexes => true);
SELECT steward.grant_key('ed_key', 'ed_owner', 'search');
REVOKE CREATE ON SCHEMA public FROM ed_owner;
SET ROLE ed_owner;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
RESET ROLE;
GRANT CREATE ON SCHEMA public TO ed_owner;
SELECT steward.revoke_key('ed_key', 'ed_owner', 'search');
SELECT ed_begun();
DROP INDEX ed_i;
CREATE VIEW ed_v AS SELECT d, lower(d) AS l FROM ed_t;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
DROP VIEW ed_v;
CREATE SCHEMA ed_s;
CREATE VIEW ed_s.ed_v AS SELECT d FROM ed_t;
ALTER VIEW ed_s.ed_v OWNER TO ed_owner;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
SELECT ed_begun();
-- An index that only has the column in it needs no right on the key.
DROP SCHEMA ed_s CASCADE;
CREATE INDEX ed_i ON ed_t (id) INCLUDE (d);
SET ROLE ed_owner;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d', build_indexes => true);
RESET ROLE;
SELECT ed_begun(), pg_get_indexdef('ed_i'::regclass);
CALL steward.decrypt_column_online('ed_t', 'd', build_indexes => true);
DROP INDEX ed_i;
CREATE INDEX ed_i ON ed_t (d);
-- What the caller finds by his search path is named so that the owner finds it too.
CREATE FUNCTION ed_abs(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN abs($1); END';
CREATE OPERATOR CLASS ed_int_ops FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
DROP INDEX ed_i;
CREATE INDEX ed_i ON ed_t (ed_abs(id), d, id ed_int_ops) WHERE ed_abs(id) > 0 AND d IS NOT NULL;
ALTER INDEX ed_i ALTER COLUMN 1 SET STATISTICS 17;
SET client_min_messages = notice;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d');
SET client_min_messages = error;
SELECT steward.abort_column_conversion('ed_t');
SELECT steward.grant_key('ed_key', 'ed_owner', 'search');
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d', build_indexes => true);
SELECT pg_get_indexdef('ed_i'::regclass), coalesce(attstattarget, -1) AS statistics FROM pg_attribute WHERE attrelid = 'ed_i'::regclass AND attnum = 1;
SELECT steward.revoke_key('ed_key', 'ed_owner', 'search');
SELECT steward.decrypt_column('ed_t', 'd');
DROP INDEX ed_i;
DROP OPERATOR FAMILY ed_int_ops USING btree;
DROP FUNCTION ed_abs;
CREATE INDEX ed_i ON ed_t (d);
-- No trigger or check of the owner runs for rows that are filled; see encrypt_column_hostile too.
CREATE TABLE ed_seen (who name);
GRANT ALL ON ed_seen TO PUBLIC;
CREATE FUNCTION ed_spy(int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.ed_seen VALUES (current_user);
    RETURN $1;
END
$$;
ALTER TABLE ed_t ADD CONSTRAINT ed_spying CHECK (ed_spy(id) = id) NOT VALID;
-- Users' triggers see nothing of it; the owner's row security does not hide rows from it.
CREATE FUNCTION ed_touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.id := 1000; RETURN NEW; END$$;
CREATE TRIGGER touch BEFORE UPDATE ON ed_t FOR EACH ROW EXECUTE FUNCTION ed_touch();
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d', batch_size => 3);
SELECT count(*), count(steward_d), max(id) FROM ed_t;
SELECT DISTINCT who FROM ed_seen;
ALTER TABLE ed_t DROP CONSTRAINT ed_spying;
SELECT steward.bind_subject('ed_t', 'ed_person', 'id');
-- A dependent that came meanwhile is refused in the end, and nothing is lost.
ALTER TABLE ed_t ADD CONSTRAINT ed_c CHECK (d <> '');
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d', build_indexes => true);
ALTER TABLE ed_t DROP CONSTRAINT ed_c;
SELECT phase FROM steward.column_conversion;
-- Who owns the table needs the right to search for the index.
SET ROLE ed_owner;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d', build_indexes => true);
RESET ROLE;
SELECT steward.grant_key('ed_key', 'ed_owner', 'search');
SET ROLE ed_owner;
CREATE VIEW ed_v AS SELECT lower(d) FROM ed_t;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d', build_indexes => true);
DROP VIEW ed_v;
CALL steward.encrypt_column_online('ed_t', 'd', 'ed_key/d', build_indexes => true);
CALL steward.decrypt_column_online('ed_t', 'd', build_indexes => true);
RESET ROLE;
SELECT string_agg(d::text, ' ' ORDER BY id) FROM ed_t WHERE id < 5;
-- The superuser may decrypt for an owner who may not; writers need no right either.
GRANT INSERT, UPDATE, SELECT ON ed_t TO ed_other;
CREATE POLICY ed_p ON ed_t USING (true);
CALL steward.decrypt_column_online('ed_t', 'd');
SELECT steward.revoke_key('ed_key', 'ed_owner', 'search');
SET ROLE ed_other;
INSERT INTO ed_t (id, d) VALUES (77, 'by other');
UPDATE ed_t SET d = 'by other too' WHERE id = 1;
SELECT d::text FROM ed_t WHERE id = 77;
SELECT id, steward_d FROM ed_t WHERE id IN (77, 1000);
RESET ROLE;
-- Who takes the trigger for a table of his own gets nothing opened.
CREATE TABLE ed_trap (c steward.encrypted_text('ed_key/d'), p text);
CREATE TRIGGER trap BEFORE INSERT ON ed_trap FOR EACH ROW WHEN ((NEW.c IS NULL) IS NOT NULL AND (NEW.p IS NULL) IS NOT NULL) EXECUTE FUNCTION steward.column_step();
INSERT INTO ed_trap SELECT d FROM ed_t;
DROP TRIGGER trap ON ed_trap;
CREATE TRIGGER trap BEFORE INSERT OR UPDATE ON ed_trap FOR EACH ROW WHEN ((NEW.c IS NULL) IS NOT NULL AND (NEW.p IS NULL) IS NOT NULL) EXECUTE FUNCTION steward.column_step();
ALTER TABLE ed_trap ENABLE ALWAYS TRIGGER trap;
INSERT INTO ed_trap SELECT d FROM ed_t;
CALL steward.decrypt_column_online('ed_t', 'd', build_indexes => true);

DROP TABLE ed_t, ed_bound, ed_p, ed_temp, ed_trap, ed_seen CASCADE;
DROP FUNCTION ed_try, ed_touch, ed_spy, ed_begun;
DROP OWNED BY ed_owner, ed_other;
DROP ROLE ed_owner, ed_other;

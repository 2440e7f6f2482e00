-- The access method blind: its operator classes, and what the DDL guard says of its
-- indexes.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA bclass;
SET search_path = bclass;
SELECT steward.create_key('bclass');
CREATE ROLE bclass_owner;
CREATE ROLE bclass_searcher;
GRANT ALL ON SCHEMA bclass TO bclass_owner, bclass_searcher;

-- every class of ours is valid
SELECT c.opcname, c.opcintype::regtype, c.opcdefault, amvalidate(c.oid) FROM pg_opclass AS c JOIN pg_am AS m ON m.oid = c.opcmethod WHERE m.amname = 'blind' ORDER BY 1;
-- what is of one type belongs to the class, the rest to the family
SELECT m.kind, m.crosses, d.deptype, d.refclassid::regclass, count(*)
  FROM (SELECT 'pg_amop'::regclass AS class, oid, 'operator' AS kind, amoplefttype <> amoprighttype AS crosses, amopfamily AS family FROM pg_amop
        UNION ALL SELECT 'pg_amproc'::regclass, oid, 'function', amproclefttype <> amprocrighttype, amprocfamily FROM pg_amproc) AS m
  JOIN pg_opfamily AS f ON f.oid = m.family JOIN pg_am AS a ON a.oid = f.opfmethod AND a.amname = 'blind'
  JOIN pg_depend AS d ON d.classid = m.class AND d.objid = m.oid AND d.refclassid IN ('pg_opclass'::regclass, 'pg_opfamily'::regclass)
 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2;

-- nobody hands a support function anything, be it nothing
SELECT steward.encrypted_text_canonical('x', 'y');
SELECT steward.encrypted_bigint_canonical_int4(1, 2);
SELECT steward.encrypted_text_canonical(NULL, NULL);
SELECT steward.blind_handler(NULL);

-- ---- classes of somebody else ----

SET client_min_messages = info;
\set VERBOSITY default
-- with nothing in them
CREATE OPERATOR CLASS nothing FOR TYPE steward.encrypted_text USING blind AS STORAGE steward.encrypted_text;
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'nothing';
-- an operator, but no canonical bytes
CREATE OPERATOR CLASS no_function FOR TYPE steward.encrypted_text USING blind AS OPERATOR 1 =;
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'no_function';
-- canonical bytes, but no operator
CREATE OPERATOR CLASS no_operator FOR TYPE steward.encrypted_text USING blind AS FUNCTION 1 steward.encrypted_text_canonical(internal, internal);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'no_operator';
-- functions that are called with other arguments, or give something else
CREATE OPERATOR CLASS wrong_function FOR TYPE steward.encrypted_text USING blind AS OPERATOR 1 =,
    FUNCTION 1 steward.encrypted_text_tag_cmp(steward.encrypted_text, steward.encrypted_text),
    FUNCTION 3 steward.encrypted_text_canonical(internal, internal),
    FUNCTION 4 steward.encrypted_text_sort_support(internal);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'wrong_function';
-- a family whose plaintexts have no function, and with a plaintext for a column
CREATE OPERATOR FAMILY loose USING blind;
CREATE OPERATOR CLASS loose FOR TYPE steward.encrypted_text USING blind FAMILY loose AS OPERATOR 1 =, FUNCTION 1 steward.encrypted_text_canonical(internal, internal);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'loose';
ALTER OPERATOR FAMILY loose USING blind ADD OPERATOR 1 = (steward.encrypted_text, text);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'loose';
ALTER OPERATOR FAMILY loose USING blind ADD FUNCTION 1 (steward.encrypted_text, text) steward.encrypted_text_canonical_text(internal, internal);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'loose';
ALTER OPERATOR FAMILY loose USING blind ADD OPERATOR 1 = (text, steward.encrypted_text);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'loose';
ALTER OPERATOR FAMILY loose USING blind DROP OPERATOR 1 (text, steward.encrypted_text);
-- further strategies need classes of several tags a value; the class may have options
ALTER OPERATOR FAMILY loose USING blind ADD OPERATOR 2 < (steward.encrypted_text, steward.encrypted_text), OPERATOR 10 > (steward.encrypted_text, steward.encrypted_text), FUNCTION 2 (steward.encrypted_text, steward.encrypted_text) steward.encrypted_unique_options(internal);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'loose';
ALTER OPERATOR FAMILY loose USING blind ADD FUNCTION 5 (steward.encrypted_text, steward.encrypted_text) steward.encrypted_unique_options(internal);
ALTER OPERATOR FAMILY loose USING blind ADD FUNCTION 2 (steward.encrypted_text, text) steward.encrypted_text_canonical_text(internal, internal);
-- what the class needs stays in it, the rest may go
ALTER OPERATOR FAMILY loose USING blind DROP FUNCTION 1 (steward.encrypted_text, steward.encrypted_text);
ALTER OPERATOR FAMILY loose USING blind DROP OPERATOR 1 (steward.encrypted_text, steward.encrypted_text);
ALTER OPERATOR FAMILY loose USING blind DROP FUNCTION 2 (steward.encrypted_text, steward.encrypted_text);
ALTER OPERATOR FAMILY loose USING blind DROP OPERATOR 1 (steward.encrypted_text, text);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'loose';
-- catalogs that no command makes
BEGIN;
SET LOCAL allow_system_table_mods = on;
UPDATE pg_amop SET amopstrategy = 11 WHERE amopfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'loose') AND amopstrategy = 10;
UPDATE pg_amop SET amoppurpose = 'o' WHERE amopfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'loose') AND amopstrategy = 2;
UPDATE pg_amop SET amopopr = '||(text,text)'::regoperator WHERE amopfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'loose') AND amopstrategy = 1;
UPDATE pg_amproc SET amprocnum = 5 WHERE amprocfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'loose') AND amprocrighttype = 'text'::regtype;
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'loose';
ROLLBACK;
SET client_min_messages = warning;
DROP OPERATOR FAMILY nothing USING blind CASCADE;
DROP OPERATOR FAMILY no_function USING blind CASCADE;
DROP OPERATOR FAMILY no_operator USING blind CASCADE;
DROP OPERATOR FAMILY wrong_function USING blind CASCADE;
DROP OPERATOR FAMILY loose USING blind CASCADE;

-- ---- the guard ----

CREATE DOMAIN bclass_domain AS steward.encrypted_text('bclass/domain');
SET ROLE bclass_owner;
CREATE TABLE t (id integer, c steward.encrypted_text('bclass/t.c'), n steward.encrypted_bigint('bclass/t.n'), a steward.encrypted_text('bclass/t.a')[], d bclass_domain, plain text);
INSERT INTO t VALUES (1, 'one', 1, '{one}', 'one', 'one');
-- an ordinary index is for whoever owns the table, without any right
CREATE INDEX ON t USING blind (c);
CREATE INDEX ON t USING blind (c steward.encrypted_text_ops, n);
CREATE INDEX ON t USING blind (d);
CREATE INDEX ON t USING blind (c) WHERE plain = 'x' AND n IS NOT NULL;
CREATE UNLOGGED TABLE unlogged AS SELECT c FROM t;
CREATE INDEX ON unlogged USING blind (c);
CREATE TABLE likewise (LIKE t INCLUDING ALL);
CREATE TABLE parts (id integer, c steward.encrypted_text('bclass/parts.c')) PARTITION BY LIST (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
CREATE INDEX ON parts USING blind (c);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2);
CREATE TABLE part_3 (LIKE parts);
ALTER TABLE parts ATTACH PARTITION part_3 FOR VALUES IN (3);
SELECT i.indrelid::regclass AS on_table, i.indexrelid::regclass AS index, i.indisvalid FROM pg_index AS i JOIN pg_class AS k ON k.oid = i.indexrelid JOIN pg_am AS m ON m.oid = k.relam
 WHERE m.amname = 'blind' AND k.relnamespace = 'bclass'::regnamespace ORDER BY 1, 2;
REINDEX TABLE t;
REINDEX INDEX CONCURRENTLY t_c_idx;
-- a column itself, of an encrypted type, and nothing that decrypts
CREATE INDEX bad ON t USING blind ((coalesce(c, c)));
CREATE INDEX bad ON t USING blind (c, (coalesce(c, c)));
CREATE INDEX bad ON t USING blind (plain);
CREATE INDEX bad ON t USING blind (plain steward.encrypted_text_ops);
CREATE INDEX bad ON t USING blind (a);
CREATE INDEX bad ON t USING blind (a steward.encrypted_text_ops);
CREATE INDEX bad ON t USING blind (c steward.encrypted_bigint_ops);
CREATE INDEX bad ON t USING blind (c steward.encrypted_unique_ops);
CREATE INDEX bad ON t USING blind (c) WHERE n = 5;
CREATE INDEX bad ON t USING blind (c) WHERE c = 'x'::steward.encrypted_text;
CREATE INDEX bad ON t USING blind (c) INCLUDE (n);
CREATE INDEX bad ON t USING blind (c DESC);
ALTER TABLE t CLUSTER ON t_c_idx;
-- what has no class for it says so, with a way
CREATE INDEX bad ON t (c);
CREATE INDEX bad ON t USING hash (c);
CREATE INDEX bad ON t ((coalesce(c, 'x'::steward.encrypted_text)));
CREATE INDEX bad ON t ((coalesce(c, c)));
SELECT to_regclass('bad') IS NULL AS nothing_stayed;

-- a constraint compares what is there: it needs the right to search
ALTER TABLE t ADD CONSTRAINT once EXCLUDE USING blind (c WITH =);
CREATE TABLE bad (c steward.encrypted_text('bclass/t.c'), EXCLUDE USING blind (c WITH =));
CREATE TABLE bad (LIKE t, EXCLUDE USING blind (n WITH =, c WITH =));
RESET ROLE;
SELECT steward.grant_key('bclass', 'bclass_searcher', 'search');
-- of who makes it, not of the owner
ALTER TABLE t ADD CONSTRAINT once EXCLUDE USING blind (c WITH =);
ALTER TABLE t DROP CONSTRAINT once;
GRANT bclass_owner TO bclass_searcher;
SET SESSION AUTHORIZATION bclass_searcher;
ALTER TABLE t ADD CONSTRAINT once EXCLUDE USING blind (c WITH =, n WITH =) WHERE (plain <> 'x') DEFERRABLE;
CREATE TABLE once_more (c steward.encrypted_text('bclass/t.c'), EXCLUDE USING blind (c WITH =));
RESET SESSION AUTHORIZATION;
SET search_path = bclass;
SELECT conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'x' AND connamespace = 'bclass'::regnamespace ORDER BY 1;
-- with what the class has no operator for, or in an index that keeps order
ALTER TABLE t ADD EXCLUDE USING blind (c WITH <>);
ALTER TABLE t ADD EXCLUDE USING blind (c WITH =, plain WITH =);
ALTER TABLE t ADD EXCLUDE USING blind ((coalesce(c, c)) WITH =);
ALTER TABLE t ADD EXCLUDE USING btree (c steward.encrypted_unique_ops WITH =);
ALTER TABLE t ADD EXCLUDE USING hash (c WITH =);

-- Unique indexes: 18 has them, for those with the right; before, the error says
-- what to do. That of CREATE SCHEMA is seen as well.
CREATE FUNCTION try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || SQLERRM || ' ' || hint;
END
$$;
SELECT current_setting('server_version_num')::integer >= 180000 AS has_unique \gset
SELECT v.command, try(v.command) = CASE WHEN :'has_unique' THEN 'done' ELSE '0A000 access method "blind" does not support unique indexes before PostgreSQL 18 ' || v.hint END AS as_told
  FROM (VALUES
    ('CREATE UNIQUE INDEX u1 ON bclass.t USING blind (c)', 'Use EXCLUDE USING blind (c WITH =), or CREATE UNIQUE INDEX with (c steward.encrypted_unique_ops), which ON CONFLICT and foreign keys can use.'),
    ('CREATE UNIQUE INDEX u2 ON bclass.t USING "blind" (n, c)', 'Use EXCLUDE USING blind (n WITH =), or CREATE UNIQUE INDEX with (n steward.encrypted_bigint_unique_ops), which ON CONFLICT and foreign keys can use.'),
    ('CREATE UNIQUE INDEX u3 ON bclass.t USING blind (d) WHERE id > 1', 'Use EXCLUDE USING blind (d WITH =), or CREATE UNIQUE INDEX with (d steward.encrypted_unique_ops), which ON CONFLICT and foreign keys can use.'),
    ('CREATE SCHEMA bclass_in CREATE TABLE s ("A" steward.encrypted_date(''bclass/s'')) CREATE UNIQUE INDEX u ON s USING blind ("A")', 'Use EXCLUDE USING blind ("A" WITH =), or CREATE UNIQUE INDEX with ("A" steward.encrypted_date_unique_ops), which ON CONFLICT and foreign keys can use.')
  ) AS v (command, hint);
DROP SCHEMA IF EXISTS bclass_in CASCADE;
DROP INDEX IF EXISTS u1, u2, u3;
SELECT try('CREATE UNIQUE INDEX u ON bclass.missing USING blind (c)');
SELECT try('CREATE UNIQUE INDEX u ON bclass.t USING blind (missing)') ~ 'does not (exist|support unique indexes )' AS refused;
SELECT try('CREATE UNIQUE INDEX u ON bclass.t USING blind ((coalesce(c, c)))') ~ '^0A000 ' AS refused;
SELECT try('CREATE UNIQUE INDEX u ON bclass.t USING blind (plain)') ~ 'does not support unique indexes |no default operator class' AS refused;
SET ROLE bclass_owner;
SELECT try('CREATE UNIQUE INDEX u ON bclass.t USING blind (c)') ~ CASE WHEN :'has_unique' THEN '^42501 ' ELSE '^0A000 ' END AS refused;
RESET ROLE;

-- Tables bound to subjects: what an ordinary index finds need not outlive them,
-- what a constraint compares with must.
CREATE TABLE bound (who text, c steward.encrypted_text('bclass/bound.c'));
CREATE INDEX ON bound USING blind (c);
SELECT steward.bind_subject('bound', 'bclass', 'who');
CREATE INDEX bound_2 ON bound USING blind (c);
ALTER TABLE bound ADD EXCLUDE USING blind (c WITH =);
SELECT try('CREATE UNIQUE INDEX u ON bclass.bound USING blind (c)') ~ '^0A000' AS refused;
CREATE TABLE unbound (who text, c steward.encrypted_text('bclass/bound.c'), CONSTRAINT once_only EXCLUDE USING blind (c WITH =));
SELECT steward.bind_subject('unbound', 'bclass', 'who');
ALTER TABLE unbound DROP CONSTRAINT once_only;
SELECT steward.bind_subject('unbound', 'bclass', 'who');

-- a conversion does not carry one, and says which
CREATE TABLE conv (id integer, c steward.encrypted_text('bclass/conv.c'), once steward.encrypted_text('bclass/conv.once'), EXCLUDE USING blind (once WITH =));
CREATE INDEX ON conv USING blind (c);
SELECT steward.decrypt_column('conv', 'c');
SELECT steward.decrypt_column('conv', 'once');

-- a method of our name with another handler, or of our handler with another name
BEGIN;
CREATE ACCESS METHOD also TYPE INDEX HANDLER steward.blind_handler;
CREATE OPERATOR CLASS also DEFAULT FOR TYPE steward.encrypted_text USING also AS OPERATOR 1 =, FUNCTION 1 steward.encrypted_text_canonical(internal, internal);
SAVEPOINT s;
CREATE INDEX bad ON t USING also (c);
ROLLBACK TO s;
SET LOCAL allow_system_table_mods = on;
UPDATE pg_am SET amname = 'theirs' WHERE amname = 'blind';
CREATE ACCESS METHOD blind TYPE INDEX HANDLER hashhandler;
CREATE OPERATOR CLASS not_ours DEFAULT FOR TYPE steward.encrypted_text USING blind AS OPERATOR 1 =, FUNCTION 1 steward.encrypted_text_hash(steward.encrypted_text);
CREATE INDEX bad ON t USING blind (c);
ROLLBACK;

RESET search_path;
SET client_min_messages = error;
DROP SCHEMA bclass CASCADE;
DROP OWNED BY bclass_owner, bclass_searcher;
DROP ROLE bclass_owner, bclass_searcher;

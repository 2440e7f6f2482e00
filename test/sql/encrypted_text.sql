-- encrypted_text: values, casts, operators, indexes, plans.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE etext_reader;
CREATE ROLE etext_searcher;
CREATE ROLE etext_writer;
CREATE ROLE etext_owner;
CREATE SCHEMA etext;
GRANT ALL ON SCHEMA etext TO PUBLIC;
SET search_path = etext;
SELECT steward.create_key('etext');
SELECT steward.create_key('etext_other');
SELECT steward.grant_key('etext', 'etext_reader', 'decrypt'), steward.grant_key('etext', 'etext_searcher', 'search');
-- the key id that stands in a value
CREATE FUNCTION datum(steward.encrypted_text) RETURNS bytea LANGUAGE sql
    AS $$ SELECT pg_catalog.decode(rpad(translate(substr(a, 6), '-_', '+/'), (length(a) - 2) / 4 * 4, '='), 'base64') FROM (SELECT steward.encrypted_text_out($1)::text AS a) AS s $$;
CREATE FUNCTION key_of(steward.encrypted_text) RETURNS text LANGUAGE sql STRICT
    AS $$ SELECT CASE id WHEN 0 THEN 'transient' ELSE coalesce((SELECT path FROM steward.key WHERE key_id = id), 'unregistered') END
            FROM (SELECT ('x' || encode(substr(datum($1), 5, 4), 'hex'))::bit(32)::int AS id) AS s $$;
RESET client_min_messages;

CREATE TABLE t (id integer PRIMARY KEY, c steward.encrypted_text('etext/t.c'), plain text);
SELECT attstorage FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'c';

-- values
INSERT INTO t SELECT row_number() OVER (), v, v FROM (VALUES ('alice'), ('Bob'), (''), (NULL), (' lead'), ('trail '), ('Ünïcödé 漢字 🂡'), ('alice'), (E'new\nline\ttab\\'), ('stw1'), (repeat('x', 5000))) AS s (v);
SELECT count(*) FILTER (WHERE c::text = plain) AS same, count(*) FILTER (WHERE c IS NULL) AS nulls, count(*) FILTER (WHERE c = '') AS empty,
       count(*) FILTER (WHERE octet_length(datum(c)) = octet_length(plain) + 68) AS overhead_is_68, bool_and(key_of(c) = 'etext/t.c') AS under_its_key,
       count(DISTINCT datum(c)) = count(c) AS ciphertexts_differ, bool_and(c::text IS NOT DISTINCT FROM plain) AS all_same
  FROM t;
SELECT bool_and(steward.encrypted_text_out(c)::text ~ '^stw1:[A-Za-z0-9_-]+$') AS armour, bool_or(position('alice' in encode(datum(c), 'escape')) > 0) AS plaintext_inside FROM t;
-- each row has its own ciphertext, also for a constant
CREATE TABLE many (n integer, c steward.encrypted_text('etext/many.c'));
INSERT INTO many SELECT n, 'same' FROM generate_series(1, 500) AS n;
SELECT count(DISTINCT datum(c)), count(DISTINCT c) FROM many;
UPDATE many SET c = 'literal';
SELECT count(DISTINCT datum(c)), count(DISTINCT c), bool_and(key_of(c) = 'etext/many.c') FROM many;
INSERT INTO many SELECT n, 'x' || n::text FROM generate_series(1, 500) AS n;

-- casts both ways
SELECT ('a'::text)::steward.encrypted_text::text, ('a'::varchar(5))::steward.encrypted_text::varchar, ('a '::char(5))::steward.encrypted_text::text || '|' AS bpchar, ('a'::name)::steward.encrypted_text::text AS name;
SELECT ('abcdef'::steward.encrypted_text)::varchar(3), ('abcdef'::steward.encrypted_text)::char(3), length((('ab'::steward.encrypted_text)::char(5))::text);
CREATE TABLE from_all (t text, v varchar(10), b char(10), n name, c1 steward.encrypted_text('etext/f.1'), c2 steward.encrypted_text('etext/f.2'), c3 steward.encrypted_text('etext/f.3'), c4 steward.encrypted_text('etext/f.4'));
INSERT INTO from_all VALUES ('t', 'v', 'b', 'n');
UPDATE from_all SET c1 = t, c2 = v, c3 = b, c4 = n;
SELECT c1::text || c2::text || c3::text || c4::text FROM from_all;
UPDATE from_all SET t = c1;
UPDATE from_all SET c1 = 5;
SELECT 'x'::text || c1 IS NOT NULL FROM from_all;
SELECT c1 ~ 'x' FROM from_all;
SELECT 'stw1:abc'::text::steward.encrypted_text;
SELECT steward.decrypt(steward.encrypt_text('stw1:abc', 'etext'));
-- arguments in the wrong order: the plaintext is not quoted as the name of a key
SELECT steward.encrypt_text('etext', '078-05-1120');
SELECT steward.encrypt_text('etext/new', 'John Smith');
SELECT steward.encrypt_text('no key', 'etext_unknown');
SELECT steward.decrypt(steward.encrypt_text('etext', 'etext'));
DO $$ DECLARE v varchar(3); BEGIN v := ('secret'::steward.encrypted_text)::text; EXCEPTION WHEN string_data_right_truncation THEN RAISE NOTICE '%', SQLERRM; END $$;

-- another key: decrypts and encrypts, for which the source wants the right
CREATE TABLE other (id integer, c steward.encrypted_text('etext_other/c'));
GRANT ALL ON t, other, many TO etext_reader, etext_searcher;
GRANT INSERT, UPDATE (plain, c), SELECT (id) ON t TO etext_writer;
SET ROLE etext_searcher;
INSERT INTO other SELECT id, c FROM t;
SET ROLE etext_reader;
INSERT INTO other SELECT id, c FROM t;
SELECT key_of('x'::steward.encrypted_text);
RESET ROLE;
SELECT count(*), bool_and(key_of(other.c) = 'etext_other/c'), bool_and(other.c = t.c), bool_and(other.c::text = t.plain) FROM other JOIN t USING (id) WHERE t.c IS NOT NULL;
SET ROLE etext_reader;
SELECT c::text FROM other;
SELECT count(*) FROM t JOIN other ON t.c = other.c;
RESET ROLE;

-- transient values become the column's by whatever way they come
SELECT key_of('literal'), key_of('x'::text::steward.encrypted_text), key_of('x'::steward.encrypted_text('etext/t.c')), key_of(steward.encrypt_text('x', 'etext/t.c'));
CREATE DOMAIN dom AS steward.encrypted_text('etext/dom');
CREATE TYPE comp AS (x steward.encrypted_text('etext/comp'), n integer);
CREATE TABLE holder (how text, c steward.encrypted_text('etext/h.c'), d dom, a steward.encrypted_text('etext/h.a')[], k comp, da dom[]);
INSERT INTO holder (how, c, d, a, k, da) VALUES ('literal', 'v', 'v', '{v,v}', ROW('v', 1), '{v}');
INSERT INTO holder (how, c, d, a, k, da) SELECT 'expression', e, e, ARRAY[e, e], ROW(e, 1)::comp, ARRAY[e]::dom[] FROM (SELECT 'v'::steward.encrypted_text AS e) AS s;
INSERT INTO holder (how, c, d, a, k, da) SELECT 'text', e, e, ARRAY[e, e], ROW(e::steward.encrypted_text, 1)::comp, ARRAY[e]::dom[] FROM (SELECT 'v'::text AS e) AS s;
PREPARE p (steward.encrypted_text, steward.encrypted_text[]) AS INSERT INTO holder (how, c, d, a, k, da) VALUES ('parameter', $1, $1, $2, ROW($1, 1), ARRAY[$1]::dom[]);
EXECUTE p ('v', '{v,v}');
EXECUTE p ('v', '{v,v}');
DEALLOCATE p;
PREPARE p AS INSERT INTO holder (how, c) VALUES ('untyped', $1);
EXECUTE p ('v');
INSERT INTO holder (how, c, k) SELECT 'json', j.c, j.k FROM jsonb_populate_record(NULL::holder, '{"c": "v", "k": {"x": "v", "n": 1}}') AS j;
UPDATE holder SET c = 'v', d = 'v', a[1] = 'v', k.x = 'v', da[1] = 'v' WHERE how = 'literal';
DO $$
DECLARE
    v steward.encrypted_text := 'v';
    w text := 'v';
    r holder;
    q record;
    arr steward.encrypted_text[];
BEGIN
    INSERT INTO holder (how, c, d) VALUES ('plpgsql', v, v), ('plpgsql', w, w);
    r.how := 'plpgsql record';
    r.c := v;
    r.d := w;
    r.k := ROW(v, 1)::comp;
    r.a := ARRAY[v, v];
    INSERT INTO holder SELECT r.*;
    SELECT 'plpgsql loop' AS how, v AS c, w::steward.encrypted_text AS d INTO q;
    INSERT INTO holder (how, c, d) VALUES (q.how, q.c, q.d);
    arr[1] := v;
    INSERT INTO holder (how, a) VALUES ('plpgsql array', arr || v);
    EXECUTE 'INSERT INTO holder (how, c) VALUES ($1, $2)' USING 'plpgsql using', v;
END
$$;
CREATE FUNCTION returns_one(x steward.encrypted_text) RETURNS steward.encrypted_text LANGUAGE plpgsql AS 'BEGIN RETURN x; END';
CREATE FUNCTION returns_row() RETURNS comp LANGUAGE plpgsql AS $$ DECLARE r comp; BEGIN r.x := 'v'::steward.encrypted_text; r.n := 1; RETURN r; END $$;
CREATE FUNCTION returns_sql_row() RETURNS comp LANGUAGE sql VOLATILE AS $$ SELECT 'v'::steward.encrypted_text, 1 $$;
CREATE FUNCTION returns_table() RETURNS TABLE (x steward.encrypted_text) LANGUAGE sql VOLATILE AS $$ SELECT 'v'::steward.encrypted_text $$;
CREATE FUNCTION returns_record() RETURNS SETOF record LANGUAGE sql VOLATILE AS $$ SELECT 'v'::steward.encrypted_text $$;
INSERT INTO holder (how, c) SELECT 'function', returns_one('v');
INSERT INTO holder (how, k) SELECT 'function', returns_row();
INSERT INTO holder (how, k) SELECT 'function', returns_sql_row();
INSERT INTO holder (how, c) SELECT 'function', x FROM returns_table();
INSERT INTO holder (how, c) SELECT 'record function', x FROM returns_record() AS f (x steward.encrypted_text);
CREATE FUNCTION set_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.c := 'v'::steward.encrypted_text; NEW.k := ROW('v'::steward.encrypted_text, 1)::comp; RETURN NEW; END $$;
CREATE TRIGGER set_it BEFORE INSERT ON holder FOR EACH ROW EXECUTE FUNCTION set_it();
INSERT INTO holder (how) VALUES ('trigger');
DROP TRIGGER set_it ON holder;
INSERT INTO holder (how, c) SELECT 'union', 'v'::text UNION ALL SELECT 'union', 'v';
INSERT INTO holder (how, c) SELECT 'case', CASE WHEN how = 'literal' THEN c ELSE 'v' END FROM holder WHERE how = 'literal';
INSERT INTO holder (how, c) SELECT 'coalesce', coalesce(NULL, c, 'v') FROM holder WHERE how = 'literal';
MERGE INTO holder USING (VALUES ('merge')) AS s (how) ON holder.how = s.how WHEN NOT MATCHED THEN INSERT (how, c) VALUES (s.how, 'v');
COPY holder (how, c, a, k) FROM stdin;
copy	v	{v}	(v,1)
\.
SELECT DISTINCT key_of(c) AS c, key_of(d) AS d, (SELECT string_agg(DISTINCT key_of(e), ',') FROM unnest(a) AS e) AS a, key_of((k).x) AS k,
       (SELECT string_agg(DISTINCT key_of(e), ',') FROM unnest(da) AS e) AS da FROM holder WHERE c IS NOT NULL AND d IS NOT NULL AND a IS NOT NULL AND k IS NOT NULL AND da IS NOT NULL;
SELECT count(*) AS rows, bool_and(coalesce(key_of(c), '') <> 'transient' AND coalesce(key_of(d), '') <> 'transient' AND coalesce(key_of((k).x), '') <> 'transient'
       AND NOT EXISTS (SELECT FROM unnest(a) AS e WHERE key_of(e) = 'transient') AND NOT EXISTS (SELECT FROM unnest(da) AS e WHERE key_of(e) = 'transient')) AS none_transient,
       bool_and(coalesce(c, 'v') = 'v' AND coalesce((k).x, 'v') = 'v' AND 'v' = ALL (coalesce(a, '{}'))) AS all_v FROM holder;

-- equality, in every place that looks for it
SELECT count(*) FROM t WHERE c = 'alice';
SELECT count(*) FROM t WHERE 'alice'::text = c AND c = 'alice'::text AND c = plain;
SELECT count(*) FROM t WHERE c <> 'alice' AND c <> 'alice'::text AND 'alice'::text <> c;
SELECT id FROM t WHERE c IN ('alice', '') ORDER BY id;
SELECT id FROM t WHERE c = ANY (ARRAY['Bob', 'alice']::text[]) ORDER BY id;
SELECT id FROM t WHERE c NOT IN ('alice', '') AND id < 6 ORDER BY id;
SELECT id, NULLIF(c, 'alice') IS NULL AS nullif, c IS DISTINCT FROM 'alice' AS distinct_from, CASE c WHEN 'alice' THEN 'A' ELSE '-' END AS kase FROM t WHERE id < 5 ORDER BY id;
SELECT count(DISTINCT c), count(DISTINCT plain) FROM t;
SELECT count(*), min(plain) FROM t WHERE id < 9 GROUP BY c ORDER BY 2;
SELECT count(*) FROM (SELECT c FROM t UNION SELECT c FROM t) AS s;
SELECT count(*) FROM (SELECT c FROM t INTERSECT SELECT 'alice') AS s;
SELECT count(*) FROM (SELECT c FROM t EXCEPT SELECT 'alice') AS s;
SELECT id, row_number() OVER (PARTITION BY c ORDER BY id) AS n, rank() OVER (ORDER BY c) = rank() OVER (ORDER BY plain) AS same_rank FROM t WHERE id < 9 ORDER BY id;
SELECT array_position(array_agg(c ORDER BY id), 'Bob'), ARRAY['a', 'b']::steward.encrypted_text[] = ARRAY['a', 'b']::steward.encrypted_text[] AS arrays, ROW('a'::steward.encrypted_text) = ROW('a'::steward.encrypted_text) AS rows FROM t;
SELECT (SELECT count(*) FROM t WHERE plain IN (SELECT plain FROM t WHERE c = 'alice')) AS n, EXISTS (SELECT FROM t WHERE c = 'nobody') AS nobody;
SELECT bool_and((a.c = b.c) = (a.plain = b.plain) AND (a.c <> b.c) = (a.plain <> b.plain)) AS equal_as_plain, bool_and((a.c < b.c) = (a.plain < b.plain) AND (a.c <= b.c) = (a.plain <= b.plain) AND (a.c > b.c) = (a.plain > b.plain) AND (a.c >= b.c) = (a.plain >= b.plain)) AS ordered_as_plain FROM t AS a, t AS b;
SELECT array_agg(id ORDER BY c, id) = array_agg(id ORDER BY plain, id) AS order_by, array_agg(id ORDER BY c DESC, id) = array_agg(id ORDER BY plain DESC, id) AS descending, array_agg(id ORDER BY c NULLS FIRST, id) = array_agg(id ORDER BY plain NULLS FIRST, id) AS nulls_first FROM t;
SELECT min(c) FROM t;
SELECT c FROM t ORDER BY c USING OPERATOR(pg_catalog.~<~);

-- joins, each way, also with text and with another key
CREATE FUNCTION joins(method text, OUT node text, OUT same_key bigint, OUT other_key bigint, OUT with_text bigint, OUT text_with bigint, OUT using_ bigint, OUT left_ bigint, OUT semi bigint, OUT anti bigint) LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    PERFORM set_config('enable_hashjoin', (method = 'hash')::text, true), set_config('enable_nestloop', (method = 'nestloop')::text, true), set_config('enable_mergejoin', 'off', true);
    EXECUTE 'EXPLAIN (FORMAT json) SELECT count(*) FROM t JOIN t AS u ON t.c = u.c' INTO plan;
    node := plan #>> '{0,Plan,Plans,0,Node Type}';
    SELECT count(*) INTO same_key FROM t JOIN t AS u ON t.c = u.c;
    SELECT count(*) INTO other_key FROM t JOIN other AS u ON t.c = u.c;
    SELECT count(*) INTO with_text FROM t JOIN t AS u ON t.c = u.plain;
    SELECT count(*) INTO text_with FROM t JOIN t AS u ON t.plain = u.c;
    SELECT count(*) INTO using_ FROM t JOIN other USING (c);
    SELECT count(*) INTO left_ FROM t LEFT JOIN other AS u ON t.c = u.c;
    SELECT count(*) INTO semi FROM t WHERE EXISTS (SELECT FROM other AS u WHERE t.c = u.c);
    SELECT count(*) INTO anti FROM t WHERE NOT EXISTS (SELECT FROM many AS u WHERE t.c = u.c);
END
$$;
SELECT * FROM joins('hash');
SELECT * FROM joins('nestloop');
SELECT count(*) FROM t FULL JOIN other ON t.c = other.c;
SELECT count(*) FROM t FULL JOIN t AS u ON t.c = u.plain;
-- hashing agrees across both types and all seeds; also with a spilled hash table
SELECT bool_and(steward.encrypted_text_hash(c) = steward.plain_text_hash(plain)) AS hash,
       bool_and(steward.encrypted_text_hash_extended(c, s) = steward.plain_text_hash_extended(plain, s)) AS extended,
       bool_and(steward.encrypted_text_hash_extended(c, 0) & 4294967295 = steward.encrypted_text_hash(c)::bigint & 4294967295) AS seed_0,
       count(DISTINCT steward.plain_text_hash_extended('x', s)) AS seeds
  FROM t, unnest(ARRAY[0, 1, -1, 9223372036854775807]) AS s;
SET enable_sort = off;
SELECT count(*) FROM (SELECT c FROM t WHERE c IS NOT NULL GROUP BY c) AS s;
SET enable_sort = on;
SET enable_hashagg = off;
SELECT count(*) FROM (SELECT c FROM t WHERE c IS NOT NULL GROUP BY c) AS s;
RESET enable_hashagg;

-- without the right neither hashes, nor tags, nor machinery tell what is equal
SET ROLE etext_writer;
SELECT 1 FROM etext.t WHERE c = 'alice';
RESET ROLE;
GRANT SELECT ON t TO etext_writer;
SET ROLE etext_writer;
SELECT hash_array(ARRAY[c]) FROM t;
SELECT hash_array_extended(ARRAY[c], 1) FROM t;
SELECT hash_record(ROW(c)) FROM t;
SELECT hash_record_extended(ROW(c), 1) FROM t;
SELECT ARRAY[c] = ARRAY['alice'::steward.encrypted_text] FROM t;
SELECT ROW(c) = ROW('alice'::steward.encrypted_text) FROM t;
SELECT ROW(c) < ROW('alice'::steward.encrypted_text) FROM t;
SELECT array_position(ARRAY[c], 'alice') FROM t;
SELECT array_remove(ARRAY[c], 'alice') FROM t;
SELECT GREATEST(c, 'alice') FROM t;
SELECT ARRAY[c] @> ARRAY['alice'::steward.encrypted_text] FROM t;
SELECT count(*) FROM t WHERE c IN ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k');
SELECT count(*) FROM t WHERE c::text = 'alice';
SELECT quote_literal(c) FROM t;
SET enable_sort = off;
SELECT count(*) FROM (SELECT DISTINCT c FROM t WHERE id IN (1, 2)) AS s;
SELECT count(*) FROM (SELECT c FROM t WHERE id = 2 UNION SELECT 'alice') AS s;
RESET enable_sort;
SELECT count(*) FROM (SELECT DISTINCT c FROM t WHERE id IN (1, 2)) AS s;
SELECT id FROM t ORDER BY c;
SELECT count(*) FROM t JOIN t AS u USING (c);
SELECT steward.encrypted_text_hash(c) FROM t;
SELECT steward.encrypted_text_hash_extended(c, 1) FROM t;
SELECT steward.encrypted_text_tag_cmp(c, 'alice'::text) FROM t;
SELECT steward.plain_text_hash('alice');
CREATE TEMP TABLE mine (c steward.encrypted_text('etext/t.c'));
CREATE UNIQUE INDEX ON mine (c steward.encrypted_unique_ops);
CREATE UNIQUE INDEX CONCURRENTLY ON mine (c steward.encrypted_unique_ops);
ALTER TABLE mine ADD EXCLUDE USING btree (c steward.encrypted_unique_ops WITH =);
ALTER TABLE mine ADD COLUMN d steward.encrypted_text('etext_other/c');
CREATE UNIQUE INDEX ON mine ((coalesce(c, d)) steward.encrypted_unique_ops);
CREATE UNIQUE INDEX ON mine ((coalesce(c, c)) steward.encrypted_unique_ops);
CREATE TEMP TABLE plain (c text UNIQUE);
ALTER TABLE plain ALTER COLUMN c TYPE steward.encrypted_text('etext/t.c');
DROP TABLE mine, plain;
-- two values that are the same bytes are plainly the same
SELECT count(*) FROM t WHERE c = c;
RESET ROLE;
SET ROLE etext_searcher;
SELECT count(*) FROM (SELECT c FROM t GROUP BY c) AS s;
SELECT count(*) FROM t WHERE c IN ('alice', 'Bob', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k');
SELECT count(*) FROM t WHERE c NOT IN ('alice', 'Bob', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k');
SELECT count(*) FROM t WHERE c NOT IN (SELECT c FROM many);
SELECT count(*) FROM t JOIN t AS u USING (c);
CREATE TEMP TABLE mine (c steward.encrypted_text('etext/t.c'), d steward.encrypted_text('etext_other/c'));
CREATE UNIQUE INDEX ON mine (c steward.encrypted_unique_ops);
CREATE UNIQUE INDEX ON mine (d steward.encrypted_unique_ops);
CREATE TEMP TABLE mine2 (LIKE mine INCLUDING ALL);
ALTER TABLE mine ALTER COLUMN c TYPE steward.encrypted_text('etext_other/c');
DROP TABLE mine, mine2;
RESET ROLE;

-- COPY
CREATE TABLE copied (id integer, c steward.encrypted_text('etext/copied'));
COPY copied FROM stdin;
1	plain\ttab
2	\N
3	
4	Ü
\.
COPY copied FROM stdin (FORMAT csv);
5,"a,""b"""
6,
7,""
\.
SELECT id, c::text, key_of(c) FROM copied ORDER BY id;
RESET search_path;
-- unique indexes: the only ones there are
SET search_path = etext;
CREATE TABLE person (id integer PRIMARY KEY, region text, mail steward.encrypted_text('etext/person.mail') NOT NULL, gone boolean DEFAULT false);
CREATE UNIQUE INDEX person_mail ON person (mail steward.encrypted_unique_ops);
INSERT INTO person VALUES (1, 'a', 'x@example.org'), (2, 'b', 'y@example.org');
DO $$ BEGIN INSERT INTO person VALUES (3, 'c', 'x@example.org'); EXCEPTION WHEN unique_violation THEN RAISE NOTICE '%', SQLERRM; END $$;
INSERT INTO person VALUES (3, 'c', 'x@example.org') ON CONFLICT (mail) DO UPDATE SET region = 'upserted';
INSERT INTO person VALUES (3, 'c', 'x@example.org') ON CONFLICT DO NOTHING;
INSERT INTO person SELECT 10 + n, 'many', n || '@example.org' FROM generate_series(1, 300) AS n;
SELECT id, region FROM person WHERE mail = 'x@example.org';
SELECT count(*) FROM person;
DO $$ BEGIN UPDATE person SET mail = 'y@example.org' WHERE id = 1; EXCEPTION WHEN unique_violation THEN RAISE NOTICE '%', SQLERRM; END $$;
UPDATE person SET mail = 'z@example.org' WHERE id = 1;
UPDATE person SET mail = 'x@example.org' WHERE id = 1;
REINDEX INDEX person_mail;
CREATE UNIQUE INDEX person_live ON person (region, mail steward.encrypted_unique_ops) WHERE NOT gone;
CREATE UNIQUE INDEX CONCURRENTLY person_concurrent ON person (mail steward.encrypted_unique_ops) INCLUDE (id);
SELECT indisvalid FROM pg_index WHERE indexrelid = 'person_concurrent'::regclass;
DROP INDEX person_concurrent;
VACUUM ANALYZE person;
-- a writer needs no right, nor does an owner who only keeps the table
ALTER TABLE person OWNER TO etext_owner;
GRANT INSERT ON person TO etext_writer;
SET ROLE etext_writer;
INSERT INTO person VALUES (500, 'w', 'w@example.org');
DO $$ BEGIN INSERT INTO person VALUES (501, 'w', 'w@example.org'); EXCEPTION WHEN unique_violation THEN RAISE NOTICE '%', SQLERRM; END $$;
RESET ROLE;
SET ROLE etext_owner;
REINDEX TABLE person;
REINDEX INDEX CONCURRENTLY person_mail;
UPDATE person SET region = 'o' WHERE id = 2;
UPDATE person SET mail = 'o@example.org' WHERE id = 2;
ANALYZE person;
ALTER TABLE person ADD COLUMN note text;
CREATE UNIQUE INDEX ON person (mail steward.encrypted_unique_ops);
SELECT 1 FROM person WHERE mail = 'o@example.org';
RESET ROLE;

-- foreign keys; the owner of the referenced table searches in it
SELECT steward.grant_key('etext', 'etext_owner', 'search');
CREATE TABLE letter (id integer, mail steward.encrypted_text('etext/letter.mail') REFERENCES person (mail) ON UPDATE CASCADE ON DELETE CASCADE, n integer DEFAULT 0);
CREATE TABLE strict (id integer, mail steward.encrypted_text('etext/strict.mail') REFERENCES person (mail));
CREATE TABLE nullable (id integer, mail steward.encrypted_text('etext/nullable.mail') REFERENCES person (mail) ON DELETE SET NULL);
ALTER TABLE letter OWNER TO etext_owner;
ALTER TABLE nullable OWNER TO etext_owner;
INSERT INTO letter VALUES (1, 'x@example.org'), (2, 'x@example.org'), (3, 'w@example.org'), (4, NULL);
INSERT INTO letter VALUES (5, 'nobody@example.org');
INSERT INTO strict VALUES (1, 'w@example.org');
INSERT INTO nullable VALUES (1, 'x@example.org');
GRANT SELECT, UPDATE ON letter TO etext_writer;
GRANT INSERT ON letter TO etext_writer;
SET ROLE etext_writer;
INSERT INTO letter VALUES (6, 'w@example.org');
UPDATE letter SET n = 1 WHERE id = 1;
RESET ROLE;
DELETE FROM person WHERE mail = 'w@example.org';
DELETE FROM strict;
DELETE FROM nullable;
SELECT steward.grant_key('etext', 'etext_owner', 'decrypt');
UPDATE person SET mail = 'new@example.org' WHERE id = 1;
SELECT id, mail::text, key_of(mail) FROM letter ORDER BY id;
INSERT INTO nullable VALUES (1, 'new@example.org');
DELETE FROM person WHERE id IN (1, 500);
SELECT id, mail::text FROM letter ORDER BY id;
SELECT id, mail IS NULL AS set_null FROM nullable;

-- row security: the index is used, because "=" is leakproof
CREATE POLICY p ON person TO etext_searcher USING (region = 'many');
ALTER TABLE person ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON person TO etext_searcher;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        RETURN NEXT regexp_replace(line, '''stw1:[^'']*''', '''stw1:...''');
    END LOOP;
END
$$;
DROP INDEX person_live;
SET ROLE etext_searcher;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT plan_of('SELECT id FROM person WHERE mail = ''7@example.org''');
SELECT plan_of('SELECT id FROM person WHERE mail = ''7@example.org''::text');
SELECT id FROM person WHERE mail = '7@example.org';
SELECT id FROM person WHERE mail = '7@example.org'::text;
SELECT id FROM person WHERE mail = 'y@example.org';
SELECT id FROM person WHERE mail IN ('7@example.org', '8@example.org') ORDER BY id;
RESET ROLE;
-- without the right an index does not help
CREATE POLICY q ON person TO etext_writer USING (true);
GRANT SELECT ON person TO etext_writer;
SET ROLE etext_writer;
SELECT id FROM person WHERE mail = '7@example.org';
SELECT count(*) FROM generate_series(1, 20) AS n, LATERAL (SELECT FROM person WHERE mail = 'nobody' || n) AS s;
RESET ROLE;
CREATE TABLE single (c steward.encrypted_text('etext/single'));
CREATE UNIQUE INDEX ON single (c steward.encrypted_unique_ops);
INSERT INTO single VALUES ('x');
GRANT ALL ON single TO etext_writer;
SET ROLE etext_writer;
INSERT INTO single VALUES ('y');
DO $$
DECLARE
    denied integer := 0;
BEGIN
    -- a search is refused wherever in the order of tags it would fall
    FOR n IN 1 .. 20 LOOP
        BEGIN
            PERFORM FROM single WHERE c = n::text;
        EXCEPTION WHEN insufficient_privilege THEN
            denied := denied + 1;
        END;
    END LOOP;
    RAISE NOTICE '% of 20 denied', denied;
END
$$;
RESET ROLE;
RESET enable_seqscan;
RESET enable_bitmapscan;

-- plans are kept, keys change: generic ones
SET plan_cache_mode = force_generic_plan;
PREPARE g (text) AS SELECT id FROM person WHERE mail = $1;
EXECUTE g ('7@example.org');
EXECUTE g ('8@example.org');
PREPARE ge (steward.encrypted_text) AS SELECT id FROM person WHERE mail = $1;
EXECUTE ge ('7@example.org');
SET plan_cache_mode = force_custom_plan;
EXECUTE ge ('8@example.org');
RESET plan_cache_mode;
DEALLOCATE ALL;

-- operators are found with any search path
SET search_path = '';
SELECT id FROM etext.person WHERE mail = '7@example.org';
SELECT count(*) FROM etext.t JOIN etext.other USING (c);
SELECT NULLIF(c, 'alice') IS NULL FROM etext.t WHERE c IN ('alice', 'x') AND id = 1;
SELECT id FROM etext.t WHERE id < 4 ORDER BY c;
SET search_path = etext;

-- what ANALYZE keeps
CREATE TABLE stats (c steward.encrypted_text('etext/stats.c'), a steward.encrypted_text('etext/stats.a')[], d dom, k comp, da dom[]);
INSERT INTO stats SELECT CASE WHEN n % 4 > 0 THEN 'v' || n % 10 END, ARRAY['v' || n % 2]::text[], 'v' || n % 3, ROW('v' || n % 3, 1)::comp, ARRAY['v' || n % 3]::dom[] FROM generate_series(1, 400) AS n;
ANALYZE stats;
SELECT attname, null_frac, avg_width > 0 AS width, n_distinct, most_common_vals, most_common_freqs, histogram_bounds, correlation, most_common_elems, most_common_elem_freqs, elem_count_histogram FROM pg_stats WHERE schemaname = 'etext' AND tablename = 'stats' ORDER BY 1;
ALTER TABLE stats ALTER COLUMN k SET STATISTICS 100;
ANALYZE stats;
SELECT count(*) FROM pg_stats WHERE schemaname = 'etext' AND tablename = 'stats' AND attname IN ('k', 'da');
SELECT count(*) FROM pg_statistic AS s WHERE starelid = 'stats'::regclass AND (stakind1 <> 0 OR stakind2 <> 0 OR stavalues1 IS NOT NULL OR stanumbers1 IS NOT NULL);

-- large values
CREATE TABLE large (c steward.encrypted_text('etext/large'));
INSERT INTO large SELECT string_agg(md5(n::text), '') FROM generate_series(1, 327680) AS n;
SELECT octet_length(c::text), md5(c::text) = (SELECT md5(string_agg(md5(n::text), '')) FROM generate_series(1, 327680) AS n) AS same, pg_column_size(c) - octet_length(c::text) AS overhead FROM large;
SELECT c = c::text AS equal FROM large;
CREATE UNIQUE INDEX ON large (c steward.encrypted_unique_ops);

-- ALTER TABLE, there and back
CREATE TABLE alt (id integer, c text);
INSERT INTO alt VALUES (1, 'one'), (2, NULL), (3, '');
ALTER TABLE alt ALTER COLUMN c TYPE steward.encrypted_text('etext/alt') USING c::steward.encrypted_text('etext/alt');
SELECT id, c::text, key_of(c) FROM alt ORDER BY id;
ALTER TABLE alt ALTER COLUMN c TYPE steward.encrypted_text('etext_other/alt');
SELECT id, c::text, key_of(c) FROM alt ORDER BY id;
ALTER TABLE alt ALTER COLUMN c TYPE text;
ALTER TABLE alt ALTER COLUMN c TYPE text USING c::text;
SELECT * FROM alt ORDER BY id;
ALTER TABLE alt ALTER COLUMN c TYPE steward.encrypted_text('etext/alt');
SELECT id, c::text, key_of(c) FROM alt ORDER BY id;
ALTER TABLE alt ADD COLUMN d steward.encrypted_text('etext/alt.d') DEFAULT 'given'::text;
SELECT count(*), count(DISTINCT datum(d)), min(d::text) FROM alt;

-- partitions, inheritance, temporary tables, CREATE TABLE AS keep the key
CREATE TABLE part (id integer, c steward.encrypted_text('etext/part')) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (1) TO (10);
CREATE UNIQUE INDEX ON part (id, c steward.encrypted_unique_ops);
INSERT INTO part VALUES (1, 'p');
SELECT c::text, key_of(c) FROM part1;
CREATE TABLE wrong (id integer, c steward.encrypted_text('etext/wrong'));
ALTER TABLE part ATTACH PARTITION wrong FOR VALUES FROM (10) TO (20);
CREATE TABLE child () INHERITS (t);
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'child'::regclass AND attname = 'c';
CREATE TEMP TABLE ctas AS SELECT id, c FROM t;
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'ctas'::regclass AND attname = 'c';

-- a parallel plan
CREATE FUNCTION in_parallel(OUT workers boolean, OUT n bigint, OUT plain bigint) LANGUAGE plpgsql AS $$
DECLARE
    plan text := '';
    line text;
BEGIN
    PERFORM set_config('parallel_setup_cost', '0', true), set_config('parallel_tuple_cost', '0', true), set_config('min_parallel_table_scan_size', '0', true), set_config('max_parallel_workers_per_gather', '2', true), set_config('parallel_leader_participation', 'off', true);
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) SELECT count(*) FROM many WHERE c = ''x7''' LOOP
        plan := plan || line;
    END LOOP;
    workers := plan LIKE '%Gather%';
    SELECT count(*) INTO n FROM many WHERE c = 'x7';
    SELECT count(*) INTO plain FROM many WHERE c::text LIKE 'x%';
END
$$;
SELECT * FROM in_parallel();

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA etext CASCADE;
DROP OWNED BY etext_reader, etext_searcher, etext_writer, etext_owner;
DROP ROLE etext_reader, etext_searcher, etext_writer, etext_owner;
DELETE FROM steward.key_grant WHERE key_id IN (SELECT key_id FROM steward.key WHERE path = 'etext');

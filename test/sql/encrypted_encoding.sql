-- The plaintext bytes of a value depend neither on the client's encoding nor on
-- the database's: with its keys a value moves between databases and stays equal.
\set VERBOSITY terse
\set home :DBNAME
SET client_min_messages = warning;
CREATE DATABASE steward_utf8 TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
CREATE DATABASE steward_latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C';

\c steward_utf8
SET client_encoding = 'UTF8';
CREATE EXTENSION pg_steward;
SELECT steward.create_key('encoding');
CREATE TABLE t (id integer, x steward.encrypted_text('encoding/x'), j steward.encrypted_jsonb('encoding/j'));
-- the same value by clients of different encodings
INSERT INTO t VALUES (1, 'Grüße', '{"ü": "ß", "ab": 1.0}');
SET client_encoding = 'LATIN1';
INSERT INTO t SELECT 2, convert_from('\x4772fcdf65', 'LATIN1'), convert_from('\x7b22fc223a2022df222c20226162223a20317d', 'LATIN1')::jsonb;
\set typed `printf 'Gr\374\337e'`
\set json `printf '{"\374": "\337", "ab": 1.00}'`
INSERT INTO t VALUES (3, :'typed', :'json');
SELECT octet_length(x::text) AS in_this_client_too, x::text = :'typed' AS same FROM t WHERE id = 1;
SET client_encoding = 'UTF8';
SELECT id, x::text, j::jsonb, octet_length(steward.encrypted_text_send(x)) - 68 AS bytes FROM t ORDER BY id;
SELECT count(DISTINCT x) AS x, count(DISTINCT j) AS j, count(DISTINCT steward.encrypted_text_hash(x)) AS x_hash, count(DISTINCT steward.encrypted_jsonb_hash(j)) AS j_hash FROM t;
SELECT string_agg(steward.encrypted_jsonb_out(j)::text, ',') AS j, string_agg(steward.encrypted_text_out(x)::text, ',') AS x FROM t \gset

-- the keys of this database, in one of another encoding: keys of objects have another order there
SELECT realm FROM steward.realm \gset
SELECT key_id, path, holder_id FROM steward.key WHERE path = 'encoding' \gset
SELECT version, key_tag, root_id, wrapped FROM steward.key_version \gset
SELECT wrapped AS hash_wrapped FROM steward.key_secret WHERE kind = 3 \gset
\c steward_latin1
SET client_encoding = 'UTF8';
CREATE EXTENSION pg_steward;
INSERT INTO steward.realm VALUES (:'realm');
INSERT INTO steward.key VALUES (:'key_id', :'path', :'holder_id');
INSERT INTO steward.key_version VALUES (:'key_id', :'version', :'key_tag', :'root_id', :'wrapped');
INSERT INTO steward.key_secret VALUES (3, 0, 1, :'root_id', :'hash_wrapped');
CREATE TABLE t (id integer, x steward.encrypted_text('encoding/x'), j steward.encrypted_jsonb('encoding/j'));
INSERT INTO t SELECT 1, x, j FROM unnest(string_to_array(:'x', ',')::cstring[], string_to_array(:'j', ',')::cstring[]) AS moved (x_armour, j_armour), LATERAL (SELECT steward.encrypted_text_in(x_armour, 0, -1) AS x, steward.encrypted_jsonb_in(j_armour, 0, -1) AS j) AS s;
INSERT INTO t VALUES (4, 'Grüße', '{"ab": 1, "ü": "ß"}');
SELECT id, x::text, j::jsonb FROM t ORDER BY id, j::text;
SELECT count(DISTINCT x) AS x, count(DISTINCT j) AS j, count(DISTINCT steward.encrypted_jsonb_hash(j)) AS j_hash, bool_and(j = jsonb '{"ab": 1, "ü": "ß"}') AS equal FROM t;
DELETE FROM t WHERE id = 1 AND ctid <> (SELECT min(ctid) FROM t);
CREATE UNIQUE INDEX ON t (j steward.encrypted_jsonb_unique_ops);
DELETE FROM t WHERE id = 1;
CREATE UNIQUE INDEX ON t (j steward.encrypted_jsonb_unique_ops);
SELECT steward.encrypted_jsonb_out(j) AS j FROM t \gset
-- a character that this database does not have
INSERT INTO t VALUES (5, '漢字', NULL);
INSERT INTO t VALUES (5, NULL, '"漢字"');
INSERT INTO t VALUES (5, NULL, '"\u6f22\u5b57"');

\c steward_utf8
SET client_encoding = 'UTF8';
INSERT INTO t VALUES (4, NULL, :'j');
SELECT id, j::jsonb FROM t WHERE j = '{"ab": 1, "ü": "ß"}' ORDER BY id;
SELECT count(DISTINCT j) AS j, count(DISTINCT steward.encrypted_jsonb_hash(j)) AS j_hash FROM t;
-- what the other does not have is an error there, and is not shown
INSERT INTO t VALUES (6, '漢字', '{"漢": 1, "ab": 2}');
SELECT steward.encrypted_jsonb_out(j) AS j, steward.encrypted_text_out(x) AS x FROM t WHERE id = 6 \gset
\c steward_latin1
SET client_encoding = 'UTF8';
SELECT :'x'::steward.encrypted_text('encoding/x')::text;
SELECT :'j'::steward.encrypted_jsonb('encoding/j')::jsonb;
SELECT :'j'::steward.encrypted_jsonb('encoding/j') = '{}';

\c :home
SET client_min_messages = warning;
DROP DATABASE steward_utf8;
DROP DATABASE steward_latin1;

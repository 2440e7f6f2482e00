-- The order of encrypted texts is that of the database's collation, and their
-- bytes are UTF-8, whatever the database's encoding.
\set VERBOSITY terse
\set home :DBNAME
SET client_min_messages = warning;
CREATE DATABASE steward_order TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US';
CREATE DATABASE steward_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C';
CREATE DATABASE steward_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C';

\c steward_order
SET client_encoding = 'UTF8';
CREATE EXTENSION pg_steward;
SELECT steward.create_key('order');
CREATE TABLE w (plain text, c steward.encrypted_text('order/c'));
INSERT INTO w SELECT v, v FROM unnest(ARRAY['a', 'B', 'b', 'A', 'ä', 'z', 'Z', '', 'co-op', 'coop', 'CO OP', 'é', 'e', 'f', 'ß', 'ss', '漢', '1', '10', '2']) AS v;
SELECT array_agg(c::text ORDER BY c) = array_agg(plain ORDER BY plain) AS same_order FROM w;
SELECT bool_and((a.c < b.c) = (a.plain < b.plain)) AS less, bool_and((a.c <= b.c) = (a.plain <= b.plain)) AS less_equal, bool_and((a.c = b.c) = (a.plain = b.plain)) AS equal FROM w AS a, w AS b;
-- not the order of the bytes
SELECT string_agg(plain, ',' ORDER BY plain) <> string_agg(plain, ',' ORDER BY plain COLLATE "C") AS collation_matters FROM w;

\c steward_latin
SET client_encoding = 'UTF8';
CREATE EXTENSION pg_steward;
SELECT steward.create_key('latin');
CREATE TABLE w (plain text, c steward.encrypted_text('latin/c'));
INSERT INTO w SELECT v, v FROM unnest(ARRAY['Zürich', 'Genf', 'Ätna', '', 'ÿ']) AS v;
SELECT plain, c::text = plain AS same, octet_length(plain) AS latin, pg_column_size(c) - 69 AS utf8 FROM w ORDER BY c;
SELECT count(*) FROM w WHERE c = 'Zürich' AND c = 'Zürich'::text AND c = plain;
SELECT count(*) FROM w AS a JOIN w AS b ON a.c = b.plain;
SELECT bool_and((a.c < b.c) = (a.plain < b.plain)) AS less FROM w AS a, w AS b;
SELECT bool_and(steward.encrypted_text_hash(c) = steward.plain_text_hash(plain)) AS hash FROM w;
CREATE UNIQUE INDEX ON w (c steward.encrypted_unique_ops);
SET enable_seqscan = off;
SELECT plain FROM w WHERE c = 'Ätna'::text;
SELECT plain FROM w WHERE c = 'Ätna';

-- A database of encoding SQL_ASCII takes any bytes. Moved with its keys to one of
-- UTF8, what is no text there does not come out as one.
\c steward_ascii
CREATE EXTENSION pg_steward;
SELECT steward.create_key('bytes');
SELECT convert_from('\xe4c3', 'SQL_ASCII')::steward.encrypted_text('bytes/c') AS bad, 'ok'::text::steward.encrypted_text('bytes/c') AS good \gset
SELECT :'bad'::steward.encrypted_text('bytes/c')::text::bytea AS same_bytes;
SELECT realm FROM steward.realm \gset
SELECT key_id, version, key_tag, root_id, wrapped FROM steward.key_version \gset
\c steward_order
TRUNCATE steward.realm, steward.key, steward.key_version, steward.key_secret;
INSERT INTO steward.realm VALUES (:'realm');
INSERT INTO steward.key VALUES (:'key_id', 'bytes', :'key_id');
INSERT INTO steward.key_version VALUES (:'key_id', :'version', :'key_tag', :'root_id', :'wrapped');
SELECT :'good'::steward.encrypted_text('bytes/c')::text;
SELECT :'bad'::steward.encrypted_text('bytes/c')::text;

\c :home
SET client_min_messages = warning;
DROP DATABASE steward_order;
DROP DATABASE steward_ascii;
DROP DATABASE steward_latin;

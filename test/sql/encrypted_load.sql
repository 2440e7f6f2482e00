-- Ciphertext that comes in as it is: who may, and what never opens.
\set VERBOSITY terse
\set SHOW_CONTEXT always
SET client_min_messages = warning;
CREATE ROLE eload_user;
CREATE ROLE eload_loader;
CREATE SCHEMA eload;
GRANT ALL ON SCHEMA eload TO PUBLIC;
SET search_path = eload;
SELECT steward.create_key('eload');
SELECT steward.create_key('eload_other');
SELECT steward.grant_key('eload', 'eload_loader', 'load'), steward.grant_key('eload', 'eload_user', 'decrypt');
CREATE FUNCTION datum(steward.encrypted_text) RETURNS bytea LANGUAGE sql STRICT
    AS $$ SELECT pg_catalog.decode(rpad(translate(substr(a, 6), '-_', '+/'), (length(a) - 2) / 4 * 4, '='), 'base64') FROM (SELECT steward.encrypted_text_out($1)::text AS a) AS s $$;
CREATE FUNCTION armour(bytea) RETURNS text LANGUAGE sql STRICT
    AS $$ SELECT 'stw1:' || rtrim(translate(encode($1, 'base64'), E'+/\n', '-_'), '=') $$;
RESET client_min_messages;
CREATE TABLE t (id integer, c steward.encrypted_text('eload/t.c'));
INSERT INTO t VALUES (1, 'attack at dawn');
GRANT SELECT, INSERT ON t TO eload_user, eload_loader;
SELECT armour(datum(c)) = steward.encrypted_text_out(c)::text AS helpers_agree FROM t;

-- each byte, each of three changes: refused at load, or never opened
CREATE FUNCTION try(what text, value bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    loaded steward.encrypted_text('eload/t.c');
    opened text;
BEGIN
    BEGIN
        EXECUTE format('SELECT %L::steward.encrypted_text(%L)', armour(value), 'eload/t.c') INTO loaded;
    EXCEPTION WHEN OTHERS THEN
        RETURN 'refused: ' || SQLERRM;
    END;
    BEGIN
        opened := loaded::text;
    EXCEPTION WHEN OTHERS THEN
        RETURN 'closed: ' || SQLERRM;
    END;
    RETURN 'OPENED';
END
$$;
SELECT try('untouched', datum(c)) FROM t;
SELECT CASE WHEN byte < 1 THEN 'format' WHEN byte < 2 THEN 'suite' WHEN byte < 3 THEN 'type' WHEN byte < 4 THEN 'flags' WHEN byte < 8 THEN 'key id' WHEN byte < 12 THEN 'key tag'
            WHEN byte < 36 THEN 'salt' WHEN byte < 52 THEN 'commitment' WHEN byte < 66 THEN 'ciphertext' ELSE 'mac' END AS part,
       regexp_replace(try('flip', set_byte(datum(c), byte, get_byte(datum(c), byte) # mask)), '[0-9]+', 'N') AS result, count(*)
  FROM t, generate_series(0, octet_length(datum(c)) - 1) AS byte, unnest(ARRAY[1, 128, 255]) AS mask
 GROUP BY 1, 2 ORDER BY min(byte), 2;
SELECT regexp_replace(try('cut', substr(datum(c), 1, len)), '[0-9]+', 'N') AS result, count(*), min(len), max(len) FROM t, generate_series(0, octet_length(datum(c)) - 1) AS len GROUP BY 1 ORDER BY 1;
SELECT try('longer', datum(c) || '\x00') FROM t;
-- two values spliced
INSERT INTO t VALUES (2, 'attack at dusk');
SELECT cut, try('splice', substr(datum(a.c), 1, cut) || substr(datum(b.c), cut + 1)) FROM t AS a, t AS b, unnest(ARRAY[12, 36, 52, 60, 66]) AS cut WHERE a.id = 1 AND b.id = 2 ORDER BY 1;
-- a value under another path of the same key, relabelled
SELECT try('relabelled', substr(datum(o.c), 1, 4) || substr(datum(t.c), 5, 4) || substr(datum(o.c), 9)) FROM t, (SELECT steward.encrypt_text('x', 'eload/other') AS c) AS o WHERE id = 1;

-- armour that is none
SELECT 'stw1:'::steward.encrypted_text;
SELECT 'stw1:!!!!'::steward.encrypted_text;
SELECT 'stw1:AAAA='::steward.encrypted_text;
SELECT ('stw1:' || repeat('A', 100))::cstring::text::steward.encrypted_text;
SELECT c = steward.encrypted_text_in((' ' || armour(datum(c)))::cstring, 0, -1) FROM t WHERE id = 1;
SELECT steward.encrypted_text_in((armour(datum(c)) || ' ')::cstring, 0, -1) FROM t WHERE id = 1;
SELECT steward.encrypted_text_in((armour(datum(c)) || E'\n')::cstring, 0, -1) FROM t WHERE id = 1;
-- the last character of base64 has spare bits: one spelling only
SELECT steward.encrypted_text_in(overlay(a placing translate(right(a, 1), 'AEIMQUYcgkosw048', 'BFJNRVZdhlptx159') from length(a))::cstring, 0, -1) IS NULL FROM (SELECT armour(datum(c)) AS a FROM t WHERE id = 1) AS s;

-- keys: transient, unknown, another's, unknown version
SELECT steward.encrypted_text_in(armour(datum('x'))::cstring, 0, -1);
SELECT steward.encrypted_text_in(armour(datum(steward.encrypt_text('x', 'eload_other/c')))::cstring, 0, steward.typmod_in(ARRAY['eload/t.c']::cstring[]));
CREATE TABLE unknown (c steward.encrypted_text(4712));
SELECT set_config('eload.unknown', armour(overlay(datum(c) placing int4send(4712) from 5)), false) <> '' AS made FROM t WHERE id = 1;
INSERT INTO unknown SELECT current_setting('eload.unknown')::cstring::text;
DO $$ BEGIN EXECUTE format('INSERT INTO unknown VALUES (%L)', current_setting('eload.unknown')); END $$;
SELECT count(*), bool_and(steward.encrypted_text_out(c)::text = current_setting('eload.unknown')) AS as_it_was FROM unknown;
SELECT c::text FROM unknown;
SELECT c = 'x' FROM unknown;
SELECT c = 'attack at dawn' FROM unknown;
SELECT c FROM unknown ORDER BY c LIMIT 0;
ANALYZE unknown;
INSERT INTO t SELECT 3, c FROM unknown;

-- who may load
SET ROLE eload_user;
SELECT steward.encrypted_text_in(armour(datum(c))::cstring, 0, -1) IS NULL FROM t WHERE id = 1;
DO $$ BEGIN EXECUTE format('INSERT INTO t VALUES (4, %L)', (SELECT armour(datum(c)) FROM t WHERE id = 1)); END $$;
DO $$ BEGIN EXECUTE format('INSERT INTO unknown VALUES (%L)', current_setting('eload.unknown')); END $$;
SELECT count(*) FROM t WHERE c = 'stw1:x';
SELECT count(*) FROM t WHERE c = 'stw1:x'::text;
COPY t FROM stdin;
4	stw1:AQEB
\.
SELECT steward.decrypt(steward.encrypt_text(armour(datum(c)), 'eload/t.c')) = armour(datum(c)) AS encrypt_takes_anything FROM t WHERE id = 1;
SELECT armour(datum(c))::steward.encrypted_text FROM t WHERE id = 1;
RESET ROLE;
SET ROLE eload_loader;
DO $$ BEGIN EXECUTE format('INSERT INTO t VALUES (4, %L)', (SELECT armour(datum(c)) FROM t WHERE id = 1)); END $$;
DO $$ BEGIN EXECUTE format('SELECT %L::steward.encrypted_text', current_setting('eload.unknown')); END $$;
SELECT c::text FROM t WHERE id = 4;
RESET ROLE;
SELECT c::text FROM t WHERE id = 4;
-- a definer's function that decrypts what it is given decrypts no stolen armour
CREATE FUNCTION definer(input text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    RETURN (input::steward.encrypted_text)::text;
END
$$;
SET ROLE eload_user;
SELECT definer('plain');
SELECT definer(armour(datum(c))) FROM t WHERE id = 1;
RESET ROLE;

-- COPY, text and binary
\set file `mktemp -d` '/eload.bin'
COPY (SELECT c FROM t WHERE id < 3 ORDER BY id) TO :'file' (FORMAT binary);
CREATE TABLE back (c steward.encrypted_text('eload/t.c'));
CREATE TABLE wrong (c steward.encrypted_text('eload/wrong'));
COPY back FROM :'file' (FORMAT binary);
SELECT c::text FROM back ORDER BY c;
COPY wrong FROM :'file' (FORMAT binary);
COPY (SELECT 'x'::steward.encrypted_text) TO :'file' (FORMAT binary);
COPY back FROM :'file' (FORMAT binary);
COPY (SELECT 'plain'::text) TO :'file' (FORMAT binary);
COPY back FROM :'file' (FORMAT binary);
COPY (SELECT datum(c) FROM t WHERE id = 1) TO :'file' (FORMAT binary);
COPY back FROM :'file' (FORMAT binary);
COPY (SELECT set_byte(datum(c), 2, 2) FROM t WHERE id = 1) TO :'file' (FORMAT binary);
COPY back FROM :'file' (FORMAT binary);
COPY (SELECT c::text FROM t WHERE false) TO :'file';
COPY (SELECT armour(datum(c)) FROM t WHERE id < 3 ORDER BY id) TO :'file';
COPY back FROM :'file';
SELECT c::text, count(*) FROM back GROUP BY c ORDER BY c;

-- an error never quotes what was typed, nor does its context
\set VERBOSITY default
COPY t FROM stdin;
1	stw1:verysecret
\.
\set VERBOSITY terse
COPY unknown FROM stdin;
verysecret
\.
\set VERBOSITY default
COPY t FROM stdin (FORMAT csv);
1,"stw1:verysecret"
\.
DO $$ BEGIN PERFORM 'stw1:verysecret'::text::steward.encrypted_text; END $$;
\set VERBOSITY terse
CREATE FUNCTION show_error(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    m text; d text; h text; c text;
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT, c = PG_EXCEPTION_CONTEXT;
    RETURN (m || d || h || c ~ 'verysecret')::text;
END
$$;
SELECT show_error($$SELECT 'stw1:verysecret'::text::steward.encrypted_text$$), show_error($$SELECT c = 'stw1:verysecret' FROM t$$),
       show_error($$SELECT steward.encrypt_text('verysecret', 'eload_nobody')$$), show_error($$SELECT 'verysecret'::text::steward.encrypted_text(4712)$$);

\setenv FILE :file
\! rm -r "$(dirname "$FILE")"
SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA eload CASCADE;
DROP OWNED BY eload_user, eload_loader;
DROP ROLE eload_user, eload_loader;
DELETE FROM steward.key_grant WHERE key_id IN (SELECT key_id FROM steward.key WHERE path = 'eload');

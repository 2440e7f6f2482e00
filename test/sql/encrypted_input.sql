-- What is typed wrong is not quoted: not in the error, its details or its context.
\set VERBOSITY verbose
\set SHOW_CONTEXT always
SET client_min_messages = warning;
CREATE SCHEMA einput;
SET search_path = einput;
SELECT steward.create_key('einput');
CREATE TABLE t (id integer, b steward.encrypted_bytea('einput/b'), j steward.encrypted_jsonb('einput/j'), i steward.encrypted_bigint('einput/i'), n steward.encrypted_numeric('einput/n'), d steward.encrypted_date('einput/d'), ts steward.encrypted_timestamptz('einput/ts'));
RESET client_min_messages;
\set VERBOSITY default

COPY t FROM stdin;
1	\\xsecret	\N	\N	\N	\N	\N
\.
COPY t FROM stdin;
1	\N	{"secret": secret}	\N	\N	\N	\N
\.
COPY t FROM stdin;
1	\N	\N	123secret	\N	\N	\N
\.
COPY t FROM stdin;
1	\N	\N	\N	1.5secret	\N	\N
\.
COPY t FROM stdin;
1	\N	\N	\N	\N	1980-02-secret	\N
\.
COPY t FROM stdin;
1	\N	\N	\N	\N	\N	1980-02-03 00:00 secret/secret
\.
INSERT INTO t (i) VALUES ('123secret');
SELECT count(*) FROM t WHERE d = '1980-02-secret';
DO $$ BEGIN INSERT INTO t (j) VALUES ('{"secret"'); END $$;
\set VERBOSITY terse

-- every error of PostgreSQL's input functions, by its SQLSTATE
CREATE FUNCTION try_input(type text, typed text, OUT sqlstate_ text, OUT message text, OUT quoted boolean) LANGUAGE plpgsql AS $$
DECLARE
    m text; d text; h text; c text;
BEGIN
    EXECUTE format('SELECT steward.encrypted_%s_in($1, 0, -1)', type) USING typed::cstring;
    sqlstate_ := 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS sqlstate_ = RETURNED_SQLSTATE, message = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT, c = PG_EXCEPTION_CONTEXT;
    quoted := message || d || h || c ~* 'secret|9876|u0000|u00';
END
$$;
SELECT type, typed, (try_input(type, typed)).* FROM (VALUES
    ('bytea', '\xsecret'), ('bytea', '\x9876f'), ('bytea', '\secret'),
    ('jsonb', ''), ('jsonb', 'secret'), ('jsonb', '{"secret": 9876'), ('jsonb', '{secret: 1}'), ('jsonb', '"secret \u0000"'), ('jsonb', '"secret \ud800"'), ('jsonb', '"secret \u00zz"'), ('jsonb', '[1,secret]'), ('jsonb', '["secret'), ('jsonb', E'"secret\t"'), ('jsonb', '1e999999secret'), ('jsonb', '98761e999999'),
    ('bigint', ''), ('bigint', 'secret'), ('bigint', '9876543210987654321098'), ('bigint', '9876.5'), ('bigint', '-'), ('bigint', ' 9876 secret'),
    ('numeric', ''), ('numeric', 'secret'), ('numeric', '9876e200000'), ('numeric', '9876.5.5'), ('numeric', '9876e9876543210'),
    ('date', ''), ('date', 'secret'), ('date', '9876-13-01'), ('date', '1987-98-76'), ('date', '9876543-01-01'), ('date', 'secret 1, 1980'),
    ('timestamptz', ''), ('timestamptz', 'secret'), ('timestamptz', '9876-13-01'), ('timestamptz', '1980-01-01 00:00 secret'), ('timestamptz', '1980-01-01 00:00 America/Secret'), ('timestamptz', '987654-01-01 00:00'), ('timestamptz', '1980-01-01 98:76'), ('timestamptz', '1980-01-01 00:00+98:76')
) AS v (type, typed);

-- a value in the middle of many, and after an error everything goes on as before
SELECT n::numeric FROM (SELECT steward.encrypted_numeric_in(x::cstring, 0, -1) AS n FROM unnest(ARRAY['1', '2.50']) AS x) AS s;
BEGIN;
SAVEPOINT s;
INSERT INTO t (n) VALUES ('secret');
ROLLBACK TO s;
INSERT INTO t (n) VALUES ('1.50');
COMMIT;
SELECT n::numeric FROM t;
-- an error that says nothing of the input is shown as it is
CREATE FUNCTION too_deep() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM steward.encrypted_jsonb_in(repeat('[', 1000000)::cstring, 0, -1);
    RETURN 'no error';
EXCEPTION WHEN statement_too_complex THEN
    RETURN SQLERRM;
END
$$;
SELECT too_deep();

-- a cast that fails after encryption was asked for
SELECT '9876secret'::text::steward.encrypted_bigint;
SELECT '{"secret": "\u0000"}'::json::steward.encrypted_jsonb;
-- and arguments in the wrong order
SELECT steward.encrypt_bytea('einput', 'secret name');
SELECT steward.encrypt_text('einput', 'secret name');

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA einput CASCADE;

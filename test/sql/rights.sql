-- Rights on keys under everything that changes who the current user is.
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT current_setting('server_version_num')::integer >= 160000 AS per_grant \gset
SELECT steward.create_key('rights');
SELECT steward.create_key('rights_other');
CREATE ROLE rights_team;
CREATE ROLE rights_member;
CREATE ROLE rights_apart NOINHERIT;
CREATE ROLE rights_owner;
CREATE ROLE rights_reader;
CREATE ROLE rights_searcher;
CREATE ROLE rights_loader;
CREATE ROLE rights_super SUPERUSER;
CREATE ROLE rights_becomes;
GRANT rights_team TO rights_member;
-- since 16 it is the grant that says whether a member inherits
\if :per_grant
GRANT rights_team TO rights_apart WITH INHERIT FALSE, SET TRUE;
GRANT rights_super TO rights_becomes WITH INHERIT TRUE, SET TRUE;
\else
GRANT rights_team TO rights_apart;
GRANT rights_super TO rights_becomes;
\endif
SELECT steward.grant_key('rights', 'rights_team', 'decrypt');
SELECT steward.grant_key('rights', 'rights_reader', 'decrypt');
SELECT steward.grant_key('rights', 'rights_searcher', 'search');
SELECT steward.grant_key('rights', 'rights_loader', 'load');
CREATE SCHEMA rights;
GRANT ALL ON SCHEMA rights TO PUBLIC;
SET search_path = rights;
SET ROLE rights_owner;
CREATE TABLE t (id integer PRIMARY KEY, owner name DEFAULT current_user, c steward.encrypted_text('rights/c'));
INSERT INTO t SELECT g, CASE WHEN g = 1 THEN 'rights_reader' ELSE 'rights_team' END, 'secret' || g FROM generate_series(1, 4) AS g;
GRANT ALL ON t TO PUBLIC;
RESET ROLE;

-- what each role may do, tried: decrypt, search, load
CREATE FUNCTION attempt(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE query INTO result;
    RETURN coalesce(result, 'null');
EXCEPTION WHEN insufficient_privilege THEN
    RETURN 'denied';
END
$$;
CREATE FUNCTION armour(id integer) RETURNS text LANGUAGE sql STABLE AS $$ SELECT format('%s', t.c) FROM rights.t WHERE t.id = $1 $$;
CREATE FUNCTION all_three(OUT decrypts text, OUT searches text, OUT loads text, OUT said text) LANGUAGE sql AS $$
    SELECT attempt('SELECT c::text FROM t WHERE id = 1'), attempt('SELECT id FROM t WHERE c = ''secret1'''),
           attempt(format('SELECT %L::steward.encrypted_text IS NOT NULL', armour(1))),
           concat_ws(' ', steward.has_key_privilege('rights', 'decrypt'), steward.has_key_privilege('rights/c', 'search'), steward.has_key_privilege('rights', 'load'))
$$;
SET ROLE rights_reader;
SELECT * FROM all_three();
SET ROLE rights_searcher;
SELECT * FROM all_three();
SET ROLE rights_loader;
SELECT * FROM all_three();
SET ROLE rights_owner;
SELECT * FROM all_three();
SET ROLE rights_super;
SELECT * FROM all_three();

-- membership: inherited, or only after SET ROLE
SET ROLE rights_member;
SELECT * FROM all_three();
SET ROLE rights_apart;
SELECT * FROM all_three();
RESET ROLE;
SET SESSION AUTHORIZATION rights_apart;
SELECT attempt('SELECT c::text FROM t WHERE id = 1');
SET ROLE rights_team;
SELECT attempt('SELECT c::text FROM t WHERE id = 1');
RESET ROLE;
SELECT attempt('SELECT c::text FROM t WHERE id = 1');
RESET SESSION AUTHORIZATION;
-- a superuser's membership is not inherited
SET ROLE rights_becomes;
SELECT * FROM all_three();
RESET ROLE;

-- the overloads agree; what does not exist is told
SET ROLE rights_member;
SELECT steward.has_key_privilege('rights', 'decrypt'), steward.has_key_privilege('rights_member', 'rights', 'decrypt'), steward.has_key_privilege('rights_apart', 'rights', 'decrypt');
SELECT steward.has_key_privilege('rights_no', 'decrypt');
SELECT steward.has_key_privilege('rights', 'read');
SELECT steward.has_key_privilege(NULL, 'decrypt') IS NULL AS null;
SELECT count(*) FROM steward.key_privilege;
RESET ROLE;

-- the view: every role that may, and how; it agrees with the check itself
CREATE VIEW shown AS SELECT role, privilege, source, through, granted_by = session_user AS granted_by_us, granted_at <= now() AS granted_in_the_past
  FROM steward.key_privilege WHERE key = 'rights' AND role LIKE 'rights%' ORDER BY role, privilege, source, through;
SELECT * FROM shown;
SELECT count(*) FROM steward.key_privilege WHERE key = 'rights_other' AND role LIKE 'rights%' AND role <> 'rights_super' AND role <> 'rights_becomes';
SELECT count(*) FROM steward.key_privilege WHERE key LIKE '%/%';
SELECT r.rolname, k.path, p FROM pg_roles AS r, steward.key AS k, unnest(ARRAY['decrypt', 'search', 'load']) AS p
 WHERE k.path LIKE 'rights%' AND k.holder_id = k.key_id
   AND steward.has_key_privilege(r.oid::regrole, k.path, p) IS DISTINCT FROM
       EXISTS (SELECT FROM steward.key_privilege AS v WHERE v.role = r.rolname AND v.key = k.path AND v.privilege = p AND v.source <> 'set role');
-- a void grant is not shown, nor one of a role that is gone
REVOKE REFERENCES ON steward.key_grantee FROM rights_reader;
INSERT INTO steward.key_grant (key_id, grantee, privilege) SELECT key_id, 999999, 'decrypt' FROM steward.key WHERE path = 'rights';
SELECT * FROM shown WHERE role = 'rights_reader';
SELECT count(*) FROM steward.key_privilege WHERE role IS NULL;
SELECT steward.has_key_privilege('rights_reader', 'rights', 'decrypt');
DELETE FROM steward.key_grant WHERE grantee = 999999;
SELECT steward.grant_key('rights', 'rights_reader', 'decrypt');
SELECT source FROM shown WHERE role = 'rights_reader';
-- the data-protection officer may be given it, and needs nothing else
GRANT SELECT ON steward.key_privilege TO rights_searcher;
SET ROLE rights_searcher;
SELECT DISTINCT role FROM steward.key_privilege WHERE key = 'rights' AND privilege = 'decrypt' AND source IN ('grant', 'membership', 'set role') AND role LIKE 'rights%' ORDER BY 1;
RESET ROLE;
REVOKE SELECT ON steward.key_privilege FROM rights_searcher;

-- SECURITY DEFINER: the right is the owner's, whoever calls, and only inside
SET ROLE rights_reader;
CREATE FUNCTION by_definer(wanted integer) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = rights, pg_temp AS 'SELECT c::text FROM t WHERE id = wanted';
CREATE FUNCTION lazy_definer() RETURNS SETOF steward.encrypted_text LANGUAGE sql SECURITY DEFINER SET search_path = rights, pg_temp AS 'SELECT c FROM t ORDER BY id';
SET ROLE rights_owner;
CREATE FUNCTION by_owner(wanted integer) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = rights, pg_temp AS 'SELECT c::text FROM t WHERE id = wanted';
CREATE FUNCTION by_invoker(wanted integer) RETURNS text LANGUAGE sql AS 'SELECT c::text FROM t WHERE id = wanted';
SET ROLE rights_searcher;
SELECT by_definer(1);
SELECT by_invoker(1);
SELECT c::text FROM lazy_definer() AS c;
SELECT by_definer(1), c::text FROM t;
SELECT by_definer(2);
SET ROLE rights_reader;
SELECT by_owner(1);
SELECT by_invoker(1);
SELECT c::text FROM lazy_definer() AS c LIMIT 1;
RESET ROLE;

-- prepared statements, generic and custom, across SET ROLE
SET ROLE rights_reader;
PREPARE p AS SELECT c::text FROM t WHERE id = $1;
PREPARE e AS SELECT id FROM t WHERE c = $1;
EXECUTE p(1);
EXECUTE e('secret2');
SET ROLE rights_owner;
EXECUTE p(1);
EXECUTE e('secret2');
SET plan_cache_mode = force_generic_plan;
EXECUTE p(1);
EXECUTE e('secret2');
SET ROLE rights_reader;
EXECUTE p(1);
EXECUTE e('secret2');
SET ROLE rights_owner;
EXECUTE p(1);
EXECUTE e('secret2');
RESET plan_cache_mode;
DEALLOCATE ALL;

-- a cursor decrypts as who fetches; one WITH HOLD as who committed it
SET ROLE rights_reader;
BEGIN;
DECLARE cur CURSOR FOR SELECT c::text FROM t ORDER BY id;
FETCH 1 FROM cur;
SET ROLE rights_owner;
FETCH 1 FROM cur;
ROLLBACK;
RESET ROLE;
SET ROLE rights_reader;
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT c::text FROM t ORDER BY id;
COMMIT;
RESET ROLE;
SELECT steward.revoke_key('rights', 'rights_reader', 'decrypt');
-- what was read stays read
SET ROLE rights_reader;
FETCH 1 FROM held;
SELECT c::text FROM t;
CLOSE held;
-- its rows are made at the commit, with the rights of then
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT c::text FROM t;
COMMIT;
RESET ROLE;
SELECT steward.grant_key('rights', 'rights_reader', 'decrypt');

-- a right that goes while a function runs
CREATE FUNCTION read_and_revoke() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r record;
    seen text := '';
BEGIN
    FOR r IN SELECT id, c FROM t ORDER BY id LOOP
        SET LOCAL ROLE rights_reader;
        seen := seen || attempt(format('SELECT c::text FROM t WHERE id = %s', r.id)) || ' ';
        RESET ROLE;
        IF r.id = 2 THEN
            PERFORM steward.revoke_key('rights', 'rights_reader', 'decrypt');
        END IF;
    END LOOP;
    RETURN seen;
END
$$;
BEGIN;
SELECT read_and_revoke();
ROLLBACK;
SET ROLE rights_reader;
SELECT c::text FROM t WHERE id = 1;
RESET ROLE;

-- views: of a definer, of an invoker, with a barrier; all decrypt as the invoker
SET ROLE rights_reader;
CREATE VIEW plain_view AS SELECT id, c::text AS c FROM t;
CREATE VIEW invoker_view WITH (security_invoker) AS SELECT id, c::text AS c FROM t;
CREATE VIEW barrier_view WITH (security_barrier) AS SELECT id, c::text AS c FROM t WHERE id < 3;
CREATE VIEW found_view AS SELECT id FROM t WHERE c = 'secret3'::text;
GRANT SELECT ON plain_view, invoker_view, barrier_view, found_view TO PUBLIC;
SELECT (SELECT c FROM plain_view WHERE id = 1), (SELECT c FROM invoker_view WHERE id = 1), (SELECT c FROM barrier_view WHERE id = 1), (SELECT id FROM found_view);
SET ROLE rights_searcher;
SELECT c FROM plain_view;
SELECT c FROM invoker_view;
SELECT c FROM barrier_view;
SELECT id FROM found_view;
SELECT id FROM plain_view WHERE id < 3 ORDER BY id;
SET ROLE rights_owner;
SELECT id FROM found_view;
-- a barrier keeps others' functions away from rows it hides
CREATE FUNCTION leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE WARNING 'saw %', $1; RETURN true; END $$;
SET ROLE rights_reader;
SELECT id FROM barrier_view WHERE leak(c) ORDER BY id;
RESET ROLE;

-- a materialized view is refused plaintext, whoever refreshes it
SET ROLE rights_reader;
CREATE MATERIALIZED VIEW kept AS SELECT id, c::text AS c FROM t WITH NO DATA;
REFRESH MATERIALIZED VIEW kept;
CREATE MATERIALIZED VIEW kept_too AS SELECT id, steward.decrypt_or_null(c) AS c FROM t;
RESET ROLE;
REFRESH MATERIALIZED VIEW kept;
DROP MATERIALIZED VIEW kept;
-- one of ciphertext is not
SET ROLE rights_owner;
CREATE MATERIALIZED VIEW sealed AS SELECT id, c FROM t;
REFRESH MATERIALIZED VIEW sealed;
GRANT SELECT ON sealed TO PUBLIC;
SET ROLE rights_reader;
SELECT c::text FROM sealed WHERE id = 4;
RESET ROLE;

-- row security
CREATE FUNCTION explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS off) ' || query; END $$;
SET ROLE rights_owner;
CREATE UNIQUE INDEX ON t (c steward.encrypted_unique_ops);
RESET ROLE;
CREATE UNIQUE INDEX t_c ON t (c steward.encrypted_unique_ops);
SET ROLE rights_owner;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON t FOR SELECT USING (owner = current_user OR pg_has_role(owner, 'USAGE'));
SET ROLE rights_reader;
SELECT id, c::text FROM t ORDER BY id;
-- what a policy hides is not decrypted: neither error nor leak
SELECT id FROM t WHERE leak(c::text) ORDER BY id;
SET ROLE rights_searcher;
SELECT count(*) FROM t WHERE c::text = 'secret2';
SELECT count(*) FROM t WHERE c = 'secret2';
-- "=" is leakproof: a look-up goes by the index all the same
SET ROLE rights_reader;
SET enable_seqscan = off;
SELECT bool_or(e ~ 'Index Cond: \(c = ''stw1') AS by_index FROM explain($$SELECT id FROM t WHERE c = 'secret1'$$) AS e;
SELECT id FROM t WHERE c = 'secret1';
SELECT id FROM t WHERE c = 'secret2';
RESET enable_seqscan;
-- a policy that decrypts does so as the reader
SET ROLE rights_owner;
DROP POLICY mine ON t;
CREATE POLICY decrypting ON t FOR SELECT USING (c::text <> 'secret2');
CREATE POLICY written ON t FOR INSERT WITH CHECK (c::text NOT LIKE 'bad%');
SET ROLE rights_reader;
SELECT id FROM t ORDER BY id;
INSERT INTO t (id, c) VALUES (8, 'bad idea');
INSERT INTO t (id, c) VALUES (8, 'good idea');
SET ROLE rights_searcher;
SELECT id FROM t ORDER BY id;
INSERT INTO t (id, c) VALUES (9, 'good idea');
SET ROLE rights_owner;
SELECT count(*) FROM t;
DROP POLICY decrypting ON t;
DROP POLICY written ON t;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
DELETE FROM t WHERE id > 4;
RESET ROLE;

-- functions in FROM, laterals, set operations: nothing is decrypted for others
SET ROLE rights_searcher;
SELECT * FROM (SELECT c FROM t) AS s, LATERAL steward.decrypt(s.c) AS d;
SELECT * FROM ROWS FROM (steward.decrypt((SELECT c FROM t WHERE id = 1))) AS d;
SELECT d FROM t, LATERAL (SELECT c::text UNION ALL SELECT 'x') AS l(d);
SELECT c::text FROM t WHERE false;
SELECT CASE WHEN false THEN c::text ELSE 'not asked' END FROM t LIMIT 1;
SELECT string_agg(c::text, ',') FROM t;
SELECT row_number() OVER (ORDER BY c) FROM t;
SELECT DISTINCT c::varchar FROM t;
SELECT max(c::text) OVER () FROM t;
SELECT id FROM t ORDER BY c::text;
WITH w AS MATERIALIZED (SELECT c::text AS c FROM t) SELECT 1 FROM w LIMIT 0;
SELECT steward.decrypt_or_null(c) IS NULL FROM t;
SET ROLE rights_reader;
SELECT d FROM (SELECT id, c FROM t) AS s, LATERAL steward.decrypt(s.c) AS d ORDER BY s.id;
SELECT steward.decrypt_or_null(c) FROM t ORDER BY id;
SELECT steward.decrypt_or_null(ARRAY[c, NULL, c]) FROM t WHERE id = 1;
SET ROLE rights_searcher;
SELECT steward.decrypt_or_null(ARRAY[c, NULL, c]) IS NULL FROM t WHERE id = 1;
RESET ROLE;

-- parallel workers act as the same user
CREATE TABLE wide (id integer, c steward.encrypted_text('rights/c'));
INSERT INTO wide SELECT g, 'wide' || g FROM generate_series(1, 2000) AS g;
GRANT SELECT ON wide TO PUBLIC;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SET ROLE rights_member;
SELECT bool_or(e LIKE '%Gather%') FROM explain($$SELECT count(*) FROM wide WHERE c::text LIKE 'wide1%'$$) AS e;
SELECT count(*) FROM wide WHERE c::text LIKE 'wide1%';
SELECT count(steward.decrypt_or_null(c)) FROM wide;
SET ROLE rights_searcher;
SELECT count(*) FROM wide WHERE c::text LIKE 'wide1%';
SELECT count(steward.decrypt_or_null(c)) FROM wide;
SELECT count(*) FROM wide WHERE c = 'wide17';
SET ROLE rights_owner;
SELECT count(*) FROM wide WHERE c = 'wide17';
SET ROLE rights_loader;
SELECT count(*) FROM wide WHERE c = 'wide17';
RESET ROLE;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET parallel_leader_participation;
DROP TABLE wide;

-- triggers run as who writes, but for those of definer functions; checks of
-- foreign keys run as the owner of the table
SET ROLE rights_owner;
CREATE FUNCTION peek() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING '% sees %', current_user, new.c::text; RETURN new; END $$;
CREATE FUNCTION peek_as_owner() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = rights, pg_temp AS $$ BEGIN RAISE WARNING '% sees %', current_user, new.c::text; RETURN new; END $$;
CREATE TRIGGER peek BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION peek();
SET ROLE rights_reader;
INSERT INTO t (id, c) VALUES (5, 'five');
SET ROLE rights_searcher;
INSERT INTO t (id, c) VALUES (6, 'six');
SET ROLE rights_owner;
DROP TRIGGER peek ON t;
CREATE TRIGGER peek BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION peek_as_owner();
SET ROLE rights_reader;
INSERT INTO t (id, c) VALUES (6, 'six');
SET ROLE rights_owner;
DROP TRIGGER peek ON t;
-- making a foreign key needs the right to search, of whoever makes it
CREATE TABLE child (c steward.encrypted_text('rights/c') REFERENCES t (c));
RESET ROLE;
CREATE TABLE child (c steward.encrypted_text('rights/c') REFERENCES t (c));
GRANT ALL ON child TO PUBLIC;
SET ROLE rights_reader;
INSERT INTO child VALUES ('secret1');
SET ROLE rights_searcher;
INSERT INTO child VALUES ('secret1');
RESET ROLE;
-- the owner of the referenced table needs the right to search, nobody else does
SELECT steward.grant_key('rights', 'rights_owner', 'search');
SET ROLE rights_loader;
INSERT INTO child VALUES ('secret1');
INSERT INTO child VALUES ('nowhere');
UPDATE t SET id = 10 WHERE id = 1;
DELETE FROM t WHERE id = 10;
RESET ROLE;
SELECT steward.revoke_key('rights', 'rights_owner', 'search');

-- COPY TO and RETURNING give ciphertext; a query of COPY asks for the right
SET ROLE rights_owner;
COPY (SELECT c::text FROM t) TO stdout;
CREATE TEMP TABLE copied AS SELECT c FROM t WHERE id = 2;
\copy (SELECT c FROM t WHERE id = 2) TO PROGRAM 'cut -c1-5'
INSERT INTO t (id, c) VALUES (7, 'seven') RETURNING left(format('%s', c), 5);
INSERT INTO t (id, c) VALUES (8, 'eight') RETURNING c::text;
UPDATE t SET c = c::text || '!' WHERE id = 7;
DELETE FROM t WHERE id = 7 RETURNING c::text;
SET ROLE rights_reader;
COPY (SELECT c::text FROM t WHERE id = 2) TO stdout;
RESET ROLE;

-- a role of another key; a value that moves to another key
SELECT steward.grant_key('rights_other', 'rights_owner', 'decrypt');
SET ROLE rights_owner;
CREATE TABLE other (c steward.encrypted_text('rights_other/c'));
INSERT INTO other SELECT c FROM t WHERE id = 2;
INSERT INTO other VALUES ('mine');
SELECT c::text FROM other;
SET ROLE rights_reader;
CREATE TABLE other_reader (c steward.encrypted_text('rights_other/c'));
INSERT INTO other_reader SELECT c FROM t WHERE id = 2;
SELECT c::text FROM other_reader;
RESET ROLE;
SELECT c::text FROM other_reader;

RESET search_path;
DROP SCHEMA rights CASCADE;
DROP OWNED BY rights_team, rights_owner, rights_reader, rights_searcher, rights_loader;
DROP ROLE rights_team, rights_member, rights_apart, rights_owner, rights_reader, rights_searcher, rights_loader, rights_super, rights_becomes;
DELETE FROM steward.key_grant WHERE key_id IN (SELECT key_id FROM steward.key WHERE path LIKE 'rights%');

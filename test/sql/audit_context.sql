-- steward.set_context: who it is, why, how long it lasts, and when it is asked for.
\set SHOW_CONTEXT never
CREATE TABLE contexted (id integer PRIMARY KEY, v integer);
SELECT steward.enable_audit('contexted');
CREATE FUNCTION said(from_id integer DEFAULT 0) RETURNS TABLE (key integer, operation text, actor text, purpose text, request_id text, authenticated boolean)
LANGUAGE sql AS $$
    SELECT (t.key->>'id')::integer, t.operation, t.actor, t.purpose, t.request_id, t.authenticated
      FROM steward.audit_trail AS t WHERE t.relation = 'public.contexted' AND (t.key->>'id')::integer BETWEEN from_id AND 999 ORDER BY t.xid, t.seq
$$;

-- For the transaction, and no longer.
INSERT INTO contexted VALUES (1);
BEGIN;
SELECT steward.set_context('ada', 'support', 'r-1');
INSERT INTO contexted VALUES (2);
SELECT steward.set_context('ben');
INSERT INTO contexted VALUES (3);
SELECT steward.set_context(purpose => 'nightly');
INSERT INTO contexted VALUES (4);
SELECT steward.set_context();
INSERT INTO contexted VALUES (5);
SELECT steward.set_context('zoë', E'two\nlines', '"quoted" \ $$');
INSERT INTO contexted VALUES (6);
COMMIT;
INSERT INTO contexted VALUES (7);
BEGIN;
SELECT steward.set_context('gone');
ROLLBACK;
INSERT INTO contexted VALUES (8);
SELECT * FROM said();

-- A rollback to a savepoint takes back what was said after it, and no more.
BEGIN;
SELECT steward.set_context('outer');
SAVEPOINT a;
SELECT steward.set_context('inner');
SAVEPOINT b;
SELECT steward.set_context('innermost');
INSERT INTO contexted VALUES (10);
ROLLBACK TO b;
INSERT INTO contexted VALUES (11);
ROLLBACK TO a;
INSERT INTO contexted VALUES (12);
SELECT steward.set_context('again');
RELEASE a;
INSERT INTO contexted VALUES (13);
SAVEPOINT c;
SAVEPOINT d;
SELECT steward.set_context('released');
RELEASE d;
INSERT INTO contexted VALUES (14);
ROLLBACK TO c;
INSERT INTO contexted VALUES (15);
COMMIT;
DO $$
BEGIN
    PERFORM steward.set_context('block');
    BEGIN
        PERFORM steward.set_context('failed');
        INSERT INTO contexted VALUES (16);
        RAISE EXCEPTION 'no';
    EXCEPTION WHEN raise_exception THEN
        INSERT INTO contexted VALUES (17);
    END;
END
$$;
SELECT key, actor FROM said(10);

-- COMMIT in a procedure ends it, and so does PREPARE TRANSACTION.
CREATE PROCEDURE committing() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM steward.set_context('before');
    INSERT INTO contexted VALUES (20);
    COMMIT;
    INSERT INTO contexted VALUES (21);
    PERFORM steward.set_context('after');
    INSERT INTO contexted VALUES (22);
    ROLLBACK;
    INSERT INTO contexted VALUES (23);
END
$$;
CALL committing();
BEGIN;
SELECT steward.set_context('prepared');
INSERT INTO contexted VALUES (24);
PREPARE TRANSACTION 'contexted';
INSERT INTO contexted VALUES (25);
COMMIT PREPARED 'contexted';
SELECT key, actor FROM said(20);

-- Deferred triggers run under what is in force at the commit; an INSERT of
-- thousands of rows needs one context, and so do transactions that say the same.
CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE contexted SET v = 1 WHERE id = NEW.id; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON contexted DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id = 30) EXECUTE FUNCTION later();
BEGIN;
SELECT steward.set_context('first');
INSERT INTO contexted VALUES (30);
SELECT steward.set_context('last');
COMMIT;
DROP TRIGGER later ON contexted;
SELECT key, operation, actor FROM said(30);
SELECT count(*) AS before FROM steward.audit_context \gset
BEGIN;
SELECT steward.set_context('mass', 'load');
INSERT INTO contexted SELECT n FROM generate_series(1000, 3000) AS n;
COMMIT;
BEGIN;
SELECT steward.set_context('mass', 'load');
DELETE FROM contexted WHERE id >= 1000;
COMMIT;
SELECT count(*) - :before AS written FROM steward.audit_context;

-- Outside a transaction block it says that it does nothing; in a function that goes
-- on, or in one query string, it does something and is silent.
SELECT steward.set_context('nobody');
CREATE FUNCTION acting(i integer) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM steward.set_context('function'); INSERT INTO contexted VALUES (i); END $$;
CREATE FUNCTION acting_sql(i integer) RETURNS void LANGUAGE sql AS $$ SELECT steward.set_context('function'); INSERT INTO contexted VALUES (i); $$;
SELECT acting(40);
SELECT acting_sql(41);
SELECT steward.set_context('string') \; INSERT INTO contexted VALUES (42);
SELECT key, actor FROM said(40);

-- Refused: what is empty or too long, and a proof by halves.
\set VERBOSITY default
BEGIN;
SELECT steward.set_context('');
ROLLBACK;
BEGIN;
SELECT steward.set_context('a', '');
ROLLBACK;
BEGIN;
SELECT steward.set_context('a', 'b', repeat('x', 1001));
ROLLBACK;
BEGIN;
SELECT steward.set_context(repeat('ä', 501));
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN;
SELECT steward.set_context(repeat('ä', 500));
SELECT steward.set_context('a', context_key => 'web');
ROLLBACK;
BEGIN;
SELECT steward.set_context('a', issued_at => now(), mac => '\x00');
ROLLBACK;
BEGIN;
SELECT steward.set_context(context_key => 'web', issued_at => now(), mac => '\x00');
ROLLBACK;

-- Anybody may call it, but make no keys and read nothing.
CREATE ROLE contexted_user;
SET ROLE contexted_user;
BEGIN;
SELECT steward.set_context('me');
COMMIT;
SELECT steward.create_context_key('mine');
SELECT steward.revoke_context_key('mine');
TABLE steward.context_key;
SET steward.require_context = off;
SET steward.context_lifetime = '1d';
SET steward.audit_query_id = on;
RESET ROLE;

-- Asked for: an actor.
SET steward.require_context = actor;
INSERT INTO contexted VALUES (50);
\echo :LAST_ERROR_SQLSTATE
TRUNCATE contexted;
BEGIN;
SELECT steward.set_context(purpose => 'no actor');
DELETE FROM contexted;
ROLLBACK;
BEGIN;
SELECT steward.set_context('ada');
INSERT INTO contexted VALUES (51);
COMMIT;
-- Or one that is proved.
SET steward.require_context = authenticated;
BEGIN;
SELECT steward.set_context('ada');
INSERT INTO contexted VALUES (52);
ROLLBACK;
SELECT steward.enable_audit('contexted');
RESET steward.require_context;
SELECT key, actor FROM said(50);

-- What was said in subtransactions that failed takes no memory from the others.
BEGIN;
DO $$
BEGIN
    FOR i IN 1 .. 20000 LOOP
        BEGIN
            PERFORM steward.set_context('actor ' || i, 'purpose', 'request');
            RAISE division_by_zero;
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
    END LOOP;
END
$$;
SELECT used_bytes < 1000000 AS little FROM pg_backend_memory_contexts WHERE name = 'TopTransactionContext';
COMMIT;

-- The query id, on request.
SET compute_query_id = on;
INSERT INTO contexted VALUES (60);
SET steward.audit_query_id = on;
INSERT INTO contexted VALUES (61);
INSERT INTO contexted VALUES (62);
RESET steward.audit_query_id;
SELECT (key->>'id')::integer AS key, query_id IS NOT NULL AS has_id, query_id = lag(query_id) OVER (ORDER BY xid, seq) AS same
FROM steward.audit_trail WHERE relation = 'public.contexted' AND (key->>'id')::integer BETWEEN 60 AND 99 ORDER BY xid, seq;
RESET compute_query_id;

SELECT steward.disable_audit('contexted');
DROP TABLE contexted;
DROP FUNCTION said, later, acting, acting_sql;
DROP PROCEDURE committing;
DROP ROLE contexted_user;

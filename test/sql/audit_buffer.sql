-- What a transaction collects reaches the log exactly: subtransactions, sizes, order.
\set SHOW_CONTEXT never
\set VERBOSITY terse
CREATE SCHEMA buffered;
SET search_path = buffered, public;
CREATE TABLE kept (id integer PRIMARY KEY, v text);
SELECT steward.enable_audit('kept');
CREATE TABLE start AS SELECT pg_snapshot_xmax(pg_current_snapshot()) AS xid;

-- The keys that a transaction left in the log, in the order of the log.
CREATE FUNCTION seen() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(left(operation, 1) || (key->>'id'), ' ' ORDER BY xid, seq)
    FROM steward.audit_trail WHERE relation = 'buffered.kept' AND xid = (SELECT max(xid) FROM steward.audit_log) $$;
-- Batches of one transaction must not overlap, nor a number come twice.
CREATE FUNCTION overlaps() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM (
        SELECT first_seq, max(seq) AS last_seq, xid,
               lead(first_seq) OVER (PARTITION BY xid ORDER BY first_seq) AS next_seq, count(*) AS found, max(records) AS records
        FROM steward.audit_log AS l, steward.audit_records(batch, first_seq, xid) AS r
        GROUP BY xid, first_seq) AS b
    WHERE next_seq <= last_seq OR found <> records $$;

-- Savepoints, released, rolled back, nested; each size of the buffer gives the same.
CREATE PROCEDURE nest() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kept VALUES (1, 'top');
    BEGIN
        INSERT INTO kept VALUES (2, 'lost');
        BEGIN
            INSERT INTO kept VALUES (3, 'lost with its parent');
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
        PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
        INSERT INTO kept VALUES (4, 'handler');
    END;
    BEGIN
        INSERT INTO kept VALUES (5, 'child');
        BEGIN
            INSERT INTO kept VALUES (6, 'lost');
            RAISE division_by_zero;
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
        BEGIN
            INSERT INTO kept VALUES (7, 'grandchild');
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
        INSERT INTO kept VALUES (8, 'child again');
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
    INSERT INTO kept VALUES (9, repeat('large', 30000));
    INSERT INTO kept VALUES (10, 'top again');
    BEGIN
        DELETE FROM kept WHERE id = 8;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
END
$$;
CALL nest();
SELECT seen();
TRUNCATE kept;
SET steward.audit_buffer_size = 0;
CALL nest();
SELECT seen();
TRUNCATE kept;
SET steward.audit_buffer_size = '1kB';
CALL nest();
SELECT seen();
SELECT overlaps();
TRUNCATE kept;

-- Many records: a full buffer is written by its own subtransaction alone.
SET steward.audit_buffer_size = '4kB';
BEGIN;
INSERT INTO kept SELECT i, 'top' FROM generate_series(1, 30) AS i;
SAVEPOINT a;
INSERT INTO kept SELECT i, 'written and lost' FROM generate_series(1001, 2000) AS i;
SELECT count(*) > 10 AS written FROM steward.audit_record WHERE xid = pg_current_xact_id();
ROLLBACK TO a;
SELECT count(*) AS pending, min(seq) AS first, max(seq) AS last FROM steward.audit_pending();
INSERT INTO kept SELECT i, 'a' FROM generate_series(31, 40) AS i;
SAVEPOINT b;
INSERT INTO kept SELECT i, 'written and kept' FROM generate_series(2001, 3000) AS i;
RELEASE b;
INSERT INTO kept SELECT i, 'top' FROM generate_series(41, 50) AS i;
COMMIT;
SELECT count(*) AS records, count(DISTINCT seq) AS numbers, max(seq) AS last, sum((new->>'id')::integer) = sum(id) AS same
FROM steward.audit_trail FULL JOIN kept ON id = (new->>'id')::integer
WHERE xid = (SELECT max(xid) FROM steward.audit_log);
SELECT array_agg((new->>'id')::integer ORDER BY seq) = array_agg((new->>'id')::integer ORDER BY changed_at, seq) AS in_order
FROM steward.audit_trail WHERE xid = (SELECT max(xid) FROM steward.audit_log);
TRUNCATE kept;

-- A thousand small subtransactions, each committed into the next one's parent: exact,
-- in full batches.
DO $$
BEGIN
    FOR i IN 1 .. 1000 LOOP
        BEGIN
            INSERT INTO kept VALUES (i, 'sub');
            IF i % 3 = 0 THEN
                RAISE division_by_zero;
            END IF;
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
    END LOOP;
END
$$;
SELECT count(*) AS records, count(*) FILTER (WHERE id IS NULL) AS wrong FROM steward.audit_trail LEFT JOIN kept ON id = (new->>'id')::integer
WHERE xid = (SELECT max(xid) FROM steward.audit_log);
SELECT count(*) < 50 AS few, sum(records) AS records FROM steward.audit_log WHERE xid = (SELECT max(xid) FROM steward.audit_log);
SELECT overlaps();
-- A buffer that became smaller.
TRUNCATE kept;
BEGIN;
INSERT INTO kept SELECT i, 'top' FROM generate_series(1, 30) AS i;
SET LOCAL steward.audit_buffer_size = '1kB';
SAVEPOINT a;
INSERT INTO kept VALUES (31, repeat('larger', 200));
RELEASE a;
COMMIT;
SELECT count(*) FROM steward.audit_trail WHERE xid = (SELECT max(xid) FROM steward.audit_log);
RESET steward.audit_buffer_size;
-- Together they take few rows of the log.
TRUNCATE kept;
INSERT INTO kept SELECT i, 'bulk' FROM generate_series(1, 10000) AS i;
SELECT count(*) < 300 AS few, sum(records) AS records FROM steward.audit_log WHERE xid = (SELECT max(xid) FROM steward.audit_log);

-- A prepared transaction is written when it is prepared, and seen when committed.
TRUNCATE kept;
BEGIN;
INSERT INTO kept VALUES (1, 'prepared');
SAVEPOINT a;
INSERT INTO kept VALUES (2, 'lost');
ROLLBACK TO a;
INSERT INTO kept VALUES (3, 'prepared');
PREPARE TRANSACTION 'audit_buffer';
SELECT count(*) FROM steward.audit_trail WHERE new->>'v' = 'prepared';
COMMIT PREPARED 'audit_buffer';
SELECT seq, key FROM steward.audit_trail WHERE new->>'v' = 'prepared' ORDER BY seq;

-- A deferred constraint trigger changes rows when the transaction ends.
TRUNCATE kept;
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kept VALUES (NEW.id + 1, 'late');
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON kept DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.id < 5) EXECUTE FUNCTION late();
INSERT INTO kept VALUES (1, 'first');
SELECT seen();
-- In a transaction that became read-only, too.
BEGIN;
INSERT INTO kept VALUES (100, 'then read-only');
SET TRANSACTION READ ONLY;
COMMIT;
SELECT seen();
DROP TRIGGER late ON kept;

-- What was captured is in the log though the table has changed, or is gone.
BEGIN;
CREATE TYPE buffered.short_lived AS ENUM ('a');
CREATE TABLE gone (id integer PRIMARY KEY, v text);
SELECT steward.enable_audit('gone');
INSERT INTO gone VALUES (1, repeat('out of line ', 20000));
ALTER TABLE gone RENAME v TO w;
INSERT INTO gone VALUES (2, 'b');
DROP TABLE gone;
COMMIT;
SELECT relation, key, (SELECT array_agg(k) FROM jsonb_object_keys(new) AS k) AS columns, length(new->>'v') AS length
FROM steward.audit_trail WHERE relation = 'buffered.gone' AND operation = 'INSERT' ORDER BY seq;

-- Roles change between records that are written together.
CREATE ROLE buffered_one;
GRANT USAGE ON SCHEMA buffered TO buffered_one;
GRANT INSERT ON kept TO buffered_one;
BEGIN;
INSERT INTO kept VALUES (5201, 'me');
SET LOCAL ROLE buffered_one;
INSERT INTO kept VALUES (5202, 'one');
RESET ROLE;
INSERT INTO kept VALUES (5203, 'me again');
COMMIT;
SELECT key, effective_role = current_user AS me FROM steward.audit_trail WHERE key @> ANY (ARRAY['{"id": 5201}', '{"id": 5202}', '{"id": 5203}']::jsonb[]) AND operation = 'INSERT' ORDER BY seq;
SELECT count(*) AS rows FROM steward.audit_log WHERE xid = (SELECT max(xid) FROM steward.audit_log);
-- A session's later transactions refer to the same context; a renamed role makes a new one.
SELECT count(*) AS contexts FROM steward.audit_context \gset
INSERT INTO kept VALUES (5204, 'me');
SELECT count(*) - :contexts AS more FROM steward.audit_context;
ALTER ROLE buffered_one RENAME TO buffered_two;
SET ROLE buffered_two;
INSERT INTO buffered.kept VALUES (5205, 'two');
RESET ROLE;
SELECT effective_role FROM steward.audit_trail WHERE key = '{"id": 5205}' ORDER BY xid, seq;
-- One whose context was rolled back writes it again.
BEGIN;
SET LOCAL application_name = 'rolled back';
INSERT INTO kept VALUES (5206, 'lost');
ROLLBACK;
BEGIN;
SET LOCAL application_name = 'rolled back';
INSERT INTO kept VALUES (5207, 'kept');
COMMIT;
SELECT key, application FROM steward.audit_trail WHERE key <@ '{"id": 5207}' AND operation = 'INSERT' ORDER BY xid, seq;
SELECT count(*) AS without_context FROM steward.audit_trail WHERE session_role IS NULL;

-- Dropping the extension takes the records that wait with it.
BEGIN;
INSERT INTO kept VALUES (300, 'waits');
SET LOCAL client_min_messages = warning;
DROP EXTENSION pg_steward CASCADE;
INSERT INTO kept VALUES (301, 'not audited');
CREATE EXTENSION pg_steward;
SELECT steward.enable_audit('kept');
INSERT INTO kept VALUES (302, 'audited anew');
SET CONSTRAINTS ALL IMMEDIATE;
COMMIT;
SELECT operation, key FROM steward.audit_trail ORDER BY xid, seq;

-- A damaged batch is an error, not a wrong answer.
SELECT count(*) FROM steward.audit_records('\x', 1, '1');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM steward.audit_records('\x020000000000000000', 1, '1');
SELECT count(*) FROM steward.audit_records('\x010000000000000000', 1, '5');
SELECT seq, context_xid, context, schema_version, op, payload FROM steward.audit_records('\x0100000000000000000803490000020103aa', 7, '5');
-- Cut off; a context of the future; no context first; an unknown flag; a first record with a distance; one without; a wrong time; a length, and a number, too long.
SELECT * FROM steward.audit_records('\x0100000000000000000803490000020103', 7, '5');
SELECT * FROM steward.audit_records('\x0100000000000000000803490000050103aa', 7, '5');
SELECT * FROM steward.audit_records('\x010000000000000000050249000003aa', 7, '5');
SELECT * FROM steward.audit_records('\x0100000000000000000807490000020103aa', 7, '5');
SELECT * FROM steward.audit_records('\x0100000000000000000803490100020103aa', 7, '5');
SELECT * FROM steward.audit_records('\x0100000000000000000803490000020103aa0500490000aa', 7, '5');
SELECT * FROM steward.audit_records('\x017fffffffffffffff0803490000020103aa', 7, '5');
SELECT * FROM steward.audit_records('\x010000000000000000880003490000020103aa', 7, '5');
SELECT * FROM steward.audit_records('\x0100000000000000000c034900000280808080080103aa', 7, '5');
-- Whatever byte is changed, the reader ends with a result or that error.
CREATE FUNCTION try(batch bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count(*) FROM steward.audit_records(batch, 1, '1000');
    RETURN 'read';
EXCEPTION WHEN data_corrupted THEN
    RETURN 'refused';
END
$$;
INSERT INTO kept SELECT i, 'x' FROM generate_series(401, 405) AS i;
SELECT count(*) > 500 AS tried, count(*) FILTER (WHERE try = 'refused') > 100 AS refused, count(*) FILTER (WHERE try IS NULL) AS other
FROM (SELECT try(set_byte(batch, p, v)) FROM (SELECT batch FROM steward.audit_log ORDER BY records DESC LIMIT 1) AS b,
      generate_series(0, length(batch) - 1) AS p, unnest('{0,1,2,3,4,15,64,127,128,129,200,255}'::integer[]) AS v) AS t;
SELECT steward.audit_event('\x');
SELECT steward.audit_event('\x017b7d');
SELECT steward.audit_event('\x017b');
SELECT steward.audit_event('\x01ff');

SET client_min_messages = warning;
DROP SCHEMA buffered CASCADE;
DROP ROLE buffered_two;

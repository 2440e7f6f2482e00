-- The ledger: sealing, checkpoints, and what verification finds. In a database of
-- its own, in which nobody else seals.
\set VERBOSITY default
ALTER SYSTEM SET steward.seal_interval = 0;
SELECT pg_reload_conf();
CREATE DATABASE regress_ledger;
\c regress_ledger
DO $$ BEGIN
    WHILE (SELECT setting FROM pg_file_settings WHERE name = 'steward.seal_interval' AND applied) IS DISTINCT FROM current_setting('steward.seal_interval') LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
\c regress_ledger
SHOW steward.seal_interval;
SET client_min_messages = warning;
CREATE EXTENSION pg_steward;
RESET client_min_messages;
CREATE TABLE account (id integer PRIMARY KEY, owner text, balance integer);

-- Before the log began there is nothing to seal, to sign or to verify.
SELECT steward.seal_ledger();
SELECT * FROM steward.verify_ledger();
SELECT steward.ledger_checkpoint();
SELECT steward.ledger_verifier_key();
SELECT count(*) FROM steward.export_ledger();
SELECT steward.prove_consistency(0);
SELECT steward.prune_audit(now());

-- Arguments.
SELECT steward.create_ledger_key(NULL);
SELECT steward.create_ledger_key('');
SELECT steward.create_ledger_key('a name');
SELECT steward.create_ledger_key('example.com+1');
SELECT steward.create_ledger_key(repeat('x', 201));
SELECT steward.prove(NULL, '1', 1);
SELECT steward.prove(1, NULL, 1);
SELECT steward.prove(1, '1', NULL);
SELECT steward.prove_consistency(NULL);
SELECT steward.acknowledge_fork(NULL, 'x');
SELECT steward.acknowledge_fork(1, NULL);
SELECT steward.acknowledge_fork(1, ' ');
SELECT steward.acknowledge_fork(1, 'x');
SELECT steward.prune_audit(NULL);
SELECT * FROM steward.verify_ledger_block(1, NULL);
SELECT * FROM steward.verify_ledger_block(1, 1);

-- Blocks are sealed without a key, and it says so.
SELECT steward.enable_audit('account');
INSERT INTO account SELECT i, 'owner ' || i, 100 FROM generate_series(1, 700) AS i;
SELECT steward.seal_ledger() > 700 AS sealed;
SELECT steward.seal_ledger();
SELECT number, first_leaf, leaves > 700 AS leaves, octet_length(root) AS root, previous = decode(repeat('00', 32), 'hex') AS first FROM steward.ledger_block;
SELECT steward.ledger_checkpoint();
SELECT * FROM steward.verify_ledger();

-- With a key heads are signed, but none that is not committed.
SELECT steward.create_ledger_key('example.com/ledger');
SELECT regexp_replace(steward.ledger_verifier_key(), '\+.*', '') AS name;
UPDATE account SET balance = 50 WHERE id = 1;
BEGIN;
SELECT steward.seal_ledger() > 0 AS sealed;
SELECT split_part(steward.ledger_checkpoint(), E'\n', 2)::bigint = (SELECT first_leaf + leaves FROM steward.ledger_block WHERE number = 1) AS of_the_first;
SELECT count(*) FROM steward.ledger_block;
ROLLBACK;
SELECT steward.seal_ledger() > 0 AS sealed;
SELECT split_part(steward.ledger_checkpoint(), E'\n', 1) AS origin,
       split_part(steward.ledger_checkpoint(), E'\n', 2)::bigint = (SELECT max(first_leaf + leaves) FROM steward.ledger_block) AS of_the_newest;
SELECT count(*) FROM steward.ledger_checkpoint;
SELECT steward.seal_ledger();
SELECT b.number, c.number IS NOT NULL AS signed FROM steward.ledger_block AS b LEFT JOIN steward.ledger_checkpoint AS c USING (incarnation, number) ORDER BY 1;
SELECT * FROM steward.verify_ledger();
SELECT * FROM steward.verify_ledger(checkpoint => steward.ledger_checkpoint());

-- Sealing sees what others committed, so it refuses where it would see its own.
BEGIN;
UPDATE account SET balance = 51 WHERE id = 1;
SELECT steward.seal_ledger();
ROLLBACK;
BEGIN;
SAVEPOINT a;
SELECT steward.seal_ledger();
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT steward.seal_ledger();
ROLLBACK;
BEGIN READ ONLY;
SELECT steward.seal_ledger();
ROLLBACK;
DO $$ BEGIN PERFORM steward.seal_ledger(); EXCEPTION WHEN division_by_zero THEN NULL; END $$;
CREATE FUNCTION seal_after(integer) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    UPDATE account SET balance = $1 WHERE id = 1;
    RETURN steward.seal_ledger();
END $$;
SELECT seal_after(7);
DROP FUNCTION seal_after(integer);
SELECT count(*) FROM steward.ledger_block WHERE sealed_at > now();

-- Rolled back and lost to savepoints: never in a block.
BEGIN;
UPDATE account SET balance = 1 WHERE id = 2;
SAVEPOINT a;
UPDATE account SET balance = 2 WHERE id = 2;
ROLLBACK TO a;
UPDATE account SET balance = 3 WHERE id = 2;
COMMIT;
BEGIN;
UPDATE account SET balance = 4 WHERE id = 2;
ROLLBACK;
SELECT steward.seal_ledger() > 0 AS sealed;
SELECT * FROM steward.verify_ledger();

-- A large transaction, so that there are tiles of a second level.
UPDATE account SET balance = balance + n FROM (SELECT 1 AS n) AS one;
INSERT INTO account SELECT i, 'owner ' || i, 100 FROM generate_series(1001, 70000) AS i;
SELECT steward.seal_ledger() > 69000 AS sealed;
SELECT level, sum(octet_length(hashes) / 32) = (SELECT max(first_leaf + leaves) >> (8 * level) FROM steward.ledger_block) AS complete
  FROM steward.ledger_tile GROUP BY level ORDER BY level;
SELECT * FROM steward.verify_ledger();
SELECT * FROM steward.verify_ledger(since => 3);

-- The same by parallel workers.
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SELECT * FROM steward.verify_ledger();
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;

-- Proofs have the forms of C2SP; test/t/ledger.pl has them verified elsewhere.
SELECT steward.seal_ledger();
SELECT split_part(p, E'\n', 1) AS head, split_part(p, E'\n', 2) ~ '^extra [A-Za-z0-9+/]+=*$' AS extra, split_part(p, E'\n', 3) ~ '^index [0-9]+$' AS index,
       right(p, length(steward.ledger_checkpoint())) = steward.ledger_checkpoint() AS checkpoint
  FROM steward.audit_record AS r, LATERAL steward.prove(r.incarnation, r.xid, r.seq) AS p WHERE r.seq = 300 ORDER BY r.xid LIMIT 1;
SELECT steward.prove(1, '9999999', 1);
SELECT steward.prove(7, '9999999', 1);
SELECT split_part(steward.prove_consistency(300), E'\n', 1);
SELECT steward.prove_consistency(300, 301);
\set VERBOSITY sqlstate
SELECT steward.prove_consistency(-1);
SELECT steward.prove_consistency(1000000);
\set VERBOSITY default
SELECT count(*) = (SELECT max(first_leaf + leaves) FROM steward.ledger_block) AS all, min(leaf) FROM steward.export_ledger();
SELECT leaf FROM steward.export_ledger(first_leaf => 255, end_leaf => 258);

-- Nobody may do any of it, but who was told to.
CREATE ROLE regress_ledger_reader;
SET ROLE regress_ledger_reader;
SELECT steward.seal_ledger();
SELECT * FROM steward.verify_ledger();
SELECT * FROM steward.ledger_block;
SELECT steward.ledger_checkpoint();
RESET ROLE;
GRANT EXECUTE ON FUNCTION steward.verify_ledger(bigint, text), steward.ledger_checkpoint(integer) TO regress_ledger_reader;
SET ROLE regress_ledger_reader;
SELECT * FROM steward.verify_ledger(checkpoint => steward.ledger_checkpoint());
RESET ROLE;
REVOKE EXECUTE ON FUNCTION steward.verify_ledger(bigint, text), steward.ledger_checkpoint(integer) FROM regress_ledger_reader;
DROP ROLE regress_ledger_reader;

-- The tables are append-only.
UPDATE steward.ledger_block SET leaves = 1;
DELETE FROM steward.ledger_checkpoint;
TRUNCATE steward.ledger_tile;

-- Another key: endorsed by the first, so nothing is found.
SELECT steward.create_ledger_key('example.com/ledger');
SELECT steward.seal_ledger() > 0 AS sealed;
SELECT steward.seal_ledger();
SELECT number, key FROM steward.ledger_checkpoint WHERE key > 1;
SELECT * FROM steward.verify_ledger(checkpoint => steward.ledger_checkpoint());
SELECT event - 'key' AS event FROM (SELECT steward.audit_event(payload) AS event FROM steward.audit_record WHERE op = 'L' ORDER BY xid) AS e;

\c contrib_regression
DROP DATABASE regress_ledger;
ALTER SYSTEM RESET steward.seal_interval;
SELECT pg_reload_conf();

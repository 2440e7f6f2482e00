-- Index secrets: generations, who makes them, what is refused, what is told.
-- That indexes go by them is tested with the indexes.
\set VERBOSITY terse
CREATE ROLE index_secret_user;
SELECT steward.create_key('index_secret');
SELECT steward.create_key('index_secret/index_secret.v');
CREATE VIEW index_secret_rows AS
SELECT k.path, s.generation, s.created_at, s.wrapped, s.root_id
  FROM steward.key_secret AS s JOIN steward.key AS k USING (key_id)
 WHERE s.kind = 2 AND k.path LIKE 'index_secret%';

-- ------------------------------------------------------------- generations --
SELECT path, generation FROM index_secret_rows ORDER BY generation;
SELECT steward.rotate_index_secret('index_secret');
SELECT steward.rotate_index_secret('index_secret');
SELECT path, generation FROM index_secret_rows ORDER BY generation;
-- Each is a secret of its own, wrapped under the current root.
SELECT count(DISTINCT wrapped) AS wraps, bool_and(root_id = steward.current_root()) AS current
  FROM index_secret_rows;
-- The versions of the key and the other secrets stay as they are.
SELECT count(*) AS versions FROM steward.key_version AS v JOIN steward.key AS k USING (key_id) WHERE k.path = 'index_secret';
SELECT bool_and(generation = 1) AS others FROM steward.key_secret WHERE kind <> 2;

-- A rotation that is rolled back never was, also for the session that made it.
BEGIN;
SELECT steward.rotate_index_secret('index_secret');
SAVEPOINT inside;
SELECT steward.rotate_index_secret('index_secret');
ROLLBACK TO inside;
SELECT steward.rotate_index_secret('index_secret');
ROLLBACK;
SELECT steward.rotate_index_secret('index_secret');
-- ---------------------------------------------------------------- refusals --
SELECT steward.rotate_index_secret('');
SELECT steward.rotate_index_secret('index secret');
\set VERBOSITY default
SELECT steward.rotate_index_secret('index_secret/index_secret.v');
SELECT steward.rotate_index_secret('index_secret_unknown');
\set VERBOSITY terse
BEGIN READ ONLY;
SELECT steward.rotate_index_secret('index_secret');
ROLLBACK;
SET ROLE index_secret_user;
SELECT steward.rotate_index_secret('index_secret');
RESET ROLE;
-- Who may execute it needs no right on the tables.
GRANT EXECUTE ON FUNCTION steward.rotate_index_secret(text) TO index_secret_user;
SET ROLE index_secret_user;
SELECT steward.rotate_index_secret('index_secret');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION steward.rotate_index_secret(text) FROM index_secret_user;
-- No generation is made in place of those that are missing: it would have the
-- number of one that indexes go by.
BEGIN;
DELETE FROM steward.key_secret AS s USING steward.key AS k WHERE s.kind = 2 AND s.key_id = k.key_id AND k.path = 'index_secret';
\set VERBOSITY default
SELECT steward.rotate_index_secret('index_secret');
\set VERBOSITY terse
ROLLBACK;

-- -------------------------------------------------------------- the table --
SELECT key_id FROM steward.key WHERE path = 'index_secret' \gset
\set row '\'\\x0011223344556677\', decode(repeat(\'00\', 105), \'hex\')'
INSERT INTO steward.key_secret (kind, key_id, generation, root_id, wrapped) VALUES (2, :key_id, 2, :row);
INSERT INTO steward.key_secret (kind, key_id, generation, root_id, wrapped) VALUES (2, :key_id, 0, :row);
INSERT INTO steward.key_secret (kind, key_id, generation, root_id, wrapped) VALUES (2, :key_id, -1, :row);
INSERT INTO steward.key_secret (kind, key_id, generation, root_id, wrapped) VALUES (3, 0, 2, :row);
INSERT INTO steward.key_secret (kind, key_id, generation, root_id, wrapped) VALUES (6, 1, 2, :row);
INSERT INTO steward.key_secret (kind, key_id, generation, root_id, wrapped) VALUES (2, :key_id, NULL, :row);
-- A dump from before has no generation: it is the first.
BEGIN;
INSERT INTO steward.key_secret (kind, key_id, root_id, wrapped) VALUES (2, 7, :row) RETURNING generation;
-- The greatest number is the last.
INSERT INTO steward.key_secret (kind, key_id, generation, root_id, wrapped) VALUES (2, :key_id, 2147483647, :row);
SELECT steward.rotate_index_secret('index_secret');
ROLLBACK;

-- ------------------------------------------------------------------- clean --
DROP VIEW index_secret_rows;
DELETE FROM steward.key_version AS v USING steward.key AS k WHERE v.key_id = k.key_id AND k.path LIKE 'index_secret%';
DELETE FROM steward.key_secret AS s USING steward.key AS k WHERE s.kind = 2 AND s.key_id = k.key_id AND k.path LIKE 'index_secret%';
DELETE FROM steward.key WHERE path LIKE 'index_secret%';
DROP ROLE index_secret_user;

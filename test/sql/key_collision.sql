-- A key id is a digest of 31 bits, so that two paths may have the same one. Then the
-- second must be refused wherever a path is given: what is sealed under it would be
-- under the key of the first, whose readers could open it.
\set VERBOSITY default
SELECT steward.create_key('pii');
SELECT steward.create_key('other');
CREATE TABLE collision_first (c steward.encrypted_text('pii/a58072'));
SELECT path FROM steward.key WHERE key_id = 401694098;
SELECT steward.encrypt_text('v', 'other/b4179') IS NULL;
\set VERBOSITY terse
SELECT steward.encrypt_bigint(1, 'other/b4179') IS NULL;
SELECT 'v'::text::steward.encrypted_text('other/b4179') IS NULL;
SELECT 'v'::steward.encrypted_text('other/b4179') IS NULL;
CREATE TABLE collision_second (c steward.encrypted_text('other/b4179'));
CREATE TABLE collision_second (c text);
SELECT steward.encrypt_column('collision_second', 'c', 'other/b4179');
SELECT steward.has_key_privilege('other/b4179', 'decrypt');
SELECT steward.create_key('other/b4179');
CREATE FUNCTION collision_body() RETURNS boolean LANGUAGE plpgsql AS
    'DECLARE v steward.encrypted_text(''other/b4179''); BEGIN v := ''x''::text; RETURN v IS NULL; END';
-- the first one goes on, and a refusal leaves nothing behind
INSERT INTO collision_first VALUES ('v'), (steward.encrypt_text('w', 'pii/a58072'));
SELECT c::text FROM collision_first ORDER BY c;
CREATE TABLE collision_third (c steward.encrypted_text('pii/a58072'));
DROP TABLE collision_first, collision_second, collision_third;

-- neither is registered: the session that named one does not take the other for it
CREATE TABLE collision_both (a steward.encrypted_text('pii/x1908'), b steward.encrypted_text('other/y17015'));
SELECT steward.encrypt_text('v', 'pii/x1908') IS NULL AS sealed, steward.encrypt_text('v', 'other/y17015') IS NULL;
SELECT count(*) FROM steward.key WHERE key_id IN (2099692575);

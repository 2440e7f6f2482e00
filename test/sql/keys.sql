-- Named keys and the rights on them.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE keys_alice;
CREATE ROLE keys_bob;
CREATE ROLE keys_team;
CREATE ROLE keys_noinherit NOINHERIT;
CREATE ROLE keys_super SUPERUSER;
CREATE ROLE keys_definer;
GRANT keys_team TO keys_bob;
GRANT keys_team TO keys_noinherit;
CREATE SCHEMA keys_test;
GRANT ALL ON SCHEMA keys_test TO PUBLIC;
RESET client_min_messages;

-- names
SELECT steward.create_key('keys');
SELECT steward.create_key('keys');
SELECT steward.create_key('keys/Child-1.x_y');
SELECT steward.create_key('keys/Child-1.x_y');
SELECT steward.create_key('keys_nobody/child');
SELECT steward.create_key('');
SELECT steward.create_key('/keys');
SELECT steward.create_key('keys/');
SELECT steward.create_key('keys//x');
SELECT steward.create_key('123');
SELECT steward.create_key('keys x');
SELECT steward.create_key('keys''x');
SELECT steward.create_key('schlüssel');
SELECT steward.create_key(repeat('k', 200) || 'k');
SELECT k.path, h.path AS holder, k.key_id = h.key_id AS holds_itself,
       (SELECT count(*) FROM steward.key_version AS v WHERE v.key_id = k.key_id) AS versions,
       (SELECT count(*) FROM steward.key_secret AS s WHERE s.key_id = k.key_id) AS secrets
  FROM steward.key AS k JOIN steward.key AS h ON h.key_id = k.holder_id
 WHERE k.path LIKE 'keys%' ORDER BY 1;
SELECT count(*) AS hash_secrets FROM steward.key_secret WHERE kind = 3;
SELECT count(*) AS realms FROM steward.realm;
INSERT INTO steward.realm (realm) VALUES (gen_random_uuid());

-- the key id is part of the format: BLAKE2b-256 of label and path
SELECT key_id FROM steward.key WHERE path = 'keys';

-- an id that is taken: the row of another path stands in for the collision
BEGIN;
CREATE TABLE keys_test.collide (c steward.encrypted_text('keys/collision'));
UPDATE steward.key SET path = 'keys/somebody' WHERE path = 'keys/collision';
SELECT steward.create_key('keys/collision');
ROLLBACK;
BEGIN;
CREATE TABLE keys_test.collide (c steward.encrypted_text('keys/collision'));
UPDATE steward.key SET path = 'keys/somebody' WHERE path = 'keys/collision';
CREATE TABLE keys_test.collide2 (c steward.encrypted_text('keys/collision'));
ROLLBACK;

-- DDL registers a path, also of a domain, a composite type and an array
CREATE TABLE keys_test.t (id integer, c steward.encrypted_text('keys/t.c'), a steward.encrypted_text('keys/t.a')[]);
CREATE DOMAIN keys_test.d AS steward.encrypted_text('keys/d');
CREATE TYPE keys_test.comp AS (x steward.encrypted_text('keys/comp'));
SELECT path FROM steward.key WHERE path LIKE 'keys/%' ORDER BY 1;
SELECT count(*) AS same_in_another_session FROM steward.key WHERE path = 'keys/t.c';
\c -
\set VERBOSITY terse
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'keys_test.t'::regclass AND attnum > 0 ORDER BY attnum;
-- a rolled back one does not stay
BEGIN;
CREATE TABLE keys_test.gone (c steward.encrypted_text('keys/gone'));
ROLLBACK;
SELECT count(*) FROM steward.key WHERE path = 'keys/gone';

-- modifiers
CREATE TABLE keys_test.n (c steward.encrypted_text(4711));
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'keys_test.n'::regclass AND attname = 'c';
INSERT INTO keys_test.n VALUES ('x');
DROP TABLE keys_test.n;
SET client_min_messages = error;
CREATE TABLE keys_test.w (c steward.encrypted_text('keys_unknown/c'));
RESET client_min_messages;
INSERT INTO keys_test.w VALUES ('x');
SELECT count(*) FROM steward.key WHERE path LIKE 'keys_unknown%';
DROP TABLE keys_test.w;
SELECT 'x'::steward.encrypted_text(0);
SELECT 'x'::steward.encrypted_text(2147483648);
SELECT 'x'::steward.encrypted_text(99999999999999999999999);
SELECT 'x'::steward.encrypted_text(-1);
SELECT 'x'::steward.encrypted_text(1.5);
SELECT 'x'::steward.encrypted_text('');
SELECT 'x'::steward.encrypted_text('a b');
SELECT 'x'::steward.encrypted_text('keys', 'keys');
SELECT steward.typmod_in('{}'), steward.typmod_in('{{a}}');
SELECT steward.typmod_in('{NULL}');
SELECT steward.typmod_out(-1), steward.typmod_out(4711), steward.typmod_out(key_id) FROM steward.key WHERE path = 'keys/t.c';
SELECT steward.typmod_in(ARRAY['keys/t.c']::cstring[]) = key_id AS name_is_number FROM steward.key WHERE path = 'keys/t.c';

-- rights: nobody but the owner makes keys or grants
GRANT SELECT, INSERT ON keys_test.t TO keys_alice, keys_bob, keys_team, keys_noinherit, keys_definer;
INSERT INTO keys_test.t VALUES (1, 'one', '{a}'), (2, 'two', '{b}');
SET ROLE keys_alice;
SELECT steward.create_key('keys_mine');
SELECT steward.grant_key('keys', 'keys_alice', 'decrypt');
SELECT steward.revoke_key('keys', 'keys_alice', 'decrypt');
SELECT * FROM steward.key;
SELECT * FROM steward.key_version;
SELECT * FROM steward.key_secret;
INSERT INTO steward.key_grant (key_id, grantee, privilege) VALUES (1, 'keys_alice', 'decrypt');
-- reading ciphertext is nobody's secret, encrypting everybody's right
SELECT bool_and(c::steward.encrypted_text IS NOT NULL) FROM keys_test.t;
INSERT INTO keys_test.t VALUES (3, 'three');
SELECT c::text FROM keys_test.t;
SELECT count(*) FROM keys_test.t WHERE c = 'one';
SELECT count(*) FROM keys_test.t WHERE c < 'one';
RESET ROLE;

-- grants and their faults
SELECT steward.grant_key('keys', 'keys_alice', 'read');
SELECT steward.grant_key('keys', 'keys_nobody', 'decrypt');
SELECT steward.grant_key('keys', 4294967290::oid::regrole, 'decrypt');
SELECT steward.grant_key('keys_unknown', 'keys_alice', 'decrypt');
SELECT steward.grant_key('keys/t.c', 'keys_alice', 'decrypt');
SELECT steward.revoke_key('keys/t.c', 'keys_alice', 'decrypt');
SELECT steward.has_key_privilege('keys_alice', 'keys_unknown', 'decrypt');
SELECT steward.has_key_privilege('keys_alice', 'keys', 'DECRYPT');

CREATE FUNCTION keys_test.rights(role regrole, OUT decrypt boolean, OUT search boolean, OUT load boolean) LANGUAGE sql
    RETURN (SELECT (steward.has_key_privilege(role, 'keys', 'decrypt'), steward.has_key_privilege(role, 'keys', 'search'), steward.has_key_privilege(role, 'keys', 'load')));
SELECT steward.grant_key('keys', 'keys_alice', 'search'), steward.grant_key('keys', 'keys_alice', 'search');
SELECT * FROM keys_test.rights('keys_alice');
SELECT steward.has_key_privilege('keys_alice', 'keys/t.c', 'search') AS child, steward.has_key_privilege('keys_alice', 'keys/never.used', 'search') AS unregistered;
SET ROLE keys_alice;
SELECT id FROM keys_test.t WHERE c = 'one';
SELECT id FROM keys_test.t WHERE c <> 'one' ORDER BY id;
SELECT count(*) FROM (SELECT DISTINCT c FROM keys_test.t ORDER BY c) AS s;
SELECT c::text FROM keys_test.t WHERE id = 1;
SELECT c::varchar FROM keys_test.t WHERE id = 1;
SELECT steward.decrypt(c) FROM keys_test.t WHERE id = 1;
RESET ROLE;
SELECT steward.grant_key('keys', 'keys_alice', 'decrypt'), steward.revoke_key('keys', 'keys_alice', 'search');
SET ROLE keys_alice;
SELECT id, c::text FROM keys_test.t WHERE c = 'one';
SELECT c::text FROM keys_test.t ORDER BY c;
RESET ROLE;
SELECT steward.revoke_key('keys', 'keys_alice', 'decrypt');
SELECT * FROM keys_test.rights('keys_alice');
SET ROLE keys_alice;
SELECT id FROM keys_test.t WHERE c = 'one';
RESET ROLE;

-- membership: inherited or not, and SET ROLE
SELECT steward.grant_key('keys', 'keys_team', 'decrypt');
SELECT * FROM keys_test.rights('keys_bob');
SELECT * FROM keys_test.rights('keys_noinherit');
SELECT * FROM keys_test.rights('keys_super');
SET SESSION AUTHORIZATION keys_noinherit;
SELECT c::text FROM keys_test.t WHERE id = 1;
SET ROLE keys_team;
SELECT c::text FROM keys_test.t WHERE id = 1;
RESET ROLE;
SELECT c::text FROM keys_test.t WHERE id = 1;
RESET SESSION AUTHORIZATION;
SET ROLE keys_bob;
SELECT c::text FROM keys_test.t WHERE id = 1;
RESET ROLE;
REVOKE keys_team FROM keys_bob;
SET ROLE keys_bob;
SELECT c::text FROM keys_test.t WHERE id = 1;
RESET ROLE;
ALTER ROLE keys_bob SUPERUSER;
SET ROLE keys_bob;
SELECT c::text FROM keys_test.t WHERE id = 1;
RESET ROLE;
ALTER ROLE keys_bob NOSUPERUSER;
SET ROLE keys_bob;
SELECT c::text FROM keys_test.t WHERE id = 1;
RESET ROLE;

-- a function of a definer decrypts for its callers, a view never does
SELECT steward.grant_key('keys', 'keys_definer', 'decrypt');
SET ROLE keys_definer;
CREATE FUNCTION keys_test.reveal(integer) RETURNS text LANGUAGE sql SECURITY DEFINER
    AS 'SELECT c::text FROM keys_test.t WHERE id = $1';
CREATE VIEW keys_test.v AS SELECT id, c::text AS plain FROM keys_test.t;
GRANT SELECT ON keys_test.v TO keys_alice;
RESET ROLE;
SET ROLE keys_alice;
SELECT keys_test.reveal(1);
SELECT plain FROM keys_test.v WHERE id = 1;
RESET ROLE;
ALTER VIEW keys_test.v SET (security_invoker = true);
SET ROLE keys_alice;
SELECT plain FROM keys_test.v WHERE id = 1;
RESET ROLE;
SET ROLE keys_definer;
SELECT plain FROM keys_test.v WHERE id = 1;
RESET ROLE;

-- DROP ROLE knows of the grant, DROP OWNED ends it and it does not come back
DROP ROLE keys_team;
DROP OWNED BY keys_team;
SELECT * FROM keys_test.rights('keys_team');
SELECT steward.grant_key('keys', 'keys_team', 'load');
SELECT * FROM keys_test.rights('keys_team');
-- also where the role is a member of one that has a grant, or PUBLIC has the mark
GRANT keys_team TO keys_alice;
SELECT steward.grant_key('keys', 'keys_alice', 'decrypt');
SELECT * FROM keys_test.rights('keys_alice');
DROP OWNED BY keys_alice;
SELECT * FROM keys_test.rights('keys_alice');
BEGIN;
GRANT REFERENCES ON steward.key_grantee TO PUBLIC;
SELECT * FROM keys_test.rights('keys_alice');
ROLLBACK;
REVOKE keys_team FROM keys_alice;
-- a grant without its mark, as a dump of another cluster would bring, is void
INSERT INTO steward.key_grant (key_id, grantee, privilege) SELECT key_id, 'keys_bob', 'decrypt' FROM steward.key WHERE path = 'keys';
SELECT * FROM keys_test.rights('keys_bob');
SELECT steward.grant_key('keys', 'keys_bob', 'search');
SELECT * FROM keys_test.rights('keys_bob');
-- changes by hand take effect at once
UPDATE steward.key_grant SET privilege = 'decrypt' WHERE grantee = 'keys_bob'::regrole;
SELECT * FROM keys_test.rights('keys_bob');
BEGIN;
DELETE FROM steward.key_grant WHERE grantee = 'keys_bob'::regrole;
SELECT * FROM keys_test.rights('keys_bob');
ROLLBACK;
SELECT * FROM keys_test.rights('keys_bob');
DELETE FROM steward.key_grant WHERE grantee = 'keys_bob'::regrole;
SELECT * FROM keys_test.rights('keys_bob');
BEGIN;
TRUNCATE steward.key_grant;
SELECT * FROM keys_test.rights('keys_definer');
ROLLBACK;
SELECT * FROM keys_test.rights('keys_definer');

-- a key of a transaction that rolled back is gone from the cache, too
BEGIN;
SELECT steward.create_key('keys_tx');
SELECT steward.encrypt_text('x', 'keys_tx')::text;
ROLLBACK;
SELECT steward.encrypt_text('x', 'keys_tx')::text;
BEGIN;
SAVEPOINT a;
SELECT steward.create_key('keys_tx');
SELECT steward.encrypt_text('x', 'keys_tx')::text;
ROLLBACK TO a;
SELECT steward.encrypt_text('x', 'keys_tx')::text;
ROLLBACK;
BEGIN;
SAVEPOINT a;
SELECT steward.create_key('keys_tx');
SELECT steward.encrypt_text('x', 'keys_tx/child')::text;
RELEASE a;
SELECT steward.encrypt_text('x', 'keys_tx')::text;
ROLLBACK;
SELECT steward.encrypt_text('x', 'keys_tx/child')::text;
DO $$
BEGIN
    BEGIN
        PERFORM steward.create_key('keys_tx');
        PERFORM steward.encrypt_text('x', 'keys_tx')::text;
        RAISE EXCEPTION 'undo';
    EXCEPTION WHEN raise_exception THEN
        NULL;
    END;
    PERFORM steward.encrypt_text('x', 'keys_tx')::text;
END
$$;
-- and so is a grant
BEGIN;
SAVEPOINT a;
SELECT steward.grant_key('keys', 'keys_alice', 'decrypt');
SELECT * FROM keys_test.rights('keys_alice');
ROLLBACK TO a;
SELECT * FROM keys_test.rights('keys_alice');
ROLLBACK;

-- damage to the tables is noticed; nothing falls back to another key
BEGIN;
UPDATE steward.key_version SET wrapped = set_byte(wrapped, 50, get_byte(wrapped, 50) # 1) WHERE key_id = (SELECT key_id FROM steward.key WHERE path = 'keys');
SELECT c::text FROM keys_test.t WHERE id = 1;
ROLLBACK;
BEGIN;
UPDATE steward.realm SET realm = gen_random_uuid();
SELECT c::text FROM keys_test.t WHERE id = 1;
ROLLBACK;
BEGIN;
UPDATE steward.key_version SET root_id = '\x0102030405060708' WHERE key_id = (SELECT key_id FROM steward.key WHERE path = 'keys');
SELECT c::text FROM keys_test.t WHERE id = 1;
ROLLBACK;
BEGIN;
DELETE FROM steward.key_version WHERE key_id = (SELECT key_id FROM steward.key WHERE path = 'keys');
INSERT INTO keys_test.t VALUES (4, 'four');
ROLLBACK;
SELECT c::text FROM keys_test.t WHERE id = 1;

SET client_min_messages = warning;
DROP SCHEMA keys_test CASCADE;
DROP OWNED BY keys_alice, keys_bob, keys_team, keys_noinherit, keys_definer;
DROP ROLE keys_alice, keys_bob, keys_team, keys_noinherit, keys_super, keys_definer;
DELETE FROM steward.key_grant WHERE key_id IN (SELECT key_id FROM steward.key WHERE path = 'keys');

-- A path is quoted when a type is shown, whatever the table was made to hold.
BEGIN;
SELECT steward.create_key('keys_quote');
SELECT key_id AS quoted FROM steward.key WHERE path = 'keys_quote' \gset
UPDATE steward.key SET path = $$x'); DROP$$ WHERE key_id = :quoted;
SELECT steward.typmod_out(:quoted);
ROLLBACK;

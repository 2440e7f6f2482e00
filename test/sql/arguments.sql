-- What changes something does not look as if it had, called with a null: an
-- erasure whose key came out of an outer join must not pass in silence.
\set VERBOSITY terse
SELECT steward.create_key(NULL);
SELECT steward.rotate_key(NULL);
SELECT steward.rotate_index_secret(NULL);
SELECT steward.grant_key('arguments', NULL, 'decrypt');
SELECT steward.revoke_key('arguments', CURRENT_USER::regrole, NULL);
SELECT steward.destroy_key_version('arguments', NULL);
SELECT steward.destroy_key_version('arguments', 1, NULL);
SELECT steward.shred_subject(NULL, '1');
SELECT steward.shred_subject('customer', NULL);
SELECT steward.bind_subject('pg_class', 'customer', NULL);
SELECT steward.unbind_subject(NULL);
SELECT steward.encrypt_column('pg_class', 'relname', NULL);
SELECT steward.decrypt_column('pg_class', NULL);
CALL steward.encrypt_column_online('pg_class', NULL, 'arguments');
CALL steward.encrypt_column_online('pg_class', 'relname', 'arguments', patience => NULL);
CALL steward.decrypt_column_online(NULL, 'relname');
SELECT steward.abort_column_conversion(NULL);
SELECT steward.abort_column_conversion('pg_class', NULL);
SELECT steward.abort_column_conversion('pg_class', '-1 s');
CALL steward.reencrypt(NULL);
CALL steward.reencrypt('pg_class', NULL);
SELECT * FROM steward.verify_column('pg_class', NULL);
SELECT steward.create_decrypted_view(NULL);
SELECT steward.enable_audit(NULL);
SELECT steward.disable_audit(NULL);
SELECT steward.create_policy('arguments', NULL, 'relname', '1 year', 'delete');
CALL steward.run_policy(NULL);
-- A number that is no table's.
SELECT steward.bind_subject(4294967295::oid::regclass, 'customer', 'id');
SELECT steward.encrypt_column(4294967295::oid::regclass, 'c', 'arguments');
CALL steward.encrypt_column_online(4294967295::oid::regclass, 'c', 'arguments');
SELECT steward.abort_column_conversion(4294967295::oid::regclass);
CALL steward.reencrypt(4294967295::oid::regclass);
SELECT * FROM steward.verify_column(4294967295::oid::regclass, 'c');
SELECT steward.create_decrypted_view(4294967295::oid::regclass);
SELECT steward.enable_audit(4294967295::oid::regclass);

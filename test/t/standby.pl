# Replicas: physical standbys follow keys and rights as they are replayed, and
# logical subscribers take ciphertext as it is.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $keyring = steward_keyring();
my $node = steward_node('primary', keyring => $keyring, conf => "wal_level = logical\nmax_wal_senders = 10",
	init => { allows_streaming => 'logical' });

$node->safe_psql('postgres', q{
CREATE ROLE reader LOGIN;
SELECT steward.create_key('pii');
SELECT steward.grant_key('pii', 'reader', 'decrypt');
CREATE TABLE t (id int PRIMARY KEY, v steward.encrypted_text('pii/t.v'));
CREATE UNIQUE INDEX t_v ON t (v steward.encrypted_unique_ops);
GRANT SELECT ON t TO reader;
INSERT INTO t SELECT g, 'value ' || g FROM generate_series(1, 20) g});
$node->safe_psql(
	'postgres', q{
CREATE TABLE every (
    id integer PRIMARY KEY, t steward.encrypted_text('pii/every.t'), b steward.encrypted_bytea('pii/every.b'), j steward.encrypted_jsonb('pii/every.j'), i steward.encrypted_bigint('pii/every.i'),
    n steward.encrypted_numeric('pii/every.n'), d steward.encrypted_date('pii/every.d'), z steward.encrypted_timestamptz('pii/every.z'), a steward.encrypted_bigint('pii/every.a')[]);
SELECT steward.create_decrypted_view('every');
GRANT SELECT ON every, every_decrypted TO reader;
INSERT INTO every VALUES (1, 'text', '\x0102', '{"a": 1.00}', -7, 1.50, '2020-02-29', '2020-02-29 12:00+00', '{1,NULL,3}')});
$node->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

sub reader
{
	my ($where) = @_;
	my $session = $where->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', 'reader' ]);

	return $session;
}

my $read = 'SELECT v::text FROM t WHERE id = 7';
my $denied = qr/^ERROR:  permission denied for key "pii/;

$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $read), 'value 7', 'a standby decrypts with the same keyring');
is($standby->safe_psql('postgres', q{SET enable_seqscan = off; SELECT id FROM t WHERE v = 'value 9'::text}), '9', 'and finds by the unique index');
is($standby->safe_psql('postgres', q{SELECT pg_catalog.count(*) FROM t a JOIN t b ON a.v = b.v}), '20', 'and joins');
is($standby->safe_psql('postgres', q{SELECT 'x'::steward.encrypted_text = 'x'::text}), 't', 'and compares constants');
my $every = q{SET timezone = 'UTC'; SELECT * FROM every_decrypted};
is($standby->safe_psql('postgres', $every, extra_params => [ '-U', 'reader' ]), '1|text|\x0102|{"a": 1.00}|-7|1.50|2020-02-29|2020-02-29 12:00:00+00|{1,NULL,3}', 'it decrypts values of all types');
is($standby->safe_psql('postgres', q{SELECT count(v.*) FROM unnest('{t,b,j,i,n,d,z,a}'::text[]) AS c, LATERAL steward.verify_column('every', c) AS v}), '0', 'and checks them');
is($standby->safe_psql('postgres', q{SELECT privilege, source FROM steward.key_privilege WHERE role = 'reader'}), 'decrypt|grant', 'and tells who may');
like(steward_error($standby, q{SELECT steward.create_key('more')}), qr/^ERROR:  .*(read-only|recovery)/, 'it makes no keys');
for my $call (
	q{rotate_key('pii')}, q{rotate_index_secret('pii')}, q{grant_key('pii', 'reader', 'search')}, q{revoke_key('pii', 'reader', 'search')},
	q{bind_subject('t', 'person', 'id')}, q{unbind_subject('t')}, q{create_decrypted_view('t')}, q{enable_audit('t')}, q{disable_audit('t')},
	q{create_policy('p', 't', 'id', '1 year', 'delete')}, q{alter_policy('p')},
	q{drop_policy('p')}, q{pause_policy('p')}, q{resume_policy('p')})
{
	my ($function) = $call =~ /^(\w+)/;

	like(steward_error($standby, "SELECT steward.$call"), qr/^ERROR:  cannot execute steward\.$function\(\) (in a read-only transaction|during recovery)/, "$function says that it cannot be done there");
}

# ---- rights are followed at once, in sessions and in open transactions ----

for my $place ($node, $standby)
{
	my $name = $place->name;
	my $plain = reader($place);
	my $old = reader($place);
	my $late = reader($place);
	my $slow = reader($place);

	$old->query("BEGIN ISOLATION LEVEL REPEATABLE READ");
	is($old->query($read), 'value 7', "$name: an open transaction decrypts");
	$late->query("SET plan_cache_mode = force_generic_plan; BEGIN; PREPARE get AS $read");
	$late->query('EXECUTE get') for 1 .. 5;
	is($late->query('EXECUTE get'), 'value 7', "$name: a prepared statement in an open transaction decrypts");
	is($plain->query($read), 'value 7', "$name: a session decrypts");
	$slow->query('BEGIN; DECLARE c CURSOR FOR SELECT v::text FROM t ORDER BY id');
	is($slow->query('FETCH 1 FROM c'), 'value 1', "$name: a cursor decrypts");
	$node->safe_psql('postgres', q{SELECT steward.revoke_key('pii', 'reader', 'decrypt')});
	$node->wait_for_catchup($standby, 'replay');
	like(steward_error($plain, $read), $denied, "$name: after the revocation it does not");
	like(steward_error($old, $read), $denied, "$name: nor does an older transaction");
	like(steward_error($late, 'EXECUTE get'), $denied, "$name: nor a prepared statement in one");
	like(steward_error($slow, 'FETCH 1 FROM c'), $denied, "$name: nor a cursor that was open");
	$_->query('ROLLBACK') for $old, $late, $slow;
	$node->safe_psql('postgres', q{SELECT steward.grant_key('pii', 'reader', 'decrypt')});
	$node->wait_for_catchup($standby, 'replay');
	is($plain->query($read), 'value 7', "$name: a new grant reaches it");

	# By membership, and by what ties the grant to the role.
	$node->safe_psql('postgres', q{SELECT steward.revoke_key('pii', 'reader', 'decrypt');
CREATE ROLE team; GRANT team TO reader; SELECT steward.grant_key('pii', 'team', 'decrypt')});
	$node->wait_for_catchup($standby, 'replay');
	is($plain->query($read), 'value 7', "$name: a member has the right");
	$node->safe_psql('postgres', 'REVOKE team FROM reader');
	$node->wait_for_catchup($standby, 'replay');
	like(steward_error($plain, $read), $denied, "$name: a former member does not");
	$node->safe_psql('postgres', q{SELECT steward.grant_key('pii', 'reader', 'decrypt')});
	$node->wait_for_catchup($standby, 'replay');
	is($plain->query($read), 'value 7', "$name: granted again");
	$node->safe_psql('postgres', 'DROP OWNED BY reader; GRANT SELECT ON t TO reader');
	$node->wait_for_catchup($standby, 'replay');
	like(steward_error($plain, $read), $denied, "$name: DROP OWNED takes it away");
	$node->safe_psql('postgres', q{DROP OWNED BY team; DROP ROLE team; SELECT steward.grant_key('pii', 'reader', 'decrypt')});
	$node->wait_for_catchup($standby, 'replay');
	$_->quit for $plain, $old, $late, $slow;
}

# A key that is made after the standby's session looked for it.
{
	my $session = steward_session($standby);

	like(steward_error($session, q{SELECT steward.encrypt_text('x', 'new')}), qr/^ERROR:  key "new" does not exist/, 'a key that is not there yet');
	$node->safe_psql('postgres', q{SELECT steward.create_key('new')});
	$node->wait_for_catchup($standby, 'replay');
	is($session->query(q{SELECT steward.encrypt_text('x', 'new')::text}), 'x', 'a key made on the primary arrives in a session');
	$session->quit;
}

# ---- a standby without a keyring reads ciphertext, and heals ----

steward_set($standby, 'steward.root_key_file' => undef);
is($standby->safe_psql('postgres', q{SELECT pg_catalog.count(*) FROM t WHERE v IS NOT NULL}), '20', 'without a keyring: ciphertext can be read');
like(steward_error($standby, $read), qr/^ERROR:  no root key is available/, 'without a keyring: a clear error');
steward_set($standby, 'steward.root_key_file' => $keyring);
is($standby->safe_psql('postgres', $read), 'value 7', 'with it again');

# ---- logical replication ----

my $dump = PostgreSQL::Test::Utils::tempdir() . '/schema.sql';
my $keys = PostgreSQL::Test::Utils::tempdir() . '/keys.sql';

$node->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE t');
$node->command_ok([ 'pg_dump', '-f', $dump, '--no-publications', '--exclude-table-data=t', $node->connstr('postgres') ], 'a dump of schema and keys');
$node->command_ok([ 'pg_dump', '-s', '-f', $keys, '--no-publications', $node->connstr('postgres') ], 'a dump of the schema alone');

for my $with_keys (1, 0)
{
	my $name = $with_keys ? 'subscriber' : 'keyless';
	my $subscriber = steward_node($name, keyring => $with_keys ? $keyring : undef, extension => 0,
		init => { allows_streaming => 'logical' });
	my $source = $node->connstr('postgres') =~ s/'/''/gr;

	$subscriber->safe_psql('postgres', 'CREATE ROLE reader LOGIN');
	$subscriber->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $with_keys ? $dump : $keys, $subscriber->connstr('postgres') ], "$name: restored");
	$subscriber->safe_psql('postgres', 'DROP INDEX t_v') unless $with_keys;
	$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION $name CONNECTION '$source' PUBLICATION p");
	$subscriber->wait_for_subscription_sync($node, $name);
	$node->safe_psql('postgres', qq{INSERT INTO t VALUES (100 + $with_keys, 'later $name'); UPDATE t SET v = 'changed $name' WHERE id = 3; DELETE FROM t WHERE id = 4 + $with_keys});
	$node->wait_for_catchup($name);
	is($subscriber->safe_psql('postgres', q{SELECT pg_catalog.md5(pg_catalog.string_agg(id || ' ' || pg_catalog.encode(steward.encrypted_text_send(v), 'hex'), ',' ORDER BY id)) FROM t}),
		$node->safe_psql('postgres', q{SELECT pg_catalog.md5(pg_catalog.string_agg(id || ' ' || pg_catalog.encode(steward.encrypted_text_send(v), 'hex'), ',' ORDER BY id)) FROM t}),
		"$name: has the same ciphertext");
	if ($with_keys)
	{
		is($subscriber->safe_psql('postgres', q{SELECT v::text FROM t WHERE id IN (3, 7, 101) ORDER BY id}), "changed $name\nvalue 7\nlater $name", "$name: decrypts");
		is($subscriber->safe_psql('postgres', q{SET enable_seqscan = off; SELECT id FROM t WHERE v = 'later subscriber'::text}), '101', "$name: its unique index works");
	}
	else
	{
		like(steward_error($subscriber, $read), qr/^ERROR:  key \d+ does not exist in this database|^ERROR:  no root key/m, "$name: a clear error");
	}
	$subscriber->safe_psql('postgres', "DROP SUBSCRIPTION $name");
	$subscriber->stop;
}

# ---- an online conversion ----

# The swap cannot wait for snapshots of a standby. One from before the filling reads
# NULL there, as docs/encryption.md says; from a table that is rewritten it reads nothing.
$node->safe_psql('postgres', q{
CREATE TABLE plain AS SELECT n AS id, 'plain ' || n AS v FROM generate_series(1, 3) AS n;
CREATE TABLE rewritten AS TABLE plain});
steward_set($standby, 'wal_receiver_status_interval' => '1s', 'hot_standby_feedback' => 'on');
ok($node->poll_query_until('postgres', 'SELECT bool_or(backend_xmin IS NOT NULL) FROM pg_stat_replication'), 'the standby says what it reads, so that nothing ends it');
$node->wait_for_catchup($standby);
my $old = steward_session($standby);
$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t');
$node->safe_psql('postgres', q{CALL steward.encrypt_column_online('plain', 'v', 'pii/plain.v')});
$node->safe_psql('postgres', q{SELECT steward.encrypt_column('rewritten', 'v', 'pii/plain.v')});
$node->wait_for_catchup($standby);
is($old->query('SELECT count(*), count(v) FROM plain'), '3|0', 'an older snapshot of a standby has nothing in the new column');
is($old->query('SELECT count(*) FROM rewritten'), '0', 'as it has nothing in a table that was rewritten');
$old->query('COMMIT');
is($old->query('SELECT string_agg(v::text, chr(44) ORDER BY id) FROM plain'), 'plain 1,plain 2,plain 3', 'the next one has all');
$old->quit;

# ---- promotion ----

$node->stop;
$standby->promote;
is($standby->safe_psql('postgres', q{INSERT INTO t VALUES (500, 'after promotion') RETURNING v::text}), 'after promotion', 'a promoted standby encrypts');
is($standby->safe_psql('postgres', q{SELECT steward.create_key('own'); SELECT steward.encrypt_text('y', 'own')::text}), "\ny", 'and makes keys');
$standby->stop;
done_testing();

# Logical replication brings ciphertext: to a subscriber with the publisher's keys,
# which reads it, and to one without, which stores it and cannot. First copy and
# changes, in text and in binary; the role that applies them needs the right to load.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $quiet = "log_statement = none\nlog_min_error_statement = panic\nwal_retrieve_retry_interval = '100ms'";
my $keyring = steward_keyring();
my $publisher = steward_node('publisher', keyring => $keyring, conf => $quiet, extension => 0, init => { allows_streaming => 'logical' });
my $keyed = steward_node('keyed', keyring => $keyring, conf => $quiet, extension => 0, init => { allows_streaming => 'logical' });
my $bare = steward_node('bare', keyring => undef, preload => 0, conf => $quiet, extension => 0, init => { allows_streaming => 'logical' });
my $directory = steward_directory('dumps');

$_->safe_psql('postgres', 'CREATE ROLE shop_owner LOGIN SUPERUSER; CREATE ROLE reader LOGIN') for $publisher, $keyed, $bare;
$publisher->safe_psql('postgres', 'CREATE DATABASE shop');
$publisher->safe_psql(
	'shop', q{
CREATE EXTENSION pg_steward;
SELECT steward.create_key('pii'), steward.grant_key('pii', 'reader', 'decrypt');
CREATE TABLE person (
    id integer PRIMARY KEY, t steward.encrypted_text('pii/t'), b steward.encrypted_bytea('pii/b'), j steward.encrypted_jsonb('pii/j'), i steward.encrypted_bigint('pii/i'),
    n steward.encrypted_numeric('pii/n'), d steward.encrypted_date('pii/d'), z steward.encrypted_timestamptz('pii/z'), a steward.encrypted_text('pii/a')[]);
CREATE UNIQUE INDEX person_t ON person (t steward.encrypted_unique_ops);
CREATE TABLE note (id integer, t steward.encrypted_text('pii/note'));
ALTER TABLE note REPLICA IDENTITY FULL;
ALTER TABLE person OWNER TO shop_owner;
ALTER TABLE note OWNER TO shop_owner;
GRANT SELECT ON person, note TO reader;
INSERT INTO person
SELECT g, 'CANARY-' || g, pg_catalog.decode(pg_catalog.lpad(g::text, 4, '0'), 'hex'), pg_catalog.jsonb_build_object('CANARY', g), g::bigint * 1000000007, g / 7.0, '2000-01-01'::date + g, '2000-01-01 00:00+00'::timestamptz + g * '1 hour'::interval, ARRAY['CANARY-a' || g, NULL, '']
  FROM pg_catalog.generate_series(1, 20) AS g;
INSERT INTO note SELECT g, 'CANARY-note-' || g FROM pg_catalog.generate_series(1, 5) AS g;
CREATE PUBLICATION everything FOR TABLE person, note;
CREATE PUBLICATION persons FOR TABLE person});

my $plain = q{SET timezone = 'UTC'; SELECT pg_catalog.string_agg(pg_catalog.concat_ws('|', id, t::text, b::text, j::text, i::text, n::text, d::text, z::text, a::text[]), E'\n' ORDER BY id) FROM person};
my $notes = q{SELECT pg_catalog.string_agg(id || t::text, ',' ORDER BY id) FROM note};
my $sealed = q{SELECT pg_catalog.string_agg(pg_catalog.format('%s %s %s %s %s %s %s %s %s', id, t, b, j, i, n, d, z, a), E'\n' ORDER BY id) FROM person};
my $fine = q{SELECT count(v.*) FROM pg_catalog.unnest('{t,b,j,i,n,d,z,a}'::text[]) AS c, LATERAL steward.verify_column('person', c) AS v};
my $connection = $publisher->connstr . ' dbname=shop';

system_or_bail('pg_dump', '-s', '--no-publications', '-f', "$directory/schema", $connection);
system_or_bail('pg_dump', '-a', '-n', 'steward', '-f', "$directory/keys", $connection);

# Each subscriber is a database with the schema, and with the keys or without.
sub subscriber
{
	my ($node, $database, $keys, $options, $owner) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	system_or_bail('psql', '-XqAt', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-f', $_, $node->connstr($database)) for "$directory/schema", ($keys ? "$directory/keys" : ());
	$node->safe_psql($database, "CREATE SUBSCRIPTION $database CONNECTION '$connection' PUBLICATION everything WITH (copy_data = true$options)", extra_params => [ '-U', $owner // 'postgres' ])
	  if defined $options;
	return;
}

# What changes while they are subscribed: every type, also what lies out of line.
sub change
{
	my ($round) = @_;

	$publisher->safe_psql(
		'shop', qq{
INSERT INTO person (id, t, j, n) VALUES (100 + $round, 'CANARY-new-$round', '{"CANARY": 1.00}', 1.10);
UPDATE person SET t = 'CANARY-changed-$round', a = ARRAY[pg_catalog.repeat('CANARY-long ', 4000)], n = NULL WHERE id = $round;
UPDATE person SET i = i::bigint + 1 WHERE id BETWEEN 3 AND 6;
DELETE FROM person WHERE id = 20 - $round;
UPDATE note SET t = 'CANARY-note-changed-$round' WHERE id = 2;
DELETE FROM note WHERE id = 6 - $round});
	return;
}

# ---- with keys ----

for my $mode ([ 'keyed_text', '' ], [ 'keyed_binary', ', binary = true' ])
{
	my ($database, $options) = @$mode;

	subscriber($keyed, $database, 1, $options);
	$keyed->wait_for_subscription_sync($publisher, $database, $database);
	is($keyed->safe_psql($database, $sealed), $publisher->safe_psql('shop', $sealed), "$database: the first copy brings the ciphertext as it is");
	change($database eq 'keyed_text' ? 1 : 2);
	$publisher->wait_for_catchup($database);
	is($keyed->safe_psql($database, $sealed), $publisher->safe_psql('shop', $sealed), "$database: so do changes");
	is($keyed->safe_psql($database, $plain), $publisher->safe_psql('shop', $plain), "$database: all values are read there");
	is($keyed->safe_psql($database, $notes), $publisher->safe_psql('shop', $notes), "$database: and changed rows were found by all their values");
	is($keyed->safe_psql($database, $fine), '0', "$database: every value is sound");
	is($keyed->safe_psql($database, "SELECT id FROM person WHERE t = 'CANARY-7'", extra_params => [ '-U', 'reader' ]), '7', "$database: a role with a right on the publisher has it there");
	is($keyed->safe_psql($database, q{SET enable_seqscan = off; SELECT id FROM person WHERE t = 'CANARY-8'::text}), '8', "$database: the unique index finds rows");
	like(steward_error($keyed, q{INSERT INTO person (id, t) VALUES (900, 'CANARY-8')}, database => $database), qr/duplicate key value violates unique constraint "person_t"/, "$database: and refuses what is there");
	$keyed->safe_psql($database, "DROP SUBSCRIPTION $database");
}

# ---- without keys ----

for my $mode ([ 'bare_text', '' ], [ 'bare_binary', ', binary = true' ])
{
	my ($database, $options) = @$mode;

	subscriber($bare, $database, 0, undef);
	# A unique index compares, for which there is no secret here.
	$bare->safe_psql($database, 'DROP INDEX person_t');
	$bare->safe_psql($database, "CREATE SUBSCRIPTION $database CONNECTION '$connection' PUBLICATION persons WITH (copy_data = true$options)");
	$bare->wait_for_subscription_sync($publisher, $database, $database);
	change($database eq 'bare_text' ? 3 : 4);
	$publisher->wait_for_catchup($database);
	is($bare->safe_psql($database, $sealed), $publisher->safe_psql('shop', $sealed), "$database: a host without keys stores the ciphertext, and its changes");
	like(steward_error($bare, 'SELECT t::text FROM person WHERE id = 7', database => $database), qr/^ERROR:  key \d+ does not exist in this database/, "$database: and cannot read it");
	is($bare->safe_psql($database, q{SELECT DISTINCT finding FROM steward.verify_column('person', 't')}), 'unknown key', "$database: which is what a check tells");
	$bare->safe_psql($database, "DROP SUBSCRIPTION $database");
	# The keys may come later.
	system_or_bail('psql', '-XqAt', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-f', "$directory/keys", $bare->connstr($database));
	like(steward_error($bare, 'SELECT t::text FROM person WHERE id = 7', database => $database), qr/^ERROR:  no root key is available/, "$database: with the keys it still lacks their root")
	  if $database eq 'bare_text';
}
steward_set($bare, 'steward.root_key_file' => $keyring);
is($bare->safe_psql('bare_text', 'SELECT t::text FROM person WHERE id = 7'), 'CANARY-7', 'with keys and root it reads what it stored');
$bare->stop;
is_deeply([ steward_tree_holds($bare->data_dir, 'CANARY') ], [], 'no plaintext came to the host without keys');

# ---- the right to load ----

# Tables and subscription belong to one role, so that it applies the changes on
# every version. It is a superuser only while it makes the subscription.
my $passwordless = $keyed->pg_version >= 16 ? ', password_required = false' : '';

subscriber($keyed, 'owned', 1, undef);
$keyed->safe_psql('owned', "CREATE SUBSCRIPTION owned CONNECTION '$connection' PUBLICATION persons WITH (enabled = false$passwordless)", extra_params => [ '-U', 'shop_owner' ]);
$keyed->safe_psql('owned', 'ALTER ROLE shop_owner NOSUPERUSER');

# Waits until the log tells of the error, from this place on.
sub refused
{
	my ($from) = @_;

	return steward_poll(sub { return slurp_file($keyed->logfile, $from) =~ /ERROR:  permission denied to load ciphertext/ });
}

my $mark = -s $keyed->logfile;
$keyed->safe_psql('owned', 'ALTER SUBSCRIPTION owned ENABLE');
ok(refused($mark), 'the first copy is refused to a role without the right to load');
is($keyed->safe_psql('owned', 'SELECT count(*) FROM person'), '0', 'and nothing came');
$keyed->safe_psql('owned', q{SELECT steward.grant_key('pii', 'shop_owner', 'load')});
$keyed->wait_for_subscription_sync($publisher, 'owned', 'owned');
is($keyed->safe_psql('owned', $plain), $publisher->safe_psql('shop', $plain), 'with it all values come');
like(steward_error($keyed, 'SELECT t::text FROM person', database => 'owned', user => 'shop_owner'), qr/^ERROR:  permission denied for key "pii\/t"/, 'and their owner may not read them');
$keyed->safe_psql('owned', q{SELECT steward.revoke_key('pii', 'shop_owner', 'load')});
$mark = -s $keyed->logfile;
change(5);
ok(refused($mark), 'a change is refused when the right was taken away');
$keyed->safe_psql('owned', q{SELECT steward.grant_key('pii', 'shop_owner', 'load')});
$publisher->wait_for_catchup('owned');
is($keyed->safe_psql('owned', $sealed), $publisher->safe_psql('shop', $sealed), 'and comes when it is given back');
$keyed->safe_psql('owned', 'ALTER ROLE shop_owner SUPERUSER; DROP SUBSCRIPTION owned');

# ---- a subscriber that has the index and not its secret ----

subscriber($keyed, 'indexed', 0, undef);
$mark = -s $keyed->logfile;
$keyed->safe_psql('indexed', "CREATE SUBSCRIPTION indexed CONNECTION '$connection' PUBLICATION persons");
ok(steward_poll(sub { return slurp_file($keyed->logfile, $mark) =~ /ERROR:  key \d+ does not exist in this database/ }), 'with a unique index and no keys nothing can be applied, and the log says why');
$keyed->safe_psql('indexed', 'DROP INDEX person_t');
$keyed->wait_for_subscription_sync($publisher, 'indexed', 'indexed');
is($keyed->safe_psql('indexed', $sealed), $publisher->safe_psql('shop', $sealed), 'without the index it can');
$keyed->safe_psql('indexed', 'DROP SUBSCRIPTION indexed');

unlike(slurp_file($_->logfile), qr/CANARY/, 'no plaintext is in the log of ' . $_->name) for $publisher, $keyed, $bare;
$keyed->stop;
$publisher->stop;
done_testing();

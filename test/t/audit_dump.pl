# The trail survives dump and restore, copies and promotion, and each of these
# begins an incarnation in which transaction ids may repeat.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $digest = 'SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY incarnation, xid, seq)) FROM steward.audit_trail AS t';

sub new_node
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 1);
	$node->start;
	return $node;
}

my $origin = new_node('origin');
$origin->safe_psql('postgres', 'CREATE DATABASE shop');
$origin->safe_psql('shop', <<'SQL');
CREATE EXTENSION pg_steward;
CREATE TABLE customer (id integer PRIMARY KEY, name text, born date, balance numeric, notes jsonb);
SELECT FROM steward.enable_audit('customer');
INSERT INTO customer SELECT i, 'customer ' || i, '2000-01-01'::date + i, i / 3.0, jsonb_build_object('n', i) FROM generate_series(1, 500) AS i;
UPDATE customer SET balance = balance * 2 WHERE id % 3 = 0;
ALTER TABLE customer DROP COLUMN born;
ALTER TABLE customer ADD COLUMN email text DEFAULT 'none';
UPDATE customer SET email = name || '@example.org' WHERE id % 5 = 0;
DELETE FROM customer WHERE id % 7 = 0;
INSERT INTO customer VALUES (100000, repeat('large ', 100000), 0, NULL, NULL);
SQL
my $expected = $origin->safe_psql('shop', $digest);
like($expected, qr/^8\d\d\|/, 'the original has records');

my $path = PostgreSQL::Test::Utils::tempdir();
$origin->command_ok([ 'pg_dump', '-d', $origin->connstr('shop'), '-f', "$path/plain.sql" ], 'plain dump');
$origin->command_ok([ 'pg_dump', '-d', $origin->connstr('shop'), '-Fc', '-f', "$path/custom" ], 'custom dump');

my $copy = new_node('copy');
$copy->safe_psql('postgres', 'CREATE DATABASE plain');
$copy->safe_psql('postgres', 'CREATE DATABASE custom');
$copy->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $copy->connstr('plain'), '-f', "$path/plain.sql" ],
	'plain restore without an error');
$copy->command_ok([ 'pg_restore', '--exit-on-error', '-j', '2', '-d', $copy->connstr('custom'), "$path/custom" ],
	'custom restore without an error');

for my $database ('plain', 'custom')
{
	is($copy->safe_psql($database, $digest), $expected, "$database: the trail is the same");
	is($copy->safe_psql($database, 'SELECT count(*) FROM customer'),
		$origin->safe_psql('shop', 'SELECT count(*) FROM customer'), "$database: restoring recorded nothing and lost nothing");
	is( $copy->safe_psql($database,
			"SELECT string_agg(concat(tgname, tgenabled), ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'customer'::regclass"),
		'00_steward_audit_rowA 00_steward_audit_truncateA', "$database: the triggers are back");
	my ($status, $out, $err) = $copy->psql($database, 'DELETE FROM steward.audit_log_1');
	like($err, qr/append-only/, "$database: so are the guards of the segment");

	# The copy goes on: a new incarnation of the same installation.
	$copy->safe_psql($database, 'UPDATE customer SET balance = 1 WHERE id = 1');
	$copy->safe_psql($database, 'INSERT INTO customer VALUES (600)');
	is( $copy->safe_psql($database,
			"SELECT incarnation, operation, key->'id' FROM steward.audit_trail WHERE incarnation = 2 ORDER BY xid"),
		"2|UPDATE|1\n2|INSERT|600", "$database: new changes belong to a new incarnation");
	is( $copy->safe_psql($database,
			'SELECT count(*), count(DISTINCT installation), count(DISTINCT system_identifier) FROM steward.audit_incarnation'),
		'2|1|2', "$database: of the same installation");
	is($copy->safe_psql($database, 'SELECT steward.enable_audit(\'customer\')'), '', "$database: enabling again changes nothing");
	is($copy->safe_psql($database, 'SELECT count(*) FROM steward.audit_segment'), '1', "$database: one segment");
	is( $copy->safe_psql($database,
			'SELECT (SELECT count(*) FROM steward.audit_record WHERE schema_version > 0) = (SELECT count(*) FROM steward.audit_trail)'),
		't', "$database: every record shows once");
}

# Records of another incarnation keep their own context under a repeated xid.
$copy->safe_psql('plain', <<'SQL');
BEGIN;
INSERT INTO customer VALUES (601);
INSERT INTO steward.audit_context SELECT xid, number, 1, recorded_at, pid, 'stranger', 'stranger', 'stranger', NULL, 'other life'
    FROM steward.audit_context WHERE xid = pg_current_xact_id();
COMMIT;
SQL
is( $copy->safe_psql('plain', "SELECT count(*), bool_or(effective_role = 'stranger') FROM steward.audit_trail WHERE key = '{\"id\": 601}'"),
	'1|f', 'contexts do not mix between incarnations');

# A dump of the copy, with its two incarnations.
my $before = $copy->safe_psql('custom', $digest);
$copy->command_ok([ 'pg_dump', '-d', $copy->connstr('custom'), '-Fc', '-f', "$path/second" ], 'dump of the copy');
$origin->safe_psql('postgres', 'CREATE DATABASE third');
$origin->command_ok([ 'pg_restore', '--exit-on-error', '-d', $origin->connstr('third'), "$path/second" ], 'its restore');
is($origin->safe_psql('third', $digest), $before, 'a dump of a dump keeps the trail');

# A database copied inside the cluster, and a promoted standby.
$origin->safe_psql('postgres', 'CREATE DATABASE cloned TEMPLATE shop');
$origin->safe_psql('cloned', 'DELETE FROM customer WHERE id = 1');
is($origin->safe_psql('cloned', 'SELECT max(incarnation) FROM steward.audit_trail'), '2', 'a copied database is an incarnation of its own');

$origin->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($origin, 'base', has_streaming => 1);
$standby->start;
$origin->safe_psql('shop', 'DELETE FROM customer WHERE id = 2');
$origin->wait_for_catchup($standby);
is($standby->safe_psql('shop', $digest), $origin->safe_psql('shop', $digest), 'a standby shows the trail');
$standby->promote;
$standby->poll_query_until('shop', 'SELECT NOT pg_is_in_recovery()');
$standby->safe_psql('shop', 'DELETE FROM customer WHERE id = 3');
is( $standby->safe_psql('shop',
		'SELECT incarnation, timeline FROM steward.audit_trail JOIN steward.audit_incarnation ON incarnation = id WHERE key = \'{"id": 3}\' AND operation = \'DELETE\''),
	'2|2', 'a promotion is a new incarnation on a new timeline');

# Dropping the extension takes the log along and leaves the tables.
$standby->safe_psql('shop', 'DROP EXTENSION pg_steward CASCADE');
is( $standby->safe_psql('shop',
		"SELECT (SELECT count(*) FROM customer) > 0, to_regclass('steward.audit_log_1') IS NULL, (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'customer'::regclass)"),
	't|t|0', 'dropping the extension leaves the tables');
$standby->safe_psql('shop', "CREATE EXTENSION pg_steward; SELECT steward.enable_audit('customer'); DELETE FROM customer WHERE id = 4");
is($standby->safe_psql('shop', 'SELECT count(*) FROM steward.audit_trail'), '2', 'a new extension begins a new log');

# A table that is dumped alone brings its triggers and no log.
$origin->command_ok([ 'pg_dump', '-d', $origin->connstr('shop'), '-t', 'customer', '-f', "$path/table.sql" ], 'dump of the table alone');
for my $way ('enable', 'disable')
{
	$copy->safe_psql('postgres', "CREATE DATABASE table_$way");
	$copy->safe_psql("table_$way", 'CREATE EXTENSION pg_steward');
	$copy->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $copy->connstr("table_$way"), '-f', "$path/table.sql" ], 'its restore');
	my ($out, $error);
	$copy->psql("table_$way", 'DELETE FROM customer WHERE id = 1', stderr => \$error, on_error_stop => 0);
	like($error, qr/has no segment.*\n.*call steward\.enable_audit\(\) for the table again/, 'it cannot be written to without a log');
	is($copy->psql("table_$way", "SELECT steward.${way}_audit('customer')", stderr => \$error, on_error_stop => 0) . $error, '0', "${way}_audit mends it");
	is($copy->psql("table_$way", 'DELETE FROM customer WHERE id = 1', stderr => \$error, on_error_stop => 0) . $error, '0', 'it can be written to');
	is($copy->safe_psql("table_$way", 'SELECT coalesce(string_agg(operation, chr(44) ORDER BY xid, seq), chr(45)) FROM steward.audit_trail'),
		$way eq 'enable' ? 'ENABLE,DELETE' : '-', 'what is recorded');
	is($copy->safe_psql("table_$way", 'SELECT count(*) FROM pg_trigger WHERE tgrelid = \'customer\'::regclass'), $way eq 'enable' ? 2 : 0, 'its triggers');
}

$_->stop for ($standby, $copy, $origin);
done_testing();

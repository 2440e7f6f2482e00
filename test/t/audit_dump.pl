# The trail survives dump and restore, copies and promotion, and each of these
# begins an incarnation in which transaction ids may repeat.
use strict;
use warnings;
use FindBin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $digest = 'SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY incarnation, xid, seq)) FROM steward.audit_trail AS t';

# Both streams of a command, in the order in which they came.
sub run_command_into
{
	my ($out, $command) = @_;
	$$out = '';
	IPC::Run::run($command, '>&', $out);
	$$out =~ s/^psql:[^ ]*:\d+: //gm;
	return;
}

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

-- What the server identifies by oids that a new cluster does not have.
CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE address AS (street text, number integer, moods mood[]);
CREATE TYPE person AS (name text, home address, valid daterange);
CREATE DOMAIN integers AS integer[];
CREATE TYPE floats AS RANGE (subtype = float8);
CREATE FUNCTION doubled(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1 * 2';
CREATE FUNCTION doubled(text) RETURNS text LANGUAGE sql AS 'SELECT $1 || $1';
CREATE FUNCTION plus_mood(integer, mood) RETURNS integer LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION doubled_twice(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1 * 4';
CREATE OPERATOR |#| (LEFTARG = integer, RIGHTARG = mood, FUNCTION = plus_mood);
CREATE TABLE kinds (id integer PRIMARY KEY, m mood, mm mood[], p person, pp person[], d integers, dd integers[], f floats, ff floats_multirange, h hstore,
    c regclass, t regtype, fn regproc, fp regprocedure, o regoper, op regoperator, n regnamespace, r regrole, cf regconfig, di regdictionary, co regcollation);
SELECT FROM steward.enable_audit('kinds');
INSERT INTO kinds VALUES (1, 'ok', '{{sad,NULL},{ok,ok}}', ROW('Ada', ROW('Main', 1, '{sad}'), '[2000-01-01,)'), ARRAY[ROW('Ben', NULL, 'empty')::person, NULL], '[0:1]={1,2}',
    '{"{1}","{}"}', '[0.1,0.30000000000000004)', '{[1,2),[3,Infinity)}', 'a=>1', 'customer', 'person[]', 'plus_mood', 'doubled(text)', '|#|', '|#|(integer,mood)', 'public', 'postgres', 'simple', 'simple', '"C"'),
    (2, NULL, '{}', ROW(NULL, NULL, NULL), '{}', '{}', '{}', 'empty', '{}', '', '-', 'mood', 'doubled_twice', 'doubled(integer)', '|#|', '|#|(integer,mood)', 'steward', 'postgres', 'english', 'english_stem', '"C"');
UPDATE kinds SET m = 'sad', pp[1].home = ROW('Side', 2, '{ok}') WHERE id = 1;
ALTER TYPE address RENAME ATTRIBUTE number TO "No.";
ALTER TYPE address ADD ATTRIBUTE town text;
UPDATE kinds SET p.home.town = 'Bath', mm[1][1] = 'ok' WHERE id = 1;
DELETE FROM kinds WHERE id = 2;
SQL
# Partitions, and commands with what they did
$origin->safe_psql('shop', <<'SQL');
CREATE TABLE orders (id integer, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE orders_eu PARTITION OF orders FOR VALUES IN ('eu');
SELECT steward.enable_audit('orders');
CREATE TABLE orders_us PARTITION OF orders FOR VALUES IN ('us');
INSERT INTO orders VALUES (1, 'eu'), (2, 'us');
UPDATE orders SET region = 'us' WHERE id = 1;
CREATE ROLE dump_clerk;
GRANT SELECT ON orders TO dump_clerk;
SQL
my $commands = "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY changed_at, xid, seq)) FROM steward.ddl_trail AS t WHERE incarnation = 1";
my $clerk = "SELECT command, identity, details->'grantees' FROM steward.ddl_trail WHERE details->'grantees' ? 'dump_clerk' AND incarnation = 1";
my $covered = "SELECT string_agg(concat_ws(' ', tgrelid::regclass, tgtype, tgenabled, tgparentid > 0), '; ' ORDER BY tgrelid::regclass::text, tgtype) FROM pg_trigger WHERE tgname LIKE '00_steward%' AND tgrelid::regclass::text LIKE 'orders%'";
my $expected_commands = $origin->safe_psql('shop', $commands);
my $expected_covered = $origin->safe_psql('shop', $covered);
is($expected_covered, join('; ', map { ("$_->[0] 29 A $_->[1]", "$_->[0] 32 A f") } [ 'orders', 'f' ], [ 'orders_eu', 't' ], [ 'orders_us', 't' ]),
	'every partition has both triggers');
is($origin->safe_psql('shop', $clerk), 'GRANT|public.orders|["dump_clerk"]', 'a grant is recorded');

my $expected = $origin->safe_psql('shop', $digest);
like($expected, qr/^8\d\d\|/, 'the original has records');

# The records as rows of today: what changed since shows as it is called now, or is gone.
my $images = <<'SQL';
SELECT string_agg(concat(l.op, i::text), chr(10) ORDER BY l.xid, l.seq)
FROM steward.audit_record AS l JOIN steward.audit_schema AS s ON s.id = l.schema_version,
    steward.audit_image(NULL::kinds, l.schema_version, l.op, l.payload, l.op = 'D') AS i
WHERE s.table_name = 'kinds' AND l.op IN ('I', 'U', 'D')
SQL
my $images_expected = $origin->safe_psql('shop', $images);
my $latest = <<'SQL';
SELECT bool_and(record_image_eq(ROW(i.p, i.mm), ROW(k.p, k.mm)))
FROM steward.audit_record AS l JOIN steward.audit_schema AS s ON s.id = l.schema_version, kinds AS k,
    steward.audit_image(NULL::kinds, l.schema_version, l.op, l.payload) AS i
WHERE s.table_name = 'kinds' AND l.op = 'U' AND i.mm IS NOT NULL
SQL
is($origin->safe_psql('shop', $latest), 't', 'the last change gives the row as it is');

my $path = PostgreSQL::Test::Utils::tempdir();
$origin->command_ok([ 'pg_dump', '-d', $origin->connstr('shop'), '-f', "$path/plain.sql" ], 'plain dump');
$origin->command_ok([ 'pg_dump', '-d', $origin->connstr('shop'), '-Fc', '-f', "$path/custom" ], 'custom dump');

my $copy = new_node('copy');
$copy->safe_psql('postgres', 'CREATE ROLE dump_clerk');
# Other oids than those of the origin; settings that must not matter.
$copy->safe_psql('postgres', 'CREATE TYPE padding_' . $_ . ' AS ENUM ()') for 1 .. 11;
$copy->safe_psql('postgres', 'CREATE DATABASE plain');
$copy->safe_psql('postgres', 'CREATE DATABASE custom');
$copy->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $copy->connstr('plain'), '-f', "$path/plain.sql" ],
	'plain restore without an error');
# Several processes may make the triggers of a partitioned table before its partitions have their rows: section by section.
$copy->command_ok([ 'pg_restore', '--exit-on-error', '-j', '2', "--section=$_", '-d', $copy->connstr('custom'), "$path/custom" ],
	"custom restore without an error: $_") for qw(pre-data data post-data);

for my $database ('plain', 'custom')
{
	is($copy->safe_psql($database, $digest), $expected, "$database: the trail is the same");
	is($copy->safe_psql($database, 'SELECT count(*) FROM customer'),
		$origin->safe_psql('shop', 'SELECT count(*) FROM customer'), "$database: restoring recorded nothing and lost nothing");
	is( $copy->safe_psql($database,
			"SELECT string_agg(concat(tgname, tgenabled), ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'customer'::regclass"),
		'00_steward_audit_rowA 00_steward_audit_truncateA', "$database: the triggers are back");
	cmp_ok($copy->safe_psql($database, "SELECT count(*) FROM pg_type WHERE typname IN ('mood', 'person', 'floats', 'integers') AND oid IN ("
			. $origin->safe_psql('shop', "SELECT string_agg(oid::text, ',') FROM pg_type WHERE typname IN ('mood', 'person', 'floats', 'integers')") . ')'),
		'<', 4, "$database: types have other oids");
	is($copy->safe_psql($database, $images), $images_expected, "$database: records give the same rows");
	is($copy->safe_psql($database, $latest), 't', "$database: of the types of this cluster");
	my ($status, $out, $err) = $copy->psql($database, 'DELETE FROM steward.audit_log_1');
	like($err, qr/append-only/, "$database: so are the guards of the segment");

	is($copy->safe_psql($database, $commands), $expected_commands, "$database: the commands of the original are there");
	is($copy->safe_psql($database, $covered), $expected_covered, "$database: the triggers of all partitions too");
	$copy->safe_psql($database, "CREATE TABLE orders_af PARTITION OF orders FOR VALUES IN ('af')");
	is($copy->safe_psql($database, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders_af'::regclass AND tgenabled = 'A'"), '2', "$database: a new partition is audited");
	is( $copy->safe_psql($database,
			"SELECT count(*) FROM steward.ddl_trail WHERE incarnation > 1 AND command ~ 'INDEX|TRIGGER|COMMENT'"),
		'0', "$database: the restore's own commands are not recorded");
	$copy->safe_psql($database, 'DROP TABLE orders_af');
	is( $copy->safe_psql($database,
			"SELECT event, command FROM steward.ddl_trail WHERE identity = 'public.orders_af' AND event = 'drop' AND incarnation > 1"),
		'drop|DROP TABLE', "$database: but those after it");

	# The copy goes on: a new incarnation of the same installation.
	$copy->safe_psql($database, 'UPDATE customer SET balance = 1 WHERE id = 1');
	$copy->safe_psql($database, 'INSERT INTO customer VALUES (600)');
	is( $copy->safe_psql($database,
			"SELECT incarnation, operation, key->'id' FROM steward.audit_trail WHERE incarnation = 2 AND relation = 'public.customer' ORDER BY xid"),
		"2|UPDATE|1\n2|INSERT|600", "$database: new changes belong to a new incarnation");
	is( $copy->safe_psql($database,
			'SELECT count(*), count(DISTINCT installation), count(DISTINCT system_identifier) FROM steward.audit_incarnation'),
		'2|1|2', "$database: of the same installation");
	my ($life, $notice);
	$copy->psql($database, q{SELECT operation FROM steward.history('customer', '{"id": 1}')}, stdout => \$life, stderr => \$notice);
	is($life, 'UPDATE', "$database: the history of a row begins anew");
	like($notice, qr/NOTICE: .*came with a restore/, "$database: and says so");
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
INSERT INTO steward.audit_context (xid, number, incarnation, recorded_at, pid, login_role, session_role, effective_role, application, segment)
    SELECT xid, number, 1, recorded_at, pid, 'stranger', 'stranger', 'stranger', 'other life', segment
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

# Random rows of every type, more of them: test/sql/audit_every_type.sql with other seeds.
my $tests = "$FindBin::RealBin/..";
for my $seed (1 .. ($ENV{STEWARD_SOAK} ? 100 : 1))
{
	$origin->safe_psql('postgres', "DROP DATABASE IF EXISTS seeded");
	$origin->safe_psql('postgres', 'CREATE DATABASE seeded');
	$origin->safe_psql('seeded', 'CREATE EXTENSION pg_steward');
	my ($out, $err);
	run_command_into(\$out, [ 'psql', '-Xaq', '-v', "seed=0.$seed", '-d', $origin->connstr('seeded'), '-f', "$tests/sql/audit_every_type.sql" ]);
	is($out, slurp_file("$tests/../expected/audit_every_type.out"), "random rows of every type, seed 0.$seed");
}

# And from a dump in a new cluster, where other oids are: records are the same, and read back
# as what the dump brought. (Types without input do not come through a dump; the text of a
# tsquery, by which it goes through one, does not keep its bytes.)
my $every = slurp_file("$tests/sql/audit_every_type.sql") =~ s/^DROP SCHEMA .*\n//mgr;
my $unlike = <<'SQL';
SET client_min_messages = error;
CREATE TEMPORARY TABLE image AS SELECT i.* FROM audited.recorded AS r, steward.audit_image(NULL::audited.source, r.schema_version, r.op, r.payload) AS i
	WHERE r.setting = 'default' AND r.op = 'I';
SELECT count(*) FROM image AS i JOIN audited.source AS s USING (id);
SELECT coalesce(string_agg(DISTINCT format_type(atttypid, NULL), ', '), 'none')
FROM pg_attribute AS a, LATERAL (SELECT query_to_xml(format('SELECT 1 FROM image AS i JOIN audited.source AS s USING (id)
	WHERE NOT record_image_eq(ROW(s.%1$I), ROW(i.%1$I)) LIMIT 1', attname), false, true, '')::text) AS q (differs)
WHERE attrelid = 'audited.source'::regclass AND attnum > 0 AND atttypid NOT IN ('tsquery'::regtype, 'tsquery[]'::regtype) AND differs <> '';
SQL
$origin->safe_psql('postgres', 'CREATE DATABASE every');
$origin->safe_psql('every', 'CREATE EXTENSION pg_steward');
$origin->psql('every', $every, on_error_stop => 0);
$origin->command_ok([ 'pg_dump', '-Fc', '--exclude-table-data=audited.odd', '-d', $origin->connstr('every'), '-f', "$path/every" ], 'a dump of every type');
$copy->safe_psql('postgres', 'CREATE DATABASE every');
$copy->command_ok([ 'pg_restore', '--exit-on-error', '-d', $copy->connstr('every'), "$path/every" ], 'its restore');
is($copy->safe_psql('every', $digest), $origin->safe_psql('every', $digest), 'every type: the trail is the same');
is($copy->safe_psql('every', $unlike), "40\nnone", 'every type: recorded values are those that were restored');

$_->stop for ($standby, $copy, $origin);
done_testing();

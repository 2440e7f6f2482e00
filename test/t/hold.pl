# Legal holds through the life of a database: dump and restore in every format, a crash, a
# standby, a transaction prepared for two-phase commit, and life without preloading.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $node = steward_node('main', conf => "max_prepared_transactions = 2\nrestart_after_crash = on", init => { allows_streaming => 1 });
my $directory = steward_directory('dumps');

$node->safe_psql('postgres', q{
CREATE ROLE officer LOGIN;
GRANT EXECUTE ON FUNCTION steward.place_hold(regclass, text, text), steward.release_hold TO officer;
CREATE DATABASE shop});
$node->safe_psql('shop', q{
CREATE EXTENSION pg_steward;
GRANT EXECUTE ON FUNCTION steward.place_hold(regclass, text, text), steward.release_hold TO officer;
CREATE SCHEMA "Odd one";
CREATE TABLE "Odd one"."Some table" (id int PRIMARY KEY, "When" timestamptz, kind text);
CREATE FUNCTION "Odd one".of_case(text) RETURNS bool IMMUTABLE LANGUAGE sql AS $$SELECT $1 = 'case'$$;
INSERT INTO "Odd one"."Some table" SELECT n, '2001-01-01', CASE WHEN n <= 10 THEN 'case' ELSE 'other' END FROM generate_series(1, 1000) AS n;
CREATE TABLE visit (id int, at date) PARTITION BY RANGE (id);
CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM (0) TO (100);
INSERT INTO visit SELECT n, '2001-01-01' FROM generate_series(0, 99) AS n;
CREATE TABLE empty (id int);
CREATE TABLE doomed (id int);
SET TimeZone = 'Asia/Kathmandu';
SELECT steward.place_hold('"Odd one"."Some table"', '"Odd one".of_case(kind) OR "When" > ''2030-01-01 00:00''', 'Case "1", it''s');
SELECT steward.place_hold('visit', 'id = 7', 'case 2'), steward.place_hold('empty', NULL, 'case 3');
SELECT steward.release_hold(steward.place_hold('visit', NULL, 'case 4'), 'settled');
SELECT steward.place_hold('doomed', NULL, 'case 5');
SET steward.override_hold = on;
DROP TABLE doomed;
SELECT steward.create_policy('things', '"Odd one"."Some table"', 'When', '1 year')});

# ---- dump and restore ----

my $holds = q{SELECT * FROM steward.hold WHERE relation::text <> ALL (ARRAY(SELECT oid::text FROM steward.hold, LATERAL (SELECT relation::oid) AS o (oid))) ORDER BY id};

my $want = $node->safe_psql('shop', $holds);
is(scalar(split /\n/, $want), 4, 'there are holds to dump');

for my $kind ('plain', 'custom', 'directory')
{
	my $file = "$directory/$kind";
	my ($out, $err) = ('', '');
	my @restore = $kind eq 'plain' ? ('psql', '-XqAt', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-f', $file)
	  : ('pg_restore', '--exit-on-error', '-j', $kind eq 'directory' ? 3 : 1);

	$node->command_ok([ 'pg_dump', "-F$kind", '-f', $file, $node->connstr('shop') ], "dump $kind");
	$node->safe_psql('postgres', "CREATE DATABASE $kind");
	ok(IPC::Run::run([ @restore, '-d', $node->connstr($kind), $kind eq 'plain' ? () : $file ], '>', \$out, '2>', \$err), "restore $kind");
	is($err, '', 'and nothing is said');
	is($node->safe_psql($kind, $holds), $want, 'holds are restored, with those that were released');
	is($node->safe_psql($kind, 'SELECT count(*) FROM steward.active_hold WHERE problem IS NOT NULL'), '0', 'none is broken');
	like(steward_error($node, 'TRUNCATE visit', database => $kind), qr/^ERROR:  cannot truncate table "visit_1": hold \d+ keeps its rows/, 'they refuse');
	is($node->safe_psql($kind, q{CALL steward.run_policy('things'); SELECT count(*) FROM "Odd one"."Some table"}), "990\n10", 'and policies keep to them');
	is($node->safe_psql($kind, q{SELECT steward.place_hold('visit', NULL, 'later') > max(id) FROM (SELECT id FROM steward.hold) AS h}), 't', 'their numbers go on');
}

# pg_restore --jobs loads policies in any order, that of their tables reversed too.
my @entries = grep { /TABLE DATA steward policy_/ } split /^/m, `pg_restore -l $directory/directory`;
cmp_ok(scalar(@entries), '>', 3, 'policies have tables');
append_to_file("$directory/list", join '', reverse @entries);
$node->safe_psql('postgres', 'CREATE DATABASE reversed');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('reversed'), @$_, "$directory/directory" ], "restored in another order: @$_")
  for ['--section=pre-data'], [ '-L', "$directory/list" ];
is($node->safe_psql('reversed', q{SELECT (SELECT count(*) FROM steward.policy_definition) || ' ' || (SELECT count(*) FROM steward.policy_state)}), '1 1', 'with all that there was');
is($node->safe_psql('reversed', q{SELECT steward.drop_policy('things'); SELECT count(*) FROM steward.policy_state}), "\n0", 'and what belongs to a policy goes with it');

# ---- a crash, and a session that dies ----

my $session = steward_session($node, 'shop');
$session->query_safe(q{BEGIN; SELECT steward.place_hold('visit', 'id = 8', 'open')});
my $pid = $session->query_safe('SELECT pg_backend_pid()');
$node->safe_psql('shop', q{SELECT steward.place_hold('visit', 'id = 9', 'committed')});
steward_kill($node, $pid);
eval { $session->quit };
is($node->safe_psql('shop', q{SELECT string_agg(ground, ',' ORDER BY id) FROM steward.active_hold WHERE relation = 'visit'::regclass}), 'case 2,committed', 'a crash keeps the holds that were committed');
is($node->safe_psql('shop', q{CALL steward.run_policy('things')}), '990', 'and leaves nothing that a policy waits for');

# ---- two-phase commit: the hold binds from before PREPARE on ----

$node->safe_psql('shop', q{
INSERT INTO "Odd one"."Some table" VALUES (5000, '2001-01-01', 'prepared');
BEGIN;
SELECT steward.place_hold('"Odd one"."Some table"', 'id = 5000', 'prepared');
PREPARE TRANSACTION 'hold'});
like(steward_error($node, q{CALL steward.run_policy('things')}, database => 'shop'), qr/^ERROR:  canceling statement due to lock timeout/, 'a policy does not pass a hold that is prepared');
$node->restart;
like(steward_error($node, q{SET lock_timeout = '50ms'; DROP TABLE visit}, database => 'shop'), qr/^ERROR:  canceling statement due to lock timeout/, 'nor does DROP, also after a restart');
$node->safe_psql('shop', q{COMMIT PREPARED 'hold'});
is($node->safe_psql('shop', q{CALL steward.run_policy('things'); SELECT count(*) FROM "Odd one"."Some table" WHERE id = 5000}), "0\n1", 'committed, it keeps its row');

# ---- a standby ----

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is($standby->safe_psql('shop', q{SELECT count(*) > 3, count(problem) FROM steward.active_hold WHERE relation <> 0 AND ground <> 'case 5'}), 't|0', 'a standby shows holds');
like(steward_error($standby, q{SELECT steward.place_hold('visit', NULL, 'case')}, database => 'shop'), qr/^ERROR:  cannot execute steward\.place_hold\(\) in a read-only transaction/, 'and places none');
like(steward_error($standby, 'TRUNCATE visit', database => 'shop'), qr/^ERROR:  cannot execute TRUNCATE TABLE in a read-only transaction/, 'PostgreSQL itself refuses the rest');
$standby->promote;
like(steward_error($standby, 'TRUNCATE visit', database => 'shop'), qr/^ERROR:  cannot truncate table "visit_1": hold/, 'promoted, it keeps to them');
$standby->stop;
$node->stop;

# ---- without preloading ----

my $bare = steward_node('bare', preload => 0);
$bare->safe_psql('postgres', q{
CREATE TABLE item (id int, at date, who text) PARTITION BY LIST (id);
CREATE TABLE leaf PARTITION OF item FOR VALUES IN (1, 2);
INSERT INTO item VALUES (1, '2001-01-01'), (2, '2001-01-01');
SELECT steward.create_policy('items', 'item', 'at', '1 year')});
like(steward_error($bare, q{SELECT steward.place_hold('item', 'id = 1 OR who = ''x''', 'case')}), qr/^WARNING:  the hold does not keep sessions that have not loaded pg_steward from TRUNCATE/, 'who places a hold is told what is missing');
for my $refused ('DROP TABLE item', 'DROP TABLE leaf', 'ALTER TABLE item DETACH PARTITION leaf', 'ALTER TABLE item RENAME id TO number', 'ALTER TABLE item DROP at, DROP who', 'DROP SCHEMA public CASCADE')
{
	like(steward_error($bare, $refused), qr/ERROR:  cannot .* hold 1 keeps its rows/, "refused in a session that has loaded nothing: $refused");
}
is($bare->safe_psql('postgres', q{CALL steward.run_policy('items'); SELECT id FROM item}), "1\n1", 'policies keep to it');

done_testing();

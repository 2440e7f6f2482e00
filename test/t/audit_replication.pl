# Changes that logical replication applies are recorded too, with their origin;
# and a first enabling that is rolled back, or raced, leaves one whole log.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use IPC::Run;

my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->start;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init(allows_streaming => 'logical');
$subscriber->append_conf('postgresql.conf', 'max_prepared_transactions = 10');
$subscriber->start;

# Rolled back: no segment, no trigger, no memory of either.
$subscriber->safe_psql('postgres', 'CREATE EXTENSION pg_steward');
is( $subscriber->safe_psql('postgres', <<'SQL'),
CREATE TABLE first (id integer PRIMARY KEY);
BEGIN;
SELECT FROM steward.enable_audit('first');
INSERT INTO first VALUES (1);
ROLLBACK;
INSERT INTO first VALUES (2);
SELECT FROM steward.enable_audit('first');
INSERT INTO first VALUES (3);
SELECT string_agg(operation || coalesce(key->>'id', ''), ' ' ORDER BY xid, seq) FROM steward.audit_trail;
SQL
	'ENABLE INSERT3', 'a first enabling that is rolled back leaves nothing');

# Raced: the second waits for the first and finds its segment.
$subscriber->safe_psql('postgres', 'CREATE DATABASE raced');
$subscriber->safe_psql('raced', 'CREATE EXTENSION pg_steward; CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (id integer PRIMARY KEY)');
my @racers;
my @outputs;
foreach my $table ('a', 'b')
{
	my ($out, $err) = ('', '');
	push @outputs, \$err;
	push @racers,
	  IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $subscriber->connstr('raced'),
			'-c', "BEGIN; SELECT steward.enable_audit('$table'); SELECT pg_sleep(1); INSERT INTO $table VALUES (1); COMMIT" ],
		'<', '/dev/null', '>', \$out, '2>', \$err);
}
$_->finish for @racers;
is(join('', map { $$_ } @outputs), '', 'two first enablings at once both succeed');
is( $subscriber->safe_psql('raced',
		"SELECT (SELECT count(*) FROM steward.audit_segment), (SELECT count(*) FROM steward.audit_incarnation), (SELECT count(*) FROM steward.audit_trail WHERE operation = 'INSERT')"),
	'1|1|2', 'and share one segment and one incarnation');

# Replicated: insert, update, delete and truncate.
my $ddl = 'CREATE TABLE replicated (id integer PRIMARY KEY, v text)';
$publisher->safe_psql('postgres', $ddl);
$publisher->safe_psql('postgres', "INSERT INTO replicated VALUES (1, 'copied'); CREATE PUBLICATION p FOR TABLE replicated");
$subscriber->safe_psql('postgres', $ddl);
$subscriber->safe_psql('postgres', "SELECT steward.enable_audit('replicated')");
my $connection = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '$connection' PUBLICATION p");
$subscriber->wait_for_subscription_sync($publisher, 's');
$publisher->safe_psql('postgres', <<'SQL');
INSERT INTO replicated VALUES (2, repeat('large', 5000));
UPDATE replicated SET v = 'changed' WHERE id = 1;
DELETE FROM replicated WHERE id = 2;
TRUNCATE replicated;
INSERT INTO replicated VALUES (3, 'last');
SQL
$publisher->wait_for_catchup('s');
is( $subscriber->safe_psql('postgres',
		"SELECT string_agg(operation || coalesce(key->>'id', ''), ' ' ORDER BY written_at, xid, seq) FROM steward.audit_trail WHERE relation = 'public.replicated'"),
	'ENABLE INSERT1 INSERT2 UPDATE1 DELETE2 TRUNCATE INSERT3',
	'what replication applies is recorded');
is( $subscriber->safe_psql('postgres',
		"SELECT bool_and(replication_origin LIKE 'pg\\_%'), bool_and(login_role = current_user) FROM steward.audit_trail WHERE relation = 'public.replicated' AND operation <> 'ENABLE'"),
	't|t', 'with its origin and its role');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION s');

# An update of the log itself that arrives by replication is refused.
$publisher->safe_psql('postgres', <<'SQL');
CREATE SCHEMA steward;
CREATE TABLE steward.audit_segment (number integer PRIMARY KEY, name text NOT NULL, opened_at timestamptz NOT NULL);
INSERT INTO steward.audit_segment VALUES (1, 'forged', now());
CREATE PUBLICATION forged FOR TABLE steward.audit_segment;
SQL
my $mark = -s $subscriber->logfile;
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION forged CONNECTION '$connection' PUBLICATION forged WITH (copy_data = false)");
$subscriber->wait_for_subscription_sync($publisher, 'forged');
$publisher->safe_psql('postgres', "UPDATE steward.audit_segment SET name = 'elsewhere'");
my $refused = 0;
for (1 .. 300)
{
	$refused = slurp_file($subscriber->logfile, $mark) =~ /audit table "audit_segment" is append-only/;
	last if $refused;
	select(undef, undef, undef, 0.1);
}
ok($refused, 'replication cannot change the log');
is($subscriber->safe_psql('postgres', 'SELECT name FROM steward.audit_segment'), 'audit_log_1', 'which is as it was');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION forged DISABLE');
$subscriber->stop;
$publisher->stop;
done_testing();

# A run of a policy meets a standby, a promotion, ALTER EXTENSION UPDATE and pg_upgrade: a standby does
# nothing by itself, nobody waits long, and the run goes on where the database goes on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;
use Time::HiRes qw(time sleep);

my $rows = 20_000;
my $keyring = steward_keyring();
my $retention = q{FROM pg_stat_activity WHERE application_name = 'pg_steward: retention'};
my $primary = steward_node('primary', keyring => $keyring,
	init => { allows_streaming => 1, extra => [ '--locale=C', '--encoding=UTF8' ] }, conf => "steward.max_workers = 4");

$primary->safe_psql('postgres', qq{
CREATE TABLE visit (id int, at timestamptz);
INSERT INTO visit SELECT n, '2001-01-01' FROM generate_series(1, $rows) AS n;
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_catalog.pg_sleep(0.001); RETURN OLD; END \$\$;
CREATE TRIGGER slow BEFORE DELETE ON visit FOR EACH ROW EXECUTE FUNCTION slow()});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sub in_the_middle
{
	my ($node, $what) = @_;

	ok($node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM steward.policy_progress WHERE batches >= 2 AND pid IS NOT NULL'), "$what: a run is under way");
	return;
}

sub counts
{
	my ($node, $what) = @_;

	is($node->safe_psql('postgres', 'SELECT (SELECT sum(rows) FROM steward.policy_run) + (SELECT count(*) FROM visit)'), $rows, "$what: what is gone was counted");
	return;
}

# ---- ALTER EXTENSION UPDATE ----

$primary->safe_psql('postgres', q{SELECT steward.create_policy('visits', 'visit', 'at', '1 year', schedule => '1 second')});
in_the_middle($primary, 'primary');
my $begin = time;
is(steward_error($primary, 'SET client_min_messages = error; ALTER EXTENSION pg_steward UPDATE'), '', 'ALTER EXTENSION UPDATE');
cmp_ok(time - $begin, '<', 5, 'does not wait for the end of the run');
in_the_middle($primary, 'after it');

# ---- a standby ----

$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT count(*) > 0 FROM steward.policy_progress'), 't', 'a standby shows the run');
sleep 2;
is($standby->safe_psql('postgres', "SELECT count(*) $retention"), '0', 'and does nothing itself');
like(steward_error($standby, q{CALL steward.run_policy('visits')}), qr/cannot execute .* in a read-only transaction|during recovery/, 'nor when it is called');
in_the_middle($primary, 'before the promotion');
$primary->wait_for_catchup($standby);
$primary->stop('immediate');
$standby->promote;
ok($standby->poll_query_until('postgres', "SELECT count(*) > 0 $retention"), 'once it is promoted the standby goes on');
in_the_middle($standby, 'promoted');
counts($standby, 'promoted');
is($standby->safe_psql('postgres', q{SELECT string_agg(state, ' ' ORDER BY id) FROM steward.policy_run}), 'interrupted running', 'the run of the primary is recorded as what it was');

# ---- pg_upgrade, to the same version: test/t/upgrade.pl tells of others ----

$standby->stop('fast');
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
$new->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_steward'\nsteward.root_key_file = '$keyring'\nsteward.max_workers = 4");
my $bindir = $new->config_data('--bindir');
# pg_upgrade leaves its output where it is called.
chdir steward_directory('upgrade') or die "cannot change the directory: $!";
command_ok([ 'pg_upgrade', '--no-sync', '-d', $standby->data_dir, '-D', $new->data_dir, '-b', $bindir, '-B', $bindir, '-s', $new->host, '-p', $standby->port, '-P', $new->port ],
	'pg_upgrade, from a server that was stopped in the middle of a run');
$new->start;
in_the_middle($new, 'upgraded');
counts($new, 'upgraded');
$new->safe_psql('postgres', 'DROP TRIGGER slow ON visit');
ok($new->poll_query_until('postgres', 'SELECT count(*) = 0 FROM visit'), 'and comes to its end');
ok($new->poll_query_until('postgres', q{SELECT count(*) > 0 FROM steward.policy_run WHERE state = 'complete'}), 'which is recorded');
counts($new, 'in the end');
$new->stop;
done_testing();

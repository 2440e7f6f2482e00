# Many databases with policies, few workers, and some databases whose backlog never ends: each
# gets its turn, and none gets all of them.
#
# STEWARD_SOAK=1 takes 500 databases, else 16.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;
use Time::HiRes qw(time);

my $databases = ($ENV{STEWARD_SOAK} // '') eq '1' ? 500 : 16;
my @busy = map { "busy_$_" } 1 .. 3;    # more than may do lengthy work at a time
my @small = map { "small_$_" } 1 .. $databases - @busy;
my $node = steward_node('retention_fairness', extension => 0, conf => <<'CONF');
steward.max_workers = 4
max_worker_processes = 16
log_statement = none
CONF

sub ask
{
	my ($sql, $database) = @_;

	return $node->safe_psql($database // 'postgres', $sql);
}

# The policies are paused in the templates, so that all databases begin together.
sub template
{
	my ($name, $rows, $more) = @_;

	ask("CREATE DATABASE $name");
	ask(qq{CREATE EXTENSION pg_steward;
		CREATE TABLE visit (id int, at timestamptz);
		INSERT INTO visit SELECT n, '2001-01-01' FROM generate_series(1, $rows) AS n;
		SELECT steward.create_policy('visits', 'visit', 'at', '1 year', schedule => '1 hour');
		SELECT steward.pause_policy('visits');
		UPDATE steward.policy_state SET next_run = now() - interval '1 minute'; $more}, $name);
	return;
}
template('small', 50, '');
template('busy', 1_000_000, q{
	CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.001); RETURN OLD; END $$;
	CREATE TRIGGER slow BEFORE DELETE ON visit FOR EACH ROW EXECUTE FUNCTION slow()});
steward_set($node, 'steward.max_workers' => 0);
ask("CREATE DATABASE $_ TEMPLATE busy STRATEGY file_copy") for @busy;
ask("CREATE DATABASE $_ TEMPLATE small STRATEGY file_copy") for @small;
ask("SELECT steward.resume_policy('visits')", $_) for @busy, @small;
steward_set($node, 'steward.max_workers' => 4);

# The busy ones first: they have the workers when the others come.
my $most = 0;
my $begin = time;
my %waiting = map { ($_ => 1) } @small;
my @order;
while (%waiting && time - $begin < 4 * $databases + 120)
{
	my $working = ask(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_steward: retention'});

	$most = $working if $working > $most;
	for my $database ((sort keys %waiting)[0 .. 19])
	{
		next if !defined $database || ask(q{SELECT count(*) FROM steward.policy_run WHERE state = 'complete'}, $database) eq '0';
		delete $waiting{$database};
		push @order, $database;
	}
}
is(join(' ', sort keys %waiting), '', 'every database had its policy run');
note sprintf('%d databases in %.0f s', scalar @order, time - $begin);
cmp_ok($most, '<=', 2, 'half of the workers, no more, do lengthy work');
for my $database (@busy)
{
	ok($node->poll_query_until($database, q{SELECT batches >= 2 AND state IN ('running', 'waiting') FROM steward.policy_run}), "$database comes on, too, in one run");
}
is(ask(q{SELECT count(*) FROM visit}, $small[0]), '0', 'and what had expired is gone');
$node->stop('fast');
done_testing();

# Writers wake a worker once for each run of a duty, not with each commit: else a
# context switch on both sides would be the dearest part of a small transaction.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $commits = 1000;
my $node = steward_node('sleep', conf => "steward.seal_interval = '20s'\nautovacuum = off");

# How often a process gave up its processor of its own accord.
sub sleeps
{
	my ($pid) = @_;

	slurp_file("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m or die "process $pid is gone";
	return $1;
}

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE counter (id integer PRIMARY KEY, n integer);
INSERT INTO counter VALUES (1, 0);
SELECT FROM steward.enable_audit('counter');
SQL
my $worker = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_steward worker'};
# The one for lengthy duties looks whether there are any, and leaves; what the other does when it comes is done.
sleep 3;
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM ($worker) AS w") or die 'no worker came, or two stay';
my $pid = $node->safe_psql('postgres', $worker);

my $session = steward_session($node);
my $before = sleeps($pid);
$session->query_safe('UPDATE counter SET n = n + 1') for 1 .. $commits;
my $slept = sleeps($pid) - $before;
cmp_ok($slept, '<', $commits / 10, "$commits commits woke the worker $slept times");
is($node->safe_psql('postgres', $worker), $pid, 'it is the same one');
$session->quit;

# It did hear of them.
$node->append_conf('postgresql.conf', "steward.seal_interval = '100ms'");
$node->reload;
$node->poll_query_until('postgres', 'SELECT (SELECT sum(leaves) FROM steward.ledger_block) >= (SELECT count(*) FROM steward.audit_record)')
  or die 'nothing was sealed';
is($node->safe_psql('postgres', 'SELECT count(*) FROM steward.audit_record WHERE op = $$U$$'), $commits, 'each is recorded');
$node->stop;
done_testing();

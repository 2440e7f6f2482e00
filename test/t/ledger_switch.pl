# New segments beside the sealer, without a pause. PostgreSQL lets a process overlook a
# partition that is attached while it reads which ones there are, until the table is
# changed again: the sealer must not leave the records of such a segment out. Here that
# may happen by itself; test/specs/ledger_switch_unseen.spec makes it happen.
# STEWARD_SOAK=1 makes three thousand segments, else a hundred, and STEWARD_SWITCHES as
# many as it says.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $soak = ($ENV{STEWARD_SOAK} // '') eq '1';
my $switches = $ENV{STEWARD_SWITCHES} || ($soak ? 3000 : 100);

my $node = PostgreSQL::Test::Cluster->new('switch');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_steward'\nautovacuum = off\nlog_statement = none\nfsync = off\nsteward.seal_interval = 2\nmax_locks_per_transaction = 1024\nsteward.root_key_file = '" . steward_keyring() . "'");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_steward;
SELECT steward.create_ledger_key('test.example/switch');
CREATE TABLE visit (id integer PRIMARY KEY);
SELECT steward.enable_audit('visit');
SQL

my $id = 0;
my ($pruned, $failed) = (0, '');
while ($id < $switches && $failed eq '')
{
	my $script = "SET client_min_messages = warning;\n";

	$script .= "CALL steward.switch_segment();\nINSERT INTO visit VALUES (" . ++$id . ");\n" for 1 .. 50;
	$node->safe_psql('postgres', $script);
	$node->safe_psql('postgres', 'SELECT steward.seal_ledger()');
	$failed = $node->safe_psql('postgres', "SELECT string_agg(finding || ' ' || detail, ' ') FROM steward.verify_ledger()");
	# What is pruned is recomputed, too, and the log stays small.
	$pruned += $node->safe_psql('postgres', 'SELECT steward.prune_audit(clock_timestamp())') if $failed eq '';
}
is($failed, '', "the ledger verifies after $id new segments");
cmp_ok($pruned, '>=', $id - 50, 'segments were pruned');
is($node->safe_psql('postgres', 'SELECT count(*) > 50 FROM steward.ledger_block'), 't', 'and sealed by the worker');
$node->stop;

done_testing();

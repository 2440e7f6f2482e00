# The ledger after recovery to points in time, chosen at random while others write and
# the worker seals: what is there verifies, that a life ended is said, and checkpoints
# tell what was lost.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $points = $ENV{STEWARD_SOAK} ? 60 : 3;

my $node = steward_node('written',
	init => { has_archiving => 1, allows_streaming => 1 },
	conf => "steward.seal_interval = '50ms'\nmax_prepared_transactions = 20\n");
my $kept = steward_directory('kept');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE account (id integer PRIMARY KEY, v text);
INSERT INTO account SELECT i, '' FROM generate_series(1, 500) AS i;
SELECT steward.enable_audit('account');
SELECT steward.create_ledger_key('test.example/pitr');
SQL
$node->backup('base');

# ---- written, with checkpoints handed out on the way ----

my $script = "$kept/writer.sql";
append_to_file($script, <<'SQL');
\set id random(1, 500)
\set kind random(1, 10)
BEGIN;
UPDATE account SET v = md5(v || :client_id) WHERE id = :id;
SAVEPOINT a;
UPDATE account SET v = md5(v) WHERE id = :id;
\if :kind <= 3
ROLLBACK TO SAVEPOINT a;
\endif
\if :kind = 5
PREPARE TRANSACTION 'writer :client_id';
SELECT pg_sleep(0.02);
COMMIT PREPARED 'writer :client_id';
\else
COMMIT;
\endif
SQL
my ($out, $err) = ('', '');
my $writers = IPC::Run::start(
	[ 'pgbench', '-n', '-f', $script, '-c', 4, '-j', 2, '-T', 600, '--max-tries=1', '-h', $node->host, '-p', $node->port, 'postgres' ],
	'>', \$out, '2>', \$err);
$node->poll_query_until('postgres', 'SELECT count(*) > 2 FROM steward.ledger_block') or die 'nothing is sealed';
my (@lsns, @checkpoints);

sub sealed_leaves
{
	return $_[0]->safe_psql('postgres', 'SELECT max(first_leaf + leaves) FROM steward.ledger_block WHERE incarnation = 1');
}

for (0 .. $points)
{
	select(undef, undef, undef, 0.1 + rand(0.5));
	push @checkpoints, $node->safe_psql('postgres', 'SELECT steward.ledger_checkpoint()');
	# A point is somewhere in what comes next, in a transaction or a block or between.
	push @lsns, $node->safe_psql('postgres', sprintf("SELECT pg_current_wal_insert_lsn() + %d", rand(20000)));
	my $size = (split /\n/, $checkpoints[-1])[1];
	$node->poll_query_until('postgres', "SELECT max(first_leaf + leaves) > $size FROM steward.ledger_block") or die 'nothing more is sealed';
}
$writers->kill_kill;
my $end = $node->safe_psql('postgres', 'SELECT pg_switch_wal()');
$node->poll_query_until('postgres', "SELECT last_archived_wal >= pg_walfile_name('$end') FROM pg_stat_archiver") or die 'nothing is archived';
push @checkpoints, $node->safe_psql('postgres', 'SELECT steward.ledger_checkpoint()');
$node->stop;

# ---- recovered ----

sub findings
{
	my ($where, $checkpoint) = @_;
	my $argument = defined $checkpoint ? "checkpoint => '$checkpoint'" : '';

	return $where->safe_psql('postgres', "SELECT finding, incarnation FROM steward.verify_ledger($argument)");
}

# Which checkpoints the log here continues, of the recovered life, and whether verification says so of each.
sub checkpoints_are_told
{
	my ($where, $rest, $what) = @_;
	my $here = sealed_leaves($where);
	my (@wrong, %told);

	for my $checkpoint (@checkpoints)
	{
		my $lost = (split /\n/, $checkpoint)[1] > $here;
		my $expected = join "\n", grep { $_ ne '' } $rest, $lost ? 'checkpoint inconsistent|1' : '';
		my $found = findings($where, $checkpoint);

		$told{ $lost ? 'lost' : 'kept' }++;
		push @wrong, "$here leaves here: $checkpoint: $found" if $found ne $expected;
	}
	is("@wrong", '', "$what: each checkpoint is told");
	return \%told;
}

for my $point (0 .. $points - 1)
{
	my $what = "recovered to $lsns[$point]";
	my $recovered = PostgreSQL::Test::Cluster->new("recovered_$point");

	$recovered->init_from_backup($node, 'base', has_restoring => 1, standby => 0);
	$recovered->append_conf('postgresql.conf', "recovery_target_lsn = '$lsns[$point]'\nrecovery_target_action = 'promote'\narchive_mode = off\nsteward.seal_interval = 0");
	$recovered->start;
	$recovered->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'no recovery';
	is(findings($recovered), 'fork|1', "$what: a fork, and nothing else");
	my $told = checkpoints_are_told($recovered, 'fork|1', $what);
	cmp_ok($told->{kept} // 0, '>', $point, "$what: those of before go on");
	cmp_ok($told->{lost} // 0, '>', 0, "$what: later ones show what was lost");

	# What was prepared is finished in the new life, and belongs to the old one; it holds
	# locks until then.
	$recovered->safe_psql('postgres', "INSERT INTO account VALUES (501, '')");
	$recovered->safe_psql('postgres', 'SELECT steward.seal_ledger()');
	is(findings($recovered), 'fork|1', "$what: goes on as another life");
	my $prepared = $recovered->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');
	if ($prepared ne '')
	{
		like(steward_error($recovered, "SELECT steward.acknowledge_fork(1, 'x')"), qr/prepared transactions/, "$what: what was prepared is finished first");
		$recovered->safe_psql('postgres', "COMMIT PREPARED '$_'") for split /\n/, $prepared;
	}
	$recovered->safe_psql('postgres', "SELECT steward.acknowledge_fork(1, 'a test')");
	$recovered->safe_psql('postgres', 'SELECT steward.seal_ledger()');
	is(findings($recovered), '', "$what: explained");
	checkpoints_are_told($recovered, '', "$what, explained");
	is(findings($recovered, $recovered->safe_psql('postgres', 'SELECT steward.ledger_checkpoint()')), '', "$what: the new life's checkpoint");
	$recovered->stop('immediate');
	$recovered->clean_node;
}

done_testing();

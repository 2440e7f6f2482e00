# The ledger under writers that do not wait for it: sealed in the background, through
# crashes, handed out, verified here and by programs that have no database.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $seconds = $ENV{STEWARD_SOAK} ? 120 : 4;
my $crashes = $ENV{STEWARD_SOAK} ? 100 : 4;
my $proofs  = $ENV{STEWARD_SOAK} ? 300 : 8;
my $second = "$FindBin::RealBin/../vectors/ledger.py";

my $kept = steward_directory('kept');
# A page is edited on disk, which checksums would tell before the ledger does.
my $node = steward_node('ledger', init => { no_data_checksums => 1 }, conf => <<CONF);
max_prepared_transactions = 20
restart_after_crash = on
steward.seal_interval = '200ms'
steward.checkpoint_command = 'cp "%p" "$kept/new" && mv "$kept/new" "$kept/checkpoint"'
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE account (id integer PRIMARY KEY, v text);
INSERT INTO account SELECT i, '' FROM generate_series(1, 500) AS i;
SELECT steward.enable_audit('account');
SELECT steward.create_ledger_key('test.example/ledger');
SQL

# Transactions as they come: short, with savepoints kept and not, rolled back, prepared.
my $script = "$kept/writer.sql";
append_to_file($script, <<'SQL');
\set id random(1, 500)
\set kind random(1, 10)
BEGIN;
UPDATE account SET v = md5(v || :client_id) WHERE id = :id;
SAVEPOINT a;
UPDATE account SET v = md5(v) WHERE id % 100 = :id % 100;
\if :kind <= 3
ROLLBACK TO SAVEPOINT a;
SAVEPOINT b;
UPDATE account SET v = md5(v || 'again') WHERE id = :id;
RELEASE SAVEPOINT b;
\endif
\if :kind = 4
ROLLBACK;
\elif :kind = 5
PREPARE TRANSACTION 'writer :client_id';
SELECT pg_sleep(0.01);
COMMIT PREPARED 'writer :client_id';
\elif :kind = 6
PREPARE TRANSACTION 'writer :client_id';
ROLLBACK PREPARED 'writer :client_id';
\else
COMMIT;
\endif
SQL

# Rows in the order of leaves are taken without deadlocks by one statement only; what
# deadlocks is rolled back, which is as good a transaction as others.
sub write_for
{
	my ($time) = @_;
	my ($out, $err) = ('', '');

	return IPC::Run::start(
		[ 'pgbench', '-n', '-f', $script, '-c', 4, '-j', 2, '-T', $time, '--max-tries=1', '-h', $node->host, '-p', $node->port, 'postgres' ],
		'>', \$out, '2>', \$err);
}

# Everything that was committed is sealed, and nothing is left to do.
my $unsealed = <<'SQL';
SELECT count(*) FROM steward.audit_log AS l WHERE NOT EXISTS (SELECT FROM steward.ledger_block AS b
    WHERE b.incarnation = l.incarnation AND pg_visible_in_snapshot(l.xid, b.snapshot))
SQL
sub await_sealed
{
	return $node->poll_query_until('postgres', $unsealed, '0');
}

# The number of leaves is that of records, and each block has those that its snapshots say.
my $exact = <<'SQL';
WITH block AS (
    SELECT incarnation, number, leaves - (number = 1)::integer AS records, snapshot,
           lag(snapshot, 1, '1:1:') OVER (PARTITION BY incarnation ORDER BY number) AS before
      FROM steward.ledger_block),
found AS (
    SELECT b.incarnation, b.number, sum(l.records) AS records
      FROM block AS b JOIN steward.audit_log AS l ON l.incarnation = b.incarnation
       AND l.xid >= pg_snapshot_xmin(b.before) AND l.xid < pg_snapshot_xmax(b.snapshot)
       AND pg_visible_in_snapshot(l.xid, b.snapshot) AND NOT pg_visible_in_snapshot(l.xid, b.before)
     GROUP BY 1, 2)
SELECT (SELECT count(*) FROM block AS b FULL JOIN found AS f USING (incarnation, number) WHERE b.records IS DISTINCT FROM f.records),
       (SELECT sum(records) FROM block) = (SELECT count(*) FROM steward.audit_record)
SQL

sub findings
{
	my ($arguments) = @_;

	return $node->safe_psql('postgres', "SELECT finding, incarnation, block, detail FROM steward.verify_ledger($arguments)");
}

sub quoted { return "'" . ($_[0] =~ s/'/''/gr) . "'"; }

# ---- written beside the sealer ----

my $writers = write_for($seconds);
$node->poll_query_until('postgres', 'SELECT count(*) > 3 FROM steward.ledger_block') or die 'nothing is sealed';
my $early = $node->safe_psql('postgres', 'SELECT steward.ledger_checkpoint()');
$writers->finish;
ok(await_sealed(), 'everything is sealed in the background');
is($node->safe_psql('postgres', $exact), '0|t', 'blocks hold exactly what was committed, each record once');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM steward.audit_record'), '>', 1000, 'of many records');
is(findings(''), '', 'verification finds nothing');
my $late = $node->safe_psql('postgres', 'SELECT steward.ledger_checkpoint()');
ok( steward_poll(sub { -e "$kept/checkpoint" && slurp_file("$kept/checkpoint") eq "$late\n" }),
	'the command was given the newest checkpoint');
is(findings('checkpoint => ' . quoted($early)), '', 'the log goes on from an early checkpoint');
is(findings('checkpoint => ' . quoted($late)), '', 'and from the newest');

# ---- verified elsewhere ----

my $key = $node->safe_psql('postgres', 'SELECT steward.ledger_verifier_key()');

sub file
{
	my ($name, $content) = @_;

	open my $handle, '>', "$kept/$name" or die "$name: $!";
	# Results of SQL lack the newline that psql adds.
	print $handle $content =~ s/\n?\z/\n/r;
	close $handle;
	return "$kept/$name";
}

# Both programs say yes; and no to what is altered.
sub verified
{
	my ($what, @arguments) = @_;
	my @results = map { scalar run_log([ @$_, $arguments[0], '--key', $key, @arguments[ 1 .. $#arguments ] ]) }
	  [ 'pg_steward_verify' ], [ 'python3', $second ];

	is("@results", '1 1', "pg_steward_verify and a second program: $what");
	return;
}

sub refused
{
	my ($what, @arguments) = @_;
	my @results = map { run_log([ @$_, $arguments[0], '--key', $key, @arguments[ 1 .. $#arguments ] ]) ? 1 : 0 }
	  [ 'pg_steward_verify' ], [ 'python3', $second ];

	is("@results", '0 0', "pg_steward_verify and a second program refuse $what");
	return;
}

verified('the checkpoint', 'checkpoint', file('late', $late));
refused('an altered checkpoint', 'checkpoint', file('bad', $late =~ s/\n(\d+)\n/"\n" . ($1 + 1) . "\n"/re));
my $size = (split /\n/, $early)[1];
my $consistency = $node->safe_psql('postgres', "SELECT steward.prove_consistency($size)");
verified('the late checkpoint continues the early one', 'consistency', '--old', file('early', $early), '--proof', file('consistency', $consistency));
my @records = map { [ split /\|/ ] } split /\n/,
  $node->safe_psql('postgres', "SELECT incarnation, xid, seq FROM steward.audit_record ORDER BY random() LIMIT $proofs");
my $proof;
for my $record (@records)
{
	$proof = $node->safe_psql('postgres', "SELECT steward.prove($record->[0], '$record->[1]', $record->[2])");
	verified("record $record->[2] of transaction $record->[1]", 'inclusion', '--proof', file('proof', $proof));
}
refused('a proof of another place', 'inclusion', '--proof', file('bad', $proof =~ s/\nindex (\d+)\n/"\nindex " . ($1 ^ 1) . "\n"/re));
$node->safe_psql('postgres', "\\copy (SELECT line FROM steward.export_ledger() ORDER BY leaf) TO '$kept/export'");
verified('the whole log', 'export', '--checkpoint', "$kept/late", "$kept/export");
my @lines = split /^/, slurp_file("$kept/export");
@lines[ 5, 6 ] = @lines[ 6, 5 ];
refused('an export with two records swapped', 'export', '--checkpoint', "$kept/late", file('bad', join '', @lines));

# ---- crashes ----

for my $round (1 .. $crashes)
{
	$writers = write_for(5);
	select(undef, undef, undef, 0.3 + rand(0.7));
	my $victim = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type ~ 'pg_steward' AND datname = 'postgres' LIMIT 1");
	if ($round % 2 && $victim && kill 0, $victim)
	{
		steward_kill($node, $victim);
		$writers->finish;
	}
	else
	{
		$node->stop('immediate');
		$writers->finish;
		$node->start;
	}
	$node->safe_psql('postgres', $_) for split /\n/, $node->safe_psql('postgres', "SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts");
	$node->safe_psql('postgres', 'UPDATE account SET v = md5(v) WHERE id = 1');
	await_sealed() or die 'nothing is sealed after a crash';
	is(findings('checkpoint => ' . quoted(slurp_file("$kept/checkpoint"))), '', "after crash $round the log goes on from what was handed out before");
}
is($node->safe_psql('postgres', $exact), '0|t', 'after crashes blocks hold exactly what was committed');

# ---- the command ----

steward_set($node, 'steward.checkpoint_command' => 'sleep 60', 'steward.checkpoint_timeout' => '200ms');
my $offset = -s $node->logfile;
$node->safe_psql('postgres', 'UPDATE account SET v = md5(v) WHERE id = 1');
ok($node->wait_for_log(qr/steward\.checkpoint_command did not finish in time/, $offset), 'a command that hangs is ended');
ok(await_sealed(), 'sealing goes on meanwhile');
$offset = -s $node->logfile;
steward_set($node, 'steward.checkpoint_command' => 'false', 'steward.checkpoint_timeout' => '60s');
$node->safe_psql('postgres', 'UPDATE account SET v = md5(v) WHERE id = 1');
ok($node->wait_for_log(qr/steward\.checkpoint_command failed/, $offset), 'a command that fails is logged');
steward_set($node, 'steward.checkpoint_command' => qq(cp "%p" "$kept/after"));
await_sealed();
my $after = $node->safe_psql('postgres', 'SELECT steward.ledger_checkpoint()');
ok(steward_poll(sub { -e "$kept/after" && slurp_file("$kept/after") eq "$after\n" }), 'and run again, with the newest checkpoint');

# A session that seals by hand has its checkpoint handed out as well.
steward_set($node, 'steward.seal_interval' => '0');
$node->safe_psql('postgres', 'UPDATE account SET v = md5(v) WHERE id = 1');
cmp_ok($node->safe_psql('postgres', 'SELECT steward.seal_ledger()'), '>', 0, 'sealed by hand');
$after = $node->safe_psql('postgres', 'SELECT steward.ledger_checkpoint()');
ok(steward_poll(sub { slurp_file("$kept/after") eq "$after\n" }), 'what is sealed by hand is handed out');
steward_set($node, 'steward.seal_interval' => '200ms');

# ---- listeners hear of each block ----

my $session = $node->background_psql('postgres');
$session->query_safe('LISTEN steward_ledger');
$node->safe_psql('postgres', 'UPDATE account SET v = md5(v) WHERE id = 1');
await_sealed();
like($session->query('SELECT 1'), qr/Asynchronous notification "steward_ledger" with payload "1 \d+ \d+"/, 'the sealer notifies');
$session->quit;

# ---- without the root key ----

my $conf = $node->data_dir . '/postgresql.conf';
my $keyring = (slurp_file($conf) =~ /^steward\.root_key_file = '(.*)'/m)[0];
rename $keyring, "$keyring.away" or die $!;
$node->restart;
$offset = -s $node->logfile;
$node->safe_psql('postgres', 'UPDATE account SET v = md5(v) WHERE id = 1');
ok(await_sealed(), 'without the root key blocks are sealed');
ok($node->wait_for_log(qr/the checkpoint of the ledger was not signed/, $offset), 'and it is logged that they are not signed');
is(findings('checkpoint => ' . quoted($after)), '', 'verification needs no root key');
rename "$keyring.away", $keyring or die $!;
$node->restart;

# ---- a page of the log, edited on disk ----

my $path = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('steward.audit_log_1')");
my $batch = pack 'H*', $node->safe_psql('postgres', "SELECT encode(batch, 'hex') FROM steward.audit_log_1 ORDER BY xid DESC OFFSET 20 LIMIT 1");
$node->safe_psql('postgres', 'CHECKPOINT');
$node->stop;
my $place = index(slurp_file($path), $batch);
cmp_ok($place, '>', 0, 'a batch is found on disk');
$place += int(length($batch) / 2);
open my $handle, '+<:raw', $path or die $!;
seek $handle, $place, 0;
read $handle, my $byte, 1;
seek $handle, $place, 0;
print $handle chr(ord($byte) ^ 0x01);
close $handle;
$node->start;
like(findings(''), qr/^(altered|context altered|schema altered|missing|inserted|reordered)\|1\|\d+\|/m, 'an edited page is found, with its block');
$node->stop;

done_testing();

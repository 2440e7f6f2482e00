# The ledger and the lives of a database: an older backup, recovery to a point in
# time, promotion, dump and restore, and pruning.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $kept = steward_directory('kept');
my $node = steward_node('lives',
	init => { has_archiving => 1, allows_streaming => 1 },
	conf => "steward.seal_interval = 0\nmax_prepared_transactions = 5\n");
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE account (id integer PRIMARY KEY, v integer);
SELECT steward.enable_audit('account');
SELECT steward.create_ledger_key('test.example/lives');
SQL

# Changes n rows in a transaction, and seals unless told not to.
sub change
{
	my ($where, $n, %options) = @_;
	my $database = $options{database} // 'postgres';

	$where->safe_psql($database, "INSERT INTO account SELECT i, 0 FROM generate_series(1, $n) AS i ON CONFLICT (id) DO UPDATE SET v = account.v + 1");
	return if $options{unsealed};
	$where->safe_psql($database, 'SELECT steward.seal_ledger()');
	return;
}

sub checkpoint { return $_[0]->safe_psql($_[1] // 'postgres', 'SELECT steward.ledger_checkpoint()'); }

sub findings
{
	my ($where, $checkpoint, $database) = @_;
	my $argument = defined $checkpoint ? "checkpoint => '$checkpoint'" : '';

	return $where->safe_psql($database // 'postgres', "SELECT finding, incarnation, regexp_replace(detail, '[0-9]+', '#', 'g') FROM steward.verify_ledger($argument)");
}

my $taken_back = qr/^checkpoint inconsistent\|1\|The checkpoint has # leaves, the log here fewer/m;

change($node, 300);
is(findings($node, checkpoint($node)), '', 'the first life verifies');

# ---- an older copy of the data directory: the same life, an older state ----

$node->stop;
my $copy = steward_directory('copy') . '/data';
PostgreSQL::Test::RecursiveCopy::copypath($node->data_dir, $copy);
$node->start;
change($node, 400);
my $newer = checkpoint($node);
is(findings($node, $newer), '', 'history goes on');
$node->stop;
rename $node->data_dir, "$copy.newer" or die $!;
PostgreSQL::Test::RecursiveCopy::copypath($copy, $node->data_dir);
chmod 0700, $node->data_dir;
$node->start;
is(findings($node), '', 'the older state fits by itself');
like(findings($node, $newer), $taken_back, 'but not the checkpoint that was handed out');
change($node, 450);
like(findings($node, $newer), qr/^checkpoint inconsistent\|1\|/m, 'nor when another history has overtaken it');
$node->stop;
rename $node->data_dir, "$copy.older" or die $!;
rename "$copy.newer", $node->data_dir or die $!;
$node->start;
is(findings($node, $newer), '', 'the true state does');

# ---- recovery to a point in time ----

$node->backup('base');
my $point = $node->safe_psql('postgres', "SELECT pg_create_restore_point('before')");
change($node, 100);
my $lost = checkpoint($node);
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');

my $recovered = PostgreSQL::Test::Cluster->new('recovered');
$recovered->init_from_backup($node, 'base', has_restoring => 1, standby => 0);
$recovered->append_conf('postgresql.conf', "recovery_target_name = 'before'\nrecovery_target_action = 'promote'\narchive_mode = off");
$recovered->start;
$recovered->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'no recovery';
like(findings($recovered), qr/^fork\|1\|The database of this incarnation was left: nothing was recorded in this one yet/,
	'a recovery is a fork, even before anything was written');
change($recovered, 200);
is(findings($recovered), 'fork|1|The database of this incarnation was recovered to a point in time, or a standby was promoted; it left # records unsealed. Explain it with steward.acknowledge_fork().',
	'it is explained');
like(findings($recovered, $lost), $taken_back, 'what was lost shows by a checkpoint of before');
is($recovered->safe_psql('postgres', 'SELECT DISTINCT incarnation FROM steward.ledger_block ORDER BY 1'), "1\n2", 'it has a log of its own');
like($recovered->safe_psql('postgres', "SELECT convert_from(parent, 'UTF8') FROM steward.ledger_opening WHERE incarnation = 2"),
	qr{^test\.example/lives/1\n\d+\n}, 'which begins with the checkpoint of its parent');
like(checkpoint($recovered), qr{^test\.example/lives/2\n}, 'and has a name of its own');
# As docs/ledger.md says it: an outsider finds the old log's checkpoint in the export of the new one.
my $second_life = write_file('second_life', $recovered->safe_psql('postgres', 'SELECT line FROM steward.export_ledger() ORDER BY leaf') . "\n");
my $parent = steward_directory('parent') . '/checkpoint';
system_or_bail('bash', '-c', "head -n 1 '$second_life' | base64 -d | tail -c +42 > '$parent'");
command_like([ 'pg_steward_verify', 'checkpoint', '--key', $recovered->safe_psql('postgres', 'SELECT steward.ledger_verifier_key(1)'), $parent ],
	qr{^ok: .*\nlog test\.example/lives/1, }, 'the new log names the checkpoint that it goes on from');
$recovered->safe_psql('postgres', "SELECT steward.acknowledge_fork(1, 'a test')");
is(findings($recovered), '', 'an acknowledged fork is not reported');
is($recovered->safe_psql('postgres', "SELECT reason, acknowledged_by, unsealed FROM steward.ledger_fork"), 'a test|postgres|0', 'who and why is kept');
like(steward_error($recovered, "SELECT steward.acknowledge_fork(1, 'again')"), qr/it was acknowledged before/, 'once');
like(steward_error($recovered, "SELECT steward.acknowledge_fork(2, 'x')"), qr/it is the present one/, 'of lives that ended');
change($recovered, 10);
is($recovered->safe_psql('postgres', "SELECT count(*) FROM steward.audit_record WHERE op = 'L' AND steward.audit_event(payload)->>'action' = 'acknowledge fork'"), 1, 'in the log too');
# The old life's part is still guarded.
is($recovered->safe_psql('postgres', <<'SQL'), 'missing|1', 'records of the old life are still verified');
BEGIN;
ALTER TABLE steward.audit_log_1 DISABLE TRIGGER ALL;
DELETE FROM steward.audit_log_1 WHERE incarnation = 1 AND xid = (SELECT xid FROM steward.audit_log_1 WHERE incarnation = 1 ORDER BY xid, first_seq OFFSET 3 LIMIT 1);
SELECT DISTINCT finding, incarnation FROM steward.verify_ledger() WHERE finding <> 'trigger disabled';
ROLLBACK;
SQL
$recovered->stop;

# ---- promotion ----

change($node, 20, unsealed => 1);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is(findings($standby, $lost), '', 'a standby verifies');
is(checkpoint($standby), $lost, 'and gives the checkpoint');
like(steward_error($standby, 'SELECT steward.seal_ledger()'), qr/cannot execute steward\.seal_ledger\(\) (in a read-only transaction|during recovery)/, 'it does not seal');
$node->stop;
$standby->promote;
change($standby, 30);
is(findings($standby), 'fork|1|The database of this incarnation was recovered to a point in time, or a standby was promoted; it left # records unsealed. Explain it with steward.acknowledge_fork().',
	'a promotion is a fork');
$standby->safe_psql('postgres', "SELECT steward.acknowledge_fork(1, 'switched over')");
is($standby->safe_psql('postgres', 'SELECT unsealed FROM steward.ledger_fork'), 20, 'the acknowledgment counts what was left unsealed');
is(findings($standby, $lost), '', 'nothing was lost, and all is explained');
is($standby->safe_psql('postgres', <<'SQL'), 'missing', 'what was left unsealed cannot be removed afterwards');
BEGIN;
ALTER TABLE steward.audit_log_1 DISABLE TRIGGER ALL;
DELETE FROM steward.audit_log_1 WHERE incarnation = 1 AND xid = (SELECT max(xid) FROM (SELECT xid FROM steward.audit_log_1 WHERE incarnation = 1 ORDER BY xid DESC LIMIT 1) AS x);
SELECT DISTINCT finding FROM steward.verify_ledger() WHERE finding <> 'trigger disabled';
ROLLBACK;
SQL

is($standby->safe_psql('postgres', <<'SQL'), "fork", 'nor when the acknowledgment is altered with it');
BEGIN;
ALTER TABLE steward.audit_log_1 DISABLE TRIGGER ALL;
ALTER TABLE steward.ledger_fork DISABLE TRIGGER ALL;
DELETE FROM steward.audit_log_1 WHERE incarnation = 1 AND xid >= (SELECT pg_snapshot_xmax(snapshot) FROM steward.ledger_block WHERE incarnation = 1 ORDER BY number DESC LIMIT 1);
UPDATE steward.ledger_fork SET unsealed = 0, unsealed_root = sha256('');
SELECT DISTINCT finding FROM steward.verify_ledger() WHERE finding <> 'trigger disabled';
ROLLBACK;
SQL
is($standby->safe_psql('postgres', <<'SQL'), "fork", 'and a row alone acknowledges nothing');
BEGIN;
ALTER TABLE steward.ledger_fork DISABLE TRIGGER ALL;
CREATE TEMP TABLE given AS SELECT * FROM steward.ledger_fork;
DELETE FROM steward.ledger_fork;
INSERT INTO steward.ledger_fork SELECT incarnation, 'another', unsealed, unsealed_root, acknowledged_by, acknowledged_at, recorded_in, xid FROM given;
SELECT DISTINCT finding FROM steward.verify_ledger() WHERE finding <> 'trigger disabled';
ROLLBACK;
SQL

# ---- dump and restore ----

my $other = steward_node('other', extension => 0, conf => "steward.seal_interval = 0\nsteward.root_key_file = '"
	. (slurp_file($standby->data_dir . '/postgresql.conf') =~ /steward\.root_key_file = '(.*?)'/)[0] . "'\n");
$standby->command_ok([ 'pg_dump', '-f', "$kept/dump.sql", 'postgres' ], 'dumped');
$other->safe_psql('postgres', 'CREATE DATABASE restored');
$other->command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-f', "$kept/dump.sql", 'restored' ], 'restored');
my $last = checkpoint($standby);
# Whether the commands of the restore were recorded is no matter of the ledger.
like( findings($other, undef, 'restored'),
	qr/\Afork\|2\|The database of this incarnation was (left: nothing was recorded in this one yet|restored or upgraded into another cluster); it left # records unsealed[^\n]*\z/,
	'a restored log verifies, and a restore is a fork');
change($other, 5, database => 'restored');
is( findings($other, $last, 'restored'),
	'fork|2|The database of this incarnation was restored or upgraded into another cluster; it left # records unsealed. Explain it with steward.acknowledge_fork().',
	'with the checkpoints of the old cluster');
$other->safe_psql('restored', "SELECT steward.acknowledge_fork(2, 'moved')");
change($other, 5, database => 'restored');
is(findings($other, $last, 'restored'), '', 'explained');
like(checkpoint($other, 'restored'), qr{^test\.example/lives/3\n}, 'the log of the new cluster has a name of its own');
$other->stop;

# ---- pruning ----

# A long transaction writes to the old segment and commits after others, so that some
# of its records lie among those that stay.
my $long = $standby->background_psql('postgres');
$long->query_safe('SET steward.audit_buffer_size = 0');
$long->query_safe('BEGIN');
$long->query_safe('INSERT INTO account SELECT i, 0 FROM generate_series(10001, 10050) AS i');
change($standby, 290);
$long->query_safe("PREPARE TRANSACTION 'long'");
$long->quit;
$standby->safe_psql('postgres', "CALL steward.switch_segment(patience => '1s')");
change($standby, 280);
$standby->safe_psql('postgres', "COMMIT PREPARED 'long'");
change($standby, 270);
$standby->safe_psql('postgres', "CALL steward.switch_segment(patience => '10s')");
change($standby, 260);
my $middle = checkpoint($standby);
change($standby, 250, unsealed => 1);
$standby->safe_psql('postgres', "CALL steward.switch_segment(patience => '10s')");
is(findings($standby, $middle), '', 'segments follow one another');
like(steward_error($standby, 'SELECT steward.prune_audit(now())'), qr/records of incarnation 1 that are not sealed/,
	'what a life that ended left unsealed is not pruned');
$standby->stop;

# The same without an ended life.
$node->start;
$long = $node->background_psql('postgres');
$long->query_safe('SET steward.audit_buffer_size = 0');
$long->query_safe('BEGIN');
$long->query_safe('INSERT INTO account SELECT i, 0 FROM generate_series(10001, 10050) AS i');
change($node, 290);
$long->query_safe("PREPARE TRANSACTION 'long'");
$long->quit;
$node->safe_psql('postgres', "CALL steward.switch_segment(patience => '1s')");
change($node, 280);
$node->safe_psql('postgres', "COMMIT PREPARED 'long'");
change($node, 270);
$node->safe_psql('postgres', "CALL steward.switch_segment(patience => '10s')");
change($node, 260);
$middle = checkpoint($node);
my $record = $node->safe_psql('postgres', "SELECT incarnation || ', ''' || xid || ''', ' || seq FROM steward.audit_record WHERE segment = 2 ORDER BY xid DESC, seq DESC LIMIT 1");
change($node, 250);
is($node->safe_psql('postgres', 'SELECT steward.prune_audit((SELECT last_written_at FROM steward.audit_segment_closed WHERE number = 1))'), 0, 'nothing is pruned that was written later');
is($node->safe_psql('postgres', "SELECT steward.prune_audit((SELECT last_written_at + interval '1 us' FROM steward.audit_segment_closed WHERE number = 1))"), 1, 'a segment is pruned');
is($node->safe_psql('postgres', 'SELECT min(segment) FROM steward.audit_log'), 2, 'its records are gone');
is($node->safe_psql('postgres', 'SELECT min(segment) FROM steward.audit_context'), 2, 'and the contexts of them alone');
is($node->safe_psql('postgres', q{SELECT count(*) FROM steward.audit_record AS r LEFT JOIN steward.audit_context AS c
	ON c.xid = r.context_xid AND c.number = r.context AND c.incarnation = r.incarnation WHERE c.segment IS DISTINCT FROM r.segment}), 0, 'what is left has its contexts');
is(findings($node, $middle), '', 'what is left verifies, with checkpoints of before');
is(findings($node, $lost), '', 'also with old ones');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM steward.ledger_pruned_leaf'), '>=', 50, 'the pruned records of the long transaction are kept as hashes');
change($node, 240);
is(findings($node, $middle), '', 'sealing goes on');
my $key = $node->safe_psql('postgres', 'SELECT steward.ledger_verifier_key()');

sub write_file
{
	my ($name, $content) = @_;

	open my $handle, '>', "$kept/$name" or die $!;
	# Results of SQL lack the newline that psql adds.
	print $handle $content =~ s/\n?\z/\n/r;
	close $handle;
	return "$kept/$name";
}

sub export_verifies
{
	my ($what) = @_;
	my $certificate = write_file('certificate', $node->safe_psql('postgres', 'SELECT steward.prune_certificate()'));
	my $checkpoint = write_file('checkpoint', checkpoint($node));
	my $rest = write_file('rest', $node->safe_psql('postgres', 'SELECT line FROM steward.export_ledger() ORDER BY leaf') . "\n");

	for my $program ([ 'pg_steward_verify' ], [ 'python3', "$FindBin::RealBin/../vectors/ledger.py" ])
	{
		command_ok([ @$program, 'prune', '--key', $key, $certificate ], "$what: the certificate verifies by $program->[-1]");
		command_ok([ @$program, 'export', '--key', $key, '--checkpoint', $checkpoint, '--prune', $certificate, $rest ], "$what: what is left verifies by $program->[-1]");
	}
	return;
}

export_verifies('after a prune');
command_ok([ 'pg_steward_verify', 'inclusion', '--key', $key, '--proof', write_file('proof', $node->safe_psql('postgres', "SELECT steward.prove($record)")) ],
	'a record that is left is proved');
command_ok([ 'pg_steward_verify', 'consistency', '--key', $key, '--old', write_file('middle', $middle), '--proof',
		write_file('consistency', $node->safe_psql('postgres', 'SELECT steward.prove_consistency(' . (split /\n/, $middle)[1] . ')')) ],
	'consistency is proved across the prune');
$node->safe_psql('postgres', "CALL steward.switch_segment(patience => '10s')");
like(steward_error($node, 'SELECT steward.prune_audit(clock_timestamp())'), qr/records of incarnation 1 that are not sealed/, 'what is not sealed is not pruned');
$node->safe_psql('postgres', 'SELECT steward.seal_ledger()');
cmp_ok($node->safe_psql('postgres', 'SELECT steward.prune_audit(clock_timestamp())'), '>=', 2, 'all closed segments are pruned');
change($node, 230);
is(findings($node, $middle), '', 'the rest verifies');
export_verifies('after another');
is($node->safe_psql('postgres', "SELECT count(*) FROM steward.audit_record WHERE op = 'L' AND steward.audit_event(payload)->>'action' = 'prune audit'"), 1, 'the last prune is in the log; the one before was pruned');
# Of a size among the pruned leaves there is no proof, which is no damage.
like(steward_error($node, 'SELECT steward.prove_consistency(1)'), qr/no proof can be made of 1 leaves.*were pruned/s, 'no proof of pruned leaves can be made');
# What is left of what was pruned: a header that fits itself, and tiles.
like($node->safe_psql('postgres', <<'SQL'), qr/^The header of this block, whose records were pruned, does not have the hashes of ledger_tile\.$/m, 'a header of a pruned block is compared with the tiles');
BEGIN;
DO $$ DECLARE b steward.ledger_block; h bytea[]; r bytea; n integer; BEGIN
    ALTER TABLE steward.ledger_block DISABLE TRIGGER ALL;
    SELECT * INTO b FROM steward.ledger_block WHERE first_leaf + leaves >= 256 ORDER BY number LIMIT 1;
    n := octet_length(b.frontier) / 32;
    FOR i IN 1 .. n LOOP h[i] := substr(b.frontier, i * 32 - 31, 32); END LOOP;
    h[1] := sha256(h[1]);
    r := h[n];
    FOR i IN REVERSE n - 1 .. 1 LOOP r := sha256('\x01'::bytea || h[i] || r); END LOOP;
    UPDATE steward.ledger_block SET root = r, frontier = h[1] || substr(b.frontier, 33) WHERE number = b.number;
END $$;
SELECT detail FROM steward.verify_ledger();
ROLLBACK;
SQL
is($node->safe_psql('postgres', <<'SQL'), 't', 'tiles of what was pruned are compared with the certificate');
BEGIN;
ALTER TABLE steward.ledger_tile DISABLE TRIGGER ALL;
UPDATE steward.ledger_tile SET hashes = sha256(hashes) || substr(hashes, 33) WHERE level = 1 AND index = 0;
SELECT bool_or(finding = 'tile altered' AND detail ~ 'are missing or not those of the prune certificate') FROM steward.verify_ledger();
ROLLBACK;
SQL
is($node->safe_psql('postgres', <<'SQL'), 'missing', 'a hash that the certificate does not count is found');
BEGIN;
INSERT INTO steward.ledger_pruned_leaf SELECT incarnation, first_leaf, sha256('') FROM steward.ledger_block ORDER BY number DESC LIMIT 1;
SELECT DISTINCT finding FROM steward.verify_ledger() WHERE finding <> 'inserted';
ROLLBACK;
SQL
# What does not verify is not pruned.
$node->safe_psql('postgres', "CALL steward.switch_segment(patience => '10s')");
$node->safe_psql('postgres', <<'SQL');
DO $$ DECLARE t text; BEGIN
    SELECT name INTO t FROM steward.audit_segment WHERE number = (SELECT max(number) - 1 FROM steward.audit_segment);
    EXECUTE format('ALTER TABLE steward.%I DISABLE TRIGGER ALL', t);
    EXECUTE format('DELETE FROM steward.%I WHERE ctid = (SELECT min(ctid) FROM steward.%1$I)', t);
END $$
SQL
like(steward_error($node, 'SELECT steward.prune_audit(clock_timestamp())'), qr/does not verify, so nothing is pruned|not sealed/, 'what was altered is not pruned');
$node->stop;

done_testing();

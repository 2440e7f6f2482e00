# A crash at any moment leaves the audit trail equal to the tables: every
# committed change has its record, and no record is without its change; and what the
# worker sealed meanwhile verifies.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;
use IPC::Run;

# kill -9 of a backend and immediate stop, by turns, at random points.
my $rounds  = $ENV{STEWARD_SOAK} ? 500 : 8;
my $writers = 8;
my $seed = $ENV{STEWARD_SEED} // int(rand(2**31));
srand($seed);
note "STEWARD_SEED=$seed";

my $node = steward_node('crash', conf => <<'CONF');
max_prepared_transactions = 200
restart_after_crash = on
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE account (id integer PRIMARY KEY, writer integer, v text);
SELECT steward.enable_audit('account');

-- What the trail says of the table: each record is applied once, whenever its
-- transaction commits. A writer of a round has rows of its own, so transactions
-- that are prepared longer than others do not mix with them.
CREATE TABLE replayed (LIKE account INCLUDING ALL);
CREATE TABLE applied (xid xid8 PRIMARY KEY);
-- Of what has an older xid nothing can come any more.
CREATE TABLE horizon AS SELECT '0'::xid8 AS xid;
CREATE FUNCTION apply() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    change record;
    changed integer;
    records bigint := 0;
BEGIN
    FOR change IN SELECT * FROM steward.audit_trail AS t WHERE relation = 'public.account' AND operation IN ('INSERT', 'UPDATE', 'DELETE')
        AND xid >= (SELECT h.xid FROM horizon AS h) AND NOT EXISTS (SELECT FROM applied AS a WHERE a.xid = t.xid)
        ORDER BY xid, seq LOOP
        CASE change.operation
            WHEN 'INSERT' THEN INSERT INTO replayed SELECT * FROM jsonb_populate_record(NULL::replayed, change.new);
            WHEN 'UPDATE' THEN UPDATE replayed AS r SET (writer, v) =
                (SELECT p.writer, p.v FROM jsonb_populate_record(r, change.new) AS p) WHERE r.id = (change.key->>'id')::int;
            ELSE DELETE FROM replayed WHERE id = (change.key->>'id')::int;
        END CASE;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> 1 THEN RAISE EXCEPTION 'record % of % changed % rows', change.seq, change.xid, changed; END IF;
        records := records + 1;
    END LOOP;
    INSERT INTO applied SELECT DISTINCT l.xid FROM steward.audit_log AS l WHERE l.xid >= (SELECT h.xid FROM horizon AS h) ON CONFLICT DO NOTHING;
    UPDATE horizon SET xid = coalesce((SELECT min(transaction::text::xid8) FROM pg_prepared_xacts), pg_current_xact_id());
    RETURN records;
END
$$;
CREATE FUNCTION differences(since integer) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM (
        (SELECT * FROM account WHERE id >= since EXCEPT ALL SELECT * FROM replayed WHERE id >= since) UNION ALL
        (SELECT * FROM replayed WHERE id >= since EXCEPT ALL SELECT * FROM account WHERE id >= since)) AS d
$$;
SQL

# The script of a writer: transactions with savepoints, kept and not, some of them
# prepared, in which every size of buffer and of row occurs.
sub script
{
	my ($round, $writer) = @_;
	my $base = ($round * $writers + $writer) * 10000;
	my $next = $base;
	my $left = 0;
	my $sql = sprintf "SET steward.audit_buffer_size = '%s';\n", (qw(0 1kB 16kB 1MB))[ $writer % 4 ];

	for my $number (1 .. 400)
	{
		my $savepoints = 0;
		$sql .= "BEGIN;\n";
		for my $step (1 .. 1 + int(rand(6)))
		{
			my $kind = int(rand(7));

			if ($kind < 3)
			{
				my $count = 1 + int(rand(5));
				my $length = rand() < 0.05 ? 5000 : int(rand(100));
				$sql .= "INSERT INTO account SELECT i, $writer, repeat(md5(i::text), $length / 32) FROM generate_series($next, $next + $count - 1) AS i;\n";
				$next += $count;
			}
			elsif ($kind == 3) { $sql .= sprintf "UPDATE account SET v = '%s' WHERE id BETWEEN %d AND %d + 3;\n", rand(), ($base + int(rand($next - $base + 1))) x 2; }
			elsif ($kind == 4) { $sql .= sprintf "DELETE FROM account WHERE id = %d;\n", $base + int(rand($next - $base + 1)); }
			elsif ($kind == 5) { $savepoints++; $sql .= "SAVEPOINT s$savepoints;\n"; }
			elsif ($savepoints) { $sql .= (rand() < 0.5 ? 'ROLLBACK TO' : 'RELEASE') . " s$savepoints;\n"; $savepoints--; }
		}
		if (rand() < 0.15)
		{
			my $gid = "$round-$writer-$number";
			$sql .= "PREPARE TRANSACTION '$gid';\n";
			# One stays prepared; the rows that it holds are not touched again.
			if (!$left && $number > 20 && rand() < 0.1) { $left = 1; $base = $next; }
			else { $sql .= (rand() < 0.6 ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$gid';\n"; }
		}
		else { $sql .= (rand() < 0.85 ? 'COMMIT' : 'ROLLBACK') . ";\n"; }
	}
	return $sql;
}

# What the ledger finds; records of prepared transactions may have waited long.
sub verify
{
	return $node->safe_psql('postgres', q{SELECT concat_ws(' ', finding, block, xid, seq, detail) FROM steward.verify_ledger() WHERE finding <> 'unsealed'});
}

my $records = 0;
for my $round (1 .. $rounds)
{
	my @running;
	for my $writer (0 .. $writers - 1)
	{
		my $file = steward_directory('script') . "/$writer.sql";
		PostgreSQL::Test::Utils::append_to_file($file, script($round, $writer));
		push @running,
		  IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', $file ],
			'<', '/dev/null', '>', '/dev/null', '2>', '/dev/null');
	}
	select(undef, undef, undef, 0.05 + rand(0.4));
	if ($round % 2)
	{
		# kill -9 of one backend: the server throws everybody out and recovers; when all
		# have just ended, of the checkpointer
		steward_kill($node, split /\n/, $node->safe_psql('postgres',
			q{SELECT pid FROM pg_stat_activity WHERE backend_type IN ('client backend', 'checkpointer') AND pid <> pg_backend_pid() ORDER BY backend_type DESC}));
		$_->finish for @running;
	}
	else
	{
		$node->stop('immediate');
		$_->finish for @running;
		$node->start;
	}
	# of what is prepared, some is decided now and some after the next crash
	my @left = split /\n/, $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');
	for my $gid (@left)
	{
		my $fate = rand();
		next if $fate > 0.7 && $round < $rounds;
		$node->safe_psql('postgres', ($fate < 0.35 ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$gid'");
	}
	$records += $node->safe_psql('postgres', 'SELECT apply()');
	my $since = $round % 50 == 0 || $round == $rounds ? 0 : ($round - 3) * $writers * 10000;
	is($node->safe_psql('postgres', "SELECT differences($since)"), '0', "round $round: the trail makes the table, " . @left . ' prepared');
	next if $round % ($ENV{STEWARD_SOAK} ? 20 : 2);
	is(verify(), '', "round $round: the ledger verifies");
}
cmp_ok($records, '>', 100 * $rounds, "$records records were applied");
$node->safe_psql('postgres', 'SELECT steward.seal_ledger()');
is($node->safe_psql('postgres', 'SELECT string_agg(finding, chr(32)) FROM steward.verify_ledger()'), '', 'and all of the ledger verifies');
is($node->safe_psql('postgres', 'SELECT sum(leaves) - count(DISTINCT incarnation) = (SELECT count(*) FROM steward.audit_record) FROM steward.ledger_block'), 't', 'a leaf for each record');
is($node->safe_psql('postgres', 'SELECT count(*) FROM steward.audit_trail WHERE operation = \'INSERT\' AND (new->>\'writer\')::integer IS NULL'), '0', 'all of them whole');

# A schema version first written by a prepared transaction is not relied on.
is( $node->safe_psql('postgres', <<'SQL'),
CREATE TABLE shaky (id integer PRIMARY KEY);
SELECT FROM steward.enable_audit('shaky');
ALTER TABLE shaky ADD COLUMN v text;
BEGIN;
INSERT INTO shaky VALUES (1, 'rolled back');
PREPARE TRANSACTION 'shaky';
INSERT INTO shaky VALUES (2, 'stays');
ROLLBACK PREPARED 'shaky';
INSERT INTO shaky VALUES (3, 'stays too');
SELECT string_agg(new::text, ' ' ORDER BY xid, seq) FROM steward.audit_trail WHERE relation = 'public.shaky' AND operation = 'INSERT';
SQL
	'{"v": "stays", "id": 2} {"v": "stays too", "id": 3}',
	'a version written in a prepared transaction is written again by the next');

# No record without its schema version and context, and no page damaged.
is( $node->safe_psql('postgres',
		'SELECT count(*) FROM steward.audit_trail WHERE relation IS NULL OR effective_role IS NULL'),
	'0', 'every record has its schema version and its context');
$node->command_ok([ 'pg_amcheck', '--install-missing', '--heapallindexed', '-h', $node->host, '-p', $node->port, 'postgres' ],
	'heap and indexes are sound');
$node->stop;
done_testing();

# Retention through crashes: kill -9 of the server or of who runs a policy, and immediate stops, at random moments of
# runs that delete with children, archive and anonymize, called and scheduled, audited and not. What is gone
# is what was counted is what is in receipts; nothing is lost or torn off; and runs are taken up again.
#
# STEWARD_SOAK=1 crashes two hundred times, else ten; STEWARD_SEED repeats a run. Twenty crashes have a database,
# since verification reads the audit log.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;
use Time::HiRes qw(time sleep);

my $databases = $ENV{STEWARD_SOAK} ? 10 : 1;
my $crashes = $ENV{STEWARD_SOAK} ? 20 : 10;
my $rows = 600;
my $seed = $ENV{STEWARD_SEED} // time ^ $$;
my @whose = qw(plain audited);
my @kinds = qw(visit bill person);
my $node = steward_node('retention_crash', extension => 0, conf => <<'CONF');
steward.max_workers = 4
steward.retention_retry_delay = 20ms
restart_after_crash = on
log_statement = none
CONF

$seed = int $seed;
note "seed $seed";
srand $seed;

my $database;

sub ask { return $node->safe_psql($database, $_[0]); }

# A database with tables and policies. Who tries to delete a visit advances a sequence, also if that is rolled back.
sub prepare
{
	($database) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	ask('CREATE EXTENSION pg_steward');
	for my $who (@whose)
	{
		ask(qq{
CREATE TABLE ${who}_visit (id bigint PRIMARY KEY, at timestamptz NOT NULL, v text);
CREATE INDEX ON ${who}_visit (at);
CREATE TABLE ${who}_note (id bigint PRIMARY KEY, visit bigint NOT NULL REFERENCES ${who}_visit);
CREATE INDEX ON ${who}_note (visit);
CREATE TABLE ${who}_photo (at date, visit bigint REFERENCES ${who}_visit);
CREATE INDEX ON ${who}_photo (visit);
CREATE TABLE ${who}_bill (id bigint PRIMARY KEY, at timestamptz NOT NULL, v text);
CREATE TABLE ${who}_bill_past (LIKE ${who}_bill);
CREATE TABLE ${who}_person (id bigint PRIMARY KEY, at timestamptz NOT NULL, v text);
CREATE SEQUENCE ${who}_tries;
CREATE FUNCTION ${who}_try() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN
	PERFORM pg_catalog.nextval('public.${who}_tries');
	RETURN OLD;
END\$\$;
CREATE TRIGGER try BEFORE DELETE ON ${who}_visit FOR EACH ROW EXECUTE FUNCTION ${who}_try();
SELECT steward.create_policy('$who visit', '${who}_visit', 'at', '1 year', children => '{"${who}_note": "cascade", "${who}_photo": "set null"}');
SELECT steward.create_policy('$who bill', '${who}_bill', 'at', '1 year', 'archive', archive => '${who}_bill_past');
SELECT steward.create_policy('$who person', '${who}_person', 'at', '1 year', 'anonymize', columns => '{"v": "null"}')});
	}
	my @audited = map { "audited_$_" } qw(visit note photo bill bill_past person);
	ask("SELECT steward.enable_audit('$_')") for @audited;
	return;
}

# ---- what must hold at any time ----

my $rounds = 0;
my $verified = 0;

# All of it with one snapshot, for runs go on meanwhile: a line for each thing that is wrong.
sub wrongs
{
	my $all = $rounds * $rows;
	my $sql = "BEGIN ISOLATION LEVEL REPEATABLE READ;\n";

	$sql .= qq{SELECT 'run ' || r.id || ' has other receipts' FROM steward.policy_run AS r
		WHERE (r.rows + r.children, r.batches) IS DISTINCT FROM
			(SELECT (coalesce(sum(b.rows), 0)::bigint, count(*)) FROM steward.policy_run_batch AS b WHERE b.run = r.id);
		SELECT 'run ' || r.id || ': ' || v.detail FROM steward.policy_run AS r, steward.verify_receipt(r.id) AS v WHERE r.id > $verified AND r.batches > 0;};
	for my $who (@whose)
	{
		my $done = sub { "(SELECT coalesce(sum($_[1]), 0) FROM steward.policy_run WHERE policy = '$who $_[0]')" };

		$sql .= qq{
SELECT '$who visits' WHERE $all <> (SELECT count(*) FROM ${who}_visit) + @{[ $done->('visit', 'rows') ]};
SELECT '$who children' WHERE $all - (SELECT count(*) FROM ${who}_note) + (SELECT count(*) FROM ${who}_photo WHERE visit IS NULL)
	<> @{[ $done->('visit', 'children') ]};
SELECT '$who photos' WHERE $all <> (SELECT count(*) FROM ${who}_photo);
SELECT '$who orphan ' || id FROM ${who}_note AS n WHERE NOT EXISTS (SELECT FROM ${who}_visit AS v WHERE v.id = n.visit);
SELECT '$who torn off ' || visit FROM ${who}_photo AS n WHERE visit IS NOT NULL AND NOT EXISTS (SELECT FROM ${who}_visit AS v WHERE v.id = n.visit);
SELECT '$who bills' WHERE ($all, @{[ $done->('bill', 'rows') ]}) IS DISTINCT FROM
	((SELECT count(*) FROM ${who}_bill) + (SELECT count(*) FROM ${who}_bill_past), (SELECT count(*) FROM ${who}_bill_past));
SELECT '$who bill twice ' || id FROM ${who}_bill JOIN ${who}_bill_past USING (id);
SELECT '$who persons' WHERE ($all, @{[ $done->('person', 'rows') ]}) IS DISTINCT FROM
	((SELECT count(*) FROM ${who}_person), (SELECT count(*) FROM ${who}_person WHERE v IS NULL));
};
	}
	return ask("$sql COMMIT");
}

# ---- crashes ----

# Expired rows for all policies; some of these run by themselves, the others are called.
sub refill
{
	my ($scheduled) = @_;
	my $first = $rounds++ * $rows;
	my $sql = '';

	for my $who (@whose)
	{
		$sql .= "SELECT steward.alter_policy('$who $_', schedule => '" . ($scheduled->{"$who $_"} ? '1 second' : '') . "');\n" for @kinds;
		$sql .= "INSERT INTO ${who}_$_ SELECT $first + n, '2001-01-01', 'value ' || n FROM generate_series(1, $rows) AS n;\n" for @kinds;
		$sql .= "INSERT INTO ${who}_note SELECT $first + n, $first + n % $rows + 1 FROM generate_series(1, $rows) AS n;\n";
		$sql .= "INSERT INTO ${who}_photo SELECT '2001-01-01', $first + n % 10 + 1 FROM generate_series(1, $rows) AS n;\n";
	}
	ask("BEGIN; $sql COMMIT");
	return;
}

sub call
{
	my ($policy) = @_;

	# No pipes: a server that is started meanwhile would keep them open.
	return IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr($database), '-c', "CALL steward.run_policy('$policy')" ],
		'<', '/dev/null', '>', '/dev/null', '2>', '/dev/null');
}

sub kill_server
{
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];

	$node->kill9;
	steward_poll(sub { return !kill 0, $postmaster }) or die 'the server did not end';
	steward_poll(sub { return $node->start(fail_ok => 1) }) or die 'the server did not start';
	return;
}

sub stop_server
{
	$node->stop('immediate');
	$node->start;
	return;
}

# Who runs a policy now, or another process of the server.
sub kill_runner
{
	my $pids = ask(q{SELECT pid FROM steward.policy_progress WHERE pid IS NOT NULL ORDER BY random()});

	return stop_server() if $pids eq '';
	steward_kill($node, split /\n/, $pids);
	return;
}

my @ways = ([ 'kill -9 of the server', \&kill_server ], [ 'an immediate stop', \&stop_server ], [ 'kill -9 of a run', \&kill_runner ]);

# Deletes that were tried and did not stay.
sub in_vain
{
	my ($who) = @_;

	return ask(qq{SELECT (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ${who}_tries)
		- (SELECT coalesce(sum(rows), 0) FROM steward.policy_run WHERE policy = '$who visit')});
}

# Seconds until a scheduled run did something again; nothing when there is nothing to do.
sub seconds_to_resume
{
	my ($since, $began, $scheduled) = @_;
	my @names = sort keys %$scheduled;
	my $left = join ' + ', 0, map { my ($who, $kind) = split / /; "(SELECT count(*) FROM ${who}_$kind" . ($kind eq 'person' ? ' WHERE v IS NOT NULL' : '') . ')' } @names;

	return if ask("SELECT $left") eq '0';
	$node->poll_query_until($database, qq{SELECT $left = 0 OR EXISTS (SELECT FROM steward.policy_run_log WHERE planned IS NOT NULL AND batch_at > '$since')})
	  or return 9999;
	return time - $began;
}

my %vain;
my @resumed;
my %halfway;

sub crash
{
	my ($round) = @_;
	my ($name, $crash) = @{ $ways[ int rand @ways ] };
	my %scheduled = map { my $who = $_; map { ("$who $_" => 1) } grep { rand() < 0.4 } @kinds } @whose;
	my ($began, $since, @calls);

	refill(\%scheduled);
	@calls = map { call($_) } grep { !$scheduled{$_} } map { my $who = $_; map { "$who $_" } @kinds } @whose;
	sleep rand 1.5;
	$began = time;
	eval { $crash->(); 1 } or BAIL_OUT("$name: $@");
	$since = ask('SELECT clock_timestamp()');
	$_->finish for @calls;
	$halfway{$_} = 1 for split /\n/, ask(q{SELECT action FROM steward.policy_run AS r WHERE state IN ('running', 'interrupted') AND batches > 0});
	my $seconds = seconds_to_resume($since, $began, \%scheduled);
	push @resumed, $seconds if defined $seconds;
	# A run is looked at until it has ended: each look reads the audit log of its hours.
	my $ended = ask('SELECT coalesce(min(id) FILTER (WHERE finished_at IS NULL), max(id) + 1) - 1 FROM steward.policy_run');
	is(wrongs(), '', "round $round, $name: rows that are gone are rows counted and rows in receipts");
	for my $who (@whose)
	{
		my $largest = ask("SELECT coalesce(max(b.rows), 128) FROM steward.policy_run_batch AS b WHERE b.policy = '$who visit'");
		my $lost = in_vain($who) - $vain{$who};

		# A sequence goes ahead of what it gave by up to 32 when the server dies.
		cmp_ok($lost, '<=', 2 * $largest + 32, "round $round: at most a batch of visits was deleted in vain ($who)");
		$vain{$who} += $lost;
	}
	$verified = $ended;
	return;
}

# When all is done that was cut off.
sub finish
{
	for my $who (@whose)
	{
		ask("SELECT steward.alter_policy('$who $_', schedule => '')") for @kinds;
		ask("CALL steward.run_policy('$who $_')") for @kinds;
	}
	is(wrongs(), '', 'and in the end');
	is(ask(join ' UNION ALL ', map { ("SELECT count(*) FROM ${_}_visit", "SELECT count(*) FROM ${_}_bill", "SELECT count(*) FROM ${_}_person WHERE v IS NOT NULL") } @whose),
		join("\n", (0) x 6), 'nothing that has expired is left');
	is(ask(q{SELECT count(*) FROM steward.policy_run WHERE state IN ('running', 'waiting')}), '0', 'no run is left that says it is running');
	is(ask(q{SELECT count(*) FROM steward.policy_run WHERE state = 'failed'}), '0', 'and none has failed');
	is(ask(q{SELECT sum(rows) = (SELECT count(*) FROM steward.audit_trail WHERE relation = 'public.audited_visit' AND operation = 'DELETE')
		FROM steward.policy_run WHERE policy = 'audited visit'}), 't', 'the audit trail has each visit that was deleted');
	is(ask(q{SELECT count(*) FROM steward.policy_run_batch AS b
		LEFT JOIN (SELECT xid, count(*) AS records
			    FROM steward.audit_trail WHERE relation IN ('public.audited_visit', 'public.audited_note', 'public.audited_photo') AND operation <> 'INSERT' GROUP BY xid) AS a USING (xid)
		WHERE b.policy = 'audited visit' AND b.rows IS DISTINCT FROM a.records}), '0', 'as many as a receipt, in the transaction of each');
	return;
}

for my $number (1 .. $databases)
{
	prepare("crash$number");
	($rounds, $verified) = (0, 0);
	%vain = map { $_ => 0 } @whose;
	crash($_) for 1 .. $crashes;
	finish();
	$node->safe_psql('postgres', "DROP DATABASE $database");
}
note 'cut off halfway: ', join(', ', sort keys %halfway);
cmp_ok(scalar(keys %halfway), '>', 0, 'crashes met runs halfway');
note sprintf 'scheduled runs went on %d times, at most %.1f seconds after the crash', scalar @resumed, max(@resumed, 0);
cmp_ok(max(@resumed, 0), '<', 120, 'scheduled runs went on after each crash');
done_testing();

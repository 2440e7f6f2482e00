# Queries of a standby while finish_erasure removes tags on the primary: each finds every
# row once that it found before, by each kind of scan, and none ends with an error. Replay of
# the locks by which scans are kept out waits for who reads, and readers wait for it.
# STEWARD_SOAK=1 erases forty times, else four times.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $rounds = ($ENV{STEWARD_SOAK} // '') eq '1' ? 40 : 4;
my $people = $rounds + 2;
my $quiet = 'SET client_min_messages = error;';
my $primary = steward_node('primary', init => { allows_streaming => 1 }, conf => <<'CONF');
autovacuum = off
wal_consistency_checking = 'all'
wal_keep_size = 4GB
max_wal_size = 4GB
jit = off
CONF
$primary->safe_psql('postgres', qq{SELECT steward.create_key('p');
CREATE TABLE person (id integer, who integer, city steward.encrypted_text('p/city'), name steward.encrypted_text('p/name'), born steward.encrypted_date('p/born'));
SELECT steward.bind_subject('person', 'person', 'who');
CREATE INDEX by_both ON person USING blind (city, name);
CREATE INDEX by_born ON person USING blind (born steward.blind_date_range_ops);
INSERT INTO person SELECT i, i % $people, 'city ' || i % 5, 'name ' || i, date '2000-01-01' + i % 50 FROM generate_series(1, 600 * $people) AS i;
CREATE TABLE run (id integer, who integer, name steward.encrypted_text('p/name'));
SELECT steward.bind_subject('run', 'person', 'who');
CREATE INDEX by_run ON run USING blind (name);
INSERT INTO run SELECT i, i % $people, 'the same' FROM generate_series(1, 1000 * $people) AS i});
# More to do for the erasure than for a question.
$primary->safe_psql('postgres', "CREATE INDEX more_$_ ON person USING blind (name, city)") for 1 .. 20;
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
$standby->start;

# Those by ranges that have old and new entries of a row among them.
my @questions = (
	q{FROM person WHERE city = 'city 1'},
	q{FROM person WHERE city = 'city 1' AND name = 'name 1'},
	q{FROM person WHERE city IS NOT NULL},
	q{FROM person WHERE born BETWEEN '1999-12-01'::date AND '2001-01-01'::date},
	q{FROM person WHERE born IS NOT NULL},
	q{FROM run WHERE name = 'the same'},
	q{FROM run WHERE name IS NOT NULL});
my @ask = map { "SELECT count(*) || '/' || count(DISTINCT id) $_" } @questions;

# By one kind of scan alone.
sub by
{
	my $kind = shift;

	return join ' ', map { "SET enable_$_ = " . ($_ eq $kind ? 'on;' : 'off;') } qw(seqscan indexscan bitmapscan);
}

# Is all replayed that there is?
sub caught_up
{
	my $until = $primary->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');

	return $standby->safe_psql('postgres', "SELECT pg_last_wal_replay_lsn() >= '$until'") eq 't';
}

my %session = map { $_ => steward_session($standby) } 'indexscan', 'bitmapscan';
$session{$_}->query(by($_)) for keys %session;
my $finisher = steward_session($primary);
my $asked = 0;
my $seen = 0;
for my $who (1 .. $rounds)
{
	$primary->safe_psql('postgres', "$quiet SELECT steward.shred_subject('person', '$who')");
	$primary->wait_for_catchup($standby);
	my @expected = map { $standby->safe_psql('postgres', by('seqscan') . $_) } @ask;
	my %wrong;
	my %points;

	$finisher->query_until(qr/begins/, "\\echo begins\n$quiet CALL steward.finish_erasure();\n");
	for (my $ended = 0; !$ended;)
	{
		for my $i (0 .. $#ask)
		{
			for my $kind (sort keys %session)
			{
				my ($answer, $point) = split /\n/, $session{$kind}->query("$ask[$i]; SELECT pg_last_wal_replay_lsn()");

				$wrong{"$questions[$i] by $kind: $answer and not $expected[$i]"}++ if $answer ne $expected[$i];
				$points{$point} = 1;
				$asked++;
			}
		}
		$ended = $primary->safe_psql('postgres', 'SELECT count(*) FROM steward.pending_erasure') eq '0' && caught_up();
	}
	$seen += keys(%points) - 1;
	is(join("\n", map { "$_ ($wrong{$_} times)" } sort keys %wrong), '', "round $who: the answers are those of before");
}
note("$asked questions at $seen points of the log");
cmp_ok($seen, '>=', $rounds, 'replay went on between the questions');
unlike(slurp_file($standby->logfile), qr/(?:ERROR|FATAL|PANIC):/, 'none of them ended with an error');

# A scan that has begun goes on to its end before its rows get other places.
my $waits = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event_type = 'Lock'};
my $scan = $session{indexscan};
$primary->safe_psql('postgres', "$quiet SELECT steward.shred_subject('person', '0')");
$primary->wait_for_catchup($standby);
my $rows = $standby->safe_psql('postgres', 'SELECT count(*) FROM person');
$scan->query("BEGIN; DECLARE scan CURSOR FOR SELECT id FROM person WHERE city IS NOT NULL");
my @ids = split /\n/, $scan->query("FETCH 10 FROM scan");
$primary->safe_psql('postgres', "$quiet CALL steward.finish_erasure()");
ok(steward_poll(sub { return $standby->safe_psql('postgres', $waits) eq '1' || caught_up() }), 'the erasure comes to the standby');
is($standby->safe_psql('postgres', $waits), '1', '... and waits for a scan');
push @ids, split /\n/, $scan->query('FETCH ALL FROM scan');
is(scalar(@ids) . ' ' . scalar(keys %{ { map { $_ => 1 } @ids } }), "$rows $rows", 'which gives each row once');
$scan->query('COMMIT');
ok(steward_poll(\&caught_up), 'then it goes on');
$finisher->quit;
$_->quit for values %session;
is($standby->safe_psql('postgres', "SELECT steward.blind_index_check('$_', true)"), '', "$_ is in order") for qw(by_both by_born by_run);
$standby->stop;
$primary->stop;
done_testing();

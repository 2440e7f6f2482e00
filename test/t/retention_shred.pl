# Policies that shred and run by themselves: the journal and standbys follow, a crash loses at most a
# batch, a hold that was placed holds, and who may not erase does not by a policy either.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Journal;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $place = steward_directory('shred');
my $journal = "$place/journal";
my $copy = "$place/copy";
my $keyring = steward_keyring();
my $node = steward_node('shred', keyring => $keyring, init => { allows_streaming => 1 }, conf => <<"CONF");
steward.revocation_file = '$journal'
steward.revocation_interval = '200ms'
steward.revocation_command = 'cp "%p" $copy.new && mv $copy.new $copy'
steward.retention_retry_delay = 20ms
restart_after_crash = on
CONF

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub becomes
{
	my ($sql, $what) = @_;

	ok($node->poll_query_until('postgres', $sql), $what);
	return;
}

# Every tenth guest was here today, the others long ago.
ask(q{
	SELECT steward.create_key('pii');
	CREATE TABLE guest (id int PRIMARY KEY, seen timestamptz, name steward.encrypted_text('pii/guest.name'));
	CREATE TABLE wish (guest int, body steward.encrypted_text('pii/wish.body'));
	CREATE INDEX ON wish (guest);
	SELECT steward.bind_subject('guest', 'guest', 'id'), steward.bind_subject('wish', 'guest', 'guest');
	CREATE FUNCTION slow(at timestamptz) RETURNS timestamptz STABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.0002); RETURN at; END $$;
	CREATE FUNCTION add(first int, last int) RETURNS void LANGUAGE sql AS $$
		INSERT INTO guest SELECT n, CASE WHEN n % 10 = 0 THEN now() ELSE '2001-01-01' END, 'guest ' || n FROM generate_series(first, last) AS n;
		INSERT INTO wish SELECT n, 'wish of ' || n FROM generate_series(first, last) AS n;
	$$;
	SELECT add(1, 500)});
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('shred_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "steward.revocation_command = ''");
$standby->start;
my $reader = steward_session($standby);
is($reader->query('SELECT count(name::text) FROM guest'), '500', 'a standby reads all guests');

# ---- by itself ----

ask(q{SELECT steward.create_policy('guests', 'guest', 'seen', '1 year', 'shred', schedule => '1 second')});
becomes(q{SELECT count(erased_at) = 450 AND count(*) = 500 FROM steward.subject_key}, 'guests of long ago are erased, others are not');
becomes(q{SELECT count(*) > 0 FROM steward.policy_run WHERE rows = 0 AND state = 'complete'}, 'once');
is(ask(q{SELECT sum(rows), max(skipped), bool_and(started_by IS NULL) FROM steward.policy_run}), '450|0|t', 'who was erased is counted');
is(ask('SELECT count(*), count(name::text), count(*) FILTER (WHERE name::text IS NOT NULL AND id % 10 = 0) FROM guest'), '500|50|50', 'rows stay, and cannot be read');
is(ask('SELECT count(*), count(body::text) FROM wish'), '500|50', 'nor can those of another table');
journal_is($node, $keyring, $journal, 'the journal names them all');
ok(steward_poll(sub { return -e $copy && journal_erased($keyring, $copy) eq journal_erased($keyring, $journal); }), 'and was shipped');
$node->wait_for_catchup($standby);
is($reader->query('SELECT count(name::text) FROM guest'), '50', 'a session of the standby that has read them does not any more');

# ---- killed ----

ask(q{SELECT steward.alter_policy('guests', schedule => '', age => 'slow(seen)'); SELECT add(501, 1000)});
my $killed = 0;
for my $round (1 .. 3)
{
	my $before = ask('SELECT count(erased_at) FROM steward.subject_key');

	ask(q{SELECT steward.alter_policy('guests', schedule => '1 second')});
	$node->poll_query_until('postgres', "SELECT count(erased_at) > $before FROM steward.subject_key") or die 'nobody is erased';
	my $pid = ask(q{SELECT pid FROM steward.policy_progress WHERE pid IS NOT NULL});
	if ($pid)
	{
		steward_kill($node, $pid);
		$killed++;
	}
	is(ask(q{SELECT (SELECT sum(rows) FROM steward.policy_run) = (SELECT count(erased_at) FROM steward.subject_key)}), 't', "killed, round $round: who was erased is counted");
}
cmp_ok($killed, '>', 0, 'a run was killed');
becomes(q{SELECT count(erased_at) = 900 FROM steward.subject_key}, 'it goes on by itself');
journal_is($node, $keyring, $journal, 'and the journal names all of them');

# ---- a hold that comes in between ----

ask(q{SELECT add(1001, 1400); SELECT steward.alter_policy('guests', age => 'seen'); SELECT steward.alter_policy('guests', age => 'slow(seen)')});
$node->poll_query_until('postgres', 'SELECT count(erased_at) > 910 FROM steward.subject_key') or die 'nobody is erased';
ask(q{SELECT steward.place_hold('wish', 'guest % 2 = 1', 'case')});
my $alive = ask('SELECT count(body::text) FROM wish WHERE guest % 2 = 1');
becomes(q{SELECT count(body::text) = 0 FROM wish WHERE guest % 2 = 0 AND guest % 10 <> 0}, 'who is not held is erased');
is(ask('SELECT count(body::text) FROM wish WHERE guest % 2 = 1'), $alive, 'nobody is who was held when place_hold returned');
cmp_ok($alive, '>', 0, 'there are some');
becomes("SELECT count(*) > 0 FROM steward.policy_run WHERE held = $alive AND state = 'complete'", 'they are counted, and the run is complete');
ask(q{SELECT steward.release_hold(id, 'settled') FROM steward.active_hold});
becomes(q{SELECT count(body::text) = 140 FROM wish}, 'when it is released they are');

# ---- rights ----

ask(q{
	CREATE ROLE clerk NOLOGIN;
	SELECT steward.pause_policy('guests');
	CREATE TABLE visitor (id int, seen date, name steward.encrypted_text('pii/visitor.name'));
	SELECT steward.bind_subject('visitor', 'visitor', 'id');
	INSERT INTO visitor VALUES (1, '2001-01-01', 'a visitor');
	SELECT steward.create_policy('visitors', 'visitor', 'seen', '1 year', 'shred', schedule => '1 second', filter => 'name IS NULL');
	ALTER TABLE visitor OWNER TO clerk;
	SELECT steward.alter_policy('guests', schedule => '')});
becomes(q{SELECT failures > 0 AND sqlstate = '42501' FROM steward.policy WHERE name = 'visitors'}, 'a policy of who may not erase fails');
like(steward_error($node, q{SELECT steward.alter_policy('visitors', filter => '')}), qr/^ERROR:  permission denied for role "clerk" to erase subjects/, 'nor can it be altered');
ask('GRANT EXECUTE ON FUNCTION steward.shred_subject TO clerk');
ask(q{SELECT steward.alter_policy('visitors', filter => '')});
becomes(q{SELECT count(*) = 0 FROM visitor WHERE name::text IS NOT NULL}, 'until that is granted');

$standby->stop('immediate');
$node->stop('fast');
done_testing();

# A server that runs with its revocation journal while somebody does things to the
# file, stops the server, or copies and drops databases.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Fcntl qw(:flock);
use Journal;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;
use Time::HiRes qw(time);

my $place = steward_directory('revocation');
my $journal = "$place/journal";
my $keyring = steward_keyring();
my $node = steward_node('live', keyring => $keyring, conf => "
steward.revocation_file = '$journal'
steward.revocation_interval = '200ms'
autovacuum = off");
my $read = 'SELECT name::text FROM customer WHERE id = 40';

customers($node, 40);
$node->poll_query_until('postgres', 'SELECT pg_catalog.count(*) > 0 FROM steward.revocation_known') or die 'the worker does not work';

sub shred { my ($id, $database) = @_; return $node->safe_psql($database // 'postgres', "SELECT steward.shred_subject('customer', '$id')"); }

# ---- the file, under a session that has read it and a worker that writes it ----

my $session = steward_session($node);

sub refused
{
	my ($name, $error, $unread) = @_;

	like(steward_error($session, "SELECT name::text FROM customer WHERE id = $unread"), $error, "$name: a session that has read it is stopped at the next subject");
	like(steward_error($node, $read), $error, "$name: so is a new one");
	like(steward_error($node, q{SELECT steward.shred_subject('customer', '39')}), $error, "$name: nobody is erased");
	return;
}

is($session->query($read), 'name 40', 'a session');
shred(1);
journal_is($node, $keyring, $journal, 'and a journal');

rename $journal, "$place/real" or die $!;
symlink "$place/real", $journal or die $!;
refused('a link in its place', qr/DETAIL:  It is not a regular file\./, 30);
unlink $journal or die $!;
refused('deleted', qr/^ERROR:  revocation journal is missing/, 31);
$node->safe_psql('postgres', 'CREATE TABLE noise (a int)');
$node->safe_psql('postgres', "INSERT INTO noise VALUES ($_); SELECT pg_catalog.pg_sleep(0.2)") for 1 .. 3;
ok(!-e $journal, 'deleted: the worker makes no other one');
mkdir $journal or die $!;
refused('a directory in its place', qr/DETAIL:  (It is not a regular file|The file cannot be opened)\./, 32);
rmdir $journal or die $!;
rename "$place/real", $journal or die $!;
chmod 0602, $journal;
refused('opened up', qr/DETAIL:  The file is writable by group or others\./, 33);
chmod 0000, $journal;
refused('closed', qr/DETAIL:  The file cannot be opened\./, 34);
chmod 0600, $journal;
my $whole = Journal::slurp($journal);
truncate $journal, $record_bytes + 5;
refused('cut off', qr/^ERROR:  revocation journal is not the newest/, 35);
is(-s $journal, $record_bytes + 5, 'cut off: it stays as it is');
Journal::write_file($journal, $whole);
chmod 0777, $place;
like(steward_error($node, q{SELECT steward.shred_subject('customer', '39')}), qr/DETAIL:  Others can write to its directory/, 'its directory opened up: nobody is erased');
chmod 0700, $place;
is($session->query('SELECT name::text FROM customer WHERE id = 36'), 'name 36', 'mended: the session goes on');
is(shred(2), 't', 'and people are erased');
journal_is($node, $keyring, $journal, 'and in the journal');
$session->quit;

# The first journal, where none can be made.
chmod 0500, $place;
steward_set($node, 'steward.revocation_file' => "$place/first");
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', q{CREATE EXTENSION pg_steward; SELECT steward.create_key('pii')});
like(steward_error($node, q{SELECT steward.shred_subject('customer', '1')}, database => 'fresh'), qr/^ERROR:  revocation journal cannot be used\nDETAIL:  The file cannot be opened\./, 'no room for a first journal: nobody is erased');
chmod 0700, $place;
steward_set($node, 'steward.revocation_file' => $journal);

# An adoption that is cancelled on its way leaves no lock on the journal.
{
	my $adopting = steward_session($node);
	# Records after a long gap that no crash can have left.
	my $garbage = substr($whole, 0, $record_bytes) . 'x' x ($record_bytes * 400_000) . substr($whole, $record_bytes);

	# The worker would lock it, too.
	steward_set($node, 'steward.revocation_file' => undef);
	Journal::write_file($journal, $garbage);
	steward_set($node, 'steward.revocation_interval' => '1h');
	steward_set($node, 'steward.revocation_file' => $journal);
	sleep 1;
	steward_await($adopting);
	like(steward_error($adopting, q{SET statement_timeout = '20ms'; SELECT steward.adopt_revocation_journal()}), qr/canceling statement/, 'an adoption that is cancelled');
	open(my $lock, '<', $journal) or die $!;
	ok(flock($lock, LOCK_EX | LOCK_NB), 'leaves the journal unlocked');
	flock($lock, LOCK_UN);
	like(steward_error($adopting, q{BEGIN; DO $$ BEGIN PERFORM steward.adopt_revocation_journal(); EXCEPTION WHEN query_canceled THEN RAISE NOTICE 'caught'; END $$}), qr/^NOTICE:  caught$/, 'also where that is caught');
	ok(flock($lock, LOCK_EX | LOCK_NB), 'in the same transaction');
	close $lock;
	$adopting->quit;
	steward_set($node, 'steward.revocation_interval' => '200ms');
	is(scalar(() = glob "$journal.altered-*"), 0, 'and nothing was changed');
	Journal::write_file($journal, $whole);
	unlink "$journal.new";
	$node->safe_psql('postgres', 'SELECT steward.adopt_revocation_journal()');
	journal_is($node, $keyring, $journal, 'the journal is good again', more => 1);
}

# ---- copies of a database ----

$node->safe_psql('postgres', 'CREATE DATABASE origin');
customers($node, 20, 'origin');
shred(1, 'origin');
journal_is($node, $keyring, $journal, 'an erasure before the copy', database => 'origin', more => 1);
sub copy_database { return $node->psql('postgres', 'CREATE DATABASE copied TEMPLATE origin') == 0; }
ok(steward_poll(\&copy_database), 'the worker does not stand in the way of CREATE DATABASE ... TEMPLATE');
my $aware = steward_session($node, 'copied');
is($aware->query('SELECT name::text FROM customer WHERE id = 2'), 'name 2', 'a session of the copy');
is($node->safe_psql('copied', 'SELECT name::text FROM customer WHERE id = 1'), '', 'who was erased before is erased in the copy');
shred(2, 'origin');
my $erased = qr/^ERROR:  a value is bound to a subject that was erased\nDETAIL:  The revocation journal names the subject/;
like(steward_error($node, 'SELECT name::text FROM customer WHERE id = 2', database => 'copied'), $erased, 'who is erased in the origin is refused in the copy');
is($aware->query('SELECT name::text FROM customer WHERE id = 2'), 'name 2', 'but for a session that has the key already');
shred(3, 'copied');
like(steward_error($node, 'SELECT name::text FROM customer WHERE id = 3', database => 'origin'), $erased, 'and the other way round');
is($node->safe_psql('copied', 'SELECT steward.apply_revocations()'), '1', 'the copy erases them, too');
is($aware->query('SELECT name::text FROM customer WHERE id = 2'), '', 'then every session knows');
is($node->safe_psql('origin', 'SELECT steward.apply_revocations()'), '1', 'so does the origin');
is($node->safe_psql($_, 'SELECT pg_catalog.count(name::text) FROM customer'), '17', "the rest is read in $_") for 'origin', 'copied';
$node->safe_psql($_, q{INSERT INTO customer VALUES (50, 'a new one')}) for 'origin', 'copied';
shred(50, 'copied');
is($node->safe_psql('origin', 'SELECT name::text FROM customer WHERE id = 50'), 'a new one', 'who came after the copy is another person in each');
journal_is($node, $keyring, $journal, "one journal has all of $_", database => $_, more => 1) for 'origin', 'copied';
$aware->quit;

# ---- the end of the server, and of a database ----

# Stops the server; the seconds that took.
sub stop_time
{
	my $begin = time;

	$node->stop('fast');
	return time - $begin;
}

sub quick
{
	my ($name) = @_;
	my $time = stop_time();

	cmp_ok($time, '<', 2, "a fast stop is fast $name");
	note sprintf 'stopped in %.2f s', $time;
	$node->start;
	return;
}

quick('while the worker is idle');
steward_set($node, 'steward.revocation_command' => "touch $place/runs; sleep 600");
shred(3);
ok(steward_poll(sub { return -e "$place/runs" }), 'a command that hangs');
quick('while it does');
steward_set($node, 'steward.revocation_command' => undef);

# Somebody else keeps the journal locked: the worker waits in a database, in one
# after the other.
$node->safe_psql('postgres', "DROP DATABASE $_") for 'fresh', 'origin';
my $visits = q{SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'pg_steward revocation journal' AND datname = 'copied'};

sub lock_journal
{
	open(my $lock, '+<', $journal) or die $!;
	flock($lock, LOCK_EX) or die $!;
	# What a visit has to read anew.
	utime undef, undef, $journal;
	$node->safe_psql('copied', 'CREATE TABLE IF NOT EXISTS noise (a int); INSERT INTO noise VALUES (1)');
	return $lock;
}

{
	my $lock = lock_journal();

	ok(steward_poll(sub { return $node->safe_psql('postgres', "SELECT pg_catalog.count(*) > 0 FROM pg_catalog.pg_stat_activity WHERE backend_type = 'pg_steward revocation journal' AND datname IS NOT NULL") eq 't' }), 'a worker that waits for the journal');
	quick('while it does');
	ok(steward_poll(sub { return $node->safe_psql('postgres', $visits) > 0 }), 'one that waits in a database');
	is($node->psql('postgres', 'DROP DATABASE copied WITH (FORCE)'), 0, 'which can be dropped by force');
	close $lock;
}
is(shred(4), 't', 'then all goes on');
journal_is($node, $keyring, $journal, 'to the end', more => 1);
$node->stop;
done_testing();

# The revocation journal on one server: what is written when, every refusal of
# the file, every way in which it can be lost or altered, and being adopted.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use File::Spec;
use Journal;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $place = steward_directory('revocation');
my $journal = "$place/journal";
my $keyring = steward_keyring();

# Nothing runs in the background here, but where a test says so.
my $node = steward_node('main', keyring => $keyring, preload => 0, conf => "
max_prepared_transactions = 5
max_wal_senders = 5
wal_level = replica
session_preload_libraries = 'pg_steward'
autovacuum = off
restart_after_crash = on");
customers($node, 400);

my $next = 0;

sub shred
{
	my ($count) = @_;
	my $first = $next + 1;

	$next += $count // 1;
	return "SELECT pg_catalog.count(*) FROM (SELECT steward.shred_subject('customer', g::text) FROM generate_series($first, $next) AS g) AS s";
}

# The number of subjects in the journal.
sub held { return scalar(() = journal_erased($keyring, $journal) =~ /\w+/g); }

# Reads the value of a customer who lives.
my $read = 'SELECT name::text FROM customer WHERE id = 400';

# ---- without a journal ----

like(steward_error($node, shred()), qr/^WARNING:  there is no revocation journal\n.*brings the subject's secret back\.\nHINT:  Set steward\.revocation_file/, 'without a journal: a warning');
is($node->safe_psql('postgres', $read), 'name 400', 'and all works');
is($node->safe_psql('postgres', 'SELECT pg_catalog.count(*) FROM steward.revocation_known'), '0', 'the database knows of none');
ok(!-e $journal, 'and there is none');

# ---- the file that is refused ----

my $data = File::Spec->rel2abs($node->data_dir);
symlink($data, "$place/link") or die $!;
symlink("$place/elsewhere", "$place/symlink") or die $!;
mkdir "$place/open" or die $!;
chmod 0777, "$place/open" or die $!;
mkdir "$place/directory" or die $!;
system_or_bail('mkfifo', '-m', '0600', "$place/pipe");
Journal::write_file("$place/loose", '');
chmod 0620, "$place/loose" or die $!;
my %refused = (
	'relative' => qr/The path is not absolute\./,
	"$data/journal" => qr/The file lies inside the data directory\./,
	"$place/link/journal" => qr/The file lies inside the data directory\./,
	"$place/symlink" => qr/It is not a regular file\./,
	"$place/directory" => qr/The file cannot be opened\.|It is not a regular file\./,
	"$place/pipe" => qr/It is not a regular file\./,
	"$place/loose" => qr/The file is writable by group or others\./,
	"$place/open/journal" => qr/Others can write to its directory/,
	"$place/none/journal" => qr/Its directory cannot be reached\./);
for my $path (sort keys %refused)
{
	my $name = $path =~ s/^\Q$place\E/…/r =~ s/^\Q$data\E/DATA/r;
	my $before = -s $node->logfile;

	steward_set($node, 'steward.revocation_file' => $path);
	my $error = steward_error($node, shred());
	like($error, qr/^ERROR:  revocation journal cannot be used\nDETAIL:  $refused{$path}/, "$name: refused");
	unlike($error, qr/\Q$path\E/, "$name: its name is not shown to clients") if length $path > 8;
	like(slurp_file($node->logfile, $before), qr/File: "\Q$path\E"/, "$name: but is in the log");
	$next--;
}
ok(!-e "$place/elsewhere" && !-e "$data/journal", 'nothing was made where a link led');
is($node->safe_psql('postgres', q{SELECT pg_catalog.count(*) FROM steward.subject_key WHERE erased_at IS NOT NULL}), '1', 'no erasure without its journal');

# ---- what is written, and when ----

steward_set($node, 'steward.revocation_file' => $journal);
$node->safe_psql('postgres', $read);
is(held(), 1, 'set later: the first unwrap appends what was erased before');
is((stat $journal)[2] & 0777, 0600, 'the file is its owner\'s');
{
	my ($state, @records) = journal_read($keyring, $journal);
	my $realm = $node->safe_psql('postgres', q{SELECT pg_catalog.replace(realm::text, '-', '') FROM steward.realm});

	is($state, 'torn', 'free slots follow') if (-s $journal) % $record_bytes;
	is(join(',', map { "$_->{kind} $_->{realm}" } @records), "1 $realm,2 $realm", 'an opening and the subject, of this realm');
}
$node->safe_psql('postgres', shred());
is(held(), 2, 'a commit appends');
journal_is($node, $keyring, $journal, 'what the table says');

my $held = held();
$node->safe_psql('postgres', 'BEGIN; ' . shred(3) . '; ROLLBACK');
is(held(), $held, 'a rollback leaves nothing');
$next -= 3;
$node->safe_psql('postgres', 'BEGIN; SAVEPOINT a; ' . shred() . '; ROLLBACK TO a; ' . shred() . '; SAVEPOINT b; '
	  . shred() . '; SAVEPOINT c; ' . shred() . '; RELEASE c; ROLLBACK TO b; SAVEPOINT d; ' . shred() . '; SAVEPOINT e; ' . shred() . '; RELEASE e; RELEASE d; COMMIT');
is(held(), $held + 3, 'what subtransactions rolled back is left out, what they released is not');
journal_is($node, $keyring, $journal, 'as the table has it');
$held = held();
$node->psql('postgres', 'DO $$ BEGIN PERFORM steward.shred_subject(\'customer\', \'1000\'); BEGIN PERFORM steward.shred_subject(\'customer\', \'1001\'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END; END $$');
is(held(), $held + 1, 'likewise in PL/pgSQL; a subject that never had a secret is named, too');

like(steward_error($node, 'BEGIN; ' . shred() . q{; PREPARE TRANSACTION 'p'}), qr/^ERROR:  cannot PREPARE a transaction that has erased a subject/, 'PREPARE TRANSACTION is refused');
$next--;
is($node->safe_psql('postgres', q{BEGIN; INSERT INTO customer VALUES (1500, 'x'); PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'; SELECT 'done'}), 'done', 'but for other transactions');

# An erasure of this transaction is not yet one for the journal, even when a
# fresh session reconciles in it.
{
	my $session = steward_session($node);

	$held = held();
	$session->query('BEGIN; ' . shred());
	$session->query($read);
	$session->query('SAVEPOINT s; ' . shred() . "; $read; ROLLBACK TO s; $read");
	is(held(), $held, 'reading in the erasing transaction writes nothing');
	$session->query('ROLLBACK');
	is(held(), $held, 'nor does its end');
	$next -= 2;
	$session->quit;
}

# A commit that fails after the file was opened for it: serialization.
{
	my ($one, $two) = (steward_session($node), steward_session($node));

	$node->safe_psql('postgres', 'CREATE TABLE s (v int); INSERT INTO s VALUES (1)');
	$held = held();
	$one->query('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT pg_catalog.count(*) FROM s');
	$two->query('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT pg_catalog.count(*) FROM s; INSERT INTO s VALUES (2)');
	$one->query(shred() . '; INSERT INTO s VALUES (3)');
	$two->query('COMMIT');
	like(steward_error($one, 'COMMIT'), qr/could not serialize access/, 'a commit that fails');
	is(held(), $held, 'leaves nothing in the journal');
	$next--;
	$_->quit for $one, $two;
}

# Many at once: nothing is lost, the chain is whole.
{
	my @sessions = map { steward_session($node) } 1 .. 6;

	for my $round (1 .. 5)
	{
		$_->query_until(qr/go/, "\\echo go\n" . shred(2) . ";\n") for @sessions;
	}
	$_->quit for @sessions;
	journal_is($node, $keyring, $journal, 'several sessions at once: all is there');
	isnt((journal_read($keyring, $journal))[0], 'altered', 'and the journal is whole');
}

# ---- between the commit and the append ----

sub make_up
{
	my ($name) = @_;

	$node->safe_psql('postgres', $read);
	journal_is($node, $keyring, $journal, "$name: the next session makes up for it");
	return;
}

$held = held();
is(held_commit($node, shred(), sub { is(held(), $held, 'committed, not yet told: not in the journal'); }), '', 'no complaint');
is(held(), $held + 1, 'then it is');

like(held_commit($node, shred(), sub { rename $journal, "$journal.away" or die $!; }),
	qr/WARNING:  erased subjects are not in the revocation journal yet\nDETAIL:  The file does not exist\./, 'moved away in between: a warning');
ok(!-e $journal, 'no other is made in its place');
is(scalar(() = journal_erased($keyring, "$journal.away") =~ /\w+/g), $held + 1, 'nor is it written where it went');
like(steward_error($node, $read), qr/^ERROR:  revocation journal is missing\nDETAIL:  This database had one/, 'and it is missed');
rename "$journal.away", $journal or die $!;
make_up('moved away');

$held = held();
like(held_commit($node, shred(), sub { rename $journal, "$journal.away"; Journal::write_file($journal, ''); }),
	qr/WARNING:  erased subjects are not/, 'replaced by an empty one in between');
is(-s $journal, 0, 'which is not written to');
rename "$journal.away", $journal or die $!;
make_up('replaced');

like(held_commit($node, shred(), sub { chmod 0666, $journal; }), qr/DETAIL:  The file is writable by group or others/, 'opened up to others in between');
chmod 0600, $journal;
make_up('opened up');

like(held_commit($node, shred(3), sub { my ($pid) = @_; system_or_bail('prlimit', "--pid=$pid", '--fsize=200:'); }),
	qr/WARNING:  erased subjects are not in the revocation journal yet\nDETAIL:  The file cannot be written\. File too large\./, 'no room in between');
make_up('no room');

# Before the commit it is an error, and nothing is erased.
{
	my $session = steward_session($node);
	my $pid = $session->query('SELECT pg_catalog.pg_backend_pid()');
	my ($state, @records) = journal_read($keyring, $journal);

	$session->query('BEGIN; ' . shred());
	truncate $journal, @records * $record_bytes;
	system_or_bail('prlimit', "--pid=$pid", '--fsize=200:');
	like(steward_error($session, 'COMMIT'), qr/^ERROR:  revocation journal cannot be used\nDETAIL:  The file cannot be written\./, 'no room before the commit: an error');
	system_or_bail('prlimit', "--pid=$pid", '--fsize=unlimited:');
	$session->quit;
	$next--;
	journal_is($node, $keyring, $journal, 'and no erasure');
	chmod 0400, $journal;
	like(steward_error($node, shred()), qr/^ERROR:  revocation journal cannot be used\nDETAIL:  The file cannot be opened\./, 'a file that cannot be written: an error');
	is($node->safe_psql('postgres', $read), 'name 400', 'but it can be read');
	chmod 0600, $journal;
	$next--;
	chmod 0500, $place;
	is($node->safe_psql('postgres', shred()), '1', 'the directory need not be writable');
	chmod 0700, $place;
}

# A crash between the commit and the append: of the session, which takes the
# others along, and of the server.
for my $what ('the session', 'the server')
{
	$held = held();
	held_commit($node, shred(), sub
		{
			my ($pid) = @_;

			is(held(), $held, "$what: nothing is written yet");
			kill('KILL', $pid, $what eq 'the server' ? slurp_file("$data/postmaster.pid") =~ /^(\d+)/ : ());
		}, crash => 1);
	if ($what eq 'the server')
	{
		steward_poll(sub { return !kill(0, $node->{_pid}) });
		$node->{_pid} = undef;
		unlink "$data/postmaster.pid";
		$node->start;
	}
	else
	{
		$node->reload;
		steward_poll(sub { return $node->psql('postgres', 'SELECT 1') == 0 });
	}
	is(held(), $held, "$what: nor after the crash");
	make_up("a crash of $what");
	is(held(), $held + 1, "$what: by that one subject");
}

# ---- a torn tail ----

{
	my ($state, @records) = journal_read($keyring, $journal);
	my $whole = substr(Journal::slurp($journal), 0, @records * $record_bytes);
	my @cuts = $ENV{STEWARD_SOAK} ? 1 .. $record_bytes : (1, 2, 31, 32, 64, 96, 127, 128);
	my $good = 0;
	my $session = steward_session($node);

	# The database must not know of the last: it was never told that it was written.
	$node->safe_psql('postgres', q{DELETE FROM steward.revocation_known; INSERT INTO steward.revocation_known (subjects) SELECT pg_catalog.array_agg(x) FROM (SELECT 1) AS s, LATERAL (SELECT NULL::uuid AS x) AS y});
	for my $cut (@cuts)
	{
		for my $rest ('', "\0" x 700)
		{
			Journal::write_file($journal, substr($whole, 0, length($whole) - $cut) . $rest);
			$node->safe_psql('postgres', $read);
			$good++ if journal_erased($keyring, $journal) eq tombstones($node);
		}
	}
	is($good, 2 * @cuts, 'a torn record is written again, wherever it was torn');
	$session->query(shred());
	is((journal_read($keyring, $journal))[0] =~ /altered/ ? 'altered' : 'good', 'good', 'a running session goes on behind it');
	$session->quit;
	journal_is($node, $keyring, $journal, 'all is there');
}

# ---- what the database knows, and what is wrong with a journal ----

my $clean;

# The journal that the tests begin with, and the database that knows all of it.
$node->safe_psql('postgres', 'SELECT steward.adopt_revocation_journal()');
$clean = Journal::slurp($journal);

sub refuses_all
{
	my ($name, $error) = @_;

	like(steward_error($node, $read), $error, "$name: no secret is unwrapped");
	like(steward_error($node, shred()), $error, "$name: nobody is erased");
	$next--;
	is(Journal::slurp($journal) eq $_[2] ? 'same' : 'changed', 'same', "$name: the file stays as it is") if defined $_[2];
	return;
}

my ($clean_state, @clean_records) = journal_read($keyring, $journal);
my $count = @clean_records;
my $short = substr($clean, 0, int($count / 2) * $record_bytes);
my %lost = (
	'an older copy' => [ $short, qr/^ERROR:  revocation journal is not the newest\nDETAIL:  It lacks \d+ records/ ],
	'a copy with one record less' => [ substr($clean, 0, ($count - 1) * $record_bytes), qr/^ERROR:  revocation journal is not the newest\nDETAIL:  It lacks 1 record that/ ],
	'an empty file' => [ '', qr/^ERROR:  revocation journal is missing/ ],
	'free slots alone' => [ "\0" x 4096, qr/^ERROR:  revocation journal is missing/ ],
	'a record dropped' => [ substr($clean, 0, 2 * $record_bytes) . substr($clean, 3 * $record_bytes), qr/^ERROR:  revocation journal was altered\nDETAIL:  Record 3 / ],
	'two records exchanged' => [ substr($clean, 0, 2 * $record_bytes) . substr($clean, 3 * $record_bytes, $record_bytes) . substr($clean, 2 * $record_bytes, $record_bytes) . substr($clean, 4 * $record_bytes), qr/^ERROR:  revocation journal was altered\nDETAIL:  Record 3 / ],
	'a hole' => [ substr($clean, 0, 2 * $record_bytes) . "\0" x $record_bytes . substr($clean, 3 * $record_bytes), qr/^ERROR:  revocation journal was altered\nDETAIL:  Record 3 / ]);
for my $name (sort keys %lost)
{
	Journal::write_file($journal, $lost{$name}[0]);
	refuses_all($name, $lost{$name}[1], $lost{$name}[0]);
}
my @at = $ENV{STEWARD_SOAK} ? 0 .. $count * $record_bytes - 1 : map { $_ * 53 } 0 .. 12;
push @at, map { ($count - 1) * $record_bytes + $_ * 11 } 0 .. 11 unless $ENV{STEWARD_SOAK};
my $missed = 0;
for my $at (@at)
{
	my $altered = $clean;

	substr($altered, $at, 1) ^= chr(1 << $at % 8);
	Journal::write_file($journal, $altered);
	$missed++ if steward_error($node, $read) !~ /^ERROR:  (revocation journal (was altered|is not the newest|is missing)|root key \w+ is not in the keyring)/;
}
is($missed, 0, scalar(@at) . ' bytes altered, each is noticed');
Journal::write_file($journal, $clean);
is($node->safe_psql('postgres', $read), 'name 400', 'the right one in its place again: all is well');

# A running session notices, too, and recovers.
{
	my $session = steward_session($node);

	$session->query($read);
	Journal::write_file("$journal.new", $short);
	rename "$journal.new", $journal or die $!;
	$session->query('DISCARD ALL');
	like(steward_error($session, 'SELECT name::text FROM customer WHERE id = 399'), qr/not the newest/, 'a running session notices a replaced file');
	Journal::write_file($journal, $clean);
	is($session->query('SELECT name::text FROM customer WHERE id = 399'), 'name 399', 'and the right one');
	$session->quit;
}

# ---- the keyring ----

{
	my $other = steward_keyring();
	my $both = steward_directory('both') . '/root.key';
	my @ids = map { $_->{id} } steward_root_keys($keyring);

	# The old root first, so that it is the new one that is current.
	Journal::write_file($both, slurp_file($keyring) . slurp_file($other));
	steward_set($node, 'steward.root_key_file' => $both);
	$node->safe_psql('postgres', shred());
	is(journal_erased($both, $journal), tombstones($node), 'records under two roots');
	is((journal_read($keyring, $journal))[0], 'other root', 'the newest is under the new one');
	$node->safe_psql('postgres', q{DO $$ BEGIN PERFORM steward.decrypt(name) FROM customer WHERE id = 400; END $$});
	Journal::write_file($journal, $clean);
	$node->safe_psql('postgres', q{SELECT steward.adopt_revocation_journal()});
	is(journal_erased($both, $journal), tombstones($node), 'adopting adds what is missing');
	steward_set($node, 'steward.root_key_file' => $keyring);
	like(steward_error($node, $read), qr/^ERROR:  root key \w{16} is not in the keyring\nDETAIL:  Record \d+ of the revocation journal is under it/, 'without the new root: it says which is missing');
	steward_set($node, 'steward.root_key_file' => $both);
	is($node->safe_psql('postgres', $read), 'name 400', 'with it again');

	# The journal goes along with a rotation; the old root may then leave.
	my ($before) = (stat $journal)[1];

	chmod 0640, $journal;
	$node->safe_psql('postgres', 'CALL steward.rotate_root_key()');
	isnt((stat $journal)[1], $before, 'a rotation of the root key replaces the file');
	is((stat _)[2] & 0777, 0640, 'which keeps its mode');
	isnt((journal_read($other, $journal))[0], 'other root', 'all of it is under the new root');
	steward_set($node, 'steward.root_key_file' => $other);
	journal_is($node, $other, $journal, 'nothing is lost', more => 1);
	is($node->safe_psql('postgres', 'SELECT name::text FROM customer WHERE id = 399'), 'name 399', 'and the old root is not needed any more');
	$before = (stat $journal)[1];
	$node->safe_psql('postgres', 'CALL steward.rotate_root_key()');
	is((stat $journal)[1], $before, 'a rotation that changes nothing leaves the file');
	ok(!-e "$journal.new", 'and nothing beside it');
	chmod 0600, $journal;
	$keyring = $other;
}

# ---- another database in the same file ----

$node->safe_psql('postgres', 'CREATE DATABASE other');
customers($node, 10, 'other');
$held = held();
$node->safe_psql('other', q{SELECT steward.shred_subject('customer', g::text) FROM generate_series(1, 3) AS g});
is(held(), $held + 3, 'two databases share a file');
is($node->safe_psql('other', 'SELECT pg_catalog.count(name::text) FROM customer'), '7', 'the other one reads what is left');
is($node->safe_psql('postgres', $read), 'name 400', 'and so does the first');
my $shared = Journal::slurp($journal);
{
	my ($state, @records) = journal_read($keyring, $journal);
	my @first = grep { $_->{realm} eq $records[0]{realm} } @records;

	Journal::write_file($journal, substr($shared, 0, @first * $record_bytes));
}
like(steward_error($node, 'SELECT name::text FROM customer WHERE id = 9', database => 'other'), qr/^ERROR:  revocation journal is of other databases/, 'a journal without this database\'s records');
Journal::write_file($journal, $shared);

# ---- adopting ----

$node->safe_psql('postgres', 'CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA steward TO clerk; GRANT EXECUTE ON FUNCTION steward.adopt_revocation_journal() TO clerk');
like(steward_error($node, 'SELECT steward.adopt_revocation_journal()', user => 'clerk'), qr/^ERROR:  must be superuser or owner of the extension/, 'not for everybody');

# adopt(NAME, CONTENT of the file or undef, FOUND, matching notice)
sub adopt
{
	my ($name, $content, $found, $notice) = @_;
	my $before = -s $node->logfile;

	defined $content ? Journal::write_file($journal, $content) : unlink $journal;
	my $said = steward_error($node, 'SELECT steward.adopt_revocation_journal()');
	like($said, qr/^NOTICE:  revocation journal was found $found and is adopted\n$notice/, "$name: says what it found");
	is($node->safe_psql('postgres', 'SELECT adopted_by, found FROM steward.revocation_adoption ORDER BY adopted_at DESC LIMIT 1'),
		'postgres|' . $found, "$name: records who");
	like(slurp_file($node->logfile, $before), qr/LOG:  revocation journal was adopted by postgres: found $found/, "$name: in the log, too");
	is($node->safe_psql('postgres', $read), 'name 400', "$name: then all is well");
	journal_contains($name);
	return;
}

sub journal_contains
{
	my ($name) = @_;
	my %held = map { $_ => 1 } split /,/, journal_erased($keyring, $journal);

	is(scalar(grep { !$held{$_} } split /,/, tombstones($node)), 0, "$name: every erased subject is in it");
	return;
}

adopt('whole', $shared, 'whole', 'DETAIL:  It named \d+ subjects');
adopt('older', substr($shared, 0, 20 * $record_bytes), 'shorter', qr/DETAIL:  It named \d+ subjects of this database and lacked \d+ that/);
adopt('missing', undef, 'missing', qr/DETAIL:  It named 0 subjects of this database and lacked \d+ that/);
is($node->safe_psql('other', 'SELECT steward.adopt_revocation_journal(); SELECT pg_catalog.count(name::text) FROM customer'), "\n7", 'each database adopts for itself');
$shared = Journal::slurp($journal);
{
	my $altered = $shared;

	substr($altered, 3 * $record_bytes + 50, 1) ^= 'x';
	adopt('altered', $altered, 'altered', qr/DETAIL:  .*\nHINT:  1 record could not be verified and was left out/);
	my ($kept) = glob "$journal.altered-*";
	ok(defined $kept && Journal::slurp($kept) eq $altered, 'altered: the file is kept as it was');
	is($node->safe_psql('other', 'SELECT pg_catalog.count(name::text) FROM customer'), '7', 'altered: what could be verified of other databases is still there');
	ok(!-e "$journal.new", 'altered: nothing else is left');
}

# No journal any more.
steward_set($node, 'steward.revocation_file' => undef);
like(steward_error($node, $read), qr/^ERROR:  no revocation journal is configured\nDETAIL:  This database had one/, 'unset: refused');
like(steward_error($node, shred()), qr/^ERROR:  no revocation journal is configured/, 'unset: refused for erasures, too');
$next--;
like(steward_error($node, 'SELECT steward.adopt_revocation_journal()'), qr/^NOTICE:  the database does without a revocation journal from now on/, 'doing without can be adopted');
is($node->safe_psql('postgres', $read), 'name 400', 'then all is well');
like(steward_error($node, shred()), qr/^WARNING:  there is no revocation journal/, 'but for the warning');
steward_set($node, 'steward.revocation_file' => $journal);
$node->safe_psql('postgres', $read);
journal_contains('set again');
$node->safe_psql('postgres', shred());
like($node->safe_psql('postgres', 'SELECT pg_catalog.sum(pg_catalog.cardinality(subjects)) > 1 FROM steward.revocation_known'), qr/t/, 'and the database knows it again');

# ---- who may read and write what ----

is($node->safe_psql('postgres', q{SELECT pg_catalog.string_agg(name, ',' ORDER BY name) FROM pg_catalog.pg_settings WHERE name LIKE 'steward.revocation%' AND context = 'sighup'}),
	'steward.revocation_command,steward.revocation_file,steward.revocation_interval,steward.revocation_timeout', 'set in the configuration alone');
is($node->safe_psql('postgres', q{SET ROLE clerk; SELECT pg_catalog.count(*) FROM pg_catalog.pg_settings WHERE name IN ('steward.revocation_command', 'steward.revocation_file')}), '0', 'and not shown to everybody');
like(steward_error($node, 'SELECT * FROM steward.revocation_known', user => 'clerk'), qr/permission denied/, 'nor is what the database knows');
$node->stop;
done_testing();

# The revocation journal where the library is preloaded: the worker that keeps
# and ships it, standbys with journals of their own, failover, and backups that
# are restored to a time before an erasure.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Journal;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $place = steward_directory('revocation');
my ($journal, $shipped, $script) = map { "$place/$_" } qw(journal shipped command);
my $keyring = steward_keyring();

# What the command does; it notes each run.
sub behave
{
	my ($what) = @_;

	open(my $file, '>', "$script.new") or die $!;
	print $file "#!/bin/sh\necho \"\$1\" >> $place/runs\n$what\n";
	close $file or die $!;
	chmod 0700, "$script.new" or die $!;
	rename "$script.new", $script or die $!;
	return;
}

sub runs { return -e "$place/runs" ? scalar(() = slurp_file("$place/runs") =~ /\n/g) : 0; }

my $ship = "cp \"\$1\" $shipped.part && mv $shipped.part $shipped";
behave($ship);

my $node = steward_node('primary', keyring => $keyring, init => { allows_streaming => 1, has_archiving => 1 }, conf => "
steward.revocation_file = '$journal'
steward.revocation_command = '$script \"%p\" 100%%'
steward.revocation_interval = '200ms'
restart_after_crash = on
autovacuum = off");
# Those that are killed at random come after whom we read.
my $soak = $ENV{STEWARD_SOAK};
customers($node, $soak ? 14_000 : 2000);

my $read = 'SELECT name::text FROM customer WHERE id = 2000';

sub shred
{
	my ($where, @customers) = @_;

	$where->safe_psql('postgres', "SELECT steward.shred_subject('customer', '$_')") for @customers;
	return;
}

sub log_says
{
	my ($where, $offset, $pattern, $name) = @_;

	ok(steward_poll(sub { return slurp_file($where->logfile, $offset) =~ $pattern }), $name)
	  or diag slurp_file($where->logfile, $offset);
	return;
}

# ---- the worker ----

ok($node->poll_query_until('postgres', 'SELECT pg_catalog.count(*) > 0 FROM steward.revocation_known'), 'the worker opens the journal before anybody is erased');
is(scalar(grep { $_->{kind} == 1 } (journal_read($keyring, $journal))[1 .. 1]), 1, 'with an opening');
is($node->safe_psql('postgres', q{SELECT pg_catalog.string_agg(DISTINCT backend_type, ',') FROM pg_catalog.pg_stat_activity WHERE backend_type = 'pg_steward revocation journal'}),
	'pg_steward revocation journal', 'it is to be seen');
$node->backup('early');

shred($node, 1);
journal_is($node, $keyring, $journal, 'an erasure is in the journal');
ok(steward_poll(sub { return -e $shipped && journal_erased($keyring, $shipped) eq tombstones($node) }), 'and in its copy');
is((split /\n/, slurp_file("$place/runs"))[0], $journal, 'the command was given the path');
ok($node->poll_query_until('postgres', q{SELECT pg_catalog.count(*) = 0 FROM steward.subject_key AS s WHERE s.erased_at IS NOT NULL AND NOT EXISTS (SELECT FROM steward.revocation_known AS k WHERE s.subject = ANY (k.subjects))}), 'and the database knows that it is there');

my $runs = runs();
sleep 1;
is(runs(), $runs, 'without changes the command does not run');

my $offset = -s $node->logfile;
behave('exit 7');
{
	# A point in time at which the database has not recorded what its journal got.
	my $holder = steward_session($node);

	$holder->query('BEGIN; LOCK TABLE steward.revocation_known IN SHARE UPDATE EXCLUSIVE MODE');
	shred($node, 2);
	$node->safe_psql('postgres', q{SELECT pg_catalog.pg_create_restore_point('unrecorded')});
	$holder->query('COMMIT');
	$holder->quit;
}
log_says($node, $offset, qr/LOG:  steward\.revocation_command failed: child process exited with exit code 7\n.*The revocation journal was not copied/, 'a failing command is logged');
$runs = runs();
ok(steward_poll(sub { return runs() > $runs + 1 }), 'and run again');
behave($ship);
ok(steward_poll(sub { return journal_erased($keyring, $shipped) eq tombstones($node) }), 'until it works');

$offset = -s $node->logfile;
steward_set($node, 'steward.revocation_timeout' => '300ms');
behave('sleep 600');
shred($node, 3);
log_says($node, $offset, qr/LOG:  steward\.revocation_command did not finish in time/, 'one that hangs is ended');
journal_is($node, $keyring, $journal, 'and nobody waited for it');
behave($ship);
steward_set($node, 'steward.revocation_timeout' => undef);
ok(steward_poll(sub { return journal_erased($keyring, $shipped) eq tombstones($node) }), 'then it works again');

# It makes up for what a session could not write, without anybody reading.
held_commit($node, q{SELECT steward.shred_subject('customer', '4')}, sub { rename $journal, "$journal.away" or die $!; });
rename "$journal.away", $journal or die $!;
journal_is($node, $keyring, $journal, 'the worker makes up for an append that failed');
$offset = -s $node->logfile;
rename $journal, "$journal.away" or die $!;
$node->safe_psql('postgres', 'CREATE TABLE noise AS SELECT 1');
log_says($node, $offset, qr/LOG:  revocation journal is not kept for database \d+: revocation journal is missing/, 'it says when the journal is missing');
$node->safe_psql('postgres', "INSERT INTO noise VALUES ($_)") for 1 .. 3;
sleep 1;
is(scalar(() = slurp_file($node->logfile, $offset) =~ /is not kept for database/g), 1, 'but not at each visit');
rename "$journal.away", $journal or die $!;

# Databases come and go without waiting for it.
{
	my $failed = 0;

	for my $round (1 .. 8)
	{
		$node->safe_psql('postgres', "CREATE DATABASE d$round");
		$node->safe_psql("d$round", q{CREATE EXTENSION pg_steward; SELECT steward.create_key('pii')});
		select(undef, undef, undef, 0.05 * $round);
		$failed++ if $node->psql('postgres', "DROP DATABASE d$round");
	}
	is($failed, 0, 'DROP DATABASE is not in its way, nor it in that of DROP DATABASE');
}

# ---- killed at random ----

my $rounds = $soak ? 60 : 4;
my $next = $soak ? 2100 : 10;
for my $round (1 .. $rounds)
{
	my @sessions;

	for (1 .. 3)
	{
		my $session = steward_session($node);
		my $first = $next;

		$next += 60;
		$session->query_until(qr/go/, "\\echo go\n" . join('', map { "SELECT steward.shred_subject('customer', '$_');\n" } $first .. $first + 50));
		push @sessions, $session;
	}
	select(undef, undef, undef, rand(0.15));
	$node->stop('immediate');
	eval { $_->quit } for @sessions;
	$node->start;
	journal_is($node, $keyring, $journal, "round $round: after a crash the journal is what the table says");
	isnt((journal_read($keyring, $journal))[0], 'altered', "round $round: and whole");
}
is($node->safe_psql('postgres', $read), 'name 2000', 'who lives can be read');

# ---- no worker to be had ----

$offset = -s $node->logfile;
$node->append_conf('postgresql.conf', 'max_worker_processes = 3');
$node->restart;
$node->safe_psql('postgres', 'INSERT INTO noise VALUES (5)');
log_says($node, $offset, qr/LOG:  revocation journal is not kept while no background worker is free\n.*HINT:  Raise max_worker_processes/s, 'without room for a worker: it says so');
held_commit($node, q{SELECT steward.shred_subject('customer', '1900')}, sub { rename $journal, "$journal.away" or die $!; });
rename "$journal.away", $journal or die $!;
$node->safe_psql('postgres', $read);
journal_is($node, $keyring, $journal, 'and sessions do what is to be done');
$node->adjust_conf('postgresql.conf', 'max_worker_processes', undef);
$node->restart;

# ---- a standby ----

$node->backup('later');
my $standby = PostgreSQL::Test::Cluster->new('standby');
my $own = "$place/standby";
$standby->init_from_backup($node, 'later', has_streaming => 1);
$standby->adjust_conf('postgresql.conf', 'steward.revocation_file', "'$own'");
$standby->adjust_conf('postgresql.conf', 'steward.revocation_command', undef);
$standby->adjust_conf('postgresql.conf', 'archive_mode', 'off');
$standby->start;
$node->wait_for_catchup($standby);
like(steward_error($standby, $read), qr/^ERROR:  revocation journal is missing/, 'a new standby has no journal');
ok(!-e $own, 'and none is made unasked');
copy_file($shipped, $own);
is($standby->safe_psql('postgres', $read), 'name 2000', 'with a copy of the primary\'s it reads');
unlink $own;
like(steward_error($standby, 'SELECT steward.adopt_revocation_journal()'), qr/^NOTICE:  revocation journal was found missing and is adopted/, 'or it adopts one of its own');
is($standby->safe_psql('postgres', $read), 'name 2000', 'and reads');
journal_is($standby, $keyring, $own, 'which names what the primary has erased', more => 1);

my $session = steward_session($standby);
is($session->query('SELECT name::text FROM customer WHERE id = 1950'), 'name 1950', 'a session on the standby');
shred($node, 1950);
$node->wait_for_catchup($standby);
is($session->query('SELECT name::text FROM customer WHERE id = 1950'), '', 'an erasure arrives there');
$session->quit;
journal_is($standby, $keyring, $own, 'and in its journal', more => 1);
$node->safe_psql('postgres', q{CREATE DATABASE second});
customers($node, 5, 'second');
$node->safe_psql('second', q{SELECT steward.shred_subject('customer', '1')});
$node->wait_for_catchup($standby);
journal_is($standby, $keyring, $own, 'a new database is followed, too', more => 1, database => 'second');
is($standby->safe_psql('second', 'SELECT pg_catalog.count(name::text) FROM customer'), '4', 'and read');

# ---- another root ----

{
	my $old = steward_session($node);

	is($old->query($read), 'name 2000', 'a session has the root of before');
	system_or_bail('pg_steward_keygen', '--add', $keyring);
	shred($node, 1949);
	is($old->query($read), 'name 2000', 'and reads the journal when there is a record under the new one, before the reload');
	is($old->query('SELECT name::text FROM customer WHERE id = 1949'), '', 'which it heeds');
	$old->quit;
}
$_->reload for $node, $standby;
$node->safe_psql('postgres', 'CALL steward.rotate_root_key()');
$node->safe_psql('second', 'CALL steward.rotate_root_key()');
my $newest = steward_directory('newest') . '/root.key';
Journal::write_file($newest, (steward_root_keys($keyring))[-1]{line});
for my $file ($journal, $own)
{
	ok(steward_poll(sub { return (journal_read($newest, $file))[0] ne 'other root' }), 'every node writes its journal anew under the newest root');
}
$node->wait_for_catchup($standby);
steward_set($_, 'steward.root_key_file' => $newest) for $node, $standby;
is($standby->safe_psql('postgres', $read), 'name 2000', 'the old root may then leave the keyrings');

# ---- failover ----

shred($node, 1951);
$node->wait_for_catchup($standby);
$node->stop('immediate');
$standby->promote;
is($standby->safe_psql('postgres', $read), 'name 2000', 'after a failover the new primary reads with its own journal');
is($standby->safe_psql('postgres', 'SELECT pg_catalog.count(name::text) FROM customer WHERE id IN (1950, 1951)'), '0', 'the erased stay so');
is($standby->safe_psql('postgres', q{SELECT steward.shred_subject('customer', '1952')}), 't', 'and it erases');
journal_is($standby, $keyring, $own, 'into its own journal', more => 1);
$standby->stop;
$node->start;

# ---- backups ----

$node->safe_psql('postgres', q{SELECT pg_catalog.pg_create_restore_point('between')});
shred($node, 1953);
my $segment = $node->safe_psql('postgres', 'SELECT pg_catalog.pg_walfile_name(pg_catalog.pg_switch_wal())');
$node->poll_query_until('postgres', "SELECT last_archived_wal >= '$segment' FROM pg_catalog.pg_stat_archiver") or die 'WAL is not archived';
journal_is($node, $keyring, $shipped, 'the copy is current', more => 1);
# Backups are of before the rotation.
steward_set($node, 'steward.root_key_file' => $keyring);
my $current = Journal::slurp($shipped);
my ($state, @records) = journal_read($keyring, $shipped);

# restored(NAME, JOURNAL, OPTIONS of init_from_backup): a node from the early backup
sub restored
{
	my ($name, $content, %options) = @_;
	my $restored = PostgreSQL::Test::Cluster->new($name);
	my $path = "$place/$name";

	Journal::write_file($path, $content) if defined $content;
	$restored->init_from_backup($node, 'early', %options);
	$restored->adjust_conf('postgresql.conf', 'steward.revocation_file', "'$path'");
	$restored->adjust_conf('postgresql.conf', 'steward.revocation_command', undef);
	$restored->adjust_conf('postgresql.conf', 'archive_mode', 'off');
	return ($restored, $path);
}

{
	my ($restored, $path) = restored('plain', $current);

	$restored->start;
	is(tombstones($restored), '', 'a backup of before the erasures knows nothing of them');
	like(steward_error($restored, 'SELECT name::text FROM customer WHERE id = 1'), qr/^ERROR:  a value is bound to a subject that was erased/, 'but the journal does: the erased are not read');
	is($restored->safe_psql('postgres', $read), 'name 2000', 'the others are');
	like($restored->safe_psql('postgres', 'SELECT steward.apply_revocations()'), qr/^\d+$/, 'the erasures are done again');
	is($restored->safe_psql('postgres', 'SELECT pg_catalog.count(*), pg_catalog.count(name::text) FROM customer WHERE id IN (1, 2, 3, 1953)'), '4|0', 'then the erased read as null');
	$restored->stop;
}
{
	# The journal of that time, and a copy that lost its end: the database knows.
	my ($restored, $path) = restored('missing', undef);

	$restored->start;
	like(steward_error($restored, 'SELECT name::text FROM customer WHERE id = 1'), qr/^ERROR:  revocation journal is missing/, 'restored without a journal: nobody is read');
	like(steward_error($restored, $read), qr/^ERROR:  revocation journal is missing/, 'not even who lives');
	ok(!-e $path, 'and none is made unasked');
	copy_file($shipped, $path);
	is($restored->safe_psql('postgres', $read), 'name 2000', 'until it is in its place');
	$restored->stop;
}
{
	# A journal that lacks an erasure which its database replays, but does not know
	# to have been in it yet: nothing is added, or an older journal could never be told.
	my $older = substr($current, 0, 2 * $record_bytes);
	my ($restored, $path) = restored('unrecorded', $older, has_restoring => 1, standby => 0);

	$restored->append_conf('postgresql.conf', "recovery_target_name = 'unrecorded'\nrecovery_target_action = 'pause'");
	$restored->start;
	$restored->poll_query_until('postgres', 'SELECT pg_catalog.pg_get_wal_replay_pause_state() = \'paused\'') or die 'recovery did not pause';
	is($restored->safe_psql('postgres', $read), 'name 2000', 'unrecorded: who lives is read');
	is($restored->safe_psql('postgres', 'SELECT name::text FROM customer WHERE id = 2'), '', 'unrecorded: who is erased is not');
	sleep 1;
	ok(Journal::slurp($path) eq $older, 'unrecorded: while it is recovered the journal stays as it is');
	$restored->safe_psql('postgres', 'SELECT pg_catalog.pg_promote()');
	journal_is($restored, $keyring, $path, 'unrecorded: and is completed then');
	$restored->stop;
}
{
	# To a point in time between two erasures, the worker at work meanwhile.
	my $older = substr($current, 0, 2 * $record_bytes);

	for my $content ($older, $current)
	{
		my $name = $content eq $current ? 'pitr' : 'pitr_older';
		my ($restored, $path) = restored($name, $content, has_restoring => 1, standby => 0);

		$restored->append_conf('postgresql.conf', "recovery_target_name = 'between'\nrecovery_target_action = 'pause'");
		$restored->start;
		$restored->poll_query_until('postgres', 'SELECT pg_catalog.pg_get_wal_replay_pause_state() = \'paused\'') or die 'recovery did not pause';
		for my $phase ('paused', 'promoted')
		{
			if ($name eq 'pitr')
			{
				is($restored->safe_psql('postgres', $read), 'name 2000', "$name, $phase: who lives is read");
				like(steward_error($restored, 'SELECT name::text FROM customer WHERE id = 1953'), qr/^ERROR:  a value is bound to a subject that was erased/, "$name, $phase: who was erased later is not");
				is($restored->safe_psql('postgres', 'SELECT name::text FROM customer WHERE id = 3'), '', "$name, $phase: nor who was erased before");
			}
			else
			{
				like(steward_error($restored, $read), qr/^ERROR:  revocation journal is not the newest/, "$name, $phase: an older journal is refused");
				is(substr(Journal::slurp($path), 0, 400), substr($older . "\0" x 400, 0, length(Journal::slurp($path)) < 400 ? length(Journal::slurp($path)) : 400), "$name, $phase: and stays as it is");
			}
			$restored->safe_psql('postgres', 'SELECT pg_catalog.pg_promote()') if $phase eq 'paused';
		}
		$restored->stop;
	}
}
$node->stop;
done_testing();

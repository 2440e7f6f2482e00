# A process that holds keys hides its memory, unless told otherwise; one that
# holds none, and the postmaster, are left as they are.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $node = steward_node('main');
my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];

$node->safe_psql('postgres', q{SELECT steward.create_key('pii'); CREATE TABLE t (v steward.encrypted_text('pii/t.v')); INSERT INTO t VALUES ('plain')});

# Can another process of the server's user read the memory?
sub readable
{
	my ($pid) = @_;

	return open(my $memory, '<', "/proc/$pid/mem") ? 1 : 0;
}

sub owner
{
	my ($pid) = @_;

	return (stat "/proc/$pid/mem")[4] // -1;
}

for my $protect ('on', 'off')
{
	my $hidden = $protect eq 'on';
	my %uses = (
		'decryption' => 'SELECT v::text FROM t',
		'encryption' => q{INSERT INTO t VALUES ('more')},
		'a constant' => q{SELECT 'x'::steward.encrypted_text IS NULL});

	steward_set($node, 'steward.protect_memory' => $protect);
	for my $use (sort keys %uses)
	{
		my $session = steward_session($node);
		my $pid = $session->query('SELECT pg_catalog.pg_backend_pid()');

		$session->query('SELECT pg_catalog.count(*) FROM t; SELECT v FROM t');
		ok(readable($pid), "$protect: before $use the process is as it was");
		$session->query($uses{$use});
		is(readable($pid), $hidden ? 0 : 1, "$protect: after $use its memory is " . ($hidden ? 'hidden' : 'as it was'));
		is(owner($pid) == $>, !$hidden, "$protect: and belongs to " . ($hidden ? 'root' : 'the user'));
		like(
			steward_error($session, q{SELECT pg_catalog.octet_length(pg_catalog.pg_read_binary_file('/proc/self/mem', 0, 0))}),
			$hidden ? qr/Permission denied/ : qr/^(?!.*Permission denied)/s,
			"$protect: by SQL too");
		$session->quit;
	}
}
ok(readable($postmaster), 'the postmaster is left alone');

# A parallel worker that decrypts hides itself as well and still works.
steward_set($node, 'steward.protect_memory' => 'on');
is($node->safe_psql('postgres', q{
INSERT INTO t SELECT 'row ' || g FROM generate_series(1, 2000) g;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2; ALTER TABLE t SET (parallel_workers = 2);
SELECT pg_catalog.count(*) FROM t WHERE v::text LIKE 'row %'}), '2000', 'parallel workers decrypt');

# A session that holds keys already hides when protection is turned on, at its
# next use of a key after the reload.
{
	steward_set($node, 'steward.protect_memory' => 'off');
	my $session = steward_session($node);
	my $pid = $session->query('SELECT pg_catalog.pg_backend_pid()');

	$session->query('SELECT pg_catalog.count(v::text) FROM t');
	ok(readable($pid), 'not protected');
	steward_set($node, 'steward.protect_memory' => 'on');
	steward_await($session);
	$session->query('SELECT pg_catalog.count(v::text) FROM t');
	ok(!readable($pid), 'protected after a reload');
	$session->quit;
}

# Keys of subjects in a session that has been told that somebody was erased, but
# has nothing more to do with subjects. Its memory is in one piece of pages that
# are left out of cores.
sub subject_keys
{
	my ($pid) = @_;
	my ($from, $to, $found) = (0, 0, '');

	open(my $memory, '<:raw', "/proc/$pid/mem") or die "mem: $!";
	for my $line (split /\n/, slurp_file("/proc/$pid/smaps"))
	{
		($from, $to) = (hex $1, hex $2) if $line =~ /^([0-9a-f]+)-([0-9a-f]+) /;
		next unless $line =~ /^VmFlags:.* dd\b/ && $to - $from == 4096 * 48;
		sysseek($memory, $from, 0) or die "seek: $!";
		sysread($memory, $found, $to - $from) == $to - $from or die "read: $!";
		return $found =~ /[^\0]/ ? 'keys' : 'zeros';
	}
	return 'no memory';
}

{
	steward_set($node, 'steward.protect_memory' => 'off');
	$node->safe_psql('postgres', q{CREATE TABLE person (id int, v steward.encrypted_text('pii/person.v')); SELECT steward.bind_subject('person', 'person', 'id'); INSERT INTO person SELECT g, 'p' FROM generate_series(1, 20) AS g});
	my $session = steward_session($node);
	my $pid = $session->query('SELECT pg_catalog.pg_backend_pid()');
	my $next = 0;
	my $shred = sub { $next++; $node->safe_psql('postgres', "SELECT steward.shred_subject('person', '$next')") };

	$session->query('SELECT pg_catalog.count(v::text) FROM person');
	is(subject_keys($pid), 'keys', 'a session that read has keys of subjects');
	$shred->();
	is(subject_keys($pid), 'keys', 'an idle one still does after an erasure');
	$session->query('SELECT 1');
	is(subject_keys($pid), 'zeros', 'until its next statement, whatever that is');
	is($session->query('SELECT pg_catalog.count(v::text) FROM person'), '19', 'it reads what is left');
	is(subject_keys($pid), 'keys', 'with keys again');
	$session->query('BEGIN; SELECT 1');
	$shred->();
	$session->query('SELECT 1');
	$session->query('ROLLBACK');
	is(subject_keys($pid), 'zeros', 'or the end of its transaction');
	$session->query('SELECT pg_catalog.count(v::text) FROM person');
	$shred->();
	is(subject_keys($pid), 'keys', 'idle again');
	$node->safe_psql('postgres', 'DO $$ BEGIN FOR i IN 1 .. 400 LOOP CREATE TEMPORARY TABLE noise (a text PRIMARY KEY, b text, c text); DROP TABLE noise; COMMIT; END LOOP; END $$');
	ok(steward_poll(sub { return subject_keys($pid) eq 'zeros' }), 'or until the server tells it what it missed');
	$session->quit;
}

# Where memory cannot be locked keys work all the same: one WARNING a session.
{
	system_or_bail('prlimit', "--pid=$postmaster", '--memlock=0:');
	my $session = steward_session($node);

	like(steward_error($session, 'SELECT pg_catalog.count(v::text) FROM t'), qr/^WARNING: +memory for keys could not be locked/, 'a WARNING without locked memory');
	is(steward_error($session, 'SELECT pg_catalog.count(v::text) FROM t'), '', 'once');
	is($session->query(q{SELECT pg_catalog.count(*) FROM t WHERE v::text LIKE 'row %'}), '2000', 'it decrypts');
	$session->quit;
}

$node->stop;
done_testing();

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

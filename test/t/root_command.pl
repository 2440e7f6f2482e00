# Root keys from a command: how often it runs, every way it can fail, what a
# reload, a crash, a shutdown and a standby make of it, and that its keys are not
# to be had through the file system or the log.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;
use POSIX ();
use Time::HiRes ();

my $directory = steward_directory('command');
my $keyring = steward_keyring();
my @roots = steward_root_keys($keyring);
my $counter = "$directory/count";
my $script = "$directory/command";
my $node;

# The command is a script that counts its runs and then does what it is told.
sub behave
{
	my ($what) = @_;

	open(my $file, '>', "$script.new") or die $!;
	print $file "#!/bin/sh\necho run >> $counter\n$what\n";
	close $file or die $!;
	chmod 0700, "$script.new" or die $!;
	rename "$script.new", $script or die $!;
	return;
}

sub runs
{
	return -e $counter ? scalar(() = slurp_file($counter) =~ /^run$/mg) : 0;
}

# Reloads and waits for the one run that this must cause.
sub reload_and_run
{
	my ($settings, $log) = @_;
	my $before = runs();
	my $offset = -s $node->logfile;

	steward_set($node, %$settings);
	ok(steward_poll(sub { return slurp_file($node->logfile, $offset) =~ $log }), "the log says $log")
	  or diag slurp_file($node->logfile, $offset);
	is(runs() - $before, 1, 'one run a reload');
	return;
}

my $taken = qr/root keys were read from steward\.root_key_command/;

behave("cat $keyring");
$node = steward_node('main', keyring => undef, conf => "steward.root_key_command = '$script'
steward.root_key_timeout = '1s'
restart_after_crash = on", init => { allows_streaming => 1 });
is($node->safe_psql('postgres', q{SELECT steward.create_key('pii'); CREATE TABLE t (v steward.encrypted_text('pii/t.v')); INSERT INTO t VALUES ('plain'); SELECT v::text FROM t}),
	"\nplain", 'keys come from the command');
$node->safe_psql('postgres', 'SELECT v::text FROM t') for 1 .. 5;
is(runs(), 1, 'it runs once, not in each session');

reload_and_run({}, $taken);
is($node->safe_psql('postgres', 'SELECT v::text FROM t'), 'plain', 'after a reload');

# ---- a reload whose run fails leaves the keys of the last good one ----

my $session = steward_session($node);
is($session->query('SELECT v::text FROM t'), 'plain', 'a session has keys');

my $never = "$directory/never";
my %failures = (
	'a failing command' => [ 'exit 3', qr/root_key_command failed: child process exited with exit code 3\n.*Keys that an earlier run gave stay/ ],
	'one that fails after a whole keyring' => [ "cat $keyring; exit 1", qr/root_key_command failed/ ],
	'one that ends by a signal' => [ "cat $keyring; kill -KILL \$\$", qr/root_key_command failed: child process (exited with exit code 137|was terminated by signal 9)/ ],
	'one that hangs' => [ 'sleep 600', qr/root_key_command did not finish in time/ ],
	'one that prints and hangs' => [ "cat $keyring; sleep 600", qr/root_key_command did not finish in time/ ],
	'one that closes its output and lingers' => [ "cat $keyring; exec >&-; sleep 600", qr/root_key_command did not finish in time/ ],
	'one that leaves a child with its output' => [ "cat $keyring; (sleep 5; touch $never) &", qr/root_key_command did not finish in time/ ],
	'one that prints too much' => [ "cat $keyring; yes '# more'", qr/root_key_command printed too much/ ],
	'one that prints garbage' => [ 'echo SECRETGARBAGE', qr/printed no usable keyring \(line 1: / ],
	'one that prints nothing' => [ 'exit 0', qr/printed no usable keyring/ ],
	'one that does not exist' => [ "exec $directory/nothing", qr/root_key_command failed/ ]);
for my $name (sort keys %failures)
{
	note $name;
	behave($failures{$name}[0]);
	reload_and_run({}, $failures{$name}[1]);
	is($session->query('SELECT v::text FROM t'), 'plain', "$name: a running session keeps its keys");
	is($node->safe_psql('postgres', 'SELECT v::text FROM t'), 'plain', "$name: new sessions have them too");
}
unlike(slurp_file($node->logfile), qr/SECRETGARBAGE/, 'what a command prints does not reach the log');

# ---- a reload that brings other keys, or no command ----

my $other = steward_keyring();
behave("cat $other $keyring");
reload_and_run({}, $taken);
is($session->query('SELECT v::text FROM t'), 'plain', 'a longer keyring');
behave("cat $other");
reload_and_run({}, $taken);
like(steward_error($session, 'SELECT v::text FROM t'), qr/^ERROR:  root key $roots[0]{id} is not in the keyring/, 'a running session sees that a root is gone');
behave("cat $keyring");
steward_set($node, 'steward.root_key_command' => undef);
steward_await($session);
like(steward_error($session, 'SELECT v::text FROM t'), qr/no root key is available/, 'without a command there are no keys');
reload_and_run({ 'steward.root_key_command' => $script }, $taken);
steward_await($session);
is($session->query('SELECT v::text FROM t'), 'plain', 'with it there are');
$session->quit;

# ---- the keys are not to be had by SQL, not even by a superuser ----

my @needles = map { ($_->{bytes}, $_->{base64}) } @roots;

# Whatever can be read of the process that serves the session, in hexadecimal.
# used => 1: after it has used keys. Reads what pg_read_binary_file gives.
for my $used (0, 1)
{
	my $use = $used ? 'SELECT v::text FROM t;' : '';
	my $when = $used ? 'with keys' : 'without keys';
	my ($out, $err);

	$node->safe_psql('postgres', q{
CREATE OR REPLACE FUNCTION peek(path text, at bigint, len bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN pg_catalog.encode(pg_catalog.pg_read_binary_file(path, at, len), 'hex');
EXCEPTION WHEN OTHERS THEN
    RETURN 'error: ' || SQLERRM;
END $$;
CREATE OR REPLACE FUNCTION peek_directory(path text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT path || '/' || f FROM pg_catalog.pg_ls_dir(path) AS f;
EXCEPTION WHEN OTHERS THEN
    RETURN NEXT 'error: ' || SQLERRM;
END $$;});
	$node->psql('postgres', "$use SELECT f, peek(f, 0, 65536) FROM peek_directory('/proc/self/fd') f", stdout => \$out);
	is(join(',', grep { index($out, unpack('H*', $_)) >= 0 } @needles), '', "$when: no open file holds a key");
	cmp_ok(length $out, '>', $used ? 10 : 1000, "$when: the open files were looked at");
	$node->psql('postgres', "$use SELECT f, peek(f, 0, 65536) FROM peek_directory('/proc/self/map_files') f WHERE f NOT LIKE 'error%' LIMIT 1000", stdout => \$out);
	is(join(',', grep { index($out, unpack('H*', $_)) >= 0 } @needles), '', "$when: no mapped file holds a key");
	$node->psql('postgres', "$use SELECT peek('/proc/self/environ', 0, 65536), peek('/proc/self/cmdline', 0, 65536)", stdout => \$out);
	is(join(',', grep { index($out, unpack('H*', $_)) >= 0 } @needles), '', "$when: neither environment nor arguments hold a key");
}
$node->psql('postgres', 'SELECT v::text FROM t; SELECT peek(\'/proc/self/mem\', 4096, 16)', stdout => \my $memory);
like($memory, qr/^error: could not open file .*Permission denied/m, 'a session with keys cannot read its own memory');
is(join(',', map { steward_file_holds($_, @needles) } glob('/dev/shm/*')), '', 'no shared memory file holds a key');

my $worker = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_steward root keys'});
my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
my ($seen, $reopened) = (0, 0);
for my $pid ($worker, $postmaster)
{
	for my $fd (glob "/proc/$pid/fd/*")
	{
		my $name = readlink($fd) // '';

		next unless $name =~ m{^/dev/shm/pg_steward};
		$seen++;
		$reopened++ if open(my $handle, '<', $fd);
	}
}
is($seen, 1, 'the postmaster hands that memory on; the worker hides what it has open');
is($reopened, 0, 'the memory that holds the keys cannot be opened again through /proc');
ok(!open(my $handle, '<', "/proc/$worker/mem"), "the worker's memory cannot be read");

# ---- the worker sees to the keys again after a crash ----

behave("cat $keyring");
my $before = runs();
my $victim = steward_session($node);
my $pid = $victim->query('SELECT pg_catalog.pg_backend_pid()');
kill 'KILL', $pid;
ok(steward_poll(sub { return runs() > $before }), 'a crash restart runs it again');
$node->poll_query_until('postgres', 'SELECT true');
is($node->safe_psql('postgres', 'SELECT v::text FROM t'), 'plain', 'keys after a crash');
is(runs() - $before, 1, 'once');
eval { $victim->quit };

# ---- on a standby ----

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$before = runs();
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT v::text FROM t'), 'plain', 'a standby runs the command itself');
is(runs() - $before, 1, 'once');
$standby->stop;

# ---- fast shutdown while it hangs, and a start without keys ----

steward_set($node, 'steward.root_key_timeout' => '600s');
for my $hang ("sleep 600", "cat $keyring; exec >&-; sleep 600")
{
	my $since;

	$before = runs();
	behave($hang);
	steward_set($node);
	steward_poll(sub { return runs() > $before });
	$since = Time::HiRes::time();
	$node->stop('fast');
	cmp_ok(Time::HiRes::time() - $since, '<', 5, "fast shutdown does not wait for \"$hang\"");
	behave("cat $keyring");
	$node->start;
}
is($node->safe_psql('postgres', 'SELECT v::text FROM t'), 'plain', 'up again');
is(`ps -eo args | grep -c '^[s]leep 600'`, "0\n", 'no command outlives its run');
ok(!-e $never, 'nor a child of one');

behave('exit 1');
steward_set($node, 'steward.root_key_timeout' => '1s');
my $offset = -s $node->logfile;
$node->restart;
ok(steward_poll(sub { return slurp_file($node->logfile, $offset) =~ /root_key_command failed.*\n.*HINT:  There are no root keys until it succeeds/ }), 'the log does not speak of earlier keys');
like(steward_error($node, 'SELECT v::text FROM t'),
	qr/^ERROR:  no root key is available\nDETAIL:  The root key command failed: child process exited with exit code 1\.\nHINT:  .*reload/, 'a command that fails at start: no keys, and why');
is($node->safe_psql('postgres', 'SELECT pg_catalog.count(*) FROM t'), '1', 'the server runs all the same');
behave("cat $keyring");
reload_and_run({}, $taken);
is($node->safe_psql('postgres', 'SELECT v::text FROM t'), 'plain', 'a reload mends it');

# A worker that is still waiting lets sessions wait for it, not fail.
behave("sleep 0.7; cat $keyring");
steward_set($node, 'steward.root_key_timeout' => '10s');
$node->restart;
is($node->safe_psql('postgres', 'SELECT v::text FROM t'), 'plain', 'a session waits for the first run');

# ---- no descriptor of the server is the command's, however high ----

SKIP:
{
	my $high = 2000;

	open(my $inherited, '<', $keyring) or die $!;
	skip 'so many files cannot be open', 3 unless defined POSIX::dup2(fileno($inherited), $high);
	$node->stop;
	behave("ls /proc/\$\$/fd > $directory/fds; cat $keyring");
	$node->start;
	POSIX::close($high);
	my ($first) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	ok(-e "/proc/$first/fd/$high", 'the server has it open');
	is($node->safe_psql('postgres', 'SELECT v::text FROM t'), 'plain', 'the command ran');
	unlike(slurp_file("$directory/fds"), qr/^$high$/m, 'the command has not');
}

# ---- without a slot for the worker ----

for my $slots (0, 1, 8)
{
	$node->append_conf('postgresql.conf', "max_worker_processes = $slots");
	$node->restart;
	if ($slots < 2)
	{
		like(steward_error($node, 'SELECT v::text FROM t'),
			qr/^ERROR:  no root key is available\nDETAIL:  The worker .* was not started\.\nHINT:  Raise max_worker_processes/, 'without a worker it says so');
	}
	else
	{
		is($node->safe_psql('postgres', 'SELECT v::text FROM t'), 'plain', "keys with $slots slots");
	}
}

# ---- without preloading ----

$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', undef);
$before = runs();
$node->restart;
like(steward_error($node, 'SELECT v::text FROM t'),
	qr/^ERROR:  no root key is available\n.*preloaded\.\nHINT:  Add shared_preload_libraries = 'pg_steward' to postgresql\.conf/, 'not preloaded: the line to add');
is(runs(), $before, 'and no run');

is(join(',', steward_file_holds($node->logfile, @needles, unpack('H*', $roots[0]{bytes}))), '', 'no key in the log');
$node->stop;
done_testing();

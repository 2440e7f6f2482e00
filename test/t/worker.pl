# The background machinery: it works where something is due and leaves when nothing
# is, whatever ends it; it stands in nobody's way, and serves all databases.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = steward_node('worker',
	conf => "steward.audit_segment_size = 64kB\nrestart_after_crash = on\n",
	init => { allows_streaming => 1 });
my $workers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_steward worker'};
my $blocked = q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pg_steward worker'
	AND application_name = 'pg_steward: segments of the audit log' AND query = application_name AND state = 'active' AND wait_event_type = 'Lock'};

# A database with an audited table.
sub prepare
{
	my ($database) = @_;

	$node->safe_psql($database, q{
		CREATE EXTENSION IF NOT EXISTS pg_steward;
		CREATE TABLE t (id serial PRIMARY KEY, v text);
		SELECT steward.enable_audit('t')});
	return;
}

# Writes more than a segment is to hold.
sub write_much
{
	my ($database, $on) = @_;

	($on // $node)->safe_psql($database, q{INSERT INTO t (v) SELECT repeat('x', 100) FROM generate_series(1, 1500)});
	return;
}

# How many segments are closed; waits until there are at least so many.
sub closed
{
	my ($database, $least, $on) = @_;
	my $node = $on // $node;

	$node->poll_query_until($database, "SELECT count(*) >= $least FROM steward.audit_segment_closed")
	  or die 'no segment was closed';
	return $node->safe_psql($database, 'SELECT count(*) FROM steward.audit_segment_closed');
}

# Writes, and waits for what the worker makes of it.
sub closes_one
{
	my ($database, $what) = @_;
	my $before = $node->safe_psql($database, 'SELECT count(*) FROM steward.audit_segment_closed');

	write_much($database);
	closed($database, $before + 1);
	pass($what);
	return;
}

# Seconds that something takes.
sub seconds
{
	my ($deed) = @_;
	my $begin = time;

	$deed->();
	return time - $begin;
}

sub quickly
{
	my ($what, $database, @sql) = @_;
	my $failed = '';
	my $took = seconds(sub { $failed .= steward_error($node, $_, database => $database) for @sql });

	unlike($failed, qr/ERROR/, $what);
	cmp_ok($took, '<', 4, "$what: without waiting for the worker");
	return;
}

sub log_since
{
	my ($offset) = @_;

	return substr(slurp_file($node->logfile), $offset);
}

sub leaves
{
	my ($what) = @_;

	ok($node->poll_query_until('postgres', "SELECT ($workers) = 0"), $what);
	return;
}

# ---- comes and goes ----

is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_steward launcher'}), '1', 'there is a launcher');
prepare('postgres');
write_much('postgres');
closed('postgres', 1);
pass('what is due is done');
is($node->safe_psql('postgres', q{SELECT segment, steward.audit_event(payload) FROM steward.audit_record WHERE op = 'S'}),
	'1|{"event": "switch_segment", "details": {"segment": 2}}', 'once, and recorded');
leaves('the worker leaves when there is nothing to do');

# ---- somebody is in the way ----

my $session = steward_session($node);
$session->query('BEGIN; LOCK TABLE steward.audit_segment IN SHARE MODE');
write_much('postgres');
ok($node->poll_query_until('postgres', $blocked), 'pg_stat_activity tells what it does');
my $offset = -s $node->logfile;
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_steward worker' AND wait_event_type = 'Lock'});
$node->wait_for_log(qr/background duty "segments of the audit log" failed in database "postgres": canceling statement due to user request\n.*DETAIL:  The error is 57014/, $offset);
pass('a cancel ends what it does, which is logged');
ok($node->poll_query_until('postgres', $blocked), 'it tries again');
$session->query('COMMIT');
$session->quit;
closed('postgres', 2);

# ---- an error ----

$offset = -s $node->logfile;
$node->safe_psql('postgres', 'CREATE TABLE steward.audit_log_4 ()');
write_much('postgres');
$node->wait_for_log(qr/background duty "segments of the audit log" failed in database "postgres": relation "audit_log_4" already exists\n.*DETAIL:  The error is 42P07/, $offset);
# It is tried again after 1 second, and after 2 more.
sleep 3.5;
my $complaints = () = log_since($offset) =~ /audit_log_4" already exists/g;
is($complaints, 1, 'an error is logged once, not at each try');
$node->safe_psql('postgres', 'DROP TABLE steward.audit_log_4');
closed('postgres', 3);
pass('it works again when the reason is gone');

# ---- ends ----

$session = steward_session($node);
$session->query('BEGIN; LOCK TABLE steward.audit_segment IN SHARE MODE');
write_much('postgres');
$node->poll_query_until('postgres', $blocked) or die 'the worker does not wait';
my $stop = seconds(sub { $node->stop('fast') });
cmp_ok($stop, '<', 3, 'a fast stop is fast');
eval { $session->quit };
$node->start;
closed('postgres', 4);
pass('after a start it looks for what was left');

$session = steward_session($node);
$session->query('BEGIN; LOCK TABLE steward.audit_segment IN SHARE MODE');
write_much('postgres');
$node->poll_query_until('postgres', $blocked) or die 'the worker does not wait';
my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_steward worker' AND wait_event_type = 'Lock'});
$offset = -s $node->logfile;
kill 'KILL', $pid;
eval { $session->quit };
$node->wait_for_log(qr/all server processes terminated; reinitializing/, $offset);
steward_poll(sub { $node->psql('postgres', 'SELECT 1', stderr => \my $error) == 0 }) or die 'the server does not come back';
closed('postgres', 5);
pass('kill -9: after the crash it looks for what was left');

$offset = -s $node->logfile;
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_steward launcher'});
$node->wait_for_log(qr/terminating background worker "pg_steward launcher"/, $offset);
closes_one('postgres', 'a launcher that was terminated is started again');

# ---- lengthy work ----

$session = steward_session($node);
$session->query('BEGIN; LOCK TABLE steward.audit_segment_closed IN SHARE MODE');
my $newest = 'SELECT max(number) FROM steward.audit_segment';
my $at_first = $node->safe_psql('postgres', $newest);
write_much('postgres');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pg_steward worker'
	AND application_name = 'pg_steward: closing segments of the audit log' AND wait_event_type = 'Lock'}), 'closing has a worker of its own');
write_much('postgres');
ok($node->poll_query_until('postgres', "SELECT ($newest) >= $at_first + 2"), 'while it takes its time, others work');
my $so_far = $node->safe_psql('postgres', 'SELECT count(*) FROM steward.audit_segment_closed');
$session->query('COMMIT');
$session->quit;
closed('postgres', $so_far + 2);
pass('and then it closes all');

# ---- commands that need a database without sessions ----

my $there = q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'pg_steward worker' AND datname = '%s'};
$node->safe_psql('postgres', 'CREATE DATABASE shop');
prepare('shop');
my $spaces = steward_directory('space');
$node->safe_psql('postgres', "CREATE TABLESPACE space LOCATION '$spaces'");
for my $sql ('ALTER DATABASE shop RENAME TO store', 'CREATE DATABASE copy TEMPLATE store', 'ALTER DATABASE store SET TABLESPACE space',
	'ALTER DATABASE store RENAME TO shop')
{
	my ($name) = $sql =~ /(?:TEMPLATE|ALTER DATABASE) (\w+)/;
	write_much($name);
	$node->poll_query_until('postgres', sprintf $there, $name) or die 'no worker came';
	quickly($sql, 'postgres', $sql);
}
closes_one('shop', 'it comes back afterwards, under the new name');

# Blocked, it cannot see that it is asked.
$session = steward_session($node, 'copy');
$session->query('BEGIN; LOCK TABLE steward.audit_segment IN SHARE MODE');
write_much('copy');
$node->poll_query_until('postgres', $blocked) or die 'the worker does not wait';
my $error;
$error = steward_error($node, 'DROP DATABASE copy');
like($error, qr/is being accessed by other users\nDETAIL:  There is 1 other session/, 'of a failing DROP DATABASE the worker is not the reason');
$session->quit;
closes_one('copy', 'and it comes back');
write_much('copy');
$node->poll_query_until('postgres', sprintf $there, 'copy') or die 'no worker came';
quickly('DROP DATABASE', 'postgres', 'DROP DATABASE copy');

# Others cannot send it away.
$node->safe_psql('postgres', 'CREATE ROLE nobody LOGIN');
$offset = -s $node->logfile;
write_much('shop');
$node->poll_query_until('postgres', sprintf $there, 'shop') or die 'no worker came';
my $before = $node->safe_psql('postgres', q{SELECT array_agg(pid) FROM pg_stat_activity WHERE backend_type = 'pg_steward worker' AND datname = 'shop'});
for my $sql ('DROP DATABASE shop', 'ALTER DATABASE shop RENAME TO mine', 'CREATE DATABASE mine TEMPLATE shop')
{
	like(steward_error($node, $sql, user => 'nobody'), qr/permission denied|must be owner/, "$sql is refused");
}
is($node->safe_psql('postgres', qq{SELECT bool_or(pid = ANY ('$before')) FROM pg_stat_activity WHERE backend_type = 'pg_steward worker' AND datname = 'shop'}), 't',
	'and does not send the worker away');

# ---- the extension goes, and is another one ----

write_much('shop');
quickly('DROP EXTENSION', 'shop', 'DROP EXTENSION pg_steward CASCADE');
$node->safe_psql('shop', 'DROP TABLE t');
prepare('shop');
write_much('shop');
is(closed('shop', 1), '1', 'a new extension is another log');

$offset = -s $node->logfile;
$node->safe_psql('shop', q{UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'pg_steward'});
write_much('shop');
$node->wait_for_log(qr/does nothing in the background for database "shop": the extension is of version 0\.9, the library of version 1\.0\n.*HINT:  Run ALTER EXTENSION pg_steward UPDATE/, $offset);
is($node->safe_psql('shop', 'SELECT count(*) FROM steward.audit_segment_closed'), '1', 'an extension of another version is left alone');
$node->safe_psql('shop', q{UPDATE pg_extension SET extversion = '1.0' WHERE extname = 'pg_steward'});
$node->safe_psql('shop', q{ALTER EXTENSION pg_steward UPDATE});
closed('shop', 2);
pass('until it is updated');

# ---- many databases, few workers ----

$node->safe_psql('template1', q{CREATE EXTENSION pg_steward});
$node->safe_psql('postgres', "CREATE DATABASE d$_") for 1 .. 10;
prepare("d$_") for 1 .. 10;
my $most = 0;
write_much("d$_") for 1 .. 10;
my %left = map { ("d$_" => 1) } 1 .. 10;
steward_poll(
	sub {
		my $count = $node->safe_psql('postgres', $workers);
		$most = $count if $count > $most;
		for my $database (keys %left)
		{
			delete $left{$database}
			  if $node->safe_psql($database, 'SELECT count(*) FROM steward.audit_segment_closed') > 0;
		}
		return !%left;
	});
is(join(' ', sort keys %left), '', 'ten databases are all served');
cmp_ok($most, '>', 0, 'by workers');
cmp_ok($most, '<=', 2, 'of which there are no more than max_workers');

steward_set($node, 'steward.max_workers' => 0);
leaves('workers leave');
write_much('d1');
sleep 3;
is($node->safe_psql('postgres', $workers), '0', 'max_workers = 0: there are none');
steward_set($node, 'steward.max_workers' => 1);
closed('d1', 2);
pass('and again');
$node->safe_psql('postgres', "DROP DATABASE d$_") for 1 .. 10;

$offset = -s $node->logfile;
$node->append_conf('postgresql.conf', 'max_worker_processes = 4');
$node->restart;
$node->wait_for_log(qr/duties of pg_steward wait because no background worker is free\n.*HINT:  Raise max_worker_processes/, $offset);
pass('without room for a worker it says so');
$node->adjust_conf('postgresql.conf', 'max_worker_processes', undef);
$node->restart;

# ---- databases that come and go ----

# The launcher visits a new one while it knows of workers: each time it looks for databases anew.
$offset = -s $node->logfile;
for my $number (1 .. 12)
{
	write_much('postgres');
	$node->safe_psql('postgres', "CREATE DATABASE new$number");
	$node->safe_psql('postgres', "DROP DATABASE new$number") if $number % 2;
}
closed('postgres', 1);
unlike(slurp_file($node->logfile, $offset), qr/terminated by signal/, 'the launcher survives databases that come and go');
$node->safe_psql('postgres', 'DROP DATABASE new' . 2 * $_) for 1 .. 6;

# ---- a standby ----

# A tablespace cannot be restored on the same machine.
$node->safe_psql('postgres', $_) for 'DROP DATABASE shop', 'DROP TABLESPACE space';
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$before = $node->safe_psql('postgres', 'SELECT count(*) FROM steward.audit_segment_closed');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ '^pg_steward (launcher|worker)'}), '0',
	'on a standby there is none');
$node->safe_psql('postgres', q{ALTER SYSTEM SET steward.max_workers = 0; SELECT pg_reload_conf()});
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_steward worker'});
leaves('the primary does nothing');
write_much('postgres');
$node->wait_for_catchup($standby);
$node->stop;
$standby->promote;
is(closed('postgres', $before + 1, $standby), $before + 1, 'after the promotion what was left is done');
$standby->stop;

done_testing();

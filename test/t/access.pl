# Records of reads survive what undoes a transaction or a server: rollback, errors,
# timeouts, the end of a session, kill -9, an immediate stop. They are made on a
# standby, and imported once. A read that cannot be recorded fails.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use IO::Handle;
use IO::Socket::UNIX;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $node = steward_node('primary', conf => "restart_after_crash = on\nautovacuum = off\nsteward.max_workers = 0\njit = off", init => { allows_streaming => 1 });

$node->safe_psql('postgres', q{
CREATE ROLE reader LOGIN;
CREATE TABLE person (id integer PRIMARY KEY, name text);
INSERT INTO person SELECT g, 'name ' || g FROM generate_series(1, 100) AS g;
CREATE TABLE big (id integer PRIMARY KEY, v text);
INSERT INTO big SELECT g, repeat('x', 100) FROM generate_series(1, 10000) AS g;
GRANT SELECT ON person TO reader;
SELECT steward.create_key('pii');
CREATE TABLE secret (id integer PRIMARY KEY, v steward.encrypted_text('pii/secret.v'));
INSERT INTO secret VALUES (1, 'canary-plaintext');
SELECT steward.audit_access('person'), steward.audit_access('big'), steward.audit_access('secret');
});

my $spool = $node->data_dir . '/pg_steward/access';
my $oid = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'postgres'});

sub spool_files { my ($database) = @_; $database //= $oid; return sort glob("$spool/$database/pgsql_tmp.[0-9]*"); }

sub import_all
{
	my ($where) = @_;

	return ($where // $node)->safe_psql('postgres', 'SELECT steward.import_access()');
}

# Reads with this application name, as "outcome sqlstate rows keys" each.
sub trail
{
	my ($name, $where) = @_;

	import_all($where);
	return ($where // $node)->safe_psql('postgres',
		"SELECT concat_ws(' ', relation, outcome, sqlstate, rows_returned, (SELECT string_agg(k->>'id', ',') FROM jsonb_array_elements(keys) AS k)) "
		. "FROM steward.access_trail WHERE application = '$name' ORDER BY read_at");
}

sub session
{
	my ($name, $where) = @_;
	my $session = steward_session($where // $node);

	$session->query("SET application_name = '$name'");
	return $session;
}

# ---- what is in the file, and who may read it ----

my $first = session('first');
$first->query('SELECT name FROM person WHERE id = 7');
my ($file) = grep { slurp_file($_) =~ /"application":"first"/ } spool_files();
ok($file, 'a read is in a spool file before it is imported');
is(sprintf('%o', (stat $file)[2] & 07777), '600', 'the file is for the server alone');
is(sprintf('%o', (stat "$spool/$oid")[2] & 07777), '700', 'and so is its directory');
is($first->query('SELECT 1'), '1', 'its session goes on');
is(trail('first'), 'public.person completed 1 7', 'it is imported while the session runs');
ok(-e $file, 'the file stays while its session may write to it');
$first->query('SELECT name FROM person WHERE id = 8');
is(trail('first'), "public.person completed 1 7\npublic.person completed 1 8", 'what comes later is imported later');
$first->quit;
steward_poll(sub { import_all(); return !-e $file; });
ok(!-e $file, 'and goes with its session, once it is imported');
import_all();
is($node->safe_psql('postgres', q{SELECT count(*) FROM steward.access_spool WHERE complete}), '0', 'what is gone is not remembered');
is(trail('first'), "public.person completed 1 7\npublic.person completed 1 8", 'and nothing is imported twice');

# ---- an import that is rolled back, or cut off, is as if it had not been ----

my $twice = session('twice');
$twice->query('SELECT name FROM person WHERE id = 9');
my $importer = steward_session($node);
$importer->query('BEGIN; SELECT steward.import_access(); ROLLBACK');
is($importer->query('BEGIN; SELECT steward.import_access() > 0; SAVEPOINT a; SELECT steward.import_access(); ROLLBACK TO a; COMMIT') =~ /t/ ? 1 : 0, 1, 'a rolled back import leaves all to the next');
is(trail('twice'), 'public.person completed 1 9', 'which imports it once');
$twice->query("SELECT name FROM person WHERE id = $_") for 1 .. 5;
is($importer->query('SELECT steward.import_access(3)'), '3', 'an import can be limited');
is($importer->query('SELECT steward.import_access(4)'), '4', 'and goes on where it stopped');
is(trail('twice'), join("\n", map { "public.person completed 1 $_" } 9, 1 .. 5), 'with nothing lost, and nothing twice');
# Two at a time: one waits.
$twice->query("SELECT name FROM person WHERE id = 10");
$importer->query('BEGIN; SELECT steward.import_access()');
my $other = steward_session($node);
$other->query_until(qr/waits/, "\\echo waits\nSELECT steward.import_access();\n");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%import_access%'});
$importer->query('COMMIT');
$other->query('SELECT 1');
is((() = trail('twice') =~ / 10$/mg) + 0, 1, 'two imports at a time import it once');
$_->quit for $importer, $other, $twice;

# ---- what ends a read ----

my $ends = session('ends');
$ends->query('BEGIN; SELECT name FROM person WHERE id = 1; ROLLBACK');
$ends->query('SET statement_timeout = 200; SELECT name, pg_sleep(10) FROM person WHERE id = 2; RESET statement_timeout');
$ends->query('BEGIN; DECLARE c CURSOR FOR SELECT name FROM person ORDER BY id; FETCH 2 FROM c; SELECT 1/0');
$ends->query('ROLLBACK; BEGIN READ ONLY; SELECT name FROM person WHERE id = 3; COMMIT');
$ends->quit;
like(trail('ends'), qr/^public\.person completed 1 1\npublic\.person error 57014 0 2\npublic\.person aborted 2 1,2.*\npublic\.person completed 1 3$/s,
	'rollback, timeout, a cursor closed by an error, a read-only transaction');

for my $how ('terminate', 'cancel')
{
	my $victim = session($how);
	my $pid = $victim->query('SELECT pg_backend_pid()');
	my $done = "done $how";

	$victim->query_until(qr/begun/, "\\echo begun\nSELECT name, pg_sleep(100) FROM person WHERE id = 4;\n");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event = 'PgSleep'");
	$node->safe_psql('postgres', "SELECT pg_${how}_backend($pid)");
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid AND wait_event = 'PgSleep'");
	is(trail($how), $how eq 'terminate' ? 'public.person session ended 0 4' : 'public.person error 57014 0 4', "$how: the end is recorded");
	eval { $victim->quit };
}
{
	my $idle = session('idle');
	my $pid = $idle->query('SELECT pg_backend_pid()');

	$idle->query('BEGIN; DECLARE c CURSOR FOR SELECT name FROM person ORDER BY id; FETCH 1 FROM c');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
	like(trail('idle'), qr/^public\.person session ended 1 1/, 'a cursor that was open when its session ended');
	eval { $idle->quit };
}

# Rows that are kept back until they are recorded all come, in order, also when they are
# more than is kept, and when something else is sent meanwhile.
my $kept = session('kept back');
$kept->query('SET enable_seqscan = off; SET enable_bitmapscan = off; SET steward.access_audit_rows = 1');
like($kept->query('EXPLAIN (COSTS off) SELECT id, v FROM big WHERE id < 200'), qr/^Index Scan/, 'an index scan of columns alone');
is($kept->query('SELECT id, v FROM big WHERE id < 200'), join("\n", map { "$_|" . 'x' x 100 } 1 .. 199), 'more rows than are kept back');
is($kept->query('SELECT id FROM big WHERE id < 4'), "1\n2\n3", 'fewer rows');
$kept->query("SET client_min_messages = 'debug5'");
is(join(' ', $kept->query('SELECT id FROM big WHERE id < 5') =~ /^(\d+)$/mg), '1 2 3 4', 'rows, and messages between them');
$kept->query('RESET client_min_messages');
is($kept->query("BEGIN; SELECT id FROM big WHERE id = 6; SELECT id FROM big WHERE id = 7; ROLLBACK"), "6\n7", 'in a transaction');
is(trail('kept back'), join("\n", 'public.big completed 199 1', 'public.big completed 3 1', 'public.big completed 4 1', 'public.big completed 1 6', 'public.big completed 1 7'), 'each is recorded once');
$kept->quit;

# ---- no record is without its read, no read without its record ----

# The beginning is there while the read runs.
my $runs = session('runs');
$runs->query_until(qr/begun/, "\\echo begun\nSELECT name, pg_sleep(100) FROM person WHERE id = 5;\n");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
is(trail('runs'), 'public.person unknown', 'a read that runs is in the trail, without an end');

# kill -9 of that session; the server starts anew by itself.
my $victim = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
steward_kill($node, $victim);
eval { $runs->quit };
is(trail('runs'), 'public.person unknown', 'kill -9: its beginning stays, its end is not known');

# Immediate stops while many read: each read that its client saw has a record. Half of
# the clients read by the index, where rows are kept back until one record is made.
my $rounds = $ENV{STEWARD_SOAK} ? 50 : 3;
my $work = steward_directory('crash');
# In a database of its own: the trail is read often below.
$node->safe_psql('postgres', 'CREATE DATABASE heavy');
$node->safe_psql('heavy', q{
CREATE EXTENSION pg_steward;
CREATE TABLE person (id integer PRIMARY KEY, name text);
INSERT INTO person SELECT g, 'name ' || g FROM generate_series(1, 100) AS g;
CREATE TABLE wide (id text PRIMARY KEY);
INSERT INTO wide SELECT repeat('k', 200) || g FROM generate_series(1, 12000) AS g;
SELECT steward.audit_access('person'), steward.audit_access('wide')});
for my $round (1 .. $rounds)
{
	my @clients;

	for my $client (0 .. 3)
	{
		append_to_file("$work/$round.$client.sql", join '', map { my $id = 1 + ($_ * 7 + $client) % 100; "SELECT 'r$_', name FROM person WHERE id = $id;\n" } 1 .. 5000);
		append_to_file("$work/$round.$client.out", '');
		push @clients,
		  IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('heavy') . " application_name=crash${round}_$client" . ($client < 2 ? " options='-c enable_seqscan=off -c enable_bitmapscan=off'" : ''), '-f', "$work/$round.$client.sql" ],
			'>', "$work/$round.$client.out", '2>', "$work/$round.$client.err");
	}
	# psql prints what it was sent before it sends more, but a block at a time.
	steward_poll(sub { return !grep { -s "$work/$round.$_.out" < 4000 } 0 .. 3; });
	$round % 2 ? $node->stop('immediate') : steward_kill($node, split /\n/, $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'crash%' OR backend_type = 'checkpointer' ORDER BY backend_type = 'checkpointer'}));
	$_->finish for @clients;
	$node->start if $round % 2;
	$node->safe_psql('heavy', 'SELECT steward.import_access()');
	for my $client (0 .. 3)
	{
		my $seen = () = slurp_file("$work/$round.$client.out") =~ /^r\d+\|name \d+$/mg;
		my $recorded = $node->safe_psql('heavy', "SELECT count(*) FROM steward.access_trail WHERE application = 'crash${round}_$client'");

		cmp_ok($seen, '>', 50, "round $round: client $client read");
		ok($recorded >= $seen && $recorded <= $seen + 1, "and each of its $seen reads has a record: $recorded");
	}
}
steward_poll(sub { import_all(); return !spool_files(); });
is(scalar(my @left = spool_files()), 0, 'after a crash all files are imported and gone');

# ---- torn files ----

my $torn = session('torn');
$torn->query('SELECT name FROM person WHERE id = 6');
$torn->query('SELECT name FROM person WHERE id = 7');
my ($torn_file) = grep { slurp_file($_) =~ /"application":"torn"/ } spool_files();
my $pid = $torn->query('SELECT pg_backend_pid()');
$torn->quit;
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
my $whole = slurp_file($torn_file);
truncate $torn_file, length($whole) - 20 or die $!;
is(trail('torn'), "public.person completed 1 6\npublic.person unknown", 'the end of a file that was torn is missing');
is($node->safe_psql('postgres', q{SELECT count(*), min((steward.audit_event(payload)->>'bytes')::int) > 0 FROM steward.audit_record WHERE op = 'R' AND steward.audit_event(payload)->>'kind' = 'torn'}),
	'1|t', 'and that it is missing is recorded');

# pg_steward_spool sees it too. A byte changed in the middle ends a file as well.
my $directory = steward_directory('copies');
sub write_copy
{
	my ($name, $bytes) = @_;

	open(my $handle, '>:raw', "$directory/pgsql_tmp.$name") or die $!;
	print $handle $bytes;
	close $handle;
	return "$directory/pgsql_tmp.$name";
}
sub print_spool
{
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run([ 'pg_steward_spool', @_ ], '>', \$out, '2>', \$err);

	return ($ok, $out, $err);
}
my ($ok, $out, $err) = print_spool(write_copy('1.whole', $whole));
ok($ok, 'pg_steward_spool reads a whole file') or diag $err;
is((() = $out =~ /"kind":"read"/g) + 0, 2, 'and prints its reads');
is($node->safe_psql('postgres', 'SELECT count(*) FROM (VALUES ' . join(',', map { "(\$j\$$_\$j\$::json)" } split /\n/, $out) . ") AS v (j) WHERE j->'record'->>'kind' IS NOT NULL"), scalar(my @lines = split /\n/, $out), 'as JSON, line by line');
($ok, $out) = print_spool(write_copy('2.short', substr($whole, 0, length($whole) - 1)));
ok(!$ok && $out =~ /"damaged":\d+\}$/m, 'it says where a file is torn');
my $altered = $whole;
my $at = index($altered, '"outcome":"completed"');
substr($altered, $at + 12, 1) = 'X';
($ok, $out) = print_spool(write_copy('3.altered', $altered));
ok(!$ok && $out =~ /"damaged"/ && $out !~ /Xompleted/, 'and where a byte was changed');
($ok, $out) = print_spool(write_copy('4.moved', substr($whole, 0, 32) . substr($whole, 33)));
ok(!$ok && $out !~ /"record"/, 'and where bytes were moved');
($ok, $out) = print_spool($directory);
ok(!$ok && (() = $out =~ /"kind":"spool"/g) == 3, 'a directory is read as a whole');
($ok) = print_spool('--nonsense');
ok(!$ok, 'wrong usage is refused');

# What is added while it follows is printed.
my ($followed, $follow_error) = ('', '');
my $follows = IPC::Run::start([ 'pg_steward_spool', '--follow', $spool ], '>', \$followed, '2>', \$follow_error);
my $live = session('followed');
$live->query('SELECT name FROM person WHERE id = 8');
ok(steward_poll(sub { $follows->pump_nb; return $followed =~ /"application":"followed"/ && $followed =~ /"keys":\[\{"id":8\}\]/; }), 'pg_steward_spool --follow prints what is added');
$follows->kill_kill;
$live->quit;

# Everything that the server sends in answer to a query: psql shows no row of a query
# that fails, whether the server sent some or not.
sub raw_answer
{
	my ($query) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port) or die $!;
	my $until_ready = sub {
		my ($bytes, $type) = ('', '');

		while ($type ne 'Z')
		{
			read($socket, my $head, 5) == 5 or die 'the server has gone';
			($type, my $length) = unpack('a N', $head);
			read($socket, my $body, $length - 4);
			$bytes .= $type . $body;
		}
		return $bytes;
	};
	my $startup = pack('N', 196608) . "user\0" . scalar(getpwuid($<)) . "\0database\0postgres\0\0";

	$socket->autoflush(1);
	print $socket pack('N', length($startup) + 4) . $startup;
	$until_ready->();
	print $socket 'Q' . pack('N', length($query) + 5) . "$query\0";
	return $until_ready->();
}

# ---- a file that cannot be written, or may not ----

# The server's user may write anything it owns: a file in the way is no directory.
import_all();
$node->stop;
rename $spool, "$spool.away" or die $!;
append_to_file($spool, 'in the way');
$node->start;
like(steward_error($node, 'SELECT name FROM person WHERE id = 1'), qr/^ERROR:  could not record the read of an audited table\nDETAIL:  Could not create .* in "pg_steward\/access": /,
	'what cannot be recorded is not read');
my ($stdout, $stderr) = ('', '');
$node->psql('postgres', 'SELECT name FROM person WHERE id = 1', stdout => \$stdout, on_error_stop => 1);
is($stdout, '', 'and no row leaves');
for my $what ('id = 1', 'id < 9999')
{
	for my $messages ('notice', 'debug5')
	{
		my $answer = raw_answer("SET client_min_messages = '$messages'; SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT id, v FROM big WHERE $what");

		like($answer, qr/could not record the read/, "nor one that was kept back, with $what, $messages");
		unlike($answer, qr/x{100}/, 'and no byte of it was sent');
	}
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_class WHERE relname = $$person$$'), '1', 'other tables are read');
$node->psql('postgres', q{SET steward.access_audit = best_effort; SELECT name FROM person WHERE id = 1}, stdout => \$stdout, stderr => \$stderr);
is($stdout, 'name 1', 'best_effort: it is read all the same');
like($stderr, qr/WARNING:  could not record the read/, 'with a warning');
is($node->safe_psql('postgres', q{SET steward.access_audit = off; SELECT name FROM person WHERE id = 1}), 'name 1', 'off: it is read');
like(steward_error($node, 'COPY person TO STDOUT'), qr/could not record/, 'COPY fails as well');
like(steward_error($node, 'SELECT name FROM person', user => 'reader'), qr/could not record/, 'whoever reads');
$node->stop;
unlink $spool or die $!;
rename "$spool.away", $spool or die $!;
$node->start;

# ---- full ----

steward_set($node, 'steward.access_spool_size' => '1MB');
my $full = session('full');
$full->query('SET steward.access_audit_rows = 10000');
my $error = '';
for (1 .. 20)
{
	$error = steward_error($full, 'SELECT count(v) FROM big');
	last if $error;
}
$error = steward_error($full, 'DO $$ BEGIN FOR i IN 1 .. 5000 LOOP PERFORM name FROM person WHERE id = 1; END LOOP; END $$');
like($error, qr/^ERROR:  could not record the read of an audited table\nDETAIL:  Records that wait for their import have reached the limit of 1 MB\.\nHINT:  Call steward\.import_access\(\)/,
	'beyond the limit reads fail');
like(steward_error($node, 'SELECT name FROM person WHERE id = 1'), qr/reached the limit/, 'those of all sessions');
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'what is not audited goes on');
like(steward_error($full, 'SET steward.access_audit = best_effort; SELECT name FROM person WHERE id = 1'), qr/^WARNING:  could not record/m, 'best_effort: with a warning');
$full->quit;
steward_poll(sub { import_all(); return !spool_files(); });
is($node->safe_psql('postgres', 'SELECT name FROM person WHERE id = 1'), 'name 1', 'once they are imported, reads go on');
steward_set($node, 'steward.access_spool_size' => undef);

# A file does not grow without end; nothing is lost between two.
my $heavy = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'heavy'});
my $rotates = steward_session($node, 'heavy');
$rotates->query("SET application_name = 'rotates'; SET steward.access_audit_rows = 10000");
$rotates->query('SELECT count(*) FROM wide') for 1 .. 12;
cmp_ok(scalar(my @rotated = grep { -s $_ > 1000 } spool_files($heavy)), '>=', 2, 'a session has several files, one after the other');
cmp_ok((sort { $b <=> $a } map { -s $_ } spool_files($heavy))[0], '<', 19 * 1024 * 1024, 'of bounded size');
is($node->safe_psql('heavy', q{SELECT steward.import_access() > 0; SELECT count(*), count(*) FILTER (WHERE outcome = 'completed' AND rows_read = 12000 AND keys_left_off AND jsonb_array_length(keys) = 10000) FROM steward.access_trail WHERE application = 'rotates'}),
	"t\n12|12", 'and every read is whole');
$rotates->quit;
$node->safe_psql('postgres', 'DROP DATABASE heavy');

# ---- settings and encoding ----

my $synced = session('synced');
$synced->query('SET steward.access_audit_fsync = on; SELECT name FROM person WHERE id = 2');
is(trail('synced'), 'public.person completed 1 2', 'records can be written to disk at once');
$synced->quit;

$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0});
$node->safe_psql('latin', qq{SET client_encoding = 'UTF8'; CREATE EXTENSION pg_steward; CREATE TABLE "caf\xc3\xa9" ("n\xc3\xa9" text PRIMARY KEY); INSERT INTO "caf\xc3\xa9" VALUES ('\xc3\xa9t\xc3\xa9'); SELECT steward.audit_access('"caf\xc3\xa9"')});
$node->safe_psql('latin', qq{SET client_encoding = 'UTF8'; SET application_name = 'latin'; SELECT * FROM "caf\xc3\xa9"});
is($node->safe_psql('latin', qq{SET client_encoding = 'UTF8'; SELECT steward.import_access() > 0; SELECT relation, columns, keys FROM steward.access_trail}),
	qq{t\npublic."caf\xc3\xa9"|{n\xc3\xa9}|[{"n\xc3\xa9": "\xc3\xa9t\xc3\xa9"}]}, 'names and keys of a database in another encoding');
# A record that is whole, and nothing that this database can hold, is told of; what comes after it is imported.
my ($latin) = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'latin'});
my $foreign = session('foreign');
$foreign->query(qq{SET client_encoding = 'UTF8'; CREATE TABLE "\xc5\x99" (id integer); SELECT steward.audit_access('"\xc5\x99"')});
$foreign->query(qq{SELECT FROM "\xc5\x99"; SELECT name FROM person WHERE id = 4});
my ($foreign_file) = grep { slurp_file($_) =~ /"application":"foreign"/ } spool_files();
open(my $planted, '>:raw', "$spool/$latin/pgsql_tmp.1.1.00000000.1") or die $!;
print $planted slurp_file($foreign_file);
close $planted;
is($node->safe_psql('latin', q{SELECT steward.import_access(); SELECT count(*) FROM steward.access_trail WHERE application = 'foreign' AND relation = 'public.person' AND outcome = 'completed';
SELECT count(*), bool_and(details->>'file' = 'pgsql_tmp.1.1.00000000.1' AND (details->>'position')::int > 0 AND (details->>'bytes')::int > 0) FROM steward.event_trail WHERE event = 'unreadable_record'}),
	"4\n1\n2|t", 'a record that cannot be read is an event, and keeps no other from being imported');
$foreign->query(qq{SET client_encoding = 'UTF8'; SELECT steward.stop_audit_access('"\xc5\x99"'); DROP TABLE "\xc5\x99"});
$foreign->quit;
$node->safe_psql('postgres', 'DROP DATABASE latin');
# Bytes that nobody knows the meaning of do not keep records from being imported.
$node->safe_psql('postgres', q{CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0});
$node->safe_psql('bytes', q{CREATE EXTENSION pg_steward; CREATE TABLE t (k text PRIMARY KEY); INSERT INTO t VALUES (E'\xff\xe9'), (E'\xc3\xa9'); SELECT steward.audit_access('t'); SELECT * FROM t});
is($node->safe_psql('bytes', q{SELECT steward.import_access() > 0; SELECT keys FROM steward.access_trail}),
	qq{t\n[{"k": "\xc3\xbf\xc3\xa9"}, {"k": "\xc3\xa9"}]}, 'keys of a database in no encoding');
$node->safe_psql('postgres', 'DROP DATABASE bytes');

# What a parallel build of an index reads by a function is no part of anybody's read.
# It is slow enough for workers to begin before the leader has done it all.
$node->safe_psql('postgres', q{CREATE TABLE own (id integer) WITH (parallel_workers = 2); INSERT INTO own SELECT generate_series(1, 1000);
CREATE FUNCTION look(integer) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS 'BEGIN PERFORM pg_sleep(0.002); RETURN (SELECT name FROM public.person WHERE id = 1); END';
SET application_name = 'builds'; SET min_parallel_table_scan_size = 0; SET max_parallel_maintenance_workers = 2; CREATE INDEX own_look ON own (look(id)); DROP TABLE own});
import_all();
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT session) > 1 FROM steward.access_trail WHERE application = 'builds' AND keys = '[{"id": 1}]'}), '1000|t', 'what the workers of an index build read is recorded');

# ---- no plaintext of an encrypted column ----

my $canary = session('canary');
is($canary->query('SELECT v::text FROM secret'), 'canary-plaintext', 'an encrypted value is read');
$canary->query(q{SELECT v::text::integer FROM secret});
$canary->query(q{SELECT id FROM secret WHERE v = 'canary-plaintext'::text});
is(join("\n", steward_tree_holds($spool, 'canary-plaintext')), '', 'no plaintext is in the spool');
import_all();
is($node->safe_psql('postgres', q{SELECT count(*) FROM steward.audit_record WHERE op = 'R' AND payload::text LIKE '%' || encode('canary-plaintext', 'hex') || '%'}), '0', 'nor in the log');
is($node->safe_psql('postgres', q{SELECT decrypts->0->>'key', sum((decrypts->0->>'count')::int) FROM steward.access_trail WHERE application = 'canary' AND decrypts IS NOT NULL GROUP BY 1}), 'pii/secret.v|2', 'decryptions are counted');
$canary->quit;

# ---- a standby, and its promotion; backups ----

my $backed_up = session('backed up');
$backed_up->query('SELECT name FROM person WHERE id = 20');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
my $standby_spool = $standby->data_dir . '/pg_steward/access';
is(scalar(my @copied = glob("$standby_spool/*/*")), 0, 'a base backup has no spool files: it would import them as its own');
$standby->start;
is(trail('backed up'), 'public.person completed 1 20', 'the primary imports them');
$backed_up->quit;
$node->wait_for_catchup($standby);
my $there = session('there', $standby);
$there->query('SELECT name FROM person WHERE id = 30');
$there->query('BEGIN; SELECT name FROM person WHERE id = 31; ROLLBACK');
like(steward_error($standby, 'SELECT steward.import_access()'), qr/^ERROR:  cannot execute steward\.import_access\(\) (in a read-only transaction|during recovery)/, 'a standby cannot import');
($ok, $out) = print_spool($standby_spool);
ok($out =~ /"standby":true/ && $out =~ /\{"id":30\}/ && $out =~ /\{"id":31\}/, 'but what is read on it is recorded, and can be shipped');
# A rule made on the primary is in force there.
$node->safe_psql('postgres', q{CREATE TABLE later (id integer PRIMARY KEY); INSERT INTO later VALUES (1); SELECT steward.audit_access('later')});
$node->wait_for_catchup($standby);
$there->query('SELECT id FROM later');
$there->quit;
$standby->stop('immediate');
$standby->start;
$standby->promote;
is(trail('there', $standby), "public.person completed 1 30\npublic.person completed 1 31\npublic.later completed 1 1", 'after its promotion it imports them');
is($standby->safe_psql('postgres', q{SELECT DISTINCT standby, timeline, (SELECT timeline FROM steward.audit_incarnation WHERE id = incarnation) FROM steward.access_trail WHERE application = 'there'}),
	't|1|2', 'which says where and when they were read');
is(trail('backed up', $standby), 'public.person completed 1 20', 'and those of the primary are there once');
$standby->stop;

# ---- dump and restore ----

my $dump = steward_directory('dump') . '/dump.sql';
$node->safe_psql('postgres', q{ALTER TABLE person ADD COLUMN gone text, ADD COLUMN phone text; ALTER TABLE person DROP COLUMN gone});
$node->safe_psql('postgres', q{SELECT steward.audit_access('person', '{phone}')});
$node->safe_psql('postgres', 'ALTER TABLE person RENAME COLUMN phone TO telephone; ALTER TABLE person RENAME TO human');
$node->safe_psql('postgres', 'CREATE TABLE dropped (id int PRIMARY KEY); SELECT steward.audit_access($$dropped$$); DROP TABLE dropped');
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres') . ' application_name=dumper', '-f', $dump ], 'the database is dumped');
is(trail('dumper') =~ /^public\.human completed \d+$/m ? 1 : 0, 1, 'which is a read, too');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->safe_psql('restored', 'CREATE TABLE filler (id integer)');
$node->command_ok([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-q', '-d', $node->connstr('restored'), '-f', $dump ], 'and restored');
is($node->safe_psql('restored', q{SELECT relation, columns FROM steward.access_rule ORDER BY relation::text}),
	"big|\nhuman|{telephone}\nlater|\nsecret|", 'its rules are there');
$node->safe_psql('restored', q{SET application_name = 'restored'; SELECT telephone FROM human WHERE id = 1; SELECT name FROM human WHERE id = 2; SELECT v FROM big WHERE id = 3});
is($node->safe_psql('restored', q{SELECT steward.import_access() > 0; SELECT relation, columns FROM steward.access_trail WHERE application = 'restored' ORDER BY read_at}),
	"t\npublic.human|{telephone}\npublic.big|{id,v}", 'and in force');

# ---- rules take effect at once, everywhere; the extension comes and goes ----

my $watched = session('watched');
$watched->query('CREATE TABLE fresh (id integer PRIMARY KEY); INSERT INTO fresh VALUES (1); PREPARE get AS SELECT id FROM fresh WHERE id = $1');
$watched->query('EXECUTE get(1)') for 1 .. 7;
$node->safe_psql('postgres', q{SELECT steward.audit_access('fresh')});
$watched->query('EXECUTE get(1)');
is(trail('watched'), 'public.fresh completed 1 1', 'a rule holds for plans that were made before');
$node->safe_psql('postgres', q{SELECT steward.stop_audit_access('fresh')});
$watched->query('EXECUTE get(1)');
is(trail('watched'), 'public.fresh completed 1 1', 'until it is taken away');
$node->safe_psql('restored', 'DROP EXTENSION pg_steward CASCADE; SELECT count(*) FROM big; CREATE EXTENSION pg_steward; SELECT count(*) FROM big');
$node->safe_psql('restored', q{SELECT steward.audit_access('big'); SET application_name = 'anew'; SELECT count(*) FROM big});
is($node->safe_psql('restored', q{SELECT steward.import_access() > 0; SELECT count(*) FROM steward.access_trail WHERE application = 'anew'}), "t\n1", 'the extension dropped and created anew');
$watched->quit;

# ---- the worker ----

steward_set($node, 'steward.max_workers' => 2);
$node->safe_psql('postgres', q{SET application_name = 'worked'; SELECT id FROM human WHERE telephone IS NULL AND id = 3});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM steward.access_trail WHERE application = 'worked' AND outcome = 'completed'}), 'a worker imports by itself');
ok(steward_poll(sub { return !spool_files(); }), 'and removes the files of sessions that are gone');
steward_set($node, 'steward.max_workers' => 0);

# A prepared transaction, an import in it included, leaves its reads.
$node->safe_psql('postgres', q{ALTER SYSTEM SET max_prepared_transactions = 5});
$node->restart;
$node->safe_psql('postgres', q{SET application_name = 'prepared'; BEGIN; SELECT id FROM human WHERE telephone IS NULL AND id = 1; PREPARE TRANSACTION 'p'});
is(trail('prepared'), 'public.human completed 1 1', 'a prepared transaction has read');
$node->safe_psql('postgres', q{SET application_name = 'kept'; SELECT id FROM human WHERE telephone IS NULL AND id = 2});
$node->safe_psql('postgres', q{BEGIN; SELECT steward.import_access(); PREPARE TRANSACTION 'q'});
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'q'; ROLLBACK PREPARED 'p'});
is(trail('kept'), 'public.human completed 1 2', 'an import that was prepared and rolled back is made again');
$node->stop;

# ---- without preloading ----

$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->start;
like(steward_error($node, q{SELECT steward.audit_access('big')}), qr/^ERROR:  access audit needs pg_steward to be preloaded\nHINT:  Add shared_preload_libraries = 'pg_steward' to postgresql\.conf and restart the server\./,
	'without preloading it says what to do');
is(steward_error($node, q{SELECT steward.import_access()}), '', 'what is in the spool can be imported all the same');
$node->stop;

done_testing();

# steward.set_context() behind pgbouncer, where clients share one server connection:
# nothing that one said is recorded for another. And contexts that are proved by a
# MAC, as an application makes it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Digest::SHA qw(hmac_sha256);
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $rounds = $ENV{STEWARD_SOAK} ? 2000 : 60;
my ($pgbouncer) = grep { -x $_ } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
die "pgbouncer is not installed: test/check/install-packages check\n" unless defined $pgbouncer;

my $keyring = steward_keyring();
my $node = steward_node('main', keyring => $keyring);
$node->safe_psql('postgres', q{
CREATE ROLE app LOGIN;
CREATE ROLE other_app LOGIN;
CREATE TABLE work (id bigserial PRIMARY KEY, by text, v integer);
GRANT ALL ON work, work_id_seq TO app, other_app;
SELECT steward.enable_audit('work');
CREATE PROCEDURE two_transactions() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM steward.set_context('procedure');
    INSERT INTO work (by) VALUES ('procedure');
    COMMIT;
    INSERT INTO work (by) VALUES ('nobody');
END
$$;
});

# ---- the pooler ----

my $directory = steward_directory('pooler');
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $pooler;

sub start_pooler
{
	my ($mode) = @_;
	my $config = "$directory/$mode.ini";
	open(my $file, '>', $config) or die "cannot write $config: $!";
	print $file <<"CONF";
[databases]
postgres = host=@{[$node->host]} port=@{[$node->port]} dbname=postgres pool_size=1
[pgbouncer]
unix_socket_dir = $directory
listen_addr =
listen_port = $port
auth_type = trust
auth_file = $directory/users
pool_mode = $mode
default_pool_size = 1
logfile = $directory/$mode.log
pidfile = $directory/$mode.pid
server_reset_query = DISCARD ALL
CONF
	close $file or die "cannot write $config: $!";
	append_to_file("$directory/users", qq{"app" ""\n}) unless -e "$directory/users";
	# It refuses to be root; the tests are not.
	$pooler = IPC::Run::start([$pgbouncer, '-q', $config], '<', \undef, '>', "$directory/out", '2>&1');
	steward_poll(sub { -S "$directory/.s.PGSQL.$port" }, 'the pooler listens');
}

sub stop_pooler
{
	$pooler->signal('TERM');
	$pooler->finish;
}

# Clients share a session of their role. Each of these is a client of its own.
sub connstr { return "host=$directory port=$port dbname=postgres user=" . ($_[0] // 'app') }

# What a client gets for a script; its errors follow.
sub as_client
{
	my ($script, $role) = @_;
	my ($out, $err);
	IPC::Run::run(['psql', '-XqAt', '-d', connstr($role)], '<', \$script, '>', \$out, '2>', \$err);
	return "$out$err";
}

# Inserts that are recorded with another actor than who made them, "by".
my $wrong = q{
SELECT count(*) FROM steward.audit_trail WHERE relation = 'public.work' AND operation = 'INSERT'
AND new->>'by' IS DISTINCT FROM coalesce(actor, 'nobody')};
my $sessions = q{SELECT count(DISTINCT pid) FROM steward.audit_trail WHERE relation = 'public.work' AND operation = 'INSERT'};

sub count_since
{
	my ($sql, $since) = @_;
	return $node->safe_psql('postgres', "$sql AND xid > '$since'");
}

sub now_xid { return $node->safe_psql('postgres', 'SELECT pg_current_xact_id()') }

my $set_and_insert = q{BEGIN; SELECT steward.set_context('%1$s', 'purpose of %1$s', 'r-%1$s'); INSERT INTO work (by) VALUES ('%1$s'); %2$s;};

for my $mode (qw(transaction session))
{
	start_pooler($mode);
	my $since = now_xid();

	# One after the other, on one session, whatever the first left behind.
	as_client(sprintf $set_and_insert, 'first', 'COMMIT');
	as_client(q{INSERT INTO work (by) VALUES ('nobody')});
	as_client(sprintf $set_and_insert, 'second', 'COMMIT');
	as_client(sprintf $set_and_insert, 'rolled back', 'ROLLBACK');
	as_client(q{INSERT INTO work (by) VALUES ('nobody')});
	# A client that goes away in its transaction.
	as_client(sprintf $set_and_insert, 'disconnected', 'SELECT 1');
	as_client(q{INSERT INTO work (by) VALUES ('nobody')});
	# An error ends the transaction, and what it said.
	as_client(sprintf $set_and_insert, 'failing', 'SELECT 1/0; COMMIT');
	as_client(q{INSERT INTO work (by) VALUES ('nobody')});
	as_client(q{BEGIN; SELECT steward.set_context('outer'); SAVEPOINT s; SELECT steward.set_context('inner');
		ROLLBACK TO s; INSERT INTO work (by) VALUES ('outer'); COMMIT});
	as_client(q{INSERT INTO work (by) VALUES ('nobody')});
	like(as_client(q{SELECT steward.set_context('autocommit')}), qr/WARNING:  steward\.set_context\(\) has no effect outside a transaction block/,
		"$mode: a call outside a transaction block is warned of");
	as_client(q{INSERT INTO work (by) VALUES ('nobody')});
	as_client(q{CALL two_transactions()});
	as_client(q{INSERT INTO work (by) VALUES ('nobody')});
	# A prepared statement stays in the session, what it said does not.
	as_client(q{PREPARE say AS SELECT steward.set_context($1); BEGIN; EXECUTE say('preparing'); INSERT INTO work (by) VALUES ('preparing'); COMMIT; INSERT INTO work (by) VALUES ('nobody')});
	as_client(q{BEGIN; EXECUTE say('executing'); INSERT INTO work (by) VALUES ('executing'); COMMIT}) if $mode eq 'transaction';
	as_client(q{INSERT INTO work (by) VALUES ('nobody'); DISCARD ALL; INSERT INTO work (by) VALUES ('nobody')});
	as_client(q{BEGIN; SET LOCAL application_name = 'x'; SELECT steward.set_context('discarding'); INSERT INTO work (by) VALUES ('discarding'); COMMIT; DISCARD ALL});
	as_client(q{INSERT INTO work (by) VALUES ('nobody')});

	is(count_since($wrong, $since), 0, "$mode: every record has the actor of its own client");
	is(count_since($sessions, $since), 2, "$mode: the clients shared one session, until one took it with it, and then another") if $mode eq 'transaction';
	is(count_since($wrong =~ s/AND new.*//sr, $since), 19 - ($mode eq 'transaction' ? 0 : 1), "$mode: all of them are recorded");
	stop_pooler();
}

# Many clients at a time, in any order.
start_pooler('transaction');
my $since = now_xid();
my $script = "$directory/clients.sql";
open(my $file, '>', $script) or die "cannot write $script: $!";
print $file q{
\set kind random(1, 5)
\if :kind = 1
INSERT INTO work (by) VALUES ('nobody');
\elif :kind = 2
BEGIN;
SELECT steward.set_context('client ' || :client_id);
INSERT INTO work (by) VALUES ('client ' || :client_id);
COMMIT;
\elif :kind = 3
BEGIN;
SELECT steward.set_context('client ' || :client_id);
SAVEPOINT s;
SELECT steward.set_context('inner ' || :client_id);
INSERT INTO work (by) VALUES ('inner ' || :client_id);
ROLLBACK TO s;
INSERT INTO work (by) VALUES ('client ' || :client_id);
COMMIT;
\elif :kind = 4
BEGIN;
SELECT steward.set_context('client ' || :client_id);
INSERT INTO work (by) VALUES ('client ' || :client_id);
ROLLBACK;
\else
CALL two_transactions();
\endif
};
close $file or die "cannot write $script: $!";
my ($out, $err);
ok(IPC::Run::run(['pgbench', '-n', '-c', 6, '-j', 2, '-t', $rounds, '-f', $script, '-h', $directory, '-p', $port, '-U', 'app', 'postgres'],
		'>', \$out, '2>', \$err), 'clients at a time') or diag $err;
is(count_since($wrong =~ s/'nobody'\)/CASE WHEN new->>'by' = 'procedure' THEN 'procedure' ELSE 'nobody' END)/r, $since), 0,
	'clients at a time: every record has the actor of its own client');
is(count_since($sessions, $since), 1, 'clients at a time: on one session');
cmp_ok(count_since($wrong =~ s/AND new.*//sr, $since), '>', $rounds, 'clients at a time: there are records');
stop_pooler();

# A statement is a transaction: there is nothing to say for the next one.
start_pooler('statement');
like(as_client(sprintf $set_and_insert, 'statement', 'COMMIT'), qr/transaction blocks not allowed in statement pooling mode/,
	'statement pooling has no transaction to speak of');
$since = now_xid();
as_client(q{DO $$ BEGIN PERFORM steward.set_context('statement'); INSERT INTO work (by) VALUES ('statement'); END $$});
as_client(q{INSERT INTO work (by) VALUES ('nobody')});
is(count_since($wrong, $since), 0, 'statement pooling: a function or a block says it for itself');
is(count_since($wrong =~ s/AND new.*//sr, $since), 2, 'statement pooling: both are recorded');
stop_pooler();

# ---- contexts that are proved ----

my $realm = $node->safe_psql('postgres', q{SELECT steward.create_context_key('web')});
like($realm, qr/^[0-9a-f-]{36}$/, 'creating a context key tells the realm, and no key');

sub context_key
{
	my ($name, $of) = @_;
	my $path = steward_directory('key') . "/$name";
	system_or_bail('pg_steward_keygen', '--context', $name, '--realm', $of // $realm, $keyring, $path);
	return decode_base64(slurp_file($path));
}

# As an application makes it: docs/pooling.md has it in another language.
sub field { return defined $_[0] ? "\x01" . pack('N', length $_[0]) . $_[0] : "\x00" }

sub mac
{
	my ($key, $role, $actor, $purpose, $request, $seconds) = @_;
	return unpack 'H*', hmac_sha256('pg_steward/context/1' . join('', map { field($_) } $role, $actor, $purpose, $request)
		. pack('q>', $seconds * 1000000), $key);
}

sub literal { return defined $_[0] ? "'$_[0]'" : 'NULL' }

# A transaction that proves its context; what it answers. The MAC is of what is
# said, unless told otherwise.
sub proved
{
	my ($key, %o) = (shift, role => 'app', actor => 'ada', purpose => 'support', request => 'r-1', name => 'web', at => int time, @_);
	my $mac = $o{mac} // mac($key, @o{qw(role actor purpose request at)});
	my %said = (%o, %{ $o{said} // {} });
	my ($out, $err);
	$node->psql('postgres', sprintf(q{BEGIN; SELECT steward.set_context(%s, %s, %s, %s, to_timestamp(%s), '\x%s'); INSERT INTO work (by) VALUES (%s); COMMIT},
			(map { literal($_) } @said{qw(actor purpose request name)}), $said{at}, $mac, literal($said{actor})),
		stdout => \$out, stderr => \$err, on_error_stop => 1, extra_params => ['-U', $said{role}]);
	return $err;
}

my $key = context_key('web');
is(length $key, 32, 'the tool makes the key');
$node->safe_psql('postgres', q{ALTER ROLE app SET steward.require_context = authenticated});
is(proved($key), '', 'a proved context is taken');
is(proved($key, purpose => undef, request => undef), '', 'purpose and request id may be missing');
is(proved($key, actor => "zo\xc3\xab", purpose => 'two words'), '', 'beyond ASCII');
is($node->safe_psql('postgres', q{SELECT string_agg(concat_ws('|', actor, purpose, request_id, authenticated), ', ' ORDER BY xid)
	FROM (SELECT * FROM steward.audit_trail WHERE relation = 'public.work' AND authenticated) AS t}),
	"ada|support|r-1|t, ada|t, zo\xc3\xab|two words|r-1|t", 'and recorded as proved');
is($node->safe_psql('postgres', q{SELECT DISTINCT context_key FROM steward.audit_context WHERE context_key IS NOT NULL}), 'web', 'by which key');

my $refused = qr/ERROR:  context could not be authenticated/;
my %wrong = (
	'another actor' => [said => { actor => 'ben' }],
	'another purpose' => [said => { purpose => 'curiosity' }],
	'no purpose' => [said => { purpose => undef }],
	'another request' => [said => { request => 'r-2' }],
	'fields cut elsewhere' => [said => { actor => 'adas', purpose => 'upport' }],
	'another time' => [said => { at => int(time) - 1 }],
	'another login role' => [said => { role => 'other_app' }],
	'too old' => [at => time - 61],
	'from the future' => [at => time + 40],
	'a short MAC' => [mac => '00' x 16],
	'no MAC' => [mac => ''],
	'zeros' => [mac => '00' x 32],
);
for my $case (sort keys %wrong)
{
	my $error = proved($key, @{ $wrong{$case} });
	like($error, $refused, "$case is refused");
	unlike($error, qr/DETAIL:  .*[0-9a-f]{16}/, "$case: nothing of a MAC is told");
}
# Every bit of the MAC, of the texts as far as they stay text, and of the time
my $at = int time;
my $mac = mac($key, 'app', 'ada', 'support', 'r-1', $at);
is($node->safe_psql('postgres', sprintf(q{
CREATE FUNCTION accepted(actor text, purpose text, request_id text, at timestamptz, mac bytea) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM steward.set_context(actor, purpose, request_id, 'web', at, mac);
	RETURN true;
EXCEPTION WHEN invalid_authorization_specification THEN RETURN false;
END
$$;
CREATE FUNCTION flipped(said text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT convert_from(set_bit(b, n, 1 - get_bit(b, n)), 'UTF8') FROM convert_to(said, 'UTF8') AS b, generate_series(0, 8 * length(b) - 1) AS n
	 WHERE n %% 8 <> 7 AND get_byte(set_bit(b, n, 1 - get_bit(b, n)), n / 8) BETWEEN 1 AND 127
$$;
SET SESSION AUTHORIZATION app;
SELECT accepted('ada', 'support', 'r-1', to_timestamp(%1$d), '\x%2$s'),
	(SELECT count(*) FILTER (WHERE accepted('ada', 'support', 'r-1', to_timestamp(%1$d), set_bit('\x%2$s'::bytea, n, 1 - get_bit('\x%2$s'::bytea, n)))) || ' of ' || count(*) FROM generate_series(0, 255) AS n),
	(SELECT count(*) FILTER (WHERE accepted(f, 'support', 'r-1', to_timestamp(%1$d), '\x%2$s')) || ' of ' || count(*) FROM flipped('ada') AS f),
	(SELECT count(*) FILTER (WHERE accepted('ada', f, 'r-1', to_timestamp(%1$d), '\x%2$s')) || ' of ' || count(*) FROM flipped('support') AS f),
	(SELECT count(*) FILTER (WHERE accepted('ada', 'support', f, to_timestamp(%1$d), '\x%2$s')) || ' of ' || count(*) FROM flipped('r-1') AS f),
	(SELECT count(*) FILTER (WHERE accepted('ada', 'support', 'r-1', to_timestamp(%1$d) - (1::bigint << n) * interval '1 microsecond', '\x%2$s')) || ' of ' || count(*) FROM generate_series(0, 25) AS n);
}, $at, $mac)), 't|0 of 256|0 of 21|0 of 49|0 of 21|0 of 26', 'no bit of what was proved can be another');
is(proved($key, at => time - 50), '', 'within the lifetime');
is(proved($key, at => time + 20), '', 'a clock that is ahead a little');
like(proved($key, name => 'unknown'), qr/context key "unknown" does not exist/, 'a key that is not known');
like(proved(context_key('web', '00000000-0000-0000-0000-000000000000')), $refused, 'the key of another database under the same root');
like(proved(context_key('batch')), $refused, 'the key of another name');
like($node->psql('postgres', q{INSERT INTO work (by) VALUES ('nobody')}, extra_params => ['-U', 'app']) ? 'refused' : '', qr/refused/, 'without a context nothing is changed');

# A claim after it takes its place and proves nothing.
my ($rc, $stdout, $stderr) = $node->psql('postgres', sprintf(q{BEGIN; SELECT steward.set_context('ada', NULL, NULL, 'web', to_timestamp(%d), '\x%s');
	SELECT steward.set_context('ada'); INSERT INTO work (by) VALUES ('ada'); COMMIT}, time, mac($key, 'app', 'ada', undef, undef, int time)),
	extra_params => ['-U', 'app']);
like($stderr, qr/can be changed only in an authenticated context/, 'a claim after a proof is a claim');

# Another root: the old key counts as long as its root is in the keyring.
system_or_bail('pg_steward_keygen', '--add', $keyring);
steward_set($node);
is(proved($key), '', 'the key of an earlier root still counts');
is(proved(context_key('web')), '', 'and so does that of the current one');

# The database's own backup, with the same root, is the same database; its table of
# names goes with it.
$node->safe_psql('postgres', q{SELECT steward.create_context_key('batch')});
$node->safe_psql('postgres', q{SELECT steward.revoke_context_key('web')});
like(proved($key), qr/DETAIL:  The context key was revoked/, 'a revoked key is refused');
is(proved(context_key('batch'), name => 'batch'), '', 'another one is not');
like(steward_error($node, q{SELECT steward.create_context_key('web')}), qr/"web" exists already, or was revoked/, 'its name is not given again');
like(steward_error($node, q{SELECT steward.revoke_context_key('web')}), qr/there is no valid context key "web"/, 'nor revoked twice');
like(steward_error($node, qq{SELECT steward.create_context_key('$_')}), qr/invalid name of a context key/, "\"$_\" is no name")
	for '', 'a b', 'A', '-a', 'x' x 64;
is($node->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', event, details->>'context_key'), ', ' ORDER BY xid)
	FROM steward.event_trail WHERE details ? 'context_key'}),
	'create_context_key web, create_context_key batch, revoke_context_key web', 'all of it is recorded');

# Neither the key nor what it is made of is anywhere in the data directory.
$node->safe_psql('postgres', 'CHECKPOINT');
is_deeply([steward_tree_holds($node->data_dir, $key, unpack('H*', $key), encode_base64($key, ''))], [], 'the key is not in the data directory');
$node->stop;
is_deeply([steward_tree_holds($node->logfile =~ s{/[^/]+$}{}r, unpack('H*', $key), encode_base64($key, ''))], [], 'nor in a log');

done_testing();

# Crashes and concurrency: whatever was committed opens after kill -9; rights
# that change under readers never give anything but the plaintext or the refusal.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $soak = $ENV{STEWARD_SOAK} ? 1 : 0;
my $rounds = $soak ? 60 : 3;
my $seconds = $soak ? 10 : 2;
my $seed = $ENV{STEWARD_SEED} // 20261121;
my $node = steward_node('main', conf => 'log_statement = none');
my $directory = steward_directory('scripts');

note "seed $seed";
srand $seed;
$node->safe_psql(
	'postgres', q{
CREATE ROLE reader LOGIN;
SELECT steward.create_key('pii');
SELECT steward.grant_key('pii', 'reader', 'decrypt');
CREATE TABLE t (id int PRIMARY KEY, plain text NOT NULL, v steward.encrypted_text('pii/t.v') NOT NULL, w steward.encrypted_text('pii/t.w'));
CREATE UNIQUE INDEX t_v ON t (v steward.encrypted_unique_ops);
INSERT INTO t SELECT g, 'start ' || g, 'start ' || g FROM generate_series(1, 300) g;
GRANT SELECT ON t TO reader});

sub script
{
	my ($name, $text) = @_;

	append_to_file("$directory/$name", $text);
	return "$directory/$name";
}

my $write = script('write', q{
\set id random(1, 600)
\set n random(1, 1000000000)
INSERT INTO t VALUES (:id, 'value ' || :id || '.' || :n, 'value ' || :id || '.' || :n, 'w' || :n)
    ON CONFLICT (id) DO UPDATE SET plain = excluded.plain, v = excluded.v, w = excluded.w;
});
my $roll = script('roll', q{
\set id random(1, 600)
BEGIN;
UPDATE t SET v = 'never' || :id WHERE id = :id;
SAVEPOINT s;
DELETE FROM t WHERE id = :id;
ROLLBACK TO s;
ROLLBACK;
});
my $keys = script('keys', q{
\set n random(1, 1000000000)
BEGIN;
SELECT steward.create_key('k' || :n || 'x');
SELECT steward.encrypt_text('mine', 'k' || :n || 'x')::text;
ROLLBACK;
});

my $pgbench = sub {
	my ($in, $out, $err) = ('', '', '');
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;

	return IPC::Run::start([ 'pgbench', '-n', '-c4', '-j2', '-T', $_[0], "--random-seed=" . int(rand(1e9)), @_[ 1 .. $#_ ], 'postgres' ], '<', \$in, '>', \$out, '2>', \$err);
};

for my $round (1 .. $rounds)
{
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	my $writers = $pgbench->($seconds + 30, '-f', "$write\@8", '-f', "$roll\@1", '-f', "$keys\@1");

	sleep $seconds;
	$node->kill9;
	$writers->finish;
	steward_poll(sub { return !kill(0, $postmaster) }) or die 'the server did not end';
	steward_poll(sub { return $node->start(fail_ok => 1) }) or die 'the server did not start';
	is($node->safe_psql('postgres', 'SELECT pg_catalog.count(*) FROM t WHERE v::text <> plain OR w::text NOT LIKE \'w%\''), '0', "round $round: every value opens and is right");
	is($node->safe_psql('postgres', 'SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SELECT pg_catalog.count(*) FROM t a WHERE NOT EXISTS (SELECT FROM t b WHERE b.v = a.plain AND b.id = a.id)'), '0', "round $round: the unique index finds every value");
	is($node->safe_psql('postgres', q{SELECT pg_catalog.count(*) FROM steward.key_version}), '1', "round $round: no key of a transaction that did not commit");
}
cmp_ok($node->safe_psql('postgres', q{SELECT pg_catalog.count(*) FROM t WHERE plain LIKE 'value %'}), '>', 50, 'the writers wrote');

# ---- rights that change under readers ----

{
	my $read = script('read', q{
\set id random(1, 600)
SELECT 1 / (CASE WHEN plain = v::text THEN 1 ELSE 0 END) FROM t WHERE id = :id;
});
	my $grant = script('grant', q{SELECT steward.grant_key('pii', 'reader', 'decrypt');
SELECT steward.revoke_key('pii', 'reader', 'decrypt');
});
	my $changes = $pgbench->(2 * $seconds, '-f', $grant);
	my $granted = 0;
	my $denied = 0;
	my $until = time + 2 * $seconds;
	my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', 'reader' ]);

	while (time < $until)
	{
		my $error = steward_error($session, 'SELECT 1 / (CASE WHEN plain = v::text THEN 1 ELSE 0 END) FROM t');

		if ($error eq '') { $granted++ }
		elsif ($error =~ /^ERROR:  permission denied for key "pii/) { $denied++ }
		else { fail("an error of another kind: $error"); last }
	}
	$changes->finish;
	is($changes->result(0), 0, 'grants and revocations at the same time succeed');
	cmp_ok($denied, '>', 0, "readers were refused ($denied times) and served ($granted times)");
	like(steward_error($session, 'SELECT v::text FROM t'), qr/^ERROR:  permission denied/, 'the last word was a revocation');
	$node->safe_psql('postgres', q{SELECT steward.grant_key('pii', 'reader', 'decrypt')});
	is(steward_error($session, 'SELECT v::text FROM t'), '', 'and then a grant');
	is($session->query('SELECT pg_catalog.count(*) FROM t WHERE v::text <> plain'), '0', 'what it reads is right');
	$session->quit;
}

# Two sessions that make the same key: one of them does.
{
	my @results;
	my @sessions = map { steward_session($node) } 1 .. 2;

	$_->query('BEGIN') for @sessions;
	is(steward_error($sessions[0], q{SELECT steward.create_key('same')}), '', 'the first makes a key');
	$sessions[1]->query_until(qr/started/, "\\echo started\nSELECT steward.create_key('same');\n");
	$sessions[0]->query('COMMIT');
	like(steward_error($sessions[1], 'SELECT 1'), qr/ERROR:  key "same" already exists/, 'the second learns that it exists');
	$sessions[1]->query('ROLLBACK');
	is($sessions[1]->query(q{SELECT steward.encrypt_text('x', 'same')::text}), 'x', 'and can use it');
	$_->quit for @sessions;
}

# A key that is rolled back was never there, nor anything under it.
{
	my $session = steward_session($node);

	$session->query(q{BEGIN; SAVEPOINT a; SELECT steward.create_key('gone')});
	is($session->query(q{SELECT steward.encrypt_text('x', 'gone')::text}), 'x', 'a key can be used in its own transaction');
	$session->query('ROLLBACK TO a');
	like(steward_error($session, q{SELECT steward.encrypt_text('x', 'gone')}), qr/^ERROR:  key "gone" does not exist/, 'rolled back to a savepoint it is gone');
	$session->query(q{ROLLBACK; BEGIN; SELECT steward.create_key('gone')});
	$session->query(q{SELECT steward.encrypt_text('x', 'gone')});
	$session->query('ROLLBACK');
	like(steward_error($session, q{SELECT steward.encrypt_text('x', 'gone')}), qr/^ERROR:  key "gone" does not exist/, 'rolled back it is gone');
	$session->query(q{SELECT steward.create_key('gone')});
	is($session->query(q{SELECT steward.encrypt_text('y', 'gone')::text}), 'y', 'made anew it has another material');
	$session->query(q{BEGIN; SELECT steward.revoke_key('pii', 'reader', 'decrypt'); SET LOCAL ROLE reader});
	like(steward_error($session, 'SELECT v::text FROM t'), qr/^ERROR:  permission denied/, 'an uncommitted revocation holds for its own transaction');
	$session->query('ROLLBACK; SET ROLE reader');
	is(steward_error($session, 'SELECT v::text FROM t'), '', 'rolled back it never was');
	$session->quit;
}

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal (?!9)/, 'no crash but those made here');
$node->stop;
done_testing();

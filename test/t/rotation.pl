# Rotation in full operation: writers, new versions, re-encryption that is
# cancelled and killed, and erasures, all at once; nothing is lost, and in the
# end no value needs an old version. Then the root, with many subjects.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use StewardCanary;
use Test::More;

my $soak = $ENV{STEWARD_SOAK} ? 1 : 0;
my $rounds = $soak ? 40 : 4;
my $seconds = $soak ? 10 : 3;
my $subjects = $soak ? 1_000_000 : 20_000;
my $seed = $ENV{STEWARD_SEED} // 20261121;
my $keyring = steward_keyring();
my $node = steward_node('main', keyring => $keyring,
	conf => "max_connections = 40\nautovacuum_naptime = 1s\nlog_min_messages = fatal\nclient_min_messages = error");
my $directory = steward_directory('scripts');

note "seed $seed";
srand $seed;

sub script
{
	my ($name, $text) = @_;

	append_to_file("$directory/$name", $text);
	return "$directory/$name";
}

# ---- everything at once ----

# "plain" says what "v" and "list" must open to; "told" has what was committed. A
# row is made and deleted by one at a time: else a DELETE that began before the row
# was committed misses it in the one table and finds it in the other.
$node->safe_psql('postgres', q{
SELECT steward.create_key('pii');
CREATE TABLE t (id int PRIMARY KEY, plain text NOT NULL, v steward.encrypted_text('pii/t.v') NOT NULL,
	list steward.encrypted_text('pii/t.list')[], touched int DEFAULT 0);
CREATE UNIQUE INDEX t_v ON t (v steward.encrypted_unique_ops);
CREATE TABLE told (id int PRIMARY KEY, plain text);
CREATE TABLE carried (id int, plain text, v steward.encrypted_text('pii/t.v'));
CREATE TABLE p (id int, person int, plain text, v steward.encrypted_text('pii/p.v'), big steward.encrypted_text('pii/p.big')) PARTITION BY HASH (id);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT steward.bind_subject('p', 'person', 'person');
INSERT INTO t SELECT n, n || ' start', n || ' start', ARRAY[n || ' start']::steward.encrypted_text('pii/t.list')[] FROM generate_series(1, 3000) n;
INSERT INTO told SELECT id, plain FROM t;
INSERT INTO p SELECT n, n % 100, 'p' || n, 'p' || n, repeat('p' || n, 1000) FROM generate_series(1, 500) n;
CREATE FUNCTION add_person(person int, n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.p VALUES (n, person, 'p' || n, 'p' || n, NULL);
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	NULL; -- erased
END $$;
CREATE FUNCTION shred(person int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM steward.shred_subject('person', person::text);
END $$;
});

my $write = script('write', q{
\set id random(1, 4000)
\set n random(1, 1000000000)
BEGIN;
SELECT pg_advisory_xact_lock(:id);
INSERT INTO t VALUES (:id, :id || ' ' || :n, :id || ' ' || :n, ARRAY[:id || ' ' || :n]::steward.encrypted_text('pii/t.list')[])
    ON CONFLICT (id) DO UPDATE SET plain = excluded.plain, v = excluded.v, list = excluded.list;
INSERT INTO told VALUES (:id, :id || ' ' || :n) ON CONFLICT (id) DO UPDATE SET plain = excluded.plain;
COMMIT;
});
my $touch = script('touch', q{
\set id random(1, 4000)
UPDATE t SET touched = touched + 1 WHERE id BETWEEN :id AND :id + 20;
});
my $remove = script('remove', q{
\set id random(1, 4000)
BEGIN;
SELECT pg_advisory_xact_lock(:id);
DELETE FROM t WHERE id = :id;
DELETE FROM told WHERE id = :id;
COMMIT;
});
my $copy = script('copy', q{
\set id random(1, 4000)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM t;
SELECT pg_sleep(0.05);
INSERT INTO carried SELECT id, plain, v FROM t WHERE id = :id;
COMMIT;
});
my $person = script('person', q{
\set person random(0, 99)
\set n random(1, 1000000000)
SELECT add_person(:person, :n);
});
my $shred = script('shred', q{
\set person random(0, 30)
SELECT shred(:person);
});

sub writers
{
	my ($clients, $time, @scripts) = @_;
	my ($in, $out, $err) = ('', '', '');
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;

	return IPC::Run::start(
		[ 'pgbench', '-n', "-c$clients", '-j2', '-T', $time, '--max-tries=100', '--random-seed=' . int(rand(1e9)),
			(map { ('-f', $_) } @scripts), 'postgres' ], '<', \$in, '>', \$out, '2>', \$err), \$err, \$out;
}

# One call in a session of its own.
sub call
{
	my (@sql) = @_;
	my ($in, $out, $err) = ('', '', '');

	return (IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), map { ('-c', $_) } @sql ], '<', \$in, '>', \$out, '2>', \$err), \$err);
}

sub check_integrity
{
	my ($what) = @_;

	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM t FULL JOIN told USING (id)
		WHERE t.plain IS DISTINCT FROM told.plain OR v::text IS DISTINCT FROM told.plain OR list[1]::text IS DISTINCT FROM told.plain}),
		'0', "$what: every committed value opens to what was written, and nothing else is there");
	is($node->safe_psql('postgres', q{
		SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
		SELECT count(*) FROM told WHERE NOT EXISTS (SELECT FROM t WHERE v = told.plain)}),
		'0', "$what: the unique index finds every value");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM carried WHERE v::text <> plain'), '0', "$what: copies of ciphertext open");
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM p
		LEFT JOIN (SELECT (SELECT v FROM p AS q WHERE q.person = s.person AND v IS NOT NULL AND v::text IS NULL LIMIT 1) IS NOT NULL AS erased, person
			FROM (SELECT DISTINCT person FROM p) AS s) AS e USING (person)
		WHERE NOT e.erased AND (v::text IS DISTINCT FROM p.plain OR (big IS NOT NULL AND big::text <> repeat(p.plain, 1000)))
		   OR e.erased AND (v::text IS NOT NULL OR big::text IS NOT NULL)}),
		'0', "$what: values of people open or are erased, all of one person alike");
	return;
}

my @errors;
for my $round (1 .. $rounds)
{
	my $crash = $round % 2 == 0;
	my ($writers, $err, $out) = writers(8, $crash ? $seconds + 30 : $seconds, "$write\@6", "$touch\@4", "$remove\@1", "$copy\@1", "$person\@4", "$shred\@1");
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	my $end = time + $seconds;

	while (time < $end)
	{
		my $table = rand() < 0.5 ? 't' : 'p';

		$node->safe_psql('postgres', q{SELECT steward.rotate_key('pii')});
		my ($call, $call_err) = call(q{SET lock_timeout = '1s'}, "CALL steward.reencrypt('$table')");

		select(undef, undef, undef, rand(0.4));
		$node->psql('postgres', 'SELECT ' . (rand() < 0.5 ? 'pg_cancel_backend(pid)' : 'pg_terminate_backend(pid)') . ' FROM steward.reencryption_progress')
		  if rand() < 0.5;
		$call->finish;
		push @errors, $$call_err
		  if $$call_err =~ /ERROR/ && $$call_err !~ /canceling statement due to (user request|lock timeout)|terminating connection/;
	}
	if ($crash)
	{
		my ($call) = call(q{CALL steward.reencrypt('t')});

		select(undef, undef, undef, rand(0.1));
		$node->kill9;
		$writers->finish;
		$call->finish;
		steward_poll(sub { return !kill(0, $postmaster) }) or die 'the server did not end';
		$node->start;
	}
	else
	{
		$writers->finish;
		unlike($$err, qr/error|abort/i, "round $round: no writer saw an error");
		like($$out, qr/actually processed: [1-9]\d\d/, "round $round: and they wrote");
	}
	check_integrity("round $round" . ($crash ? ', after kill -9' : ''));
}
is("@errors", '', 'no re-encryption failed but by being ended');
is($node->safe_psql('postgres', q{SELECT count(*) FROM steward.reencryption_progress}), '0', 'and none is left running');

# ---- in the end nothing needs an old version ----

my $versions = $node->safe_psql('postgres', q{SELECT steward.rotate_key('pii')});
cmp_ok($versions, '>', $rounds + 1, "there are $versions versions");
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM carried'), '>', 0, 'ciphertext was copied meanwhile');
for my $table ('t', 'p', 'carried')
{
	is($node->safe_psql('postgres', "CALL steward.reencrypt('$table')") =~ s/^\d+\|//r, '0', "$table is re-encrypted whole");
}
is($node->safe_psql('postgres', q{SELECT DISTINCT state FROM steward.reencryption WHERE state NOT IN ('complete', 'incomplete', 'interrupted')}), '', 'every run has its end');
is($node->safe_psql('postgres', q{SELECT sum(values) = (SELECT count(v) + count(list) FROM t) + (SELECT count(v) FROM carried) + (SELECT count(v) FILTER (WHERE v::text IS NOT NULL) + count(big) FILTER (WHERE big::text IS NOT NULL) FROM p)
	FROM steward.key_status WHERE state = 'current'}), 't', 'key_status counts what there is');
$node->safe_psql('postgres', 'REINDEX INDEX t_v');
# Each looks at everything: of hundreds, the oldest and the newest.
$node->safe_psql('postgres', "SELECT steward.destroy_key_version('pii', v) FROM generate_series(1, $versions - 1) v WHERE v <= 20 OR v > $versions - 20");
check_integrity('without the old versions');

# ---- a standby ----

{
	$node->append_conf('postgresql.conf', "wal_level = replica\nmax_wal_senders = 4");
	$node->restart;
	$node->backup('base');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($node, 'base', has_streaming => 1);
	$standby->start;
	my $session = steward_session($standby);

	$node->wait_for_catchup($standby);
	is($session->query('SELECT count(*) FROM t JOIN told USING (id) WHERE v::text = told.plain') > 0, 1, 'a standby reads');
	$node->safe_psql('postgres', q{SELECT steward.rotate_key('pii'); UPDATE t SET v = 'new', plain = 'new' WHERE id = (SELECT min(id) FROM t);
		UPDATE told SET plain = 'new' WHERE id = (SELECT min(id) FROM told)});
	$node->wait_for_catchup($standby);
	is($session->query(q{SELECT v::text FROM t WHERE plain = 'new'}), 'new', 'and what a new version sealed, in a running session');
	$node->safe_psql('postgres', q{CALL steward.reencrypt('t')});
	$node->wait_for_catchup($standby);
	is($session->query('SELECT count(*) FROM t JOIN told USING (id) WHERE v::text IS DISTINCT FROM told.plain'), '0', 'and what was re-encrypted');
	$node->safe_psql('postgres', qq{SELECT steward.destroy_key_version('pii', $versions, force => true)});
	$node->wait_for_catchup($standby);
	like(steward_error($session, q{SELECT v::text FROM p WHERE v::text IS NOT NULL}), qr/destroyed/, 'a destroyed version is gone there too');
	like(steward_error($session, q{CALL steward.reencrypt('t')}), qr/read-only|recovery/, 'it moves nothing itself');
	$session->quit;
	$standby->stop;
	$node->safe_psql('postgres', 'DROP TABLE p');
}

# ---- the root ----

$node->safe_psql('postgres', qq{
CREATE TABLE s (id int, v steward.encrypted_text('pii/s.v'));
SELECT steward.bind_subject('s', 'many', 'id');
INSERT INTO s SELECT n, 's' || n FROM generate_series(1, $subjects) n;
SELECT steward.shred_subject('many', '7');
});
my $check_all = q{SELECT count(*) FILTER (WHERE v::text = 's' || id), count(*) FILTER (WHERE v::text IS NULL) FROM s WHERE id > 0};
my $whole = ($subjects - 1) . '|1';
my $wrapped_under = q{SELECT DISTINCT encode(root_id, 'hex') FROM (SELECT root_id FROM steward.key_version WHERE root_id IS NOT NULL
	UNION ALL SELECT root_id FROM steward.key_secret UNION ALL SELECT root_id FROM steward.subject_key) w};
my ($old) = steward_root_keys($keyring);

# What is under the wraps, by the second implementation.
sub secrets
{
	return map { $_->[0] . ' ' . unpack('H*', $_->[1]) } grep { $_->[0] =~ /^secret/ } key_material($node, $keyring);
}

$node->safe_psql('postgres', q{SELECT steward.rotate_index_secret('pii') FROM generate_series(1, 300)});
my @secrets = secrets();
cmp_ok(scalar(grep { /^secret2 / } @secrets), '>', 300, 'there are many generations of an index secret');

system_or_bail('pg_steward_keygen', '--add', $keyring);
my $new = (steward_root_keys($keyring))[1];
my $idle = steward_session($node);
is($idle->query("SELECT v::text FROM s WHERE id = 1"), 's1', 'a session has the old root');
steward_set($node, 'steward_test.root' => 2);

# Killed on the way; first uses, erasures and new keys go on meanwhile.
# Whom one of them erases no other uses again.
$node->safe_psql('postgres', 'CREATE SEQUENCE erased');
my $first_use = script('first_use', q{
\set id 2 * random(1, 1000000000)
INSERT INTO s VALUES (-:id, 'later') ;
});
my $shred_many = script('shred_many', q{
SELECT 2 * nextval('erased') - 1 AS id \gset
BEGIN;
INSERT INTO s VALUES (-:id, 'gone');
SELECT steward.shred_subject('many', (-:id)::text);
COMMIT;
});
# Not too many: key ids have 31 bits, and two names that share one are refused.
my $new_key = script('new_key', q{
\set id random(1, 1000000000)
SELECT pg_sleep(0.2);
SELECT steward.create_key('k' || :id || 'x');
SELECT steward.rotate_key('k' || :id || 'x');
SELECT steward.rotate_index_secret('k' || :id || 'x');
SELECT steward.rotate_index_secret('pii');
});
my ($users, $users_err, $users_out) = writers(4, $soak ? 120 : 6, "$first_use\@8", "$shred_many\@1", "$new_key\@1");
my $killed = 0;
for my $attempt (1 .. 30)
{
	my ($call, $call_err) = call('CALL steward.rotate_root_key()');

	select(undef, undef, undef, 0.03 * $attempt);
	$node->psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^CALL steward.rotate_root' AND pid <> pg_backend_pid()});
	$call->finish;
	$killed++ if $$call_err =~ /terminating connection/;
	last if $killed == 3 || $$call_err eq '';
}
cmp_ok($killed, '>', 0, "a rotation of the root was killed $killed times on its way");
is($node->safe_psql('postgres', $check_all), $whole, 'everything opens between two roots');
my $since = time;
my $answer = $node->safe_psql('postgres', 'CALL steward.rotate_root_key()');
note 'rotate_root_key took ' . (time - $since) . ' s';
like($answer, qr/^\d+\|0$/, 'called again, it leaves nothing under the old root');
$users->finish;
unlike($$users_err, qr/error|abort/i, 'those who used it meanwhile saw no error');
like($$users_out, qr/actually processed: [1-9]\d\d/, 'and they used it');
is($node->safe_psql('postgres', $wrapped_under), $new->{id}, 'nor does anybody put anything there');
is($idle->query("SELECT v::text FROM s WHERE id = 2"), 's2', 'an idle session goes on');
$idle->quit;
is($node->safe_psql('postgres', q{SELECT string_agg(encode(root_id, 'hex'), ',' ORDER BY number) FROM steward.root}), "$old->{id},$new->{id}", 'the roots are recorded in their order');

# Without the old root everything is there.
unlink $keyring or die;
append_to_file($keyring, $new->{line});
chmod 0600, $keyring or die;
$node->restart;
is($node->safe_psql('postgres', $check_all), $whole, 'without the old root everything opens');
my %now = map { $_ => 1 } secrets();
is(scalar(grep { !$now{$_} } @secrets), 0, 'and every secret is what it was, those of all generations too');
is($node->safe_psql('postgres', q{SELECT bool_and(root_is_current) FROM steward.key_status WHERE state <> 'destroyed'}), 't', 'key_status says so');
is($node->safe_psql('postgres', q{SELECT count(*) FROM s WHERE id < 0 AND v::text IS NOT NULL AND v::text <> 'later'}), '0', 'what was erased meanwhile stays erased');

# A root that is still needed must be there.
system_or_bail('pg_steward_keygen', "$keyring.next");
my ($third) = steward_root_keys("$keyring.next");
unlink $keyring or die;
append_to_file($keyring, $third->{line});
chmod 0600, $keyring or die;
$node->restart;
like(steward_error($node, 'CALL steward.rotate_root_key()'), qr/root key $new->{id} is not in the keyring/, 'a missing root is named');
is($node->safe_psql('postgres', $wrapped_under), $new->{id}, 'and nothing was changed');

done_testing();

# Subjects through what a server lives through: standbys, crashes, dumps, prepared
# transactions, copies of databases, a new root key, a journal.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $keyring = steward_keyring();
my $node = steward_node('primary', keyring => $keyring, conf => "max_prepared_transactions = 5\nautovacuum = off\nrestart_after_crash = on",
	init => { allows_streaming => 1 });
my $quiet = 'SET client_min_messages = error;';

sub sql
{
	my ($text, $database) = @_;
	return $node->safe_psql($database // 'postgres', "$quiet $text");
}

sub read_person
{
	my ($where, $id, $database) = @_;
	return $where->safe_psql($database // 'postgres', "SELECT coalesce(v::text, 'erased') FROM person WHERE id = $id");
}

sub shred
{
	my ($id, $database) = @_;
	return sql("SELECT steward.shred_subject('person', '$id')", $database);
}

my $setup = q{
SELECT steward.create_key('pii');
CREATE TABLE person (id int PRIMARY KEY, v steward.encrypted_text('pii/person.v'));
SELECT steward.bind_subject('person', 'person', 'id');
INSERT INTO person SELECT g, 'value ' || g FROM generate_series(1, 50) g};
sql($setup);
$node->backup('base');

# ---- a standby ----
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay');
is(read_person($standby, 1), 'value 1', 'a standby opens values that are bound to a subject');
my $plain = steward_session($standby);
my $old = steward_session($standby);
my $cursor = steward_session($standby);
my $get = q{SELECT coalesce(v::text, 'erased') FROM person WHERE id = 1};
is($plain->query($get), 'value 1', 'a session of the standby knows the key now');
$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($old->query($get), 'value 1', 'so does a transaction');
$cursor->query(q{BEGIN; DECLARE c CURSOR FOR SELECT coalesce(v::text, 'erased') FROM person, generate_series(1, 3) WHERE id = 1});
is($cursor->query('FETCH 1 FROM c'), 'value 1', 'and a cursor');
like(steward_error($standby, q{SELECT steward.shred_subject('person', '1')}), qr/read-only/, 'nobody is erased on a standby');
is(shred(1), 't', 'somebody is erased on the primary');
$node->wait_for_catchup($standby, 'replay');
is($plain->query($get), 'erased', 'that reaches the cache of the session on the standby');
is($old->query($get), 'erased', 'and the transaction of an older snapshot');
is($cursor->query('FETCH 1 FROM c'), 'erased', 'and the cursor');
is(read_person($standby, 2), 'value 2', 'others stay as they are');
$_->quit for $plain, $old, $cursor;

# ---- crashes ----
my $session = steward_session($node);
$session->query("$quiet BEGIN; SELECT steward.shred_subject('person', '3'); INSERT INTO person VALUES (100, 'lost')");
$node->stop('immediate');
$node->start;
is(read_person($node, 3), 'value 3', 'an erasure that a crash cut short did not happen');
is(sql(q{SELECT count(*) FROM steward.subject_key}), '50', 'nor is there a secret of whom it cut off');
is(shred(3), 't', 'it is done again');
$node->stop('immediate');
$node->start;
is(read_person($node, 3), 'erased', 'one that was committed stays');
is(sql(q{INSERT INTO person VALUES (100, 'again'); SELECT count(*) FROM person WHERE id = 100 AND v::text = 'again'}), '1', 'a first use after a crash makes a secret');
# kill -9 of the backend at work takes the server down and up again
$session = steward_session($node);
my $pid = $session->query("$quiet SELECT pg_backend_pid()");
$session->query("BEGIN; SELECT steward.shred_subject('person', '4')");
kill 'KILL', $pid;
ok(steward_poll(
		sub {
			my ($status, $count) = $node->psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid");
			return $status == 0 && $count eq '0';
		}),
	'the server comes back');
is(read_person($node, 4), 'value 4', 'nor does a kill -9 erase anybody');

# ---- prepared transactions ----
like(steward_error($node, "$quiet BEGIN; SELECT steward.shred_subject('person', '5'); PREPARE TRANSACTION 'p'"), qr/^ERROR:  cannot PREPARE/,
	'an erasure cannot be prepared');
is(read_person($node, 5), 'value 5', 'and did not happen');
sql(q{BEGIN; INSERT INTO person VALUES (200, 'prepared'); PREPARE TRANSACTION 'first'});
my $waiting = steward_session($node);
$waiting->query_until(qr/waits/, "\\echo waits\n$quiet SELECT steward.shred_subject('person', '200');\n");
my $blocked = q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%shred_subject%200%' AND pid <> pg_backend_pid()};
ok(steward_poll(sub { sql($blocked) eq '1' }), 'who erases somebody who is just being made waits');
sql(q{COMMIT PREPARED 'first'});
ok(steward_poll(sub { sql($blocked) eq '0' }), 'until that is decided');
is(read_person($node, 200), 'erased', 'and then erases him');
$waiting->quit;

# ---- the end of erasures ----
sql('CALL steward.finish_erasure()');
sql(q{BEGIN; INSERT INTO person VALUES (201, 'prepared'); PREPARE TRANSACTION 'writer'});
my $slow = steward_session($node);
my $slow_pid = $slow->query('SELECT pg_backend_pid()');
$slow->query(q{BEGIN; SELECT pg_catalog.count(*) FROM person});
shred(6);
my @finishers = map { steward_session($node) } 1 .. 2;
$_->query_until(qr/waits/, "\\echo waits\nCALL steward.finish_erasure();\n\\echo done\n") for @finishers;
ok(steward_poll(sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL steward.finish%' AND state = 'active'}) eq '2' }),
	'two wait for the end of the same erasure');
# What they wait for is told: by one of them that which of the other, by the other the transactions.
my $said = sub { return join('', map { $_->{stderr} } @finishers) };
sub says
{
	my ($what, $name) = @_;

	ok(steward_poll(sub { eval { $_->{run}->pump_nb } for @finishers; return $said->() =~ $what }), $name) or diag $said->();
	return;
}
says(qr/NOTICE:  waiting for 2 transactions that began before\nDETAIL:  Processes: $slow_pid\. Prepared transactions: 'writer'\.\nHINT:  .*ROLLBACK PREPARED/, 'who waits says for what');
says(qr/NOTICE:  waiting for another session that .* or finishes erasures\nDETAIL:  Process: \d+\./, 'and for whom');
$slow->query('ROLLBACK');
$slow->quit;
says(qr/NOTICE:  waiting for 1 transaction that began before\nDETAIL:  Prepared transactions: 'writer'\.\n/, 'and again, of those that are left');
is(sql(q{SELECT count(*) FROM steward.pending_erasure}), '1', 'it is not final while a prepared transaction could still write');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL steward.finish%' AND backend_xmin IS NOT NULL}), '0', 'who waits holds no snapshot');
is(sql(q{SELECT bool_or(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'CALL steward.finish%' AND wait_event_type = 'Lock'}), 't', 'waiting can be cancelled');
ok(steward_poll(sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL steward.finish%' AND state = 'active'}) eq '1' }), 'and ends');
sql(q{ROLLBACK PREPARED 'writer'});
ok(steward_poll(sub { sql(q{SELECT count(*) FROM steward.pending_erasure}) eq '0' }), 'the other one makes it final');
$_->quit for @finishers;

# ---- another database with the same names ----
sql('CREATE DATABASE twin');
sql("CREATE EXTENSION pg_steward; $setup", 'twin');
is(shred(10), 't', 'somebody is erased in one database');
is(read_person($node, 10, 'twin'), 'value 10', 'his namesake of the other one is not');
is(read_person($node, 10), 'erased', 'he is');
# Rows of one do not work in the other, even with the same numbers.
sql(q{COPY (SELECT * FROM steward.subject_key) TO '} . $node->basedir . q{/twin.copy'}, 'twin');
sql(q{CREATE TABLE kept AS SELECT * FROM steward.subject_key; TRUNCATE steward.subject_key; COPY steward.subject_key FROM '} . $node->basedir . q{/twin.copy'});
like(steward_error($node, 'SELECT v::text FROM person WHERE id = 11'), qr/does not have/, 'secrets of another database have other numbers');
sql(q{UPDATE steward.subject_key AS s SET subject = k.subject, key_digest = k.key_digest FROM (SELECT row_number() OVER (), * FROM kept WHERE erased_at IS NULL) AS k
 WHERE s.subject = (SELECT subject FROM (SELECT row_number() OVER (), subject FROM steward.subject_key) AS n WHERE n.row_number = k.row_number)});
like(steward_error($node, 'SELECT v::text FROM person WHERE id = 11'), qr/cannot be opened/, 'and under his number open nothing');
sql(q{TRUNCATE steward.subject_key; INSERT INTO steward.subject_key SELECT * FROM kept; DROP TABLE kept});
is(read_person($node, 11), 'value 11', 'with its own they do');

# ---- dump and restore ----
my $dump = $node->basedir . '/dump';
my $data = $node->basedir . '/data';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
sql('CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('restored'), '--exit-on-error', $dump ], 'pg_restore');
is(read_person($node, 11, 'restored'), 'value 11', 'a restored value opens');
is(read_person($node, 10, 'restored'), 'erased', 'an erased one stays so');
my $numbers = q{SELECT md5(string_agg(subject::text || coalesce(erased_at::text, ''), ',' ORDER BY subject)) FROM steward.subject_key};
is(sql($numbers, 'restored'), sql($numbers), 'subjects and tombstones are the same');
is(sql(q{SELECT kind || ' ' || "column" FROM steward.subject_binding}, 'restored'), 'person id', 'so is the binding');
like(steward_error($node, q{INSERT INTO person VALUES (1010, 'x'); UPDATE person SET v = 'x' WHERE id = 10}, database => 'restored'), qr/was erased/, 'nothing new is bound to the erased');
is(sql(q{UPDATE person SET v = 'new' WHERE id = 11; SELECT count(*) FROM steward.subject_key WHERE kind = 'person'}, 'restored'), sql(q{SELECT count(*) + 1 FROM steward.subject_key WHERE kind = 'person'}), 'who is there already gets no second secret');
# Data alone: as the manual says, with triggers disabled.
sql('CREATE DATABASE data_only');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('data_only'), '--exit-on-error', '--schema-only', $dump ], 'the schema alone');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('data_only'), '--exit-on-error', '--data-only', '--disable-triggers', $dump ], 'then the data');
is(read_person($node, 11, 'data_only'), 'value 11', 'values are restored as they were');
is(sql('SELECT count(*) FROM steward.subject_binding WHERE enabled', 'data_only'), '1', 'the binding is at work again');

# ---- a new root key ----
my ($first) = map { $_->{id} } steward_root_keys($keyring);
system_or_bail('pg_steward_keygen', '--add', $keyring);
my ($second) = map { $_->{id} } reverse steward_root_keys($keyring);
steward_set($node);
sql(q{INSERT INTO person VALUES (300, 'under the new root')});
sql('CALL steward.rotate_root_key()');
is(read_person($node, 12), 'value 12', 'after a rotation of the root values open');
is(read_person($node, 10), 'erased', 'and tombstones are such');
shred(12);
shred(300);
is(sql(q{SELECT string_agg(root || ' ' || in_use, ',' ORDER BY number) FROM steward.shred_horizon}), "$first false,$second true", 'the first root is needed no more');
my $erased = sql(q{SELECT count(*) FROM steward.subject_key WHERE erased_at IS NOT NULL AND first_root_id IS NOT NULL});
is(sql(q{SELECT string_agg(erased_subjects::text, ',' ORDER BY number) FROM steward.shred_horizon}), ($erased - 1) . ',2',
	'the first root covers all but the one made later, the second those erased later');

# ---- a backup from before an erasure, and the journal ----
my $journal = steward_directory('journal') . '/revocations';
steward_set($node, 'steward.revocation_file' => $journal);
sql(q{INSERT INTO person VALUES (400, 'journaled'), (401, 'journaled too')});
$node->command_ok([ 'pg_dump', '-Fc', '-f', $data, '-d', $node->connstr('postgres') ], 'a dump from before');
is(shred(400), 't', 'an erasure with a journal');
is(shred(401), 't', 'and another one');
sql('CREATE DATABASE yesterday');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('yesterday'), '--exit-on-error', $data ], 'that dump is restored');
is(sql(q{SELECT count(*) FROM steward.subject_key AS s WHERE erased_at IS NULL AND subject IN (SELECT subject FROM steward.subject_key)}, 'yesterday') > 0, 1, 'the secret is there');
like(steward_error($node, 'SELECT v::text FROM person WHERE id = 400', database => 'yesterday'), qr/that was erased.*apply_revocations/s, 'but the journal knows');
is(sql('SELECT steward.apply_revocations()', 'yesterday'), '2', 'its tombstones are written');
is(read_person($node, 400, 'yesterday'), 'erased', 'and he is erased again');
is(sql('SELECT steward.apply_revocations()', 'yesterday'), '0', 'once');
is(read_person($node, 11, 'yesterday'), 'value 11', 'others live on');

$standby->stop;
$node->stop;
done_testing();

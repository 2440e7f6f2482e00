# A run sees who suffers beside it, makes longer pauses for them, says what for, and goes on
# as before when they are gone: slots that lag, standbys whose replay does, a vacuum of the
# table, waiters, and snapshots that are older than ten million transactions.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $node = steward_node('backoff', init => { allows_streaming => 1 }, conf => <<'CONF');
autovacuum = off
max_prepared_transactions = 2
max_wal_size = 4GB
wal_keep_size = 2GB
log_min_messages = warning
CONF

sub ask { return $node->safe_psql('postgres', $_[0]); }

# A row takes as long as it says there.
ask(q{
CREATE TABLE slowness (seconds float8);
INSERT INTO slowness VALUES (0.002);
CREATE TABLE visit (id integer PRIMARY KEY, at timestamptz);
INSERT INTO visit SELECT n, '2001-01-01' FROM generate_series(1, 10000) AS n;
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(seconds) FROM public.slowness; RETURN OLD; END $$;
CREATE TRIGGER slow BEFORE DELETE ON visit FOR EACH ROW EXECUTE FUNCTION slow();
SELECT steward.create_policy('visits', 'visit', 'at', '1 year', schedule => '1 second')});

my $shown = q{SELECT query FROM pg_stat_activity WHERE application_name = 'pg_steward: retention' AND backend_type = 'pg_steward worker'};

# Until the run says that it does something, and as long as it says something else.
sub says
{
	my ($what, $name) = @_;
	my $seen = '';

	ok(steward_poll(sub {
				$seen = ask($shown);
				return $seen eq qq{pg_steward: retention: policy "visits", $what};
			}), $name) or diag("it says: $seen");
	return;
}

# Ten looks in a row, none of which sees a pause.
sub as_before
{
	my ($name) = @_;
	my $calm = 0;

	ok(steward_poll(sub { $calm = ask($shown) =~ /pausing/ ? 0 : $calm + 1; return $calm >= 10; }), $name);
	return;
}

# Pauses are a part of the time that batches take: to be seen, both must be long. But the
# first batches are large; when they have become small a row may take its time.
sub slow_down
{
	my $batches = ask('SELECT coalesce(sum(batches), 0) FROM steward.policy_run');

	ok(steward_poll(sub { return ask('SELECT coalesce(sum(batches), 0) FROM steward.policy_run') > $batches + 5; }), 'a run works');
	ask('UPDATE slowness SET seconds = 0.15');
	return;
}

sub left { return ask('SELECT count(*) FROM visit'); }

# ---- nobody suffers ----

slow_down();
says('batches', 'it says so');
as_before('nobody makes it pause');
my $rows = left();
ok(steward_poll(sub { return left() < $rows }), 'rows go');

# ---- a slot that nobody reads ----

ask(q{SELECT pg_create_physical_replication_slot('forgotten', true)});
ask(q{SELECT count(pg_logical_emit_message(false, 'fill', repeat('x', 1000000))) FROM generate_series(1, 70)});
says('pausing for standbys or slots that lag', 'a slot 64 MB behind makes it pause');
$rows = left();
ok(steward_poll(sub { return left() < $rows }), 'and yet it goes on');
ask(q{SELECT pg_drop_replication_slot('forgotten')});
as_before('without the slot it is as before');

# ---- a standby whose replay waits ----

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
as_before('a standby that keeps up makes no pause');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
ask(q{SELECT count(pg_logical_emit_message(false, 'fill', repeat('x', 1000000))) FROM generate_series(1, 70)});
says('pausing for standbys or slots that lag', 'one that does not replay makes it pause');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
as_before('when it has caught up it is as before');
$standby->stop;

# ---- a vacuum of the table ----

my $other = steward_session($node);
$other->query_until(qr/begun/, "SET vacuum_cost_delay = 100;\nSET vacuum_cost_limit = 1;\n\\echo begun\nVACUUM visit;\n");
says('pausing for a vacuum of the table', 'a vacuum makes it pause');
ask(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query = 'VACUUM visit;'});
as_before('without the vacuum it is as before');
$other->quit;

# ---- waiters ----

# Who refreshes the next row, again and again, mostly finds it in a batch.
my $waiter = steward_session($node);
$waiter->query_until(qr/begun/, "\\echo begun\nDO \$\$ BEGIN LOOP UPDATE visit SET at = now() WHERE id = (SELECT min(id) FROM visit WHERE at < '2002-01-01'); COMMIT; PERFORM pg_sleep(0.01); END LOOP; END \$\$;\n");
says('pausing for others that waited for it', 'who waits for a batch makes it pause');
ask(q{SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'DO %'});
as_before('when nobody waits it is as before');

# ---- an old snapshot ----

# What a prepared transaction keeps grows old while the server is down.
ask(q{CREATE TABLE kept (); BEGIN; INSERT INTO kept DEFAULT VALUES; PREPARE TRANSACTION 'old'});
ask('UPDATE slowness SET seconds = 0.002');
# To the first transaction of a page of the commit log, which is made with it.
my $later = (int(ask('SELECT pg_current_xact_id()') / 32768) + 320) * 32768;
$node->stop;
command_ok([ 'pg_resetwal', '-x', $later, '-D', $node->data_dir ], 'ten million transactions pass');
$node->start;
slow_down();
says('pausing for an old snapshot', 'a snapshot so old makes it pause');
ask(q{ROLLBACK PREPARED 'old'});
as_before('without it it is as before');

# ---- what the history says ----

ask('UPDATE slowness SET seconds = 0');
ok(steward_poll(sub { return ask(q{SELECT count(*) FROM steward.policy_run WHERE state = 'complete' AND waits > 1000}) > 0 }), 'the history has the pauses');
is(ask(q{SELECT count(*) FROM visit WHERE at < '2002-01-01'}), '0', 'and all that had expired is gone');
$node->stop;
done_testing();

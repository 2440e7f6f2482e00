# A crash at any moment leaves the audit trail equal to the tables: every
# committed change has its record, and no record is without its change.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use IPC::Run;

my $rounds  = $ENV{STEWARD_SOAK} ? 100 : 6;
my $writers = 3;

my $node = PostgreSQL::Test::Cluster->new('crash');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
max_prepared_transactions = 10
restart_after_crash = on
CONF
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_steward;
CREATE TABLE account (id integer PRIMARY KEY, writer integer, round integer, v text);
SELECT steward.enable_audit('account');
-- One transaction: changes that stay, and some that a savepoint takes back.
CREATE PROCEDURE work(mine integer, in_round integer) LANGUAGE plpgsql AS $$
DECLARE
    base integer := mine * 10000000;
    n integer := 0;
BEGIN
    LOOP
        n := n + 1;
        INSERT INTO account SELECT coalesce(max(id), base) + 1, mine, in_round, repeat('x', (random() * 3000)::int) FROM account WHERE writer = mine;
        UPDATE account SET v = md5(random()::text), round = in_round WHERE writer = mine AND id % 7 = n % 7;
        BEGIN
            DELETE FROM account WHERE writer = mine AND id % 5 = n % 5;
            IF n % 3 = 0 THEN RAISE EXCEPTION 'no'; END IF;
        EXCEPTION WHEN raise_exception THEN
            INSERT INTO account SELECT coalesce(max(id), base) + 1, mine, in_round, 'after' FROM account WHERE writer = mine;
        END;
        COMMIT;
    END LOOP;
END
$$;
-- The table that the trail describes: the last image of every key that is not deleted.
CREATE FUNCTION differences() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    change record;
    changed integer;
BEGIN
    CREATE TEMP TABLE replayed (LIKE account INCLUDING ALL) ON COMMIT DROP;
    FOR change IN SELECT * FROM steward.audit_trail WHERE relation = 'public.account' AND operation IN ('INSERT', 'UPDATE', 'DELETE')
        ORDER BY written_at, xid, seq LOOP
        CASE change.operation
            WHEN 'INSERT' THEN INSERT INTO replayed SELECT * FROM jsonb_populate_record(NULL::replayed, change.new);
            WHEN 'UPDATE' THEN UPDATE replayed AS r SET (writer, round, v) =
                (SELECT p.writer, p.round, p.v FROM jsonb_populate_record(r, change.new) AS p) WHERE r.id = (change.key->>'id')::int;
            ELSE DELETE FROM replayed WHERE id = (change.key->>'id')::int;
        END CASE;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> 1 THEN RAISE EXCEPTION 'record % of % changed % rows', change.seq, change.xid, changed; END IF;
    END LOOP;
    RETURN (SELECT count(*) FROM (
        (SELECT * FROM account EXCEPT ALL SELECT * FROM replayed) UNION ALL (SELECT * FROM replayed EXCEPT ALL SELECT * FROM account)) AS d);
END
$$;
SQL

# Changes under a prepared transaction, taken over the crashes.
sub prepare
{
	my ($gid, $id) = @_;
	$node->safe_psql('postgres',
		"BEGIN; INSERT INTO account VALUES ($id, 0, 0, 'prepared'); SAVEPOINT a; INSERT INTO account VALUES ($id + 1, 0, 0, 'taken back'); ROLLBACK TO a; PREPARE TRANSACTION '$gid'"
	);
}
prepare('kept',    1);
prepare('dropped', 10);

my $total = 0;
for my $round (1 .. $rounds)
{
	my @running;
	my @sinks;
	for my $writer (1 .. $writers)
	{
		my ($out, $err) = ('', '');
		push @sinks, \$out, \$err;
		push @running,
		  IPC::Run::start(
			[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "CALL work($writer, $round)" ],
			'<', '/dev/null', '>', \$out, '2>', \$err);
	}
	my $before = $total;
	my $target = 'SELECT count(*) FROM steward.audit_record';
	for (1 .. 200)
	{
		$total = $node->safe_psql('postgres', $target);
		last if $total > $before + 300;
		select(undef, undef, undef, 0.05);
	}
	cmp_ok($total, '>', $before, "round $round: writers wrote");
	select(undef, undef, undef, rand(0.3));
	if ($round % 2)
	{
		# kill -9 of one backend: the server throws everybody out and recovers
		my $victim = $node->safe_psql('postgres',
			"SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL work%' LIMIT 1");
		kill 'KILL', $victim;
		$_->finish for @running;
		$node->poll_query_until('postgres', 'SELECT 1', '1')
		  or die 'the server did not come back';
	}
	else
	{
		$node->stop('immediate');
		$_->finish for @running;
		$node->start;
	}
	is($node->safe_psql('postgres', 'SELECT differences()'),
		'0', "round $round: the trail makes the table");
}

is( $node->safe_psql('postgres', "SELECT count(*) FROM steward.audit_trail WHERE (key->>'id')::int < 100"),
	'0', 'a prepared transaction is not in the trail');
$node->safe_psql('postgres', "COMMIT PREPARED 'kept'");
$node->safe_psql('postgres', "ROLLBACK PREPARED 'dropped'");
is( $node->safe_psql('postgres',
		"SELECT string_agg(key::text || effective_role, ',') = '{\"id\": 1}' || current_user FROM steward.audit_trail WHERE (key->>'id')::int < 100"),
	't', 'committed after the crashes, it is, with its context');

# A schema version first written by a prepared transaction is not relied on.
is( $node->safe_psql('postgres', <<'SQL'),
CREATE TABLE shaky (id integer PRIMARY KEY);
SELECT FROM steward.enable_audit('shaky');
ALTER TABLE shaky ADD COLUMN v text;
BEGIN;
INSERT INTO shaky VALUES (1, 'rolled back');
PREPARE TRANSACTION 'shaky';
INSERT INTO shaky VALUES (2, 'stays');
ROLLBACK PREPARED 'shaky';
INSERT INTO shaky VALUES (3, 'stays too');
SELECT string_agg(new::text, ' ' ORDER BY xid, seq) FROM steward.audit_trail WHERE relation = 'public.shaky' AND operation = 'INSERT';
SQL
	'{"v": "stays", "id": 2} {"v": "stays too", "id": 3}',
	'a version written in a prepared transaction is written again by the next');

# No record without its schema version and context, and no page damaged.
is( $node->safe_psql('postgres',
		'SELECT count(*) FROM steward.audit_trail WHERE relation IS NULL OR effective_role IS NULL'),
	'0', 'every record has its schema version and its context');
$node->command_ok([ 'pg_amcheck', '--install-missing', '--heapallindexed', '-h', $node->host, '-p', $node->port, 'postgres' ],
	'heap and indexes are sound');
$node->stop;
done_testing();

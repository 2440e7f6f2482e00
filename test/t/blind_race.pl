# Sixty-four sessions race for values that exclude each other: each value is won exactly
# once, by plain inserts, by such that do nothing on a conflict, and by updates. Whoever
# loses learns it by an error or by nothing done, and no row is found twice or not at all.
# So with EXCLUDE and, where the server has it, with UNIQUE.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $clients = 64;
my $values = ($ENV{STEWARD_SOAK} // '') eq '1' ? 2000 : 50;
my $node = steward_node('race', conf => "max_connections = 100\nautovacuum = off\nlog_min_messages = fatal\ndeadlock_timeout = 100ms\njit = off");

$node->safe_psql('postgres', q{
SELECT steward.create_key('race');
CREATE TABLE prize (client integer, v text, e_v steward.encrypted_text('race/prize'));
CREATE INDEX ON prize (v);
CREATE TABLE claim (client integer, v text, won boolean);

-- Tries to be the one who has a value, and notes whether that went well. Of two that wait
-- for each other PostgreSQL sends one away.
CREATE FUNCTION try(client integer, v text, way text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    done bigint;
BEGIN
    CASE way
        WHEN 'insert' THEN INSERT INTO prize VALUES (client, v, v);
        WHEN 'nothing' THEN INSERT INTO prize VALUES (client, v, v) ON CONFLICT DO NOTHING;
        WHEN 'upsert' THEN INSERT INTO prize AS p VALUES (client, v, v) ON CONFLICT (e_v) DO UPDATE SET v = p.v WHERE false;
        ELSE UPDATE prize AS p SET v = try.v, e_v = try.v WHERE p.v = replace(try.v, 'value', 'own ' || try.client);
    END CASE;
    GET DIAGNOSTICS done = ROW_COUNT;
    INSERT INTO claim VALUES (client, v, done = 1);
EXCEPTION WHEN exclusion_violation OR unique_violation OR deadlock_detected THEN
    INSERT INTO claim VALUES (client, v, false);
END
$$});

$node->safe_psql('postgres', 'ALTER TABLE prize ADD CONSTRAINT race_index EXCLUDE USING blind (e_v WITH =)');

sub race
{
	my ($constraint, $way) = @_;
	my @running;

	$node->safe_psql('postgres', 'TRUNCATE prize, claim');
	$node->safe_psql('postgres', "INSERT INTO prize SELECT c, 'own ' || c || ' ' || n, 'own ' || c || ' ' || n FROM generate_series(1, $clients) AS c, generate_series(1, $values) AS n") if $way eq 'update';
	for my $client (1 .. $clients)
	{
		# All at the same value at the same time, more or less.
		my $script = "SELECT pg_advisory_lock_shared(1);\n" . join '', map { "SELECT try($client, 'value $_', '$way');\n" } 1 .. $values;

		push @running, IPC::Run::start([ 'psql', '-XAtq', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') ], '<', \$script, '2>', \my $error);
	}
	$_->finish for @running;
	is(scalar(grep { $_->result != 0 } @running), 0, "$constraint, $way: no session failed");
	my ($claimed, $won, $most, $lost) = split /\|/, $node->safe_psql('postgres', q{
SELECT count(DISTINCT v), count(*) FILTER (WHERE won), (SELECT max(n) FROM (SELECT count(*) FILTER (WHERE won) AS n FROM claim GROUP BY v) AS c), count(*) FILTER (WHERE NOT won) FROM claim});
	my $held = $node->safe_psql('postgres', q{SELECT count(*) FROM prize WHERE v LIKE 'value%'});

	is($most, 1, "$constraint, $way: no value is won twice");
	is($won, $claimed, "$constraint, $way: each is won once");
	is($held, $won, "$constraint, $way: and is there");
	cmp_ok($lost, '>', $won, "$constraint, $way: most lost");
	is($node->safe_psql('postgres', q{SELECT count(*) - count(DISTINCT v) FROM prize}), '0', "$constraint, $way: no value is there twice");
	is($node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT count(*) FROM (SELECT DISTINCT v FROM prize OFFSET 0) AS p WHERE (SELECT count(*) FROM prize AS q WHERE q.e_v = p.v) <> 1}), '0', "$constraint, $way: each is found once");
	is($node->safe_psql('postgres', q{SELECT steward.blind_index_check('race_index', true)}), '', "$constraint, $way: the index is in order");
}

# A few sessions that do little else than insert the same values: who waited for the one
# before is woken with the others, so all come to the next at the same time.
sub stampede
{
	my $runners = 8;
	my $fences = 40 * $values;
	my @running;

	$node->safe_psql('postgres', 'TRUNCATE prize');
	for my $client (1 .. $runners)
	{
		push @running, IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "DO \$\$ BEGIN FOR i IN 1 .. $fences LOOP BEGIN INSERT INTO prize VALUES ($client, i, i::text); EXCEPTION WHEN unique_violation THEN NULL; END; COMMIT; END LOOP; END \$\$" ], '2>', \my $error);
	}
	$_->finish for @running;
	is(scalar(grep { $_->result != 0 } @running), 0, 'UNIQUE, stampede: no session failed');
	is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT v) FROM prize'), "$fences|$fences", 'UNIQUE, stampede: each value is there once');
}

race('EXCLUDE', $_) for qw(insert nothing update);
SKIP:
{
	skip 'unique indexes need PostgreSQL 18', 1 if $node->pg_version < 18;
	$node->safe_psql('postgres', 'ALTER TABLE prize DROP CONSTRAINT race_index; TRUNCATE prize; CREATE UNIQUE INDEX race_index ON prize USING blind (e_v)');
	race('UNIQUE', $_) for qw(insert nothing upsert update);
	stampede();
}
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'no process died');
$node->stop;
done_testing();

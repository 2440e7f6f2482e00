# Writers that refresh rows, move them between partitions and roll back, legal holds that come and go, and
# policies that run all the while: no row is lost that was refreshed or held, and a hold
# that was acknowledged holds.
#
# STEWARD_SOAK=1 makes twelve thousand interleavings, else some hundred; STEWARD_SEED repeats the choices, not the moments.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $clients = 6;
my $each = ($ENV{STEWARD_SOAK} // '') eq '1' ? 2000 : 100;
my $seed = $ENV{STEWARD_SEED} || int(rand(1e9));
note "seed $seed";

my $node = steward_node('retention_race', conf => "max_connections = 40\nautovacuum_naptime = 1s");
my $directory = steward_directory('scripts');

# ---- three tables, each with its policy; expired rows are of 2001 ----

$node->safe_psql('postgres', q{
CREATE TABLE visit (id bigint, at timestamptz NOT NULL, part int NOT NULL, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE visit_0 PARTITION OF visit FOR VALUES IN (0) PARTITION BY RANGE (id);
CREATE TABLE visit_0_0 PARTITION OF visit_0 DEFAULT;
CREATE TABLE visit_1 (at timestamptz NOT NULL, gone int, part int NOT NULL, id bigint NOT NULL);
ALTER TABLE visit_1 DROP COLUMN gone;
ALTER TABLE visit ATTACH PARTITION visit_1 FOR VALUES IN (1);
CREATE INDEX ON visit_0 (at);

CREATE TABLE customer (id bigint PRIMARY KEY, at timestamptz NOT NULL);
CREATE TABLE purchase (id bigint GENERATED ALWAYS AS IDENTITY, customer bigint NOT NULL REFERENCES customer, note text);
CREATE INDEX ON customer (at);
CREATE INDEX ON purchase (customer);

CREATE TABLE profile (id bigint PRIMARY KEY, at timestamptz NOT NULL, email text);
CREATE INDEX ON profile (at);

SELECT steward.create_policy('visit', 'visit', 'at', '1 year');
SELECT steward.create_policy('customer', 'customer', 'at', '1 year', children => '{"purchase": "cascade"}');
SELECT steward.create_policy('profile', 'profile', 'at', '1 year', 'anonymize', columns => '{"email": "null"}');

-- What must be there from now on; what was, and is not.
CREATE TABLE kept (relation text, id bigint);
CREATE TABLE held (hold bigint, relation text, id bigint);
CREATE TABLE lost (hold bigint, relation text, id bigint);
CREATE SEQUENCE number});

sub script
{
	my ($name, $text) = @_;
	my $file = "$directory/$name.sql";

	append_to_file($file, $text);
	return $file;
}

# Rows that came of late: most of them have expired, and many are gone.
my $choose = q{SELECT last_value AS top FROM number \gset
\set id random(greatest(1, :top - 160), :top)
\set d random(0, 3000)
\set e random(0, 9)
};
# The end of a transaction, one in five without effect.
my $end = q{\sleep :d us
\if :e < 2
ROLLBACK;
\else
COMMIT;
\endif
};

my %writers = (
	insert => [ 4, q{INSERT INTO visit SELECT nextval('number'), '2001-01-01', i % 2 FROM generate_series(1, 40) AS i;
BEGIN;
INSERT INTO customer SELECT nextval('number'), '2001-01-01' FROM generate_series(1, 40);
INSERT INTO purchase (customer) SELECT id FROM customer WHERE id > currval('number') - 20 FOR KEY SHARE;
COMMIT;
INSERT INTO profile SELECT nextval('number'), '2001-01-01', 'somebody' FROM generate_series(1, 40);
} ],
	visit => [ 3, $choose . q{BEGIN;
WITH one AS (UPDATE visit SET at = clock_timestamp(), part = CASE WHEN :e % 3 = 0 THEN 1 - part ELSE part END
	WHERE id BETWEEN :id AND :id + 3 RETURNING id) INSERT INTO kept SELECT 'visit', id FROM one;
} . $end ],
	move => [ 2, $choose . qq{BEGIN;
UPDATE visit SET part = 1 - part WHERE id BETWEEN :id AND :id + 8;
$end} ],
	customer => [ 3, $choose . q{BEGIN;
SAVEPOINT one;
UPDATE customer SET at = clock_timestamp() WHERE id BETWEEN :id - 8 AND :id - 4;
ROLLBACK TO one;
WITH one AS (UPDATE customer SET at = clock_timestamp() WHERE id BETWEEN :id AND :id + 3 RETURNING id)
	INSERT INTO kept SELECT 'customer', id FROM one;
} . $end ],
	purchase => [ 2, $choose . qq{BEGIN;
INSERT INTO purchase (customer, note) SELECT id, 'late' FROM customer WHERE id BETWEEN :id AND :id + 3 FOR KEY SHARE;
$end} ],
	profile => [ 3, $choose . q{BEGIN;
WITH one AS (UPDATE profile SET at = clock_timestamp(), email = 'fresh' WHERE id BETWEEN :id AND :id + 3 RETURNING id)
	INSERT INTO kept SELECT 'profile', id FROM one;
} . $end ]);

# A hold of a twentieth of the rows: what its owner sees once it is committed stays until it is released.
sub hold
{
	my ($relation, $column, $of, $there) = @_;

	return $choose . qq{\\set k random(0, 19)
BEGIN;
SELECT steward.place_hold('$relation', '$column % 20 = :k', 'a race') AS hold \\gset
\\sleep :d us
COMMIT;
INSERT INTO held SELECT DISTINCT :hold, '$of', r.$column FROM $relation AS r WHERE r.$column % 20 = :k AND $there;
\\sleep :d us
INSERT INTO lost SELECT h.* FROM held AS h WHERE hold = :hold AND NOT EXISTS (SELECT FROM $of AS r WHERE r.id = h.id AND $there);
DELETE FROM held WHERE hold = :hold;
SELECT steward.release_hold(:hold, 'the race is over');
};
}
my %holders = (
	hold_visit => [ 2, hold('visit', 'id', 'visit', 'true') ],
	hold_purchase => [ 2, hold('purchase', 'customer', 'customer', 'true') ],
	hold_profile => [ 2, hold('profile', 'id', 'profile', q{email IS NOT NULL}) ]);

sub pgbench
{
	my ($out, @options) = @_;

	return [ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, "--random-seed=$seed", '--max-tries=100', @options, 'postgres' ], '<', \undef, '>', $out, '2>&1';
}


my %scripts = (%writers, %holders);
my @outputs = ('') x 3;
my @runs;
for my $policy (qw(visit customer profile))
{
	push @runs, IPC::Run::start(pgbench(\$outputs[@runs], '-c1', '-T3600', '-f', script("run_$policy", "CALL steward.run_policy('$policy');\n")));
}
my $writing = '';
ok(IPC::Run::run(pgbench(\$writing, "-c$clients", '-j2', "-t$each", map { ('-f', script($_, $scripts{$_}[1]) . "\@$scripts{$_}[0]") } sort keys %scripts)),
	'no writer and no holder failed') or diag($writing);
$_->signal('TERM') for @runs;
for my $i (0 .. 2)
{
	eval { $runs[$i]->finish; };
	unlike($outputs[$i], qr/ERROR/, 'nor a run');
}
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE query ~ '^CALL'}) or die 'a run does not end';

# ---- nothing is lost, and what is gone is counted ----

sub ask { return $node->safe_psql('postgres', join('', @_)); }

is(ask('SELECT count(*) FROM lost'), '0', 'nothing that was held when the hold was acknowledged is gone') or diag(ask('TABLE lost LIMIT 20'));
for my $relation (qw(visit customer profile))
{
	my $there = $relation eq 'profile' ? q{r.email = 'fresh'} : 'true';

	is(ask("SELECT count(*) FROM kept AS k WHERE relation = '$relation' AND NOT EXISTS (SELECT FROM $relation AS r WHERE r.id = k.id AND $there)"),
		'0', "no refreshed row of $relation is lost");
	cmp_ok(ask("SELECT count(*) FROM kept WHERE relation = '$relation'"), '>', $each / 4, 'there were some');
}
my ($batches, $rows) = split /\|/, ask('SELECT sum(batches), sum(rows) FROM steward.policy_run');
cmp_ok($batches, '>', $each / 4, "$batches batches");
cmp_ok($rows, '>', $each, "$rows rows");
cmp_ok(ask('SELECT count(*) FROM steward.hold'), '>', $each / 2, 'holds');
ask(q{CALL steward.run_policy('visit'); CALL steward.run_policy('customer'); CALL steward.run_policy('profile')}) for 1 .. 2;
is(ask(q{SELECT count(*) FROM visit WHERE at < '2002-01-01'}), '0', 'in the end no expired row is left');
is(ask(q{SELECT count(*) FROM customer WHERE at < '2002-01-01'}), '0', 'nor one that others refer to');
is(ask(q{SELECT count(*) FROM profile WHERE at < '2002-01-01' AND email IS NOT NULL}), '0', 'nor one to overwrite');
is(ask(q{SELECT count(*) FROM purchase WHERE customer NOT IN (SELECT id FROM customer)}), '0', 'and no reference to nothing');
is(ask(q{SELECT sum(rows) FROM steward.policy_run WHERE policy = 'visit'}) + ask('SELECT count(*) FROM visit'),
	ask(q{SELECT last_value FROM number}) / 3, 'what is there and what was counted is what there was');
$node->stop;
done_testing();

# audit_coverage() beside other witnesses: what logical decoding tells of committed
# changes, and PostgreSQL's counters. Honest traffic is no finding; what was done past
# the triggers is one, also when no command tells of it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $node = steward_node('main', init => { allows_streaming => 'logical' }, conf => "max_prepared_transactions = 5\nautovacuum = off");
my @plugins = qw(pg_steward test_decoding);

sub run { return $node->safe_psql('postgres', join('', @_)); }

# Minor releases of 2026 ask which libraries may be output plugins; only who makes the
# slot must say so.
run(q{SELECT set_config('output_plugin_libraries', 'pg_steward, test_decoding', false) WHERE current_setting('output_plugin_libraries', true) IS NOT NULL;},
	map { "SELECT pg_create_logical_replication_slot('by_$_', '$_');" } @plugins);

# Findings of a slot: those of the catalogs and the log alone are left out.
sub findings
{
	my ($slot, $more) = @_;
	my $other = "SELECT * FROM steward.audit_coverage()";

	$more //= '';
	return run("SELECT concat_ws('|', f.relation, f.severity, f.finding, regexp_replace(f.detail, '(transaction|first) \\d+', '\\1 N'))
FROM (SELECT * FROM steward.audit_coverage('by_$slot') EXCEPT ALL $other) AS f $more ORDER BY 1") =~ s/^hint\|transactions not compared yet.*\n?//mr;
}

# Reads what there is to the end, and goes on after it.
sub advance
{
	for my $slot (@plugins)
	{
		run("SELECT pg_replication_slot_advance('by_$slot', pg_current_wal_flush_lsn())");
	}
	return;
}

run(q{
CREATE TABLE early (id integer PRIMARY KEY, v text);
INSERT INTO early VALUES (1, 'before the audit');
CREATE TABLE parent (id integer PRIMARY KEY, v text);
CREATE TABLE child (id integer PRIMARY KEY, parent integer REFERENCES parent ON DELETE CASCADE, big text);
CREATE TABLE whole (id integer, part text, v text) PARTITION BY LIST (part);
CREATE TABLE whole_a PARTITION OF whole FOR VALUES IN ('a');
CREATE TABLE whole_b (v text, gone integer, part text, id integer);
ALTER TABLE whole_b DROP COLUMN gone;
INSERT INTO whole_b VALUES ('not a partition yet', 'b', 0);
SELECT steward.enable_audit('early'), steward.enable_audit('parent'), steward.enable_audit('child'), steward.enable_audit('whole');
ALTER TABLE whole ATTACH PARTITION whole_b FOR VALUES IN ('b');
CREATE TABLE "odd. ""name: INSERT" (i integer, "a b" text);
SELECT steward.enable_audit('"odd. ""name: INSERT"');
CREATE TABLE unaudited (id integer);
});

my $honest = q{
INSERT INTO parent SELECT g, 'x' FROM generate_series(1, 100) AS g;
INSERT INTO child SELECT g, g, repeat('long ', 2000) FROM generate_series(1, 100) AS g;
BEGIN;
SAVEPOINT a;
INSERT INTO parent VALUES (101, 'rolled back');
DELETE FROM child WHERE id = 1;
ROLLBACK TO a;
UPDATE parent SET v = 'y' WHERE id = 1;
SAVEPOINT b;
UPDATE parent SET v = 'z' WHERE id <= 2;
RELEASE b;
COMMIT;
BEGIN;
INSERT INTO parent VALUES (200, 'rolled back');
ROLLBACK;
BEGIN;
INSERT INTO parent VALUES (300, 'prepared');
TRUNCATE early;
PREPARE TRANSACTION 'p';
BEGIN;
INSERT INTO parent VALUES (301, 'prepared');
PREPARE TRANSACTION 'q';
INSERT INTO parent VALUES (302, 'between');
COMMIT PREPARED 'p';
ROLLBACK PREPARED 'q';
INSERT INTO parent VALUES (1, 'upserted'), (303, 'new') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
INSERT INTO parent VALUES (1, 'ignored') ON CONFLICT DO NOTHING;
DELETE FROM parent WHERE id BETWEEN 10 AND 20;
COPY parent FROM stdin;
400	copied
401	copied
\.
INSERT INTO whole VALUES (1, 'a', 'x'), (2, 'b', 'y'), (3, 'a', 'z');
UPDATE whole SET part = 'b', v = 'moved' WHERE id = 1;
SET steward.audit_buffer_size = 0;
UPDATE whole SET part = 'a', v = 'moved back' WHERE id = 1;
RESET steward.audit_buffer_size;
DELETE FROM whole WHERE id = 3;
TRUNCATE whole_b;
TRUNCATE whole;
CREATE TABLE whole_c PARTITION OF whole FOR VALUES IN ('c');
INSERT INTO whole VALUES (4, 'c', 'x');
INSERT INTO "odd. ""name: INSERT" VALUES (1, E'table public.parent: INSERT: \n''');
UPDATE "odd. ""name: INSERT" SET i = 2;
TRUNCATE "odd. ""name: INSERT", early;
SET session_replication_role = replica;
INSERT INTO early VALUES (2, 'as a replica');
RESET session_replication_role;
INSERT INTO unaudited VALUES (1);
ALTER TABLE early ADD COLUMN w integer DEFAULT 3;
ALTER TABLE early ALTER COLUMN w TYPE bigint USING w + id;
BEGIN;
CREATE TABLE fresh (id integer PRIMARY KEY);
INSERT INTO fresh VALUES (1);
SELECT steward.enable_audit('fresh');
INSERT INTO fresh VALUES (2);
COMMIT;
DELETE FROM fresh;
SELECT steward.disable_audit('fresh');
INSERT INTO fresh VALUES (3);
CREATE TABLE passing (id integer PRIMARY KEY);
SELECT steward.enable_audit('passing');
INSERT INTO passing VALUES (1);
DROP TABLE passing;
};
run($honest);
is(findings($_), '', "$_: honest traffic has no finding") for @plugins;
my $before = run("SELECT string_agg(confirmed_flush_lsn::text, ' ' ORDER BY slot_name) FROM pg_replication_slots");
is(findings($_), '', "$_: it is there again") for @plugins;
is(run("SELECT string_agg(confirmed_flush_lsn::text, ' ' ORDER BY slot_name) FROM pg_replication_slots"), $before, 'nothing was consumed');
advance();

# Beside writers that go on meanwhile.
my $script = PostgreSQL::Test::Utils::tempdir . '/writers.sql';
append_to_file($script, q{\set id random(10000, 19999)
BEGIN;
INSERT INTO parent VALUES (:id, 'a') ON CONFLICT DO NOTHING;
SAVEPOINT s;
UPDATE parent SET v = v || 'b' WHERE id = :id;
DELETE FROM parent WHERE id = :id;
ROLLBACK TO s;
INSERT INTO whole VALUES (:id, 'a', 'x');
COMMIT;
});
my $writers = IPC::Run::start([ 'pgbench', '-n', '-c', '4', '-T', '4', '-f', $script, $node->connstr('postgres') ], '>', \my $out, '2>', \my $err);
my %seen;
for (1 .. 3)
{
	$seen{ findings($_) } = 1 for @plugins;
}
$writers->finish;
is(join("\n", keys %seen), '', 'nor has what is committed while it looks');
is(findings($_), '', "$_: nor when all is done") for @plugins;
advance();

# An update that changes nothing looks like any other, but with the whole old row.
run(q{UPDATE parent SET v = v WHERE id <= 3});
is(findings($_), 'parent|hint|updates without records, unless they changed nothing that is recorded|3 UPDATE, transaction N', "$_: updates that change nothing are a hint") for @plugins;
advance();
run(q{ALTER TABLE parent REPLICA IDENTITY FULL; ALTER TABLE child REPLICA IDENTITY FULL});
advance();
run(q{UPDATE parent SET v = v WHERE id <= 3; UPDATE child SET big = big; UPDATE child SET parent = 5 WHERE id = 6; UPDATE child SET big = big || 'er' WHERE id = 7});
is(findings('pg_steward'), '', 'under REPLICA IDENTITY FULL they are none');
advance();

# Past the triggers: by a command, and by the catalog.
run(q{
ALTER TABLE parent DISABLE TRIGGER ALL;
INSERT INTO parent VALUES (500, 'unseen'), (501, 'unseen');
UPDATE parent SET v = 'unseen, too' WHERE id = 500;
DELETE FROM parent WHERE id IN (1, 500);
ALTER TABLE parent ENABLE TRIGGER ALL;
SELECT steward.enable_audit('parent');
});
like(run("SELECT string_agg(severity || ' ' || finding, ',') FROM steward.audit_coverage() WHERE relation = 'parent'::regclass"), qr/past gap trigger was disabled/, 'the command is on record');
is(findings('pg_steward'), "parent|gap|change without a record|2 INSERT, 1 UPDATE, 2 DELETE, 3 transactions, the first N", 'pg_steward: and what was done meanwhile is in the slot');
is(findings('test_decoding'), "parent|gap|change without a record|2 INSERT, 2 DELETE, 2 transactions, the first N\n"
	  . "parent|hint|updates without records, unless they changed nothing that is recorded|1 UPDATE, transaction N", 'test_decoding: likewise');
advance();
run(q{
BEGIN;
UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'whole_a'::regclass;
INSERT INTO whole_a VALUES (600, 'a', 'unseen');
TRUNCATE whole_a;
UPDATE pg_trigger SET tgenabled = 'A' WHERE tgrelid = 'whole_a'::regclass;
COMMIT;
});
like(run("SELECT string_agg(detail, ' ') FROM steward.audit_coverage() WHERE finding = 'catalog was changed by hand'"), qr/UPDATE pg_catalog\.pg_trigger/, 'that a catalog was changed is recorded');
is(findings($_), 'whole_a|gap|change without a record|1 INSERT, 1 TRUNCATE, transaction N', "$_: by an UPDATE of a catalog") for @plugins;
advance();

# Beside a row's move, which is a DELETE and an INSERT for the slot
run(q{
INSERT INTO whole VALUES (700, 'a', 'x');
BEGIN;
UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'whole_c'::regclass;
DELETE FROM whole_c WHERE id = 4;
UPDATE pg_trigger SET tgenabled = 'A' WHERE tgrelid = 'whole_c'::regclass;
UPDATE whole SET part = 'b' WHERE id = 700;
COMMIT;
});
is(findings($_), 'gap|change without a record|1 DELETE, transaction N', "$_: beside a row that moved") for @plugins;
advance();

# A record that nobody's change made
my $segment = run('SELECT name FROM steward.audit_segment ORDER BY number DESC LIMIT 1');
run(qq{INSERT INTO child VALUES (800, 5, 'x')});
run(qq{INSERT INTO steward.$segment SELECT (l.forged).* FROM (
	SELECT jsonb_populate_record(l, jsonb_build_object('first_seq', l.first_seq + 1000)) AS forged FROM steward.$segment AS l ORDER BY l.xid DESC LIMIT 1) AS l});
is(findings($_), 'child|gap|record without a change|1 INSERT, transaction N', "$_: a record that was invented") for @plugins;
advance();

# What is left out on purpose is a hint.
run(q{
CREATE TABLE chosen (id integer PRIMARY KEY, v text, w text);
SELECT steward.enable_audit('chosen', exclude => '{w}', condition => 'id > 10');
INSERT INTO chosen VALUES (1, 'x', 'x'), (11, 'x', 'x');
UPDATE chosen SET w = 'y';
CREATE ROLE exempt LOGIN;
GRANT ALL ON early TO exempt;
SELECT steward.exempt_role('exempt', 'test');
});
$node->safe_psql('postgres', "INSERT INTO early VALUES (900, 'exempt', 1)", extra_params => [ '-U', 'exempt' ]);
is(findings($_), "chosen|hint|change without a record, or of a row that a condition leaves out|1 INSERT, transaction N\n"
	  . "chosen|hint|updates without records, unless they changed nothing that is recorded|2 UPDATE, transaction N\n"
	  . 'early|hint|change without a record, or by an exempt role|1 INSERT, transaction N', "$_: choices are hints") for @plugins;

# One that waits for a synchronous standby is in the write-ahead log and seen by nobody.
advance();
my $waits = q{SELECT severity, finding, detail ~ '^1, the first \d+; do not' FROM steward.audit_coverage('by_pg_steward') WHERE finding LIKE 'transactions%'};
steward_set($node, 'synchronous_standby_names', 'nobody');
my $writer = IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-c', "INSERT INTO parent VALUES (9001, 'waits')" ], \undef, '&>', \my $output);
ok($node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend')}), 'a transaction waits');
is(run($waits), 'hint|transactions not compared yet|t', 'it is told of');
steward_set($node, 'synchronous_standby_names', '');
IPC::Run::finish($writer);
is(run($waits), '', 'until it is seen');
is(findings('pg_steward', 'WHERE severity = $$gap$$'), '', 'and compared');

# Slots that are none of these
my ($ret, $stdout, $stderr) = $node->psql('postgres', "SELECT * FROM steward.audit_coverage('nothing')");
like($stderr, qr/this database has no logical replication slot "nothing"/, 'a slot that is not there');
run("SELECT pg_create_logical_replication_slot('other', 'pgoutput')");
($ret, $stdout, $stderr) = $node->psql('postgres', "SELECT * FROM steward.audit_coverage('other')");
like($stderr, qr/cannot read slot "other": its output plugin is "pgoutput"/, 'one of another plugin');
($ret, $stdout, $stderr) = $node->psql('postgres', "SELECT * FROM pg_logical_slot_peek_changes('by_pg_steward', NULL, NULL, 'a', 'b')");
isnt($ret, 0, 'the plugin takes no options, or is not to be read so');
run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");

# Counters: a hint when they say far more than the log, and none without a baseline.
my $activity = q{SELECT string_agg(concat_ws('|', relation, severity, finding), ',') FROM steward.audit_coverage() WHERE finding LIKE '%count%'};
run(q{CREATE TABLE counted (id integer); SELECT steward.enable_audit('counted'); INSERT INTO counted SELECT generate_series(1, 2000)});
is(run($activity), '', 'no baseline');
$node->poll_query_until('postgres', q{SELECT steward.counted_changes('counted'::regclass) = 2000}) or die 'no counters';
cmp_ok(run('SELECT steward.take_coverage_baseline()'), '>', 5, 'a baseline is of all audited tables');
run(q{INSERT INTO counted SELECT generate_series(1, 3000); UPDATE counted SET id = id + 1; UPDATE whole SET part = 'b' WHERE part = 'a'});
$node->poll_query_until('postgres', q{SELECT steward.counted_changes('counted'::regclass) = 10000}) or die 'no counters';
is(run($activity), '', 'what is recorded is no hint');
run(q{UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'counted'::regclass; UPDATE counted SET id = id + 1; UPDATE counted SET id = id + 1; UPDATE pg_trigger SET tgenabled = 'A' WHERE tgrelid = 'counted'::regclass});
$node->poll_query_until('postgres', q{SELECT steward.counted_changes('counted'::regclass) = 20000}) or die 'no counters';
is(run($activity), 'counted|hint|far more changes counted than recorded', 'what is not is one');
run('SELECT steward.take_coverage_baseline()');
is(run($activity), '', 'until there is a new baseline');
$node->stop('immediate');
$node->start;
like(run($activity), qr/counted\|hint\|counters were reset since the baseline/, 'after a crash it says that it knows nothing');

done_testing();

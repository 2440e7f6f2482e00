# Random histories of tables: after each transaction the rows are copied. as_of() must
# show each copy, diff() what lies between two of them, and revert() bring the copy
# before back. What is not known must be refused, and nothing else. On the way the log
# gets new segments, old ones are pruned, transactions are prepared, partitions made
# and detached, and half of the tables are empty when their audit begins.
# STEWARD_SOAK=1 plays ten thousand histories, else forty, and STEWARD_HISTORIES as many
# as it says, a multiple of forty; STEWARD_SEED repeats a run.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $soak = ($ENV{STEWARD_SOAK} // '') eq '1';
my $histories = $ENV{STEWARD_HISTORIES} || ($soak ? 10_000 : 40);
my $seed = $ENV{STEWARD_SEED} // int(rand(1_000_000_000));
note("STEWARD_SEED=$seed");
srand($seed);

my $node = PostgreSQL::Test::Cluster->new('history');
$node->init(allows_streaming => 1);
# Half of the campaign knows when transactions committed, half does not.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_steward'\nautovacuum = off\nlog_statement = none\nlog_min_messages = fatal\nmax_locks_per_transaction = 256\nmax_prepared_transactions = 5\nsteward.root_key_file = '" . steward_keyring() . "'");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_steward;
CREATE SCHEMA driver;
SELECT steward.create_ledger_key('test.example/history');
CREATE TABLE driver.copy (step integer, relation text, row jsonb);
CREATE TABLE driver.moment (step integer, at timestamptz, snapshot pg_snapshot, xid xid8);
CREATE TABLE driver.counted (what text PRIMARY KEY, times bigint);

CREATE FUNCTION driver.count_one(named text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO driver.counted VALUES (named, 1) ON CONFLICT (what) DO UPDATE SET times = driver.counted.times + 1;
$$;

-- A statement that constraints may refuse: then its subtransaction is rolled back.
CREATE PROCEDURE driver.try(statement text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
    NULL;
END
$$;

-- Each value by the number of its column, so that renaming does not matter.
CREATE FUNCTION driver.copy_rows(new_step integer, relations regclass[], of_transaction xid8) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r regclass;
BEGIN
    FOREACH r IN ARRAY relations LOOP
        EXECUTE format('INSERT INTO driver.copy SELECT %s, %L, jsonb_build_object(%s) FROM %s',
            new_step, r, (SELECT string_agg(format('%L, %I::text', attnum, attname), ', ') FROM pg_attribute WHERE attrelid = r AND attnum > 0 AND NOT attisdropped), r);
    END LOOP;
    INSERT INTO driver.moment VALUES (new_step, clock_timestamp(), pg_current_snapshot(), of_transaction);
END
$$;

-- The rows that two queries have, and those of the one that the other lacks.
CREATE FUNCTION driver.check_same(what text, expected text, actual text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    missing text;
    excess text;
BEGIN
    EXECUTE format('WITH e AS MATERIALIZED (%s), a AS MATERIALIZED (%s)
        SELECT (SELECT string_agg(x::text, E''\n'') FROM (TABLE e EXCEPT ALL TABLE a) AS x), (SELECT string_agg(x::text, E''\n'') FROM (TABLE a EXCEPT ALL TABLE e) AS x)',
        expected, actual) INTO missing, excess;
    IF missing IS NOT NULL OR excess IS NOT NULL THEN
        RAISE EXCEPTION E'%: missing\n%\nexcess\n%', what, missing, excess;
    END IF;
    PERFORM driver.count_one(split_part(what, ' ', 1));
END
$$;

-- The columns of a copy that are still there, as values of today.
CREATE FUNCTION driver.expected(of_step integer, r regclass) RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT jsonb_build_array(%s) FROM driver.copy WHERE step = %s AND relation = %L',
        (SELECT string_agg(format('(row->>%L)::%s::text', attnum::text, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum) FROM pg_attribute
          WHERE attrelid = r AND attnum > 0 AND NOT attisdropped AND attnum::text IN (SELECT jsonb_object_keys(row) FROM driver.copy WHERE step = of_step AND relation = r::text)),
        of_step, r);
$$;

CREATE FUNCTION driver.shown(of_step integer, r regclass, source text) RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT jsonb_build_array(%s) FROM %s',
        (SELECT string_agg(format('%I::text', attname), ', ' ORDER BY attnum) FROM pg_attribute
          WHERE attrelid = r AND attnum > 0 AND NOT attisdropped AND attnum::text IN (SELECT jsonb_object_keys(row) FROM driver.copy WHERE step = of_step AND relation = r::text)),
        source);
$$;

-- What the table had then is shown, or refused when it cannot be known; either when
-- that is NULL.
CREATE FUNCTION driver.check_as_of(of_step integer, r regclass, known boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    m driver.moment := (SELECT x FROM driver.moment AS x WHERE x.step = of_step);
    empty boolean := NOT EXISTS (SELECT FROM driver.copy WHERE step = of_step AND relation = r::text);
    source text := CASE WHEN random() < 0.5 THEN format('steward.as_of(NULL::%s, %L)', r, m.at) ELSE format('steward.as_of_snapshot(NULL::%s, %L)', r, m.snapshot) END;
    rows bigint;
BEGIN
    IF empty THEN
        EXECUTE format('SELECT count(*) FROM %s', source) INTO rows;
        IF rows <> 0 THEN
            RAISE EXCEPTION '% has % rows instead of none', source, rows;
        END IF;
        PERFORM driver.count_one('empty');
    ELSE
        PERFORM driver.check_same('as_of ' || source, driver.expected(of_step, r), driver.shown(of_step, r, source));
    END IF;
    IF NOT known THEN
        RAISE EXCEPTION '% cannot be known', source;
    END IF;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    IF known THEN
        RAISE;
    END IF;
    PERFORM driver.count_one('refused');
END
$$;

CREATE FUNCTION driver.check_diff(one integer, other integer, r regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    a timestamptz := (SELECT at FROM driver.moment WHERE step = one);
    b timestamptz := (SELECT at FROM driver.moment WHERE step = other);
    -- As text too: in jsonb NULL and a null of type jsonb are the same.
    old_rows text := format('SELECT x::text AS t, to_jsonb(x) AS j FROM steward.as_of(NULL::%s, %L) AS x', r, a);
    new_rows text := format('SELECT x::text AS t, to_jsonb(x) AS j FROM steward.as_of(NULL::%s, %L) AS x', r, b);
BEGIN
    PERFORM driver.check_same('diff ' || r || ', old', format('SELECT j FROM (%s EXCEPT ALL %s) AS x', old_rows, new_rows),
        format('SELECT old FROM steward.diff(%L, %L, %L) WHERE old IS NOT NULL', r, a, b));
    PERFORM driver.check_same('diff ' || r || ', new', format('SELECT j FROM (%s EXCEPT ALL %s) AS x', new_rows, old_rows),
        format('SELECT new FROM steward.diff(%L, %L, %L) WHERE new IS NOT NULL', r, a, b));
END
$$;

-- The last transaction is reverted: its tables are as they were a step before.
CREATE FUNCTION driver.check_revert(of_step integer, relations regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    x xid8 := (SELECT xid FROM driver.moment WHERE step = of_step);
    r regclass;
    preview text[];
    done text[];
BEGIN
    IF NOT EXISTS (SELECT FROM steward.audit_record WHERE xid = x AND op IN ('I', 'U', 'D')) THEN
        RETURN;
    END IF;
    preview := ARRAY(SELECT statement FROM steward.revert(x) ORDER BY step);
    done := ARRAY(SELECT statement FROM steward.revert(x, true) ORDER BY step);
    IF preview <> done THEN
        RAISE EXCEPTION 'previewed %, done %', preview, done;
    END IF;
    FOREACH r IN ARRAY relations LOOP
        IF EXISTS (SELECT FROM driver.copy WHERE step = of_step - 1 AND relation = r::text) THEN
            PERFORM driver.check_same('revert ' || r, driver.expected(of_step - 1, r), driver.shown(of_step - 1, r, r::text));
        ELSE
            PERFORM driver.check_same('revert ' || r, 'SELECT 0::bigint', format('SELECT count(*) FROM %s', r));
        END IF;
    END LOOP;
END
$$;
SQL

sub pick { return $_[ int(rand(@_)) ] }
sub chance { return rand() < $_[0] }

my $directory = PostgreSQL::Test::Utils::tempdir('script');

# How often each check was made.
my %times;

# The present columns of the tables of a history: name, type.
my (%columns, $serial);
my $number = 0;

# Histories that share a log, and the last of them that pruned it.
my $batch = 20;
my $pruned = 0;

sub id { return 1 + int(rand(9)) }

sub value
{
	my ($type) = @_;

	return 'NULL' if chance(0.1);
	return int(rand(5)) if $type =~ /int/;
	return sprintf("'%.2f'", rand(20)) if $type =~ /numeric/;
	return pick(q{'null'}, q{'{"a": 1}'}, q{'[1, 2]'}) if $type eq 'jsonb';
	return "'2020-01-0" . id() . " 10:00:00.5+02'" if $type eq 'timestamptz';
	return "repeat(md5('" . id() . "'), " . pick(1, 1, 1, 200) . ')' if chance(0.2);
	return "'" . pick('x', 'y', '', 'z\'\'', '\\') . id() . "'";
}

# One change of rows.
sub change
{
	my ($table) = @_;
	my ($name, $type) = @{ pick(@{ $columns{$table} }) };
	my $value = value($type);

	if ($table eq 'nokey')
	{
		return pick("INSERT INTO nokey ($name) SELECT $value FROM generate_series(1, " . id() . ')',
			"UPDATE nokey SET $name = $value WHERE ctid = (SELECT min(ctid) FROM nokey)",
			'DELETE FROM nokey WHERE ctid IN (SELECT ctid FROM nokey LIMIT 2)', "UPDATE nokey SET $name = $value");
	}
	my $where = 'WHERE id ' . pick('=', '=', '<', '>') . ' ' . id();
	my $more = $table eq 'child' ? ', parent' : $table eq 'part' ? ', region' : '';
	my $parent = chance(0.2) ? 'NULL' : id();
	my $region = pick(q{'a'}, q{'b'}, q{'c'}, q{'d'});
	my $further = $table eq 'child' ? ", $parent" : $table eq 'part' ? ", $region" : '';
	my @ways = (
		"INSERT INTO $table (id, $name$more) VALUES (" . id() . ", $value$further)",
		"INSERT INTO $table (id, $name$more) VALUES (" . id() . ", $value$further) ON CONFLICT DO NOTHING",
		"UPDATE $table SET $name = $value $where",
		"UPDATE $table SET $name = $value WHERE id = " . id(),
		"UPDATE $table SET id = " . id() . ' WHERE id = ' . id(),
		"UPDATE $table SET id = id + 10 WHERE id > 5",
		"UPDATE $table SET id = id - 10 WHERE id > 10",
		"DELETE FROM $table WHERE id = " . id(),
		"DELETE FROM $table $where",
		"WITH gone AS (DELETE FROM $table WHERE id = 3 RETURNING *) INSERT INTO $table (id, $name$more) SELECT id + 1, $name$more FROM gone");
	push @ways, "INSERT INTO $table (id, $name$more) VALUES (" . id() . ", $value$further) ON CONFLICT (id) DO UPDATE SET $name = EXCLUDED.$name",
	  "MERGE INTO $table AS t USING (VALUES (" . id() . '), (' . (10 + id()) . ")) AS s (i) ON t.id = s.i WHEN MATCHED AND t.id > 4 THEN DELETE WHEN MATCHED THEN UPDATE SET $name = $value WHEN NOT MATCHED THEN INSERT (id, $name$more) VALUES (i, $value$further)"
	  if $table ne 'part';
	push @ways, "UPDATE child SET parent = $parent $where" if $table eq 'child';
	push @ways, ("UPDATE part SET region = $region $where") x 3 if $table eq 'part';
	return pick(@ways);
}

# One change of a table's columns.
sub alter
{
	my ($table) = @_;
	my $own = $columns{$table};
	my $column = pick(@$own);
	my $new = 'c' . ++$serial;

	if (chance(0.4) || @$own == 1)
	{
		my $type = pick('integer', 'text', 'numeric(8,2)', 'jsonb', 'timestamptz');
		my $default = chance(0.5) ? '' : ' DEFAULT ' . value($type);

		$default = '' if $default =~ /repeat/;
		push @$own, [ $new, $type ];
		return "ALTER TABLE $table ADD COLUMN $new $type$default";
	}
	if (chance(0.3))
	{
		@$own = grep { $_ != $column } @$own;
		return "ALTER TABLE $table DROP COLUMN $column->[0]";
	}
	if (chance(0.5))
	{
		my $old = $column->[0];

		$column->[0] = $new;
		return "ALTER TABLE $table RENAME $old TO $new";
	}
	return 'ANALYZE' if $column->[1] =~ /^(?:text|jsonb|timestamptz)$/;
	$column->[1] = $column->[1] eq 'integer' ? 'bigint' : $column->[1] eq 'bigint' ? 'text' : 'numeric(20,4)';
	return "ALTER TABLE $table ALTER COLUMN $column->[0] TYPE $column->[1]";
}

sub transaction
{
	my ($keyed, @tables) = @_;
	my @lines = ('BEGIN;');
	my $depth = 0;

	for (1 .. 1 + int(rand(6)))
	{
		my $statement = change(pick(@tables));

		$statement =~ s/'/''/g;
		push @lines, 'SAVEPOINT s' . ++$depth . ';' if chance(0.3);
		push @lines, "CALL driver.try('$statement');";
		push @lines, 'ROLLBACK TO s' . $depth-- . ';' if $depth > 0 && chance(0.3);
		push @lines, 'RELEASE s' . $depth-- . ';' if $depth > 0 && chance(0.3);
	}
	push @lines, q{SELECT coalesce(pg_current_xact_id_if_assigned()::text, '0') AS x \gset};
	push @lines, chance(0.8) ? 'COMMIT;' : ("PREPARE TRANSACTION 'twice';", chance(0.8) ? "COMMIT PREPARED 'twice';" : "ROLLBACK PREPARED 'twice';");
	return @lines;
}

# One history, as a script.
sub history
{
	my @tables = qw(parent child part nokey);
	my (%truncated, %altered, @script);
	my $detached = -1;
	my $begun_empty = chance(0.5);
	my $list = 'ARRAY[' . join(', ', map { "'$_'" } @tables) . ']::regclass[]';
	my $enable = "SELECT FROM unnest($list) AS t, LATERAL steward.enable_audit(t);";
	my $action = pick('CASCADE', 'SET NULL', 'SET DEFAULT');
	my $steps = 4 + int(rand(5));

	$pruned = 0 if $number++ % $batch == 0;
	$serial = 0;
	%columns = (
		parent => [ [ 'a', 'integer' ], [ 'b', 'text' ] ],
		child => [ [ 'v', 'text' ], [ 'n', 'numeric(8,2)' ] ],
		part => [ [ 'v', 'integer' ], [ 'j', 'jsonb' ] ],
		nokey => [ [ 'a', 'integer' ], [ 'b', 'text' ] ]);
	push @script, "\\echo history $number", "CREATE SCHEMA h$number;", "SET search_path = h$number;",
		# Of tables that were never analyzed much is read in parallel: that has its tenth.
		'SET max_parallel_workers_per_gather = ' . (chance(0.1) ? 2 : 0) . ';', <<SQL;
CREATE TABLE parent (id integer PRIMARY KEY, a integer, b text);
CREATE TABLE child (id integer PRIMARY KEY, parent integer REFERENCES parent ON DELETE $action ON UPDATE CASCADE, v text, n numeric(8,2), g integer GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE part (id integer, region text, v integer, j jsonb, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b (j jsonb, gone integer, id integer NOT NULL, v integer, region text NOT NULL);
ALTER TABLE part_b DROP COLUMN gone;
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b');
CREATE TABLE part_c PARTITION OF part DEFAULT;
CREATE TABLE nokey (a integer, b text);
TRUNCATE driver.copy, driver.moment;
@{[ $begun_empty ? $enable : '' ]}
INSERT INTO parent SELECT g, g, 'b' || g FROM generate_series(1, 6) AS g;
INSERT INTO child SELECT g, 1 + g % 6, 'v' || g, g FROM generate_series(1, 6) AS g;
INSERT INTO part SELECT g, substr('abc', 1 + g % 3, 1), g, '{}' FROM generate_series(1, 6) AS g;
INSERT INTO nokey SELECT g % 3, 'n' FROM generate_series(1, 6) AS g;
@{[ $begun_empty ? '' : $enable ]}
SELECT driver.copy_rows(0, $list, NULL);
SQL
	for my $step (1 .. $steps)
	{
		my $revertible = chance(0.3);

		# After that little is known, so only the last of a log do it.
		my $prunes = $number % $batch >= $batch - 4 && chance(0.3);

		if ($prunes || chance(0.15))
		{
			push @script, 'SET client_min_messages = warning;', 'CALL steward.switch_segment();', 'RESET client_min_messages;';
			if ($prunes)
			{
				push @script, 'SELECT steward.seal_ledger() >= 0;', "SELECT driver.count_one('pruned') FROM steward.prune_audit('infinity') AS p WHERE p > 0;";
				$pruned = $number;
			}
		}
		if (chance(0.25))
		{
			push @script, '\set x 0';
			for (1 .. 1 + int(rand(2)))
			{
				my $table = pick(@tables);

				push @script, alter($table) . ';';
				$altered{$table} = 1;
			}
			$revertible = 0;
		}
		elsif (chance(0.08))
		{
			push @script, '\set x 0', q{CALL driver.try('CREATE TABLE IF NOT EXISTS part_d PARTITION OF part FOR VALUES IN (''d'')');};
			$revertible = 0;
		}
		elsif ($detached < 0 && chance(0.04))
		{
			push @script, '\set x 0', 'ALTER TABLE part DETACH PARTITION part_a;';
			$detached = $step;
			$revertible = 0;
		}
		elsif (chance(0.1))
		{
			my $table = pick(@tables);

			push @script, '\set x 0', "TRUNCATE $table CASCADE;";
			push @{ $truncated{$_} }, $step for $table eq 'parent' ? qw(parent child) : $table;
			$revertible = 0;
		}
		else
		{
			push @script, transaction($revertible, $revertible ? qw(parent child part) : @tables);
		}
		push @script, "SELECT driver.copy_rows($step, $list, :'x');";
		push @script, "SELECT driver.check_revert($step, $list);", "DELETE FROM driver.copy WHERE step = $step; DELETE FROM driver.moment WHERE step = $step; SELECT driver.copy_rows($step, $list, NULL);"
		  if $revertible;
	}
	for my $table (@tables)
	{
		for my $step (0 .. $steps)
		{
			my @before = grep { $_ <= $step } @{ $truncated{$table} // [] };
			my @after = grep { $_ > $step } @{ $truncated{$table} // [] };
			my $known = @after && !@before && !$begun_empty ? 'false' : 'true';

			# Forward, what ADD COLUMN gave to a row may be forgotten.
			$known = 'NULL' if (@after && $altered{$table}) || $pruned || ($table eq 'part' && $detached >= 0 && ($step < $detached || @after));

			push @script, "SELECT driver.check_as_of($step, '$table', $known);";
		}
		my ($first, $second) = sort { $a <=> $b } int(rand($steps + 1)), int(rand($steps + 1));

		push @script, "SELECT driver.check_diff($first, $second, '$table');" unless $truncated{$table} || $pruned || ($table eq 'part' && $detached >= 0);
	}
	# A drop is no part of a history.
	push @script, "SET search_path = public;", "SET client_min_messages = warning;", "DROP SCHEMA h$number CASCADE;", 'RESET client_min_messages;';
	return @script;
}

sub play
{
	my ($count) = @_;
	my ($out, $err) = ('', '');
	my $script = "SET timezone = 'UTC';\n" . join("\n", map { history() } 1 .. $count);
	my $file = "$directory/script.sql";

	append_to_file($file, $script);
	# A log of its own, which stays small.
	$node->safe_psql('template1', 'CREATE DATABASE playing TEMPLATE postgres');
	my $code = $node->psql('playing', "\\i '$file'", stdout => \$out, stderr => \$err, on_error_stop => 1);

	unlink $file;
	if ($code == 0)
	{
		$times{ $_->[0] } += $_->[1] for map { [ split /\|/ ] } split /\n/, $node->safe_psql('playing', 'SELECT what, times FROM driver.counted');
		$node->safe_psql('template1', 'DROP DATABASE playing');
		return 1;
	}
	my ($last) = $out =~ /.*history (\d+)/s;
	my ($failed) = $script =~ /(\\echo history \Q@{[ $last \/\/ 0 ]}\E\n.*?)(?=\\echo history|\z)/s;

	diag("STEWARD_SEED=$seed, history " . ($last // '?') . ":\n$err");
	note($failed // '');
	return 0;
}

my $played = 0;
HALF: for my $half (0, 1)
{
	$node->append_conf('postgresql.conf', 'track_commit_timestamp = ' . ($half ? 'on' : 'off'));
	$node->restart;
	for (1 .. $histories / 2 / $batch)
	{
		play($batch) or last HALF;
		$played += $batch;
	}
}
is($played, $histories, 'as_of, diff and revert agree with the copies in every history');

# None of the checks was idle.
note(join ', ', map { "$_: $times{$_}" } sort keys %times);
cmp_ok($times{as_of} // 0, '>', 10 * $histories, 'rows were compared with copies');
cmp_ok($times{$_} // 0, '>', $histories / 4, "$_ was checked") for qw(diff empty refused);
cmp_ok($times{pruned} // 0, '>', $histories / 20, 'segments were pruned on the way');
cmp_ok($times{revert} // 0, '>', $histories, 'transactions were reverted');

# When a transaction committed, the server knows now: not when it was prepared.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE late (id integer PRIMARY KEY);
SELECT steward.enable_audit('late');
BEGIN;
INSERT INTO late VALUES (1);
PREPARE TRANSACTION 'late';
CREATE TABLE between AS SELECT clock_timestamp() AS at, pg_current_snapshot() AS snapshot;
COMMIT PREPARED 'late';
SQL
is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM steward.as_of(NULL::late, (SELECT at FROM between))), (SELECT count(*) FROM steward.as_of_snapshot(NULL::late, (SELECT snapshot FROM between))), (SELECT count(*) FROM steward.as_of(NULL::late, clock_timestamp()))'),
	'0|0|1', 'a prepared transaction counts from its commit');

# After a prune what lies before it is unknown, and nothing else: a segment was closed
# when its last transaction had ended.
my ($then, $then_snapshot) = split /\|/, $node->safe_psql('postgres', <<'SQL');
CREATE TABLE kept (id integer PRIMARY KEY);
SELECT FROM steward.enable_audit('kept');
SELECT clock_timestamp(), pg_current_snapshot();
INSERT INTO kept VALUES (1);
SQL
$then =~ s/^\s+//;
$node->safe_psql('postgres', 'CALL steward.switch_segment()');
$node->safe_psql('postgres', 'CREATE TABLE closed AS SELECT clock_timestamp() AS at, pg_current_snapshot() AS snapshot');
is($node->safe_psql('postgres', 'SELECT steward.seal_ledger() > 0, steward.prune_audit(clock_timestamp()) > 0'), 't|t', 'a segment was pruned');
$node->safe_psql('postgres', 'INSERT INTO kept VALUES (2)');
is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM steward.as_of(NULL::kept, (SELECT at FROM closed))), (SELECT count(*) FROM steward.as_of_snapshot(NULL::kept, (SELECT snapshot FROM closed))), current_setting($$track_commit_timestamp$$)'),
	'1|1|on', 'what was there when the segment had been closed is known');
for my $call ("as_of(NULL::kept, '$then')", "as_of_snapshot(NULL::kept, '$then_snapshot')")
{
	like(steward_error($node, "SELECT * FROM steward.$call"), qr/rows of table public\.kept at that time are not known/, "$call: what was there before is not");
}
my ($code, $shown, $notice) = $node->psql('postgres', q{SELECT operation FROM steward.history('kept', '{"id": 2}')});
is($shown, 'INSERT', 'history shows what is left');
like($notice, qr/NOTICE:  old records were pruned, those of table public\.kept among them if it had any\nDETAIL:  Nothing is shown of what was written before \d/, 'and says that more was pruned');
$node->safe_psql('postgres', 'SELECT steward.seal_ledger()');
($code, $shown, $notice) = $node->psql('postgres', 'SELECT min(leaf) > 0 FROM steward.audit_feed(0)');
is($shown, 't', 'the feed begins behind what was pruned');
like($notice, qr/WARNING:  leaves before \d+ were pruned, and are not in the feed/, 'and says so');
($code, $shown, $notice) = $node->psql('postgres', 'SELECT count(*) > 0 FROM steward.audit_feed()');
is("$shown$notice", 't', 'but not to who begins');

# Encrypted values come and go as they are; nothing decrypts them on the way.
is( $node->safe_psql('postgres', <<'SQL'),
SELECT steward.create_key('pii') IS NOT NULL;
CREATE TABLE person (id integer PRIMARY KEY, ssn steward.encrypted_text('pii/person.ssn'));
INSERT INTO person VALUES (1, 'one'), (2, 'two');
SELECT steward.enable_audit('person');
CREATE TABLE before AS SELECT clock_timestamp() AS at, (SELECT string_agg(id || ssn::text, ',' ORDER BY id) FROM person) AS stored;
BEGIN;
SELECT pg_current_xact_id() AS x \gset
UPDATE person SET ssn = 'other' WHERE id = 1;
DELETE FROM person WHERE id = 2;
COMMIT;
SELECT string_agg(steward.decrypt(ssn), ',' ORDER BY id) FROM steward.as_of(NULL::person, (SELECT at FROM before));
SELECT count(*) FROM steward.revert(:'x', true);
SELECT string_agg(steward.decrypt(p.ssn), ',' ORDER BY p.id), string_agg(p.id || p.ssn::text, ',' ORDER BY p.id) = (SELECT stored FROM before) FROM person AS p;
SQL
	"t\n\none,two\n2\none,two|t", 'encrypted values are what they were, to the bit');

# A life that goes on after a promotion, and one that begins with a restore.
$node->safe_psql('postgres', q{CREATE TABLE here (id integer PRIMARY KEY); SELECT steward.enable_audit('here'); INSERT INTO here VALUES (1); CREATE TABLE mark AS SELECT clock_timestamp() AS at; DELETE FROM here});
$node->backup('copy');
my $copy = PostgreSQL::Test::Cluster->new('promoted');
$copy->init_from_backup($node, 'copy', has_streaming => 1);
$copy->start;
$node->wait_for_catchup($copy);
$copy->promote;
$copy->safe_psql('postgres', 'INSERT INTO here VALUES (2)');
is($copy->safe_psql('postgres', 'SELECT (SELECT string_agg(id::text, $$,$$) FROM steward.as_of(NULL::here, (SELECT at FROM mark))), (SELECT string_agg(operation, $$,$$) FROM steward.history($$here$$, $${"id": 1}$$))'),
	'1|INSERT,DELETE', 'after a promotion the history goes on');
$copy->stop;

done_testing();

package Blind;

# What the campaigns of blind indexes share: random scripts for several sessions at the
# same time, who play them, and what their output tells. The tables and the checks are
# in blind_driver.sql.
use strict;
use warnings;

use Exporter 'import';
use File::Basename;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

our @EXPORT = qw(blind_setup blind_seed blind_tables blind_script blind_maintenance
  blind_start blind_finish blind_quiet $blind_writers);

our $blind_writers = 4;
our $blind_seed;
my $copies;
my $copied = 0;

# Errors that a session may meet and go on after: deadlock, serialization failure, and what
# follows, as no savepoint where the transaction had failed; more where a server ends.
my $met = qr/^(?:40P01|40001|25P02|3B001|42704: prepared transaction)/;
my $met_in_crash = qr/^(?:57P0[123]|08006|57014)/;

# Chooses or repeats a seed.
sub blind_seed
{
	$blind_seed = $ENV{STEWARD_SEED} // int(rand(1_000_000_000));
	note("STEWARD_SEED=$blind_seed");
	srand($blind_seed);
	return;
}

# The driver in database postgres.
sub blind_setup
{
	my ($node) = @_;

	$node->safe_psql('postgres', slurp_file(dirname(__FILE__) . '/blind_driver.sql'));
	return;
}

sub one_of { return $_[ int(rand(@_)) ] }

# From 1 to a maximum, small ones as often as large ones.
sub amount { return int(exp(rand(log($_[0] + 0.999)))) }

# Bits for a column of so many values in a table of so many rows. Tags that are too short for
# them make of the look-up of each value a scan.
sub tag_bits
{
	my ($values, $rows) = @_;

	return one_of(grep { $values * $rows / 2**$_ < 500_000 } 8, 12, 16, 40, 40, 40, 63, 64);
}

# New tables, for scripts that are told the same rows and spread. Indexes of short tags have
# false candidates, which the executor has to drop.
sub blind_tables
{
	my ($node, %how) = @_;
	# Tables grow beyond what they begin with.
	my $rows = $blind_writers * (2 * ($how{rows} // 0) + 10 * ($how{batch} // 2_000));
	my $bits = join ',', tag_bits(5, $rows), tag_bits($how{spread} // 300, $rows), tag_bits($rows, $rows);

	$node->safe_psql('postgres', sprintf "CALL driver.make_tables('%s', %d, '{%s}', %d, %d)",
		$how{persistence} // '', $how{parts} // 0, $bits, one_of(55, 75, 91, 100), one_of(4, 8, 12, 12, 34));
	return;
}

# ---- statements of a writer ----

sub own_rows
{
	my ($w, $table, $most) = @_;

	return "id IN (SELECT id FROM $table WHERE writer = $w->{number} AND id >= (SELECT driver.point('$table')) ORDER BY id LIMIT " . amount($most) . ')';
}

sub value { return "'mid " . int($_[0]->{spread} * rand() ** 2) . q{'} . one_of('', '::text') }

my %insert = (
	single => 'INSERT INTO single (writer, low, mid, high, e_low, e_mid, e_high) SELECT %d, low, mid, high, low, mid, high FROM driver.singles(%d, %d)',
	multi => 'INSERT INTO multi (writer, flag, a, b, n, e_a, e_b, e_n) SELECT %d, flag, a, b, n, a, b, n FROM driver.multis(%d, %d)',
	ranged => 'INSERT INTO ranged (writer, i, n, d, t, e_i, e_n, e_d, e_t) SELECT %d, i, n, d, t, i, n, d, t FROM driver.ranges(%d, %d)',
	words => 'INSERT INTO words (writer, x, e_x) SELECT %d, x, x FROM driver.texts(%d, %d)');

# A row with several tags a value has dozens of entries: of these there are fewer.
sub few { return $_[0]->{batch} > 15 ? int($_[0]->{batch} / 8) : $_[0]->{batch} }

sub insert_rows
{
	my ($w) = @_;
	my $table = one_of(qw(single single single multi multi ranged words));
	my $most = $table =~ /^[rw]/ ? few($w) : $w->{batch};

	return sprintf $insert{$table}, $w->{number}, rand() < 0.3 ? 1 : amount($most), $w->{spread};
}

sub date { return sprintf q{'%d-%02d-%02d'}, 1980 + rand(3), 1 + rand(12), 1 + rand(28) }

# A run of equal values, or of NULL.
sub insert_run
{
	my ($w) = @_;
	my $count = amount($w->{batch});
	my $mid = rand() < 0.4 ? 'NULL' : value($w) =~ s/::text//r;

	return "INSERT INTO single (writer, low, mid, high, e_low, e_mid, e_high) SELECT $w->{number}, 'low 1', $mid, NULL, 'low 1', $mid, NULL FROM generate_series(1, $count)"
	  if rand() < 0.7;
	return "INSERT INTO multi (writer, flag, a, b, n, e_a, e_b, e_n) SELECT $w->{number}, true, 'a 1', NULL, 7, 'a 1', NULL, 7 FROM generate_series(1, $count)";
}

sub copy_rows
{
	my ($w) = @_;
	my @rows;

	for (1 .. amount($w->{batch} > 300 ? 300 : $w->{batch}))
	{
		my @values = (rand() < 0.2 ? '\N' : 'low ' . int(rand(5)), 'mid ' . int(rand($w->{spread})), 'high ' . int(rand(1e9)));
		push @rows, join "\t", $w->{number}, @values, @values;
	}
	# From a file: where COPY is refused, psql would take the data for SQL.
	my $file = ($copies //= steward_directory('copies')) . '/' . ++$copied;
	append_to_file($file, join('', map { "$_\n" } @rows));
	return "COPY single (writer, low, mid, high, e_low, e_mid, e_high) FROM '$file'";
}

sub delete_rows
{
	my ($w) = @_;
	my $some = amount($w->{batch});

	return one_of(
		"DELETE FROM single WHERE writer = $w->{number} AND e_mid = " . value($w),
		"DELETE FROM single WHERE writer = $w->{number} AND e_mid IN (" . join(', ', map { value($w) } 1 .. 1 + rand(5)) . ')',
		'DELETE FROM single WHERE ' . own_rows($w, 'single', 2 * $w->{batch}),
		'DELETE FROM multi WHERE ' . own_rows($w, 'multi', 2 * $w->{batch}),
		"DELETE FROM multi WHERE writer = $w->{number} AND e_a IS NULL AND id % 3 = 0",
		"DELETE FROM multi WHERE writer = $w->{number} AND flag AND e_n = " . int(rand($w->{spread})),
		'DELETE FROM ranged WHERE ' . own_rows($w, 'ranged', 2 * few($w)),
		sprintf('DELETE FROM ranged WHERE writer = %1$d AND e_i BETWEEN %2$d AND %2$d + %3$d::bigint', $w->{number}, rand($w->{spread}), rand($w->{spread} / 10)),
		"DELETE FROM ranged WHERE writer = $w->{number} AND e_d > " . date() . ' AND e_d <= ' . date() . '::date',
		'DELETE FROM words WHERE ' . own_rows($w, 'words', 2 * few($w)),
		"DELETE FROM words WHERE writer = $w->{number} AND e_x " . one_of('LIKE', 'ILIKE') . " '%" . one_of(qw(abcab cabd lace Ünner 日本 bda), 'word' . int(rand(9))) . "%'",
		# rows of anybody
		"DELETE FROM single WHERE id IN (SELECT id FROM single WHERE e_low = 'low " . int(rand(5)) . "' LIMIT $some FOR UPDATE SKIP LOCKED)",
		"DELETE FROM sole WHERE id IN (SELECT id FROM sole WHERE writer = $w->{number} ORDER BY random() LIMIT $some)");
}

sub update_rows
{
	my ($w) = @_;
	my $mid = rand() < 0.1 ? 'NULL' : value($w) =~ s/::text//r;
	my $number = int(rand($w->{spread}));

	return one_of(
		# HOT, when there is room
		'UPDATE single SET filler = filler + 1 WHERE ' . own_rows($w, 'single', $w->{batch}),
		'UPDATE multi SET filler = filler + 1 WHERE ' . own_rows($w, 'multi', $w->{batch}),
		"UPDATE single SET mid = $mid, e_mid = $mid WHERE " . own_rows($w, 'single', $w->{batch}),
		"UPDATE single SET mid = $mid, e_mid = $mid WHERE writer = $w->{number} AND e_mid = " . value($w),
		# the same values, in other ciphertext
		'UPDATE single SET e_low = low, e_high = high WHERE ' . own_rows($w, 'single', $w->{batch}),
		'UPDATE multi SET flag = NOT flag WHERE ' . own_rows($w, 'multi', $w->{batch}),
		"UPDATE multi SET n = $number, e_n = $number, b = 'b $number', e_b = 'b $number' WHERE " . own_rows($w, 'multi', $w->{batch}),
		'UPDATE multi SET a = b, e_a = b WHERE ' . own_rows($w, 'multi', $w->{batch}),
		"UPDATE ranged SET i = $number, e_i = $number, n = $number / 10.0, e_n = $number / 10.0 WHERE " . own_rows($w, 'ranged', few($w)),
		'UPDATE ranged SET d = t::date, e_d = t::date WHERE ' . own_rows($w, 'ranged', few($w)),
		"UPDATE words SET x = right('y' || x, 40), e_x = right('y' || x, 40) WHERE " . own_rows($w, 'words', few($w)));
}

# Values that exclude each other: of this writer alone, where each must go in that is not
# there, or of all.
sub exclusive
{
	my ($w) = @_;
	my $count = amount($w->{batch} > 200 ? 200 : $w->{batch});
	my @values = map { int(rand(5 * $w->{spread})) } 1 .. $count;

	return 'SELECT driver.add_sole(' . $w->{number} . ", '{" . join(',', map { "own $w->{number} $_" } @values) . "}')" if rand() < 0.6;
	return "INSERT INTO sole (writer, v, e_v) SELECT $w->{number}, v, v FROM unnest('{" . join(',', map { "any $_" } sort { $a <=> $b } @values) . "}'::text[]) AS v ON CONFLICT DO NOTHING";
}

sub check
{
	my $kind = rand();

	return 'SELECT driver.check_sole()' if $kind < 0.1;
	return 'SELECT driver.check_ranged()' if $kind < 0.3;
	return 'SELECT driver.check_words()' if $kind < 0.4;
	return $kind < 0.65 ? 'SELECT driver.check_multi()' : 'SELECT driver.check_single()';
}

sub change
{
	my ($w) = @_;
	my $kind = rand();

	return insert_rows($w) if $kind < 0.25;
	return insert_run($w) if $kind < 0.35;
	return copy_rows($w) if $kind < 0.42;
	return exclusive($w) if $kind < 0.5;
	return update_rows($w) if $kind < 0.78;
	return delete_rows($w);
}

# A transaction with savepoints, kept and not, maybe with a cursor over it, maybe prepared.
sub transaction
{
	my ($w) = @_;
	my $isolation = one_of('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'REPEATABLE READ', 'REPEATABLE READ', rand() < 0.2 ? 'SERIALIZABLE' : 'REPEATABLE READ');
	my $cursor = $isolation ne 'READ COMMITTED' && rand() < 0.15;
	my $savepoints = 0;
	my @sql = ("BEGIN ISOLATION LEVEL $isolation");

	push @sql, q{SELECT driver.open_cursor('c')} if $cursor;
	for (1 .. 1 + rand(6))
	{
		my $kind = rand();

		if ($kind < 0.15) { $savepoints++; push @sql, "SAVEPOINT s$savepoints"; }
		elsif ($kind < 0.25 && $savepoints) { push @sql, one_of('ROLLBACK TO', 'RELEASE') . " s$savepoints"; $savepoints--; }
		elsif ($isolation ne 'READ COMMITTED' && $kind < 0.25 + $w->{checks}) { push @sql, check($w); }
		else { push @sql, change($w); }
	}
	push @sql, 'SELECT pg_sleep(' . rand(0.05) . ')', q{SELECT driver.close_cursor('c')} if $cursor;
	my $gid = join '-', $w->{series} // 0, $w->{number}, ++$w->{serial};
	return @sql, rand() < 0.8 ? 'COMMIT' : 'ROLLBACK' if rand() > ($w->{prepared} // 0.07);
	return @sql, "PREPARE TRANSACTION '$gid'", 'SELECT pg_sleep(' . rand(0.05) . ')', one_of('COMMIT', 'ROLLBACK') . " PREPARED '$gid'";
}

# The script of a writer. number: from 0; statements: about so many; batch: most rows of a
# statement; spread: how many values of middle cardinality; checks: share of them; rows: to
# begin with; prepared: share of transactions; series: of scripts whose prepared transactions may be there at one time.
sub blind_script
{
	my (%w) = @_;
	my @sql = ("SET application_name = 'campaign writer'", 'SET deadlock_timeout = 100', 'SELECT setseed(' . rand() . ')', 'SET enable_seqscan = ' . one_of('on', 'off'));
	my $rows = $w{rows} // 0;

	$w{serial} = 0;
	while ($rows > 0)
	{
		my $part = $rows > 10000 ? 10000 : $rows;

		push @sql, sprintf $insert{ one_of(qw(single single multi)) }, $w{number}, $part, $w{spread};
		push @sql, sprintf $insert{$_}, $w{number}, $part / 10, $w{spread} for qw(ranged words);
		$rows -= $part;
	}
	while (@sql < $w{statements})
	{
		push @sql, rand() < 0.35 ? change(\%w) : transaction(\%w);
		push @sql, 'BEGIN ISOLATION LEVEL REPEATABLE READ', check(\%w), 'COMMIT' if rand() < $w{checks};
		push @sql, 'SET enable_seqscan = ' . one_of('on', 'off') if rand() < 0.1;
	}
	return join '', map { "$_;\n" } @sql;
}

# The script of the session that vacuums, makes indexes anew, and the like, until no writer
# is left. rare: share of what throws everybody out; parts: as in blind_tables.
sub blind_maintenance
{
	my (%how) = (concurrently => 1, @_);
	my @sql = ("SET application_name = 'campaign maintenance';\nSET deadlock_timeout = 2000;\nSELECT setseed(0.5);\n",
		# until the first of them is there
		q{DO $$ BEGIN FOR n IN 1 .. 500 LOOP EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'campaign writer'); PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); END LOOP; END $$;} . "\n");
	my @tables = qw(single multi sole ranged words);
	my @indexes = (qw(multi_ab multi_n sole_v ranged_i ranged_n ranged_d ranged_t words_x), $how{parts} ? qw(single_1_e_low_idx single_2_e_mid_idx single_1_e_high_idx) : qw(single_low single_mid single_high));

	for (1 .. $how{statements})
	{
		my $table = one_of(@tables);
		my $index = one_of(@indexes);
		# An exclusion constraint's index is not made anew beside writers.
		my $beside = one_of(grep { $_ ne 'sole_v' } @indexes);
		my $common = one_of("VACUUM $table", "VACUUM $table", "VACUUM (FREEZE) $table", "VACUUM (INDEX_CLEANUP on) $table", 'ANALYZE', 'CHECKPOINT',
			q{SELECT 'looked at ' || driver.check_indexes(false)}, q{SELECT 'looked at ' || driver.check_indexes(true)},
			($how{concurrently} ? ("REINDEX INDEX CONCURRENTLY $beside", "REINDEX INDEX CONCURRENTLY $beside",
				"DROP INDEX IF EXISTS extra;\nCREATE INDEX CONCURRENTLY extra ON multi USING blind (e_b);\nSELECT pg_sleep(0.1);\nDROP INDEX CONCURRENTLY extra") : ()),
			"DROP INDEX IF EXISTS extra;\nCREATE INDEX extra ON single USING blind (e_mid) WHERE filler = 0;\nSELECT pg_sleep(0.1);\nDROP INDEX extra");
		my $rare = one_of("VACUUM FULL $table", "VACUUM FULL $table", "REINDEX INDEX $index", "REINDEX INDEX $index", "REINDEX TABLE $table", "TRUNCATE $table");

		push @sql, q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'campaign writer') AS over \gset} . "\n\\if :over\n\\quit\n\\endif\n";
		push @sql, (rand() < $how{rare} ? $rare : $common) . ";\nSELECT pg_sleep(" . rand($how{pause}) . ");\n";
	}
	return join '', @sql;
}

# ---- playing them ----

# Starts a session for each script; returns what blind_finish wants.
sub blind_start
{
	my ($node, @scripts) = @_;
	my $directory = steward_directory('scripts');
	my @running;

	for my $script (@scripts)
	{
		my $path = "$directory/" . scalar @running;
		my ($in, $out, $err) = ('', '', '');
		my $session = { path => $path, out => \$out, err => \$err };

		append_to_file("$path.sql", $script);
		$session->{run} = IPC::Run::start([ 'psql', '-XAt', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), '-f', "$path.sql" ],
			'<', \$in, '>', $path . '.out', '2>', $path . '.err');
		push @running, $session;
	}
	return @running;
}

# Waits for the sessions and counts: {changes} rows changed, {queries} answered alike by
# all ways, with {rows}, {tried} rows offered to an exclusion constraint, {looked} at indexes,
# {ways} of answers, {kinds} of questions, {met} errors that may be met; {wrong} are the others. crash => 1: the server may have gone.
sub blind_finish
{
	my ($sessions, %options) = @_;
	my %count = (changes => 0, queries => 0, tried => 0, rows => 0, looked => 0, met => {}, ways => {}, kinds => {}, wrong => []);

	for my $session (@$sessions)
	{
		$session->{run}->finish;
		for (split /\n/, slurp_file("$session->{path}.out"))
		{
			if (/^(?:INSERT 0|UPDATE|DELETE|COPY) (\d+)$/) { $count{changes} += $1; }
			elsif (/^tried (\d+)$/) { $count{tried} += $1; }
			elsif (/^looked at (\d+)$/) { $count{looked} += $1; }
			elsif (/^checked (.+) (\S+) (\d+)$/)
			{
				$count{queries}++;
				$count{kinds}{$1}++;
				$count{rows} += $3;
				$count{ways}{$_}++ for split /,/, $2;
			}
		}
		my $error = slurp_file("$session->{path}.err");
		for ($error =~ /^psql:[^\n]*?(?:ERROR|FATAL|PANIC):  (.*?)(?=^psql:|\z)/gms)
		{
			if ($_ =~ $met || $options{crash} && $_ =~ $met_in_crash) { $count{met}{ substr($_, 0, 5) }++; }
			else { push @{ $count{wrong} }, $_; }
		}
		push @{ $count{wrong} }, "the server closed a connection: $error"
		  if !$options{crash} && $error =~ /server closed the connection|could not connect|connection to server .* failed/;
	}
	return \%count;
}

# When nobody writes: all values are found, and every index is in order. Returns what was
# found, empty after an error, which it shows.
sub blind_quiet
{
	my ($node, $name) = @_;
	my ($out, $err) = ('', '');
	my $code = $node->psql('postgres', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM driver.check_everything(); COMMIT; SELECT driver.check_indexes(false), driver.check_indexes(true)',
		stdout => \$out, stderr => \$err, on_error_stop => 1);

	is($err, '', $name);
	return $code == 0 ? $out : '';
}

1;

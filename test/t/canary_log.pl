# With everything logged that PostgreSQL can log (statements, plans, durations,
# nested statements, errors at their most verbose), a plaintext that came as a
# parameter, by COPY or out of a column is in no line of the log, and in no error
# that a client gets.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use StewardCanary;
use Test::More;

my $keyring = steward_keyring();
my $node = steward_node('main', keyring => $keyring, conf => q{
shared_preload_libraries = 'pg_stat_statements, auto_explain, pg_steward'
log_statement = all
log_min_duration_statement = 0
log_error_verbosity = verbose
log_min_messages = notice
log_min_error_statement = error
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_lock_waits = on
log_temp_files = 0
log_replication_commands = on
log_autovacuum_min_duration = 0
deadlock_timeout = 100ms
work_mem = 64kB
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_verbose = on
auto_explain.log_nested_statements = on
auto_explain.log_triggers = on
auto_explain.log_parameter_max_length = 0
pg_stat_statements.track = all
pg_stat_statements.track_utility = on});
my $directory = steward_directory('input');
my $serial = 0;

sub input_file
{
	my ($text) = @_;
	my $file = "$directory/" . ++$serial;

	append_to_file($file, $text);
	return $file;
}

$node->safe_psql(
	'postgres', q{
CREATE EXTENSION pg_stat_statements;
CREATE ROLE writer LOGIN;
CREATE ROLE reader LOGIN;
SELECT steward.create_key('pii');
SELECT steward.grant_key('pii', 'reader', 'decrypt');
CREATE TABLE parent (id int PRIMARY KEY, v steward.encrypted_text('pii/parent.v'));
CREATE UNIQUE INDEX parent_v ON parent (v steward.encrypted_unique_ops);
CREATE TABLE child (id int, v steward.encrypted_text('pii/parent.v') REFERENCES parent (v));
CREATE TABLE t (id int CHECK (id <> 13), v steward.encrypted_text('pii/t.v') NOT NULL, w steward.encrypted_text('pii/t.w')[],
    n int NOT NULL DEFAULT 1, EXCLUDE USING btree (n WITH =) WHERE (n > 1000));
CREATE UNIQUE INDEX t_v ON t (v steward.encrypted_unique_ops);
CREATE TABLE blind (id int, v steward.encrypted_text('pii/blind.v'), once steward.encrypted_text('pii/blind.once'), EXCLUDE USING blind (once WITH =));
CREATE INDEX blind_v ON blind USING blind (v);
CREATE INDEX blind_trigram ON blind USING blind (v steward.blind_trigram_ops);
GRANT ALL ON t, parent, child TO writer, reader;
CREATE FUNCTION nested(plain text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
BEGIN
    INSERT INTO t (id, v) VALUES (50, plain || 'nested');
    SELECT count(*) INTO found FROM t WHERE v = plain OR v::text LIKE plain || '%';
    UPDATE t SET v = (plain || 'updated')::text WHERE v = plain || 'nested';
    DELETE FROM t WHERE v = plain || 'updated';
    RETURN found;
END
$$;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 66 THEN
        RAISE EXCEPTION 'the trigger refuses row %', NEW.id;
    ELSIF NEW.id = 67 THEN
        RAISE WARNING 'the trigger warns of row %', NEW;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER noted BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION noted()});

# Runs statements with :v as a parameter of the protocol; what pgbench says.
sub with_parameter
{
	my ($mode, $value, $sql, $user) = @_;
	my $error;

	IPC::Run::run([ 'pgbench', '-h', $node->host, '-p', $node->port, '-U', $user // scalar getpwuid($>), '-n', '-t1', "--protocol=$mode", '-D', "v=$value", '-f', input_file($sql), 'postgres' ], '>', \my $out, '2>', \$error);
	return $error;
}

# ---- what succeeds ----

my %uses = (
	'INSERT' => q{INSERT INTO t (id, v) VALUES (1, :v);},
	'INSERT of a text' => q{INSERT INTO t (id, v) VALUES (1, :v::text);},
	'INSERT of a varchar' => q{INSERT INTO t (id, v) SELECT 1, :v::varchar;},
	'INSERT of two rows' => q{INSERT INTO t (id, v) VALUES (1, :v::text || 'a'), (2, :v::text || 'b');},
	'INSERT of an array' => q{INSERT INTO t (id, v, w) VALUES (1, :v, ARRAY[:v, 'x']::text[]);},
	'ON CONFLICT' => q{INSERT INTO t (id, v) VALUES (1, :v::text) ON CONFLICT (v) DO UPDATE SET v = :v::text || '+';},
	'MERGE' => q{MERGE INTO t USING (SELECT :v::text AS plain) AS s ON t.v = s.plain WHEN MATCHED THEN UPDATE SET v = s.plain || '+' WHEN NOT MATCHED THEN INSERT (id, v) VALUES (1, s.plain);},
	'UPDATE' => q{UPDATE t SET v = :v::text WHERE id = (SELECT max(id) FROM t) AND v = (SELECT v FROM t LIMIT 1);},
	'equality' => q{SELECT id FROM t WHERE v = :v;},
	'equality with a text' => q{SELECT id FROM t WHERE v = :v::text;},
	'equality, sequential' => q{SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT id FROM t WHERE v = :v::text OR :v::varchar = v;},
	'IN' => q{SELECT id FROM t WHERE v IN (:v::text, 'a'::text);},
	'ANY' => q{SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT id FROM t WHERE v = ANY (ARRAY[:v, 'a']::text[]);},
	'a blind index' => q{INSERT INTO blind (id, v) VALUES (1, :v), (2, :v::text || 'more'); SET enable_seqscan = off; SELECT id FROM blind WHERE v = :v; SELECT id FROM blind WHERE v = :v::text; SELECT id FROM blind WHERE v = ANY (ARRAY[:v, 'x']::text[]) AND v IS NOT NULL; SELECT id FROM blind WHERE v IN (:v::text, 'x'::text) OR v IS NULL; REINDEX TABLE blind; UPDATE blind SET v = :v::text || '!' WHERE v = :v::text; DELETE FROM blind WHERE v = :v::text || '!';},
	'a blind index for patterns' => q{INSERT INTO blind (id, v) VALUES (1, :v); SET enable_seqscan = off; SELECT id FROM blind WHERE v LIKE :v; SELECT id FROM blind WHERE v LIKE '%' || :v || '%'; SELECT id FROM blind WHERE v ILIKE :v::text; SELECT id FROM blind WHERE v LIKE ANY (ARRAY[:v, 'x']::text[]); REINDEX INDEX blind_trigram; SELECT id FROM blind WHERE v LIKE :v || 'a_' AND v NOT LIKE :v;},
	'the check of a blind index' => q{INSERT INTO blind (id, v) VALUES (1, :v); SELECT steward.blind_index_check('blind_v', true), steward.blind_index_check('blind_trigram', true), steward.blind_page_stats('blind_v', 1); SELECT * FROM steward.leakage_report('blind_trigram'); VACUUM blind;},
	'LIKE' => q{SELECT id FROM t WHERE v::text LIKE :v;},
	'a function of what was decrypted' => q{SELECT id FROM t WHERE upper(steward.decrypt(v)) = upper(:v::text);},
	'CASE' => q{SELECT CASE WHEN v = :v::text THEN 1 ELSE 2 END, coalesce(v::text, :v::text) FROM t;},
	'a join' => q{SELECT count(*) FROM t AS a JOIN parent AS b USING (v) WHERE b.v <> :v::text GROUP BY a.v HAVING a.v <> :v::text;},
	'a subquery' => q{SELECT id FROM t WHERE v = (SELECT p FROM (VALUES (:v::text), ('b')) AS s (p) LIMIT 1);},
	'a CTE' => q{WITH s AS MATERIALIZED (SELECT v FROM t WHERE v = :v::text) SELECT count(*) FROM s;},
	'encrypt_text' => q{SELECT steward.encrypt_text(:v, 'pii/t.v');},
	'encryption and decryption' => q{SELECT steward.decrypt(steward.encrypt_text(:v, 'pii/t.v')) IS NULL;},
	'a nested statement' => q{SELECT nested(:v);},
	'DECLARE' => q{BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t WHERE v <> 'x'; COMMIT; FETCH ALL FROM c; CLOSE c;},
	'CREATE TABLE AS' => q{CREATE TEMP TABLE made AS SELECT id, v FROM t WHERE v <> :v::text;});

for my $use (sort keys %uses)
{
	for my $mode ('extended', 'prepared')
	{
		my $offset = -s $node->logfile;
		my $value = canary('use');

		is(with_parameter($mode, $value, $uses{$use}), '', "$mode: $use works");
		canary_log_is_clean("$mode: $use leaves no plaintext in the log", $node, $offset);
	}
}
# The other types, by the same ways.
for my $type (grep { $_ ne 'text' } canary_types($node))
{
	my $value = canary_value($type, 'other');
	my $table = "t_$type";

	$node->safe_psql('postgres', "CREATE TABLE $table (id int CHECK (id <> 13), v steward.encrypted_$type('pii/$table.v'))");
	$node->safe_psql('postgres', "CREATE INDEX ${table}_blind ON $table USING blind (v)");
	$node->safe_psql('postgres', "CREATE INDEX ${table}_range ON $table USING blind (v steward.blind_${type}_range_ops)") if $type =~ /^(?:bigint|numeric|date|timestamptz)$/;
	for my $mode ('extended', 'prepared')
	{
		my $offset = -s $node->logfile;

		is(with_parameter($mode, $value, "INSERT INTO $table VALUES (1, :v);"), '', "$mode: $type: INSERT");
		is(with_parameter($mode, $value, "INSERT INTO $table VALUES (1, :v::$type); UPDATE $table SET v = :v::$type;"), '', "$mode: $type: INSERT and UPDATE of a plaintext");
		is(with_parameter($mode, $value, "SELECT id FROM $table WHERE v = :v; SELECT id FROM $table WHERE v = :v::$type AND v::$type = :v::$type ORDER BY v;"), '', "$mode: $type: search");
		is(with_parameter($mode, $value, "SET enable_seqscan = off; SELECT id FROM $table WHERE v = :v; SELECT id FROM $table WHERE v = :v::$type; REINDEX TABLE $table;"), '', "$mode: $type: a blind index");
		is(with_parameter($mode, $value, "SET enable_seqscan = off; SELECT id FROM $table WHERE v BETWEEN :v AND :v; SELECT id FROM $table WHERE v < :v::$type OR v >= :v::$type;"), '', "$mode: $type: ranges") if $type =~ /^(?:bigint|numeric|date|timestamptz)$/;
		is(with_parameter($mode, $value, "SELECT steward.decrypt(steward.encrypt_$type(:v::$type, 'pii/$table.v')) IS NULL;"), '', "$mode: $type: functions");
		like(with_parameter($mode, $value, "INSERT INTO $table VALUES (13, :v::$type);"), qr/Failing row contains \(13, stw1:/, "$mode: $type: CHECK");
		like(with_parameter($mode, canary('nonsense') . '{', "INSERT INTO $table VALUES (1, :v);"), $type eq 'bytea' ? qr/^$/ : qr/invalid input syntax for type encrypted_$type/, "$mode: $type: what is none");
		canary_log_is_clean("$mode: $type: no plaintext in the log", $node, $offset);
	}
	fails_silently("COPY: $type", qr/violates check constraint/, sub { copy_error($table, "13\t" . $value =~ s/\\/\\\\/gr . "\n") });
}
ok(slurp_file($node->logfile) =~ qr/Query Text: INSERT INTO t \(id, v\) VALUES \(50/, 'auto_explain logs nested statements');
ok(slurp_file($node->logfile) =~ qr/Output: .*encrypted_text/, 'and what they put out');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%CanaryQx7%'}), '0', 'pg_stat_statements has no plaintext');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%INSERT INTO t%'}), '>=', 5, 'but the statements');

# ---- what fails ----

my $known = canary('known');
is(with_parameter('extended', $known, q{INSERT INTO t (id, v) VALUES (2, :v);}), '', 'a row to collide with');
is(with_parameter('extended', canary('n'), q{INSERT INTO t (id, v, n) VALUES (3, :v, 2000);}), '', 'another one');

# Fails as the pattern says; neither the client nor the log sees a plaintext.
sub fails_silently
{
	my ($name, $pattern, $run) = @_;
	my $offset = -s $node->logfile;
	my $error = $run->();

	like($error, $pattern, "$name: fails");
	unlike($error, qr/\Q$StewardCanary::mark/, "$name: the client sees no plaintext");
	ok(slurp_file($node->logfile, $offset) =~ /ERROR: /, "$name: is logged");
	return canary_log_is_clean("$name: without plaintext", $node, $offset);
}

my $cast = qr/invalid input syntax for type \w+: "\.\.\."\n.*DETAIL: +The value is not shown/s;
my %failures = (
	'CHECK' => [ qr/violates check constraint.*Failing row contains \(13, stw1:/s, q{INSERT INTO t (id, v) VALUES (13, :v);} ],
	'NOT NULL' => [ qr/violates not-null constraint.*Failing row contains \(1, stw1:/s, q{INSERT INTO t (id, v, n) VALUES (1, :v::text, NULL);} ],
	'CHECK by UPDATE' => [ qr/violates check constraint/, q{UPDATE t SET id = 13, v = :v::text;} ],
	'a foreign key' => [ qr/violates foreign key constraint.*Key \(v\)=\(stw1:/s, q{INSERT INTO child VALUES (1, :v);} ],
	'exclusion by a blind index' => [ qr/conflicting key value violates exclusion constraint.*Key \(once\)=\(stw1:/s, q{INSERT INTO blind (id, once) VALUES (1, :v::text), (2, :v::text);} ],
	'a pattern that ends in its escape' => [ qr/LIKE pattern must not end with escape character/, q{INSERT INTO blind (id, v) VALUES (1, :v::text || 'x'); SET enable_seqscan = off; SELECT id FROM blind WHERE v LIKE :v || '\\';} ],
	'exclusion' => [ qr/conflicting key value violates exclusion constraint/, q{INSERT INTO t (id, v, n) VALUES (1, :v, 2000);} ],
	'a trigger' => [ qr/the trigger refuses row 66/, q{INSERT INTO t (id, v) VALUES (66, :v);} ],
	'another error in the statement' => [ qr/division by zero/, q{SELECT 1 / (length(:v::text) - length(:v::text));} ],
	'a cast of a parameter after decryption' => [ $cast, q{SELECT steward.decrypt(steward.encrypt_text(:v, 'pii/t.v'))::int;} ],
	'a cast in a function' => [ $cast, q{SELECT cast_inside(:v);} ],
	'a cast that is caught' => [ $cast, q{SELECT cast_caught(:v);} ],
	'a cast that is caught and told' => [ qr/told: invalid input syntax for type integer: "\.\.\."/, q{SELECT cast_told(:v);} ],
	'a cast after COMMIT' => [ $cast, q{CALL cast_after_commit(:v);} ],
	'json' => [ qr/invalid input syntax for type json/, q[SELECT ('{' || steward.decrypt(steward.encrypt_text(:v, 'pii/t.v')))::json;] ],
	'an element of an array' => [ qr/malformed array literal: "\.\.\."/, q[SELECT ('{' || steward.decrypt(steward.encrypt_text(:v, 'pii/t.v')))::text[];] ],
	'a pattern' => [ qr/invalid regular expression: \.\.\./, q{SELECT 'a' ~ ('(' || steward.decrypt(steward.encrypt_text(:v, 'pii/t.v')));} ],
	'a tsquery' => [ qr/syntax error in tsquery: "\.\.\."/, q{SELECT (steward.decrypt(steward.encrypt_text(:v, 'pii/t.v')) || ' x &')::tsquery;} ],
	'a jsonpath' => [ qr/ERROR:  \.\.\. at or near "\.\.\." of jsonpath input/, q{SELECT ('$a $' || regexp_replace(steward.decrypt(steward.encrypt_text(:v, 'pii/t.v')), '[^A-Za-z0-9]', '', 'g') || ' x')::jsonpath;} ],
	'a long tsquery' => [ qr/word is too long in tsquery: "\.\.\."/, q{SELECT (steward.decrypt(steward.encrypt_text(:v || repeat('x', 2100), 'pii/t.v')))::tsquery;} ],
	'a trigger after the row' => [ $cast, q{INSERT INTO after_row (v) VALUES (:v);} ],
	'a trigger at commit' => [ $cast, q{BEGIN; INSERT INTO at_commit (v) VALUES (:v); COMMIT;} ],
	'a trigger at a prepared commit' => [ $cast, q{BEGIN; INSERT INTO at_commit (v) VALUES (:v); PREPARE TRANSACTION 'two';} ],
	'a time' => [ qr/invalid input syntax for type timestamp with time zone: "\.\.\."/, q{SELECT steward.decrypt(steward.encrypt_text(:v, 'pii/t.v'))::timestamptz;} ],
	'a number out of range' => [ qr/value "\.\.\." is out of range for type \.\.\./, q{SELECT steward.decrypt(steward.encrypt_text(repeat('9', length(:v)), 'pii/t.v'))::int;} ]);

$node->safe_psql(
	'postgres', q{
CREATE FUNCTION cast_inside(plain text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    number int;
BEGIN
    plain := steward.decrypt(steward.encrypt_text(plain, 'pii/t.v'));
    number := plain::int;
    RETURN number;
END
$$;
CREATE FUNCTION cast_caught(plain text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    RETURN cast_inside(plain);
EXCEPTION WHEN invalid_text_representation THEN
    RAISE;
END
$$;
CREATE FUNCTION cast_told(plain text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    RETURN cast_inside(plain);
EXCEPTION WHEN invalid_text_representation THEN
    RAISE 'told: %', SQLERRM;
END
$$;
CREATE TABLE after_row (v steward.encrypted_text('pii/after.v'));
CREATE TABLE at_commit (v steward.encrypted_text('pii/after.v'));
CREATE FUNCTION cast_new() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    number int;
BEGIN
    number := NEW.v::text::int;
    RETURN NULL;
END
$$;
CREATE TRIGGER cast_new AFTER INSERT ON after_row FOR EACH ROW EXECUTE FUNCTION cast_new();
CREATE CONSTRAINT TRIGGER cast_new AFTER INSERT ON at_commit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cast_new();
GRANT ALL ON after_row, at_commit TO writer, reader;
CREATE PROCEDURE cast_after_commit(plain text) LANGUAGE plpgsql AS $$
BEGIN
    plain := steward.decrypt(steward.encrypt_text(plain, 'pii/t.v'));
    COMMIT;
    RAISE NOTICE '%', plain::int;
END
$$});

for my $failure (sort keys %failures)
{
	my ($pattern, $sql) = @{ $failures{$failure} };

	for my $mode ('extended', 'prepared')
	{
		fails_silently("$mode: $failure", $pattern, sub { with_parameter($mode, canary('fails'), $sql) });
	}
}
fails_silently('a unique violation', qr/duplicate key value.*Key \(v\)=\(stw1:/s, sub { with_parameter('extended', $known, q{INSERT INTO t (id, v) VALUES (1, :v);}) });
fails_silently('a time limit', qr/canceling statement due to statement timeout/, sub { with_parameter('extended', $known, q{SET statement_timeout = 200; SELECT pg_sleep(60) FROM t WHERE v = :v::text;}) });
fails_silently('a lock that is not to be had', qr/canceling statement due to lock timeout/, sub {
		my $holder = steward_session($node);

		$holder->query(q{BEGIN; SELECT 1 FROM t WHERE id = 2 FOR UPDATE});
		my $error = with_parameter('extended', $known, q{SET lock_timeout = 200; UPDATE t SET v = :v::text || '!' WHERE id = 2;});
		$holder->query('ROLLBACK');
		$holder->quit;
		return $error;
	});

# Out of a column, by statements that hold no plaintext themselves.
my %columns = (
	'a cast' => [ $cast, q{SELECT v::text::int FROM t} ],
	'a cast in a condition' => [ $cast, q{SELECT id FROM t WHERE v::text::date > '2000-01-01'} ],
	'DO' => [ $cast, q{DO $$ DECLARE plain text; n int; BEGIN SELECT v::text INTO plain FROM t LIMIT 1; n := plain::int; END $$} ],
	'a later statement' => [ $cast, "BEGIN;\nDECLARE c CURSOR FOR SELECT x::int FROM (SELECT v::text AS x FROM t UNION ALL SELECT '1' ORDER BY 1 OFFSET 0) AS s;\nFETCH 1 FROM c;\nFETCH 1 FROM c" ],
	'COPY TO' => [ $cast, q{COPY (SELECT v::text::int FROM t) TO STDOUT} ],
	'CREATE TABLE AS' => [ $cast, q{CREATE TABLE made AS SELECT v::text::int FROM t} ],
	'EXPLAIN ANALYZE' => [ $cast, q{EXPLAIN (ANALYZE, VERBOSE) SELECT v::text::int FROM t} ],
	'a function that runs as its owner' => [ $cast, q{SET ROLE writer; SELECT number()} ],
	'its exception, handled by somebody else' => [ qr/division by zero/, q{SET ROLE writer; DO $$ BEGIN PERFORM number(); EXCEPTION WHEN invalid_text_representation THEN PERFORM 1 / (1 - (SELECT count(*) FROM (SELECT SQLERRM AS m) AS s WHERE m NOT LIKE '%Canary_x7%')); END $$} ]);

$node->safe_psql('postgres', q{CREATE FUNCTION number() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT v::text::int FROM public.t LIMIT 1'});
for my $column (sort keys %columns)
{
	my ($pattern, $sql) = @{ $columns{$column} };

	fails_silently($column, $pattern, sub { steward_error($node, $sql) });
}
# Nobody's log at all: the client is still told without the value.
steward_set($node, log_min_messages => 'panic');
like(steward_error($node, q{SELECT v::text::int FROM t}), $cast, 'masked also where errors are not logged');
steward_set($node, log_min_messages => 'notice');
like(steward_error($node, q{SELECT x::int FROM (VALUES ('typed')) AS s (x)}), qr/invalid input syntax for type integer: "typed"/, 'other statements keep their values');

# ---- COPY: its lines are in nobody's SQL ----

sub copy_error
{
	my ($table, $text, $options) = @_;
	my $input = input_file($text);

	return steward_error($node, "\\copy $table from '$input' " . ($options // ''));
}

my $row = sub { join("\t", $_[0], canary('copy'), $_[1] // 1) . "\n" };
my $columns = 't (id, v, n)';
fails_silently('COPY: CHECK', qr/violates check constraint.*CONTEXT: +COPY t, line 2$/sm, sub { copy_error($columns, $row->(1) . $row->(13)) });
fails_silently('COPY: NOT NULL', qr/violates not-null constraint.*CONTEXT: +COPY t, line 1$/sm, sub { copy_error($columns, $row->(1, '\N')) });
fails_silently('COPY: a trigger', qr/the trigger refuses row 66\n.*CONTEXT: +PL\/pgSQL function noted\(\) line 4 at RAISE\nCOPY t, line 1$/sm, sub { copy_error($columns, $row->(66)) });
fails_silently('COPY: exclusion', qr/violates exclusion constraint/, sub { copy_error($columns, $row->(1, 2000)) });
fails_silently('COPY: a foreign key', qr/violates foreign key constraint/, sub { copy_error('child', "1\t" . canary('copy') . "\n") });
fails_silently('COPY: another column', qr/invalid input syntax for type integer: "\.\.\."\n.*CONTEXT: +COPY t, line 1, column n$/sm, sub { copy_error($columns, $row->(1, 'x')) });
fails_silently('COPY: columns in the wrong order', qr/invalid input syntax for type integer: "\.\.\."/, sub { copy_error('t (v, id, n)', $row->(1)) });
fails_silently('COPY: too many columns', qr/extra data after last expected column/, sub { copy_error('t (id, v)', $row->(1)) });
fails_silently('COPY: too few', qr/missing data for column/, sub { copy_error('t (id, v, n)', "1\t" . canary('copy') . "\n") });
fails_silently('COPY: a quote that does not end', qr/unterminated CSV quoted field/, sub { copy_error('t (id, v)', '1,"' . canary('csv'), 'csv') });
fails_silently('COPY: bytes that are no text', qr/invalid byte sequence/, sub { copy_error('t (id, v)', "1\t" . canary('bytes') . "\xff\n") });
like(copy_error('parent (id)', "x\n"), qr/invalid input syntax for type integer: "\.\.\."/, 'COPY into a table with encrypted columns shows no value');
$node->safe_psql('postgres', 'CREATE TABLE bare (id int)');
like(copy_error('bare', "x\n"), qr/integer: "x"\n.*COPY bare, line 1, column id: "x"/s, 'into any other it does');

# A row that a trigger warns of shows ciphertext; the line of COPY is not logged.
my $offset = -s $node->logfile;
is(copy_error($columns, $row->(67)) =~ /WARNING: +(?:01000: )?the trigger warns of row \(67,stw1:/ ? 1 : 0, 1, 'a warning shows ciphertext');
canary_log_is_clean('and the log no plaintext', $node, $offset);

# A deadlock's report shows the statements of both.
{
	my @sessions = map { steward_session($node) } 1, 2;
	my $from = -s $node->logfile;

	$sessions[0]->query('BEGIN; SELECT 1 FROM t WHERE id = 2 FOR UPDATE');
	$sessions[1]->query('BEGIN; SELECT 1 FROM t WHERE id = 3 FOR UPDATE');
	$sessions[0]->query_until(qr/start/, "\\echo start\nUPDATE t SET v = v::text || 'a' WHERE id = 3;\n");
	like(steward_error($sessions[1], q{UPDATE t SET v = v::text || 'b' WHERE id = 2}), qr/deadlock detected|^$/, 'two sessions wait for each other');
	$sessions[1]->query('ROLLBACK');
	$sessions[0]->query('ROLLBACK');
	ok(slurp_file($node->logfile, $from) =~ /deadlock detected/, 'a deadlock is reported');
	canary_log_is_clean('and shows no plaintext', $node, $from);
	$_->quit for @sessions;
}

# ---- what the search is worth ----

my $typed = canary('typed');
$node->safe_psql('postgres', "SELECT '$typed'::text");
ok(slurp_file($node->logfile) =~ /\Q$typed/, 'a plaintext that somebody types is in the log, and found');
steward_set($node, log_parameter_max_length => -1);
my $bound = canary('bound');
my $logged = -s $node->logfile;
with_parameter('extended', $bound, 'SELECT count(*) FROM t WHERE v = :v;');
ok(slurp_file($node->logfile, $logged) =~ /DETAIL:.* = 'stw1:/, 'without log_parameter_max_length = 0 a parameter of an encrypted type is logged as ciphertext');
canary_log_is_clean('that is', $node, $logged);
with_parameter('extended', $bound, 'SELECT count(*) FROM t WHERE v = :v::text;');
ok(slurp_file($node->logfile, $logged) =~ /DETAIL:.*\Q$bound/, 'and one that is a text as plaintext');

my @keys = key_material($node, $keyring);
cmp_ok(scalar @keys, '>=', 5, 'the keys of this server are known');
canary_is_absent('no key in the log', $node->logfile, key_needles(@keys));
$node->stop;
done_testing();

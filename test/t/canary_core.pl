# What a core dump, or whoever reads a backend's memory as the server's user,
# gets. By default a backend that holds keys leaves no core at all. Without that
# protection its core holds no key, for they lie in memory that is left out of
# it; nor the plaintext of a value that was opened to be compared, sorted, hashed,
# counted or moved to another key, whether that succeeded or failed. (What was
# sent to or by a client lies in PostgreSQL's own buffers.)
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use StewardCanary;
use Test::More;

my $keyring = steward_keyring(more => 1);
my $node = steward_node('main', keyring => $keyring, conf => q{
restart_after_crash = on
max_parallel_workers_per_gather = 0
jit = off
autovacuum = off});
my $directory = steward_directory('core');
my @types = canary_types($node);
# Beside every spelling: trigrams one after the other, as they come and in order.
my @needles = (canary_needles(), 'cananarary', 'anaarycannar');
my @bound = grep { -x } map { "$_/prlimit" } split /:/, $ENV{PATH};

# ---- reading memory ----

# The mappings of a process: [from, to, name, flags].
sub mappings
{
	my ($pid) = @_;
	my @found;

	for my $line (split /\n/, slurp_file("/proc/$pid/smaps"))
	{
		push @found, [ hex $1, hex $2, $4, '' ] if $line =~ /^([0-9a-f]+)-([0-9a-f]+) (r\S+) \S+ \S+ \S+\s*(.*)$/;
		push @found, undef if $line =~ /^[0-9a-f]+-[0-9a-f]+ -/;
		$found[-1][3] = $1 if $line =~ /^VmFlags: (.*)$/ && @found && $found[-1];
	}
	return grep { defined } @found;
}

# The bytes of the mappings that the callback picks.
sub memory_of
{
	my ($pid, $picks) = @_;
	my $bytes = '';

	open(my $memory, '<:raw', "/proc/$pid/mem") or die "cannot read the memory of $pid: $!";
	for my $mapping (grep { $picks->($_) } mappings($pid))
	{
		sysseek $memory, $mapping->[0], 0;
		sysread $memory, my $part, $mapping->[1] - $mapping->[0];
		$bytes .= ($part // '') . "\0" x 16;
	}
	return $bytes;
}

# What can be written, and is in a core: all but what is excluded (dd) or a
# device's. And what is excluded.
sub core_image { return memory_of($_[0], sub { $_[0][3] =~ /\bwr\b/ && $_[0][3] !~ /\b(?:dd|io)\b/ }) }
sub own_image { return memory_of($_[0], sub { $_[0][3] =~ /\bwr\b/ && $_[0][3] !~ /\b(?:dd|io|sh)\b/ }) }
sub excluded { return memory_of($_[0], sub { $_[0][3] =~ /\bdd\b/ && $_[0][3] !~ /\bio\b/ && $_[0][2] !~ /^\[v/ }) }

# Pieces of the arena that look like key material.
sub random_pieces
{
	my ($bytes) = @_;
	my %pieces;

	for my $piece (unpack '(a16)*', $bytes)
	{
		my %distinct = map { $_ => 1 } split //, $piece;

		$pieces{$piece} = 1 if keys %distinct >= 13;
	}
	return keys %pieces;
}

sub holds
{
	my ($bytes, @sought) = @_;

	my $any = join '|', map { quotemeta } @sought;
	my %found;

	$found{ $1 =~ s/[^\x20-\x7e]/./gr } = 1 while $bytes =~ /($any)/g;
	return keys %found;
}

# ---- what the sessions under test work on: they never see it as SQL ----

$node->safe_psql('postgres', q{SELECT steward.create_key('pii'); SELECT steward.create_key('other')});
my %ranges = map { $_ => 1 } qw(bigint numeric date timestamptz);
my %several = map { $_ => $ranges{$_} ? qq{CREATE INDEX ON "${_}_blind" USING blind (v steward.blind_${_}_range_ops);}
	: $_ eq 'text' ? 'CREATE INDEX ON text_blind USING blind (v steward.blind_trigram_ops);' : '' } @types;
for my $type (@types)
{
	my $class = $node->safe_psql('postgres', "SELECT opcname FROM pg_opclass WHERE opcintype = 'steward.encrypted_$type'::regtype AND opcname LIKE '%unique%'");
	my @names = (1 .. 40);

	# Longer ones take other ways: out of line, and where a comparison copies.
	push @names, map { ($_ x 400, $_ x 1500, $_ x 5000) } 'a' .. 'e' if $type =~ /^(?:text|bytea|jsonb)$/;
	# From a file: a literal would stay in the shared memory of pg_stat_activity.
	append_to_file("$directory/$type", join '', map { canary_value($type, $_) =~ s/\\/\\\\/gr . "\n" } @names);
	$node->safe_psql('postgres', qq{
CREATE TABLE "$type" (id serial, v steward.encrypted_$type('pii/$type'));
CREATE TABLE "${type}_unique" (id serial, v steward.encrypted_$type('pii/$type'));
CREATE UNIQUE INDEX ON "${type}_unique" (id, v steward.$class);
CREATE TABLE "${type}_other" (v steward.encrypted_$type('other/$type'));
CREATE FUNCTION "altered_$type"(value steward.encrypted_$type) RETURNS steward.encrypted_$type LANGUAGE sql AS \$\$
    SELECT steward.encrypted_${type}_in(overlay(a PLACING CASE WHEN substr(a, 80, 1) = 'A' THEN 'B' ELSE 'A' END FROM 80)::cstring, 0, -1)
    FROM (SELECT steward.encrypted_${type}_out(value)::text AS a) AS s \$\$;
\\copy "$type" (v) from '$directory/$type'
});
	$node->safe_psql('postgres', qq{
INSERT INTO "${type}_unique" SELECT id, v FROM "$type" WHERE pg_column_size(v) < 2500;
CREATE TABLE "${type}_blind" (id integer, v steward.encrypted_$type('pii/$type'));
CREATE INDEX ON "${type}_blind" USING blind (v);
CREATE INDEX ON "${type}_blind" USING blind (v, v) WITH (tag_bits = 20);
$several{$type}
CREATE TABLE "${type}_once" (v steward.encrypted_$type('pii/$type'), EXCLUDE USING blind (v WITH =));
CREATE TABLE "${type}_altered" AS SELECT id, "altered_$type"(v)::steward.encrypted_$type('pii/$type') AS v FROM "$type" WHERE id <= 3});
}

# Builds, fills and searches blind indexes of each class, and collides in one.
sub work_with_blind_indexes
{
	my ($session, $type) = @_;
	my $count = $session->query(qq{SELECT count(*) FROM "$type" WHERE id <= 30});

	$session->query(qq{TRUNCATE "${type}_blind", "${type}_once"; INSERT INTO "${type}_blind" SELECT id, v FROM "$type"; REINDEX TABLE "${type}_blind"; VACUUM "${type}_blind"});
	$session->query('SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off');
	like($session->query(qq{EXPLAIN SELECT count(*) FROM (SELECT * FROM "$type" WHERE id <= 30 OFFSET 0) AS a JOIN "${type}_blind" AS b ON a.v = b.v}), qr/_blind_v/, "$type: a plan with a blind index");
	cmp_ok($session->query(qq{SELECT count(*) FROM (SELECT * FROM "$type" WHERE id <= 30 OFFSET 0) AS a JOIN "${type}_blind" AS b ON a.v = b.v}), '>=', $count, "$type: look-ups in it");
	if ($ranges{$type})
	{
		like($session->query(qq{EXPLAIN SELECT count(*) FROM (SELECT * FROM "$type" WHERE id <= 3 OFFSET 0) AS a JOIN "${type}_blind" AS b ON b.v > a.v}), qr/Index Scan/, "$type: a plan with ranges");
		$session->query(qq{SELECT count(*) FROM (SELECT * FROM "$type" WHERE id <= 3 OFFSET 0) AS a JOIN "${type}_blind" AS b ON b.v BETWEEN a.v AND a.v OR b.v > a.v});
	}
	$session->query(q{SELECT count(*) FROM text_blind WHERE v LIKE '%ary%' AND v ILIKE '%QX%'}) if $type eq 'text';
	$session->query(qq{SELECT steward.blind_index_check(indexrelid, true) FROM pg_index WHERE indrelid = '"${type}_blind"'::regclass; SELECT steward.leakage_report(indexrelid) FROM pg_index WHERE indrelid = '"${type}_blind"'::regclass});
	like(steward_error($session, qq{INSERT INTO "${type}_once" SELECT v FROM "$type" UNION ALL SELECT v FROM "$type"}), qr/conflicting key value/, "$type: a collision in a blind index");
	$session->query('RESET enable_seqscan; RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material');
	return;
}

# Works with the plaintexts in all ways that keep them inside.
sub work
{
	my ($session) = @_;

	for my $type (@types)
	{
		my $count = $session->query(qq{SELECT count(*) FROM "$type"});

		is($session->query(qq{SET enable_mergejoin = off; SET enable_nestloop = off; SELECT count(*) >= $count FROM "$type" AS a JOIN "$type" AS b ON a.v = b.v}), 't', "$type: a hash join");
		is($session->query(qq{SET enable_nestloop = on; SET enable_hashjoin = off; SELECT count(*) >= $count FROM "$type" AS a JOIN "$type" AS b ON a.v = b.v}), 't', "$type: a nested loop");
		is($session->query(qq{SELECT count(*) FROM (SELECT v FROM "$type" ORDER BY v) AS s}), $count, "$type: a sort");
		is($session->query(qq{SELECT count(*) FROM (SELECT v FROM "$type" GROUP BY v, id) AS s}), $count, "$type: grouping");
		is($session->query(qq{SELECT count(*) FROM "$type" AS a JOIN "${type}_unique" AS b ON a.v = b.v AND a.id = b.id}) >= 40 ? 1 : 0, 1, "$type: look-ups in a unique index");
		$session->query(qq{BEGIN; TRUNCATE "${type}_other"; INSERT INTO "${type}_other" SELECT v FROM "$type"; COMMIT});
		$session->query(qq{ANALYZE "$type"; REINDEX TABLE "${type}_unique"});
		work_with_blind_indexes($session, $type);
		is($session->{stderr}, '', "$type: all of it succeeds");
		like(steward_error($session, qq{INSERT INTO "${type}_unique" (id, v) SELECT id, v FROM "${type}_unique"}), qr/duplicate key value/, "$type: a collision");
		for my $fails (qq{SELECT count(*) FROM "$type" AS a, "${type}_altered" AS b WHERE a.v = b.v},
			qq{SELECT v FROM (SELECT v FROM "$type" UNION ALL SELECT v FROM "${type}_altered") AS s ORDER BY v},
			qq{INSERT INTO "${type}_other" SELECT v FROM "${type}_altered"},
			qq{INSERT INTO "${type}_blind" SELECT id, v FROM "${type}_altered"},
			qq{SELECT count(*) FROM "${type}_altered" AS a, "${type}_blind" AS b WHERE a.v = b.v},
			qq{SELECT v::$type FROM "${type}_altered"})
		{
			like(steward_error($session, $fails), qr/cannot be opened/, "$type: a value that does not open");
		}
	}
	return;
}

# ---- without protection: what there would be to find ----

steward_set($node, 'steward.protect_memory' => 'off');
my @keys = key_material($node, $keyring);
my $control = 'ControlZz9';

{
	my $session = steward_session($node);
	my $pid = $session->query('SELECT pg_backend_pid()');

	$session->query("SET canary.control = '$control'");

	work($session);
	my $image = core_image($pid);
	my $arena = excluded($pid);

	cmp_ok(length $image, '>', 1_000_000, 'memory to be searched');
	cmp_ok(scalar(holds($image, $control)), '==', 1, 'and a text of this session in it');
	is(join(' ', map { index($arena, $_->[1]) >= 0 ? () : $_->[0] } grep { $_->[0] =~ /^(?:root|secret1)$/ } @keys), '', 'the keys are where they should be, in memory that is left out of cores');
	is(join("\n", holds($image, key_needles(@keys))), '', 'and nowhere else');
	my @pieces = random_pieces($arena);
	cmp_ok(scalar @pieces, '>', 20, 'pieces of keys and of what was made of them');
	is(scalar(holds($image, @pieces)), 0, 'no piece of them lies elsewhere');
	is(join("\n", holds($image, @needles)), '', 'no plaintext that was only worked with');
	$session->quit;
}

# ---- a conversion: PostgreSQL's buffers hold the plaintext table, the process nothing ----

$node->safe_psql('postgres', q{
CREATE TABLE converted AS SELECT n AS id, 'Conv' || 'Zz1 ' || n AS short, ('Conv' || 'Zz2 ' || n)::varchar(50) AS limited,
	repeat('Conv' || 'Zz3 ' || n, 300) AS compressed, repeat('Conv' || 'Zz4 ' || n, 300) AS external, jsonb_build_object('k', 'Conv' || 'Zz5 ' || n) AS json
	FROM generate_series(1, 300) AS n;
ALTER TABLE converted ALTER external SET STORAGE EXTERNAL;
UPDATE converted SET external = repeat('Conv' || 'Zz4 ' || id, 400);
CREATE INDEX ON converted (short)});
{
	my $session = steward_session($node);
	my $pid = $session->query('SELECT pg_backend_pid()');
	my $columns = join ' ', qw(short limited compressed external json);

	$session->query("SET canary.control = '$control'; SET client_min_messages = error");
	$session->query("CALL steward.encrypt_column_online('converted', '$_', 'pii/$_', build_indexes => true)") for split / /, $columns;
	is($session->query(q{SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'converted'::regclass AND attnum > 0 AND NOT attisdropped AND format_type(atttypid, NULL) LIKE 'steward.%'}),
		$columns, 'columns of a table are encrypted online');
	my $image = own_image($pid);
	is(join("\n", holds($image, $control)), $control, 'the memory of the process was searched');
	is(join("\n", holds($image, map { "ConvZz$_" } 1 .. 5)), '', 'and holds none of what was encrypted');
	# An index of plaintexts would be PostgreSQL's to build, which leaves its sort's memory as it is.
	$session->query(q{DO $$DECLARE name text; BEGIN FOR name IN SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'converted'::regclass LOOP EXECUTE 'DROP INDEX ' || name; END LOOP; END$$});
	$session->query("CALL steward.decrypt_column_online('converted', '$_', build_indexes => true)") for split / /, $columns;
	is($session->query(q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'converted'::regclass AND attnum > 0 AND NOT attisdropped AND format_type(atttypid, NULL) LIKE 'steward.%'}), '0', 'and decrypted');
	is(join("\n", holds(own_image($pid), map { "ConvZz$_" } 1 .. 5)), '', 'which leaves none either');
	$session->quit;
}

# ---- real cores, where this machine writes them as files ----

my $pattern = slurp_file('/proc/sys/kernel/core_pattern');
my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
my $writes = $pattern =~ m{^[^|/]} && @bound && system("$bound[0] --pid $postmaster --core=unlimited 2>/dev/null") == 0;

sub cores
{
	return grep { -f && m{/[^/]*core[^/]*$} } glob($node->data_dir . '/*core*');
}

# Ends a backend as a crash would; the core that it left, or undef.
sub crash
{
	my ($session) = @_;
	my $pid = $session->query('SELECT pg_backend_pid()');

	unlink cores();
	kill 'ABRT', $pid;
	eval { $session->{run}->finish };
	steward_poll(sub { return !-e "/proc/$pid" });
	ok($node->poll_query_until('postgres', 'SELECT true'), 'the server recovers');
	return (cores())[0];
}

note "core_pattern: $pattern";
if ($writes)
{
	my $session = steward_session($node);

	$session->query("SET canary.control = '$control'");
	work($session);
	my $core = crash($session);
	ok(defined $core, 'without protection there is a core');
	cmp_ok(scalar(steward_file_holds($core, $control)), '==', 1, 'that holds a text of its session');
	canary_is_absent('but no key', $core, key_needles(@keys));
	canary_is_absent('and no plaintext that was only worked with', $core, @needles);
}

# ---- with it ----

steward_set($node, 'steward.protect_memory' => 'on');
{
	my $session = steward_session($node);
	my $pid = $session->query('SELECT pg_backend_pid()');

	work($session);
	is(open(my $memory, '<', "/proc/$pid/mem") ? 1 : 0, 0, 'with protection nobody of the server\'s user reads the memory');
	is((stat "/proc/$pid/mem")[4], 0, 'for it belongs to root: the process leaves no core');
	is(crash($session), undef, 'and it leaves none');
}
if ($writes)
{
	my $session = steward_session($node);

	ok(defined crash($session), 'a backend that holds no key does leave one');
}
unlink cores();
$node->stop;
done_testing();

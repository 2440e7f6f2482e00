# Cells are moved and altered at random, and put where they do not belong. What is
# accepted there must be, byte for byte, a value of that very column (its key path,
# its type, its version) and, where the table is bound to subjects, of that row's.
# STEWARD_SOAK=1 tries a million, else twenty thousand; STEWARD_SEED repeats a run.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $soak = ($ENV{STEWARD_SOAK} // '') eq '1';
my $count = $soak ? 1_000_000 : 20_000;
my $tried = $soak ? 50_000 : 4_000;
my $seed = $ENV{STEWARD_SEED} // (int(rand(2_000_001)) - 1_000_000) / 1_000_000;
note("STEWARD_SEED=$seed");

# Columns: name, table, type, key, whether it is bound to subjects. Texts that differ in the path, the table or the
# key with the material; values of other types, one under the very path of a text.
my @columns = (
	[ 'a', 'person', 'text', 'pii/person.a' ],
	[ 'b', 'person', 'text', 'pii/person.b' ],
	[ 'c', 'person', 'bytea', 'pii/person.a' ],
	[ 'd', 'person', 'bigint', 'pii/person.d' ],
	[ 'a', 'staff', 'text', 'pii/staff.a' ],
	[ 'b', 'staff', 'jsonb', 'pii/staff.b' ],
	[ 'c', 'staff', 'numeric', 'pii/person.d' ],
	[ 'a', 'account', 'text', 'finance/account.a' ],
	[ 'b', 'account', 'date', 'finance/account.b' ],
	[ 'c', 'account', 'timestamptz', 'finance/account.b' ],
	[ 'a', 'patient', 'text', 'pii/patient.a', 1 ],
	[ 'b', 'patient', 'numeric', 'pii/patient.b', 1 ]);
my %plain = (
	text => q{'plaintext ' || pg_catalog.repeat('x', g % 40) || g || '%s'},
	bytea => q{pg_catalog.decode(pg_catalog.repeat('ab', g) || '%s', 'escape')},
	jsonb => q{pg_catalog.jsonb_build_object('%s', g)},
	bigint => q{g::bigint * 1000003 + pg_catalog.length('%s')},
	numeric => q{g::numeric / 7 + pg_catalog.length('%s')},
	date => q{'2000-01-01'::date + g + pg_catalog.length('%s')},
	timestamptz => q{'2000-01-01 00:00+00'::timestamptz + g * pg_catalog.make_interval(mins => pg_catalog.length('%s'))});

my @later;
my $node = steward_node('fuzz', conf => "log_statement = none\nlog_min_messages = fatal\nwork_mem = '64MB'");
$node->safe_psql('postgres', q{SELECT steward.create_key('pii'), steward.create_key('finance')});
for my $table (qw(person staff account patient))
{
	my @own = grep { $_->[1] eq $table } @columns;
	my $insert = "INSERT INTO $table SELECT g, " . join(', ', map { sprintf $plain{ $_->[2] }, "$table.$_->[0]" } @own) . ' FROM pg_catalog.generate_series(%d, %d) AS g';

	$node->safe_psql('postgres', "CREATE TABLE $table (id integer PRIMARY KEY, " . join(', ', map { "$_->[0] steward.encrypted_$_->[2]('$_->[3]')" } @own) . ')');
	$node->safe_psql('postgres', "SELECT steward.bind_subject('$table', 'patient', 'id')") if $own[0][4];
	$node->safe_psql('postgres', sprintf($insert, 1, 30));
	push @later, sprintf($insert, 31, 60);
}
# Half of all values are under a second version of their key.
$node->safe_psql('postgres', q{SELECT steward.rotate_key('pii'), steward.rotate_key('finance')});
$node->safe_psql('postgres', $_) for @later;

# What any cell is: the number of its column, and its bytes. Armour is read here,
# outside of the extension.
$node->safe_psql(
	'postgres', q{
CREATE TABLE cell (id serial PRIMARY KEY, place integer, row integer, bytes bytea, plain text);
CREATE FUNCTION sealed(armour text) RETURNS bytea LANGUAGE sql IMMUTABLE AS
    $$ SELECT pg_catalog.decode(pg_catalog.rpad(pg_catalog.translate(pg_catalog.substr(armour, 6), '-_', '+/'), (pg_catalog.length(armour) - 2) / 4 * 4, '='), 'base64') $$;
CREATE FUNCTION armour(bytes bytea) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT 'stw1:' || pg_catalog.translate(pg_catalog.encode(bytes, 'base64'), E'+/=\n', '-_') $$;
CREATE FUNCTION random_bytes(wanted integer) RETURNS bytea LANGUAGE sql VOLATILE AS
    $$ SELECT coalesce(pg_catalog.string_agg(pg_catalog.set_byte('\x00', 0, (pg_catalog.random() * 255)::integer), ''), '') FROM pg_catalog.generate_series(1, wanted) $$});
for my $place (0 .. $#columns)
{
	my ($name, $table) = @{ $columns[$place] };

	$node->safe_psql('postgres', "INSERT INTO cell (place, row, bytes, plain) SELECT $place, id, sealed(pg_catalog.format('%s', $name)), $name\::text FROM $table ORDER BY id");
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM cell WHERE sealed(armour(bytes)) = bytes AND length(bytes) >= 68'), 60 * @columns, 'the cells are there, and armour can be read and written here');

# One mutation a row. s is the source, o another cell, h an own one of the target
# column; k is a place in s, b and l are random numbers. Header: 0-11 (key id
# 4-7, key tag 8-11), salt 12-35, commitment 36-51, ciphertext, tag of 16 bytes; where a subject of 16 bytes
# stands at 12, all but the tag comes later.
my @kinds = (
	[ 'moved' => 's' ],
	[ 'bit' => 'pg_catalog.set_bit(s, b % (8 * length(s)), 1 - pg_catalog.get_bit(s, b % (8 * length(s))))' ],
	[ 'header bit' => 'pg_catalog.set_bit(s, b % 96, 1 - pg_catalog.get_bit(s, b % 96))' ],
	[ 'byte' => 'pg_catalog.set_byte(s, k, b % 256)' ],
	[ 'truncated' => 'pg_catalog.substr(s, 1, k)' ],
	[ 'cut in front' => 'pg_catalog.substr(s, 2 + l)' ],
	[ 'extended' => 's || random_bytes(1 + l)' ],
	[ 'relabelled' => 'pg_catalog.substr(h, 1, 12) || pg_catalog.substr(s, 13)' ],
	[ 'key id' => 'pg_catalog.overlay(s, pg_catalog.substr(h, 5, 4), 5)' ],
	[ 'transient' => q{pg_catalog.overlay(s, '\x00000000', 5)} ],
	[ 'version' => 'pg_catalog.overlay(s, pg_catalog.substr(o, 9, 4), 9)' ],
	[ 'type' => 'pg_catalog.set_byte(s, 2, b % 10)' ],
	[ 'suite' => 'pg_catalog.set_byte(s, 1, b % 4)' ],
	[ 'format' => 'pg_catalog.set_byte(s, 0, b % 4)' ],
	[ 'flag' => 'pg_catalog.set_byte(s, 3, 1)' ],
	[ 'bound' => 'pg_catalog.set_byte(pg_catalog.substr(s, 1, 12), 3, 1) || random_bytes(16) || pg_catalog.substr(s, 13)' ],
	[ 'subject' => 'pg_catalog.overlay(s, pg_catalog.substr(o, 13, 16), 13)' ],
	[ 'unbound' => 'pg_catalog.set_byte(pg_catalog.substr(s, 1, 12), 3, 0) || pg_catalog.substr(s, 29)' ],
	[ 'spliced' => 'pg_catalog.substr(s, 1, k) || pg_catalog.substr(o, k + 1)' ],
	[ 'salt' => 'pg_catalog.overlay(s, pg_catalog.substr(o, 13, 24), 13)' ],
	[ 'commitment' => 'pg_catalog.overlay(s, pg_catalog.substr(o, 37, 16), 37)' ],
	[ 'tag' => 'pg_catalog.overlay(s, pg_catalog.substr(o, length(o) - 15), length(s) - 15)' ],
	[ 'body' => 'pg_catalog.substr(s, 1, 52) || pg_catalog.substr(o, 53)' ],
	[ 'key and body' => 'pg_catalog.substr(h, 1, 52) || pg_catalog.substr(s, 53)' ],
	[ 'block left out' => 'pg_catalog.substr(s, 1, k) || pg_catalog.substr(s, k + 2 + l)' ],
	[ 'block twice' => 'pg_catalog.substr(s, 1, k + 1) || pg_catalog.substr(s, k)' ],
	[ 'two bits' => 'pg_catalog.set_bit(pg_catalog.set_bit(s, b % (8 * length(s)), 1 - pg_catalog.get_bit(s, b % (8 * length(s)))), k, 1 - pg_catalog.get_bit(s, k))' ],
	[ 'random' => 'pg_catalog.substr(h, 1, 12) || random_bytes(56 + l)' ]);
my $cases = join "\n", map { "WHEN $_ THEN $kinds[$_][1]" } 0 .. $#kinds;
my $cells = 60 * @columns;
my $places = @columns;
my $mutations = @kinds;
my $bound = join ', ', grep { $columns[$_][4] } 0 .. $#columns;

# One in two sources is of the target's own column.
$node->safe_psql(
	'postgres', qq{
BEGIN;
SELECT pg_catalog.setseed($seed);
CREATE UNLOGGED TABLE drawn AS
SELECT id, kind, place, 1 + CASE WHEN own < 0.5 THEN place * 60 + x % 60 ELSE x % $cells END AS source, 1 + y % $cells AS other, 1 + place * 60 + y % 60 AS host, 1 + y % 60 AS row, k, b, l
  FROM (SELECT id, pg_catalog.floor(pg_catalog.random() * $mutations)::integer AS kind, pg_catalog.floor(pg_catalog.random() * $places)::integer AS place, pg_catalog.random() AS own,
               (pg_catalog.random() * 1e8)::integer AS x, (pg_catalog.random() * 1e8)::integer AS y, pg_catalog.random() AS k,
               (pg_catalog.random() * 1e8)::integer AS b, pg_catalog.floor(pg_catalog.random() * 20)::integer AS l
          FROM pg_catalog.generate_series(1, $count) AS id OFFSET 0) AS r;
CREATE UNLOGGED TABLE mutated AS
SELECT id, kind, place, row, source, CASE kind $cases END AS bytes
  FROM (SELECT d.id, d.kind, d.place, d.row, d.source, s.bytes AS s, o.bytes AS o, h.bytes AS h, 1 + pg_catalog.floor(d.k * (length(s.bytes) - 1))::integer AS k, d.b, d.l
          FROM drawn AS d JOIN cell AS s ON s.id = d.source JOIN cell AS o ON o.id = d.other JOIN cell AS h ON h.id = d.host OFFSET 0) AS m;
-- what may be read: the bytes of a cell of this column; what may be accepted: if
-- its values are bound, those of a cell of this row
ALTER TABLE mutated ADD COLUMN readable text, ADD COLUMN genuine boolean NOT NULL DEFAULT false;
UPDATE mutated AS m SET readable = c.plain, genuine = m.place NOT IN ($bound) OR c.row = m.row FROM cell AS c WHERE c.place = m.place AND c.bytes = m.bytes;
COMMIT;
CREATE UNLOGGED TABLE verdict (id integer, finding text)});

# A superuser can take any bytes for a value of any of the types.
my @casts = ('bytea AS steward.encrypted_text', map { "steward.encrypted_text AS steward.encrypted_$_" } grep { $_ ne 'text' } sort keys %plain);
$node->safe_psql('postgres', join(';', 'SET steward.allow_unkeyed_ddl = on', map { "CREATE CAST ($_) WITHOUT FUNCTION" } @casts));

# The target has no key while it is filled, and the column's while it is verified.
for my $place (0 .. $#columns)
{
	my ($name, $table, $type) = @{ $columns[$place] };

	$node->safe_psql(
		'postgres', qq{
SET steward.allow_unkeyed_ddl = on;
CREATE UNLOGGED TABLE target_$place (id integer, row integer, c steward.encrypted_$type);
INSERT INTO target_$place SELECT id, row, bytes::steward.encrypted_text::steward.encrypted_$type FROM mutated WHERE place = $place;
UPDATE pg_catalog.pg_attribute AS t SET atttypmod = s.atttypmod FROM pg_catalog.pg_attribute AS s
 WHERE t.attrelid = 'target_$place'::regclass AND t.attname = 'c' AND s.attrelid = '$table'::regclass AND s.attname = '$name'});
	$node->safe_psql('postgres', "SET client_min_messages = warning; SELECT steward.bind_subject('target_$place', 'patient', 'row')") if $columns[$place][4];
	$node->safe_psql(
		'postgres', qq{
INSERT INTO verdict SELECT t.id, v.finding FROM steward.verify_column('target_$place', 'c') AS v JOIN target_$place AS t ON t.ctid = v.row_id});
}
$node->safe_psql('postgres', join(';', map { "DROP CAST ($_)" } @casts) . '; CREATE INDEX ON verdict (id); ANALYZE verdict; ANALYZE mutated');

is($node->safe_psql('postgres', 'SELECT count(*) FROM mutated'), $count, "$count cells were moved or altered");
is($node->safe_psql('postgres', 'SELECT kind, place, source, bytes FROM mutated AS m WHERE NOT genuine AND NOT EXISTS (SELECT FROM verdict AS v WHERE v.id = m.id) LIMIT 5'),
	'', 'none is accepted that is not, as it is, a value of its column, and where it is bound of its subject');
is($node->safe_psql('postgres', 'SELECT kind, place, source, bytes FROM mutated AS m WHERE genuine AND EXISTS (SELECT FROM verdict AS v WHERE v.id = m.id) LIMIT 5'),
	'', 'and all that are, are accepted');
is($node->safe_psql('postgres', "SELECT kind FROM pg_catalog.generate_series(0, $#kinds) AS kind WHERE NOT EXISTS (SELECT FROM mutated AS m WHERE m.kind = kind.kind AND NOT m.genuine)"),
	'', 'every kind of change made values that were refused');
is($node->safe_psql('postgres', "SELECT (count(*) FILTER (WHERE genuine) > count(*) / 4)::text FROM mutated WHERE kind = 0"), 'true', 'and moves between rows some that were not');
is($node->safe_psql('postgres', "SELECT finding FROM (VALUES ('altered'), ('malformed'), ('not bound'), ('other key'), ('other subject'), ('other type'), ('transient'), ('unknown format'), ('unknown key'), ('unknown subject'), ('unknown version')) AS f (finding) WHERE NOT EXISTS (SELECT FROM verdict AS v WHERE v.finding = f.finding)"),
	'', 'everything that verify_column can find was found');
is($node->safe_psql('postgres', "SELECT DISTINCT v.finding FROM verdict AS v JOIN mutated AS m USING (id) JOIN cell AS c ON c.id = m.source WHERE m.kind = 0 AND m.place <> c.place AND m.place NOT IN ($bound) ORDER BY 1"), "other key\nother type", 'what was moved as it is from another column opens, and is told to be of another key or type');
is($node->safe_psql('postgres', "SELECT DISTINCT v.finding FROM verdict AS v JOIN mutated AS m USING (id) JOIN cell AS c ON c.id = m.source WHERE m.kind = 0 AND m.place = c.place"), 'other subject', 'and what was moved within its column, where that is bound, to be of another subject');

# ---- what a reader sees of them, and what comes in by the armour ----

# The loader has the right to load and no other: it cannot give a value another
# key, as who may decrypt could.
$node->safe_psql(
	'postgres', q{
CREATE ROLE loader;
SELECT steward.grant_key('pii', 'loader', 'load'), steward.grant_key('finance', 'loader', 'load');
CREATE FUNCTION reading(relation text, wanted integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plain text;
BEGIN
    EXECUTE format('SELECT c::text FROM %I WHERE id = $1', relation) INTO plain USING wanted;
    RETURN plain;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;
CREATE FUNCTION loading(relation text, id integer, whose integer, armour text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    EXECUTE format('INSERT INTO %I VALUES (%s, %s, %L)', relation, id, whose, armour);
    RETURN true;
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END
$$;
ALTER FUNCTION loading(text, integer, integer, text) OWNER TO loader});
for my $place (0 .. $#columns)
{
	$node->safe_psql('postgres', "CREATE INDEX ON target_$place (id); CREATE TABLE loaded_$place (id integer PRIMARY KEY, row integer, c steward.encrypted_$columns[$place][2]('$columns[$place][3]')); GRANT INSERT ON loaded_$place TO loader");
	$node->safe_psql('postgres', "SELECT steward.bind_subject('loaded_$place', 'patient', 'row')") if $columns[$place][4];
}
$node->safe_psql(
	'postgres', qq{
CREATE UNLOGGED TABLE loads AS SELECT id, loading('loaded_' || place, id, row, armour(bytes)) AS taken FROM mutated WHERE id <= $tried;
CREATE UNLOGGED TABLE seen AS
SELECT id, place, kind, genuine, readable, taken, reading('target_' || place, id) AS read, reading('loaded_' || place, id) AS loaded FROM mutated JOIN loads USING (id)});
is($node->safe_psql('postgres', 'SELECT id, kind FROM seen WHERE read IS DISTINCT FROM readable LIMIT 5'), '', 'what is a value of the column reads as what it is, and nothing else does, not even when it opens');
is($node->safe_psql('postgres', 'SELECT id, kind FROM seen WHERE genuine AND loaded IS DISTINCT FROM readable LIMIT 5'), '', 'a value that is genuine can be loaded by its armour');
is($node->safe_psql('postgres', 'SELECT id, kind FROM seen WHERE NOT genuine AND loaded IS NOT NULL LIMIT 5'), '', 'no other can be loaded and read');
is($node->safe_psql('postgres', q{SELECT pg_catalog.string_agg(DISTINCT v.finding, ' ') FROM seen AS s JOIN verdict AS v USING (id) WHERE s.taken AND v.finding <> 'unknown subject'}), 'altered', 'what may be loaded, and is not genuine, has a header that fits and does not open');
is($node->safe_psql('postgres', 'SELECT (count(*) > 0)::text FROM seen WHERE NOT taken AND NOT genuine'), 'true', 'and loading refused others at once');

$node->stop;
done_testing();

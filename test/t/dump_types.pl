# Dump and restore of every encrypted type, in scalars, arrays, domains and composite
# values, bound and unbound, of two key versions: in every format, in parallel,
# section by section and table by table, values come back as they were stored.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $keyring = steward_keyring();
my $node = steward_node('source', keyring => $keyring, conf => 'log_statement = none', extension => 0);
my $target = steward_node('target', keyring => $keyring, conf => 'log_statement = none', extension => 0);
my $directory = steward_directory('dumps');
my @types = qw(text bytea jsonb bigint numeric date timestamptz);
my %sample = (
	text => [ q{'CANARY plain'}, q{''}, q{pg_catalog.repeat('CANARY long ', 4000)} ],
	bytea => [ q{'\x00ff'::bytea}, q{''::bytea}, q{pg_catalog.decode(pg_catalog.repeat('00ff', 4000), 'hex')} ],
	jsonb => [ q{'{"b": 1.00, "a": [null, "CANARY"]}'::jsonb}, q{'null'::jsonb}, q{'1e400'::jsonb} ],
	bigint => [ '-9223372036854775808', '0', '9223372036854775807' ],
	numeric => [ '1.500', q{'NaN'::numeric}, q{'-Infinity'::numeric} ],
	date => [ q{'2020-02-29'::date}, q{'infinity'::date}, q{'4713-01-01 BC'::date} ],
	timestamptz => [ q{'2020-02-29 12:34:56.789012+02'::timestamptz}, q{'-infinity'::timestamptz}, q{'294276-12-31 23:59:59+00'::timestamptz} ]);

$_->safe_psql('postgres', 'CREATE ROLE reader LOGIN') for $node, $target;
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('shop', q{CREATE EXTENSION pg_steward; SELECT steward.create_key('pii'), steward.grant_key('pii', 'reader', 'decrypt'); CREATE SCHEMA app});
$node->safe_psql('shop', "CREATE DOMAIN app.d_$_ AS steward.encrypted_$_('pii/domain.$_'); CREATE TYPE app.c_$_ AS (label text, v steward.encrypted_$_('pii/composite.$_'))") for @types;
$node->safe_psql('shop', "CREATE TABLE app.t (id integer PRIMARY KEY, " . join(', ', map { "s_$_ steward.encrypted_$_('pii/scalar.$_'), a_$_ steward.encrypted_$_('pii/array.$_')[], d_$_ app.d_$_, c_$_ app.c_$_" } @types) . ')');
$node->safe_psql('shop', 'CREATE TABLE app.bound (id integer PRIMARY KEY, ' . join(', ', map { "s_$_ steward.encrypted_$_('pii/bound.$_')" } @types) . ')');
$node->safe_psql('shop', q{SELECT steward.bind_subject('app.bound', 'customer', 'id')});
for my $row (1 .. 3)
{
	$node->safe_psql('shop', "INSERT INTO app.t VALUES ($row, " . join(', ', map { my $v = $sample{$_}[ $row - 1 ]; "$v, ARRAY[$v, NULL, $v], $v, ROW('x', $v)\::app.c_$_" } @types) . ')');
	$node->safe_psql('shop', "INSERT INTO app.bound VALUES ($row, " . join(', ', map { $sample{$_}[ $row - 1 ] } @types) . ')');
	$node->safe_psql('shop', q{SELECT steward.rotate_key('pii')}) if $row == 1;
}
$node->safe_psql('shop', q{INSERT INTO app.t (id) VALUES (4); SELECT steward.create_decrypted_view('app.t'); SELECT steward.create_decrypted_view('app.bound'); GRANT USAGE ON SCHEMA app TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA app TO reader});

# By the decrypted views, and as text; the ciphertext too must be the same.
my $plain = q{SET timezone = 'UTC'; SET extra_float_digits = 3; SELECT * FROM app.t_decrypted ORDER BY id; SELECT * FROM app.bound_decrypted ORDER BY id; SELECT } . join(', ', map { "(c_$_).v::text" } @types) . ' FROM app.t ORDER BY id';
my $sealed = 'SELECT * FROM app.t ORDER BY id; SELECT * FROM app.bound ORDER BY id';
my $fine = 'SELECT count(v.*) FROM pg_catalog.unnest(ARRAY[' . join(', ', map { "'s_$_', 'a_$_', 'd_$_', 'c_$_'" } @types) . q{]) AS c, LATERAL steward.verify_column('app.t', c) AS v; SELECT count(v.*) FROM pg_catalog.unnest(ARRAY[} . join(', ', map { "'s_$_'" } @types) . q{]) AS c, LATERAL steward.verify_column('app.bound', c) AS v};
my $want = $node->safe_psql('shop', $plain);
my $want_sealed = $node->safe_psql('shop', $sealed);

like($want, qr/CANARY plain\|\{"CANARY plain",NULL,"CANARY plain"\}/, 'the source reads what was stored');
like($want, qr/-9223372036854775808.*1\.500.*2020-02-29 10:34:56\.789012\+00/s, 'of every type');
is($node->safe_psql('shop', $fine), "0\n0", 'and all of it is sound');

# Runs programs; they must succeed and say nothing.
sub quietly
{
	my ($name, @command) = @_;
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run(\@command, '>', \$out, '2>', \$err);

	ok($ok && $err eq '', "$name succeeds, and warns of nothing") or diag($err);
	return;
}

sub compare
{
	my ($database) = @_;

	is($target->safe_psql($database, $sealed), $want_sealed, "$database: the ciphertext is the same");
	is($target->safe_psql($database, $plain), $want, "$database: all values are equal");
	is($target->safe_psql($database, $plain, extra_params => [ '-U', 'reader' ]), $want, "$database: to a role with the right too");
	is($target->safe_psql($database, $fine), "0\n0", "$database: every value is sound");
	return;
}

my @restore = ('pg_restore', '--exit-on-error');
my @psql = ('psql', '-XqAt', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1');

$target->safe_psql('postgres', "CREATE DATABASE $_") for qw(plain custom parallel sections columns tables);
quietly('pg_dump', 'pg_dump', '-f', "$directory/plain", $node->connstr('shop'));
quietly('pg_dump -Fc', 'pg_dump', '-Fc', '-f', "$directory/custom", $node->connstr('shop'));
quietly('pg_dump -Fd', 'pg_dump', '-Fd', '-j2', '-f', "$directory/parallel", $node->connstr('shop'));
quietly('pg_dump --column-inserts', 'pg_dump', '--column-inserts', '-f', "$directory/columns", $node->connstr('shop'));
quietly('psql', @psql, '-f', "$directory/plain", $target->connstr('plain'));
compare('plain');
quietly('pg_restore', @restore, '-d', $target->connstr('custom'), "$directory/custom");
compare('custom');
quietly('pg_restore -j', @restore, '-j2', '-d', $target->connstr('parallel'), "$directory/parallel");
compare('parallel');
quietly("pg_restore --section=$_", @restore, "--section=$_", '-d', $target->connstr('sections'), "$directory/custom") for qw(pre-data data post-data);
compare('sections');
quietly('psql', @psql, '-f', "$directory/columns", $target->connstr('columns'));
compare('columns');

# A parallel restore may load values before the keys, and between a key and its versions.
sub rank
{
	my ($entry, @first) = @_;

	for my $i (0 .. $#first)
	{
		return $i if $entry =~ $first[$i];
	}
	return scalar @first;
}
{
	my @entries = split /\n/, (PostgreSQL::Test::Utils::run_command([ 'pg_restore', '-l', "$directory/custom" ]))[0];

	for my $table ('key', 'key_version')
	{
		my $database = "first_$table";
		my $list = "$directory/$database";
		my %rank = map { $_ => rank($_, qr/ steward $table /, qr/ app /) } grep { /TABLE DATA/ } @entries;

		append_to_file($list, join "\n", sort { $rank{$a} <=> $rank{$b} } keys %rank);
		$target->safe_psql('postgres', "CREATE DATABASE $database");
		quietly('pg_restore -s', @restore, '--section=pre-data', '-d', $target->connstr($database), "$directory/custom");
		quietly("pg_restore of $table, then values, then the rest", @restore, '-L', $list, '-d', $target->connstr($database), "$directory/custom");
		compare($database);
	}
}

unlike(slurp_file("$directory/$_"), qr/CANARY/, "no plaintext is in the dump $_") for qw(plain columns);

# One table, from a dump without the keys, into a database that has them: armour
# is taken as it is, and reads.
quietly('pg_dump -t', 'pg_dump', '-a', '-t', 'app.t', '-f', "$directory/tables", $node->connstr('shop'));
quietly('pg_restore -s', @restore, '-s', '-d', $target->connstr('tables'), "$directory/custom");
quietly('pg_restore of keys', @restore, '-a', '-n', 'steward', '-d', $target->connstr('tables'), "$directory/custom");
quietly('psql of one table', @psql, '-f', "$directory/tables", $target->connstr('tables'));
is($target->safe_psql('tables', 'SELECT * FROM app.t ORDER BY id'), $node->safe_psql('shop', 'SELECT * FROM app.t ORDER BY id'), 'one table: the ciphertext is the same');
is($target->safe_psql('tables', 'SELECT * FROM app.t_decrypted ORDER BY id'), $node->safe_psql('shop', 'SELECT * FROM app.t_decrypted ORDER BY id'), 'and reads');

# The same dump is refused where the values' versions are not known.
$target->safe_psql('postgres', 'CREATE DATABASE foreign_keys');
$target->safe_psql('foreign_keys', q{CREATE EXTENSION pg_steward; SELECT steward.create_key('pii'); CREATE SCHEMA app});
$target->safe_psql('foreign_keys', "CREATE DOMAIN app.d_$_ AS steward.encrypted_$_('pii/domain.$_'); CREATE TYPE app.c_$_ AS (label text, v steward.encrypted_$_('pii/composite.$_'))") for @types;
$target->safe_psql('foreign_keys', "CREATE TABLE app.t (id integer PRIMARY KEY, " . join(', ', map { "s_$_ steward.encrypted_$_('pii/scalar.$_'), a_$_ steward.encrypted_$_('pii/array.$_')[], d_$_ app.d_$_, c_$_ app.c_$_" } @types) . ')');
my ($out, $err) = ('', '');
ok(!IPC::Run::run([ @psql, '-f', "$directory/tables", $target->connstr('foreign_keys') ], '>', \$out, '2>', \$err), 'a table of another database is refused');
like($err, qr/ciphertext is under a version that its key does not have/, 'for its keys are not these');

$_->stop for $node, $target;
done_testing();

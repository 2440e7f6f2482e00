# Beside other libraries: hooks are handed on in both orders of loading, and no
# symbol is exported but what PostgreSQL looks for.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

# ---- hooks: another library has them before and after us ----

my $node = steward_node('beside', conf => 'compute_query_id = on');

$node->safe_psql(
	'postgres', q{
CREATE EXTENSION pg_stat_statements;
SELECT steward.create_key('pii');
CREATE TABLE t (id int, v steward.encrypted_text('pii/t.v'));
INSERT INTO t VALUES (1, 'CANARY-value');
CREATE FUNCTION nesting() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM t AS nested); END';
CREATE FUNCTION lie() RETURNS record LANGUAGE sql AS 'SELECT v FROM t'});

for my $order ('pg_stat_statements, pg_steward', 'pg_steward, pg_stat_statements')
{
	$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'$order'");
	$node->restart;
	$node->safe_psql('postgres', q{SELECT pg_stat_statements_reset()});

	# ours: parse analysis, utility statements, execution
	like(steward_error($node, q{SELECT * FROM lie() AS l (v steward.encrypted_text('pii/t.v'))}),
		qr/^ERROR:  column definition list cannot name the key/, "$order: queries are judged");
	like(steward_error($node, 'CREATE INDEX CONCURRENTLY ON t (v)'), qr/^ERROR:  encrypted column "v" cannot have this index/, "$order: utility statements are judged");
	is($node->safe_psql('postgres', q{SELECT id, v::text FROM t WHERE v = 'CANARY-value'}), '1|CANARY-value', "$order: values are found and decrypted");

	# theirs: each counts what it sees
	$node->safe_psql('postgres', 'CREATE TABLE seen (id int); DROP TABLE seen');
	is($node->safe_psql('postgres', q{SELECT calls, rows FROM pg_stat_statements WHERE query LIKE 'SELECT id, v::text FROM t WHERE v = %'}), '1|1', "$order: the other library counts queries");
	is($node->safe_psql('postgres', q{SELECT calls FROM pg_stat_statements WHERE query LIKE 'CREATE TABLE seen%'}), '1', "$order: and utility statements");
	# It keeps top-level statements alone, and knows them by its own hook of execution.
	is($node->safe_psql('postgres', 'SELECT nesting()'), '1', "$order: a query inside a function");
	is($node->safe_psql('postgres', q{SELECT pg_catalog.count(*) FROM pg_stat_statements WHERE query LIKE '%AS nested%' AND query !~ 'pg_stat'}), '0', "$order: is known to be inside");
	is($node->safe_psql('postgres', q{SELECT pg_catalog.count(*) FROM pg_stat_statements WHERE query ~ 'CANARY'}), '0', "$order: and keeps no constant");
}
$node->stop;

# ---- symbols ----

my ($directory, $symbols, $error);
IPC::Run::run([ 'pg_config', '--pkglibdir' ], '>', \$directory) or die 'pg_config failed';
chomp $directory;
ok(IPC::Run::run([ 'nm', '-D', '--defined-only', "$directory/pg_steward.so" ], '>', \$symbols, '2>', \$error), 'the symbols can be listed') or diag $error;
my @symbols = sort map { (split)[2] } split /\n/, $symbols;
my %symbol = map { $_ => 1 } @symbols;

cmp_ok(scalar(@symbols), '>', 10, 'there are some');
# A function that SQL calls has its pg_finfo_; a worker is looked up by name.
is_deeply([ grep { !/^pg_finfo_/ && !$symbol{"pg_finfo_$_"} } @symbols ],
	[ 'Pg_magic_func', '_PG_init', '_PG_output_plugin_init', 'steward_blind_build_worker', 'steward_launcher_main', 'steward_owner_session_main', 'steward_revocation_main', 'steward_revocation_visit_main', 'steward_root_command_main', 'steward_worker_main' ], 'nothing else is exported');

done_testing();

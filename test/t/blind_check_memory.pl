# blind_index_check with as little memory as there can be, over 200,000 rows and an index of
# two million entries, for which its filter is too small: it says of no row that its entry is
# missing that is there, and it finds rows without one.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $node = steward_node('memory', conf => "autovacuum = off\njit = off");
my $least = $node->safe_psql('postgres', q{SELECT min_val || 'kB' FROM pg_settings WHERE name = 'maintenance_work_mem'});

sub check
{
	my ($index) = @_;

	return steward_error($node, "SET maintenance_work_mem = '$least'; SELECT steward.blind_index_check('$index', true)");
}

$node->safe_psql('postgres', q{
SELECT steward.create_key('memory');
CREATE TABLE many (id integer, v steward.encrypted_bigint('memory/v'), few steward.encrypted_bigint('memory/few'));
INSERT INTO many SELECT g, g, g % 3 FROM generate_series(1, 200000) AS g;
CREATE INDEX many_v ON many USING blind (v);
CREATE INDEX many_few ON many USING blind (few) WITH (tag_bits = 8);
CREATE INDEX many_range ON many USING blind (v steward.blind_bigint_range_ops)});
cmp_ok($node->safe_psql('postgres', q{SELECT reltuples FROM pg_class WHERE relname = 'many_range'}), '>', 2_000_000, 'an index has more entries than the filter is made for');
for my $index ('many_v', 'many_few', 'many_range')
{
	# Each time by another filter.
	is(check($index), '', "$index: with $least every row has its entry") for 1 .. 3;
}
# Rows that come while the indexes are out of sight.
my $hide = q{UPDATE pg_index SET indisready = %s WHERE indrelid = 'many'::regclass};
$node->safe_psql('postgres', sprintf($hide, 'false'));
$node->safe_psql('postgres', 'INSERT INTO many VALUES (200001, 200001, 1)');
$node->safe_psql('postgres', sprintf($hide, 'true'));
like(check($_), qr/^ERROR:  index "$_" lacks an entry of row \(\d+,\d+\) of table "many"/, "$_: one that has none is found") for 'many_v', 'many_few', 'many_range';
$node->stop;
done_testing();

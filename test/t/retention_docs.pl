# Every example in docs/retention.md runs, in the order of the page.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $page = slurp_file("$FindBin::RealBin/../../docs/retention.md");
my @examples = $page =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar @examples, '>=', 6, 'the page has examples');

my $node = PostgreSQL::Test::Cluster->new('docs');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION pg_steward');
foreach my $example (@examples)
{
	my ($code, $out, $err) = $node->psql('postgres', $example, extra_params => [ '-v', 'ON_ERROR_STOP=1' ]);
	is("$code$err", '0', 'runs: ' . ($example =~ /^(.*)$/m)[0]);
}
is($node->safe_psql('postgres', 'SELECT count(*), max(rows) FROM session, steward.policy_run'), '89|276',
	'the sessions of less than 90 days are left');
done_testing();

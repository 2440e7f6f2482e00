# The tour of the quickstart, over a cluster of this test's own: each of its
# steps works, and each of its claims is so.
use strict;
use warnings;

use File::Temp;
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $demo = "$FindBin::RealBin/../demo";
my $keys = File::Temp->newdir();
my $work = File::Temp->newdir();
my $node = PostgreSQL::Test::Cluster->new('quickstart');

$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
system_or_bail('pg_steward_keygen', "$keys/root");
$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'pg_steward'
steward.root_key_file = '$keys/root'
timezone = 'Europe/Berlin'
CONF
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE postgres SUPERUSER LOGIN') if $node->safe_psql('postgres', 'SELECT current_user') ne 'postgres';
$node->safe_psql('postgres', 'CREATE DATABASE shop');

local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'shop', PGUSER => 'postgres');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$demo/shop.sql" ], 'the sample shop loads');
is($node->safe_psql('shop', 'SELECT (SELECT count(*) FROM customer) + (SELECT count(*) FROM orders) + (SELECT count(*) FROM session)'),
	'10000', 'it has 10,000 rows');
my ($stdout, $stderr);
my $since = time;
my $status = IPC::Run::run([ 'bash', "$demo/quickstart", '--tour', "$work" ], '>', \$stdout, '2>', \$stderr);
ok($status, 'the tour comes to its end') or diag($stdout, $stderr);
cmp_ok(time - $since, '<', 60, 'in a minute at the most');
my $claims = () = $stdout =~ /^   ok: /mg;
cmp_ok($claims, '>=', 20, 'and checks what it shows');

# Nothing of what was encrypted is left in the table's files.
$node->safe_psql('shop', 'CHECKPOINT');
my $path = $node->data_dir . '/' . $node->safe_psql('shop', q{SELECT pg_relation_filepath('customer')});
my $file = slurp_file($path);
unlike($file, qr/example\.org/, 'the file of the table holds no address');
like($file, qr/Ben Birke/, 'while a column that is not encrypted can be read there');

# A claim that is not so ends the tour.
$status = IPC::Run::run([ 'bash', "$demo/quickstart", '--tour', "$work" ], '>', \$stdout, '2>', \$stderr);
ok(!$status, 'a tour that does not find what it claims fails');
like($stderr, qr/^quickstart: /m, 'and says why');

# The session in README.md works as well.
my ($session) = slurp_file("$FindBin::RealBin/../../README.md") =~ /^```sql\n(.*?)^```$/ms;
$node->safe_psql('postgres', 'CREATE DATABASE readme');
my $code = $node->psql('readme', "SET client_min_messages = error;\n$session", stdout => \$stdout, stderr => \$stderr, on_error_stop => 1);
is("$code$stderr", '0', 'the session of README.md works');
like($stdout, qr/^1\|stw1:\S+$/m, 'and shows ciphertext');
like($stdout, qr/^1\|ada\@example\.org\|1980-02-29$/m, 'and plaintext on demand');
is($node->safe_psql('readme', 'SELECT count(*), count(record::jsonb) FROM patient'), '1|0', 'nobody reads the one who was erased');
is($node->safe_psql('readme', q{SELECT string_agg(operation, ' ' ORDER BY written_at, xid, seq) FROM steward.audit_trail}),
	'ENABLE INSERT INSERT UPDATE REWRITE DELETE', 'and the trail has what it says');
is($node->safe_psql('readme', q{SELECT actor FROM steward.audit_trail WHERE operation = 'UPDATE'}), 'grace', 'and on whose behalf');
like($stdout, qr{^log\.example/shop/1\n\d+\n\S+\n\n— log\.example/shop/1 \S+$}m, 'and a checkpoint is shown');
is($node->safe_psql('readme', 'SELECT count(*) FROM steward.verify_ledger()'), '0', 'which the ledger fits');

done_testing();

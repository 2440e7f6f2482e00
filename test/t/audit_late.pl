# What another library changes while the transaction commits is recorded, whether it
# is called before pg_steward or after.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $library = steward_directory('library') . '/late_writer.so';
my ($headers, $out);
IPC::Run::run([ 'pg_config', '--includedir-server' ], '>', \$headers) or die 'pg_config failed';
chomp $headers;
IPC::Run::run([ 'cc', '-O1', '-fPIC', '-shared', "-I$headers", "$FindBin::RealBin/lib/late_writer.c", '-o', $library ], '>&', \$out)
  or die "cannot compile the library: $out";
chmod 0755, $library;

my $node = steward_node('late', conf => 'max_prepared_transactions = 5');
$node->safe_psql('postgres', q{
CREATE TABLE account (id integer PRIMARY KEY, v text);
SELECT steward.enable_audit('account');
CREATE SEQUENCE turn;
CREATE FUNCTION late_in_subtransaction() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	n bigint := nextval('turn');
BEGIN
	IF n % 5 = 0 THEN
		INSERT INTO account VALUES (1000000 + n, repeat('late', 100));
	END IF;
	IF n % 3 = 0 THEN
		RAISE 'late failure';
	END IF;
END
$$});

my $next = 0;
for my $order ("$library, pg_steward", "pg_steward, $library")
{
	my $name = $order =~ /^pg_steward/ ? 'called before pg_steward' : 'called after pg_steward';

	$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'$order'");
	$node->restart;
	for my $size ('1MB', '0')
	{
		my ($first, $second, $third) = ($next + 1, $next + 2, $next + 3);
		$next += 3;
		# long: it goes to TOAST, which needs a snapshot
		my $late = "INSERT INTO account VALUES ($second, repeat(md5(random()::text), 2000)), ($third, 'late'); UPDATE account SET v = 'changed late' WHERE id = $third";
		my $settings = qq{BEGIN; SET LOCAL steward.audit_buffer_size = '$size'; SET LOCAL late_writer.statement = \$\$$late\$\$;};

		$node->safe_psql('postgres', "$settings INSERT INTO account VALUES ($first, 'in time'); COMMIT");
		is( $node->safe_psql('postgres', qq{
SELECT string_agg(operation || (key->>'id'), ' ' ORDER BY seq), count(DISTINCT xid) FROM steward.audit_trail WHERE (key->>'id')::integer BETWEEN $first AND $third}),
			"INSERT$first INSERT$second INSERT$third UPDATE$third|1", "$name, buffer $size: recorded in order");

		($first, $second, $third) = ($next + 1, $next + 2, $next + 3);
		$next += 3;
		$late = "INSERT INTO account VALUES ($second, 'late')";
		$settings = qq{BEGIN; SET LOCAL steward.audit_buffer_size = '$size'; SET LOCAL late_writer.statement = \$\$$late\$\$;};
		my (undef, undef, $error) = $node->psql('postgres', "$settings INSERT INTO account VALUES ($first, 'in time'); PREPARE TRANSACTION 'late'; COMMIT PREPARED 'late'");
		is($error, '', "$name, buffer $size: prepared");
		is( $node->safe_psql('postgres', "SELECT string_agg(key->>'id', ' ' ORDER BY seq) FROM steward.audit_trail WHERE (key->>'id')::integer BETWEEN $first AND $second"),
			"$first $second", "$name, buffer $size: recorded before the transaction is prepared");

		# only the late change
		$next += 1;
		$late = "INSERT INTO account VALUES ($next, 'late')";
		$node->safe_psql('postgres', "BEGIN; SET LOCAL steward.audit_buffer_size = '$size'; SET LOCAL late_writer.statement = \$\$$late\$\$; CREATE TABLE other_$next (); COMMIT");
		is($node->safe_psql('postgres', "SELECT count(*) FROM steward.audit_trail WHERE (key->>'id')::integer = $next"),
			'1', "$name, buffer $size: of a transaction that recorded nothing before");
	}

	# A subtransaction that fails when it had written its parent's records, or adds to them then.
	my $first = 10000 + 1000 * $next;
	$node->safe_psql('postgres', qq{
SET steward.audit_buffer_size = '4kB'; SET late_writer.sub_statement = 'SELECT late_in_subtransaction()';
DO \$\$
BEGIN
	FOR i IN $first .. $first + 999 LOOP
		BEGIN
			INSERT INTO account VALUES (i, 'in time');
		EXCEPTION WHEN raise_exception THEN NULL;
		END;
	END LOOP;
END
\$\$});
	is( $node->safe_psql('postgres', q{
SELECT count(*) > 600, count(*) = count(DISTINCT seq), count(DISTINCT key) = count(*), count(id) = count(*)
FROM steward.audit_trail LEFT JOIN account ON id = (key->>'id')::integer WHERE xid = (SELECT max(xid) FROM steward.audit_log)}),
		't|t|t|t', "$name: of subtransactions of which some fail at their end, once each");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM account FULL JOIN (SELECT key->>'id' AS id FROM steward.audit_trail WHERE operation = 'INSERT') AS t ON t.id = account.id::text WHERE account.id IS NULL OR t.id IS NULL}),
	'0', 'all rows have their records');
$node->stop;
done_testing();

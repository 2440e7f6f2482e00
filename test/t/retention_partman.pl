# Partitions that pg_partman makes and a policy drops: its maintenance goes on, its
# configuration has no table that is gone, and what it says of retention is left as it is.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $node = steward_node('retention_partman');
my $run = q{CALL steward.run_policy('visits')};

sub ask
{
	return $node->safe_psql('postgres', $_[0]);
}

# The configuration is somebody else's than the tables, and in a schema of any name; another table of its name is not asked.
ask(q{
	CREATE SCHEMA partman;
	CREATE SCHEMA "Part man";
	CREATE TABLE partman.part_config (parent_table text);
	CREATE ROLE shop LOGIN;
	CREATE ROLE keeper});
$node->safe_psql('postgres', q{CREATE SCHEMA pm; CREATE EXTENSION pg_partman SCHEMA pm});
my $version = ask(q{SELECT extversion FROM pg_extension WHERE extname = 'pg_partman'});
diag("pg_partman $version");
my $older = $version =~ /^4/;

# Tables by year; those of another are by month below that.
ask(q{
	CREATE TABLE visit (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at);
	CREATE TABLE sale (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at)});
for my $table ('public.visit', 'public.sale')
{
	ask("SELECT pm.create_parent(p_parent_table => '$table', p_control => 'at', p_interval => '1 year', p_type => '"
		. ($older ? 'native' : 'range')
		. "', p_premake => 1, p_start_partition => (date_trunc('year', now()) - interval '3 years')::text)");
}
ask("SELECT pm.create_sub_parent(p_top_parent => 'public.sale', p_control => 'at', p_interval => '1 month', p_premake => 1, "
	. ($older ? "p_type => 'native', p_native_check => 'yes')" : "p_declarative_check => 'yes')"));
ask(q{UPDATE pm.part_config SET retention = '10 years', retention_keep_table = true WHERE parent_table = 'public.visit'});
ask(qq{INSERT INTO $_ SELECT n, date_trunc('year', now()) - n * interval '1 year' + interval '1 day' FROM generate_series(0, 3) AS n}) for 'visit', 'sale';

# Those that pg_partman makes belong to who calls it.
sub give_to_owner
{
	return ask(q{DO $$
DECLARE
	relid regclass;
BEGIN
	FOR relid IN SELECT t.relid FROM pg_partition_tree('visit') AS t UNION ALL SELECT t.relid FROM pg_partition_tree('sale') AS t LOOP
		EXECUTE format('ALTER TABLE %s OWNER TO shop', relid);
	END LOOP;
END $$});
}
my $stray = q{SELECT COALESCE(sum(count), 0) FROM pm.check_default()};
my $strays = ask($stray);

give_to_owner();
my $names = q{SELECT string_agg(parent_table, ' ' ORDER BY parent_table) FROM pm.part_config};
my $before = ask($names);

sub maintain
{
	my ($what) = @_;
	my ($code, $out, $err) = $node->psql('postgres', 'CALL pm.run_maintenance_proc()');

	is($code, 0, "$what: the maintenance of pg_partman succeeds") or diag($err);
	cmp_ok(ask($stray), '<=', $strays, "$what: nothing was put into a default partition");
	return;
}

# ---- partitions that are not partitioned ----

ask(q{SELECT steward.create_policy('visits', 'visit', 'at', '1 year', 'drop_partition')});
is(ask($run), '2', 'years that have expired go');
is(ask($names), $before, 'the configuration is what it was');
is(ask(q{SELECT retention, retention_keep_table FROM pm.part_config WHERE parent_table = 'public.visit'}), '10 years|t', 'with what it says of retention');
maintain('plain partitions');
is(ask(q{SELECT count(*) FROM pm.show_partitions('public.visit')}), '3', 'pg_partman shows those that are left');
is(ask(q{SELECT steward.drop_policy('visits')}), '', 'the policy goes');

# ---- partitions that are partitioned by it ----

# As its owner, with what he has put on it.
ask(q{
	CREATE TABLE who (role name);
	GRANT INSERT ON who TO PUBLIC;
	GRANT USAGE ON SCHEMA pm TO keeper;
	ALTER TABLE pm.part_config OWNER TO keeper;
	ALTER TABLE pm.part_config_sub OWNER TO keeper;
	CREATE FUNCTION who() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.who VALUES (current_user); RETURN OLD; END $$;
	CREATE TRIGGER who BEFORE DELETE ON pm.part_config FOR EACH ROW EXECUTE FUNCTION who()});
like($before, qr/public\.sale_p\S+ public\.sale_p/, 'pg_partman has a configuration for partitions that are partitioned');
give_to_owner();
ask(q{SELECT steward.create_policy('visits', 'sale', 'at', '1 year', 'drop_partition')});

# Somebody who changes the configuration keeps neither holds nor the next run waiting.
my $busy = steward_session($node);
$busy->query_safe("BEGIN; UPDATE pm.part_config SET retention = retention WHERE parent_table LIKE 'public.sale_p%'");
my $timed_out = 0;
my ($code, $out, $err) = $node->psql('postgres', $run, timeout => 30, timed_out => \$timed_out);
ok(!$timed_out, 'a run does not wait for a lock on the configuration');
is(ask(q{SELECT state, sqlstate, rows FROM steward.policy_run ORDER BY id DESC LIMIT 1}), 'failed|55P03|0', 'it fails after a while');
is(ask(q{SELECT count(*) FROM steward.policy_detached}), '1', 'the partition is left to the next run');
$busy->query_safe('ROLLBACK');
is(ask($run), '2', 'years go with their months');
is(ask(q{SELECT count(*) FROM pm.part_config WHERE to_regclass(parent_table) IS NULL}), '0', 'the configuration has no table that is gone');
is(ask(q{SELECT count(*) FROM pm.part_config WHERE parent_table LIKE 'public.sale_p%'}), '3', 'and has those that are left');
is(ask('SELECT role, count(*) FROM who GROUP BY 1'), 'keeper|2', 'it was changed as its owner');
maintain('partitions below');

# ---- the last one stays, for without it pg_partman makes no more ----

ask(q{
	ALTER TABLE pm.part_config OWNER TO postgres;
	ALTER TABLE pm.part_config_sub OWNER TO postgres;
	CREATE TABLE ended (id int, at date NOT NULL) PARTITION BY RANGE (at)});
ask("SELECT pm.create_parent(p_parent_table => 'public.ended', p_control => 'at', p_interval => '1 year', p_type => '"
	. ($older ? 'native' : 'range') . "', p_premake => 1)");
ask(q{DO $$
DECLARE
	relid regclass;
BEGIN
	FOR relid IN SELECT t.relid FROM pg_partition_tree('ended') AS t WHERE t.level = 1 AND t.relid::text !~ 'default' LOOP
		EXECUTE format('ALTER TABLE ended DETACH PARTITION %s', relid);
		EXECUTE format('DROP TABLE %s', relid);
	END LOOP;
	FOR year IN 2001 .. 2003 LOOP
		EXECUTE format('CREATE TABLE ended_p%s PARTITION OF ended FOR VALUES FROM (%L) TO (%L)', year, make_date(year, 1, 1), make_date(year + 1, 1, 1));
	END LOOP;
	INSERT INTO ended SELECT n, make_date(n, 3, 1) FROM generate_series(2001, 2003) AS n;
END $$});
ask(q{SELECT steward.drop_policy('visits'); SELECT steward.create_policy('visits', 'ended', 'at', '1 year', 'drop_partition')});
is(ask(q{SELECT rows FROM steward.preview_policy('visits') WHERE relation = 'ended'::regclass}), '2', 'the preview leaves the last partition out');
is(ask($run), '2', 'of partitions that have all expired the last one stays');
is(ask('SELECT min(id), count(*) FROM ended'), '2003|1', 'with its rows');
done_testing();

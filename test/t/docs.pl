# Every SQL example in docs/*.md runs, in order, in a database of its own. A
# block that opens with "sql fails" must fail; one that opens with "sql 18" works from
# that release on, and fails before. Blocks that open with "sh run" run
# between them, in a directory that is empty at first. Each threat of the security model
# names tests that exist, and the reference is what a server says of itself.
use strict;
use warnings;

use FindBin;
use File::Temp;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $docs = "$FindBin::RealBin/../../docs";
my @pages = sort glob("$docs/*.md");
ok(scalar(@pages) > 0, 'there are pages');

my $node = PostgreSQL::Test::Cluster->new('docs');
my $keys = File::Temp->newdir();
$node->init;
system_or_bail('pg_steward_keygen', "$keys/root");
$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'pg_steward'
steward.root_key_file = '$keys/root'
CONF
$node->start;

# The blocks of a page: [kind, text, line].
sub blocks
{
	my ($page) = @_;
	my (@blocks, $block);

	open my $fh, '<', $page or die "$page: $!";
	while (my $line = <$fh>)
	{
		if (!$block && $line =~ /^```(sql|sql fails|sql \d+|sh run)\s*$/)
		{
			$block = [ $1, '', $. ];
		}
		elsif ($block && $line =~ /^```\s*$/)
		{
			push @blocks, $block;
			undef $block;
		}
		elsif ($block)
		{
			$block->[1] .= $line;
		}
	}
	close $fh;
	die "$page: a block is not closed" if $block;
	return @blocks;
}

# Runs a block of a page by a shell, which knows the variables of those before it.
sub run_shell
{
	my ($directory, $database, $script) = @_;
	my ($stdout, $stderr);
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => $database);

	my $works = IPC::Run::run([ 'bash', '-c', <<"SHELL" ], '>', \$stdout, '2>', \$stderr);
cd '$directory'
[ ! -e .variables ] || . ./.variables
set -aeuo pipefail
$script
export -p > .variables
SHELL
	return ($works, $stdout, $stderr);
}

foreach my $page (@pages)
{
	my ($name) = $page =~ m{([^/]+)\.md$};
	my @blocks = blocks($page);
	next unless @blocks;

	(my $database = "docs_$name") =~ s/\W/_/g;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	my $directory = File::Temp->newdir();
	foreach my $block (@blocks)
	{
		my ($kind, $sql, $line) = @$block;
		my ($stdout, $stderr);

		if ($kind eq 'sh run')
		{
			(my $works, $stdout, $stderr) = run_shell($directory, $database, $sql);
			ok($works, "docs/$name.md:$line runs") or diag($stderr);
			# A program that says what it found does so as it says on the page.
			like($stdout, qr/^ok: /, "docs/$name.md:$line verifies") if $sql =~ /^pg_steward_verify/;
			next;
		}
		my $code = $node->psql(
			$database, $sql,
			stdout => \$stdout,
			stderr => \$stderr,
			on_error_stop => 1);

		if ($kind eq 'sql fails' || ($kind =~ /^sql (\d+)$/ && $node->pg_version < $1))
		{
			like($stderr, qr/ERROR:/, "docs/$name.md:$line fails as it says");
		}
		else
		{
			is($code, 0, "docs/$name.md:$line works") or diag($stderr);
		}
	}

	# Roles belong to the cluster: the next page may use the same names.
	$node->safe_psql('postgres', "DROP DATABASE $database");
	my $roles = $node->safe_psql('postgres',
		"SELECT quote_ident(rolname) FROM pg_roles WHERE oid >= 16384 AND rolname <> current_user");
	$node->safe_psql('postgres', "DROP ROLE $_") foreach split /\n/, $roles;
}

# The rows of the table of threats: the last cell names the tests.
sub threats
{
	my ($page) = @_;
	my ($rows) = slurp_file($page) =~ /^\| attacker .*\n\|[-|]+\n((?:\|.*\n)+)/m;

	return map { [ split /\s*\|\s*/ ] } split /\n/, $rows // '';
}

my @threats = threats("$docs/security-model.md");
cmp_ok(scalar @threats, '>=', 10, 'the security model has a table of threats');
foreach my $threat (@threats)
{
	my ($attacker, $deed, $tests) = @$threat[ 1, 2, 4 ];
	my @tests = ($tests // '') =~ /`([^`]+)`/g;
	my @missing = grep { !-f "$FindBin::RealBin/../$_" } @tests;

	ok(@tests && !@missing, "who $attacker: $deed: is tested")
	  or diag("missing: @missing");
}

# In a database of its own, with nothing but the extension.
$node->safe_psql('postgres', 'CREATE DATABASE reference');
$node->safe_psql('reference', 'CREATE EXTENSION pg_steward');
is( $node->safe_psql('reference', slurp_file("$FindBin::RealBin/lib/reference.sql")) . "\n",
	slurp_file("$docs/reference.md"),
	'docs/reference.md says what the server says: see test/t/lib/reference.sql');

$node->stop;
done_testing();

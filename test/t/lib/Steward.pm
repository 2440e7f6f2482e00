package Steward;

# What the TAP tests share: nodes that have a keyring outside their data
# directory, settings that are known to be in force, and errors as a client
# sees them.
use strict;
use warnings;

use Exporter 'import';
use File::Find ();
use File::Spec;
use MIME::Base64 ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(steward_directory steward_keyring steward_root_keys steward_node
  steward_set steward_await steward_session steward_error steward_file_holds
  steward_tree_holds steward_poll steward_kill);

my $serial = 0;

# A directory of this test, outside every data directory.
sub steward_directory
{
	my ($name) = @_;
	my $directory =
	  File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir($name));

	chmod 0700, $directory or die "cannot chmod $directory: $!";
	return $directory;
}

# The path of a new keyring with one root; more => 1 adds another.
sub steward_keyring
{
	my (%options) = @_;
	my $path = steward_directory('keys') . '/root.key';

	system_or_bail('pg_steward_keygen', $path);
	system_or_bail('pg_steward_keygen', '--add', $path) for 1 .. $options{more} // 0;
	return $path;
}

# The roots of a keyring in their order: hashes with id, base64 and bytes.
sub steward_root_keys
{
	my ($path) = @_;
	my @roots;

	for my $line (split /\n/, slurp_file($path))
	{
		next unless $line =~ /^root ([0-9a-f]{16}) (\S{44})$/;
		push @roots,
		  { id => $1, base64 => $2, bytes => MIME::Base64::decode_base64($2), line => "$line\n" };
	}
	return @roots;
}

# A running node. preload: library preloaded (default 1); keyring: path, or
# undef for none (default: a new one); conf: more lines; extension: created in
# database postgres (default 1); init: arguments of initdb and the like.
sub steward_node
{
	my ($name, %options) = @_;
	my $keyring = exists $options{keyring} ? $options{keyring} : steward_keyring();
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%{ $options{init} // {} });
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_steward'")
	  if $options{preload} // 1;
	$node->append_conf('postgresql.conf', "steward.root_key_file = '$keyring'")
	  if defined $keyring;
	$node->append_conf('postgresql.conf', $options{conf}) if defined $options{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_steward') if $options{extension} // 1;
	return $node;
}

# Changes settings in postgresql.conf (undef removes one), reloads and waits
# until new sessions have them. Returns what steward_await waits for.
sub steward_set
{
	my ($node, %settings) = @_;

	$settings{'steward_test.serial'} = ++$serial;
	for my $name (sort keys %settings)
	{
		$node->adjust_conf('postgresql.conf', $name, undef);
		$node->append_conf('postgresql.conf', "$name = '$settings{$name}'")
		  if defined $settings{$name};
	}
	$node->reload;
	$node->poll_query_until('postgres',
		"SELECT pg_catalog.current_setting('steward_test.serial', true) = '$serial'")
	  or die 'the configuration was not reloaded';
	return $serial;
}

# Waits until a session that runs already has what steward_set set last.
sub steward_await
{
	my ($session) = @_;

	steward_poll(
		sub {
			return $session->query("SELECT pg_catalog.current_setting('steward_test.serial', true)") eq $serial;
		}) or die 'a session did not reload its configuration';
	return;
}

# A session that goes on after errors.
sub steward_session
{
	my ($node, $database) = @_;

	return $node->background_psql($database // 'postgres', on_error_stop => 0);
}

# Calls back until it gives true; false when it never does.
sub steward_poll
{
	my ($condition) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return 1 if $condition->();
		select(undef, undef, undef, 0.1);
	}
	return 0;
}

# Kills a process of the server, as kill -9 does, and waits until the server has
# noticed, recovered and takes connections again. (A query would die of the pipe that
# psql leaves behind when it is refused at once.) Of several the first that is still there.
sub steward_kill
{
	my ($node, @pids) = @_;
	my $pid = shift @pids;

	$pid = shift @pids until !defined $pid || kill 'KILL', $pid;
	die 'the process is gone' unless defined $pid;
	# The postmaster throws everybody out when it has reaped the process.
	steward_poll(sub { return !kill 0, $pid; }) or die "process $pid does not end";
	steward_poll(sub { return system('pg_isready', '-q', '-h', $node->host, '-p', $node->port) == 0; })
	  or die 'the server did not come back';
	return;
}

# The error a statement gives the client, empty when it succeeds. In a session
# (steward_session) or, given a node, in a new one.
sub steward_error
{
	my ($where, $sql, %options) = @_;
	my $error = '';

	if ($where->isa('PostgreSQL::Test::Cluster'))
	{
		$where->psql($options{database} // 'postgres', $sql,
			stderr => \$error, on_error_stop => 1,
			extra_params => $options{user} ? [ '-U', $options{user} ] : []);
		return $error =~ s/^psql:<stdin>:\d+: //mgr;
	}
	$where->{stderr} = '';
	$where->query($sql);
	$error = $where->{stderr};
	$where->{stderr} = '';
	return $error =~ s/^psql:<stdin>:\d+: //mgr;
}

# Which of these byte strings does a file hold?
sub steward_file_holds
{
	my ($file, @needles) = @_;
	my $content;

	open(my $handle, '<:raw', $file) or return;
	{ local $/; $content = <$handle>; }
	close $handle;
	return unless defined $content;
	return grep { index($content, $_) >= 0 } @needles if @needles < 20;
	# Many at once; longest first, as one may begin another.
	my $any = join '|', map { quotemeta } sort { length $b <=> length $a } @needles;
	my %found;
	$found{$1} = 1 while $content =~ /($any)/g;
	return grep { $found{$_} } @needles;
}

# "file: needle" for each file under a directory that holds one of them.
sub steward_tree_holds
{
	my ($directory, @needles) = @_;
	my @found;

	File::Find::find(
		{
			no_chdir => 1,
			wanted => sub {
				return unless -f $_;
				my $file = $_;
				push @found, map { "$file: $_" } steward_file_holds($file, @needles);
			}
		},
		$directory);
	return @found;
}

1;

package Journal;

# What the TAP tests of the revocation journal share. The journal is read by the
# second implementation of its format, test/vectors/second.py.
use strict;
use warnings;

use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

our @EXPORT = qw(journal_read journal_erased journal_is tombstones customers
  held_commit copy_file $record_bytes);

our $record_bytes = 128;

# What a journal is, and its records: hashes with kind, realm, subject.
sub journal_read
{
	my ($keyring, $path) = @_;
	my ($output, $error) = ('', '');
	my $read = IPC::Run::run(
		[ '/usr/bin/python3', '-B', "$FindBin::RealBin/../vectors/second.py", '--journal', $keyring, $path ],
		'>', \$output, '2>', \$error);
	my ($state, @lines) = split /\n/, $output;

	die "the journal cannot be read: $error" unless $read;
	return ($state, map { my ($kind, $realm, $subject) = split / /; { kind => $kind, realm => $realm, subject => $subject } } @lines);
}

# The erased subjects in a journal, in order, each once.
sub journal_erased
{
	my ($state, @records) = journal_read(@_);
	my %subjects = map { $_->{subject} => 1 } grep { $_->{kind} == 2 } @records;

	return join(',', sort keys %subjects);
}

# Waits until the journal holds exactly the tombstones of a database; with
# more => 1 it may hold others, too.
sub journal_is
{
	my ($node, $keyring, $path, $name, %options) = @_;
	my ($lacks, $more) = (-1, -1);

	ok(steward_poll(
			sub {
				my %erased = map { $_ => 1 } split /,/, tombstones($node, $options{database});
				my %held = map { $_ => 1 } -e $path ? split /,/, journal_erased($keyring, $path) : ();

				$lacks = grep { !$held{$_} } keys %erased;
				$more = grep { !$erased{$_} } keys %held;
				return $lacks == 0 && ($more == 0 || $options{more});
			}), $name) or diag "the journal lacks $lacks and has $more that are not erased";
	return;
}

sub tombstones
{
	my ($node, $database) = @_;

	return $node->safe_psql($database // 'postgres',
		q{SELECT pg_catalog.string_agg(pg_catalog.replace(subject::text, '-', ''), ',' ORDER BY subject) FROM steward.subject_key WHERE erased_at IS NOT NULL});
}

# A table whose values are bound to customers 1 to a number.
sub customers
{
	my ($node, $count, $database) = @_;

	$node->safe_psql($database // 'postgres', qq{
CREATE EXTENSION IF NOT EXISTS pg_steward;
SELECT steward.create_key('pii');
CREATE TABLE customer (id int PRIMARY KEY, name steward.encrypted_text('pii/customer.name'));
SELECT steward.bind_subject('customer', 'customer', 'id');
INSERT INTO customer SELECT g, 'name ' || g FROM generate_series(1, $count) AS g});
	return;
}

# Runs a statement in a session whose commit is held after its record is
# durable, calls back, lets it go on, and returns what the client was told.
# crash => 1: the callback ends the session or the server.
sub held_commit
{
	my ($node, $sql, $callback, %options) = @_;
	my $session = steward_session($node);
	my $pid = $session->query('SELECT pg_catalog.pg_backend_pid()');

	$session->query(q{SET synchronous_commit = on});
	$session->{stderr} = '';
	steward_set($node, synchronous_standby_names => 'nobody');
	steward_await($session);
	$session->query_until(qr/started/, "\\echo started\n$sql;\n");
	$node->poll_query_until('postgres',
		"SELECT wait_event = 'SyncRep' FROM pg_catalog.pg_stat_activity WHERE pid = $pid")
	  or die 'the commit is not held';
	$callback->($pid);
	return crashed($node, $session) if $options{crash};
	$node->safe_psql('postgres', "SELECT pg_catalog.pg_cancel_backend($pid)");
	$session->query('SELECT 1');
	my $said = $session->{stderr} =~ s/^psql:<stdin>:\d+: //mgr;

	$session->quit;
	steward_set($node, synchronous_standby_names => undef);
	return $said =~ s/^WARNING:  canceling.*\nDETAIL:  The transaction has already.*\n?//mr;
}

# After a crash: commits are held no longer when the server is up again.
sub crashed
{
	my ($node, $session) = @_;

	eval { $session->quit };
	$node->adjust_conf('postgresql.conf', 'synchronous_standby_names', undef);
	return 'crashed';
}

# A byte-wise copy, or, given content, a file with it.
sub copy_file
{
	my ($from, $to) = @_;
	my $content = slurp($from);

	write_file($to, $content);
	return;
}

sub slurp
{
	my ($path) = @_;

	open(my $file, '<:raw', $path) or die "$path: $!";
	local $/;
	my $content = <$file>;
	close $file;
	return $content // '';
}

sub write_file
{
	my ($path, $content) = @_;

	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file $content;
	close $file or die "$path: $!";
	chmod 0600, $path;
	return;
}

1;

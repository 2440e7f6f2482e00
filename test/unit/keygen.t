#!/usr/bin/perl
# keygen.t: pg_steward_keygen from the outside. KEYGEN names the program.
use strict;
use warnings;
use Cwd qw(abs_path);
use Fcntl qw(:mode);
use File::Temp qw(tempdir);
use IPC::Open3;
use MIME::Base64;
use Symbol qw(gensym);
use Test::More;

my $keygen = abs_path($ENV{KEYGEN} // die "KEYGEN is not set\n");
my $control = abs_path('../../pg_steward.control');
my $dir = tempdir(CLEANUP => 1);
chdir $dir or die "$dir: $!\n";

# Runs the program; its exit code, standard output and standard error.
sub run_keygen
{
	my @arguments = @_;
	my $err = gensym;
	my $pid = open3(my $in, my $out, $err, $keygen, @arguments);
	close $in;
	local $/;
	my ($stdout, $stderr) = (scalar <$out>, scalar <$err>);
	waitpid $pid, 0;
	return ($? >> 8 | ($? & 127) << 8, $stdout // '', $stderr // '');
}

sub slurp
{
	my ($name) = @_;
	open my $file, '<:raw', $name or die "$name: $!\n";
	local $/;
	return scalar <$file>;
}

sub spew
{
	my ($name, $text, $mode) = @_;
	open my $file, '>:raw', $name or die "$name: $!\n";
	print $file $text;
	close $file or die "$name: $!\n";
	chmod $mode // 0600, $name or die "$name: $!\n";
	return;
}

# The line of the root 00 01 … 1f.
sub known_line
{
	my $key = encode_base64(pack('C*', 0 .. 31), '');
	return "37268eab6c5df8ed $key\n";
}

sub mode_of { return S_IMODE((stat $_[0])[2]) }

# It failed, told why, and changed nothing about a file.
sub is_refused
{
	my ($arguments, $message, $name) = @_;
	my ($code, $out, $err) = run_keygen(@$arguments);
	is($code, 1, "$name: exit code");
	is($out, '', "$name: nothing on standard output");
	like($err, $message, "$name: message");
	unlike($err, qr{[A-Za-z0-9+/]{43}=}, "$name: no key in the message");
	return;
}

my $line = qr{root [0-9a-f]{16} [A-Za-z0-9+/]{43}=\n};

umask 0000;
my ($code, $out, $err) = run_keygen('ring');
is($code, 0, 'create');
is($err, '', 'create: no complaint');
like($out, qr/\A[0-9a-f]{16}\n\z/, 'create: prints the root id and nothing else');
like(slurp('ring'), qr/\A$line\z/, 'create: one root');
is(mode_of('ring'), 0600, 'create: mode 0600 whatever the umask allows');
chomp(my $first = $out);
like(slurp('ring'), qr/^root $first /, 'create: under the printed id');

umask 0777;
run_keygen('narrow');
umask 0022;
is(mode_of('narrow'), 0600, 'create: mode 0600 whatever the umask forbids');
isnt(slurp('narrow'), slurp('ring'), 'two keys differ');

my $before = slurp('ring');
is_refused(['ring'], qr/could not create "ring": File exists/, 'existing file');
is(slurp('ring'), $before, 'existing file: unchanged');
symlink 'nowhere', 'dangling' or die $!;
is_refused(['dangling'], qr/File exists/, 'dangling link');
ok(!-e 'nowhere', 'dangling link: nothing created behind it');
is_refused(['missing/ring'], qr/could not open directory "missing"/, 'no such directory');
is_refused(['./'], qr/does not name a file/, 'a directory');

($code, $out, $err) = run_keygen('--add', 'ring');
is($code, 0, 'add');
chomp(my $second = $out);
isnt($second, $first, 'add: prints another id');
like(slurp('ring'), qr/\A\Q$before\Eroot $second [^\n]+\n\z/, 'add: appended, the old root stays');
is(mode_of('ring'), 0600, 'add: mode 0600');
ok(!-e 'ring.new', 'add: no temporary file left');

($code, $out, $err) = run_keygen('--check', 'ring');
is($code, 0, 'check');
is($out, "$first\n$second current\n", 'check: the ids, the last one current');
is($err, '', 'check: no complaint');
($code, $out) = run_keygen('--check', "$dir/ring");
is($code, 0, 'check by an absolute path');

# Comments stay, and a missing final newline does not join two lines.
spew('commented', "# made by hand\n" . substr $before, 0, -1);
($code, $out) = run_keygen('--add', 'commented');
is($code, 0, 'add to a file without a final newline');
like(slurp('commented'), qr/\A# made by hand\n\Q$before\E$line\z/, 'comments and lines stay');

if ($> == 0)
{
	chown 65534, 65534, 'commented' or die $!;
}
my @owner = (stat 'commented')[4, 5];
run_keygen('--add', 'commented');
is_deeply([(stat 'commented')[4, 5]], \@owner, 'add: the owner stays');

# The owner of a file whose group is not his.
SKIP:
{
	skip 'only root can give a file away', 5 unless $> == 0;
	mkdir 'theirs' or die $!;
	spew('theirs/group', $before, 0600);
	chown 65534, 65534, 'theirs' or die $!;
	chown 65534, 0, 'theirs/group' or die $!;
	chmod 0755, $dir or die $!;
	my @ids = ($(, $), $<, $>);
	($), $() = ('65534 65534', 65534);
	$> = 65534;
	is_refused(['--add', 'theirs/group'], qr/could not keep the group of "theirs.group".*chgrp/, 'add: a group that cannot be kept');
	$> = $ids[3];
	($), $() = @ids[1, 0];
	is(slurp('theirs/group'), $before, 'add: the file is as it was');
}

my %broken = (
	'empty' => ['', qr/holds no root key/],
	'comment only' => ["# nothing\n", qr/holds no root key/],
	'bad line' => ["${before}hello\n", qr/line 2: the line is not of the form/],
	'short key' => ["root $first AAAA\n", qr/line 1: the key is not 32 bytes/],
	'other id' => ["root 0123456789abcdef " . substr($before, 22), qr/line 1: the id does not belong/],
	'twice' => ["$before$before", qr/line 2: the same root key/],
	'too long' => ["#" . 'x' x 20000 . "\n$before", qr/longer than 16384 bytes/],
);
for my $name (sort keys %broken)
{
	my ($text, $message) = @{ $broken{$name} };
	spew('broken', $text);
	is_refused([$_, 'broken'], $message, "$_, $name") for '--check', '--add';
	is(slurp('broken'), $text, "$name: file unchanged");
	ok(!-e 'broken.new', "$name: no temporary file left");
}

spew('full', '# ' . 'x' x (16384 - 100) . "\n$before");
is_refused(['--add', 'full'], qr/would become longer/, 'add to a full file');
spew('sixteen', $before);
run_keygen('--add', 'sixteen') for 2 .. 16;
($code, $out) = run_keygen('--check', 'sixteen');
is(() = $out =~ /^[0-9a-f]{16}/mg, 16, 'sixteen roots');
is_refused(['--add', 'sixteen'], qr/already holds 16 root keys/, 'a seventeenth root');

for my $mode (0640, 0604, 0660, 0620, 0601)
{
	spew('open', $before, $mode);
	is_refused([$_, 'open'], qr/has group or world access/, sprintf('%s, mode %04o', $_, $mode))
	  for '--check', '--add';
	is(mode_of('open'), $mode, 'its mode is not changed');
}

symlink 'ring', 'link' or die $!;
is_refused([$_, 'link'], qr/could not open "link"/, "$_, a link") for '--check', '--add';
mkdir 'directory', 0700 or die $!;
is_refused([$_, 'directory'], qr/is not a regular file/, "$_, a directory") for '--check', '--add';
system('mkfifo', '-m', '600', 'fifo') == 0 or die;
is_refused(['--check', 'fifo'], qr/is not a regular file/, 'a pipe does not block');
is_refused([$_, 'absent'], qr/could not open "absent": No such file/, "$_, a missing file")
  for '--check', '--add';
ok(!-e 'absent' && !-e 'absent.new', 'add does not create a keyring');

spew('ring.new', 'left over');
$before = slurp('ring');
is_refused(['--add', 'ring'], qr/"ring\.new" exists: another change/, 'a change under way');
is(slurp('ring.new'), 'left over', 'its file stays');
is(slurp('ring'), $before, 'so does the keyring');
unlink 'ring.new' or die $!;

# Changes at the same time: each one either counts or is refused.
spew('raced', $before);
my @pids;
for (1 .. 8)
{
	my $pid = fork // die $!;
	if (!$pid)
	{
		open STDERR, '>', '/dev/null';
		open STDOUT, '>', '/dev/null';
		exec $keygen, '--add', 'raced';
	}
	push @pids, $pid;
}
my $added = 0;
for my $pid (@pids)
{
	waitpid $pid, 0;
	$added++ if $? == 0;
}
($code, $out) = run_keygen('--check', 'raced');
ok($added > 0, 'of eight changes at a time some count');
is(() = $out =~ /^[0-9a-f]{16}/mg, 2 + $added, 'and none that counted is lost');

# A context key: derived from the current root, the realm and the name, written
# to a new file and nowhere else.
my $realm = '40414243-4445-4647-4849-4a4b4c4d4e4f';
spew('known', "# the vectors' root\nroot " . known_line());
($code, $out, $err) = run_keygen('--context', 'web', '--realm', $realm, 'known', 'web.key');
is($code, 0, 'context');
is($out . $err, '', 'context: prints nothing');
is(slurp('web.key'), encode_base64(pack('H*', '7a57a5c8f979898c40123471188374e2e36dcda8247596eccfed1932ee991cf6')), 'context: the key of another implementation');
is(mode_of('web.key'), 0600, 'context: mode 0600');
is_refused(['--context', 'web', '--realm', $realm, 'known', 'web.key'], qr/could not create "web\.key": File exists/, 'context: an existing file');
for my $realm ('', '40', $realm . '00', 'x' x 32, "$realm ")
{
	is_refused(['--context', 'web', '--realm', $realm, 'known', 'other.key'], qr/is not a realm/, "context: realm \"$realm\"");
}
ok(!-e 'other.key', 'context: a refusal leaves no file');
is_refused(['--context', 'web', '--realm', $realm, 'broken', 'other.key'], qr/longer than 16384 bytes|not a keyring/, 'context: no keyring');
run_keygen('--add', 'known');
run_keygen('--context', 'web', '--realm', $realm, 'known', 'web2.key');
isnt(slurp('web2.key'), slurp('web.key'), 'context: the current root counts');

($code, $out, $err) = run_keygen('--help');
is($code, 0, 'help');
like($out, qr/Usage:.*--add FILE.*--check FILE/s, 'help tells the usage');
($code, $out) = run_keygen('--version');
my ($version) = slurp($control) =~ /default_version = '([^']+)'/;
is($out, "pg_steward_keygen $version\n", 'the version is that of the extension');
for my $arguments ([], ['a', 'b'], ['--add'], ['--add', '--check', 'ring'], ['--what', 'ring'],
	['--context', 'w', 'ring', 'out'], ['--realm', 'r', 'ring'], ['--context', 'w', '--realm', 'r', 'ring'],
	['--context', '', '--realm', 'r', 'ring', 'out'], ['--check', '--context', 'w', '--realm', 'r', 'ring', 'out'])
{
	($code, $out, $err) = run_keygen(@$arguments);
	is($code, 2, "usage error: @$arguments");
	like($err, qr/Usage:/, 'tells the usage');
}
is(slurp('ring'), $before, 'usage errors change nothing');
ok(!-e 'a' && !-e 'b', 'and create nothing');

done_testing();

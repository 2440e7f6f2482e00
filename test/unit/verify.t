#!/usr/bin/perl
# verify.t: pg_steward_verify from the outside, on material that the second
# implementation made (test/vectors/ledger.py). VERIFY names the program.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use IPC::Open3;
use Symbol qw(gensym);
use Test::More;

my $verify = abs_path($ENV{VERIFY} // die "VERIFY is not set\n");
my $control = abs_path('../../pg_steward.control');
my $dir = tempdir(CLEANUP => 1);
chdir $dir or die "$dir: $!\n";

my $origin = 'log.example/steward/1';
my $key = "$origin+53fba21a+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
my $c2sp_key = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
my @key = ('--key', $key);
my $sign = "\xe2\x80\x94 $origin";
my $root = '9WD1bbTjPY8X81UoQPHGPWgwK/BWruhyTEdgj72qCfg=';
my $new = "$origin\n5\n$root\n\n$sign U/uiGgU3PZC+HOz1jq1mQH9tnfIoikCrgvr03Cml+5wrJOLMQ7R9QOY0XaYzOGUzbT4CK8kaEhG0tdTFx+k553YlYgk=\n";
my $old = "$origin\n3\nMDahlojIvNbSxiyIjQJeQkKbLE/GZbug7dgEEEVtyeA=\n\n$sign U/uiGsoTlsVU8TbH+CbHS5iq1Plq4vfshRFC2gbXzRsn0ynb3KQtD1UsoQn2SQ6n3/j4JrR5/mH2ZMIGxI3it11xEgw=\n";
my $empty = "$origin\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n$sign U/uiGgIG253Y/axtU6t3aOcXuYSBPGR43pPavyIaW6vqX2FopjUftWpTDoZq2ZHKvnmQP0PZzdo8L6fTQvDzqfjwtQI=\n";
my $prune = "pg_steward prune certificate 1\norigin $origin\nboundary 3\n"
  . "frontier TRWUS/dt8uLEmCEgKF7Or88vAO/H8R7cSNd43cRqJB4=\nfrontier pJPuIsjXLfSFLGIkhYPuQ8JWP41KzzavbRcCUCrlcAA=\n"
  . "size 4\nroot 4aA7y9gJ5bWm4ogu7ya2YTGxl2l0HXOcDED8bofENfI=\nsegment 2\nremoved 0\nplaces 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n"
  . "$sign U/uiGmllfTbFqvZRgVLuvv+wXYg1RaQa9PgxSmc5qsMsOhAvG9fK5WfRZpRe/4lh7bQKWsd/cbU8xisQ27bfn0HNlwU=\n";
# The same, where leaf 3 went too.
my $further = "pg_steward prune certificate 1\norigin $origin\nboundary 3\n"
  . "frontier TRWUS/dt8uLEmCEgKF7Or88vAO/H8R7cSNd43cRqJB4=\nfrontier pJPuIsjXLfSFLGIkhYPuQ8JWP41KzzavbRcCUCrlcAA=\n"
  . "size 4\nroot 4aA7y9gJ5bWm4ogu7ya2YTGxl2l0HXOcDED8bofENfI=\nsegment 2\nremoved 1\nplaces 1WiKUtVaAuxK6l7B6t//4cng7mpN2+I3f5gybULfyXU=\n\n"
  . "$sign U/uiGrs5fH171OIJ7xRllxaqA7v5CJ5r5oWlV4dbrLoGpkdW06zfgQmeg1tfe3jOXYmdd2y7Bj3jZ5AyEZp4viwU4gE=\n";
my @leaves = (
	'AgAAAAGlYUUnDOazvr0d0BK3OUhnfdYY1JZIi8YIo8tDzjVH3QAAAAA=',
	'AQAAAAEAAAAAAAAC6QAAAAEAAwFuuXrgAAADAW65fMJAAAMBbrl97UBJAjDGsdgzxRzEJkkgImd7dMYNgokZMSIaQtuee7BiBenpJSYBVclgZx/BmVkKPo+qveme6ydoI4tGp6UX7PQEOQAAAAdwYXlsb2Fk',
	'AQAAAAEAAAAAAAAC6QAAAAL//////////v//////////f/////////8HAjDGsdgzxRzEJkkgImd7dMYNgokZMSIaQtuee7BiBenpJSYBVclgZx/BmVkKPo+qveme6ydoI4tGp6UX7PQEOQAAAAA=',
	'b3RoZXI=',
	'AQAAAAEAAAAAAAAC6gAAAAEAAwFuuXrgAAADAW65iiJAAAMBbrmKIkFVAjDGsdgzxRzEJkkgImd7dMYNgokZMSIaQtuee7BiBenpJSYBVclgZx/BmVkKPo+qveme6ydoI4tGp6UX7PQEOQAAAAF4',
);
my @siblings = qw(7U0H9MdMjFmtUoKZfMM24z+YZXhgdwacCl6UTON+qcQ= blQgUm8RP2siAAVM8o1l4awEobNHifmnPHzEMXTtml8=
  IBJ4cbuYUG/LLrJqsPcmqX/QQHwDFAmKRBjjH0CrdKY= pJPuIsjXLfSFLGIkhYPuQ8JWP41KzzavbRcCUCrlcAA=);
my ($left, $right, $last) = qw(TRWUS/dt8uLEmCEgKF7Or88vAO/H8R7cSNd43cRqJB4=
  FsNhs28cLqzru12WEm2O3zK6G3PWeHJTR2h+/uVTvpw= EorupE238oT4lAYVX6FG9EckxNm69nvSwmcsYWmkdew=);
my $leaf3 = $siblings[2];
my $growth = "old 3\n$siblings[3]\n$siblings[2]\n$left\n$last\n\n$new";

# The inclusion proof of a leaf, with it or without.
sub proof_of
{
	my ($index, $extra) = @_;
	my $pair = $index < 2 ? $right : $left;
	return "c2sp.org/tlog-proof\@v1\n" . ($extra ? "extra $leaves[$index]\n" : '') .
	  "index $index\n$siblings[$index]\n$pair\n$last\n\n$new";
}

# Runs the program; its exit code, standard output and standard error. A hash
# reference as the first argument names what it reads.
sub run_verify
{
	my $input = ref $_[0] ? ${ shift @_ } : '';
	my @arguments = @_;
	my $err = gensym;
	my $pid = open3(my $in, my $out, $err, $verify, @arguments);
	local $SIG{PIPE} = 'IGNORE';
	binmode $in;
	print $in $input;
	close $in;
	local $/;
	my ($stdout, $stderr) = (scalar <$out>, scalar <$err>);
	waitpid $pid, 0;
	return ($? >> 8 | ($? & 127) << 8, $stdout // '', $stderr // '');
}

sub spew
{
	my ($name, $text) = @_;
	open my $file, '>:raw', $name or die "$name: $!\n";
	print $file $text;
	close $file or die "$name: $!\n";
}

# What is verified: says so on standard output alone.
sub is_verified
{
	my ($arguments, $message, $name) = @_;
	my ($code, $out, $err) = run_verify(@$arguments);
	is($code, 0, "$name: exit code 0");
	like($out, qr/\Aok: $message/, "$name: says what it verified");
	is($err, '', "$name: no complaint");
	return $out;
}

# What is not: never "ok", and a reason.
sub is_refused
{
	my ($arguments, $message, $name) = @_;
	my ($code, $out, $err) = run_verify(@$arguments);
	is($code, 1, "$name: exit code 1");
	is($out, '', "$name: nothing on standard output");
	like($err, qr/\Apg_steward_verify: not verified: .*$message/, "$name: why");
}

sub is_trouble
{
	my ($arguments, $message, $name) = @_;
	my ($code, $out, $err) = run_verify(@$arguments);
	is($code, 2, "$name: exit code 2");
	is($out, '', "$name: nothing on standard output");
	like($err, $message, "$name: why");
}

spew('new', $new);
spew('old', $old);
spew('empty', $empty);
spew('prune', $prune);
spew('further', $further);
spew('growth', $growth);

# Checkpoints.
my $out = is_verified([ 'checkpoint', @key, 'new' ], 'the checkpoint is signed by this key', 'checkpoint');
like($out, qr/^log \Q$origin\E, 5 leaves, root \Q$root\E$/m, 'and the tree head');
is_verified([ \$new, 'checkpoint', @key, '-' ], 'the checkpoint', 'checkpoint from standard input');
is_verified([ 'checkpoint', 'new', @key ], 'the checkpoint', 'the file before the key');
is_verified([ 'checkpoint', @key, 'empty' ], 'the checkpoint', 'checkpoint of an empty log');
spew('cosigned', $new . "\xe2\x80\x94 witness.example mJirIklj\n");
is_verified([ 'checkpoint', @key, 'cosigned' ], 'the checkpoint', 'checkpoint with the signature of a witness');
is_refused([ 'checkpoint', '--key', $c2sp_key, 'new' ], 'no signature is of this key', 'another key');
is_refused([ 'checkpoint', @key, 'prune' ], 'not of the right form', 'a prune certificate as checkpoint');
for my $case (
	[ 'size', $new =~ s/^5$/6/mr, 'a signature in the name of this key is wrong' ],
	[ 'root', $new =~ s/^9W/9X/mr, 'a signature in the name of this key is wrong' ],
	[ 'signature', $new =~ s/YlYgk=/YlYgl=/r, 'it is not a signed note' ],
	[ 'scalar', $new =~ s/U3PZ/U3Pa/r, 'a signature in the name of this key is wrong' ],
	[ 'no signature', "$origin\n5\n$root\n\n", 'it is not a signed note' ],
	[ 'carriage returns', $new =~ s/\n/\r\n/gr, 'it is not a signed note' ],
	[ 'a zero byte', $new =~ s/5/\0/r, 'it is not a signed note' ],
	[ 'nothing', '', 'it is not a signed note' ],
	[ 'far too long', 'x' x 2_000_000, 'it is not a signed note' ])
{
	my ($name, $text, $message) = @$case;
	spew('altered', $text);
	is_refused([ 'checkpoint', @key, 'altered' ], $message, "checkpoint, $name");
}

# Inclusion.
my @said = (
	qr/^opening of incarnation 1, which has no parent$/m,
	qr/^record: incarnation 1, transaction 745, seq 1, op I, begun 2026-10-22 16:00:00\.000000 UTC, changed 2026-10-22 16:00:00\.123456 UTC, written 2026-10-22 16:00:00\.200000 UTC, payload of 7 bytes$/m,
	qr/^record: incarnation 1, transaction 745, seq 2, op 0x07, begun 1999-12-31 23:59:59\.999998 UTC, changed 1999-12-31 23:59:59\.999999 UTC, written 294277-01-09 04:00:54\.775807 UTC, payload of 0 bytes$/m,
	qr/^a leaf of another form, 5 bytes$/m);
for my $index (0 .. 3)
{
	spew('proof', proof_of($index, 1));
	$out = is_verified([ 'inclusion', @key, '--proof', 'proof' ], "this is leaf $index\n", "leaf $index");
	like($out, $said[$index], 'and what it is');
	spew('bare', proof_of($index, 0));
	spew('record', "$leaves[$index]\n");
	is_verified([ 'inclusion', @key, '--proof', $_, '--record', 'record' ], "this is leaf $index\n", "leaf $index beside $_")
	  for 'bare', 'proof';
	spew('record', $leaves[ $index ^ 1 ]);
	is_refused([ 'inclusion', @key, '--proof', 'bare', '--record', 'record' ], 'does not lead', "leaf $index, another record");
	is_refused([ 'inclusion', @key, '--proof', 'proof', '--record', 'record' ], 'not the one in the proof', "leaf $index, two records");
	is_refused([ 'inclusion', @key, '--proof', 'bare' ], 'holds no record', "leaf $index, no record");
}
my $proof = proof_of(1, 1);
for my $case (
	[ 'another index', $proof =~ s/^index 1$/index 2/mr, 'does not lead' ],
	[ 'an index outside', $proof =~ s/^index 1$/index 5/mr, 'does not lead' ],
	[ 'a huge index', $proof =~ s/^index 1$/index 9223372036854775807/mr, 'does not lead' ],
	[ 'an index too large', $proof =~ s/^index 1$/index 9223372036854775808/mr, 'not an inclusion proof' ],
	[ 'a hash less', $proof =~ s/^\Q$last\E\n//mr, 'does not lead' ],
	[ 'a hash more', $proof =~ s/^\Q$last\E\n/$last\n$last\n/mr, 'does not lead' ],
	[ 'a hash altered', $proof =~ s/^Eor/Eos/mr, 'does not lead' ],
	[ 'another order', $proof =~ s/^(\Q$right\E\n)(\Q$last\E\n)/$2$1/mr, 'does not lead' ],
	[ 'the old checkpoint', $proof =~ s/\Q$new\E\z/$old/r, 'does not lead' ],
	[ 'no checkpoint', $proof =~ s/\Q$new\E\z//r, 'the checkpoint of the proof: it is not a signed note' ],
	[ 'bad base64', $proof =~ s/^extra AQ/extra A-/mr, 'not an inclusion proof' ],
	[ 'a consistency proof', $growth, 'not an inclusion proof' ])
{
	my ($name, $text, $message) = @$case;
	isnt($text, $proof, "inclusion, $name: is another");
	spew('altered', $text);
	is_refused([ 'inclusion', @key, '--proof', 'altered' ], $message, "inclusion, $name");
}
spew('record', "$leaves[0]\n\n");
is_refused([ 'inclusion', @key, '--proof', 'bare', '--record', 'record' ], 'not one line of base64', 'two lines as record');

# Consistency.
my @both = ('consistency', @key, '--old', 'old', '--proof');
is_verified([ @both, 'growth' ], 'the first 3 leaves are the same', 'consistency');
is_verified([ @both, 'growth', '--new', 'new' ], 'the first 3 leaves', 'consistency, the new checkpoint beside it');
is_refused([ @both, 'growth', '--new', 'old' ], 'it is not the checkpoint of the proof', 'another new checkpoint');
is_refused([ 'consistency', @key, '--old', 'new', '--proof', 'growth' ], 'begins at 3 leaves, the old checkpoint has 5', 'another old checkpoint');
for my $case (
	[ 'a hash less', $growth =~ s/^\Q$last\E\n//mr, 'does not continue' ],
	[ 'a hash altered', $growth =~ s/^IBJ/IBK/mr, 'does not continue' ],
	[ 'another size', $growth =~ s/^old 3$/old 4/mr, 'begins at 4 leaves' ],
	[ 'the same checkpoint', $growth =~ s/\Q$new\E\z/$old/r, 'does not continue' ],
	[ 'an inclusion proof', $proof, 'not a consistency proof' ])
{
	my ($name, $text, $message) = @$case;
	spew('altered', $text);
	is_refused([ @both, 'altered' ], $message, "consistency, $name");
}
spew('same', "old 3\n\n$old");
is_verified([ @both, 'same' ], 'the first 3 leaves', 'nothing new');
spew('first', "old 0\n\n$new");
is_verified([ 'consistency', @key, '--old', 'empty', '--proof', 'first' ], 'the first 0 leaves', 'from the empty log');

# Exports.
my @export = ('export', @key, '--checkpoint', 'new');
spew('records', join '', map { "$_\n" } @leaves);
$out = is_verified([ @export, 'records' ], 'the export is the log: 5 leaves from leaf 0 on', 'export');
like($out, qr/^records 3, openings 1, hashes of pruned records 0, others 1$/m, 'and what is in it');
spew('rest', join '', map { "$_\n" } @leaves[ 3, 4 ]);
is_verified([ @export, '--prune', 'prune', 'rest' ], 'the export is the log: 2 leaves from leaf 3 on', 'export behind a prune');
is_refused([ @export, 'rest' ], 'ends after 2 leaves, the checkpoint has 5', 'without the certificate');
is_refused([ @export, '--prune', 'prune', 'records' ], 'more leaves than the checkpoint', 'from the beginning behind a prune');
# A hash hides a record: only where the certificate counts it.
spew('hidden', "hash $siblings[2]\n" . join '', map { "$_\n" } @leaves[ 1 .. 4 ]);
is_refused([ @export, 'hidden' ], 'do not have the root', 'another hash');
spew('hidden', "hash $siblings[1]\n" . join '', map { "$_\n" } @leaves[ 1 .. 4 ]);
is_refused([ @export, 'hidden' ], '1 hashes stand for records, which are not those that were pruned', 'a hash in place of a leaf');
spew('hidden', "hash $last\n$leaves[4]\n");
is_refused([ @export, '--prune', 'further', 'hidden' ], 'do not have the root', 'a hash of another record');
spew('hidden', "hash $leaf3\n$leaves[4]\n");
is_refused([ @export, '--prune', 'prune', 'hidden' ], '1 hashes stand for records, which are not those that the prune certificate counts', 'a hash that the certificate does not count');
is_verified([ @export, '--prune', 'further', 'hidden' ], 'the export is the log', 'a hash that it counts');
is_refused([ @export, '--prune', 'further', 'rest' ], '0 hashes stand for records', 'a certificate that counts more');
spew('other', join '', map { "$_\n" } @leaves[ 4, 3 ]);
is_refused([ @export, '--prune', 'prune', 'other' ], 'do not have the root of the checkpoint', 'behind a prune, swapped');
for my $case (
	[ 'swapped', join("\n", @leaves[ 0, 2, 1, 3, 4 ], ''), 'do not have the root' ],
	[ 'cut off', join("\n", @leaves[ 0 .. 3 ], ''), 'ends after 4 leaves' ],
	[ 'cut off within a line', join("\n", @leaves), 'line 5 is not a leaf' ],
	[ 'an empty line', join("\n", @leaves, '', ''), 'more leaves than the checkpoint' ],
	[ 'an empty line between', join("\n", @leaves[ 0 .. 2 ], '', @leaves[ 3, 4 ], ''), 'line 4 is not a leaf' ],
	[ 'no base64', join("\n", $leaves[0], 'AA', ''), 'line 2 is not a leaf' ],
	[ 'a short hash', join("\n", $leaves[0], 'hash AAAA', ''), 'line 2 is not a leaf' ],
	[ 'one more', join("\n", @leaves, 'AAAA', ''), 'more leaves than the checkpoint: 5' ],
	[ 'nothing', '', 'ends after 0 leaves' ])
{
	my ($name, $text, $message) = @$case;
	spew('altered', $text);
	is_refused([ @export, 'altered' ], $message, "export, $name");
	is_refused([ \$text, @export, '-' ], $message, "export, $name, from standard input");
}
# Lines longer than what is read at a time.
spew('long', join("\n", @leaves[ 0 .. 3 ], 'A' x 4_000_000, ''));
is_refused([ @export, 'long' ], 'do not have the root', 'export, a long line');
is_verified([ 'prune', @key, 'prune' ], 'the prune certificate is signed', 'prune');
is_refused([ 'prune', @key, 'new' ], 'not of the right form', 'a checkpoint as prune certificate');

# Files that cannot be read, and arguments that make no sense.
is_trouble([ 'checkpoint', @key, 'absent' ], qr/could not read "absent": No such file/, 'a missing file');
mkdir 'directory' or die $!;
is_trouble([ 'checkpoint', @key, 'directory' ], qr/could not read "directory": Is a directory/, 'a directory');
is_trouble([ @export, $_ ], qr/could not read "$_"/, "export, $_") for 'absent', 'directory';
is_trouble([ 'checkpoint', '--key', $_, 'new' ], qr/not a verifier key/, "key \"$_\"")
  for '', 'x', $key =~ s/53fba21a/53fba21b/r, "$key ", $key =~ s/\+53fba21a//r;
is_trouble([ 'checkpoint', @key, '--key', $c2sp_key, 'new' ], qr/the keys are of different logs/, 'keys of two logs');
is_trouble([ 'checkpoint', (@key) x 9, 'new' ], qr/there can be 8 keys/, 'nine keys');
is_verified([ 'checkpoint', (@key) x 8, 'new' ], 'the checkpoint', 'eight keys');
for my $arguments (
	[], ['--what'], ['other'], ['checkpoint'], [ 'checkpoint', 'new' ], [ 'checkpoint', @key ],
	[ 'checkpoint', @key, 'new', 'old' ], [ 'checkpoint', @key, '--proof', 'proof', 'new' ],
	[ 'inclusion', @key, 'proof' ], [ 'inclusion', @key, '--proof', 'proof', 'new' ], [ 'consistency', @key, '--proof', 'growth' ],
	[ 'inclusion', @key, '--proof', '-', '--record', '-' ], [ 'export', @key, 'records' ], [ @export, '--prune' ])
{
	is_trouble($arguments, qr/^Usage:/m, "usage error: @$arguments");
}
my ($code, $help, $err) = run_verify('--help');
is($code, 0, 'help');
like($help, qr/^Usage:.*checkpoint .*inclusion .*consistency .*export .*prune /ms, 'help tells the usage');
open my $file, '<', $control or die "$control: $!\n";
my ($version) = join('', <$file>) =~ /default_version = '([^']+)'/;
($code, $out) = run_verify('--version');
is($out, "pg_steward_verify $version\n", 'the version is that of the extension');
SKIP:
{
	skip 'there is no /dev/full', 1 unless -e '/dev/full';
	system("$verify checkpoint --key '$key' new > /dev/full 2> /dev/null");
	is($? >> 8, 2, 'what could not be said is not verified');
}

done_testing();

package StewardCanary;

# Canaries: plaintexts that occur nowhere else, every spelling in which one of
# them, or a key, could turn up in a file, and the search for them.
use strict;
use warnings;

use Encode ();
use Exporter 'import';
use FindBin;
use IPC::Run ();
use MIME::Base64 ();
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

our @EXPORT = qw(canary canary_needles canary_types canary_value key_needles
  key_material canary_is_absent canary_log_is_clean);

# How each of them begins: the search is for this, in any spelling.
our $mark = 'CanaryQx7';

my $number = 0;

# A new one; its name tells where it was let in.
sub canary
{
	my ($name) = @_;

	return sprintf '%s%04d%s', $mark, ++$number, $name;
}

sub hexadecimal
{
	my ($bytes) = @_;

	return (unpack('H*', $bytes), uc unpack('H*', $bytes));
}

# Whatever stands before it, it is at one of three places of base64's groups;
# at the ends of each, characters depend on the neighbours.
sub base64_inner
{
	my ($bytes) = @_;
	my @found;

	for my $before (0 .. 2)
	{
		my $text = MIME::Base64::encode_base64("\0" x $before . $bytes, '');

		$text =~ s/=+$//;
		$text = substr $text, $before == 0 ? 0 : $before + 1;
		$text = substr $text, 0, length($text) - ((length($bytes) + $before) % 3 ? 1 : 0);
		push @found, $text, $text =~ tr{+/}{-_}r;
	}
	return @found;
}

sub unique
{
	my %seen;

	return grep { !$seen{$_}++ } @_;
}

# A text as it is, in hex, base64, UTF-16 and -32, in other case, backwards in
# groups of eight (as an abbreviated key of a sort holds it).
sub text_spellings
{
	my ($text) = @_;

	return unique($text, uc $text, lc $text, hexadecimal($text), base64_inner($text),
		(map { Encode::encode($_, $text) } 'UTF-16LE', 'UTF-16BE', 'UTF-32LE', 'UTF-32BE'),
		(length $text >= 8 ? scalar reverse(substr $text, 0, 8) : ()));
}

# Bytes as they are, in hex, base64, and as bytea's escape format shows them.
sub byte_spellings
{
	my ($bytes) = @_;
	my $escaped = $bytes =~ s/([^\x20-\x5b\x5d-\x7e])/sprintf '\\%03o', ord $1/ger =~ s/\\\\/\\/gr;

	return unique($bytes, hexadecimal($bytes), base64_inner($bytes), $escaped);
}

# Values of the other types: few, since what is searched for is the value.
my $digits = '7482915360748291';
my $day = '2087-11-23';
my $time = '13:57:11.424242';
my $bigint = unpack 'q>', substr $mark, 0, 8;
my $microseconds = 2773749431424242;	# that time on that day, since 2000
my %value = (
	bytea => sub { '\\x' . unpack 'H*', canary($_[0]) },
	jsonb => sub { sprintf '{"%s": ["%s", %s]}', canary("$_[0]-name"), canary($_[0]), "$digits.5" },
	bigint => sub { $bigint },
	numeric => sub { "$digits.0" . $digits },
	date => sub { $day },
	timestamptz => sub { "$day $time+00" });

# The plaintext types that the extension encrypts, in this build.
sub canary_types
{
	my ($node) = @_;

	return split /\n/, $node->safe_psql('postgres', q{SELECT substr(typname, 11) FROM pg_type WHERE typnamespace = 'steward'::regnamespace AND typname LIKE 'encrypted\_%' AND typelem = 0 ORDER BY 1});
}

# A literal of such a type, without quotes.
sub canary_value
{
	my ($type, $name) = @_;

	return $type eq 'text' ? canary($name) : $value{$type}->($name);
}

# A number's digits as numeric keeps them, in the machine's order and in ours.
sub numeric_spellings
{
	my @groups = $digits =~ /(....)/g;

	return ($digits, pack('s<*', @groups), pack('s>*', @groups), reverse_groups());
}

# Before the decimal point, and after the zero that moves them, groups differ.
sub reverse_groups
{
	my @groups = "0$digits" =~ /(....)/g;

	return map { pack $_, @groups } 's<*', 's>*';
}

# Every spelling of any plaintext that canary_value gives. A date alone has four
# bytes, which is too little to be told from anything else.
sub canary_needles
{
	return unique(text_spellings($mark), (map { text_spellings($_) } $bigint, $day, $time),
		numeric_spellings(), (map { (pack('q<', $_), pack('q>', $_)) } $bigint, $microseconds));
}

# What nobody but a running server may hold: the roots of a keyring, and every
# key that the database wraps, unwrapped by the second implementation. Returns
# pairs of a name and the bytes.
sub key_material
{
	my ($node, $keyring, $database) = @_;
	my $wraps = $node->safe_psql($database // 'postgres', q{
SELECT 'realm ' || replace(realm::text, '-', '') FROM steward.realm;
SELECT 'wrap 1 ' || lpad(to_hex(key_id), 8, '0') || lpad(to_hex(key_tag), 8, '0') || repeat('00', 8) || ' ' || encode(wrapped, 'hex') FROM steward.key_version;
SELECT 'wrap ' || kind || ' ' || lpad(to_hex(key_id), 8, '0') || lpad(to_hex(generation - 1), 8, '0') || repeat('00', 8) || ' ' || encode(wrapped, 'hex') FROM steward.key_secret});
	my ($out, $err) = ('', '');

	IPC::Run::run([ $ENV{PYTHON} || 'python3', "$FindBin::RealBin/../vectors/unwrap.py", $keyring ],
		'<', \$wraps, '>', \$out, '2>', \$err)
	  or die "the keys could not be unwrapped: $err";
	return map { my ($name, $hex) = split / /; [ $name, pack('H*', $hex) ] } split /\n/, $out;
}

# Needles for keys; half a key is enough to be found.
sub key_needles
{
	my (@material) = @_;

	return unique(map { (byte_spellings(substr $_->[1], 0, 16), byte_spellings(substr $_->[1], 16)) } @material);
}

# A test: no needle in this directory or file.
sub canary_is_absent
{
	my ($name, $place, @needles) = @_;
	my @found = -d $place ? steward_tree_holds($place, @needles)
	  : map { "$place: $_" } steward_file_holds($place, @needles);

	return is(join("\n", map { s/[^\x20-\x7e\n]/./gr } @found), '', $name);
}

# A test: from this offset on, the log holds no canary.
sub canary_log_is_clean
{
	my ($name, $node, $offset) = @_;
	my $log = slurp_file($node->logfile, $offset);
	my @found;

	for my $needle (canary_needles())
	{
		push @found, ($log =~ /^(.*\Q$needle\E.*)$/mg)[0 .. 0] if index($log, $needle) >= 0;
	}
	return is(join("\n", @found), '', $name);
}

1;

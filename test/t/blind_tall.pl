# Erasure from an index that is taller than a change by GenericXLog: a bound between two
# leaves then stands on more than four pages, which change in one record. Indexes get so
# tall from hundreds of gigabytes on; here pages are put between root and leaves.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

# See src/blind/page.h.
use constant {
	PAGE => 8192,
	LOWER => 12,                # in PostgreSQL's header
	COUNT => 24,                # of children, on an inner page
	WIDE => 26,
	SEPARATORS => 28,
	META_ROOT => 32,
	META_LEVEL => 36,
	SPECIAL => 8152,
	HIGH => 24,                 # bytes of a high key there: tag of 16, TID of 8
	RIGHT => 8176,
	LEVEL => 8180,
	FLAGS => 8182,
	NONE => 0xFFFFFFFF,
	RIGHTMOST => 2,
	TAG => 5,
	TID => 6
};
my $levels = 7;

my $quiet = 'SET client_min_messages = error;';
my $node = steward_node('primary', init => { allows_streaming => 1 }, conf => <<'CONF');
autovacuum = off
wal_consistency_checking = 'all'
restart_after_crash = on
full_page_writes = off
CONF
if ($node->safe_psql('postgres', 'SHOW data_checksums') eq 'on')
{
	# Pages are written here without one.
	$node->stop;
	system_or_bail('pg_checksums', '--disable', '-D', $node->data_dir);
	$node->start;
}

sub sql { return $node->safe_psql('postgres', join '', @_) }
sub get { return unpack $_[2], substr($_[0], $_[1]) }
sub put { substr($_[0], $_[1], length pack $_[2], 0) = pack $_[2], $_[3]; return }

# An inner page with one child, in the place of a child of the root; the separator after it,
# if there is one, is the high key.
sub page_above
{
	my ($root, $level, $child, $right, $high) = @_;
	my $page = substr($root, 0, SEPARATORS) . "\0" x (PAGE - SEPARATORS);

	put($page, COUNT, 'v', 1);
	substr($page, SEPARATORS + TAG + TID, 4) = pack 'V', $child;
	put($page, LOWER, 'v', SEPARATORS + TAG + TID + 4);
	substr($page, SPECIAL) = substr($root, SPECIAL);
	put($page, LEVEL, 'v', $level);
	return $page unless defined $high;
	put($page, RIGHT, 'V', $right);
	put($page, FLAGS, 'v', 0);
	substr($page, SPECIAL, HIGH) = substr($high, 0, TAG) . "\0" x (16 - TAG) . substr($high, TAG) . "\0" x (8 - TID);
	return $page;
}

# Puts levels between the leaves and the root above them, of pages with one child each: so
# each bound between leaves stands on a page of every level.
sub make_tall
{
	my ($path) = @_;
	my @pages = unpack '(a8192)*', slurp_file($path);
	my $root_block = get($pages[0], META_ROOT, 'V');
	my $root = $pages[$root_block];
	my $count = get($root, COUNT, 'v');
	my @separators = map { substr $root, SEPARATORS + $_ * (TAG + TID), TAG + TID } 0 .. $count - 1;
	my @children = unpack 'V*', substr($root, SEPARATORS + $count * (TAG + TID), 4 * $count);

	get($root, LEVEL, 'v') == 1 && get($root, WIDE, 'v') == 1 && get($root, FLAGS, 'v') == RIGHTMOST or die 'the index is not as this test takes it to be';
	for my $level (1 .. $levels - 1)
	{
		my $first = @pages;

		push @pages, page_above($root, $level, $children[$_], $first + $_ + 1, $_ < $count - 1 ? $separators[ $_ + 1 ] : undef) for 0 .. $count - 1;
		@children = $first .. $first + $count - 1;
	}
	substr($root, SEPARATORS + $count * (TAG + TID), 4 * $count) = pack 'V*', @children;
	put($root, LEVEL, 'v', $levels);
	$pages[$root_block] = $root;
	put($pages[0], META_LEVEL, 'v', $levels);
	open my $file, '>:raw', $path or die "$path: $!";
	print $file @pages;
	close $file or die "$path: $!";
	return;
}

sub in_order
{
	my ($on, $name) = @_;
	my ($code, $out, $err) = $on->psql('postgres', q{SELECT steward.blind_index_check('by_visit', true)});

	is("$code $err", '0 ', $name);
	return;
}

sub found
{
	my ($on, $condition, $table) = @_;

	$table //= 'visit';
	return $on->safe_psql('postgres', "SET enable_seqscan = off; SELECT count(*) FROM $table WHERE $condition");
}

sub shred { return sql("$quiet SELECT steward.shred_subject('person', '$_[0]')") }
sub finish { return sql("$quiet CALL steward.finish_erasure()") }

# The bounds in runs of equal tags, which have a TID: high keys of all pages, and separators.
sub bounds
{
	my ($index) = @_;
	my %found;

	for my $hex (split /\n/, sql("SELECT encode(get_raw_page('$index', block::integer), 'hex') FROM generate_series(1, pg_relation_size('$index') / 8192 - 1) AS block"))
	{
		my $page = pack 'H*', $hex;
		my $high = substr $page, SPECIAL, HIGH;
		my $width = TAG + (get($page, WIDE, 'v') ? TID : 0);

		$found{ substr($high, 0, TAG) . substr($high, 16, TID) }++ unless get($page, FLAGS, 'v') & RIGHTMOST;
		next if get($page, LEVEL, 'v') == 0 || $width == TAG;
		$found{$_}++ for map { substr $page, SEPARATORS + $_ * $width, $width } 1 .. get($page, COUNT, 'v') - 1;
	}
	return { map { $_ => $found{$_} } grep { substr($_, TAG) ne "\0" x TID } keys %found };
}

# Those that were there before.
sub left { my ($index, $before) = @_; my $now = bounds($index); return scalar grep { exists $now->{$_} } keys %$before }

sql(q{CREATE EXTENSION pageinspect;
SELECT steward.create_key('p');
CREATE TABLE visit (id integer, who integer, name steward.encrypted_text('p/name'));
SELECT steward.bind_subject('visit', 'person', 'who');
INSERT INTO visit SELECT i, 1 + (i > 40000)::integer, CASE WHEN i > 40000 THEN 'other ' || i ELSE 'the same' END FROM generate_series(1, 42000) AS i;
CREATE INDEX by_visit ON visit USING blind (name);
CREATE UNLOGGED TABLE passing (LIKE visit);
INSERT INTO passing TABLE visit;
CREATE INDEX by_passing ON passing USING blind (name)});
my @indexes = ('by_visit', 'by_passing');
my @paths = map { $node->data_dir . '/' . sql("SELECT pg_relation_filepath('$_')") } @indexes;
$node->stop;
make_tall($_) for @paths;
$node->start;
is(sql(q{SELECT level FROM steward.blind_metapage('by_visit')}), $levels, 'the index is tall');
in_order($node, 'and in order');
is(found($node, q{name = 'the same'}), '40000', 'the run is found');
is(found($node, q{name = 'other 41000'}), '1', 'and what is beside it');
my %before = map { $_ => bounds($_) } @indexes;
for my $index (@indexes)
{
	my @times = values %{ $before{$index} };

	is("@times", join(' ', ($levels + 1) x @times), "$index has bounds in the run on each level") or diag(explain($before{$index}));
	cmp_ok(scalar @times, '>', 1, 'more than one');
}
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

shred(1);
is(finish(), '1', 'the erasure becomes final');
is(left($_, $before{$_}), 0, "none of them is left in $_") for @indexes;
in_order($node, 'the index is in order');
is(sql(q{SELECT steward.blind_index_check('by_passing', true)}), '', 'so is the unlogged one');
is(found($node, q{name = 'the same'}), '0', 'the run is not found');
is(found($node, q{name = 'other 41000'}, $_), '1', "what is beside it is found in $_") for 'visit', 'passing';

# Redo makes the same of it.
$node->stop('immediate');
$node->start;
in_order($node, 'after a crash the index is in order');
is(left('by_visit', $before{by_visit}), 0, 'and none of the bounds is back');
is(found($node, q{name = 'other 41000'}), '1', 'what is beside it is found');
$node->wait_for_catchup($standby);
in_order($standby, 'on a standby, too, it is in order');
is(found($standby, q{name = 'other 41000'}), '1', 'and what is beside the run is found');
$standby->stop;

# What has been lowered splits as before, to the root.
sql(q{INSERT INTO visit SELECT i, 3, 'new ' || i FROM generate_series(50001, 120000) AS i});
in_order($node, 'pages between the bounds split');
is(found($node, q{name = 'new 60000'}), '1', 'and new rows are found');
$node->stop;
done_testing();

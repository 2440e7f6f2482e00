# blind_index_check finds damage of every kind and says where it is; nothing else that
# comes upon it, a search, an insert, VACUUM or a look at its pages, crashes or goes on for
# ever. And it says nothing of indexes that are in order: of three levels, of unlogged
# tables after a crash, beside writers.
# STEWARD_SOAK=1 damages six hundred indexes at random, else twelve; STEWARD_SEED repeats a run.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

use constant {
	PAGE => 8192,
	LOWER => 12,                # in PostgreSQL's header
	BODY => 24,
	HIGH_TAG => 8152,           # in the special area
	HIGH_TID => 8168,
	RIGHT => 8176,
	LEVEL => 8180,
	FLAGS => 8182,
	TAG_BYTES => 8184,
	PAGE_ID => 8190,
	NONE => 0xFFFFFFFF,
	RAW => 11,                  # bytes of an entry of a tail: 40 bits and a TID
};

my $seed = $ENV{STEWARD_SEED} // int(rand(1_000_000_000));
note("STEWARD_SEED=$seed");
srand($seed);

my $node = steward_node('check', conf => <<'CONF');
autovacuum = off
restart_after_crash = on
max_wal_size = 256MB
shared_buffers = 2MB
jit = off
CONF
if ($node->safe_psql('postgres', 'SHOW data_checksums') eq 'on')
{
	# They would tell of all damage before anything of ours does.
	$node->stop;
	system_or_bail('pg_checksums', '--disable', '-D', $node->data_dir);
	$node->start;
}

sub check
{
	my ($index, $heap) = @_;

	return steward_error($node, "SELECT steward.blind_index_check('$index', " . ($heap ? 'true)' : 'false)'));
}

# ---- pages ----

sub get16 { return unpack 'v', substr($_[0], $_[1], 2) }
sub get32 { return unpack 'V', substr($_[0], $_[1], 4) }
sub put16 { substr($_[0], $_[1], 2) = pack 'v', $_[2] }
sub put32 { substr($_[0], $_[1], 4) = pack 'V', $_[2] }
sub is_leaf { return get16($_[0], PAGE_ID) == 0xB11D && get16($_[0], LEVEL) == 0 && !(get16($_[0], FLAGS) & 4) }

# The leaves of an index, from the left, by their blocks.
sub leaves
{
	my ($pages) = @_;
	my %right = map { $_ => get32($pages->[$_], RIGHT) } grep { is_leaf($pages->[$_]) } 1 .. $#$pages;
	my %linked = reverse %right;
	my ($block) = grep { !exists $linked{$_} } keys %right;
	my @leaves;

	for (; $block != NONE; $block = $right{$block})
	{
		push @leaves, $block;
	}
	return @leaves;
}

# The first inner page of a level, as a rule the root.
sub inner
{
	my ($pages, $level) = @_;

	for my $block (1 .. $#$pages)
	{
		return $block if get16($pages->[$block], LEVEL) == $level && get16($pages->[$block], PAGE_ID) == 0xB11D;
	}
	die "no page of level $level";
}

# Bytes of a separator, with a tag of 40 bits.
sub width { return 5 + (get16($_[0], BODY + 2) ? 6 : 0) }

# Where the block numbers of an inner page begin, and how many they are.
sub children
{
	my ($page) = @_;
	my $count = get16($page, BODY);

	return (BODY + 4 + $count * width($page), $count);
}

sub flip
{
	my ($page, $from, $to) = @_;
	my $bit = int(rand(8 * ($to - $from)));

	vec(substr($_[0], $from + int($bit / 8), 1), $bit % 8, 1) ^= 1;
	return;
}

# A leaf in the middle that has a tail.
sub middle
{
	my ($pages) = @_;
	my @leaves = leaves($pages);

	for my $leaf (@leaves[ 1 .. $#leaves - 1 ])
	{
		return $leaf if get16($pages->[$leaf], LOWER) - get16($pages->[$leaf], BODY) >= 3 * RAW;
	}
	die 'no leaf has a tail';
}

# ---- kinds of damage ----

my $not_own = qr/damaged at block 0.*The page was changed, or is that of another index/s;

my %file;    # of each index
my %length;    # of tables, in bytes

# name => [ what is done to the pages, what the check says of it; heap: only with the rows; class: of several tags ]
my %damage = (
	swapped_contents => [ sub {
		my ($pages) = @_;
		my ($left, $right) = (leaves($pages))[ 1, 2 ];
		my $body = substr($pages->[$left], 0, HIGH_TAG);

		substr($pages->[$left], 0, HIGH_TAG) = substr($pages->[$right], 0, HIGH_TAG);
		substr($pages->[$right], 0, HIGH_TAG) = $body;
	}, qr/entry that belongs on another page/ ],
	swapped_pages => [ sub {
		my ($pages) = @_;
		my ($left, $right) = (leaves($pages))[ 1, 3 ];

		@$pages[ $left, $right ] = @$pages[ $right, $left ];
	}, qr/belongs on another page|does not agree|sibling/ ],
	swapped_tails => [ sub {
		my ($pages) = @_;
		my $left = middle($pages);
		my ($right) = grep { $_ != $left && get16($pages->[$_], LOWER) - get16($pages->[$_], BODY) >= RAW } leaves($pages);
		my ($at, $other) = map { get16($pages->[$_], BODY) } $left, $right;
		my $entry = substr($pages->[$left], $at, RAW);

		substr($pages->[$left], $at, RAW) = substr($pages->[$right], $other, RAW);
		substr($pages->[$right], $other, RAW) = $entry;
	}, qr/entry that belongs on another page/ ],
	removed_entry => [ sub {
		my $page = middle($_[0]);
		put16($_[0][$page], LOWER, get16($_[0][$page], LOWER) - RAW);
	}, qr/lacks an entry of row/, heap => 1 ],
	# Each of these alone would have searches find nothing.
	other_salt => [ sub { flip($_[0][0], BODY + 20, BODY + 36) }, $not_own ],
	meta_bits => [ sub { substr($_[0][0], BODY + 164, 1) = chr(39) }, $not_own ],
	meta_range_tags => [ sub { put16($_[0][0], BODY + 18, 34) }, $not_own ],
	meta_check => [ sub { flip($_[0][0], BODY + 196, BODY + 200) }, $not_own ],
	other_index => [ sub { @{ $_[0] } = pages_of('sound') }, $not_own ],
	trigram_other_index => [ sub { @{ $_[0] } = pages_of('sound') }, $not_own, class => 'trigram' ],
	trigram_meta => [ sub { flip($_[0][0], BODY + 6, BODY + 8); flip($_[0][0], BODY + 14, BODY + 200) }, qr/damaged at block 0/, class => 'trigram' ],
	range_of_trigram => [ sub { @{ $_[0] } = pages_of('trigram_sound') }, $not_own, class => 'range' ],
	range_meta_tags => [ sub { put16($_[0][0], BODY + 18, 34) }, $not_own, class => 'range' ],
	range_truncated => [ sub { splice @{ $_[0] }, -2 }, qr/where no sibling of it can be|no page can be|leads to/, class => 'range' ],
	range_removed_entry => [ sub {
		my $page = middle($_[0]);
		put16($_[0][$page], LOWER, get16($_[0][$page], LOWER) - RAW);
	}, qr/lacks an entry of row/, heap => 1, class => 'range' ],
	entry_twice => [ sub {
		my $page = middle($_[0]);
		my $at = get16($_[0][$page], BODY);
		substr($_[0][$page], $at + RAW, RAW) = substr($_[0][$page], $at, RAW);
	}, qr/An entry is on it twice/ ],
	tid_beyond => [ sub {
		my $page = middle($_[0]);
		put32($_[0][$page], get16($_[0][$page], BODY) + 7, 0x7000000);
	}, qr/row that the table cannot have/ ],
	tid_next_block => [ sub {
		my $page = middle($_[0]);
		my $at = get16($_[0][$page], BODY);
		my $next = $length{tid_next_block} / PAGE;
		put32($_[0][$page], $at + 7 + $_ * RAW, $next + $_ % 3) for 0 .. 5;
	}, qr/row that the table cannot have/ ],
	tid_no_block => [ sub {
		my $page = middle($_[0]);
		put32($_[0][$page], get16($_[0][$page], BODY) + 7, NONE);
	}, qr/row that the table cannot have/ ],
	tid_no_offset => [ sub {
		my $page = middle($_[0]);
		put16($_[0][$page], get16($_[0][$page], BODY) + 5, 0);
	}, qr/row that the table cannot have/ ],
	half_an_entry => [ sub {
		my $page = middle($_[0]);
		put16($_[0][$page], LOWER, get16($_[0][$page], LOWER) - 5);
	}, qr/numbers at its beginning are wrong/ ],
	packed_end => [ sub {
		my $page = middle($_[0]);
		put16($_[0][$page], BODY, get16($_[0][$page], BODY) - RAW);
	}, qr/packed part is damaged/ ],
	high_key_up => [ sub {
		my $page = (leaves($_[0]))[1];
		substr($_[0][$page], HIGH_TAG + 4, 1) = chr(ord(substr($_[0][$page], HIGH_TAG + 4, 1)) + 1);
	}, qr/does not agree|belongs on another page/ ],
	high_key_down => [ sub {
		my $page = (leaves($_[0]))[1];
		substr($_[0][$page], HIGH_TAG + 2, 1) ^= "\x80";
	}, qr/does not agree|belongs on another page/ ],
	high_key_least => [ sub { substr($_[0][ (leaves($_[0]))[1] ], HIGH_TAG, 24) = "\0" x 24 }, qr/high key is not above/ ],
	high_key_huge => [ sub { substr($_[0][ (leaves($_[0]))[1] ], HIGH_TAG + 8, 1) = "\x01" }, qr/high key has more bits/ ],
	right_itself => [ sub { my $page = (leaves($_[0]))[1]; put32($_[0][$page], RIGHT, $page) }, qr/right link leads to block/ ],
	right_back => [ sub { my @leaves = leaves($_[0]); put32($_[0][ $leaves[2] ], RIGHT, $leaves[0]) }, qr/More than one link leads to it|does not agree|belongs/ ],
	right_skips => [ sub { my @leaves = leaves($_[0]); put32($_[0][ $leaves[1] ], RIGHT, $leaves[3]) }, qr/does not agree|belongs on another/ ],
	right_beyond => [ sub { put32($_[0][ (leaves($_[0]))[1] ], RIGHT, 70000) }, qr/right link leads to block 70000/ ],
	right_meta => [ sub { put32($_[0][ (leaves($_[0]))[1] ], RIGHT, 0) }, qr/right link leads to block 0/ ],
	right_none => [ sub { put32($_[0][ (leaves($_[0]))[1] ], RIGHT, NONE) }, qr/no page of a blind index/ ],
	right_upwards => [ sub { put32($_[0][ (leaves($_[0]))[1] ], RIGHT, inner($_[0], 1)) }, qr/of level 1, where one of level 0 is expected/ ],
	last_of_many => [ sub {
		my $page = (leaves($_[0]))[1];
		put32($_[0][$page], RIGHT, NONE);
		put16($_[0][$page], FLAGS, 2);
	}, qr/leads to no page of the level below/ ],
	incomplete => [ sub { put16($_[0][ (leaves($_[0]))[1] ], FLAGS, 1) }, qr/marked as incomplete, and is complete/ ],
	incomplete_last => [ sub { put16($_[0][ (leaves($_[0]))[-1] ], FLAGS, 3) }, qr/no page of a blind index/ ],
	strange_flags => [ sub { put16($_[0][ (leaves($_[0]))[1] ], FLAGS, 64) }, qr/flags that no page has/ ],
	wrong_level => [ sub { put16($_[0][ (leaves($_[0]))[1] ], LEVEL, 1) }, qr/numbers at its beginning are wrong|of level 1/ ],
	huge_level => [ sub { put16($_[0][ inner($_[0], 1) ], LEVEL, 65535) }, qr/of level 65535/ ],
	wrong_width => [ sub { put16($_[0][ (leaves($_[0]))[1] ], TAG_BYTES, 6) }, qr/numbers at its beginning|tags have 6 bytes/ ],
	no_id => [ sub { put16($_[0][ (leaves($_[0]))[1] ], PAGE_ID, 0) }, qr/no page of a blind index/ ],
	zeroed_leaf => [ sub { $_[0][ (leaves($_[0]))[1] ] = "\0" x PAGE }, qr/It is empty, and block \d+ has a link to it/ ],
	zeroed_root => [ sub { $_[0][ inner($_[0], 1) ] = "\0" x PAGE }, qr/It is empty, and block 0 has a link to it/ ],
	zeroed_meta => [ sub { $_[0][0] = "\0" x PAGE }, qr/damaged at block 0/ ],
	truncated => [ sub { splice @{ $_[0] }, -2 }, qr/where no sibling of it can be|no page can be|leads to/ ],
	only_meta => [ sub { splice @{ $_[0] }, 1 }, qr/A link leads to block \d+, where no page can be/ ],
	nothing_left => [ sub { @{ $_[0] } = () }, qr/damaged at block 0/ ],
	stray_page => [ sub { push @{ $_[0] }, $_[0][ (leaves($_[0]))[1] ] }, qr/No link leads to it/ ],
	stray_rubbish => [ sub { push @{ $_[0] }, substr($_[0][1], 0, BODY) . "\x55" x (PAGE - BODY) }, qr/No link leads to it/ ],
	separator => [ sub {
		my $root = inner($_[0], 1);
		substr($_[0][$root], BODY + 4 + 2 * width($_[0][$root]), 1) ^= "\x01";
	}, qr/does not agree with block/ ],
	separators_swapped => [ sub {
		my $root = inner($_[0], 1);
		my $width = width($_[0][$root]);
		my $first = substr($_[0][$root], BODY + 4 + $width, $width);
		substr($_[0][$root], BODY + 4 + $width, $width) = substr($_[0][$root], BODY + 4 + 2 * $width, $width);
		substr($_[0][$root], BODY + 4 + 2 * $width, $width) = $first;
	}, qr/separators are not in order/ ],
	downlinks_swapped => [ sub {
		my $root = inner($_[0], 1);
		my ($at) = children($_[0][$root]);
		my $first = get32($_[0][$root], $at + 4);
		put32($_[0][$root], $at + 4, get32($_[0][$root], $at + 8));
		put32($_[0][$root], $at + 8, $first);
	}, qr/does not agree with block/ ],
	downlink_beyond => [ sub {
		my $root = inner($_[0], 1);
		my ($at) = children($_[0][$root]);
		put32($_[0][$root], $at, 70000);
	}, qr/A link leads to block 70000/ ],
	downlink_itself => [ sub {
		my $root = inner($_[0], 1);
		my ($at) = children($_[0][$root]);
		put32($_[0][$root], $at, $root);
	}, qr/of level 1, where one of level 0/ ],
	last_downlink_gone => [ sub {
		my $root = inner($_[0], 1);
		my ($at, $count) = children($_[0][$root]);
		my $width = width($_[0][$root]);
		my $body = substr($_[0][$root], BODY + 4, $width * ($count - 1)) . substr($_[0][$root], $at, 4 * ($count - 1));
		substr($_[0][$root], BODY + 4, length $body) = $body;
		put16($_[0][$root], BODY, $count - 1);
		put16($_[0][$root], LOWER, BODY + 4 + length $body);
	}, qr/where its downlink should be, has none/ ],
	no_children => [ sub {
		my $root = inner($_[0], 1);
		put16($_[0][$root], BODY, 0);
		put16($_[0][$root], LOWER, BODY + 4);
	}, qr/no page of a blind index/ ],
	too_many_children => [ sub { put16($_[0][ inner($_[0], 1) ], BODY, 60000) }, qr/numbers at its beginning are wrong/ ],
	root_gone => [ sub { put32($_[0][0], BODY + 8, 70000) }, qr/A link leads to block 70000/ ],
	root_meta => [ sub { put32($_[0][0], BODY + 8, 0) }, qr/A link leads to block 0/ ],
	root_leaf => [ sub { put32($_[0][0], BODY + 8, (leaves($_[0]))[1]); put16($_[0][0], BODY + 12, 0) }, qr/beside the root|belongs on another|No link leads/ ],
	meta_level => [ sub { put16($_[0][0], BODY + 12, 7) }, qr/of level 1, where one of level 7/ ],
	meta_columns => [ sub { put16($_[0][0], BODY + 6, 2); substr($_[0][0], BODY + 36 + 4 * 32 + 1, 1) = "\x08"; put16($_[0][0], TAG_BYTES, 6) }, qr/damaged at block 0/ ],
	meta_magic => [ sub { put32($_[0][0], BODY, 1) }, qr/damaged at block 0/ ],
	upper => [ sub { put16($_[0][ (leaves($_[0]))[1] ], LOWER + 2, 8000) }, qr/numbers at its beginning are wrong/ ],
	meta_exact => [ sub { put16($_[0][0], BODY + 14, 1) }, $not_own ],
	meta_multi => [ sub { put16($_[0][0], BODY + 16, 1) }, $not_own ],
	meta_generation => [ sub { put32($_[0][0], BODY + 36, 0) }, $not_own ],
	meta_secret => [ sub { put32($_[0][0], BODY + 36, 77) }, $not_own ],
	meta_version => [ sub { put16($_[0][0], BODY + 4, 9) }, qr/has format 9/ ]);

my $soak = ($ENV{STEWARD_SOAK} // '') eq '1';
my $flips = $soak ? 40 : 16;
for my $i (1 .. $flips)
{
	$damage{"flip_$i"} = [ sub {
		my $page = (leaves($_[0]))[ $i % 3 ];
		flip($_[0][$page], BODY + 2, get16($_[0][$page], BODY));
	}, qr/index "/, heap => 'any', class => (undef, 'trigram', 'range')[ $i % 8 ] ];
}
# Anything: it need not be noticed, and nothing must crash.
for my $i (1 .. ($soak ? 600 : 12))
{
	$damage{"random_$i"} = [ sub {
		for (1 .. 1 + rand(20))
		{
			my $page = int(rand(@{ $_[0] }));
			my $at = $i % 2 ? int(rand(60)) + (rand() < 0.5 ? PAGE - 60 : 0) : int(rand(PAGE));
			substr($_[0][$page], $at, 1) = chr(int(rand(256)));
		}
	}, undef, class => (undef, 'trigram', 'range')[ $i % 5 ] ];
}

# ---- making it ----

# In each table rows that were there when its index was built, and some in tails.
$node->safe_psql('postgres', q{
SELECT steward.create_key('check');
CREATE TABLE original (id integer, e steward.encrypted_text('check/e'), n steward.encrypted_bigint('check/n'));
INSERT INTO original SELECT g, CASE WHEN g % 50 = 0 THEN NULL WHEN g % 10 = 0 THEN 'often' || g % 3 ELSE 'v' || g END, nullif(g % 3000, 7) FROM generate_series(1, 6500) AS g});
my %column = (trigram => 'e steward.blind_trigram_ops', range => 'n steward.blind_bigint_range_ops');

sub column_of
{
	my ($name) = @_;
	my (undef, undef, %how) = @{ $damage{$name} // [] };

	return $column{ $how{class} // ($name eq 'trigram_sound' ? 'trigram' : '') } // 'e';
}
my $tables = join "\n", map { my $column = column_of($_); qq{
CREATE TABLE $_ (id integer, e steward.encrypted_text('check/e'), n steward.encrypted_bigint('check/n'));
INSERT INTO $_ SELECT * FROM original WHERE id <= 6000;
CREATE INDEX ${_}_e ON $_ USING blind ($column) WITH (fillfactor = 60);
INSERT INTO $_ SELECT * FROM original WHERE id > 6000;} } sort keys %damage, 'sound', 'grown', 'trigram_sound';
$node->safe_psql('postgres', $tables);
%file = map { split /=/ } split /\n/, $node->safe_psql('postgres', q{SELECT regexp_replace(relname, '_e$', '') || '=' || current_setting('data_directory') || '/' || pg_relation_filepath(oid) FROM pg_class WHERE relname LIKE '%\_e'});
is($node->psql('postgres', join ';', map { "SELECT steward.blind_index_check('${_}_e', true)" } keys %file), 0, 'all are in order at first');
%length = map { split /=/ } split /\n/, $node->safe_psql('postgres', q{SELECT relname || '=' || pg_relation_size(oid) FROM pg_class WHERE relname LIKE 'tid\_%' AND relkind = 'r'});
$node->stop;

sub pages_of
{
	my ($name) = @_;
	my $content = slurp_file($file{$name});

	return map { substr($content, $_ * PAGE, PAGE) } 0 .. length($content) / PAGE - 1;
}

sub change_file
{
	my ($name, $change) = @_;
	my @pages = pages_of($name);

	$change->(\@pages);
	open my $handle, '>:raw', $file{$name} or die "$file{$name}: $!";
	print $handle join '', @pages;
	close $handle or die "$file{$name}: $!";
	return;
}
change_file($_, $damage{$_}[0]) for sort keys %damage;
# What a crash leaves between making a page longer and using it.
change_file('grown', sub { push @{ $_[0] }, "\0" x PAGE, "\0" x PAGE });
$node->start;

# ---- finding it ----

is(check('sound_e', 1), '', 'what was not changed is in order');
is(check('grown_e', 1), '', 'empty pages at the end are nothing');
is($node->safe_psql('postgres', q{
DELETE FROM sound WHERE id = 4711;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT count(*) FROM sound WHERE e = 'v4711'::text;
SELECT sum(hinted_entries) FROM generate_series(1, pg_relation_size('sound_e') / 8192 - 1) AS block, steward.blind_page_stats('sound_e', block)}), "0\n1", 'an entry that a search found dead is hinted');
is(check('sound_e', 1), '', 'which is in order');
for my $name (sort keys %damage)
{
	my (undef, $says, %how) = @{ $damage{$name} };
	my $heap = $how{heap} // '';
	my ($pages, $rows) = map { check("${name}_e", $_) } 0, 1;

	next unless defined $says;
	is($pages, '', "$name: pages alone are in order") if $heap eq '1';
	like($heap ? $rows : $pages, $says, "$name is found");
	like($rows, qr/ERROR/, "$name is found with rows too");
	unlike($pages . $rows, qr/v[0-9]{2}|often/, "$name: no value is told");
}

# To PostgreSQL one of these blocks is one to be added. What a search met in the buffers for the others,
# releases from 16 on would take for new blocks when the table is extended.
for my $table ('tid_no_block', 'tid_beyond', 'tid_next_block')
{
	my $length = "SELECT pg_relation_size('$table')";

	for my $scan ('indexscan', 'bitmapscan')
	{
		my $all = "SELECT count(*) FROM (SELECT FROM $table WHERE %s OFFSET 0) AS s";
		my @errors = map { steward_error($node, "SET enable_seqscan = off; SET enable_$scan = off; " . sprintf $all, $_) }
		  'e IS NULL', q{e = ANY (ARRAY(SELECT DISTINCT e::text FROM original WHERE e IS NOT NULL))};

		like("@errors", qr/index "${table}_e" is damaged at block/, "$table: a search without $scan says that the index is damaged");
		unlike("@errors", qr/could not/, 'and looks nowhere that the table does not reach');
		is($node->safe_psql('postgres', $length), $length{$table}, 'and leaves the table as it is');
	}
}
{
	# In one session, before the buffer is used for something else.
	my $errors = '';

	$node->psql('postgres', q{SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT count(*) FROM (SELECT FROM tid_next_block WHERE e = ANY (ARRAY(SELECT DISTINCT e::text FROM original WHERE e IS NOT NULL)) OFFSET 0) AS s;
INSERT INTO tid_next_block (id) SELECT generate_series(1, 30000)}, stderr => \$errors, on_error_stop => 0);
	like($errors, qr/damaged at block/, 'tid_next_block: a search fails');
	unlike($errors, qr/should be empty/, 'and the table grows as if nobody had looked past its end');
}

# ---- living with it ----

my @work = (
	q{SELECT count(*) FROM @ WHERE e = 'v4711'::text},
	q{SELECT count(*) FROM @ WHERE e = ANY (ARRAY(SELECT 'v' || g FROM generate_series(1, 400) AS g))},
	q{SELECT count(*) FROM @ WHERE e IS NULL},
	q{SET enable_bitmapscan = off; SELECT count(*) FROM (SELECT FROM @ WHERE e = ANY (ARRAY(SELECT 'v' || g FROM generate_series(1, 400) AS g)) OFFSET 0) AS s},
	q{SELECT count(*) FROM @ WHERE e LIKE '%v47%' OR e ILIKE '%OFTEN%'},
	q{SELECT count(*) FROM @ WHERE n BETWEEN 777 AND 1234 OR n > 2990},
	q{SELECT count(*) FROM @ WHERE e IS NOT NULL},
	q{SET enable_bitmapscan = off; SELECT count(*) FROM (SELECT FROM @ WHERE e LIKE '%v47%' OFFSET 0) AS s},
	q{SELECT count(*) FROM (SELECT FROM @ WHERE n BETWEEN 777 AND 1234 OFFSET 0) AS s},
	q{SELECT count(s) FROM generate_series(0, 40) AS block, steward.blind_page_stats('@_e', least(block, pg_relation_size('@_e') / 8192 - 1)) AS s},
	q{SELECT steward.blind_metapage('@_e')},
	q{SELECT count(*) FROM steward.leakage_report('@_e')},
	q{INSERT INTO @ SELECT * FROM original WHERE id % 7 = 0},
	q{DELETE FROM @ WHERE id % 3 = 0},
	q{VACUUM @},
	q{INSERT INTO @ SELECT * FROM original},
	q{SELECT steward.blind_index_check('@_e')});
# A link of the index may lead past its own end: PostgreSQL says so.
my $of_damage = join '|', 'damaged at block', 'could not read block', 'could not open file', 'invalid page in block',
  'lacks an entry', 'does not have', 'has no block', 'has no pages', 'has format', 'missing support function';
my (@slow, @wrong);
for my $name (sort keys %damage)
{
	my $script = "SET statement_timeout = '60s'; SET enable_seqscan = off;\n" . join ";\n", @work, 'SELECT 1';
	my $errors = '';

	$script =~ s/\@/$name/g;
	$node->psql('postgres', $script, stderr => \$errors, on_error_stop => 0);
	push @slow, $name if $errors =~ /statement timeout/;
	push @wrong, "$name: $_" for grep { /ERROR|FATAL|PANIC|server|connection/ && !/ERROR: .*(?:$of_damage)/ } split /\n/, $errors;
}
is("@slow", '', 'nothing goes on for ever');
is(join("\n", @wrong), '', 'there are errors of damage alone');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'and no process dies');

# ---- repair ----

for my $name (sort grep { !/^(?:flip|random)/ } keys %damage)
{
	$node->safe_psql('postgres', "REINDEX INDEX ${name}_e");
	is(check("${name}_e", 1), '', "REINDEX repairs $name");
}

# ---- three levels, and writers beside ----

$node->safe_psql('postgres', q{
CREATE TABLE deep (id integer, e steward.encrypted_bigint('check/deep'));
INSERT INTO deep SELECT g, g FROM generate_series(1, 130000) AS g;
CREATE INDEX deep_e ON deep USING blind (e, e, e) WITH (tag_bits = 64, fillfactor = 55)});
is($node->safe_psql('postgres', q{SELECT level, bits FROM steward.blind_metapage('deep_e')}), '2|{42,42,42}', 'an index of three levels');
is(check('deep_e', 1), '', 'is in order');
my $writer = $node->background_psql('postgres');
$writer->query_until(qr/begun/, "\\echo begun\n" . join '', map { "INSERT INTO deep SELECT g, g FROM generate_series($_ * 2000 + 200001, $_ * 2000 + 202000) AS g;\n" } 0 .. 79);
my ($beside, $rows) = (0, 0);
do
{
	is(check('deep_e', $beside % 2), '', 'and with a writer beside');
	$beside++;
	$rows = $node->safe_psql('postgres', 'SELECT count(*) FROM deep');
} while ($rows < 290000 && $beside < 200);
$writer->quit;
cmp_ok($beside, '>', 2, "it was checked $beside times meanwhile");
is(check('deep_e', 1), '', 'and afterwards');

# ---- after a crash ----

$node->safe_psql('postgres', q{
CREATE UNLOGGED TABLE careless (e steward.encrypted_text('check/careless'));
CREATE INDEX careless_e ON careless USING blind (e);
INSERT INTO careless SELECT g::text FROM generate_series(1, 3000) AS g;
SELECT steward.rotate_index_secret('check');
SELECT steward.rotate_index_secret('check')});
$node->stop('immediate');
$node->start;
is(check("${_}_e", 1), '', "$_ is in order after a crash") for 'careless', 'deep', 'sound';
# The metapage that takes the other's place after a crash counts as well.
$node->safe_psql('postgres', 'REINDEX INDEX CONCURRENTLY deep_e');
$node->safe_psql('postgres', 'DROP TABLE ' . join ', ', 'sound', 'trigram_sound', 'grown', sort keys %damage);
is($node->safe_psql('postgres', q{SELECT steward.retire_index_secrets('check')}), 1, 'the first secret is in use, the second goes');
$node->safe_psql('postgres', 'REINDEX INDEX CONCURRENTLY careless_e');
is($node->safe_psql('postgres', q{SELECT steward.retire_index_secrets('check')}), 1, 'built anew it is not');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', q{INSERT INTO careless VALUES ('x'); SELECT count(*) FROM careless WHERE e = 'x'::text; SELECT steward.blind_index_check('careless_e', true)}), "1\n", 'and works after a crash');

$node->stop;
done_testing();

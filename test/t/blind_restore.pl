# Blind indexes are restored by several processes at a time: over several tables, one of them
# partitioned, section by section, so that the key tables come before the indexes. All in one
# go an index may come first: then it says that its key is missing, and nothing else fails.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $keyring = steward_keyring();
my $node = steward_node('source', keyring => $keyring);
my $keyless = steward_node('keyless', keyring => undef, extension => 0);
my $file = steward_directory('dumps') . '/all';

$node->safe_psql('postgres', q{
SELECT steward.create_key('a'), steward.create_key('b');
CREATE TABLE one (id integer, v steward.encrypted_text('a/one'), n steward.encrypted_bigint('b/one'), EXCLUDE USING blind (n WITH =));
CREATE INDEX one_v ON one USING blind (v, n) WITH (tag_bits = 24);
CREATE INDEX one_part ON one USING blind (v) WHERE id % 2 = 0;
CREATE TABLE two (id integer, v steward.encrypted_text('b/two'), n steward.encrypted_bigint('a/two'));
CREATE INDEX two_v ON two USING blind (v steward.blind_trigram_ops);
CREATE INDEX two_n ON two USING blind (n steward.blind_bigint_range_ops) WITH (range_tags = 8);
CREATE TABLE parted (id integer, v steward.encrypted_text('a/parted')) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (1000) TO (5000);
CREATE INDEX parted_v ON parted USING blind (v);
CREATE MATERIALIZED VIEW seen AS SELECT id, v FROM one WHERE id < 100;
CREATE INDEX seen_v ON seen USING blind (v);
INSERT INTO one SELECT i, 'one ' || i % 50, i FROM generate_series(1, 2000) AS i;
INSERT INTO two SELECT i, 'some words ' || i, i FROM generate_series(1, 1000) AS i;
INSERT INTO parted SELECT i, 'parted ' || i FROM generate_series(1, 3000) AS i;
REFRESH MATERIALIZED VIEW seen;
SELECT steward.rotate_index_secret('a')});

my $answers = q{SET enable_seqscan = off;
SELECT count(*) FROM one WHERE v = 'one 7'; SELECT count(*) FROM one WHERE v = 'one 8' AND id % 2 = 0;
SELECT count(*) FROM two WHERE v LIKE '%words 77%'; SELECT count(*) FROM two WHERE n BETWEEN 100 AND 250;
SELECT count(*) FROM parted WHERE v IN ('parted 1', 'parted 2999'); SELECT count(*) FROM seen WHERE v = 'one 7'};
my $want = "40\n40\n11\n151\n2\n2";
my $indexes = q{SELECT count(*) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam WHERE m.amname = 'blind' AND i.indisvalid};
my $check = q{SELECT count(steward.blind_index_check(i.indexrelid, true)) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam WHERE m.amname = 'blind' AND c.relkind = 'i'};
my $all = $node->safe_psql('postgres', $indexes);
my $leaves = $node->safe_psql('postgres', $check);

is($node->safe_psql('postgres', $answers), $want, 'the indexes answer');
system_or_bail('pg_dump', '-Fc', '-f', $file, $node->connstr('postgres'));

sub restore
{
	my ($where, $database, @options) = @_;
	my $err = '';

	IPC::Run::run([ 'pg_restore', '--jobs=3', @options, '-d', $where->connstr($database), $file ], '2>', \$err);
	return $err;
}

sub is_whole
{
	my ($database, $name) = @_;

	is($node->safe_psql($database, $indexes), $all, "$name: every index is there");
	is($node->safe_psql($database, $check), $leaves, '... and in order, with an entry of each row');
	is($node->safe_psql($database, $answers), $want, '... and finds what the others found');
	return;
}

$node->safe_psql('postgres', 'CREATE DATABASE sections');
is(restore($node, 'sections', '--exit-on-error', "--section=$_"), '', "$_ is restored by three processes") for 'pre-data', 'data', 'post-data';
is_whole('sections', 'section by section');

# All at once: whatever comes first, what is missing is named, and can be had by the last section.
$node->safe_psql('postgres', 'CREATE DATABASE at_once');
my @errors = restore($node, 'at_once') =~ /ERROR:\s+(.*)/g;
note(scalar(@errors) . ' indexes came before their keys');
is_deeply([ grep { !/^key \d+ does not exist in this database/ } @errors ], [], 'at once, an index at most has no key yet');
restore($node, 'at_once', '--section=post-data') if @errors;
is_whole('at_once', 'with the last section again');

# Without the root key nothing is half done: the rows are there, the indexes are not.
$keyless->safe_psql('postgres', 'CREATE DATABASE bare');
@errors = restore($keyless, 'bare') =~ /ERROR:\s+(.*)/g;
cmp_ok(scalar(grep { /^no root key is available/ } @errors), '>', 0, 'without the root key an index says so');
is($keyless->safe_psql('bare', 'SELECT count(v) FROM one; SELECT count(v) FROM two; SELECT count(v) FROM parted'), "2000\n1000\n3000", 'the rows are there');
is($keyless->safe_psql('bare', $indexes =~ s/count\(\*\)/string_agg(c.relname, ' ')/r . q{ AND c.relkind = 'i'}), 'seen_v', 'and no index but that of a view without rows');
is($keyless->safe_psql('bare', q{SELECT relispopulated FROM pg_class WHERE relname = 'seen'}), 'f', 'which stays so');
$_->stop for $node, $keyless;
done_testing();

# With wal_level = minimal what is done to a new table is not logged, and what GenericXLog
# does not log it does not clear of what was on the page before: where hints will be looked
# for must be nothing, for they will be heeded in the next transaction.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $node = steward_node('minimal', conf => <<'CONF');
wal_level = minimal
max_wal_senders = 0
autovacuum = off
jit = off
CONF
$node->safe_psql('postgres', "CREATE EXTENSION IF NOT EXISTS pg_steward; SELECT steward.create_key('minimal')");
$node->safe_psql('postgres', <<'SQL');
BEGIN;
CREATE TABLE t (id integer, word steward.encrypted_text('minimal/t.word'));
CREATE INDEX t_word ON t USING blind (word);
INSERT INTO t SELECT g, 'word ' || g % 5000 FROM generate_series(1, 20000) AS g;
COMMIT;
SQL

# How many of all rows are found by the index.
sub found
{
	return $node->safe_psql('postgres', <<'SQL');
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT count(*) FROM generate_series(0, 4999) AS g, LATERAL (SELECT id FROM t WHERE t.word = 'word ' || g OFFSET 0) AS q;
SQL
}

is(found(), 20000, 'all rows are found that were inserted without WAL');
$node->safe_psql('postgres', 'CHECKPOINT; DELETE FROM t WHERE id <= 10000; VACUUM t');
$node->safe_psql('postgres', q{INSERT INTO t SELECT g, 'word ' || g % 5000 FROM generate_series(1, 10000) AS g});
is(found(), 20000, 'and those inserted with it');
$node->stop('immediate');
$node->start;
is(found(), 20000, 'after a crash, too');
$node->stop;

done_testing();

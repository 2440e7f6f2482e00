# Random operations on blind indexes, beside an oracle: four sessions change tables that
# have each encrypted value in plaintext beside it, a fifth vacuums and makes indexes
# anew. Every question is answered by a plain index scan, by a bitmap scan, by a join that
# hashes the values, and by a scan of the plaintexts, in one snapshot: all must give the
# same rows. So are ranges over numbers and times, and patterns over texts, but that no join
# hashes these.
# An operation is a row changed (or refused by an exclusion constraint), or a question. About
# ninety-nine of a hundred are rows, which come by statements of one to thousands; what costs
# most are the questions, which read a whole table and decrypt it.
# STEWARD_SOAK=1 does ten million operations, STEWARD_NIGHTLY=1 a hundred million,
# STEWARD_OPERATIONS as many as it says; STEWARD_SEED repeats a run, as far as sessions at
# the same time can be repeated.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Blind;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;
use Time::HiRes;

my $large = ($ENV{STEWARD_SOAK} // '') eq '1' || ($ENV{STEWARD_NIGHTLY} // '') eq '1';
my $wanted = $ENV{STEWARD_OPERATIONS} || (($ENV{STEWARD_NIGHTLY} // '') eq '1' ? 100_000_000 : $large ? 10_000_000 : 150_000);

blind_seed();
my $node = steward_node('blind', conf => <<'CONF');
autovacuum = off
log_min_messages = fatal
max_prepared_transactions = 10
max_wal_size = 4GB
shared_buffers = 256MB
work_mem = 16MB
jit = off
CONF
blind_setup($node);

# What tables are like in one part of the campaign: few rows and small statements, in which
# each step is looked at, up to many rows, in which indexes get high, and what makes a whole
# table anew while all others wait is rarer.
my @lives = (
	{ rows => 0, batch => 20, spread => 30, statements => 1200, checks => 0.2 },
	{ rows => 2_000, batch => 300, spread => 200, statements => 800, checks => 0.1, persistence => 'UNLOGGED' },
	{ rows => 4_000, batch => 400, spread => 500, statements => 700, checks => 0.1, parts => 3 },
	{ rows => 3_000, batch => 800, spread => 20, statements => 700, checks => 0.1 });
push @lives,
  { rows => 20_000, batch => 5_000, spread => 2_000, statements => 400, checks => 0.05 },
  { rows => 50_000, batch => 20_000, spread => 20_000, statements => 300, checks => 0.05, rare => 0.05 },
  { rows => 400_000, batch => 50_000, spread => 50_000, statements => 250, checks => 0.02, rare => 0.05 }
  if $large;

my %total = map { $_ => 0 } qw(changes queries tried rows);
my (%ways, %kinds, %met);
my ($lives, $operations, $looked, $since) = (0, 0, 0, Time::HiRes::time());

while ($operations < $wanted || $lives < @lives)
{
	my %life = %{ $lives[ $lives++ % @lives ] };

	blind_tables($node, %life);
	my @sessions = blind_start($node,
		(map { blind_script(%life, number => $_) } 0 .. $blind_writers - 1),
		blind_maintenance(rare => 0.15, %life, statements => 5000, pause => 0.05));
	my $count = blind_finish(\@sessions);

	$total{$_} += $count->{$_} for keys %total;
	$ways{$_} += $count->{ways}{$_} for keys %{ $count->{ways} };
	$kinds{$_} += $count->{kinds}{$_} for keys %{ $count->{kinds} };
	$met{$_} += $count->{met}{$_} for keys %{ $count->{met} };
	$looked += $count->{looked};
	$operations = $total{changes} + $total{queries} + $total{tried};
	is(join("\n", @{ $count->{wrong} }), '', sprintf 'life %d: %d rows changed, %d questions answered alike', $lives, $count->{changes} + $count->{tried}, $count->{queries})
	  or last;
	isnt(blind_quiet($node, "life $lives: in the end all is found and in order"), '', 'checked') or last;
	note(sprintf '%d operations, %.0f a second', $operations, $operations / (Time::HiRes::time() - $since));
}
cmp_ok($operations, '>=', $wanted, "$operations operations");
note("rows changed $total{changes}, offered to an exclusion constraint $total{tried}, questions $total{queries} with $total{rows} rows, checks of indexes beside writers $looked");
note('ways: ' . join ', ', map { "$_ $ways{$_}" } sort keys %ways);
note('questions: ' . join ', ', map { "$_ $kinds{$_}" } sort keys %kinds);
note('errors met: ' . join ', ', map { "$_ $met{$_}" } sort keys %met);

# None of the ways was idle.
cmp_ok($ways{$_} // 0, '>', 0.7 * $total{queries}, "most questions were answered by $_") for qw(index bitmap);
cmp_ok($ways{hash} // 0, '>', 0.3 * $total{queries}, 'many by hashing');
cmp_ok($looked, '>', 0, 'indexes were checked beside writers');
cmp_ok($total{rows}, '>', $total{queries}, 'and most had an answer');
cmp_ok(scalar keys %kinds, '>=', 34, 'all kinds of questions were asked') or diag(join ' ', sort keys %kinds);
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP:/, 'no process died');
$node->stop;
done_testing();

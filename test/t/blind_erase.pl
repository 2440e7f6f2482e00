# Erased values leave no tag behind: the second implementation, which has the index
# secret, computes the tags and looks for them in the files of the indexes, before and after
# finish_erasure; on the primary, on a standby, and when it is killed on its way.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $quiet = 'SET client_min_messages = error;';
my $keyring = steward_keyring();
my $node = steward_node('primary', keyring => $keyring, init => { allows_streaming => 1 }, conf => <<'CONF');
autovacuum = off
max_prepared_transactions = 10
restart_after_crash = on
wal_consistency_checking = 'all'
wal_keep_size = 4GB
max_wal_size = 4GB
CONF

sub sql { return $node->safe_psql('postgres', join '', @_) }

# What the second implementation says of values in the file of an index, a line each.
sub look
{
	my ($on, $index, $what, @values) = @_;
	my ($out, $err) = ('', '');
	my $path = $on->safe_psql('postgres', "SELECT pg_relation_filepath('$index')");
	my $in = sql(q{
SELECT 'realm ' || replace(realm::text, '-', '') FROM steward.realm;
SELECT 'wrap 2 ' || lpad(to_hex(key_id), 8, '0') || lpad(to_hex(generation - 1), 8, '0') || repeat('00', 8) || ' ' || encode(wrapped, 'hex') FROM steward.key_secret WHERE kind = 2}) . "\n";

	$on->safe_psql('postgres', 'CHECKPOINT');
	$in .= join '', map { "$what v " . join(' ', map { length ? unpack 'H*', $_ : '-' } ref $_ ? @$_ : $_) . "\n" } @values;
	IPC::Run::run([ $ENV{PYTHON} || 'python3', "$FindBin::RealBin/../vectors/blind_tags.py", $keyring, $on->data_dir . "/$path" ],
		'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(300))
	  or die "the tags could not be looked for: $err";
	return split /\n/, $out;
}

# "entries bounds bytes" of each value.
sub tags
{
	my ($on, $index, @values) = @_;

	return join ', ', map { join ' ', /(\d+)/g } look($on, $index, 'value', @values);
}

# All blind indexes are in order, and every row has its entries.
sub in_order
{
	my ($on, $name) = @_;
	my $check = q{SELECT count(steward.blind_index_check(i.indexrelid, c.relpersistence = 'p')) > 0 FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam WHERE m.amname = 'blind' AND c.relkind = 'i'};
	my ($code, $out, $err) = $on->psql('postgres', $check);

	is("$code $out", '0 t', $name) or diag($err);
	return;
}

# What a search finds, by an index and by the whole table.
sub rows
{
	my ($query) = @_;
	my ($by_index, $by_scan) = map {
		sql("SET enable_seqscan = $_->[0]; SET enable_indexscan = $_->[1]; SET enable_bitmapscan = off; SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), 'none') FROM ($query) AS q")
	} [ 'off', 'on' ], [ 'on', 'off' ];

	return $by_index eq $by_scan ? $by_index : "index $by_index; scan $by_scan";
}

sub shred { return sql("$quiet SELECT steward.shred_subject('person', '$_[0]')") }
sub finish { return sql("$quiet CALL steward.finish_erasure()") }

sql(q{SELECT steward.create_key('p');
CREATE TABLE person (id integer, who integer, city steward.encrypted_text('p/city'), name steward.encrypted_text('p/name')) WITH (fillfactor = 70);
ALTER TABLE person ALTER name SET STORAGE EXTERNAL;
SELECT steward.bind_subject('person', 'person', 'who');
INSERT INTO person SELECT i, i, 'city ' || i % 10, 'name ' || i FROM generate_series(1, 3000) AS i;
INSERT INTO person VALUES (4001, 2001, 'city 1', repeat('long', 5000));
CREATE INDEX by_name ON person USING blind (name);
CREATE INDEX by_city ON person USING blind (city, name);
CREATE INDEX by_part ON person USING blind (name) WHERE id % 2 = 0;
INSERT INTO person SELECT i, i, 'city ' || i % 10, 'name ' || i FROM generate_series(3001, 3100) AS i});
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

# ---- packed, in the tail, out of line, HOT, ended ----
my $long = 'long' x 5000;
like(tags($node, 'by_name', 'name 7', 'name 3007', $long, 'name 0'), qr/^1 0 [01], 1 0 [01], 1 0 [01], 0 0 0$/,
	'tags are found: packed, and where there was room in a tail as bytes');
like(tags($node, 'by_city', [ 'city 7', 'name 7' ], [ 'city 7', 'name 3007' ], [ 'city 1', $long ]), qr/^1 0 [01], 1 0 [01], 1 0 [01]$/, 'of two columns too');
like(tags($node, 'by_part', 'name 8', 'name 7'), qr/^1 0 [01], 0 0 0$/, 'and of a part of the rows');
sql('UPDATE person SET id = id WHERE who IN (7, 8)') for 1 .. 3;
sql(q{UPDATE person SET name = 'former 9' WHERE who = 9});
sql(q{UPDATE person SET name = 'name 9b' WHERE who = 9});
sql('DELETE FROM person WHERE who IN (10, 11)');
sql('SELECT count(name) FROM person WHERE id = 11');
like(tags($node, 'by_name', 'name 9', 'former 9', 'name 9b', 'name 10'), qr/^1 0 0, 1 0 [01], 1 0 [01], 1 0 0$/, 'versions that have ended have their tags, too');
my $armour = sql('SELECT name FROM person WHERE who = 7');
shred($_) for 7, 8, 9, 10, 3007, 2001;
like(tags($node, 'by_name', 'name 7'), qr/^1 0 [01]$/, 'erasing alone removes no tag');
is(finish(), '6', 'the erasures are final');
is(tags($node, 'by_name', 'name 7', 'name 8', 'name 3007', 'name 9', 'former 9', 'name 9b', 'name 10', $long), join(', ', ('0 0 0') x 8), 'then none of the tags is there');
is(tags($node, 'by_city', [ 'city 7', 'name 7' ], [ 'city 8', 'name 8' ], [ 'city 7', 'name 3007' ], [ 'city 9', 'former 9' ], [ 'city 1', $long ]), join(', ', ('0 0 0') x 5), 'of two columns neither');
is(tags($node, 'by_part', 'name 8', 'former 9'), '0 0 0, 0 0 0', 'nor in the partial one');
like(tags($node, 'by_name', 'name 12', 'name 3008'), qr/^1 0 [01], 1 0 [01]$/, 'others are there');
$node->wait_for_catchup($standby);
like(tags($standby, 'by_name', 'name 7', 'name 8', 'name 3007', 'name 9', 'former 9', 'name 10', $long, 'name 12'), qr/^(?:0 0 0, ){7}1 0 [01]$/, 'and so it is on the standby');

# ---- what searches find ----
is(rows("SELECT id FROM person WHERE name = '$armour'::steward.encrypted_text"), '7', 'an erased value is found by its ciphertext');
is(rows(q{SELECT id FROM person WHERE name = 'name 7'}), 'none', 'and not by its plaintext');
is(rows(q{SELECT id FROM person WHERE name = 'name 12'}), '12', 'others are found');

# ---- versions whose values out of line are gone already ----
sql(qq{INSERT INTO person VALUES (4003, 2003, 'city 1', repeat('long', 6000)), (4004, 2004, 'city 1', repeat('long', 7000));
UPDATE person SET name = 'short ' || id WHERE id IN (4003, 4004)});
sql(q{SELECT format('VACUUM %s', reltoastrelid::regclass) FROM pg_class WHERE oid = 'person'::regclass \gexec});
like(tags($node, 'by_name', 'long' x 6000), qr/^1 0 [01]$/, 'the tag of a value is there that can not be read any more');
shred(2003);
is(finish(), '1', 'that stands in no way');
is(tags($node, 'by_name', 'long' x 6000, 'short 4003'), '0 0 0, 0 0 0', 'and the tag goes');
is(rows(q{SELECT id FROM person WHERE name = 'short 4004'}), '4004', 'of others the rows are found');
is(rows(q{SELECT id FROM person WHERE city = 'city 7' AND id < 30}), '17 27', 'also by the first column of two');
is(rows(q{SELECT id FROM person WHERE name IN ('name 16', 'name 8') AND id % 2 = 0}), '16', 'and in part of the rows');

# ---- a run of one value over many pages, with bounds in it ----
sql(q{CREATE TABLE visit (id integer, who integer, name steward.encrypted_text('p/name'));
SELECT steward.bind_subject('visit', 'person', 'who');
INSERT INTO visit SELECT i, 5001 + (i > 40000)::integer, CASE WHEN i > 40000 THEN 'other ' || i ELSE 'the same' END FROM generate_series(1, 42000) AS i;
CREATE INDEX by_visit ON visit USING blind (name);
INSERT INTO visit SELECT i, 5001, 'the same' FROM generate_series(50001, 52000) AS i});
my ($entries, $bounds) = split / /, tags($node, 'by_visit', 'the same');
cmp_ok($entries, '>', 0, 'a run has its tag in entries');
cmp_ok($bounds, '>', 5, 'and in bounds of pages');
shred(5001);
sql("$quiet SET maintenance_work_mem = '1MB'; CALL steward.finish_erasure()");
is(tags($node, 'by_visit', 'the same'), '0 0 0', 'neither is left');
is(rows(q{SELECT id FROM visit WHERE name = 'other 41000'}), '41000', 'what is beside the run is found');
is(rows(q{SELECT count(*) AS id FROM visit WHERE name = 'the same'}), '0', 'and nothing in it');
sql(q{INSERT INTO visit SELECT i, 5003, 'third ' || i % 500 FROM generate_series(60001, 80000) AS i});
is(rows(q{SELECT count(*) AS id FROM visit WHERE name = 'third 7'}), '40', 'new rows go between the bounds');
sql('DELETE FROM visit WHERE who = 5001; VACUUM visit');
is(rows(q{SELECT count(*) AS id FROM visit WHERE name IN ('third 7', 'other 41001')}), '41', 'and stay when the others are gone');
$node->wait_for_catchup($standby);
is(tags($standby, 'by_visit', 'the same'), '0 0 0', 'on the standby neither');

in_order($node, 'the indexes are in order');
in_order($standby, 'so they are on the standby');

# ---- a run that others have, too: bounds name no row of an erased person ----
sql(q{CREATE TABLE shared (id integer, who integer, name steward.encrypted_text('p/name'));
SELECT steward.bind_subject('shared', 'person', 'who');
INSERT INTO shared SELECT i, 6001 + (i % 3 = 0)::integer, 'shared' FROM generate_series(1, 60000) AS i;
CREATE INDEX by_shared ON shared USING blind (name);
INSERT INTO shared SELECT i, 6001 + (i % 3 = 0)::integer, 'shared' FROM generate_series(60001, 90000) AS i});

# How many bounds there are in the run, and how many come after a row of a person.
sub bounds_of
{
	my ($who) = @_;
	my ($line) = look($node, 'by_shared', 'bounds', 'shared');
	my @tids = $line =~ /\d+,\d+/g;

	return scalar(@tids) . ' ' . sql(sprintf q{SELECT count(*) FROM shared WHERE who = %d AND ctid IN (%s)}, $who,
		join ',', map { my ($block, $offset) = split /,/; sprintf q{'(%d,%d)'}, $block, $offset - 1 } @tids);
}
my ($all, $named) = split / /, bounds_of(6001);
cmp_ok($named, '>', 2, 'bounds of a run name rows of a person');
shred(6001);
finish();
is(bounds_of(6001) =~ s/.* //r, '0', 'when he is erased they do not');
like(bounds_of(6002), qr/^[1-9]/, 'the run goes on for others');
is(rows(q{SELECT count(*) AS id FROM shared WHERE name = 'shared'}), '30000', 'whose rows are all found');
shred(6002);
finish();
is(tags($node, 'by_shared', 'shared'), '0 0 0', 'and when they are erased nothing is left of it');
in_order($node, 'the index is in order');

# ---- several entries a value ----
# The shortest interval of a date is the day: see range_place.c.
sub interval
{
	my ($year, $month, $day) = @_;

	return pack 'C Q> Q>', 0, 0, 32 * (12 * (1000 + 5000 + $year) + $month - 1) + $day - 1;
}
sub trigram { return pack 'a12', $_[0] }
my @of_range = (interval(1977, 5, 17), interval(1978, 5, 17));
my @of_text = (trigram('zzy'), trigram('  z'), trigram('abc'));

sql(q{CREATE TABLE several (id integer, who integer, n steward.encrypted_date('p/n'), name steward.encrypted_text('p/name')) PARTITION BY LIST ((id % 2));
CREATE TABLE several_0 PARTITION OF several FOR VALUES IN (0);
CREATE UNLOGGED TABLE several_1 PARTITION OF several FOR VALUES IN (1);
SELECT steward.bind_subject('several', 'person', 'who');
CREATE INDEX by_n ON several USING blind (n steward.blind_date_range_ops);
CREATE INDEX by_text ON several USING blind (name steward.blind_trigram_ops);
INSERT INTO several SELECT i, 8000 + i / 2 % 2, date '1977-05-17' + 365 * (i / 2 % 2), CASE i / 2 % 2 WHEN 0 THEN 'zzyzx ' || i ELSE 'abcd ' || i END FROM generate_series(0, 3999) AS i});
for my $part (0, 1)
{
	like(tags($node, "several_${part}_n_idx", @of_range), qr/^[1-9].*, [1-9]/, "partition $part has the tags of intervals");
	like(tags($node, "several_${part}_name_idx", @of_text), qr/^[1-9].*, [1-9].*, [1-9]/, "partition $part has the tags of trigrams");
}
shred(8000);
# Hardly any memory: many transactions, each with some of the entries.
sql("$quiet SET maintenance_work_mem = '1MB'; CALL steward.finish_erasure()");
for my $part (0, 1)
{
	like(tags($node, "several_${part}_n_idx", @of_range), qr/^0 0 0, [1-9]/, "partition $part has no tag of the erased interval");
	like(tags($node, "several_${part}_name_idx", @of_text), qr/^0 0 0, 0 0 0, [1-9]/, "nor of erased trigrams");
	like(tags($node, "several_${part}_n_idx", ''), qr/^[1-9]/, 'but presence');
}
is(rows(q{SELECT count(*) AS id FROM several WHERE n BETWEEN '1970-01-01'::date AND '1990-12-31'::date}), '2000', 'others are found by range');
is(rows(q{SELECT count(*) AS id FROM several WHERE name LIKE '%bcd%'}), '2000', 'and by pattern');
is(rows(q{SELECT count(*) AS id FROM several WHERE name LIKE '%zzy%'}), '0', 'the erased are not');
is(rows(q{SELECT count(*) AS id FROM several WHERE n IS NOT NULL}), '4000', 'but all as present');
in_order($node, 'the indexes are in order');
$node->wait_for_catchup($standby);
like(tags($standby, 'several_0_n_idx', @of_range), qr/^0 0 0, [1-9]/, 'on the standby neither');
in_order($standby, 'where they are in order, too');

# ---- partitions, unlogged tables, tables that are not bound any more, failed builds ----
sql(q{CREATE TABLE parted (id integer, who integer, name steward.encrypted_text('p/name')) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
SELECT steward.bind_subject('parted', 'person', 'who');
CREATE INDEX by_parted ON parted USING blind (name);
CREATE UNLOGGED TABLE unlogged (id integer, who integer, name steward.encrypted_text('p/name'));
SELECT steward.bind_subject('unlogged', 'person', 'who');
CREATE INDEX by_unlogged ON unlogged USING blind (name);
INSERT INTO parted SELECT i, 5010, 'parted ' || i FROM generate_series(1, 19) AS i;
INSERT INTO unlogged SELECT i, 5010, 'unlogged ' || i FROM generate_series(1, 2000) AS i;
CREATE TABLE copied AS SELECT id, name FROM parted;
CREATE INDEX by_copied ON copied USING blind (name);
SELECT steward.unbind_subject('unlogged');
CREATE INDEX by_failed ON parted_1 USING blind (name);
UPDATE pg_index SET indisready = false, indisvalid = false WHERE indexrelid = 'by_failed'::regclass});
like(tags($node, 'parted_2_name_idx', 'parted 15'), qr/^1 0 [01]$/, 'a partition has the tag');
like(tags($node, 'by_unlogged', 'unlogged 5'), qr/^1 0 [01]$/, 'so has an unlogged index');
like(tags($node, 'by_copied', 'parted 15'), qr/^1 0 [01]$/, 'and a table that is not bound, which values were copied to');
shred(5010);
finish();
is(tags($node, 'parted_2_name_idx', 'parted 15', 'parted 16'), '0 0 0, 0 0 0', 'not any more');
is(tags($node, 'by_unlogged', 'unlogged 5', 'unlogged 1999'), '0 0 0, 0 0 0', 'nor has the unlogged index');
is(tags($node, 'by_copied', 'parted 15'), '0 0 0', 'nor the table that is not bound');
is(sql(q{SELECT pg_relation_size('by_failed')}), '0', 'an index that failed to be built is emptied');

# ---- who stands in the way ----
sql(q{BEGIN; INSERT INTO parted VALUES (5, 5011, 'prepared'); PREPARE TRANSACTION 'writer'});
my $waiting = steward_session($node);
shred(7001);
$waiting->query_until(qr/waits/, "\\echo waits\n$quiet CALL steward.finish_erasure();\n\\echo done\n");
ok(steward_poll(sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%finish_erasure%' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()}) eq '1' }), 'it waits for a prepared transaction');
sql(q{COMMIT PREPARED 'writer'});
$waiting->query_until(qr/done/, "\n");
is(sql('SELECT count(*) FROM steward.pending_erasure'), '0', 'and ends after it');
shred(5011);
finish();
is(tags($node, 'parted_1_name_idx', 'prepared'), '0 0 0', 'the tag that it wrote is gone with its subject');
$waiting->quit;

# ---- a scan that began while others were waited for ----
sql(q{INSERT INTO parted VALUES (6, 5012, 'read'); BEGIN; INSERT INTO parted VALUES (7, 5013, 'other'); PREPARE TRANSACTION 'writer'});
shred(5012);
my $finisher = steward_session($node);
my $reader = steward_session($node);
$finisher->query_until(qr/waits/, "\\echo waits\n$quiet CALL steward.finish_erasure();\n\\echo done\n");
ok(steward_poll(sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%finish_erasure%' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()}) eq '1' }), 'it waits for a prepared transaction');
is($reader->query(q{BEGIN; SET enable_seqscan = off; SELECT count(*) FROM parted_1 WHERE name = 'nobody'}), '0', 'a reader begins meanwhile');
sql(q{COMMIT PREPARED 'writer'});
ok(steward_poll(sub { sql(q{SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND relation = 'parted_1'::regclass AND mode = 'ShareUpdateExclusiveLock' AND granted}) eq '1' }), 'the erasure has come to its table');
is(sql(q{SET statement_timeout = '10s'; SELECT count(*) FROM parted_1 WHERE name = 'other'}), '1', 'others read on');
is(sql('SELECT count(*) FROM steward.pending_erasure'), '1', 'but it does not go past the reader');
$reader->query('COMMIT');
$finisher->query_until(qr/done/, "\n");
like(tags($node, 'parted_1_name_idx', 'read', 'other'), qr/^0 0 0, 1 0 [01]$/, 'when he is gone, the tag is');
$_->quit for $finisher, $reader;

# ---- killed on the way, with VACUUM and writers beside ----
my $round = 0;
for my $pause (0.005, 0.02, 0.05, 0.1)
{
	my ($first, $last) = (100 + 100 * $round, 190 + 100 * $round++);

	sql("$quiet SELECT count(steward.shred_subject('person', i::text)) FROM generate_series($first, $last) AS i");
	my $session = steward_session($node);
	my $pid = $session->query("$quiet SELECT pg_backend_pid()");
	my $vacuum = steward_session($node);
	$vacuum->query_until(qr/begins/, "\\echo begins\nVACUUM person;\n");
	$session->query_until(qr/begins/, "\\echo begins\nCALL steward.finish_erasure();\n");
	select undef, undef, undef, $pause;
	steward_kill($node, $pid);
	$_->{run}->kill_kill for $session, $vacuum;
	finish();
	is(tags($node, 'by_name', map { "name $_" } $first .. $last), join(', ', ('0 0 0') x ($last - $first + 1)), 'done again, no tag is left');
	is(tags($node, 'by_city', map { [ 'city ' . $_ % 10, "name $_" ] } $first .. $last), join(', ', ('0 0 0') x ($last - $first + 1)), 'of two columns neither');
	like(rows(q{SELECT id FROM person WHERE name IS NOT NULL AND id < 300}), qr/^1 2 .* 298 299$/, 'every row is found, once');
	in_order($node, 'the indexes are in order');
}

# ---- the whole server stopped on the way, while a run is lowered ----
my $gone = 6010;
for my $pause (0.05, 0.2, 0.4)
{
	$gone++;
	sql(qq{TRUNCATE shared; INSERT INTO shared SELECT i, CASE WHEN i > 80000 THEN 6004 ELSE $gone END, CASE WHEN i > 80000 THEN 'beside ' || i ELSE 'again' END FROM generate_series(1, 82000) AS i;});
	shred($gone);
	my $session = steward_session($node);

	$session->query_until(qr/begins/, "\\echo begins\n$quiet CALL steward.finish_erasure();\n");
	select undef, undef, undef, $pause;
	$node->stop('immediate');
	$session->{run}->kill_kill;
	$node->start;
	in_order($node, 'after a crash the indexes are in order');
	sql(q{INSERT INTO shared SELECT i, 6004, 'between ' || i FROM generate_series(100001, 110000) AS i});
	finish();
	is(tags($node, 'by_shared', 'again'), '0 0 0', 'done again, nothing is left of the run');
	is(rows(q{SELECT id FROM shared WHERE name IN ('beside 81000', 'between 105000')}), '81000 105000', 'others are found');
	in_order($node, 'and the indexes are in order');
}
$node->wait_for_catchup($standby);
in_order($standby, 'on the standby, too');

# ---- without the root key ----
shred(50);
steward_set($node, 'steward.root_key_file' => undef);
like(steward_error($node, 'CALL steward.finish_erasure()'), qr/root key/, 'without the root key it says so');
is(sql('SELECT count(*) FROM steward.pending_erasure'), '1', 'and is not final');
steward_set($node, 'steward.root_key_file' => $keyring);
is(finish(), '1', 'with it, it is');
is(tags($node, 'by_name', 'name 50'), '0 0 0', 'and the tag is gone');

$standby->stop;
$node->stop;
done_testing();

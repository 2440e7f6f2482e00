# What is chosen to be recorded survives a dump, columns that were dropped and renamed,
# and roles that have other oids; and it holds for what logical replication applies.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $keyring = steward_keyring();
my $node = steward_node('main', keyring => $keyring, init => { allows_streaming => 'logical' });
$node->safe_psql('postgres', q{
CREATE ROLE loader LOGIN;
CREATE ROLE clerk LOGIN;
SELECT steward.create_key('pii');
CREATE TABLE person (gone_1 integer, name text, gone_2 text, id integer PRIMARY KEY, note text, ssn text, "odd ""name" text, kept text);
SELECT steward.enable_audit('person', exclude => '{note}', redact => '{"name": "hash", "ssn": {"encrypt": "pii"}, "odd \"name": "omit"}',
    condition => $$kept <> 'no' OR "odd ""name" = 'yes'$$, log_unchanged => true);
CREATE TABLE narrow (gone integer, id integer PRIMARY KEY, a text, b text);
SELECT steward.enable_audit('narrow', include => '{b}');
ALTER TABLE person DROP COLUMN gone_1, DROP COLUMN gone_2;
ALTER TABLE narrow DROP COLUMN gone;
-- Names change places.
ALTER TABLE person RENAME COLUMN name TO x;
ALTER TABLE person RENAME COLUMN note TO name;
ALTER TABLE person RENAME COLUMN x TO note;
CREATE TABLE whole (id integer, day integer, secret text, PRIMARY KEY (id, day)) PARTITION BY LIST (day);
CREATE TABLE part (secret text, gone text, day integer NOT NULL, id integer NOT NULL);
ALTER TABLE part DROP COLUMN gone;
ALTER TABLE whole ATTACH PARTITION part FOR VALUES IN (1);
SELECT steward.enable_audit('whole', redact => '{"secret": "omit"}', condition => 'id <> 13');
GRANT ALL ON ALL TABLES IN SCHEMA public TO loader, clerk;
SELECT steward.exempt_role('loader', 'because');
});

my $settings = q{SELECT string_agg(relation || ' ' || setting, E'\n' ORDER BY relation::text) FROM steward.audit_setting};
my $before = $node->safe_psql('postgres', $settings);
like($before, qr/"exclude": \["name"\]/, 'settings follow columns that change places');
like($before, qr/"note": "hash"/, 'all of them');

# A transaction of each role, and what is recorded of it.
my $changes = q{
INSERT INTO person (id, note, ssn, "odd ""name", name, kept) VALUES (%1$d, 'canary-hash', 'canary-ssn', 'canary-omit', 'canary-excluded', 'yes'), (%2$d, 'x', 'y', 'z', 'w', 'no');
INSERT INTO narrow VALUES (%1$d, 'canary-not-included', 'in');
INSERT INTO whole VALUES (%1$d, 1, 'canary-part'), (13, 1, 'canary-part');
DELETE FROM whole WHERE id = 13;
};
my $recorded = q{SELECT string_agg(concat_ws(' ', relation, key, new - '{ssn,note}'::text[], new->'note' ? 'hash', steward.audit_reveal(new->'ssn')), E'\n' ORDER BY xid, seq)
FROM steward.audit_trail WHERE operation = 'INSERT' AND xid > '%s'};

sub record
{
	my ($on, $database, $first) = @_;
	my $since = $on->safe_psql($database, 'SELECT pg_current_xact_id()');
	my @role = (extra_params => ['-U', 'loader']);
	$on->safe_psql($database, sprintf($changes, $first + 100, $first + 101), @role);
	is($on->safe_psql($database, sprintf $recorded, $since), '', 'the exempt role is not recorded');
	$on->safe_psql($database, sprintf($changes, $first, $first + 1), extra_params => ['-U', 'clerk']);
	return $on->safe_psql($database, sprintf $recorded, $since) =~ s/"id": $first/"id": N/gr;
}

my $here = record($node, 'postgres', 1);
is($here, q{public.person {"id": N} {"id": N, "kept": "yes", "odd \"name": {"omitted": true}} t canary-ssn
public.narrow {"id": N} {"b": "in", "id": N}
public.part {"id": N, "day": 1} {"id": N, "day": 1, "secret": {"omitted": true}}}, 'what is chosen is recorded');

# ---- a dump, into a cluster with other oids ----

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
my $globals = PostgreSQL::Test::Utils::tempdir() . '/globals.sql';
$node->command_ok(['pg_dump', '-f', $dump, $node->connstr('postgres')], 'dump');
my $other = steward_node('other', keyring => $keyring, extension => 0);
$other->safe_psql('postgres', q{CREATE ROLE clerk LOGIN; CREATE ROLE someone; CREATE ROLE loader LOGIN; CREATE TABLE shift_oids (id serial PRIMARY KEY)});
$other->command_ok(['psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $other->connstr('postgres'), '-f', $dump], 'restore');
is($other->safe_psql('postgres', $settings), $before, 'the settings are restored');
is($other->safe_psql('postgres', 'SELECT role, reason FROM steward.audit_exempt'), 'loader|because', 'so are the roles');
is(record($other, 'postgres', 1000), $here, 'and what is recorded is the same');
$other->safe_psql('postgres', 'DROP OWNED BY loader; DROP ROLE loader');
is($other->safe_psql('postgres', 'SELECT count(*) FROM steward.audit_exempt'), '0', 'a role that goes takes its exemption with it');

# ---- logical replication ----

$node->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE person');
$other->safe_psql('postgres', 'TRUNCATE person');
steward_set($other, 'steward.require_context' => 'authenticated');
$other->safe_psql('postgres', sprintf q{CREATE SUBSCRIPTION s CONNECTION '%s' PUBLICATION p WITH (copy_data = false)}, $node->connstr('postgres') =~ s/'/''/gr);
my $since = $other->safe_psql('postgres', 'SELECT pg_current_xact_id()');
$node->safe_psql('postgres', sprintf($changes, 5000, 5001), extra_params => ['-U', 'clerk']);
$node->wait_for_catchup('s');
is($other->safe_psql('postgres', sprintf $recorded, $since),
	q{public.person {"id": 5000} {"id": 5000, "kept": "yes", "odd \"name": {"omitted": true}} t canary-ssn}, 'what is applied is recorded as chosen, and needs no context');
like(steward_error($other, q{DELETE FROM person}), qr/can be changed only in an authenticated context/, 'others need one');
$other->safe_psql('postgres', 'DROP SUBSCRIPTION s');

# ---- nothing of it is in the log ----

for my $each ($node, $other)
{
	$each->safe_psql('postgres', 'CHECKPOINT');
	my $data = $each->data_dir;
	my @files = split /\n/, $each->safe_psql('postgres', q{SELECT pg_relation_filepath(f) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid,
		unnest(ARRAY[c.oid, c.reltoastrelid]) AS f WHERE i.inhparent = 'steward.audit_log'::regclass AND f <> 0});
	my @found = map { steward_file_holds("$data/$_", qw(canary-hash canary-ssn canary-omit canary-excluded canary-not-included canary-part)) } @files;
	is_deeply(\@found, [], 'nothing redacted or excluded is in the files of the log');
	my @control = map { steward_file_holds("$data/$_", 'yes') } @files;
	isnt(scalar @control, 0, 'what is recorded in clear is');
}
done_testing();

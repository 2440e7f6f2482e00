# All that needs no worker works with CREATE EXTENSION alone: the library is
# loaded by the session that first uses it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $node = steward_node('main', preload => 0);

is($node->safe_psql('postgres', 'SHOW shared_preload_libraries'), '', 'nothing is preloaded');
$node->safe_psql('postgres', q{
SELECT steward.create_key('pii');
CREATE ROLE reader LOGIN;
CREATE ROLE writer LOGIN;
CREATE TABLE person (id int PRIMARY KEY, ssn steward.encrypted_text('pii/person.ssn'));
GRANT SELECT ON person TO reader;
GRANT INSERT ON person TO writer;
CREATE UNIQUE INDEX person_ssn ON person (ssn steward.encrypted_unique_ops);
SELECT steward.grant_key('pii', 'reader', 'decrypt')});
is(steward_error($node, q{INSERT INTO person SELECT g, 'ssn ' || g FROM generate_series(1, 50) g}, user => 'writer'), '', 'a role that may INSERT encrypts, with a unique index');
like(steward_error($node, q{INSERT INTO person VALUES (51, 'ssn 7')}, user => 'writer'), qr/^ERROR:  duplicate key value violates unique constraint "person_ssn"/, 'a duplicate is found');
is($node->safe_psql('postgres', q{SELECT id FROM person WHERE ssn = 'ssn 7'}, extra_params => [ '-U', 'reader' ]), '7', 'found by value');
is($node->safe_psql('postgres', q{SELECT ssn::text FROM person WHERE id = 7}, extra_params => [ '-U', 'reader' ]), 'ssn 7', 'decrypted');
like(steward_error($node, q{GRANT SELECT ON person TO writer; SET ROLE writer; SELECT ssn::text FROM person}), qr/^ERROR:  permission denied for key "pii/, 'not by whom it was not granted to');
like($node->safe_psql('postgres', 'EXPLAIN (COSTS OFF) SELECT id FROM person WHERE ssn = \'ssn 7\'::text') . $node->safe_psql('postgres', 'SET enable_seqscan = off; EXPLAIN (COSTS OFF) SELECT id FROM person WHERE ssn = \'ssn 7\'::text'),
	qr/Index Scan using person_ssn/, 'the unique index serves look-ups');
is($node->safe_psql('postgres', 'SET enable_seqscan = off; SELECT id FROM person WHERE ssn = \'ssn 7\''), '7', 'and finds the row');

# The guard is there in a session that has used nothing of it yet.
for my $ddl (
	'CREATE TABLE bad (v steward.encrypted_text)',
	q{CREATE VIEW bad AS SELECT 'x'::steward.encrypted_text AS v},
	'CREATE INDEX ON person (ssn)')
{
	like(steward_error($node, $ddl), qr/^ERROR:  /, "refused: $ddl");
}

# So is what watches over indexes, even where nothing of the library is called.
$node->safe_psql('postgres', q{
CREATE TABLE tenant (id int, tenant int, ssn steward.encrypted_text('pii/tenant.ssn'));
CREATE UNIQUE INDEX tenant_ssn ON tenant (ssn steward.encrypted_unique_ops, tenant);
INSERT INTO tenant VALUES (1, 1, 'one'), (2, 2, 'two');
GRANT ALL ON tenant TO writer;
CREATE ROLE owner LOGIN;
GRANT ALL ON SCHEMA public TO writer, owner;
CREATE TABLE owned (id int, ssn steward.encrypted_text('pii/owned.ssn'));
INSERT INTO owned VALUES (1, 'one'), (2, 'one');
ALTER TABLE owned OWNER TO owner;
CREATE TABLE parted (id int, ssn steward.encrypted_text('pii/owned.ssn')) PARTITION BY LIST (id);
CREATE UNIQUE INDEX ON parted (id, ssn steward.encrypted_unique_ops);
ALTER TABLE parted OWNER TO owner});
my $off = 'SET enable_seqscan = off; SET enable_bitmapscan = off';
like($node->safe_psql('postgres', "$off; EXPLAIN (COSTS OFF) SELECT id FROM tenant WHERE tenant > 0", extra_params => [ '-U', 'writer' ]), qr/^Seq Scan/m, 'rows in the order of an index are not given without the right');
like($node->safe_psql('postgres', "$off; EXPLAIN (COSTS OFF) SELECT id FROM tenant WHERE tenant > 0"), qr/^Index Scan/m, 'but with it');
like(steward_error($node, 'CLUSTER tenant USING tenant_ssn'), qr/^ERROR:  cannot cluster on index/, 'nor do rows lie in it');
like(steward_error($node, 'CREATE UNIQUE INDEX ON owned (ssn steward.encrypted_unique_ops)', user => 'owner'), qr/^ERROR:  permission denied for key/, 'rows are not compared without the right');
like(steward_error($node, 'ALTER TABLE parted ATTACH PARTITION owned DEFAULT', user => 'owner'), qr/^ERROR:  permission denied for key/, 'nor by another command');
like(steward_error($node, 'CREATE UNIQUE INDEX ON owned (ssn steward.encrypted_unique_ops)'), qr/^ERROR:  could not create unique index/, 'a superuser makes an index for an owner who may not search');

# In each new session the first use is another one.
for my $first (
	'SELECT ssn FROM person WHERE id = 1', q{SELECT 'x'::steward.encrypted_text IS NOT NULL},
	'ANALYZE person', 'VACUUM person', 'REINDEX TABLE person',
	q{SELECT steward.has_key_privilege('reader', 'pii', 'decrypt')},
	q{COPY person (ssn) TO '/dev/null'}, q{EXPLAIN SELECT * FROM person ORDER BY ssn},
	q{SELECT * FROM pg_catalog.pg_indexes WHERE tablename = 'person'},
	q{ALTER TABLE person ADD COLUMN other steward.encrypted_text('pii/person.other')},
	q{UPDATE person SET other = 'second'}, q{CREATE TABLE copy AS SELECT ssn FROM person},
	q{MERGE INTO person p USING (SELECT 1 AS id) s ON p.id = s.id WHEN MATCHED THEN UPDATE SET ssn = 'merged'},
	q{INSERT INTO person VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn},
	q{DELETE FROM person WHERE ssn = 'ssn 9'}, 'TRUNCATE person')
{
	is(steward_error($node, $first), '', "first in a session: $first");
}

# Taken away and put back in the same and in another session.
is(steward_error($node, 'DROP EXTENSION pg_steward CASCADE; CREATE EXTENSION pg_steward; SELECT steward.create_key(\'pii\'); SELECT steward.encrypt_text(\'x\', \'pii\')::text') =~ s/^NOTICE.*\n(DETAIL.*\n)?(drop.*\n)*//gmr =~ s/^(drop|and).*$//gmr =~ s/\s+//gr, '', 'dropped and created again in one session');
is($node->safe_psql('postgres', q{SELECT steward.encrypt_text('x', 'pii')::text}), 'x', 'and it works in the next');

$node->stop;
done_testing();

# pg_upgrade keeps everything: values of all types, their indexes, keys and
# rights, bound values, erasures and the journal, the audit trail, policies, and
# a conversion that was not at its end.
#
# STEWARD_UPGRADE_FROM names the directory (with bin and lib) of an older
# server that has the extension too; test/matrix/run provides one. Without it
# the upgrade is to the same version, which pg_upgrade does as thoroughly.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $from = $ENV{STEWARD_UPGRADE_FROM};

# What the older server needs and this system lacks lies among its modules.
$ENV{LD_LIBRARY_PATH} = join(':', "$from/lib", $ENV{LD_LIBRARY_PATH} // ()) if defined $from;

my $keyring = steward_keyring();
my $journal = steward_directory('journal') . '/journal';
my $conf = <<"CONF";
shared_preload_libraries = 'pg_steward'
steward.root_key_file = '$keyring'
steward.revocation_file = '$journal'
log_statement = none
CONF

my $old = PostgreSQL::Test::Cluster->new('old', defined $from ? (install_path => $from) : ());
my $oldest = int((split /\./, $old->config_data('--version') =~ s/^PostgreSQL //r)[0]);
$old->init(extra => [ '--locale=C', '--encoding=UTF8', $oldest >= 18 ? '--no-data-checksums' : () ]);
$old->append_conf('postgresql.conf', $conf);
$old->start;

# ---- what a database holds after some years ----

$old->safe_psql('postgres', 'CREATE ROLE reader LOGIN; CREATE ROLE searcher LOGIN; CREATE ROLE owner LOGIN; CREATE DATABASE shop');
$old->safe_psql(
	'shop', q{
CREATE EXTENSION pg_steward;
SELECT steward.create_key('pii'), steward.create_key('finance');
SELECT steward.grant_key('pii', 'reader', 'decrypt'), steward.grant_key('pii', 'searcher', 'search');
CREATE SCHEMA app;
GRANT USAGE, CREATE ON SCHEMA app TO owner; GRANT USAGE ON SCHEMA app TO reader, searcher;
CREATE DOMAIN app.iban AS steward.encrypted_text('finance/iban');
CREATE TYPE app.contact AS (label text, phone steward.encrypted_text('pii/contact.phone'));
CREATE TABLE app.value (
    id int PRIMARY KEY,
    t steward.encrypted_text('pii/value.t') NOT NULL,
    x steward.encrypted_bytea('pii/value.x'),
    j steward.encrypted_jsonb('pii/value.j'),
    b steward.encrypted_bigint('pii/value.b'),
    n steward.encrypted_numeric('pii/value.n'),
    d steward.encrypted_date('pii/value.d'),
    z steward.encrypted_timestamptz('pii/value.z'),
    a app.iban, l steward.encrypted_text('pii/value.l')[], c app.contact);
ALTER TABLE app.value ALTER t SET DEFAULT pg_catalog.lower('UNKNOWN');
ALTER TABLE app.value ADD CONSTRAINT long_enough CHECK (pg_catalog.length(t::text) > 1) NOT VALID;
CREATE UNIQUE INDEX value_t ON app.value (t steward.encrypted_unique_ops);
CREATE UNIQUE INDEX value_x ON app.value (x steward.encrypted_bytea_unique_ops);
CREATE UNIQUE INDEX value_j ON app.value (j steward.encrypted_jsonb_unique_ops);
CREATE UNIQUE INDEX value_b ON app.value (b steward.encrypted_bigint_unique_ops);
CREATE UNIQUE INDEX value_n ON app.value (n steward.encrypted_numeric_unique_ops);
CREATE UNIQUE INDEX value_d ON app.value (d steward.encrypted_date_unique_ops);
CREATE UNIQUE INDEX value_z ON app.value (z steward.encrypted_timestamptz_unique_ops);
CREATE TABLE app.child (id int, t steward.encrypted_text('pii/value.t') REFERENCES app.value (t));
CREATE TABLE app.part (id int, v steward.encrypted_text('pii/part.v')) PARTITION BY RANGE (id);
CREATE TABLE app.part_1 PARTITION OF app.part FOR VALUES FROM (0) TO (1000);
CREATE TABLE app.found (gone int, id int, t steward.encrypted_text('pii/found.t'), n steward.encrypted_bigint('pii/found.n'),
    once steward.encrypted_text('pii/found.once'), CONSTRAINT found_once EXCLUDE USING blind (once WITH =));
ALTER TABLE app.found DROP COLUMN gone;
CREATE INDEX found_t ON app.found USING blind (t) WITH (tag_bits = 24);
CREATE INDEX found_n ON app.found USING blind (n steward.blind_bigint_range_ops) WITH (range_tags = 6);
CREATE INDEX found_x ON app.found USING blind (t steward.blind_trigram_ops);
CREATE INDEX found_nt ON app.found USING blind (n, t) WHERE id > 100;
INSERT INTO app.found SELECT g, 'found' || g, g, 'once' || g FROM pg_catalog.generate_series(1, 3000) AS g;
CREATE MATERIALIZED VIEW app.kept AS SELECT id, t FROM app.value;
INSERT INTO app.value
SELECT g, 't' || g, pg_catalog.decode(pg_catalog.lpad(pg_catalog.to_hex(g), 8, '0'), 'hex'), pg_catalog.jsonb_build_object('n', g, 'z', 1.50),
       g * 1000000007::bigint, g + 0.50, date '2000-02-28' + g, timestamptz '2000-02-28 12:00 UTC' + g * interval '1 hour',
       ('iban' || g)::text, ARRAY['l' || g, NULL]::text[], ROW('home', 'phone' || g)::app.contact
  FROM pg_catalog.generate_series(1, 60) AS g;
UPDATE app.value SET t = pg_catalog.repeat('long', 600) WHERE id = 60;
INSERT INTO app.child SELECT id, t FROM app.value WHERE id <= 5;
INSERT INTO app.part SELECT g, 'part' || g FROM pg_catalog.generate_series(1, 20) AS g;
REFRESH MATERIALIZED VIEW app.kept;
GRANT SELECT ON ALL TABLES IN SCHEMA app TO reader, searcher;
SELECT steward.create_decrypted_view('app.value');
GRANT SELECT ON app.value_decrypted TO reader, searcher;
CREATE TABLE app.session (id int PRIMARY KEY, seen timestamptz NOT NULL);
INSERT INTO app.session VALUES (1, '2000-01-01'), (2, pg_catalog.now());
SELECT steward.create_policy('old sessions', 'app.session', 'seen', '90 days');

CREATE TABLE app.person (id bigint PRIMARY KEY, name steward.encrypted_text('pii/person.name'), born steward.encrypted_date('pii/person.born'));
SELECT steward.bind_subject('app.person', 'person', 'id');
SELECT steward.enable_audit('app.person');
SELECT steward.create_ledger_key('test.example/upgrade');
INSERT INTO app.person SELECT g, 'name' || g, date '1980-01-01' + g FROM pg_catalog.generate_series(1, 20) AS g;

CREATE TABLE app.converting (id int PRIMARY KEY, phone text NOT NULL);
ALTER TABLE app.converting OWNER TO owner;
INSERT INTO app.converting SELECT g, 'phone' || g FROM pg_catalog.generate_series(1, 30) AS g;
CREATE UNIQUE INDEX converting_phone ON app.converting (phone)});

# A closed segment of the audit log, with its index, and an open one.
$old->safe_psql('shop', q{CALL steward.switch_segment()});

# Old versions under a current and a former root, a destroyed one, the erased.
$old->safe_psql('shop', q{SELECT steward.rotate_key('pii'), steward.rotate_key('finance')});
$old->safe_psql('shop', q{INSERT INTO app.value (id, t) VALUES (61, 'new version')});
$old->safe_psql('shop', q{SELECT steward.create_key('old'); SELECT steward.rotate_key('old')});
$old->safe_psql('shop', q{SELECT steward.destroy_key_version('old', 1)});
$old->safe_psql('shop', q{SELECT steward.shred_subject('person', '7')});
$old->safe_psql('shop', q{CALL steward.finish_erasure()});
$old->safe_psql('shop', q{SELECT steward.shred_subject('person', '8')});
system_or_bail('pg_steward_keygen', '--add', $keyring);
$old->reload;
$old->safe_psql('shop', q{SELECT steward.create_key('younger')});
my ($status, $out, $err) = $old->psql('shop', q{CALL steward.encrypt_column_online('app.converting', 'phone', 'pii/converting.phone')});
is($status, 0, 'a conversion begins') or diag $err;

my %questions = (
	values => q{SELECT pg_catalog.string_agg(v::text, E'\n' ORDER BY id) FROM (SELECT id, t::text, x::bytea, j::jsonb, b::bigint, n::numeric, d::date, z::timestamptz, a::text, l[1]::text, l[2] IS NULL, (c).phone::text FROM app.value) AS v},
	ciphertext => q{SELECT pg_catalog.md5(pg_catalog.string_agg(v::text, '' ORDER BY id)) FROM app.value AS v},
	view => q{SELECT pg_catalog.string_agg(v::text, E'\n' ORDER BY id) FROM app.value_decrypted AS v},
	kept => q{SELECT pg_catalog.string_agg(id || t::text, ',' ORDER BY id) FROM app.kept},
	parts => q{SELECT pg_catalog.string_agg(id || v::text, ',' ORDER BY id) FROM app.part},
	children => q{SELECT pg_catalog.string_agg(c.id || v.t::text, ',' ORDER BY c.id) FROM app.child AS c JOIN app.value AS v ON v.t = c.t},
	people => q{SELECT pg_catalog.string_agg(pg_catalog.concat_ws('|', id, name IS NULL, coalesce(name::text, 'erased'), born::date), E'\n' ORDER BY id) FROM app.person},
	blind => q{SET enable_seqscan = off; SELECT pg_catalog.string_agg(id::text, ' ' ORDER BY id) FROM app.found WHERE t = 'found17' OR n BETWEEN 700 AND 703 OR t LIKE '%nd2999' OR once = 'once5' OR (n = 108 AND t = 'found108' AND id > 100)},
	blind_check => q{SELECT i.indexrelid::regclass, steward.blind_index_check(i.indexrelid, true), m.exact, m.bits, m.generations, m.multi, m.range_tags FROM pg_catalog.pg_index AS i, steward.blind_metapage(i.indexrelid) AS m WHERE i.indrelid = 'app.found'::regclass ORDER BY i.indexrelid::regclass::text COLLATE "C"},
	pending => q{SELECT pg_catalog.count(*) FROM steward.pending_erasure},
	bindings => q{SELECT relation, kind, "column" FROM steward.subject_binding ORDER BY 1},
	rights => q{SELECT role, key, privilege, source FROM steward.key_privilege WHERE source = 'grant' ORDER BY 1, 2, 3},
	versions => q{SELECT key, version, state, root, root_is_current FROM steward.key_status ORDER BY 1, 2},
	destroyed => q{SELECT version, destroyed_by, forced FROM steward.key_destruction},
	horizon => q{SELECT root, number, erased_subjects, in_use FROM steward.shred_horizon ORDER BY number},
	trail => q{SELECT pg_catalog.count(*), pg_catalog.md5(pg_catalog.string_agg(t::text, E'\n' ORDER BY incarnation, xid, seq)) FROM steward.audit_trail AS t},
	segments => q{SET enable_seqscan = off; SELECT s.number, s.name, c.closed_at, c.records,
		(SELECT pg_catalog.count(*) FROM steward.audit_log AS l WHERE l.segment = s.number
		 AND steward.audit_keys(l.batch, l.first_seq, l.xid) && steward.audit_key_hash('app.person'::regclass, '{"id": 5}')) AS found
		FROM steward.audit_segment AS s LEFT JOIN steward.audit_segment_closed AS c USING (number) ORDER BY 1},
	blocks => q{SELECT pg_catalog.count(*), pg_catalog.md5(pg_catalog.string_agg(b::text, E'\n' ORDER BY incarnation, number)) FROM steward.ledger_block AS b},
	policies => q{SELECT name, relation FROM steward.policy ORDER BY 1},
	conversion => q{SELECT relation, phase FROM steward.column_progress},
	types => q{SELECT attrelid::regclass, attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = attrelid WHERE relnamespace = 'app'::regnamespace AND attnum > 0 AND NOT attisdropped ORDER BY attrelid::regclass::text COLLATE "C", attnum},
	findings => q{SELECT pg_catalog.count(*) FROM pg_catalog.unnest('{t,x,j,b,n,d,z,a,l,c}'::name[]) AS c, steward.verify_column('app.value', c)});

# The worker of the old server has nothing left to seal.
$old->safe_psql('shop', 'SELECT steward.seal_ledger()');
my $checkpoint = $old->safe_psql('shop', 'SELECT steward.ledger_checkpoint()');
my $ledger = q{SELECT finding, incarnation, pg_catalog.regexp_replace(detail, '[0-9]+', '#', 'g') FROM steward.verify_ledger(checkpoint => '} . $checkpoint . q{')};
is($old->safe_psql('shop', $ledger), '', 'the ledger verifies before');
my %before = map { $_ => $old->safe_psql('shop', $questions{$_}) } sort keys %questions;

like($before{values}, qr/^\(7,t7,.*iban7,l7,t,phone7\)$/m, 'the old server holds what was stored');
is($before{blind}, '5 17 108 700 701 702 703 2999', 'blind indexes find it');
like($before{people}, qr/^7\|f\|erased\n8\|f\|erased\n9\|f\|name9/m, 'two people were erased');
is($before{findings}, '0', 'every value is as it should be');
like($before{segments}, qr/^1\|audit_log_1\|.*\|[1-9]\n2\|audit_log_2\|\|\|0$/, 'the audit log has a closed segment and an open one');
like($before{conversion}, qr/^app\.converting\|waiting for indexes$/, 'and a conversion waits');
diag explain \%before if $ENV{STEWARD_SHOW};
$old->stop;

# ---- the upgrade ----

my $new = PostgreSQL::Test::Cluster->new('new');
my $major = int((split /\./, $new->config_data('--version') =~ s/^PostgreSQL //r)[0]);

# Whoever asked for an older version must get it.
cmp_ok($oldest, defined $from ? '<' : '<=', $major, "the upgrade is from $oldest to $major");
$new->init(extra => [ '--locale=C', '--encoding=UTF8', $major >= 18 ? '--no-data-checksums' : () ]);
$new->append_conf('postgresql.conf', $conf);

my @upgrade = (
	'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir,
	'-b', $old->config_data('--bindir'), '-B', $new->config_data('--bindir'),
	'-s', $new->host, '-p', $old->port, '-P', $new->port);
chdir steward_directory('upgrade') or die "cannot change the directory: $!";
command_ok([ @upgrade, '--check' ], 'pg_upgrade --check finds nothing');
command_ok(\@upgrade, 'pg_upgrade') or diag map { slurp_file($_) } glob($new->data_dir . '/pg_upgrade_output.d/*/log/*.log');
$new->start;

# ---- everything is there ----

for my $question (sort keys %questions)
{
	is($new->safe_psql('shop', $questions{$question}), $before{$question}, "$question: as before");
}

my %found = (t => q{'t17'}, x => q{'\x00000011'}, j => q{'{"z": 1.5, "n": 17}'}, b => '17000000119', n => '17.5', d => q{'2000-03-16'}, z => q{'2000-02-29 06:00+01'});
for my $column (sort keys %found)
{
	my $query = "SELECT id FROM app.value WHERE $column = $found{$column}";

	is($new->safe_psql('shop', "SET enable_seqscan = off; $query"), '17', "$column: found by its index");
	like($new->safe_psql('shop', "SET enable_seqscan = off; EXPLAIN $query"), qr/value_$column/, "$column: and that is used");
	is($new->safe_psql('shop', "SET enable_indexscan = off; SET enable_bitmapscan = off; $query"), '17', "$column: found without it");
	like(steward_error($new, "INSERT INTO app.value (id, t, $column) VALUES (999, 'another', $found{$column})" =~ s/, t, t\)/, t)/r =~ s/'another', ('t17')/$1/r, database => 'shop'),
		qr/unique constraint "value_$column"/, "$column: its index keeps another out");
}
like(steward_error($new, q{INSERT INTO app.found (id, once) VALUES (4000, 'once7')}, database => 'shop'), qr/exclusion constraint "found_once"/, 'a blind constraint keeps another out');
is($new->safe_psql('shop', "INSERT INTO app.found VALUES (4001, 'found17', 701, 'new'); $questions{blind}"), '5 17 108 700 701 702 703 2999 4001', 'and blind indexes take new rows');
like($new->safe_psql('shop', 'SET enable_seqscan = off; EXPLAIN SELECT id FROM app.found WHERE n > (SELECT 5)'), qr/Index Scan (?:on|using) found_n\b/, 'and ranges are found by theirs');
is($new->safe_psql('shop', 'SELECT pg_catalog.count(t::text) FROM app.value_decrypted', extra_params => [ '-U', 'reader' ]), '61', 'who could decrypt can');
is($new->safe_psql('shop', 'SELECT pg_catalog.count(t::text) FROM app.value_decrypted', extra_params => [ '-U', 'searcher' ]), '0', 'the view shows nothing to others');
like(steward_error($new, 'SELECT t::text FROM app.value', database => 'shop', user => 'searcher'), qr/^ERROR:  permission denied for key/, 'who could not cannot');
is($new->safe_psql('shop', q{SELECT id FROM app.value WHERE t = 't9'}, extra_params => [ '-U', 'searcher' ]), '9', 'who could search can');

# ---- the ledger: another life of the database ----

# The upgrade itself may be recorded; what it has is of the new cluster.
like($new->safe_psql('shop', $ledger),
	qr/\Afork\|1\|The database of this incarnation was (left: nothing was recorded in this one yet|restored or upgraded into another cluster); it left # records unsealed\. [^\n]*\z/,
	'the ledger verifies, and an upgrade is a fork');
$new->safe_psql('shop', q{UPDATE app.person SET born = '1998-01-01' WHERE id = 11});
ok($new->poll_query_until('shop', q{SELECT EXISTS (SELECT FROM steward.ledger_block WHERE incarnation = 2)}), 'the new life has a log');
like($new->safe_psql('shop', $ledger), qr/\Afork\|1\|The database of this incarnation was restored or upgraded into another cluster; it left # records unsealed\. [^\n]*\z/, 'it is explained');
like($new->safe_psql('shop', 'SELECT steward.ledger_checkpoint()'), qr{^test\.example/upgrade/2\n}, 'with a name of its own');
is($new->safe_psql('shop', q{SELECT pg_catalog.convert_from(parent, 'UTF8') FROM steward.ledger_opening WHERE incarnation = 2}), "$checkpoint\n", 'which begins with the checkpoint of before');
$new->safe_psql('shop', q{SELECT steward.acknowledge_fork(1, 'pg_upgrade')});
is($new->safe_psql('shop', $ledger), '', 'and after that nothing is found');
is($new->safe_psql('shop', 'SELECT pg_catalog.split_part(steward.prove(incarnation, xid, seq), chr(10), 1) FROM steward.audit_record WHERE incarnation = 1 LIMIT 1'),
	'c2sp.org/tlog-proof@v1', 'old records are proved');

# ---- and goes on ----

like(steward_error($new, 'CREATE TABLE app.x (v steward.encrypted_text)', database => 'shop'), qr/names no key/, 'the guard is in force');
like(steward_error($new, 'CREATE INDEX ON app.value (t)', database => 'shop'), qr/^ERROR/, 'for indexes, too');
like(steward_error($new, q{INSERT INTO app.child VALUES (9, 'nobody')}, database => 'shop'), qr/foreign key constraint/, 'the foreign key is in force');
like(steward_error($new, q{UPDATE app.person SET name = 'again' WHERE id = 7}, database => 'shop'), qr/erased/, 'nothing can be bound to the erased');
like(steward_error($new, q{INSERT INTO app.person SELECT 9, name FROM app.person WHERE id = 10 ON CONFLICT (id) DO UPDATE SET name = excluded.name}, database => 'shop'), qr/^ERROR/, 'no value moves to another person');
is($new->safe_psql('shop', q{INSERT INTO app.person VALUES (21, 'name21'); SELECT name::text FROM app.person WHERE id = 21; SELECT pg_catalog.count(*) FROM steward.verify_column('app.person', 'name')}), "name21\n0", 'new values are bound');
is($new->safe_psql('shop', q{SELECT steward.shred_subject('person', '9')}), 't', 'another person is erased');
is($new->safe_psql('shop', q{CALL steward.finish_erasure(); SELECT pg_catalog.count(*) FROM steward.pending_erasure; SELECT name::text IS NULL FROM app.person WHERE id = 9}), "2\n0\nt", 'for good');
is($new->safe_psql('shop', q{SELECT steward.adopt_revocation_journal(); SELECT found, missing FROM steward.revocation_adoption ORDER BY adopted_at DESC LIMIT 1}), "\nwhole|0", 'the journal goes on');
is($new->safe_psql('shop', q{UPDATE app.person SET born = '1999-01-01' WHERE id = 10; SELECT operation, key->>'id' FROM steward.audit_trail ORDER BY written_at DESC, seq DESC LIMIT 1}), 'UPDATE|10', 'changes are recorded');
like(steward_error($new, 'DELETE FROM steward.audit_log', database => 'shop'), qr/append-only/, 'the trail is guarded');
$new->safe_psql('shop', q{CALL steward.run_policy('old sessions')});
is($new->safe_psql('shop', 'SELECT id FROM app.session'), '2', 'policies run');

$new->safe_psql('shop', 'CREATE UNIQUE INDEX CONCURRENTLY ON app.converting (steward_phone steward.encrypted_unique_ops)');
is(steward_error($new, q{CALL steward.encrypt_column_online('app.converting', 'phone', 'pii/converting.phone')}, database => 'shop') =~ s/^(NOTICE|WARNING|HINT|DETAIL).*\n?//gmr, '', 'the conversion comes to its end');
is($new->safe_psql('shop', q{SELECT id, phone::text, phone::text <> phone::varchar FROM app.converting WHERE phone = 'phone3'; SELECT pg_catalog.count(*) FROM steward.verify_column('app.converting', 'phone')}), "3|phone3|f\n0", 'with every value');

$new->safe_psql('shop', q{CALL steward.reencrypt('app.value')});
is($new->safe_psql('shop', q{SELECT pg_catalog.count(*) FROM steward.verify_column('app.value', 't'); SELECT id FROM app.value WHERE t = 't17'}), "0\n17", 'values move to the newest version');
$new->safe_psql('shop', q{CALL steward.rotate_root_key()});
is($new->safe_psql('shop', 'SELECT bool_and(root_is_current) FROM steward.key_status WHERE root IS NOT NULL'), 't', 'the root key is rotated');
is($new->safe_psql('shop', q{SELECT steward.create_key('newest'); SELECT steward.rotate_key('pii'); SELECT steward.grant_key('newest', 'reader', 'decrypt'); SELECT steward.has_key_privilege('reader', 'newest', 'decrypt')}) =~ /t$/, 1, 'keys are made, rotated and granted');
is($new->safe_psql('shop', 'REINDEX SCHEMA app; ANALYZE; VACUUM; REFRESH MATERIALIZED VIEW app.kept; ' . $questions{children}), $before{children}, 'maintenance works');

my $dump = steward_directory('dump') . '/dump';
$new->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $new->connstr('shop') ], 'the database is dumped');
$new->safe_psql('postgres', 'CREATE DATABASE again');
$new->command_ok([ 'pg_restore', '--exit-on-error', '-d', $new->connstr('again'), $dump ], 'and restored');
is($new->safe_psql('again', $questions{parts}), $before{parts}, 'with its values');
is($new->safe_psql('again', $questions{blind}), '5 17 108 700 701 702 703 2999 4001', 'and its blind indexes');
is($new->safe_psql('again', $questions{blind_check}), $before{blind_check}, 'which are in order');
$new->stop;
done_testing();

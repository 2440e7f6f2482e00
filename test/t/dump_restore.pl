# Dump and restore: values, rights and type modifiers survive in every format;
# without a keyring the data still loads; keys of two databases never mix.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use StewardCanary;
use Test::More;

my $keyring = steward_keyring();
my $node = steward_node('source', keyring => $keyring, conf => 'log_statement = none', extension => 0);
my $target = steward_node('target', keyring => $keyring, conf => 'log_statement = none', extension => 0);
my $keyless = steward_node('keyless', keyring => undef, preload => 0, conf => 'log_statement = none', extension => 0);
my $directory = steward_directory('dumps');
my $roles = q{CREATE ROLE reader LOGIN; CREATE ROLE searcher LOGIN; CREATE ROLE loader LOGIN; CREATE ROLE dumper LOGIN IN ROLE pg_read_all_data};

$_->safe_psql('postgres', $roles) for $node, $target, $keyless;
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql(
	'shop', q{
CREATE EXTENSION pg_steward;
SELECT steward.create_key('pii'), steward.create_key('finance');
SELECT steward.grant_key('pii', 'reader', 'decrypt'), steward.grant_key('pii', 'searcher', 'search'), steward.grant_key('finance', 'loader', 'load');
CREATE SCHEMA app;
CREATE DOMAIN app.iban AS steward.encrypted_text('finance/iban');
CREATE TYPE app.contact AS (label text, phone steward.encrypted_text('pii/contact.phone'));
CREATE TABLE app.person (
    id int PRIMARY KEY,
    ssn steward.encrypted_text('pii/person.ssn') NOT NULL,
    note steward.encrypted_text('pii/person.note') DEFAULT pg_catalog.upper('default'),
    account app.iban,
    aliases steward.encrypted_text('pii/person.alias')[],
    contact app.contact);
CREATE UNIQUE INDEX person_ssn ON app.person (ssn steward.encrypted_unique_ops);
CREATE TABLE app.visit (id int PRIMARY KEY, ssn steward.encrypted_text('pii/person.ssn') REFERENCES app.person (ssn));
ALTER TABLE app.person ADD CONSTRAINT long_enough CHECK (pg_catalog.length(ssn::text) > 3) NOT VALID;
CREATE VIEW app.one AS SELECT id, ssn::text AS ssn FROM app.person WHERE ssn = 'CANARY-ssn-7'::text;
CREATE MATERIALIZED VIEW app.kept AS SELECT id, ssn FROM app.person;
CREATE FUNCTION app.of(text) RETURNS int LANGUAGE sql STABLE RETURN (SELECT id FROM app.person WHERE ssn = $1);
CREATE TABLE app.part (id int, v steward.encrypted_text('pii/part.v')) PARTITION BY RANGE (id);
CREATE TABLE app.part_1 PARTITION OF app.part FOR VALUES FROM (0) TO (1000);
GRANT USAGE ON SCHEMA app TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA app TO reader, searcher, loader;
INSERT INTO app.person (id, ssn, account, aliases, contact)
SELECT g, 'CANARY-ssn-' || g, ('CANARY-iban-' || g)::text, ARRAY['CANARY-alias-' || g, NULL, '']::text[], ROW('home', 'CANARY-phone-' || g)::app.contact
  FROM pg_catalog.generate_series(1, 40) AS g;
UPDATE app.person SET note = 'CANARY-ünï-' || pg_catalog.repeat('long ', 3000) WHERE id = 40;
INSERT INTO app.visit SELECT id, ssn FROM app.person WHERE id <= 10;
INSERT INTO app.part SELECT g, 'CANARY-part-' || g FROM pg_catalog.generate_series(1, 30) AS g;
REFRESH MATERIALIZED VIEW app.kept});

my $all = q{
SELECT pg_catalog.string_agg(pg_catalog.concat_ws('|', id, ssn::text, note::text, account::text, (aliases[1])::text, aliases[2] IS NULL, (aliases[3])::text, (contact).phone::text), E'\n' ORDER BY id) FROM app.person;
SELECT pg_catalog.string_agg(id || ssn::text, ',' ORDER BY id) FROM app.visit;
SELECT pg_catalog.string_agg(id || v::text, ',' ORDER BY id) FROM app.part;
SELECT pg_catalog.string_agg(id || ssn::text, ',' ORDER BY id) FROM app.kept;
SELECT id, ssn FROM app.one; SELECT app.of('CANARY-ssn-9')};
my $rights = q{SELECT r, k, p, steward.has_key_privilege(r::regrole, k, p)
  FROM pg_catalog.unnest('{reader,searcher,loader,dumper}'::text[]) r, pg_catalog.unnest('{pii,finance}'::text[]) k, pg_catalog.unnest('{decrypt,search,load}'::text[]) p ORDER BY 1, 2, 3};
my $types = q{SELECT attrelid::regclass, attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = attrelid WHERE relnamespace = 'app'::regnamespace AND attnum > 0 ORDER BY attrelid::regclass::text COLLATE "C", attname;
SELECT pg_catalog.format_type(typbasetype, typtypmod) FROM pg_catalog.pg_type WHERE typname = 'iban'};
my $want = $node->safe_psql('shop', $all);
my $want_rights = $node->safe_psql('shop', $rights);
my $want_types = $node->safe_psql('shop', $types);

# Every secret that a database wraps, as it is under the wrap: those of indexes have
# several generations.
sub secrets
{
	my ($where, $database) = @_;

	return [ sort map { $_->[0] . ' ' . unpack('H*', $_->[1]) } key_material($where, $keyring, $database) ];
}

$node->safe_psql('shop', q{SELECT steward.rotate_index_secret('pii'), steward.rotate_index_secret('pii')});
my $want_secrets = secrets($node, 'shop');
is(scalar(grep { /^secret2 / } @$want_secrets), 4, 'the source has several generations of an index secret');

like($want, qr/CANARY-ssn-7\|DEFAULT\|CANARY-iban-7\|CANARY-alias-7\|t\|\|CANARY-phone-7/, 'the source holds what was stored');
like($want_types, qr/steward\.encrypted_text\('pii\/person\.ssn'\)/, 'type modifiers are shown as names');
unlike($want_types, qr/\(\d+\)/, 'never as numbers');
like($want_rights, qr/reader\|pii\|decrypt\|t/, 'the source has rights');

# Runs a program; it must succeed and say nothing.
sub quietly
{
	my ($command, $name) = @_;
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run($command, '>', \$out, '2>', \$err);

	ok($ok, "$name succeeds");
	is($err, '', "$name warns of nothing");
	return;
}

# ---- every format, with the same keyring ----

my %dumps = (
	plain => [], custom => ['-Fc'], directory => [ '-Fd', '-j2' ], inserts => ['--inserts'],
	columns => [ '-Fc', '--column-inserts' ]);

sub restore
{
	my ($where, $kind, $database, @options) = @_;
	my $file = "$directory/$kind";

	$where->safe_psql('postgres', "CREATE DATABASE $database");
	return $dumps{$kind}[0] && $dumps{$kind}[0] =~ /^-F/
	  ? [ 'pg_restore', '--exit-on-error', ($kind eq 'directory' ? '-j2' : ()), @options, '-d', $where->connstr($database), $file ]
	  : [ 'psql', '-XqAt', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-f', $file, $where->connstr($database) ];
}

for my $kind (sort keys %dumps)
{
	quietly([ 'pg_dump', @{ $dumps{$kind} }, '-f', "$directory/$kind", $node->connstr('shop') ], "pg_dump $kind");
	if ($kind eq 'directory')
	{
		# In parallel an index may be built before the key tables are filled,
		# for pg_restore knows nothing of what it needs: section by section.
		my $command = restore($target, $kind, "shop_$kind");

		quietly([ @$command, "--section=$_" ], "restore $kind, in parallel, $_") for 'pre-data', 'data', 'post-data';
	}
	else
	{
		quietly(restore($target, $kind, "shop_$kind"), "restore $kind");
	}
	is($target->safe_psql("shop_$kind", $all), $want, "$kind: all values are equal");
	is($target->safe_psql("shop_$kind", $rights), $want_rights, "$kind: all rights are equal");
	is($target->safe_psql("shop_$kind", $types), $want_types, "$kind: type modifiers are equal");
	is_deeply(secrets($target, "shop_$kind"), $want_secrets, "$kind: all secrets are equal");
	is($target->safe_psql("shop_$kind", q{SELECT steward.rotate_index_secret('pii')}), '4', "$kind: the next generation follows those that were");
	is($target->safe_psql("shop_$kind", 'SELECT ssn::text FROM app.person WHERE id = 3', extra_params => [ '-U', 'reader' ]), 'CANARY-ssn-3', "$kind: who could decrypt can");
	like(steward_error($target, 'SELECT ssn::text FROM app.person WHERE id = 3', database => "shop_$kind", user => 'searcher'), qr/^ERROR:  permission denied for key/, "$kind: who could not cannot");
	like(steward_error($target, q{INSERT INTO app.person (id, ssn) VALUES (99, 'CANARY-ssn-5')}, database => "shop_$kind"), qr/unique constraint "person_ssn"/, "$kind: the unique index is in force");
	like(steward_error($target, q{INSERT INTO app.visit VALUES (99, 'no such person')}, database => "shop_$kind"), qr/foreign key constraint/, "$kind: the foreign key is in force");
	like(steward_error($target, q{CREATE TABLE x (v steward.encrypted_text)}, database => "shop_$kind"), qr/names no key/, "$kind: the guard is in force");
	is($target->safe_psql("shop_$kind", q{SELECT steward.create_key('new'); SELECT steward.encrypt_text('z', 'new')::text}), "\nz", "$kind: new keys can be made");
}

# The only plaintext in a dump is the view's own text constant.
for my $kind ('plain', 'inserts')
{
	my $dump = slurp_file("$directory/$kind") =~ s/'CANARY-ssn-7'::text//gr;

	unlike($dump, qr/CANARY/, "$kind: no plaintext in the dump");
	for my $root (steward_root_keys($keyring))
	{
		unlike($dump, qr/\Q$root->{base64}\E/, "$kind: no root key in the dump");
	}
}

# Schema and data apart, as some restore them; and again by the result itself.
quietly([ 'pg_dump', '-s', '-f', "$directory/schema", $node->connstr('shop') ], 'pg_dump -s');
quietly([ 'pg_dump', '-a', '-Fc', '-f', "$directory/data", $node->connstr('shop') ], 'pg_dump -a');
$target->safe_psql('postgres', 'CREATE DATABASE apart');
quietly([ 'psql', '-XqAt', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-f', "$directory/schema", $target->connstr('apart') ], 'schema alone');
is($target->safe_psql('apart', 'SELECT pg_catalog.count(*) FROM steward.key'), '0', 'the schema alone brings no keys');
# Indexes and checks are there already, so the keys must come first.
quietly([ 'pg_restore', '--exit-on-error', '-a', '-n', 'steward', '-d', $target->connstr('apart'), "$directory/data" ], 'then the keys');
quietly([ 'pg_restore', '--exit-on-error', '--disable-triggers', '-a', '-N', 'steward', '-d', $target->connstr('apart'), "$directory/data" ], 'then the data');
is($target->safe_psql('apart', 'REFRESH MATERIALIZED VIEW app.kept;' . $all), $want, 'apart: all values are equal');
is($target->safe_psql('apart', $rights), $want_rights, 'apart: all rights are equal');
quietly([ 'pg_dump', '-Fc', '-f', "$directory/again", $target->connstr('apart') ], 'pg_dump of what was restored');
$dumps{again} = ['-Fc'];
quietly(restore($target, 'again', 'twice'), 'restore of what was restored');
is($target->safe_psql('twice', $all), $want, 'twice: all values are equal');

# A role with pg_read_all_data makes a whole dump, others are told.
quietly([ 'pg_dump', '-U', 'dumper', '-Fc', '-f', "$directory/dumper", $node->connstr('shop') ], 'pg_dump by a role with pg_read_all_data');
$dumps{dumper} = ['-Fc'];
quietly(restore($target, 'dumper', 'by_dumper'), 'restore of its dump');
is($target->safe_psql('by_dumper', $all), $want, 'its dump holds all values and keys');
is($target->safe_psql('by_dumper', $rights), $want_rights, 'and all rights');
command_fails([ 'pg_dump', '-U', 'reader', '-f', "$directory/none", $node->connstr('shop') ], 'without the right to read the key tables there is no dump');

# ---- without a keyring ----

for my $kind ('plain', 'custom')
{
	my $database = "bare_$kind";
	my ($out, $err);

	# Without its indexes on encrypted columns nothing needs a key.
	IPC::Run::run([ 'sed', '-e', '/^CREATE UNIQUE INDEX person_ssn/d', '-e', '/^ALTER TABLE ONLY app.visit$/,/;$/{/FOREIGN KEY/d;s/^ALTER TABLE ONLY app.visit$//}', "$directory/plain" ], '>', "$directory/bare_$kind") if $kind eq 'plain';
	my $command = restore($keyless, $kind, $database);
	$command = [ grep { $_ ne '--exit-on-error' } @$command ];
	IPC::Run::run([ map { $_ eq 'ON_ERROR_STOP=1' ? 'ON_ERROR_STOP=0' : $_ } @$command ], '2>', \$err);
	like($err, qr/no root key is available/, "keyless $kind: what needs a key says so");
	my @errors = $err =~ /ERROR:  (.*)/g;
	is_deeply([ grep { !/no root key is available|there is no unique constraint matching given keys|relation "app\.person_ssn" does not exist/ } @errors ], [], "keyless $kind: nothing else fails") or diag $err;
	is($keyless->safe_psql($database, 'SELECT pg_catalog.count(ssn), pg_catalog.count(account), pg_catalog.count(aliases) FROM app.person; SELECT pg_catalog.count(v) FROM app.part'),
		"40|40|40\n30", "keyless $kind: all rows are there");
	like($keyless->safe_psql($database, 'SELECT ssn FROM app.person WHERE id = 3'), qr/^stw1:[A-Za-z0-9_-]{100,}$/, "keyless $kind: ciphertext can be read");
	is($keyless->safe_psql($database, 'SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.encode(steward.encrypted_text_send(ssn), \'hex\'), \',\' ORDER BY id)) FROM app.person'),
		$node->safe_psql('shop', 'SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.encode(steward.encrypted_text_send(ssn), \'hex\'), \',\' ORDER BY id)) FROM app.person'),
		"keyless $kind: it is the same ciphertext");
	like(steward_error($keyless, 'SELECT ssn::text FROM app.person', database => $database), qr/^ERROR:  no root key is available\nDETAIL:  Neither .*\nHINT:  Make a keyring/, "keyless $kind: decrypting is a clear error");
	is(steward_error($keyless, 'ANALYZE; VACUUM', database => $database) =~ s/^WARNING.*\n?//gmr, '', "keyless $kind: ANALYZE works");
	quietly([ 'pg_dump', '-Fc', '-f', "$directory/onward_$kind", $keyless->connstr($database) ], "keyless $kind: a dump");
	$dumps{"onward_$kind"} = ['-Fc'];
	quietly(restore($target, "onward_$kind", "onward_$kind"), "keyless $kind: it is restored where the keyring is");
	like($target->safe_psql("onward_$kind", $all), qr/^\Q@{[ (split m{\n}, $want)[0] ]}\E$/m, "keyless $kind: values came through");
}

# The keyring arrives: what failed is made up for.
steward_set($keyless, 'steward.root_key_file' => $keyring);
$keyless->safe_psql('bare_custom', q{CREATE UNIQUE INDEX person_ssn ON app.person (ssn steward.encrypted_unique_ops);
ALTER TABLE app.visit ADD FOREIGN KEY (ssn) REFERENCES app.person (ssn)});
is($keyless->safe_psql('bare_custom', 'REFRESH MATERIALIZED VIEW app.kept;' . $all), $want, 'once the keyring is there all is equal');

# ---- two databases with the same names ----

$node->safe_psql('postgres', q{CREATE EXTENSION pg_steward; SELECT steward.create_key('pii'); CREATE TABLE thief (v steward.encrypted_text('pii/person.ssn'));
CREATE TABLE loot (v bytea)});
my $armour = $node->safe_psql('shop', 'SELECT ssn FROM app.person WHERE id = 3');
like(steward_error($node, "INSERT INTO thief VALUES ('$armour')"), qr/^ERROR:  ciphertext is under a version that its key does not have/, 'ciphertext of another database cannot be loaded');

# Neither with the key's rows: they are bound to their realm.
my $rows = $node->safe_psql('shop', q{SELECT pg_catalog.format('INSERT INTO steward.key_version (key_id, version, key_tag, root_id, wrapped) VALUES (%s, 2, %s, %L, %L)', key_id, key_tag, root_id, wrapped) FROM steward.key_version JOIN steward.key USING (key_id) WHERE path = 'pii'});
$node->safe_psql('postgres', $rows);
is(steward_error($node, "INSERT INTO thief VALUES ('$armour')"), '', 'with the other database\'s key row a superuser can load it');
like(steward_error($node, 'SELECT v::text FROM thief'), qr/^ERROR:  a wrapped key cannot be opened\nDETAIL:  It was altered, or it belongs to another database/, 'but it does not open');
like(steward_error($node, q{INSERT INTO thief VALUES ('new')}), qr/^ERROR:  a wrapped key cannot be opened/, 'nor is anything sealed under it');
$node->safe_psql('postgres', 'DELETE FROM steward.key_version WHERE version = 2');
is(steward_error($node, q{DELETE FROM thief; INSERT INTO thief VALUES ('new'); SELECT v::text FROM thief}), '', 'without it all is well');

# A restore that left the realm out: no new one hides that, and the right one heals.
my $realm = $node->safe_psql('postgres', q{DELETE FROM steward.realm RETURNING realm});
like(steward_error($node, 'SELECT v::text FROM thief'), qr/^ERROR:  this database has keys but no realm\nHINT: /, 'without its realm nothing opens');
like(steward_error($node, q{SELECT steward.create_key('other')}), qr/^ERROR:  this database has keys but no realm\nHINT: /, 'nor is a realm made beside keys of another');
is(steward_error($node, "INSERT INTO steward.realm (realm) VALUES ('$realm'); SELECT v::text FROM thief; SELECT steward.create_key('other')"), '', 'its own heals');

unlike(slurp_file($_->logfile), qr/CANARY-(iban|alias|phone|part)/, $_->name . ': no plaintext in the log') for $target, $keyless;
$_->stop for $node, $target, $keyless;
done_testing();

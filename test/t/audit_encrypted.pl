# Encrypted columns under audit: the trail holds ciphertext only, replays to
# equal values, and can be read, not decrypted, without the key.
use strict;
use warnings;
use File::Temp;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $canary = 'canary-7d1f0b';
my $keys = File::Temp->newdir();
system_or_bail('pg_steward_keygen', "$keys/root");

my $node = PostgreSQL::Test::Cluster->new('encrypted');
$node->init;
$node->append_conf('postgresql.conf', "steward.root_key_file = '$keys/root'\nsession_preload_libraries = 'pg_steward'\n");
$node->start;
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION pg_steward;
SELECT steward.create_key('pii');
CREATE DOMAIN secret AS steward.encrypted_text('pii/customer.note');
CREATE TABLE customer (id integer PRIMARY KEY, email steward.encrypted_text('pii/customer.email'), n integer);
SELECT FROM steward.enable_audit('customer');
INSERT INTO customer VALUES (1, '$canary-1', 1), (2, NULL, 2), (3, '', 3), (4, repeat('$canary-4', 100000), 4);
UPDATE customer SET n = n + 10;
UPDATE customer SET email = '$canary-new' WHERE id IN (1, 2);
UPDATE customer SET email = NULL WHERE id = 3;
DELETE FROM customer WHERE id = 4;
SQL

# The same inside arrays and composite types.
$node->safe_psql('postgres', <<"SQL");
CREATE TYPE contact AS (kind text, address steward.encrypted_text('pii/contact.address'), since date);
CREATE TABLE nested (id integer PRIMARY KEY, names steward.encrypted_text('pii/nested.names')[], main contact, others contact[]);
SELECT FROM steward.enable_audit('nested');
INSERT INTO nested VALUES (1, ARRAY['$canary-5', NULL, '$canary-6']::steward.encrypted_text('pii/nested.names')[],
    ROW('mail', '$canary-7', '2000-01-01'), ARRAY[ROW('phone', '$canary-8', NULL)::contact]);
UPDATE nested SET main.address = '$canary-9' WHERE id = 1;
SQL
is( $node->safe_psql('postgres',
		"SELECT left(new->'names'->>0, 5), new->'names'->1, left(new->'main'->>'address', 5), left(new->'others'->0->>'address', 5)
		FROM steward.audit_trail WHERE relation = 'public.nested' AND operation = 'INSERT'"),
	'stw1:|null|stw1:|stw1:', 'the trail shows armour inside arrays and composites');
is( $node->safe_psql('postgres',
		"SELECT string_agg(concat(r.op, i.main IS NOT DISTINCT FROM n.main, (i.main).address::text, i.names[3]::text, (i.others[1]).address::text), ' ' ORDER BY r.seq, r.xid)
		FROM steward.audit_record AS r JOIN steward.audit_schema AS s ON s.id = r.schema_version AND s.table_name = 'nested',
			steward.audit_image(NULL::nested, r.schema_version, r.op, r.payload) AS i, nested AS n WHERE r.op IN ('I', 'U')"),
	"If$canary-7$canary-6$canary-8 Ut$canary-9", 'rows made of records open');

is( $node->safe_psql('postgres',
		"SELECT string_agg(operation || (key->>'id') || coalesce(left(old->>'email', 5), '-') || coalesce(left(new->>'email', 5), '-'), ' ' ORDER BY xid, seq)
		FROM steward.audit_trail WHERE relation = 'public.customer' AND (operation IN ('INSERT', 'DELETE') OR new ? 'email')"),
	'INSERT1-stw1: INSERT2-- INSERT3-stw1: INSERT4-stw1: UPDATE1stw1:stw1: UPDATE2-stw1: UPDATE3stw1:- DELETE4stw1:-',
	'the trail shows armour');
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM steward.audit_trail WHERE operation = 'UPDATE' AND new ? 'n' AND (new ? 'email' OR old ? 'email')"),
	'0', 'ciphertext that did not change is not stored again');

# Replayed onto a copy, the values open and are the same ciphertext.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE copied (LIKE customer INCLUDING ALL);
DO $$
DECLARE
    change record;
BEGIN
    FOR change IN SELECT * FROM steward.audit_trail WHERE relation = 'public.customer' ORDER BY xid, seq LOOP
        CASE change.operation
            WHEN 'INSERT' THEN INSERT INTO copied SELECT * FROM jsonb_populate_record(NULL::copied, change.new);
            WHEN 'UPDATE' THEN UPDATE copied AS c SET (email, n) = (SELECT p.email, p.n FROM jsonb_populate_record(c, change.new) AS p) WHERE c.id = (change.key->>'id')::int;
            WHEN 'DELETE' THEN DELETE FROM copied WHERE id = (change.key->>'id')::int;
            ELSE NULL;
        END CASE;
    END LOOP;
END
$$;
SQL
is( $node->safe_psql('postgres', 'SELECT count(*), bool_and(c.* *= o.*), count(c.email), count(o.email::text) FROM customer AS o FULL JOIN copied AS c USING (id)'),
	'3|t|2|2', 'a replay gives the same ciphertext');
is($node->safe_psql('postgres', 'SELECT email::text FROM copied WHERE id = 2'), "$canary-new", 'which opens');

# No plaintext in any file of the log, in the server's log of an error, in a dump.
$node->safe_psql('postgres', 'CHECKPOINT');
my $files = $node->safe_psql('postgres', <<'SQL');
SELECT pg_relation_filepath(oid) FROM pg_class WHERE relnamespace = 'steward'::regnamespace AND pg_relation_filepath(oid) IS NOT NULL
UNION ALL SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE relnamespace = 'steward'::regnamespace AND reltoastrelid <> 0
SQL
my $leaks = 0;
my $read = 0;
foreach my $file (split /\n/, $files)
{
	my $bytes = slurp_file($node->data_dir . "/$file");
	$read += length $bytes;
	$leaks++ if index($bytes, $canary) >= 0;
}
cmp_ok($read, '>', 1000000, 'the files of the log were read');
is($leaks, 0, 'and hold no plaintext');

# Damaged ciphertext in a record: an error or other armour, never a crash.
my $answers = $node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION try(v integer, payload bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE ignored text;
BEGIN
    SELECT d::text INTO ignored FROM steward.audit_decode(v, 'I', payload) AS d;
    RETURN 'decoded';
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
SELECT string_agg(DISTINCT try(l.schema_version, set_byte(l.payload, n, (get_byte(l.payload, n) + d) % 256)), ' ')
FROM steward.audit_record AS l, generate_series(0, octet_length(l.payload) - 1) AS n, generate_series(1, 255, 23) AS d WHERE l.op = 'I' AND octet_length(l.payload) < 500;
SQL
like($answers, qr/^(XX001 )?decoded$/, 'damaged ciphertext in a record does no harm');

# Without the root key the trail is readable as ciphertext, and writing plaintext is an error.
$node->append_conf('postgresql.conf', "steward.root_key_file = ''\n");
$node->restart;
is($node->safe_psql('postgres', "SELECT count(*) FROM steward.audit_trail WHERE new->>'email' LIKE 'stw1:%'"), '5',
	'without the key the trail shows armour');
is($node->safe_psql('postgres', "DELETE FROM customer WHERE id = 1; SELECT left(old->>'email', 5) FROM steward.audit_trail WHERE operation = 'DELETE' AND key = '{\"id\": 1}'"),
	'stw1:', 'and changes are still recorded');
is($node->safe_psql('postgres', "SELECT count(*) FROM steward.audit_trail WHERE new->'main'->>'address' LIKE 'stw1:%'"), '2',
	'also inside composites');
my ($status, $out, $err) = $node->psql('postgres', "INSERT INTO customer VALUES (9, '$canary-9', 9)");
isnt($status, 0, 'a plaintext cannot be written');
is($node->safe_psql('postgres', "SELECT count(*) FROM steward.audit_trail WHERE key = '{\"id\": 9}'"), '0', 'and leaves no record');
$node->stop;
done_testing();

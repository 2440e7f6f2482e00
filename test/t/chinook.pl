# A real database: personal columns of Chinook are encrypted in place, audited
# through random changes, rebuilt from the audit trail, dumped and restored.
#
# The data is read from STEWARD_CHINOOK, or from beside the checkout.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $data = $ENV{STEWARD_CHINOOK} // "$FindBin::RealBin/../../../shared/data/chinook/chinook.sql";

plan skip_all => "Chinook's data is not there: set STEWARD_CHINOOK to chinook.sql" unless -r $data;

my $changes = $ENV{STEWARD_SOAK} ? 50_000 : 1_000;
my $seed = $ENV{STEWARD_SEED} // 20261121;
my $keyring = steward_keyring();
my $node = steward_node('main', keyring => $keyring, conf => 'log_statement = none', extension => 0);
my $directory = steward_directory('chinook');
my %encrypted = (customer => [ 'email', 'phone' ], employee => ['address']);

diag "$changes changes, seed $seed";
srand $seed;
$node->safe_psql('postgres', 'CREATE DATABASE chinook');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', $data, $node->connstr('chinook') ], 'Chinook is loaded');
$node->safe_psql(
	'chinook', q{
CREATE SCHEMA before;
CREATE TABLE before.customer AS TABLE customer;
CREATE TABLE before.employee AS TABLE employee;
CREATE EXTENSION pg_steward;
SELECT steward.create_key('pii');
ALTER TABLE customer
    ALTER COLUMN email TYPE steward.encrypted_text('pii/customer.email') USING email::steward.encrypted_text('pii/customer.email'),
    ALTER COLUMN phone TYPE steward.encrypted_text('pii/customer.phone') USING phone::steward.encrypted_text('pii/customer.phone');
ALTER TABLE employee
    ALTER COLUMN address TYPE steward.encrypted_text('pii/employee.address') USING address::steward.encrypted_text('pii/employee.address')});

# ---- every value is what it was ----

for my $table (sort keys %encrypted)
{
	my $count = $node->safe_psql('chinook', "SELECT pg_catalog.count(*) FROM $table");

	cmp_ok($count, '>', 5, "$table has $count rows");
	for my $column (@{ $encrypted{$table} })
	{
		is($node->safe_psql('chinook', "SELECT pg_catalog.count(*) FROM $table JOIN before.$table AS b USING (${table}_id) WHERE $table.${column}::text IS NOT DISTINCT FROM b.$column"), $count, "every $table.$column decrypts to the original");
		is($node->safe_psql('chinook', "SELECT pg_catalog.count(*) FROM $table JOIN before.$table AS b ON $table.$column = b.${column}::text WHERE $table.${table}_id = b.${table}_id"),
			$node->safe_psql('chinook', "SELECT pg_catalog.count($column) FROM before.$table"), "every $table.$column joins with the original");
		is($node->safe_psql('chinook', "SELECT pg_catalog.string_agg(${table}_id::text, ',' ORDER BY $column, ${table}_id) FROM $table"),
			$node->safe_psql('chinook', "SELECT pg_catalog.string_agg(${table}_id::text, ',' ORDER BY $column COLLATE \"default\", ${table}_id) FROM before.$table"), "$table sorts by $column as before");
		unlike($node->safe_psql('chinook', "SELECT $column FROM $table"), qr/^(?!stw1:|$)/m, "all of $table.$column is ciphertext");
	}
}
$node->safe_psql('chinook', 'DROP SCHEMA before CASCADE');

# ---- random changes under audit ----

my @tables = qw(customer invoice invoice_line);
my $copies = join ";\n", map { "CREATE TABLE replay.$_ AS TABLE $_; ALTER TABLE replay.$_ ADD PRIMARY KEY (${_}_id); SELECT steward.enable_audit('$_')" } @tables;
$node->safe_psql('chinook', "CREATE SCHEMA replay; $copies");

my $next = 100_000;
my @customers = split /\n/, $node->safe_psql('chinook', 'SELECT customer_id FROM customer ORDER BY 1');
my @invoices = split /\n/, $node->safe_psql('chinook', 'SELECT invoice_id FROM invoice ORDER BY 1');
my @tracks = split /\n/, $node->safe_psql('chinook', 'SELECT track_id FROM track ORDER BY 1');

sub any { return $_[ int rand @_ ] }

sub text
{
	my $length = 1 + int rand 20;

	return "'" . join('', map { any('a' .. 'z', ' ', "''", 'ü', '€', '\\', '"') } 1 .. $length) . "'";
}

my @kinds = (
	sub { $next++; return "INSERT INTO customer (customer_id, first_name, last_name, email, phone) VALUES ($next, @{[text()]}, 'x', @{[text()]}, @{[any('NULL', text())]})" },
	sub { $next++; return "INSERT INTO invoice (invoice_id, customer_id, invoice_date, total) VALUES ($next, @{[any(@customers)]}, '2026-01-01'::timestamp + @{[int rand 1000]} * interval '1 hour', @{[int(rand 10000) / 100]})" },
	sub { $next++; return "INSERT INTO invoice_line VALUES ($next, @{[any(@invoices)]}, @{[any(@tracks)]}, 0.99, @{[1 + int rand 9]})" },
	sub { return "UPDATE customer SET email = @{[text()]} WHERE customer_id = @{[any(@customers)]}" },
	sub { return "UPDATE customer SET phone = @{[any('NULL', text())]}, city = @{[any('NULL', text())]} WHERE customer_id = @{[any(@customers)]}" },
	sub { return "UPDATE customer SET company = @{[text()]} WHERE customer_id % 10 = @{[int rand 10]}" },
	sub { return "UPDATE customer SET email = phone::text WHERE customer_id = @{[any(@customers)]} AND phone IS NOT NULL" },
	sub { return "UPDATE invoice SET total = total + 1.10, billing_city = @{[any('NULL', text())]} WHERE invoice_id = @{[any(@invoices)]}" },
	sub { return "UPDATE invoice_line SET quantity = quantity + 1, unit_price = @{[int(rand 1000) / 100]} WHERE invoice_id = @{[any(@invoices)]}" },
	sub { return "UPDATE invoice_line SET invoice_line_id = @{[++$next]} WHERE invoice_line_id = @{[1 + int rand 2000]}" },
	sub { return "DELETE FROM invoice_line WHERE invoice_line_id = @{[1 + int rand 2000]}" },
	sub { return "DELETE FROM invoice AS i WHERE invoice_id > 100000 AND invoice_id = (SELECT pg_catalog.min(j.invoice_id) FROM invoice j WHERE j.invoice_id > 100000)" },
	sub { return "DELETE FROM customer WHERE customer_id = (SELECT pg_catalog.max(c.customer_id) FROM customer c WHERE NOT EXISTS (SELECT FROM invoice i WHERE i.customer_id = c.customer_id))" },
	sub { $next++; return "INSERT INTO customer (customer_id, first_name, last_name, email) VALUES (@{[any(@customers)]}, 'a', 'b', @{[text()]}) ON CONFLICT (customer_id) DO UPDATE SET email = excluded.email" },
	sub { return "MERGE INTO invoice AS i USING (SELECT @{[any(@invoices)]} AS id) AS s ON i.invoice_id = s.id WHEN MATCHED THEN UPDATE SET total = i.total - 0.01" });

# One transaction of up to eight changes: [changes, SQL].
sub transaction
{
	my $made = 0;
	my @sql = ('BEGIN');
	my $depth = 0;

	for (1 .. 1 + int rand 8)
	{
		my $what = rand;

		if ($what < 0.15) { push @sql, 'SAVEPOINT s' . ++$depth }
		elsif ($what < 0.22 && $depth) { push @sql, "ROLLBACK TO s$depth" }
		elsif ($what < 0.29 && $depth) { push @sql, 'RELEASE s' . $depth-- }
		else { push @sql, any(@kinds)->(); $made++ }
	}
	push @sql, rand() < 0.2 ? 'ROLLBACK' : 'COMMIT';
	return ($made, join ";\n", @sql, '');
}

my $made = 0;
while ($made < $changes)
{
	my ($count, $sql) = transaction();

	$made += $count;
	append_to_file("$directory/changes.sql", $sql);
}
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', "$directory/changes.sql", $node->connstr('chinook') ], "$made random changes, with savepoints and rollbacks");

$node->safe_psql(
	'chinook', q{
CREATE FUNCTION replay.run() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    r record;
    target text;
    id text;
    done bigint := 0;
BEGIN
    FOR r IN SELECT * FROM steward.audit_trail WHERE operation IN ('INSERT', 'UPDATE', 'DELETE') ORDER BY xid, seq LOOP
        target := pg_catalog.replace(r.relation, 'public.', 'replay.');
        id := pg_catalog.replace(r.relation, 'public.', '') || '_id';
        IF r.operation = 'INSERT' THEN
            EXECUTE pg_catalog.format('INSERT INTO %1$s SELECT p.* FROM pg_catalog.jsonb_populate_record(NULL::%1$s, $1) AS p', target) USING r.new;
        ELSIF r.operation = 'UPDATE' THEN
            EXECUTE pg_catalog.format('WITH o AS (DELETE FROM %1$s AS t WHERE t.%2$I = ($2 ->> %2$L)::int RETURNING t) INSERT INTO %1$s SELECT p.* FROM o, pg_catalog.jsonb_populate_record(o.t, $1) AS p', target, id) USING r.new, r.key;
        ELSE
            EXECUTE pg_catalog.format('DELETE FROM %1$s AS t WHERE t.%2$I = ($1 ->> %2$L)::int', target, id) USING r.key;
        END IF;
        done := done + 1;
    END LOOP;
    RETURN done;
END
$$});
my $replayed = $node->safe_psql('chinook', 'SELECT replay.run()');
cmp_ok($replayed, '>', $changes / 4, "$replayed recorded changes are replayed");
for my $table (@tables)
{
	is($node->safe_psql('chinook', "SELECT pg_catalog.count(*) FROM (SELECT t::text FROM $table t EXCEPT ALL SELECT t::text FROM replay.$table t) x")
		  . '/' . $node->safe_psql('chinook', "SELECT pg_catalog.count(*) FROM (SELECT t::text FROM replay.$table t EXCEPT ALL SELECT t::text FROM $table t) x"),
		'0/0', "$table rebuilt from the audit trail is the same");
	cmp_ok($node->safe_psql('chinook', "SELECT pg_catalog.count(*) FROM steward.audit_trail WHERE relation = 'public.$table'"), '>', 20, "$table was changed");
}
is($node->safe_psql('chinook', 'SELECT pg_catalog.count(*) FROM customer c JOIN replay.customer r USING (customer_id) WHERE c.email::text = r.email::text'),
	$node->safe_psql('chinook', 'SELECT pg_catalog.count(*) FROM customer'), 'every e-mail address of the copy decrypts to the same');

# ---- dump and restore ----

my $trail = q{SELECT pg_catalog.count(*), pg_catalog.md5(pg_catalog.string_agg(a::text, E'\n' ORDER BY a.xid, a.seq)) FROM steward.audit_trail AS a};
my $content = join ";\n", map { "SELECT pg_catalog.md5(pg_catalog.string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\")) FROM $_ AS t" } @tables, 'employee';
my $plaintext = q{SELECT pg_catalog.md5(pg_catalog.string_agg(customer_id || email::text || COALESCE(phone::text, '-'), E'\n' ORDER BY customer_id)) FROM customer;
SELECT pg_catalog.md5(pg_catalog.string_agg(employee_id || address::text, E'\n' ORDER BY employee_id)) FROM employee};
my $target = steward_node('target', keyring => $keyring, extension => 0);
my $keyless = steward_node('keyless', keyring => undef, preload => 0, extension => 0);

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$directory/chinook", $node->connstr('chinook') ], 'dumped');
for my $to ($target, $keyless)
{
	my $name = $to->name;

	$to->safe_psql('postgres', 'CREATE DATABASE chinook');
	$to->command_ok([ 'pg_restore', '--exit-on-error', '-d', $to->connstr('chinook'), "$directory/chinook" ], "$name: restored");
	is($to->safe_psql('chinook', $content), $node->safe_psql('chinook', $content), "$name: all tables are the same");
	is($to->safe_psql('chinook', $trail), $node->safe_psql('chinook', $trail), "$name: the audit trail is the same");
	is(steward_error($to, 'ANALYZE', database => 'chinook') =~ s/^WARNING.*\n?//gmr, '', "$name: ANALYZE works");
}
is($target->safe_psql('chinook', $plaintext), $node->safe_psql('chinook', $plaintext), 'with the keyring all values decrypt to the same');
is(steward_error($target, q{UPDATE customer SET email = 'after restore' WHERE customer_id = 1}, database => 'chinook'), '', 'audit goes on after a restore');
is($target->safe_psql('chinook', q{SELECT pg_catalog.count(*) FROM steward.audit_trail AS a WHERE a.operation = 'UPDATE' AND a.key ->> 'customer_id' = '1' AND (a.new ->> 'email') = (SELECT c.email FROM customer AS c WHERE c.customer_id = 1)::steward.encrypted_text::text}), '0', 'the trail holds no plaintext');
is($target->safe_psql('chinook', 'SELECT a.operation, a.relation FROM steward.audit_trail AS a ORDER BY a.written_at DESC LIMIT 1'), 'UPDATE|public.customer', 'and records what it sees');
like(steward_error($keyless, 'SELECT email::text FROM customer', database => 'chinook'), qr/^ERROR:  no root key is available\nDETAIL:  .*\nHINT:  /, 'without the keyring decrypting is a clear error');
like($keyless->safe_psql('chinook', 'SELECT email FROM customer LIMIT 1'), qr/^stw1:/, 'and ciphertext can be read');

$_->stop for $node, $target, $keyless;
done_testing();

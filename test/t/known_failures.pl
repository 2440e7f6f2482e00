# What went wrong in other systems that encrypt columns or keep keys, each as a
# test under the name of the failure.
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
my $journal = steward_directory('journal') . '/revoked';
my $node = steward_node('main', keyring => $keyring, conf => qq{
steward.revocation_file = '$journal'
log_statement = none
autovacuum = off});
my @types = canary_types($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub fails { return steward_error($node, @_) }

# One value of each type, to be decrypted by type.
sub value { return "'" . canary_value($_[0], $_[1] // 'v') . "'::$_[0]" }

sql(q{
CREATE ROLE app LOGIN;
CREATE ROLE reader LOGIN;
SELECT steward.create_key('pii');
SELECT steward.grant_key('pii', 'reader', 'decrypt');
CREATE TABLE t (id int PRIMARY KEY, v steward.encrypted_text('pii/t.v'));
CREATE UNIQUE INDEX t_v ON t (v steward.encrypted_unique_ops);
INSERT INTO t VALUES (1, 'CanaryQx7 one'), (2, 'CanaryQx7 two');
GRANT ALL ON t TO app, reader});
sql(qq{CREATE TABLE "all_$_" (v steward.encrypted_$_('pii/all.$_')); INSERT INTO "all_$_" VALUES (} . value($_) . q{)}) for @types;

subtest 'decrypt folded into a plan' => sub {
	for my $type (@types)
	{
		my $constant = value($type) =~ s/::\w+$//r . "::steward.encrypted_$type";
		my $plan = sql("EXPLAIN (VERBOSE) SELECT steward.decrypt($constant), ($constant)::$type, $constant = $constant");

		is(join(' ', grep { index($plan, $_) >= 0 } canary_needles()), '', "$type: a plan of a constant shows ciphertext");
		like($plan, qr/decrypt\('stw1:/, "$type: and decrypts when it runs");
	}
	my $session = steward_session($node);
	$session->query(q{SET plan_cache_mode = force_generic_plan; SET ROLE reader; PREPARE p AS SELECT v::text FROM t WHERE id = 1});
	is($session->query('EXECUTE p'), 'CanaryQx7 one', 'a prepared plan decrypts');
	sql(q{SELECT steward.revoke_key('pii', 'reader', 'decrypt')});
	like(steward_error($session, 'EXECUTE p'), qr/permission denied for key/, 'and no longer without the right');
	sql(q{SELECT steward.grant_key('pii', 'reader', 'decrypt')});
	$session->quit;
	is(sql(q{SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'steward'::regnamespace AND provolatile = 'i'
AND proname !~ '^encrypted_[a-z]+_(out|send|under|tag_cmp)$' AND (SELECT bool_or(a::regtype::text LIKE 'steward.encrypted%') FROM unnest(proargtypes) AS a)}), '', 'no function that opens values is IMMUTABLE, but for the tags of unique indexes');
};

subtest 'plaintext in pg_stats through an expression index or extended statistics' => sub {
	sql(q{CREATE FUNCTION wrapped(steward.encrypted_text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text'});
	like(fails('CREATE INDEX ON t ((v::text))'), qr/must be marked IMMUTABLE/, 'an index on the cast');
	like(fails('CREATE INDEX ON t ((steward.decrypt(v)))'), qr/must be marked IMMUTABLE/, 'on decrypt');
	like(fails('CREATE INDEX ON t (id) WHERE v::text > $$a$$'), qr/must be marked IMMUTABLE/, 'in a predicate');
	like(fails('CREATE INDEX ON t ((wrapped(v)))'), qr/index "t_wrapped_idx" decrypts/, 'through an IMMUTABLE function');
	like(fails('CREATE STATISTICS s ON (v::text), id FROM t'), qr/statistics "s" decrypt/, 'extended statistics on the cast');
	like(fails('CREATE STATISTICS s (mcv) ON v, id FROM t'), qr/cover a column of an encrypted type/, 'and on the column');
	like(fails('CREATE STATISTICS s ON (wrapped(v)), id FROM t'), qr/cover a column of an encrypted type/, 'and through an IMMUTABLE function');
	sql(q{CREATE FUNCTION read_by(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT v::text FROM public.t WHERE id = $1); END'});
	sql(q{CREATE STATISTICS s ON (read_by(id)), (id % 2) FROM t});
	like(fails('ANALYZE t'), qr/cannot decrypt inside a maintenance operation/, 'statistics through one that reads the value by itself');
	sql(q{DROP STATISTICS s; DROP FUNCTION wrapped, read_by; ANALYZE});
	like(fails(q{CREATE MATERIALIZED VIEW m AS SELECT v::text FROM t}), qr/cannot decrypt inside a maintenance operation|^$/, 'a materialized view');
	sql(q{DROP MATERIALIZED VIEW IF EXISTS m});
	sql(q{CREATE TABLE converted (id int, at_once text, online text); INSERT INTO converted SELECT g, 'CanaryQx7 ' || g % 3, 'CanaryQx7 ' || g % 3 FROM generate_series(1, 100) AS g;
CREATE STATISTICS converted_both (mcv) ON at_once, id FROM converted; ANALYZE converted});
	isnt(sql(q{SELECT most_common_vals FROM pg_stats WHERE tablename = 'converted' AND attname = 'online'}), '', 'a plaintext column has its values in the statistics');
	sql(q{DROP STATISTICS converted_both; SELECT steward.encrypt_column('converted', 'at_once', 'pii/converted.a')});
	sql(q{CALL steward.encrypt_column_online('converted', 'online', 'pii/converted.b')});
	my $statistics = sql(q{SELECT * FROM pg_statistic; SELECT * FROM pg_statistic_ext_data});
	is(join(' ', grep { index($statistics, $_) >= 0 } canary_needles()), '', 'no statistic holds one, of converted columns neither');
};

subtest 'cast error after decryption printing the value' => sub {
	my $error = fails('SELECT v::text::int FROM t');

	like($error, qr/invalid input syntax for type integer: "\.\.\."/, 'the error tells which cast');
	unlike($error, qr/CanaryQx7/, 'not of what');
	unlike(slurp_file($node->logfile), qr/syntax for type integer: "Canary/, 'nor does the log');
};

subtest 'double encryption on restore or upsert' => sub {
	for my $type (@types)
	{
		my $plain = sql(qq{SELECT v::$type FROM "all_$type"});

		sql(qq{CREATE UNIQUE INDEX ON "all_$type" (v steward.} . sql("SELECT opcname FROM pg_opclass WHERE opcintype = 'steward.encrypted_$type'::regtype AND opcname LIKE '%unique%'") . ')');
		sql(qq{INSERT INTO "all_$type" SELECT v FROM "all_$type" ON CONFLICT (v) DO UPDATE SET v = EXCLUDED.v});
		sql(qq{UPDATE "all_$type" SET v = v});
		sql(qq{CREATE TEMP TABLE c (v steward.encrypted_$type('pii/elsewhere')); INSERT INTO c SELECT v FROM "all_$type"; UPDATE "all_$type" SET v = c.v FROM c});
		is(sql(qq{SELECT v::$type FROM "all_$type"}), $plain, "$type: once encrypted after an upsert, an update and a detour by another key");
	}
	$node->command_ok([ 'pg_dump', '-Fc', '-f', "$journal.dump", $node->connstr('postgres') ], 'a dump');
	$node->safe_psql('postgres', 'CREATE DATABASE restored');
	$node->command_ok([ 'pg_restore', '-d', $node->connstr('restored'), "$journal.dump" ], 'restored');
	is($node->safe_psql('restored', 'SELECT string_agg(v::text, $$,$$ ORDER BY id) FROM t'), 'CanaryQx7 one,CanaryQx7 two', 'once encrypted after a restore');
	$node->safe_psql('postgres', 'DROP DATABASE restored');
	like(fails(q{UPDATE t SET v = (SELECT steward.encrypted_text_out(v)::text FROM t WHERE id = 1) WHERE id = 1}), qr/looks like ciphertext cannot be encrypted by a cast/, 'what an ORM read, it cannot write back as plaintext');
};

subtest 'one nonce for many rows through a function default' => sub {
	sql(q{CREATE TABLE many AS SELECT g AS id FROM generate_series(1, 100) AS g;
ALTER TABLE many ADD COLUMN a steward.encrypted_text('pii/many.a') DEFAULT 'same'::text;
ALTER TABLE many ADD COLUMN b steward.encrypted_text('pii/many.b') DEFAULT steward.encrypt_text('same', 'pii/many.b');
ALTER TABLE many ADD COLUMN c steward.encrypted_text('pii/many.c'), ADD COLUMN d steward.encrypted_text('pii/many.d');
UPDATE many SET c = 'same';
UPDATE many SET d = 'same'::text});
	for my $column (qw(a b c d))
	{
		# The salt: 24 bytes after the header of 12, in base64 from character 16 on.
		is(sql("SELECT count(DISTINCT substr(steward.encrypted_text_out($column)::text, 6 + 16, 32)) FROM many"), '100', "column $column: each row has its own salt");
		is(sql("SELECT count(*) FROM many WHERE $column = 'same'"), '100', 'for the same plaintext');
	}
	is(sql(q{SET plan_cache_mode = force_generic_plan; PREPARE p AS SELECT steward.encrypt_text('same', 'pii/many.a')::text FROM generate_series(1, 3); SELECT 1}), '1', 'prepared');
	is(sql(q{SELECT count(DISTINCT steward.encrypted_text_out(steward.encrypt_text('same', 'pii/many.a'))::text) FROM generate_series(1, 100)}), '100', 'a function of constants is called for each row');
};

subtest 'empty string' => sub {
	sql(q{CREATE TABLE empty (id int, v steward.encrypted_text('pii/empty.v')); INSERT INTO empty VALUES (1, ''), (2, ''), (3, NULL)});
	is(sql(q{SELECT count(*) FROM empty WHERE v IS NULL}), '1', 'it is not NULL');
	is(sql(q{SELECT count(DISTINCT steward.encrypted_text_out(v)::text) FROM empty WHERE id < 3}), '2', 'two of them look unlike');
	is(sql(q{SELECT min(pg_column_size(v)) > 60 FROM empty WHERE id < 3}), 't', 'and are ciphertext');
	is(sql(q{SELECT count(*) FROM empty WHERE v = ''}), '2', 'they are equal');
	is(sql(q{SELECT string_agg('<' || v::text || '>', ',') FROM empty WHERE id < 3}), '<>,<>', 'and come back');
};

subtest 'key readable through /proc/self/mem by SQL' => sub {
	my $session = steward_session($node);
	my $other = steward_session($node);
	my $pid = $other->query('SELECT pg_backend_pid() FROM t WHERE v::text IS NOT NULL LIMIT 1');

	$session->query('CREATE TABLE IF NOT EXISTS stolen (line text)');
	is($session->query('SELECT count(v::text) FROM t'), '2', 'the session holds keys');
	for my $process ('self', $pid)
	{
		for my $file ('mem', 'environ', 'auxv')
		{
			for my $way ("SELECT length(pg_read_binary_file('/proc/$process/$file', 0, 1))", "COPY stolen FROM '/proc/$process/$file'", "SELECT lo_import('/proc/$process/$file')")
			{
				like(steward_error($session, $way), qr/Permission denied/, $way);
			}
		}
	}
	$_->quit for $session, $other;
};

subtest 'plaintext left by insert then update' => sub {
	sql(q{CREATE TABLE changed (id int, v steward.encrypted_text('pii/changed.v')) WITH (fillfactor = 50)});
	sql(q{INSERT INTO changed SELECT g, 'CanaryQx7 first ' || g FROM generate_series(1, 50) AS g});
	sql(q{UPDATE changed SET v = 'CanaryQx7 second ' || id});
	sql(q{BEGIN; UPDATE changed SET v = 'CanaryQx7 third ' || id; ROLLBACK; DELETE FROM changed WHERE id > 40; CHECKPOINT});
	my $file = $node->data_dir . '/' . sql(q{SELECT pg_relation_filepath('changed')});

	cmp_ok(-s $file, '>', 16_000, 'old versions are there');
	canary_is_absent('none of them as plaintext', $file, canary_needles());
};

subtest 'EXECUTE open to PUBLIC' => sub {
	# What anyone may call changes nothing, or asks for rights itself.
	is(sql(q{SELECT string_agg(p.oid::regprocedure::text, E'\n' ORDER BY 1) FROM pg_proc AS p
WHERE pronamespace = 'steward'::regnamespace AND provolatile = 'v' AND (proacl IS NULL OR proacl::text ~ '(^.|,)=X')
AND proname !~ '^encrypt(ed)?_(text|bytea|jsonb|bigint|numeric|date|timestamptz)$'}), join("\n", own_checks()), 'no function that changes anything is open, but those that check rights themselves');
	is(sql(q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'steward'::regnamespace AND prosecdef}), '0', 'none runs as its owner');
	for my $call (q{create_key('x')}, q{grant_key('pii', 'app', 'decrypt')}, q{revoke_key('pii', 'reader', 'decrypt')}, q{rotate_key('pii')}, q{rotate_index_secret('pii')}, q{destroy_key_version('pii', 1)}, q{shred_subject('person', '1')}, q{adopt_revocation_journal()}, q{enable_audit('t')}, q{bind_subject('t', 'person', 'id')}, q{encrypt_column('t', 'id', 'pii/t.id')}, q{decrypt_column('t', 'v')})
	{
		like(fails("SELECT steward.$call", user => 'app'), qr/permission denied|must be owner/, "somebody calls $call");
	}
	like(fails("CALL steward.$_", user => 'app'), qr/permission denied|must be owner/, "somebody calls $_") for 'rotate_root_key()', q{reencrypt('t')}, 'finish_erasure()', q{encrypt_column_online('t', 'id', 'pii/t.id')};
};

# Triggers of tables, which work for them alone, and what an application says of its
# own transaction.
sub own_checks
{
	return ('steward.bind_row()', 'steward.audit_row()', 'steward.set_context(text,text,text,text,timestamp with time zone,bytea)');
}

subtest 'escalation through search_path' => sub {
	# A schema with a trap for every function, operator, relation and type that
	# anything of ours could mean; whoever steps into one runs its owner's code.
	sql('CREATE DATABASE hostile');
	$node->safe_psql('hostile', q{
CREATE EXTENSION pg_steward;
CREATE SCHEMA evil;
CREATE TABLE public.victim (id int PRIMARY KEY, plain text, n bigint, at timestamptz DEFAULT pg_catalog.now());
INSERT INTO public.victim SELECT g, 'row ' || g, g FROM generate_series(1, 20) AS g;
DO $do$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, format_type(p.prorettype, NULL) AS result, p.proretset
        FROM pg_proc AS p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.pronargs BETWEEN 0 AND 4
        AND p.prorettype NOT IN (SELECT oid FROM pg_type WHERE typtype = 'p') AND p.provariadic = 0 AND p.proargmodes IS NULL
        AND NOT EXISTS (SELECT 1 FROM unnest(p.proargtypes) AS a JOIN pg_type AS y ON y.oid = a WHERE y.typtype = 'p') LOOP
        EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS $$BEGIN RAISE $_$hostile function %s$_$; END$$',
            f.proname, f.arguments, CASE WHEN f.proretset THEN 'SETOF' END, f.result, f.proname);
    END LOOP;
    FOR f IN SELECT o.oprname, format_type(o.oprleft, NULL) AS a, format_type(o.oprright, NULL) AS b FROM pg_operator AS o
        WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprleft <> 0 AND o.oprleft < 16384 AND o.oprright < 16384
        AND NOT EXISTS (SELECT 1 FROM pg_type AS y WHERE y.oid IN (o.oprleft, o.oprright) AND y.typtype = 'p') LOOP
        IF to_regprocedure(format('evil.trap(%s, %s)', f.a, f.b)) IS NULL THEN
            EXECUTE format('CREATE FUNCTION evil.trap(%s, %s) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE $_$hostile operator$_$; END$$', f.a, f.b);
        END IF;
        EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.trap)', f.oprname, f.a, f.b);
    END LOOP;
    FOR f IN SELECT DISTINCT relname FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace IN ('pg_catalog'::regnamespace, 'steward'::regnamespace) LOOP
        EXECUTE format('CREATE TABLE evil.%I (trap int)', f.relname);
    END LOOP;
    FOR f IN SELECT unnest(ARRAY['text', 'name', 'bytea', 'regclass', 'regrole', 'regproc', 'regprocedure', 'regtype', 'oid', 'uuid', 'json', 'jsonb']) AS typname LOOP
        EXECUTE format('CREATE DOMAIN evil.%I AS pg_catalog.int4 CHECK (false)', f.typname);
    END LOOP;
END
$do$});
	cmp_ok($node->safe_psql('hostile', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'evil'::regnamespace}), '>', 1000, 'there are traps');
	my $path = 'SET search_path = evil, pg_catalog, steward, public';
	like(fails("$path; SELECT lower('X'::pg_catalog.text)", database => 'hostile'), qr/hostile function lower/, 'that work');
	like(fails("$path; SELECT 'a'::pg_catalog.text || 'b'::pg_catalog.text", database => 'hostile'), qr/hostile operator/, 'operators too');

	my @calls = (
		q{SELECT steward.create_key('pii')}, q{SELECT steward.create_key('second')}, q{SELECT steward.grant_key('pii', 'reader', 'decrypt')}, q{SELECT steward.revoke_key('pii', 'reader', 'decrypt')},
		q{SELECT steward.has_key_privilege('reader', 'pii', 'decrypt')}, q{SELECT * FROM steward.key_privilege},
		q{SELECT steward.encrypt_column('public.victim', 'plain', 'pii/victim.plain')}, q{CALL steward.encrypt_column_online('public.victim', 'n', 'pii/victim.n')}, q{SELECT * FROM steward.column_progress},
		q{CREATE UNIQUE INDEX ON public.victim (plain steward.encrypted_unique_ops)}, q{SELECT id FROM public.victim WHERE plain OPERATOR(pg_catalog.=) 'row 3'}, q{ANALYZE public.victim}, q{SELECT plain::pg_catalog.text FROM public.victim ORDER BY plain},
		q{SELECT steward.verify_column('public.victim', 'plain')}, q{SELECT steward.create_decrypted_view('public.victim')},
		q{DROP INDEX public.victim_plain_idx}, q{SELECT steward.rotate_key('pii')}, q{SELECT steward.rotate_index_secret('pii')}, q{CALL steward.reencrypt('public.victim')}, q{SELECT * FROM steward.key_status}, q{SELECT * FROM steward.reencryption_progress}, q{SELECT steward.destroy_key_version('pii', 1)}, q{CALL steward.rotate_root_key()},
		q{DROP VIEW public.victim_decrypted}, q{SELECT steward.bind_subject('public.victim', 'person', 'id')}, q{INSERT INTO public.victim (id, plain, n) VALUES (21, 'new', 21)}, q{UPDATE public.victim SET plain = 'changed' WHERE id OPERATOR(pg_catalog.=) 21},
		q{SELECT steward.shred_subject('person', '21')}, q{SELECT * FROM steward.pending_erasure}, q{CALL steward.finish_erasure()}, q{SELECT * FROM steward.shred_horizon}, q{SELECT steward.apply_revocations()}, q{SELECT * FROM steward.subject_binding}, q{SELECT steward.unbind_subject('public.victim')},
		q{SELECT steward.decrypt_column('public.victim', 'n')}, q{CALL steward.decrypt_column_online('public.victim', 'plain')},
		q{SELECT steward.enable_audit('public.victim')}, q{DELETE FROM public.victim WHERE id OPERATOR(pg_catalog.=) 1}, q{SELECT * FROM steward.audit_trail}, q{SELECT steward.disable_audit('public.victim')},
		q{SELECT steward.create_policy('p', 'public.victim', 'at', '90 days')}, q{CALL steward.run_policy('p')}, q{SELECT steward.drop_policy('p')},
		q{CREATE TABLE public.ddl (v steward.encrypted_text('pii/ddl.v') CHECK (v IS NOT NULL))}, q{DROP TABLE public.ddl});
	my $session = steward_session($node, 'hostile');

	$session->query(qq{CREATE TEMP TABLE "$_" (trap pg_catalog.int4)}) for qw(key key_version key_secret key_grant realm root subject_key pg_class pg_attribute pg_proc);
	$session->query($path);
	for my $call (@calls)
	{
		is(steward_error($session, $call) =~ s/^(?:WARNING|NOTICE|DETAIL|HINT|CONTEXT|PL|SQL).*\n?//mgr, '', $call);
	}
	$session->quit;
	sql('DROP DATABASE hostile');
};

subtest 'stolen armour pasted as a parameter' => sub {
	my $armour = sql('SELECT v FROM t WHERE id = 1');
	my $denied = qr/permission denied to load ciphertext|looks like ciphertext cannot be encrypted by a cast/;
	my $directory = steward_directory('paste');

	sql(q{
CREATE VIEW shown AS SELECT id, v::text AS v FROM t;
CREATE FUNCTION store() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO public.t VALUES (NEW.id, NEW.v); RETURN NEW; END $$;
CREATE TRIGGER store INSTEAD OF INSERT ON shown FOR EACH ROW EXECUTE FUNCTION store();
CREATE FUNCTION store(id int, plain text) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO public.t VALUES (id, plain)';
CREATE FUNCTION look_up(plain steward.encrypted_text) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT plain::text';
CREATE FUNCTION unpack(plain json) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO public.t SELECT 77, plain ->> $$v$$';
CREATE TYPE pair AS (id int, v steward.encrypted_text('pii/t.v'));
CREATE DOMAIN labelled AS steward.encrypted_text('pii/t.v');
GRANT SELECT, INSERT ON shown TO app;
ALTER VIEW shown SET (security_invoker = off)});
	append_to_file("$directory/copy", "50\t$armour\n");
	append_to_file("$directory/bench", "INSERT INTO t VALUES (51, :v);\n");
	append_to_file("$directory/cast", "INSERT INTO t VALUES (51, :v::text);\n");
	sql(qq{COPY (SELECT 52, v FROM t WHERE id = 1) TO '$directory/binary' (FORMAT binary)});

	my %ways = (
		'a literal' => "INSERT INTO t VALUES (53, '$armour')",
		'a text' => "INSERT INTO t VALUES (53, '$armour'::text)",
		'a varchar, a name' => "INSERT INTO t VALUES (53, '$armour'::varchar)",
		'a literal with a type' => "SELECT '$armour'::steward.encrypted_text::text",
		'a prepared statement' => "PREPARE p AS INSERT INTO t VALUES (53, \$1); EXECUTE p('$armour')",
		'a prepared statement of text' => "PREPARE p(text) AS INSERT INTO t VALUES (53, \$1); EXECUTE p('$armour')",
		'an update' => "UPDATE t SET v = '$armour' WHERE id = 2",
		'a comparison' => "SELECT id FROM t WHERE v = '$armour'",
		'an array' => "SELECT ('{$armour}'::steward.encrypted_text[])[1]::text",
		'a row' => "SELECT ('(1,$armour)'::pair).v::text",
		'a domain' => "SELECT '$armour'::labelled::text",
		'json' => "SELECT (jsonb_populate_record(NULL::pair, '{\"v\": \"$armour\"}')).v::text",
		'json to record' => "SELECT v::text FROM json_to_record('{\"v\": \"$armour\"}') AS (v steward.encrypted_text('pii/t.v'))",
		'COPY' => "\\copy t from '$directory/copy'",
		'binary COPY' => "\\copy t from '$directory/binary' (format binary)",
		'an upsert' => "INSERT INTO t VALUES (1, '$armour') ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v",
		'PL/pgSQL' => "DO \$\$ DECLARE x steward.encrypted_text := '$armour'; BEGIN RAISE 'got %', x::text; END \$\$",
		'PL/pgSQL, from text' => "DO \$\$ DECLARE x steward.encrypted_text; y text := '$armour'; BEGIN x := y; RAISE 'got %', x::text; END \$\$",
		'a view with an INSTEAD OF trigger' => "INSERT INTO shown VALUES (53, '$armour')",
		'a function that runs as its owner' => "SELECT store(53, '$armour')",
		'such a function for encrypted values' => "SELECT look_up('$armour')",
		'such a function for json' => "SELECT unpack('{\"v\": \"$armour\"}')");
	for my $way (sort keys %ways)
	{
		like(fails($ways{$way}, user => 'app'), $denied, $way);
	}
	for my $mode ('simple', 'extended', 'prepared')
	{
		for my $file ('bench', 'cast')
		{
			IPC::Run::run([ 'pgbench', '-h', $node->host, '-p', $node->port, '-U', 'app', '-n', '-t1', "--protocol=$mode", '-D', "v=" . ($mode eq 'simple' ? "'$armour'" : $armour), '-f', "$directory/$file", 'postgres' ], '>', \my $out, '2>', \my $error);
			like($error, $denied, "$mode protocol, $file");
		}
	}
	is(sql('SELECT count(*) FROM t'), '2', 'nothing came in');
};

subtest 'constants of encrypted types in catalogs' => sub {
	my $constant = q{'CanaryQx7'::steward.encrypted_text};
	my $refused = qr/a constant of an encrypted type cannot be part of/;

	for my $ddl ("CREATE TABLE bad (v steward.encrypted_text('pii/bad') DEFAULT $constant)",
		"CREATE VIEW bad AS SELECT id FROM t WHERE v = $constant", "CREATE VIEW bad AS SELECT id FROM t WHERE v = 'CanaryQx7'",
		"CREATE POLICY bad ON t USING (v <> $constant)", "CREATE RULE bad AS ON UPDATE TO t WHERE NEW.v = $constant DO INSTEAD NOTHING",
		"CREATE FUNCTION bad() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t WHERE v = $constant; END",
		"CREATE FUNCTION bad(v steward.encrypted_text DEFAULT $constant) RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"ALTER TABLE t ADD CHECK (v <> $constant) NOT VALID", "CREATE INDEX bad ON t (id) WHERE v = $constant",
		"CREATE TRIGGER bad BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.v = $constant) EXECUTE FUNCTION suppress_redundant_updates_trigger()",
		"CREATE PUBLICATION bad FOR TABLE t WHERE (v = $constant)", "CREATE STATISTICS bad ON (v = $constant), id FROM t")
	{
		like(fails($ddl), qr/$refused|must be marked IMMUTABLE|mutable functions are not allowed|User-defined operators are not allowed/, $ddl);
	}
	# Wherever a catalog keeps an expression: no constant of these types.
	my $columns = sql(q{SELECT string_agg(format('SELECT %L, %I::text FROM %s WHERE %2$I IS NOT NULL', attrelid::regclass::text, attname, attrelid::regclass), ' UNION ALL ') FROM pg_attribute
WHERE atttypid = 'pg_node_tree'::regtype AND attrelid < 16384 AND attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relkind = 'r')});
	is(sql(qq{SELECT count(*) FROM ($columns) AS s (place, tree), pg_type AS y WHERE y.typnamespace = 'steward'::regnamespace AND tree ~ (':consttype ' || y.oid || ' [^\\x7d]*:constisnull false')}), '0', 'none is there');
};

subtest 'the CONTEXT of COPY and STATEMENT lines of the log' => sub {
	my $from = -s $node->logfile;
	my $file = "$journal.copy";

	append_to_file($file, "1\tCanaryQx7 again\n");
	like(fails("\\copy t from '$file'"), qr/duplicate key.*CONTEXT: +COPY t, line 1$/sm, 'COPY tells the line alone');
	like(fails("INSERT INTO t VALUES (9, 'stw1:CanaryQx7')"), qr/malformed ciphertext/, 'a malformed literal');
	is(slurp_file($node->logfile, $from) =~ /CanaryQx7/ ? 1 : 0, 0, 'and neither is in the log');
};

subtest 'bytes that depend on client_encoding' => sub {
	sql(q{CREATE TABLE encodings (id int, v steward.encrypted_text('pii/encodings.v'))});
	$node->safe_psql('postgres', "SET client_encoding = 'LATIN1'; INSERT INTO encodings VALUES (1, '\xe4\xf6')");
	$node->safe_psql('postgres', "SET client_encoding = 'UTF8'; INSERT INTO encodings VALUES (2, '\xc3\xa4\xc3\xb6')");
	append_to_file("$journal.latin1", "3\t\xe4\xf6\n");
	$node->safe_psql('postgres', "\\copy encodings from '$journal.latin1' (encoding 'LATIN1')");
	is(sql(q{SELECT string_agg(DISTINCT encode(v::text::bytea, 'hex'), ',') FROM encodings}), 'c3a4c3b6', 'the same bytes, however they came');
	is(sql(q{SELECT count(*) FROM encodings AS a JOIN encodings AS b ON a.v = b.v}), '9', 'they are equal');
};

subtest 'a key cached by a transaction that rolled back' => sub {
	my $session = steward_session($node);

	$session->query(q{BEGIN; SELECT steward.create_key('ghost'); SELECT steward.encrypt_text('x', 'ghost/x'); ROLLBACK});
	like(steward_error($session, q{SELECT steward.encrypt_text('x', 'ghost/x')}), qr/key "ghost\/x" does not exist/, 'it is not used after a rollback');
	$session->query(q{BEGIN; SAVEPOINT s; SELECT steward.create_key('ghost'); SELECT steward.encrypt_text('x', 'ghost/x'); ROLLBACK TO s});
	like(steward_error($session, q{SELECT steward.encrypt_text('x', 'ghost/x')}), qr/does not exist/, 'nor after one to a savepoint');
	$session->query('ROLLBACK');
	$session->query(q{BEGIN; SELECT steward.create_key('ghost'); SELECT steward.encrypt_text('x', 'ghost/x'); ROLLBACK; SELECT steward.create_key('ghost');
CREATE TABLE ghosts (v steward.encrypted_text('ghost/v')); INSERT INTO ghosts VALUES ('seen')});
	is($session->{stderr}, '', 'made again, with other material');
	is(sql('SELECT v::text FROM ghosts'), 'seen', 'another session reads what this one wrote');
	$session->query(q{BEGIN; SELECT steward.rotate_key('ghost'); INSERT INTO ghosts VALUES ('lost'); ROLLBACK; INSERT INTO ghosts VALUES ('kept')});
	is(sql(q{SELECT string_agg(v::text, ',' ORDER BY v::text) FROM ghosts}), 'kept,seen', 'nor a version that was rolled back');
	$session->query(q{BEGIN; SELECT steward.grant_key('pii', 'app', 'decrypt'); SET LOCAL ROLE app; SELECT v::text FROM t; ROLLBACK; SET ROLE app});
	like(steward_error($session, 'SELECT v::text FROM t'), qr/permission denied for key/, 'nor a right');
	$session->quit;
};

subtest 'an old REPEATABLE READ snapshot that still decrypts' => sub {
	my $session = steward_session($node);
	my $begin = 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(v::text) FROM t';

	# A plan that is run again takes no lock, and so by itself hears of nothing.
	$session->query('SET plan_cache_mode = force_generic_plan; PREPARE again AS SELECT v::text FROM t WHERE id = 1');
	$session->query("SET ROLE reader; $begin; EXECUTE again; EXECUTE again");
	sql(q{SELECT steward.revoke_key('pii', 'reader', 'decrypt')});
	like(steward_error($session, 'EXECUTE again'), qr/permission denied for key/, 'not after the right was revoked');
	$session->query('ROLLBACK; RESET ROLE');
	sql(q{SELECT steward.grant_key('pii', 'reader', 'decrypt')});

	sql(q{SELECT steward.create_key('old'); CREATE TABLE olds (v steward.encrypted_text('old/v')); INSERT INTO olds VALUES ('x'); SELECT steward.rotate_key('old')});
	is($session->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT v::text FROM olds'), 'x', 'a version in use');
	sql(q{SELECT steward.destroy_key_version('old', 1, force => true)});
	like(steward_error($session, 'SELECT v::text FROM olds'), qr/version/, 'not after it was destroyed');
	$session->query('ROLLBACK');

	sql(q{CREATE TABLE person (id int PRIMARY KEY, v steward.encrypted_text('pii/person.v')); SELECT steward.bind_subject('person', 'person', 'id'); INSERT INTO person VALUES (1, 'one'), (2, 'two')});
	is($session->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT v::text FROM person WHERE id = 1'), 'one', 'a subject is read');
	sql(q{SELECT steward.shred_subject('person', '1')});
	is($session->query('SELECT v::text IS NULL FROM person WHERE id = 1'), 't', 'not after it was erased');
	is($session->query('SELECT v::text FROM person WHERE id = 2'), 'two', 'the other is');
	$session->quit;
};

subtest 'two databases with the same key names and subject numbers' => sub {
	my %armour;

	for my $name ('one', 'two')
	{
		sql("CREATE DATABASE $name");
		$node->safe_psql($name, q{CREATE EXTENSION pg_steward; SELECT steward.create_key('pii');
CREATE TABLE person (id int PRIMARY KEY, v steward.encrypted_text('pii/person.v')); SELECT steward.bind_subject('person', 'person', 'id'); INSERT INTO person VALUES (1, 'first')});
		$armour{$name} = $node->safe_psql($name, 'SELECT v FROM person');
	}
	like(fails("SELECT '$armour{one}'::steward.encrypted_text::text", database => 'two'), qr/version that its key does not have/, 'a value of one does not come into the other');
	$node->safe_psql('one', q{SELECT steward.shred_subject('person', '1')});
	is($node->safe_psql('one', 'SELECT v::text IS NULL FROM person'), 't', 'erased in one');
	is($node->safe_psql('two', 'SELECT v::text FROM person'), 'first', 'it is there in the other, with the same journal');
	$node->restart;
	is($node->safe_psql('two', 'SELECT v::text FROM person'), 'first', 'after a restart too');
	my $rows = $node->safe_psql('one', q{SELECT format('UPDATE steward.key_version SET wrapped = %L, root_id = %L, key_tag = %s', wrapped, root_id, key_tag) FROM steward.key_version});
	$node->safe_psql('two', $rows);
	like(fails('SELECT v::text FROM person', database => 'two'), qr/version|a wrapped key cannot be opened/, 'a key row of one does not serve the other');
	like(fails(q{SELECT steward.encrypt_text('x', 'pii/x')}, database => 'two'), qr/a wrapped key cannot be opened/, 'though both have the same root');
};

subtest 'journal written before a commit that fails' => sub {
	sql(q{CREATE TABLE late (id int REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED); INSERT INTO person VALUES (3, 'three')});
	my $before = slurp_file($journal);

	like(fails(q{BEGIN; SELECT steward.shred_subject('person', '3'); INSERT INTO late VALUES (999); COMMIT}), qr/violates foreign key/, 'the commit fails');
	is(slurp_file($journal) eq $before ? 1 : 0, 1, 'nothing is in the journal');
	is(sql('SELECT v::text FROM person WHERE id = 3'), 'three', 'the subject is there');
	# A serialization failure comes later than deferred constraints do.
	my ($loses, $wins) = map { steward_session($node) } 1, 2;
	sql('CREATE TABLE left_side (n int); CREATE TABLE right_side (n int)');
	$_->query('BEGIN ISOLATION LEVEL SERIALIZABLE') for $loses, $wins;
	$loses->query(q{SELECT count(*) FROM left_side; SELECT steward.shred_subject('person', '3'); INSERT INTO right_side VALUES (1)});
	$wins->query(q{SELECT count(*) FROM right_side; INSERT INTO left_side VALUES (1); COMMIT});
	like(steward_error($loses, 'COMMIT'), qr/could not serialize access/, 'the commit itself fails');
	is(slurp_file($journal) eq $before ? 1 : 0, 1, 'nothing is in the journal then either');
	$_->quit for $loses, $wins;
	$node->restart;
	is(sql('SELECT v::text FROM person WHERE id = 3'), 'three', 'after a restart too');
	sql(q{BEGIN; SAVEPOINT s; SELECT steward.shred_subject('person', '3'); ROLLBACK TO s; COMMIT});
	is(slurp_file($journal) eq $before ? 1 : 0, 1, 'nor after a savepoint was rolled back');
	sql(q{SELECT steward.shred_subject('person', '3')});
	is(slurp_file($journal) eq $before ? 1 : 0, 0, 'an erasure that commits is');
	is(sql('SELECT v::text IS NULL FROM person WHERE id = 3'), 't', 'and the subject is gone');
};

$node->stop;
done_testing();

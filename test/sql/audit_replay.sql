-- Random changes with savepoints and rollbacks, replayed from the trail onto a
-- copy, make the same table.
CREATE SCHEMA again;
SET search_path = again, public;
SET datestyle = 'ISO';
SET timezone = 'UTC';
CREATE DOMAIN short AS varchar(20);
CREATE TABLE original (
    id integer PRIMARY KEY,
    c_bool boolean, c_int2 smallint, c_int8 bigint, c_oid oid, c_float4 real, c_float8 double precision, c_numeric numeric,
    c_text text, c_varchar short, c_bpchar char(8), c_name name, c_char "char", c_bytea bytea,
    c_date date, c_time time, c_timetz timetz, c_timestamp timestamp, c_timestamptz timestamptz, c_interval interval,
    c_uuid uuid, c_json json, c_jsonb jsonb, c_inet inet, c_cidr cidr, c_macaddr macaddr);
CREATE TABLE keyless (a integer, b text, c numeric, d timestamptz);
CREATE TABLE original_copy (LIKE original);
CREATE TABLE keyless_copy (LIKE keyless);
SELECT steward.enable_audit('original'), steward.enable_audit('keyless');

CREATE FUNCTION random_text(length integer) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(string_agg(CASE WHEN random() < 0.1 THEN U&'\00e9' ELSE chr(32 + (random() * 94)::int) END, ''), '') FROM generate_series(1, length)
$$;
-- A random value of a type as text, or NULL.
CREATE FUNCTION random_value(type regtype) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    n double precision := (random() - 0.5) * power(10, random() * 15);
BEGIN
    IF random() < 0.15 THEN
        RETURN NULL;
    END IF;
    RETURN CASE type::text
        WHEN 'boolean' THEN (n > 0)::text
        WHEN 'smallint' THEN ((random() - 0.5) * 65000)::int::text
        WHEN 'integer' THEN ((random() - 0.5) * 4e9)::bigint::text
        WHEN 'bigint' THEN n::bigint::text
        WHEN 'oid' THEN abs(n::bigint % 4294967296)::text
        WHEN 'real' THEN CASE WHEN random() < 0.1 THEN 'NaN' ELSE n::real::text END
        WHEN 'double precision' THEN CASE WHEN random() < 0.1 THEN '-Infinity' ELSE (n * random())::text END
        WHEN 'numeric' THEN CASE WHEN random() < 0.1 THEN 'NaN' ELSE round((n * random())::numeric, (random() * 12)::int)::text END
        WHEN 'short' THEN random_text((random() * 20)::int)
        WHEN 'character' THEN random_text((random() * 8)::int)
        WHEN '"char"' THEN chr(97 + (random() * 20)::int)
        WHEN 'name' THEN random_text((random() * 30)::int)
        WHEN 'bytea' THEN '\x' || md5(random()::text)
        WHEN 'date' THEN CASE WHEN random() < 0.1 THEN 'infinity' ELSE ('2000-01-01'::date + (n::bigint % 700000)::int)::text END
        WHEN 'time without time zone' THEN ('00:00'::time + random() * interval '1 day')::text
        WHEN 'time with time zone' THEN ('00:00'::time + random() * interval '1 day')::text || CASE WHEN random() < 0.5 THEN '+05:30' ELSE '-11' END
        WHEN 'timestamp without time zone' THEN ('2000-01-01'::timestamp + random() * interval '9000 days')::text
        WHEN 'timestamp with time zone' THEN ('2000-01-01'::timestamptz - random() * interval '900000 days')::text
        WHEN 'interval' THEN ((n::bigint % 1000000) * interval '1 second' + (random() * 100)::int * interval '1 month' - random() * interval '100 days')::text
        WHEN 'uuid' THEN gen_random_uuid()::text
        WHEN 'json' THEN json_build_object('k', random_text(5), 'n', n)::text
        WHEN 'jsonb' THEN json_build_array(random_text(5), n, NULL)::text
        WHEN 'inet' THEN format('10.%s.%s.1/%s', (random() * 255)::int, (random() * 255)::int, (random() * 32)::int)
        WHEN 'cidr' THEN format('2001:db8:%s::/48', to_hex((random() * 65535)::int))
        WHEN 'macaddr' THEN substr(md5(random()::text), 1, 12)
        ELSE random_text((random() * 60)::int)
    END;
END
$$;

CREATE FUNCTION random_change() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    victim integer;
    assignments text;
BEGIN
    IF random() < 0.2 THEN
        CASE (random() * 2)::int
            WHEN 0 THEN INSERT INTO keyless SELECT (random() * 5)::int, random_value('text'), random_value('numeric')::numeric, random_value('timestamptz')::timestamptz;
            WHEN 1 THEN UPDATE keyless SET b = random_value('text') WHERE ctid = (SELECT ctid FROM keyless ORDER BY random() LIMIT 1);
            ELSE DELETE FROM keyless WHERE ctid = (SELECT ctid FROM keyless ORDER BY random() LIMIT 1) AND random() < 0.5;
        END CASE;
        RETURN;
    END IF;
    SELECT id INTO victim FROM original ORDER BY random() LIMIT 1;
    IF victim IS NULL OR random() < 0.35 THEN
        EXECUTE (SELECT format('INSERT INTO original SELECT coalesce(max(id), 0) + 1, %s FROM original',
                               string_agg(format('%L::%s', random_value(atttypid), format_type(atttypid, atttypmod)), ', ' ORDER BY attnum))
                 FROM pg_attribute WHERE attrelid = 'original'::regclass AND attnum > 1);
    ELSIF random() < 0.8 THEN
        SELECT string_agg(format('%I = %L::%s', attname, random_value(atttypid), format_type(atttypid, atttypmod)), ', ') INTO assignments
            FROM pg_attribute WHERE attrelid = 'original'::regclass AND attnum > 1 AND random() < 0.15;
        EXECUTE format('UPDATE original SET %s WHERE id = %s', coalesce(assignments, 'id = (SELECT max(id) + 1 FROM original)'), victim);
    ELSE
        DELETE FROM original WHERE id = victim;
    END IF;
END
$$;

-- One transaction a call: nested savepoints, some rolled back.
CREATE PROCEDURE random_transaction() LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..4 LOOP
        PERFORM random_change();
        BEGIN
            PERFORM random_change();
            BEGIN
                PERFORM random_change();
                IF random() < 0.3 THEN RAISE EXCEPTION 'inner'; END IF;
            EXCEPTION WHEN raise_exception THEN PERFORM random_change();
            END;
            PERFORM random_change();
            IF random() < 0.3 THEN RAISE EXCEPTION 'outer'; END IF;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
    END LOOP;
    IF random() < 0.15 THEN ROLLBACK; ELSE COMMIT; END IF;
END
$$;

SELECT setseed(0.25);
DO $$ BEGIN FOR i IN 1..150 LOOP CALL random_transaction(); END LOOP; END $$;
SELECT count(*) > 1000 AS enough, count(DISTINCT operation) FROM steward.audit_trail WHERE relation IN ('again.original', 'again.keyless') AND operation <> 'ENABLE';

-- Replays a table: keyed rows are found by key, others by their whole old image.
CREATE FUNCTION replay(source text, target regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    change record;
    found_rows integer;
    done bigint := 0;
BEGIN
    FOR change IN SELECT * FROM steward.audit_trail WHERE relation = source AND operation IN ('INSERT', 'UPDATE', 'DELETE') ORDER BY xid, seq LOOP
        CASE change.operation
            WHEN 'INSERT' THEN
                EXECUTE format('INSERT INTO %s SELECT * FROM jsonb_populate_record(NULL::%s, $1)', target, target) USING change.new;
            WHEN 'UPDATE' THEN
                EXECUTE format('WITH gone AS (DELETE FROM %s AS t WHERE t.ctid = (SELECT ctid FROM %s AS f WHERE %s LIMIT 1) RETURNING t)
                    INSERT INTO %s SELECT (jsonb_populate_record(t, $3)).* FROM gone', target, target,
                    CASE WHEN change.key IS NULL THEN format('f *= jsonb_populate_record(NULL::%s, $2)', target) ELSE 'to_jsonb(f) @> $1' END, target)
                    USING change.key, change.old, change.new;
            ELSE
                EXECUTE format('DELETE FROM %s AS t WHERE t.ctid = (SELECT ctid FROM %s AS f WHERE %s LIMIT 1)', target, target,
                    CASE WHEN change.key IS NULL THEN format('f *= jsonb_populate_record(NULL::%s, $2)', target) ELSE 'to_jsonb(f) @> $1' END)
                    USING change.key, change.old;
        END CASE;
        GET DIAGNOSTICS found_rows = ROW_COUNT;
        IF found_rows <> 1 THEN
            RAISE EXCEPTION 'record % of transaction % changed % rows', change.seq, change.xid, found_rows;
        END IF;
        done := done + 1;
    END LOOP;
    RETURN done;
END
$$;
SELECT replay('again.original', 'original_copy') > 500 AS replayed, replay('again.keyless', 'keyless_copy') > 50 AS replayed_keyless;

-- Equal bit for bit, json by value.
UPDATE original_copy AS c SET c_json = o.c_json FROM original AS o WHERE o.id = c.id AND o.c_json::jsonb = c.c_json::jsonb;
SELECT count(*) > 20 AS rows, count(*) FILTER (WHERE o.* *= c.*) = count(*) AS identical FROM original AS o FULL JOIN original_copy AS c USING (id);
SELECT count(*) > 5 AS rows FROM keyless;
SELECT count(*) AS differences FROM (
    (SELECT * FROM keyless EXCEPT ALL SELECT * FROM keyless_copy) UNION ALL (SELECT * FROM keyless_copy EXCEPT ALL SELECT * FROM keyless)) AS d;

\set VERBOSITY terse
SET client_min_messages = error;
DROP SCHEMA again CASCADE;

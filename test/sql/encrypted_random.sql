-- Encrypted values compare as their plaintexts do: over thousands of values of
-- each type, many of them equal but written differently, order, equality, hashes
-- and unique tags agree with the plaintext type.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA erandom;
SET search_path = erandom;
SET timezone = 'UTC';
SELECT steward.create_key('erandom');
RESET client_min_messages;
SELECT setseed(0.3);

CREATE FUNCTION pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT choices[1 + floor(random() * cardinality(choices))::int] $$;
CREATE FUNCTION digits(most integer) RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT coalesce(string_agg(pick('0', '0', '0', '1', '9', floor(random() * 10)::text), ''), '') FROM generate_series(1, floor(random() * (most + 1))::int) $$;

-- Small ones, so that some are equal; with zeros at the end; large ones; special ones.
CREATE FUNCTION random_numeric() RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT CASE WHEN random() < 0.02 THEN pick('NaN', 'Infinity', '-Infinity', '0.0000', '-0')
                 ELSE pick('', '-') || (CASE WHEN random() < 0.5 THEN pick('0', '1', '9', '10', '9999', '10000') ELSE '0' || digits(60) END)
                      || (CASE WHEN random() < 0.3 THEN '' ELSE '.' || pick('', '0', '0000', '00001') || digits(6) || pick('0', '00000') END) END $$;
CREATE FUNCTION random_bigint() RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT CASE WHEN random() < 0.05 THEN pick('9223372036854775807', '-9223372036854775808', '0') ELSE pick('', '-') || '0' || digits(18) END $$;
CREATE FUNCTION random_bytea() RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT '\x' || coalesce(string_agg(pick('00', 'ff', '7f', '80', to_hex(16 + floor(random() * 240)::int)), ''), '') FROM generate_series(1, floor(random() * 6)::int) $$;
CREATE FUNCTION random_text() RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT coalesce(string_agg(pick('a', 'B', 'é', 'ß', '漢', ' ', '\', 'z', '0'), ''), '') FROM generate_series(1, floor(random() * 6)::int) $$;
CREATE FUNCTION random_date() RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT CASE WHEN random() < 0.05 THEN pick('infinity', '-infinity', '4713-01-01 BC', '5874897-12-31') ELSE (date '1900-01-01' + floor(random() * 2000)::int * 50)::text END $$;
CREATE FUNCTION random_timestamptz() RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT CASE WHEN random() < 0.05 THEN pick('infinity', '-infinity', '4714-11-24 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00')
                 ELSE to_char(timestamp '2020-01-01' + floor(random() * 500) * interval '10 minutes' + floor(random() * 2) * interval '1 microsecond', 'YYYY-MM-DD HH24:MI:SS.US') || pick('+00', '+01', '+05:30', '-08', '+00:10') END $$;
CREATE FUNCTION random_jsonb(depth integer DEFAULT 0) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    kind float := random() * CASE WHEN depth < 3 THEN 8 ELSE 5 END;
    parts text[] := '{}';
BEGIN
    IF kind < 2 THEN
        RETURN pick('0', '1', '-1', '2.5', '1000', '1e3', '0.1');
    ELSIF kind < 3 THEN
        RETURN pick('1.0', '1.00', '-1.000', '2.50', '1000.0', '0.10', '0.0', '-0', '1E+3', '123456789012345678901234567890.0000', '10', '100');
    ELSIF kind < 4 THEN
        RETURN pick('"1.0"', '"a"', '""', '"é"', '"\u00e9"', '"\"1.00"', '"\\"', '"x\\\"2.50"', '"\n"', '"漢"');
    ELSIF kind < 5 THEN
        RETURN pick('true', 'false', 'null');
    END IF;
    FOR i IN 1..floor(random() * 4) LOOP
        parts := parts || CASE WHEN kind < 6.5 THEN random_jsonb(depth + 1) ELSE pick('"a"', '"b"', '"aa"', '"1.0"', '"é"', '"\""', '""') || pick(':', ' : ') || random_jsonb(depth + 1) END;
    END LOOP;
    RETURN CASE WHEN kind < 6.5 THEN '[' || array_to_string(parts, pick(',', ' , ')) || ']' ELSE '{' || array_to_string(parts, ',') || '}' END;
END
$$;

CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    plan text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        plan := plan || line || E'\n';
    END LOOP;
    RETURN plan;
END
$$;
CREATE FUNCTION agrees(type text, rows integer) RETURNS TABLE (what text, agrees boolean, "of" bigint) LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
    m bigint;
    ok boolean;
    unique_ops text := CASE type WHEN 'text' THEN 'encrypted_unique_ops' ELSE format('encrypted_%s_unique_ops', type) END;
BEGIN
    EXECUTE format('CREATE TABLE v (id integer, p %1$s, e steward.encrypted_%1$s(%2$L))', type, 'erandom/' || type);
    EXECUTE format('INSERT INTO v (id, p) SELECT i, random_%1$s()::%1$s FROM generate_series(1, %2$s) AS i', type, rows);
    UPDATE v SET e = p;
    EXECUTE format('INSERT INTO v SELECT id + %2$s, p, e::%1$s FROM v', type, rows);
    ANALYZE v;

    what := 'values come back as they were';
    SELECT bool_and(e::text = p::text), count(*) INTO agrees, "of" FROM v;
    RETURN NEXT;
    what := 'some are equal and not the same';
    SELECT count(*) > 0, count(*) INTO agrees, "of" FROM v AS a JOIN v AS b ON a.p = b.p AND a.p::text <> b.p::text;
    IF type IN ('numeric', 'jsonb') THEN RETURN NEXT; END IF;
    what := 'sorted alike';
    SELECT array_agg(id ORDER BY e, id) = array_agg(id ORDER BY p, id) AND array_agg(id ORDER BY e DESC, id) = array_agg(id ORDER BY p DESC, id), count(*) INTO agrees, "of" FROM v;
    RETURN NEXT;
    what := 'operators';
    SELECT bool_and((a.e = b.e) = (a.p = b.p) AND (a.e <> b.e) = (a.p <> b.p) AND (a.e < b.e) = (a.p < b.p) AND (a.e <= b.e) = (a.p <= b.p) AND (a.e > b.e) = (a.p > b.p) AND (a.e >= b.e) = (a.p >= b.p)
                    AND (a.e = b.p) = (a.p = b.p) AND (a.p = b.e) = (a.p = b.p) AND (a.e <> b.p) = (a.p <> b.p) AND (a.p <> b.e) = (a.p <> b.p)), count(*)
      INTO agrees, "of" FROM v AS a, v AS b WHERE a.id <= 100 AND b.id <= 100;
    RETURN NEXT;
    what := 'hash joins';
    SELECT count(*) INTO n FROM v AS a JOIN v AS b ON a.p = b.p;
    SET LOCAL enable_nestloop = off;
    SELECT count(*), bool_and(a.p = b.p) INTO m, ok FROM v AS a JOIN v AS b ON a.e = b.e;
    agrees := ok AND n = m;
    SELECT count(*), bool_and(a.p = b.p) INTO m, ok FROM v AS a JOIN v AS b ON a.e = b.p;
    agrees := agrees AND ok AND n = m;
    SELECT count(*), bool_and(a.p = b.p) INTO m, ok FROM v AS a JOIN v AS b ON a.p = b.e;
    agrees := agrees AND ok AND n = m;
    RESET enable_nestloop;
    "of" := rows;
    RETURN NEXT;
    what := 'groups';
    SELECT count(DISTINCT e) = count(DISTINCT p), count(*) INTO agrees, "of" FROM v;
    SELECT agrees AND NOT EXISTS (SELECT FROM v GROUP BY e HAVING count(DISTINCT p) > 1) INTO agrees;
    RETURN NEXT;
    what := 'hash of plaintext and of ciphertext';
    EXECUTE format('SELECT bool_and(steward.encrypted_%1$s_hash(e) = steward.plain_%1$s_hash(p) AND steward.encrypted_%1$s_hash_extended(e, id) = steward.plain_%1$s_hash_extended(p, id)), count(*) FROM v', type) INTO agrees, "of";
    RETURN NEXT;
    what := 'unique index';
    CREATE TABLE u AS SELECT DISTINCT ON (p) * FROM v ORDER BY p, id;
    EXECUTE format('CREATE UNIQUE INDEX ON u (e steward.%I)', unique_ops);
    SET LOCAL enable_seqscan = off;
    SET LOCAL enable_hashjoin = off;
    SET LOCAL enable_mergejoin = off;
    SET LOCAL enable_memoize = off;
    SELECT count(*), bool_and(v.p = u.p) INTO n, ok FROM v JOIN u ON u.e = v.e;
    SELECT count(*), ok AND bool_and(v.p = u.p) INTO m, ok FROM v JOIN u ON u.e = v.p;
    agrees := ok AND n = 2 * rows AND m = 2 * rows AND plan_of('SELECT * FROM v JOIN u ON u.e = v.e') ~ 'Index' AND plan_of('SELECT * FROM v JOIN u ON u.e = v.p') ~ 'Index';
    "of" := n;
    RETURN NEXT;
    RESET enable_hashjoin;
    RESET enable_mergejoin;
    RESET enable_memoize;
    what := 'any of an array';
    EXECUTE 'SELECT count(*) FROM u WHERE e = ANY (ARRAY(SELECT p FROM v))' INTO n;
    EXECUTE 'SELECT count(*) FROM u WHERE e = ANY (ARRAY(SELECT p FROM v)) AND e = ANY (ARRAY(SELECT p FROM v WHERE id % 2 = 0))' INTO m;
    agrees := n = (SELECT count(*) FROM u) AND m = (SELECT count(DISTINCT p) FROM v WHERE id % 2 = 0) AND plan_of('SELECT * FROM u WHERE e = ANY (ARRAY(SELECT p FROM v))') ~ 'Index Cond';
    "of" := rows;
    RETURN NEXT;
    RESET enable_seqscan;
    what := 'nothing can be there twice';
    INSERT INTO u SELECT * FROM v ON CONFLICT (e) DO NOTHING;
    GET DIAGNOSTICS n = ROW_COUNT;
    agrees := n = 0;
    "of" := 2 * rows;
    RETURN NEXT;
    DROP TABLE u, v;
END
$$;
SELECT type, count(*) AS checks, string_agg(what, ', ') FILTER (WHERE agrees IS NOT TRUE) AS disagrees, min("of") AS least
  FROM unnest(ARRAY['text', 'bytea', 'jsonb', 'bigint', 'numeric', 'date', 'timestamptz']) AS type, LATERAL agrees(type, 1000) GROUP BY type ORDER BY type;

-- a bigint beside each type of number
CREATE TABLE n (id integer, p bigint, e steward.encrypted_bigint('erandom/n'));
INSERT INTO n (id, p) SELECT i, random_bigint()::bigint FROM generate_series(1, 300) AS i UNION ALL SELECT 1000 + i, i FROM generate_series(-3, 3) AS i UNION ALL SELECT 2000 + i, i * 1000 FROM generate_series(-40, 40) AS i;
UPDATE n SET e = p;
CREATE TABLE m (id integer, p numeric);
INSERT INTO m SELECT i, random_numeric()::numeric FROM generate_series(1, 300) AS i UNION ALL SELECT id, p FROM n UNION ALL SELECT id, p + 0.5 FROM n UNION ALL SELECT id, p::numeric(30, 5) FROM n UNION ALL SELECT id, p::numeric * 10 FROM n;
SELECT bool_and((n.e = m.p) = (n.p = m.p) AND (m.p = n.e) = (n.p = m.p) AND (n.e <> m.p) = (n.p <> m.p) AND (m.p <> n.e) = (n.p <> m.p)) AS numeric, count(*) FILTER (WHERE n.p = m.p) > 900 AS many_equal FROM n, m;
SELECT count(*) FILTER (WHERE n.e = m.p) = (SELECT count(*) FROM n JOIN m ON n.p = m.p) AS hash_join FROM n JOIN m ON n.e = m.p;
SELECT plan_of('SELECT * FROM n JOIN m ON n.e = m.p') ~ '^Hash Join' AS hash_join;
SELECT bool_and((n.e = i::integer) = (n.p = i::integer) AND (n.e = i::smallint) = (n.p = i::smallint) AND (i::integer = n.e) = (n.p = i::integer) AND (i::smallint = n.e) = (n.p = i::smallint)
                AND (n.e <> i::integer) = (n.p <> i::integer) AND (n.e <> i::smallint) = (n.p <> i::smallint) AND (i::integer <> n.e) = (n.p <> i::integer) AND (i::smallint <> n.e) = (n.p <> i::smallint)) AS integers,
       count(*) FILTER (WHERE n.p = i) AS equal
  FROM n, generate_series(-30000, 30000, 1000) AS i;
SELECT count(*) AS hash_join FROM n JOIN generate_series(-30000, 30000, 1000) AS i ON n.e = i;

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA erandom CASCADE;

-- A text has as many entries in a blind index for patterns as pg_trgm has trigrams of it.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA btrigram_words;
CREATE EXTENSION pg_trgm SCHEMA btrigram_words;
SET search_path = btrigram_words;
SELECT steward.create_key('btrigram_words');
RESET client_min_messages;
CREATE TABLE one (x steward.encrypted_text('btrigram_words/x'));
CREATE INDEX one_x ON one USING blind (x steward.blind_trigram_ops);

-- Beside them is one that every row has.
CREATE FUNCTION entries(v text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE one;
    INSERT INTO one VALUES (v);
    REINDEX INDEX one_x;
    RETURN (SELECT sum(s.packed_entries + s.tail_entries)
            FROM generate_series(1, pg_relation_size('one_x') / current_setting('block_size')::integer - 1) AS block,
                steward.blind_page_stats('one_x', block) AS s WHERE s.type = 'leaf');
END
$$;
SELECT v, entries(v), cardinality(show_trgm(v)) FROM (VALUES ('a'), ('ab'), ('abc'), ('Ada Lovelace'), (''), ('--'), ('aaaa aaa')) AS s (v);

-- Letters of one to three bytes, in both cases, digits, and what divides words. Which of them are letters, the database's locale says.
CREATE FUNCTION some_text(n integer) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(substr('aabbccAB12 -_.%\''  @äÖßéÑøжЖ日本語', 1 + (hashint8extended(k, n) & 1023)::integer % 34, 1), '')
FROM generate_series(1, n % 23) AS k
$$;
SELECT count(*), count(DISTINCT v), sum(cardinality(show_trgm(v))) > 1000 AS many FROM (SELECT some_text(n) AS v FROM generate_series(1, 500) AS n) AS s;
SELECT v, entries(v), cardinality(show_trgm(v)) FROM (SELECT some_text(n) AS v FROM generate_series(1, 500) AS n OFFSET 0) AS s
WHERE entries(v) <> cardinality(show_trgm(v)) + 1;

SET client_min_messages = warning;
DROP SCHEMA btrigram_words CASCADE;
DELETE FROM steward.key_version WHERE key_id IN (SELECT key_id FROM steward.key WHERE path LIKE 'btrigram_words%');
DELETE FROM steward.key WHERE path LIKE 'btrigram_words%';

-- A leaf whose rows are the first of their blocks has very few bits for each. Rows that
-- are the last of theirs make every segment longer that they come to: then tail and
-- packed part together do not fit onto two pages, and the leaf is halved first.
CREATE SCHEMA blind_halve;
SET search_path = blind_halve;
SET client_min_messages = warning;
SELECT steward.create_key('blind_halve');
CREATE TABLE w (first boolean, a steward.encrypted_text('blind_halve/w.a')) WITH (autovacuum_enabled = off);
INSERT INTO w SELECT (g - 1) % 226 = 0 FROM generate_series(1, 226 * 11800) AS g;
CREATE INDEX ON w USING blind (a) WITH (tag_bits = 64, fillfactor = 100) WHERE first;
DELETE FROM w WHERE ctid = ANY (ARRAY(SELECT format('(%s,226)', b)::tid FROM generate_series(0, 11799, 45) AS b));
VACUUM w;
-- They go where rows were, or, if another session's snapshot kept VACUUM from removing these, to the end.
INSERT INTO w SELECT true FROM generate_series(1, 262);
SET enable_seqscan = off;
SELECT count(first) FROM w WHERE first AND a IS NULL;
DELETE FROM w WHERE first AND (ctid::text::point)[0]::integer % 3 = 0;
VACUUM w;
SELECT count(*) - (SELECT sum(first::integer) FROM w) AS missing FROM w WHERE first AND a IS NULL;
INSERT INTO w SELECT true FROM generate_series(1, 5000);
SELECT count(*) - (SELECT sum(first::integer) FROM w) AS missing FROM w WHERE first AND a IS NULL;
DROP SCHEMA blind_halve CASCADE;

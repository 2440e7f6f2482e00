-- LIKE and ILIKE of encrypted text: always what they are over the plaintext.
SELECT steward.create_key('regress_like');
CREATE SCHEMA regress_like;
SET search_path = regress_like, public;
CREATE TABLE person (id integer GENERATED ALWAYS AS IDENTITY, plain text, name steward.encrypted_text('regress_like/person.name'));
INSERT INTO person (plain)
    SELECT unnest(ARRAY['Ada', 'ada', 'ADA LOVELACE', '', ' ', '%', '_', '\', 'a\b', 'a%b', 'a_b', E'two\nlines', 'Łódź', 'łódź', 'ÀÉÎ', 'àéî', 'straße', 'STRASSE',
                        'ΟΔΟΣ', 'οδος', 'İstanbul', 'istanbul', 'ISTANBUL', 'ıstanbul', '日本語テキスト', '😀 smile', 'e' || U&'\0301', 'é', NULL])
    UNION ALL SELECT repeat('long ', 10000) || 'End'
    UNION ALL SELECT repeat('Ä', 3000);
UPDATE person SET name = plain;
CREATE TABLE pattern (pattern text);
INSERT INTO pattern
    SELECT unnest(ARRAY['', '%', '_', '__', 'ada', 'Ada%', '%ADA%', '_da', '%a', 'a\\b', 'a\%b', 'a\_b', '\%', '\\', 'a_b', '%\\%', 'two%lines', E'two\nlines', 'łÓdź', 'Łó%', '___ź',
                        'àé_', '%É%', 'STRASSE', 'stra_e', '%σ', '%Σ', 'ΟΔΟς', 'i%', 'I%', 'İ%', 'ı%', '日本%', '%テキ__', '😀%', '_ smile', 'é', 'e_', '%end', '%End', '%ng l%', '%ää', NULL]);

-- What differs; nothing may.
SELECT id, pattern FROM person, pattern
 WHERE (name LIKE pattern, name NOT LIKE pattern, name ILIKE pattern, name NOT ILIKE pattern)
       IS DISTINCT FROM (plain LIKE pattern, plain NOT LIKE pattern, plain ILIKE pattern, plain NOT ILIKE pattern);
SELECT count(*) FILTER (WHERE name LIKE pattern) > 50 AS likes, count(*) FILTER (WHERE name ILIKE pattern) > 70 AS ilikes FROM person, pattern;
SELECT id, pattern FROM person, pattern
 WHERE (name LIKE pattern COLLATE "C", name ILIKE pattern COLLATE "C") IS DISTINCT FROM (plain LIKE pattern COLLATE "C", plain ILIKE pattern COLLATE "C");
SELECT id, pattern FROM person, pattern
 WHERE (name LIKE pattern COLLATE "POSIX", name ILIKE pattern COLLATE "POSIX") IS DISTINCT FROM (plain LIKE pattern COLLATE "POSIX", plain ILIKE pattern COLLATE "POSIX");
SELECT id, pattern FROM person, pattern
 WHERE (name LIKE pattern COLLATE "tr-x-icu", name ILIKE pattern COLLATE "tr-x-icu", name NOT ILIKE pattern COLLATE "tr-x-icu")
       IS DISTINCT FROM (plain LIKE pattern COLLATE "tr-x-icu", plain ILIKE pattern COLLATE "tr-x-icu", plain NOT ILIKE pattern COLLATE "tr-x-icu");
SELECT id FROM person WHERE name ILIKE 'I%' COLLATE "tr-x-icu" ORDER BY id;
-- As decrypt(name) has it, a pattern of another collation brings that one.
ALTER TABLE pattern ADD other text COLLATE "C";
UPDATE pattern SET other = pattern;
SELECT id, pattern FROM person, pattern
 WHERE (name ILIKE other, name NOT ILIKE other) IS DISTINCT FROM (steward.decrypt(name) ILIKE other, steward.decrypt(name) NOT ILIKE other);
SELECT id FROM person WHERE name ILIKE 'ÀÉ%' COLLATE "und-x-icu" ORDER BY id;
SELECT id FROM person WHERE name ILIKE 'ÀÉ%' COLLATE "C" ORDER BY id;

-- Literals, ESCAPE, arrays, other types of characters.
SELECT id FROM person WHERE name LIKE 'a!%b' ESCAPE '!';
SELECT id FROM person WHERE name LIKE 'a\b' ESCAPE '' ORDER BY id;
SELECT id FROM person WHERE name LIKE ANY (ARRAY['Ada', 'a\_%', NULL]) ORDER BY id;
SELECT id FROM person WHERE name NOT ILIKE ALL (ARRAY['%a%', '%_s%', '%i%', '_', '', 'o%']) ORDER BY id;
SELECT id FROM person WHERE name LIKE 'Ad_'::varchar OR name LIKE 'ada'::name;
PREPARE find (text) AS SELECT id FROM person WHERE name LIKE $1;
EXECUTE find('%LOVE%');
SELECT name LIKE '%' AS null_value FROM person WHERE plain IS NULL;

-- A pattern that ends in an escape is an error where PostgreSQL comes so far; neither it nor the value is quoted.
\set SHOW_CONTEXT always
SELECT id FROM person WHERE name LIKE 'ad\' AND id = 2;
SELECT id FROM person WHERE name ILIKE 'AD\' AND id = 2;
DO $$ BEGIN PERFORM id FROM regress_like.person WHERE name LIKE 'ad\' AND id = 2; END $$;
\set SHOW_CONTEXT errors
SELECT id FROM person WHERE name LIKE 'zzz\' AND id = 2;

-- The operators know each other, and estimate without statistics.
ANALYZE person;
CREATE FUNCTION rows_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; BEGIN EXECUTE 'EXPLAIN ' || query INTO line; RETURN substring(line FROM 'rows=\d+'); END $$;
SELECT rows_of('SELECT FROM person WHERE name LIKE ''Ad%'''), rows_of('SELECT FROM person WHERE name ILIKE ''Ad%'''), rows_of('SELECT FROM person WHERE name NOT LIKE ''Ad%''') AS most, rows_of('SELECT FROM person WHERE name NOT ILIKE ''Ad%''') AS most;
EXPLAIN (COSTS OFF) SELECT id FROM person WHERE NOT (name LIKE 'Ada%' OR name NOT ILIKE 'x');
SELECT oprname, oprnegate::regoperator, oprrest, oprjoin FROM pg_operator WHERE oprleft = 'steward.encrypted_text'::regtype AND oprname ~ '~~' ORDER BY oprname COLLATE "C";

-- They need the right to decrypt; search is not enough.
CREATE ROLE regress_like_reader;
GRANT USAGE ON SCHEMA regress_like TO regress_like_reader;
GRANT SELECT ON person TO regress_like_reader;
SELECT steward.grant_key('regress_like', 'regress_like_reader', 'search');
SET ROLE regress_like_reader;
SELECT id FROM person WHERE name = 'Ada';
SELECT id FROM person WHERE name LIKE 'Ada%';
SELECT id FROM person WHERE name NOT LIKE 'Ada%';
SELECT id FROM person WHERE name ILIKE 'Ada%';
SELECT id FROM person WHERE name NOT ILIKE 'Ada%';
SELECT steward.encrypted_text_like(name, 'Ada%') FROM person;
RESET ROLE;
SELECT steward.grant_key('regress_like', 'regress_like_reader', 'decrypt');
SET ROLE regress_like_reader;
SELECT id FROM person WHERE name LIKE 'Ada%';
RESET ROLE;

-- What would store their result is refused; a view does not.
CREATE VIEW adas AS SELECT id FROM person WHERE name LIKE 'Ad%';
SELECT * FROM adas;
CREATE INDEX ON person (id) WHERE name LIKE 'Ad%';
CREATE INDEX ON person ((name ILIKE 'Ad%'));
ALTER TABLE person ADD is_ada boolean GENERATED ALWAYS AS (name LIKE 'Ad%') STORED;

-- An erased value matches nothing and does not match nothing: decrypt() gives NULL.
CREATE TABLE bound (id integer PRIMARY KEY, person text, name steward.encrypted_text('regress_like/bound.name'));
SELECT steward.bind_subject('bound', 'liked', 'person');
INSERT INTO bound VALUES (1, 'ada', 'Ada'), (2, 'ben', 'Ben');
SELECT steward.shred_subject('liked', 'ada');
SELECT id, name LIKE '%' AS likes, name NOT LIKE 'A%' AS not_like, name ILIKE '%' AS ilikes, name NOT ILIKE 'a%' AS not_ilike FROM bound ORDER BY id;

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA regress_like CASCADE;
DELETE FROM steward.subject_key WHERE kind = 'liked';
DROP OWNED BY regress_like_reader;
DROP ROLE regress_like_reader;

--
-- Retention policies that anonymize: each strategy, once and again, and what is refused.
--
SET timezone = 'Europe/Berlin';
SET client_min_messages = warning;
\set SHOW_CONTEXT never
SELECT steward.create_key('ra') IS NULL AS made;

CREATE DOMAIN ra_name AS varchar(60) CHECK (VALUE <> 'x');
CREATE TYPE ra_mood AS ENUM ('good', 'bad');
CREATE TABLE ra_person (id int PRIMARY KEY, seen date, note text, status varchar(10) NOT NULL DEFAULT 'new', email text, nick ra_name,
    token uuid, born date, at timestamp, paid timestamptz, zip int, small smallint, big bigint, salary numeric(8,2), lat float8, lon real,
    ip inet, net cidr, doc json, mood ra_mood, spot point, dropped int, note_length int GENERATED ALWAYS AS (length(note)) STORED);
ALTER TABLE ra_person DROP COLUMN dropped;
CREATE FUNCTION ra_fill() RETURNS void LANGUAGE sql AS $$
    TRUNCATE ra_person;
    INSERT INTO ra_person SELECT n, CASE WHEN n <= 4 THEN date '2001-01-01' ELSE current_date END, 'note', 'member',
        CASE WHEN n <> 3 THEN 'ada@example.org' END, 'Ada', '01234567-89ab-cdef-0123-456789abcdef', '1980-05-17', '2001-02-03 04:05:06',
        '2001-01-01 00:30 Europe/Berlin', 12345, -32768, -9223372036854775808, -999999.99, 52.520008, -13.404954, '10.1.2.3', '2001:db8:1:2::/64',
        '{"a": 1}', 'good', '(1,2)' FROM generate_series(1, 5) AS n;
    UPDATE ra_person SET email = 'grace@example.org', note = NULL, born = 'infinity', at = '-infinity', salary = 'NaN', lat = 'infinity', ip = '2001:db8:1:2::3/128',
        net = '10.0.0.0/8' WHERE id = 4;
$$;
SELECT ra_fill();
SELECT steward.create_policy('people', 'ra_person', 'seen', '1 year', 'anonymize', time_zone => 'Europe/Berlin', columns => '{
    "note": null, "status": {"strategy": "constant", "value": "gone"}, "email": "hash", "nick": "pseudonym", "token": "pseudonym",
    "born": {"strategy": "truncate", "to": "year"}, "at": {"strategy": "truncate", "to": "month"}, "paid": {"strategy": "truncate", "to": "day"},
    "zip": {"strategy": "generalise", "width": 1000}, "small": {"strategy": "generalise", "width": 1000}, "big": {"strategy": "generalise", "width": 10},
    "salary": {"strategy": "generalise", "width": 0.5}, "lat": {"strategy": "generalise", "digits": 1}, "lon": {"strategy": "generalise", "width": "0.25"},
    "ip": "generalise", "net": {"strategy": "generalise", "prefix": 4, "prefix6": 32}, "doc": {"strategy": "constant", "value": "{}"},
    "mood": {"strategy": "constant", "value": "bad"}, "spot": "null"}');
SELECT jsonb_pretty(columns) FROM steward.policy WHERE name = 'people';
SELECT relation, action, rows FROM steward.preview_policy('people');
CALL steward.run_policy('people');
SELECT id, note, status, email ~ '^[0-9a-f]{48}$' AS email, nick ~ '^anon-[0-9a-f]{32}$' AS nick, token <> '01234567-89ab-cdef-0123-456789abcdef' AS token,
    born, at, paid, zip, small, big, note_length FROM ra_person ORDER BY id;
SELECT id, salary, lat, lon, ip, net, doc, mood, spot FROM ra_person ORDER BY id;
-- Equal values have equal hashes, and no two pseudonyms are equal.
SELECT count(email), count(DISTINCT email), count(DISTINCT nick), count(DISTINCT token) FROM ra_person WHERE seen < '2002-01-01';
SELECT substr(token::text, 15, 1) AS version, substr(token::text, 20, 1) IN ('8', '9', 'a', 'b') AS variant FROM ra_person WHERE id = 1;
SELECT rows, children, skipped, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;

-- Again nothing is left to do, and nothing changes.
CREATE TABLE ra_before AS SELECT * FROM ra_person;
CALL steward.run_policy('people');
SELECT rows, batches, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
SELECT count(*) FROM ra_before AS b JOIN ra_person AS p ON b.id = p.id AND b::text = p::text;
SELECT rows, oldest FROM steward.preview_policy('people');
-- A new value in one column: the others stay.
UPDATE ra_person SET email = 'ada@example.org', zip = 99999 WHERE id = 2;
CALL steward.run_policy('people');
SELECT count(DISTINCT email) AS emails, min(zip), max(zip) FROM ra_person WHERE id IN (1, 2);
SELECT count(*) FROM ra_before AS b JOIN ra_person AS p ON b.id = p.id AND (b.nick, b.token) = (p.nick, p.token);
-- What looks like a hash or a pseudonym is replaced all the same.
UPDATE ra_person SET email = repeat('ab', 24), nick = 'anon-' || repeat('cd', 16), token = '01234567-89ab-8def-8123-456789abcdef' WHERE id = 1;
SELECT steward.is_anonymous(email, 'people', 'email') FROM ra_person WHERE id IN (1, 2) ORDER BY id;
CALL steward.run_policy('people');
SELECT email <> repeat('ab', 24) AS email, nick <> 'anon-' || repeat('cd', 16) AS nick, token <> '01234567-89ab-8def-8123-456789abcdef' AS token
  FROM ra_person WHERE id = 1;
SELECT steward.is_anonymous(email, 'people', 'email') AS email, steward.is_anonymous(nick, 'people', 'nick') AS nick,
    steward.is_anonymous(token::text, 'people', 'token') AS token, steward.is_anonymous(upper(nick), 'people', 'nick') AS changed,
    steward.is_anonymous(email, 'people', 'nick') AS "column", steward.is_anonymous(email, 'other', 'email') AS policy FROM ra_person WHERE id = 1;
SELECT steward.is_anonymous('', 'a', 'b'), steward.is_anonymous(NULL, 'a', 'b'), steward.is_anonymous(repeat('-', 36), 'a', 'b'),
    steward.is_anonymous(repeat('é', 24), 'a', 'b');

-- Changing what is done.
SELECT steward.alter_policy('people', columns => '{"zip": {"strategy": "generalise", "width": 10000}}');
CALL steward.run_policy('people');
SELECT id, zip FROM ra_person ORDER BY id;
SELECT steward.alter_policy('people', action => 'delete');
SELECT action, columns FROM steward.policy;
SELECT steward.alter_policy('people', action => 'anonymize');
SELECT steward.alter_policy('people', columns => '{"zip": null}');
SELECT steward.alter_policy('people', action => 'anonymize', columns => '{"zip": null}', children => '{}');
-- A constant is what it is when it is given; holds keep rows as they are; triggers may keep them.
SELECT ra_fill();
SELECT steward.alter_policy('people', action => 'anonymize', columns => '{"at": {"strategy": "constant", "value": "today"}, "note": null}');
SELECT columns -> 'at' ->> 'value' = (current_date::timestamp)::text OR columns -> 'at' ->> 'value' ~ '^\d{4}-' AS now FROM steward.policy;
SELECT steward.place_hold('ra_person', 'id = 1', 'case') > 0 AS held;
CREATE FUNCTION ra_keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TRIGGER ra_keep BEFORE UPDATE ON ra_person FOR EACH ROW WHEN (OLD.id = 2) EXECUTE FUNCTION ra_keep();
SELECT rows, held FROM steward.preview_policy('people');
CALL steward.run_policy('people');
SELECT id, note FROM ra_person ORDER BY id;
SELECT rows, skipped, held, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
DROP TRIGGER ra_keep ON ra_person;
SELECT count(steward.release_hold(id, 'tested')) FROM steward.active_hold;
SELECT steward.drop_policy('people');

-- Partitions with columns in another order, and an index on the age.
CREATE TABLE ra_part (id int, seen date, name text, code int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE ra_part1 (gone int, name text, code int, id int NOT NULL, seen date);
ALTER TABLE ra_part1 DROP COLUMN gone;
ALTER TABLE ra_part ATTACH PARTITION ra_part1 FOR VALUES FROM (0) TO (100);
CREATE TABLE ra_part2 PARTITION OF ra_part FOR VALUES FROM (100) TO (2000);
CREATE INDEX ON ra_part (seen);
INSERT INTO ra_part SELECT n, '2001-01-01', 'name', n FROM generate_series(0, 1999) AS n;
SELECT steward.create_policy('parts', 'ra_part', 'seen', '1 year', 'anonymize', columns => '{"name": "hash", "code": "null"}');
CALL steward.run_policy('parts');
SELECT tableoid::regclass, count(*), count(code), count(DISTINCT name), bool_and(steward.is_anonymous(name, 'parts', 'name')) FROM ra_part GROUP BY 1 ORDER BY 1;
SELECT steward.drop_policy('parts');

-- Refused.
CREATE TABLE ra_code (id int GENERATED ALWAYS AS IDENTITY, code text UNIQUE, seen date, short varchar(47), odd money, must int NOT NULL, born date);
CREATE TABLE ra_child (code text REFERENCES ra_code (code));
CREATE FUNCTION ra_try(columns jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    PERFORM steward.create_policy('x', 'ra_code', 'seen', '1 year', 'anonymize', columns => columns);
    RAISE EXCEPTION 'made' USING HINT = 'It was not refused.';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;
SELECT ra_try(NULL);
SELECT ra_try('{}');
SELECT ra_try('[]');
SELECT ra_try('{"odd": []}');
SELECT ra_try('{"odd": {"value": 1}}');
SELECT ra_try('{"odd": {"strategy": "constant", "color": 1}}');
SELECT ra_try('{"missing": "null"}');
SELECT ra_try('{"ctid": "null"}');
SELECT ra_try('{"odd": "burn"}');
SELECT ra_try('{"must": "null"}');
SELECT ra_try('{"odd": "constant"}');
SELECT ra_try('{"must": {"strategy": "constant", "value": "much"}}');
SELECT ra_try('{"must": {"strategy": "constant", "value": "1); DROP TABLE ra_child; --"}}');
SELECT ra_try('{"id": "null"}');
SELECT ra_try('{"code": "hash"}');
SELECT ra_try('{"short": "hash"}');
SELECT ra_try('{"odd": "pseudonym"}');
SELECT ra_try('{"born": "truncate"}');
SELECT ra_try('{"born": {"strategy": "truncate", "to": "hour"}}');
SELECT ra_try('{"short": {"strategy": "truncate", "to": "year"}}');
SELECT ra_try('{"must": "generalise"}');
SELECT ra_try('{"must": {"strategy": "generalise", "width": 0}}');
SELECT ra_try('{"must": {"strategy": "generalise", "width": -5}}');
SELECT ra_try('{"must": {"strategy": "generalise", "width": 1.5}}');
SELECT ra_try('{"must": {"strategy": "generalise", "digits": 1}}');
SELECT ra_try('{"must": {"strategy": "generalise", "width": 99999999999}}');
SELECT ra_try('{"odd": {"strategy": "generalise", "width": 10}}');
DROP TABLE ra_child;
SELECT ra_try('{"code": {"strategy": "constant", "value": "x"}}');
SELECT ra_try('{"born": {"strategy": "constant", "value": "soon"}}');
CREATE RULE ra_rule AS ON UPDATE TO ra_code DO INSTEAD NOTHING;
SELECT ra_try('{"born": "null"}');
DROP RULE ra_rule ON ra_code;
SELECT steward.create_policy('x', 'ra_part', 'seen', '1 year', 'anonymize', columns => '{"id": {"strategy": "generalise", "width": 10}}');
SELECT steward.create_policy('x', 'ra_part2', 'seen', '1 year', 'anonymize', columns => '{"id": {"strategy": "generalise", "width": 10}}');

DELETE FROM steward.hold;
DROP TABLE ra_person, ra_before, ra_part, ra_code;
DROP FUNCTION ra_fill, ra_keep, ra_try;
DROP DOMAIN ra_name;
DROP TYPE ra_mood;

--
-- Legal holds: placing and releasing them, and what they refuse.
--
SET client_min_messages = warning;
SET TimeZone = 'Europe/Berlin';
SET DateStyle = 'German, DMY';
CREATE ROLE regress_hold_owner;
CREATE ROLE regress_hold_officer;
CREATE SCHEMA hold AUTHORIZATION regress_hold_owner;
GRANT USAGE ON SCHEMA hold TO PUBLIC;
GRANT EXECUTE ON FUNCTION steward.place_hold(regclass, text, text), steward.release_hold TO regress_hold_officer;
GRANT SELECT ON steward.active_hold TO regress_hold_officer, regress_hold_owner;
CREATE FUNCTION hold.held(relation regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(id || ': ' || coalesce(predicate, 'all rows') || coalesce(' (' || problem || ')', ''), ', ' ORDER BY id)
      FROM steward.active_hold WHERE active_hold.relation = held.relation
$$;
-- A number that does not depend on what other tests did.
CREATE SEQUENCE hold.base;
SET search_path = hold, public;

SET ROLE regress_hold_owner;
CREATE TABLE "Order" (id int PRIMARY KEY, customer int, at timestamptz, note text, "Odd name" int);
INSERT INTO "Order" SELECT n, n % 10, timestamptz '2020-01-01 00:30:00+01' + n * interval '1 day', 'n' || n, n FROM generate_series(0, 99) AS n;
RESET ROLE;
ALTER SEQUENCE steward.hold_id_seq RESTART 9000;

-- ---------------------------------------------------------------- arguments
SELECT steward.place_hold(NULL, NULL, 'case');
SELECT steward.place_hold('"Order"', NULL, NULL);
SELECT steward.place_hold('"Order"', NULL, E' \t\n');
SELECT steward.place_hold(1, NULL, 'case');
SELECT steward.release_hold(NULL, 'case');
SELECT steward.release_hold(1, 'case');
CREATE VIEW order_view AS SELECT * FROM "Order";
CREATE TEMP TABLE temporary (id int);
SELECT steward.place_hold('order_view', NULL, 'case');
SELECT steward.place_hold('temporary', NULL, 'case');
SELECT steward.place_hold('pg_class', NULL, 'case');
SELECT steward.place_hold('steward.policy_definition', NULL, 'case');
SELECT steward.place_hold('hold.base', NULL, 'case');
BEGIN READ ONLY;
SELECT steward.place_hold('"Order"', NULL, 'case');
ROLLBACK;

DROP VIEW order_view;

-- ---------------------------------------------------------------- predicates
CREATE FUNCTION moody(int) RETURNS bool VOLATILE LANGUAGE sql RETURN $1 > 1;
CREATE FUNCTION hidden(int, float8 DEFAULT random()) RETURNS bool STABLE LANGUAGE sql RETURN $1 > $2;
SELECT steward.place_hold('"Order"', p, 'case') FROM unnest(ARRAY['customer = ']) AS p;
SELECT steward.place_hold('"Order"', 'customer = 1, true', 'case');
SELECT steward.place_hold('"Order"', 'customer = 1 AS a', 'case');
SELECT steward.place_hold('"Order"', 'true UNION SELECT false', 'case');
SELECT steward.place_hold('"Order"', 'true ORDER BY 1', 'case');
SELECT steward.place_hold('"Order"', 'true; DROP TABLE "Order"', 'case');
SELECT steward.place_hold('"Order"', '*', 'case');
SELECT steward.place_hold('"Order"', '"Order".*', 'case');
SELECT steward.place_hold('"Order"', '', 'case');
SELECT steward.place_hold('"Order"', 'customer', 'case');
SELECT steward.place_hold('"Order"', 'buyer = 1', 'case');
SELECT steward.place_hold('"Order"', 'customer IN (SELECT 1)', 'case');
SELECT steward.place_hold('"Order"', 'max(customer) > 1', 'case');
SELECT steward.place_hold('"Order"', 'row_number() OVER () > 1', 'case');
SELECT steward.place_hold('"Order"', 'generate_series(1, 2) > 1', 'case');
SELECT steward.place_hold('"Order"', 'random() > 0.5', 'case');
SELECT steward.place_hold('"Order"', 'hold.moody(customer)', 'case');
SELECT steward.place_hold('"Order"', 'hold.hidden(customer)', 'case');
SELECT steward.place_hold('"Order"', 'ctid = ''(0,1)''', 'case');
SELECT steward.place_hold('"Order"', '"Order" IS NULL', 'case');
SELECT steward.place_hold('"Order"', '$1 = 1', 'case');
SELECT steward.place_hold('"Order"', 'xmin IS NULL', 'case');

-- Kept is what was meant: names in full, dates as they were read.
CREATE FUNCTION hold.of_interest(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 = 4';
ALTER FUNCTION hold.of_interest OWNER TO regress_hold_owner;
SELECT steward.place_hold('"Order"', 'of_interest(customer) OR "Odd name" = 77', 'case 1') AS interest;
SELECT steward.place_hold('"Order"', $$at::date = '05.02.2020' AND note <> 'n"''x'$$, 'case 2') AS day;
SELECT id, relation, predicate, time_zone, ground, placed_by = current_user AS by_us, placed_at <= clock_timestamp() AS past, problem FROM steward.active_hold ORDER BY id;
SELECT id, columns FROM steward.hold ORDER BY id;

-- The predicate means the calendar and settings of who placed it. 5 February has begun
-- at 23:00 UTC of the day before; NULL holds nothing.
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
SELECT id FROM "Order" AS t WHERE steward.hold_keeps(9001, '"Order"', ROW (at, note)) ORDER BY id;
SELECT id FROM "Order" AS t WHERE steward.hold_keeps(9000, '"Order"', ROW (customer, "Odd name")) ORDER BY id;
INSERT INTO "Order" VALUES (1000);
SELECT steward.hold_keeps(9000, '"Order"', ROW (NULL::int, NULL::int)), steward.hold_keeps(9001, '"Order"', ROW (NULL::timestamptz, 'n'::text));
-- Arguments that only C would give right.
SELECT steward.hold_keeps(9000, '"Order"', ROW (1));
SELECT steward.hold_keeps(9000, '"Order"', ROW (1, 'x'::text));
SELECT steward.hold_keeps(9000, 1, ROW (1, 2));
SELECT steward.hold_keeps(NULL, '"Order"', ROW (1, 2));
SELECT steward.hold_keeps(1, '"Order"', ROW (1, 2));

-- ---------------------------------------------------------------- who may
SET ROLE regress_hold_owner;
SELECT steward.place_hold('"Order"', NULL, 'case');
SELECT steward.release_hold(9000, 'case');
SELECT id, relation, ground FROM steward.active_hold ORDER BY id;
SELECT * FROM steward.hold;
SET ROLE regress_hold_officer;
-- An officer sees and holds tables that are not his; his predicate is plain.
SELECT id, ground FROM steward.active_hold ORDER BY id;
SELECT id FROM hold."Order";
SELECT steward.hold_keeps(9000, '"Order"', ROW (4, 1));
SELECT steward.place_hold('"Order"', 'of_interest(customer)', 'case 3');
SELECT steward.place_hold('"Order"', 'pg_size_pretty(customer::bigint) = (now())::text', 'case 3');
SELECT steward.place_hold('"Order"', $$customer IN (1, 2) AND lower(note) LIKE 'n9%' AND at < '2020-06-01' AND "Odd name"::text <> ''$$, 'case 3') AS plain;
SELECT steward.release_hold(9002, 'an error') AS released;
SELECT steward.release_hold(9002, 'again');
RESET ROLE;
CREATE ROLE regress_hold_other;
GRANT SELECT ON steward.active_hold TO regress_hold_other;
SET ROLE regress_hold_other;
SELECT * FROM steward.active_hold;
SELECT steward.hold_problem(9000);
RESET ROLE;
DROP OWNED BY regress_hold_other;
DROP ROLE regress_hold_other;
SELECT released_by, released_at >= placed_at AS later, release_ground FROM steward.hold WHERE id = 9002;
SELECT steward.hold_keeps(9002, '"Order"', ROW (1, now(), 'n9'::text, 1)) AS released;

-- ---------------------------------------------------------------- the guard
SET ROLE regress_hold_owner;
TRUNCATE "Order";
DROP TABLE "Order" CASCADE;
ALTER TABLE "Order" DROP COLUMN customer;
ALTER TABLE "Order" DROP COLUMN "Odd name";
ALTER TABLE "Order" RENAME COLUMN note TO remark;
ALTER TABLE "Order" ALTER COLUMN customer TYPE bigint;
RESET ROLE;
DROP SCHEMA hold CASCADE;
DROP OWNED BY regress_hold_owner CASCADE;
DROP EXTENSION pg_steward CASCADE;
TRUNCATE steward.hold;
SELECT count(*) FROM "Order";
-- What is no matter of the hold.
SET ROLE regress_hold_owner;
ALTER TABLE "Order" ADD COLUMN more int;
ALTER TABLE "Order" ALTER COLUMN customer SET DEFAULT 1, ALTER COLUMN note SET STORAGE EXTERNAL, ALTER COLUMN at SET STATISTICS 10;
ALTER TABLE "Order" DROP COLUMN more;
ALTER TABLE "Order" RENAME TO orders;
RESET ROLE;
ALTER TABLE orders SET SCHEMA public;
SELECT hold.held('orders');
ALTER TABLE orders SET SCHEMA hold;
-- DELETE belongs to its user.
DELETE FROM orders WHERE id = 24;
-- With the override, which only a superuser can set.
SET ROLE regress_hold_owner;
SET steward.override_hold = on;
RESET ROLE;
BEGIN;
SET LOCAL steward.override_hold = on;
TRUNCATE orders;
ALTER TABLE orders RENAME COLUMN note TO remark;
SELECT hold.held('orders');
ALTER TABLE orders RENAME COLUMN remark TO note;
SELECT hold.held('orders');
DROP TABLE orders;
SELECT id, problem FROM steward.active_hold ORDER BY id;
ROLLBACK;

-- A broken hold holds everything; so does a row for which the predicate fails.
DROP FUNCTION of_interest;
SELECT hold.held('orders');
SELECT bool_and(steward.hold_keeps(9000, 'orders', ROW (customer, "Odd name"))) AS all FROM orders;
SELECT steward.place_hold('orders', '100 / customer > 20', 'case 4') AS fails;
SELECT customer, bool_and(steward.hold_keeps(9003, 'orders', ROW (customer))) AS kept FROM orders GROUP BY 1 ORDER BY 1;
SELECT steward.release_hold(id, 'settled') FROM steward.active_hold;
SELECT count(*) FROM steward.active_hold;

-- Of all rows, and of a table that is empty.
TRUNCATE orders;
SELECT steward.place_hold('orders', NULL, 'case 5') AS all_rows;
TRUNCATE orders;
INSERT INTO orders VALUES (1);
TRUNCATE orders;
SELECT steward.release_hold(9004, 'settled');
TRUNCATE orders;

-- ---------------------------------------------------------------- heirs
CREATE TABLE visit (at date, who int, UNIQUE (at, who)) PARTITION BY RANGE (at);
CREATE TABLE visit_a (extra int, who int, at date NOT NULL);
ALTER TABLE visit_a DROP COLUMN extra;
ALTER TABLE visit ATTACH PARTITION visit_a FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE visit_b PARTITION OF visit FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY RANGE (at);
CREATE TABLE visit_b1 PARTITION OF visit_b FOR VALUES FROM ('2021-01-01') TO ('2021-07-01');
CREATE TABLE visit_c PARTITION OF visit FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
INSERT INTO visit SELECT d, n FROM unnest(ARRAY['2020-05-05', '2021-05-05', '2022-05-05']::date[]) AS d, generate_series(1, 3) AS n;
SELECT steward.place_hold('visit', 'who = 2 AND at < ''2022-01-01''', 'case 6') AS tree;
TRUNCATE visit;
TRUNCATE visit_a;
TRUNCATE visit_c;
DROP TABLE visit_b1;
DROP TABLE visit_b;
DROP TABLE visit;
ALTER TABLE visit RENAME COLUMN who TO whom;
ALTER TABLE visit DETACH PARTITION visit_a;
ALTER TABLE visit DETACH PARTITION visit_b;
ALTER TABLE visit_b DETACH PARTITION visit_b1;
ALTER TABLE visit DETACH PARTITION visit_a CONCURRENTLY;
SELECT relid FROM pg_partition_tree('visit') ORDER BY 1;
-- No row of this one is held.
ALTER TABLE visit DETACH PARTITION visit_c CONCURRENTLY;
DROP TABLE visit_c;
-- A table with such rows may come under the hold.
CREATE TABLE visit_d (who int, at date);
INSERT INTO visit_d VALUES (2, '2019-05-05');
ALTER TABLE visit ATTACH PARTITION visit_d FOR VALUES FROM ('2019-01-01') TO ('2020-01-01');
ALTER TABLE visit DETACH PARTITION visit_d;
-- A hold of its own stays on what is detached.
DELETE FROM visit WHERE who = 2;
SELECT steward.place_hold('visit_b1', 'at IS NOT NULL', 'case 7') AS leaf;
ALTER TABLE visit DETACH PARTITION visit_b;
DROP TABLE visit_b;
DROP TABLE visit_b1;
SELECT steward.release_hold(id, 'settled') FROM steward.active_hold;
DROP TABLE visit_b, visit;

CREATE TABLE parent (id int, kind text);
CREATE TABLE other_parent (id int);
CREATE TABLE child (more int) INHERITS (parent, other_parent);
INSERT INTO child VALUES (1, 'x', 1);
SELECT steward.place_hold('other_parent', 'id = 1', 'case 8') AS inherited;
ALTER TABLE child NO INHERIT other_parent;
ALTER TABLE child NO INHERIT parent;
TRUNCATE parent;
TRUNCATE ONLY other_parent;
DROP TABLE child;
TRUNCATE child;
TRUNCATE other_parent;
-- A foreign key takes the table along.
ALTER TABLE parent ADD PRIMARY KEY (id);
CREATE TABLE refers (id int REFERENCES parent);
INSERT INTO parent VALUES (5, 'y');
INSERT INTO refers VALUES (5);
SELECT steward.place_hold('refers', NULL, 'case 9') AS referring;
TRUNCATE parent CASCADE;
DROP TABLE parent CASCADE;
SELECT count(*) FROM refers;
SELECT steward.release_hold(id, 'settled') FROM steward.active_hold;

RESET search_path;
DROP SCHEMA hold CASCADE;
DELETE FROM steward.hold;
DROP OWNED BY regress_hold_officer, regress_hold_owner;
DROP ROLE regress_hold_owner, regress_hold_officer;

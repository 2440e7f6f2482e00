--
-- Retention policies and foreign keys: what refers to expired rows.
--
SET timezone = 'UTC';
SET client_min_messages = warning;
\set SHOW_CONTEXT never

CREATE TABLE rc_customer (id int PRIMARY KEY, seen date, referrer int REFERENCES rc_customer);
CREATE TABLE rc_order (id int PRIMARY KEY, customer int REFERENCES rc_customer ON DELETE CASCADE);
CREATE TABLE rc_item (id int, orders int REFERENCES rc_order);
CREATE TABLE rc_review (id int PRIMARY KEY, customer int, orders int, also int,
    CONSTRAINT rc_review_customer FOREIGN KEY (customer) REFERENCES rc_customer,
    CONSTRAINT rc_review_order FOREIGN KEY (orders) REFERENCES rc_order ON DELETE SET NULL);
CREATE TABLE rc_invoice (id int PRIMARY KEY, customer int REFERENCES rc_customer);
CREATE FUNCTION rc_fill() RETURNS void LANGUAGE sql AS $$
    TRUNCATE rc_customer, rc_order, rc_item, rc_review, rc_invoice;
    INSERT INTO rc_customer SELECT n, CASE WHEN n <= 6 THEN date '2001-01-01' ELSE current_date END FROM generate_series(1, 8) AS n;
    INSERT INTO rc_order SELECT n * 10 + m, n FROM generate_series(1, 8) AS n, generate_series(1, 2) AS m;
    INSERT INTO rc_item SELECT n, id FROM rc_order, generate_series(1, 3) AS n;
    INSERT INTO rc_review SELECT id, customer, id FROM rc_order;
$$;
CREATE VIEW rc_left AS
    SELECT (SELECT string_agg(id::text, ' ' ORDER BY id) FROM rc_customer) AS customers, (SELECT count(*) FROM rc_order) AS orders,
        (SELECT count(*) FROM rc_item) AS items, (SELECT count(*) FROM rc_review) AS reviews,
        (SELECT count(*) FROM rc_review WHERE customer IS NULL) AS nobodys, (SELECT count(*) FROM rc_review WHERE orders IS NULL) AS orderless;
CREATE VIEW rc_run AS
    SELECT rows, children, bytes > 0 AS bytes, wal > 0 AS wal, skipped, held, restricted, state, sqlstate
      FROM steward.policy_run ORDER BY id DESC LIMIT 1;

-- What would happen by itself must be said.
SELECT steward.create_policy('c', 'rc_customer', 'seen', '1 year');
-- Wrong declarations.
SELECT steward.create_policy('c', 'rc_customer', 'seen', '1 year', children => '[]');
SELECT steward.create_policy('c', 'rc_customer', 'seen', '1 year', children => '"cascade"');
SELECT steward.create_policy('c', 'rc_customer', 'seen', '1 year', children => '{"rc_order": 1}');
SELECT steward.create_policy('c', 'rc_customer', 'seen', '1 year', children => '{"rc_order": {"x": []}}');
SELECT steward.create_policy('c', 'rc_customer', 'seen', '1 year', children => '{"rc_order": "explode"}');
SELECT steward.create_policy('c', 'rc_customer', 'seen', '1 year', children => '{"rc_nothing": "cascade"}');
SELECT steward.create_policy('c', 'rc_customer', 'seen', '1 year', children => '{"rc_order": {"nothing": "cascade"}}');
SELECT steward.create_policy('c', 'rc_customer', 'seen', '1 year', children => '{"rc_order": "restrict", "rc_item": "cascade"}');
SELECT steward.create_policy('c', 'rc_customer', 'seen', '1 year', children => '{"rc_order": "cascade"}');
ALTER TABLE rc_review ALTER COLUMN orders SET NOT NULL;
SELECT steward.create_policy('c', 'rc_customer', 'seen', '1 year', children => '{"rc_order": "cascade", "rc_review": "set null"}');
ALTER TABLE rc_review ALTER COLUMN orders DROP NOT NULL;

-- All that refers restricts: only who has nothing goes.
SELECT rc_fill();
SELECT steward.create_policy('c', 'rc_customer', 'seen', '1 year', children => '{"rc_order": "restrict"}');
INSERT INTO rc_customer VALUES (9, '2001-01-01');
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT * FROM rc_run;

-- Children go with them, and theirs; others lose the reference.
SELECT steward.alter_policy('c', children => '{"rc_order": "cascade", "rc_item": {"rc_item_orders_fkey": "cascade"}, "rc_review": "set null"}');
SELECT name, children FROM steward.policy;
SELECT relation, "constraint", refers_to, action, rows, held, restricted, oldest, newest, problem FROM steward.preview_policy('c');
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT * FROM rc_run;

-- A row deep down that restricts keeps all that leads to it, and nothing else.
SELECT steward.alter_policy('c', children => '{"rc_order": "cascade", "rc_review": "set null"}');
SELECT rc_fill();
DELETE FROM rc_item WHERE orders <> 21;
INSERT INTO rc_invoice VALUES (1, 3);
SELECT relation, "constraint", action, rows, held, restricted FROM steward.preview_policy('c');
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT * FROM rc_run;
DELETE FROM rc_item;
DELETE FROM rc_invoice;
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT * FROM rc_run;

-- References within the table: a chain that is deleted from its end, and a cycle.
SELECT rc_fill();
DELETE FROM rc_item;
UPDATE rc_customer SET referrer = id - 1 WHERE id BETWEEN 2 AND 6;
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT * FROM rc_run;
SELECT rc_fill();
DELETE FROM rc_item;
UPDATE rc_customer SET referrer = id % 6 + 1 WHERE id <= 6;
CALL steward.run_policy('c');
SELECT * FROM rc_left;
-- One that still is there keeps what it refers to, and so on.
SELECT rc_fill();
DELETE FROM rc_item;
UPDATE rc_customer SET referrer = 3 WHERE id = 7;
UPDATE rc_customer SET referrer = 2 WHERE id = 3;
SELECT relation, action, rows, held, restricted FROM steward.preview_policy('c') WHERE relation = 'rc_customer'::regclass;
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT * FROM rc_run;
-- Declared, those who were referred go too, although they have not expired.
SELECT steward.alter_policy('c', children => '{"rc_order": "cascade", "rc_review": "set null", "rc_customer": "cascade"}');
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT * FROM rc_run;
SELECT steward.alter_policy('c', children => '{"rc_order": "cascade", "rc_review": "set null", "rc_customer": "set null"}');
SELECT rc_fill();
DELETE FROM rc_item;
UPDATE rc_customer SET referrer = 3 WHERE id IN (2, 7, 8);
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT count(*) FROM rc_customer WHERE referrer IS NOT NULL;

-- A hold on a row anywhere in what would go, or would be changed, keeps all that leads to it.
SELECT rc_fill();
DELETE FROM rc_item;
SELECT steward.place_hold('rc_order', 'id = 21', 'case') > 0 AS held, steward.place_hold('rc_review', 'id = 41', 'case') > 0 AS held,
    steward.place_hold('rc_customer', 'id = 5', 'case') > 0 AS held;
SELECT relation, "constraint", action, rows, held, restricted FROM steward.preview_policy('c');
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT * FROM rc_run;
-- One that rows of another table restrict is not looked at any further.
INSERT INTO rc_invoice VALUES (1, 2);
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT * FROM rc_run;
DELETE FROM rc_invoice;
SELECT count(steward.release_hold(id, 'tested')) FROM steward.active_hold;
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT * FROM rc_run;

-- A new foreign key that changes other tables, and one that restricts.
SELECT rc_fill();
DELETE FROM rc_item;
CREATE TABLE rc_late (customer int REFERENCES rc_customer ON DELETE CASCADE);
INSERT INTO rc_late VALUES (1), (1), (8);
SELECT relation, action, rows, problem FROM steward.preview_policy('c') WHERE relation = 'rc_late'::regclass;
CALL steward.run_policy('c');
SELECT * FROM rc_run;
ALTER TABLE rc_late DROP CONSTRAINT rc_late_customer_fkey, ADD FOREIGN KEY (customer) REFERENCES rc_customer ON DELETE RESTRICT;
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT * FROM rc_run;
DROP TABLE rc_late;

-- A declared foreign key that was renamed is not declared any more.
ALTER TABLE rc_order RENAME CONSTRAINT rc_order_customer_fkey TO rc_renamed;
CALL steward.run_policy('c');
ALTER TABLE rc_order RENAME CONSTRAINT rc_renamed TO rc_order_customer_fkey;

-- Triggers that keep what was to go.
SELECT rc_fill();
DELETE FROM rc_item;
CREATE FUNCTION rc_keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TRIGGER rc_keep BEFORE DELETE OR UPDATE ON rc_order FOR EACH ROW WHEN (OLD.id = 21) EXECUTE FUNCTION rc_keep();
CALL steward.run_policy('c');
SELECT * FROM rc_left;
DROP TRIGGER rc_keep ON rc_order;
CREATE TRIGGER rc_keep BEFORE UPDATE ON rc_review FOR EACH ROW WHEN (OLD.id = 21) EXECUTE FUNCTION rc_keep();
CALL steward.run_policy('c');
SELECT * FROM rc_left;
DROP TRIGGER rc_keep ON rc_review;
CREATE TRIGGER rc_keep BEFORE DELETE ON rc_customer FOR EACH ROW WHEN (OLD.id = 2) EXECUTE FUNCTION rc_keep();
CALL steward.run_policy('c');
SELECT * FROM rc_left;
DROP TRIGGER rc_keep ON rc_customer;
CALL steward.run_policy('c');
SELECT * FROM rc_left;
SELECT steward.drop_policy('c');
SELECT count(*) FROM steward.policy_child;

-- Partitions on both sides, columns in another order, two columns, other types, and a foreign key of one partition alone.
CREATE TABLE rc_part (a int, b bigint, seen timestamptz, PRIMARY KEY (a, b)) PARTITION BY RANGE (a);
CREATE TABLE rc_part1 (seen timestamptz, gone int, b bigint NOT NULL, a int NOT NULL);
ALTER TABLE rc_part1 DROP COLUMN gone;
ALTER TABLE rc_part ATTACH PARTITION rc_part1 FOR VALUES FROM (0) TO (10);
CREATE TABLE rc_part2 PARTITION OF rc_part FOR VALUES FROM (10) TO (20);
CREATE TABLE "rc Child" ("The B" int, a smallint, id int, FOREIGN KEY (a, "The B") REFERENCES rc_part (a, b)) PARTITION BY LIST (id);
CREATE TABLE rc_child1 PARTITION OF "rc Child" FOR VALUES IN (1);
CREATE TABLE rc_child2 (id int, a smallint, "The B" int);
ALTER TABLE "rc Child" ATTACH PARTITION rc_child2 DEFAULT;
CREATE TABLE rc_alone (a int, b bigint, FOREIGN KEY (a, b) REFERENCES rc_part2 (a, b) ON DELETE CASCADE);
INSERT INTO rc_part SELECT n, n, now() - n * interval '1 day' FROM generate_series(0, 19) AS n;
INSERT INTO "rc Child" SELECT n, n, n % 3 FROM generate_series(0, 19) AS n, generate_series(1, 4);
INSERT INTO rc_alone SELECT n, n FROM generate_series(10, 19) AS n;
SELECT steward.create_policy('p', 'rc_part', 'seen', '5 days 1 hour', children => '{"\"rc Child\"": "cascade", "rc_alone": "cascade"}');
SELECT relation, "constraint", refers_to, action, rows, held, restricted, newest < now() - interval '5 days' AS old, problem
  FROM steward.preview_policy('p');
CALL steward.run_policy('p');
SELECT * FROM rc_run;
SELECT tableoid::regclass, count(*), max(a) FROM rc_part GROUP BY 1 ORDER BY 1;
SELECT tableoid::regclass, count(*), max(a) FROM "rc Child" GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM rc_alone;
SELECT steward.drop_policy('p');

-- A cycle over two tables.
CREATE TABLE rc_left_hand (id int PRIMARY KEY, seen date);
CREATE TABLE rc_right_hand (id int PRIMARY KEY, other int REFERENCES rc_left_hand ON DELETE RESTRICT);
ALTER TABLE rc_left_hand ADD COLUMN other int REFERENCES rc_right_hand;
INSERT INTO rc_left_hand VALUES (1, '2001-01-01'), (2, current_date), (3, '2001-01-01');
INSERT INTO rc_right_hand VALUES (1, 1), (2, 2), (3, 1);
UPDATE rc_left_hand SET other = 1 WHERE id = 1;
UPDATE rc_left_hand SET other = 3 WHERE id = 2;
SELECT steward.create_policy('h', 'rc_left_hand', 'seen', '1 year', children => '{"rc_right_hand": "cascade"}');
CALL steward.run_policy('h');
SELECT id, other FROM rc_left_hand ORDER BY id;
UPDATE rc_left_hand SET other = NULL WHERE id = 2;
CALL steward.run_policy('h');
SELECT id, other FROM rc_left_hand ORDER BY id;
SELECT id, other FROM rc_right_hand ORDER BY id;
SELECT * FROM rc_run;
SELECT steward.drop_policy('h');

-- A child of somebody else: restricts if the owner may read it, else it is an error.
CREATE ROLE regress_rc_owner;
CREATE TABLE rc_own (id int PRIMARY KEY, seen date);
CREATE TABLE rc_strange (own int REFERENCES rc_own);
INSERT INTO rc_own VALUES (1, '2001-01-01'), (2, '2001-01-01');
INSERT INTO rc_strange VALUES (1);
ALTER TABLE rc_own OWNER TO regress_rc_owner;
SELECT steward.create_policy('o', 'rc_own', 'seen', '1 year');
SELECT steward.create_policy('o', 'rc_own', 'seen', '1 year', children => '{"rc_strange": "cascade"}');
GRANT SELECT ON rc_strange TO regress_rc_owner;
SELECT steward.create_policy('o', 'rc_own', 'seen', '1 year');
CALL steward.run_policy('o');
SELECT * FROM rc_own;
SELECT steward.drop_policy('o');

-- Many children to a row: fewer rows make a batch.
CREATE TABLE rc_big (id int PRIMARY KEY, seen date);
CREATE TABLE rc_small (big int REFERENCES rc_big ON DELETE CASCADE);
INSERT INTO rc_big SELECT n, '2001-01-01' FROM generate_series(1, 200) AS n;
INSERT INTO rc_small SELECT n FROM generate_series(1, 200) AS n, generate_series(1, 50);
INSERT INTO rc_small SELECT 1 FROM generate_series(1, 3000);
CREATE INDEX ON rc_small (big);
SELECT steward.create_policy('b', 'rc_big', 'seen', '1 year', children => '{"rc_small": "cascade"}');
SELECT relation, rows, problem FROM steward.preview_policy('b');
CALL steward.run_policy('b');
SELECT relation, rows, oldest, problem FROM steward.preview_policy('b');
SELECT rows, children, batches > 3 AS several, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
SELECT (SELECT count(*) FROM rc_big) + (SELECT count(*) FROM rc_small) AS "left";
SELECT steward.drop_policy('b');

DELETE FROM steward.hold;
DROP VIEW rc_left, rc_run;
DROP TABLE rc_customer, rc_order, rc_item, rc_review, rc_invoice, rc_part, "rc Child", rc_alone, rc_left_hand, rc_right_hand, rc_own,
    rc_strange, rc_big, rc_small;
DROP FUNCTION rc_fill, rc_keep;
DROP ROLE regress_rc_owner;

--
-- Retention policies that move rows to an archive.
--
SET timezone = 'UTC';
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE rv_order (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, seen date, gone int, who text, "Odd ""one""" numeric(6,2),
    twice int GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE rv_order DROP COLUMN gone;
CREATE TABLE rv_item (id int, orders int REFERENCES rv_order ON DELETE CASCADE);
CREATE TABLE rv_archive ("Odd ""one""" numeric(6,2), who text, seen date, archived_at timestamptz NOT NULL DEFAULT now(), id int GENERATED ALWAYS AS IDENTITY,
    twice int, number int GENERATED ALWAYS AS (id * 10) STORED, spare text) PARTITION BY RANGE (seen);
CREATE TABLE rv_archive1 PARTITION OF rv_archive FOR VALUES FROM ('2001-01-01') TO ('2002-01-01');
INSERT INTO rv_order (seen, who, "Odd ""one""") SELECT CASE WHEN n % 2 = 0 THEN date '2001-01-01' ELSE current_date END, 'who ' || n, n
    FROM generate_series(1, 2000) AS n;
INSERT INTO rv_item SELECT id, id FROM rv_order WHERE id <= 10;
SELECT steward.create_policy('orders', 'rv_order', 'seen', '1 year', 'archive', archive => 'rv_archive', children => '{"rv_item": "cascade"}');
SELECT action, archive, children FROM steward.policy;
SELECT steward.place_hold('rv_order', 'id = 2', 'case') > 0 AS held;
SELECT relation, action, rows, held FROM steward.preview_policy('orders');
CALL steward.run_policy('orders');
SELECT rows, children, held, batches > 1 AS several, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
SELECT count(*), count(*) FILTER (WHERE seen < '2002-01-01') AS old FROM rv_order;
SELECT count(*), min(id), max(id), bool_and(who = 'who ' || id AND "Odd ""one""" = id AND twice = id * 2 AND number = id * 10) AS same FROM rv_archive;
SELECT id FROM rv_item ORDER BY id;
SELECT count(steward.release_hold(id, 'tested')) FROM steward.active_hold;

-- Rows that do not arrive do not leave: a trigger that keeps them out, no partition for them, a constraint.
CREATE FUNCTION rv_keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TRIGGER rv_keep BEFORE INSERT ON rv_archive1 FOR EACH ROW EXECUTE FUNCTION rv_keep();
CALL steward.run_policy('orders');
SELECT id FROM rv_order WHERE seen < '2002-01-01';
DROP TRIGGER rv_keep ON rv_archive1;
ALTER TABLE rv_archive DETACH PARTITION rv_archive1;
CALL steward.run_policy('orders');
SELECT id FROM rv_order WHERE seen < '2002-01-01';
SELECT sqlstate FROM steward.policy_run ORDER BY id DESC LIMIT 2;
ALTER TABLE rv_archive ATTACH PARTITION rv_archive1 FOR VALUES FROM ('2001-01-01') TO ('2002-01-01');
-- Another shape by now.
ALTER TABLE rv_order ADD COLUMN more text;
CALL steward.run_policy('orders');
ALTER TABLE rv_archive ADD COLUMN more int;
CALL steward.run_policy('orders');
ALTER TABLE rv_archive ALTER COLUMN more TYPE text;
CALL steward.run_policy('orders');
SELECT id, more FROM rv_archive WHERE id = 2;
DROP TABLE rv_archive;
CALL steward.run_policy('orders');
SELECT steward.drop_policy('orders');

-- Refused.
CREATE TABLE rv_like (LIKE rv_order);
SELECT steward.create_policy('x', 'rv_order', 'seen', '1 year', 'archive', children => '{"rv_item": "cascade"}');
SELECT steward.create_policy('x', 'rv_order', 'seen', '1 year', 'archive', archive => 'rv_order', children => '{"rv_item": "cascade"}');
SELECT steward.create_policy('x', 'rv_order', 'seen', '1 year', 'archive', archive => 'rv_like');
ALTER TABLE rv_like ADD COLUMN must int NOT NULL;
SELECT steward.create_policy('x', 'rv_order', 'seen', '1 year', 'archive', archive => 'rv_like', children => '{"rv_item": "cascade"}');
ALTER TABLE rv_like DROP COLUMN must, DROP COLUMN more;
SELECT steward.create_policy('x', 'rv_order', 'seen', '1 year', 'archive', archive => 'rv_like', children => '{"rv_item": "cascade"}');
ALTER TABLE rv_like ADD COLUMN more varchar(10);
SELECT steward.create_policy('x', 'rv_order', 'seen', '1 year', 'archive', archive => 'rv_like', children => '{"rv_item": "cascade"}');
ALTER TABLE rv_like ALTER COLUMN more TYPE text;
ALTER TABLE rv_like SET UNLOGGED;
SELECT steward.create_policy('x', 'rv_order', 'seen', '1 year', 'archive', archive => 'rv_like', children => '{"rv_item": "cascade"}');
ALTER TABLE rv_like SET LOGGED;
CREATE RULE rv_rule AS ON INSERT TO rv_like DO INSTEAD NOTHING;
SELECT steward.create_policy('x', 'rv_order', 'seen', '1 year', 'archive', archive => 'rv_like', children => '{"rv_item": "cascade"}');
DROP RULE rv_rule ON rv_like;
CREATE ROLE regress_rv;
ALTER TABLE rv_like OWNER TO regress_rv;
SELECT steward.create_policy('x', 'rv_order', 'seen', '1 year', 'archive', archive => 'rv_like', children => '{"rv_item": "cascade"}');
CREATE VIEW rv_view AS SELECT * FROM rv_order;
SELECT steward.create_policy('x', 'rv_order', 'seen', '1 year', 'archive', archive => 'rv_view', children => '{"rv_item": "cascade"}');

DELETE FROM steward.hold;
DROP VIEW rv_view;
DROP TABLE rv_item, rv_order, rv_like;
DROP FUNCTION rv_keep;
DROP ROLE regress_rv;

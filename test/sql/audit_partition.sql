-- Partitioned tables: every partition, now and later, under whatever name it comes.
SET client_min_messages = warning;
CREATE SCHEMA part;
SET search_path = part;
CREATE VIEW trail AS
    SELECT t.operation, split_part(t.relation, '.', 2) AS relation, split_part(t.root, '.', 2) AS root, t.key, t.old, t.new
      FROM steward.audit_trail AS t WHERE t.relation LIKE 'part.%' ORDER BY t.changed_at, t.xid, t.seq;
-- Which triggers of ours a table has: w(hole) or c(lone), and when they fire
CREATE VIEW coverage AS
    SELECT c.relname, string_agg(CASE WHEN t.tgtype::integer & 32 > 0 THEN 'truncate' ELSE 'row' END || CASE WHEN t.tgparentid > 0 THEN ' clone' ELSE '' END || ' ' || t.tgenabled::text, ', '
                      ORDER BY t.tgtype, t.tgname) AS triggers
      FROM pg_class AS c LEFT JOIN pg_trigger AS t ON t.tgrelid = c.oid AND t.tgname LIKE '00_steward%'
     WHERE c.relnamespace = 'part'::regnamespace AND c.relkind IN ('r', 'p', 'f') GROUP BY 1 ORDER BY 1;

-- Attribute numbers differ between the partitions.
CREATE TABLE orders (id integer NOT NULL, region text NOT NULL, amount numeric, note text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE orders_eu PARTITION OF orders FOR VALUES IN ('eu') PARTITION BY RANGE (id);
CREATE TABLE orders_eu_1 PARTITION OF orders_eu FOR VALUES FROM (0) TO (100);
CREATE TABLE orders_us (note text, dropped integer, amount numeric, region text NOT NULL, id integer NOT NULL);
ALTER TABLE orders_us DROP COLUMN dropped;
ALTER TABLE orders ATTACH PARTITION orders_us FOR VALUES IN ('us');
-- One is audited by itself already.
SELECT steward.enable_audit('orders_us');
INSERT INTO orders VALUES (1, 'us', 10, 'early');
SELECT steward.enable_audit('orders');
SELECT * FROM coverage;
SET client_min_messages = notice;
SELECT steward.enable_audit('orders');
SELECT steward.enable_audit('orders_us');
SELECT steward.disable_audit('orders_us');
SELECT steward.disable_audit('orders_eu');
SET client_min_messages = warning;

-- Through the parent and directly
INSERT INTO orders VALUES (2, 'us', 20, 'two'), (3, 'eu', 30, 'three');
INSERT INTO orders_us (id, region, amount) VALUES (4, 'us', 40);
UPDATE orders SET amount = amount + 1 WHERE id IN (1, 3);
UPDATE orders_eu SET note = 'changed' WHERE id = 3;
DELETE FROM orders WHERE id = 4;
COPY orders FROM STDIN;
5	eu	50	copied
\.
INSERT INTO orders VALUES (5, 'eu', 51, 'again') ON CONFLICT (id, region) DO UPDATE SET amount = excluded.amount;
MERGE INTO orders AS o USING (VALUES (2, 'us'), (6, 'eu')) AS m (id, region) ON o.id = m.id AND o.region = m.region
  WHEN MATCHED THEN UPDATE SET note = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (m.id, m.region, 60, 'merged');
SELECT * FROM trail;

-- A row that moves is one change of the partitioned table.
CREATE TEMPORARY TABLE mark AS SELECT clock_timestamp() AS at;
CREATE VIEW latest AS SELECT t.operation, split_part(t.relation, '.', 2) AS relation, t.key, t.old, t.new
  FROM steward.audit_trail AS t WHERE t.relation LIKE 'part.%' AND t.changed_at > (SELECT at FROM mark) ORDER BY t.changed_at, t.xid, t.seq;
UPDATE orders SET region = 'us', amount = 52 WHERE id = 5;
UPDATE orders SET region = CASE region WHEN 'us' THEN 'eu' ELSE 'us' END WHERE id IN (1, 3);
BEGIN;
UPDATE orders SET region = 'us' WHERE id = 6;
SAVEPOINT a;
UPDATE orders SET region = 'eu' WHERE id = 6;
ROLLBACK TO a;
UPDATE orders SET note = 'moved' WHERE id = 6;
COMMIT;
SELECT * FROM latest;

-- When something else is recorded in between, or each record is written at once,
-- it is a deletion and an insertion.
UPDATE mark SET at = clock_timestamp();
CREATE TABLE side (id serial PRIMARY KEY, what text);
SELECT steward.enable_audit('side');
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO side (what) VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END $$;
CREATE TRIGGER tell AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION tell();
UPDATE orders SET region = 'eu' WHERE id = 6;
DROP TRIGGER tell ON orders;
SET steward.audit_buffer_size = 0;
UPDATE orders SET region = 'us' WHERE id = 6;
RESET steward.audit_buffer_size;
-- The insertion that another trigger swallows is none, nor is the next one its.
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER swallow BEFORE INSERT ON orders_eu_1 FOR EACH ROW EXECUTE FUNCTION swallow();
BEGIN;
UPDATE orders SET region = 'eu' WHERE id = 6;
INSERT INTO orders VALUES (7, 'us', 70, 'another');
COMMIT;
DROP TRIGGER swallow ON orders_eu_1;
SELECT operation, relation, key, old, new FROM latest;

-- What refers to a row that moves, and cascades
UPDATE mark SET at = clock_timestamp();
CREATE TABLE line (order_id integer, region text, n integer, PRIMARY KEY (order_id, n),
    FOREIGN KEY (order_id, region) REFERENCES orders ON UPDATE CASCADE ON DELETE CASCADE);
SELECT steward.enable_audit('line');
INSERT INTO line VALUES (2, 'us', 1);
UPDATE orders SET region = 'eu' WHERE id = 2;
DELETE FROM orders WHERE id = 2;
SELECT * FROM latest;
DROP TABLE line;

-- TRUNCATE of the whole and of each part
UPDATE mark SET at = clock_timestamp();
TRUNCATE orders_eu_1;
TRUNCATE orders_eu;
TRUNCATE orders;
SELECT operation, relation FROM latest;

-- Partitions that are made and attached later are audited from then on.
UPDATE mark SET at = clock_timestamp();
CREATE TABLE orders_rest PARTITION OF orders DEFAULT;
CREATE TABLE orders_eu_2 PARTITION OF orders_eu FOR VALUES FROM (100) TO (200);
CREATE TABLE orders_asia (LIKE orders INCLUDING ALL);
INSERT INTO orders_asia VALUES (8, 'asia', 80, 'before');
SELECT steward.enable_audit('orders_asia');
ALTER TABLE orders ATTACH PARTITION orders_asia FOR VALUES IN ('asia');
CREATE TABLE orders_af (LIKE orders INCLUDING ALL) PARTITION BY HASH (id);
CREATE TABLE orders_af_0 PARTITION OF orders_af FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE orders_af_1 PARTITION OF orders_af FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT steward.enable_audit('orders_af');
SELECT steward.enable_audit('orders_af_1');
ALTER TABLE orders ATTACH PARTITION orders_af FOR VALUES IN ('af');
SELECT * FROM coverage WHERE relname LIKE 'orders%';
INSERT INTO orders VALUES (9, 'asia', 90, NULL), (10, 'af', 100, NULL), (110, 'eu', 110, NULL), (12, 'moon', 120, NULL);
SELECT operation, relation, new FROM latest;
SELECT event, command, identity, jsonb_path_query_array(details, '$.actions[*].object') AS partitions, details->'partition_of' AS partition_of
  FROM steward.ddl_trail WHERE changed_at > (SELECT at FROM mark) AND (details @? '$.actions[*] ? (@.action starts with "ATTACH")' OR details ? 'partition_of')
 ORDER BY changed_at, xid, seq;

-- What is detached stays audited, by triggers of its own, until that is ended.
UPDATE mark SET at = clock_timestamp();
ALTER TABLE orders DETACH PARTITION orders_asia;
ALTER TABLE orders DETACH PARTITION orders_af;
SET client_min_messages = error;
DROP TABLE orders_rest;
SET client_min_messages = warning;
ALTER TABLE orders DETACH PARTITION orders_us CONCURRENTLY;
SELECT * FROM coverage WHERE relname ~ '^orders_(asia|af|us)';
INSERT INTO orders_asia VALUES (13, 'asia', 130, NULL);
INSERT INTO orders_af VALUES (14, 'af', 140, NULL), (15, 'af', 150, NULL);
INSERT INTO orders_us (id, region) VALUES (16, 'us');
SELECT operation, relation, root FROM trail OFFSET (SELECT count(*) FROM trail) - (SELECT count(*) FROM latest);
SELECT command, identity, a->>'action' AS action, a->>'object' AS object FROM steward.ddl_trail, jsonb_array_elements(details->'actions') AS a
 WHERE changed_at > (SELECT at FROM mark) AND a->>'action' LIKE 'DETACH%' ORDER BY changed_at;
SELECT steward.disable_audit('orders_asia');
SELECT steward.disable_audit('orders_af');
SELECT * FROM coverage WHERE relname ~ '^orders_(asia|af)';
-- And comes back.
ALTER TABLE orders ATTACH PARTITION orders_us FOR VALUES IN ('us');
ALTER TABLE orders ATTACH PARTITION orders_af FOR VALUES IN ('af');
SELECT * FROM coverage WHERE relname ~ '^orders';

-- The audit follows partitions although commands are not recorded, and under
-- session_replication_role = replica.
SET steward.audit_ddl = off;
CREATE TABLE orders_off PARTITION OF orders FOR VALUES IN ('off');
SET steward.audit_ddl = on;
SET session_replication_role = replica;
CREATE TABLE orders_replica PARTITION OF orders FOR VALUES IN ('replica');
INSERT INTO orders VALUES (17, 'replica', 170, NULL);
TRUNCATE orders_replica;
RESET session_replication_role;
SELECT * FROM coverage WHERE relname ~ '^orders_(off|replica)';
SELECT operation, relation, new->'id' AS id FROM trail WHERE relation = 'orders_replica';

-- Disabled on one partition, and repaired through the whole
ALTER TABLE orders_us DISABLE TRIGGER ALL;
ALTER TABLE orders_eu_1 DISABLE TRIGGER "00_steward_audit_truncate";
SELECT * FROM coverage WHERE relname IN ('orders_us', 'orders_eu_1');
SELECT steward.enable_audit('orders');
SELECT * FROM coverage WHERE relname IN ('orders_us', 'orders_eu_1');

-- Names: those of the time
ALTER TABLE orders RENAME TO purchases;
INSERT INTO purchases VALUES (18, 'us', 180, NULL);
SELECT relation, root FROM trail WHERE new->>'id' = '18';

-- What could not be recorded is refused, or told.
CREATE UNLOGGED TABLE purchases_fast PARTITION OF purchases FOR VALUES IN ('fast');
CREATE TABLE purchases_odd (LIKE purchases INCLUDING ALL);
ALTER TABLE purchases_odd SET UNLOGGED;
ALTER TABLE purchases ATTACH PARTITION purchases_odd FOR VALUES IN ('odd');
CREATE FOREIGN DATA WRAPPER part_fdw;
CREATE SERVER part_server FOREIGN DATA WRAPPER part_fdw;
CREATE TABLE far (id integer, region text) PARTITION BY LIST (region);
CREATE FOREIGN TABLE far_1 PARTITION OF far FOR VALUES IN ('1') SERVER part_server;
CREATE UNLOGGED TABLE far_2 PARTITION OF far FOR VALUES IN ('2');
SELECT steward.enable_audit('far');
DROP TABLE far_2;
SELECT steward.enable_audit('far');
CREATE FOREIGN TABLE far_3 PARTITION OF far FOR VALUES IN ('3') SERVER part_server;
SELECT relname, triggers LIKE 'row clone A%' AS rows FROM coverage WHERE relname LIKE 'far\_%';
CREATE UNLOGGED TABLE far_2 PARTITION OF far FOR VALUES IN ('2');

-- A rewrite of the whole is one of each leaf.
UPDATE mark SET at = clock_timestamp();
ALTER TABLE purchases ALTER COLUMN amount TYPE bigint USING amount * 100;
SELECT operation, relation FROM latest ORDER BY relation;

-- A table that other tables inherit from covers itself alone.
CREATE TABLE animal (id integer PRIMARY KEY);
CREATE TABLE dog (PRIMARY KEY (id)) INHERITS (animal);
SELECT steward.enable_audit('animal');
SELECT * FROM coverage WHERE relname IN ('animal', 'dog');

-- An owner needs no right on ours to have partitions, but to audit.
CREATE ROLE regress_part_owner;
GRANT USAGE, CREATE ON SCHEMA part TO regress_part_owner;
SET ROLE regress_part_owner;
CREATE TABLE owned (id integer, region text) PARTITION BY LIST (region);
SELECT steward.enable_audit('owned');
CREATE TRIGGER forged AFTER INSERT OR UPDATE OR DELETE ON owned FOR EACH ROW EXECUTE FUNCTION steward.audit_row();
CREATE TRIGGER forged AFTER TRUNCATE ON owned EXECUTE FUNCTION steward.audit_truncate();
RESET ROLE;
SELECT steward.enable_audit('owned');
SET ROLE regress_part_owner;
CREATE TABLE owned_a PARTITION OF owned FOR VALUES IN ('a');
CREATE TABLE owned_b (id integer, region text);
ALTER TABLE owned ATTACH PARTITION owned_b FOR VALUES IN ('b');
INSERT INTO owned VALUES (1, 'a'), (2, 'b');
UPDATE owned SET region = 'b' WHERE id = 1;
ALTER TABLE owned DETACH PARTITION owned_a;
RESET ROLE;
SELECT * FROM coverage WHERE relname LIKE 'owned%';
SELECT operation, relation, key, old, new FROM trail WHERE root LIKE 'owned%';
SELECT DISTINCT effective_role FROM steward.audit_trail WHERE root LIKE 'part.owned%' AND operation IN ('INSERT', 'UPDATE');

-- Which table that is does not depend on names: a function of the owner's, called
-- for the partition's rows, leaves a search path that finds another one.
CREATE SCHEMA regress_part_decoy AUTHORIZATION regress_part_owner;
SET ROLE regress_part_owner;
CREATE FUNCTION regress_part_decoy.distracted(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM set_config('search_path', 'regress_part_decoy', true); RETURN t; END $$;
CREATE TABLE keyed (id integer, region text) PARTITION BY LIST (regress_part_decoy.distracted(region));
CREATE TABLE keyed_a (id integer, region text);
CREATE TABLE regress_part_decoy.keyed_a (id integer, region text);
INSERT INTO keyed_a VALUES (1, 'a');
RESET ROLE;
SELECT steward.enable_audit('keyed');
SET ROLE regress_part_owner;
BEGIN;
ALTER TABLE keyed ATTACH PARTITION keyed_a FOR VALUES IN ('a');
SHOW search_path;
COMMIT;
BEGIN;
SAVEPOINT a;
ALTER TABLE keyed DETACH PARTITION keyed_a;
ROLLBACK TO a;
ALTER TABLE keyed DETACH PARTITION keyed_a;
COMMIT;
RESET ROLE;
SELECT * FROM coverage WHERE relname LIKE 'keyed%';
SELECT identity, details FROM steward.ddl_trail WHERE identity = 'part.keyed' AND command = 'ALTER TABLE' AND details::text LIKE '%PARTITION%' ORDER BY changed_at;

SELECT steward.disable_audit('purchases');
SELECT * FROM coverage WHERE relname LIKE 'orders%' AND triggers IS NOT NULL;
SET client_min_messages = error;
DROP FOREIGN DATA WRAPPER part_fdw CASCADE;
DROP SCHEMA part, regress_part_decoy CASCADE;
DROP ROLE regress_part_owner;

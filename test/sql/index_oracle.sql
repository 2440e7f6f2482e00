-- Making an index or a foreign key compares what is there: without the right to
-- search, a guess next to a stored value must give the same answer, right or wrong.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE oracle_user;
CREATE ROLE oracle_owner;
CREATE SCHEMA oracle;
GRANT ALL ON SCHEMA oracle TO PUBLIC;
SET search_path = oracle;
SELECT steward.create_key('oracle');
SELECT steward.create_key('oracle_other');
SELECT steward.grant_key('oracle_other', 'oracle_user', 'search');
CREATE TABLE n (id integer, b steward.encrypted_bigint('oracle/n.b'));
INSERT INTO n VALUES (42, 4711);
CREATE UNIQUE INDEX n_b ON n (b steward.encrypted_bigint_unique_ops);
GRANT SELECT ON n TO oracle_user;
GRANT REFERENCES ON n TO oracle_user;
SELECT format('GRANT CREATE ON DATABASE %I TO oracle_user', current_database()) \gexec
RESET client_min_messages;

SET ROLE oracle_user;
CREATE TABLE hit (n integer, e steward.encrypted_bigint('oracle/n.b'));
INSERT INTO hit SELECT 1, b FROM n WHERE id = 42;
INSERT INTO hit VALUES (2, 4711);
CREATE TABLE miss (n integer, e steward.encrypted_bigint('oracle/n.b'));
INSERT INTO miss SELECT 1, b FROM n WHERE id = 42;
INSERT INTO miss VALUES (2, 4712);
-- the plain commands
CREATE UNIQUE INDEX ON hit (e steward.encrypted_bigint_unique_ops);
CREATE UNIQUE INDEX ON miss (e steward.encrypted_bigint_unique_ops);
CREATE UNIQUE INDEX ON hit ((CASE WHEN n > 0 THEN e ELSE e END) steward.encrypted_bigint_unique_ops);
CREATE UNIQUE INDEX ON miss ((CASE WHEN n > 0 THEN e ELSE e END) steward.encrypted_bigint_unique_ops);
CREATE UNIQUE INDEX CONCURRENTLY ON hit (e steward.encrypted_bigint_unique_ops);
CREATE UNIQUE INDEX CONCURRENTLY ON miss (e steward.encrypted_bigint_unique_ops);
ALTER TABLE hit ADD EXCLUDE USING btree (e steward.encrypted_bigint_unique_ops WITH =);
ALTER TABLE miss ADD EXCLUDE USING btree (e steward.encrypted_bigint_unique_ops WITH =);
-- inside of others
DO $$BEGIN CREATE UNIQUE INDEX ON hit (e steward.encrypted_bigint_unique_ops); EXCEPTION WHEN unique_violation THEN RAISE 'found'; END$$;
CREATE FUNCTION definer() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'CREATE UNIQUE INDEX ON oracle.hit (e steward.encrypted_bigint_unique_ops)';
RESET ROLE;
SELECT definer();
SET ROLE oracle_user;
-- a table that is there is made of other values
CREATE TABLE u (id integer, e steward.encrypted_bigint('oracle_other/u.e'));
CREATE UNIQUE INDEX u_e ON u (e steward.encrypted_bigint_unique_ops);
INSERT INTO u VALUES (1, 1), (2, 2);
CREATE FUNCTION pick(id integer, guess bigint) RETURNS steward.encrypted_bigint LANGUAGE plpgsql VOLATILE AS
    'BEGIN IF id = 1 THEN RETURN (SELECT b FROM oracle.n WHERE n.id = 42); END IF; RETURN guess::steward.encrypted_bigint(''oracle/n.b''); END';
ALTER TABLE u ALTER e TYPE steward.encrypted_bigint('oracle/n.b') USING pick(id, 4711);
ALTER TABLE u ALTER e TYPE steward.encrypted_bigint('oracle/n.b') USING pick(id, 4712);
ALTER TABLE u ALTER e TYPE steward.encrypted_bigint USING pick(id, 4711);
ALTER TABLE u ALTER e TYPE steward.encrypted_bigint USING pick(id, 4712);
CREATE TABLE heir () INHERITS (u);
CREATE UNIQUE INDEX heir_e ON heir (e steward.encrypted_bigint_unique_ops);
INSERT INTO heir SELECT * FROM ONLY u;
DROP INDEX u_e;
ALTER TABLE u ALTER e TYPE steward.encrypted_bigint('oracle/n.b') USING pick(id, 4711);
-- an index that a table is given when it is made, or attached
CREATE TABLE copied (LIKE u INCLUDING ALL);
CREATE TABLE copied_n (LIKE n INCLUDING INDEXES);
CREATE TABLE parted (n integer, e steward.encrypted_bigint('oracle/n.b')) PARTITION BY LIST (n);
ALTER TABLE parted ATTACH PARTITION hit DEFAULT;
CREATE UNIQUE INDEX ON parted (n, e steward.encrypted_bigint_unique_ops);
CREATE UNIQUE INDEX ON ONLY parted (n, e steward.encrypted_bigint_unique_ops);
ALTER TABLE parted DETACH PARTITION hit;
CREATE SCHEMA oracle_elements CREATE TABLE x (e steward.encrypted_bigint('oracle/n.b')) CREATE UNIQUE INDEX ON x (e steward.encrypted_bigint_unique_ops);
RESET ROLE;
CREATE UNIQUE INDEX ON parted (n, e steward.encrypted_bigint_unique_ops);
SET ROLE oracle_user;
UPDATE hit SET n = 1;
UPDATE miss SET n = 1;
ALTER TABLE parted ATTACH PARTITION hit DEFAULT;
ALTER TABLE parted ATTACH PARTITION miss DEFAULT;
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
-- a foreign key asks with each row
CREATE TABLE asks (b steward.encrypted_bigint('oracle/n.b') REFERENCES n (b));
CREATE TABLE asks (b steward.encrypted_bigint('oracle/n.b'));
ALTER TABLE asks ADD FOREIGN KEY (b) REFERENCES n (b);
ALTER TABLE asks ADD FOREIGN KEY (b) REFERENCES n (b) NOT VALID;
CREATE TABLE asks_plain (b bigint REFERENCES n (b));
SELECT relname FROM pg_class WHERE relnamespace = 'oracle'::regnamespace AND relkind IN ('i', 'I') ORDER BY 1;
RESET ROLE;

-- Who runs the command needs the right, not who owns the table.
ALTER TABLE miss OWNER TO oracle_owner;
CREATE UNIQUE INDEX miss_e ON miss (e steward.encrypted_bigint_unique_ops);
SET ROLE oracle_owner;
-- What is there may be rebuilt, and made again in a changed table
REINDEX INDEX miss_e;
REINDEX INDEX CONCURRENTLY miss_e;
REINDEX TABLE CONCURRENTLY miss;
ALTER TABLE miss ADD COLUMN stamp timestamptz DEFAULT clock_timestamp();
VACUUM FULL miss;
TRUNCATE miss;
RESET ROLE;
SELECT steward.grant_key('oracle', 'oracle_owner', 'search');
GRANT SELECT, REFERENCES ON n TO oracle_owner;
SET ROLE oracle_owner;
CREATE UNIQUE INDEX miss_n_e ON miss (n, e steward.encrypted_bigint_unique_ops);
CREATE TABLE asks_allowed (b steward.encrypted_bigint('oracle/n.b') REFERENCES n (b));
INSERT INTO asks_allowed VALUES (4711);
INSERT INTO asks_allowed VALUES (4712);
-- but in no order of the rows themselves, for others read them
CLUSTER miss USING miss_e;
CLUSTER miss USING miss_n_e;
ALTER TABLE miss CLUSTER ON miss_e;
RESET ROLE;
CLUSTER n USING n_b;
CREATE INDEX n_id ON n (id);
CLUSTER n USING n_id;
CLUSTER n;
SET steward.allow_unkeyed_ddl = on;
CLUSTER n USING n_b;
RESET steward.allow_unkeyed_ddl;

SET client_min_messages = warning;
DROP SCHEMA oracle CASCADE;
DROP OWNED BY oracle_user, oracle_owner;
DROP ROLE oracle_user, oracle_owner;

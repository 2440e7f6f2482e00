-- Values bound to subjects: what the trigger does to rows, and what the guard
-- refuses about bound tables.
SET client_min_messages = warning;
CREATE ROLE subject_owner;
CREATE ROLE subject_clerk;
CREATE ROLE subject_reader;
SELECT steward.create_key('subject');
SELECT steward.grant_key('subject', 'subject_reader', 'decrypt');
SELECT steward.grant_key('subject', 'subject_owner', 'decrypt');
GRANT EXECUTE ON FUNCTION steward.bind_subject(regclass, text, name), steward.unbind_subject(regclass) TO subject_owner;
CREATE SCHEMA subject AUTHORIZATION subject_owner;
GRANT USAGE ON SCHEMA subject TO subject_clerk, subject_reader;

-- The subject of a value, as it stands in its bytes; null when it is not bound.
CREATE FUNCTION subject_of(armour text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN get_byte(b, 3) = 1 THEN encode(substring(b, 13, 16), 'hex')::uuid END
      FROM decode(rpad(translate(substr(nullif(armour, ''), 6), '-_', '+/'), (length(armour) - 5 + 3) / 4 * 4, '='), 'base64') AS b
$$;
-- Is a value bound to this subject? Subjects have one number each, for ever.
CREATE TABLE subject_seen (kind text, key text, subject uuid UNIQUE, PRIMARY KEY (kind, key));
CREATE FUNCTION bound_to(kind text, key text, armour text) RETURNS boolean LANGUAGE sql AS $$
    INSERT INTO subject_seen VALUES (kind, key, subject_of(armour)) ON CONFLICT DO NOTHING;
    SELECT EXISTS (SELECT FROM subject_seen AS s WHERE s.kind = bound_to.kind AND s.key = bound_to.key AND s.subject = subject_of(armour))
$$;

SET ROLE subject_owner;
SET search_path = subject, public;
CREATE DOMAIN ssn AS steward.encrypted_text('subject/ssn');
CREATE TABLE customer (
    gone int,
    id int PRIMARY KEY,
    name steward.encrypted_text('subject/customer.name'),
    phones steward.encrypted_text('subject/customer.phones')[],
    ssn ssn,
    copied steward.encrypted_text('subject/customer.name') GENERATED ALWAYS AS (name) STORED,
    note text
);
ALTER TABLE customer DROP COLUMN gone;
GRANT SELECT, INSERT, UPDATE ON customer TO subject_clerk;
GRANT SELECT ON customer TO subject_reader;

-- ---- binding ----
INSERT INTO customer (id, name) VALUES (1, 'before');
RESET client_min_messages;
SELECT steward.bind_subject('customer', 'customer', 'id');
SET client_min_messages = warning;
SELECT relation, kind, "column", enabled FROM steward.subject_binding;
RESET ROLE;
SELECT relation, kind, "column", enabled FROM steward.subject_binding;
SET ROLE subject_owner;
SELECT steward.bind_subject('customer', 'person', 'id');

-- Who may insert may encrypt, without any right on keys or on subjects.
SET ROLE subject_clerk;
INSERT INTO customer VALUES (2, 'Ann', ARRAY['555-1', NULL, '555-2']::text[], '078-05-1120', DEFAULT, 'plain'), (3, 'Bob', NULL, NULL, DEFAULT, NULL);
PREPARE add(int, text) AS INSERT INTO customer (id, name) VALUES ($1, $2);
EXECUTE add(4, 'Cid');
COPY customer (id, name, phones, ssn) FROM stdin;
5	Dan	{a,NULL,"b c"}	\N
6	\N	{}	\N
\.
RESET ROLE;
SELECT id, bound_to('customer', id::text, format('%s', name)) AS name,
       (SELECT array_agg(bound_to('customer', id::text, format('%s', p))) FROM unnest(phones) AS p WHERE p IS NOT NULL) AS phones,
       bound_to('customer', id::text, format('%s', ssn)) AS ssn,
       bound_to('customer', id::text, format('%s', copied)) AS copied
  FROM subject.customer WHERE id IN (2, 3, 4, 5) ORDER BY id;
SELECT subject_of(format('%s', name)) IS NULL AS not_bound_yet FROM subject.customer WHERE id = 1;
-- A row without a value to be bound makes no subject.
SELECT count(*) FROM steward.subject_key WHERE kind = 'customer';
SET ROLE subject_reader;
SELECT id, name::text, phones::text[], ssn::steward.encrypted_text::text, copied::text, note FROM subject.customer ORDER BY id;

-- ---- updates ----
RESET ROLE;
SELECT id, name::steward.encrypted_text('subject/customer.name') AS name INTO public.subject_before FROM subject.customer;
SET ROLE subject_clerk;
-- What is bound already stays as it is, byte for byte; what comes new is bound.
UPDATE customer SET note = 'changed', phones = ARRAY['9']::text[] WHERE id > 1;
UPDATE customer SET note = 'bound now' WHERE id = 1;
INSERT INTO customer AS c (id, name) VALUES (2, 'Anna'), (7, 'Eve') ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name;
INSERT INTO customer (id, name) VALUES (3, 'Rob') ON CONFLICT DO NOTHING;
MERGE INTO customer AS c USING (VALUES (4, 'Sid'), (8, 'Flo')) AS v (id, name) ON c.id = v.id
    WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (v.id, v.name);
RESET ROLE;
SELECT c.id, c.name::text, format('%s', c.name) = format('%s', b.name) AS same_bytes, bound_to('customer', c.id::text, format('%s', c.name)) AS bound
  FROM subject.customer AS c LEFT JOIN subject_before AS b USING (id) WHERE c.name IS NOT NULL ORDER BY c.id;

-- A value does not move from one person to another.
SET ROLE subject_clerk;
UPDATE customer SET name = (SELECT name FROM customer WHERE id = 2) WHERE id = 3;
UPDATE customer SET phones = (SELECT phones FROM customer WHERE id = 2) WHERE id = 3;
UPDATE customer SET id = 30 WHERE id = 3;
INSERT INTO customer (id, name) SELECT 31, name FROM customer WHERE id = 3;
INSERT INTO customer (id, name) SELECT 31, name FROM customer WHERE id = 3 ON CONFLICT DO NOTHING;
-- Who may decrypt can give it anew.
SET ROLE subject_owner;
UPDATE customer SET id = 30, name = name::text, phones = NULL WHERE id = 3;
RESET ROLE;
SELECT bound_to('customer', '30', format('%s', name)) FROM subject.customer WHERE id = 30;
SELECT count(*) FROM steward.subject_key WHERE kind = 'customer';

-- ---- other columns, other tables: the same person is the same subject ----
SET ROLE subject_owner;
CREATE TABLE account (
    id bigint PRIMARY KEY,
    owner bigint REFERENCES customer (id) ON UPDATE CASCADE ON DELETE SET NULL,
    iban steward.encrypted_text('subject/account.iban')
);
SELECT steward.bind_subject('account', 'customer', 'owner');
INSERT INTO account VALUES (1, 2, 'DE02'), (2, 7, 'DE03'), (3, NULL, NULL);
-- No key, no subject.
INSERT INTO account VALUES (4, NULL, 'DE04');
UPDATE account SET iban = 'DE05' WHERE id = 3;
-- A row that loses its key keeps its values, but gets no new ones.
DELETE FROM customer WHERE id = 7;
SELECT id, owner, iban::text FROM account ORDER BY id;
UPDATE account SET iban = 'DE06' WHERE id = 2;
UPDATE account SET iban = (SELECT iban FROM account WHERE id = 1) WHERE id = 2;
UPDATE account SET iban = NULL WHERE id = 2;
-- A key that cascades would take the values to somebody else.
UPDATE customer SET id = 20, name = name::text, phones = NULL, ssn = NULL WHERE id = 2;
RESET ROLE;
SELECT bound_to('customer', '2', format('%s', iban)) FROM subject.account WHERE id = 1;
-- Keys are compared as they are spelt, without what a type adds.
SET ROLE subject_owner;
CREATE TABLE keyed (a numeric(8, 2), b char(5), c varchar, d uuid, e smallint, f name, v steward.encrypted_text('subject/keyed.v'));
DO $$
DECLARE
    key text;
BEGIN
    FOREACH key IN ARRAY ARRAY['a', 'b', 'c', 'e', 'f'] LOOP
        PERFORM steward.bind_subject('keyed', 'customer', key::name);
        INSERT INTO keyed VALUES (2, '2', '2', NULL, 2, '2', key);
        PERFORM steward.unbind_subject('keyed');
    END LOOP;
    PERFORM steward.bind_subject('keyed', 'customer', 'd');
    INSERT INTO keyed (d, v) VALUES ('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'd');
    PERFORM steward.unbind_subject('keyed');
END
$$;
RESET ROLE;
SELECT v::text, bound_to('customer', '2', format('%s', v)) FROM subject.keyed ORDER BY 1;
-- Another kind is somebody else.
SET ROLE subject_owner;
TRUNCATE keyed;
SELECT steward.bind_subject('keyed', 'supplier', 'e');
INSERT INTO keyed (e, v) VALUES (2, 'supplier');
RESET ROLE;
SELECT bound_to('customer', '2', format('%s', v)) FROM subject.keyed;
SET ROLE subject_owner;
SELECT steward.unbind_subject('keyed');
SELECT steward.unbind_subject('keyed');

-- ---- partitions and heirs ----
CREATE TABLE visit (day int, who int, reason steward.encrypted_text('subject/visit.reason')) PARTITION BY LIST (day);
CREATE TABLE visit_1 PARTITION OF visit FOR VALUES IN (1);
SELECT steward.bind_subject('visit', 'customer', 'who');
CREATE TABLE visit_2 (reason steward.encrypted_text('subject/visit.reason'), extra int, who int, day int);
ALTER TABLE visit_2 DROP COLUMN extra;
INSERT INTO visit_2 (day, who, reason) VALUES (2, 4, 'not bound');
ALTER TABLE visit ATTACH PARTITION visit_2 FOR VALUES IN (2);
CREATE TABLE visit_3 PARTITION OF visit FOR VALUES IN (3);
INSERT INTO visit SELECT d, 4, 'reason ' || d FROM generate_series(1, 3) AS d;
INSERT INTO visit_2 (day, who, reason) VALUES (2, 4, 'direct');
UPDATE visit SET day = 3 WHERE day = 1;
RESET ROLE;
SELECT tableoid::regclass, reason::text, bound_to('customer', '4', format('%s', reason)) FROM subject.visit ORDER BY 2;
SELECT count(*) FROM steward.subject_binding WHERE relation::text LIKE '%visit%';
-- What was there before is bound by re-encryption, and verify_column tells of it.
SELECT found_in, finding, detail FROM steward.verify_column('subject.visit', 'reason');
CALL steward.reencrypt('subject.visit');
SELECT found_in, finding, detail FROM steward.verify_column('subject.visit', 'reason');
SELECT bool_and(bound_to('customer', '4', format('%s', reason))) FROM subject.visit;
CALL steward.reencrypt('subject.visit');
SET ROLE subject_owner;
SELECT steward.unbind_subject('visit_1');
CREATE TABLE heir () INHERITS (customer);
SELECT steward.unbind_subject('customer');
SELECT steward.bind_subject('customer', 'customer', 'id');
DROP TABLE heir;

-- ---- a column that is encrypted while its table is bound: at once only ----
CREATE TABLE later_encrypted (id int PRIMARY KEY, a text, b text, s steward.encrypted_text('subject/later.s'));
INSERT INTO later_encrypted SELECT i, 'a' || i, 'b' || i, 's' || i FROM generate_series(1, 3) AS i;
SELECT steward.bind_subject('later_encrypted', 'customer', 'id');
RESET ROLE;
SELECT steward.encrypt_column('subject.later_encrypted', 'a', 'subject/later.a');
SELECT DISTINCT finding FROM steward.verify_column('subject.later_encrypted', 'a');
CALL steward.encrypt_column_online('subject.later_encrypted', 'b', 'subject/later.b');
CALL steward.reencrypt('subject.later_encrypted');
SELECT id, a::text, b, s::text, bound_to('customer', id::text, format('%s', a)) AND bound_to('customer', id::text, format('%s', s)) AS bound FROM subject.later_encrypted ORDER BY id;
SET ROLE subject_owner;

-- ---- what cannot be bound ----
CREATE TABLE plain (id int, v text);
SELECT steward.bind_subject('plain', 'customer', 'id');
CREATE VIEW customer_view AS SELECT * FROM customer;
SELECT steward.bind_subject('customer_view', 'customer', 'id');
SELECT steward.bind_subject('pg_catalog.pg_class', 'customer', 'oid');
SELECT steward.bind_subject('keyed', 'customer', 'missing');
SELECT steward.bind_subject('keyed', 'customer', 'v');
SELECT steward.bind_subject('keyed', 'customer', 'ctid');
SELECT steward.bind_subject('keyed', '', 'e');
SELECT steward.bind_subject('keyed', repeat('x', 101), 'e');
SELECT steward.bind_subject(NULL, 'customer', 'e');
SELECT steward.bind_subject('keyed', NULL, 'e');
SELECT steward.bind_subject('keyed', 'customer', NULL);
SELECT steward.bind_subject(4294967295, 'customer', 'e');
CREATE TABLE dated (d date, v steward.encrypted_text('subject/dated.v'));
SELECT steward.bind_subject('dated', 'customer', 'd');
CREATE TABLE made (a int, b int GENERATED ALWAYS AS (a + 1) STORED, v steward.encrypted_text('subject/made.v'));
SELECT steward.bind_subject('made', 'customer', 'b');
CREATE TYPE pair AS (v ssn);
CREATE TABLE whole (id int, p pair);
SELECT steward.bind_subject('whole', 'customer', 'id');
SET ROLE subject_clerk;
SELECT steward.bind_subject('keyed', 'customer', 'e');
-- Attaching the trigger by hand needs the same right.
CREATE TEMPORARY TABLE steal (id int, v steward.encrypted_text('subject/customer.name'));
CREATE TRIGGER bind BEFORE INSERT OR UPDATE ON steal FOR EACH ROW EXECUTE FUNCTION steward.bind_row('customer', 'id');
RESET ROLE;
GRANT EXECUTE ON FUNCTION steward.bind_subject(regclass, text, name), steward.unbind_subject(regclass) TO subject_clerk;
SET ROLE subject_clerk;
SELECT steward.bind_subject('keyed', 'customer', 'e');
SELECT steward.unbind_subject('customer');
CREATE TRIGGER bind BEFORE INSERT ON steal FOR EACH ROW EXECUTE FUNCTION steward.bind_row('customer', 'id');
CREATE TRIGGER bind BEFORE INSERT OR UPDATE ON steal FOR EACH ROW EXECUTE FUNCTION steward.bind_row('customer');
CREATE TRIGGER bind BEFORE INSERT OR UPDATE ON steal FOR EACH ROW EXECUTE FUNCTION steward.bind_row('customer', 'id');
DROP TABLE steal;
RESET ROLE;
SELECT steward.bind_row();

-- ---- what the guard refuses about a bound table ----
SET ROLE subject_owner;
ALTER TABLE customer RENAME COLUMN id TO number;
ALTER TABLE customer DROP COLUMN id CASCADE;
CREATE UNIQUE INDEX ON customer (ssn steward.encrypted_unique_ops);
ALTER TABLE customer ADD COLUMN pair pair;
ALTER TABLE customer RENAME TO client;
CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := 'from a trigger'; RETURN NEW; END $$;
CREATE TRIGGER "~~~~zz" BEFORE INSERT ON client FOR EACH ROW EXECUTE FUNCTION later();
CREATE TRIGGER "zz" BEFORE INSERT ON client FOR EACH ROW EXECUTE FUNCTION later();
ALTER TRIGGER "zz" ON client RENAME TO "~~~~~";
INSERT INTO client (id, name) VALUES (9, 'x');
ALTER TRIGGER "~~~~steward_bind_subject" ON client RENAME TO "00";
DROP TRIGGER "zz" ON client;
RESET ROLE;
SELECT name::text, bound_to('customer', '9', format('%s', name)) FROM subject.client WHERE id = 9;
DROP VIEW subject.customer_view;
SET ROLE subject_owner;
\set VERBOSITY terse
ALTER TABLE client ALTER COLUMN id TYPE timestamptz USING now();
\set VERBOSITY default
ALTER TABLE client ALTER COLUMN id TYPE bigint;
INSERT INTO client (id, name) VALUES (10, 'still bound');
-- An index that is there already stands in the way of binding.
CREATE TABLE indexed (id int, v steward.encrypted_text('subject/indexed.v'));
CREATE UNIQUE INDEX indexed_v ON indexed (v steward.encrypted_unique_ops);
SELECT steward.bind_subject('indexed', 'customer', 'id');
DROP INDEX indexed_v;
SELECT steward.bind_subject('indexed', 'customer', 'id');
-- A superuser who switched the guard off is stopped when the row comes.
RESET ROLE;
SET steward.allow_unkeyed_ddl = on;
ALTER TABLE subject.indexed RENAME COLUMN id TO number;
INSERT INTO subject.indexed VALUES (1, 'x');
ALTER TABLE subject.indexed RENAME COLUMN number TO id;
CREATE TRIGGER "~~~~~" BEFORE INSERT ON subject.indexed FOR EACH ROW EXECUTE FUNCTION subject.later();
INSERT INTO subject.indexed VALUES (1, 'x');
DROP TRIGGER "~~~~~" ON subject.indexed;
RESET steward.allow_unkeyed_ddl;
INSERT INTO subject.indexed VALUES (1, 'x');

-- ---- a replica and a restore take values as they come ----
SET session_replication_role = replica;
INSERT INTO subject.indexed VALUES (2, 'as it came');
RESET session_replication_role;
SELECT subject_of(format('%s', v)) IS NULL AS not_bound FROM subject.indexed WHERE id = 2;

-- ---- a search_path of somebody else's changes nothing ----
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.int4out(int) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE FUNCTION hostile.bind_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'hostile'; END $$;
CREATE TABLE hostile.subject_key (LIKE steward.subject_key);
CREATE TABLE hostile.pg_trigger (a int);
SET search_path = hostile, pg_temp, pg_catalog, public;
INSERT INTO subject.client (id, name) VALUES (77, 'x');
SELECT steward.unbind_subject('subject.indexed');
SELECT steward.bind_subject('subject.indexed', 'customer', 'id');
SELECT count(*) FROM hostile.subject_key;
RESET search_path;
SELECT bound_to('customer', '77', format('%s', name)) FROM subject.client WHERE id = 77;

DROP SCHEMA hostile CASCADE;
DROP SCHEMA subject CASCADE;
DROP TABLE subject_seen, subject_before;
DROP FUNCTION subject_of, bound_to;
REVOKE EXECUTE ON FUNCTION steward.bind_subject(regclass, text, name), steward.unbind_subject(regclass) FROM subject_owner, subject_clerk;
SELECT steward.revoke_key('subject', 'subject_reader', 'decrypt');
SELECT steward.revoke_key('subject', 'subject_owner', 'decrypt');
DROP ROLE subject_owner, subject_clerk, subject_reader;

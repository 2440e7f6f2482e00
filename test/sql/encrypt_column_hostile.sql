--
-- A superuser converts columns of a table whose owner wants to use that.
--
SET client_min_messages = warning;
\set SHOW_CONTEXT never
SELECT steward.create_key('eh_key');
CREATE ROLE eh_owner;
CREATE SCHEMA eh AUTHORIZATION eh_owner;
CREATE TABLE eh_parent (id int PRIMARY KEY);
CREATE TABLE eh_child (parent int REFERENCES eh_parent);
CREATE TABLE eh_secret (id int, other steward.encrypted_text('eh_key'), it steward.encrypted_text('eh_key'));
INSERT INTO eh_secret VALUES (1, 'their other', 'their secret');
GRANT INSERT ON eh_child TO eh_owner;
GRANT SELECT ON eh_secret TO eh_owner;

SET ROLE eh_owner;
CREATE TABLE eh.log (at int GENERATED ALWAYS AS IDENTITY, what text, said text);
CREATE FUNCTION eh.note(what text, said text) RETURNS text LANGUAGE sql AS $$
    INSERT INTO eh.log (what, said) VALUES ($1, $2) RETURNING said
$$;
CREATE FUNCTION eh.try(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    EXECUTE what INTO said;
    RETURN eh.note(what, coalesce(said, 'done'));
EXCEPTION WHEN OTHERS THEN
    RETURN eh.note(what, SQLSTATE);
END
$$;
-- Expressions that PL/pgSQL evaluates without running a statement for them.
CREATE FUNCTION eh.expression() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    sealed steward.encrypted_text;
BEGIN
    SELECT s.it INTO sealed FROM public.eh_secret AS s;
    RETURN steward.decrypt(sealed);
END
$$;
CREATE FUNCTION eh.inlined(steward.encrypted_text) RETURNS text LANGUAGE sql AS 'SELECT steward.decrypt($1)';
CREATE FUNCTION eh.alter() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    ALTER TABLE eh.own ALTER COLUMN it TYPE text USING steward.decrypt(it);
    RETURN (SELECT it FROM eh.own);
END
$$;
CREATE FUNCTION eh.attack() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM eh.try(t) FROM unnest(ARRAY[
        'INSERT INTO public.eh_child VALUES (42)',
        'SELECT current_setting(''session_replication_role'')',
        'SELECT steward.decrypt(it) FROM public.eh_secret',
        'SELECT it::text FROM public.eh_secret',
        'SELECT eh.expression()',
        'SELECT eh.inlined(it) FROM public.eh_secret',
        'SELECT steward.decrypt_or_null(it) FROM public.eh_secret',
        'SELECT eh.alter()', 'ALTER ROLE eh_owner SUPERUSER']) AS t;
END
$$;
CREATE FUNCTION eh.on_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM eh.attack();
    RETURN NEW;
END
$$;
CREATE FUNCTION eh.on_index(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    PERFORM eh.attack();
    RETURN $1;
END
$$;
CREATE TABLE eh.own (id int, it steward.encrypted_text('eh_key'));
INSERT INTO eh.own SELECT id, it FROM public.eh_secret;

-- ---- online: no code of the owner is run for rows that are filled, and ----
-- ---- what an index runs has no more than the owner has ----

CREATE TABLE eh.mail (id int, it text) WITH (fillfactor = 100);
INSERT INTO eh.mail SELECT n, repeat('x', 1000) FROM generate_series(1, 7) AS n;
CREATE TRIGGER eh_each BEFORE UPDATE ON eh.mail FOR EACH ROW EXECUTE FUNCTION eh.on_row();
CREATE TRIGGER eh_all AFTER UPDATE ON eh.mail FOR EACH STATEMENT EXECUTE FUNCTION eh.on_row();
ALTER TABLE eh.mail ENABLE ALWAYS TRIGGER eh_each;
ALTER TABLE eh.mail ENABLE REPLICA TRIGGER eh_all;
RESET ROLE;
CALL steward.encrypt_column_online('eh.mail', 'it', 'eh_key');
SELECT * FROM eh.log;
CALL steward.decrypt_column_online('eh.mail', 'it');
SELECT * FROM eh.log;
CREATE INDEX ON eh.mail (eh.on_index(id));
TRUNCATE eh.log;
CALL steward.encrypt_column_online('eh.mail', 'it', 'eh_key');
SELECT what, said FROM eh.log GROUP BY what, said ORDER BY what COLLATE "C", said;
TRUNCATE eh.log;
CALL steward.decrypt_column_online('eh.mail', 'it');
SELECT what, said FROM eh.log GROUP BY what, said ORDER BY what COLLATE "C", said;
SELECT count(*), bool_and(it = repeat('x', 1000)) FROM eh.mail;

-- ---- at once ----

SELECT steward.encrypt_column('eh.mail', 'it', 'eh_key');
SET ROLE eh_owner;
ALTER TABLE eh.mail ADD CHECK (eh.on_index(id) > 0);
RESET ROLE;
TRUNCATE eh.log;
SELECT steward.decrypt_column('eh.mail', 'it');
SELECT what, said FROM eh.log GROUP BY what, said ORDER BY what COLLATE "C", said;
SELECT count(*), bool_and(it = repeat('x', 1000)) FROM eh.mail;
TABLE eh_child;

-- Where the column has another number in a partition, and values of other columns.
CREATE TABLE eh_part (id int, it steward.encrypted_text('eh_key')) PARTITION BY LIST (id);
CREATE TABLE eh_part_1 (gone int, it steward.encrypted_text('eh_key'), id int);
ALTER TABLE eh_part_1 DROP COLUMN gone;
ALTER TABLE eh_part ATTACH PARTITION eh_part_1 FOR VALUES IN (1);
ALTER TABLE eh_part OWNER TO eh_owner;
ALTER TABLE eh_part_1 OWNER TO eh_owner;
INSERT INTO eh_part VALUES (1, 'a');
SELECT steward.decrypt_column('eh_part', 'it');
TABLE eh_part;

DROP SCHEMA eh CASCADE;
DROP TABLE eh_part, eh_secret, eh_child, eh_parent;
DROP ROLE eh_owner;
DELETE FROM steward.key WHERE path = 'eh_key';

-- Casts of one's own: PostgreSQL believes a cast function that takes a type modifier,
-- so that values of any key, or of none, would get into a column.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT steward.create_key('gcast');
CREATE ROLE gcast_mallory;
CREATE SCHEMA gcast;
GRANT ALL ON SCHEMA gcast TO gcast_mallory;
SET search_path = gcast;
CREATE TABLE source (e steward.encrypted_text('gcast/source'));
CREATE TABLE target (id integer, e steward.encrypted_text('gcast/target'));
INSERT INTO source VALUES ('secret');
INSERT INTO target VALUES (1, 'own');
GRANT SELECT ON source TO gcast_mallory;
GRANT ALL ON target TO gcast_mallory;
SET ROLE gcast_mallory;
CREATE TYPE att AS (x integer);
CREATE FUNCTION att_cast(v att, typmod integer, explicit boolean) RETURNS steward.encrypted_text LANGUAGE plpgsql
    AS 'BEGIN IF (v).x = 0 THEN RETURN ''t''::steward.encrypted_text; END IF; RETURN (SELECT e FROM gcast.source); END';
\set VERBOSITY default
CREATE CAST (att AS steward.encrypted_text) WITH FUNCTION att_cast(att, integer, boolean) AS ASSIGNMENT;
\set VERBOSITY terse
INSERT INTO target VALUES (2, ROW(1)::att), (3, ROW(0)::att);
-- whatever it is: without a modifier, by text, to what is made of an encrypted type
CREATE FUNCTION att_cast(v att) RETURNS steward.encrypted_text LANGUAGE sql AS 'SELECT e FROM gcast.source';
CREATE CAST (att AS steward.encrypted_text) WITH FUNCTION att_cast(att);
CREATE CAST (att AS steward.encrypted_text) WITH INOUT AS IMPLICIT;
CREATE FUNCTION att_array(v att, typmod integer, explicit boolean) RETURNS steward.encrypted_text[] LANGUAGE sql AS 'SELECT ARRAY[e] FROM gcast.source';
CREATE CAST (att AS steward.encrypted_text[]) WITH FUNCTION att_array(att, integer, boolean);
CREATE TYPE holder AS (e steward.encrypted_text('gcast/target'));
CREATE FUNCTION att_holder(v att) RETURNS holder LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE CAST (att AS holder) WITH FUNCTION att_holder(att);
CREATE DOMAIN domain_of AS steward.encrypted_text('gcast/target');
CREATE FUNCTION att_domain(v att) RETURNS domain_of LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE CAST (att AS domain_of) WITH FUNCTION att_domain(att);
RESET ROLE;
CREATE CAST (bytea AS steward.encrypted_text) WITHOUT FUNCTION;
SELECT count(*) AS casts FROM pg_cast WHERE castsource = 'att'::regtype OR castsource = 'bytea'::regtype AND casttarget = 'steward.encrypted_text'::regtype;
SELECT id, finding FROM target LEFT JOIN steward.verify_column('target', 'e') AS f ON f.row_id = target.ctid ORDER BY id;
-- to other types anybody may make one, also from an encrypted one
SET ROLE gcast_mallory;
CREATE FUNCTION att_from(v steward.encrypted_text) RETURNS att LANGUAGE sql AS 'SELECT ROW(1)::gcast.att';
CREATE CAST (steward.encrypted_text AS att) WITH FUNCTION att_from(steward.encrypted_text);
RESET ROLE;
RESET search_path;
DROP SCHEMA gcast CASCADE;
DROP OWNED BY gcast_mallory;
DROP ROLE gcast_mallory;

-- Looking back runs nobody's code as whoever looks: neither for a key nor for a value
-- does it check the constraints of a domain that another role owns.
SET client_min_messages = warning;
CREATE ROLE regress_hostile;
CREATE SCHEMA hostile AUTHORIZATION regress_hostile;
GRANT USAGE ON SCHEMA steward TO regress_hostile;
GRANT EXECUTE ON FUNCTION steward.history(regclass, jsonb) TO regress_hostile;
SET ROLE regress_hostile;
CREATE FUNCTION hostile.run(integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'running as %', current_user;
    RETURN true;
END
$$;
CREATE DOMAIN hostile.number AS integer CHECK (hostile.run(VALUE));
CREATE TYPE hostile.place AS (x integer, y integer);
CREATE TABLE hostile.item (at hostile.place PRIMARY KEY, v text);
CREATE DOMAIN hostile.harmless AS integer;
RESET ROLE;
SELECT steward.enable_audit('hostile.item');
INSERT INTO hostile.item VALUES ('(1,2)', '(3,4)');
SELECT operation, new FROM steward.history('hostile.item', '{"at": "(1,2)"}');
SELECT schema_version AS version, payload AS bytes FROM steward.audit_record WHERE op = 'I' ORDER BY xid DESC LIMIT 1 \gset

-- A key.
SET ROLE regress_hostile;
ALTER TYPE hostile.place ADD ATTRIBUTE z hostile.number CASCADE;
RESET ROLE;
SELECT operation FROM steward.history('hostile.item', '{"at": "(1,2,3)"}');
SET ROLE regress_hostile;
SELECT operation FROM steward.history('hostile.item', '{"at": "(1,2,3)"}');
RESET ROLE;

-- A value that was a text, as a composite, an array and a range of it.
SET ROLE regress_hostile;
CREATE TYPE hostile.pair AS (x integer, y hostile.number);
CREATE TYPE hostile.row_of_pair AS (v hostile.pair);
CREATE TYPE hostile.row_of_array AS (v hostile.pair[]);
CREATE TYPE hostile.harmless_pair AS (x integer, y hostile.harmless);
CREATE TYPE hostile.row_of_harmless AS (v hostile.harmless_pair);
RESET ROLE;
SELECT steward.audit_image(NULL::hostile.row_of_pair, :version, 'I', :'bytes'::bytea, false);
SELECT steward.audit_image(NULL::hostile.row_of_array, :version, 'I', :'bytes'::bytea, false);
SELECT steward.audit_image(NULL::hostile.row_of_harmless, :version, 'I', :'bytes'::bytea, false);

SELECT steward.disable_audit('hostile.item');
DROP SCHEMA hostile CASCADE;
REVOKE ALL ON FUNCTION steward.history(regclass, jsonb) FROM regress_hostile;
REVOKE ALL ON SCHEMA steward FROM regress_hostile;
DROP ROLE regress_hostile;

CREATE TABLE steward.hold (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relation regclass NOT NULL,
    predicate text,
    columns name[] NOT NULL,
    time_zone text NOT NULL,
    ground text NOT NULL CHECK (ground ~ '\S'),
    placed_by name NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    released_by name,
    released_at timestamptz,
    release_ground text CHECK (release_ground ~ '\S'),
    CHECK ((released_at IS NULL) = (released_by IS NULL) AND (released_at IS NULL) = (release_ground IS NULL))
);
-- What binds a table is read through this index, also when the table is dropped.
CREATE INDEX hold_active ON steward.hold (relation) WHERE released_at IS NULL;
REVOKE ALL ON steward.hold FROM PUBLIC;
COMMENT ON TABLE steward.hold IS 'legal holds: rows that are kept whatever policies say; a hold that was released stays here';
COMMENT ON COLUMN steward.hold.id IS 'number of the hold';
COMMENT ON COLUMN steward.hold.relation IS 'table that it was placed on; it binds partitions and inheritance children too';
COMMENT ON COLUMN steward.hold.predicate IS 'condition on a row, with names in full; NULL: all rows';
COMMENT ON COLUMN steward.hold.columns IS 'columns that the predicate uses';
COMMENT ON COLUMN steward.hold.time_zone IS 'whose calendar the predicate means';
COMMENT ON COLUMN steward.hold.ground IS 'why the rows are kept';
COMMENT ON COLUMN steward.hold.placed_by IS 'who placed it';
COMMENT ON COLUMN steward.hold.placed_at IS 'when it was placed';
COMMENT ON COLUMN steward.hold.released_by IS 'who released it';
COMMENT ON COLUMN steward.hold.released_at IS 'when it was released; NULL while it holds';
COMMENT ON COLUMN steward.hold.release_ground IS 'why it was released';
COMMENT ON SEQUENCE steward.hold_id_seq IS 'numbers of steward.hold';

-- As with policies: a table that is gone would be dumped as a bare number.
SELECT pg_catalog.pg_extension_config_dump('steward.hold',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) relation)');
SELECT pg_catalog.pg_extension_config_dump('steward.hold_id_seq', '');

CREATE FUNCTION steward.place_hold(relation regclass, predicate text, ground text)
RETURNS bigint
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'steward_place_hold';
COMMENT ON FUNCTION steward.place_hold(regclass, text, text) IS 'keeps the rows of a table for which a predicate is true, or all with NULL, from policies, TRUNCATE and DROP; gives the number of the hold';
REVOKE EXECUTE ON FUNCTION steward.place_hold(regclass, text, text) FROM PUBLIC;

CREATE FUNCTION steward.release_hold(hold bigint, ground text)
RETURNS void
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'steward_release_hold';
COMMENT ON FUNCTION steward.release_hold IS 'ends a hold; what it was stays in steward.hold';
REVOKE EXECUTE ON FUNCTION steward.release_hold FROM PUBLIC;

-- For statements that C makes; who may call it is looked at within.
CREATE FUNCTION steward.hold_keeps(hold bigint, relation regclass, columns record)
RETURNS boolean
LANGUAGE C STABLE COST 100 AS 'MODULE_PATHNAME', 'steward_hold_keeps';
COMMENT ON FUNCTION steward.hold_keeps IS 'whether a hold keeps a row of a table, of which these are the columns that its predicate uses; for the owner of the table';

CREATE FUNCTION steward.hold_problem(hold bigint)
RETURNS text
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'steward_hold_problem';
COMMENT ON FUNCTION steward.hold_problem IS 'why the predicate of a hold can no longer be used, so that it holds all rows; else NULL';

CREATE VIEW steward.active_hold WITH (security_barrier) AS
    SELECT h.id, h.relation, h.predicate, h.time_zone, h.ground, h.placed_by, h.placed_at, steward.hold_problem(h.id) AS problem
      FROM steward.hold AS h
      LEFT JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) h.relation
     WHERE h.released_at IS NULL
       AND (pg_catalog.pg_has_role(c.relowner, 'USAGE')
            OR pg_catalog.has_function_privilege('steward.place_hold(regclass, text, text)'::pg_catalog.regprocedure, 'EXECUTE'));
COMMENT ON VIEW steward.active_hold IS 'the holds that bind tables of yours; all, for those who may place holds';
COMMENT ON COLUMN steward.active_hold.id IS 'number of the hold';
COMMENT ON COLUMN steward.active_hold.relation IS 'table that it was placed on';
COMMENT ON COLUMN steward.active_hold.predicate IS 'condition on a row; NULL: all rows';
COMMENT ON COLUMN steward.active_hold.time_zone IS 'whose calendar the predicate means';
COMMENT ON COLUMN steward.active_hold.ground IS 'why the rows are kept';
COMMENT ON COLUMN steward.active_hold.placed_by IS 'who placed it';
COMMENT ON COLUMN steward.active_hold.placed_at IS 'when it was placed';
COMMENT ON COLUMN steward.active_hold.problem IS 'why the predicate cannot be used any more, so that all rows are held';

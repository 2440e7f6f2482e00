-- The revocation journal is a file outside the database. What the database
-- remembers of it: which subjects the journal held, so that a journal that lost
-- some, or is another one, is noticed.

CREATE TABLE steward.revocation_known (
    subjects uuid[] NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
-- Rows are kept shorter than what PostgreSQL would store apart.
ALTER TABLE steward.revocation_known ALTER COLUMN subjects SET STORAGE PLAIN;
COMMENT ON TABLE steward.revocation_known IS 'subjects that the revocation journal was seen to hold; it must hold all of them';
COMMENT ON COLUMN steward.revocation_known.subjects IS 'some of these subjects, and the random mark with which the journal of this database begins';
COMMENT ON COLUMN steward.revocation_known.recorded_at IS 'when they were seen';

CREATE TABLE steward.revocation_adoption (
    adopted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    adopted_by name NOT NULL DEFAULT SESSION_USER,
    found text NOT NULL,
    held bigint NOT NULL,
    missing bigint NOT NULL
);
COMMENT ON TABLE steward.revocation_adoption IS 'who adopted a revocation journal, when, and in which state; written by adopt_revocation_journal';
COMMENT ON COLUMN steward.revocation_adoption.adopted_at IS 'when';
COMMENT ON COLUMN steward.revocation_adoption.adopted_by IS 'who';
COMMENT ON COLUMN steward.revocation_adoption.found IS 'whole, shorter, foreign, altered, unverifiable when a root key was missing, missing, or none when no journal is configured';
COMMENT ON COLUMN steward.revocation_adoption.held IS 'subjects of this database that the journal held';
COMMENT ON COLUMN steward.revocation_adoption.missing IS 'subjects that the database knew and the journal did not hold';

SELECT pg_catalog.pg_extension_config_dump('steward.revocation_known', '');
SELECT pg_catalog.pg_extension_config_dump('steward.revocation_adoption', '');

-- Finds the tombstones among many secrets.
CREATE INDEX subject_key_erased ON steward.subject_key (subject) WHERE erased_at IS NOT NULL;
COMMENT ON INDEX steward.subject_key_erased IS 'the tombstones';

CREATE FUNCTION steward.adopt_revocation_journal() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_adopt_revocation_journal';
COMMENT ON FUNCTION steward.adopt_revocation_journal() IS 'takes the revocation journal as it is for the one of this database, after it was lost, moved or restored';
REVOKE ALL ON FUNCTION steward.adopt_revocation_journal() FROM PUBLIC;

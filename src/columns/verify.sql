CREATE FUNCTION steward.verify_column(relation regclass, "column" text)
    RETURNS TABLE (found_in regclass, row_id tid, part text, finding text, detail text)
    LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 AS 'MODULE_PATHNAME', 'steward_verify_column';
COMMENT ON FUNCTION steward.verify_column(regclass, text) IS 'opens every value of an encrypted column and tells of each that is not as it should be';

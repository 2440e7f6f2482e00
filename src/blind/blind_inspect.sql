-- Checking blind indexes, and looking into them. What shows no values and needs no
-- key is still not for everybody: who may write, and how much, is nobody's affair but
-- the table's.
CREATE FUNCTION steward.blind_index_check(index regclass, heapallindexed boolean DEFAULT false) RETURNS void
    LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000 AS 'MODULE_PATHNAME', 'steward_blind_index_check';
COMMENT ON FUNCTION steward.blind_index_check(regclass, boolean) IS 'checks all pages of a blind index, and with heapallindexed that every row has its entry; raises an error that says what is wrong';
REVOKE ALL ON FUNCTION steward.blind_index_check(regclass, boolean) FROM PUBLIC;

CREATE FUNCTION steward.blind_metapage(index regclass, OUT version integer, OUT root bigint, OUT level integer, OUT exact boolean, OUT bits integer[], OUT generations integer[],
    OUT multi boolean, OUT range_tags integer)
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'steward_blind_metapage';
COMMENT ON FUNCTION steward.blind_metapage(regclass) IS 'what the first page of a blind index says: its format, where its root is, whether tags decide, bits and generation of the index secret of each column, whether values have several tags, and how many at most in an index for ranges';
REVOKE ALL ON FUNCTION steward.blind_metapage(regclass) FROM PUBLIC;

CREATE FUNCTION steward.blind_page_stats(index regclass, block bigint, OUT type text, OUT level integer, OUT flags text[], OUT right_link bigint, OUT children integer,
    OUT packed_entries integer, OUT packed_bytes integer, OUT list_segments integer, OUT run_segments integer, OUT tail_entries integer, OUT hinted_entries integer, OUT free_bytes integer)
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'steward_blind_page_stats';
COMMENT ON FUNCTION steward.blind_page_stats(regclass, bigint) IS 'what is on one page of a blind index, in numbers';
REVOKE ALL ON FUNCTION steward.blind_page_stats(regclass, bigint) FROM PUBLIC;

-- Everybody may call it: it asks for the table and for the keys itself.
CREATE FUNCTION steward.leakage_report(index regclass) RETURNS TABLE (aspect text, value text, meaning text)
    LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 15 AS 'MODULE_PATHNAME', 'steward_leakage_report';
COMMENT ON FUNCTION steward.leakage_report(regclass) IS 'reads a blind index and says what whoever has its file learns; for the table''s owner, or pg_read_all_stats, with the right to search';

-- Index secrets that were rotated, and the indexes that go by them.
CREATE FUNCTION steward.blind_index_secrets() RETURNS TABLE (index regclass, "column" text, key text, generation integer, newest integer)
    LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000 AS 'MODULE_PATHNAME', 'steward_blind_index_secrets';
COMMENT ON FUNCTION steward.blind_index_secrets() IS 'all blind indexes, the generation of the index secret that each column goes by, and the newest; REINDEX brings an index to that';
REVOKE ALL ON FUNCTION steward.blind_index_secrets() FROM PUBLIC;

CREATE FUNCTION steward.retire_index_secrets(key text) RETURNS integer
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_retire_index_secrets';
COMMENT ON FUNCTION steward.retire_index_secrets(text) IS 'waits for the transactions that run, deletes the generations of a key''s index secret that no blind index goes by any more, and returns how many these were';
REVOKE ALL ON FUNCTION steward.retire_index_secrets(text) FROM PUBLIC;

-- LIKE and ILIKE of encrypted text, see like.c.
--
-- They are not LEAKPROOF: whether PostgreSQL finds a pattern to end in the middle of an
-- escape depends on the value. The estimators of LIKE give constants for a column that is
-- no text, and look at no statistics.

CREATE FUNCTION steward.encrypted_text_like(value steward.encrypted_text, pattern text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_text_like';
COMMENT ON FUNCTION steward.encrypted_text_like(steward.encrypted_text, text) IS 'LIKE, by plaintext; needs the right to decrypt';
CREATE OPERATOR pg_catalog.~~ (
    LEFTARG = steward.encrypted_text, RIGHTARG = text, FUNCTION = steward.encrypted_text_like,
    NEGATOR = OPERATOR(pg_catalog.!~~), RESTRICT = likesel, JOIN = likejoinsel);
COMMENT ON OPERATOR pg_catalog.~~ (steward.encrypted_text, text) IS 'plaintext matches LIKE expression; needs the right to decrypt';

CREATE FUNCTION steward.encrypted_text_not_like(value steward.encrypted_text, pattern text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_text_not_like';
COMMENT ON FUNCTION steward.encrypted_text_not_like(steward.encrypted_text, text) IS 'NOT LIKE, by plaintext; needs the right to decrypt';
CREATE OPERATOR pg_catalog.!~~ (
    LEFTARG = steward.encrypted_text, RIGHTARG = text, FUNCTION = steward.encrypted_text_not_like,
    NEGATOR = OPERATOR(pg_catalog.~~), RESTRICT = nlikesel, JOIN = nlikejoinsel);
COMMENT ON OPERATOR pg_catalog.!~~ (steward.encrypted_text, text) IS 'plaintext does not match LIKE expression; needs the right to decrypt';

CREATE FUNCTION steward.encrypted_text_ilike(value steward.encrypted_text, pattern text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_text_ilike';
COMMENT ON FUNCTION steward.encrypted_text_ilike(steward.encrypted_text, text) IS 'ILIKE, by plaintext; needs the right to decrypt';
CREATE OPERATOR pg_catalog.~~* (
    LEFTARG = steward.encrypted_text, RIGHTARG = text, FUNCTION = steward.encrypted_text_ilike,
    NEGATOR = OPERATOR(pg_catalog.!~~*), RESTRICT = iclikesel, JOIN = iclikejoinsel);
COMMENT ON OPERATOR pg_catalog.~~* (steward.encrypted_text, text) IS 'plaintext matches ILIKE expression; needs the right to decrypt';

CREATE FUNCTION steward.encrypted_text_not_ilike(value steward.encrypted_text, pattern text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_text_not_ilike';
COMMENT ON FUNCTION steward.encrypted_text_not_ilike(steward.encrypted_text, text) IS 'NOT ILIKE, by plaintext; needs the right to decrypt';
CREATE OPERATOR pg_catalog.!~~* (
    LEFTARG = steward.encrypted_text, RIGHTARG = text, FUNCTION = steward.encrypted_text_not_ilike,
    NEGATOR = OPERATOR(pg_catalog.~~*), RESTRICT = icnlikesel, JOIN = icnlikejoinsel);
COMMENT ON OPERATOR pg_catalog.!~~* (steward.encrypted_text, text) IS 'plaintext does not match ILIKE expression; needs the right to decrypt';

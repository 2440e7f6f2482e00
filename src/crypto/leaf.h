/*
 * leaf.h: the leaves of the ledger and the digests that they hold.
 *
 * All integers are big-endian; times are microseconds since 2000-01-01 00:00 UTC
 * in two's complement.
 *
 * A record, in format 1:
 *
 *	  0	 format and kind, 0x01
 *	  1	 incarnation (be32)
 *	  5	 transaction: the top-level one (be64)
 *	 13	 seq (be32)
 *	 17	 transaction began at (be64)
 *	 25	 changed at (be64)
 *	 33	 written at (be64)
 *	 41	 op (1)
 *	 42	 digest of the context's row (32)
 *	 74	 digest of the schema version's row; zeros when there is none (32)
 *	106	 length of the payload (be32)
 *	110	 payload
 *
 * The opening of an incarnation's log, always leaf 0 and only that:
 *
 *	  0	 format and kind, 0x02
 *	  1	 incarnation (be32)
 *	  5	 digest of the incarnation's row (32)
 *	 37	 length of the parent's checkpoint (be32); 0: no parent
 *	 41	 the checkpoint, a signed note
 *
 * The digest of a row is SHA-256 of a tag and its fields in a fixed order, each
 * as its length (be32), 0xffffffff for NULL, and its bytes. The tag begins
 * "steward-row/1:", names the table and ends in a newline. docs/formats.md lists
 * the fields. Every row has one encoding, so it has one digest.
 */
#ifndef STEWARD_CRYPTO_LEAF_H
#define STEWARD_CRYPTO_LEAF_H

#include "crypto/merkle.h"

#define STEWARD_LEAF_RECORD 1
#define STEWARD_LEAF_OPENING 2
#define STEWARD_LEAF_RECORD_HEAD_BYTES 110
#define STEWARD_LEAF_OPENING_HEAD_BYTES 41

/* A record as the ledger sees it. */
typedef struct StewardLeafRecord
{
	uint32_t	incarnation;
	uint64_t	xid;
	uint32_t	seq;
	int64_t		started_at;		/* of the transaction */
	int64_t		changed_at;
	int64_t		written_at;
	unsigned char op;
	StewardHash context;
	StewardHash schema;
	const unsigned char *payload;
	uint32_t	payload_len;
} StewardLeafRecord;

typedef struct StewardLeafOpening
{
	uint32_t	incarnation;
	StewardHash identity;		/* digest of the incarnation's row */
	const char *parent;			/* signed checkpoint; NULL: none */
	uint32_t	parent_len;
} StewardLeafOpening;

/* Everything of a record's leaf before the payload. */
extern void steward_leaf_record_head(unsigned char head[STEWARD_LEAF_RECORD_HEAD_BYTES],
									 const StewardLeafRecord *record);

/* The leaf hash of a record, without putting its leaf together. */
extern void steward_leaf_record_hash(StewardHash *hash,
									 const StewardLeafRecord *record);

/* Everything of an opening before the parent's checkpoint, and its leaf hash. */
extern void steward_leaf_opening_head(unsigned char head[STEWARD_LEAF_OPENING_HEAD_BYTES],
									  const StewardLeafOpening *opening);
extern void steward_leaf_opening_hash(StewardHash *hash,
									  const StewardLeafOpening *opening);

/* Take a leaf apart; the pointers are into it. False: it is none of this kind. */
extern bool steward_leaf_record_parse(StewardLeafRecord *record,
									  const unsigned char *leaf, size_t len);
extern bool steward_leaf_opening_parse(StewardLeafOpening *opening,
									   const unsigned char *leaf, size_t len);

/* The digest of a row: begin with the name of the table, add its fields, end. */
extern void steward_row_begin(StewardSha256 *row, const char *table);
extern void steward_row_bytes(StewardSha256 *row, const void *bytes, uint32_t len);
extern void steward_row_text(StewardSha256 *row, const char *text); /* NULL is NULL */
extern void steward_row_int32(StewardSha256 *row, int32_t value);
extern void steward_row_int64(StewardSha256 *row, int64_t value);
extern void steward_row_null(StewardSha256 *row);
extern void steward_row_end(StewardSha256 *row, StewardHash *digest);

#endif							/* STEWARD_CRYPTO_LEAF_H */

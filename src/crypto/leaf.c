/*
 * leaf.c: the leaves of the ledger; see leaf.h.
 */
#include "crypto/leaf.h"

#include <string.h>

#include "crypto/bytes.h"

#define NULL_LENGTH UINT32_MAX
#define ROW_TAG "steward-row/1:"

/* Offsets in a leaf. */
enum
{
	AT_FORMAT = 0, AT_INCARNATION = 1,
	AT_XID = 5, AT_SEQ = 13, AT_STARTED = 17, AT_CHANGED = 25, AT_WRITTEN = 33,
	AT_OP = 41, AT_CONTEXT = 42, AT_SCHEMA = 74, AT_PAYLOAD_LEN = 106,
	AT_PAYLOAD = 110,
	AT_IDENTITY = 5, AT_PARENT_LEN = 37, AT_PARENT = 41
};

void
steward_leaf_record_head(unsigned char head[STEWARD_LEAF_RECORD_HEAD_BYTES],
						 const StewardLeafRecord *record)
{
	head[AT_FORMAT] = STEWARD_LEAF_RECORD;
	steward_store_be32(head + AT_INCARNATION, record->incarnation);
	steward_store_be64(head + AT_XID, record->xid);
	steward_store_be32(head + AT_SEQ, record->seq);
	steward_store_be64(head + AT_STARTED, (uint64_t) record->started_at);
	steward_store_be64(head + AT_CHANGED, (uint64_t) record->changed_at);
	steward_store_be64(head + AT_WRITTEN, (uint64_t) record->written_at);
	head[AT_OP] = record->op;
	memcpy(head + AT_CONTEXT, record->context.bytes, STEWARD_HASH_BYTES);
	memcpy(head + AT_SCHEMA, record->schema.bytes, STEWARD_HASH_BYTES);
	steward_store_be32(head + AT_PAYLOAD_LEN, record->payload_len);
}

void
steward_leaf_record_hash(StewardHash *hash, const StewardLeafRecord *record)
{
	unsigned char head[STEWARD_LEAF_RECORD_HEAD_BYTES];

	steward_leaf_record_head(head, record);
	steward_merkle_leaf_parts(hash, head, sizeof head, record->payload,
							  record->payload_len);
}

void
steward_leaf_opening_head(unsigned char head[STEWARD_LEAF_OPENING_HEAD_BYTES],
						  const StewardLeafOpening *opening)
{
	head[AT_FORMAT] = STEWARD_LEAF_OPENING;
	steward_store_be32(head + AT_INCARNATION, opening->incarnation);
	memcpy(head + AT_IDENTITY, opening->identity.bytes, STEWARD_HASH_BYTES);
	steward_store_be32(head + AT_PARENT_LEN, opening->parent_len);
}

void
steward_leaf_opening_hash(StewardHash *hash, const StewardLeafOpening *opening)
{
	unsigned char head[STEWARD_LEAF_OPENING_HEAD_BYTES];

	steward_leaf_opening_head(head, opening);
	steward_merkle_leaf_parts(hash, head, sizeof head, opening->parent,
							  opening->parent_len);
}

bool
steward_leaf_record_parse(StewardLeafRecord *record, const unsigned char *leaf,
						  size_t len)
{
	memset(record, 0, sizeof *record);
	if (len < AT_PAYLOAD || leaf[AT_FORMAT] != STEWARD_LEAF_RECORD ||
		steward_load_be32(leaf + AT_PAYLOAD_LEN) != len - AT_PAYLOAD)
		return false;
	record->incarnation = steward_load_be32(leaf + AT_INCARNATION);
	record->xid = steward_load_be64(leaf + AT_XID);
	record->seq = steward_load_be32(leaf + AT_SEQ);
	record->started_at = (int64_t) steward_load_be64(leaf + AT_STARTED);
	record->changed_at = (int64_t) steward_load_be64(leaf + AT_CHANGED);
	record->written_at = (int64_t) steward_load_be64(leaf + AT_WRITTEN);
	record->op = leaf[AT_OP];
	memcpy(record->context.bytes, leaf + AT_CONTEXT, STEWARD_HASH_BYTES);
	memcpy(record->schema.bytes, leaf + AT_SCHEMA, STEWARD_HASH_BYTES);
	record->payload = leaf + AT_PAYLOAD;
	record->payload_len = (uint32_t) (len - AT_PAYLOAD);
	return true;
}

bool
steward_leaf_opening_parse(StewardLeafOpening *opening,
						   const unsigned char *leaf, size_t len)
{
	memset(opening, 0, sizeof *opening);
	if (len < AT_PARENT || leaf[AT_FORMAT] != STEWARD_LEAF_OPENING ||
		steward_load_be32(leaf + AT_PARENT_LEN) != len - AT_PARENT)
		return false;
	opening->incarnation = steward_load_be32(leaf + AT_INCARNATION);
	memcpy(opening->identity.bytes, leaf + AT_IDENTITY, STEWARD_HASH_BYTES);
	opening->parent_len = (uint32_t) (len - AT_PARENT);
	if (opening->parent_len > 0)
		opening->parent = (const char *) leaf + AT_PARENT;
	return true;
}

void
steward_row_begin(StewardSha256 *row, const char *table)
{
	steward_sha256_init(row);
	steward_sha256_update(row, ROW_TAG, strlen(ROW_TAG));
	steward_sha256_update(row, table, strlen(table));
	steward_sha256_update(row, "\n", 1);
}

static void
add_length(StewardSha256 *row, uint32_t len)
{
	unsigned char bytes[4];

	steward_store_be32(bytes, len);
	steward_sha256_update(row, bytes, sizeof bytes);
}

void
steward_row_bytes(StewardSha256 *row, const void *bytes, uint32_t len)
{
	add_length(row, len);
	steward_sha256_update(row, bytes, len);
}

void
steward_row_text(StewardSha256 *row, const char *text)
{
	if (text == NULL)
		steward_row_null(row);
	else
		steward_row_bytes(row, text, (uint32_t) strlen(text));
}

void
steward_row_int32(StewardSha256 *row, int32_t value)
{
	unsigned char bytes[4];

	steward_store_be32(bytes, (uint32_t) value);
	steward_row_bytes(row, bytes, sizeof bytes);
}

void
steward_row_int64(StewardSha256 *row, int64_t value)
{
	unsigned char bytes[8];

	steward_store_be64(bytes, (uint64_t) value);
	steward_row_bytes(row, bytes, sizeof bytes);
}

void
steward_row_null(StewardSha256 *row)
{
	add_length(row, NULL_LENGTH);
}

void
steward_row_end(StewardSha256 *row, StewardHash *digest)
{
	steward_sha256_final(row, digest);
}

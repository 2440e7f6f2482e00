/*
 * datum.c: the layout of an encrypted value; see datum.h.
 */
#include "crypto/datum.h"

#include <string.h>

#include "crypto/bytes.h"

#define OFFSET_SUITE 1
#define OFFSET_TYPE 2
#define OFFSET_FLAGS 3
#define OFFSET_KEY_ID 4
#define OFFSET_KEY_TAG 8
#define OFFSET_SUBJECT 12

static StewardDatumStatus
check_header(const unsigned char *bytes)
{
	if (bytes[0] != STEWARD_DATUM_FORMAT)
		return STEWARD_DATUM_UNKNOWN_FORMAT;
	if (bytes[OFFSET_SUITE] != STEWARD_SUITE_CHACHA20POLY1305)
		return STEWARD_DATUM_UNKNOWN_SUITE;
	if (bytes[OFFSET_TYPE] < STEWARD_TYPE_TEXT ||
		bytes[OFFSET_TYPE] > STEWARD_TYPE_TIMESTAMPTZ)
		return STEWARD_DATUM_UNKNOWN_TYPE;
	if (bytes[OFFSET_FLAGS] & ~STEWARD_FLAG_SUBJECT)
		return STEWARD_DATUM_UNKNOWN_FLAG;
	if (bytes[OFFSET_KEY_ID] & 0x80)
		return STEWARD_DATUM_BAD_KEY_ID;
	return STEWARD_DATUM_OK;
}

StewardDatumStatus
steward_datum_parse(StewardDatum *datum, const unsigned char *bytes, size_t len)
{
	StewardDatumStatus status;
	bool		bound;
	size_t		header_len;

	memset(datum, 0, sizeof *datum);
	if (len < STEWARD_HEADER_BYTES + STEWARD_BODY_BYTES)
		return STEWARD_DATUM_TRUNCATED;
	status = check_header(bytes);
	if (status != STEWARD_DATUM_OK)
		return status;

	bound = (bytes[OFFSET_FLAGS] & STEWARD_FLAG_SUBJECT) != 0;
	header_len = bound ? STEWARD_HEADER_MAX_BYTES : STEWARD_HEADER_BYTES;
	if (len < header_len + STEWARD_BODY_BYTES)
		return STEWARD_DATUM_TRUNCATED;

	datum->type = bytes[OFFSET_TYPE];
	datum->flags = bytes[OFFSET_FLAGS];
	datum->key_id = steward_load_be32(bytes + OFFSET_KEY_ID);
	datum->key_tag = steward_load_be32(bytes + OFFSET_KEY_TAG);
	datum->header_len = header_len;
	datum->plain_len = len - header_len - STEWARD_BODY_BYTES;
	datum->header = bytes;
	datum->subject = bound ? bytes + OFFSET_SUBJECT : NULL;
	datum->salt = bytes + header_len;
	datum->commitment = datum->salt + STEWARD_SALT_BYTES;
	datum->ciphertext = datum->commitment + STEWARD_COMMITMENT_BYTES;
	return STEWARD_DATUM_OK;
}

size_t
steward_datum_size(size_t plain_len, bool subject_bound)
{
	return plain_len + STEWARD_BODY_BYTES +
		(subject_bound ? STEWARD_HEADER_MAX_BYTES : STEWARD_HEADER_BYTES);
}

size_t
steward_datum_write_header(unsigned char *out, const StewardDatumLabel *label)
{
	out[0] = STEWARD_DATUM_FORMAT;
	out[OFFSET_SUITE] = STEWARD_SUITE_CHACHA20POLY1305;
	out[OFFSET_TYPE] = label->type;
	out[OFFSET_FLAGS] = label->subject != NULL ? STEWARD_FLAG_SUBJECT : 0;
	steward_store_be32(out + OFFSET_KEY_ID, label->key_id);
	steward_store_be32(out + OFFSET_KEY_TAG, label->key_tag);
	if (label->subject == NULL)
		return STEWARD_HEADER_BYTES;
	memcpy(out + OFFSET_SUBJECT, label->subject, STEWARD_UUID_BYTES);
	return STEWARD_HEADER_MAX_BYTES;
}

/*
 * spool.c: the frames of a spool file; see spool.h.
 */
#include "crypto/spool.h"

#include <sodium.h>
#include <string.h>

#include "crypto/bytes.h"

#define MAGIC "pgstwspl"
#define MAGIC_BYTES 8

_Static_assert(crypto_shorthash_BYTES == STEWARD_SPOOL_SUM_BYTES, "SipHash-2-4");
_Static_assert(crypto_shorthash_KEYBYTES == STEWARD_SPOOL_ID_BYTES, "SipHash-2-4");

void
steward_spool_put_header(unsigned char out[STEWARD_SPOOL_HEADER_BYTES],
						 const unsigned char id[STEWARD_SPOOL_ID_BYTES])
{
	memcpy(out, MAGIC, MAGIC_BYTES);
	steward_store_be32(out + MAGIC_BYTES, STEWARD_SPOOL_FORMAT);
	steward_store_be32(out + MAGIC_BYTES + 4, 0);
	memcpy(out + MAGIC_BYTES + 8, id, STEWARD_SPOOL_ID_BYTES);
}

StewardSpoolStatus
steward_spool_get_header(const unsigned char *bytes, size_t len,
						 unsigned char id[STEWARD_SPOOL_ID_BYTES])
{
	if (len < STEWARD_SPOOL_HEADER_BYTES)
		return STEWARD_SPOOL_SHORT;
	if (memcmp(bytes, MAGIC, MAGIC_BYTES) != 0 ||
		steward_load_be32(bytes + MAGIC_BYTES) != STEWARD_SPOOL_FORMAT ||
		steward_load_be32(bytes + MAGIC_BYTES + 4) != 0)
		return STEWARD_SPOOL_DAMAGED;
	memcpy(id, bytes + MAGIC_BYTES + 8, STEWARD_SPOOL_ID_BYTES);
	return STEWARD_SPOOL_OK;
}

static void
checksum(unsigned char *sum, const unsigned char *frame, size_t len,
		 const unsigned char id[STEWARD_SPOOL_ID_BYTES], uint64_t position)
{
	unsigned char key[crypto_shorthash_KEYBYTES];

	memcpy(key, id, sizeof key);
	for (int i = 0; i < 8; i++)
		key[i] ^= (unsigned char) (position >> (56 - 8 * i));
	crypto_shorthash(sum, frame, len, key);
}

void
steward_spool_seal(unsigned char *frame, size_t body_len,
				   const unsigned char id[STEWARD_SPOOL_ID_BYTES], uint64_t position)
{
	size_t		len = STEWARD_SPOOL_LENGTH_BYTES + body_len;

	steward_store_be32(frame, (uint32_t) body_len);
	checksum(frame + len, frame, len, id, position);
}

StewardSpoolStatus
steward_spool_read(const unsigned char *bytes, size_t len,
				   const unsigned char id[STEWARD_SPOOL_ID_BYTES],
				   uint64_t position, const unsigned char **body,
				   size_t *body_len)
{
	unsigned char sum[STEWARD_SPOOL_SUM_BYTES];
	size_t		found;

	if (len < STEWARD_SPOOL_LENGTH_BYTES)
		return STEWARD_SPOOL_SHORT;
	found = steward_load_be32(bytes);
	if (found == 0 || found > STEWARD_SPOOL_BODY_MAX)
		return STEWARD_SPOOL_DAMAGED;
	if (len < found + STEWARD_SPOOL_FRAME_BYTES)
		return STEWARD_SPOOL_SHORT;
	checksum(sum, bytes, STEWARD_SPOOL_LENGTH_BYTES + found, id, position);
	if (memcmp(sum, bytes + STEWARD_SPOOL_LENGTH_BYTES + found, sizeof sum) != 0)
		return STEWARD_SPOOL_DAMAGED;
	*body = bytes + STEWARD_SPOOL_LENGTH_BYTES;
	*body_len = found;
	return STEWARD_SPOOL_OK;
}

/*
 * spool_fuzz.c: any bytes as a spool file, and whole files with a damaged byte.
 *
 * Of an input that begins with an odd byte the rest is what a writer appends; then
 * a byte is changed. What is read must be what was appended, up to the damage.
 */
#include "crypto/spool.h"

#include "fuzz.h"

volatile unsigned char sink = 0;

/* Walks through a file; how many bodies it has. Each byte is read, for the
 * sanitizer. */
static size_t
walk(const uint8_t *bytes, size_t len, size_t *end)
{
	unsigned char id[STEWARD_SPOOL_ID_BYTES];
	size_t		count = 0;
	size_t		at = STEWARD_SPOOL_HEADER_BYTES;

	*end = 0;
	if (steward_spool_get_header(bytes, len, id) != STEWARD_SPOOL_OK)
		return 0;
	for (;; count++)
	{
		const unsigned char *body;
		size_t		body_len;

		*end = at;
		if (steward_spool_read(bytes + at, len - at, id, at, &body, &body_len) != STEWARD_SPOOL_OK)
			return count;
		MUST(body == bytes + at + STEWARD_SPOOL_LENGTH_BYTES && body_len > 0);
		MUST(at + body_len + STEWARD_SPOOL_FRAME_BYTES <= len);
		for (size_t i = 0; i < body_len; i++)
			sink ^= body[i];
		at += body_len + STEWARD_SPOOL_FRAME_BYTES;
	}
}

static void
write_and_damage(const uint8_t *bytes, size_t len)
{
	unsigned char id[STEWARD_SPOOL_ID_BYTES] = {1, 2, 3};
	unsigned char *file = calloc(1, STEWARD_SPOOL_HEADER_BYTES + len * (STEWARD_SPOOL_FRAME_BYTES + 1) + 1);
	size_t		size = STEWARD_SPOOL_HEADER_BYTES;
	size_t		frames = 0;
	size_t		end;
	size_t		at;

	steward_spool_put_header(file, id);
	for (size_t i = 1; i < len; frames++)
	{
		size_t		body_len = 1 + bytes[i] % 8;

		if (body_len > len - i)
			body_len = len - i;
		memcpy(file + size + STEWARD_SPOOL_LENGTH_BYTES, bytes + i, body_len);
		steward_spool_seal(file + size, body_len, id, size);
		size += body_len + STEWARD_SPOOL_FRAME_BYTES;
		i += body_len;
	}
	MUST(walk(file, size, &end) == frames && end == size);
	at = STEWARD_SPOOL_HEADER_BYTES + (frames == 0 ? 0 : bytes[0] * 7919u % (size - STEWARD_SPOOL_HEADER_BYTES));
	if (frames > 0)
	{
		file[at] ^= 0x40;
		MUST(walk(file, size, &end) < frames && end <= at);
	}
	free(file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	size_t		end;

	if (len > 0 && bytes[0] % 2 == 1)
		write_and_damage(bytes, len);
	else
		(void) walk(bytes, len, &end);
	return 0;
}

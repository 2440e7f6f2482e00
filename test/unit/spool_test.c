/*
 * spool_test.c: the frames of spool files; a fixed one, and every damage.
 */
#include "crypto/spool.h"

#include "crypto/bytes.h"
#include "tap.h"

#define BODY "{\"kind\":\"read\"}"
#define BODY_LEN (sizeof(BODY) - 1)
#define FRAME_LEN (BODY_LEN + STEWARD_SPOOL_FRAME_BYTES)

static const unsigned char id[STEWARD_SPOOL_ID_BYTES] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
};

static void
make_frame(unsigned char *frame, uint64_t position)
{
	memcpy(frame + STEWARD_SPOOL_LENGTH_BYTES, BODY, BODY_LEN);
	steward_spool_seal(frame, BODY_LEN, id, position);
}

/* Reads from a copy that ends at a guard page. */
static StewardSpoolStatus
read_guarded(const unsigned char *bytes, size_t len, const unsigned char *with,
			 uint64_t position)
{
	Guarded		copy = guard_copy(bytes, len);
	const unsigned char *body;
	size_t		body_len;
	StewardSpoolStatus status = steward_spool_read(copy.bytes, len, with, position,
												   &body, &body_len);

	if (status == STEWARD_SPOOL_OK &&
		(body_len != BODY_LEN || memcmp(body, BODY, BODY_LEN) != 0))
		tap_bail("the body is another one");
	guard_free(&copy);
	return status;
}

static void
test_known(void)
{
	unsigned char frame[FRAME_LEN];
	unsigned char key[16];
	unsigned char sum[8];

	make_frame(frame, 0x0102030405060708);
	tap_ok(steward_load_be32(frame) == BODY_LEN, "a frame begins with its length");
	memcpy(key, id, sizeof key);
	for (int i = 0; i < 8; i++)
		key[i] ^= (unsigned char) (i + 1);
	crypto_shorthash(sum, frame, 4 + BODY_LEN, key);
	tap_bytes(frame + 4 + BODY_LEN, sum, 8, "and ends with SipHash-2-4 under id and position");
}

static void
test_header(void)
{
	unsigned char header[STEWARD_SPOOL_HEADER_BYTES];
	unsigned char got[STEWARD_SPOOL_ID_BYTES];
	int			refused = 0;

	steward_spool_put_header(header, id);
	tap_ok(steward_spool_get_header(header, sizeof header, got) == STEWARD_SPOOL_OK,
		   "a head is read");
	tap_bytes(got, id, sizeof got, "its id is found");
	for (size_t len = 0; len < sizeof header; len++)
	{
		Guarded		copy = guard_copy(header, len);

		refused += steward_spool_get_header(copy.bytes, len, got) == STEWARD_SPOOL_SHORT;
		guard_free(&copy);
	}
	tap_ok(refused == sizeof header, "a shorter one is short");
	refused = 0;
	for (int i = 0; i < 16; i++)
	{
		header[i] ^= 1;
		refused += steward_spool_get_header(header, sizeof header, got) == STEWARD_SPOOL_DAMAGED;
		header[i] ^= 1;
	}
	tap_ok(refused == 16, "another magic, format or reserved byte is refused");
}

static void
test_damage(void)
{
	unsigned char frame[FRAME_LEN];
	unsigned char other[STEWARD_SPOOL_ID_BYTES];
	size_t		accepted = 0;
	size_t		cut = 0;

	make_frame(frame, 32);
	tap_ok(read_guarded(frame, FRAME_LEN, id, 32) == STEWARD_SPOOL_OK, "a frame is read");
	for (size_t len = 0; len < FRAME_LEN; len++)
		cut += read_guarded(frame, len, id, 32) == STEWARD_SPOOL_SHORT;
	tap_ok(cut == FRAME_LEN, "a shorter one is short, wherever it is cut");
	for (size_t bit = 0; bit < FRAME_LEN * 8; bit++)
	{
		frame[bit / 8] ^= (unsigned char) (1 << bit % 8);
		accepted += read_guarded(frame, FRAME_LEN, id, 32) == STEWARD_SPOOL_OK;
		frame[bit / 8] ^= (unsigned char) (1 << bit % 8);
	}
	tap_ok(accepted == 0, "no changed bit passes");
	for (uint64_t position = 33; position < 1000; position++)
		accepted += read_guarded(frame, FRAME_LEN, id, position) == STEWARD_SPOOL_OK;
	tap_ok(accepted == 0, "nor does another place");
	memcpy(other, id, sizeof other);
	other[15] ^= 1;
	tap_ok(read_guarded(frame, FRAME_LEN, other, 32) == STEWARD_SPOOL_DAMAGED, "nor another file");
	memset(frame, 0, sizeof frame);
	tap_ok(read_guarded(frame, FRAME_LEN, id, 32) == STEWARD_SPOOL_DAMAGED, "nor zeros, as of a lost page");
	memset(frame, 0xff, sizeof frame);
	tap_ok(read_guarded(frame, FRAME_LEN, id, 32) == STEWARD_SPOOL_DAMAGED, "nor a length beyond the limit");
}

int
main(void)
{
	tap_begin();
	test_known();
	test_header();
	test_damage();
	return tap_end();
}

/*
 * fingerprint_test.c: different byte strings have different fingerprints.
 */
#include "crypto/fingerprint.h"

#include "tap.h"

#define MOST_BYTES 600			/* short strings end at 512 */
#define PRINTS (MOST_BYTES * 8 + 2 * (MOST_BYTES + 1))

static uint64_t prints[PRINTS];

static int
compare(const void *a, const void *b)
{
	uint64_t	x = *(const uint64_t *) a;
	uint64_t	y = *(const uint64_t *) b;

	return x < y ? -1 : x > y;
}

static int
count_same(size_t count)
{
	int			same = 0;

	qsort(prints, count, sizeof prints[0], compare);
	for (size_t i = 1; i < count; i++)
		same += prints[i] == prints[i - 1];
	return same;
}

/* Strings that differ in their length alone, and in one bit. */
static void
test_distinct(void)
{
	unsigned char bytes[MOST_BYTES] = {0};
	size_t		count = 0;

	for (size_t len = 0; len <= sizeof bytes; len++)
	{
		Guarded		copy = guard_copy(bytes, len);

		prints[count++] = steward_fingerprint(0, copy.bytes, len);
		prints[count++] = steward_fingerprint(1, copy.bytes, len);
		guard_free(&copy);
	}
	for (size_t bit = 0; bit < 8 * sizeof bytes; bit++)
	{
		size_t		len = bit < 8 * 512 ? 512 : sizeof bytes;

		bytes[bit / 8] = (unsigned char) (1 << bit % 8);
		prints[count++] = steward_fingerprint(0, bytes, len);
		bytes[bit / 8] = 0;
	}
	tap_ok(count == PRINTS && count_same(count) == 0,
		   "lengths, contexts and single bits are told apart");
}

static void
test_same(void)
{
	unsigned char bytes[MOST_BYTES + 8];
	int			differ = 0;

	randombytes_buf(bytes, sizeof bytes);
	for (size_t len = 0; len <= MOST_BYTES; len++)
	{
		uint64_t	one = steward_fingerprint(7, bytes, len);

		/* The same bytes at another alignment. */
		memmove(bytes + 3, bytes, len);
		differ += one != steward_fingerprint(7, bytes + 3, len);
		memmove(bytes, bytes + 3, len);
	}
	tap_ok(differ == 0, "the same bytes have the same fingerprint");
}

/* All bits of a fingerprint serve: half of them change with one bit. */
static void
test_spread(void)
{
	unsigned char bytes[85] = {0};
	uint64_t	zero = steward_fingerprint(0, bytes, sizeof bytes);
	int			low = 0;

	for (size_t bit = 0; bit < 8 * sizeof bytes; bit++)
	{
		bytes[bit / 8] = (unsigned char) (1 << bit % 8);
		low += ((steward_fingerprint(0, bytes, sizeof bytes) ^ zero) & 0xff) == 0;
		bytes[bit / 8] = 0;
	}
	tap_ok(low < 30, "the low byte is spread: %d of 680 are the same", low);
}

int
main(void)
{
	tap_begin();
	test_distinct();
	test_same();
	test_spread();
	return tap_end();
}

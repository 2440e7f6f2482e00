/*
 * crypto_c.c: what sealing and opening a value costs without a database.
 *
 *	 crypto_c <plaintext bytes> <values>
 *
 * prints "<ns per seal> <ns per open>": the composition of value.h over
 * libsodium, the floor that the SQL functions are compared with. Values go
 * through a ring of buffers, as rows do, and not through one that stays in
 * the nearest cache.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/random.h"
#include "crypto/value.h"

#define RING_BYTES (4 << 20)
#define RING_MAX 4096

typedef struct Ring
{
	size_t slots;
	size_t plain_len;
	size_t sealed_len;
	unsigned char *plain;
	unsigned char *sealed;
	unsigned char *opened;
} Ring;

static double
now_ns(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec * 1e9 + (double) now.tv_nsec;
}

static int
ring_make(Ring *ring, size_t plain_len)
{
	ring->plain_len = plain_len;
	ring->sealed_len = steward_datum_size(plain_len, false);
	ring->slots = RING_BYTES / ring->sealed_len;
	if (ring->slots < 1)
		ring->slots = 1;
	if (ring->slots > RING_MAX)
		ring->slots = RING_MAX;
	ring->plain = malloc(ring->slots * plain_len + 1);
	ring->sealed = malloc(ring->slots * ring->sealed_len);
	ring->opened = malloc(plain_len + 1);
	if (ring->plain == NULL || ring->sealed == NULL || ring->opened == NULL)
		return -1;
	memset(ring->plain, 'x', ring->slots * plain_len);
	return 0;
}

static void
seal_slot(const Ring *ring, const StewardValueKey *key, size_t slot)
{
	StewardDatumLabel label = {STEWARD_TYPE_TEXT, 1, 1, NULL};

	steward_value_seal(ring->sealed + slot * ring->sealed_len, key, &label,
					   ring->plain + slot * ring->plain_len, ring->plain_len);
}

static int
open_slot(const Ring *ring, const StewardValueKey *key, size_t slot)
{
	StewardDatum datum;

	if (steward_datum_parse(&datum, ring->sealed + slot * ring->sealed_len,
							ring->sealed_len) != STEWARD_DATUM_OK ||
		!steward_value_open(ring->opened, &datum, key))
		return -1;
	return 0;
}

static int
measure(const Ring *ring, const StewardValueKey *key, size_t values)
{
	double start;
	double sealed;
	double opened;

	for (size_t slot = 0; slot < ring->slots; slot++)
		seal_slot(ring, key, slot);
	start = now_ns();
	for (size_t i = 0; i < values; i++)
		seal_slot(ring, key, i % ring->slots);
	sealed = now_ns();
	for (size_t i = 0; i < values; i++)
	{
		if (open_slot(ring, key, i % ring->slots) != 0)
			return -1;
	}
	opened = now_ns();
	if (memcmp(ring->opened, ring->plain, ring->plain_len) != 0)
		return -1;
	printf("%.1f %.1f\n", (sealed - start) / (double) values,
		   (opened - sealed) / (double) values);
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned char secret[STEWARD_KEY_BYTES];
	StewardValueKey key;
	Ring ring;
	long values = argc == 3 ? atol(argv[2]) : 0;
	long size = argc == 3 ? atol(argv[1]) : -1;

	if (size < 0 || values < 1)
	{
		fprintf(stderr, "usage: crypto_c <plaintext bytes> <values>\n");
		return 2;
	}
	if (steward_crypto_init() != 0 || ring_make(&ring, (size_t) size) != 0)
		return 1;
	steward_random_key(secret, sizeof secret);
	steward_value_key(&key, secret);
	if (measure(&ring, &key, (size_t) values) != 0)
	{
		fprintf(stderr, "crypto_c: a value did not open\n");
		return 1;
	}
	return 0;
}

/*
 * crypto_c.c: what sealing and opening a value costs without a server.
 *
 *	 crypto_c SIZE COUNT
 *
 * seals and opens COUNT values of SIZE bytes in buffers made once, and prints
 * "seal_ns open_ns", nanoseconds of processor time for one of each. This is the
 * lower bound that the SQL functions are compared with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sodium.h>
#include <time.h>

#include "crypto/random.h"
#include "crypto/value.h"

static double
now_ns(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double) now.tv_sec * 1e9 + (double) now.tv_nsec;
}

static double
time_seal(unsigned char *sealed, const StewardValueKey *key,
		  const unsigned char *plain, size_t size, unsigned long count)
{
	const StewardDatumLabel label = {STEWARD_TYPE_TEXT, 1, 2, NULL};
	double		start = now_ns();

	for (unsigned long i = 0; i < count; i++)
		steward_value_seal(sealed, key, &label, plain, size);
	return (now_ns() - start) / (double) count;
}

static double
time_open(unsigned char *plain, const StewardValueKey *key,
		  const unsigned char *sealed, size_t size, unsigned long count)
{
	double		start = now_ns();

	for (unsigned long i = 0; i < count; i++)
	{
		StewardDatum datum;

		if (steward_datum_parse(&datum, sealed, steward_datum_size(size, false)) !=
			STEWARD_DATUM_OK || !steward_value_open(plain, &datum, key))
			abort();
	}
	return (now_ns() - start) / (double) count;
}

int
main(int argc, char **argv)
{
	size_t		size = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned char *plain = malloc(size + 1);
	unsigned char *sealed = malloc(steward_datum_size(size, false));
	unsigned char encryption_key[STEWARD_KEY_BYTES];
	StewardValueKey key;
	double		seal_ns;

	if (count == 0 || steward_crypto_init() != 0 || !plain || !sealed)
	{
		fputs("usage: crypto_c SIZE COUNT\n", stderr);
		return 2;
	}
	steward_random_key(plain, size);
	steward_random_key(encryption_key, sizeof encryption_key);
	steward_value_key(&key, encryption_key);
	(void) time_seal(sealed, &key, plain, size, 1 + count / 10);	/* warm up */
	seal_ns = time_seal(sealed, &key, plain, size, count);
	printf("%.1f %.1f\n", seal_ns,
		   time_open(plain, &key, sealed, size, count));
	free(plain);
	free(sealed);
	return 0;
}

/*
 * tap.h: the little of the Test Anything Protocol that the C tests need, with
 * fixed bytes, hexadecimal and guard pages.
 *
 * A guarded copy ends where an inaccessible page begins: a function that reads
 * one byte too many dies of SIGSEGV, and prove reports it.
 */
#ifndef STEWARD_TEST_TAP_H
#define STEWARD_TEST_TAP_H

#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/kdf.h"

static int	tap_run = 0;
static int	tap_failed = 0;

/* One test: its name is a printf format. */
__attribute__((format(printf, 2, 3), unused))
static void
tap_ok(bool passed, const char *format, ...)
{
	va_list		arguments;

	printf("%sok %d - ", passed ? "" : "not ", ++tap_run);
	if (!passed)
		tap_failed++;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

/* One test that two byte strings are the same; shows both when not. */
__attribute__((unused))
static void
tap_bytes(const void *got, const void *expected, size_t len, const char *name)
{
	bool		same = memcmp(got, expected, len) == 0;

	tap_ok(same, "%s", name);
	if (same)
		return;
	printf("#      got ");
	for (size_t i = 0; i < len; i++)
		printf("%02x", ((const unsigned char *) got)[i]);
	printf("\n# expected ");
	for (size_t i = 0; i < len; i++)
		printf("%02x", ((const unsigned char *) expected)[i]);
	putchar('\n');
}

/* Prepares the library; the first call of every test. */
__attribute__((unused))
static void
tap_begin(void)
{
	if (steward_crypto_init() != 0)
	{
		puts("Bail out! libsodium is unusable");
		exit(1);
	}
}

/* Prints the plan; its result is the exit code of the program. */
__attribute__((unused))
static int
tap_end(void)
{
	printf("1..%d\n", tap_run);
	return tap_failed == 0 ? 0 : 1;
}

__attribute__((noreturn, unused))
static void
tap_bail(const char *reason)
{
	printf("Bail out! %s\n", reason);
	exit(1);
}

/* The bytes first, first + 1, … */
__attribute__((unused))
static void
fill_sequence(unsigned char *out, size_t len, unsigned char first)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char) (first + i);
}

/* Exactly len bytes from hexadecimal. */
__attribute__((unused))
static void
fill_hex(unsigned char *out, size_t len, const char *hex)
{
	size_t		got;

	if (strlen(hex) != 2 * len ||
		sodium_hex2bin(out, len, hex, 2 * len, NULL, &got, NULL) != 0 ||
		got != len)
		tap_bail("bad hexadecimal in a test");
}

typedef struct Guarded
{
	unsigned char *bytes;		/* len bytes, then a page without access */
	void	   *mapping;
	size_t		mapped;
} Guarded;

__attribute__((unused))
static Guarded
guard_copy(const void *bytes, size_t len)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	size_t		room = (len + page) / page * page;
	Guarded		copy;

	copy.mapped = room + page;
	copy.mapping = mmap(NULL, copy.mapped, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy.mapping == MAP_FAILED ||
		mprotect((char *) copy.mapping + room, page, PROT_NONE) != 0)
		tap_bail("no memory for a guarded copy");
	copy.bytes = (unsigned char *) copy.mapping + room - len;
	if (len > 0)
		memcpy(copy.bytes, bytes, len);
	return copy;
}

__attribute__((unused))
static void
guard_free(Guarded *copy)
{
	(void) munmap(copy->mapping, copy->mapped);
}

#endif							/* STEWARD_TEST_TAP_H */

/*
 * retry.c: what becomes of a policy whose runs fail; see retry.h.
 */
#include "retention/retry.h"

/* A number that looks random, out of the seed and how often. */
static uint64_t
scatter(uint64_t seed, uint64_t number)
{
	uint64_t	mixed = seed ^ (number * UINT64_C(0x9E3779B97F4A7C15));

	for (int round = 0; round < 3; round++)
	{
		mixed ^= mixed >> 31;
		mixed *= UINT64_C(0xD6E8FEB86659FD93);
	}
	return mixed ^ mixed >> 32;
}

int64_t
steward_retry_delay(const StewardRetry *retry, int failures, uint64_t seed)
{
	int64_t		whole = retry->first_ms;
	int64_t		half;

	for (int i = 1; i < failures && whole < retry->longest_ms; i++)
		whole = whole > retry->longest_ms / 2 ? retry->longest_ms : whole * 2;
	if (whole > retry->longest_ms)
		whole = retry->longest_ms;
	half = whole / 2;
	return whole - (int64_t) (scatter(seed, (uint64_t) failures) % (uint64_t) (half + 1));
}

bool
steward_retry_gives_up(const StewardRetry *retry, int failures)
{
	return failures >= retry->quarantine_after;
}

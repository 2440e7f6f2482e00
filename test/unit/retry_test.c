/*
 * retry_test.c: how long after a failure it is tried again.
 */
#include "retention/retry.h"

#include "tap.h"

#define SEEDS 2000

/* The delays of many seeds: all within bounds, near both, and half of them below the middle. */
static void
check_delays(const StewardRetry *retry, int failures, int64_t whole)
{
	int64_t		least = INT64_MAX;
	int64_t		most = 0;
	int			below = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++)
	{
		int64_t		delay = steward_retry_delay(retry, failures, seed);

		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
		below += delay < whole * 3 / 4;
	}
	tap_ok(least >= whole / 2 && most <= whole, "after %d failures it is half of %lld ms or more, and no more than it",
		   failures, (long long) whole);
	tap_ok(least < whole / 2 + whole / 100 && most > whole - whole / 100 &&
		   below > SEEDS * 4 / 10 && below < SEEDS * 6 / 10,
		   "after %d failures seeds spread over all of that", failures);
}

static void
test_growth(void)
{
	StewardRetry retry = {60000, 21600000, 10};

	check_delays(&retry, 1, 60000);
	check_delays(&retry, 2, 120000);
	check_delays(&retry, 9, 15360000);
	check_delays(&retry, 10, 21600000);
	check_delays(&retry, INT32_MAX, 21600000);
	check_delays(&(StewardRetry) {5000, 1000, 3}, 1, 1000);
	check_delays(&(StewardRetry) {1000, INT64_MAX, 3}, 4, 8000);
	/* As for the first, when nothing failed. */
	check_delays(&retry, 0, 60000);
}

static void
test_extremes(void)
{
	StewardRetry retry = {1, INT64_MAX, 1};
	bool		passed = true;

	for (uint64_t seed = 0; seed < SEEDS; seed++)
	{
		int64_t		delay = steward_retry_delay(&retry, 1000000, seed * UINT64_C(0x123456789ABCDEF));

		passed = passed && delay >= INT64_MAX / 2;
	}
	tap_ok(passed, "doubling does not overflow");
	retry.first_ms = 0;
	retry.longest_ms = 0;
	tap_ok(steward_retry_delay(&retry, 5, 7) == 0, "no delay is no delay");
}

static void
test_seed(void)
{
	StewardRetry retry = STEWARD_RETRY_DEFAULT;
	int			same = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++)
		same += steward_retry_delay(&retry, 5, seed) == steward_retry_delay(&retry, 5, seed + 1);
	tap_ok(steward_retry_delay(&retry, 5, 42) == steward_retry_delay(&retry, 5, 42),
		   "the same seed gives the same delay");
	tap_ok(same < SEEDS / 100, "neighbouring seeds give other delays");
}

static void
test_quarantine(void)
{
	StewardRetry retry = STEWARD_RETRY_DEFAULT;

	tap_ok(!steward_retry_gives_up(&retry, 0) && !steward_retry_gives_up(&retry, 9) &&
		   steward_retry_gives_up(&retry, 10) && steward_retry_gives_up(&retry, 11),
		   "ten failures in a row are given up on");
}

int
main(void)
{
	tap_begin();
	test_growth();
	test_extremes();
	test_seed();
	test_quarantine();
	return tap_end();
}

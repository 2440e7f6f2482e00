/*
 * pace_test.c: batches and sleeps in made-up worlds, where rows cost time and write WAL.
 */
#include "retention/pace.h"

#include "tap.h"

static const StewardPaceLoad calm = {0, false, 0, 0, 0};

static StewardPace
begin(void)
{
	StewardPaceLimits limits = STEWARD_PACE_DEFAULT;
	StewardPace pace;

	steward_pace_begin(&pace, &limits);
	return pace;
}

/* Batches whose rows cost so much each, and a commit. How many took more than 5/4 of the target? */
static int
work(StewardPace *pace, int batches, int64_t row_ns, int64_t commit_us)
{
	int			over = 0;

	for (int i = 0; i < batches; i++)
	{
		int64_t		took = commit_us + pace->rows * row_ns / 1000;

		over += took > 62500;
		steward_pace_done(pace, pace->rows, 1, took);
	}
	return over;
}

/* From the first batch on to a cost that never changes. */
static void
check_settles(int64_t row_ns, int64_t commit_us)
{
	StewardPace pace = begin();
	int			over = work(&pace, 60, row_ns, commit_us);
	int64_t		settled = pace.rows;
	int64_t		took = commit_us + settled * row_ns / 1000;

	tap_ok(over <= 2, "rows of %lld ns: at most two batches are too long on the way", (long long) row_ns);
	tap_ok((took >= 37500 && took <= 62500) || (settled == pace.limits.rows_most && took < 50000),
		   "rows of %lld ns: batches of %lld rows take %lld us", (long long) row_ns, (long long) settled, (long long) took);
	(void) work(&pace, 1000, row_ns, commit_us);
	tap_ok(pace.rows == settled, "rows of %lld ns: and it stays like that", (long long) row_ns);
}

static void
test_settling(void)
{
	check_settles(1000, 1000);
	check_settles(10000, 200);
	check_settles(50000, 5000);
	check_settles(2000000, 1000);
	check_settles(20000000, 0);
}

static void
test_steps(void)
{
	StewardPace pace = begin();
	int64_t		before;

	(void) work(&pace, 60, 10000, 0);
	before = pace.rows;
	steward_pace_done(&pace, before, 1, 63000);
	tap_ok(pace.rows == before / 2, "a batch that was somewhat too long halves the next");
	pace.rows = before;
	steward_pace_done(&pace, before, 1, 500000);
	tap_ok(pace.rows == before / 10, "one that took ten times as long leaves a tenth");
	pace.rows = before;
	steward_pace_done(&pace, before, 1, 20000);
	tap_ok(pace.rows > before && pace.rows <= before + before / 8 + 1, "one that was short adds an eighth");
	pace.rows = before;
	steward_pace_done(&pace, before - 1, 1, 20000);
	tap_ok(pace.rows == before, "one that was not full adds nothing");
	steward_pace_done(&pace, before, 1, 50000);
	tap_ok(pace.rows == before, "one that was right changes nothing");
	steward_pace_undone(&pace);
	tap_ok(pace.rows == before / 2, "one that was undone halves the next");
	for (int i = 0; i < 40; i++)
		steward_pace_undone(&pace);
	tap_ok(pace.rows == 1, "but there is one row at least");
	steward_pace_done(&pace, 1, 1, INT64_MAX);
	tap_ok(pace.rows == 1, "however long it took");
	steward_pace_done(&pace, 1, 1, -5);
	tap_ok(pace.rows == 2 && pace.took_us == 0, "a clock that was put back is no trouble");
	for (int i = 0; i < 200; i++)
		steward_pace_done(&pace, pace.rows, 1, 0);
	tap_ok(pace.rows == pace.limits.rows_most, "it ends at the most rows");
}

/* Batches of rows with which others go, in a world where each row costs so much. */
static void
check_fanout(double fanout)
{
	StewardPace pace = begin();

	for (int i = 0; i < 60; i++)
	{
		int64_t		taken = steward_pace_fit(pace.rows, fanout);

		steward_pace_done(&pace, taken, fanout, (int64_t) ((double) taken * fanout * 10));
	}
	tap_ok(pace.rows > 3500 && pace.rows < 6500, "with %.2f rows for each: batches of %lld rows",
		   fanout, (long long) pace.rows);
}

static void
test_fanout(void)
{
	StewardPace pace = begin();

	tap_ok(steward_pace_fit(145, 2) == 72 && steward_pace_fit(3, 8) == 1 && steward_pace_fit(7, 0.5) == 7,
		   "as many rows as fit with those that go with them");
	check_fanout(2);
	check_fanout(1.5);
	check_fanout(17.3);
	pace.rows = 145;
	steward_pace_done(&pace, 72, 2, 1000);
	tap_ok(pace.rows > 145, "a batch in which no other row fits is full");
	pace.rows = 145;
	steward_pace_done(&pace, 71, 2, 1000);
	tap_ok(pace.rows == 145, "one in which another does is not");
}

/* The sleep after many batches of 50 ms with a load, and after one. */
static void
check_pause(const char *name, StewardPaceLoad load, int reason, int64_t most)
{
	StewardPace pace = begin();
	int			reasons;
	int64_t		first;
	int64_t		pause = 0;

	steward_pace_done(&pace, pace.rows, 1, 50000);
	first = steward_pace_pause(&pace, &load, &reasons);
	tap_ok(first == 25000 && reasons == reason, "%s: the sleep is doubled at once", name);
	for (int i = 0; i < 30; i++)
		pause = steward_pace_pause(&pace, &load, &reasons);
	tap_ok(pause == most && reasons == reason, "%s: it ends at %lld us", name, (long long) most);
	pause = steward_pace_pause(&pace, &calm, &reasons);
	tap_ok(pause < most && pause * 2 >= most, "%s: it is halved when that is over", name);
	for (int i = 0; i < 30; i++)
		pause = steward_pace_pause(&pace, &calm, &reasons);
	tap_ok(pause == 12500 && reasons == 0, "%s: and ends at a quarter of the work", name);
}

static void
test_pauses(void)
{
	StewardPaceLimits limits = STEWARD_PACE_DEFAULT;
	StewardPace pace = begin();
	int			reasons;

	tap_ok(steward_pace_pause(&pace, &calm, &reasons) == 1000 && reasons == 0, "a millisecond after nothing");
	check_pause("waiters", (StewardPaceLoad) {.waiters = 1}, STEWARD_PACE_WAITERS, 200000);
	check_pause("autovacuum", (StewardPaceLoad) {.autovacuum = true}, STEWARD_PACE_AUTOVACUUM, 100000);
	check_pause("xmin", (StewardPaceLoad) {.xmin_age = limits.xmin_age}, STEWARD_PACE_XMIN, 50000);
	check_pause("bytes", (StewardPaceLoad) {.lag_bytes = limits.lag_bytes}, STEWARD_PACE_LAG, limits.pause_most_us);
	check_pause("delay", (StewardPaceLoad) {.lag_us = limits.lag_us}, STEWARD_PACE_LAG, limits.pause_most_us);
	check_pause("two", (StewardPaceLoad) {.waiters = 3, .xmin_age = INT64_MAX}, STEWARD_PACE_WAITERS | STEWARD_PACE_XMIN, 200000);
	limits.lag_bytes = limits.lag_us = limits.xmin_age = 0;
	steward_pace_begin(&pace, &limits);
	steward_pace_done(&pace, 1, 1, 50000);
	(void) steward_pace_pause(&pace, &(StewardPaceLoad) {0, false, INT64_MAX, INT64_MAX, INT64_MAX}, &reasons);
	tap_ok(reasons == 0, "a limit of 0 is none");
	steward_pace_done(&pace, 1, 1, INT64_MAX);
	tap_ok(steward_pace_pause(&pace, &calm, &reasons) == limits.pause_most_us, "no sleep is longer than the longest");
}

static void
test_waiters(void)
{
	StewardPace pace = begin();
	int64_t		before = pace.rows;
	int			reasons;

	(void) steward_pace_pause(&pace, &(StewardPaceLoad) {.waiters = 1}, &reasons);
	tap_ok(pace.rows == before / 2, "while somebody waits, batches are halved too");
	(void) steward_pace_pause(&pace, &(StewardPaceLoad) {.autovacuum = true}, &reasons);
	tap_ok(pace.rows == before / 2, "for other trouble they are not");
}

/* A standby that takes less WAL than the run could write: the lag stays where the limit is. */
static void
test_standby(void)
{
	StewardPace pace = begin();
	int64_t		lag = 0;
	int64_t		worst = 0;
	int64_t		rows = 0;
	int64_t		clock = 0;
	int			reasons;

	while (clock < INT64_C(600) * 1000000)
	{
		int64_t		took = 500 + pace.rows * 10;
		int64_t		pause;

		rows += pace.rows;
		lag += pace.rows * 500;
		steward_pace_done(&pace, pace.rows, 1, took);
		pause = steward_pace_pause(&pace, &(StewardPaceLoad) {.lag_bytes = lag}, &reasons);
		clock += took + pause;
		/* 10 MB a second; the run alone would write 40. */
		lag -= (took + pause) * 10;
		lag = lag > 0 ? lag : 0;
		worst = lag > worst ? lag : worst;
	}
	tap_ok(worst < pace.limits.lag_bytes * 5 / 4, "a slow standby is at most %lld bytes behind", (long long) worst);
	tap_ok(rows * 500 > INT64_C(600) * 10000000 / 2, "and has work more than half of the time: %lld rows", (long long) rows);
}

int
main(void)
{
	tap_begin();
	test_settling();
	test_steps();
	test_fanout();
	test_pauses();
	test_waiters();
	test_standby();
	return tap_end();
}

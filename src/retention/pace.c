/*
 * pace.c: how large batches are, and the sleep between them; see pace.h.
 */
#include "retention/pace.h"

/* The sleep is at least this part of the time that was worked, and so long. */
#define PAUSE_PART 4
#define PAUSE_LEAST_US 1000

/* How often trouble doubles the sleep at most. */
#define WAITERS_MOST 4
#define AUTOVACUUM_MOST 3
#define XMIN_MOST 2
#define LAG_MOST 20

static void
set_rows(StewardPace *pace, int64_t rows)
{
	if (rows > pace->limits.rows_most)
		rows = pace->limits.rows_most;
	if (rows < pace->limits.rows_least)
		rows = pace->limits.rows_least;
	pace->rows = rows;
}

void
steward_pace_begin(StewardPace *pace, const StewardPaceLimits *limits)
{
	pace->limits = *limits;
	pace->took_us = 0;
	pace->pressure = 0;
	set_rows(pace, limits->rows_first);
}

int64_t
steward_pace_fit(int64_t rows, double fanout)
{
	int64_t		fit = fanout > 1 ? (int64_t) ((double) rows / fanout) : rows;

	return fit > 1 ? fit : 1;
}

void
steward_pace_done(StewardPace *pace, int64_t taken, double fanout, int64_t took_us)
{
	int64_t		target = pace->limits.target_us;

	/* A clock that was put back. */
	pace->took_us = took_us > 0 ? took_us : 0;
	if (pace->took_us > target + target / 4)
	{
		double		fitting = (double) pace->rows * (double) target / (double) pace->took_us;

		set_rows(pace, fitting < (double) (pace->rows / 2) ? (int64_t) fitting : pace->rows / 2);
	}
	/* One that was not full does not say how long a full one takes. */
	else if (pace->took_us < target - target / 4 &&
			 taken >= steward_pace_fit(pace->rows, fanout))
		set_rows(pace, pace->rows + 1 + pace->rows / 8);
}

void
steward_pace_undone(StewardPace *pace)
{
	set_rows(pace, pace->rows / 2);
}

static bool
is_over(int64_t value, int64_t limit)
{
	return limit > 0 && value >= limit;
}

/* Adds a reason, and raises how far the pressure may go. */
static void
note(bool seen, int reason, int most, int *reasons, int *ceiling)
{
	if (!seen)
		return;
	*reasons |= reason;
	if (*ceiling < most)
		*ceiling = most;
}

/* The sleep with so much pressure. */
static int64_t
pressed(const StewardPace *pace)
{
	int64_t		most = pace->limits.pause_most_us;
	int64_t		pause = pace->took_us / PAUSE_PART;

	if (pause < PAUSE_LEAST_US)
		pause = PAUSE_LEAST_US;
	for (int i = 0; i < pace->pressure && pause < most; i++)
		pause *= 2;
	return pause < most ? pause : most;
}

int64_t
steward_pace_pause(StewardPace *pace, const StewardPaceLoad *load, int *reasons)
{
	const StewardPaceLimits *limits = &pace->limits;
	int			ceiling = 0;

	*reasons = 0;
	note(load->waiters > 0, STEWARD_PACE_WAITERS, WAITERS_MOST, reasons, &ceiling);
	note(load->autovacuum, STEWARD_PACE_AUTOVACUUM, AUTOVACUUM_MOST, reasons, &ceiling);
	note(is_over(load->lag_bytes, limits->lag_bytes) || is_over(load->lag_us, limits->lag_us),
		 STEWARD_PACE_LAG, LAG_MOST, reasons, &ceiling);
	note(is_over(load->xmin_age, limits->xmin_age), STEWARD_PACE_XMIN, XMIN_MOST,
		 reasons, &ceiling);
	if (pace->pressure > ceiling)
		pace->pressure--;
	/* More than the longest sleep would only take longer to come back from. */
	else if (pace->pressure < ceiling && pressed(pace) < limits->pause_most_us)
		pace->pressure++;
	/* Who waits, waits for less. */
	if (load->waiters > 0)
		set_rows(pace, pace->rows / 2);
	return pressed(pace);
}

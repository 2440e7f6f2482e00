/*
 * pace.h: how large the batches of a run are, and how long it sleeps between them.
 *
 * Pure C without PostgreSQL's headers. A batch is to take target_us: one that took longer makes the next
 * as much smaller, at once to half at least; shorter ones make them larger little by little. A run sleeps
 * for a part of the time that it works; while others suffer, the sleep doubles with each batch, up to what fits
 * the trouble, and is halved again with each batch after it. It never stops: what lags may have
 * been forgotten, and an old snapshot does not get younger.
 */
#ifndef STEWARD_RETENTION_PACE_H
#define STEWARD_RETENTION_PACE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct StewardPaceLimits
{
	int64_t		target_us;		/* of a batch, its commit included */
	int64_t		rows_first;
	int64_t		rows_least;		/* 1 or more */
	int64_t		rows_most;
	int64_t		pause_most_us;
	/* From here on it is trouble; 0 turns each off. */
	int64_t		lag_bytes;
	int64_t		lag_us;
	int64_t		xmin_age;
} StewardPaceLimits;

#define STEWARD_PACE_DEFAULT \
	((StewardPaceLimits) {50000, 128, 1, 20000, INT64_C(10) * 1000000, \
		INT64_C(64) << 20, INT64_C(30) * 1000000, 10000000})

/* What is seen of others after a batch. */
typedef struct StewardPaceLoad
{
	int			waiters;		/* who waits for a lock that the run held */
	bool		autovacuum;		/* works on the table */
	int64_t		lag_bytes;		/* WAL that the last standby or slot has yet
								 * to take */
	int64_t		lag_us;			/* how far the last standby's replay is behind */
	int64_t		xmin_age;		/* transactions since the oldest snapshot */
} StewardPaceLoad;

/* Why a run sleeps longer, as bits. */
#define STEWARD_PACE_WAITERS	1
#define STEWARD_PACE_AUTOVACUUM 2
#define STEWARD_PACE_LAG		4
#define STEWARD_PACE_XMIN		8

typedef struct StewardPace
{
	StewardPaceLimits limits;
	int64_t		rows;			/* for the next batch */
	int64_t		took_us;		/* the last batch */
	int			pressure;		/* how often the sleep is doubled */
} StewardPace;

extern void steward_pace_begin(StewardPace *pace, const StewardPaceLimits *limits);

/*
 * How many rows are taken for a batch of that many, when with each of them fanout rows go, itself
 * one of these. 1 at least.
 */
extern int64_t steward_pace_fit(int64_t rows, double fanout);

/*
 * A batch that expected so many rows to go with each took so many, in so long; pace->rows becomes
 * what the next may have.
 */
extern void steward_pace_done(StewardPace *pace, int64_t taken, double fanout,
							  int64_t took_us);

/* A batch was undone: it did not get a lock, or a deadlock ended it. The next has half. */
extern void steward_pace_undone(StewardPace *pace);

/*
 * How long to sleep before the next batch, in microseconds. Called once after each.
 * *reasons becomes why that is longer than usual, 0 if it is not.
 */
extern int64_t steward_pace_pause(StewardPace *pace, const StewardPaceLoad *load,
								  int *reasons);

#endif							/* STEWARD_RETENTION_PACE_H */

/*
 * retry.h: what becomes of a policy whose runs fail.
 *
 * Pure C without PostgreSQL's headers. It is tried again after a while, which doubles with each
 * failure in a row; after so many it is quarantined, until somebody resumes it. Policies
 * that failed together are not tried again together: part of the while is random.
 */
#ifndef STEWARD_RETENTION_RETRY_H
#define STEWARD_RETENTION_RETRY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct StewardRetry
{
	int64_t		first_ms;		/* after the first failure, at most */
	int64_t		longest_ms;		/* after any, at most */
	int			quarantine_after;	/* failures in a row */
} StewardRetry;

/* A minute, doubling up to six hours; ten failures take about eight hours. */
#define STEWARD_RETRY_DEFAULT \
	((StewardRetry) {INT64_C(60) * 1000, INT64_C(6) * 60 * 60 * 1000, 10})

/*
 * How long to wait after so many failures in a row (1 or more), in milliseconds: from half of the
 * doubled while to all of it. The seed chooses; with the same arguments it is the same.
 */
extern int64_t steward_retry_delay(const StewardRetry *retry, int failures,
								   uint64_t seed);

/* Is a policy with so many failures in a row quarantined? */
extern bool steward_retry_gives_up(const StewardRetry *retry, int failures);

#endif							/* STEWARD_RETENTION_RETRY_H */

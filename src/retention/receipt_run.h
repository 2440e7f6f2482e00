/*
 * receipt_run.h: a run that somebody asks about.
 */
#ifndef STEWARD_RETENTION_RECEIPT_RUN_H
#define STEWARD_RETENTION_RECEIPT_RUN_H

#include "base/compat.h"

#include "datatype/timestamp.h"

#include "retention/receipt.h"

/* What steward.policy_run_log says of it. */
typedef struct StewardRecordedRun
{
	int64		id;
	char	   *action;
	int64		rows;
	int64		children;
	int64		batches;
	bool		salted;			/* it has salt; one that failed before it
								 * began has none */
	unsigned char salt[STEWARD_RECEIPT_SALT_BYTES];
	bool		rooted;			/* it has root */
	StewardHash root;
	TimestampTz started_at;
	TimestampTz batch_at;		/* DT_NOBEGIN: no batch was done */
} StewardRecordedRun;

/*
 * Reads the run, with an SPI connection. Raises ERRCODE_UNDEFINED_OBJECT, and
 * ERRCODE_INSUFFICIENT_PRIVILEGE unless its policy is the current user's.
 */
extern void steward_recorded_run(int64 id, StewardRecordedRun *run);

/* Puts a hash into *hash, from a bytea; false when that is none. */
extern bool steward_hash_from(StewardHash *hash, Datum bytes);

#endif							/* STEWARD_RETENTION_RECEIPT_RUN_H */

/*
 * run_parts.h: a run from within, for the files that carry it out and record it.
 */
#ifndef STEWARD_RETENTION_RUN_PARTS_H
#define STEWARD_RETENTION_RUN_PARTS_H

#include "base/compat.h"

#include "portability/instr_time.h"

#include "retention/batch.h"
#include "retention/due.h"
#include "retention/policy.h"
#include "retention/receipt.h"
#include "retention/resume.h"
#include "retention/turn.h"

typedef struct StewardRun
{
	bool		atomic;
	MemoryContext context;		/* lives as long as the run */
	MemoryContext scratch;		/* emptied before each part */
	StewardPolicy *policy;
	Oid			owner;
	int64		id;				/* in steward.policy_run_log */
	List	   *leaves;
	List	   *kept;			/* StewardLeafKept * */
	StewardLeaf leaf;			/* the one being worked on */
	StewardTurn turn;
	StewardReceipts receipts;	/* of the batches that were done */
	StewardResume resume;		/* where it goes on, if it had given way */
	bool		waited_for;		/* somebody waited for the batch */
	instr_time	began;			/* likewise, after its pause */
	int			patience;		/* milliseconds left */
	uint64		deleted;
	uint64		children;
	uint64		skipped;
	uint64		held;
	uint64		restricted;
	struct StewardPartitionRun *partitions; /* of STEWARD_DROP_PARTITION */
	struct StewardShred *shred; /* of STEWARD_SHRED */
} StewardRun;

/* Something that a run does in one transaction. */
typedef void (*StewardRunPart) (StewardRun *run);

/*
 * Does a part of the run in a subtransaction, with the scratch context as the
 * current one. Returns its error, with the subtransaction rolled back, or NULL.
 */
extern ErrorData *steward_run_attempt(StewardRun *run, StewardRunPart part);

/*
 * Does a part, which begins with steward_run_pause, and commits it; again while a lock is in the
 * way and the patience of the run lasts. Other errors end the run.
 */
extern void steward_run_part(StewardRun *run, StewardRunPart part);

/*
 * A part failed, and was rolled back: prepares for another try, while a lock is in the way and the
 * patience of the run lasts, or ends the run with the error.
 */
extern void steward_run_try_again(StewardRun *run, ErrorData *error);

/* Commits what parts have done, unless all of the run is one transaction. */
extern void steward_run_commit(StewardRun *run);

/* Records how the run failed, where that can be, and raises the error. */
extern void steward_run_fail(StewardRun *run, ErrorData *error);

/*
 * Between transactions there is no snapshot, and no lock but the policy's; then the extension is
 * locked by a worker, which must not keep it from being dropped for longer.
 */
extern void steward_run_pause(StewardRun *run);

/* Others have what is wanted: a sleep before the next part, and less patience. */
extern void steward_run_wait(StewardRun *run);

/*
 * Makes the record of a run, and sets its number. due: what it is for; NULL when somebody called it.
 */
extern void steward_run_record_start(StewardRun *run, const StewardDueRun *due);

/*
 * Adds what a batch did, with its receipt, in its transaction; raises an error when there is no
 * record, or not one of all batches so far. After an error the caller restores run->receipts.
 */
extern void steward_run_record_batch(StewardRun *run, StewardBatchResult *result,
									 uint64 wal);

/*
 * Adds what the run saw since it began, or was gone on with, and says how it ended: state, and the error that
 * ended it or NULL.
 */
extern void steward_run_record_end(StewardRun *run, const char *state,
								   const ErrorData *error);

#endif							/* STEWARD_RETENTION_RUN_PARTS_H */

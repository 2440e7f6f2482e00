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
	List	   *kept;			/* LeafKept * */
	StewardLeaf leaf;			/* the one being worked on */
	StewardTurn turn;
	StewardResume resume;		/* where it goes on, if it had given way */
	bool		waited_for;		/* somebody waited for the batch */
	instr_time	began;			/* likewise, after its pause */
	int			patience;		/* milliseconds left */
	uint64		deleted;
	uint64		children;
	uint64		skipped;
	uint64		held;
	uint64		restricted;
	struct StewardShred *shred; /* of action shred */
} StewardRun;

/* A part of a run's work, in the scratch context. */
typedef void (*StewardRunPart) (StewardRun *run);

/*
 * Does a part in a transaction of its own, if the run has such, and tries again as long as a lock is in the
 * way and the run's patience lasts; other errors end the run.
 */
extern void steward_run_part(StewardRun *run, StewardRunPart part);

/* What a part begins with: the sleep that is due. Begins the part's time. */
extern void steward_run_pause(StewardRun *run);

/* Others have what is wanted: a sleep before the next part, and less patience. */
extern void steward_run_wait(StewardRun *run);

/*
 * Makes the record of a run, and sets its number. due: what it is for; NULL when somebody called it.
 */
extern void steward_run_record_start(StewardRun *run, const StewardDueRun *due);

/* Adds what a batch did, in its transaction; raises an error when there is no record. */
extern void steward_run_record_batch(StewardRun *run, const StewardBatchResult *result,
									 uint64 wal);

/*
 * Adds what the run saw since it began, or was gone on with, and says how it ended: state, and sqlstate or NULL.
 */
extern void steward_run_record_end(StewardRun *run, const char *state,
								   const char *sqlstate);

#endif							/* STEWARD_RETENTION_RUN_PARTS_H */

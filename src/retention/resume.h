/*
 * resume.h: runs that gave way, and are gone on with by the next run of their policy.
 *
 * Where such a run goes on spares it what it has looked at; nothing depends on it, since each run looks
 * at all of its leaves in the end. The caller has the policy's lock and an SPI connection.
 */
#ifndef STEWARD_RETENTION_RESUME_H
#define STEWARD_RETENTION_RESUME_H

#include "base/compat.h"

#include "nodes/pg_list.h"

#include "retention/batch.h"
#include "retention/policy.h"

/* What stays of a leaf that was gone through; one that is gone through again counts once. */
typedef struct StewardLeafKept
{
	Oid			relation;
	uint64		held;
	uint64		restricted;
} StewardLeafKept;

/* A run that waits. */
typedef struct StewardResume
{
	int64		run;			/* 0: there is none */
	Oid			leaf;			/* those before it are done; or InvalidOid */
	StewardPiece piece;			/* where it goes on in it, if its sweep is */
	StewardSweep sweep;
	int64		rows;			/* that its next batch may have; 0: not known */
	List	   *kept;			/* StewardLeafKept *, of its turns before */
	bool		cut_off;		/* the last scheduled run ended before its
								 * first batch, with its process */
} StewardResume;

/*
 * Finds the run of the policy that waits, if the policy is still what it was, and gives the policy its cutoff; it
 * is running from now on. Runs that have not ended otherwise are recorded as interrupted.
 */
extern void steward_resume_find(StewardPolicy *policy, StewardResume *resume);

/*
 * Lets a run wait that has come so far, whose next batch may have so many rows, and of whose leaves
 * so much stays (StewardLeafKept *).
 */
extern void steward_resume_leave(int64 run, const StewardLeaf *leaf, int64 rows,
								 const List *kept);

#endif							/* STEWARD_RETENTION_RESUME_H */

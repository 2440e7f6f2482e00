/*
 * resume.h: runs that gave way, and are gone on with by the next run of their policy.
 *
 * Where such a run goes on spares it what it has looked at; nothing depends on it, since each run looks
 * at all of its leaves in the end. The caller has the policy's lock and an SPI connection.
 */
#ifndef STEWARD_RETENTION_RESUME_H
#define STEWARD_RETENTION_RESUME_H

#include "base/compat.h"

#include "retention/batch.h"
#include "retention/policy.h"

/* A run that waits. */
typedef struct StewardResume
{
	int64		run;			/* 0: there is none */
	Oid			leaf;			/* those before it are done; or InvalidOid */
	StewardPiece piece;			/* where it goes on in it, if its sweep is */
	StewardSweep sweep;
} StewardResume;

/*
 * Finds the run of the policy that waits, if the policy is still what it was, and gives the policy its cutoff; it
 * is running from now on. Runs that have not ended otherwise are recorded as interrupted.
 */
extern void steward_resume_find(StewardPolicy *policy, StewardResume *resume);

/* Lets a run wait that has come so far. */
extern void steward_resume_leave(int64 run, const StewardLeaf *leaf);

#endif							/* STEWARD_RETENTION_RESUME_H */

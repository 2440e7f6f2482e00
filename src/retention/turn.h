/*
 * turn.h: how a run shares the server with others: the pace of its batches, the sleep between
 * them, and when it gives way.
 */
#ifndef STEWARD_RETENTION_TURN_H
#define STEWARD_RETENTION_TURN_H

#include "base/compat.h"

#include "datatype/timestamp.h"

#include "retention/pace.h"
#include "retention/run.h"

typedef struct StewardTurn
{
	StewardRunWatch *watch;		/* NULL: somebody called the run */
	StewardPace pace;
	StewardPaceLoad load;
	TimestampTz looked_at;		/* when the load was, 0 for never */
	int64		pause_us;		/* to sleep before the next batch */
	int			reasons;		/* why it is longer than usual */
	int64		waited_us;		/* in all */
	bool		worked;			/* a batch was done */
	bool		gives_way;
} StewardTurn;

extern void steward_turn_begin(StewardTurn *turn, StewardRunWatch *watch);

/* Goes on with batches of so many rows, if that is known. */
extern void steward_turn_go_on(StewardTurn *turn, int64 rows);

/*
 * Sleeps before a batch, where no lock but the policy's is held and no snapshot; ends at once when
 * the run has to give way. Interrupts are served.
 */
extern void steward_turn_pause(StewardTurn *turn);

/*
 * Should the run end here, to be gone on with later? Only a scheduled one ever, and not
 * before it has done a batch.
 */
extern bool steward_turn_gives_way(StewardTurn *turn);

/*
 * A batch, of one leaf, was committed: how many rows it took, how many were expected to go with each,
 * and how long it took. waited: somebody waited for its end. sized: these say how large a batch may be.
 */
extern void steward_turn_done(StewardTurn *turn, Oid leaf, int64 taken, double fanout,
							  int64 took_us, bool waited, bool sized);

/* A batch was undone and is to be tried again after so long. */
extern void steward_turn_undone(StewardTurn *turn, int64 pause_us);

#endif							/* STEWARD_RETENTION_TURN_H */

/*
 * subject_lane.h: writers of a subject's rows, and who erases it because these rows are old.
 *
 * A policy that erases a subject has to know all of its rows, those too that a running
 * transaction has written. Locks on rows do not show those that are being inserted. So each
 * subject has a lane, one of a few, by a hash of its name. Who writes a row of a bound
 * table shares the lane to the end of his transaction; who judges subjects by their rows
 * has it alone, and takes a snapshot after that. He never waits for a lane,
 * so he is in no circle of locks that he did not begin otherwise.
 *
 * steward.shred_subject takes no lane: it erases whatever rows there are.
 */
#ifndef STEWARD_KEYS_SUBJECT_LANE_H
#define STEWARD_KEYS_SUBJECT_LANE_H

#include "base/compat.h"

#include "keys/subject.h"

/* A transaction that writes rows of many subjects has so many locks at most. */
#define STEWARD_SUBJECT_LANES 32

/* The lane of a subject, from 0. */
extern int	steward_subject_lane(const StewardSubjectName *name);

/*
 * Shares a lane until the end of the transaction; waits, as lock_timeout says, for who has it
 * alone, and knows then what that one erased. Cheap when this transaction has it already.
 */
extern void steward_subject_lane_share(int lane);

/*
 * Takes a lane alone until the end of the transaction. False, at once, when somebody else
 * has it in any way.
 */
extern bool steward_subject_lane_try(int lane);

/* Does somebody wait for a lane that this transaction has alone? */
extern bool steward_subject_lane_wanted(int lane);

#endif							/* STEWARD_KEYS_SUBJECT_LANE_H */

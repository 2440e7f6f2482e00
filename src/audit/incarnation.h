/*
 * incarnation.h: which life of the database a record belongs to.
 *
 * A restore, a copy or a promotion starts a new life, in which transaction ids
 * may repeat. Each has a row in steward.audit_incarnation: the installation (one
 * audit log and what was restored from it), the cluster, its timeline, the
 * database. Two transactions may write the same one twice; that is harmless.
 */
#ifndef STEWARD_AUDIT_INCARNATION_H
#define STEWARD_AUDIT_INCARNATION_H

#include "base/compat.h"

/* Id of the present incarnation; written first when it is new. */
extern int32 steward_incarnation_current(void);

/*
 * Did the newest incarnation begin in this very database, be it before a promotion?
 * Not in one that is being restored, nor after that until a row's change, or an
 * audit that is switched on, has begun a life of its own.
 */
extern bool steward_incarnation_is_native(void);

/* Is there one at all? Not before the log begins. */
extern bool steward_incarnation_exists(void);

/* A (sub)transaction ended: forgets what it wrote, or hands it to its parent. */
extern void steward_incarnation_forget(SubTransactionId written_by);
extern void steward_incarnation_reparent(SubTransactionId child,
										 SubTransactionId parent);

/*
 * Do oids and transaction ids of an incarnation go on in the present one? They do
 * after a promotion or a recovery to a point in time, not after a restore.
 */
extern bool steward_incarnation_continues(int32 id);

#endif							/* STEWARD_AUDIT_INCARNATION_H */

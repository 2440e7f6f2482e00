/*
 * owner_session.h: a session of the owner of a table, in which one command is carried out that
 * cannot be under a restricted identity or in a transaction block: DETACH CONCURRENTLY.
 *
 * It is a background worker that is connected to the database as the owner, so its rights are his, and no
 * more. PostgreSQL asks whether he may log in, and connect.
 */
#ifndef STEWARD_RETENTION_OWNER_SESSION_H
#define STEWARD_RETENTION_OWNER_SESSION_H

#include "base/compat.h"

typedef struct StewardSessionOrder
{
	Oid			owner;
	Oid			parent;
	Oid			partition;
	bool		finalize;		/* what another DETACH CONCURRENTLY has begun */
} StewardSessionOrder;

typedef enum StewardSessionEnd
{
	STEWARD_SESSION_DONE,		/* detached, and marked in
								 * steward.policy_detached */
	STEWARD_SESSION_NONE,		/* no worker was free, or he could not connect */
	STEWARD_SESSION_STOPPED		/* it was stopped; maybe the partition is half
								 * detached */
} StewardSessionEnd;

/* Can the owner have a session, as far as can be known before? Reads catalogs. */
extern bool steward_owner_session_possible(Oid owner);

/*
 * Detaches the partition in a session of the owner, and marks it in the same transaction. Waits for that, however long
 * others read the table, until stop says so; the session is ended then, and is gone
 * when this returns. An interrupt ends it too, and is raised when the session is gone, or after 5 s: it may go on for
 * a while then, which is logged, and the policy remembers the partition. Raises the error of the session. The caller is in a
 * transaction that has neither a lock on a table nor a snapshot, or the session would wait for
 * it.
 */
extern StewardSessionEnd steward_owner_session_detach(const StewardSessionOrder *order,
													  bool (*stop) (void *arg), void *arg);

#endif							/* STEWARD_RETENTION_OWNER_SESSION_H */

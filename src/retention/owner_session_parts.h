/*
 * owner_session_parts.h: what a run and the session of the owner tell each other, in memory that both
 * have mapped.
 */
#ifndef STEWARD_RETENTION_OWNER_SESSION_PARTS_H
#define STEWARD_RETENTION_OWNER_SESSION_PARTS_H

#include "base/compat.h"

#include "port/atomics.h"
#include "storage/dsm.h"

#include "retention/owner_session.h"

#define STEWARD_SESSION_TEXT 512

/* How far the session came. */
enum
{
	STEWARD_SESSION_AWAITED,	/* it is not connected */
	STEWARD_SESSION_CONNECTED,
	STEWARD_SESSION_FAILED,		/* with the error below */
	STEWARD_SESSION_COMMITTED
};

typedef struct StewardSessionShared
{
	Oid			database;
	StewardSessionOrder order;
	pg_atomic_uint32 state;
	int			sqlerrcode;
	char		message[STEWARD_SESSION_TEXT];
	char		detail[STEWARD_SESSION_TEXT];
	char		hint[STEWARD_SESSION_TEXT];
} StewardSessionShared;

#endif							/* STEWARD_RETENTION_OWNER_SESSION_PARTS_H */

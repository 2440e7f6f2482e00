/*
 * context_row.h: rows of steward.audit_context, for the files that write them.
 */
#ifndef STEWARD_AUDIT_CONTEXT_ROW_H
#define STEWARD_AUDIT_CONTEXT_ROW_H

#include "base/compat.h"

/* Columns of steward.audit_context, counted from 0. */
enum
{
	CONTEXT_XID,
	CONTEXT_NUMBER,
	CONTEXT_INCARNATION,
	CONTEXT_RECORDED_AT,
	CONTEXT_PID,
	CONTEXT_LOGIN_ROLE,
	CONTEXT_SESSION_ROLE,
	CONTEXT_EFFECTIVE_ROLE,
	CONTEXT_CLIENT_ADDRESS,
	CONTEXT_APPLICATION,
	CONTEXT_ACTOR,
	CONTEXT_PURPOSE,
	CONTEXT_REQUEST_ID,
	CONTEXT_KEY,
	CONTEXT_REPLICATION_ORIGIN,
	CONTEXT_QUERY_ID,
	CONTEXT_SEGMENT,
	CONTEXT_NATTS
};

/* Numbers the next context of the transaction. */
extern int32 steward_context_next_number(void);

#endif							/* STEWARD_AUDIT_CONTEXT_ROW_H */

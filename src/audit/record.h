/*
 * record.h: an audit record, as it is captured, collected and read.
 */
#ifndef STEWARD_AUDIT_RECORD_H
#define STEWARD_AUDIT_RECORD_H

#include "base/compat.h"

#include "datatype/timestamp.h"

/* A row of steward.audit_context of the same incarnation. */
typedef struct StewardContextRef
{
	uint64		xid;			/* the top-level transaction that wrote it */
	int32		number;
} StewardContextRef;

typedef struct StewardRecord
{
	int32		seq;			/* order within the transaction, from 1 */
	int32		schema_version; /* 0: an event, which has no table */
	TimestampTz changed_at;
	StewardContextRef context;
	int32		context_segment;	/* it was recorded for; only when
									 * capturing */
	char		op;				/* STEWARD_OP_... */
	uint32		length;
	const unsigned char *payload;
} StewardRecord;

#endif							/* STEWARD_AUDIT_RECORD_H */

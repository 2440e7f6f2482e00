/*
 * prune.h: dropping old segments of the audit log, so that what stays is still proved.
 */
#ifndef STEWARD_LEDGER_PRUNE_H
#define STEWARD_LEDGER_PRUNE_H

#include "base/compat.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

typedef struct StewardPrunable
{
	int32		number;			/* of the segment */
	Oid			relation;
	int64		records;
	int64		bytes;			/* with indexes */
	TimestampTz first_written_at;	/* DT_NOEND and DT_NOBEGIN for one without */
	TimestampTz last_written_at;	/* records */
} StewardPrunable;

/*
 * The segments that can go: closed, last written before a time, and none before them
 * stays. Ascending, StewardPrunable * in the current context. With an active snapshot, or in a
 * transaction that may take one.
 */
extern List *steward_audit_prunable(TimestampTz before);

/*
 * Drops them, in this transaction, which is READ COMMITTED; what goes is recomputed before, and a
 * certificate is signed for it. Returns them. Raises ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when
 * records are not sealed, ERRCODE_DATA_CORRUPTED when they do not verify,
 * ERRCODE_LOCK_NOT_AVAILABLE when a segment was read for more than 10 seconds.
 */
extern List *steward_audit_prune(TimestampTz before);

#endif							/* STEWARD_LEDGER_PRUNE_H */

/*
 * sink.h: where audit records go.
 *
 * Now write-through: a record is in the segment before the trigger returns. The
 * buffer of a later release will stand behind the same functions.
 */
#ifndef STEWARD_AUDIT_SINK_H
#define STEWARD_AUDIT_SINK_H

#include "base/compat.h"

#include "base/catalog.h"
#include "lib/stringinfo.h"

/* A record as it is captured; the sink adds time and transaction. */
typedef struct StewardAuditRecord
{
	int32		seq;
	int32		context;
	int32		schema_version;
	int32		incarnation;
	char		op;
	StringInfo	payload;		/* preceded by VARHDRSZ bytes for the header */
} StewardAuditRecord;

/* Writes a record to the current segment. */
extern void steward_sink_write(const StewardAuditRecord *record);

/*
 * Adds a row to another audit table, which has natts columns. Like records, it is
 * inserted directly: no trigger, no row security, no privilege of the writer is
 * involved.
 */
extern void steward_sink_insert(StewardRelationRef *ref, int natts,
								Datum *values, bool *nulls);

/* Closes the segment; it opens again by itself. */
extern void steward_sink_close(void);

/* A (sub)transaction ended. */
extern void steward_sink_before_end(void);	/* every record closes from now on */
extern void steward_sink_subcommit(SubTransactionId ending);
extern void steward_sink_subabort(SubTransactionId ending);
extern void steward_sink_end(void);

#endif							/* STEWARD_AUDIT_SINK_H */

/*
 * schema_row.h: a row of steward.audit_schema, to and from a table.
 */
#ifndef STEWARD_AUDIT_SCHEMA_ROW_H
#define STEWARD_AUDIT_SCHEMA_ROW_H

#include "base/compat.h"

#include "access/htup.h"
#include "audit/schema.h"

/* Columns of steward.audit_schema, counted from 0. */
enum
{
	STEWARD_SCHEMA_ID,
	STEWARD_SCHEMA_RELATION,
	STEWARD_SCHEMA_SCHEMA_NAME,
	STEWARD_SCHEMA_TABLE_NAME,
	STEWARD_SCHEMA_ROOT,
	STEWARD_SCHEMA_ROOT_SCHEMA,
	STEWARD_SCHEMA_ROOT_NAME,
	STEWARD_SCHEMA_ENCODING,
	STEWARD_SCHEMA_ATTNUMS,
	STEWARD_SCHEMA_NAMES,
	STEWARD_SCHEMA_TYPES,
	STEWARD_SCHEMA_TYPMODS,
	STEWARD_SCHEMA_CODECS,
	STEWARD_SCHEMA_KEY,
	STEWARD_SCHEMA_CREATED_AT,
	STEWARD_SCHEMA_NATTS
};

/*
 * Describes a table as it is now, version 0, in a memory context of its own
 * under the current one. ERRCODE_FEATURE_NOT_SUPPORTED names a column whose
 * type has no codec; lenient, it is left out and the description incomplete.
 */
extern StewardAuditSchema *steward_schema_describe(Relation rel, bool lenient);

/* The row's values, all but the id. */
extern void steward_schema_to_row(const StewardAuditSchema *schema,
								  Relation rel, Datum *values);

/* The description that a row holds; ERRCODE_DATA_CORRUPTED when it is none. */
extern StewardAuditSchema *steward_schema_from_row(HeapTuple tuple,
												   TupleDesc desc,
												   MemoryContext context);

#endif							/* STEWARD_AUDIT_SCHEMA_ROW_H */

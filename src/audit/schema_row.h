/*
 * schema_row.h: a row of steward.audit_schema, to and from a table.
 */
#ifndef STEWARD_AUDIT_SCHEMA_ROW_H
#define STEWARD_AUDIT_SCHEMA_ROW_H

#include "base/compat.h"

#include "access/htup.h"
#include "audit/codec_resolve.h"
#include "audit/schema.h"

/* Columns of steward.audit_schema, counted from 0. */
enum
{
	STEWARD_SCHEMA_ID,
	STEWARD_SCHEMA_KIND,
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
 * under the current one, which also holds the composites it uses.
 */
extern StewardAuditSchema *steward_schema_describe(Relation rel);

/* Does a column of an open table belong to its key? */
extern bool steward_schema_is_key(Relation rel, AttrNumber attnum);

/* Describes a composite type, in the current context. */
extern StewardAuditSchema *steward_schema_describe_composite(Oid type);

/* What stands between the elements of an array of the type, as text. */
extern char steward_type_delimiter(Oid type);

/* The row's values, all but the id; composites must have their version. */
extern void steward_schema_to_row(const StewardAuditSchema *schema,
								  Datum *values);

/*
 * The description that a row holds, in a context; find is called for the
 * composites it uses. ERRCODE_DATA_CORRUPTED when it is none.
 */
extern StewardAuditSchema *steward_schema_from_row(HeapTuple tuple,
												   TupleDesc desc,
												   MemoryContext context,
												   StewardCompositeFinder find,
												   void *arg);

#endif							/* STEWARD_AUDIT_SCHEMA_ROW_H */

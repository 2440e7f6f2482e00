/*
 * table.h: a table that is looked back at, and the versions it had.
 */
#ifndef STEWARD_HISTORY_TABLE_H
#define STEWARD_HISTORY_TABLE_H

#include "base/compat.h"

#include "access/tupdesc.h"
#include "audit/schema.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/hsearch.h"

/* A schema version of the table, seen from the present. */
typedef struct StewardVersion
{
	int32		id;				/* hash key */
	Oid			relid;			/* the table, or a partition of it */
	bool		same_key;		/* rows are told apart by the present key */
	TimestampTz created_at;
	StewardAuditSchema *schema; /* read when first needed */
	AttrNumber *present;		/* by ordinal: the column now, 0: dropped */
	bool	   *same_type;		/* by ordinal: of the present type */
} StewardVersion;

/* What rows have in a column that was added when they were there already. */
typedef struct StewardMissing
{
	bool		present;		/* else NULL */
	Datum		value;
} StewardMissing;

typedef struct StewardHistoryTable
{
	Oid			relid;
	List	   *members;		/* oids: it, and its partitions */
	List	   *relids;			/* those that versions are of, some maybe gone */
	char	   *name;			/* qualified and quoted */
	TupleDesc	desc;
	bool		partitioned;
	bool		recorded;		/* now: the triggers are there and fire always */
	char	   *left_out;		/* what its audit leaves out; NULL: nothing */
	int			key_count;		/* 0: a row is told by all its values */
	AttrNumber *key;
	StewardMissing *missing;	/* by column */
	const StewardCodec **codecs;	/* by column; see steward_history_codec */
	HTAB	   *versions;		/* of StewardVersion */
	TimestampTz first_version;	/* when the first of them was made */
	MemoryContext context;		/* all of this */
} StewardHistoryTable;

/*
 * Opens a table for the current user, who must be able to read all of it: raises
 * ERRCODE_INSUFFICIENT_PRIVILEGE without SELECT on every column, or when row
 * security applies to him; ERRCODE_WRONG_OBJECT_TYPE for what is no table. The
 * table stays locked (AccessShareLock) to the end of the transaction. Memory is a
 * child of the current context. Needs an active snapshot, which it reads the
 * versions by: those of the table and its partitions, and if told so of tables that
 * were its partitions when they were recorded, by the names of their columns if
 * they are gone.
 */
extern StewardHistoryTable *steward_history_table_open(Oid relid, bool former);

/* The version of a record, or NULL when the record is of another table. */
extern StewardVersion *steward_history_version(StewardHistoryTable *table,
											   int32 id);

/* Raises ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when it was never audited. */
extern void steward_history_require_audited(const StewardHistoryTable *table);

/*
 * How the trail would record a value of a column today: with its codec values are
 * shown without calling the casts that somebody made for the type.
 */
extern const StewardCodec *steward_history_codec(const StewardHistoryTable *table,
												 AttrNumber attnum);

/* The enums of which its columns hold values, also within others; a list of oids. */
extern List *steward_history_enums(const StewardHistoryTable *table);

/* Is a column there, with values of its own? */
extern bool steward_history_has_column(TupleDesc desc, AttrNumber attnum);

#endif							/* STEWARD_HISTORY_TABLE_H */

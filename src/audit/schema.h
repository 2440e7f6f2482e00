/*
 * schema.h: schema versions, what a table looked like when a record was made.
 *
 * A schema version is a row of steward.audit_schema: names, types and codecs of
 * the audited columns, and which form the key. A composite type that a column
 * uses has versions of its own. Rows are only ever added. Two transactions may
 * add the same version twice; that is harmless.
 */
#ifndef STEWARD_AUDIT_SCHEMA_H
#define STEWARD_AUDIT_SCHEMA_H

#include "base/compat.h"

#include "access/tupdesc.h"
#include "audit/codec.h"
#include "utils/relcache.h"

typedef struct StewardAuditColumn
{
	AttrNumber	attnum;
	bool		key;
	bool		typbyval;		/* these two only when capturing */
	int16		typlen;
	Oid			type;			/* likewise; may be a domain */
	int32		typmod;
	const StewardCodec *codec;
	char	   *name;
} StewardAuditColumn;

/* What a version describes; the letters are stored. */
#define STEWARD_SCHEMA_OF_TABLE		'r'
#define STEWARD_SCHEMA_OF_COMPOSITE 'c'

typedef struct StewardAuditSchema
{
	char		kind;
	Oid			relid;
	Oid			root;			/* the table that it is, in the end, a
								 * partition of; else itself; only when
								 * capturing */
	int32		version;
	int			encoding;
	int			count;
	int			key_count;		/* 0: UPDATE keeps the whole old row */
	bool		log_unchanged;	/* these two only when capturing: record
								 * updates that change nothing; */
	struct StewardBinder *binder;	/* whose rows values are encrypted for */
	bool		settings;		/* a codec depends on settings */
	char	   *schema_name;	/* these two only when capturing */
	char	   *table_name;
	TupleDesc	desc;			/* likewise, of a composite */
	MemoryContext context;
	StewardAuditColumn columns[FLEXIBLE_ARRAY_MEMBER];
} StewardAuditSchema;

/* Registers the invalidation callbacks; called once by _PG_init. */
extern void steward_audit_schema_init(void);

/*
 * The schema version of an open, locked table; written first when it is new.
 * Valid until the next call.
 */
extern const StewardAuditSchema *steward_audit_schema_of(Relation rel);

/* Reads a version by id into a context; NULL when it is missing. */
extern StewardAuditSchema *steward_audit_schema_find(int32 version,
													 MemoryContext context);

/* Reads a version by id into a context; ERRCODE_DATA_CORRUPTED when missing. */
extern StewardAuditSchema *steward_audit_schema_read(int32 version,
													 MemoryContext context);

/* A (sub)transaction ended: forgets what it wrote, or hands it to its parent. */
extern void steward_audit_schema_forget(SubTransactionId written_by);
extern void steward_audit_schema_reparent(SubTransactionId child,
										  SubTransactionId parent);

#endif							/* STEWARD_AUDIT_SCHEMA_H */

/*
 * schema.c: finding and writing schema versions; see schema.h.
 *
 * Each backend remembers the version of the tables it captured. A relcache
 * invalidation makes it doubt one and those that use it as a type, a change of a namespace or a type all of them; a
 * doubted version is compared with the newest stored row before its next use.
 * The comparison reads with SnapshotSelf: it must see rows of this command and
 * take no predicate locks, and rows that are never updated need no MVCC.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "audit/schema.h"
#include "audit/schema_row.h"
#include "audit/sink.h"
#include "base/catalog.h"
#include "base/relation_change.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* What storing a description came to. */
typedef struct Stored
{
	SubTransactionId written_by;	/* invalid: nothing is uncommitted */
	List	   *composites;
} Stored;

typedef struct CacheEntry
{
	Oid			relid;			/* hash key */
	bool		valid;
	Oid			home;			/* the audit_schema table it is stored in */
	SubTransactionId written_by;	/* uncommitted: by this subtransaction */
	List	   *composites;		/* oids of the relations of those it uses */
	StewardAuditSchema *schema;
} CacheEntry;

static HTAB *cache = NULL;
static CacheEntry *last = NULL; /* changes come in runs, of one table */
static bool has_uncommitted = false;
static bool has_partitions = false; /* some entry is of one */
static bool has_composites = false;
static uint64 doubts = 0;		/* how many invalidations came in */

static StewardRelationRef schema_table = {"audit_schema"};
static StewardRelationRef schema_index = {"audit_schema_relation_id_idx"};
static StewardRelationRef schema_key = {"audit_schema_pkey"};
static StewardRelationRef schema_sequence = {"audit_schema_id"};

static void
doubt_all(void)
{
	HASH_SEQ_STATUS scan;
	CacheEntry *entry;

	if (cache == NULL)
		return;
	hash_seq_init(&scan, cache);
	while ((entry = hash_seq_search(&scan)) != NULL)
		entry->valid = false;
}

/*
 * Those that name a table or type which is not their own: partitions name the
 * table at the top, and tables use composite types.
 */
static void
doubt_users(Oid relid)
{
	HASH_SEQ_STATUS scan;
	CacheEntry *entry;

	if (!has_partitions && !has_composites)
		return;
	hash_seq_init(&scan, cache);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if ((entry->schema != NULL && entry->schema->root == relid) ||
			list_member_oid(entry->composites, relid))
			entry->valid = false;
}

static void
on_relation_change(Datum arg, Oid relid)
{
	CacheEntry *entry;

	doubts++;
	if (!OidIsValid(relid))
		doubt_all();
	else if (cache != NULL)
	{
		entry = hash_search(cache, &relid, HASH_FIND, NULL);
		if (entry != NULL)
			entry->valid = false;
		doubt_users(relid);
	}
}

static void
on_name_change(Datum arg, int cacheid, uint32 hashvalue)
{
	doubts++;
	doubt_all();
}

void
steward_audit_schema_init(void)
{
	HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(CacheEntry)};

	cache = hash_create("steward audit schemas", 64, &control,
						HASH_ELEM | HASH_BLOBS);
	steward_on_relation_change(on_relation_change, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, on_name_change, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, on_name_change, (Datum) 0);
}

static void
remove_entry(CacheEntry *entry)
{
	if (entry->schema != NULL)
		MemoryContextDelete(entry->schema->context);
	last = NULL;
	hash_search(cache, &entry->relid, HASH_REMOVE, NULL);
}

void
steward_audit_schema_forget(SubTransactionId written_by)
{
	HASH_SEQ_STATUS scan;
	CacheEntry *entry;

	if (!has_uncommitted)
		return;
	hash_seq_init(&scan, cache);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->written_by == written_by ||
			(written_by == TopSubTransactionId &&
			 entry->written_by != InvalidSubTransactionId))
			remove_entry(entry);
	has_uncommitted = written_by != TopSubTransactionId;
}

void
steward_audit_schema_reparent(SubTransactionId child, SubTransactionId parent)
{
	HASH_SEQ_STATUS scan;
	CacheEntry *entry;

	if (!has_uncommitted)
		return;
	hash_seq_init(&scan, cache);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->written_by == child)
			entry->written_by = parent;
	has_uncommitted = parent != InvalidSubTransactionId;
}

/* Drops what is doubted, so that dropped tables do not stay forever. */
static void
purge(Oid except)
{
	HASH_SEQ_STATUS scan;
	CacheEntry *entry;

	hash_seq_init(&scan, cache);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (!entry->valid && entry->relid != except &&
			entry->written_by == InvalidSubTransactionId)
			remove_entry(entry);
}

/* Compares all but id and time, and so also whether it is of a table. */
static bool
same_version(HeapTuple tuple, TupleDesc desc, Datum *values)
{
	Datum		stored[STEWARD_SCHEMA_NATTS];
	bool		nulls[STEWARD_SCHEMA_NATTS];

	heap_deform_tuple(tuple, desc, stored, nulls);
	for (int i = STEWARD_SCHEMA_KIND; i < STEWARD_SCHEMA_CREATED_AT; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (nulls[i] || !datum_image_eq(values[i], stored[i],
										attribute->attbyval, attribute->attlen))
			return false;
	}
	return true;
}

/*
 * The newest version of the table, or of the composite type, when it equals the
 * candidate, else 0. A table that is used as a type has versions of both kinds. It
 * may be one that this transaction wrote and has yet to commit: then *written_by
 * is the current subtransaction. That is the row's own or one inside it, so its
 * abort forgets too early at worst, and its commit hands on to the row's own.
 */
static int32
find_version(const StewardAuditSchema *schema, Datum *values,
			 SubTransactionId *written_by)
{
	Relation	table = steward_relation_open(&schema_table, AccessShareLock);
	Relation	index = steward_relation_open(&schema_index, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(table);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int32		version = 0;
	bool		isnull;

	ScanKeyInit(&key, STEWARD_SCHEMA_RELATION + 1, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(schema->relid));
	scan = systable_beginscan_ordered(table, index, SnapshotSelf, 1, &key);
	do
		tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	while (HeapTupleIsValid(tuple) && schema->kind !=
		   DatumGetChar(heap_getattr(tuple, STEWARD_SCHEMA_KIND + 1, desc, &isnull)));
	if (HeapTupleIsValid(tuple) && same_version(tuple, desc, values))
	{
		version = DatumGetInt32(heap_getattr(tuple, STEWARD_SCHEMA_ID + 1, desc,
											 &isnull));
		if (TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
			*written_by = GetCurrentSubTransactionId();
	}
	systable_endscan_ordered(scan);
	relation_close(index, AccessShareLock);
	relation_close(table, AccessShareLock);
	return version;
}

static int32
write_version(Datum *values)
{
	bool		nulls[STEWARD_SCHEMA_NATTS] = {false};
	int64		id = nextval_internal(steward_relation_oid(&schema_sequence), false);

	values[STEWARD_SCHEMA_ID] = Int32GetDatum((int32) id);
	steward_sink_insert(&schema_table, STEWARD_SCHEMA_NATTS, values, nulls);
	return (int32) id;
}

static void store_composites(const StewardCodec *codec, Stored *stored);

/* Gives a description its version, after those of the composites it uses. */
static void
store(StewardAuditSchema *schema, Stored *stored)
{
	Datum		values[STEWARD_SCHEMA_NATTS];

	for (int i = 0; i < schema->count; i++)
		store_composites(schema->columns[i].codec, stored);
	steward_schema_to_row(schema, values);
	schema->version = find_version(schema, values, &stored->written_by);
	if (schema->version == 0)
	{
		schema->version = write_version(values);
		stored->written_by = GetCurrentSubTransactionId();
	}
}

static void
store_composites(const StewardCodec *codec, Stored *stored)
{
	check_stack_depth();
	if (codec->element != NULL)
		store_composites(codec->element, stored);
	if (codec->composite != NULL)
	{
		store(codec->composite, stored);
		stored->composites = list_append_unique_oid(stored->composites,
													codec->composite->relid);
	}
}

/*
 * Makes the cache entry of a table anew. The table is locked, the types of its
 * columns are not: what was invalidated meanwhile makes it doubtful at once.
 */
static CacheEntry *
build_entry(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	uint64		doubts_before = doubts;
	StewardAuditSchema *schema = steward_schema_describe(rel);
	Stored		stored = {InvalidSubTransactionId, NIL};
	MemoryContext caller = MemoryContextSwitchTo(schema->context);
	Oid			home;
	CacheEntry *entry;
	bool		found;

	store(schema, &stored);
	MemoryContextSwitchTo(caller);
	home = steward_relation_oid(&schema_table);
	entry = hash_search(cache, &relid, HASH_ENTER, &found);
	if (found && entry->schema != NULL)
		MemoryContextDelete(entry->schema->context);
	if (stored.written_by != InvalidSubTransactionId)
		has_uncommitted = true;
	if (stored.composites != NIL)
		has_composites = true;
	if (schema->root != relid)
		has_partitions = true;
	entry->schema = schema;
	entry->home = home;
	entry->written_by = stored.written_by;
	entry->composites = stored.composites;
	entry->valid = doubts == doubts_before;
	MemoryContextSetParent(schema->context, TopMemoryContext);
	return entry;
}

const StewardAuditSchema *
steward_audit_schema_of(Relation rel)
{
	CacheEntry *entry = last;
	Oid			relid = RelationGetRelid(rel);

	if (entry == NULL || entry->relid != relid)
		entry = last = hash_search(cache, &relid, HASH_FIND, NULL);
	/* No lock on the types told us that a row just waited for has more. */
	if (entry != NULL && entry->composites != NIL)
		AcceptInvalidationMessages();
	if (entry != NULL && entry->valid &&
		entry->home == steward_relation_lookup(&schema_table))
		return entry->schema;
	entry = build_entry(rel);
	purge(relid);
	return entry->schema;
}

/* NULL when it is missing. */
static HeapTuple
fetch_version(Relation table, int32 version)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, STEWARD_SCHEMA_ID + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(version));
	scan = systable_beginscan(table, steward_relation_oid(&schema_key), true,
							  SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

/* A version being read, and the composites that were read for it so far. */
typedef struct ReadState
{
	Relation	table;
	MemoryContext context;
	List	   *found;
	int32		below;			/* ids of composites are lower */
} ReadState;

static StewardAuditSchema *read_composite(void *arg, int32 version);

/* NULL when it is missing. */
static StewardAuditSchema *
read_version(ReadState *state, int32 version)
{
	HeapTuple	tuple = fetch_version(state->table, version);

	if (!HeapTupleIsValid(tuple))
		return NULL;
	return steward_schema_from_row(tuple, RelationGetDescr(state->table),
								   state->context, read_composite, state);
}

static StewardAuditSchema *
read_composite(void *arg, int32 version)
{
	ReadState  *state = arg;
	int32		below = state->below;
	StewardAuditSchema *schema;
	ListCell   *cell;

	check_stack_depth();
	if (version >= below)
		steward_payload_corrupted("its schema version is malformed");
	foreach(cell, state->found)
	{
		schema = lfirst(cell);
		if (schema->version == version)
			return schema;
	}
	state->below = version;
	schema = read_version(state, version);
	state->below = below;
	if (schema == NULL || schema->kind != STEWARD_SCHEMA_OF_COMPOSITE)
		steward_payload_corrupted("its schema version is malformed");
	state->found = lappend(state->found, schema);
	return schema;
}

StewardAuditSchema *
steward_audit_schema_find(int32 version, MemoryContext context)
{
	ReadState	state = {steward_relation_open(&schema_table, AccessShareLock),
	context, NIL, version};
	StewardAuditSchema *schema = read_version(&state, version);

	relation_close(state.table, AccessShareLock);
	return schema;
}

StewardAuditSchema *
steward_audit_schema_read(int32 version, MemoryContext context)
{
	StewardAuditSchema *schema = steward_audit_schema_find(version, context);

	if (schema == NULL)
		steward_payload_corrupted("its schema version is missing");
	return schema;
}

/*
 * schema.c: finding and writing schema versions; see schema.h.
 *
 * Each backend remembers the version of the tables it captured. A relcache
 * invalidation makes it doubt one, a change of a namespace or a type all of them; a
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
#include "commands/sequence.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

typedef struct CacheEntry
{
	Oid			relid;			/* hash key */
	bool		valid;
	Oid			home;			/* the audit_schema table it is stored in */
	SubTransactionId written_by;	/* uncommitted: by this subtransaction */
	StewardAuditSchema *schema;
} CacheEntry;

static HTAB *cache = NULL;
static bool has_uncommitted = false;
static bool has_partitions = false; /* some entry is of one */

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

/* A version names the partitioned table too, which may have another name now. */
static void
doubt_partitions(Oid root)
{
	HASH_SEQ_STATUS scan;
	CacheEntry *entry;

	hash_seq_init(&scan, cache);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->schema != NULL && entry->schema->root == root)
			entry->valid = false;
}

static void
on_relation_change(Datum arg, Oid relid)
{
	CacheEntry *entry;

	if (!OidIsValid(relid))
		doubt_all();
	else if (cache != NULL)
	{
		entry = hash_search(cache, &relid, HASH_FIND, NULL);
		if (entry != NULL)
			entry->valid = false;
		if (has_partitions)
			doubt_partitions(relid);
	}
	else if (cache != NULL)
	{
		entry = hash_search(cache, &relid, HASH_FIND, NULL);
		if (entry != NULL)
			entry->valid = false;
	}
}

static void
on_name_change(Datum arg, int cacheid, uint32 hashvalue)
{
	doubt_all();
}

void
steward_audit_schema_init(void)
{
	HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(CacheEntry)};

	cache = hash_create("steward audit schemas", 64, &control,
						HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(on_relation_change, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, on_name_change, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, on_name_change, (Datum) 0);
}

static void
remove_entry(CacheEntry *entry)
{
	if (entry->schema != NULL)
		MemoryContextDelete(entry->schema->context);
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

/* Compares all but id and time. */
static bool
same_version(HeapTuple tuple, TupleDesc desc, Datum *values)
{
	Datum		stored[STEWARD_SCHEMA_NATTS];
	bool		nulls[STEWARD_SCHEMA_NATTS];

	heap_deform_tuple(tuple, desc, stored, nulls);
	for (int i = STEWARD_SCHEMA_RELATION; i < STEWARD_SCHEMA_CREATED_AT; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (nulls[i] || !datum_image_eq(values[i], stored[i],
										attribute->attbyval, attribute->attlen))
			return false;
	}
	return true;
}

/*
 * The newest version of the table when it equals the candidate, else 0. It may
 * be one that this transaction wrote and has yet to commit: then *written_by is
 * the current subtransaction. That is the row's own or one inside it, so its
 * abort forgets too early at worst, and its commit hands on to the row's own.
 */
static int32
find_version(Oid relid, Datum *values, SubTransactionId *written_by)
{
	Relation	table = steward_relation_open(&schema_table, AccessShareLock);
	Relation	index = steward_relation_open(&schema_index, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int32		version = 0;

	ScanKeyInit(&key, STEWARD_SCHEMA_RELATION + 1, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan_ordered(table, index, SnapshotSelf, 1, &key);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	if (HeapTupleIsValid(tuple) &&
		same_version(tuple, RelationGetDescr(table), values))
	{
		bool		isnull;

		version = DatumGetInt32(heap_getattr(tuple, STEWARD_SCHEMA_ID + 1,
											 RelationGetDescr(table), &isnull));
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

/* Makes the cache entry of a table anew; an incomplete one is not reused. */
static CacheEntry *
build_entry(Relation rel, bool for_event)
{
	Oid			relid = RelationGetRelid(rel);
	StewardAuditSchema *schema = steward_schema_describe(rel, for_event);
	Datum		values[STEWARD_SCHEMA_NATTS];
	SubTransactionId written_by = InvalidSubTransactionId;
	Oid			home;
	CacheEntry *entry;
	bool		found;

	steward_schema_to_row(schema, rel, values);
	schema->version = find_version(relid, values, &written_by);
	if (schema->version == 0)
	{
		schema->version = write_version(values);
		written_by = GetCurrentSubTransactionId();
	}
	home = steward_relation_oid(&schema_table);
	entry = hash_search(cache, &relid, HASH_ENTER, &found);
	if (found && entry->schema != NULL)
		MemoryContextDelete(entry->schema->context);
	if (written_by != InvalidSubTransactionId)
		has_uncommitted = true;
	if (schema->root != relid)
		has_partitions = true;
	entry->schema = schema;
	entry->home = home;
	entry->written_by = written_by;
	entry->valid = schema->complete;
	MemoryContextSetParent(schema->context, TopMemoryContext);
	return entry;
}

const StewardAuditSchema *
steward_audit_schema_of(Relation rel, bool for_event)
{
	CacheEntry *entry;
	Oid			relid = RelationGetRelid(rel);

	entry = hash_search(cache, &relid, HASH_FIND, NULL);
	if (entry != NULL && entry->valid &&
		entry->home == steward_relation_lookup(&schema_table))
		return entry->schema;
	entry = build_entry(rel, for_event);
	purge(relid);
	return entry->schema;
}

StewardAuditSchema *
steward_audit_schema_find(int32 version, MemoryContext context)
{
	Relation	table = steward_relation_open(&schema_table, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	StewardAuditSchema *schema = NULL;

	ScanKeyInit(&key, STEWARD_SCHEMA_ID + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(version));
	scan = systable_beginscan(table, steward_relation_oid(&schema_key), true,
							  SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		schema = steward_schema_from_row(tuple, RelationGetDescr(table), context);
	systable_endscan(scan);
	relation_close(table, AccessShareLock);
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

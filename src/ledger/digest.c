/*
 * digest.c: digests of the rows that records refer to; see digest.h.
 */
#include "ledger/digest.h"

#include <sys/socket.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "base/catalog.h"
#include "catalog/pg_type.h"
#include "crypto/leaf.h"
#include "ledger/values.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

/* So many rows are remembered before all are forgotten. */
#define MAX_REMEMBERED 65536

/* Columns of steward.audit_context by which a row is found. */
#define CONTEXT_XID_COLUMN 1
#define CONTEXT_NUMBER_COLUMN 2
#define CONTEXT_INCARNATION_COLUMN 3
#define SCHEMA_ID_COLUMN 1
#define SCHEMA_CODECS_COLUMN 14

static StewardRelationRef context_table = {"audit_context"};
static StewardRelationRef context_index = {"audit_context_xid_number_idx"};
static StewardRelationRef schema_table = {"audit_schema"};
static StewardRelationRef schema_key = {"audit_schema_pkey"};
static StewardRelationRef incarnation_table = {"audit_incarnation"};
static StewardRelationRef incarnation_key = {"audit_incarnation_pkey"};

typedef struct ContextKey
{
	uint64		xid;
	int64		number;			/* as wide as the other: no padding */
} ContextKey;

typedef struct ContextEntry
{
	ContextKey	key;
	StewardHash digest;
} ContextEntry;

typedef struct SchemaEntry
{
	int32		version;
	StewardHash digest;
} SchemaEntry;

/* Of a row that is missing: no fields. */
static void
digest_nothing(StewardHash *digest, const char *name)
{
	StewardSha256 row;

	steward_row_begin(&row, name);
	steward_row_end(&row, digest);
}

static HTAB *
make_table(StewardDigests *digests, const char *name, Size key, Size entry)
{
	HASHCTL		control = {.keysize = key, .entrysize = entry, .hcxt = digests->context};

	return hash_create(name, 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
make_tables(StewardDigests *digests)
{
	digests->contexts = make_table(digests, "steward context digests",
								   sizeof(ContextKey), sizeof(ContextEntry));
	digests->schemas = make_table(digests, "steward schema digests",
								  sizeof(int32), sizeof(SchemaEntry));
	digests->last_context.xid = 0;
	digests->last_schema = 0;
}

StewardDigests *
steward_digests_begin(int32 incarnation)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "steward ledger digests",
												  ALLOCSET_DEFAULT_SIZES);
	StewardDigests *digests = palloc0(sizeof(StewardDigests));

	digests->incarnation = incarnation;
	digests->context = context;
	digest_nothing(&digests->missing_context, context_table.name);
	digest_nothing(&digests->missing_schema, schema_table.name);
	make_tables(digests);
	return digests;
}

void
steward_digests_end(StewardDigests *digests)
{
	MemoryContextDelete(digests->context);
	pfree(digests);
}

/* Text in UTF-8; in SQL_ASCII the bytes, whatever they mean. */
static void
append_text(StringInfo out, const char *text, size_t length)
{
	char	   *utf8;

	if (GetDatabaseEncoding() == PG_SQL_ASCII)
	{
		appendBinaryStringInfo(out, text, length);
		return;
	}
	utf8 = pg_server_to_any(text, length, PG_UTF8);
	appendBinaryStringInfo(out, utf8, utf8 == text ? length : strlen(utf8));
}

static void
append_inet(StringInfo out, const inet *address)
{
	pq_sendint8(out, ip_family(address) == PGSQL_AF_INET ? 4 : 6);
	pq_sendint8(out, ip_bits(address));
	appendBinaryStringInfo(out, (const char *) ip_addr(address), ip_addrsize(address));
}

static void append_value(StringInfo out, Datum value, Oid type);

/* The number of elements, then each as a field. */
static void
append_array(StringInfo out, ArrayType *array)
{
	Oid			type = ARR_ELEMTYPE(array);
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int16		length;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	deconstruct_array(array, type, length, by_value, align, &elements, &nulls, &count);
	pq_sendint32(out, count);
	for (int i = 0; i < count; i++)
	{
		StringInfoData element;

		if (nulls[i])
		{
			pq_sendint32(out, PG_UINT32_MAX);
			continue;
		}
		initStringInfo(&element);
		append_value(&element, elements[i], type);
		pq_sendint32(out, element.len);
		appendBinaryStringInfo(out, element.data, element.len);
		pfree(element.data);
	}
}

/* A value as docs/formats.md says; of no other type is a column of these tables. */
static void
append_value(StringInfo out, Datum value, Oid type)
{
	StewardSlot bytes;

	switch (type)
	{
		case BOOLOID:
			pq_sendint8(out, DatumGetBool(value) ? 1 : 0);
			break;
		case CHAROID:
			pq_sendint8(out, (uint8) DatumGetChar(value));
			break;
		case INT2OID:
			pq_sendint16(out, (uint16) DatumGetInt16(value));
			break;
		case INT4OID:
		case OIDOID:
			pq_sendint32(out, (uint32) DatumGetInt32(value));
			break;
		case INT8OID:
		case XID8OID:
		case TIMESTAMPTZOID:
			pq_sendint64(out, (uint64) DatumGetInt64(value));
			break;
		case UUIDOID:
			appendBinaryStringInfo(out, (const char *) DatumGetUUIDP(value)->data, UUID_LEN);
			break;
		case BYTEAOID:
			bytes = steward_value_bytes(value);
			appendBinaryStringInfo(out, (const char *) bytes.data, bytes.length);
			break;
		case TEXTOID:
			bytes = steward_value_bytes(value);
			append_text(out, (const char *) bytes.data, bytes.length);
			break;
		case NAMEOID:
			append_text(out, NameStr(*DatumGetName(value)), strlen(NameStr(*DatumGetName(value))));
			break;
		case INETOID:
			append_inet(out, DatumGetInetPP(value));
			break;
		default:
			if (!OidIsValid(get_element_type(type)))
				elog(ERROR, "type %u has no digest", type);
			append_array(out, DatumGetArrayTypeP(value));
	}
}

static void
add_columns(StewardSha256 *row, HeapTuple tuple, TupleDesc desc)
{
	Datum	   *values = palloc(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);
	StringInfoData field;

	initStringInfo(&field);
	heap_deform_tuple(tuple, desc, values, nulls);
	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->attisdropped)
			continue;
		if (nulls[i])
		{
			steward_row_null(row);
			continue;
		}
		resetStringInfo(&field);
		append_value(&field, values[i], TupleDescAttr(desc, i)->atttypid);
		steward_row_bytes(row, field.data, field.len);
	}
	pfree(field.data);
	pfree(values);
	pfree(nulls);
}

/* The composite types that a codec names, each by its digest. */
static void
add_composites_of(StewardSha256 *row, StewardDigests *digests, int32 version,
				  const char *codec)
{
	static const char word[] = "composite:";

	for (const char *at = strstr(codec, word); at != NULL; at = strstr(at, word))
	{
		long		id;

		at += strlen(word);
		id = strtol(at, NULL, 10);
		/* Older than what names it: that ends the descent. */
		if (id <= 0 || id >= version)
			steward_row_null(row);
		else
		{
			StewardHash digest = *steward_digest_schema(digests, (int32) id);

			steward_row_bytes(row, digest.bytes, sizeof digest);
		}
	}
}

/*
 * After the columns of a schema version: what its columns' types looked like. Its
 * own row has only their numbers.
 */
static void
add_composites(StewardSha256 *row, HeapTuple tuple, TupleDesc desc,
			   StewardDigests *digests, int32 version)
{
	bool		isnull;
	Datum		codecs = heap_getattr(tuple, SCHEMA_CODECS_COLUMN, desc, &isnull);
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	check_stack_depth();
	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(codecs), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			add_composites_of(row, digests, version, TextDatumGetCString(elements[i]));
}

/* Which row is wanted. */
typedef struct Lookup
{
	StewardRelationRef *table;
	StewardRelationRef *index;
	int			nkeys;
	ScanKeyData keys[2];
	int32		incarnation;	/* 0: any */
	StewardDigests *digests;	/* of a schema version, else NULL */
	int32		version;
} Lookup;

/* The digest of the one row with these keys; of none or several, that of nothing. */
static void
digest_row(StewardHash *digest, Lookup *lookup)
{
	Relation	table = steward_relation_open(lookup->table, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(table);
	SysScanDesc scan = systable_beginscan(table, steward_relation_oid(lookup->index), true,
										  GetActiveSnapshot(), lookup->nkeys, lookup->keys);
	HeapTuple	tuple;
	int			found = 0;
	bool		isnull;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		StewardSha256 row;

		if (lookup->incarnation != 0 &&
			DatumGetInt32(heap_getattr(tuple, CONTEXT_INCARNATION_COLUMN, desc, &isnull)) !=
			lookup->incarnation)
			continue;
		/* Whoever adds another would have readers of the log choose. */
		if (found++ > 0)
			break;
		steward_row_begin(&row, lookup->table->name);
		add_columns(&row, tuple, desc);
		if (lookup->digests != NULL)
			add_composites(&row, tuple, desc, lookup->digests, lookup->version);
		steward_row_end(&row, digest);
	}
	systable_endscan(scan);
	relation_close(table, AccessShareLock);
	if (found != 1)
		digest_nothing(digest, lookup->table->name);
}

static void
read_context(StewardHash *digest, int32 incarnation, const StewardContextRef *ref)
{
	Lookup		lookup = {.table = &context_table, .index = &context_index, .nkeys = 2,
	.incarnation = incarnation};

	ScanKeyInit(&lookup.keys[0], CONTEXT_XID_COLUMN, BTEqualStrategyNumber, F_XID8EQ,
				UInt64GetDatum(ref->xid));
	ScanKeyInit(&lookup.keys[1], CONTEXT_NUMBER_COLUMN, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(ref->number));
	digest_row(digest, &lookup);
}

static void
read_schema(StewardHash *digest, StewardDigests *digests, int32 version)
{
	Lookup		lookup = {.table = &schema_table, .index = &schema_key, .nkeys = 1,
	.digests = digests, .version = version};

	ScanKeyInit(&lookup.keys[0], SCHEMA_ID_COLUMN, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(version));
	digest_row(digest, &lookup);
}

void
steward_digest_incarnation(StewardHash *digest, int32 incarnation)
{
	Lookup		lookup = {.table = &incarnation_table, .index = &incarnation_key, .nkeys = 1};

	ScanKeyInit(&lookup.keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(incarnation));
	digest_row(digest, &lookup);
}

/* Keeps memory bounded. */
static void
forget_many(StewardDigests *digests)
{
	if (hash_get_num_entries(digests->contexts) +
		hash_get_num_entries(digests->schemas) < MAX_REMEMBERED)
		return;
	MemoryContextReset(digests->context);
	make_tables(digests);
}

const StewardHash *
steward_digest_context(StewardDigests *digests, const StewardContextRef *ref)
{
	ContextKey	key = {ref->xid, ref->number};
	ContextEntry *entry;
	bool		found;

	if (digests->last_context.xid == ref->xid &&
		digests->last_context.number == ref->number && ref->xid != 0)
		return &digests->last_context_digest;
	entry = hash_search(digests->contexts, &key, HASH_FIND, NULL);
	if (entry == NULL)
	{
		StewardHash digest;

		forget_many(digests);
		read_context(&digest, digests->incarnation, ref);
		entry = hash_search(digests->contexts, &key, HASH_ENTER, &found);
		entry->digest = digest;
	}
	digests->last_context = *ref;
	digests->last_context_digest = entry->digest;
	return &digests->last_context_digest;
}

const StewardHash *
steward_digest_schema(StewardDigests *digests, int32 version)
{
	static const StewardHash none;
	SchemaEntry *entry;
	bool		found;

	if (version == 0)
		return &none;
	if (digests->last_schema == version)
		return &digests->last_schema_digest;
	entry = hash_search(digests->schemas, &version, HASH_FIND, NULL);
	if (entry == NULL)
	{
		StewardHash digest;

		forget_many(digests);
		read_schema(&digest, digests, version);
		entry = hash_search(digests->schemas, &version, HASH_ENTER, &found);
		entry->digest = digest;
	}
	digests->last_schema = version;
	digests->last_schema_digest = entry->digest;
	return &digests->last_schema_digest;
}

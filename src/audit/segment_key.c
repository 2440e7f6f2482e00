/*
 * segment_key.c: steward.audit_keys, what the late index of a closed segment is on;
 * see segment_key.h for how it is searched.
 *
 * A batch is indexed by 64-bit hashes of
 *
 *	a table that it has records of: its oid
 *	events of a table without a row, which matter to every row: TRUNCATE and such
 *	a row: the oid of its table and the values of its key, before and after
 *	UNREADABLE, when anything in it could not be told
 *
 * A search is for one of the first three and always for UNREADABLE too. So the
 * index is right, if not helpful, also where it was built before the schema
 * versions were there, as a parallel restore may do; steward_segment_renew then
 * builds it anew. It finds candidates: two rows may have the same hash.
 *
 * A table is its oid within the incarnation of the record, so renaming it changes
 * nothing. The values of a key are taken as jsonb shows them, whatever their type
 * and column: neither their names, nor their order, nor a change from integer to
 * bigint or text matters. Numbers are equal whatever their scale.
 */
#include "base/compat.h"

#include "audit/batch.h"
#include "audit/codec_show.h"
#include "audit/schema.h"
#include "audit/segment.h"
#include "audit/segment_key.h"
#include "base/argument.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/xid8.h"

#define UNREADABLE ((int64) 0)

/* Begins of what is hashed; of different length, lest one be another's. */
#define SEED_TABLE 1
#define SEED_EVENT 2
#define SEED_ROW 3

typedef struct SchemaEntry
{
	int32		version;		/* hash key */
	StewardAuditSchema *schema;
} SchemaEntry;

/* The hashes of a batch. */
typedef struct Keys
{
	HTAB	   *schemas;		/* those met so far */
	MemoryContext context;		/* theirs */
	int64	   *hashes;
	int			count;
	int			room;
} Keys;

static void
add(Keys *keys, int64 hash)
{
	/* Records of a batch are often about the same. */
	for (int i = keys->count - 1; i >= 0 && i >= keys->count - 4; i--)
	{
		if (keys->hashes[i] == hash)
			return;
	}
	if (keys->count == keys->room)
	{
		keys->room = Max(keys->room * 2, 16);
		keys->hashes = keys->hashes == NULL ? palloc(keys->room * sizeof(int64)) :
			repalloc(keys->hashes, keys->room * sizeof(int64));
	}
	keys->hashes[keys->count++] = hash;
}

/* A hash that is not UNREADABLE. */
static int64
finish(uint64 hash)
{
	return hash == 0 ? 1 : (int64) hash;
}

static int64
hash_table(Oid relation, uint64 seed)
{
	return finish(hash_bytes_uint32_extended(relation, seed));
}

static uint64
hash_string(const char *string, int length)
{
	return hash_bytes_extended((const unsigned char *) string, length, 0);
}

static uint64
hash_value(const JsonbValue *value)
{
	const char *text;

	switch (value->type)
	{
		case jbvNull:
			return hash_string("", 0);
		case jbvString:
			return hash_string(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			text = numeric_normalize(value->val.numeric);
			break;
		case jbvBool:
			text = value->val.boolean ? "true" : "false";
			break;
		default:
			text = JsonbToCString(NULL, value->val.binary.data,
								  value->val.binary.len);
			break;
	}
	return hash_string(text, strlen(text));
}

/* The sum of the values' hashes: it does not depend on their order. */
static int64
hash_row(Oid relation, Jsonb *key)
{
	JsonbIterator *iterator = JsonbIteratorInit(&key->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	uint64		sum = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_VALUE)
			sum += hash_value(&value);
	}
	return finish(hash_bytes_extended((const unsigned char *) &sum, sizeof sum,
									  (uint64) relation << 8 | SEED_ROW));
}

/*
 * The key's values: those of an image, or what stays the same of another. NULL
 * when one was not stored.
 */
static Jsonb *
key_of(const StewardAuditSchema *schema, const StewardImage *image,
	   const StewardImage *other)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < schema->count; i++)
	{
		const StewardAuditColumn *column = &schema->columns[i];
		const StewardImage *from = image->presence[i] != STEWARD_ABSENT ? image : other;
		JsonbValue	name;
		JsonbValue	null = {.type = jbvNull};

		if (!column->key)
			continue;
		if (from->presence[i] == STEWARD_ABSENT)
			return NULL;
		steward_show_cstring(&name, column->name);
		(void) pushJsonbValue(&state, WJB_KEY, &name);
		if (from->presence[i] == STEWARD_VALUE)
			steward_push_value(&state, WJB_VALUE, column->codec, from->slices[i]);
		else
			(void) pushJsonbValue(&state, WJB_VALUE, &null);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static void
add_row(Keys *keys, const StewardAuditSchema *schema, const StewardImage *image,
		const StewardImage *other)
{
	Jsonb	   *key = key_of(schema, image, other);

	add(keys, key == NULL ? UNREADABLE : hash_row(schema->relid, key));
}

/* The schema version, or NULL when it is missing: which is not remembered. */
static const StewardAuditSchema *
schema_by_id(Keys *keys, int32 version)
{
	SchemaEntry *entry = hash_search(keys->schemas, &version, HASH_FIND, NULL);
	StewardAuditSchema *schema;

	if (entry != NULL)
		return entry->schema;
	schema = steward_audit_schema_find(version, keys->context);
	if (schema == NULL)
		return NULL;
	entry = hash_search(keys->schemas, &version, HASH_ENTER, NULL);
	entry->schema = schema;
	return schema;
}

static void
add_record(Keys *keys, const StewardRecord *record)
{
	const StewardAuditSchema *schema;
	StewardPart part = {record->payload, record->length};
	StewardImage before;
	StewardImage after;

	if (record->schema_version == 0)
		return;					/* an event of no table */
	schema = schema_by_id(keys, record->schema_version);
	if (schema == NULL)
	{
		add(keys, UNREADABLE);
		return;
	}
	add(keys, hash_table(schema->relid, SEED_TABLE));
	switch (record->op)
	{
		case STEWARD_OP_INSERT:
		case STEWARD_OP_UPDATE:
		case STEWARD_OP_DELETE:
			break;
		case STEWARD_OP_TRUNCATE:
		case STEWARD_OP_ENABLE:
		case STEWARD_OP_DISABLE:
		case STEWARD_OP_REWRITE:
			add(keys, hash_table(schema->relid, SEED_EVENT));
			return;
		case STEWARD_OP_PART:
			return;				/* found behind the record that it goes on */
		default:
			add(keys, UNREADABLE);
			return;
	}
	if (schema->key_count == 0)
		return;
	steward_decode_payload(schema, record->op, &part, 1, &before, &after);
	/* A part that follows may have the new value of a key. */
	if (record->op == STEWARD_OP_UPDATE &&
		record->payload[0] == STEWARD_PAYLOAD_CONTINUES)
		add(keys, UNREADABLE);
	if (record->op != STEWARD_OP_INSERT)
		add_row(keys, schema, &before, &before);
	if (record->op != STEWARD_OP_DELETE)
		add_row(keys, schema, &after, &before);
}

static void
add_batch(Keys *keys, bytea *batch, int32 first_seq, uint64 xid)
{
	StewardBatchReader reader;
	StewardRecord record;

	steward_batch_open(&reader, VARDATA_ANY(batch), VARSIZE_ANY_EXHDR(batch), xid,
					   first_seq);
	while (steward_batch_next(&reader, &record))
		add_record(keys, &record);
}

/*
 * What is corrupted must not keep the segment from its index: verifying the log
 * finds it. Nothing that an error would leave open is open while a batch is read.
 */
static void
add_batch_guarded(Keys *keys, bytea *batch, int32 first_seq, uint64 xid)
{
	MemoryContext caller = CurrentMemoryContext;

	PG_TRY();
	{
		add_batch(keys, batch, first_seq, xid);
	}
	PG_CATCH();
	{
		int			sqlstate = geterrcode();

		if (sqlstate != ERRCODE_DATA_CORRUPTED &&
			ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(caller);
		FlushErrorState();
		add(keys, UNREADABLE);
	}
	PG_END_TRY();
}

static HTAB *
call_schemas(FunctionCallInfo fcinfo)
{
	HASHCTL		control = {.keysize = sizeof(int32), .entrysize = sizeof(SchemaEntry),
	.hcxt = fcinfo->flinfo->fn_mcxt};

	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = hash_create("steward key schemas", 16, &control,
											   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return fcinfo->flinfo->fn_extra;
}

static int
compare(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/* A bigint[], in order and without what occurs twice. */
static Datum
hashes_array(int64 *hashes, int count)
{
	Datum	   *elements = palloc(Max(count, 1) * sizeof(Datum));
	int			kept = 0;

	if (count > 1)
		qsort(hashes, count, sizeof(int64), compare);
	for (int i = 0; i < count; i++)
	{
		if (i == 0 || hashes[i] != hashes[i - 1])
			elements[kept++] = Int64GetDatum(hashes[i]);
	}
	return PointerGetDatum(construct_array(elements, kept, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* ---- searching ---- */

ArrayType *
steward_segment_hashes(List *relids, List *keys)
{
	int64	   *hashes = palloc((list_length(relids) * (list_length(keys) + 1) + 1) * sizeof(int64));
	int			count = 0;
	ListCell   *relid;

	hashes[count++] = UNREADABLE;
	foreach(relid, relids)
	{
		ListCell   *key;

		hashes[count++] = hash_table(lfirst_oid(relid), keys == NIL ? SEED_TABLE : SEED_EVENT);
		foreach(key, keys)
			hashes[count++] = hash_row(lfirst_oid(relid), lfirst(key));
	}
	return DatumGetArrayTypeP(hashes_array(hashes, count));
}

/* Scalars that are shown alike whatever type modifier they were stored under. */
static bool
looks_alike_always(const StewardScalar *scalar)
{
	static const char *const names[] = {"bool", "bytea", "date", "numeric", "oid", "text", "uuid"};

	for (int i = 0; i < lengthof(names); i++)
		if (strcmp(scalar->name, names[i]) == 0)
			return true;
	return false;
}

static bool
is_integer(const StewardScalar *scalar)
{
	return strncmp(scalar->name, "vint", strlen("vint")) == 0;
}

bool
steward_keys_look_alike(const StewardCodec *a, const StewardCodec *b)
{
	if (a->kind != STEWARD_SCALAR || b->kind != STEWARD_SCALAR)
		return false;
	return (is_integer(a->scalar) && is_integer(b->scalar)) ||
		(strcmp(a->scalar->name, b->scalar->name) == 0 && looks_alike_always(a->scalar));
}

STEWARD_FUNCTION(steward_audit_keys)
{
	Keys		keys = {0};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(caller, "steward audit keys",
												  ALLOCSET_DEFAULT_SIZES);
	Datum		result;

	keys.schemas = call_schemas(fcinfo);
	keys.context = fcinfo->flinfo->fn_mcxt;
	MemoryContextSwitchTo(scratch);
	add_batch_guarded(&keys, PG_GETARG_BYTEA_PP(0), PG_GETARG_INT32(1),
					  U64FromFullTransactionId(PG_GETARG_FULLTRANSACTIONID(2)));
	MemoryContextSwitchTo(caller);
	result = hashes_array(keys.hashes, keys.count);
	MemoryContextDelete(scratch);
	PG_RETURN_DATUM(result);
}

STEWARD_FUNCTION(steward_audit_key_hash)
{
	int64		hashes[3] = {UNREADABLE};
	int			count = 1;
	Oid			relation;
	Jsonb	   *key;

	steward_require_argument(fcinfo, 0, "relation");
	relation = PG_GETARG_OID(0);
	if (PG_ARGISNULL(1))
		hashes[count++] = hash_table(relation, SEED_TABLE);
	else
	{
		key = PG_GETARG_JSONB_P(1);
		if (!JB_ROOT_IS_OBJECT(key))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("key is no JSON object"),
					 errhint("Give the values of the key by the names of their columns.")));
		hashes[count++] = hash_table(relation, SEED_EVENT);
		hashes[count++] = hash_row(relation, key);
	}
	PG_RETURN_DATUM(hashes_array(hashes, count));
}

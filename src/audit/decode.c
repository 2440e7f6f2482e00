/*
 * decode.c: steward.audit_decode, a payload as jsonb, and steward.audit_image, as
 * a row of today.
 *
 * audit_decode looks at the stored schema version and never at the table, which
 * may be gone. Whatever the payload holds, the answer is a result or an error.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "audit/event.h"
#include "audit/record_show.h"
#include "audit/schema.h"
#include "catalog/pg_type_d.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* What a call site remembers between calls. */
typedef struct SchemaEntry
{
	int32		version;		/* hash key */
	StewardAuditSchema *schema;
} SchemaEntry;

typedef struct CallCache
{
	HTAB	   *schemas;
	TupleDesc	result;
} CallCache;

static CallCache *
call_cache(FunctionCallInfo fcinfo)
{
	CallCache  *cache = fcinfo->flinfo->fn_extra;
	MemoryContext caller;
	HASHCTL		control = {.keysize = sizeof(int32), .entrysize = sizeof(SchemaEntry),
	.hcxt = fcinfo->flinfo->fn_mcxt};

	if (cache != NULL)
		return cache;
	caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	cache = palloc0(sizeof(CallCache));
	cache->schemas = hash_create("steward decode schemas", 16, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	if (get_call_result_type(fcinfo, NULL, &cache->result) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	cache->result = BlessTupleDesc(cache->result);
	fcinfo->flinfo->fn_extra = cache;
	MemoryContextSwitchTo(caller);
	return cache;
}

static const StewardAuditSchema *
schema_by_id(CallCache *cache, int32 version, MemoryContext context)
{
	SchemaEntry *entry = hash_search(cache->schemas, &version, HASH_FIND, NULL);
	StewardAuditSchema *schema;

	if (entry != NULL)
		return entry->schema;
	schema = steward_audit_schema_read(version, context);
	entry = hash_search(cache->schemas, &version, HASH_ENTER, NULL);
	entry->schema = schema;
	return schema;
}

/* What a type's own function objects to is a corruption too. */
static bool
means_corruption(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_DATA_EXCEPTION &&
		sqlstate != ERRCODE_UNTRANSLATABLE_CHARACTER;
}

void
steward_payload_rethrow(MemoryContext caller)
{
	if (!means_corruption(geterrcode()))
		PG_RE_THROW();
	MemoryContextSwitchTo(caller);
	FlushErrorState();
	steward_payload_corrupted("a value is malformed");
}

/* An event is about no row: audit_event() shows it. */
static bool
is_event(int32 version, char op)
{
	return version == 0 &&
		(op == STEWARD_OP_COMMAND || op == STEWARD_OP_READ ||
		 op == STEWARD_OP_OWN || op == STEWARD_OP_LEDGER);
}

static StewardPart
part_of(Datum payload)
{
	bytea	   *bytes = DatumGetByteaPP(payload);
	StewardPart part = {(const unsigned char *) VARDATA_ANY(bytes),
	VARSIZE_ANY_EXHDR(bytes)};

	return part;
}

STEWARD_FUNCTION(steward_audit_decode)
{
	CallCache  *cache = call_cache(fcinfo);
	int32		version = PG_GETARG_INT32(0);
	char		op = PG_GETARG_CHAR(1);
	Datum		values[STEWARD_SHOWN_COUNT] = {0};
	bool		nulls[STEWARD_SHOWN_COUNT] = {true, true, true};

	if (!is_event(version, op))
	{
		StewardPart part = part_of(PG_GETARG_DATUM(2));

		steward_show_record(schema_by_id(cache, version, fcinfo->flinfo->fn_mcxt),
							op, &part, 1, values, nulls);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(cache->result, values,
													  nulls)));
}

/* Whether the record has nothing of a side: an INSERT has no old row. */
static bool
is_absent(const StewardAuditSchema *schema, const StewardImage *image)
{
	for (int i = 0; i < schema->count; i++)
		if (image->presence[i] != STEWARD_ABSENT)
			return false;
	return true;
}

/* The payload is one, or an array of those of a record's parts. */
static StewardPart *
parts_of(FunctionCallInfo fcinfo, int argument, int *count)
{
	StewardPart *parts;
	Datum	   *elements;
	bool	   *nulls;

	if (get_fn_expr_argtype(fcinfo->flinfo, argument) == BYTEAOID)
	{
		parts = palloc(sizeof(StewardPart));
		parts[0] = part_of(PG_GETARG_DATUM(argument));
		*count = 1;
		return parts;
	}
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), BYTEAOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, count);
	if (*count == 0)
		steward_payload_corrupted("it ends early");
	parts = palloc(sizeof(StewardPart) * *count);
	for (int i = 0; i < *count; i++)
	{
		if (nulls[i])
			steward_payload_corrupted("it ends early");
		parts[i] = part_of(elements[i]);
	}
	return parts;
}

static void
require_row_type(Oid type)
{
	if (!OidIsValid(type) || !type_is_rowtype(type) || type == RECORDOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("argument \"%s\" must be of a row type", "row_type"),
				 errhint("Pass NULL cast to the table, as NULL::customer.")));
}

STEWARD_FUNCTION(steward_audit_image)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	StewardAuditSchema *schema;
	StewardImage before;
	StewardImage after;
	StewardPart *parts;
	int			count;
	bool		old;

	require_row_type(type);
	for (int i = 1; i <= 5; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	parts = parts_of(fcinfo, 3, &count);
	old = PG_GETARG_BOOL(4);
	schema = steward_audit_schema_read(PG_GETARG_INT32(1), CurrentMemoryContext);
	steward_decode_payload(schema, PG_GETARG_CHAR(2), parts, count, &before,
						   &after);
	if (is_absent(schema, old ? &before : &after))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(steward_image_as(schema, old ? &before : &after,
									 getBaseType(type), PG_GETARG_BOOL(5)));
}

/*
 * receipt_run.c: what somebody who has the keys asks: the leaf of a row, the root of leaves.
 */
#include "retention/receipt_run.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "base/argument.h"
#include "retention/policy.h"
#include "retention/receipt_tree.h"

bool
steward_hash_from(StewardHash *hash, Datum bytes)
{
	bytea	   *found = DatumGetByteaPP(bytes);

	if (VARSIZE_ANY_EXHDR(found) != STEWARD_HASH_BYTES)
		return false;
	memcpy(hash->bytes, VARDATA_ANY(found), STEWARD_HASH_BYTES);
	return true;
}

static Datum
column(int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, isnull);
}

/* From the only row of the result, as steward_recorded_run asks for it. */
static void
read_run(StewardRecordedRun *run)
{
	bool		isnull;
	StewardHash salt;
	Datum		value;

	run->action = TextDatumGetCString(column(3, &isnull));
	run->rows = DatumGetInt64(column(4, &isnull));
	run->children = DatumGetInt64(column(5, &isnull));
	run->batches = DatumGetInt64(column(6, &isnull));
	value = column(7, &isnull);
	run->salted = !isnull && steward_hash_from(&salt, value);
	if (run->salted)
		memcpy(run->salt, salt.bytes, STEWARD_RECEIPT_SALT_BYTES);
	value = column(8, &isnull);
	run->rooted = !isnull && steward_hash_from(&run->root, value);
	run->started_at = DatumGetTimestampTz(column(9, &isnull));
	value = column(10, &isnull);
	run->batch_at = isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
}

void
steward_recorded_run(int64 id, StewardRecordedRun *run)
{
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(id);
	bool		isnull;

	StaticAssertStmt(STEWARD_RECEIPT_SALT_BYTES == STEWARD_HASH_BYTES, "one reader for both");
	steward_policy_look("SELECT l.policy, l.relation, l.action, l.rows, l.children, l.batches,"
						" l.salt, l.root, l.started_at, l.batch_at"
						" FROM steward.policy_run_log AS l WHERE l.id OPERATOR(pg_catalog.=) $1",
						1, &type, &value);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("run %lld of a retention policy does not exist", (long long) id)));
	memset(run, 0, sizeof(*run));
	run->id = id;
	steward_policy_check_right(TextDatumGetCString(column(1, &isnull)),
							   DatumGetObjectId(column(2, &isnull)));
	read_run(run);
	SPI_freetuptable(SPI_tuptable);
}

/* The run of the last call in this statement, or another one. */
static const StewardRecordedRun *
run_of_call(FunctionCallInfo fcinfo, int64 id)
{
	StewardRecordedRun *run = fcinfo->flinfo->fn_extra;
	StewardRecordedRun read;
	MemoryContext caller;

	if (run != NULL && run->id == id)
		return run;
	SPI_connect();
	steward_recorded_run(id, &read);
	if (!read.salted)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("run %lld has no receipts", (long long) id),
				 errdetail("It failed before its first batch.")));
	caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	run = palloc(sizeof(StewardRecordedRun));
	*run = read;
	run->action = pstrdup(read.action);
	MemoryContextSwitchTo(caller);
	SPI_finish();
	fcinfo->flinfo->fn_extra = run;
	return run;
}

/* A table as people write it, which need not be there any more. */
static void
read_name(text *name, char **schema, char **table)
{
	List	   *names = textToQualifiedNameList(name);

	if (list_length(names) != 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the table has to be named with its schema"),
				 errhint("Name it as it was called then, for example 'public.session'; a row of a partitioned table was in a partition.")));
	*schema = strVal(linitial(names));
	*table = strVal(lsecond(names));
}

static void
put_key(StringInfo leaf, ArrayType *key)
{
	Datum	   *texts;
	bool	   *nulls;
	int			count;

	deconstruct_array(key, TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a key has no NULLs")));
		steward_receipt_put(leaf, TextDatumGetCString(texts[i]));
	}
}

static Datum
hash_datum(const StewardHash *hash)
{
	bytea	   *datum = palloc(VARHDRSZ + STEWARD_HASH_BYTES);

	SET_VARSIZE(datum, VARHDRSZ + STEWARD_HASH_BYTES);
	memcpy(VARDATA(datum), hash->bytes, STEWARD_HASH_BYTES);
	return PointerGetDatum(datum);
}

/* The leaf of a row that a run destroyed: run, table, key, action or NULL. */
STEWARD_FUNCTION(steward_receipt_leaf)
{
	static const char *const names[] = {"run", "relation", "key"};
	const StewardRecordedRun *run;
	const char *action;
	char	   *schema;
	char	   *table;
	StringInfoData leaf;
	StewardHash hash;

	steward_require_arguments(fcinfo, lengthof(names), names);
	run = run_of_call(fcinfo, PG_GETARG_INT64(0));
	action = PG_ARGISNULL(3) ? run->action : text_to_cstring(PG_GETARG_TEXT_PP(3));
	read_name(PG_GETARG_TEXT_PP(1), &schema, &table);
	initStringInfo(&leaf);
	steward_receipt_put_bytes(&leaf, steward_receipt_head(run->salt, action, schema, table));
	put_key(&leaf, PG_GETARG_ARRAYTYPE_P(2));
	steward_sha256(&hash, leaf.data, leaf.len);
	PG_RETURN_DATUM(hash_datum(&hash));
}

/* The root of a batch with these leaves, in whatever order. */
STEWARD_FUNCTION(steward_receipt_root)
{
	Datum	   *bytes;
	bool	   *nulls;
	int			count;
	StewardHash *leaves;
	StewardHash root;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), BYTEAOID, -1, false, TYPALIGN_INT, &bytes,
					  &nulls, &count);
	leaves = palloc_extended(Max(count, 1) * sizeof(StewardHash), MCXT_ALLOC_HUGE);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i] || !steward_hash_from(&leaves[i], bytes[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("element %d is no leaf of a receipt", i + 1),
					 errhint("Leaves have 32 bytes; steward.receipt_leaf gives them.")));
	}
	steward_receipt_batch_root(&root, leaves, count);
	PG_RETURN_DATUM(hash_datum(&root));
}

/*
 * encrypt_call.c: encrypt_column_online and decrypt_column_online, as SQL calls
 * them: arguments, rights, and the lock of the conversion.
 */
#include "columns/encrypt_online.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/argument.h"
#include "base/procedure.h"
#include "base/slices.h"

static void
read_arguments(FunctionCallInfo fcinfo, StewardOnlineRun *run)
{
	static const char *const names[] = {"relation", "column", "key", "batch_size", "patience", "build_indexes"};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (i != 2 || run->encrypt)
			steward_require_argument(fcinfo, i, names[i]);
	}
	run->relid = PG_GETARG_OID(0);
	run->column = pstrdup(NameStr(*PG_GETARG_NAME(1)));
	if (run->encrypt)
		run->key = text_to_cstring(PG_GETARG_TEXT_PP(2));
	else if (!PG_ARGISNULL(2))
		run->type = text_to_cstring(PG_GETARG_TEXT_PP(2));
	run->batch.size = PG_GETARG_INT32(3);
	if (run->batch.size < 1 || run->batch.size > 100000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be between 1 and 100000", "batch_size")));
	run->patience = steward_patience_argument(fcinfo, 4, names[4]);
	run->build_indexes = PG_GETARG_BOOL(5);
}

static Datum
result_row(const char *state)
{
	TupleDesc	desc = CreateTemplateTupleDesc(1);
	Datum		values[] = {CStringGetTextDatum(state)};
	bool		nulls[] = {false};

	TupleDescInitEntry(desc, 1, "state", TEXTOID, -1, 0);
	desc = BlessTupleDesc(desc);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

static Datum
run_conversion(FunctionCallInfo fcinfo, const char *name, bool encrypt)
{
	MemoryContext caller = CurrentMemoryContext;
	StewardOnlineRun run = {.encrypt = encrypt};
	const char *state;

	steward_call_must_commit(fcinfo, name, encrypt ?
							 "Call it by itself; within a transaction there is steward.encrypt_column()." :
							 "Call it by itself; within a transaction there is steward.decrypt_column().");
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	run.context = CurrentMemoryContext;
	run.scratch = AllocSetContextCreate(run.context, "column conversion",
										ALLOCSET_DEFAULT_SIZES);
	read_arguments(fcinfo, &run);
	steward_conversion_check_owner(run.relid);
	run.table = get_rel_name(run.relid);
	SPI_commit();
	steward_online_begin_transaction();
	if (!steward_conversion_lock(run.relid, true))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("a column of table \"%s\" is being converted by another session",
						get_rel_name(run.relid)),
				 errhint("See steward.column_progress.")));
	state = steward_online_convert(&run);
	steward_conversion_unlock(run.relid);
	SPI_finish();
	MemoryContextSwitchTo(caller);
	return result_row(state);
}

STEWARD_FUNCTION(steward_encrypt_column_online)
{
	return run_conversion(fcinfo, "encrypt_column_online", true);
}

STEWARD_FUNCTION(steward_decrypt_column_online)
{
	return run_conversion(fcinfo, "decrypt_column_online", false);
}

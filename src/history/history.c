/*
 * history.c: steward.history, what happened to a row, and who did it.
 *
 * Records are shown as they were made, under the names that the columns had then.
 */
#include "base/compat.h"

#include "access/xlog.h"
#include "audit/record_show.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "history/life.h"
#include "history/pruned.h"
#include "history/row_json.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

enum
{
	HISTORY_LIFE,
	HISTORY_CHANGED_AT,
	HISTORY_WRITTEN_AT,
	HISTORY_INCARNATION,
	HISTORY_XID,
	HISTORY_SEQ,
	HISTORY_OPERATION,
	HISTORY_KEY,				/* these three as in record_show.h */
	HISTORY_OLD,
	HISTORY_NEW,
	HISTORY_CHANGED,
	HISTORY_CONTEXT,			/* the first of its columns */
	HISTORY_NATTS = HISTORY_CONTEXT + 10
};

/* In the order of the result's columns. */
static const char *const context_query =
"SELECT c.login_role, c.session_role, c.effective_role, c.client_address, c.application,"
" c.actor, c.purpose, c.request_id, c.replication_origin, c.pid"
" FROM steward.audit_context AS c"
" WHERE c.xid OPERATOR(pg_catalog.=) $1 AND c.number OPERATOR(pg_catalog.=) $2"
" AND c.incarnation OPERATOR(pg_catalog.=) $3";

typedef struct Writer
{
	ReturnSetInfo *result;
	Datum		values[HISTORY_NATTS];
	bool		nulls[HISTORY_NATTS];
} Writer;

static const char *
operation_name(char op)
{
	switch (op)
	{
		case STEWARD_OP_INSERT:
			return "INSERT";
		case STEWARD_OP_UPDATE:
			return "UPDATE";
		case STEWARD_OP_DELETE:
			return "DELETE";
		case STEWARD_OP_TRUNCATE:
			return "TRUNCATE";
		default:
			return "REWRITE";
	}
}

static void
put_context(Writer *writer, const StewardTrailRecord *record)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {XID8OID, INT4OID, INT4OID};
	Datum		values[] = {UInt64GetDatum(record->record.context.xid),
		Int32GetDatum(record->record.context.number),
	Int32GetDatum((int32) record->transaction->id.incarnation)};
	StewardIdentity saved;

	for (int i = HISTORY_CONTEXT; i < HISTORY_NATTS; i++)
		writer->nulls[i] = true;
	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args(context_query, lengthof(types), types, values, NULL,
							  true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read a context");
	for (int i = HISTORY_CONTEXT; SPI_processed == 1 && i < HISTORY_NATTS; i++)
	{
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
										  i - HISTORY_CONTEXT + 1, &writer->nulls[i]);
		Form_pg_attribute attribute = TupleDescAttr(SPI_tuptable->tupdesc,
													i - HISTORY_CONTEXT);
		MemoryContext spi = MemoryContextSwitchTo(caller);

		if (!writer->nulls[i])
			writer->values[i] = datumCopy(value, attribute->attbyval, attribute->attlen);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	steward_become_caller(&saved);
}

/* As the view shows them, but from all parts of the record. */
static void
put_images(Writer *writer, const StewardTrailRecord *record)
{
	steward_show_record(record->version->schema, record->record.op, record->parts,
						record->part_count, &writer->values[HISTORY_KEY],
						&writer->nulls[HISTORY_KEY]);
}

static void
put_changed(Writer *writer, const StewardTrailRecord *record)
{
	const StewardAuditSchema *schema = record->version->schema;
	Datum	   *names = palloc((schema->count + 1) * sizeof(Datum));
	StewardImage before;
	StewardImage after;
	int			count = 0;

	writer->nulls[HISTORY_CHANGED] = record->record.op != STEWARD_OP_UPDATE;
	if (writer->nulls[HISTORY_CHANGED])
		return;
	steward_decode_payload(schema, record->record.op, record->parts,
						   record->part_count, &before, &after);
	for (int i = 0; i < schema->count; i++)
		if (after.presence[i] != STEWARD_ABSENT)
			names[count++] = CStringGetTextDatum(schema->columns[i].name);
	writer->values[HISTORY_CHANGED] =
		PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
put_record(Writer *writer, const StewardLifeRecord *one)
{
	const StewardTrailRecord *record = one->record;

	memset(writer->nulls, 0, sizeof(writer->nulls));
	writer->values[HISTORY_LIFE] = Int32GetDatum(one->life);
	writer->values[HISTORY_CHANGED_AT] = TimestampTzGetDatum(record->record.changed_at);
	writer->values[HISTORY_WRITTEN_AT] = TimestampTzGetDatum(record->written_at);
	writer->values[HISTORY_INCARNATION] = Int32GetDatum((int32) record->transaction->id.incarnation);
	writer->values[HISTORY_XID] = UInt64GetDatum(record->transaction->id.xid);
	writer->values[HISTORY_SEQ] = Int32GetDatum(record->record.seq);
	writer->values[HISTORY_OPERATION] = CStringGetTextDatum(operation_name(record->record.op));
	put_images(writer, record);
	put_changed(writer, record);
	put_context(writer, record);
	tuplestore_putvalues(writer->result->setResult, writer->result->setDesc,
						 writer->values, writer->nulls);
}

static void
require_key(const StewardHistoryTable *table)
{
	if (table->key_count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %s has no key to find a row by", table->name),
				 errhint("Search steward.audit_trail for the row's values, or give the table a primary key.")));
}

/* What is left may not be all. */
static void
tell_of_pruning(const StewardHistoryTable *table)
{
	TimestampTz last;

	if (!steward_pruned_since(DT_NOBEGIN, DT_NOBEGIN, 0, &last))
		return;
	ereport(NOTICE,
			(errmsg("old records were pruned, those of table %s among them if it had any",
					table->name),
			 TIMESTAMP_NOT_FINITE(last) ? 0 :
			 errdetail("Nothing is shown of what was written before %s.",
					   timestamptz_to_str(last))));
}

/* Oids and transaction ids of a life before a restore or an upgrade mean nothing here. */
static void
tell_of_restore(void)
{
	Oid			types[] = {INT8OID, OIDOID};
	Datum		values[] = {Int64GetDatum((int64) GetSystemIdentifier()), ObjectIdGetDatum(MyDatabaseId)};
	StewardIdentity saved;
	bool		found;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args("SELECT FROM steward.audit_incarnation AS i"
							  " WHERE i.system_identifier OPERATOR(pg_catalog.<>) $1"
							  " OR i.database OPERATOR(pg_catalog.<>) $2 LIMIT 1",
							  lengthof(types), types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the incarnations");
	found = SPI_processed > 0;
	SPI_finish();
	steward_become_caller(&saved);
	if (found)
		ereport(NOTICE,
				(errmsg("records that came with a restore or an upgrade of the database are not shown"),
				 errhint("They are in steward.audit_trail.")));
}

STEWARD_FUNCTION(steward_history)
{
	static const char *const names[] = {"relation", "key"};
	Writer		writer = {.result = (ReturnSetInfo *) fcinfo->resultinfo};
	StewardHistoryTable *table;
	StewardCell *key;
	MemoryContext scratch;
	ListCell   *cell;

	steward_require_arguments(fcinfo, lengthof(names), names);
	InitMaterializedSRF(fcinfo, 0);
	steward_trail_prepare();
	table = steward_history_table_open(PG_GETARG_OID(0), true);
	steward_history_require_audited(table);
	require_key(table);
	tell_of_pruning(table);
	tell_of_restore();
	key = palloc0(table->desc->natts * sizeof(StewardCell));
	steward_key_cells(table, PG_GETARG_JSONB_P(1), key);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "steward history record",
									ALLOCSET_DEFAULT_SIZES);
	foreach(cell, steward_lives(table, key))
	{
		MemoryContext caller = MemoryContextSwitchTo(scratch);

		put_record(&writer, lfirst(cell));
		MemoryContextSwitchTo(caller);
		MemoryContextReset(scratch);
	}
	PopActiveSnapshot();
	PG_RETURN_NULL();
}

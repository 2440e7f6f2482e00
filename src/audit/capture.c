/*
 * capture.c: the triggers, and what a transaction's end means for the floor.
 *
 * A record is encoded when its trigger fires, under the schema the table has
 * then, and given the next number of its transaction. Numbers are not reused
 * after a rollback to a savepoint: they order, they do not count. Any failure
 * raises, so a change without its record does not happen.
 */
#include "base/compat.h"

#include "access/xact.h"
#include "audit/capture.h"
#include "audit/codec.h"
#include "audit/context.h"
#include "audit/incarnation.h"
#include "audit/schema.h"
#include "audit/segment.h"
#include "audit/sink.h"
#include "base/hooks.h"
#include "commands/trigger.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Of this transaction: the last number given to a record. */
static int32 last_seq = 0;

/* A record being made. */
typedef struct Capture
{
	StewardAuditRecord record;
	StringInfoData payload;
	List	   *parts;			/* what precedes it, of a long one */
	const StewardAuditSchema *schema;
	bool		pushed_snapshot;
} Capture;

/* Storing a TOASTed value needs a snapshot; some callers come without one. */
static void
begin(Capture *capture, Relation rel, char op)
{
	static const char varlena_header[VARHDRSZ] = {0};

	capture->pushed_snapshot = !ActiveSnapshotSet();
	if (capture->pushed_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	capture->schema = steward_audit_schema_of(rel);
	capture->parts = NIL;
	capture->record.op = op;
	capture->record.payload = &capture->payload;
	initStringInfo(&capture->payload);
	steward_put_bytes(&capture->payload, varlena_header, VARHDRSZ);
}

static void
write_record(StewardAuditRecord *record)
{
	if (last_seq == PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("transaction has too many audit records"),
				 errhint("Make the changes in several transactions.")));
	record->seq = ++last_seq;
	record->incarnation = steward_incarnation_current();
	record->context = steward_context_current(record->incarnation);
	steward_sink_write(record);
}

static void
end(Capture *capture, bool write)
{
	StewardAuditRecord *record = &capture->record;
	ListCell   *part;

	record->schema_version = capture->schema->version;
	foreach(part, capture->parts)
	{
		record->payload = lfirst(part);
		write_record(record);
		pfree(record->payload->data);
		record->op = STEWARD_OP_PART;
	}
	record->payload = &capture->payload;
	if (write)
		write_record(record);
	pfree(capture->payload.data);
	if (capture->pushed_snapshot)
		PopActiveSnapshot();
}

void
steward_capture_event(Relation rel, char op)
{
	Capture		capture;

	begin(&capture, rel, op);
	steward_encode_empty(&capture.payload);
	end(&capture, true);
}

static void
capture_row(Relation rel, char op, TupleTableSlot *row)
{
	Capture		capture;

	begin(&capture, rel, op);
	steward_encode_row(capture.schema, row, &capture.payload,
					   &capture.parts);
	end(&capture, true);
}

static void
capture_update(Relation rel, TupleTableSlot *before, TupleTableSlot *after)
{
	Capture		capture;
	bool		changed;

	begin(&capture, rel, STEWARD_OP_UPDATE);
	changed = steward_encode_update(capture.schema, before, after,
									&capture.payload, &capture.parts);
	end(&capture, changed);
}

/* Checks that a trigger is what enable_audit makes of the function. */
static TriggerData *
trigger_data(FunctionCallInfo fcinfo, bool for_row)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
		(TRIGGER_FIRED_FOR_ROW(data->tg_event) != 0) != for_row ||
		(TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) != 0) == for_row)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called by the trigger that steward.enable_audit() makes",
						for_row ? "audit_row" : "audit_truncate"),
				 errhint("Call steward.enable_audit() for the table.")));
	return data;
}

STEWARD_FUNCTION(steward_audit_row)
{
	TriggerData *data = trigger_data(fcinfo, true);

	if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
		capture_row(data->tg_relation, STEWARD_OP_INSERT, data->tg_trigslot);
	else if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		capture_update(data->tg_relation, data->tg_trigslot, data->tg_newslot);
	else
		capture_row(data->tg_relation, STEWARD_OP_DELETE, data->tg_trigslot);
	PG_RETURN_POINTER(NULL);
}

STEWARD_FUNCTION(steward_audit_truncate)
{
	TriggerData *data = trigger_data(fcinfo, false);

	steward_capture_event(data->tg_relation, STEWARD_OP_TRUNCATE);
	PG_RETURN_POINTER(NULL);
}

/*
 * The guard of the audit tables. Their rows are added by this floor and by a
 * restore; nothing changes or removes them.
 */
STEWARD_FUNCTION(steward_audit_guard)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called as a trigger",
						"audit_guard")));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("audit table \"%s\" is append-only",
					RelationGetRelationName(data->tg_relation)),
			 errhint("Audit records are neither changed nor removed; add a correcting change to the audited table.")));
	PG_RETURN_POINTER(NULL);
}

static void
on_utility(Node *statement)
{
	steward_sink_close();
}

static void
forget(SubTransactionId written_by)
{
	steward_audit_schema_forget(written_by);
	steward_incarnation_forget(written_by);
	steward_context_forget(written_by);
}

static void
reparent(SubTransactionId child, SubTransactionId parent)
{
	steward_audit_schema_reparent(child, parent);
	steward_incarnation_reparent(child, parent);
	steward_context_reparent(child, parent);
}

static void
on_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			steward_sink_before_end();
			return;
		case XACT_EVENT_COMMIT:
			reparent(TopSubTransactionId, InvalidSubTransactionId);
			break;
		case XACT_EVENT_PREPARE:
			/* may still be rolled back: as if it had been */
		case XACT_EVENT_ABORT:
			forget(TopSubTransactionId);
			break;
		default:
			return;
	}
	steward_sink_end();
	steward_context_end();
	last_seq = 0;
}

static void
on_subtransaction(SubXactEvent event, SubTransactionId mine,
				  SubTransactionId parent, void *arg)
{
	switch (event)
	{
		case SUBXACT_EVENT_PRE_COMMIT_SUB:
			steward_sink_subcommit(mine);
			break;
		case SUBXACT_EVENT_COMMIT_SUB:
			reparent(mine, parent);
			break;
		case SUBXACT_EVENT_ABORT_SUB:
			steward_sink_subabort(mine);
			forget(mine);
			break;
		default:
			break;
	}
}

void
steward_audit_init(void)
{
	steward_audit_schema_init();
	steward_segment_init();
	steward_hooks_on_utility(on_utility);
	RegisterXactCallback(on_transaction, NULL);
	RegisterSubXactCallback(on_subtransaction, NULL);
}

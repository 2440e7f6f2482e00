/*
 * capture.c: the triggers, and what a transaction's end means for the floor.
 *
 * A record is encoded when its trigger fires, under the schema the table has
 * then, and given the next number of its transaction. Numbers are not reused
 * after a rollback to a savepoint: they order, they do not count. Any failure
 * raises, so a change without its record does not happen.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "access/xact.h"
#include "audit/buffer.h"
#include "audit/capture.h"
#include "audit/codec.h"
#include "audit/context.h"
#include "audit/ddl.h"
#include "audit/event.h"
#include "audit/exempt.h"
#include "audit/incarnation.h"
#include "audit/move.h"
#include "audit/schema.h"
#include "audit/segment.h"
#include "base/duty.h"
#include "base/hooks.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "replication/logicalworker.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* What is encoded next goes here; kept between records of a transaction. */
static StringInfo scratch = NULL;

/* Beyond this much, it is not kept. */
#define SCRATCH_KEPT (64 * 1024)

static bool commits_prepared = false;

/* A record being made. */
typedef struct Capture
{
	StewardRecord record;
	StringInfo	payload;
	List	   *parts;			/* what precedes it, of a long one */
	const StewardAuditSchema *schema;
	bool		pushed_snapshot;
} Capture;

/* Storing a TOASTed value needs a snapshot; some callers come without one. */
static void
begin(Capture *capture, char op)
{
	capture->pushed_snapshot = !ActiveSnapshotSet();
	if (capture->pushed_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	if (scratch == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);

		scratch = makeStringInfo();
		MemoryContextSwitchTo(caller);
	}
	resetStringInfo(scratch);
	capture->payload = scratch;
	capture->parts = NIL;
	capture->record.op = op;
	capture->record.schema_version = 0;
}

static void
begin_of(Capture *capture, Relation rel, char op)
{
	begin(capture, op);
	capture->schema = steward_audit_schema_of(rel);
	capture->record.schema_version = capture->schema->version;
}

static void
add_record(StewardRecord *record, StringInfo payload)
{
	record->seq = steward_buffer_next_seq();
	record->changed_at = GetCurrentTimestamp();
	record->context = steward_context_current(steward_incarnation_current(),
											  &record->context_segment);
	record->payload = (const unsigned char *) payload->data;
	record->length = payload->len;
	steward_buffer_add(record);
}

static void
end(Capture *capture, bool write)
{
	ListCell   *part;

	foreach(part, capture->parts)
	{
		StringInfo	payload = lfirst(part);

		add_record(&capture->record, payload);
		capture->record.op = STEWARD_OP_PART;
		pfree(payload->data);
	}
	if (write)
		add_record(&capture->record, capture->payload);
	if (capture->payload->maxlen > SCRATCH_KEPT)
	{
		pfree(scratch->data);
		pfree(scratch);
		scratch = NULL;
	}
	if (capture->pushed_snapshot)
		PopActiveSnapshot();
}

void
steward_audit_event(char op, Jsonb *details)
{
	Capture		capture;

	begin(&capture, op);
	steward_event_encode(details, capture.payload);
	end(&capture, true);
}

void
steward_capture_event(Relation rel, char op)
{
	Capture		capture;

	begin_of(&capture, rel, op);
	steward_encode_empty(capture.payload);
	end(&capture, true);
}

void
steward_capture_enable(Relation rel, bool without_rows)
{
	Capture		capture;

	begin_of(&capture, rel, STEWARD_OP_ENABLE);
	steward_encode_enable(capture.payload, without_rows);
	end(&capture, true);
}

/* Returns the number of the record; 0 when it was too long for one. */
static int32
capture_row(Relation rel, char op, TupleTableSlot *row)
{
	Capture		capture;

	begin_of(&capture, rel, op);
	steward_encode_row(capture.schema, row, capture.payload, &capture.parts);
	end(&capture, true);
	return capture.parts == NIL ? capture.record.seq : 0;
}

static void
capture_update(Relation rel, TupleTableSlot *before, TupleTableSlot *after)
{
	Capture		capture;
	bool		changed;

	begin_of(&capture, rel, STEWARD_OP_UPDATE);
	changed = steward_encode_update(capture.schema, before, after,
									capture.payload, &capture.parts);
	end(&capture, changed);
}

static void
capture_insert(const TriggerData *data)
{
	Relation	root;
	TupleTableSlot *before;
	TupleTableSlot *after;

	if (!steward_move_arrived(data->tg_relation, data->tg_trigtuple,
							  data->tg_trigslot, &root, &before, &after))
	{
		(void) capture_row(data->tg_relation, STEWARD_OP_INSERT, data->tg_trigslot);
		return;
	}
	capture_update(root, before, after);
	relation_close(root, NoLock);
}

static void
capture_delete(const TriggerData *data)
{
	int32		seq = capture_row(data->tg_relation, STEWARD_OP_DELETE,
								  data->tg_trigslot);

	if (seq != 0)
		steward_move_left(data->tg_relation, data->tg_trigtuple, data->tg_trigslot,
						  seq);
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

	if (steward_exempt_session())
		PG_RETURN_POINTER(NULL);
	steward_context_require(RelationGetRelationName(data->tg_relation));
	if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
		capture_insert(data);
	else if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		capture_update(data->tg_relation, data->tg_trigslot, data->tg_newslot);
	else
		capture_delete(data);
	PG_RETURN_POINTER(NULL);
}

STEWARD_FUNCTION(steward_audit_truncate)
{
	TriggerData *data = trigger_data(fcinfo, false);

	if (steward_exempt_session())
		PG_RETURN_POINTER(NULL);
	steward_context_require(RelationGetRelationName(data->tg_relation));
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

/* What a prepared transaction wrote becomes due in that which commits it. */
static void
on_utility(Node *statement)
{
	if (IsA(statement, TransactionStmt) &&
		((TransactionStmt *) statement)->kind == TRANS_STMT_COMMIT_PREPARED)
		commits_prepared = true;
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
			/* It commits prepared ones without a command that we would see. */
			commits_prepared |= IsLogicalWorker() && OidIsValid(steward_segment_home());
			/* FALLTHROUGH */
		case XACT_EVENT_PRE_PREPARE:
			steward_buffer_before_end();
			return;
		case XACT_EVENT_COMMIT:
			reparent(TopSubTransactionId, InvalidSubTransactionId);
			if (steward_buffer_has_written() || commits_prepared)
				steward_duty_due(MyDatabaseId);
			break;
		case XACT_EVENT_PREPARE:
			/* may still be rolled back: as if it had been */
		case XACT_EVENT_ABORT:
			forget(TopSubTransactionId);
			break;
		default:
			return;
	}
	steward_buffer_end();
	steward_context_end();
	steward_said_end();
	steward_move_end();
	scratch = NULL;
	commits_prepared = false;
}

static void
on_subtransaction(SubXactEvent event, SubTransactionId mine,
				  SubTransactionId parent, void *arg)
{
	switch (event)
	{
		case SUBXACT_EVENT_PRE_COMMIT_SUB:
			steward_buffer_before_subcommit(mine, parent);
			break;
		case SUBXACT_EVENT_COMMIT_SUB:
			steward_buffer_subcommit(mine, parent);
			reparent(mine, parent);
			steward_said_subcommit(mine, parent);
			break;
		case SUBXACT_EVENT_ABORT_SUB:
			steward_buffer_subabort(mine);
			forget(mine);
			steward_said_subabort(mine);
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
	steward_segment_duty_init();
	steward_context_init();
	steward_exempt_init();
	steward_hooks_on_utility(on_utility);
	steward_ddl_init();
	RegisterXactCallback(on_transaction, NULL);
	RegisterSubXactCallback(on_subtransaction, NULL);
}

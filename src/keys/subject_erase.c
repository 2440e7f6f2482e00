/*
 * subject_erase.c: erasing subjects; see subject.h.
 *
 * The row is locked first, so two who erase a subject, and one who rewraps its
 * secret, come one after the other. The tombstone is there for everybody as soon
 * as the transaction commits; the journal hears of it in the same transaction.
 */
#include "keys/subject.h"

#include "access/transam.h"
#include "access/xact.h"
#include "base/event.h"
#include "crypto/random.h"
#include "keys/revocation.h"
#include "keys/subject_table.h"
#include "keys/subject_wrap.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

/* Did this transaction write a tombstone, if only in a part that was undone? */
static bool erasing = false;

/*
 * A prepared erasure would be neither done nor undone, for days, and could come
 * after the journal was configured.
 */
static void
on_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_PREPARE && erasing)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has erased a subject"),
				 errhint("Commit it without PREPARE TRANSACTION.")));
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		erasing = false;
}

void
steward_subject_erase_init(void)
{
	RegisterXactCallback(on_transaction_end, NULL);
}

/*
 * Tells the audit trail, which cannot forget: of the subject's own id nothing,
 * only the uuid of its row, which the revocation journal has too. No digest
 * either, which a guess of a short id would confirm.
 */
static void
tell(const char *event, const StewardSubjectLabel *label,
	 const unsigned char *uuid, bool had_secret)
{
	StewardJson json;

	if (!steward_event_begin(&json, event))
		return;
	if (label != NULL)
		steward_json_text(&json, "kind",
						  pg_any_to_server(pnstrdup(label->kind, label->kind_len),
										   label->kind_len, PG_UTF8));
	steward_json_bytes(&json, "subject", uuid, STEWARD_UUID_BYTES);
	steward_json_flag(&json, "had_secret", had_secret);
	steward_event_end(&json);
}

/* Replaces the secret of a locked row; false when a tombstone is there. */
static bool
entomb(StewardSubjectRow *row)
{
	/* Somebody may have set erased_at alone: that erases nothing. */
	if (steward_subject_is_tombstone(row))
		return false;
	erasing = true;
	steward_subject_wrap_tombstone(row);
	steward_subject_table_entomb(row);
	return true;
}

/* Gives a subject that has no secret a tombstone; false when it has one now. */
static bool
bury_unknown(const StewardSubjectLabel *label)
{
	StewardSubjectRow row = {.erased = true};

	steward_random_key(row.uuid, sizeof row.uuid);
	erasing = true;
	steward_subject_wrap_tombstone(&row);
	if (!steward_subject_table_insert(label, &row))
		return false;
	steward_revocation_collect(row.uuid);
	tell("shred_subject", label, row.uuid, false);
	return true;
}

bool
steward_subject_erase(const StewardSubjectName *name)
{
	StewardSubjectLabel label;
	StewardSubjectRow row;

	steward_subject_label(&label, name);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!steward_subject_table_find_label(&label, &row))
		{
			if (bury_unknown(&label))
				return false;
		}
		else if (steward_subject_table_lock(&row))
			break;
	}
	if (!entomb(&row))
		return false;
	steward_revocation_collect(row.uuid);
	tell("shred_subject", &label, row.uuid, true);
	return true;
}

/* For what one row takes in memory, in a loop over many. */
static MemoryContext
make_row_context(void)
{
	return AllocSetContextCreate(CurrentMemoryContext, "row of an erasure",
								 ALLOCSET_DEFAULT_SIZES);
}

/* ---- after a restore ---- */

static void
add_alive(const StewardSubjectRow *row, void *arg)
{
	List	  **alive = arg;

	*alive = lappend(*alive, memcpy(palloc(STEWARD_UUID_BYTES), row->uuid,
									STEWARD_UUID_BYTES));
}

int64
steward_subject_apply_revocations(void)
{
	List	   *alive = NIL;
	ListCell   *cell;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch = make_row_context();
	int64		count = 0;

	/* The journal reads tables too: not while ours is being scanned. */
	steward_subject_table_scan(false, add_alive, &alive);
	foreach(cell, alive)
	{
		StewardSubjectRow row;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(scratch);
		MemoryContextSwitchTo(scratch);
		if (!steward_revocation_is_revoked(lfirst(cell)) ||
			!steward_subject_table_find(lfirst(cell), &row) ||
			!steward_subject_table_lock(&row) || !entomb(&row))
			continue;
		steward_revocation_collect(row.uuid);
		tell("apply_revocation", NULL, row.uuid, true);
		count++;
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	list_free_deep(alive);
	return count;
}

/* ---- the end of an erasure ---- */

typedef struct Pending
{
	List	   *uuids;
	TransactionId last_writer;
} Pending;

/*
 * A transaction that erased is seen as committed before the others have been told
 * to forget the secret; when its locks are gone they have.
 */
static void
add_pending(const StewardSubjectRow *row, void *arg)
{
	Pending    *pending = arg;

	if (row->final || row->own)
		return;
	pending->uuids = lappend(pending->uuids,
							 memcpy(palloc(STEWARD_UUID_BYTES), row->uuid,
									STEWARD_UUID_BYTES));
	if (TransactionIdIsNormal(row->writer) && row->writer != pending->last_writer)
	{
		XactLockTableWait(row->writer, NULL, NULL, XLTW_None);
		pending->last_writer = row->writer;
	}
}

List *
steward_subject_pending(void)
{
	Pending		pending = {NIL, InvalidTransactionId};

	steward_subject_table_scan(true, add_pending, &pending);
	return pending.uuids;
}

int64
steward_subject_finish(List *uuids)
{
	ListCell   *cell;
	StewardJson json;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch = make_row_context();
	int64		count = 0;

	foreach(cell, uuids)
	{
		StewardSubjectRow row;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(scratch);
		MemoryContextSwitchTo(scratch);
		if (!steward_subject_table_find(lfirst(cell), &row) ||
			!steward_subject_table_lock(&row) || row.final || !row.erased)
			continue;
		steward_subject_table_finish(&row);
		count++;
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	if (count > 0 && steward_event_begin(&json, "finish_erasure"))
	{
		steward_json_number(&json, "subjects", count);
		steward_event_end(&json);
	}
	return count;
}

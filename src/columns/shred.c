/*
 * shred.c: steward.shred_subject and what goes with it.
 *
 * Erasing is immediate: with the commit nobody opens the subject's values any
 * more, in older transactions neither. A transaction that had the key may still
 * commit a value under it; steward.finish_erasure waits until there is none left,
 * as CREATE INDEX CONCURRENTLY waits for those who may write without the index. Then it
 * removes the tags of the erased values from blind indexes.
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/errors.h"
#include "base/procedure.h"
#include "blind/erase.h"
#include "blind/relation.h"
#include "executor/spi.h"
#include "keys/quiesce.h"
#include "keys/subject.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "types/encrypted.h"
#include "utils/builtins.h"
#include "utils/wait_event.h"

#define PAUSE_MILLISECONDS 100

/* So long a wait says nothing. */
#define PATIENCE_PAUSES 10

STEWARD_FUNCTION(steward_shred_subject)
{
	static const char *const names[] = {"kind", "key"};
	text	   *kind;
	text	   *key;
	StewardPlaintextScope scope;
	StewardSubjectName name;
	StewardPlain kind_utf8;
	StewardPlain key_utf8;
	bool		erased;

	PreventCommandIfReadOnly("steward.shred_subject()");
	steward_require_arguments(fcinfo, lengthof(names), names);
	kind = PG_GETARG_TEXT_PP(0);
	key = PG_GETARG_TEXT_PP(1);
	/* The key may be personal: no error shows the statement. */
	steward_plaintext_begin(&scope);
	kind_utf8 = steward_text_to_utf8(VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind));
	key_utf8 = steward_text_to_utf8(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	name.kind = (char *) kind_utf8.bytes;
	name.kind_len = kind_utf8.len;
	name.key = (char *) key_utf8.bytes;
	name.key_len = key_utf8.len;
	erased = steward_subject_erase(&name);
	steward_plain_free(&kind_utf8);
	steward_plain_free(&key_utf8);
	steward_plaintext_end(&scope);
	PG_RETURN_BOOL(erased);
}

STEWARD_FUNCTION(steward_apply_revocations)
{
	PreventCommandIfReadOnly("steward.apply_revocations()");
	PG_RETURN_INT64(steward_subject_apply_revocations());
}

/* ---- waiting for the end ---- */

/*
 * One at a time waits for all others. Who has to wait for that commits meanwhile,
 * or the one would wait for the transaction of the other.
 */
static void
wait_for_turn(void)
{
	for (int pauses = 0; !steward_quiesce_try_lock(); pauses++)
	{
		if (pauses == PATIENCE_PAUSES)
			steward_quiesce_tell_turn();
		SPI_commit();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 PAUSE_MILLISECONDS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
begin_anew(void)
{
	SPI_commit();
	steward_begin_read_committed(false);
}

/*
 * Nobody computes tags of these subjects' values any more; those that are there go. If that
 * ends on the way, the erasures are not final, and it is done again.
 */
static void
erase_tags(const List *uuids)
{
	List	   *indexes = steward_blind_relations();
	ListCell   *cell;

	foreach(cell, indexes)
	{
		BlockNumber next = 0;

		while (next != InvalidBlockNumber)
		{
			begin_anew();
			steward_blind_erase(lfirst_oid(cell), uuids, &next);
		}
	}
	if (indexes != NIL)
		begin_anew();
}

static int64
finish_erasure(void)
{
	List	   *uuids = steward_subject_pending();

	if (uuids == NIL)
		return 0;
	/* No snapshot while we wait: it would hold up vacuum everywhere. */
	SPI_commit();
	wait_for_turn();
	steward_begin_read_committed(false);
	steward_quiesce();
	erase_tags(uuids);
	return steward_subject_finish(uuids);
}

STEWARD_FUNCTION(steward_finish_erasure)
{
	static const char *const names[] = {"finished"};
	int64		finished;

	steward_call_must_commit(fcinfo, "finish_erasure",
							 "It waits for other transactions, and must not make them wait in turn.");
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	finished = finish_erasure();
	SPI_finish();
	PG_RETURN_DATUM(steward_bigint_row(1, names, &finished));
}

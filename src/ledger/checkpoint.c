/*
 * checkpoint.c: signed tree heads; see checkpoint.h.
 */
#include "ledger/checkpoint.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "audit/sink.h"
#include "base/catalog.h"
#include "base/procedure.h"
#include "crypto/checkpoint.h"
#include "ledger/error.h"
#include "ledger/log.h"
#include "ledger/session.h"
#include "ledger/signer.h"
#include "ledger/values.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Columns of steward.ledger_checkpoint, counted from 0. */
enum
{
	CHECKPOINT_INCARNATION,
	CHECKPOINT_NUMBER,
	CHECKPOINT_KEY,
	CHECKPOINT_NOTE,
	CHECKPOINT_SIGNED_AT,
	CHECKPOINT_NATTS
};

static StewardRelationRef checkpoint_table = {"ledger_checkpoint"};
static StewardRelationRef checkpoint_key = {"ledger_checkpoint_pkey"};

char *
steward_checkpoint_stored(int32 incarnation, int64 number)
{
	Relation	table = steward_relation_open(&checkpoint_table, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *note = NULL;
	bool		isnull;

	ScanKeyInit(&keys[0], CHECKPOINT_INCARNATION + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(incarnation));
	ScanKeyInit(&keys[1], CHECKPOINT_NUMBER + 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(number));
	scan = systable_beginscan(table, steward_relation_oid(&checkpoint_key), true,
							  GetActiveSnapshot(), 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Datum		value = heap_getattr(tuple, CHECKPOINT_NOTE + 1,
										 RelationGetDescr(table), &isnull);

		note = isnull ? NULL : steward_value_string(value);
	}
	systable_endscan(scan);
	relation_close(table, AccessShareLock);
	return note;
}

static char *
sign_head(const StewardSigner *signer, const StewardBlock *block)
{
	StewardNoteKey key;
	char	   *note = palloc(STEWARD_CHECKPOINT_NOTE_BYTES);
	const unsigned char *seed;
	size_t		length;

	steward_signer_key(&key, signer, block->incarnation);
	seed = steward_signer_seed(signer);
	length = steward_checkpoint_sign(note, &key, seed, STEWARD_BLOCK_END(block),
									 &block->root);
	steward_signer_done();
	if (length == 0)
		steward_ledger_corrupted("a checkpoint cannot be written");
	return note;
}

char *
steward_checkpoint_note(const StewardBlock *block)
{
	char	   *note = steward_checkpoint_stored(block->incarnation, block->number);
	StewardSigner signer;

	if (note != NULL)
		return note;
	if (!steward_signer_newest(&signer))
		return NULL;
	return sign_head(&signer, block);
}

char *
steward_checkpoint_text(const StewardBlock *block)
{
	char	   *text = steward_checkpoint_note(block);
	char	   *origin;
	StewardCheckpoint head = {0};

	if (text != NULL)
		return text;
	origin = psprintf("unsigned/%d", block->incarnation);
	head.origin = origin;
	head.origin_len = strlen(origin);
	head.size = STEWARD_BLOCK_END(block);
	head.root = block->root;
	text = palloc(STEWARD_CHECKPOINT_TEXT_BYTES);
	if (steward_checkpoint_format(text, &head) == 0)
		steward_ledger_corrupted("a checkpoint cannot be written");
	return text;
}

/* Stores the newest checkpoint of a log, unless it is there. */
static void
store_newest(int32 incarnation)
{
	StewardBlock block;
	StewardSigner signer;
	char	   *note;
	Datum		values[CHECKPOINT_NATTS];
	bool		nulls[CHECKPOINT_NATTS] = {false};

	if (!steward_block_newest_committed(incarnation, &block) ||
		!steward_signer_newest(&signer) ||
		steward_checkpoint_stored(incarnation, block.number) != NULL)
		return;
	values[CHECKPOINT_INCARNATION] = Int32GetDatum(incarnation);
	values[CHECKPOINT_NUMBER] = Int64GetDatum(block.number);
	values[CHECKPOINT_KEY] = Int32GetDatum(signer.id);
	note = sign_head(&signer, &block);
	values[CHECKPOINT_NOTE] = steward_value_of_bytes(note, strlen(note));
	values[CHECKPOINT_SIGNED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	steward_sink_insert(&checkpoint_table, CHECKPOINT_NATTS, values, nulls);
}

static void
store_all(void *arg)
{
	StewardSession session;
	List	   *logs;
	ListCell   *cell;

	steward_session_begin(&session);
	PushActiveSnapshot(GetTransactionSnapshot());
	logs = steward_logs_present();
	foreach(cell, logs)
		store_newest(lfirst_int(cell));
	PopActiveSnapshot();
	steward_session_end(&session);
}

void
steward_checkpoints_try(int elevel)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "steward ledger checkpoint",
												  ALLOCSET_DEFAULT_SIZES);
	ErrorData  *error = steward_attempt(store_all, NULL, scratch);

	MemoryContextDelete(scratch);
	/* Who did the same at this moment has stored it. */
	if (error == NULL || error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION)
		return;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
		ReThrowError(error);
	ereport(elevel,
			(errcode(error->sqlerrcode),
			 errmsg("the checkpoint of the ledger was not signed: %s", error->message),
			 error->detail ? errdetail("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0));
}

/* The newest checkpoint of a log, or of the present one. */
STEWARD_FUNCTION(steward_ledger_checkpoint)
{
	StewardSession session;
	int32		incarnation;
	StewardBlock block;
	StewardSigner signer;
	char	   *note;
	Datum		result;

	steward_session_begin(&session);
	incarnation = PG_ARGISNULL(0) ? steward_log_default() : PG_GETARG_INT32(0);
	steward_signer_need(&signer);
	if (incarnation == 0 || !steward_block_newest_committed(incarnation, &block))
	{
		steward_session_end(&session);
		PG_RETURN_NULL();
	}
	note = steward_checkpoint_note(&block);
	result = steward_session_text(&session, note, strlen(note));
	steward_session_end(&session);
	PG_RETURN_DATUM(result);
}

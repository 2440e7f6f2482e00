/*
 * seal.c: sealing; see seal.h, and README for what a block is.
 *
 * The snapshot must be taken before this transaction has an id: a snapshot calls
 * its own transaction's changes visible, but they are not committed. For the same
 * reason a subtransaction, whose parent may have written, cannot seal.
 */
#include "base/compat.h"

#include "access/xact.h"
#include "audit/event.h"
#include "audit/segment.h"
#include "base/catalog.h"
#include "catalog/pg_extension.h"
#include "commands/async.h"
#include "crypto/leaf.h"
#include "executor/spi.h"
#include "ledger/block.h"
#include "ledger/checkpoint.h"
#include "ledger/error.h"
#include "ledger/export.h"
#include "ledger/log.h"
#include "ledger/scan.h"
#include "ledger/seal.h"
#include "ledger/session.h"
#include "ledger/tile.h"
#include "ledger/xids.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define CHANNEL "steward_ledger"

/* The part of the extension that sealers lock; nothing else has parts. */
#define SEALER_LOCK_PART 1

typedef struct Sealing
{
	int32		incarnation;
	StewardFrontier frontier;
	StewardTileWriter tiles;
} Sealing;

static void
append_leaf(Sealing *sealing, const StewardHash *leaf)
{
	if (!steward_frontier_append(&sealing->frontier, leaf, steward_tile_writer_add,
								 &sealing->tiles))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the ledger is full")));
}

static bool
append_record(void *arg, const StewardLeafRecord *record, const StewardHash *hash,
			  const StewardLogRow *row)
{
	Sealing    *sealing = arg;

	if (sealing->frontier.size == 0)
	{
		StewardHash opening;

		steward_log_open(sealing->incarnation, &opening);
		append_leaf(sealing, &opening);
	}
	append_leaf(sealing, hash);
	return true;
}

/* What goes before the new block: the last one, or nothing. */
static void
begin_after(Sealing *sealing, StewardLeafScan *scan, StewardBlock *block)
{
	StewardBlock last;

	block->incarnation = sealing->incarnation;
	if (steward_block_newest(sealing->incarnation, &last))
	{
		block->number = last.number + 1;
		block->first_leaf = STEWARD_BLOCK_END(&last);
		steward_block_digest(&block->previous, &last);
		sealing->frontier = last.frontier;
		steward_xids_parse(&scan->before, last.snapshot);
	}
	else
	{
		block->number = 1;
		block->first_leaf = 0;
		memset(&block->previous, 0, sizeof(StewardHash));
		steward_frontier_init(&sealing->frontier);
		steward_xids_parse(&scan->before, STEWARD_XIDS_NONE);
	}
	if (scan->before.xmax > scan->after.xmax)
		steward_ledger_corrupted("its newest block is ahead of the server's transactions");
}

static void
announce(const StewardBlock *block)
{
	char	   *payload = psprintf("%d " INT64_FORMAT " " INT64_FORMAT,
								   block->incarnation, block->number,
								   STEWARD_BLOCK_END(block));

	Async_Notify(CHANNEL, payload);
}

/* Seals one log under the active snapshot. */
static int64
seal_log(int32 incarnation)
{
	Sealing    *sealing = palloc0(sizeof(Sealing));
	StewardLeafScan scan = {.incarnation = incarnation, .record = append_record, .arg = sealing};
	StewardBlock block;
	char	   *snapshot = steward_xids_active();

	sealing->incarnation = incarnation;
	steward_tile_writer_begin(&sealing->tiles, incarnation);
	steward_xids_parse(&scan.after, snapshot);
	begin_after(sealing, &scan, &block);
	scan.digests = steward_digests_begin(incarnation);
	steward_leaf_scan(&scan, &block.contexts, &block.schemas);
	steward_digests_end(scan.digests);
	if (scan.leaves == 0)
		return 0;
	steward_tile_writer_end(&sealing->tiles);
	block.snapshot = snapshot;
	block.leaves = sealing->frontier.size - block.first_leaf;
	block.frontier = sealing->frontier;
	steward_frontier_root(&block.root, &block.frontier);
	block.sealed_at = GetCurrentTimestamp();
	steward_block_write(&block);
	announce(&block);
	return (int64) scan.leaves;
}

static int64
seal_logs(void)
{
	List	   *logs = steward_logs_present();
	ListCell   *cell;
	int64		records = 0;

	foreach(cell, logs)
	{
		records += seal_log(lfirst_int(cell));
	}
	return records;
}

/*
 * One sealer at a time, to the end of its transaction. The lock is on nothing that
 * vacuum or a dump would wait for.
 */
void
steward_lock_sealer(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId,
					   steward_extension_oid(false), SEALER_LOCK_PART);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/* The block is handed out once it is committed: then it must be durable. */
static void
commit_durably(void)
{
	if (synchronous_commit < SYNCHRONOUS_COMMIT_ON)
		(void) set_config_option("synchronous_commit", "on", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
}

int64
steward_seal_logs(void)
{
	StewardSession session;
	int64		records = 0;

	commit_durably();
	steward_lock_sealer();
	steward_session_begin(&session);
	/* After the lock, so that it sees the block of the sealer before. */
	PushActiveSnapshot(GetTransactionSnapshot());
	steward_segment_look_again();
	if (steward_audit_started())
		records = seal_logs();
	PopActiveSnapshot();
	steward_session_end(&session);
	return records;
}

static pg_attribute_noreturn() void
refuse(const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("steward.seal_ledger() cannot run here"),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

STEWARD_FUNCTION(steward_seal_ledger)
{
	const char *alone = "Call it as a statement of its own.";
	int64		records;

	PreventCommandIfReadOnly("steward.seal_ledger()");
	if (IsSubTransaction())
		refuse("It is called in a subtransaction.", alone);
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		refuse("This transaction has written already, and would seal what is not committed.",
			   alone);
	if (XactIsoLevel != XACT_READ_COMMITTED)
		refuse("The transaction is not READ COMMITTED, so its snapshot may be an old one.",
			   "Call it in a READ COMMITTED transaction.");
	records = steward_seal_logs();
	if (records > 0)
		steward_ledger_sealed();
	steward_checkpoints_try(WARNING);
	PG_RETURN_INT64(records);
}

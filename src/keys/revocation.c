/*
 * revocation.c: the revocation journal as a transaction sees it; see
 * revocation.h.
 *
 * The table is the truth, the journal follows it: a transaction that erases
 * writes the tombstone; before its commit it makes sure that the journal can
 * take the record; after it, and never before, it appends. What fails there, or
 * is cut short by a crash, is made up for by the worker, by the next process
 * that unwraps a subject's secret, or by the next erasure.
 */
#include "keys/revocation.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "base/relation_change.h"
#include "keys/revocation_state.h"
#include "keys/revocation_table.h"
#include "keys/revocation_worker.h"
#include "keys/roots.h"
#include "utils/inval.h"
#include "utils/memutils.h"

typedef struct Collected
{
	int			level;			/* of the subtransaction it belongs to */
	unsigned char subject[STEWARD_UUID_BYTES];
} Collected;

/* What this transaction erased, in TopTransactionContext. */
static Collected *collected = NULL;
static uint64 collected_count = 0;
static uint64 collected_capacity = 0;

static bool checked = false;	/* this transaction has seen a good journal */
static bool warned = false;
static bool remembered = false; /* it wrote what the database knows */
static bool none_checked = false;	/* for the life of the process */

/* From PRE_COMMIT to COMMIT: the open file and what is to be appended. */
static StewardJournalFile commit_file = STEWARD_JOURNAL_FILE_CLOSED;
static unsigned char *commit_subjects = NULL;

/* ---- erasing ---- */

static void
warn_none(void)
{
	if (warned)
		return;
	warned = true;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("there is no revocation journal"),
			 errdetail("Restoring a backup that is older than this erasure brings the subject's secret back."),
			 errhint("Set steward.revocation_file to a file outside the data directory and its backups.")));
}

static void
check_journal(void)
{
	if (checked)
		return;
	if (!steward_revocation_refresh(STEWARD_RECONCILE_NOW))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("this database has subjects but no realm"),
				 errhint("Restore table \"steward.realm\" together with the key tables.")));
	/* Else the worker does it. */
	if (!steward_revocation_worker_runs())
	{
		remembered = true;
		steward_revocation_copy_remember();
	}
	checked = true;
}

void
steward_revocation_collect(const unsigned char subject[STEWARD_UUID_BYTES])
{
	Collected  *entry;

	if (!steward_revocation_is_configured())
	{
		steward_revocation_require_none();
		warn_none();
		return;
	}
	check_journal();
	if (collected_count == collected_capacity)
	{
		uint64		capacity = Max(16, 2 * collected_capacity);

		collected = collected == NULL ?
			MemoryContextAlloc(TopTransactionContext,
							   capacity * sizeof(Collected)) :
			repalloc_huge(collected, capacity * sizeof(Collected));
		collected_capacity = capacity;
	}
	entry = &collected[collected_count++];
	entry->level = GetCurrentTransactionNestLevel();
	memcpy(entry->subject, subject, STEWARD_UUID_BYTES);
}

/* Opens the file and sets space aside; what can fail should fail here. */
static void
prepare_commit(void)
{
	StewardJournalFault fault;

	(void) steward_revocation_refresh(STEWARD_RECONCILE_NOT);
	commit_subjects = MemoryContextAllocHuge(TopTransactionContext,
											 collected_count * STEWARD_UUID_BYTES);
	for (uint64 i = 0; i < collected_count; i++)
		memcpy(commit_subjects + i * STEWARD_UUID_BYTES, collected[i].subject,
			   STEWARD_UUID_BYTES);
	steward_journal_file_close(&commit_file);
	if (!steward_journal_file_lock(&commit_file, STEWARD_JOURNAL_EXCLUSIVE |
								   STEWARD_JOURNAL_INTERRUPTIBLE, &fault))
		steward_journal_file_raise(&fault);
	steward_revocation_copy_read(&commit_file);
	if (!steward_revocation_copy_reserve(&commit_file, collected_count, &fault))
	{
		steward_journal_file_close(&commit_file);
		steward_journal_file_raise(&fault);
	}
	steward_journal_file_unlock(&commit_file);
}

/* Appends, without raising anything. */
static bool
append_committed(StewardJournalFault *fault)
{
	StewardJournalKeys keys = steward_root_journal_keys();
	StewardJournalReader reader;
	StewardJournalAppend append = {steward_revocation_copy_realm(), NULL,
	commit_subjects, collected_count};

	fault->error = 0;
	fault->detail = "The file is not the journal that it was before the commit.";
	if (commit_file.fd < 0 || keys.count == 0)
		return false;
	if (!steward_journal_file_lock(&commit_file, STEWARD_JOURNAL_EXCLUSIVE, fault))
		return false;
	reader = steward_revocation_copy_reader(&commit_file);
	if (!steward_journal_file_read(&commit_file, &reader, &keys, NULL, NULL, fault))
		return false;
	/* An empty file now was made by somebody else: leave it to be noticed. */
	if (reader.status != STEWARD_JOURNAL_OK || reader.end.count == 0)
		return false;
	return steward_journal_file_append(&commit_file, &reader,
									   &keys.keys[keys.count - 1], &append, fault);
}

static void
after_commit(void)
{
	StewardJournalFault fault;
	bool		appended = append_committed(&fault);

	steward_journal_file_close(&commit_file);
	if (!appended)
		steward_revocation_copy_suspect();
	steward_revocation_worker_wake(!appended);
	if (!appended)
	{
		errno = fault.error;
		ereport(WARNING,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("erased subjects are not in the revocation journal yet"),
				 fault.error != 0 ? errdetail("%s %m.", fault.detail) :
				 errdetail("%s", fault.detail),
				 errhint("The erasure is committed. Mend the journal; what is missing is then added to it.")));
	}
}

/* ---- transactions ---- */

/* Files that an error left open, and locked. */
static void
close_left_open(void)
{
	steward_revocation_copy_close();
	steward_revocation_rewrite_close();
}

static void
forget_transaction(bool aborted)
{
	if (aborted)
	{
		steward_journal_file_close(&commit_file);
		close_left_open();
		if (remembered)
			steward_revocation_copy_forget();
	}
	collected = NULL;
	collected_count = 0;
	collected_capacity = 0;
	commit_subjects = NULL;
	checked = false;
	warned = false;
	remembered = false;
}

static void
on_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (collected_count > 0)
				prepare_commit();
			break;
		case XACT_EVENT_PRE_PREPARE:
			if (collected_count > 0)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot PREPARE a transaction that has erased a subject"),
						 errdetail("The revocation journal is written when the transaction commits, by the session that commits it."),
						 errhint("Commit it without PREPARE TRANSACTION.")));
			break;
		case XACT_EVENT_COMMIT:
			if (collected_count > 0)
				after_commit();
			forget_transaction(false);
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
			forget_transaction(true);
			break;
		case XACT_EVENT_PREPARE:
			forget_transaction(false);
			break;
		default:
			break;
	}
}

static void
on_subtransaction_end(SubXactEvent event, SubTransactionId mine,
					  SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		/* Levels do not fall from one entry to the next. */
		while (collected_count > 0 && collected[collected_count - 1].level >= level)
			collected_count--;
		close_left_open();
		if (remembered)
			steward_revocation_copy_forget();
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (uint64 i = collected_count; i > 0 && collected[i - 1].level >= level; i--)
			collected[i - 1].level = level - 1;
	}
}

/* ---- unwrapping ---- */

bool
steward_revocation_is_revoked(const unsigned char subject[STEWARD_UUID_BYTES])
{
	if (!steward_revocation_is_configured())
	{
		if (!none_checked)
			steward_revocation_require_none();
		none_checked = true;
		return false;
	}
	none_checked = false;
	return steward_revocation_refresh(STEWARD_RECONCILE_ONCE) &&
		steward_revocation_copy_names(subject);
}

/*
 * A standby without a worker learns of new tombstones by the invalidations that
 * are replayed. On a primary those who erase do what is to be done.
 */
static void
on_relation_change(Datum arg, Oid relid)
{
	if ((!OidIsValid(relid) || steward_revocation_table_is(relid)) &&
		RecoveryInProgress())
		steward_revocation_copy_suspect();
}

void
steward_revocation_init(void)
{
	RegisterXactCallback(on_transaction_end, NULL);
	RegisterSubXactCallback(on_subtransaction_end, NULL);
	steward_on_relation_change(on_relation_change, (Datum) 0);
	steward_revocation_worker_init();
}

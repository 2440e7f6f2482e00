/*
 * rewrap.c: steward.rotate_root_key, which wraps everything anew under the newest
 * root of the keyring; no data is touched.
 *
 * First every transaction is waited for that may not have heard of the reload
 * that brought the new root: until then it wraps under the old one, and cannot
 * open what is under the new one. Then the few secrets of named keys go in one
 * transaction and the many of subjects in batches. What is under the newest root
 * already is passed over, so a run that was cut off is called again.
 */
#include "base/compat.h"

#include <sodium.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "base/catalog.h"
#include "base/event.h"
#include "base/procedure.h"
#include "base/rewrite.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "keys/manage.h"
#include "keys/quiesce.h"
#include "keys/revocation.h"
#include "keys/roots.h"
#include "keys/secrets.h"
#include "keys/subject.h"
#include "keys/tables.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"
#include "utils/wait_event.h"
#include "pgstat.h"

#define BATCH_MILLISECONDS 100
#define BATCH_BLOCKS 16

/* How long rows that others have locked are waited for in all. */
#define PATIENCE_MILLISECONDS 10000
#define PAUSE_MILLISECONDS 100

/* Columns of steward.subject_key, as subject.sql has them. */
enum
{
	SUBJECT_UUID = 1, SUBJECT_ROOT = 4, SUBJECT_WRAPPED = 7, SUBJECT_ERASED = 9
};

typedef struct Rewrap
{
	unsigned char realm[STEWARD_REALM_BYTES];
	unsigned char root_id[STEWARD_ROOT_ID_BYTES];	/* the newest */
	uint64		rewrapped;
	uint64		busy;			/* rows left by the last way through */
} Rewrap;

/* ---- one secret ---- */

static pg_attribute_noreturn() void
raise_altered(const char *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("table \"steward.%s\" holds a wrapped secret that cannot be opened",
					table),
			 errdetail("It was altered, or it belongs to another database."),
			 errhint("Restore the tables of schema \"steward\" together, from one dump.")));
}

static const StewardRoot *
need_root(const unsigned char *root_id)
{
	return steward_root_need(root_id, "Secrets of this database are wrapped under it.",
							 "Put it into the keyring, above the newest one, reload the configuration and call steward.rotate_root_key again.");
}

/* Wraps a secret anew, under the newest root; false when it cannot be opened. */
static bool
wrap_again(const Rewrap *rewrap, unsigned char out[STEWARD_WRAP_BYTES],
		   const unsigned char *wrapped, const unsigned char *root_id,
		   const StewardWrapContext *context)
{
	unsigned char *secret = steward_secrets()->scratch;
	const StewardRoot *newest;
	const StewardRoot *root;
	uint64		generation;
	bool		opened;

	/* Looking one up may read the keyring anew, and so move the other. */
	do
	{
		generation = steward_roots_generation();
		newest = need_root(rewrap->root_id);
		root = need_root(root_id);
	} while (generation != steward_roots_generation());
	opened = steward_wrap_open(secret, wrapped, STEWARD_WRAP_BYTES, root->key,
							   context);
	if (opened)
		steward_wrap_seal(out, newest->key, context, secret);
	sodium_memzero(secret, STEWARD_KEY_BYTES);
	return opened;
}

static const unsigned char *
bytes_of(Datum value, size_t len, const char *table)
{
	bytea	   *bytes = DatumGetByteaPP(value);

	if (VARSIZE_ANY_EXHDR(bytes) != len)
		raise_altered(table);
	return (unsigned char *) VARDATA_ANY(bytes);
}

static bool
is_newest(const Rewrap *rewrap, const unsigned char *root_id)
{
	return memcmp(root_id, rewrap->root_id, STEWARD_ROOT_ID_BYTES) == 0;
}

/* ---- named keys ---- */

/* A table of few rows: what identifies them, and how their wraps are bound. */
typedef struct SmallTable
{
	const char *name;
	const char *select;			/* kind, key id, number, root, wrap */
	const char *update;			/* the same five parameters, new root and wrap */
} SmallTable;

static const SmallTable small_tables[] = {
	{"key_version",
		"SELECT 1, v.key_id, v.key_tag, v.root_id, v.wrapped FROM steward.key_version AS v"
		" WHERE v.root_id OPERATOR(pg_catalog.<>) $1 AND v.destroyed_at IS NULL",
		"UPDATE steward.key_version AS v SET root_id = $4, wrapped = $5"
		" WHERE v.key_id OPERATOR(pg_catalog.=) $2 AND v.key_tag OPERATOR(pg_catalog.=) $3"
	" AND $1 OPERATOR(pg_catalog.=) 1"},
	{"key_secret",
		"SELECT s.kind, s.key_id, (s.generation OPERATOR(pg_catalog.-) 1)::bigint, s.root_id, s.wrapped FROM steward.key_secret AS s"
		" WHERE s.root_id OPERATOR(pg_catalog.<>) $1",
		"UPDATE steward.key_secret AS s SET root_id = $4, wrapped = $5"
		" WHERE s.kind OPERATOR(pg_catalog.=) $1 AND s.key_id OPERATOR(pg_catalog.=) $2"
	" AND s.generation OPERATOR(pg_catalog.=) ($3 OPERATOR(pg_catalog.+) 1)"},
};

static void
rewrap_small_row(Rewrap *rewrap, const SmallTable *table, HeapTuple row,
				 TupleDesc desc)
{
	Oid			types[5] = {INT4OID, INT4OID, INT8OID, BYTEAOID, BYTEAOID};
	unsigned char wrapped[STEWARD_WRAP_BYTES];
	StewardWrapContext context;
	Datum		values[5];
	bool		nulls[5];

	heap_deform_tuple(row, desc, values, nulls);
	steward_wrap_context(&context, rewrap->realm,
						 (StewardWrapKind) DatumGetInt32(values[0]),
						 (uint32) DatumGetInt32(values[1]),
						 (uint32) DatumGetInt64(values[2]));
	if (!wrap_again(rewrap, wrapped,
					bytes_of(values[4], STEWARD_WRAP_BYTES, table->name),
					bytes_of(values[3], STEWARD_ROOT_ID_BYTES, table->name),
					&context))
		raise_altered(table->name);
	values[3] = steward_bytes_datum(rewrap->root_id, STEWARD_ROOT_ID_BYTES);
	values[4] = steward_bytes_datum(wrapped, sizeof wrapped);
	rewrap->rewrapped += steward_keys_run(table->update, 5, types, values,
										  SPI_OK_UPDATE);
}

/* All keys at once: a new version or a revocation waits for a moment. */
static void
rewrap_keys(Rewrap *rewrap)
{
	StewardIdentity caller;
	Oid			types[1] = {BYTEAOID};

	steward_become_owner(&caller);
	steward_keys_lock();
	for (size_t i = 0; i < lengthof(small_tables); i++)
	{
		Datum		values[1] = {
			steward_bytes_datum(rewrap->root_id, STEWARD_ROOT_ID_BYTES)
		};
		SPITupleTable *rows;

		(void) steward_keys_run(small_tables[i].select, 1, types, values,
								SPI_OK_SELECT);
		rows = SPI_tuptable;
		for (uint64 row = 0; row < rows->numvals; row++)
			rewrap_small_row(rewrap, &small_tables[i], rows->vals[row],
							 rows->tupdesc);
		SPI_freetuptable(rows);
	}
	steward_become_caller(&caller);
}

/* ---- subjects ---- */

static bool
rewrap_subject(TupleTableSlot *old, Datum *values, bool *nulls, void *arg)
{
	Rewrap	   *rewrap = arg;
	const unsigned char *root_id = bytes_of(values[SUBJECT_ROOT - 1],
											STEWARD_ROOT_ID_BYTES, "subject_key");
	const unsigned char *wrapped;
	unsigned char again[STEWARD_WRAP_BYTES];
	bool		erased = !nulls[SUBJECT_ERASED - 1];
	StewardWrapContext context;

	if (is_newest(rewrap, root_id))
		return false;
	wrapped = bytes_of(values[SUBJECT_WRAPPED - 1], STEWARD_WRAP_BYTES,
					   "subject_key");
	steward_wrap_subject_context(&context, rewrap->realm,
								 erased ? STEWARD_WRAP_TOMBSTONE : STEWARD_WRAP_SUBJECT_SECRET,
								 DatumGetUUIDP(values[SUBJECT_UUID - 1])->data);
	/* What a tombstone wraps is as good as a secret here: it says the same. */
	if (!wrap_again(rewrap, again, wrapped, root_id, &context))
		raise_altered("subject_key");
	values[SUBJECT_ROOT - 1] = steward_bytes_datum(rewrap->root_id,
												   STEWARD_ROOT_ID_BYTES);
	values[SUBJECT_WRAPPED - 1] = steward_bytes_datum(again, sizeof again);
	return true;
}

/* One transaction's work from a block on; returns where it ended. */
static BlockNumber
rewrap_batch(Rewrap *rewrap, BlockNumber block, BlockNumber end)
{
	static StewardRelationRef subjects = {"subject_key"};
	StewardIdentity caller;
	StewardRewrite rewrite;
	Relation	rel;
	instr_time	start;
	instr_time	now;

	INSTR_TIME_SET_CURRENT(start);
	steward_become_owner(&caller);
	rel = steward_relation_open(&subjects, RowExclusiveLock);
	PushActiveSnapshot(GetTransactionSnapshot());
	steward_rewrite_begin(&rewrite, rel, rewrap_subject, rewrap);
	do
	{
		BlockNumber next = Min(end, block + BATCH_BLOCKS);

		steward_rewrite_blocks(&rewrite, block, next);
		block = next;
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
	} while (block < end && INSTR_TIME_GET_MILLISEC(now) < BATCH_MILLISECONDS);
	rewrap->rewrapped += rewrite.changed;
	rewrap->busy += rewrite.busy;
	steward_rewrite_end(&rewrite);
	PopActiveSnapshot();
	relation_close(rel, NoLock);
	steward_become_caller(&caller);
	return block;
}

static BlockNumber
count_blocks(void)
{
	static StewardRelationRef subjects = {"subject_key"};
	Relation	rel = steward_relation_open(&subjects, AccessShareLock);
	BlockNumber blocks = RelationGetNumberOfBlocks(rel);

	relation_close(rel, AccessShareLock);
	return blocks;
}

/* ---- the call ---- */

static void
commit(void)
{
	SPI_commit();
	steward_begin_read_committed(true);
}

/* Secrets that another root wraps, by root; those of missing roots raise. */
static uint64
count_others(const Rewrap *rewrap)
{
	StewardIdentity caller;
	Oid			types[1] = {BYTEAOID};
	Datum		values[1] = {
		steward_bytes_datum(rewrap->root_id, STEWARD_ROOT_ID_BYTES)
	};
	uint64		others = 0;

	steward_become_owner(&caller);
	(void) steward_keys_run("SELECT w.root_id, pg_catalog.count(*) FROM"
							" (SELECT v.root_id FROM steward.key_version AS v WHERE v.root_id IS NOT NULL"
							" UNION ALL SELECT s.root_id FROM steward.key_secret AS s"
							" UNION ALL SELECT k.root_id FROM steward.subject_key AS k) AS w"
							" WHERE w.root_id OPERATOR(pg_catalog.<>) $1 GROUP BY w.root_id",
							1, types, values, SPI_OK_SELECT);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		root = SPI_getbinval(SPI_tuptable->vals[i],
										 SPI_tuptable->tupdesc, 1, &isnull);

		(void) need_root(bytes_of(root, STEWARD_ROOT_ID_BYTES, "subject_key"));
		others += (uint64) DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
													   SPI_tuptable->tupdesc, 2,
													   &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	steward_become_caller(&caller);
	return others;
}

/* Goes through the subjects until all are done, or stay locked for too long. */
static void
rewrap_subjects(Rewrap *rewrap)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext,
												"root rotation batch",
												ALLOCSET_DEFAULT_SIZES);

	for (int patience = PATIENCE_MILLISECONDS; patience > 0;
		 patience -= PAUSE_MILLISECONDS)
	{
		BlockNumber end = count_blocks();

		rewrap->busy = 0;
		for (BlockNumber block = 0; block < end;)
		{
			MemoryContext caller = MemoryContextSwitchTo(batch);

			block = rewrap_batch(rewrap, block, end);
			MemoryContextSwitchTo(caller);
			MemoryContextReset(batch);
			commit();
			CHECK_FOR_INTERRUPTS();
		}
		if (rewrap->busy == 0)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 PAUSE_MILLISECONDS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	MemoryContextDelete(batch);
}

/* Says of every older root of the keyring whether it is needed any more. */
static void
tell(const Rewrap *rewrap, uint64 remaining)
{
	const StewardKeyring *keyring = steward_roots();
	char		hex[2 * STEWARD_ROOT_ID_BYTES + 1];

	if (remaining > 0)
	{
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg_plural("%llu secret is still wrapped under an older root key",
							   "%llu secrets are still wrapped under older root keys",
							   (unsigned long) remaining,
							   (unsigned long long) remaining),
				 errhint("They were locked: call steward.rotate_root_key again.")));
		return;
	}
	for (size_t i = 0; i < keyring->count; i++)
	{
		if (is_newest(rewrap, keyring->roots[i].id))
			continue;
		(void) sodium_bin2hex(hex, sizeof hex, keyring->roots[i].id,
							  STEWARD_ROOT_ID_BYTES);
		ereport(NOTICE,
				(errmsg("root key %s wraps nothing in this database any more", hex),
				 errhint("It can leave the keyring when the other databases of the server are done and no backup from before is to be restored.")));
	}
}

/* The id of a root key is its name, and no secret. */
static void
record(const Rewrap *rewrap, const char *state, int64 remaining)
{
	StewardJson event;

	if (!steward_event_begin(&event, "rotate_root_key"))
		return;
	steward_json_text(&event, "state", state);
	steward_json_bytes(&event, "root", rewrap->root_id, STEWARD_ROOT_ID_BYTES);
	steward_json_number(&event, "rewrapped", (int64) rewrap->rewrapped);
	if (remaining >= 0)
		steward_json_number(&event, "remaining", remaining);
	steward_event_end(&event);
}

static void
begin(Rewrap *rewrap)
{
	memcpy(rewrap->root_id, steward_root_current()->id, STEWARD_ROOT_ID_BYTES);
	if (!steward_key_table_realm(rewrap->realm))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("this database has no keys"),
				 errhint("There is nothing to rotate.")));
	(void) count_others(rewrap);
	steward_root_note();
	record(rewrap, "begun", -1);
}

STEWARD_FUNCTION(steward_rotate_root_key)
{
	Rewrap		rewrap = {0};
	static const char *const names[] = {"rewrapped", "remaining"};
	int64		numbers[2];
	uint64		remaining;

	steward_call_must_commit(fcinfo, "rotate_root_key",
							 "Call it by itself: it commits after each batch.");
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	commit();
	steward_quiesce_lock(true);
	steward_quiesce();
	begin(&rewrap);
	rewrap_keys(&rewrap);
	commit();
	rewrap_subjects(&rewrap);
	remaining = count_others(&rewrap);
	record(&rewrap, "ended", (int64) remaining);
	SPI_commit();
	steward_revocation_rekey();
	steward_quiesce_unlock();
	tell(&rewrap, remaining);
	SPI_finish();

	numbers[0] = (int64) rewrap.rewrapped;
	numbers[1] = (int64) remaining;
	PG_RETURN_DATUM(steward_bigint_row(2, names, numbers));
}

/*
 * destroy.c: destroying versions of keys that nothing is under any more.
 *
 * Writers seal under the newest version only, so it is enough to look once when
 * all is still:
 *
 * 1. Every transaction that was there at the beginning is waited for: it may have
 *	  sealed under the version before rotate_key, or have read values under it.
 * 2. All places are locked against writers, and read through with all their row
 *	  versions that somebody can still see. What a snapshot taken since has
 *	  not seen, nobody can carry along into another row.
 * 3. The wrapped key goes, in the same transaction. Whoever waited for a lock
 *	  meanwhile hears of it before going on.
 *
 * Lock order: the right to destroy (without waiting), the places by oid,
 * steward.key. Writers and other functions of keys queue behind these locks, so
 * they are waited for in slices, and all given back in between; see slices.h.
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "base/slices.h"
#include "catalog/pg_type_d.h"
#include "columns/remains.h"
#include "executor/spi.h"
#include "keys/manage.h"
#include "keys/quiesce.h"
#include "keys/roots.h"
#include "keys/tables.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

/* Waits for those that make a new place right now. */
static void
wait_for_places(uint32 holder_id)
{
	TransactionId pending;

	for (;;)
	{
		list_free(steward_remains_places(holder_id, &pending));
		if (!TransactionIdIsValid(pending))
			return;
		XactLockTableWait(pending, NULL, NULL, XLTW_None);
	}
}

/* The tag of the version, which must be one that may be destroyed. */
static uint32
check_version(const char *path, uint32 holder_id, int32 version)
{
	StewardWrappedRow *rows;
	StewardWrappedRow *found = NULL;
	StewardWrappedRow *newest = NULL;
	int			count = steward_key_table_versions(holder_id, &rows);

	for (int i = 0; i < count; i++)
	{
		if (rows[i].version == version)
			found = &rows[i];
		if (newest == NULL || rows[i].version > newest->version)
			newest = &rows[i];
	}
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("key \"%s\" has no version %d", path, version)));
	if (found->destroyed)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of key \"%s\" was destroyed already", version,
						path)));
	if (found == newest)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("version %d of key \"%s\" is the current one", version,
						path),
				 errhint("Make a new one with steward.rotate_key('%s'), then re-encrypt.",
						 path)));
	if (newest->own)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("the newer version of key \"%s\" is not committed yet", path),
				 errdetail("Until then others write under version %d.", version)));
	return found->key_tag;
}

static char *
name_of(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

/* Refuses when anything may still be under the version. */
static void
check_remains(const char *path, int32 version, const StewardRemains *remains)
{
	if (remains->values > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg_plural("%llu value is under version %d of key \"%s\"",
							   "%llu values are under version %d of key \"%s\"",
							   (unsigned long) remains->values,
							   (unsigned long long) remains->values, version, path),
				 errdetail("Some are in %s.", name_of(remains->values_in)),
				 get_rel_relkind(remains->values_in) == RELKIND_MATVIEW
				 ? errhint("Refresh the materialized view.")
				 : errhint("Move them with CALL steward.reencrypt('%s').",
						   name_of(remains->values_in))));
	if (OidIsValid(remains->unread))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("table \"%s\" cannot be looked at",
						get_rel_name(remains->unread)),
				 errdetail("Values under version %d of key \"%s\" may be in it.",
						   version, path),
				 errhint("A temporary table goes with its session.")));
	if (OidIsValid(remains->remembered_in))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("version %d of key \"%s\" may still be needed by a running transaction",
						version, path),
				 errdetail("Values under it were in %s until just now.",
						   name_of(remains->remembered_in)),
				 errhint("Try again.")));
	if (OidIsValid(remains->index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("index %s still compares with values under version %d of key \"%s\"",
						name_of(remains->index), version, path),
				 errhint("Build it anew with REINDEX INDEX CONCURRENTLY %s.",
						 name_of(remains->index))));
}

/* How long others may be in the way of the locks, without lock_timeout. */
#define PATIENCE_MILLISECONDS 60000

typedef struct Locking
{
	uint32		holder_id;
	MemoryContext context;		/* of the list */
	List	   *places;			/* locked */
	TransactionId pending;		/* makes another one */
} Locking;

/* The places, and then the keys; SPI is connected, we are the owner. */
static void
lock_all(void *arg)
{
	Locking    *locking = arg;
	MemoryContext scratch = CurrentMemoryContext;

	steward_remains_lock(steward_remains_places(locking->holder_id,
												&locking->pending));
	/* What was made while we waited for the locks. */
	MemoryContextSwitchTo(locking->context);
	locking->places = steward_remains_places(locking->holder_id,
											 &locking->pending);
	MemoryContextSwitchTo(scratch);
	steward_remains_lock(locking->places);
	steward_keys_lock();
}

/* The places, all of them locked, as are the keys. */
static List *
lock_patiently(const char *path, int32 version, uint32 holder_id)
{
	Locking		locking = {.holder_id = holder_id, .context = CurrentMemoryContext};

	if (!steward_in_slices(lock_all, &locking,
						   LockTimeout > 0 ? LockTimeout : PATIENCE_MILLISECONDS))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("other transactions stay in the way of destroying version %d of key \"%s\"",
						version, path),
				 errhint("Try again when they have ended; pg_stat_activity and pg_prepared_xacts show them.")));
	if (TransactionIdIsValid(locking.pending))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("a running transaction makes a column under this key"),
				 errhint("Try again.")));
	return locking.places;
}

/* Looks into the places, which are locked; SPI is connected, we are the owner. */
static void
look(StewardRemains *remains, List *places)
{
	PushActiveSnapshot(GetLatestSnapshot());
	steward_remains_look(remains, places);
	PopActiveSnapshot();
}

static void
destroy(uint32 holder_id, int32 version, bool force, uint64 values_left)
{
	Oid			types[4] = {INT4OID, INT4OID, BOOLOID, INT8OID};
	Datum		values[4] = {
		Int32GetDatum((int32) holder_id), Int32GetDatum(version),
		BoolGetDatum(force), Int64GetDatum((int64) values_left)
	};

	if (steward_keys_run("UPDATE steward.key_version AS v SET wrapped = NULL, root_id = NULL,"
						 " destroyed_at = pg_catalog.clock_timestamp()"
						 " WHERE v.key_id OPERATOR(pg_catalog.=) $1"
						 " AND v.version OPERATOR(pg_catalog.=) $2",
						 2, types, values, SPI_OK_UPDATE) != 1)
		elog(ERROR, "key version is gone");
	(void) steward_keys_run("INSERT INTO steward.key_destruction (key_id, version, forced, values_left)"
							" VALUES ($1, $2, $3, $4)",
							4, types, values, SPI_OK_INSERT);
}

static void
tell(const char *path, int32 version, bool force, uint64 values_left)
{
	StewardJson event;

	if (!steward_event_begin(&event, "destroy_key_version"))
		return;
	steward_json_text(&event, "key", path);
	steward_json_number(&event, "version", version);
	steward_json_flag(&event, "force", force);
	steward_json_number(&event, "values_left", (int64) values_left);
	steward_event_end(&event);
}

STEWARD_FUNCTION(steward_destroy_key_version)
{
	static const char *const names[] = {"key", "version", "force"};
	char	   *path;
	int32		version;
	bool		force;
	StewardRemains remains = {0};
	List	   *places;
	StewardIdentity caller;

	PreventCommandIfReadOnly("steward.destroy_key_version()");
	steward_require_arguments(fcinfo, lengthof(names), names);
	path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	version = PG_GETARG_INT32(1);
	force = PG_GETARG_BOOL(2);
	remains.holder_id = steward_key_find_holder(path, "versions");
	(void) check_version(path, remains.holder_id, version);
	steward_quiesce_lock(false);
	remains.since = RegisterSnapshot(GetLatestSnapshot());
	if (!force)
	{
		steward_quiesce();
		wait_for_places(remains.holder_id);
	}

	SPI_connect();
	steward_become_owner(&caller);
	places = lock_patiently(path, version, remains.holder_id);
	remains.key_tag = check_version(path, remains.holder_id, version);
	look(&remains, places);
	if (!force)
		check_remains(path, version, &remains);
	destroy(remains.holder_id, version, force, remains.values);
	steward_become_caller(&caller);
	tell(path, version, force, remains.values);
	SPI_finish();
	UnregisterSnapshot(remains.since);
	PG_RETURN_VOID();
}

/* For steward.key_status. */
STEWARD_FUNCTION(steward_current_root)
{
	if (!steward_roots_configured())
		PG_RETURN_NULL();
	PG_RETURN_DATUM(steward_bytes_datum(steward_root_current()->id,
										STEWARD_ROOT_ID_BYTES));
}

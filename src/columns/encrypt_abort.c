/*
 * encrypt_abort.c: abort_column_conversion, which gives an online conversion up.
 *
 * It takes away what it finds, also what somebody has damaged.
 */
#include "columns/conversion.h"

#include "access/relation.h"
#include "base/event.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/argument.h"
#include "base/catalog.h"
#include "base/slices.h"

static void
refuse_unless_free(Oid relid)
{
	if (!steward_conversion_lock(relid, false))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("a column of table \"%s\" is being converted by another session",
						get_rel_name(relid)),
				 errhint("End that session first; see steward.column_progress.")));
}

static void
lock_table(void *arg)
{
	Oid			relid = *(const Oid *) arg;

	/* Before the lock too, so that it is no means to block others. */
	steward_conversion_check_owner(relid);
	LockRelationOid(relid, AccessExclusiveLock);
}

/* Readers and writers queue behind us, so it waits in slices. */
static void
lock_patiently(Oid relid, double patience)
{
	char	   *table = get_rel_name(relid);

	if (!steward_in_slices(lock_table, &relid, patience))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("other transactions stay in the way of giving up the conversion of a column of table \"%s\"",
						table),
				 errhint("Call the function again when they have ended; pg_stat_activity and pg_prepared_xacts show them.")));
}

/* The shadow's name, from the trigger or else from the record, if it is there. */
static char *
shadow_of(Oid relid, char *shadow, const StewardConversionState *state)
{
	if (shadow == NULL && state != NULL &&
		get_attnum(relid, state->shadow) != InvalidAttrNumber)
		return state->shadow;
	return shadow;
}

static void
say_remains(Oid relid, const StewardConversionState *state)
{
	if (state != NULL && !state->encrypt)
		ereport(NOTICE,
				(errmsg("plaintext that was written to the shadow column remains in the rows of table \"%s\" until they are rewritten",
						get_rel_name(relid)),
				 errhint("Run VACUUM FULL %s when the table can be locked.",
						 steward_conversion_table(relid))));
}

STEWARD_FUNCTION(steward_abort_column_conversion)
{
	Oid			relid;
	double		patience;
	StewardConversionState *state;
	StewardIdentity identity;
	Relation	rel;
	Oid			owner;
	char	   *trigger;
	char	   *shadow;

	PreventCommandIfReadOnly("steward.abort_column_conversion()");
	steward_require_argument(fcinfo, 0, "relation");
	patience = steward_patience_argument(fcinfo, 1, "patience");
	relid = PG_GETARG_OID(0);
	steward_conversion_check_owner(relid);
	refuse_unless_free(relid);
	lock_patiently(relid, patience);
	rel = steward_named_relation_open(relid, NoLock);
	steward_conversion_check_owner(relid);
	owner = rel->rd_rel->relowner;
	state = steward_conversion_state(relid);
	steward_conversion_find_remains(rel, &trigger, &shadow);
	relation_close(rel, NoLock);
	if (trigger == NULL && state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no online conversion of a column of table \"%s\" has begun",
						get_rel_name(relid))));
	steward_become(owner, &identity);
	steward_conversion_remove(relid, trigger, shadow_of(relid, shadow, state));
	steward_become_caller(&identity);
	steward_conversion_state_end(relid);
	steward_event_column("abort_column_conversion", relid, NULL);
	say_remains(relid, state);
	PG_RETURN_VOID();
}

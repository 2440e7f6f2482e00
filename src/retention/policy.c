/*
 * policy.c: what is stored of policies, their locks, and reading them; see policy.h.
 */
#include "retention/policy.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "base/catalog.h"

static StewardRelationRef definition_ref = {"policy_definition"};

static const char *const action_names[] = {
	[STEWARD_DELETE] = "delete",
	[STEWARD_ANONYMIZE] = "anonymize",
	[STEWARD_ARCHIVE] = "archive",
	[STEWARD_DROP_PARTITION] = "drop_partition",
	[STEWARD_SHRED] = "shred"
};

static const char *const child_action_names[] = {
	[STEWARD_CHILD_RESTRICT] = "restrict",
	[STEWARD_CHILD_CASCADE] = "cascade",
	[STEWARD_CHILD_SET_NULL] = "set null"
};

/* The place of a name in a list, or -1. */
static int
place_of(const char *name, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -1;
}

StewardAction
steward_action_named(const char *name)
{
	int			place = place_of(name, action_names, lengthof(action_names));

	if (place < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown retention action \"%s\"", name),
				 errhint("Known actions are: delete, anonymize, archive, drop_partition, shred.")));
	return (StewardAction) place;
}

const char *
steward_action_name(StewardAction action)
{
	return action_names[action];
}

StewardChildAction
steward_child_action_named(const char *name)
{
	int			place = place_of(name, child_action_names,
								 lengthof(child_action_names));

	if (place < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown action \"%s\" for rows that refer to expired ones", name),
				 errhint("Known actions are: cascade, restrict, set null.")));
	return (StewardChildAction) place;
}

const char *
steward_child_action_name(StewardChildAction action)
{
	return child_action_names[action];
}

/*
 * The lock is a heavyweight lock on an object of class steward.policy_definition, whose
 * number is 48 bits of a hash of the name.
 */
static void
set_lock_tag(LOCKTAG *tag, const char *name)
{
	uint64		hash = DatumGetUInt64(hash_any_extended((const unsigned char *) name,
														strlen(name), 0));

	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, steward_relation_oid(&definition_ref),
					   (uint32) hash, (uint16) (hash >> 32));
}

bool
steward_policy_lock(const char *name, bool session, bool wait)
{
	LOCKTAG		tag;

	set_lock_tag(&tag, name);
	return LockAcquire(&tag, ExclusiveLock, session, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

bool
steward_policy_lock_wanted(const char *name)
{
	LOCKTAG		tag;

	set_lock_tag(&tag, name);
	return LockHasWaiters(&tag, ExclusiveLock, true);
}

void
steward_policy_unlock(const char *name)
{
	LOCKTAG		tag;

	set_lock_tag(&tag, name);
	(void) LockRelease(&tag, ExclusiveLock, true);
}

static void
execute(const char *sql, int expected, int count, Oid *types, Datum *values,
		const char *nulls, bool read_only)
{
	StewardIdentity identity;
	int			answer;

	steward_become_owner(&identity);
	answer = SPI_execute_with_args(sql, count, types, values, nulls, read_only, 0);
	steward_become_caller(&identity);
	if (answer != expected)
		elog(ERROR, "unexpected answer %d from SPI", answer);
}

void
steward_policy_sql(const char *sql, int expected, int count,
				   Oid *types, Datum *values, const char *nulls)
{
	execute(sql, expected, count, types, values, nulls, false);
}

void
steward_policy_look(const char *sql, int count, Oid *types, Datum *values)
{
	execute(sql, SPI_OK_SELECT, count, types, values, NULL, true);
}

void
steward_policy_check_right(const char *name, Oid relid)
{
	bool		exists = get_rel_name(relid) != NULL;

	if (exists ? STEWARD_OWNS_RELATION(relid, GetUserId())
		: has_privs_of_role(GetUserId(), steward_extension_owner()))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for policy \"%s\"", name),
			 errdetail("A policy is run, changed and dropped by the owner of its table.")));
}

static void
raise_missing(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("policy \"%s\" does not exist", name)));
}

/* A column of a row of SPI_tuptable; with isnull it may be null. */
static Datum
result_column(uint64 row, int number, bool *isnull)
{
	bool		null;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, number, &null);

	if (isnull != NULL)
		*isnull = null;
	else if (null)
		elog(ERROR, "unexpected null in column %d of a policy", number);
	return value;
}

static char *
result_text(uint64 row, int number)
{
	bool		isnull;
	Datum		value = result_column(row, number, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static void
read_children(StewardPolicy *policy)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(policy->name)};

	steward_policy_sql("SELECT c.child, c.\"constraint\"::pg_catalog.text, c.action"
					   " FROM steward.policy_child AS c"
					   " WHERE c.policy OPERATOR(pg_catalog.=) $1 ORDER BY c.child, 2",
					   SPI_OK_SELECT, lengthof(types), types, values, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		StewardChild *child = palloc(sizeof(StewardChild));

		child->table = DatumGetObjectId(result_column(i, 1, NULL));
		child->constraint = result_text(i, 2);
		child->action = steward_child_action_named(result_text(i, 3));
		policy->children = lappend(policy->children, child);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* From the only row of the result, as steward_policy_read asks for it. */
static void
read_definition(StewardPolicy *policy)
{
	bool		isnull;
	Datum		value;

	policy->relation = DatumGetObjectId(result_column(0, 1, NULL));
	policy->age = result_text(0, 2);
	policy->filter = result_text(0, 3);
	policy->keep = *DatumGetIntervalP(result_column(0, 4, NULL));
	policy->action = steward_action_named(result_text(0, 5));
	value = result_column(0, 6, &isnull);
	policy->columns = isnull ? NULL : DatumGetJsonbPCopy(value);
	value = result_column(0, 7, &isnull);
	policy->archive = isnull ? InvalidOid : DatumGetObjectId(value);
	policy->schedule = result_text(0, 8);
	policy->time_zone = result_text(0, 9);
	policy->paused = DatumGetBool(result_column(0, 10, NULL));
	policy->cutoff = DatumGetTimestampTz(result_column(0, 11, NULL));
	policy->cutoff_local = DatumGetTimestamp(result_column(0, 12, NULL));
	policy->cutoff_date = DatumGetInt32(result_column(0, 13, NULL));
}

StewardPolicy *
steward_policy_read(const char *name)
{
	StewardPolicy *policy = palloc0(sizeof(StewardPolicy));
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};

	steward_policy_sql("SELECT p.relation, p.age, p.filter, p.keep, p.action, p.columns,"
					   " p.archive, p.schedule, p.time_zone, s.paused_at IS NOT NULL,"
					   " c.moment, c.moment AT TIME ZONE p.time_zone,"
					   " (c.moment AT TIME ZONE p.time_zone)::pg_catalog.date"
					   " FROM steward.policy_definition AS p"
					   " LEFT JOIN steward.policy_state AS s"
					   " ON s.policy OPERATOR(pg_catalog.=) p.name,"
					   " LATERAL (SELECT steward.policy_cutoff(p.keep, p.time_zone)) AS c (moment)"
					   " WHERE p.name OPERATOR(pg_catalog.=) $1",
					   SPI_OK_SELECT, lengthof(types), types, values, NULL);
	if (SPI_processed == 0)
		raise_missing(name);
	policy->name = pstrdup(name);
	read_definition(policy);
	SPI_freetuptable(SPI_tuptable);
	steward_policy_check_right(name, policy->relation);
	read_children(policy);
	return policy;
}

StewardPolicy *
steward_policy_lock_read(const char *name)
{
	/*
	 * Nobody without the right may wait in the queue, where others wait for
	 * him.
	 */
	(void) steward_policy_read(name);
	(void) steward_policy_lock(name, false, true);
	return steward_policy_read(name);
}

void
steward_policy_require_table(const StewardPolicy *policy)
{
	if (get_rel_name(policy->relation) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table of policy \"%s\" no longer exists", policy->name),
				 errhint("Drop the policy with steward.drop_policy.")));
}

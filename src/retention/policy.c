/*
 * policy.c: creating, reading and dropping policies; see policy.h.
 */
#include "retention/policy.h"

#include "access/relation.h"
#include "base/event.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/argument.h"
#include "base/catalog.h"
#include "retention/target.h"

static StewardRelationRef policy_ref = {"policy"};

/*
 * The lock is a heavyweight lock on an object of class steward.policy, whose
 * number is 48 bits of a hash of the name.
 */
static void
set_lock_tag(LOCKTAG *tag, const char *name)
{
	uint64		hash = DatumGetUInt64(hash_any_extended((const unsigned char *) name,
														strlen(name), 0));

	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, steward_relation_oid(&policy_ref),
					   (uint32) hash, (uint16) (hash >> 32));
}

bool
steward_policy_lock(const char *name, bool session, bool wait)
{
	LOCKTAG		tag;

	set_lock_tag(&tag, name);
	return LockAcquire(&tag, ExclusiveLock, session, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

void
steward_policy_unlock(const char *name)
{
	LOCKTAG		tag;

	set_lock_tag(&tag, name);
	(void) LockRelease(&tag, ExclusiveLock, true);
}

void
steward_policy_sql(const char *sql, int expected, int count,
				   Oid *types, Datum *values, const char *nulls)
{
	StewardIdentity identity;
	int			answer;

	steward_become_owner(&identity);
	answer = SPI_execute_with_args(sql, count, types, values, nulls, false, 0);
	steward_become_caller(&identity);
	if (answer != expected)
		elog(ERROR, "unexpected answer %d from SPI", answer);
}

static char *
argument_text(FunctionCallInfo fcinfo, int number, const char *name)
{
	steward_require_argument(fcinfo, number, name);
	return text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static void
check_action(const char *action)
{
	if (strcmp(action, "delete") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown retention action \"%s\"", action),
				 errhint("Known actions are: delete.")));
}

static void
check_keep(const Interval *keep)
{
	if (keep->month < 0 || keep->day < 0 || keep->time < 0 ||
		STEWARD_INTERVAL_IS_INFINITE(keep) ||
		(keep->month == 0 && keep->day == 0 && keep->time == 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rows must be kept for a positive interval"),
				 errhint("Give how long rows are kept, for example '90 days'.")));
}

/* The zone whose calendar counts: the one asked for, else the session's. */
static const char *
choose_time_zone(FunctionCallInfo fcinfo, int number)
{
	const char *name;
	pg_tz	   *zone;

	if (PG_ARGISNULL(number))
		name = GetConfigOption("TimeZone", false, false);
	else
		name = text_to_cstring(PG_GETARG_TEXT_PP(number));

	zone = pg_tzset(name);
	if (zone == NULL || !pg_tz_acceptable(zone))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" is not known", name),
				 errhint("Use a name from pg_timezone_names, for example Europe/Berlin.")));
	return pg_get_timezone_name(zone);
}

/* Raises unless the caller owns the table, and a policy can be made for it. */
static void
check_table(Oid relid, const char *age)
{
	Relation	rel = steward_own_relation_open(relid, AccessShareLock);

	steward_target_check(rel);
	relation_close(rel, NoLock);
	list_free(steward_target_leaves(relid, age));
}

static void
insert_policy(const char *name, Oid relid, const char *age, const Interval *keep,
			  const char *action, const char *time_zone)
{
	Oid			types[] = {TEXTOID, REGCLASSOID, TEXTOID, INTERVALOID, TEXTOID,
	TEXTOID, TEXTOID};
	Datum		values[] = {
		CStringGetTextDatum(name), ObjectIdGetDatum(relid),
		CStringGetTextDatum(age), IntervalPGetDatum(keep),
		CStringGetTextDatum(action), CStringGetTextDatum(time_zone),
		CStringGetTextDatum(GetUserNameFromId(GetUserId(), false))
	};

	/* So that an interval too long for the calendar is refused today. */
	steward_policy_sql("SELECT steward.policy_cutoff($4, $6)",
					   SPI_OK_SELECT, lengthof(types), types, values, NULL);
	steward_policy_sql("INSERT INTO steward.policy"
					   " (name, relation, age, keep, action, time_zone, created_by)"
					   " VALUES ($1, $2, $3, $4, $5, $6, $7)"
					   " ON CONFLICT (name) DO NOTHING",
					   SPI_OK_INSERT, lengthof(types), types, values, NULL);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("policy \"%s\" already exists", name)));
}

/* As in ISO 8601, whatever the session's style. */
static char *
interval_text(Interval *interval)
{
	int			style = IntervalStyle;
	char	   *text;

	IntervalStyle = INTSTYLE_ISO_8601;
	text = DatumGetCString(DirectFunctionCall1(interval_out,
											   IntervalPGetDatum(interval)));
	IntervalStyle = style;
	return text;
}

STEWARD_FUNCTION(steward_create_policy)
{
	char	   *name = argument_text(fcinfo, 0, "name");
	char	   *age = argument_text(fcinfo, 2, "age");
	char	   *action = argument_text(fcinfo, 4, "action");
	const char *time_zone;
	Interval   *keep;
	StewardJson event;

	PreventCommandIfReadOnly("steward.create_policy()");
	steward_require_argument(fcinfo, 1, "relation");
	steward_require_argument(fcinfo, 3, "keep");
	keep = PG_GETARG_INTERVAL_P(3);
	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a policy needs a name")));
	check_action(action);
	check_keep(keep);
	time_zone = choose_time_zone(fcinfo, 5);
	check_table(PG_GETARG_OID(1), age);

	SPI_connect();
	insert_policy(name, PG_GETARG_OID(1), age, keep, action, time_zone);
	SPI_finish();
	if (steward_event_begin(&event, "create_policy"))
	{
		steward_json_text(&event, "policy", name);
		steward_event_relation(&event, "relation", PG_GETARG_OID(1));
		steward_json_text(&event, "age", age);
		steward_json_text(&event, "keep",
						  interval_text(keep));
		steward_json_text(&event, "action", action);
		steward_json_text(&event, "time_zone", time_zone);
		steward_event_end(&event);
	}
	PG_RETURN_VOID();
}

/* Whose policy it is: the table's owner's, or nobody's when that is gone. */
static void
check_right(const char *name, Oid relid)
{
	bool		exists = get_rel_name(relid) != NULL;

	if (exists ? STEWARD_OWNS_RELATION(relid, GetUserId())
		: has_privs_of_role(GetUserId(), steward_extension_owner()))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for policy \"%s\"", name),
			 errdetail("A policy is run and dropped by the owner of its table.")));
}

static void
raise_missing(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("policy \"%s\" does not exist", name)));
}

STEWARD_FUNCTION(steward_drop_policy)
{
	char	   *name = argument_text(fcinfo, 0, "name");
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};
	bool		isnull;
	StewardJson event;

	PreventCommandIfReadOnly("steward.drop_policy()");
	/* Waits for a run: its batches must not outlive the policy. */
	(void) steward_policy_lock(name, false, true);

	SPI_connect();
	steward_policy_sql("DELETE FROM steward.policy WHERE name = $1 RETURNING relation",
					   SPI_OK_DELETE_RETURNING, lengthof(types), types, values, NULL);
	if (SPI_processed == 0)
		raise_missing(name);
	check_right(name, DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0],
													 SPI_tuptable->tupdesc, 1,
													 &isnull)));
	SPI_finish();
	if (steward_event_begin(&event, "drop_policy"))
	{
		steward_json_text(&event, "policy", name);
		steward_event_end(&event);
	}
	PG_RETURN_VOID();
}

static Datum
result_column(int number)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0],
									  SPI_tuptable->tupdesc, number, &isnull);

	if (isnull)
		elog(ERROR, "unexpected null in column %d of a policy", number);
	return value;
}

StewardPolicy *
steward_policy_read(const char *name)
{
	StewardPolicy *policy = palloc0(sizeof(StewardPolicy));
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};

	steward_policy_sql("SELECT p.relation, p.age, p.action, p.time_zone, c.moment,"
					   " c.moment AT TIME ZONE p.time_zone,"
					   " (c.moment AT TIME ZONE p.time_zone)::date"
					   " FROM steward.policy AS p,"
					   " LATERAL (SELECT steward.policy_cutoff(p.keep, p.time_zone)) AS c (moment)"
					   " WHERE p.name = $1",
					   SPI_OK_SELECT, lengthof(types), types, values, NULL);
	if (SPI_processed == 0)
		raise_missing(name);

	policy->name = pstrdup(name);
	policy->relation = DatumGetObjectId(result_column(1));
	policy->age = TextDatumGetCString(result_column(2));
	policy->action = TextDatumGetCString(result_column(3));
	policy->time_zone = TextDatumGetCString(result_column(4));
	policy->cutoff = DatumGetTimestampTz(result_column(5));
	policy->cutoff_local = DatumGetTimestamp(result_column(6));
	policy->cutoff_date = DatumGetInt32(result_column(7));
	SPI_freetuptable(SPI_tuptable);

	check_right(name, policy->relation);
	check_action(policy->action);
	if (get_rel_name(policy->relation) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table of policy \"%s\" no longer exists", name),
				 errhint("Drop the policy with steward.drop_policy.")));
	return policy;
}

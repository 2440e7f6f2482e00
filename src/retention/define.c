/*
 * define.c: create_policy, alter_policy and drop_policy.
 *
 * What is given is made into a policy as one that was read, checked as a whole, and
 * stored as a whole: so altering a policy cannot make one that could not be created.
 */
#include "retention/policy.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "base/expression.h"
#include "retention/anonymize.h"
#include "retention/archive.h"
#include "retention/children.h"
#include "retention/condition.h"
#include "retention/due.h"
#include "retention/own_record.h"
#include "retention/partition.h"
#include "retention/schedule_zone.h"
#include "retention/shred.h"
#include "retention/statement.h"
#include "retention/target.h"

/* The arguments of create_policy; alter_policy has those after the relation. */
enum
{
	ARG_NAME,
	ARG_RELATION,
	ARG_AGE,
	ARG_KEEP,
	ARG_ACTION,
	ARG_SCHEDULE,
	ARG_TIME_ZONE,
	ARG_COLUMNS,
	ARG_ARCHIVE,
	ARG_CHILDREN,
	ARG_FILTER
};

/* A call of either; less is how many arguments it lacks before the one asked for. */
typedef struct Call
{
	FunctionCallInfo fcinfo;
	int			less;
} Call;

static bool
given(Call *call, int argument)
{
	return !call->fcinfo->args[argument - call->less].isnull;
}

static Datum
value_of(Call *call, int argument)
{
	return call->fcinfo->args[argument - call->less].value;
}

/* A text, or NULL for an empty one. */
static char *
text_of(Call *call, int argument)
{
	char	   *given_text = TextDatumGetCString(value_of(call, argument));

	return given_text[0] == '\0' ? NULL : given_text;
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
static char *
known_time_zone(Call *call)
{
	const char *name = given(call, ARG_TIME_ZONE) ?
		TextDatumGetCString(value_of(call, ARG_TIME_ZONE)) : NULL;

	return pstrdup(pg_get_timezone_name(steward_time_zone(name)));
}

/* Puts what was given into the policy, which has the rest from before. */
static void
take_arguments(Call *call, StewardPolicy *policy)
{
	if (given(call, ARG_KEEP))
		policy->keep = *DatumGetIntervalP(value_of(call, ARG_KEEP));
	if (given(call, ARG_ACTION))
	{
		policy->action =
			steward_action_named(TextDatumGetCString(value_of(call, ARG_ACTION)));
		if (policy->action != STEWARD_ANONYMIZE)
			policy->columns = NULL;
		if (policy->action != STEWARD_ARCHIVE)
			policy->archive = InvalidOid;
		if (steward_target_command(policy) != CMD_DELETE || policy->action == STEWARD_DROP_PARTITION)
			policy->children = NIL;
	}
	if (given(call, ARG_SCHEDULE))
		policy->schedule = text_of(call, ARG_SCHEDULE);
	if (given(call, ARG_TIME_ZONE) || policy->time_zone == NULL)
		policy->time_zone = known_time_zone(call);
	if (given(call, ARG_COLUMNS))
		policy->columns = DatumGetJsonbP(value_of(call, ARG_COLUMNS));
	if (given(call, ARG_ARCHIVE))
		policy->archive = DatumGetObjectId(value_of(call, ARG_ARCHIVE));
}

/* Age and filter, which mean something over the table alone. */
static void
take_expressions(Call *call, StewardPolicy *policy, Relation rel)
{
	if (given(call, ARG_AGE))
		policy->age = steward_age_typed(rel, TextDatumGetCString(value_of(call, ARG_AGE)));
	if (given(call, ARG_FILTER))
	{
		policy->filter = text_of(call, ARG_FILTER);
		if (policy->filter != NULL)
			policy->filter = steward_filter_typed(rel, policy->filter);
	}
}

/* What becomes of rows that refer to those of the policy. */
static void
take_children(Call *call, StewardPolicy *policy, Oid owner)
{
	if (steward_target_command(policy) != CMD_DELETE ||
		policy->action == STEWARD_DROP_PARTITION)
	{
		if (given(call, ARG_CHILDREN))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("action \"%s\" has no children",
							steward_action_name(policy->action)),
					 policy->action == STEWARD_DROP_PARTITION ?
					 errdetail("No foreign key may lead to the table.") :
					 errdetail("Rows stay, so those that refer to them are not concerned."),
					 errhint("Leave out the argument \"children\".")));
	}
	else if (given(call, ARG_CHILDREN))
		policy->children =
			steward_children_declare(policy->relation, owner,
									 DatumGetJsonbP(value_of(call, ARG_CHILDREN)));
	else if (steward_own_record(policy->relation) == STEWARD_OWN_RUNS)
		policy->children = steward_own_record_children(policy, owner);
	else
		steward_children_check(policy, owner);
}

static void
check_arguments(const StewardPolicy *policy)
{
	if ((policy->columns == NULL) != (policy->action != STEWARD_ANONYMIZE))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the argument \"columns\" goes with action anonymize, and only with that")));
	if (OidIsValid(policy->archive) != (policy->action == STEWARD_ARCHIVE))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the argument \"archive\" goes with action archive, and only with that")));
}

/*
 * The columns that are overwritten. Expressions are planned once, so that what cannot be
 * computed is known today.
 */
static void
check_columns(Call *call, StewardPolicy *policy, Relation rel)
{
	StewardIdentity identity;
	StringInfoData sql;
	ListCell   *cell;

	if (policy->action != STEWARD_ANONYMIZE)
		return;
	steward_become_guarded(rel->rd_rel->relowner, &identity);
	(void) steward_expression_settings(policy->time_zone);
	if (given(call, ARG_COLUMNS))
		policy->columns = steward_anonymize_typed(policy, rel);
	initStringInfo(&sql);
	foreach(cell, steward_anonymize_columns(policy, rel))
	{
		StewardOverwrite *overwrite = lfirst(cell);

		appendStringInfo(&sql, "%s%s, %s", sql.len == 0 ? "SELECT " : ", ",
						 overwrite->value != NULL ? overwrite->value : "NULL",
						 overwrite->pending);
	}
	appendStringInfo(&sql, " FROM %s AS t LIMIT 0", steward_table_name(rel));
	SPI_connect();
	if (SPI_execute(sql.data, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look at the columns of a policy");
	SPI_finish();
	steward_become_caller(&identity);
}

/* All that has rows, and the archive that takes them. */
static void
check_leaves(const StewardPolicy *policy, Oid owner)
{
	List	   *leaves = steward_target_leaves(policy);
	Relation	archive;
	ListCell   *cell;

	if (policy->action == STEWARD_SHRED)
		steward_shred_check(policy, owner);
	if (policy->action != STEWARD_ARCHIVE)
		return;
	archive = steward_archive_open(policy->archive, AccessShareLock);
	foreach(cell, list_concat_unique_oid(list_make1_oid(policy->relation), leaves))
	{
		Relation	leaf = relation_open(lfirst_oid(cell), AccessShareLock);

		(void) steward_archive_columns(archive, leaf, owner);
		relation_close(leaf, NoLock);
	}
	relation_close(archive, NoLock);
}

/*
 * Takes over the rest of the arguments, and raises unless a run could carry the policy
 * out as things are now.
 */
static void
complete(Call *call, StewardPolicy *policy)
{
	Relation	rel;
	Oid			owner;

	check_keep(&policy->keep);
	if (policy->schedule != NULL)
	{
		StewardSchedule schedule;

		steward_schedule_read(&schedule, policy->schedule);
	}
	check_arguments(policy);
	rel = steward_own_relation_open(policy->relation, AccessShareLock);
	owner = rel->rd_rel->relowner;
	steward_target_check(rel, steward_target_command(policy));
	take_expressions(call, policy, rel);
	steward_own_record_check(policy);
	check_columns(call, policy, rel);
	relation_close(rel, NoLock);
	if (policy->action == STEWARD_DROP_PARTITION)
		steward_partition_check(policy);
	else
		check_leaves(policy, owner);
	take_children(call, policy, owner);
}

/* The columns of a definition that can be changed, as parameters from $1. */
typedef struct Row
{
	Oid			types[11];
	Datum		values[11];
	char		nulls[12];
} Row;

static void
set(Row *row, int number, Oid type, Datum value, bool isnull)
{
	row->types[number - 1] = type;
	row->values[number - 1] = value;
	row->nulls[number - 1] = isnull ? 'n' : ' ';
}

static void
set_text(Row *row, int number, const char *text)
{
	set(row, number, TEXTOID, text == NULL ? (Datum) 0 : CStringGetTextDatum(text),
		text == NULL);
}

static void
fill_row(Row *row, StewardPolicy *policy)
{
	memset(row, 0, sizeof(*row));
	set_text(row, 1, policy->name);
	set(row, 2, REGCLASSOID, ObjectIdGetDatum(policy->relation), false);
	set_text(row, 3, policy->age);
	set(row, 4, INTERVALOID, IntervalPGetDatum(&policy->keep), false);
	set_text(row, 5, policy->filter);
	set_text(row, 6, steward_action_name(policy->action));
	set(row, 7, JSONBOID, JsonbPGetDatum(policy->columns), policy->columns == NULL);
	set(row, 8, REGCLASSOID, ObjectIdGetDatum(policy->archive),
		!OidIsValid(policy->archive));
	set_text(row, 9, policy->schedule);
	set_text(row, 10, policy->time_zone);
	set_text(row, 11, GetUserNameFromId(GetUserId(), false));
}

static void
execute(Row *row, const char *sql, int expected)
{
	steward_policy_sql(sql, expected, lengthof(row->types), row->types, row->values,
					   row->nulls);
}

/* Stores those that were declared in place of those from before. */
static void
store_children(const StewardPolicy *policy)
{
	Oid			types[] = {TEXTOID, REGCLASSOID, TEXTOID, TEXTOID};
	Datum		values[4] = {CStringGetTextDatum(policy->name)};
	ListCell   *cell;

	steward_policy_sql("DELETE FROM steward.policy_child WHERE policy OPERATOR(pg_catalog.=) $1",
					   SPI_OK_DELETE, 1, types, values, NULL);
	foreach(cell, policy->children)
	{
		StewardChild *child = lfirst(cell);

		values[1] = ObjectIdGetDatum(child->table);
		values[2] = CStringGetTextDatum(child->constraint);
		values[3] = CStringGetTextDatum(steward_child_action_name(child->action));
		steward_policy_sql("INSERT INTO steward.policy_child (policy, child, \"constraint\", action)"
						   " VALUES ($1, $2, $3::pg_catalog.name, $4)",
						   SPI_OK_INSERT, lengthof(types), types, values, NULL);
	}
}

/* So that an interval too long for the calendar is refused today. */
static void
check_cutoff(Row *row)
{
	execute(row, "SELECT steward.policy_cutoff($4, $10)", SPI_OK_SELECT);
}

/* From now on it runs by its schedule as it is now. */
static void
plan(const StewardPolicy *policy)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = DT_NOEND;
	Oid			types[] = {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[3];

	if (policy->schedule != NULL)
		next = steward_schedule_next_run(policy->schedule, policy->time_zone, now, now);
	values[0] = CStringGetTextDatum(policy->name);
	values[1] = TimestampTzGetDatum(now);
	values[2] = TimestampTzGetDatum(next);
	steward_policy_sql("UPDATE steward.policy_state SET anchor = $2, last_planned = NULL,"
					   " next_run = $3 WHERE policy OPERATOR(pg_catalog.=) $1",
					   SPI_OK_UPDATE, lengthof(types), types, values,
					   TIMESTAMP_NOT_FINITE(next) ? "  n" : NULL);
}

static void
insert(StewardPolicy *policy)
{
	Row			row;

	fill_row(&row, policy);
	check_cutoff(&row);
	execute(&row,
			"INSERT INTO steward.policy_definition (name, relation, age, keep, filter,"
			" action, columns, archive, schedule, time_zone, created_by)"
			" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::pg_catalog.name)"
			" ON CONFLICT (name) DO NOTHING",
			SPI_OK_INSERT);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("policy \"%s\" already exists", policy->name)));
	execute(&row, "INSERT INTO steward.policy_state (policy) VALUES ($1)", SPI_OK_INSERT);
	plan(policy);
	store_children(policy);
}

static void
update(StewardPolicy *policy, bool planned_anew)
{
	Row			row;

	fill_row(&row, policy);
	check_cutoff(&row);
	execute(&row,
			"UPDATE steward.policy_definition SET age = $3, keep = $4, filter = $5,"
			" action = $6, columns = $7, archive = $8, schedule = $9, time_zone = $10,"
			" changed_by = $11::pg_catalog.name, changed_at = pg_catalog.now()"
			" WHERE name OPERATOR(pg_catalog.=) $1",
			SPI_OK_UPDATE);
	if (planned_anew)
		plan(policy);
	store_children(policy);
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

static void
tell_children(StewardJson *event, const List *children)
{
	ListCell   *cell;

	if (children == NIL)
		return;
	steward_json_open_list(event, "children");
	foreach(cell, children)
	{
		StewardChild *child = lfirst(cell);

		steward_json_open(event, NULL);
		steward_event_relation(event, "relation", child->table);
		steward_json_text(event, "constraint", child->constraint);
		steward_json_text(event, "action", steward_child_action_name(child->action));
		steward_json_close(event);
	}
	steward_json_close_list(event);
}

/* Tells the audit trail of the policy as it is from now on. */
static void
tell(const char *what, StewardPolicy *policy)
{
	StewardJson event;

	if (!steward_event_begin(&event, what))
		return;
	steward_json_text(&event, "policy", policy->name);
	steward_event_relation(&event, "relation", policy->relation);
	steward_json_text(&event, "age", policy->age);
	steward_json_text(&event, "keep", interval_text(&policy->keep));
	steward_json_text(&event, "filter", policy->filter);
	steward_json_text(&event, "action", steward_action_name(policy->action));
	if (policy->columns != NULL)
		steward_json_text(&event, "columns",
						  JsonbToCString(NULL, &policy->columns->root, 0));
	if (OidIsValid(policy->archive))
		steward_event_relation(&event, "archive", policy->archive);
	tell_children(&event, policy->children);
	steward_json_text(&event, "schedule", policy->schedule);
	steward_json_text(&event, "time_zone", policy->time_zone);
	steward_event_end(&event);
}

STEWARD_FUNCTION(steward_create_policy)
{
	Call		call = {fcinfo, 0};
	StewardPolicy policy = {0};

	policy.name = steward_name_argument(fcinfo, "steward.create_policy()", "name");
	steward_require_argument(fcinfo, ARG_RELATION, "relation");
	steward_require_argument(fcinfo, ARG_AGE, "age");
	steward_require_argument(fcinfo, ARG_KEEP, "keep");
	steward_require_argument(fcinfo, ARG_ACTION, "action");
	if (policy.name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a policy needs a name")));
	policy.relation = PG_GETARG_OID(ARG_RELATION);
	take_arguments(&call, &policy);
	complete(&call, &policy);

	SPI_connect();
	insert(&policy);
	SPI_finish();
	tell("create_policy", &policy);
	steward_due_wake();
	PG_RETURN_VOID();
}

STEWARD_FUNCTION(steward_alter_policy)
{
	Call		call = {fcinfo, 1};
	char	   *name = steward_name_argument(fcinfo, "steward.alter_policy()", "name");
	StewardPolicy *policy;

	/* A run must be of one definition. */
	SPI_connect();
	policy = steward_policy_lock_read(name);
	steward_policy_require_table(policy);
	take_arguments(&call, policy);
	complete(&call, policy);
	steward_partition_restore(policy);
	update(policy, given(&call, ARG_SCHEDULE) || given(&call, ARG_TIME_ZONE));
	tell("alter_policy", policy);
	steward_due_wake();
	SPI_finish();
	PG_RETURN_VOID();
}

STEWARD_FUNCTION(steward_drop_policy)
{
	char	   *name = steward_name_argument(fcinfo, "steward.drop_policy()", "name");
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};
	StewardJson event;

	/* Batches of a run must not outlive the policy. */
	SPI_connect();
	steward_partition_restore(steward_policy_lock_read(name));
	steward_policy_sql("DELETE FROM steward.policy_definition"
					   " WHERE name OPERATOR(pg_catalog.=) $1",
					   SPI_OK_DELETE, lengthof(types), types, values, NULL);
	SPI_finish();
	if (steward_event_begin(&event, "drop_policy"))
	{
		steward_json_text(&event, "policy", name);
		steward_event_end(&event);
	}
	PG_RETURN_VOID();
}

/*
 * enable.c: steward.enable_audit and steward.disable_audit.
 *
 * The caller must own the table, or be a superuser. The triggers themselves are
 * made by the extension's owner, because their functions are nobody else's to
 * attach.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "audit/capture.h"
#include "audit/codec.h"
#include "audit/enable.h"
#include "audit/schema_row.h"
#include "audit/segment.h"
#include "audit/setting.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#define ROW_CHANGES \
	(TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE)

/*
 * The trigger's name sorts before other names: triggers of one event fire by
 * name, and a record must precede those of changes that other triggers make.
 */
static const struct AuditTrigger
{
	const char *name;
	const char *function;
	const char *event;
	int16		type;			/* pg_trigger.tgtype, AFTER being none */
}			triggers[] = {
	{"00_steward_audit_row", "audit_row", "INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW", ROW_CHANGES},
	{"00_steward_audit_truncate", "audit_truncate", "TRUNCATE ON %s FOR EACH STATEMENT", TRIGGER_TYPE_TRUNCATE},
	/* with a condition these three take the first one's place */
	{"00_steward_audit_row_delete", "audit_row", "DELETE ON %s FOR EACH ROW", TRIGGER_TYPE_ROW | TRIGGER_TYPE_DELETE},
	{"00_steward_audit_row_insert", "audit_row", "INSERT ON %s FOR EACH ROW", TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT},
	{"00_steward_audit_row_update", "audit_row", "UPDATE ON %s FOR EACH ROW", TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE},
};

static void
refuse(Relation rel, int sqlstate, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("cannot audit \"%s\": it is %s", RelationGetRelationName(rel),
					what),
			 errhint("%s", hint)));
}

static void
check_kind(Relation rel)
{
	const char *tables = "Only ordinary, permanent tables can be audited.";

	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
			break;
		case RELKIND_PARTITIONED_TABLE:
			refuse(rel, ERRCODE_FEATURE_NOT_SUPPORTED, "a partitioned table",
				   "Partitioned tables are not supported yet.");
			break;
		case RELKIND_VIEW:
			refuse(rel, ERRCODE_WRONG_OBJECT_TYPE, "a view",
				   "Audit the tables that the view reads.");
			break;
		case RELKIND_MATVIEW:
			refuse(rel, ERRCODE_WRONG_OBJECT_TYPE, "a materialized view",
				   "Audit the tables that the view reads.");
			break;
		case RELKIND_FOREIGN_TABLE:
			refuse(rel, ERRCODE_WRONG_OBJECT_TYPE, "a foreign table",
				   "Audit the table on the foreign server.");
			break;
		default:
			refuse(rel, ERRCODE_WRONG_OBJECT_TYPE, "not a table", tables);
	}
	if (rel->rd_rel->relispartition)
		refuse(rel, ERRCODE_FEATURE_NOT_SUPPORTED, "a partition",
			   "Partitioned tables are not supported yet.");
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		refuse(rel, ERRCODE_WRONG_OBJECT_TYPE, "a temporary table", tables);
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
		refuse(rel, ERRCODE_WRONG_OBJECT_TYPE, "an unlogged table",
			   "A crash would empty it without a record; run ALTER TABLE ... SET LOGGED first.");
}

static void
check_auditable(Relation rel)
{
	if (IsSystemRelation(rel))
		refuse(rel, ERRCODE_INSUFFICIENT_PRIVILEGE, "a system table",
			   "Only ordinary, permanent tables can be audited.");
	if (RelationGetNamespace(rel) == get_namespace_oid(STEWARD_SCHEMA, false))
		refuse(rel, ERRCODE_INSUFFICIENT_PRIVILEGE, "a table of pg_steward",
			   "Only ordinary, permanent tables can be audited.");
	check_kind(rel);
}

/* Opens the table under the lock that CREATE TRIGGER takes. */
static Relation
open_table(FunctionCallInfo fcinfo, const char *call)
{
	Oid			relid;

	PreventCommandIfReadOnly(call);
	steward_require_argument(fcinfo, 0, "relation");
	relid = PG_GETARG_OID(0);
	return steward_own_relation_open(relid, ShareRowExclusiveLock);
}

static Oid
function_oid(const struct AuditTrigger *wanted)
{
	List	   *name = list_make2(makeString(pstrdup(STEWARD_SCHEMA)),
								  makeString(pstrdup(wanted->function)));

	return LookupFuncName(name, 0, NULL, false);
}

/* Is this trigger one that a table with the setting has? */
static bool
is_wanted(const struct AuditTrigger *trigger, const StewardSetting *setting)
{
	if (!TRIGGER_FOR_ROW(trigger->type))
		return true;
	return (trigger->type == ROW_CHANGES) == (setting->condition == NULL);
}

/* The arguments of a trigger's function, as they are written in CREATE TRIGGER. */
static char *
arguments_of(const Trigger *trigger)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < trigger->tgnargs; i++)
		appendStringInfo(&text, "%s'%s'", i > 0 ? ", " : "", trigger->tgargs[i]);
	return text.data;
}

static char *
arguments_wanted(const struct AuditTrigger *wanted, const StewardSetting *setting)
{
	StringInfoData text;

	initStringInfo(&text);
	if (TRIGGER_FOR_ROW(wanted->type))
		steward_setting_arguments(&text, setting);
	return text.data;
}

/* Whether a trigger is as enable_audit makes it for the setting. */
static bool
is_whole(const Trigger *trigger, const struct AuditTrigger *wanted,
		 const StewardSetting *setting)
{
	bool		conditional = TRIGGER_FOR_ROW(wanted->type) && setting->condition != NULL;

	return trigger->tgtype == wanted->type && trigger->tgnattr == 0 &&
		(trigger->tgqual != NULL) == conditional && !trigger->tgdeferrable &&
		strcmp(arguments_of(trigger), arguments_wanted(wanted, setting)) == 0;
}

/* Is the trigger whole as any of those that are wanted? */
static bool
is_whole_as_any(const Trigger *trigger, const StewardSetting *setting)
{
	for (int i = 0; i < lengthof(triggers); i++)
		if (is_wanted(&triggers[i], setting) &&
			trigger->tgfoid == function_oid(&triggers[i]) &&
			is_whole(trigger, &triggers[i], setting))
			return true;
	return false;
}

/* Appends the commands that drop triggers: all, or with a setting those that are
 * not whole. */
static void
plan_drops(Relation rel, const char *table, const StewardSetting *setting,
		   StringInfo commands)
{
	Oid			of_row = function_oid(&triggers[0]);
	Oid			of_truncate = function_oid(&triggers[1]);

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if ((trigger->tgfoid == of_row || trigger->tgfoid == of_truncate) &&
			(setting == NULL || !is_whole_as_any(trigger, setting)))
			appendStringInfo(commands, "DROP TRIGGER %s ON %s; ",
							 quote_identifier(trigger->tgname), table);
	}
}

/* The trigger of the table that does what is wanted, or NULL. */
static const Trigger *
find_whole(Relation rel, const struct AuditTrigger *wanted,
		   const StewardSetting *setting)
{
	Oid			function = function_oid(wanted);

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid == function && is_whole(trigger, wanted, setting))
			return trigger;
	}
	return NULL;
}

bool
steward_audit_attached(Relation rel)
{
	StewardSetting *setting = steward_setting_read(rel);

	for (int i = 0; i < lengthof(triggers); i++)
		if (is_wanted(&triggers[i], setting) &&
			find_whole(rel, &triggers[i], setting) == NULL)
			return false;
	return true;
}

static void
append_create(Relation rel, const char *table, const struct AuditTrigger *wanted,
			  const StewardSetting *setting, StringInfo commands)
{
	appendStringInfo(commands, "CREATE TRIGGER %s AFTER ", quote_identifier(wanted->name));
	appendStringInfo(commands, wanted->event, table);
	if (TRIGGER_FOR_ROW(wanted->type) && setting->condition != NULL)
		appendStringInfo(commands, " WHEN (%s)",
						 steward_condition_when(rel, setting->condition,
												!TRIGGER_FOR_INSERT(wanted->type),
												!TRIGGER_FOR_DELETE(wanted->type)));
	appendStringInfo(commands, " EXECUTE FUNCTION steward.%s(%s); ", wanted->function,
					 arguments_wanted(wanted, setting));
}

/* Appends the commands that a trigger still needs; anew: it was dropped. */
static void
plan_trigger(Relation rel, const char *table, const struct AuditTrigger *wanted,
			 const StewardSetting *setting, bool anew, StringInfo commands)
{
	const Trigger *present = anew ? NULL : find_whole(rel, wanted, setting);

	if (present == NULL)
		append_create(rel, table, wanted, setting, commands);
	if (present == NULL || present->tgenabled != TRIGGER_FIRES_ALWAYS)
		appendStringInfo(commands, "ALTER TABLE %s ENABLE ALWAYS TRIGGER %s; ", table,
						 quote_identifier(present ? present->tgname : wanted->name));
}

static char *
qualified_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

static void
run_as_owner(const char *commands)
{
	StewardIdentity saved;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute(commands, false, 0) < 0)
		elog(ERROR, "SPI_execute failed: %s", commands);
	SPI_finish();
	steward_become_caller(&saved);
	CommandCounterIncrement();
}

/* Runs commands on the table, which DDL needs closed, and records the event. */
static void
run_and_record(Relation rel, const char *commands, char op)
{
	Oid			relid = RelationGetRelid(rel);

	relation_close(rel, NoLock);
	if (commands[0] != '\0')
		run_as_owner(commands);
	rel = relation_open(relid, NoLock);
	steward_capture_event(rel, op);
	relation_close(rel, NoLock);
}

/* A row trigger of a table does not fire for the rows of its children. */
static void
warn_of_children(Relation rel)
{
	if (find_inheritance_children(RelationGetRelid(rel), NoLock) == NIL)
		return;
	ereport(WARNING,
			(errmsg("rows in tables that inherit from \"%s\" are not recorded by its audit",
					RelationGetRelationName(rel)),
			 errhint("Call steward.enable_audit() for each of these tables too.")));
}

/*
 * Appends what makes the table as the setting says. When the setting changed, all
 * triggers are made anew; else what is missing or weak is repaired.
 */
static void
plan(Relation rel, const StewardSetting *setting, bool changed, StringInfo commands)
{
	char	   *table = qualified_name(rel);

	plan_drops(rel, table, changed ? NULL : setting, commands);
	if (changed)
	{
		steward_setting_plan_drops(commands, rel, table);
		steward_setting_plan(commands, rel, table, setting);
	}
	for (int i = 0; i < lengthof(triggers); i++)
		if (is_wanted(&triggers[i], setting))
			plan_trigger(rel, table, &triggers[i], setting, changed, commands);
}

/* What a setting says, in a form that can be compared. */
static char *
show_setting(Relation rel, const StewardSetting *setting)
{
	StewardJson json;
	Jsonb	   *shown;

	steward_json_begin(&json);
	steward_setting_show(&json, "setting", rel, setting);
	shown = steward_json_end(&json);
	return JsonbToCString(NULL, &shown->root, VARSIZE(shown));
}

static void
tell_setting(Oid relid, const StewardSetting *before, const StewardSetting *after)
{
	StewardJson details;
	Relation	rel;

	if (!steward_event_begin(&details, "enable_audit"))
		return;
	rel = relation_open(relid, NoLock);
	steward_event_relation(&details, "relation", relid);
	steward_setting_show(&details, "before", rel, before);
	steward_setting_show(&details, "after", rel, after);
	relation_close(rel, NoLock);
	steward_event_end(&details);
}

/*
 * The texts of a condition name what is not in the search path, which therefore
 * must be the one that runs the commands.
 */
static bool
plan_as_owner(Relation rel, const StewardSetting *before, const StewardSetting *after,
			  StringInfo commands)
{
	StewardIdentity saved;
	bool		changed;

	steward_become_owner(&saved);
	changed = strcmp(show_setting(rel, before), show_setting(rel, after)) != 0;
	plan(rel, after, changed, commands);
	steward_become_caller(&saved);
	return changed;
}

STEWARD_FUNCTION(steward_enable_audit)
{
	Relation	rel = open_table(fcinfo, "steward.enable_audit()");
	Oid			relid = RelationGetRelid(rel);
	StewardAuditSchema *schema;
	StewardSetting *before;
	StewardSetting *after;
	StringInfoData commands;
	bool		changed;

	check_auditable(rel);
	schema = steward_schema_describe(rel, false);	/* refuses unknown types */
	MemoryContextDelete(schema->context);
	warn_of_children(rel);

	before = steward_setting_read(rel);
	after = steward_setting_read(rel);
	steward_setting_change(after, rel, fcinfo, 1);
	initStringInfo(&commands);
	changed = plan_as_owner(rel, before, after, &commands);
	/* A table that was restored alone has its triggers, but no log. */
	if (commands.len == 0 && steward_segment_exists())
	{
		ereport(NOTICE,
				(errmsg("table \"%s\" is already audited",
						RelationGetRelationName(rel))));
		relation_close(rel, NoLock);
		PG_RETURN_VOID();
	}
	steward_segment_ensure();
	run_and_record(rel, commands.data, STEWARD_OP_ENABLE);
	if (changed)
		tell_setting(relid, before, after);
	PG_RETURN_VOID();
}

STEWARD_FUNCTION(steward_disable_audit)
{
	Relation	rel = open_table(fcinfo, "steward.disable_audit()");
	StringInfoData commands;

	initStringInfo(&commands);
	plan_drops(rel, qualified_name(rel), NULL, &commands);
	steward_setting_plan_drops(&commands, rel, qualified_name(rel));
	if (commands.len == 0)
	{
		ereport(NOTICE,
				(errmsg("table \"%s\" is not audited",
						RelationGetRelationName(rel))));
		relation_close(rel, NoLock);
		PG_RETURN_VOID();
	}
	if (steward_segment_exists())
		run_and_record(rel, commands.data, STEWARD_OP_DISABLE);
	else
	{
		/* Nothing was ever recorded here, so there is nothing to end. */
		relation_close(rel, NoLock);
		run_as_owner(commands.data);
	}
	PG_RETURN_VOID();
}

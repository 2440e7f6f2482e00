/*
 * trigger.c: the triggers of an audited table; see trigger.h.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "audit/setting.h"
#include "audit/trigger.h"
#include "base/catalog.h"
#include "base/trigger_row.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#define EVENTS \
	(TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE | TRIGGER_TYPE_TRUNCATE)
#define ROW_CHANGES \
	(TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE)

/*
 * The trigger's name sorts before other names: triggers of one event fire by
 * name, and a record must precede those of changes that other triggers make.
 */
typedef struct AuditTrigger
{
	const char *name;
	const char *function;
	const char *event;
	int16		type;			/* pg_trigger.tgtype, AFTER being none */
} AuditTrigger;

static const AuditTrigger row_trigger = {
	"00_steward_audit_row", "audit_row",
	"INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW", ROW_CHANGES
};

/* With a condition these three take its place. */
static const AuditTrigger conditional_triggers[] = {
	{"00_steward_audit_row_delete", "audit_row", "DELETE ON %s FOR EACH ROW",
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_DELETE},
	{"00_steward_audit_row_insert", "audit_row", "INSERT ON %s FOR EACH ROW",
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT},
	{"00_steward_audit_row_update", "audit_row", "UPDATE ON %s FOR EACH ROW",
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE},
};

static const AuditTrigger truncate_trigger = {
	"00_steward_audit_truncate", "audit_truncate",
	"TRUNCATE ON %s FOR EACH STATEMENT", TRIGGER_TYPE_TRUNCATE
};

/* The row triggers of a table with this setting; returns how many. */
static int
row_triggers(const StewardSetting *setting, const AuditTrigger **wanted)
{
	if (setting->condition == NULL)
	{
		*wanted = &row_trigger;
		return 1;
	}
	*wanted = conditional_triggers;
	return lengthof(conditional_triggers);
}

static Oid
function_oid(const AuditTrigger *wanted)
{
	List	   *name = list_make2(makeString(pstrdup(STEWARD_SCHEMA)),
								  makeString(pstrdup(wanted->function)));

	return LookupFuncName(name, 0, NULL, false);
}

/* The arguments of a trigger, as they are written in CREATE TRIGGER. */
static char *
arguments_of(const Trigger *trigger)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < trigger->tgnargs; i++)
		appendStringInfo(&text, "%s'%s'", i > 0 ? ", " : "", trigger->tgargs[i]);
	return text.data;
}

static bool
is_whole(const Trigger *trigger, const AuditTrigger *wanted,
		 const StewardSetting *setting)
{
	bool		conditional = TRIGGER_FOR_ROW(wanted->type) && setting->condition != NULL;

	return trigger->tgtype == wanted->type && trigger->tgnattr == 0 &&
		(trigger->tgqual != NULL) == conditional && !trigger->tgdeferrable &&
		strcmp(arguments_of(trigger), steward_setting_arguments(setting)) == 0;
}

static int
count_triggers(Relation rel)
{
	return rel->trigdesc == NULL ? 0 : rel->trigdesc->numtriggers;
}

/* The whole trigger of the table that does what is wanted, or NULL. */
static const Trigger *
find(Relation rel, const AuditTrigger *wanted, const StewardSetting *setting,
	 bool clone)
{
	Oid			function = function_oid(wanted);

	for (int i = 0; i < count_triggers(rel); i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid == function && is_whole(trigger, wanted, setting) &&
			trigger->tgisclone == clone)
			return trigger;
	}
	return NULL;
}

bool
steward_trigger_on_rows(Relation rel)
{
	const StewardSetting *setting = steward_setting_read(rel);
	const AuditTrigger *wanted;
	int			count = row_triggers(setting, &wanted);

	for (int i = 0; i < count; i++)
		if (find(rel, &wanted[i], setting, false) == NULL &&
			find(rel, &wanted[i], setting, true) == NULL)
			return false;
	return true;
}

bool
steward_trigger_is_covered(Relation rel)
{
	Oid			function = function_oid(&row_trigger);

	for (int i = 0; i < count_triggers(rel); i++)
		if (rel->trigdesc->triggers[i].tgfoid == function &&
			rel->trigdesc->triggers[i].tgisclone)
			return true;
	return false;
}

bool
steward_trigger_on_truncate(Relation rel)
{
	return find(rel, &truncate_trigger, steward_setting_read(rel), false) != NULL;
}

static char *
qualified_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

/* Plans to drop triggers that are the table's own, and not one of these. */
static void
plan_drops(Relation rel, const AuditTrigger *wanted, int count,
		   const StewardSetting *setting, StringInfo commands)
{
	Oid			function = function_oid(wanted);
	const char *kept[lengthof(conditional_triggers)] = {NULL};

	for (int i = 0; setting != NULL && i < count; i++)
	{
		const Trigger *first = find(rel, &wanted[i], setting, false);

		kept[i] = first != NULL ? first->tgname : NULL;
	}
	for (int i = 0; i < count_triggers(rel); i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];
		bool		keep = false;

		for (int k = 0; k < count && k < lengthof(kept); k++)
			keep |= kept[k] != NULL && strcmp(kept[k], trigger->tgname) == 0;
		if (trigger->tgfoid == function && !trigger->tgisclone && !keep)
			appendStringInfo(commands, "DROP TRIGGER %s ON %s; ",
							 quote_identifier(trigger->tgname),
							 qualified_name(rel));
	}
}

static void
plan_always(Relation rel, const char *trigger, StringInfo commands)
{
	appendStringInfo(commands, "ALTER TABLE %s ENABLE ALWAYS TRIGGER %s; ",
					 qualified_name(rel), quote_identifier(trigger));
}

/*
 * A clone has the name of its original, and no table two triggers of one name:
 * partitioned tables have names of their own, so that an audited table can become
 * a partition of an audited one.
 */
static char *
name_for(Relation rel, const AuditTrigger *wanted)
{
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE && TRIGGER_FOR_ROW(wanted->type))
		return psprintf("%s_%u", wanted->name, RelationGetRelid(rel));
	return pstrdup(wanted->name);
}

static void
plan_one(Relation rel, const AuditTrigger *wanted, const StewardSetting *setting,
		 bool anew, StringInfo commands)
{
	const Trigger *present = anew ? NULL : find(rel, wanted, setting, false);
	char	   *name = present ? present->tgname : name_for(rel, wanted);

	if (present == NULL)
	{
		appendStringInfo(commands, "CREATE TRIGGER %s AFTER ", quote_identifier(name));
		appendStringInfo(commands, wanted->event, qualified_name(rel));
		if (TRIGGER_FOR_ROW(wanted->type) && setting->condition != NULL)
			appendStringInfo(commands, " WHEN (%s)",
							 steward_condition_when(rel, setting->condition,
													!TRIGGER_FOR_INSERT(wanted->type),
													!TRIGGER_FOR_DELETE(wanted->type)));
		appendStringInfo(commands, " EXECUTE FUNCTION steward.%s(%s); ",
						 wanted->function, steward_setting_arguments(setting));
	}
	if (present == NULL || present->tgenabled != TRIGGER_FIRES_ALWAYS)
		plan_always(rel, name, commands);
}

static void
plan_own(Relation rel, const AuditTrigger *wanted, int count,
		 const StewardSetting *setting, bool anew, StringInfo commands)
{
	plan_drops(rel, wanted, count, anew ? NULL : setting, commands);
	for (int i = 0; i < count; i++)
		plan_one(rel, &wanted[i], setting, anew, commands);
}

/* Clones are as their original; only that they fire always is theirs. */
static void
plan_clones(Relation rel, StringInfo commands)
{
	Oid			function = function_oid(&row_trigger);

	for (int i = 0; i < count_triggers(rel); i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid == function && trigger->tgisclone &&
			trigger->tgenabled != TRIGGER_FIRES_ALWAYS)
			plan_always(rel, trigger->tgname, commands);
	}
}

void
steward_trigger_plan(Relation rel, const StewardSetting *setting, bool covered,
					 bool anew, StringInfo commands)
{
	const AuditTrigger *wanted;
	int			count = row_triggers(setting, &wanted);

	if (!covered)
		plan_own(rel, wanted, count, setting, anew, commands);
	else
	{
		/* those of a changed setting are made anew, with their original */
		if (!anew)
			plan_clones(rel, commands);
		plan_drops(rel, &row_trigger, 1, NULL, commands);
	}
	if (rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE ||
		STEWARD_FOREIGN_TRUNCATE_TRIGGERS)
		plan_own(rel, &truncate_trigger, 1, setting, anew, commands);
	steward_setting_plan(commands, rel, qualified_name(rel), setting);
}

void
steward_trigger_plan_drop(Relation rel, StringInfo commands)
{
	plan_drops(rel, &row_trigger, 1, NULL, commands);
	plan_drops(rel, &truncate_trigger, 1, NULL, commands);
	steward_setting_plan_drops(commands, rel, qualified_name(rel));
}

typedef enum NewTrigger
{
	NEW_OTHER,					/* none of ours, or a clone */
	NEW_WHOLE,
	NEW_PARTIAL
} NewTrigger;

static NewTrigger
kind_of(Oid trigger)
{
	StewardTriggerRow row;

	if (!steward_trigger_row_read(trigger, &row) || row.clone ||
		row.function != function_oid(&row_trigger))
		return NEW_OTHER;
	return row.type == row_trigger.type && !row.deferrable && !row.of_columns &&
		!row.conditional ? NEW_WHOLE : NEW_PARTIAL;
}

void
steward_trigger_check_new(Oid trigger)
{
	List	   *name = list_make2(makeString(pstrdup(STEWARD_SCHEMA)),
								  makeString(pstrdup("enable_audit")));
	NewTrigger	kind = kind_of(trigger);

	if (kind == NEW_OTHER || superuser())
		return;
	if (!STEWARD_MAY_EXECUTE(LookupFuncName(name, -1, NULL, false),
							 GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to audit a table"),
				 errhint("Ask the extension's owner for the right to execute steward.enable_audit().")));
	if (kind == NEW_PARTIAL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("trigger is not as steward.enable_audit() makes it"),
				 errhint("Call steward.enable_audit() for the table.")));
}

/* Another trigger of the table that calls the same function at the same event. */
static const Trigger *
same_as(Relation rel, Oid trigger, const StewardTriggerRow *row)
{
	for (int i = 0; i < count_triggers(rel); i++)
	{
		const Trigger *other = &rel->trigdesc->triggers[i];

		if (other->tgoid != trigger && other->tgfoid == row->function &&
			(other->tgtype & row->type & EVENTS) != 0)
			return other;
	}
	return NULL;
}

void
steward_trigger_check_single(Oid trigger)
{
	StewardTriggerRow row;
	Relation	rel;
	const Trigger *other;

	if (!steward_trigger_row_read(trigger, &row) || row.clone ||
		(row.function != function_oid(&row_trigger) &&
		 row.function != function_oid(&truncate_trigger)))
		return;
	rel = relation_open(row.relid, NoLock);
	other = same_as(rel, trigger, &row);
	if (other != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("changes of \"%s\" are recorded by trigger \"%s\" already",
						RelationGetRelationName(rel), other->tgname),
				 errdetail("Another would record them twice."),
				 errhint("Call steward.enable_audit() to repair the audit of a table.")));
	relation_close(rel, NoLock);
}

void
steward_trigger_run(const char *commands)
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

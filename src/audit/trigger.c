/*
 * trigger.c: the triggers of an audited table; see trigger.h.
 */
#include "base/compat.h"

#include "audit/trigger.h"
#include "base/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

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
static const AuditTrigger truncate_trigger = {
	"00_steward_audit_truncate", "audit_truncate",
	"TRUNCATE ON %s FOR EACH STATEMENT", TRIGGER_TYPE_TRUNCATE
};

static Oid
function_oid(const AuditTrigger *wanted)
{
	List	   *name = list_make2(makeString(pstrdup(STEWARD_SCHEMA)),
								  makeString(pstrdup(wanted->function)));

	return LookupFuncName(name, 0, NULL, false);
}

static bool
is_whole(const Trigger *trigger, const AuditTrigger *wanted)
{
	return trigger->tgtype == wanted->type && trigger->tgnattr == 0 &&
		trigger->tgqual == NULL && !trigger->tgdeferrable;
}

static int
count_triggers(Relation rel)
{
	return rel->trigdesc == NULL ? 0 : rel->trigdesc->numtriggers;
}

/* The whole trigger of the table that does what is wanted, or NULL. */
static const Trigger *
find(Relation rel, const AuditTrigger *wanted, bool clone)
{
	Oid			function = function_oid(wanted);

	for (int i = 0; i < count_triggers(rel); i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid == function && is_whole(trigger, wanted) &&
			trigger->tgisclone == clone)
			return trigger;
	}
	return NULL;
}

bool
steward_trigger_on_rows(Relation rel)
{
	return find(rel, &row_trigger, false) != NULL ||
		find(rel, &row_trigger, true) != NULL;
}

bool
steward_trigger_is_covered(Relation rel)
{
	return find(rel, &row_trigger, true) != NULL;
}

bool
steward_trigger_on_truncate(Relation rel)
{
	return find(rel, &truncate_trigger, false) != NULL;
}

static char *
qualified_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

/* Plans to drop triggers of one kind that are the table's own. */
static void
plan_drops(Relation rel, const AuditTrigger *wanted, const Trigger *except,
		   StringInfo commands)
{
	Oid			function = function_oid(wanted);

	for (int i = 0; i < count_triggers(rel); i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid == function && !trigger->tgisclone && trigger != except)
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
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE && wanted == &row_trigger)
		return psprintf("%s_%u", wanted->name, RelationGetRelid(rel));
	return pstrdup(wanted->name);
}

static void
plan_own(Relation rel, const AuditTrigger *wanted, StringInfo commands)
{
	const Trigger *present = find(rel, wanted, false);
	char	   *name = present ? present->tgname : name_for(rel, wanted);

	plan_drops(rel, wanted, present, commands);
	if (present == NULL)
	{
		appendStringInfo(commands, "CREATE TRIGGER %s AFTER ", quote_identifier(name));
		appendStringInfo(commands, wanted->event, qualified_name(rel));
		appendStringInfo(commands, " EXECUTE FUNCTION steward.%s(); ",
						 wanted->function);
	}
	if (present == NULL || present->tgenabled != TRIGGER_FIRES_ALWAYS)
		plan_always(rel, name, commands);
}

void
steward_trigger_plan(Relation rel, bool covered, StringInfo commands)
{
	const Trigger *clone = find(rel, &row_trigger, true);

	if (!covered)
		plan_own(rel, &row_trigger, commands);
	else
	{
		if (clone != NULL && clone->tgenabled != TRIGGER_FIRES_ALWAYS)
			plan_always(rel, clone->tgname, commands);
		plan_drops(rel, &row_trigger, NULL, commands);
	}
	if (rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE ||
		STEWARD_FOREIGN_TRUNCATE_TRIGGERS)
		plan_own(rel, &truncate_trigger, commands);
}

void
steward_trigger_plan_drop(Relation rel, StringInfo commands)
{
	plan_drops(rel, &row_trigger, NULL, commands);
	plan_drops(rel, &truncate_trigger, NULL, commands);
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

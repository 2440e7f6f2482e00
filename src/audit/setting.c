/*
 * setting.c: settings from triggers, and to triggers; see setting.h.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "audit/capture.h"
#include "audit/setting.h"
#include "base/catalog.h"
#include "catalog/partition.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define ONLY_INCLUDED "include"
#define LOG_UNCHANGED "log_unchanged"

/* As they stand in the triggers' arguments. */
static const char *const treatments[] = {
	[STEWARD_INCLUDE] = "include",
	[STEWARD_EXCLUDE] = "exclude",
	[STEWARD_OMIT] = "omit",
	[STEWARD_HASH] = "hash",
	[STEWARD_ENCRYPT] = "encrypt",
};

static Oid
function_named(const char *name)
{
	return LookupFuncName(list_make2(makeString(pstrdup(STEWARD_SCHEMA)),
									 makeString(pstrdup(name))), 0, NULL, true);
}

static void
raise_malformed(const Trigger *trigger)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("trigger \"%s\" is not as steward.enable_audit() makes it",
					trigger->tgname),
			 errhint("Call steward.disable_audit() and steward.enable_audit() for the table.")));
}

static void
read_column(StewardSetting *setting, const Trigger *trigger)
{
	StewardColumnSetting *column = palloc0(sizeof(StewardColumnSetting));
	int			treatment = 0;

	if (trigger->tgnattr != 1 || trigger->tgnargs < 1)
		raise_malformed(trigger);
	while (treatment < lengthof(treatments) &&
		   strcmp(treatments[treatment], trigger->tgargs[0]) != 0)
		treatment++;
	if (treatment == lengthof(treatments) ||
		trigger->tgnargs != (treatment == STEWARD_ENCRYPT ? 2 : 1))
		raise_malformed(trigger);
	column->attnum = trigger->tgattr[0];
	column->treatment = treatment;
	if (treatment == STEWARD_ENCRYPT)
		column->key = pstrdup(trigger->tgargs[1]);
	setting->columns = lappend(setting->columns, column);
}

/* What all triggers that record have, also the one of TRUNCATE. */
static void
read_arguments(StewardSetting *setting, const Trigger *trigger)
{
	int			event = trigger->tgtype & TRIGGER_TYPE_EVENT_MASK;

	for (int i = 0; i < trigger->tgnargs; i++)
	{
		if (strcmp(trigger->tgargs[i], ONLY_INCLUDED) == 0)
			setting->only_included = true;
		else if (strcmp(trigger->tgargs[i], LOG_UNCHANGED) == 0)
			setting->log_unchanged = true;
		else
			raise_malformed(trigger);
	}
	/* one for all events, or for some columns, is not ours */
	if (trigger->tgqual != NULL && trigger->tgnattr == 0 &&
		(event == TRIGGER_TYPE_INSERT || event == TRIGGER_TYPE_UPDATE ||
		 event == TRIGGER_TYPE_DELETE))
		setting->condition = steward_condition_of_trigger(trigger->tgqual);
}

static StewardSetting *
read_own(Relation rel)
{
	StewardSetting *setting = palloc0(sizeof(StewardSetting));
	Oid			of_row = function_named("audit_row");
	Oid			of_truncate = function_named("audit_truncate");
	Oid			of_column = function_named("audit_column");

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid == of_row || trigger->tgfoid == of_truncate)
			read_arguments(setting, trigger);
		else if (trigger->tgfoid == of_column)
			read_column(setting, trigger);
	}
	return setting;
}

/* Is one of the triggers that record rows a copy of an ancestor's? */
static bool
has_clone(Relation rel)
{
	Oid			of_row = function_named("audit_row");

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
		if (rel->trigdesc->triggers[i].tgfoid == of_row &&
			rel->trigdesc->triggers[i].tgisclone)
			return true;
	return false;
}

StewardSetting *
steward_setting_map(const StewardSetting *setting, Relation from, Relation to)
{
	StewardSetting *mapped = palloc(sizeof(StewardSetting));
	ListCell   *cell;

	*mapped = *setting;
	mapped->columns = NIL;
	foreach(cell, setting->columns)
	{
		StewardColumnSetting *column = palloc(sizeof(StewardColumnSetting));

		*column = *(StewardColumnSetting *) lfirst(cell);
		column->attnum = get_attnum(RelationGetRelid(to),
									get_attname(RelationGetRelid(from), column->attnum, false));
		mapped->columns = lappend(mapped->columns, column);
	}
	return mapped;
}

/* Of a partition whose triggers are copies: the settings of their origin. */
static StewardSetting *
read_of_ancestor(Relation rel)
{
	List	   *ancestors = get_partition_ancestors(RelationGetRelid(rel));
	ListCell   *cell;

	foreach(cell, ancestors)
	{
		Relation	ancestor = relation_open(lfirst_oid(cell), AccessShareLock);
		StewardSetting *setting = NULL;

		if (!has_clone(ancestor))
		{
			setting = steward_setting_map(read_own(ancestor), ancestor, rel);
			/* the copies have the condition in the partition's own numbers */
			setting->condition = read_own(rel)->condition;
		}
		relation_close(ancestor, AccessShareLock);
		if (setting != NULL)
			return setting;
	}
	return read_own(rel);
}

StewardSetting *
steward_setting_read(Relation rel)
{
	if (rel->rd_rel->relispartition && has_clone(rel))
		return read_of_ancestor(rel);
	return read_own(rel);
}

static bool
has_treatment(const StewardSetting *setting, AttrNumber attnum,
			  StewardTreatment treatment)
{
	ListCell   *cell;

	foreach(cell, setting->columns)
	{
		const StewardColumnSetting *column = lfirst(cell);

		if (column->attnum == attnum && column->treatment == treatment)
			return true;
	}
	return false;
}

bool
steward_setting_records(const StewardSetting *setting, AttrNumber attnum)
{
	if (setting->only_included)
		return has_treatment(setting, attnum, STEWARD_INCLUDE);
	return !has_treatment(setting, attnum, STEWARD_EXCLUDE);
}

const StewardColumnSetting *
steward_setting_redaction(const StewardSetting *setting, AttrNumber attnum)
{
	ListCell   *cell;

	foreach(cell, setting->columns)
	{
		const StewardColumnSetting *column = lfirst(cell);

		if (column->attnum == attnum && column->treatment >= STEWARD_OMIT)
			return column;
	}
	return NULL;
}

bool
steward_setting_hides(const StewardSetting *setting, AttrNumber attnum)
{
	return steward_setting_redaction(setting, attnum) != NULL ||
		has_treatment(setting, attnum, STEWARD_EXCLUDE);
}

bool
steward_setting_encrypts(const StewardSetting *setting)
{
	ListCell   *cell;

	foreach(cell, setting->columns)
	{
		const StewardColumnSetting *column = lfirst(cell);

		if (column->treatment == STEWARD_ENCRYPT)
			return true;
	}
	return false;
}

static void
show_names(StewardJson *json, Relation rel, const StewardSetting *setting,
		   StewardTreatment treatment)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, setting->columns)
	{
		const StewardColumnSetting *column = lfirst(cell);

		if (column->treatment == treatment)
			names = lappend(names, get_attname(RelationGetRelid(rel), column->attnum, false));
	}
	steward_json_texts(json, treatments[treatment], names);
}

static void
show_redaction(StewardJson *json, Relation rel, const StewardColumnSetting *column)
{
	char	   *name = get_attname(RelationGetRelid(rel), column->attnum, false);

	if (column->treatment != STEWARD_ENCRYPT)
	{
		steward_json_text(json, name, treatments[column->treatment]);
		return;
	}
	steward_json_open(json, name);
	steward_json_text(json, treatments[STEWARD_ENCRYPT], column->key);
	steward_json_close(json);
}

static void
show_redactions(StewardJson *json, Relation rel, const StewardSetting *setting)
{
	bool		open = false;
	ListCell   *cell;

	foreach(cell, setting->columns)
	{
		const StewardColumnSetting *column = lfirst(cell);

		if (column->treatment < STEWARD_OMIT)
			continue;
		if (!open)
			steward_json_open(json, "redact");
		open = true;
		show_redaction(json, rel, column);
	}
	if (open)
		steward_json_close(json);
}

void
steward_setting_show(StewardJson *json, const char *key, Relation rel,
					 const StewardSetting *setting)
{
	steward_json_open(json, key);
	show_names(json, rel, setting, STEWARD_INCLUDE);
	show_names(json, rel, setting, STEWARD_EXCLUDE);
	show_redactions(json, rel, setting);
	if (setting->condition != NULL)
		steward_json_text(json, "condition",
						  steward_condition_text(rel, setting->condition, NULL));
	if (setting->only_included)
		steward_json_flag(json, "only_included", true);
	if (setting->log_unchanged)
		steward_json_flag(json, LOG_UNCHANGED, true);
	steward_json_close(json);
}

char *
steward_setting_arguments(const StewardSetting *setting)
{
	return psprintf("%s%s%s", setting->only_included ? "'" ONLY_INCLUDED "'" : "",
					setting->only_included && setting->log_unchanged ? ", " : "",
					setting->log_unchanged ? "'" LOG_UNCHANGED "'" : "");
}

static bool
has_same(const StewardSetting *setting, const StewardColumnSetting *wanted)
{
	ListCell   *cell;

	foreach(cell, setting->columns)
	{
		const StewardColumnSetting *column = lfirst(cell);

		if (column->attnum == wanted->attnum && column->treatment == wanted->treatment &&
			(wanted->key == NULL || strcmp(column->key, wanted->key) == 0))
			return true;
	}
	return false;
}

/* Has the table its triggers of columns, and no others? */
static bool
has_columns(Relation rel, const StewardSetting *setting)
{
	const StewardSetting *own = read_own(rel);
	ListCell   *cell;

	foreach(cell, setting->columns)
		if (!has_same(own, lfirst(cell)))
		return false;
	return list_length(own->columns) == list_length(setting->columns);
}

void
steward_setting_plan(StringInfo out, Relation rel, const char *table,
					 const StewardSetting *setting)
{
	ListCell   *cell;

	if (has_columns(rel, setting))
		return;
	steward_setting_plan_drops(out, rel, table);
	foreach(cell, setting->columns)
	{
		const StewardColumnSetting *column = lfirst(cell);
		const char *treatment = treatments[column->treatment];
		char	   *name = get_attname(RelationGetRelid(rel), column->attnum, false);

		appendStringInfo(out, "CREATE TRIGGER \"00_steward_audit_%s_%d\" AFTER UPDATE OF %s ON %s "
						 "FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION steward.audit_column('%s'",
						 treatment, column->attnum, quote_identifier(name), table, treatment);
		if (column->key != NULL)
			appendStringInfo(out, ", %s", quote_literal_cstr(column->key));
		appendStringInfoString(out, "); ");
	}
}

void
steward_setting_plan_drops(StringInfo out, Relation rel, const char *table)
{
	Oid			of_column = function_named("audit_column");

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
		if (rel->trigdesc->triggers[i].tgfoid == of_column)
			appendStringInfo(out, "DROP TRIGGER %s ON %s; ",
							 quote_identifier(rel->trigdesc->triggers[i].tgname), table);
}

/* The settings of a table, for the view; NULL when it is gone. */
STEWARD_FUNCTION(steward_audit_setting_of)
{
	Relation	rel = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
	StewardJson json;
	JsonbValue *shown;
	Jsonb	   *whole;

	if (rel == NULL)
		PG_RETURN_NULL();
	steward_json_begin(&json);
	steward_setting_show(&json, "setting", rel, steward_setting_read(rel));
	whole = steward_json_end(&json);
	relation_close(rel, AccessShareLock);
	shown = getKeyJsonValueFromContainer(&whole->root, "setting", strlen("setting"), NULL);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(shown));
}

/* It is a mark for steward_setting_read() and never fires. */
STEWARD_FUNCTION(steward_audit_column)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("function \"%s\" is not to be called", "audit_column")));
	PG_RETURN_NULL();
}

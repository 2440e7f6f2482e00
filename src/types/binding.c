/*
 * binding.c: tables whose encrypted values are bound to subjects; see
 * binding.h.
 */
#include "types/binding.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "base/catalog.h"
#include "base/trigger_row.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type_d.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "types/guard.h"
#include "types/type_info.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define BOUND_TYPE \
	(TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE)

static Oid
bind_function(void)
{
	List	   *name = list_make2(makeString(pstrdup(STEWARD_SCHEMA)),
								  makeString(pstrdup("bind_row")));

	return LookupFuncName(name, 0, NULL, true);
}

/* The trigger that binds a table, or NULL. */
static const Trigger *
find_trigger(Relation rel)
{
	const TriggerDesc *triggers = rel->trigdesc;
	Oid			function;

	if (triggers == NULL ||
		!(triggers->trig_insert_before_row || triggers->trig_update_before_row))
		return NULL;
	function = bind_function();
	for (int i = 0; OidIsValid(function) && i < triggers->numtriggers; i++)
	{
		if (triggers->triggers[i].tgfoid == function)
			return &triggers->triggers[i];
	}
	return NULL;
}

bool
steward_binding_find(Relation rel, StewardBinding *binding)
{
	const Trigger *trigger = find_trigger(rel);

	if (trigger == NULL || trigger->tgnargs != 2)
		return false;
	binding->kind = pstrdup(trigger->tgargs[0]);
	binding->column = pstrdup(trigger->tgargs[1]);
	binding->key = get_attnum(RelationGetRelid(rel), binding->column);
	binding->trigger = pstrdup(trigger->tgname);
	/* A replica trigger does not fire when somebody writes here. */
	binding->enabled = trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN ||
		trigger->tgenabled == TRIGGER_FIRES_ALWAYS;
	return true;
}

/* ---- what a binding must be like ---- */

static void
refuse(Relation rel, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("table \"%s\" cannot be bound to subjects like this",
					RelationGetRelationName(rel)),
			 errdetail_internal("%s", detail),
			 errhint("%s", hint)));
}

/* Its arguments, its events, and that no other trigger changes the row later. */
static void
check_trigger(Relation rel, const Trigger *bound)
{
	const TriggerDesc *triggers = rel->trigdesc;

	if (bound->tgtype != BOUND_TYPE || bound->tgnargs != 2 ||
		bound->tgnattr != 0 || bound->tgqual != NULL)
		refuse(rel, "The trigger that binds it has other arguments, events or conditions than steward.bind_subject gives it.",
			   "Drop the trigger and call steward.bind_subject().");
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *other = &triggers->triggers[i];

		if (other == bound || !TRIGGER_FOR_ROW(other->tgtype) ||
			!TRIGGER_FOR_BEFORE(other->tgtype))
			continue;
		if (other->tgfoid == bound->tgfoid)
			refuse(rel, "It is bound already.",
				   "Call steward.unbind_subject() first.");
		if ((TRIGGER_FOR_INSERT(other->tgtype) ||
			 TRIGGER_FOR_UPDATE(other->tgtype)) &&
			strcmp(other->tgname, bound->tgname) > 0)
			refuse(rel, psprintf("Trigger \"%s\" would fire after the one that binds, and could put values into the row that are not bound.",
								 other->tgname),
				   "Give it a name that sorts before it: triggers of one event fire by name.");
	}
}

/* Is this trigger one that binds, made by itself and not cloned from another? */
static bool
binds(Oid trigger)
{
	StewardTriggerRow row;

	return steward_trigger_row_read(trigger, &row) && !row.clone &&
		row.function == bind_function();
}

void
steward_guard_new_trigger(Oid trigger)
{
	Oid			types[] = {REGCLASSOID, TEXTOID, NAMEOID};
	List	   *name = list_make2(makeString(pstrdup(STEWARD_SCHEMA)),
								  makeString(pstrdup("bind_subject")));
	Oid			function;

	if (!binds(trigger))
		return;
	function = LookupFuncName(name, lengthof(types), types, false);
	if (!STEWARD_MAY_EXECUTE(function, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to bind a table to subjects"),
				 errhint("Ask the extension's owner for the right to execute steward.bind_subject().")));
}

/* Two keys that are equal must be spelt alike, in every session. */
static bool
has_one_spelling(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
		case UUIDOID:
			return true;
		default:
			return false;
	}
}

static void
check_key(Relation rel, const char *column)
{
	AttrNumber	number = get_attnum(RelationGetRelid(rel), column);
	Form_pg_attribute att;

	if (number <= 0)
		refuse(rel, psprintf("It has no column \"%s\", whose value is to be the key of the row's subject.",
							 column),
			   "To rename or drop the column, call steward.unbind_subject() first, and steward.bind_subject() after it.");
	att = TupleDescAttr(RelationGetDescr(rel), number - 1);
	if (!has_one_spelling(getBaseType(att->atttypid)))
		refuse(rel, psprintf("Column \"%s\" is of type %s.", column,
							 format_type_be(att->atttypid)),
			   "The key of a subject is an integer, a numeric, a text or a uuid, which are spelt in one way.");
	if (OidIsValid(att->attcollation) &&
		!get_collation_isdeterministic(att->attcollation))
		refuse(rel, psprintf("The collation of column \"%s\" takes different keys for the same.",
							 column),
			   "Use a deterministic collation.");
	if (att->attgenerated)
		refuse(rel, psprintf("Column \"%s\" is generated, after triggers have seen the row.",
							 column),
			   "Use the column that it is generated from.");
}

static void
check_columns(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		int32		typmod;

		if (!att->attisdropped && steward_guard_type(att->atttypid) &&
			!steward_guard_type_takes_key(att->atttypid, att->atttypmod, &typmod))
			refuse(rel, psprintf("Column \"%s\" has encrypted values inside of rows or ranges.",
								 NameStr(att->attname)),
				   "Encrypted columns and arrays of them can be bound.");
	}
}

void
steward_guard_bound_index(Oid relid, AttrNumber column)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	bool		bound = find_trigger(rel) != NULL;

	relation_close(rel, AccessShareLock);
	if (bound)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("encrypted column \"%s\" cannot have a unique index, because its values are bound to subjects",
						get_attname(relid, column, false)),
				 errdetail("After an erasure nobody can compute the tag by which the index is ordered."),
				 errhint("Keep what must be unique in a column of a table that is not bound.")));
}

static void
check_index(Relation rel, Oid index_id)
{
	Relation	index = index_open(index_id, AccessShareLock);
	Form_pg_index form = index->rd_index;

	/* An ordinary blind index need not find what was erased. */
	if (!form->indisunique && !form->indisexclusion &&
		steward_guard_is_blind(index->rd_rel->relam))
	{
		index_close(index, AccessShareLock);
		return;
	}
	for (int i = 0; i < form->indnkeyatts; i++)
	{
		AttrNumber	column = form->indkey.values[i];

		if (column > 0 && steward_guard_type(get_atttype(RelationGetRelid(rel), column)))
			steward_guard_bound_index(RelationGetRelid(rel), column);
	}
	index_close(index, AccessShareLock);
}

void
steward_guard_binding(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	const Trigger *bound = find_trigger(rel);
	ListCell   *cell;

	if (bound != NULL)
	{
		check_trigger(rel, bound);
		check_key(rel, bound->tgargs[1]);
		check_columns(rel);
		foreach(cell, RelationGetIndexList(rel))
			check_index(rel, lfirst_oid(cell));
	}
	relation_close(rel, AccessShareLock);
}

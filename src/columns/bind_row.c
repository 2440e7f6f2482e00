/*
 * bind_row.c: the trigger that binds the encrypted values of a row to the
 * row's subject.
 *
 * It sees each row last before it is stored. Values that are not bound yet,
 * transient ones too, are opened and sealed anew, for which nobody needs a right:
 * who may INSERT may encrypt. A value that is bound to this subject stays as it
 * is; one that is bound to another is refused, so that nobody moves a value from
 * one person to another.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "base/errors.h"
#include "catalog/pg_type_d.h"
#include "columns/bind.h"
#include "commands/trigger.h"
#include "keys/subject.h"
#include "types/binding.h"
#include "types/guard.h"
#include "types/type_info.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"

typedef struct BoundColumn
{
	AttrNumber	number;
	const StewardTypeInfo *info;
	Oid			element;		/* type of the elements of an array, or 0 */
	uint32		key_id;			/* of the column */
} BoundColumn;

/* What is to be done with the rows of a table, found out once in a statement. */
typedef struct BindPlan
{
	const char *kind;			/* UTF-8 */
	size_t		kind_len;
	AttrNumber	key;
	Oid			key_type;
	FmgrInfo	key_output;
	int			count;
	BoundColumn columns[FLEXIBLE_ARRAY_MEMBER];
} BindPlan;

/* One row on its way. */
typedef struct BindRow
{
	const BindPlan *plan;
	Relation	rel;
	TupleDesc	desc;
	HeapTuple	tuple;
	HeapTuple	old;			/* NULL on INSERT */
	StewardSubject subject;
	int			changed;		/* number of the entries below */
	int		   *columns;
	Datum	   *values;
} BindRow;

/* ---- the plan ---- */

/* An encrypted column, or an array of them; false for any other column. */
static bool
describe_column(Form_pg_attribute att, BoundColumn *column)
{
	Oid			base = att->attisdropped ? InvalidOid : getBaseType(att->atttypid);
	int32		typmod;

	/* A generated column is computed later, from what is bound then. */
	if (!OidIsValid(base) || att->attgenerated)
		return false;
	column->number = att->attnum;
	column->element = InvalidOid;
	column->info = steward_type_info(base);
	if (column->info == NULL)
	{
		column->element = get_element_type(base);
		if (!OidIsValid(column->element))
			return false;
		column->info = steward_type_info(getBaseType(column->element));
	}
	if (column->info == NULL)
		return false;
	(void) steward_guard_type_takes_key(att->atttypid, att->atttypmod, &typmod);
	column->key_id = steward_typmod_key(typmod);
	return true;
}

static BindPlan *
make_plan(Relation rel, const Trigger *trigger, MemoryContext context)
{
	TupleDesc	desc = RelationGetDescr(rel);
	MemoryContext caller = MemoryContextSwitchTo(context);
	BindPlan   *plan = palloc0(offsetof(BindPlan, columns) +
							   desc->natts * sizeof(BoundColumn));
	StewardPlain kind = steward_text_to_utf8(trigger->tgargs[0],
											 strlen(trigger->tgargs[0]));
	Oid			output;
	bool		is_varlena;

	plan->kind_len = kind.len;
	plan->kind = memcpy(palloc(kind.len + 1), kind.bytes, kind.len);
	steward_plain_free(&kind);
	plan->key = get_attnum(RelationGetRelid(rel), trigger->tgargs[1]);
	plan->key_type = getBaseType(TupleDescAttr(desc, plan->key - 1)->atttypid);
	getTypeOutputInfo(plan->key_type, &output, &is_varlena);
	fmgr_info_cxt(output, &plan->key_output, context);
	for (int i = 0; i < desc->natts; i++)
	{
		if (describe_column(TupleDescAttr(desc, i), &plan->columns[plan->count]))
			plan->count++;
	}
	MemoryContextSwitchTo(caller);
	return plan;
}

/* The DDL guard has seen the table, unless it was told to look away. */
static const BindPlan *
get_plan(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	if (fcinfo->flinfo->fn_extra == NULL)
	{
		steward_guard_binding(RelationGetRelid(trigger->tg_relation));
		fcinfo->flinfo->fn_extra = make_plan(trigger->tg_relation,
											 trigger->tg_trigger,
											 fcinfo->flinfo->fn_mcxt);
	}
	return fcinfo->flinfo->fn_extra;
}

/* ---- whose row is it? ---- */

/* The spelling of a key: equal keys of any of the types have the same. */
static char *
key_text(const BindPlan *plan, Datum key)
{
	char	   *text;

	if (plan->key_type == NUMERICOID)
		return numeric_normalize(DatumGetNumeric(key));
	text = OutputFunctionCall((FmgrInfo *) &plan->key_output, key);
	if (plan->key_type == BPCHAROID)
		text[bpchartruelen(text, (int) strlen(text))] = '\0';
	return text;
}

static pg_attribute_noreturn() void
raise_erased(const BindRow *row)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the subject of a row of table \"%s\" was erased",
					RelationGetRelationName(row->rel)),
			 errdetail("No value can be bound to it any more."),
			 errhint("A new person needs a new key.")));
}

/*
 * Finds the subject of the row, making it when a value is to be bound to it.
 * False when there is none, so that no value can be bound to it already.
 */
static bool
find_subject(BindRow *row, Datum key, bool make)
{
	StewardPlaintextScope scope;
	StewardSubjectName name = {.kind = row->plan->kind,
	.kind_len = row->plan->kind_len};
	StewardPlain utf8;
	char	   *text;
	bool		found = true;

	/* A key may be personal as well. */
	steward_plaintext_begin(&scope);
	text = key_text(row->plan, key);
	utf8 = steward_text_to_utf8(text, strlen(text));
	name.key = (char *) utf8.bytes;
	name.key_len = utf8.len;
	if (make)
		steward_subject_ensure(&name, &row->subject);
	else
		found = steward_subject_find(&name, &row->subject);
	steward_plain_free(&utf8);
	pfree(text);
	steward_plaintext_end(&scope);
	return found;
}

/* ---- values ---- */

/* The subject of a value, copied; false when it is not bound. */
static bool
value_subject(Datum value, unsigned char *uuid)
{
	struct varlena *bytes = (struct varlena *) DatumGetPointer(value);
	struct varlena *head = bytes;
	const unsigned char *header;
	bool		bound;

	if (VARATT_IS_EXTENDED(bytes) && !VARATT_IS_SHORT(bytes))
		head = PG_DETOAST_DATUM_SLICE(value, 0, STEWARD_HEADER_MAX_BYTES);
	header = (unsigned char *) VARDATA_ANY(head);
	bound = VARSIZE_ANY_EXHDR(head) >= STEWARD_HEADER_MAX_BYTES &&
		header[0] == STEWARD_DATUM_FORMAT && (header[3] & STEWARD_FLAG_SUBJECT) != 0;
	if (bound)
		memcpy(uuid, header + STEWARD_HEADER_BYTES, STEWARD_UUID_BYTES);
	if (head != bytes)
		pfree(head);
	return bound;
}

static pg_attribute_noreturn() void
raise_bound_elsewhere(const BindRow *row, const BoundColumn *column)
{
	const char *name = NameStr(TupleDescAttr(row->desc, column->number - 1)->attname);

	ereport(ERROR,
			(errcode(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION),
			 errmsg("value of column \"%s\" is bound to another subject than the row's",
					name),
			 errhint("To give a person's value to another, decrypt it and let it be encrypted anew, as in %s = %s::text.",
					 quote_identifier(name), quote_identifier(name))));
}

/* A value that is not bound yet, sealed anew. */
static Datum
bind_value(const BindRow *row, const BoundColumn *column, Datum value)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);
	StewardPlaintextScope scope;
	StewardDatum datum;
	StewardPlain plain;
	struct varlena *result;

	if (row->subject.erased)
		raise_erased(row);
	steward_plaintext_begin(&scope);
	steward_parse(column->info, &datum, bytes);
	(void) steward_open(&datum, &plain);	/* not bound, so not erased */
	result = steward_seal(column->info,
						  datum.key_id != 0 ? datum.key_id : column->key_id,
						  row->subject.uuid, plain.bytes, plain.len);
	steward_plain_free(&plain);
	steward_plaintext_end(&scope);
	return PointerGetDatum(result);
}

/* What is to be done with a value: nothing, bind it, or refuse it. */
static bool
is_bound(const BindRow *row, const BoundColumn *column, Datum value)
{
	unsigned char uuid[STEWARD_UUID_BYTES];

	if (!value_subject(value, uuid))
		return false;
	if (memcmp(uuid, row->subject.uuid, sizeof uuid) != 0)
		raise_bound_elsewhere(row, column);
	return true;
}

/* Binds what is not bound in an array; false when nothing was to be done. */
static bool
bind_array(const BindRow *row, const BoundColumn *column, Datum *value)
{
	ArrayType  *array = DatumGetArrayTypeP(*value);
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	bool		changed = false;

	deconstruct_array(array, column->element, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i] || is_bound(row, column, elements[i]))
			continue;
		elements[i] = bind_value(row, column, elements[i]);
		changed = true;
	}
	if (changed)
		*value = PointerGetDatum(construct_md_array(elements, nulls,
													ARR_NDIM(array),
													ARR_DIMS(array),
													ARR_LBOUND(array),
													column->element, -1, false,
													TYPALIGN_INT));
	return changed;
}

/* ---- rows ---- */

/* Is there anything in the row that is to be bound, or is bound? */
static bool
needs_subject(const BindRow *row, bool *unbound)
{
	bool		any = false;

	*unbound = false;
	for (int i = 0; i < row->plan->count; i++)
	{
		const BoundColumn *column = &row->plan->columns[i];
		unsigned char uuid[STEWARD_UUID_BYTES];
		bool		isnull;
		Datum		value = heap_getattr(row->tuple, column->number, row->desc,
										 &isnull);

		if (isnull)
			continue;
		any = true;
		*unbound |= OidIsValid(column->element) || !value_subject(value, uuid);
	}
	return any;
}

/*
 * A row that loses its key, as by ON DELETE SET NULL, keeps its values, bound as
 * they are; but no new ones come into it.
 */
static void
check_without_key(const BindRow *row)
{
	for (int i = 0; i < row->plan->count; i++)
	{
		const BoundColumn *column = &row->plan->columns[i];
		bool		isnull;
		bool		was_null = true;
		Datum		value = heap_getattr(row->tuple, column->number, row->desc,
										 &isnull);
		Datum		old = row->old == NULL ? (Datum) 0 :
			heap_getattr(row->old, column->number, row->desc, &was_null);

		if (isnull || (!was_null && datumIsEqual(value, old, false, -1)))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("value of column \"%s\" cannot be bound to a subject, because column \"%s\" is null",
						NameStr(TupleDescAttr(row->desc, column->number - 1)->attname),
						NameStr(TupleDescAttr(row->desc, row->plan->key - 1)->attname)),
				 errhint("Give the row the key of its subject.")));
	}
}

static void
bind_column(BindRow *row, const BoundColumn *column)
{
	bool		isnull;
	Datum		value = heap_getattr(row->tuple, column->number, row->desc, &isnull);
	bool		changed;

	if (isnull)
		return;
	if (OidIsValid(column->element))
		changed = bind_array(row, column, &value);
	else
	{
		changed = !is_bound(row, column, value);
		if (changed)
			value = bind_value(row, column, value);
	}
	if (!changed)
		return;
	row->columns[row->changed] = column->number;
	row->values[row->changed] = value;
	row->changed++;
}

/* Is a value of the row bound, so that a subject it should have must be there? */
static void
check_unknown(const BindRow *row)
{
	unsigned char uuid[STEWARD_UUID_BYTES];

	for (int i = 0; i < row->plan->count; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(row->tuple, row->plan->columns[i].number,
										 row->desc, &isnull);

		if (!isnull && value_subject(value, uuid))
			raise_bound_elsewhere(row, &row->plan->columns[i]);
	}
}

static HeapTuple
bind_row(BindRow *row)
{
	bool		unbound;
	bool		isnull;
	bool	   *nulls;
	Datum		key;

	if (!needs_subject(row, &unbound))
		return row->tuple;
	key = heap_getattr(row->tuple, row->plan->key, row->desc, &isnull);
	if (isnull)
	{
		check_without_key(row);
		return row->tuple;
	}
	if (!find_subject(row, key, unbound))
		check_unknown(row);		/* raises */
	row->columns = palloc(row->plan->count * sizeof(int));
	row->values = palloc(row->plan->count * sizeof(Datum));
	for (int i = 0; i < row->plan->count; i++)
		bind_column(row, &row->plan->columns[i]);
	if (row->changed == 0)
		return row->tuple;
	nulls = palloc0(row->changed * sizeof(bool));
	return heap_modify_tuple_by_cols(row->tuple, row->desc, row->changed,
									 row->columns, row->values, nulls);
}

STEWARD_FUNCTION(steward_bind_row)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	BindRow		row = {0};

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called as a trigger before INSERT or UPDATE of a row",
						"bind_row")));
	row.plan = get_plan(fcinfo, trigger);
	row.rel = trigger->tg_relation;
	row.desc = RelationGetDescr(row.rel);
	row.tuple = trigger->tg_trigtuple;
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		row.old = trigger->tg_trigtuple;
		row.tuple = trigger->tg_newtuple;
	}
	return PointerGetDatum(bind_row(&row));
}

/* ---- for those who go through a table ---- */

struct StewardBinder
{
	Relation	rel;
	BindPlan   *plan;
};

StewardBinder *
steward_binder(Relation rel)
{
	StewardBinding binding;
	StewardBinder *binder;

	if (!steward_binding_find(rel, &binding))
		return NULL;
	steward_guard_binding(RelationGetRelid(rel));
	for (int i = 0; i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (strcmp(trigger->tgname, binding.trigger) != 0 ||
			trigger->tgenabled == TRIGGER_DISABLED)
			continue;
		binder = palloc(sizeof *binder);
		binder->rel = rel;
		binder->plan = make_plan(rel, trigger, CurrentMemoryContext);
		return binder;
	}
	return NULL;
}

bool
steward_binder_lacks_key(const StewardBinder *binder, TupleTableSlot *row)
{
	return row->tts_isnull[binder->plan->key - 1];
}

static bool
binder_subject(const StewardBinder *binder, TupleTableSlot *row, bool make,
			   StewardSubject *subject)
{
	BindRow		bound = {.plan = binder->plan, .rel = binder->rel};
	bool		found = find_subject(&bound,
									 row->tts_values[binder->plan->key - 1], make);

	*subject = bound.subject;
	return found;
}

void
steward_binder_subject(const StewardBinder *binder, TupleTableSlot *row,
					   StewardSubject *subject)
{
	(void) binder_subject(binder, row, true, subject);
}

bool
steward_binder_find(const StewardBinder *binder, TupleTableSlot *row,
					StewardSubject *subject)
{
	return binder_subject(binder, row, false, subject);
}

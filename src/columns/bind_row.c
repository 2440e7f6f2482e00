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
#include "columns/bind.h"
#include "columns/shape.h"
#include "commands/trigger.h"
#include "types/binding.h"
#include "types/guard.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* What is to be done with the rows of a table, found out once in a statement. */
typedef struct BoundTable
{
	StewardBinder *binder;
	StewardShape **shapes;		/* by column; NULL where nothing is to be done */
} BoundTable;

/* One row on its way. */
typedef struct BindRow
{
	const BoundTable *table;
	TupleDesc	desc;
	const char *name;			/* of the table, for messages */
	int			natts;
	Datum	   *values;
	bool	   *nulls;
	bool	   *unbound;		/* columns with values that are not bound yet */
	bool		any;			/* values, bound or not */
	bool		any_unbound;
	StewardSubject subject;
	int			column;			/* the one at work, from 0 */
} BindRow;

/* ---- the table ---- */

static BoundTable *
describe(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	BoundTable *table = palloc0(sizeof *table);

	/* It fires, whatever this session's kind of trigger is. */
	table->binder = steward_binder_any(rel);
	if (table->binder == NULL)
		steward_guard_binding(RelationGetRelid(rel));	/* raises */
	table->shapes = steward_shapes(desc);
	for (int i = 0; table->shapes != NULL && i < desc->natts; i++)
	{
		/* A generated column is computed later, from what is bound then. */
		if (TupleDescAttr(desc, i)->attgenerated)
			table->shapes[i] = NULL;
	}
	return table;
}

static const BoundTable *
get_table(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	if (fcinfo->flinfo->fn_extra == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		fcinfo->flinfo->fn_extra = describe(trigger->tg_relation);
		MemoryContextSwitchTo(caller);
	}
	return fcinfo->flinfo->fn_extra;
}

static const char *
column_name(const BindRow *row, int column)
{
	return NameStr(TupleDescAttr(row->desc, column)->attname);
}

/* ---- values ---- */

static void
note_value(const StewardDatum *head, void *arg)
{
	BindRow    *row = arg;

	row->any = true;
	/* What is no value at all is found out when it is to be bound. */
	if (head == NULL || head->subject == NULL)
		row->unbound[row->column] = row->any_unbound = true;
}

static void
check_value(const StewardDatum *head, void *arg)
{
	const BindRow *row = arg;
	const char *name = column_name(row, row->column);

	if (head == NULL || head->subject == NULL ||
		memcmp(head->subject, row->subject.uuid, STEWARD_UUID_BYTES) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION),
			 errmsg("value of column \"%s\" is bound to another subject than the row's",
					name),
			 errhint("To give a person's value to another, decrypt it and let it be encrypted anew, as in %s = %s::text.",
					 quote_identifier(name), quote_identifier(name))));
}

/* Calls back for the heads of all values of the row. */
static void
for_each_head(BindRow *row, StewardShapeHead callback)
{
	for (row->column = 0; row->column < row->natts; row->column++)
	{
		StewardShape *shape = row->table->shapes[row->column];

		if (shape != NULL && !row->nulls[row->column])
			steward_shape_heads(shape, row->values[row->column], callback, row);
	}
}

/* A value that is not bound yet, sealed anew. */
static struct varlena *
bind_value(const StewardTypeInfo *info, int32 typmod, struct varlena *value,
		   void *arg)
{
	const BindRow *row = arg;
	StewardPlaintextScope scope;
	StewardDatum datum;
	StewardPlain plain;
	struct varlena *result;

	steward_parse(info, &datum, value);
	if (datum.subject != NULL)
		return value;
	steward_plaintext_begin(&scope);
	(void) steward_open(&datum, &plain);	/* not bound, so not erased */
	result = steward_seal(info, datum.key_id != 0 ? datum.key_id :
						  steward_typmod_key(typmod), row->subject.uuid, plain.bytes, plain.len);
	steward_plain_free(&plain);
	steward_plaintext_end(&scope);
	return result;
}

/* ---- rows ---- */

/*
 * A row that loses its key, as by ON DELETE SET NULL, keeps its values, bound as
 * they are; but no new ones come into it.
 */
static void
check_without_key(const BindRow *row, HeapTuple old)
{
	for (int i = 0; i < row->natts; i++)
	{
		bool		was_null = true;
		Datum		before = old == NULL ? (Datum) 0 :
			heap_getattr(old, i + 1, row->desc, &was_null);

		if (row->table->shapes[i] == NULL || row->nulls[i] ||
			(!was_null && datumIsEqual(row->values[i], before, false, -1)))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("value of column \"%s\" cannot be bound to a subject, because column \"%s\" is null",
						column_name(row, i),
						column_name(row, steward_binder_key(row->table->binder) - 1)),
				 errhint("Give the row the key of its subject.")));
	}
}

/* Binds what is not bound, with the row's subject at hand. */
static HeapTuple
bind_values(BindRow *row, HeapTuple tuple)
{
	int		   *columns = palloc(row->natts * sizeof(int));
	Datum	   *values = palloc(row->natts * sizeof(Datum));
	bool	   *nulls = palloc0(row->natts * sizeof(bool));
	int			count = 0;

	if (row->subject.erased)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the subject of a row of table \"%s\" was erased",
						row->name),
				 errdetail("No value can be bound to it any more."),
				 errhint("A new person needs a new key.")));
	for (row->column = 0; row->column < row->natts; row->column++)
	{
		if (!row->unbound[row->column])
			continue;
		columns[count] = row->column + 1;
		values[count++] = steward_shape_map(row->table->shapes[row->column],
											row->values[row->column], bind_value,
											row);
	}
	return heap_modify_tuple_by_cols(tuple, row->desc, count, columns, values,
									 nulls);
}

static HeapTuple
bind_row(BindRow *row, HeapTuple tuple, HeapTuple old)
{
	StewardBinder *binder = row->table->binder;
	AttrNumber	key = steward_binder_key(binder);

	heap_deform_tuple(tuple, row->desc, row->values, row->nulls);
	for_each_head(row, note_value);
	if (!row->any)
		return tuple;
	if (row->nulls[key - 1])
	{
		check_without_key(row, old);
		return tuple;
	}
	/* Without a subject nothing can be bound to it: no uuid is all zeros. */
	if (!steward_binder_find(binder, row->values[key - 1], row->any_unbound,
							 &row->subject))
		memset(&row->subject, 0, sizeof row->subject);
	for_each_head(row, check_value);
	return row->any_unbound ? bind_values(row, tuple) : tuple;
}

/*
 * Who writes a row of a subject says so, though it may have no encrypted value: a policy that
 * erases subjects asks how old their rows are.
 */
static void
enter(const BoundTable *table, TupleDesc desc, HeapTuple tuple)
{
	bool		isnull;
	Datum		key = heap_getattr(tuple, steward_binder_key(table->binder), desc, &isnull);

	if (!isnull)
		steward_binder_enter(table->binder, key);
}

STEWARD_FUNCTION(steward_bind_row)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	bool		is_update;
	BindRow		row = {0};

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called as a trigger before INSERT or UPDATE of a row",
						"bind_row")));
	is_update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	row.table = get_table(fcinfo, trigger);
	row.desc = RelationGetDescr(trigger->tg_relation);
	enter(row.table, row.desc, is_update ? trigger->tg_newtuple : trigger->tg_trigtuple);
	if (row.table->shapes == NULL)
		return PointerGetDatum(is_update ? trigger->tg_newtuple : trigger->tg_trigtuple);
	row.name = RelationGetRelationName(trigger->tg_relation);
	row.natts = row.desc->natts;
	row.values = palloc(row.natts * sizeof(Datum));
	row.nulls = palloc(row.natts * sizeof(bool));
	row.unbound = palloc0(row.natts * sizeof(bool));
	if (is_update)
		return PointerGetDatum(bind_row(&row, trigger->tg_newtuple,
										trigger->tg_trigtuple));
	return PointerGetDatum(bind_row(&row, trigger->tg_trigtuple, NULL));
}

/*
 * conversion_trigger.c: the trigger that keeps a shadow in step; see
 * conversion.h.
 *
 * Which columns it is for stands in its WHEN condition, which is always true:
 * that follows renames and dumps, and makes PostgreSQL refuse to drop either
 * column or to change its type. It fires last of all BEFORE triggers, in every
 * session_replication_role.
 *
 * A shadow is made anew when its source changed or somebody wrote to it, so that
 * an UPDATE that sets it to NULL fills it.
 */
#include "columns/conversion.h"

#include "access/htup_details.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "base/catalog.h"
#include "base/trigger_row.h"
#include "types/encrypted.h"
#include "types/guard.h"
#include "types/scratch.h"

#define STEP_EVENTS \
	(TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE)

struct StewardStep
{
	MemoryContext context;
	bool		encrypt;
	AttrNumber	source;
	AttrNumber	shadow;
	uint32		key_id;
	ExprContext *scratch;
	FmgrInfo	decrypt;		/* encrypted value to the usual plain type */
	ExprState  *to_shadow;		/* source, or what decrypt gave, to the
								 * shadow's type */
	ExprState  *to_plain;		/* source to the usual plain type: encryption
								 * only */
	FmgrInfo	equal;			/* of what is compared in the end */
	Oid			collation;
};

/* ---- finding it ---- */

static Oid
step_function(void)
{
	List	   *name = list_make2(makeString(STEWARD_SCHEMA), makeString("column_step"));

	return LookupFuncName(name, 0, NULL, false);
}

static bool
collect_columns(Node *node, List **columns)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		*columns = lappend_int(*columns, ((Var *) node)->varattno);
		return false;
	}
	return expression_tree_walker(node, collect_columns, columns);
}

static pg_attribute_noreturn() void
raise_altered(Relation rel, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the online conversion of a column of table \"%s\" was disturbed",
					RelationGetRelationName(rel)),
			 errdetail("%s", what),
			 errhint("Give it up with steward.abort_column_conversion(), and begin again.")));
}

/* The two columns of the condition; false when it has no two. */
static bool
columns_of(const char *condition, AttrNumber *source, AttrNumber *shadow)
{
	List	   *columns = NIL;

	if (condition != NULL)
		(void) collect_columns((Node *) stringToNode(condition), &columns);
	if (list_length(columns) != 2 || linitial_int(columns) <= 0 ||
		lsecond_int(columns) <= 0)
		return false;
	*source = linitial_int(columns);
	*shadow = lsecond_int(columns);
	return true;
}

/* Takes the columns from the condition and the types from the columns. */
static void
read_columns(StewardConversion *conversion, Relation rel, const char *condition)
{
	TupleDesc	desc = RelationGetDescr(rel);
	AttrNumber	source_number;
	AttrNumber	shadow_number;
	Form_pg_attribute source;
	Form_pg_attribute shadow;

	if (!columns_of(condition, &source_number, &shadow_number))
		raise_altered(rel, "Its trigger names no two columns.");
	source = TupleDescAttr(desc, source_number - 1);
	shadow = TupleDescAttr(desc, shadow_number - 1);
	conversion->relid = RelationGetRelid(rel);
	conversion->owner = rel->rd_rel->relowner;
	conversion->source = source->attnum;
	conversion->shadow = shadow->attnum;
	conversion->column = pstrdup(NameStr(source->attname));
	conversion->source_type = source->atttypid;
	conversion->source_typmod = source->atttypmod;
	conversion->target_type = shadow->atttypid;
	conversion->target_typmod = shadow->atttypmod;
	conversion->encrypt = !steward_guard_type(source->atttypid);
	conversion->key_id = (uint32) (conversion->encrypt ? shadow->atttypmod :
								   source->atttypmod);
	conversion->target_sql = format_type_extended(shadow->atttypid, shadow->atttypmod,
												  FORMAT_TYPE_TYPEMOD_GIVEN |
												  FORMAT_TYPE_FORCE_QUALIFY);
	if (steward_guard_type(shadow->atttypid) != conversion->encrypt)
		raise_altered(rel, "Its trigger names no plain and encrypted column.");
}

static const Trigger *
find(Relation rel)
{
	Oid			function = step_function();

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		if (rel->trigdesc->triggers[i].tgfoid == function)
			return &rel->trigdesc->triggers[i];
	}
	return NULL;
}

/* What another trigger does after ours would not reach the shadow. */
static void
check_last(Relation rel, const Trigger *ours)
{
	for (const Trigger *other = ours + 1;
		 other < rel->trigdesc->triggers + rel->trigdesc->numtriggers; other++)
	{
		if (TRIGGER_FOR_ROW(other->tgtype) && TRIGGER_FOR_BEFORE(other->tgtype) &&
			(TRIGGER_FOR_INSERT(other->tgtype) || TRIGGER_FOR_UPDATE(other->tgtype)))
			raise_altered(rel, psprintf("Trigger \"%s\" would fire after the one that keeps the shadow column in step.",
										other->tgname));
	}
}

bool
steward_conversion_find_trigger(StewardConversion *conversion, Relation rel)
{
	const Trigger *trigger = find(rel);

	if (trigger == NULL)
		return false;
	if (trigger->tgenabled != TRIGGER_FIRES_ALWAYS || trigger->tgtype != STEP_EVENTS ||
		trigger->tgnattr != 0)
		raise_altered(rel, "Its trigger was altered or disabled.");
	check_last(rel, trigger);
	read_columns(conversion, rel, trigger->tgqual);
	return true;
}

void
steward_conversion_find_remains(Relation rel, char **trigger, char **shadow)
{
	const Trigger *found = find(rel);
	AttrNumber	source_number;
	AttrNumber	shadow_number;

	*trigger = *shadow = NULL;
	if (found == NULL)
		return;
	*trigger = pstrdup(found->tgname);
	if (columns_of(found->tgqual, &source_number, &shadow_number))
		*shadow = pstrdup(NameStr(TupleDescAttr(RelationGetDescr(rel),
												shadow_number - 1)->attname));
}

StewardTriggerStamp
steward_conversion_trigger_stamp(Relation rel)
{
	StewardTriggerStamp stamp = {InvalidOid, InvalidTransactionId};
	const Trigger *trigger = find(rel);
	StewardTriggerRow row;

	if (trigger == NULL)
		return stamp;
	stamp.oid = trigger->tgoid;
	if (steward_trigger_row_read(stamp.oid, &row))
		stamp.xmin = row.xmin;
	return stamp;
}

/* ---- making a step ---- */

/* An expression that turns the case value, of one type, into another type. */
static ExprState *
make_coercion(Relation rel, Oid from, int32 from_typmod, Oid to, int32 to_typmod)
{
	CaseTestExpr *input = makeNode(CaseTestExpr);
	Node	   *expression;

	input->typeId = from;
	input->typeMod = from_typmod;
	input->collation = get_typcollation(from);
	expression = coerce_to_target_type(NULL, (Node *) input, from, to, to_typmod,
									   COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (expression == NULL)
		raise_altered(rel, psprintf("Values of type %s cannot become ones of type %s.",
									format_type_be(from), format_type_be(to)));
	return ExecInitExpr((Expr *) expression, NULL);
}

StewardStep *
steward_step_make(const StewardConversion *conversion, Relation rel)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "pg_steward column step",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	StewardStep *step = palloc0(sizeof *step);
	Oid			encrypted = conversion->encrypt ? conversion->target_type :
		conversion->source_type;
	Oid			decrypt = steward_conversion_decrypt_function(encrypted);
	Oid			plain = get_func_rettype(decrypt);
	Oid			compared = conversion->encrypt ? plain : conversion->target_type;
	TypeCacheEntry *cache = lookup_type_cache(compared, TYPECACHE_EQ_OPR);

	step->context = context;
	step->encrypt = conversion->encrypt;
	step->source = conversion->source;
	step->shadow = conversion->shadow;
	step->key_id = conversion->key_id;
	step->scratch = CreateStandaloneExprContext();
	steward_work_per_tuple(step->scratch);
	fmgr_info(decrypt, &step->decrypt);
	step->to_shadow = make_coercion(rel, conversion->encrypt ? conversion->source_type : plain,
									conversion->encrypt ? conversion->source_typmod : -1,
									conversion->target_type, conversion->target_typmod);
	if (conversion->encrypt)
		step->to_plain = make_coercion(rel, conversion->source_type,
									   conversion->source_typmod, plain, -1);
	if (!OidIsValid(cache->eq_opr))
		raise_altered(rel, psprintf("Values of type %s cannot be compared.",
									format_type_be(compared)));
	fmgr_info(get_opcode(cache->eq_opr), &step->equal);
	step->collation = get_typcollation(compared);
	MemoryContextSwitchTo(caller);
	return step;
}

void
steward_step_free(StewardStep *step)
{
	FreeExprContext(step->scratch, true);
	MemoryContextDelete(step->context);
}

static Datum
evaluate(StewardStep *step, ExprState *expression, Datum value, bool *isnull)
{
	step->scratch->caseValue_datum = value;
	step->scratch->caseValue_isNull = *isnull;
	return ExecEvalExpr(expression, step->scratch, isnull);
}

/*
 * Opens a value whoever the current user is: that the column is decrypted was
 * asked for by somebody with the right. Other keys' values are not opened.
 */
static Datum
decrypt(StewardStep *step, Datum value, bool *isnull)
{
	LOCAL_FCINFO(call, 1);
	volatile Datum result = (Datum) 0;

	InitFunctionCallInfoData(*call, &step->decrypt, 1, InvalidOid, NULL, NULL);
	call->args[0].value = value;
	call->args[0].isnull = false;
	steward_decrypt_authorise(step->key_id, NULL);
	PG_TRY();
	{
		result = FunctionCallInvoke(call);
	}
	PG_FINALLY();
	{
		steward_decrypt_authorise(0, NULL);
	}
	PG_END_TRY();
	*isnull = call->isnull;
	return result;
}

/* The shadow of a source, in memory of the step. */
static Datum
make_shadow(StewardStep *step, Datum source, bool *isnull)
{
	MemoryContext caller = MemoryContextSwitchTo(step->scratch->ecxt_per_tuple_memory);

	if (!*isnull && !step->encrypt)
		source = decrypt(step, source, isnull);
	if (!*isnull)
		source = evaluate(step, step->to_shadow, source, isnull);
	MemoryContextSwitchTo(caller);
	return source;
}

/* Compares where neither is NULL. */
static bool
same_value(StewardStep *step, Datum source, Datum shadow)
{
	bool		isnull = false;
	bool		shadow_isnull = false;

	if (step->encrypt)
	{
		source = evaluate(step, step->to_plain, source, &isnull);
		shadow = decrypt(step, shadow, &shadow_isnull);
	}
	else
		source = make_shadow(step, source, &isnull);
	if (isnull || shadow_isnull)
		return isnull && shadow_isnull;
	return DatumGetBool(FunctionCall2Coll(&step->equal, step->collation, source, shadow));
}

bool
steward_step_matches(StewardStep *step, TupleTableSlot *slot)
{
	bool		source_isnull;
	bool		shadow_isnull;
	Datum		source = slot_getattr(slot, step->source, &source_isnull);
	Datum		shadow = slot_getattr(slot, step->shadow, &shadow_isnull);
	MemoryContext caller;
	bool		result;

	if (source_isnull)
		return shadow_isnull;
	ResetExprContext(step->scratch);
	caller = MemoryContextSwitchTo(step->scratch->ecxt_per_tuple_memory);
	if (!shadow_isnull)
		result = same_value(step, source, shadow);
	else if (step->encrypt)
		result = false;
	else
	{
		/* The value of a subject that was erased. */
		(void) make_shadow(step, source, &source_isnull);
		result = source_isnull;
	}
	MemoryContextSwitchTo(caller);
	return result;
}

Datum
steward_step_shadow(StewardStep *step, TupleTableSlot *slot, bool *isnull)
{
	Datum		source = slot_getattr(slot, step->source, isnull);

	ResetExprContext(step->scratch);
	return make_shadow(step, source, isnull);
}

/* ---- the trigger ---- */

/* Makes a step for the trigger's relation, once a statement. */
static StewardStep *
step_of_trigger(FunctionCallInfo fcinfo, Relation rel)
{
	MemoryContext caller;
	StewardConversion conversion = {0};

	if (fcinfo->flinfo->fn_extra != NULL)
		return fcinfo->flinfo->fn_extra;
	caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	if (!steward_conversion_find_trigger(&conversion, rel))
		raise_altered(rel, "Its trigger is gone.");
	if (!conversion.encrypt &&
		!steward_conversion_decrypts(conversion.relid, conversion.key_id))
		raise_altered(rel, "Nobody who may decrypt under the key has begun it.");
	fcinfo->flinfo->fn_extra = steward_step_make(&conversion, rel);
	MemoryContextSwitchTo(caller);
	return fcinfo->flinfo->fn_extra;
}

/* Are both columns as they were, and the shadow filled? */
static bool
is_untouched(const StewardStep *step, HeapTuple old, HeapTuple new, TupleDesc desc)
{
	AttrNumber	columns[] = {step->source, step->shadow};

	for (int i = 0; i < lengthof(columns); i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, columns[i] - 1);
		bool		old_isnull;
		bool		new_isnull;
		Datum		before = heap_getattr(old, columns[i], desc, &old_isnull);
		Datum		after = heap_getattr(new, columns[i], desc, &new_isnull);

		if (old_isnull || new_isnull ||
			!datumIsEqual(before, after, att->attbyval, att->attlen))
			return false;
	}
	return true;
}

STEWARD_FUNCTION(steward_column_step)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	StewardStep *step;
	HeapTuple	tuple;
	Datum		value;
	bool		isnull;
	int			column;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(data->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called by the trigger of an online conversion",
						"column_step")));
	desc = RelationGetDescr(data->tg_relation);
	step = step_of_trigger(fcinfo, data->tg_relation);
	tuple = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple :
		data->tg_trigtuple;
	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event) &&
		is_untouched(step, data->tg_trigtuple, tuple, desc))
		return PointerGetDatum(tuple);

	ResetExprContext(step->scratch);
	column = step->shadow;
	value = heap_getattr(tuple, step->source, desc, &isnull);
	value = make_shadow(step, value, &isnull);
	return PointerGetDatum(heap_modify_tuple_by_cols(tuple, desc, 1, &column,
													 &value, &isnull));
}

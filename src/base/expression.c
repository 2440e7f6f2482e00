/*
 * expression.c: expressions over the columns of a table, from text and to text; see
 * expression.h.
 */
#include "base/expression.h"

#include "access/sysattr.h"
#include "access/transam.h"
#include "base/catalog.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "rewrite/rewriteManip.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

/* The one target of a SELECT that has nothing else, or NULL. */
static ResTarget *
only_target(SelectStmt *select)
{
	ResTarget  *target;

	if (list_length(select->targetList) != 1 || select->op != SETOP_NONE ||
		select->withClause != NULL || select->distinctClause != NIL ||
		select->intoClause != NULL || select->fromClause != NIL ||
		select->whereClause != NULL || select->groupClause != NIL ||
		select->havingClause != NULL || select->windowClause != NIL ||
		select->sortClause != NIL || select->limitOffset != NULL ||
		select->limitCount != NULL || select->lockingClause != NIL)
		return NULL;
	target = linitial_node(ResTarget, select->targetList);
	/* PostgreSQL expands a star before it looks at expressions. */
	if (target->name != NULL ||
		(IsA(target->val, ColumnRef) &&
		 IsA(llast(((ColumnRef *) target->val)->fields), A_Star)))
		return NULL;
	return target;
}

Node *
steward_expression_raw(const char *text, const StewardExpressionUse *use)
{
	List	   *statements = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
	ResTarget  *target = only_target(castNode(SelectStmt,
											  linitial_node(RawStmt, statements)->stmt));

	if (target == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s must be one expression", use->what),
				 errhint("Write it over the columns of the table, as in: %s.",
						 use->example)));
	return target->val;
}

/* A position is one in the text, not in the statement of the caller. */
static void
on_error(void *text)
{
	int			position = geterrposition();

	if (position <= 0)
		return;
	errposition(0);
	internalerrposition(position);
	internalerrquery(text);
}

Node *
steward_expression_transform(Relation rel, const char *text, ParseExprKind kind,
							 const StewardExpressionUse *use)
{
	ParseState *state = make_parsestate(NULL);
	ParseNamespaceItem *item;
	Node	   *expression;
	ErrorContextCallback callback = {error_context_stack, on_error,
	unconstify(char *, text)};

	error_context_stack = &callback;
	state->p_sourcetext = text;
	item = addRangeTableEntryForRelation(state, rel, AccessShareLock, NULL, false,
										 true);
	addNSItemToQuery(state, item, false, true, true);
	expression = steward_expression_raw(text, use);
	if (use->clause != NULL)
		expression = transformWhereClause(state, expression, kind, use->clause);
	else
		expression = transformExpr(state, expression, kind);
	assign_expr_collations(state, expression);
	free_parsestate(state);
	error_context_stack = callback.previous;
	return expression;
}

/* What an expression has of these cannot be said of one row by itself. */
static void
check_one_row(Node *expression, const StewardExpressionUse *use)
{
	const char *part = NULL;

	if (checkExprHasSubLink(expression))
		part = "a subquery";
	else if (contain_aggs_of_level(expression, 0))
		part = "an aggregate function";
	else if (contain_windowfuncs(expression))
		part = "a window function";
	else if (expression_returns_set(expression))
		part = "a function that returns a set";
	if (part != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s cannot have %s", use->what, part),
				 errdetail("It is evaluated for one row at a time."),
				 errhint("Write it over the columns of the table, as in: %s.",
						 use->example)));
}

static void
check_columns(Node *expression, const StewardExpressionUse *use)
{
	Bitmapset  *attributes = NULL;
	int			lowest;

	pull_varattnos(expression, 1, &attributes);
	lowest = bms_next_member(attributes, -1);
	if (lowest >= 0 && lowest + FirstLowInvalidHeapAttributeNumber <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s can use columns of the table only", use->what),
				 errdetail("A system column or a row as a whole is none."),
				 errhint("Name the columns.")));
	bms_free(attributes);
}

static void
check_volatile(Node *expression, const StewardExpressionUse *use)
{
	if (contain_volatile_functions(expression))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("%s cannot call a volatile function", use->what),
				 errhint("Use functions that are immutable or stable.")));
}

/* Whom the parts of an expression must belong to. */
typedef struct Trust
{
	const StewardExpressionUse *use;
	Oid			owner;
	bool		plain;
} Trust;

static void
refuse(const Trust *trust, const char *kind, const char *name)
{
	if (trust->plain)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("%s of somebody else's table cannot use %s %s",
						trust->use->what, kind, name),
				 errdetail("It is evaluated as the owner of the table."),
				 errhint("Use comparisons, casts and immutable functions of PostgreSQL itself, or let the owner do it.")));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s cannot use %s %s", trust->use->what, kind, name),
			 errdetail("It is evaluated as the owner of the table, to whom neither that belongs nor to a superuser."),
			 errhint("Let the owner of the table or a superuser own it.")));
}

static bool
is_trusted(const Trust *trust, Oid owner)
{
	return owner == trust->owner || superuser_arg(owner);
}

static bool
check_function(Oid function, void *arg)
{
	const Trust *trust = arg;
	HeapTuple	tuple;
	Oid			owner;

	if (function < FirstNormalObjectId)
		return false;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	if (trust->plain || !is_trusted(trust, owner))
		refuse(trust, "function", format_procedure(function));
	return false;
}

/* Casts and operators of PostgreSQL itself are harmless; not all it can call is. */
static void
check_call(const Trust *trust, Node *node)
{
	const FuncExpr *call = (const FuncExpr *) node;

	if (!trust->plain || !IsA(node, FuncExpr))
		return;
	if ((call->funcformat == COERCE_EXPLICIT_CALL ||
		 call->funcformat == COERCE_SQL_SYNTAX) &&
		func_volatile(call->funcid) != PROVOLATILE_IMMUTABLE)
		refuse(trust, "function", format_procedure(call->funcid));
}

/*
 * To make a value of a domain runs its checks, which its owner can replace. A
 * column's own type is the table owner's choice, and reading makes no value.
 */
static void
check_type(const Trust *trust, Node *node)
{
	Oid			type;
	Oid			element;
	HeapTuple	tuple;
	Form_pg_type row;
	bool		harmless;

	if (IsA(node, Var) || IsA(node, FieldSelect) || IsA(node, CaseTestExpr) ||
		IsA(node, CoerceToDomainValue) || IsA(node, List))
		return;
	type = exprType(node);
	element = get_element_type(type);
	if (OidIsValid(element))
		type = element;
	if (type < FirstNormalObjectId)
		return;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	row = (Form_pg_type) GETSTRUCT(tuple);
	harmless = row->typtype == TYPTYPE_ENUM ||
		(!trust->plain && is_trusted(trust, row->typowner));
	ReleaseSysCache(tuple);
	if (!harmless)
		refuse(trust, "type", format_type_be(type));
}

static bool
check_trust(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	(void) check_functions_in_node(node, check_function, arg);
	check_call(arg, node);
	if (IsA(node, CaseWhen) || IsA(node, TargetEntry))
		return expression_tree_walker(node, check_trust, arg);
	check_type(arg, node);
	return expression_tree_walker(node, check_trust, arg);
}

/*
 * What only the planner shows: volatile functions behind defaults of arguments and
 * in functions that are inlined; and whether the owner may call what there is.
 */
static void
check_planned(Relation rel, Node *expression, const StewardExpressionUse *use)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "expression to check",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	StewardIdentity identity;
	Expr	   *planned;

	steward_become_guarded(rel->rd_rel->relowner, &identity);
	planned = expression_planner(copyObject((Expr *) expression));
	check_volatile((Node *) planned, use);
	(void) ExecInitExpr(planned, NULL);
	steward_become_caller(&identity);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
}

Node *
steward_expression_parse(Relation rel, const char *text, bool plain,
						 const StewardExpressionUse *use)
{
	Trust		trust = {use, rel->rd_rel->relowner, plain};
	Node	   *expression = steward_expression_transform(rel, text, EXPR_KIND_OTHER,
														  use);

	check_one_row(expression, use);
	check_columns(expression, use);
	check_volatile(expression, use);
	(void) check_trust(expression, &trust);
	check_planned(rel, expression, use);
	return expression;
}

static void
set_option(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

int
steward_expression_settings(const char *time_zone)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog, pg_temp"},
		{"DateStyle", "ISO, MDY"},
		{"IntervalStyle", "postgres"},
		{"extra_float_digits", "1"},
		{"bytea_output", "hex"},
		{"lc_monetary", "C"},
		{"lc_numeric", "C"},
		{"lc_time", "C"},
		{"standard_conforming_strings", "on"},
		{"transform_null_equals", "off"},
		{"array_nulls", "on"},
		{"quote_all_identifiers", "off"}
	};
	int			level = NewGUCNestLevel();

	/*
	 * Setting search_path looks up schemas; what is as it must be is left
	 * alone.
	 */
	for (int i = 0; i < lengthof(settings); i++)
	{
		if (strcmp(GetConfigOption(settings[i][0], false, false), settings[i][1]) != 0)
			set_option(settings[i][0], settings[i][1]);
	}
	if (time_zone != NULL &&
		strcmp(GetConfigOption("TimeZone", false, false), time_zone) != 0)
		set_option("TimeZone", time_zone);
	return level;
}

char *
steward_expression_text(Relation rel, Node *expression, const char *alias)
{
	const char *name = alias != NULL ? alias : RelationGetRelationName(rel);
	int			level = steward_expression_settings(NULL);
	char	   *text;

	text = deparse_expression(expression,
							  deparse_context_for(name, RelationGetRelid(rel)),
							  alias != NULL, false);
	AtEOXact_GUC(false, level);
	return text;
}

Bitmapset *
steward_expression_columns(Node *expression)
{
	Bitmapset  *attributes = NULL;
	Bitmapset  *columns = NULL;
	int			member = -1;

	pull_varattnos(expression, 1, &attributes);
	while ((member = bms_next_member(attributes, member)) >= 0)
		columns = bms_add_member(columns, member + FirstLowInvalidHeapAttributeNumber);
	bms_free(attributes);
	return columns;
}

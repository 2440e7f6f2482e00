/*
 * condition.c: which rows have expired, as SQL; see condition.h.
 */
#include "retention/condition.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/expression.h"
#include "retention/anonymize.h"

static const StewardExpressionUse age_use = {
	"the age of a retention policy", "created_at", NULL
};
static const StewardExpressionUse filter_use = {
	"the filter of a retention policy", "status = 'closed'", "the filter"
};

/* The type of an age, or an error. */
static Oid
age_type(Relation rel, Node *expression)
{
	Oid			type = getBaseType(exprType(expression));

	if (type != DATEOID && type != TIMESTAMPOID && type != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the age given for table \"%s\" does not say how old a row is",
						RelationGetRelationName(rel)),
				 errdetail("It is of type %s.",
						   format_type_be(exprType(expression))),
				 errhint("Use a column or an expression of type date, timestamp or timestamptz.")));
	return type;
}

void
steward_age_describe(StewardAge *age, const StewardPolicy *policy, Relation rel,
					 const char *alias)
{
	Node	   *expression = steward_expression_parse(rel, policy->age, false, &age_use);

	age->type = age_type(rel, expression);
	age->column = IsA(expression, Var) ? ((Var *) expression)->varattno : 0;
	age->sql = psprintf("(%s)", steward_expression_text(rel, expression, alias));
}

Datum
steward_age_cutoff(const StewardPolicy *policy, Oid type)
{
	switch (type)
	{
		case DATEOID:
			return DateADTGetDatum(policy->cutoff_date);
		case TIMESTAMPOID:
			return TimestampGetDatum(policy->cutoff_local);
		default:
			return TimestampTzGetDatum(policy->cutoff);
	}
}

char *
steward_age_moment(const StewardPolicy *policy, const StewardAge *age)
{
	if (age->type == TIMESTAMPTZOID)
		return psprintf("%s::pg_catalog.timestamptz", age->sql);
	return psprintf("pg_catalog.timezone(%s, %s::pg_catalog.timestamp)",
					quote_literal_cstr(policy->time_zone), age->sql);
}

char *
steward_condition_expired(const StewardPolicy *policy, Relation rel,
						  const StewardAge *age, const char *alias)
{
	char	   *expired = psprintf("%s OPERATOR(pg_catalog.<) $1"
								   " AND %s OPERATOR(pg_catalog.>) '-infinity'",
								   age->sql, age->sql);

	if (policy->filter != NULL)
		expired = psprintf("%s AND (%s)", expired,
						   steward_expression_text(rel,
												   steward_expression_parse(rel, policy->filter,
																			false, &filter_use),
												   alias));
	if (policy->action == STEWARD_ANONYMIZE)
		expired = psprintf("%s AND %s", expired,
						   steward_anonymize_pending(steward_anonymize_columns(policy, rel)));
	return expired;
}

char *
steward_age_typed(Relation rel, const char *text)
{
	AttrNumber	column = get_attnum(RelationGetRelid(rel), text);
	Node	   *expression;

	if (column != InvalidAttrNumber)
		text = quote_identifier(text);
	expression = steward_expression_parse(rel, text, false, &age_use);
	(void) age_type(rel, expression);
	return steward_expression_text(rel, expression, NULL);
}

char *
steward_filter_typed(Relation rel, const char *text)
{
	return steward_expression_text(rel,
								   steward_expression_parse(rel, text, false, &filter_use),
								   NULL);
}

/*
 * statement.c: statements over the tables of a policy; see statement.h.
 */
#include "retention/statement.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/rel.h"

/* Raises unless the statement is over each of the relations. */
static void
check_relations(SPIPlanPtr plan, const List *relations)
{
	ListCell   *relation;
	ListCell   *cell;

	foreach(cell, SPI_plan_get_plan_sources(plan))
	{
		CachedPlanSource *source = (CachedPlanSource *) lfirst(cell);

		foreach(relation, relations)
		{
			if (!list_member_oid(source->relationOids, lfirst_oid(relation)))
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("table \"%s\" was renamed during the run",
								get_rel_name(lfirst_oid(relation)))));
		}
	}
}

static SPIPlanPtr
prepare(const StewardStatement *statement)
{
	SPIPlanPtr	plan = SPI_prepare(statement->sql, statement->count,
								   statement->types);

	if (plan == NULL)
		elog(ERROR, "could not prepare a statement: %s",
			 SPI_result_code_string(SPI_result));
	check_relations(plan, statement->relations);
	return plan;
}

uint64
steward_statement_execute(const StewardStatement *statement, int expected)
{
	SPIPlanPtr	plan = prepare(statement);
	int			answer;

	answer = SPI_execute_plan(plan, statement->values, NULL, statement->read_only, 0);
	if (answer != expected)
		elog(ERROR, "unexpected answer %d from SPI", answer);
	check_relations(plan, statement->relations);
	SPI_freeplan(plan);
	return SPI_processed;
}

Portal
steward_statement_open(const StewardStatement *statement)
{
	SPIPlanPtr	plan = prepare(statement);
	Portal		portal = SPI_cursor_open(NULL, plan, statement->values, NULL,
										 statement->read_only);

	check_relations(plan, statement->relations);
	return portal;
}

char *
steward_table_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

Datum
steward_tid_array(const ItemPointerData *tids, int count)
{
	Datum	   *elements = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(&tids[i]);
	return PointerGetDatum(construct_array(elements, count, TIDOID,
										   sizeof(ItemPointerData), false,
										   TYPALIGN_SHORT));
}

char *
steward_row_size(Relation rel, const char *alias)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int64		fixed = SizeofHeapTupleHeader;
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attisdropped)
			continue;
		if (attribute->attlen > 0)
			fixed += attribute->attlen;
		else
			appendStringInfo(&sql,
							 " OPERATOR(pg_catalog.+) COALESCE(pg_catalog.pg_column_size(%s.%s), 0)",
							 alias, quote_identifier(NameStr(attribute->attname)));
	}
	return psprintf("(" INT64_FORMAT "::pg_catalog.int8%s)", fixed, sql.data);
}

Datum
steward_result(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);

	if (isnull)
		elog(ERROR, "unexpected null in column %d of a statement", column);
	return value;
}

/*
 * destroy.c: the statement of a batch that deletes, moves or overwrites rows; see
 * batch.h.
 *
 * All that goes, goes by one statement: then foreign keys are checked when all of it
 * is gone, in whatever order and in cycles.
 */
#include "retention/batch_parts.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "retention/archive.h"
#include "retention/closure.h"
#include "retention/receipt.h"
#include "retention/statement.h"

/* Parameters of the statement. */
typedef struct Parameters
{
	int			count;
	Oid		   *types;
	Datum	   *values;
	List	   *relations;
} Parameters;

static void
add_parameter(Parameters *parameters, Oid type, Datum value)
{
	parameters->types[parameters->count] = type;
	parameters->values[parameters->count++] = value;
}

/* Makes the parts that give a receipt of what is done to the rows of a table. */
static void
add_receipt(StewardBatch *batch, const char *action, Relation rel, Parameters *parameters,
			StewardReceiptKey *key)
{
	Datum		head = steward_receipt_head_of(batch->leaf->salt, action, rel);

	add_parameter(parameters, BYTEAOID, head);
	steward_receipt_key(rel, head, parameters->count, key);
}

/* DELETE of the rows of the policy's table, $2, as "gone", with the bytes and the key of each. */
static void
add_delete(StewardBatch *batch, StringInfo sql, const StewardReceiptKey *key,
		   const char *more_names, const char *more_values)
{
	appendStringInfo(sql,
					 "WITH gone (bytes%s%s) AS (DELETE FROM %s"
					 " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($2) AND %s%s"
					 " RETURNING %s%s%s)",
					 key->names, more_names, batch->from, batch->still_expired,
					 batch->recheck != NULL ? batch->recheck : "",
					 steward_row_size(batch->rel, "t"), key->values, more_values);
}

/* The same, and "moved", which puts them into the archive. */
static void
add_move(StewardBatch *batch, StringInfo sql, Parameters *parameters,
		 const StewardReceiptKey *key)
{
	List	   *columns = steward_archive_columns(batch->archive, batch->rel, batch->owner);
	StringInfoData names;
	StringInfoData values;
	StringInfoData targets;
	ListCell   *cell;

	initStringInfo(&names);
	initStringInfo(&values);
	initStringInfo(&targets);
	foreach(cell, columns)
	{
		const char *name = quote_identifier(lfirst(cell));
		int			number = foreach_current_index(cell);

		appendStringInfo(&names, ", c%d", number);
		appendStringInfo(&values, ", t.%s", name);
		appendStringInfo(&targets, "%s%s", number == 0 ? "" : ", ", name);
	}
	add_delete(batch, sql, key, names.data, values.data);
	/* The names without the comma before the first. */
	appendStringInfo(sql,
					 ", moved AS (INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE"
					 " SELECT %s FROM gone RETURNING 1)",
					 steward_table_name(batch->archive), targets.data, names.data + 2);
	parameters->relations = lappend_oid(parameters->relations,
										RelationGetRelid(batch->archive));
}

/* "a = ..., b = ...": what we computed comes from n. */
static char *
assignments(const List *overwrites)
{
	StringInfoData sql;
	int			computed = 0;
	ListCell   *cell;

	initStringInfo(&sql);
	foreach(cell, overwrites)
	{
		const StewardOverwrite *overwrite = lfirst(cell);
		const char *name = quote_identifier(overwrite->column);

		appendStringInfo(&sql, "%s%s = ", sql.len == 0 ? "" : ", ", name);
		if (overwrite->by == STEWARD_BY_SQL)
			appendStringInfoString(&sql, overwrite->value);
		else
			appendStringInfo(&sql, "CASE WHEN %s THEN n.v%d::%s ELSE t.%s END",
							 overwrite->pending, ++computed, overwrite->type, name);
	}
	return sql.data;
}

/* UPDATE of the rows, as "gone". */
static void
add_update(StewardBatch *batch, StringInfo sql, Parameters *parameters,
		   const StewardReceiptKey *key, const StewardReplacements *replacements)
{
	appendStringInfo(sql, "WITH gone (bytes%s) AS (UPDATE %s SET %s", key->names,
					 batch->from, assignments(batch->overwrites));
	if (replacements->count == 0)
		appendStringInfoString(sql, " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($2)");
	else
	{
		appendStringInfoString(sql, " FROM unnest($2");
		for (int i = 0; i < replacements->count; i++)
		{
			add_parameter(parameters, TEXTARRAYOID, replacements->values[i]);
			appendStringInfo(sql, ", $%d", parameters->count);
		}
		appendStringInfoString(sql, ") AS n (place");
		for (int i = 1; i <= replacements->count; i++)
			appendStringInfo(sql, ", v%d", i);
		appendStringInfoString(sql, ") WHERE t.ctid OPERATOR(pg_catalog.=) n.place");
	}
	appendStringInfo(sql, " AND %s RETURNING %s%s)", batch->still_expired,
					 steward_row_size(batch->rel, "t"), key->values);
}

/* The rows of one table that refer to them: those that were found, or all there are. */
static void
add_child(StewardBatch *batch, StringInfo sql, int number, const StewardChildDelete *one,
		  Parameters *parameters, const StewardReceiptKey *key)
{
	appendStringInfo(sql, ", child%d (bytes, held%s) AS (DELETE FROM %s", number, key->names,
					 one->from);
	if (one->referring != NULL)
		appendStringInfo(sql,
						 " USING ONLY %s AS p WHERE p.ctid OPERATOR(pg_catalog.=) ANY ($2) AND %s",
						 steward_table_name(batch->rel), one->referring);
	else
	{
		add_parameter(parameters, TIDARRAYOID, steward_tid_array(one->rows, one->count));
		appendStringInfo(sql, " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($%d)",
						 parameters->count);
	}
	appendStringInfo(sql, " RETURNING %s, %s%s)", steward_row_size(one->rel, "t"),
					 one->held != NULL ? one->held : "false", key->values);
}

/* Those that refer to them, as "child1" and so on; the keys of each are listed. */
static List *
add_children(StewardBatch *batch, StringInfo sql, List *deletes, Parameters *parameters)
{
	List	   *keys = NIL;
	ListCell   *cell;

	foreach(cell, deletes)
	{
		StewardChildDelete *one = lfirst(cell);
		StewardReceiptKey *key = palloc(sizeof(StewardReceiptKey));

		add_receipt(batch, "delete", one->rel, parameters, key);
		keys = lappend(keys, key);
		parameters->relations = lappend_oid(parameters->relations, one->table);
		add_child(batch, sql, foreach_current_index(cell) + 1, one, parameters, key);
	}
	return keys;
}

/* What take_counts reads: a row of each table, gone and its children. */
static void
add_counts(StringInfo sql, bool moved, const List *keys)
{
	ListCell   *cell;

	appendStringInfo(sql, " SELECT %s", moved ? "(SELECT pg_catalog.count(*) FROM moved)" : "NULL");
	for (int i = 0; i < list_length(keys); i++)
		appendStringInfo(sql, ", c%d.*", i);
	foreach(cell, keys)
	{
		int			number = foreach_current_index(cell);

		appendStringInfo(sql,
						 "%s (SELECT pg_catalog.count(*), COALESCE(pg_catalog.sum(g.bytes), 0)::pg_catalog.int8,"
						 " %s, %s FROM %s AS g) AS c%d", number == 0 ? " FROM" : ",",
						 ((StewardReceiptKey *) lfirst(cell))->leaves,
						 number == 0 ? "false" : "COALESCE(pg_catalog.bool_or(g.held), false)",
						 number == 0 ? "gone" : psprintf("child%d", number), number);
	}
}

static void
raise_kept(Oid table)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("a trigger kept rows of table \"%s\" that were to go with others",
					get_rel_name(table)),
			 errdetail("Expired rows go together with those that refer to them, or not at all."),
			 errhint("Let the trigger pass, or declare the foreign key \"restrict\".")));
}

/* What came of a table, by its number: 0 is the policy's. Returns how many rows. */
static int64
take_table(int number, const StewardReceiptKey *key, StewardBatchResult *result)
{
	int			column = 2 + 4 * number;

	result->bytes += DatumGetInt64(steward_result(0, column + 1));
	steward_receipt_add(&result->leaves, key, steward_result(0, column + 2));
	return DatumGetInt64(steward_result(0, column));
}

/* What came of rows that refer. Those that were found must all be gone. */
static void
take_child(StewardChildDelete *one, int number, const StewardReceiptKey *key,
		   StewardBatchResult *result)
{
	int64		rows = take_table(number, key, result);

	if (one->referring == NULL && rows != one->count)
		raise_kept(one->table);
	one->count = (int) rows;
	one->took_held = DatumGetBool(steward_result(0, 5 + 4 * number));
	result->children += rows;
}

/* With children nothing may have been kept; who destroys rows at once looks himself. */
static void
take_counts(StewardBatch *batch, int count, List *deletes, const List *keys,
			StewardBatchResult *result)
{
	int64		rows = take_table(0, linitial(keys), result);
	ListCell   *cell;

	result->rows += rows;
	if (batch->archive != NULL && DatumGetInt64(steward_result(0, 1)) != rows)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("a trigger kept rows out of the archive \"%s\"",
						RelationGetRelationName(batch->archive)),
				 errhint("Let the trigger pass: rows that do not arrive must not leave.")));
	foreach(cell, deletes)
	{
		int			number = foreach_current_index(cell) + 1;

		take_child(lfirst(cell), number, list_nth(keys, number), result);
	}
	if (batch->recheck == NULL && result->children > 0 && result->rows != count)
		raise_kept(RelationGetRelid(batch->rel));
}

/*
 * The statement's first part: what becomes of the rows of the policy's table. Returns
 * their key.
 */
static StewardReceiptKey *
add_rows(StewardBatch *batch, StringInfo sql, Parameters *parameters,
		 const ItemPointerData *rows, int count)
{
	StewardReplacements replacements = {0};
	StewardReceiptKey *key = palloc(sizeof(StewardReceiptKey));

	add_parameter(parameters, batch->age.type, batch->cutoff);
	if (batch->policy->action == STEWARD_ANONYMIZE)
		steward_batch_replace(batch, rows, count, &replacements);
	add_parameter(parameters, TIDARRAYOID, replacements.count > 0 ? replacements.places :
				  steward_tid_array(rows, count));
	add_receipt(batch, steward_action_name(batch->policy->action), batch->rel, parameters,
				key);
	if (batch->policy->action == STEWARD_ANONYMIZE)
		add_update(batch, sql, parameters, key, &replacements);
	else if (batch->archive != NULL)
		add_move(batch, sql, parameters, key);
	else
		add_delete(batch, sql, key, "", "");
	return key;
}

void
steward_batch_destroy(StewardBatch *batch, const ItemPointerData *rows, int count,
					  List *deletes, StewardBatchResult *result)
{
	int			room = 2 * list_length(deletes) + list_length(batch->overwrites) + 3;
	Parameters	parameters = {
		.types = palloc(room * sizeof(Oid)),
		.values = palloc(room * sizeof(Datum)),
		.relations = list_make1_oid(RelationGetRelid(batch->rel))
	};
	StringInfoData sql;
	StewardStatement statement = {0};
	List	   *keys;

	if (count == 0)
		return;
	initStringInfo(&sql);
	keys = list_make1(add_rows(batch, &sql, &parameters, rows, count));
	keys = list_concat(keys, add_children(batch, &sql, deletes, &parameters));
	add_counts(&sql, batch->archive != NULL, keys);
	statement.sql = sql.data;
	statement.relations = parameters.relations;
	statement.count = parameters.count;
	statement.types = parameters.types;
	statement.values = parameters.values;
	(void) steward_statement_execute(&statement, SPI_OK_SELECT);
	take_counts(batch, count, deletes, keys, result);
	SPI_freetuptable(SPI_tuptable);
}

/*
 * anonymize.c: what a policy puts in the place of values, as SQL; see anonymize.h.
 */
#include "retention/anonymize.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/partition.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"

#include "base/expression.h"
#include "keys/keys.h"
#include "retention/edge.h"
#include "retention/replacement.h"
#include "retention/strategy.h"

/* One column while its SQL is made. */
typedef struct Column
{
	const StewardPolicy *policy;
	Relation	rel;
	Form_pg_attribute attribute;
	Oid			type;			/* below domains */
	StewardStrategy *strategy;
	char	   *ref;			/* t."column" */
	StewardOverwrite *out;
} Column;

static void
raise_type(const Column *column, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of type %s cannot be anonymized by strategy \"%s\"",
					column->strategy->column, format_type_be(column->attribute->atttypid),
					column->strategy->name),
			 errhint("%s", hint)));
}

/* What is computed from the column itself is pending while it changes anything. */
static void
set_function(const Column *column, char *sql)
{
	column->out->value = psprintf("(%s)::%s", sql, column->out->type);
	column->out->pending = psprintf("(%s IS DISTINCT FROM %s)", column->ref,
									column->out->value);
}

static void
make_null(const Column *column)
{
	if (column->attribute->attnotnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("column \"%s\" of table \"%s\" cannot be set null",
						column->strategy->column, RelationGetRelationName(column->rel)),
				 errhint("Choose another strategy, or drop the column's NOT NULL.")));
	column->out->value = psprintf("NULL::%s", column->out->type);
	column->out->pending = psprintf("(%s IS DISTINCT FROM NULL)", column->ref);
}

/* By its text, since not all types can be compared. */
static void
make_constant(const Column *column)
{
	if (column->strategy->value == NULL)
		steward_strategy_invalid(column->strategy,
								 "Give the constant, as in {\"strategy\": \"constant\", \"value\": \"unknown\"}.");
	column->out->value = psprintf("%s::%s", quote_literal_cstr(column->strategy->value),
								  column->out->type);
	column->out->pending = psprintf("((%s)::pg_catalog.text IS DISTINCT FROM (%s)::pg_catalog.text)",
									column->ref, column->out->value);
}

/* Is it a text with room for so many characters? */
static bool
holds_text(const Column *column, int length)
{
	int32		typmod = column->attribute->atttypmod;

	if (column->type == TEXTOID)
		return true;
	(void) getBaseTypeAndTypmod(column->attribute->atttypid, &typmod);
	return column->type == VARCHAROID && (typmod < 0 || typmod - VARHDRSZ >= length);
}

/* Those that we compute, and know again by their check. */
static void
make_replacement(const Column *column, StewardReplacement by)
{
	(void) steward_tag_keys();	/* raises without a key */
	column->out->by = by;
	column->out->pending =
		psprintf("(%s IS NOT NULL AND NOT steward.is_anonymous(%s::pg_catalog.text, %s, %s))",
				 column->ref, column->ref, quote_literal_cstr(column->policy->name),
				 quote_literal_cstr(column->strategy->column));
}

static void
make_hash(const Column *column)
{
	if (!holds_text(column, STEWARD_HASH_CHARACTERS))
		raise_type(column, "A hash has 48 characters: use a column of type text or a longer varchar.");
	make_replacement(column, STEWARD_BY_HASH);
}

static void
make_pseudonym(const Column *column)
{
	if (column->type == UUIDOID)
		make_replacement(column, STEWARD_BY_UUID);
	else if (holds_text(column, STEWARD_PSEUDONYM_CHARACTERS))
		make_replacement(column, STEWARD_BY_PSEUDONYM);
	else
		raise_type(column, "A pseudonym has 37 characters: use a column of type text, uuid, or a longer varchar.");
}

static bool
is_one_of(const char *name, const char *const *names)
{
	for (int i = 0; name != NULL && names[i] != NULL; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void
make_truncate(const Column *column)
{
	static const char *const units[] = {"year", "quarter", "month", "week", "day", "hour", NULL};
	static const char *const dates[] = {"year", "quarter", "month", "week", NULL};
	const char *to = column->strategy->to;

	if (!is_one_of(to, column->type == DATEOID ? dates : units))
		steward_strategy_invalid(column->strategy,
								 "Say to what it is truncated: year, quarter, month or week, and for a timestamp also day or hour.");
	switch (column->type)
	{
		case DATEOID:
			set_function(column, psprintf("pg_catalog.date_trunc('%s', %s::pg_catalog.timestamp)",
										  to, column->ref));
			break;
		case TIMESTAMPOID:
			set_function(column, psprintf("pg_catalog.date_trunc('%s', %s)", to,
										  column->ref));
			break;
		case TIMESTAMPTZOID:
			set_function(column, psprintf("pg_catalog.date_trunc('%s', %s, %s)", to,
										  column->ref,
										  quote_literal_cstr(column->policy->time_zone)));
			break;
		default:
			raise_type(column, "Use a column of type date, timestamp or timestamptz.");
	}
}

/* A number within bounds, as it was given; or an error. */
static int
bounded(const Column *column, const char *number, int fallback, int low, int high)
{
	char	   *end;
	long		value;

	if (number == NULL)
		return fallback;
	errno = 0;
	value = strtol(number, &end, 10);
	if (errno != 0 || *end != '\0' || end == number || value < low || value > high)
		steward_strategy_invalid(column->strategy,
								 "A prefix is from 0 to 32, prefix6 from 0 to 128, digits from 0 to 15, width a positive number.");
	return (int) value;
}

static void
make_network(const Column *column)
{
	set_function(column,
				 psprintf("pg_catalog.network(pg_catalog.set_masklen(%s::pg_catalog.inet,"
						  " LEAST(pg_catalog.masklen(%s), CASE pg_catalog.family(%s)"
						  " WHEN 4 THEN %d ELSE %d END)))",
						  column->ref, column->ref, column->ref,
						  bounded(column, column->strategy->prefix, 24, 0, 32),
						  bounded(column, column->strategy->prefix6, 48, 0, 128)));
}

/* A width is a positive number; for whole numbers, a whole one. */
static const char *
width_of(const Column *column, bool whole)
{
	const char *width = column->strategy->width;
	bool		positive = false;

	for (const char *at = width; *at != '\0'; at++)
	{
		if ((*at < '0' || *at > '9') && (*at != '.' || whole))
			steward_strategy_invalid(column->strategy,
									 whole ? "The width must be a positive whole number." :
									 "The width must be a positive number.");
		positive |= *at >= '1' && *at <= '9';
	}
	if (!positive)
		steward_strategy_invalid(column->strategy, "The width must be a positive number.");
	return width;
}

/* Towards zero, so that the result always fits where the value did. */
static void
make_number(const Column *column)
{
	const StewardStrategy *strategy = column->strategy;
	bool		whole = column->type == INT2OID || column->type == INT4OID ||
		column->type == INT8OID;

	if ((strategy->width == NULL) == (strategy->digits == NULL) ||
		(whole && strategy->digits != NULL))
		steward_strategy_invalid(strategy, whole ?
								 "Give the width of the ranges, as in {\"strategy\": \"generalise\", \"width\": 100}." :
								 "Give either the width of the ranges or the digits after the point that stay.");
	if (whole)
		set_function(column,
					 psprintf("%s OPERATOR(pg_catalog.-) (%s OPERATOR(pg_catalog.%%) '%s'::%s)",
							  column->ref, column->ref, width_of(column, true),
							  format_type_extended(column->type, -1, FORMAT_TYPE_FORCE_QUALIFY)));
	else if (strategy->digits != NULL)
		set_function(column,
					 psprintf("pg_catalog.trunc(%s::pg_catalog.numeric, %d)", column->ref,
							  bounded(column, strategy->digits, 0, 0, 15)));
	else
		set_function(column,
					 psprintf("%s::pg_catalog.numeric OPERATOR(pg_catalog.-)"
							  " pg_catalog.mod(%s::pg_catalog.numeric, '%s'::pg_catalog.numeric)",
							  column->ref, column->ref, width_of(column, false)));
}

static void
make_generalise(const Column *column)
{
	switch (column->type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case FLOAT4OID:
		case FLOAT8OID:
			make_number(column);
			break;
		case INETOID:
		case CIDROID:
			make_network(column);
			break;
		default:
			raise_type(column, "Use a column of a number type, inet or cidr.");
	}
}

static const struct
{
	const char *name;
	void		(*make) (const Column *column);
	bool		merges;			/* different values become equal ones */
}			strategies[] =

{
	{"null", make_null, false},
	{"constant", make_constant, true},
	{"hash", make_hash, false},
	{"pseudonym", make_pseudonym, false},
	{"truncate", make_truncate, true},
	{"generalise", make_generalise, true}
};

static void
raise_needed(const Column *column, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("column \"%s\" of table \"%s\" cannot be anonymized by strategy \"%s\"",
					column->strategy->column, RelationGetRelationName(column->rel),
					column->strategy->name),
			 errdetail("%s", detail),
			 errhint("Leave the column out, or choose another strategy.")));
}

/* Rows stay where they are, so what says which partition they are in stays too. */
static void
check_partition_key(const Column *column)
{
	List	   *ancestors = NIL;
	ListCell   *cell;

	if (column->rel->rd_rel->relispartition)
		ancestors = get_partition_ancestors(RelationGetRelid(column->rel));
	if (column->rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		ancestors = lappend_oid(ancestors, RelationGetRelid(column->rel));
	foreach(cell, ancestors)
	{
		Relation	rel = relation_open(lfirst_oid(cell), AccessShareLock);
		AttrNumber	attnum = get_attnum(RelationGetRelid(rel), column->strategy->column);
		Bitmapset  *attnums = bms_make_singleton(attnum - FirstLowInvalidHeapAttributeNumber);
		bool		in_key = attnum > 0 && has_partition_attrs(rel, attnums, NULL);

		relation_close(rel, NoLock);
		if (in_key)
			raise_needed(column, "It is part of a partition key.");
	}
}

static void
check_referenced(const Column *column)
{
	List	   *edges = steward_edges_to(column->rel, NIL);
	ListCell   *cell;

	foreach(cell, edges)
	{
		StewardEdge *edge = lfirst(cell);
		ListCell   *name;

		foreach(name, edge->parent_columns)
		{
			if (strcmp(lfirst(name), column->strategy->column) == 0)
				raise_needed(column, psprintf("Foreign key \"%s\" of another table refers to it.",
											  edge->name));
		}
	}
}

/* Values that become equal would fail a unique index on them alone. */
static void
check_unique(const Column *column)
{
	List	   *indexes = RelationGetIndexList(column->rel);
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		bool		alone = index->rd_index->indisunique &&
			index->rd_index->indnkeyatts == 1 &&
			index->rd_index->indkey.values[0] == column->attribute->attnum;

		index_close(index, NoLock);
		if (alone)
			raise_needed(column, "Its values are unique, and would become equal.");
	}
}

static void
check_column(const Column *column, bool merges)
{
	if (column->attribute->attgenerated != '\0')
		raise_needed(column, "It is generated.");
	if (column->attribute->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
		raise_needed(column, "It is an identity that is always generated.");
	check_partition_key(column);
	check_referenced(column);
	if (merges)
		check_unique(column);
}

static void
find_column(Column *column)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(column->rel),
									column->strategy->column);

	if (attnum <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist",
						column->strategy->column, RelationGetRelationName(column->rel))));
	column->attribute = TupleDescAttr(RelationGetDescr(column->rel), attnum - 1);
	column->type = getBaseType(column->attribute->atttypid);
	column->ref = psprintf("t.%s", quote_identifier(column->strategy->column));
	column->out->column = column->strategy->column;
	column->out->type = format_type_extended(column->attribute->atttypid,
											 column->attribute->atttypmod,
											 FORMAT_TYPE_TYPEMOD_GIVEN |
											 FORMAT_TYPE_FORCE_QUALIFY);
}

static void
make_column(Column *column)
{
	for (int i = 0; i < lengthof(strategies); i++)
	{
		if (strcmp(strategies[i].name, column->strategy->name) != 0)
			continue;
		find_column(column);
		check_column(column, strategies[i].merges);
		strategies[i].make(column);
		return;
	}
	steward_strategy_invalid(column->strategy,
							 "Known strategies are: null, constant, hash, pseudonym, truncate, generalise.");
}

static List *
make_columns(const StewardPolicy *policy, Relation rel, List *wanted)
{
	List	   *overwrites = NIL;
	ListCell   *cell;

	foreach(cell, wanted)
	{
		Column		column = {.policy = policy, .rel = rel, .strategy = lfirst(cell)};

		column.out = palloc0(sizeof(StewardOverwrite));
		make_column(&column);
		overwrites = lappend(overwrites, column.out);
	}
	return overwrites;
}

List *
steward_anonymize_columns(const StewardPolicy *policy, Relation rel)
{
	return make_columns(policy, rel, steward_strategies_read(policy->columns));
}

/* A constant as its type writes it, so that 'now' is what it is now. */
static char *
constant_typed(Relation rel, const StewardStrategy *strategy)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), strategy->column);
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	Oid			input;
	Oid			argument;
	Oid			output;
	bool		varlena;
	Datum		value;

	getTypeInputInfo(attribute->atttypid, &input, &argument);
	getTypeOutputInfo(attribute->atttypid, &output, &varlena);
	value = OidInputFunctionCall(input, strategy->value, argument, attribute->atttypmod);
	return OidOutputFunctionCall(output, value);
}

Jsonb *
steward_anonymize_typed(const StewardPolicy *policy, Relation rel)
{
	List	   *wanted = steward_strategies_read(policy->columns);
	ListCell   *cell;

	/* Raises for a column that is not there. */
	(void) make_columns(policy, rel, wanted);
	foreach(cell, wanted)
	{
		StewardStrategy *strategy = lfirst(cell);

		if (strcmp(strategy->name, "constant") == 0)
			strategy->value = constant_typed(rel, strategy);
	}
	return steward_strategies_write(wanted);
}

char *
steward_anonymize_pending(const List *overwrites)
{
	StringInfoData sql;
	ListCell   *cell;

	initStringInfo(&sql);
	foreach(cell, overwrites)
	{
		const StewardOverwrite *overwrite = lfirst(cell);

		appendStringInfo(&sql, "%s%s", sql.len == 0 ? "(" : " OR ", overwrite->pending);
	}
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

char *
steward_anonymous_value(const StewardOverwrite *overwrite, const char *policy,
						const char *value)
{
	switch (overwrite->by)
	{
		case STEWARD_BY_HASH:
			return steward_replacement_hash(policy, overwrite->column, value);
		case STEWARD_BY_PSEUDONYM:
			return steward_replacement_pseudonym(policy, overwrite->column);
		case STEWARD_BY_UUID:
			return steward_replacement_uuid(policy, overwrite->column);
		default:
			elog(ERROR, "column \"%s\" is computed by the server", overwrite->column);
	}
	return NULL;
}

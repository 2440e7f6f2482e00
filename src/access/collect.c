/*
 * collect.c: which audited relations and columns a statement reads.
 *
 * PostgreSQL notes for every relation that a statement names, also below views and
 * as whose rights, the columns that it must be allowed to read. Children and
 * partitions that come with their parent have no such entry: a rule of their own
 * counts with the columns that are read of the parent.
 */
#include "base/compat.h"

#include "access/spool_json.h"
#include "access/read.h"
#include "access/sysattr.h"
#include "access/transam.h"
#include "base/guc.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

/* Adds columns to what is touched of a relation. */
static void
touch(StewardRead *read, const StewardAccessRule *rule, Bitmapset *columns)
{
	StewardTouched *touched;

	for (int i = 0; i < read->touched_count; i++)
	{
		if (read->touched[i].rule == rule)
		{
			read->touched[i].columns = bms_add_members(read->touched[i].columns, columns);
			return;
		}
	}
	read->touched = read->touched == NULL ? palloc(sizeof *touched) :
		repalloc(read->touched, sizeof *touched * (read->touched_count + 1));
	touched = &read->touched[read->touched_count++];
	memset(touched, 0, sizeof *touched);
	touched->rule = rule;
	touched->columns = columns;
	touched->key_limit = steward_access_audit_rows;
	if (read->generation == NULL)
	{
		steward_access_pin(rule);
		read->generation = rule->generation;
	}
}

/* All columns of a relation, as selectedCols numbers them. */
static Bitmapset *
all_columns(const StewardAccessRule *rule)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < rule->column_count; i++)
		if (rule->column_names[i] != NULL)
			columns = bms_add_member(columns, i + 1 - FirstLowInvalidHeapAttributeNumber);
	return columns;
}

/*
 * What of the columns read is audited; false when nothing is. A rule for all
 * columns also covers a statement that reads none, as count(*) does.
 */
static bool
audited_columns(const StewardAccessRule *rule, Bitmapset *selected,
				Bitmapset **columns)
{
	if (bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, selected))
		selected = all_columns(rule);
	*columns = rule->all ? bms_copy(selected) : bms_intersect(selected, rule->columns);
	return rule->all || !bms_is_empty(*columns);
}

static void
collect_columns(StewardRead *read, Oid relid, Bitmapset *selected)
{
	const StewardAccessRule *rule = steward_access_rule(relid);
	Bitmapset  *columns;
	MemoryContext old;

	if (likely(rule == NULL))
		return;
	/* A statement keeps to the rules that it began with. */
	if (read->generation != NULL && rule->generation != read->generation)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the rules of access audit changed while the statement began"),
				 errhint("Run the statement again.")));
	old = MemoryContextSwitchTo(read->context);
	if (audited_columns(rule, selected, &columns))
		touch(read, rule, columns);
	MemoryContextSwitchTo(old);
}

static inline bool
is_read(const StewardReadEntry * entry)
{
	return STEWARD_IS_READ_ENTRY(entry) &&
		(entry->requiredPerms & ACL_SELECT) != 0 &&
		entry->relid >= FirstNormalObjectId;
}

void
steward_read_collect_entries(StewardRead *read, List *entries)
{
	ListCell   *cell;

	foreach(cell, entries)
	{
		const		StewardReadEntry *entry = lfirst(cell);

		if (is_read(entry))
			collect_columns(read, entry->relid, entry->selectedCols);
	}
}

bool
steward_read_may_touch(PlannedStmt *planned)
{
	ListCell   *cell;

	if (planned->appendRelations != NIL && steward_access_rules_of_children())
		return true;
	foreach(cell, STEWARD_READ_ENTRIES(planned))
	{
		const		StewardReadEntry *entry = lfirst(cell);

		if (is_read(entry) && steward_access_rule(entry->relid) != NULL)
			return true;
	}
	return false;
}

/* The same columns, by name, of another relation. */
static Bitmapset *
translate(Bitmapset *selected, Oid from, Oid to)
{
	Bitmapset  *columns = NULL;
	int			member = -1;

	while ((member = bms_next_member(selected, member)) >= 0)
	{
		AttrNumber	number = member + FirstLowInvalidHeapAttributeNumber;
		char	   *name = number > 0 ? get_attname(from, number, true) : NULL;

		if (name != NULL)
			number = get_attnum(to, name);
		if (number <= 0 && name != NULL)
			continue;
		columns = bms_add_member(columns, number - FirstLowInvalidHeapAttributeNumber);
	}
	return columns;
}

/* The number of the range table's entry that a child comes with; 0 for none. */
static Index
parent_of(PlannedStmt *planned, Index child)
{
	ListCell   *cell;

	foreach(cell, planned->appendRelations)
	{
		const AppendRelInfo *relation = lfirst_node(AppendRelInfo, cell);

		if (relation->child_relid == child)
			return relation->parent_relid;
	}
	return 0;
}

static void
collect_child(StewardRead *read, PlannedStmt *planned, Index child)
{
	RangeTblEntry *rte = rt_fetch(child, planned->rtable);
	const StewardAccessRule *rule;
	Index		top = child;

	if (rte->rtekind != RTE_RELATION || rte->relid < FirstNormalObjectId)
		return;
	rule = steward_access_rule(rte->relid);
	if (rule == NULL || rule->origin != rte->relid)
		return;
	for (Index next = child; next != 0; next = parent_of(planned, next))
		top = next;
	if (top != child)
	{
		RangeTblEntry *above = rt_fetch(top, planned->rtable);
		const		StewardReadEntry *entry = above->rtekind != RTE_RELATION ? NULL :
			STEWARD_READ_ENTRY_OF(planned, above);

		if (entry != NULL && is_read(entry))
			collect_columns(read, rte->relid,
							translate(entry->selectedCols, above->relid, rte->relid));
	}
}

void
steward_read_collect(StewardRead *read, PlannedStmt *planned)
{
	ListCell   *cell;

	steward_read_collect_entries(read, STEWARD_READ_ENTRIES(planned));
	if (likely(planned->appendRelations == NIL || !steward_access_rules_of_children()))
		return;
	foreach(cell, planned->appendRelations)
		collect_child(read, planned,
					  lfirst_node(AppendRelInfo, cell)->child_relid);
}

static void
put_columns(const StewardTouched *touched, StringInfo out)
{
	const char *separator = "";
	int			member = -1;

	steward_spool_json_put(out, ",\"columns\":[");
	while ((member = bms_next_member(touched->columns, member)) >= 0)
	{
		int			number = member + FirstLowInvalidHeapAttributeNumber;

		if (number <= 0 || number > touched->rule->column_count ||
			touched->rule->column_names[number - 1] == NULL)
			continue;
		appendStringInfoString(out, separator);
		appendStringInfoString(out, touched->rule->column_names[number - 1]);
		separator = ",";
	}
	appendStringInfoCharMacro(out, ']');
}

static void
put_counts(const StewardTouched *touched, StringInfo out)
{
	if (!touched->scanned)
		return;
	steward_spool_json_put(out, ",\"rows\":");
	steward_spool_json_unsigned(out, touched->rows);
	if (touched->rule->key_count == 0 && touched->keys.len == 0)
		return;
	steward_spool_json_put(out, ",\"keys\":[");
	appendBinaryStringInfo(out, touched->keys.data, touched->keys.len);
	appendStringInfoCharMacro(out, ']');
	if (touched->left_off)
		steward_spool_json_put(out, ",\"keys_left_off\":true");
}

void
steward_read_put_relations(StewardRead *read, StringInfo out, bool counted)
{
	steward_spool_json_put(out, ",\"relations\":[");
	for (int i = 0; i < read->touched_count; i++)
	{
		const StewardTouched *touched = &read->touched[i];

		if (i > 0)
			appendStringInfoCharMacro(out, ',');
		steward_spool_json_put(out, "{\"relation\":");
		appendStringInfoString(out, touched->rule->name);
		if (counted)
			put_counts(touched, out);
		else
			put_columns(touched, out);
		appendStringInfoCharMacro(out, '}');
	}
	appendStringInfoCharMacro(out, ']');
}

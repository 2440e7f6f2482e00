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
#include "catalog/pg_class.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

/* Rights that a statement needs which may read a relation, or show what is in it. */
#define ACL_CHANGE (ACL_UPDATE | ACL_DELETE)
#define ALL_RIGHTS (ACL_SELECT | ACL_INSERT | ACL_CHANGE)

/* What is touched of a relation. */
static StewardTouched *
touch(StewardRead *read, const StewardAccessRule *rule)
{
	StewardTouched *touched;

	for (int i = 0; i < read->touched_count; i++)
	{
		if (read->touched[i].rule == rule)
			return &read->touched[i];
	}
	read->touched = read->touched == NULL ? palloc(sizeof *touched) :
		repalloc(read->touched, sizeof *touched * (read->touched_count + 1));
	touched = &read->touched[read->touched_count++];
	memset(touched, 0, sizeof *touched);
	touched->rule = rule;
	touched->key_limit = steward_access_audit_rows;
	if (read->generation == NULL)
	{
		steward_access_pin(rule);
		read->generation = rule->generation;
	}
	return touched;
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

/* Notes what a statement with these rights does to a relation. */
static void
collect_columns(StewardRead *read, Oid relid, AclMode rights, Bitmapset *selected)
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
	if ((rights & ACL_SELECT) != 0 && audited_columns(rule, selected, &columns))
	{
		StewardTouched *touched = touch(read, rule);

		touched->read = true;
		touched->columns = bms_add_members(touched->columns, columns);
	}
	if ((rights & ACL_CHANGE) != 0)
		touch(read, rule)->written = true;
	if ((rights & ACL_INSERT) != 0)
		touch(read, rule)->inserted = true;
	MemoryContextSwitchTo(old);
}

static inline bool
is_of_interest(const StewardReadEntry * entry, AclMode rights)
{
	return STEWARD_IS_READ_ENTRY(entry) &&
		(entry->requiredPerms & rights) != 0 &&
		entry->relid >= FirstNormalObjectId;
}

static void
collect_entries(StewardRead *read, List *entries, AclMode rights)
{
	ListCell   *cell;

	foreach(cell, entries)
	{
		const		StewardReadEntry *entry = lfirst(cell);

		if (is_of_interest(entry, rights))
			collect_columns(read, entry->relid, entry->requiredPerms & rights,
							entry->selectedCols);
	}
}

static void
set_quiet(StewardRead *read)
{
	read->quiet = true;
	for (int i = 0; i < read->touched_count; i++)
		read->quiet &= !read->touched[i].read;
}

void
steward_read_collect_entries(StewardRead *read, List *entries)
{
	collect_entries(read, entries, ALL_RIGHTS);
	set_quiet(read);
}

bool
steward_read_may_touch(PlannedStmt *planned)
{
	ListCell   *cell;

	if ((planned->appendRelations != NIL || planned->commandType == CMD_INSERT) &&
		steward_access_rules_of_children())
		return true;
	foreach(cell, STEWARD_READ_ENTRIES(planned))
	{
		const		StewardReadEntry *entry = lfirst(cell);

		if (is_of_interest(entry, ALL_RIGHTS) && steward_access_rule(entry->relid) != NULL)
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

/*
 * The relation above a child that has the entry for both. A UNION ALL is a parent
 * too, and above them all, but no relation.
 */
static RangeTblEntry *
entry_above(PlannedStmt *planned, Index child)
{
	RangeTblEntry *above = NULL;

	for (Index next = parent_of(planned, child); next != 0; next = parent_of(planned, next))
	{
		RangeTblEntry *rte = rt_fetch(next, planned->rtable);

		if (rte->rtekind == RTE_RELATION && STEWARD_READ_ENTRY_OF(planned, rte) != NULL)
			above = rte;
	}
	return above;
}

static void
collect_child(StewardRead *read, PlannedStmt *planned, Index child)
{
	RangeTblEntry *rte = rt_fetch(child, planned->rtable);
	RangeTblEntry *above;
	const StewardAccessRule *rule;

	if (rte->rtekind != RTE_RELATION || rte->relid < FirstNormalObjectId)
		return;
	rule = steward_access_rule(rte->relid);
	if (rule == NULL || rule->origin != rte->relid)
		return;
	above = entry_above(planned, child);
	if (above != NULL)
	{
		const		StewardReadEntry *entry = STEWARD_READ_ENTRY_OF(planned, above);

		collect_columns(read, rte->relid, entry->requiredPerms & ALL_RIGHTS,
						translate(entry->selectedCols, above->relid, rte->relid));
	}
}

/*
 * Into which partitions rows go is not known before. What ON CONFLICT and RETURNING
 * read there may be read in each of them.
 */
static void
collect_routed(StewardRead *read, PlannedStmt *planned)
{
	ListCell   *cell;

	foreach(cell, STEWARD_READ_ENTRIES(planned))
	{
		const		StewardReadEntry *entry = lfirst(cell);
		ListCell   *below;
		List	   *partitions;

		if (!is_of_interest(entry, ACL_INSERT) ||
			get_rel_relkind(entry->relid) != RELKIND_PARTITIONED_TABLE)
			continue;
		partitions = steward_access_ruled_below(entry->relid);
		foreach(below, partitions)
			collect_columns(read, lfirst_oid(below), entry->requiredPerms & ALL_RIGHTS,
							translate(entry->selectedCols, entry->relid, lfirst_oid(below)));
	}
}

void
steward_read_collect(StewardRead *read, PlannedStmt *planned)
{
	ListCell   *cell;

	collect_entries(read, STEWARD_READ_ENTRIES(planned), ALL_RIGHTS);
	if (unlikely(planned->appendRelations != NIL && steward_access_rules_of_children()))
	{
		foreach(cell, planned->appendRelations)
			collect_child(read, planned,
						  lfirst_node(AppendRelInfo, cell)->child_relid);
	}
	if (unlikely(planned->commandType == CMD_INSERT && steward_access_rules_of_children()))
		collect_routed(read, planned);
	set_quiet(read);
}

static void
put_columns(const StewardAccessRule *rule, Bitmapset *columns, bool all,
			StringInfo out)
{
	const char *separator = "";

	steward_spool_json_put(out, ",\"columns\":[");
	for (int i = 0; i < rule->column_count; i++)
	{
		if (rule->column_names[i] == NULL ||
			!(all || bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, columns)))
			continue;
		appendStringInfoString(out, separator);
		appendStringInfoString(out, rule->column_names[i]);
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

static void
put_touched(const StewardTouched *touched, StringInfo out, StewardReadPart part)
{
	steward_spool_json_put(out, "{\"relation\":");
	appendStringInfoString(out, touched->rule->name);
	if (part == STEWARD_READ_COLUMNS)
		put_columns(touched->rule, touched->columns, false, out);
	else if (part == STEWARD_SHOWN_COLUMNS)
		put_columns(touched->rule, touched->rule->columns, touched->rule->all, out);
	else
		put_counts(touched, out);
	appendStringInfoCharMacro(out, '}');
}

void
steward_read_put_relations(StewardRead *read, StringInfo out, StewardReadPart part)
{
	bool		shown = part == STEWARD_SHOWN_COLUMNS || part == STEWARD_SHOWN_ROWS;
	bool		first = true;

	steward_spool_json_put(out, ",\"relations\":[");
	for (int i = 0; i < read->touched_count; i++)
	{
		const StewardTouched *touched = &read->touched[i];

		if (shown ? !touched->written && !touched->inserted : !touched->read)
			continue;
		if (!first)
			appendStringInfoCharMacro(out, ',');
		first = false;
		put_touched(touched, out, part);
	}
	appendStringInfoCharMacro(out, ']');
}

bool
steward_read_shows(const StewardRead *read, int sqlstate)
{
	bool		written = false;
	bool		inserted = false;

	if (likely(ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION &&
			   sqlstate != ERRCODE_WITH_CHECK_OPTION_VIOLATION))
		return false;
	for (int i = 0; i < read->touched_count; i++)
	{
		written |= read->touched[i].written;
		inserted |= read->touched[i].inserted;
	}
	return written || (inserted && sqlstate == ERRCODE_EXCLUSION_VIOLATION);
}

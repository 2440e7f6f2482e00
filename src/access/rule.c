/*
 * rule.c: which relations and columns are audited; see rule.h.
 *
 * What is remembered is thrown away as a whole when a rule, or a relation that has
 * one, changes; that is rare. That a relation has none is remembered too, and
 * forgotten by itself.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/spool_json.h"
#include "access/relation.h"
#include "access/rule.h"
#include "access/rule_table.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "base/catalog.h"
#include "base/relation_change.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "nodes/nodes.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* How often what changes while it is read is read again. */
#define MAX_TRIES 10

struct StewardAccessGeneration
{
	MemoryContext context;
	List	   *rows;			/* of StewardAccessRow */
	List	   *above;			/* what resolving went through, above a
								 * relation */
	bool		has_children;
	HTAB	   *resolved;		/* of Resolved; NULL without rules */
	int			pins;
	bool		stale;
};

typedef struct Resolved
{
	Oid			relid;			/* the key */
	StewardAccessRule *rule;	/* NULL: not audited */
} Resolved;

static StewardAccessGeneration *current = NULL;
static Oid	rule_table = InvalidOid;

/* A relation that has a rule, or might, was changed: by us or by somebody else. */
static bool sync_wanted = false;

/* ---- what changes ---- */

static bool
has_row(Oid relid)
{
	ListCell   *cell;

	foreach(cell, current->rows)
		if (((const StewardAccessRow *) lfirst(cell))->relid == relid)
		return true;
	return false;
}

static void
on_relation_change(Datum arg, Oid relid)
{
	Resolved   *found;

	bool		has_rule = current == NULL || has_row(relid);

	sync_wanted |= has_rule;
	if (current == NULL)
		return;
	/* What is below a relation may inherit otherwise from now on. */
	if (!OidIsValid(relid) || relid == rule_table || has_rule ||
		list_member_oid(current->above, relid))
		current->stale = true;
	if (current->resolved == NULL)
		return;
	found = hash_search(current->resolved, &relid, HASH_FIND, NULL);
	if (found != NULL && found->rule == NULL)
		hash_search(current->resolved, &relid, HASH_REMOVE, NULL);
	else if (found != NULL)
		current->stale = true;
}

static void
on_schema_change(Datum arg, int cacheid, uint32 hashvalue)
{
	if (current != NULL)
		current->stale = true;
}

/* ---- generations ---- */

static Oid
parent_of(Oid relid, int number)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			parent = InvalidOid;

	ScanKeyInit(&keys[0], Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_inherits_inhseqno, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(number));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		parent = ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent;
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
	return parent;
}

static void
fill(StewardAccessGeneration *generation)
{
	HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(Resolved)};
	ListCell   *cell;

	control.hcxt = generation->context;
	generation->rows = steward_access_rows();
	if (generation->rows == NIL)
		return;
	generation->resolved = hash_create("pg_steward access rules", 64, &control,
									   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	foreach(cell, generation->rows)
	{
		const StewardAccessRow *row = lfirst(cell);

		if (OidIsValid(parent_of(row->relid, 1)))
			generation->has_children = true;
	}
}

static void
drop(StewardAccessGeneration *generation)
{
	if (generation->pins == 0)
		MemoryContextDelete(generation->context);
}

/*
 * Reads the rules. Without the schema there are none, until there is one; the
 * table can be missing only where an older release is installed, and then is
 * looked for each time.
 */
static void
read_generation(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "pg_steward access rules",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	StewardAccessGeneration *generation = palloc0(sizeof *generation);

	generation->context = context;
	current = generation;
	rule_table = InvalidOid;
	if (OidIsValid(get_namespace_oid(STEWARD_SCHEMA, true)))
	{
		rule_table = steward_access_table();
		generation->stale |= !OidIsValid(rule_table);
		if (OidIsValid(rule_table))
			fill(generation);
	}
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, TopMemoryContext);
}

static StewardAccessGeneration *
get_generation(void)
{
	if (likely(current != NULL && !current->stale))
		return current;
	/* Should reading fail, what is half read is gone with its context. */
	if (current != NULL)
		drop(current);
	current = NULL;
	PG_TRY();
	{
		read_generation();
	}
	PG_CATCH();
	{
		current = NULL;
		PG_RE_THROW();
	}
	PG_END_TRY();
	return current;
}

bool
steward_access_rules_exist(void)
{
	return get_generation()->rows != NIL;
}

bool
steward_access_rules_known(void)
{
	return current != NULL && current->rows != NIL;
}

bool
steward_access_rules_of_children(void)
{
	return get_generation()->has_children;
}

void
steward_access_pin(const StewardAccessRule *rule)
{
	rule->generation->pins++;
}

void
steward_access_unpin(StewardAccessGeneration *generation)
{
	generation->pins--;
	if (generation != current)
		drop(generation);
}

/* ---- resolving ---- */

/* Adds what a rule says of a relation, which has it or inherits it. */
static void
add_columns(StewardAccessRule *rule, const StewardAccessRow *row)
{
	ListCell   *cell;

	if (row->all)
		rule->all = true;
	foreach(cell, row->columns)
	{
		AttrNumber	number = lfirst_int(cell);

		if (row->relid != rule->relid)
		{
			char	   *name = get_attname(row->relid, number, true);

			number = name == NULL ? InvalidAttrNumber : get_attnum(rule->relid, name);
		}
		if (number > 0)
			rule->columns = bms_add_member(rule->columns,
										   number - FirstLowInvalidHeapAttributeNumber);
	}
	if (!OidIsValid(rule->origin))
		rule->origin = row->relid;
}

/* Adds the rule of a relation and those above it; false when there is none. */
static bool
add_rules(StewardAccessRule *rule, Oid relid)
{
	bool		found = false;
	ListCell   *cell;

	foreach(cell, rule->generation->rows)
	{
		const StewardAccessRow *row = lfirst(cell);

		if (row->relid == relid)
		{
			add_columns(rule, row);
			found = true;
		}
	}
	for (int i = 1;; i++)
	{
		Oid			parent = parent_of(relid, i);

		if (!OidIsValid(parent))
			return found;
		rule->generation->above = list_append_unique_oid(rule->generation->above, parent);
		found |= add_rules(rule, parent);
	}
}

static bool
is_below(Oid relid, Oid ancestor)
{
	for (int i = 1;; i++)
	{
		Oid			parent = parent_of(relid, i);

		if (!OidIsValid(parent))
			return false;
		if (parent == ancestor || is_below(parent, ancestor))
			return true;
	}
}

List *
steward_access_ruled_below(Oid ancestor)
{
	StewardAccessGeneration *generation = get_generation();
	List	   *found = NIL;
	List	   *relids = NIL;
	ListCell   *cell;

	foreach(cell, generation->rows)
		relids = list_append_unique_oid(relids, ((const StewardAccessRow *) lfirst(cell))->relid);
	foreach(cell, relids)
	{
		if (is_below(lfirst_oid(cell), ancestor))
			found = lappend_oid(found, lfirst_oid(cell));
	}
	return found;
}

static const char *
as_json(const char *text)
{
	StringInfoData json;

	initStringInfo(&json);
	steward_spool_json_string(&json, text);
	return json.data;
}

static void
set_names(StewardAccessRule *rule, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	rule->name = as_json(quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
													RelationGetRelationName(rel)));
	rule->column_count = desc->natts;
	rule->column_names = palloc0(sizeof(char *) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			rule->column_names[i] = as_json(NameStr(TupleDescAttr(desc, i)->attname));
}

/* What is computed from an audited column tells of it. */
static void
add_generated(StewardAccessRule *rule, Relation rel)
{
	const TupleConstr *constraints = RelationGetDescr(rel)->constr;

	for (int i = 0; constraints != NULL && i < constraints->num_defval; i++)
	{
		const AttrDefault *value = &constraints->defval[i];
		Bitmapset  *from = NULL;

		if (TupleDescAttr(RelationGetDescr(rel), value->adnum - 1)->attgenerated == '\0')
			continue;
		pull_varattnos(stringToNode(value->adbin), 1, &from);
		if (bms_overlap(from, rule->columns))
			rule->columns = bms_add_member(rule->columns,
										   value->adnum - FirstLowInvalidHeapAttributeNumber);
	}
}

/* The primary key, or the replica identity. */
static void
set_keys(StewardAccessRule *rule, Relation rel)
{
	Bitmapset  *columns = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	int			member = -1;

	if (columns == NULL)
		columns = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_IDENTITY_KEY);
	while ((member = bms_next_member(columns, member)) >= 0)
	{
		AttrNumber	number = member + FirstLowInvalidHeapAttributeNumber;

		if (number <= 0 || rule->key_count == INDEX_MAX_KEYS)
		{
			rule->key_count = 0;
			return;
		}
		rule->keys[rule->key_count++] = number;
	}
}

/* The rule for a relation, made in the generation's context. */
static StewardAccessRule *
resolve(StewardAccessGeneration *generation, Oid relid)
{
	MemoryContext old = MemoryContextSwitchTo(generation->context);
	StewardAccessRule *rule = palloc0(sizeof *rule);
	Relation	rel;

	rule->relid = relid;
	rule->generation = generation;
	if (!add_rules(rule, relid))
	{
		pfree(rule);
		rule = NULL;
	}
	else if ((rel = try_relation_open(relid, AccessShareLock)) != NULL)
	{
		add_generated(rule, rel);
		set_names(rule, rel);
		set_keys(rule, rel);
		relation_close(rel, AccessShareLock);
	}
	else
		rule = NULL;
	MemoryContextSwitchTo(old);
	return rule;
}

const StewardAccessRule *
steward_access_rule(Oid relid)
{
	const StewardAccessRule *rule = NULL;

	for (int tries = 0; tries < MAX_TRIES; tries++)
	{
		StewardAccessGeneration *generation = get_generation();
		Resolved   *found;

		if (generation->rows == NIL || relid < FirstNormalObjectId)
			return NULL;
		found = hash_search(generation->resolved, &relid, HASH_FIND, NULL);
		if (likely(found != NULL))
			return found->rule;
		/* Pinned, so that what becomes stale meanwhile stays readable. */
		generation->pins++;
		rule = resolve(generation, relid);
		if (!generation->stale && generation == current)
		{
			found = hash_search(generation->resolved, &relid, HASH_ENTER, NULL);
			found->rule = unconstify(StewardAccessRule *, rule);
			generation->pins--;
			return rule;
		}
		generation->pins--;
	}
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("the rules of access audit change too fast to be read"),
			 errhint("Run the statement again.")));
}

/* ---- transactions ---- */

/* A rename in this transaction takes its rule along. */
static void
on_transaction(XactEvent event, void *arg)
{
	if (!sync_wanted ||
		(event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PRE_PREPARE))
	{
		if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
			event == XACT_EVENT_PREPARE)
			sync_wanted = false;
		return;
	}
	sync_wanted = false;
	if (!TransactionIdIsValid(GetTopTransactionIdIfAny()) ||
		!OidIsValid(steward_access_table()))
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	steward_access_sync();
	PopActiveSnapshot();
}

void
steward_access_rule_init(void)
{
	steward_on_relation_change(on_relation_change, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, on_schema_change, (Datum) 0);
	RegisterXactCallback(on_transaction, NULL);
}

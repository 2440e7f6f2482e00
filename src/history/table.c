/*
 * table.c: a table that is looked back at; see table.h.
 *
 * A column is the same column as long as its number is: so renaming it, or the
 * table, makes no difference, and one that was dropped and made again is another.
 * Partitions have numbers of their own; their columns are matched by name, which
 * PostgreSQL keeps equal.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/tupdesc_details.h"
#include "audit/codec_resolve.h"
#include "audit/readable.h"
#include "audit/setting.h"
#include "base/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "history/table.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/timestamp.h"

/* pg_attribute.attgenerated of what is computed when it is read (18). */
#define GENERATED_VIRTUAL 'v'

bool
steward_history_has_column(TupleDesc desc, AttrNumber attnum)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, attnum - 1);

	return !attribute->attisdropped &&
		attribute->attgenerated != GENERATED_VIRTUAL;
}

static void
check_rights(Oid relid)
{
	if (steward_may_read_all_of(relid))
		return;
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("history of table \"%s\" is not shown under row security",
						get_rel_name(relid)),
				 errdetail("Policies say which rows may be seen now, not which could be seen then."),
				 errhint("Ask as a role with BYPASSRLS, or as the owner of the table.")));
	aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(relid));
}

static void
check_kind(Relation rel)
{
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(rel)),
				 errhint("Only ordinary tables and partitioned tables have a history.")));
	if (rel->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a partition", RelationGetRelationName(rel)),
				 errdetail("Rows that moved to another partition or came from one have records of the whole table."),
				 errhint("Ask for the partitioned table.")));
}

/* ---- the present ---- */

static void
find_key(StewardHistoryTable *table, Relation rel)
{
	Bitmapset  *key = RelationGetIndexAttrBitmap(rel,
												 INDEX_ATTR_BITMAP_PRIMARY_KEY);
	int			member = -1;

	if (bms_is_empty(key))
		key = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_IDENTITY_KEY);
	table->key = palloc((bms_num_members(key) + 1) * sizeof(AttrNumber));
	while ((member = bms_next_member(key, member)) >= 0)
		table->key[table->key_count++] =
			member + FirstLowInvalidHeapAttributeNumber;
}

/* Do triggers that run this function fire, whoever changes the table? */
static bool
has_triggers(Relation rel, const char *function, int16 type)
{
	Oid			wanted = LookupFuncName(list_make2(makeString(pstrdup(STEWARD_SCHEMA)),
												   makeString(pstrdup(function))),
										0, NULL, false);
	int16		found = 0;

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid == wanted && trigger->tgenabled == TRIGGER_FIRES_ALWAYS)
			found |= trigger->tgtype;
	}
	return (found & type) == type;
}

/* What the settings of the audit keep out of the trail; NULL: nothing. */
static char *
left_out_of(Relation rel)
{
	StewardSetting *setting = steward_setting_read(rel);
	TupleDesc	desc = RelationGetDescr(rel);

	if (setting->condition != NULL)
		return "not all rows are recorded";
	for (int i = 1; i <= desc->natts; i++)
		if (steward_history_has_column(desc, i) &&
			(!steward_setting_records(setting, i) ||
			 steward_setting_redaction(setting, i) != NULL))
			return psprintf("column \"%s\" is not recorded as it is",
							NameStr(TupleDescAttr(desc, i - 1)->attname));
	return NULL;
}

static AttrNumber
present_number(const StewardHistoryTable *table, const char *name)
{
	for (int i = 0; i < table->desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(table->desc, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
			return i + 1;
	}
	return 0;
}

/* Of a partitioned table the partitions have these values, under their numbers. */
static void
find_missing(StewardHistoryTable *table, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		AttrNumber	now = attribute->attisdropped ? 0 :
			present_number(table, NameStr(attribute->attname));
		StewardMissing *missing = &table->missing[Max(now, 1) - 1];

		if (now == 0 || missing->present || desc->constr == NULL ||
			desc->constr->missing == NULL || !desc->constr->missing[i].am_present)
			continue;
		missing->present = true;
		missing->value = datumCopy(desc->constr->missing[i].am_value,
								   attribute->attbyval, attribute->attlen);
	}
}

/* One whose rows the table has no more, though the command has not ended. */
static bool
is_losing_partition(Relation rel)
{
	bool		found = false;

	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		(void) find_inheritance_children_extended(RelationGetRelid(rel), true,
												  NoLock, &found, NULL);
	return found;
}

static void
find_all_missing(StewardHistoryTable *table, List *relids)
{
	ListCell   *cell;

	table->missing = palloc0((table->desc->natts + 1) * sizeof(StewardMissing));
	foreach(cell, relids)
	{
		Relation	member = relation_open(lfirst_oid(cell), AccessShareLock);

		find_missing(table, member);
		if (member->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
			table->left_out = psprintf("partition \"%s\" is a foreign table, which others may change",
									   RelationGetRelationName(member));
		if (is_losing_partition(member))
			table->left_out = "a partition is being detached";
		relation_close(member, NoLock);
	}
}

static void
describe_present(StewardHistoryTable *table, Relation rel)
{
	table->relid = RelationGetRelid(rel);
	table->name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
											 RelationGetRelationName(rel));
	table->desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
	table->codecs = palloc0((table->desc->natts + 1) * sizeof(StewardCodec *));
	table->partitioned = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	table->recorded = has_triggers(rel, "audit_row",
								   TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT |
								   TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE) &&
		has_triggers(rel, "audit_truncate", TRIGGER_TYPE_TRUNCATE);
	table->left_out = left_out_of(rel);
	find_key(table, rel);
}

/* ---- the versions ---- */

/*
 * For each version, by ordinal: the number of the column in its own table, or 0
 * when that dropped it, its present name, and whether the type is as it was. How a
 * type is written there is said in schema_row.c.
 */
static const char *const versions_query =
"SELECT s.id, s.relation, s.created_at, s.key,"
" ARRAY(SELECT CASE WHEN a.attisdropped THEN NULL WHEN a.attnum IS NULL THEN s.names[u.n] ELSE a.attname::pg_catalog.text END"
"  FROM pg_catalog.unnest(s.attnums) WITH ORDINALITY AS u (attnum, n)"
"  LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) s.relation"
"   AND a.attnum OPERATOR(pg_catalog.=) u.attnum ORDER BY u.n),"
" ARRAY(SELECT coalesce(s.typmods[u.n] OPERATOR(pg_catalog.=) a.atttypmod"
"   AND s.types[u.n] OPERATOR(pg_catalog.=) pg_catalog.concat("
"    CASE WHEN n.nspname OPERATOR(pg_catalog.~) '^[a-z0-9_]*$' THEN n.nspname::pg_catalog.text"
"     ELSE pg_catalog.concat('\"', pg_catalog.replace(n.nspname::pg_catalog.text, '\"', '\"\"'), '\"') END, '.',"
"    CASE WHEN t.typname OPERATOR(pg_catalog.~) '^[a-z0-9_]*$' THEN t.typname::pg_catalog.text"
"     ELSE pg_catalog.concat('\"', pg_catalog.replace(t.typname::pg_catalog.text, '\"', '\"\"'), '\"') END), false)"
"  FROM pg_catalog.unnest(s.attnums) WITH ORDINALITY AS u (attnum, n)"
"  LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) s.relation"
"   AND a.attnum OPERATOR(pg_catalog.=) u.attnum"
"  LEFT JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) a.atttypid"
"  LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace"
"  ORDER BY u.n), s.attnums"
" FROM steward.audit_schema AS s"
" WHERE s.relation OPERATOR(pg_catalog.=) ANY ($1)"
"  OR ($2 AND s.root OPERATOR(pg_catalog.=) $3 AND s.kind OPERATOR(pg_catalog.=) 'r')"
" ORDER BY s.id";

enum
{
	VERSION_ID = 1,
	VERSION_RELATION,
	VERSION_CREATED_AT,
	VERSION_KEY,
	VERSION_NAMES,
	VERSION_SAME_TYPE,
	VERSION_ATTNUMS
};

static ArrayType *
array_column(HeapTuple row, int column)
{
	bool		isnull;
	Datum		datum = SPI_getbinval(row, SPI_tuptable->tupdesc, column, &isnull);

	if (isnull)
		steward_payload_corrupted("its schema version is malformed");
	return DatumGetArrayTypeP(datum);
}

/* Are the version's key columns those of the present key? */
static bool
is_present_key(const StewardHistoryTable *table, const StewardVersion *version,
			   const Datum *attnums, int count, ArrayType *key)
{
	Datum	   *members;
	int			key_count;

	deconstruct_array(key, INT2OID, 2, true, TYPALIGN_SHORT, &members, NULL,
					  &key_count);
	if (key_count != table->key_count)
		return false;
	for (int k = 0; k < key_count; k++)
	{
		AttrNumber	now = 0;
		bool		found = false;

		for (int i = 0; i < count; i++)
			if (DatumGetInt16(attnums[i]) == DatumGetInt16(members[k]))
				now = version->present[i];
		for (int i = 0; now != 0 && i < table->key_count; i++)
			found |= table->key[i] == now;
		if (!found)
			return false;
	}
	return true;
}

static void
add_relid(StewardHistoryTable *table, Oid relid)
{
	MemoryContext caller = MemoryContextSwitchTo(table->context);

	table->relids = list_append_unique_oid(table->relids, relid);
	MemoryContextSwitchTo(caller);
}

static void
add_version(StewardHistoryTable *table, HeapTuple row)
{
	bool		isnull;
	int32		id = DatumGetInt32(SPI_getbinval(row, SPI_tuptable->tupdesc,
												 VERSION_ID, &isnull));
	StewardVersion *version = hash_search(table->versions, &id, HASH_ENTER, NULL);
	Datum	   *names;
	Datum	   *types;
	Datum	   *attnums;
	bool	   *gone;
	int			count;

	version->relid = DatumGetObjectId(SPI_getbinval(row, SPI_tuptable->tupdesc,
													VERSION_RELATION, &isnull));
	version->created_at = DatumGetTimestampTz(SPI_getbinval(row, SPI_tuptable->tupdesc,
															VERSION_CREATED_AT, &isnull));
	version->schema = NULL;
	add_relid(table, version->relid);
	deconstruct_array(array_column(row, VERSION_ATTNUMS), INT2OID, 2, true,
					  TYPALIGN_SHORT, &attnums, NULL, &count);
	deconstruct_array(array_column(row, VERSION_NAMES), TEXTOID, -1, false,
					  TYPALIGN_INT, &names, &gone, &count);
	deconstruct_array(array_column(row, VERSION_SAME_TYPE), BOOLOID, 1, true,
					  TYPALIGN_CHAR, &types, NULL, &count);
	version->present = MemoryContextAllocZero(table->context,
											  (count + 1) * sizeof(AttrNumber));
	version->same_type = MemoryContextAllocZero(table->context,
												(count + 1) * sizeof(bool));
	for (int i = 0; i < count; i++)
	{
		version->same_type[i] = DatumGetBool(types[i]);
		version->present[i] = gone[i] ? 0 :
			present_number(table, TextDatumGetCString(names[i]));
	}
	version->same_key = is_present_key(table, version, attnums, count,
									   array_column(row, VERSION_KEY));
	if (version->created_at < table->first_version)
		table->first_version = version->created_at;
}

static void
load_versions(StewardHistoryTable *table, ArrayType *members, bool former)
{
	HASHCTL		control = {.keysize = sizeof(int32),
		.entrysize = sizeof(StewardVersion),
	.hcxt = table->context};
	Oid			types[] = {OIDARRAYOID, BOOLOID, OIDOID};
	Datum		values[] = {PointerGetDatum(members), BoolGetDatum(former),
	ObjectIdGetDatum(table->relid)};
	StewardIdentity saved;

	table->versions = hash_create("steward history versions", 16, &control,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	table->first_version = DT_NOEND;
	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args(versions_query, lengthof(types), types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the schema versions");
	for (uint64 i = 0; i < SPI_processed; i++)
		add_version(table, SPI_tuptable->vals[i]);
	SPI_finish();
	steward_become_caller(&saved);
}

/* The table and its partitions. */
static List *
members_of(Relation rel)
{
	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return list_make1_oid(RelationGetRelid(rel));
	return find_all_inheritors(RelationGetRelid(rel), AccessShareLock, NULL);
}

static ArrayType *
oid_array(List *oids)
{
	Datum	   *members = palloc((list_length(oids) + 1) * sizeof(Datum));
	ListCell   *cell;
	int			count = 0;

	foreach(cell, oids)
		members[count++] = ObjectIdGetDatum(lfirst_oid(cell));
	return construct_array(members, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT);
}

StewardHistoryTable *
steward_history_table_open(Oid relid, bool former)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "steward history table",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	StewardHistoryTable *table = palloc0(sizeof(StewardHistoryTable));
	Relation	rel;

	/* Before the lock too, lest one without rights block others by it. */
	if (get_rel_name(relid) != NULL)
		check_rights(relid);
	rel = steward_named_relation_open(relid, AccessShareLock);
	check_kind(rel);
	check_rights(relid);
	table->context = context;
	describe_present(table, rel);
	table->members = members_of(rel);
	find_all_missing(table, table->members);
	load_versions(table, oid_array(table->members), former);
	relation_close(rel, NoLock);
	MemoryContextSwitchTo(caller);
	return table;
}

StewardVersion *
steward_history_version(StewardHistoryTable *table, int32 id)
{
	StewardVersion *version = hash_search(table->versions, &id, HASH_FIND, NULL);

	if (version != NULL && version->schema == NULL)
		version->schema = steward_audit_schema_read(id, table->context);
	return version;
}

const StewardCodec *
steward_history_codec(const StewardHistoryTable *table, AttrNumber attnum)
{
	const StewardCodec **codec = &table->codecs[attnum - 1];
	MemoryContext caller;

	if (*codec != NULL)
		return *codec;
	caller = MemoryContextSwitchTo(table->context);
	*codec = steward_codec_for_type(TupleDescAttr(table->desc, attnum - 1)->atttypid);
	MemoryContextSwitchTo(caller);
	return *codec;
}

static List *
add_enums(List *enums, const StewardCodec *codec)
{
	if (codec->kind == STEWARD_COMPOSITE)
	{
		for (int i = 0; i < codec->composite->count; i++)
			enums = add_enums(enums, codec->composite->columns[i].codec);
		return enums;
	}
	if (codec->element != NULL)
		return add_enums(enums, codec->element);
	return get_typtype(codec->type) == TYPTYPE_ENUM ?
		list_append_unique_oid(enums, codec->type) : enums;
}

List *
steward_history_enums(const StewardHistoryTable *table)
{
	List	   *enums = NIL;

	for (int i = 0; i < table->desc->natts; i++)
		if (steward_history_has_column(table->desc, i + 1))
			enums = add_enums(enums, steward_history_codec(table, i + 1));
	return enums;
}

void
steward_history_require_audited(const StewardHistoryTable *table)
{
	if (hash_get_num_entries(table->versions) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %s was never audited", table->name),
				 errhint("Call steward.enable_audit(); its history begins there.")));
}

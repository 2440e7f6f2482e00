/*
 * guard_object.c: what the DDL guard refuses about relations, types, functions
 * and publications.
 */
#include "types/guard.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_partitioned_table.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "keys/keys.h"
#include "nodes/nodeFuncs.h"
#include "storage/lmgr.h"
#include "types/binding.h"
#include "types/type_info.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* ---- columns ---- */

static pg_attribute_noreturn() void
raise_no_key(Oid type, const char *what, const char *name)
{
	Oid			element = get_element_type(type);
	const StewardTypeInfo *info = steward_type_info(OidIsValid(element) ? element : type);

	if (info == NULL)
		info = &steward_text_info;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
			 errmsg("%s \"%s\" of type %s names no key", what, name,
					format_type_be(type)),
			 errhint("Name the key, as in steward.%s('pii/customer.ssn').",
					 info->name)));
}

/* A place that stores values of this type must name their key. */
static void
guard_storage(Oid type, int32 typmod, const char *what, const char *name)
{
	int32		key_typmod;

	if (!steward_guard_type(type) ||
		!steward_guard_type_takes_key(type, typmod, &key_typmod))
		return;
	if (key_typmod < 0)
		raise_no_key(type, what, name);
	steward_key_register((uint32) key_typmod);
}

static Oid
analyze_function(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Oid			function = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		function = ((Form_pg_type) GETSTRUCT(tuple))->typanalyze;
		ReleaseSysCache(tuple);
	}
	return function;
}

/*
 * A composite type, or an array of domains, brings PostgreSQL's own ANALYZE,
 * which keeps values and their frequencies: there is to be none of the column.
 */
static void
guard_statistics_target(Oid relid, Form_pg_attribute att)
{
	HeapTuple	tuple;
	bool		isnull;
	Datum		target;

	if (!steward_guard_type(att->atttypid) ||
		analyze_function(att->atttypid) == analyze_function(steward_type_info_oid(&steward_text_info)))
		return;
	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid),
							Int16GetDatum(att->attnum));
	if (!HeapTupleIsValid(tuple))
		return;
	target = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attstattarget,
							 &isnull);
	if (isnull || STEWARD_STATISTICS_TARGET_VALUE(target) != 0)
	{
		SPI_connect();
		if (SPI_execute(psprintf("ALTER TABLE %s ALTER COLUMN %s SET STATISTICS 0",
								 quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
															get_rel_name(relid)),
								 quote_identifier(NameStr(att->attname))),
						false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "could not set the statistics target");
		SPI_finish();
	}
	ReleaseSysCache(tuple);
}

static void
guard_columns(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	TupleDesc	desc = CreateTupleDescCopy(RelationGetDescr(rel));
	char		relkind = rel->rd_rel->relkind;

	relation_close(rel, AccessShareLock);
	for (int i = 0; relkind != RELKIND_VIEW && i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped)
			continue;
		guard_storage(att->atttypid, att->atttypmod, "column",
					  NameStr(att->attname));
		if (relkind != RELKIND_COMPOSITE_TYPE)
			guard_statistics_target(relid, att);
	}
	FreeTupleDesc(desc);
}

/* ---- expressions that belong to a relation ---- */

char *
steward_guard_text(Relation catalog, HeapTuple tuple, AttrNumber column)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, RelationGetDescr(catalog),
									 &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

typedef struct ExpressionPlace
{
	Oid			class_id;
	Oid			index_id;
	AttrNumber	relation_column;
	AttrNumber	columns[2];
	const char *what;
} ExpressionPlace;

static const ExpressionPlace places[] = {
	{AttrDefaultRelationId, AttrDefaultIndexId, Anum_pg_attrdef_adrelid,
	{Anum_pg_attrdef_adbin, 0}, "a default or a generated column"},
	{RewriteRelationId, RewriteRelRulenameIndexId, Anum_pg_rewrite_ev_class,
	{Anum_pg_rewrite_ev_action, Anum_pg_rewrite_ev_qual}, "a view or a rule"},
	{PolicyRelationId, PolicyPolrelidPolnameIndexId, Anum_pg_policy_polrelid,
	{Anum_pg_policy_polqual, Anum_pg_policy_polwithcheck}, "a row security policy"},
	{TriggerRelationId, TriggerRelidNameIndexId, Anum_pg_trigger_tgrelid,
	{Anum_pg_trigger_tgqual, 0}, "the WHEN condition of a trigger"},
	{PublicationRelRelationId, PublicationRelPrrelidPrpubidIndexId,
		Anum_pg_publication_rel_prrelid,
	{Anum_pg_publication_rel_prqual, 0}, "a row filter of a publication"},
};

/* Calls back for each row of a catalog that belongs to an object. */
typedef void (*RowCallback) (Relation catalog, HeapTuple tuple, const void *arg);

static void
for_each_row(Oid class_id, Oid index_id, AttrNumber column, Oid owner,
			 RowCallback callback, const void *arg)
{
	Relation	catalog = table_open(class_id, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(owner));
	scan = systable_beginscan(catalog, index_id, OidIsValid(index_id), NULL, 1,
							  &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		callback(catalog, tuple, arg);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

/* What a stored column is made of opens values; a restore makes it anew. */
static void
guard_generated(Form_pg_attrdef form)
{
	if (get_attgenerated(form->adrelid, form->adnum) == ATTRIBUTE_GENERATED_STORED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("generated column \"%s\" decrypts",
						get_attname(form->adrelid, form->adnum, false)),
				 errdetail("It would keep plaintext, or what tells of it, on disk, and a restore makes it before the keys are there.")));
}

static void
guard_place_row(Relation catalog, HeapTuple tuple, const void *arg)
{
	const ExpressionPlace *place = arg;

	for (int i = 0; i < 2; i++)
	{
		StewardFindings findings;

		if (place->columns[i] == 0)
			continue;
		findings = steward_guard_no_constant(steward_guard_text(catalog, tuple,
																place->columns[i]),
											 place->what);
		if (place->class_id == AttrDefaultRelationId && findings.may_decrypt)
			guard_generated((Form_pg_attrdef) GETSTRUCT(tuple));
	}
}

/*
 * A validated check is run on restore before the keys are there, so it must not
 * decrypt; one that is NOT VALID is restored after the data.
 */
static void
guard_check_row(Relation catalog, HeapTuple tuple, const void *arg)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
	StewardFindings findings;

	if (form->contype != CONSTRAINT_CHECK)
		return;
	findings = steward_guard_no_constant(steward_guard_text(catalog, tuple,
															Anum_pg_constraint_conbin),
										 "a check constraint");
	if (findings.decrypts && form->convalidated)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("check constraint \"%s\" decrypts", NameStr(form->conname)),
				 errdetail("A restore checks it before the keys are there."),
				 errhint("Add it as NOT VALID: new rows are checked all the same.")));
}

static void
guard_statistics_row(Relation catalog, HeapTuple tuple, const void *arg)
{
	Form_pg_statistic_ext form = (Form_pg_statistic_ext) GETSTRUCT(tuple);
	StewardFindings findings;
	bool		covers;

	findings = steward_guard_no_constant(steward_guard_text(catalog, tuple,
															Anum_pg_statistic_ext_stxexprs),
										 "extended statistics");
	if (findings.decrypts)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("statistics \"%s\" decrypt", NameStr(form->stxname)),
				 errdetail("They would keep plaintext in the catalogs.")));
	covers = findings.touches;
	for (int i = 0; i < form->stxkeys.dim1; i++)
		covers |= steward_guard_type(get_atttype(form->stxrelid, form->stxkeys.values[i]));
	if (covers)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("statistics \"%s\" cover a column of an encrypted type",
						NameStr(form->stxname)),
				 errdetail("They would keep which values are frequent.")));
}

/* ---- indexes and partition keys ---- */

static void
guard_index_row(Relation catalog, HeapTuple tuple, const void *arg)
{
	steward_guard_index(catalog, tuple, false);
}

static void
guard_partition_key(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(PARTRELID, ObjectIdGetDatum(relid));
	Form_pg_partitioned_table form;
	bool		refused = false;
	bool		isnull;
	Datum		expressions;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_partitioned_table) GETSTRUCT(tuple);
	for (int i = 0; i < form->partnatts; i++)
	{
		AttrNumber	column = form->partattrs.values[i];

		refused |= column != 0 && steward_guard_type(get_atttype(relid, column));
	}
	expressions = SysCacheGetAttr(PARTRELID, tuple,
								  Anum_pg_partitioned_table_partexprs, &isnull);
	if (!isnull)
	{
		char	   *trees = TextDatumGetCString(expressions);
		ListCell   *cell;

		refused |= steward_guard_no_constant(trees, "a partition key").may_decrypt;
		foreach(cell, (List *) stringToNode(trees))
			refused |= steward_guard_type(exprType(lfirst(cell)));
	}
	ReleaseSysCache(tuple);
	if (refused)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" cannot be partitioned by an encrypted column",
						get_rel_name(relid)),
				 errdetail("The partition of a row would tell about its plaintext.")));
}

static void
guard_locked(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	if (relkind == RELKIND_INDEX || relkind == RELKIND_PARTITIONED_INDEX)
	{
		for_each_row(IndexRelationId, IndexRelidIndexId, Anum_pg_index_indexrelid,
					 relid, guard_index_row, NULL);
		return;
	}
	if (relkind == '\0' || relkind == RELKIND_SEQUENCE ||
		relkind == RELKIND_TOASTVALUE)
		return;
	guard_columns(relid);
	steward_guard_rules(relid);
	steward_guard_binding(relid);
	for (size_t i = 0; i < lengthof(places); i++)
		for_each_row(places[i].class_id, places[i].index_id,
					 places[i].relation_column, relid, guard_place_row, &places[i]);
	for_each_row(ConstraintRelationId, ConstraintRelidTypidNameIndexId,
				 Anum_pg_constraint_conrelid, relid, guard_check_row, NULL);
	for_each_row(StatisticExtRelationId, StatisticExtRelidIndexId,
				 Anum_pg_statistic_ext_stxrelid, relid, guard_statistics_row, NULL);
	for_each_row(IndexRelationId, IndexIndrelidIndexId, Anum_pg_index_indrelid,
				 relid, guard_index_row, NULL);
	guard_partition_key(relid);
}

/* One that was found by its columns' type may be dropped by others at this moment. */
void
steward_guard_relation(Oid relid)
{
	LockRelationOid(relid, AccessShareLock);
	guard_locked(relid);
	UnlockRelationOid(relid, AccessShareLock);
}

/* ---- types, functions, publications ---- */

static void
guard_domain(Oid type, Form_pg_type form, HeapTuple tuple)
{
	bool		isnull;
	Datum		default_tree = SysCacheGetAttr(TYPEOID, tuple,
											   Anum_pg_type_typdefaultbin,
											   &isnull);

	if (!isnull)
		(void) steward_guard_no_constant(TextDatumGetCString(default_tree),
										 "the default of a domain");
	guard_storage(form->typbasetype, form->typtypmod, "domain",
				  NameStr(form->typname));
	for_each_row(ConstraintRelationId, ConstraintTypidIndexId,
				 Anum_pg_constraint_contypid, type, guard_check_row, NULL);
}

void
steward_guard_type_object(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type form;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_type) GETSTRUCT(tuple);
	if (form->typtype == TYPTYPE_DOMAIN)
		guard_domain(type, form, tuple);
	else if (form->typtype == TYPTYPE_COMPOSITE && OidIsValid(form->typrelid))
		steward_guard_relation(form->typrelid);
	else if (form->typtype == TYPTYPE_RANGE &&
			 steward_guard_type(get_range_subtype(type)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("range type \"%s\" cannot be over an encrypted type",
						NameStr(form->typname))));
	ReleaseSysCache(tuple);
}

void
steward_guard_function(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		isnull;
	Datum		value;

	if (!HeapTupleIsValid(tuple))
		return;
	value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosqlbody, &isnull);
	if (!isnull)
		(void) steward_guard_no_constant(TextDatumGetCString(value),
										 "the body of an SQL function");
	value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargdefaults, &isnull);
	if (!isnull)
		(void) steward_guard_no_constant(TextDatumGetCString(value),
										 "the default of an argument");
	ReleaseSysCache(tuple);
}

void
steward_guard_publication(Oid publication)
{
	const ExpressionPlace *place = &places[lengthof(places) - 1];

	for_each_row(PublicationRelRelationId, InvalidOid,
				 Anum_pg_publication_rel_prpubid, publication, guard_place_row,
				 place);
}

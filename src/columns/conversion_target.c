/*
 * conversion_target.c: the table, the column and the types of a conversion; see
 * conversion.h.
 *
 * The encrypted type of a plain one is found by what its values decrypt to.
 */
#include "columns/conversion.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_type.h"
#include "commands/tablecmds.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "rewrite/rewriteDefine.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "crypto/kdf.h"
#include "keys/keys.h"
#include "keys/names.h"
#include "types/binding.h"
#include "types/guard.h"

char *
steward_conversion_table(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

void
steward_conversion_execute(const char *format, ...)
{
	StringInfoData sql;
	int			answer;

	initStringInfo(&sql);
	for (;;)
	{
		va_list		arguments;
		int			needed;

		va_start(arguments, format);
		needed = appendStringInfoVA(&sql, format, arguments);
		va_end(arguments);
		if (needed == 0)
			break;
		enlargeStringInfo(&sql, needed);
	}
	SPI_connect();
	answer = SPI_execute(sql.data, false, 0);
	if (answer < 0)
		elog(ERROR, "a statement of a conversion failed: %s",
			 SPI_result_code_string(answer));
	SPI_finish();
	pfree(sql.data);
	CommandCounterIncrement();
}

void
steward_conversion_check_owner(Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (!STEWARD_OWNS_RELATION(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER,
					   get_relkind_objtype(get_rel_relkind(relid)), name);
}

/* ---- the table ---- */

static pg_attribute_noreturn() void
refuse_table(Relation rel, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("columns of \"%s\" cannot be converted: it is %s",
					RelationGetRelationName(rel), what),
			 errhint("%s", hint)));
}

static void
check_online_table(Relation rel)
{
	RuleLock   *rules = rel->rd_rules;
	StewardBinding binding;
	const char *hint = "Convert the column at once, with steward.encrypt_column() or steward.decrypt_column().";

	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		refuse_table(rel, "a partitioned table", hint);
	if (find_inheritance_children(RelationGetRelid(rel), NoLock) != NIL ||
		has_superclass(RelationGetRelid(rel)))
		refuse_table(rel, "part of an inheritance tree", hint);
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		refuse_table(rel, "a temporary table", hint);
	if (rel->rd_rel->relrowsecurity && rel->rd_rel->relforcerowsecurity)
		refuse_table(rel, "under row security that binds its owner too",
					 "Run ALTER TABLE ... NO FORCE ROW LEVEL SECURITY for the time of the conversion, or convert the column at once.");
	if (steward_binding_find(rel, &binding))
		refuse_table(rel, "bound to subjects",
					 "Convert the column at once, or call steward.unbind_subject() for the time of the conversion; steward.reencrypt() binds what is not bound yet.");
	for (int i = 0; rules != NULL && i < rules->numLocks; i++)
	{
		if (rules->rules[i]->event == CMD_UPDATE &&
			rules->rules[i]->enabled != RULE_DISABLED)
			refuse_table(rel, "a table with a rule on UPDATE",
						 "Drop the rule, or convert the column at once.");
	}
}

static void
check_table(const StewardConversion *conversion, Relation rel)
{
	char		relkind = rel->rd_rel->relkind;

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("columns of \"%s\" cannot be converted",
						RelationGetRelationName(rel)),
				 errdetail_relkind_not_supported(relkind)));
	if (IsSystemRelation(rel) ||
		RelationGetNamespace(rel) == get_namespace_oid(STEWARD_SCHEMA, false))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("columns of system table \"%s\" cannot be converted",
						RelationGetRelationName(rel))));
	if (OidIsValid(rel->rd_rel->reloftype))
		refuse_table(rel, "a typed table", "Its columns are those of its type; make it ALTER TABLE ... NOT OF first.");
	if (rel->rd_rel->relispartition)
		refuse_table(rel, "a partition", "Convert the column of the partitioned table.");
	if (conversion->online)
		check_online_table(rel);
	/* Columns elsewhere whose type is the row of this table. */
	find_composite_type_dependencies(rel->rd_rel->reltype, rel, NULL);
}

/* ---- types ---- */

/* A type of ours with a key for a modifier. */
static bool
takes_key(Oid type)
{
	int32		typmod;

	return steward_guard_type(type) && get_typtype(type) == TYPTYPE_BASE &&
		!OidIsValid(get_element_type(type)) &&
		steward_guard_type_takes_key(type, -1, &typmod);
}

/*
 * The plain type whose encrypted one keeps every value of this type, or
 * InvalidOid. That there is a cast is not enough: a double precision can be
 * assigned to a numeric, but comes back as another.
 */
static Oid
usual_plain_type(Oid type)
{
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
			return TEXTOID;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return INT8OID;
		case BYTEAOID:
		case JSONBOID:
		case NUMERICOID:
		case DATEOID:
		case TIMESTAMPTZOID:
			return type;
		default:
			return InvalidOid;
	}
}

/* The encrypted type whose values decrypt to this plain type, or InvalidOid. */
static Oid
encrypted_type_of(Oid plain)
{
	Relation	casts = table_open(CastRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			found = InvalidOid;

	ScanKeyInit(&key, Anum_pg_cast_castsource, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(plain));
	scan = systable_beginscan(casts, CastSourceTargetIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			target = ((Form_pg_cast) GETSTRUCT(tuple))->casttarget;

		if (takes_key(target) &&
			get_func_rettype(steward_conversion_decrypt_function(target)) == plain)
			found = target;
	}
	systable_endscan(scan);
	table_close(casts, AccessShareLock);
	return found;
}

static pg_attribute_noreturn() void
refuse_type(Oid type, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("a column of type %s cannot be encrypted", format_type_be(type)),
			 detail != NULL ? errdetail("%s", detail) : 0,
			 errhint("%s", hint)));
}

static void
choose_encrypted(StewardConversion *conversion, const char *key)
{
	Oid			type = conversion->source_type;
	uint32		key_id = steward_key_named(key);

	if (takes_key(type))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column \"%s\" is encrypted already", conversion->column)));
	if (type == TIMESTAMPOID)
		refuse_type(type, "Its values are moments only together with a time zone.",
					"Run ALTER TABLE ... ALTER COLUMN ... TYPE timestamptz USING ... AT TIME ZONE '...' first.");
	if (type == JSONOID)
		refuse_type(type, "An encrypted jsonb does not keep white space, the order of keys and repeated keys.",
					"Run ALTER TABLE ... ALTER COLUMN ... TYPE jsonb first.");
	if (get_typtype(type) == TYPTYPE_DOMAIN)
		refuse_type(type, "An encrypted column does not check the constraints of a domain.",
					"Run ALTER TABLE ... ALTER COLUMN ... TYPE with the type under the domain first.");
	conversion->target_type = encrypted_type_of(usual_plain_type(type));
	if (!OidIsValid(conversion->target_type))
		refuse_type(type, NULL, "Run ALTER TABLE ... ALTER COLUMN ... TYPE with a type that has an encrypted one, such as text, first.");
	if (!steward_key_is_known(steward_kdf_key_id(key, steward_name_holder_length(key))))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("key \"%s\" does not exist", key),
				 errhint("Create it with steward.create_key('%.*s').",
						 (int) steward_name_holder_length(key), key)));
	conversion->key_id = key_id;
	conversion->target_typmod = (int32) key_id;
	conversion->target_sql = psprintf("%s(%s)",
									  format_type_extended(conversion->target_type, -1,
														   FORMAT_TYPE_FORCE_QUALIFY),
									  quote_literal_cstr(key));
}

Oid
steward_conversion_decrypt_function(Oid encrypted_type)
{
	List	   *name = list_make2(makeString(STEWARD_SCHEMA), makeString("decrypt"));

	return LookupFuncName(name, 1, &encrypted_type, false);
}

static void
choose_plain(StewardConversion *conversion, const char *type)
{
	Oid			usual;

	if (!takes_key(conversion->source_type) || conversion->source_typmod <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column \"%s\" is not encrypted", conversion->column)));
	conversion->key_id = (uint32) conversion->source_typmod;
	steward_key_require(conversion->key_id, STEWARD_RIGHT_DECRYPT);
	usual = get_func_rettype(steward_conversion_decrypt_function(conversion->source_type));
	conversion->target_type = usual;
	conversion->target_typmod = -1;
	if (type != NULL)
		STEWARD_PARSE_TYPE(type, &conversion->target_type,
						   &conversion->target_typmod);
	/* Only what PostgreSQL brings: the casts of others could do anything. */
	if (conversion->target_type >= FirstNormalObjectId ||
		!can_coerce_type(1, &usual, &conversion->target_type, COERCION_ASSIGNMENT))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("a column of type %s cannot be decrypted to %s",
						format_type_be(conversion->source_type), type),
				 errhint("Its values are of type %s.", format_type_be(usual))));
	conversion->target_sql = format_type_extended(conversion->target_type,
												  conversion->target_typmod,
												  FORMAT_TYPE_TYPEMOD_GIVEN |
												  FORMAT_TYPE_FORCE_QUALIFY);
}

/* ---- the column ---- */

static void
refuse_column(const char *column, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" cannot be converted: it is %s", column, what)));
}

static void
describe_column(StewardConversion *conversion, Relation rel, const char *column)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), column);
	Form_pg_attribute att;
	Bitmapset  *attnums;
	StewardBinding binding;

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", column,
						RelationGetRelationName(rel))));
	if (attnum < 0)
		refuse_column(column, "a system column");
	att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	if (att->attgenerated != '\0')
		refuse_column(column, "a generated column");
	if (att->attidentity != '\0')
		refuse_column(column, "an identity column");
	if (att->attinhcount > 0)
		refuse_column(column, "inherited; convert that of the parent");
	if (OidIsValid(att->attcollation) &&
		!get_collation_isdeterministic(att->attcollation))
		refuse_column(column, "of a nondeterministic collation, which an encrypted column does not have");
	attnums = bms_make_singleton(attnum - FirstLowInvalidHeapAttributeNumber);
	if (has_partition_attrs(rel, attnums, NULL))
		refuse_column(column, "in the partition key");

	if (steward_binding_find(rel, &binding) && binding.key == attnum)
		refuse_column(column, "the key of the subjects that the table is bound to");

	conversion->relid = RelationGetRelid(rel);
	conversion->owner = rel->rd_rel->relowner;
	conversion->column = pstrdup(column);
	conversion->source = attnum;
	conversion->source_type = att->atttypid;
	conversion->source_typmod = att->atttypmod;
}

void
steward_conversion_describe(StewardConversion *conversion, Relation rel,
							const char *column, const char *key,
							const char *type)
{
	check_table(conversion, rel);
	describe_column(conversion, rel, column);
	if (conversion->encrypt)
		choose_encrypted(conversion, key);
	else
		choose_plain(conversion, type);
}

/* ---- warnings ---- */

static void
warn_of_type(const StewardConversion *conversion, Relation rel)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel),
										  conversion->source - 1);
	Oid			usual = get_func_rettype(steward_conversion_decrypt_function(conversion->target_type));

	if (att->atttypmod >= 0 ||
		(att->atttypid != usual && (att->atttypid == INT2OID || att->atttypid == INT4OID)))
		ereport(WARNING,
				(errmsg("encrypted column \"%s\" takes every value of type %s",
						conversion->column, format_type_be(usual)),
				 errdetail("It does not keep the limits of type %s.",
						   format_type_with_typemod(att->atttypid, att->atttypmod))));
	if (OidIsValid(att->attcollation) && att->attcollation != DEFAULT_COLLATION_OID &&
		att->attcollation != get_typcollation(att->atttypid))
		ereport(WARNING,
				(errmsg("encrypted column \"%s\" sorts by the collation of the database",
						conversion->column),
				 errdetail("It does not keep its collation \"%s\".",
						   get_collation_name(att->attcollation))));
}

void
steward_conversion_warn(const StewardConversion *conversion, Relation rel)
{
	if (conversion->encrypt)
		warn_of_type(conversion, rel);
	if (GetRelationPublications(conversion->relid) != NIL ||
		GetAllTablesPublications() != NIL ||
		GetSchemaPublications(RelationGetNamespace(rel)) != NIL)
		ereport(WARNING,
				(errmsg("table \"%s\" is published", RelationGetRelationName(rel)),
				 errhint("Give the tables of subscribers a column of type %s%s before rows reach them.",
						 conversion->target_sql,
						 conversion->online ? ", also one for the shadow column," : "")));
}

/*
 * setting_change.c: the arguments of steward.enable_audit that choose what is
 * recorded; see setting.h.
 *
 * An argument that is null leaves its part of the setting as it is: so calling
 * enable_audit again, to repair a trigger, never records more than before. An
 * empty one takes the part away.
 */
#include "base/compat.h"

#include "audit/schema_row.h"
#include "audit/setting.h"
#include "catalog/pg_type_d.h"
#include "keys/keys.h"
#include "types/type_info.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

enum
{
	ARGUMENT_INCLUDE,
	ARGUMENT_EXCLUDE,
	ARGUMENT_REDACT,
	ARGUMENT_CONDITION,
	ARGUMENT_LOG_UNCHANGED
};

static AttrNumber
column_named(Relation rel, const char *name)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), name);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", name,
						RelationGetRelationName(rel))));
	if (attnum < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("column \"%s\" is a system column", name),
				 errhint("Name columns of the table.")));
	return attnum;
}

static void
refuse_key(Relation rel, AttrNumber attnum, const char *what)
{
	if (!steward_schema_is_key(rel, attnum))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
			 errmsg("column \"%s\" cannot be %s: it is of the key",
					get_attname(RelationGetRelid(rel), attnum, false), what),
			 errdetail("The key says in the record which row was changed.")));
}

static void
remove_treatments(StewardSetting *setting, StewardTreatment from,
				  StewardTreatment to)
{
	ListCell   *cell;

	foreach(cell, setting->columns)
	{
		StewardColumnSetting *column = lfirst(cell);

		if (column->treatment >= from && column->treatment <= to)
			setting->columns = foreach_delete_current(setting->columns, cell);
	}
}

static void
add_treatment(StewardSetting *setting, AttrNumber attnum,
			  StewardTreatment treatment, char *key)
{
	StewardColumnSetting *column = palloc(sizeof(StewardColumnSetting));

	column->attnum = attnum;
	column->treatment = treatment;
	column->key = key;
	setting->columns = lappend(setting->columns, column);
}

/* Adds the columns of an array of names; returns how many there are. */
static int
add_names(StewardSetting *setting, Relation rel, ArrayType *array,
		  StewardTreatment treatment)
{
	Datum	   *names;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &names,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		AttrNumber	attnum;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a list of columns must not contain nulls")));
		attnum = column_named(rel, NameStr(*DatumGetName(names[i])));
		if (treatment == STEWARD_EXCLUDE)
			refuse_key(rel, attnum, "excluded");
		for (int j = 0; j < i; j++)
			if (strcmp(NameStr(*DatumGetName(names[i])), NameStr(*DatumGetName(names[j]))) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" is listed twice", NameStr(*DatumGetName(names[i])))));
		add_treatment(setting, attnum, treatment, NULL);
	}
	return count;
}

static void
change_columns(StewardSetting *setting, Relation rel, FunctionCallInfo fcinfo,
			   int first)
{
	bool		include = !PG_ARGISNULL(first + ARGUMENT_INCLUDE);
	bool		exclude = !PG_ARGISNULL(first + ARGUMENT_EXCLUDE);
	int			included = 0;
	int			excluded = 0;

	if (!include && !exclude)
		return;
	remove_treatments(setting, STEWARD_INCLUDE, STEWARD_EXCLUDE);
	if (include)
		included = add_names(setting, rel, PG_GETARG_ARRAYTYPE_P(first + ARGUMENT_INCLUDE),
							 STEWARD_INCLUDE);
	if (exclude)
		excluded = add_names(setting, rel, PG_GETARG_ARRAYTYPE_P(first + ARGUMENT_EXCLUDE),
							 STEWARD_EXCLUDE);
	setting->only_included = included > 0;
	if (included > 0 && excluded > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments \"include\" and \"exclude\" cannot be given together"),
				 errhint("With a list of included columns all others are excluded.")));
}

static pg_attribute_noreturn() void
refuse_redaction(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown redaction of column \"%s\"", name),
			 errhint("Use \"omit\", \"hash\" or {\"encrypt\": \"<key>\"}.")));
}

static char *
text_of(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/* The path of the key in {"encrypt": "path"}, which must have a version. */
static char *
key_of_redaction(const JsonbValue *value, const char *name)
{
	JsonbValue *path = getKeyJsonValueFromContainer(value->val.binary.data, "encrypt",
													strlen("encrypt"), NULL);
	char	   *key;
	uint32		key_id;
	uint32		key_tag;

	if (JsonContainerSize(value->val.binary.data) != 1 || path == NULL ||
		path->type != jbvString)
		refuse_redaction(name);
	key = text_of(path);
	key_id = steward_key_named(key);
	if (!steward_key_current_tag(key_id, &key_tag))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("key \"%s\" does not exist", key),
				 errhint("Create it with steward.create_key().")));
	steward_key_register(key_id);
	return key;
}

/* What is encrypted already can only be omitted. */
static void
refuse_encrypted(Relation rel, AttrNumber attnum)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attnum - 1);

	if (steward_type_info(getBaseType(attribute->atttypid)) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("column \"%s\" is encrypted already", NameStr(attribute->attname)),
				 errhint("It is recorded as the ciphertext that it holds; it can be omitted.")));
}

static void
add_redaction(StewardSetting *setting, Relation rel, const char *name,
			  const JsonbValue *value)
{
	AttrNumber	attnum = column_named(rel, name);
	StewardTreatment treatment = STEWARD_ENCRYPT;
	char	   *key = NULL;

	refuse_key(rel, attnum, "redacted");
	if (value->type == jbvString && strcmp(text_of(value), "omit") == 0)
		treatment = STEWARD_OMIT;
	else if (value->type == jbvString && strcmp(text_of(value), "hash") == 0)
		treatment = STEWARD_HASH;
	else if (value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data))
		key = key_of_redaction(value, name);
	else
		refuse_redaction(name);
	if (treatment != STEWARD_OMIT)
		refuse_encrypted(rel, attnum);
	if (treatment == STEWARD_HASH)
		(void) steward_tag_keys();	/* raises when there is no secret to hash
									 * with */
	add_treatment(setting, attnum, treatment, key);
}

static void
change_redactions(StewardSetting *setting, Relation rel, Jsonb *redact)
{
	JsonbIterator *iterator = JsonbIteratorInit(&redact->root);
	JsonbValue	value;
	JsonbIteratorToken token;
	char	   *name = NULL;

	if (!JB_ROOT_IS_OBJECT(redact))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"redact\" must be an object of columns")));
	remove_treatments(setting, STEWARD_OMIT, STEWARD_ENCRYPT);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = text_of(&value);
		else if (token == WJB_VALUE)
			add_redaction(setting, rel, name, &value);
	}
}

/* What is redacted must be recorded: else the setting says two things. */
static void
check_redacted(const StewardSetting *setting, Relation rel)
{
	ListCell   *cell;

	foreach(cell, setting->columns)
	{
		const StewardColumnSetting *column = lfirst(cell);

		if (column->treatment >= STEWARD_OMIT &&
			!steward_setting_records(setting, column->attnum))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
					 errmsg("column \"%s\" is redacted, but not recorded",
							get_attname(RelationGetRelid(rel), column->attnum, false)),
					 errhint("Include the column, or leave it out of \"redact\".")));
	}
}

bool
steward_setting_change(StewardSetting *setting, Relation rel,
					   FunctionCallInfo fcinfo, int first)
{
	bool		given = false;

	for (int i = 0; i <= ARGUMENT_LOG_UNCHANGED; i++)
		given |= !PG_ARGISNULL(first + i);
	change_columns(setting, rel, fcinfo, first);
	if (!PG_ARGISNULL(first + ARGUMENT_REDACT))
		change_redactions(setting, rel, PG_GETARG_JSONB_P(first + ARGUMENT_REDACT));
	if (!PG_ARGISNULL(first + ARGUMENT_CONDITION))
	{
		char	   *condition = text_to_cstring(PG_GETARG_TEXT_PP(first + ARGUMENT_CONDITION));

		setting->condition = condition[0] == '\0' ? NULL : steward_condition_parse(rel, condition);
	}
	if (!PG_ARGISNULL(first + ARGUMENT_LOG_UNCHANGED))
		setting->log_unchanged = PG_GETARG_BOOL(first + ARGUMENT_LOG_UNCHANGED);
	check_redacted(setting, rel);
	return given;
}

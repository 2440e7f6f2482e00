/*
 * codec_reg.c: values of the reg* types, stored as names.
 *
 * A name has its schema always and is quoted whenever it need be, so that it
 * means the same under any search path and the type's input function reads it. A
 * function or operator that shares its name with others in its schema is
 * stored with its argument types, also as regproc and regoper. What is not there is
 * stored as its number, 0 as the output functions have it: "-", or "0" among
 * operators.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "audit/codec_put.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_type.h"
#include "common/keywords.h"
#include "miscadmin.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* quote_identifier() without the setting that it obeys. */
static void
append_identifier(StringInfo out, const char *name)
{
	bool		plain = (*name >= 'a' && *name <= 'z') || *name == '_';

	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
		plain = false;
	if (plain)
	{
		int			keyword = ScanKeywordLookup(name, &ScanKeywords);

		plain = keyword < 0 || ScanKeywordCategories[keyword] == UNRESERVED_KEYWORD;
	}
	if (!plain)
		appendStringInfoChar(out, '"');
	for (; *name != '\0'; name++)
	{
		if (*name == '"')
			appendStringInfoChar(out, '"');
		appendStringInfoChar(out, *name);
	}
	if (!plain)
		appendStringInfoChar(out, '"');
}

/* False when the schema is gone, which is as good as the object gone. */
static bool
append_schema(StringInfo out, Oid namespace)
{
	char	   *name = get_namespace_name(namespace);

	if (name == NULL)
		return false;
	append_identifier(out, name);
	appendStringInfoChar(out, '.');
	return true;
}

static bool
append_qualified(StringInfo out, Oid namespace, const char *name)
{
	if (name == NULL || !append_schema(out, namespace))
		return false;
	append_identifier(out, name);
	return true;
}

static bool
append_global(StringInfo out, const char *name)
{
	if (name == NULL)
		return false;
	append_identifier(out, name);
	return true;
}

static bool
append_type(StringInfo out, Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type form;
	bool		found;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_type) GETSTRUCT(tuple);
	found = append_qualified(out, form->typnamespace, NameStr(form->typname));
	ReleaseSysCache(tuple);
	return found;
}

/* Whether a schema has several functions of a name. */
static bool
is_overloaded(Form_pg_proc proc)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP,
										   CStringGetDatum(NameStr(proc->proname)));
	int			same = 0;

	for (int i = 0; i < list->n_members; i++)
	{
		HeapTuple	tuple = &list->members[i]->tuple;

		if (((Form_pg_proc) GETSTRUCT(tuple))->pronamespace == proc->pronamespace)
			same++;
	}
	ReleaseSysCacheList(list);
	return same > 1;
}

static bool
append_function(StringInfo out, Oid function, bool with_arguments)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	bool		found;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	found = append_qualified(out, form->pronamespace, NameStr(form->proname));
	if (found && (with_arguments || is_overloaded(form)))
	{
		appendStringInfoChar(out, '(');
		for (int i = 0; i < form->pronargs && found; i++)
		{
			if (i > 0)
				appendStringInfoChar(out, ',');
			found = append_type(out, form->proargtypes.values[i]);
		}
		appendStringInfoChar(out, ')');
	}
	ReleaseSysCache(tuple);
	return found;
}

static bool
is_ambiguous(Form_pg_operator operator)
{
	CatCList   *list = SearchSysCacheList1(OPERNAMENSP,
										   CStringGetDatum(NameStr(operator->oprname)));
	int			same = 0;

	for (int i = 0; i < list->n_members; i++)
	{
		HeapTuple	tuple = &list->members[i]->tuple;

		if (((Form_pg_operator) GETSTRUCT(tuple))->oprnamespace == operator->oprnamespace)
			same++;
	}
	ReleaseSysCacheList(list);
	return same > 1;
}

static bool
append_operand(StringInfo out, Oid type)
{
	if (OidIsValid(type))
		return append_type(out, type);
	appendStringInfoString(out, "NONE");
	return true;
}

static bool
append_operator(StringInfo out, Oid operator, bool with_arguments)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	bool		found;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_operator) GETSTRUCT(tuple);
	found = append_schema(out, form->oprnamespace);
	appendStringInfoString(out, NameStr(form->oprname));
	if (found && (with_arguments || is_ambiguous(form)))
	{
		appendStringInfoChar(out, '(');
		found = append_operand(out, form->oprleft);
		appendStringInfoChar(out, ',');
		found = found && append_operand(out, form->oprright);
		appendStringInfoChar(out, ')');
	}
	ReleaseSysCache(tuple);
	return found;
}

/* Objects of a catalog whose rows have a name and a schema. */
static bool
append_from(StringInfo out, int cache, Oid object, AttrNumber name_column,
			AttrNumber namespace_column)
{
	HeapTuple	tuple = SearchSysCache1(cache, ObjectIdGetDatum(object));
	bool		isnull;
	Datum		name;
	Datum		namespace;
	bool		found;

	if (!HeapTupleIsValid(tuple))
		return false;
	name = SysCacheGetAttr(cache, tuple, name_column, &isnull);
	namespace = SysCacheGetAttr(cache, tuple, namespace_column, &isnull);
	found = append_qualified(out, DatumGetObjectId(namespace),
							 NameStr(*DatumGetName(name)));
	ReleaseSysCache(tuple);
	return found;
}

static bool
append_object(StringInfo out, Oid type, Oid object)
{
	switch (type)
	{
		case REGCLASSOID:
			return append_qualified(out, get_rel_namespace(object),
									get_rel_name(object));
		case REGTYPEOID:
			return append_type(out, object);
		case REGPROCOID:
		case REGPROCEDUREOID:
			return append_function(out, object, type == REGPROCEDUREOID);
		case REGOPEROID:
		case REGOPERATOROID:
			return append_operator(out, object, type == REGOPERATOROID);
		case REGROLEOID:
			return append_global(out, GetUserNameFromId(object, true));
		case REGNAMESPACEOID:
			return append_global(out, get_namespace_name(object));
		case REGCONFIGOID:
			return append_from(out, TSCONFIGOID, object,
							   Anum_pg_ts_config_cfgname,
							   Anum_pg_ts_config_cfgnamespace);
		case REGDICTIONARYOID:
			return append_from(out, TSDICTOID, object, Anum_pg_ts_dict_dictname,
							   Anum_pg_ts_dict_dictnamespace);
		case REGCOLLATIONOID:
			return append_from(out, COLLOID, object, Anum_pg_collation_collname,
							   Anum_pg_collation_collnamespace);
		default:
			return false;
	}
}

void
steward_put_reg(const StewardCodec *codec, StringInfo out, Datum value)
{
	Oid			object = DatumGetObjectId(value);
	int			start = steward_begin_counted(out);

	if (!OidIsValid(object))
		steward_append_byte(out, codec->type == REGOPEROID ||
							codec->type == REGOPERATOROID ? '0' : '-');
	else if (!append_object(out, codec->type, object))
	{
		out->len = start;
		appendStringInfo(out, "%u", object);
	}
	steward_end_counted(out, start);
}

/*
 * decrypt_or_null.c: steward.decrypt_or_null, what decrypted views show.
 *
 * It differs from decrypt() in one thing: who has no right to decrypt gets NULL.
 * A value that is damaged, or whose key is missing, still raises an error for
 * those who may decrypt it.
 *
 * One C function serves all types; the SQL function says for which it is called.
 */
#include "types/type_info.h"

#include "catalog/pg_type_d.h"
#include "keys/keys.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

/* What a call site knows of its types. */
typedef struct CallTypes
{
	const StewardTypeInfo *info;
	int32		label;			/* key of the column that is read, or -1 */
	Oid			plain;			/* type of the plaintext, or of elements */
	int16		length;
	bool		by_value;
	char		align;
} CallTypes;

static Oid
element_or_self(Oid type)
{
	Oid			element = get_element_type(type);

	return OidIsValid(element) ? element : type;
}

static const CallTypes *
call_types(FunctionCallInfo fcinfo)
{
	CallTypes  *types = fcinfo->flinfo->fn_extra;
	Oid		   *arguments;
	int			count;

	if (types != NULL)
		return types;
	types = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof *types);
	types->plain = element_or_self(get_func_signature(fcinfo->flinfo->fn_oid,
													  &arguments, &count));
	types->info = steward_type_info(element_or_self(arguments[0]));
	if (types->info == NULL)
		elog(ERROR, "function %u takes no encrypted value", fcinfo->flinfo->fn_oid);
	types->label = steward_call_label(fcinfo->flinfo);
	get_typlenbyvalalign(types->plain, &types->length, &types->by_value,
						 &types->align);
	fcinfo->flinfo->fn_extra = types;
	return types;
}

/* False, and no error, for who may not decrypt the value. */
static bool
may_decrypt(const CallTypes *types, Datum value)
{
	StewardDatum datum;

	steward_parse(types->info, &datum, PG_DETOAST_DATUM_PACKED(value));
	if (!steward_key_allowed(datum.key_id, GetUserId(), STEWARD_RIGHT_DECRYPT))
		return false;
	steward_check_label(&datum, types->label);
	return true;
}

/* False for the value of an erased subject. */
static bool
decrypt(const CallTypes *types, Datum value, Datum *plain)
{
	LOCAL_FCINFO(call, 1);

	InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
	call->args[0].value = value;
	call->args[0].isnull = false;
	*plain = steward_type_decrypt(call, types->info);
	return !call->isnull;
}

STEWARD_FUNCTION(steward_decrypt_or_null)
{
	const CallTypes *types = call_types(fcinfo);
	Datum		value = PointerGetDatum(PG_GETARG_VARLENA_PP(0));
	Datum		plain;

	if (!may_decrypt(types, value) || !decrypt(types, value, &plain))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(plain);
}

/* All elements of a column have one key: who may not decrypt one gets no array. */
STEWARD_FUNCTION(steward_decrypt_array_or_null)
{
	const CallTypes *types = call_types(fcinfo);
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT,
					  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			continue;
		elements[i] = PointerGetDatum(PG_DETOAST_DATUM_PACKED(elements[i]));
		if (!may_decrypt(types, elements[i]))
			PG_RETURN_NULL();
		nulls[i] = !decrypt(types, elements[i], &elements[i]);
	}
	PG_RETURN_ARRAYTYPE_P(construct_md_array(elements, nulls, ARR_NDIM(array),
											 ARR_DIMS(array), ARR_LBOUND(array),
											 types->plain, types->length,
											 types->by_value, types->align));
}

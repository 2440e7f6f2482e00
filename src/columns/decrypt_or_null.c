/*
 * decrypt_or_null.c: steward.decrypt_or_null, what decrypted views show.
 *
 * It differs from decrypt() in one thing: who has no right to decrypt gets NULL.
 * A value that is damaged, or whose key is missing, still raises an error for
 * those who may decrypt it.
 */
#include "types/encrypted.h"

#include "catalog/pg_type_d.h"
#include "keys/keys.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

/* Opens one value, whose right was checked; false for an erased one. */
static bool
decrypt(FunctionCallInfo fcinfo, Datum value, Datum *plain)
{
	LOCAL_FCINFO(call, 1);

	InitFunctionCallInfoData(*call, fcinfo->flinfo, 1, InvalidOid, NULL, NULL);
	call->args[0].value = value;
	call->args[0].isnull = false;
	*plain = steward_decrypt_text(call);
	return !call->isnull;
}

static bool
may_decrypt(Datum value)
{
	StewardDatum datum;

	steward_parse(&steward_text_info, &datum, PG_DETOAST_DATUM_PACKED(value));
	return steward_key_allowed(datum.key_id, GetUserId(), STEWARD_RIGHT_DECRYPT);
}

STEWARD_FUNCTION(steward_text_decrypt_or_null)
{
	Datum		value = PointerGetDatum(PG_GETARG_VARLENA_PP(0));
	Datum		plain;

	if (!may_decrypt(value) || !decrypt(fcinfo, value, &plain))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(plain);
}

/* All elements of a column have one key: who may not decrypt one gets no array. */
STEWARD_FUNCTION(steward_text_array_decrypt_or_null)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Oid			type = TEXTOID;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int16		length;
	bool		by_value;
	char		align;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT,
					  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			continue;
		elements[i] = PointerGetDatum(PG_DETOAST_DATUM_PACKED(elements[i]));
		if (!may_decrypt(elements[i]))
			PG_RETURN_NULL();
		nulls[i] = !decrypt(fcinfo, elements[i], &elements[i]);
	}
	get_typlenbyvalalign(type, &length, &by_value, &align);
	PG_RETURN_ARRAYTYPE_P(construct_md_array(elements, nulls, ARR_NDIM(array),
											 ARR_DIMS(array), ARR_LBOUND(array),
											 type, length, by_value, align));
}

/*
 * canonical.c: what an index asks of a value: its canonical bytes.
 *
 * The access method blind computes tags of its own, under the keys of each index,
 * so it needs the bytes and not a hash. Whoever may INSERT has it computed, so no
 * right is asked for here; who searches is asked by the access method.
 */
#include "types/side.h"

Datum
steward_type_canonical(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
					   StewardEncode encode)
{
	Datum		value = PG_GETARG_DATUM(0);
	StewardSide *side = (StewardSide *) PG_GETARG_POINTER(1);

	if (encode == NULL)
		steward_side_take(side, info, value);
	else
		steward_side_take_plain(side, encode, value);
	steward_side_open_canonical(side, info);
	PG_RETURN_VOID();
}

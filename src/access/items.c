/*
 * items.c: steward.access_items, the elements of a list in a record of a read.
 *
 * jsonb_array_elements, as the planner sees it, has a hundred rows: a view over
 * records, most of which name one table, would be thought so costly that each query
 * is compiled first.
 */
#include "base/compat.h"

#include "funcapi.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

STEWARD_FUNCTION(steward_access_items)
{
	Jsonb	   *list = PG_GETARG_JSONB_P(0);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (!JB_ROOT_IS_ARRAY(list) || JB_ROOT_IS_SCALAR(list))
		PG_RETURN_NULL();
	for (uint32 i = 0; i < JB_ROOT_COUNT(list); i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(&list->root, i);
		Datum		value = JsonbPGetDatum(JsonbValueToJsonb(element));
		bool		isnull = false;

		tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
	}
	PG_RETURN_NULL();
}

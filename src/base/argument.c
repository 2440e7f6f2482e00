/*
 * argument.c: arguments of functions that SQL calls; see argument.h.
 */
#include "base/argument.h"

#include "miscadmin.h"
#include "utils/builtins.h"

void
steward_require_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

void
steward_require_arguments(FunctionCallInfo fcinfo, int count,
						  const char *const *names)
{
	for (int i = 0; i < count; i++)
		steward_require_argument(fcinfo, i, names[i]);
}

void
steward_require_reason(FunctionCallInfo fcinfo, int number)
{
	char	   *reason;

	steward_require_argument(fcinfo, number, "reason");
	reason = text_to_cstring(PG_GETARG_TEXT_PP(number));
	if (reason[strspn(reason, " \t\r\n")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"reason\" must not be empty")));
	pfree(reason);
}

char *
steward_name_argument(FunctionCallInfo fcinfo, const char *call, const char *name)
{
	PreventCommandIfReadOnly(call);
	steward_require_argument(fcinfo, 0, name);
	return text_to_cstring(PG_GETARG_TEXT_PP(0));
}

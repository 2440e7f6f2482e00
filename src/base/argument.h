/*
 * argument.h: arguments of functions that SQL calls.
 */
#ifndef STEWARD_BASE_ARGUMENT_H
#define STEWARD_BASE_ARGUMENT_H

#include "base/compat.h"

#include "fmgr.h"

/*
 * Raises ERRCODE_NULL_VALUE_NOT_ALLOWED for the first of an SQL function's
 * arguments that is null; names are theirs, in order. What changes something is
 * not STRICT: called with a null it must not look as if it had done its work.
 */
extern void steward_require_arguments(FunctionCallInfo fcinfo, int count,
									  const char *const *names);

/* The same for one of them. */
extern void steward_require_argument(FunctionCallInfo fcinfo, int number,
									 const char *name);

/*
 * For the argument "reason" of what somebody has to answer for: a text with more in it
 * than blanks, else ERRCODE_INVALID_PARAMETER_VALUE; or as above.
 */
extern void steward_require_reason(FunctionCallInfo fcinfo, int number);

/*
 * The first argument of the function "steward.call()", that changes something, as a
 * string; raises ERRCODE_READ_ONLY_SQL_TRANSACTION where nothing may be changed.
 */
extern char *steward_name_argument(FunctionCallInfo fcinfo, const char *call,
								   const char *name);

#endif							/* STEWARD_BASE_ARGUMENT_H */

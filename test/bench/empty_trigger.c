/*
 * empty_trigger.c: an AFTER ROW trigger that does nothing.
 *
 * The least that any row trigger in C can cost: the server's queue of trigger
 * events and one call a row. The audit member of the bench compares with it.
 */
#include "base/compat.h"

PG_MODULE_MAGIC;

STEWARD_FUNCTION(bench_empty_trigger)
{
	return PointerGetDatum(NULL);
}

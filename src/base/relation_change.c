/*
 * relation_change.c: hearing of relations that changed; see relation_change.h.
 */
#include "base/compat.h"

#include "base/relation_change.h"

#define MAX_CALLBACKS 16

static struct
{
	RelcacheCallbackFunction function;
	Datum		arg;
}			callbacks[MAX_CALLBACKS];

static int	callback_count = 0;

static void
tell_all(Datum arg, Oid relid)
{
	for (int i = 0; i < callback_count; i++)
		callbacks[i].function(callbacks[i].arg, relid);
}

void
steward_on_relation_change(RelcacheCallbackFunction callback, Datum arg)
{
	if (callback_count == MAX_CALLBACKS)
		elog(FATAL, "out of callbacks for changes of relations");
	if (callback_count == 0)
		CacheRegisterRelcacheCallback(tell_all, (Datum) 0);
	callbacks[callback_count].function = callback;
	callbacks[callback_count++].arg = arg;
}

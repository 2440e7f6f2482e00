/*
 * subject_trigger.c: the trigger on steward.subject_key.
 *
 * A change of rows alone invalidates nothing in other sessions; this does, when
 * the transaction commits, there and on standbys.
 */
#include "base/compat.h"

#include "commands/trigger.h"
#include "utils/inval.h"
#include "utils/rel.h"

STEWARD_FUNCTION(steward_subject_key_changed)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called as a trigger",
						"subject_key_changed")));
	CacheInvalidateRelcacheByRelid(RelationGetRelid(trigger->tg_relation));
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(trigger->tg_newtuple);
	return PointerGetDatum(trigger->tg_trigtuple);
}

/*
 * event.c: what the ledger records of itself; see event.h.
 */
#include "ledger/event.h"

#include "audit/event.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

void
steward_ledger_event(const char *action, const char *name, const char *value)
{
	StringInfoData json;

	if (!steward_audit_started())
		return;
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"action\": ");
	escape_json(&json, action);
	appendStringInfoString(&json, ", ");
	escape_json(&json, name);
	appendStringInfoString(&json, ": ");
	escape_json(&json, value);
	appendStringInfoChar(&json, '}');
	steward_audit_event(STEWARD_OP_LEDGER,
						DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data))));
}

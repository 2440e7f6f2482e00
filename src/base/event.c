/*
 * event.c: events of the extension itself; see event.h.
 */
#include "base/event.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static const StewardEventSink *event_sink = NULL;

void
steward_event_set_sink(const StewardEventSink *sink)
{
	event_sink = sink;
}

bool
steward_event_begin(StewardJson *json, const char *name)
{
	if (event_sink == NULL || !event_sink->started())
		return false;
	steward_json_begin(json);
	steward_json_text(json, "event", name);
	steward_json_open(json, "details");
	return true;
}

void
steward_event_end(StewardJson *json)
{
	Jsonb	   *event;

	steward_json_close(json);
	event = steward_json_end(json);
	event_sink->take(event);
	pfree(event);
}

void
steward_event_relation(StewardJson *json, const char *key, Oid relid)
{
	char	   *name = get_rel_name(relid);
	char	   *schema = name == NULL ? NULL :
		get_namespace_name(get_rel_namespace(relid));

	if (schema != NULL)
		steward_json_text(json, key, quote_qualified_identifier(schema, name));
}

void
steward_event_role(StewardJson *json, const char *key, Oid role)
{
	steward_json_text(json, key, OidIsValid(role) ?
					  GetUserNameFromId(role, true) : "public");
}

void
steward_event_key(const char *name, const char *key)
{
	StewardJson json;

	if (!steward_event_begin(&json, name))
		return;
	steward_json_text(&json, "key", key);
	steward_event_end(&json);
}

void
steward_event_column(const char *name, Oid relid, const char *column)
{
	StewardJson json;

	if (!steward_event_begin(&json, name))
		return;
	steward_event_relation(&json, "relation", relid);
	steward_json_text(&json, "column", column);
	steward_event_end(&json);
}

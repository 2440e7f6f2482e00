/*
 * event.h: telling the audit trail what the extension's own functions did.
 *
 * The floors that manage keys, columns and policies are below the audit floor,
 * which takes their events through the sink it sets. An event says what was done
 * and to what, in names and counts: never a key, a secret or a value, and of a
 * subject its kind and the digest it is stored under, since the subject's own
 * id is personal data, and the trail cannot forget.
 */
#ifndef STEWARD_BASE_EVENT_H
#define STEWARD_BASE_EVENT_H

#include "base/compat.h"

#include "base/json.h"

/*
 * What takes events. Started says whether it takes any now; without, an event
 * costs nothing. Take is given one, which it must not keep.
 */
typedef struct StewardEventSink
{
	bool		(*started) (void);
	void		(*take) (Jsonb *details);
} StewardEventSink;

/* Sets the sink; called once by _PG_init. */
extern void steward_event_set_sink(const StewardEventSink *sink);

/*
 * Begins an event: false when nobody takes it. Else members are added to the
 * object that "details" names (see json.h), and steward_event_end gives it to the
 * sink, to be recorded in the current transaction and rolled back with it.
 */
extern bool steward_event_begin(StewardJson *json, const char *name);
extern void steward_event_end(StewardJson *json);

/* A member that names a relation, by schema and name as they are now. */
extern void steward_event_relation(StewardJson *json, const char *key, Oid relid);

/* A member that names a role; "public" for InvalidOid. */
extern void steward_event_role(StewardJson *json, const char *key, Oid role);

/* An event of a key alone. */
extern void steward_event_key(const char *name, const char *key);

/* An event of a relation and, unless NULL, one of its columns. */
extern void steward_event_column(const char *name, Oid relid, const char *column);

#endif							/* STEWARD_BASE_EVENT_H */

/*
 * event.h: records of what is no change of a row: commands and rights, reads, and
 * what the extension itself did.
 */
#ifndef STEWARD_AUDIT_EVENT_H
#define STEWARD_AUDIT_EVENT_H

#include "base/compat.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* What an event is of; the letters are stored. */
#define STEWARD_OP_COMMAND	'C'
#define STEWARD_OP_READ		'R'
#define STEWARD_OP_OWN		'S'
#define STEWARD_OP_LEDGER	'L'

/*
 * Records an event in the current transaction: with it, it is committed or rolled
 * back. The log must exist (steward_audit_started). Never give it a key or a
 * plaintext: events are shown as they are. Raises what writing a record raises.
 */
extern void steward_audit_event(char op, Jsonb *details);

/* Has the log begun in this database? False too without the extension. */
extern bool steward_audit_started(void);

/* Encodes an event's payload: a format byte and JSON in UTF-8. */
extern void steward_event_encode(Jsonb *details, StringInfo payload);

#endif							/* STEWARD_AUDIT_EVENT_H */

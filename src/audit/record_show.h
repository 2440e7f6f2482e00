/*
 * record_show.h: the record of a change of a row as jsonb.
 */
#ifndef STEWARD_AUDIT_RECORD_SHOW_H
#define STEWARD_AUDIT_RECORD_SHOW_H

#include "base/compat.h"

#include "audit/codec.h"

enum
{
	STEWARD_SHOWN_KEY,
	STEWARD_SHOWN_OLD,
	STEWARD_SHOWN_NEW,
	STEWARD_SHOWN_COUNT
};

/*
 * What a record of one part or more says, under the names of its schema version: the
 * key, the old and the new values, of an UPDATE those that it changed. Values are
 * left out that lie in parts that are not given; one that no jsonb can hold, alone
 * or beside the row's others, is {"too_long": bytes}. values and nulls have
 * STEWARD_SHOWN_COUNT members. In the current context. Raises
 * ERRCODE_DATA_CORRUPTED for a payload that is none.
 */
extern void steward_show_record(const struct StewardAuditSchema *schema, char op,
								const StewardPart *parts, int count,
								Datum *values, bool *nulls);

#endif							/* STEWARD_AUDIT_RECORD_SHOW_H */

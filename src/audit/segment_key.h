/*
 * segment_key.h: what to search the key indexes of closed segments for.
 */
#ifndef STEWARD_AUDIT_SEGMENT_KEY_H
#define STEWARD_AUDIT_SEGMENT_KEY_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/array.h"

/*
 * Hashes that steward.audit_keys() has of every batch with records of one of the
 * tables (oids) and keys (Jsonb, as the trail shows them), or events of one of the
 * tables; without keys, of every batch with any record of one of the tables.
 */
extern ArrayType *steward_segment_hashes(List *relids, List *keys);

/* Do two codecs show equal values alike, so that the hashes of keys are the same? */
struct StewardCodec;
extern bool steward_keys_look_alike(const struct StewardCodec *a,
									const struct StewardCodec *b);

#endif							/* STEWARD_AUDIT_SEGMENT_KEY_H */

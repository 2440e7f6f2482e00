/*
 * digest.h: digests of the rows that records refer to, which their leaves hold.
 *
 * docs/formats.md says how a row is hashed: its columns, in their order.
 */
#ifndef STEWARD_LEDGER_DIGEST_H
#define STEWARD_LEDGER_DIGEST_H

#include "base/compat.h"

#include "audit/record.h"
#include "crypto/sha256.h"
#include "utils/hsearch.h"

/* What was looked up; good for as long as the rows are not expected to change. */
typedef struct StewardDigests
{
	int32		incarnation;
	MemoryContext context;
	StewardHash missing_context;
	StewardHash missing_schema;
	HTAB	   *contexts;
	HTAB	   *schemas;
	StewardContextRef last_context; /* xid 0: none */
	StewardHash last_context_digest;
	int32		last_schema;	/* 0: none */
	StewardHash last_schema_digest;
} StewardDigests;

/* Makes one, in a memory context of its own under the current one. */
extern StewardDigests *steward_digests_begin(int32 incarnation);
extern void steward_digests_end(StewardDigests *digests);

/*
 * Digest of the context that a record refers to, of a schema version with the
 * composite types that its columns are made of; read with the active snapshot. Where
 * the row is missing, or is there twice, it is that of no fields: missing_context,
 * missing_schema. Version 0, which events have, has zeros.
 */
extern const StewardHash *steward_digest_context(StewardDigests *digests,
												 const StewardContextRef *ref);
extern const StewardHash *steward_digest_schema(StewardDigests *digests, int32 version);

/* Digest of the row of an incarnation. */
extern void steward_digest_incarnation(StewardHash *digest, int32 incarnation);

#endif							/* STEWARD_LEDGER_DIGEST_H */

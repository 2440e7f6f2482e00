/*
 * values.h: bytes and hashes as values of columns.
 */
#ifndef STEWARD_LEDGER_VALUES_H
#define STEWARD_LEDGER_VALUES_H

#include "base/compat.h"

#include "crypto/sha256.h"

typedef struct StewardSlot
{
	const unsigned char *data;	/* in the current context, or in the tuple */
	size_t		length;
} StewardSlot;

/* The bytes of a bytea, or text; detoasted. */
extern StewardSlot steward_value_bytes(Datum value);

/* The hash in a bytea; raises ERRCODE_DATA_CORRUPTED for another length. */
extern void steward_value_hash(StewardHash *hash, Datum value);

/* A bytea as a string in the current context. */
extern char *steward_value_string(Datum value);

/* A bytea of these bytes, in the current context. */
extern Datum steward_value_of_bytes(const void *bytes, size_t length);
extern Datum steward_value_of_hash(const StewardHash *hash);

#endif							/* STEWARD_LEDGER_VALUES_H */

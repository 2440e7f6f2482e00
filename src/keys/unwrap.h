/*
 * unwrap.h: opening what the tables of named keys wrap.
 */
#ifndef STEWARD_KEYS_UNWRAP_H
#define STEWARD_KEYS_UNWRAP_H

#include "base/compat.h"

#include "crypto/wrap.h"
#include "keys/tables.h"

/*
 * Opens a row into steward_secrets()->scratch, which the caller zeroes; false, and
 * scratch zeroed, when the row was altered or belongs elsewhere. kind, key_id and
 * number are those of steward_wrap_context. Reads tables. Raises
 * ERRCODE_CONFIG_FILE_ERROR without the row's root and ERRCODE_DATA_CORRUPTED
 * without a realm.
 */
extern bool steward_key_try_unwrap(const StewardWrappedRow *row,
								   StewardWrapKind kind, uint32 key_id,
								   uint32 number);

/* The same, but raises ERRCODE_DATA_CORRUPTED instead of false. */
extern void steward_key_unwrap(const StewardWrappedRow *row,
							   StewardWrapKind kind, uint32 key_id,
							   uint32 number);

#endif							/* STEWARD_KEYS_UNWRAP_H */

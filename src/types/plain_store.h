/*
 * plain_store.h: plaintexts that one sort needs again and again.
 *
 * A ring: the newest plaintexts push out the oldest. It is outside the sort's own
 * memory, so that nothing of it is ever written to a temporary file, left out of
 * core dumps, and zeroed before it is given back, whatever ends the sort.
 *
 * Terms
 *	 handle		stands for a stored plaintext as long as it is there; not 0
 */
#ifndef STEWARD_TYPES_PLAIN_STORE_H
#define STEWARD_TYPES_PLAIN_STORE_H

#include "base/compat.h"

#include "types/encrypted.h"

typedef struct StewardPlainStore StewardPlainStore;

/*
 * A store that goes when this context is reset or deleted. It grows to this many
 * bytes, about.
 */
extern StewardPlainStore *steward_plain_store_make(MemoryContext context,
												   size_t most_bytes);

/*
 * Copies a plaintext into the store; 0 when it is too long, or memory is short.
 * The fingerprint is that of its ciphertext.
 */
extern uint64 steward_plain_store_put(StewardPlainStore *store,
									  uint64 fingerprint,
									  const StewardPlain *plain);

/*
 * The same, but equal values, those of one canonical fingerprint, all get the handle
 * that the first of them got, be it good no more or 0: PostgreSQL takes values of
 * different abbreviated keys for different ones. That holds for as many values as
 * a sort can have in memory; one that has more writes them to files, and uses no
 * abbreviated key any more when it gives its result. Raises ERRCODE_OUT_OF_MEMORY.
 */
extern uint64 steward_plain_store_name(StewardPlainStore *store,
									   uint64 fingerprint, uint64 canonical,
									   const StewardPlain *plain);

/* The handle of what was put under this fingerprint lately; or 0. */
extern uint64 steward_plain_store_find(const StewardPlainStore *store,
									   uint64 fingerprint);

/* Borrows a plaintext until the next put; false when it is not there any more. */
extern bool steward_plain_store_get(const StewardPlainStore *store,
									uint64 handle, StewardPlain *plain);

/* Zeroes all of it: handles that were given are good no more. */
extern void steward_plain_store_clear(StewardPlainStore *store);

#endif							/* STEWARD_TYPES_PLAIN_STORE_H */

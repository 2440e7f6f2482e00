/*
 * secrets.h: the one place in a process where keys lie.
 *
 * One arena, made at first use: locked in memory, left out of core dumps,
 * zeroed when flushed. Making it also hides the process from /proc (see
 * steward.protect_memory), so a process without keys is never changed.
 */
#ifndef STEWARD_KEYS_SECRETS_H
#define STEWARD_KEYS_SECRETS_H

#include "base/compat.h"

#include "crypto/journal.h"
#include "crypto/keyring.h"
#include "crypto/value.h"

#define STEWARD_SECRET_SLOTS 1000
#define STEWARD_INDEX_SECRET_SLOTS 8
#define STEWARD_INDEX_KEY_SLOTS 64

typedef struct StewardSecrets
{
	StewardKeyring roots;
	StewardKeyring incoming;	/* being read, not yet accepted */
	StewardValueKey transient[STEWARD_KEYRING_MAX_ROOTS];
	uint32		transient_tag[STEWARD_KEYRING_MAX_ROOTS];
	StewardJournalKey journal[STEWARD_KEYRING_MAX_ROOTS];
	StewardTagKeys tags;
	unsigned char index_secrets[STEWARD_INDEX_SECRET_SLOTS][STEWARD_KEY_BYTES];
	unsigned char index_keys[STEWARD_INDEX_KEY_SLOTS][STEWARD_TAG_KEY_BYTES];
	unsigned char scratch[STEWARD_KEY_BYTES];
	char		keyring_text[STEWARD_KEYRING_MAX_BYTES + 1];
	int			slots_used;
	StewardValueKey slots[STEWARD_SECRET_SLOTS];
} StewardSecrets;

/*
 * The arena. Raises ERRCODE_OUT_OF_MEMORY when it cannot be made; WARNs once
 * when it cannot be locked (RLIMIT_MEMLOCK).
 */
extern StewardSecrets *steward_secrets(void);

/* Hides a process that holds keys since before protect_memory was turned on. */
extern void steward_secrets_protect(void);

/* Takes a slot for a key; NULL when all are taken and a flush is due. */
extern StewardValueKey *steward_secrets_slot(void);

/*
 * The places for keys of subjects: as many as steward.subject_cache_size says
 * when they are made, in locked memory of their own. *count is their number.
 * Zeroed by steward_secrets_flush, by wipe, and by release, which gives the memory
 * back. Wiping and releasing raise nothing.
 */
extern StewardValueKey *steward_secrets_subjects(int *count);
extern void steward_secrets_subjects_wipe(void);
extern void steward_secrets_subjects_release(void);

/* Zeroes what was derived from the database: slots, keys of subjects and of
 * indexes, tag keys. */
extern void steward_secrets_flush(void);

#endif							/* STEWARD_KEYS_SECRETS_H */

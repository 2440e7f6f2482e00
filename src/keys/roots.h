/*
 * roots.h: the root keys of this process, from a file or a command.
 *
 * They are read at first use and again after a reload of the configuration; a
 * file also when something is under a root that is not among them, as another
 * session may have read its successor already. Whoever gets none gets ERRCODE_CONFIG_FILE_ERROR and a HINT: never a default
 * key, never a plaintext.
 */
#ifndef STEWARD_KEYS_ROOTS_H
#define STEWARD_KEYS_ROOTS_H

#include "base/compat.h"

#include "crypto/journal.h"
#include "crypto/keyring.h"
#include "crypto/value.h"

/* Is there a setting that says where the keyring is? Reads and raises nothing. */
extern bool steward_roots_configured(void);

/*
 * The keyring, never empty. The pointer is good until the next call of any
 * function here. Raises ERRCODE_CONFIG_FILE_ERROR.
 */
extern const StewardKeyring *steward_roots(void);

/* The root that wraps new secrets. */
extern const StewardRoot *steward_root_current(void);

/*
 * The root with this id, or NULL. Reads a key file again for it, at most once a
 * second unless it was changed; when that cannot be used, the roots stay what
 * they were.
 */
extern const StewardRoot *steward_root_find(const unsigned char *id);

/* The same; without it ERRCODE_CONFIG_FILE_ERROR, with this DETAIL and HINT. */
extern const StewardRoot *steward_root_need(const unsigned char *id,
											const char *detail, const char *hint);

/* The key and its tag that seal transient values under the current root. */
extern const StewardValueKey *steward_root_transient(uint32 *key_tag);

/* The transient key with this tag, or NULL; reads again likewise. */
extern const StewardValueKey *steward_root_transient_find(uint32 key_tag);

/*
 * The keys of the revocation journal as they were read last; the last one is
 * current. Reads no keyring, so it raises nothing: none when none was read.
 */
extern StewardJournalKeys steward_root_journal_keys(void);

/*
 * Changes whenever the keyring of this process changed. Does not read it, so
 * it raises nothing.
 */
extern uint64 steward_roots_generation(void);

/*
 * Reads and checks the key file at path into secrets->incoming. Raises
 * ERRCODE_CONFIG_FILE_ERROR with the reason; the file's content is never shown
 * and its name only in the server's log.
 */
extern void steward_root_file_read(const char *path);

/*
 * The same, but returns the reason, and a hint, or NULL when all is well. On a
 * reason secrets->incoming holds no key. Raises for want of memory only.
 */
extern const char *steward_root_file_try(const char *path, const char **hint);

/* Asks for shared memory and the worker; from _PG_init when preloaded. */
extern void steward_root_command_init(void);

/*
 * Copies the keyring that the command printed into secrets->incoming, waiting
 * for the command's first run. Raises ERRCODE_CONFIG_FILE_ERROR.
 */
extern void steward_root_command_read(void);

/* A number that changes with each successful run of the command. */
extern uint64 steward_root_command_generation(void);

#endif							/* STEWARD_KEYS_ROOTS_H */

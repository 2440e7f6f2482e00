/*
 * names.h: names of keys.
 *
 * A name is a path: segments of letters, digits, '_', '-' and '.', joined by
 * '/'. The first segment names the key that has material (its holder); a path
 * below it has none, but an id of its own, which separates contexts.
 */
#ifndef STEWARD_KEYS_NAMES_H
#define STEWARD_KEYS_NAMES_H

#include "base/compat.h"

#define STEWARD_PATH_MAX 200

/*
 * Checks a path and returns its key id. Raises ERRCODE_INVALID_NAME; the
 * message shows the path, which is a name and no secret.
 */
extern uint32 steward_name_check(const char *path);

/*
 * Raises ERRCODE_DUPLICATE_OBJECT: an id is a digest of 31 bits, and another path
 * has the same one.
 */
pg_attribute_noreturn()
extern void steward_name_raise_taken(const char *path, const char *other);

/* Length of the first segment: of the name that holds the material. */
extern size_t steward_name_holder_length(const char *path);

/*
 * Remembers, in this process, which path an id stands for: a type modifier
 * carries the id alone, and the path may not have been registered yet.
 */
extern void steward_name_remember(uint32 key_id, const char *path);

/* The remembered path, or NULL. */
extern const char *steward_name_recall(uint32 key_id);

/* Raises ERRCODE_UNDEFINED_OBJECT: no key of this database has this id. */
pg_attribute_noreturn()
extern void steward_name_raise_unknown(uint32 key_id);

#endif							/* STEWARD_KEYS_NAMES_H */

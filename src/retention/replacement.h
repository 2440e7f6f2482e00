/*
 * replacement.h: hashes and pseudonyms, which stand in the place of values.
 *
 *	 hash		hex of the hash (crypto/anonymous.h) and of the check of its bytes
 *	 pseudonym	"anon-", hex of 8 random bytes and of their check
 *	 uuid		8 random bytes, with the version 8, and the check of these, with the variant
 */
#ifndef STEWARD_RETENTION_REPLACEMENT_H
#define STEWARD_RETENTION_REPLACEMENT_H

#include "base/compat.h"

#define STEWARD_HASH_CHARACTERS 48
#define STEWARD_PSEUDONYM_CHARACTERS 37

/*
 * All are as text, palloc'd, for a column of a policy: the names are in the server's
 * encoding. Raise what steward_tag_keys raises.
 */
extern char *steward_replacement_hash(const char *policy, const char *column,
									  const char *value);
extern char *steward_replacement_pseudonym(const char *policy, const char *column);
extern char *steward_replacement_uuid(const char *policy, const char *column);

#endif							/* STEWARD_RETENTION_REPLACEMENT_H */

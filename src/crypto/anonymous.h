/*
 * anonymous.h: what retention policies put in the place of values.
 *
 * Both forms end in a check, by which it is known later that a value was replaced, and
 * which nobody can make who has not the key: so a person cannot be left out by a name
 * that looks as if it had been replaced.
 *
 *	 hash	BLAKE2b-128(key, 'h' ‖ scope ‖ value): equal for equal values of one scope
 *	 check	first 8 bytes of BLAKE2b-128(key, 'c' ‖ scope ‖ body)
 *	 scope	be32(length) ‖ policy ‖ be32(length) ‖ column, in UTF-8: values of different
 *			scopes cannot be compared
 */
#ifndef STEWARD_CRYPTO_ANONYMOUS_H
#define STEWARD_CRYPTO_ANONYMOUS_H

#include <stddef.h>

#include "crypto/kdf.h"

#define STEWARD_ANONYMOUS_HASH_BYTES 16
#define STEWARD_ANONYMOUS_CHECK_BYTES 8

typedef struct StewardAnonymousScope
{
	const char *policy;
	size_t		policy_len;
	const char *column;
	size_t		column_len;
} StewardAnonymousScope;

extern void steward_anonymous_hash(unsigned char hash[STEWARD_ANONYMOUS_HASH_BYTES],
								   const unsigned char key[STEWARD_KEY_BYTES],
								   const StewardAnonymousScope *scope,
								   const char *value, size_t len);

extern void steward_anonymous_check(unsigned char check[STEWARD_ANONYMOUS_CHECK_BYTES],
									const unsigned char key[STEWARD_KEY_BYTES],
									const StewardAnonymousScope *scope,
									const unsigned char *body, size_t len);

#endif							/* STEWARD_CRYPTO_ANONYMOUS_H */

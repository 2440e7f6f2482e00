/*
 * plain_json.h: the plaintext bytes of a jsonb, its text as PostgreSQL prints
 * it, see docs/formats.md.
 */
#ifndef STEWARD_CRYPTO_PLAIN_JSON_H
#define STEWARD_CRYPTO_PLAIN_JSON_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Makes such a text canonical, in place: numbers lose the zeros at their end
 * that do not change them (1.50 → 1.5, 2.0 → 2). Returns the new length. Reads
 * and writes nothing beyond len, whatever the bytes are.
 */
extern size_t steward_json_canonicalise(unsigned char *text, size_t len);

/*
 * Has an object a key with a character beyond ASCII? The order of keys goes by
 * their bytes in the encoding of the database that printed the text; among
 * others it is the same everywhere.
 */
extern bool steward_json_has_wide_key(const unsigned char *text, size_t len);

#endif							/* STEWARD_CRYPTO_PLAIN_JSON_H */

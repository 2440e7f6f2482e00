/*
 * plain_json.h: the plaintext bytes of a jsonb, its text as PostgreSQL prints
 * it, see docs/formats.md.
 */
#ifndef STEWARD_CRYPTO_PLAIN_JSON_H
#define STEWARD_CRYPTO_PLAIN_JSON_H

#include <stddef.h>

/*
 * Makes such a text canonical, in place: numbers lose the zeros at their end
 * that do not change them (1.50 → 1.5, 2.0 → 2). Returns the new length. Reads
 * and writes nothing beyond len, whatever the bytes are.
 */
extern size_t steward_json_canonicalise(unsigned char *text, size_t len);

#endif							/* STEWARD_CRYPTO_PLAIN_JSON_H */

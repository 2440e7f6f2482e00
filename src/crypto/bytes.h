/*
 * bytes.h: big-endian integers in byte strings, and a check of text.
 */
#ifndef STEWARD_CRYPTO_BYTES_H
#define STEWARD_CRYPTO_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void
steward_store_be16(unsigned char *out, uint16_t value)
{
	out[0] = (unsigned char) (value >> 8);
	out[1] = (unsigned char) value;
}

static inline uint16_t
steward_load_be16(const unsigned char *in)
{
	return (uint16_t) (in[0] << 8 | in[1]);
}

static inline void
steward_store_be32(unsigned char *out, uint32_t value)
{
	out[0] = (unsigned char) (value >> 24);
	out[1] = (unsigned char) (value >> 16);
	out[2] = (unsigned char) (value >> 8);
	out[3] = (unsigned char) value;
}

static inline uint32_t
steward_load_be32(const unsigned char *in)
{
	return (uint32_t) in[0] << 24 | (uint32_t) in[1] << 16 |
		(uint32_t) in[2] << 8 | (uint32_t) in[3];
}

static inline void
steward_store_be64(unsigned char *out, uint64_t value)
{
	steward_store_be32(out, (uint32_t) (value >> 32));
	steward_store_be32(out + 4, (uint32_t) value);
}

static inline uint64_t
steward_load_be64(const unsigned char *in)
{
	return (uint64_t) steward_load_be32(in) << 32 | steward_load_be32(in + 4);
}

/*
 * Is every byte below 128? To be asked before libsodium decodes base64: 1.0.18
 * takes bytes from 128 on for digits, so a text would have a second spelling.
 * Takes the same time for every text of a length.
 */
static inline bool
steward_is_ascii(const char *text, size_t len)
{
	unsigned char seen = 0;

	for (size_t i = 0; i < len; i++)
		seen |= (unsigned char) text[i];
	return seen < 0x80;
}

#endif							/* STEWARD_CRYPTO_BYTES_H */

/*
 * aead.c: ChaCha20-Poly1305 with zero nonce; see aead.h.
 *
 * RFC 8439, section 2.8: the first 32 bytes of the keystream's block 0 are the
 * key of Poly1305, the ciphertext is the plaintext XORed with blocks 1, 2, …, and
 * Poly1305 is of data ‖ zeros to 16 ‖ ciphertext ‖ zeros to 16 ‖ both lengths, 8
 * bytes each, little-endian.
 */
#include "crypto/aead.h"

#include <sodium.h>
#include <string.h>

#define BLOCK_BYTES 64
#define STREAM_BYTES (4 * BLOCK_BYTES)
#define SHORT_BYTES (STREAM_BYTES - BLOCK_BYTES)
#define PADDED(len) (((len) + 15) & ~(size_t) 15)

static const unsigned char zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

static void
store_le64(unsigned char *out, size_t value)
{
	for (int i = 0; i < 8; i++)
		out[i] = (unsigned char) ((unsigned long long) value >> 8 * i);
}

/* The MAC of a short value, whose key begins the stream. */
static void
authenticate(unsigned char mac[STEWARD_AEAD_MAC_BYTES],
			 const unsigned char *ciphertext, size_t len,
			 const unsigned char *data, size_t data_len,
			 const unsigned char *stream)
{
	unsigned char message[STEWARD_AEAD_DATA_MAX_BYTES + SHORT_BYTES + 16];
	unsigned char *next = message;

	memset(message, 0, PADDED(data_len) + PADDED(len));
	memcpy(next, data, data_len);
	next += PADDED(data_len);
	memcpy(next, ciphertext, len);
	next += PADDED(len);
	store_le64(next, data_len);
	store_le64(next + 8, len);
	(void) crypto_onetimeauth(mac, message, (size_t) (next + 16 - message),
							  stream);
}

static void
mask(unsigned char *out, const unsigned char *in, size_t len,
	 const unsigned char *stream)
{
	for (size_t i = 0; i < len; i++)
		out[i] = in[i] ^ stream[BLOCK_BYTES + i];
}

void
steward_aead_seal(unsigned char *out, const unsigned char *plain, size_t len,
				  const unsigned char *data, size_t data_len,
				  const unsigned char key[STEWARD_AEAD_KEY_BYTES])
{
	unsigned char stream[STREAM_BYTES];

	if (len > SHORT_BYTES)
	{
		(void) crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, len,
														 data, data_len, NULL,
														 zero_nonce, key);
		return;
	}
	(void) crypto_stream_chacha20_ietf(stream, sizeof stream, zero_nonce, key);
	mask(out, plain, len, stream);
	authenticate(out + len, out, len, data, data_len, stream);
	sodium_memzero(stream, sizeof stream);
}

bool
steward_aead_open(unsigned char *plain, const unsigned char *sealed, size_t len,
				  const unsigned char *data, size_t data_len,
				  const unsigned char key[STEWARD_AEAD_KEY_BYTES])
{
	unsigned char stream[STREAM_BYTES];
	unsigned char mac[STEWARD_AEAD_MAC_BYTES];
	bool		same;

	if (len > SHORT_BYTES)
		return crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL,
														 sealed,
														 len + STEWARD_AEAD_MAC_BYTES,
														 data, data_len,
														 zero_nonce, key) == 0;
	(void) crypto_stream_chacha20_ietf(stream, sizeof stream, zero_nonce, key);
	authenticate(mac, sealed, len, data, data_len, stream);
	same = crypto_verify_16(mac, sealed + len) == 0;
	if (same)
		mask(plain, sealed, len, stream);
	sodium_memzero(stream, sizeof stream);
	sodium_memzero(mac, sizeof mac);
	return same;
}

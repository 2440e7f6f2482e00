/*
 * aead.h: ChaCha20-Poly1305-IETF (RFC 8439) with zero nonce, for keys that are
 * used once.
 *
 * The same bytes as crypto_aead_chacha20poly1305_ietf_encrypt() gives. Short
 * values, which most are, take libsodium's parts in another order: the key of
 * Poly1305 and the keystream come from one call for four blocks, which libsodium
 * computes side by side, where its own composition asks for one block at a time.
 */
#ifndef STEWARD_CRYPTO_AEAD_H
#define STEWARD_CRYPTO_AEAD_H

#include <stdbool.h>
#include <stddef.h>

#define STEWARD_AEAD_KEY_BYTES 32
#define STEWARD_AEAD_MAC_BYTES 16

/* Longest associated data. */
#define STEWARD_AEAD_DATA_MAX_BYTES 32

/*
 * Writes len bytes of ciphertext and 16 of MAC to out, which must not overlap
 * plain. The caller wipes the stack.
 */
extern void steward_aead_seal(unsigned char *out, const unsigned char *plain,
							  size_t len, const unsigned char *data,
							  size_t data_len,
							  const unsigned char key[STEWARD_AEAD_KEY_BYTES]);

/*
 * Opens len bytes of ciphertext followed by 16 of MAC. False, with nothing
 * of the plaintext written, when anything was altered. The caller wipes the stack.
 */
extern bool steward_aead_open(unsigned char *plain, const unsigned char *sealed,
							  size_t len, const unsigned char *data,
							  size_t data_len,
							  const unsigned char key[STEWARD_AEAD_KEY_BYTES]);

#endif							/* STEWARD_CRYPTO_AEAD_H */

/*
 * spool.h: the frames of a spool file, which access audit writes and others read.
 *
 *	 0	"pgstwspl", format (be32, 1), zero (be32), file id (16 random bytes)
 *	32	frames, each
 *			length of the body (be32)
 *			body, JSON in UTF-8
 *			SipHash-2-4 of length and body (8), under the file id of which the
 *			first 8 bytes are XORed with the frame's position (be64)
 *
 * The checksum shows a torn write, a page that was lost, and a frame of another
 * file or place. It is no MAC: whoever writes the file can write what they like.
 */
#ifndef STEWARD_CRYPTO_SPOOL_H
#define STEWARD_CRYPTO_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#define STEWARD_SPOOL_FORMAT 1
#define STEWARD_SPOOL_ID_BYTES 16
#define STEWARD_SPOOL_HEADER_BYTES 32
#define STEWARD_SPOOL_LENGTH_BYTES 4
#define STEWARD_SPOOL_SUM_BYTES 8
#define STEWARD_SPOOL_FRAME_BYTES \
	(STEWARD_SPOOL_LENGTH_BYTES + STEWARD_SPOOL_SUM_BYTES)

/* No body is longer. */
#define STEWARD_SPOOL_BODY_MAX (64u * 1024 * 1024)

typedef enum StewardSpoolStatus
{
	STEWARD_SPOOL_OK = 0,
	STEWARD_SPOOL_SHORT,		/* the bytes end before the frame does */
	STEWARD_SPOOL_DAMAGED		/* there is no frame here */
} StewardSpoolStatus;

/* Writes the head of a file. */
extern void steward_spool_put_header(unsigned char out[STEWARD_SPOOL_HEADER_BYTES],
									 const unsigned char id[STEWARD_SPOOL_ID_BYTES]);

/* Reads it: the file's id. */
extern StewardSpoolStatus steward_spool_get_header(const unsigned char *bytes,
												   size_t len,
												   unsigned char id[STEWARD_SPOOL_ID_BYTES]);

/*
 * Completes a frame that is to stand at a position: the body is in its place, 4
 * bytes after frame, with room for the checksum behind it.
 */
extern void steward_spool_seal(unsigned char *frame, size_t body_len,
							   const unsigned char id[STEWARD_SPOOL_ID_BYTES],
							   uint64_t position);

/* Finds the body of the frame that begins with these bytes. Never reads beyond. */
extern StewardSpoolStatus steward_spool_read(const unsigned char *bytes, size_t len,
											 const unsigned char id[STEWARD_SPOOL_ID_BYTES],
											 uint64_t position,
											 const unsigned char **body,
											 size_t *body_len);

#endif							/* STEWARD_CRYPTO_SPOOL_H */

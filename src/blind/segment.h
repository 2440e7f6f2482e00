/*
 * segment.h: where things are in a packed part; see README, "Pages".
 *
 * For codec.c, which reads, and pack.c, which writes.
 */
#ifndef STEWARD_BLIND_SEGMENT_H
#define STEWARD_BLIND_SEGMENT_H

#include "blind/codec.h"

#define HEADER_BYTES 4			/* entries, segments */

/* Of a segment in the directory. */
#define AT_BLOCK 0
#define AT_PER_BLOCK 4
#define AT_OFFSET 6
#define AT_LAST 8				/* count - 1 */
#define AT_RUNS 9
#define AT_LOW_BITS 10
#define AT_TID_BITS 11
#define AT_TAG 12

#define BLOCKS_BITS 32			/* before data of more than one run */
#define MOST_TID_BITS 56
#define MOST_BYTES 65535		/* of a packed part: offsets have 16 bits */

static inline size_t
directory_entry_bytes(int tag_bytes)
{
	return AT_TAG + (size_t) tag_bytes;
}

#endif							/* STEWARD_BLIND_SEGMENT_H */

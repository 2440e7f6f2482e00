/*
 * codec.h: the packed part of a leaf: entries in order, compressed.
 *
 * README, "Pages", has the format. Pure C without PostgreSQL's headers, so that it
 * is tested and fuzzed alone. Nothing here reads beyond the length that it is given,
 * whatever the bytes are; what was damaged is reported, not trusted.
 */
#ifndef STEWARD_BLIND_CODEC_H
#define STEWARD_BLIND_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A tag, right-aligned: the highest bits of a 40-bit tag are 0. PostgreSQL's memory is
 * aligned to 8 bytes, where a compiler would rely on 16.
 */
__extension__ typedef unsigned __int128 StewardBlindTag __attribute__((aligned(8)));

/* An entry. A TID is block << 16 | offset; offsets count from 1. */
typedef struct StewardBlindEntry
{
	StewardBlindTag tag;
	uint64_t	tid;
}			__attribute__((packed, aligned(8))) StewardBlindEntry;

#define STEWARD_BLIND_SEGMENT 128

/* No page has more entries than this, packed ones and tail. */
#define STEWARD_BLIND_MAX_ENTRIES 12288

/* A packed part; tag_bytes are those that the index's tags fill, 1 to 16. */
typedef struct StewardBlindPacked
{
	const unsigned char *bytes;
	size_t		len;
	int			tag_bytes;
} StewardBlindPacked;

/* Order of entries. */
static inline int
steward_blind_compare(StewardBlindTag a_tag, uint64_t a_tid,
					  StewardBlindTag b_tag, uint64_t b_tid)
{
	if (a_tag != b_tag)
		return a_tag < b_tag ? -1 : 1;
	return a_tid < b_tid ? -1 : a_tid > b_tid;
}

/*
 * Packs entries, which are in order and distinct, at most STEWARD_BLIND_MAX_ENTRIES, into
 * out; returns the length, or 0 when it would be more than room. *packed tells how many
 * entries fit, when not NULL: then what is written are these, and the length is never
 * 0 (room for the header is the caller's care). These alone pack to the same bytes again.
 * TIDs are of blocks that a table can have: less than 2^32 - 1.
 */
extern size_t steward_blind_pack(unsigned char *out, size_t room, int tag_bytes,
								 const StewardBlindEntry * entries, int count,
								 int *packed);

/*
 * How many entries are in the first half of the segments, between which it can be cut: each
 * part packs to the bytes it has now. 0 when there is nothing to cut, or they are too short.
 */
extern int	steward_blind_half(const StewardBlindPacked *packed);

/* How many entries it says it has; -1 when the bytes are too short for what they claim. */
extern int	steward_blind_count(const StewardBlindPacked *packed);

/*
 * Unpacks all entries, at most max; returns their number, or -1 when the bytes are
 * no packed part, or there are more. Checks as much as steward_blind_is_packed.
 */
extern int	steward_blind_unpack(const StewardBlindPacked *packed,
								 StewardBlindEntry * entries, int max);

/*
 * The TIDs of the entries whose tag is from low to high, both included, in the order of
 * the entries; at most max. Returns their number, -1 when the bytes are no packed part,
 * or there are more; *first is the position of the first one, if any. Looks only at
 * segments that can have some.
 */
extern int	steward_blind_collect(const StewardBlindPacked *packed,
								  StewardBlindTag low, StewardBlindTag high,
								  uint64_t *tids, int max, int *first);

/* Is there this very entry? 1, 0, or -1. Fast also in a long run of equal tags. */
extern int	steward_blind_has(const StewardBlindPacked *packed,
							  StewardBlindTag tag, uint64_t tid);

/* How many of its segments are lists, and how many are of runs; false for damage. */
extern bool steward_blind_segments(const StewardBlindPacked *packed, int *lists, int *runs);

/* Is this a packed part, with all entries in order, and nothing after it? */
extern bool steward_blind_is_packed(const StewardBlindPacked *packed);

#endif							/* STEWARD_BLIND_CODEC_H */

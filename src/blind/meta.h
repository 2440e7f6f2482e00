/*
 * meta.h: the metapage of an index, and what a process remembers of the index.
 */
#ifndef STEWARD_BLIND_META_H
#define STEWARD_BLIND_META_H

#include "base/compat.h"

#include "blind/page.h"

#define STEWARD_BLIND_MAGIC 0x53544257	/* "STBW" */
#define STEWARD_BLIND_VERSION 1
#define STEWARD_BLIND_SALT_BYTES 16
#define STEWARD_BLIND_DEFAULT_BITS 40
#define STEWARD_BLIND_UNIQUE_BITS 96	/* of the last column */

/* What the metapage holds. All but the root stays as the index was built. */
typedef struct StewardBlindMeta
{
	uint32		magic;
	uint16		version;
	uint16		columns;
	BlockNumber root;
	uint16		level;			/* of the root */
	uint16		exact;			/* tags decide: UNIQUE or EXCLUDE */
	uint16		multi;			/* values have several tags, see multi.h */
	uint16		range_tags;		/* how many, of a class for ranges */
	unsigned char salt[STEWARD_BLIND_SALT_BYTES];
	int32		generation[INDEX_MAX_KEYS]; /* of each column's index secret */
	uint8		bits[INDEX_MAX_KEYS];	/* of each column's tag */

	/* CRC of all but root and level; of table and columns too. */
	uint32		check;
} StewardBlindMeta;

/* Bytes that the tags of an index fill. */
extern int	steward_blind_tag_bits(const StewardBlindMeta *meta);
extern int	steward_blind_tag_bytes(const StewardBlindMeta *meta);

/*
 * What is decided for an index when it is built: bits by its options and columns, a
 * fresh salt, the newest generations of the secrets. The root is block 1, a leaf. Raises
 * what steward_index_secret_newest raises, and ERRCODE_FEATURE_NOT_SUPPORTED.
 */
extern void steward_blind_meta_begin(StewardBlindMeta *meta, Relation index);

/* Makes a metapage. */
extern void steward_blind_meta_page(Page page, const StewardBlindMeta *meta);

/*
 * The metapage as this process remembers it; its root may be an old one, which is still
 * the first page of its level. Good until the next call that may take in
 * invalidations of the relation cache. Raises ERRCODE_INDEX_CORRUPTED.
 */
extern const StewardBlindMeta *steward_blind_meta(Relation index);

/* Reads it anew, and forgets what is remembered of inner pages. */
extern const StewardBlindMeta *steward_blind_meta_refresh(Relation index);

/*
 * Copies the metapage of a fork, which must have one. Raises ERRCODE_INDEX_CORRUPTED, also
 * for that of an index of another table or other columns, and
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE for a format that is not known.
 */
extern void steward_blind_meta_read(Relation index, ForkNumber fork, StewardBlindMeta *meta);

/* The metapage in a locked buffer; for a new root. */
extern StewardBlindMeta *steward_blind_meta_of(Page page);

/*
 * Children of inner pages that a process remembers, so that a search goes straight to
 * the leaf, or the level above leaves.
 */
typedef struct StewardBlindMemory
{
	StewardBlindMeta meta;
	uint32		searches;		/* since there was nothing remembered */
	uint32		steps;			/* to the right that it did not save */
	uint16		level;			/* of the children */
	uint32		count;			/* 0: nothing is remembered */
	StewardBlindChild children[FLEXIBLE_ARRAY_MEMBER];
} StewardBlindMemory;

/* No more children than this are remembered: 256 kB. */
#define STEWARD_BLIND_REMEMBERED 8192

/* The memory of an index, made on first use; under the same rules. */
extern StewardBlindMemory *steward_blind_memory(Relation index);

/*
 * Forgets it, so that the next search looks anew; does nothing else, and so may be
 * called with locks held.
 */
extern void steward_blind_forget(Relation index);

/* Puts another in its place: one of these many children. */
extern StewardBlindMemory *steward_blind_memory_make(Relation index,
													 const StewardBlindMeta *meta,
													 uint32 count);

#endif							/* STEWARD_BLIND_META_H */

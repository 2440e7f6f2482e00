/*
 * page.h: the layout of pages; see README, "Pages".
 *
 * Functions here look at one page that the caller has locked, or that is a copy of
 * the caller's. They raise ERRCODE_INDEX_CORRUPTED for what is no page of a blind
 * index; they read no other page and write no WAL.
 */
#ifndef STEWARD_BLIND_PAGE_H
#define STEWARD_BLIND_PAGE_H

#include "base/compat.h"

#include "blind/codec.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/rel.h"

#define STEWARD_BLIND_META 0	/* block of the metapage */
#define STEWARD_BLIND_PAGE_ID 0xB11D

/* Flags of a page. */
#define STEWARD_BLIND_INCOMPLETE 0x0001 /* right sibling without downlink */
#define STEWARD_BLIND_RIGHTMOST 0x0002	/* last of its level: no high key */
#define STEWARD_BLIND_IS_META 0x0004

/* The special area of every page. */
typedef struct StewardBlindSpecial
{
	uint64		high_tag[2];	/* high key: low half first */
	uint64		high_tid;
	BlockNumber right;			/* InvalidBlockNumber on the last of a level */
	uint16		level;			/* 0 for leaves */
	uint16		flags;
	uint16		tag_bytes;
	uint16		unused;
	uint16		unused2;
	uint16		page_id;
} StewardBlindSpecial;

/* What a leaf begins with, after PostgreSQL's header. */
typedef struct StewardBlindLeaf
{
	uint16		packed_end;		/* offset of the tail in the page */
	unsigned char packed[FLEXIBLE_ARRAY_MEMBER];
} StewardBlindLeaf;

/* What an inner page begins with. */
typedef struct StewardBlindInner
{
	uint16		count;			/* of children */
	uint16		wide;			/* 1: separators have TIDs */
	unsigned char separators[FLEXIBLE_ARRAY_MEMBER];
} StewardBlindInner;

/* A child and the least key of it. */
typedef struct StewardBlindChild
{
	StewardBlindEntry least;
	BlockNumber block;
} StewardBlindChild;

#define STEWARD_BLIND_TAIL_MAX 256
#define STEWARD_BLIND_TAIL_MIN 24	/* room for so many after a merge */
#define STEWARD_BLIND_TID_BYTES 6

/* Packed entries of a leaf, so that tail and newcomers may join them. */
#define STEWARD_BLIND_LEAF_MAX (STEWARD_BLIND_MAX_ENTRIES - 2 * STEWARD_BLIND_TAIL_MAX)

/* Bytes of an entry of a tail. */
#define STEWARD_BLIND_RAW_BYTES(tag_bytes) ((tag_bytes) + STEWARD_BLIND_TID_BYTES)

/* Bytes that a page has beside its header and special area. */
#define STEWARD_BLIND_ROOM \
	(BLCKSZ - SizeOfPageHeaderData - MAXALIGN(sizeof(StewardBlindSpecial)))

/* The packed part may be so long: a leaf's room without its header. */
#define STEWARD_BLIND_PACKED_MAX (STEWARD_BLIND_ROOM - offsetof(StewardBlindLeaf, packed))

#define STEWARD_BLIND_SPECIAL(page) \
	((StewardBlindSpecial *) PageGetSpecialPointer(page))

/* A TID as codec.h has it, and back. */
static inline uint64
steward_blind_tid(const ItemPointerData *tid)
{
	return (uint64) ItemPointerGetBlockNumberNoCheck(tid) << 16 |
		ItemPointerGetOffsetNumberNoCheck(tid);
}

static inline void
steward_blind_item_pointer(uint64 tid, ItemPointer out)
{
	ItemPointerSet(out, (BlockNumber) (tid >> 16), (OffsetNumber) (tid & 0xFFFF));
}

/*
 * Can a row have this TID? To PostgreSQL InvalidBlockNumber is the number of a page to be added:
 * whoever looked at the row would make the table longer.
 */
static inline bool
steward_blind_tid_is_sound(uint64 tid)
{
	return (tid >> 16) < InvalidBlockNumber && (tid & 0xFFFF) != InvalidOffsetNumber;
}

/* Numbers are little-endian, whatever the processor, so that all tools agree. */
static inline void
steward_blind_store(unsigned char *out, StewardBlindTag number, int len)
{
	for (int i = 0; i < len; i++, number >>= 8)
		out[i] = (unsigned char) number;
}

static inline StewardBlindTag
steward_blind_load(const unsigned char *in, int len)
{
	StewardBlindTag number = 0;

#ifndef WORDS_BIGENDIAN
	memcpy(&number, in, len);
#else
	for (int i = len; i-- > 0;)
		number = number << 8 | in[i];
#endif
	return number;
}

/* ---- any page ---- */

/* Raises ERRCODE_INDEX_CORRUPTED. */
pg_attribute_noreturn()
extern void steward_blind_raise_corrupted(Relation index, BlockNumber block);

/*
 * Is it a page of a blind index, not its metapage, and do the numbers say nothing that is
 * beyond it?
 */
extern bool steward_blind_page_is_sound(Page page);

/* Raises unless the page is sound. */
extern void steward_blind_page_check(Relation index, Buffer buffer);

/* Makes an empty page of a level, with neither right link nor high key (so RIGHTMOST). */
extern void steward_blind_page_init(Page page, int level, int tag_bytes);

/*
 * Do the numbers at the beginning of a leaf, or an inner page, agree with its header? Has
 * an inner page a child?
 */
extern bool steward_blind_leaf_is_sound(Page page);
extern bool steward_blind_inner_is_sound(Page page);

/* The high key; false when there is none. */
extern bool steward_blind_high_key(Page page, StewardBlindEntry *high);

/* Gives a page a right sibling, and so a high key. */
extern void steward_blind_set_right(Page page, BlockNumber right,
									const StewardBlindEntry *high);

/* Copies right link, high key, and whether a split is incomplete. */
extern void steward_blind_copy_right(Page to, Page from);

/*
 * The least key of a right page, which outlives the entries. Where the tags on both sides
 * differ it has no TID, and of the right tag no more bits than tell it from the left one; in a
 * run it is the key after the left one.
 */
extern void steward_blind_separator(const StewardBlindEntry *left,
									const StewardBlindEntry *right,
									StewardBlindEntry *separator);

/* Is the key beyond the page, so that one has to move right? */
extern bool steward_blind_beyond(Page page, const StewardBlindEntry *key);

/* ---- leaves ---- */

/* The packed part of a leaf; points into the page. */
extern StewardBlindPacked steward_blind_packed(Page page);

/* Number of entries in the tail, and one of them. */
extern int	steward_blind_tail_count(Page page);
extern StewardBlindEntry steward_blind_tail_entry(Page page, int i);

/*
 * The numbers of the entries in the tail whose tag is from low to high, both included;
 * found has room for STEWARD_BLIND_TAIL_MAX. Returns how many.
 */
extern int	steward_blind_tail_collect(Page page, StewardBlindTag low,
									   StewardBlindTag high, int *found);

/* For how many more is there room in the tail? */
extern int	steward_blind_tail_room(Page page);

/* Is this entry in the tail? */
extern bool steward_blind_tail_has(Page page, const StewardBlindEntry *entry);

/* An entry as it stands in a tail: STEWARD_BLIND_RAW_BYTES. */
extern void steward_blind_store_raw(unsigned char *raw, const StewardBlindEntry *entry,
									int tag_bytes);

/*
 * Makes these the packed part of a leaf without a tail: entries in order. Returns how
 * many went in, leaving room free after them; all, or as many as fit.
 */
extern int	steward_blind_leaf_fill(Page page, const StewardBlindEntry *entries,
									int count, size_t free_room);

/*
 * All entries of a leaf in order, those of the tail among them: at most
 * STEWARD_BLIND_MAX_ENTRIES.
 */
extern int	steward_blind_leaf_entries(Relation index, BlockNumber block, Page page,
									   StewardBlindEntry *entries);

/* Raises where one of them is of no row: such cannot be packed. */
extern void steward_blind_require_tids(Relation index, BlockNumber block,
									   const StewardBlindEntry *entries, int count);

/*
 * Merges more entries into the first array, which has room for them; both are in order. It
 * goes from the end, so that nothing is overwritten before it has been moved.
 */
extern void steward_blind_merge(StewardBlindEntry *entries, int count,
								const StewardBlindEntry *more, int more_count);

/* ---- inner pages ---- */

extern int	steward_blind_child_count(Page page);
extern StewardBlindChild steward_blind_child(Page page, int i);

/* Number of the child that a key belongs to: the last whose least key is not above. */
extern int	steward_blind_child_for(Page page, const StewardBlindEntry *key);

/*
 * Makes these the children of an inner page; returns how many went in, at least 2 if
 * there are as many.
 */
extern int	steward_blind_inner_fill(Page page, const StewardBlindChild *children,
									 int count, size_t free_room);

/* Gives a child, not the first, another least key, which has a TID only if those here have. */
extern void steward_blind_set_separator(Page page, int i, const StewardBlindEntry *least);

#endif							/* STEWARD_BLIND_PAGE_H */

/*
 * tag.h: tags of rows and of searched values; README, "Tags", says what they are.
 *
 * Computing one opens values: it can fail, and may read tables. No lock on a page of the
 * index may be held meanwhile.
 */
#ifndef STEWARD_BLIND_TAG_H
#define STEWARD_BLIND_TAG_H

#include "base/compat.h"

#include "blind/codec.h"
#include "blind/meta.h"
#include "crypto/tag.h"

/* The key id of an indexed column. Raises when its type names none. */
extern uint32 steward_blind_column_key(Relation index, int column);

/* What an index needs for tags: a copy of its metapage, and its keys' ids. */
typedef struct StewardBlindTagger
{
	StewardBlindMeta meta;
	int			tag_bits;
	uint32		key_id[INDEX_MAX_KEYS];
} StewardBlindTagger;

extern void steward_blind_tagger_begin(StewardBlindTagger *tagger, Relation index,
									   const StewardBlindMeta *meta);

/* The tag of a row, whose values are those of the index's columns. */
extern StewardBlindTag steward_blind_row_tag(const StewardBlindTagger *tagger,
											 Relation index, const Datum *values,
											 const bool *isnull);

/* A column's link: what stands for it and all before it. */
typedef struct StewardBlindLink
{
	unsigned char bytes[STEWARD_TAG128_BYTES];
} StewardBlindLink;

/* What kind of bytes a column has. */
typedef enum StewardBlindKind
{
	STEWARD_BLIND_NULL = 0,
	STEWARD_BLIND_VALUE = 1,
	STEWARD_BLIND_ERASED = 2
} StewardBlindKind;

/*
 * The link of a column (from 0) whose canonical bytes are these; before is the link of the
 * column before, not used for the first.
 */
extern StewardBlindLink steward_blind_link(const StewardBlindTagger *tagger, int column,
										   const StewardBlindLink *before,
										   StewardBlindKind kind,
										   const unsigned char *bytes, size_t len);

/*
 * The link of a column that has this value, or is NULL; canonical is support function 1
 * for the value's type. A searched ciphertext is of any key: rights are the
 * caller's affair, see steward_blind_require.
 */
extern StewardBlindLink steward_blind_value_link(const StewardBlindTagger *tagger,
												 int column,
												 const StewardBlindLink *before,
												 FmgrInfo *canonical, Datum value,
												 bool isnull, int rights);

/* The tag with this column's link in its place, and the rest as it was. */
extern StewardBlindTag steward_blind_tag_put(const StewardBlindTagger *tagger,
											 StewardBlindTag tag, int column,
											 const StewardBlindLink *link);

/* The bits of the columns after this one, all 1: the end of the range of a prefix. */
extern StewardBlindTag steward_blind_tag_rest(const StewardBlindTagger *tagger,
											  int column);

/* Requires one of these rights under the key of a column (from 0); see steward_key_require. */
extern void steward_blind_require(Relation index, int column, int rights);

#endif							/* STEWARD_BLIND_TAG_H */

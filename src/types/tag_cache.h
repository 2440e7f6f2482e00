/*
 * tag_cache.h: keyed tags of values that this process has opened.
 *
 * An index search compares the same few entries again and again, a hash join
 * hashes a value before it compares it. Opening a value takes half a microsecond,
 * so its tag is kept: 128 bits under the hash secret, which tell whether two
 * plaintexts are equal and nothing more of them.
 *
 * What is kept holds for one generation of the keys: it is zeroed when a key
 * table changes, a root goes, or a transaction that made keys rolls back, as the
 * keys themselves are. A tag is found by the fingerprint of the whole ciphertext,
 * so an altered one is not taken for its original. That of a value bound to a
 * subject is another after every erasure, so it is not found any more. Rights are
 * the caller's affair.
 */
#ifndef STEWARD_TYPES_TAG_CACHE_H
#define STEWARD_TYPES_TAG_CACHE_H

#include "base/compat.h"

#include "crypto/datum.h"
#include "crypto/tag.h"

/* Where the tag of a value belongs, and of which keys it is. */
typedef struct StewardTagPlace
{
	uint64		fingerprint;
	uint64		generation;
	bool		kept;			/* false: there is no such place */
} StewardTagPlace;

/* What a tag is wanted for, and so how much memory it is worth. */
typedef enum StewardTagUse
{
	STEWARD_TAG_COMPARED,		/* perhaps never again: what is there */
	STEWARD_TAG_SEARCHED,		/* an entry of an index: some megabytes */
	STEWARD_TAG_HASHED			/* compared later on: what a hash join may use */
} StewardTagUse;

/* Where the tag of a value belongs. */
extern void steward_tag_place(StewardTagPlace *place, const StewardDatum *datum);

/* Gives the tag that belongs there, when it is known. */
extern bool steward_tag_recall(const StewardTagPlace *place,
							   unsigned char tag[STEWARD_TAG128_BYTES]);

/* Keeps a tag; not beyond a change of the keys since steward_tag_place. */
extern void steward_tag_remember(const StewardTagPlace *place,
								 const unsigned char tag[STEWARD_TAG128_BYTES],
								 StewardTagUse use);

/* Registers the callback that gives memory back; called by steward_types_init. */
extern void steward_tag_cache_init(void);

#endif							/* STEWARD_TYPES_TAG_CACHE_H */

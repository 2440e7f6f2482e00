/*
 * side.h: one side of a comparison: a ciphertext, or a plaintext.
 *
 * A side is taken, opened when its plaintext is needed, and released. Taking a
 * plaintext, opening and comparing happen inside a plaintext scope.
 */
#ifndef STEWARD_TYPES_SIDE_H
#define STEWARD_TYPES_SIDE_H

#include "base/compat.h"

#include "types/tag_cache.h"
#include "types/type_info.h"

typedef struct StewardSide
{
	bool		encrypted;
	bool		copied;			/* value was detoasted, and is freed */
	bool		erased;			/* its subject was; plain is the ciphertext */
	bool		tagged;			/* tag is known */
	StewardDatum datum;
	struct varlena *value;		/* the ciphertext */
	StewardPlain plain;			/* bytes NULL until it is needed */
	StewardTagPlace place;		/* where its tag is kept */
	unsigned char tag[STEWARD_TAG128_BYTES];
} StewardSide;

/* Takes a value of the type. Raises what steward_parse raises. */
extern void steward_side_take(StewardSide *side, const StewardTypeInfo *info,
							  Datum value);

/* Takes a plaintext. */
extern void steward_side_take_plain(StewardSide *side, StewardEncode encode,
									Datum value);

/*
 * Opens a side, unless it is. An erased value is open as well: it equals none but
 * itself, so its ciphertext stands for it. Raises what steward_open raises.
 */
extern void steward_side_open(StewardSide *side);

/* The same, as canonical bytes. */
extern void steward_side_open_canonical(StewardSide *side,
										const StewardTypeInfo *info);

/*
 * Zeroes and frees what was made of it. A sort compares many times before its
 * memory goes: nothing may be left.
 */
extern void steward_side_release(StewardSide *side);

/* Asks for rights on the keys of ciphertexts; see steward_key_require. */
extern void steward_side_require(const StewardSide *side, int rights);
extern void steward_side_require_both(const StewardSide *a, const StewardSide *b,
									  int rights);

/* Are both ciphertexts, and the same? */
extern bool steward_side_same_bytes(const StewardSide *a, const StewardSide *b);

/*
 * Order of two open sides: that of the plaintext type; erased values come after
 * all others, in the order of their ciphertexts.
 */
extern int	steward_side_order(const StewardTypeInfo *info, StewardSide *a,
							   StewardSide *b);

#endif							/* STEWARD_TYPES_SIDE_H */

/*
 * checkpoint.h: signed tree heads as C2SP tlog-checkpoint specifies them, and the
 * certificate that a prune leaves behind. Both are signed notes.
 *
 * The text of a checkpoint:
 *
 *	 <origin>\n<size>\n<base64 of the root>\n[<extension lines>\n]
 *
 * The text of a prune certificate, whose second line no checkpoint can have:
 *
 *	 pg_steward prune certificate 1\n
 *	 origin <origin>\n
 *	 boundary <index>\n		the first leaf whose record is still there
 *	 frontier <base64>\n		of the tree of boundary leaves, a line a hash
 *	 size <size>\n			the tree head at the time, which the
 *	 root <base64>\n			pruning log had signed
 *	 segment <number>\n		the first segment that is still there
 *	 removed <number>\n		how many records behind the boundary are gone too
 *	 places <base64>\n		SHA-256 of their leaf indexes, be64, ascending
 *
 * Numbers are decimal without leading zeros, below 2^63; the segment below 2^31.
 */
#ifndef STEWARD_CRYPTO_CHECKPOINT_H
#define STEWARD_CRYPTO_CHECKPOINT_H

#include "crypto/merkle.h"
#include "crypto/note.h"

/* Room for any text that is written here, with the final NUL. */
#define STEWARD_CHECKPOINT_TEXT_BYTES (STEWARD_NOTE_NAME_MAX + 1 + 20 + 45 + 1)
#define STEWARD_PRUNE_TEXT_BYTES (STEWARD_NOTE_NAME_MAX + 384 + STEWARD_TREE_LEVELS * 54)

/* Room for such a text with one signature line. */
#define STEWARD_CHECKPOINT_NOTE_BYTES (STEWARD_CHECKPOINT_TEXT_BYTES + STEWARD_NOTE_LINE_BYTES)
#define STEWARD_PRUNE_NOTE_BYTES (STEWARD_PRUNE_TEXT_BYTES + STEWARD_NOTE_LINE_BYTES)

/* A tree head; the pointers are into the text that was parsed. */
typedef struct StewardCheckpoint
{
	const char *origin;
	size_t		origin_len;
	uint64_t	size;
	StewardHash root;
	const char *extensions;		/* whole lines; written never, read always */
	size_t		extensions_len;
} StewardCheckpoint;

typedef struct StewardPrune
{
	const char *origin;
	size_t		origin_len;
	StewardFrontier boundary;	/* its size is the boundary */
	uint64_t	size;
	StewardHash root;
	uint32_t	segment;
	uint64_t	removed;		/* records behind the boundary */
	StewardHash places;			/* of these */
} StewardPrune;

/* Counts and digests the leaf indexes of what was removed behind a boundary. */
typedef struct StewardPlaces
{
	uint64_t	count;
	StewardSha256 sha;
} StewardPlaces;

/* Reads the text of a checkpoint. False: it is none. An empty tree must have the
 * root of the empty tree. */
extern bool steward_checkpoint_parse(StewardCheckpoint *checkpoint,
									 const char *text, size_t len);

/* Writes the text, without extension lines, with a final NUL; its length, or 0:
 * the origin is no valid name or the size is too large. */
extern size_t steward_checkpoint_format(char out[STEWARD_CHECKPOINT_TEXT_BYTES],
										const StewardCheckpoint *checkpoint);

/* Writes the signed note, with a final NUL; its length, or 0 as above. The origin
 * is the name of the key. */
extern size_t steward_checkpoint_sign(char out[STEWARD_CHECKPOINT_NOTE_BYTES],
									  const StewardNoteKey *key,
									  const unsigned char seed[STEWARD_SIGN_SEED_BYTES],
									  uint64_t size, const StewardHash *root);

/* Verifies and reads a signed checkpoint, whose origin must be the name of the
 * key. Zeroes the checkpoint unless OK. */
extern StewardNoteStatus steward_checkpoint_open(StewardCheckpoint *checkpoint,
												 const char *note, size_t len,
												 const StewardNoteKey *key);

/* Begin, add indexes in ascending order, end with their digest. */
extern void steward_places_begin(StewardPlaces *places);
extern void steward_places_add(StewardPlaces *places, uint64_t index);
extern void steward_places_end(StewardPlaces *places, StewardHash *digest);

/* The same for prune certificates. */
extern bool steward_prune_parse(StewardPrune *prune, const char *text, size_t len);
extern size_t steward_prune_format(char out[STEWARD_PRUNE_TEXT_BYTES],
								   const StewardPrune *prune);
extern size_t steward_prune_sign(char out[STEWARD_PRUNE_NOTE_BYTES],
								 const StewardNoteKey *key,
								 const unsigned char seed[STEWARD_SIGN_SEED_BYTES],
								 const StewardPrune *prune);
extern StewardNoteStatus steward_prune_open(StewardPrune *prune,
											const char *note, size_t len,
											const StewardNoteKey *key);

#endif							/* STEWARD_CRYPTO_CHECKPOINT_H */

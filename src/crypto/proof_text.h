/*
 * proof_text.h: proofs as files.
 *
 * An inclusion proof is what C2SP tlog-proof specifies, with the leaf as extra
 * data:
 *
 *	 c2sp.org/tlog-proof@v1\n
 *	 [extra <base64 of the leaf>\n]
 *	 index <index>\n
 *	 <base64 of a hash>\n		one a line, from the leaf's sibling up
 *	 \n
 *	 <checkpoint>
 *
 * A consistency proof is what C2SP tlog-witness calls the body of add-checkpoint,
 * which is also what one sends to a witness:
 *
 *	 old <size>\n
 *	 <base64 of a hash>\n
 *	 \n
 *	 <checkpoint>				the new one
 */
#ifndef STEWARD_CRYPTO_PROOF_TEXT_H
#define STEWARD_CRYPTO_PROOF_TEXT_H

#include "crypto/proof.h"

/* Room for everything before the checkpoint but the extra line. */
#define STEWARD_PROOF_TEXT_BYTES (64 + 45 * STEWARD_PROOF_MAX_HASHES)

typedef enum StewardProofKind
{
	STEWARD_PROOF_INCLUSION,
	STEWARD_PROOF_CONSISTENCY
} StewardProofKind;

/* A proof that was read; the pointers are into its text. */
typedef struct StewardProofText
{
	uint64_t	number;			/* index, or size of the old tree */
	const char *extra;			/* base64 as it stands there; or NULL */
	size_t		extra_len;
	StewardProof proof;
	const char *checkpoint;		/* the signed note, not yet looked at */
	size_t		checkpoint_len;
} StewardProofText;

/* Takes a proof apart. False: it is not of this form. */
extern bool steward_proof_text_parse(StewardProofText *text,
									 StewardProofKind kind, const char *bytes,
									 size_t len);

/* Most bytes that the extra data can have. */
extern size_t steward_proof_extra_max(const StewardProofText *text);

/* Decodes the extra data into out. False: not canonical base64. */
extern bool steward_proof_extra(unsigned char *out, size_t *out_len,
								const StewardProofText *text);

/* Characters of the extra line of a leaf with its newline and a final NUL; and
 * writes it; its length without the NUL. */
extern size_t steward_proof_extra_size(size_t leaf_len);
extern size_t steward_proof_extra_format(char *out, const void *leaf, size_t len);

/*
 * Writes everything from "index" or "old" to the empty line, with a final NUL;
 * its length. The whole inclusion proof is STEWARD_PROOF_HEADER, the extra line,
 * this, and the checkpoint as it was signed; a consistency proof is this and the
 * checkpoint.
 */
#define STEWARD_PROOF_HEADER "c2sp.org/tlog-proof@v1\n"
extern size_t steward_proof_text_format(char out[STEWARD_PROOF_TEXT_BYTES],
										StewardProofKind kind, uint64_t number,
										const StewardProof *proof);

#endif							/* STEWARD_CRYPTO_PROOF_TEXT_H */

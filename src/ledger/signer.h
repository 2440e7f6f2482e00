/*
 * signer.h: the keys that sign checkpoints, rows of steward.ledger_key.
 *
 * The seed is a row of steward.key_secret, wrapped under a root key like every other
 * secret of the database, and opened for the moment of signing. The newest key
 * signs; each but the first is endorsed by the one before.
 *
 * Terms
 *	 origin		name of the ledger, unique in the world; that of the log of
 *			incarnation n is the origin, a slash and n
 *	 endorsement	signature by the key before, over a text that names the new one
 */
#ifndef STEWARD_LEDGER_SIGNER_H
#define STEWARD_LEDGER_SIGNER_H

#include "base/compat.h"

#include "crypto/note.h"

#define STEWARD_ORIGIN_MAX 200

typedef struct StewardSigner
{
	int32		id;
	char	   *origin;
	unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES];
	bool		endorsed;		/* has a right endorsement, or is the first */
} StewardSigner;

/* All keys, oldest first, in the current context; their number. SPI is connected. */
extern int	steward_signers(StewardSigner **signers);

/* The newest; false: there is none. */
extern bool steward_signer_newest(StewardSigner *signer);

/* The same; ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE without one. */
extern void steward_signer_need(StewardSigner *signer);

/* What verifies the checkpoints that it signs for a log. */
extern void steward_signer_key(StewardNoteKey *key, const StewardSigner *signer,
							   int32 incarnation);

/*
 * The seed, in locked memory; the caller calls steward_signer_done at once. Raises
 * ERRCODE_CONFIG_FILE_ERROR without the root key and ERRCODE_DATA_CORRUPTED when the
 * row was altered.
 */
extern const unsigned char *steward_signer_seed(const StewardSigner *signer);
extern void steward_signer_done(void);

#endif							/* STEWARD_LEDGER_SIGNER_H */

/*
 * checkpoint.h: signed tree heads, rows of steward.ledger_checkpoint.
 *
 * A head is signed only when its block is committed, so that no signature can be
 * rolled back. Ed25519 is deterministic: who signs it again gets the same note.
 */
#ifndef STEWARD_LEDGER_CHECKPOINT_H
#define STEWARD_LEDGER_CHECKPOINT_H

#include "base/compat.h"

#include "ledger/block.h"

/*
 * The checkpoint of a block, which is committed: as stored, or else signed now; in
 * the current context. NULL: there is no key. SPI is connected, as the owner.
 */
extern char *steward_checkpoint_note(const StewardBlock *block);

/* The same; without a key the text alone, unsigned, of origin "unsigned". */
extern char *steward_checkpoint_text(const StewardBlock *block);

/* The stored note of a block, or NULL. */
extern char *steward_checkpoint_stored(int32 incarnation, int64 number);

/*
 * Signs and stores the heads of the present logs that are committed and have none,
 * if there is a key. When that cannot be done, says so at this level and goes on:
 * sealing must not wait for a key.
 */
extern void steward_checkpoints_try(int elevel);

#endif							/* STEWARD_LEDGER_CHECKPOINT_H */

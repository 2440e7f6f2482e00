/*
 * verify.h: the parts of verification.
 *
 * All of them report findings and go on; they raise only what stops reading at all.
 * SPI is connected, as the owner, with an active snapshot.
 */
#ifndef STEWARD_LEDGER_VERIFY_H
#define STEWARD_LEDGER_VERIFY_H

#include "base/compat.h"

#include "ledger/block.h"
#include "ledger/digest.h"
#include "ledger/finding.h"
#include "nodes/pg_list.h"

/* Recomputes a block from the log. */
extern void steward_verify_block_records(StewardFindings *findings,
										 const StewardBlock *block,
										 StewardDigests *digests, bool is_present);

/*
 * A guess at exact places in a block that does not fit: rows of the log that were
 * written after it was sealed. Reports them as of this kind.
 */
extern void steward_verify_rewritten(StewardFindings *findings, const char *kind,
									 const StewardBlock *before, const StewardBlock *block);

/* The header of a block against the one before and itself. */
extern void steward_verify_header(StewardFindings *findings, const StewardBlock *block,
								  const StewardBlock *before);

/* The keys; the stored checkpoints of a log after a block. */
extern void steward_verify_keys(StewardFindings *findings, int32 unused,
								int64 unused_number);
extern void steward_verify_checkpoints(StewardFindings *findings, int32 incarnation,
									   int64 since);

/* A checkpoint that was kept elsewhere, in UTF-8, against the log it is of; with a
 * newline at its end. */
extern void steward_verify_exported(StewardFindings *findings, const char *note);

/* The certificates of a log. */
extern void steward_verify_prunes(StewardFindings *findings, int32 incarnation);

/* How a log began, and that its parent goes with it. */
extern void steward_verify_opening(StewardFindings *findings, int32 incarnation);

/* Records of a present log that no block has, but should; of no log at all. */
extern void steward_verify_tail(StewardFindings *findings, int32 incarnation);
extern void steward_verify_strangers(StewardFindings *findings);

/* Rows of the log and of contexts that are there, but not in the index. */
extern void steward_verify_indexes(StewardFindings *findings, int32 unused,
								   int64 unused_number);

/* A life that ended: is it explained? */
extern void steward_verify_fork(StewardFindings *findings, int32 incarnation,
								int64 unused);

/* Triggers that record and that guard. */
extern void steward_verify_triggers(StewardFindings *findings);

#endif							/* STEWARD_LEDGER_VERIFY_H */

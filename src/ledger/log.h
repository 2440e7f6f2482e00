/*
 * log.h: which logs there are. Each incarnation has one of its own.
 *
 * Terms
 *	 present	of the life that this server leads: the log grows. Two first
 *			transactions may have made two incarnations of one life; both are.
 *	 opening	leaf 0: the incarnation's row, and the checkpoint of its parent
 *	 parent	the incarnation before that has blocks and is of another life
 */
#ifndef STEWARD_LEDGER_LOG_H
#define STEWARD_LEDGER_LOG_H

#include "base/compat.h"

#include "crypto/merkle.h"
#include "nodes/pg_list.h"

/* Ids of the present incarnations, and of all, ascending; none when nothing was
 * recorded yet. SPI is connected, as the owner. */
extern List *steward_logs_present(void);
extern List *steward_logs_all(void);

/* Is it a present one? */
extern bool steward_log_is_present(int32 incarnation);

/* The newest incarnation that has blocks; the present one first. 0: none. */
extern int32 steward_log_default(void);

/* Opens a log: stores what leaf 0 holds, and gives its hash. */
extern void steward_log_open(int32 incarnation, StewardHash *leaf);

/*
 * Leaf 0 of a log as its row has it: the hash; and in *leaf its bytes, in the
 * current context, unless NULL. False: the row is missing.
 */
extern bool steward_log_opening(int32 incarnation, StewardHash *hash,
								unsigned char **leaf, size_t *length, char **parent);

#endif							/* STEWARD_LEDGER_LOG_H */

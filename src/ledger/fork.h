/*
 * fork.h: lives of the database that ended, and what they left unsealed.
 */
#ifndef STEWARD_LEDGER_FORK_H
#define STEWARD_LEDGER_FORK_H

#include "base/compat.h"

#include "crypto/merkle.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* Records of a log that no block has. */
typedef struct StewardTail
{
	uint64		records;
	StewardHash root;			/* of the Merkle tree over them */
	uint64		first_xid;
	int32		first_seq;
	TimestampTz oldest;			/* when the first of them were written */
} StewardTail;

/*
 * Reads the tail of a log under the active snapshot: of transactions that have ended,
 * or, of a log that is not present, of all. SPI is connected, as the owner.
 */
extern void steward_fork_tail(int32 incarnation, bool is_present, StewardTail *tail);

/* Why an incarnation ended, as the rows tell: the part of a sentence after "it". */
extern char *steward_fork_reason(int32 incarnation);

/* Was it acknowledged? Then how many unsealed records it had, and their root. */
extern bool steward_fork_acknowledged(int32 incarnation, uint64 *records,
									  StewardHash *root);

/*
 * Has the log the event of an acknowledgment, saying what its row says? True also
 * where it may have been pruned, and in the transaction that acknowledges. SPI is
 * connected.
 */
extern bool steward_fork_recorded(int32 incarnation);

#endif							/* STEWARD_LEDGER_FORK_H */

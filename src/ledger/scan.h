/*
 * scan.h: the records of a block, read from the log in the order of their leaves.
 *
 * The one place that says which records a block has: those of its incarnation whose
 * transaction had ended by its snapshot, and had not by that of the block before, in
 * the order of (xid, seq). Sealing, verifying, proving and pruning read by it.
 */
#ifndef STEWARD_LEDGER_SCAN_H
#define STEWARD_LEDGER_SCAN_H

#include "base/compat.h"

#include "crypto/leaf.h"
#include "ledger/digest.h"
#include "ledger/xids.h"

/* What of a row of the log its records do not say. */
typedef struct StewardLogRow
{
	uint64		xid;
	int32		first_seq;
	int32		records;		/* that it says it holds */
	int32		segment;
	TimestampTz written_at;
} StewardLogRow;

typedef struct StewardLeafScan
{
	int32		incarnation;
	StewardXids before;			/* the block before */
	StewardXids after;			/* this block */
	StewardDigests *digests;

	/*
	 * Is given each record; false ends the scan. The leaf's payload is good
	 * until it returns.
	 */
	bool		(*record) (void *arg, const StewardLeafRecord *leaf,
						   const StewardLogRow *row);

	/*
	 * Is told of a row of the log that cannot be read, as far as it was not
	 * given yet; NULL: that is raised as an error.
	 */
	void		(*damaged) (void *arg, const StewardLogRow *row, const char *why);
	void	   *arg;

	/*
	 * While it runs: digests of the sequences of contexts and schema
	 * versions.
	 */
	StewardSha256 contexts;
	StewardSha256 schemas;
	StewardHash last_context;
	StewardHash last_schema;
	uint64		leaves;			/* given so far */
	bool		stopped;		/* the callback wants no more */
	bool		row_damaged;	/* of this row it was told */
} StewardLeafScan;

/*
 * Runs a scan with the active snapshot; SPI is connected, as the owner. Afterwards
 * contexts and schemas are the digests of what records referred to: of each context
 * where it differs from that of the record before.
 */
extern void steward_leaf_scan(StewardLeafScan *scan, StewardHash *contexts,
							  StewardHash *schemas);

#endif							/* STEWARD_LEDGER_SCAN_H */

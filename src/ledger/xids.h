/*
 * xids.h: which transactions a snapshot sees, as a block of the ledger keeps it.
 *
 * The text of a pg_snapshot, xmin:xmax:xip, is what is stored and hashed. It names
 * top-level transactions alone, by 64-bit ids that never come again, and so says
 * the same for ever: those below xmax that are not in xip had ended.
 */
#ifndef STEWARD_LEDGER_XIDS_H
#define STEWARD_LEDGER_XIDS_H

#include "base/compat.h"

typedef struct StewardXids
{
	uint64		xmin;
	uint64		xmax;
	uint32		count;
	uint64	   *xip;			/* ascending */
} StewardXids;

/* The snapshot that sees nothing, with which every log begins. */
#define STEWARD_XIDS_NONE "1:1:"

/* Reads the text of a pg_snapshot; the list is the current context's. Raises
 * ERRCODE_DATA_CORRUPTED. */
extern void steward_xids_parse(StewardXids *xids, const char *text);

/* Had this top-level transaction ended? */
extern bool steward_xids_ended(const StewardXids *xids, uint64 xid);

/* The text of the active snapshot. */
extern char *steward_xids_active(void);

#endif							/* STEWARD_LEDGER_XIDS_H */

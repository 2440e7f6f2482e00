/*
 * encrypt_online.h: one run of an online conversion.
 */
#ifndef STEWARD_COLUMNS_ENCRYPT_ONLINE_H
#define STEWARD_COLUMNS_ENCRYPT_ONLINE_H

#include "base/compat.h"

#include "columns/conversion.h"

#include "storage/lock.h"

typedef struct StewardOnlineRun
{
	MemoryContext context;		/* lives as long as the run */
	MemoryContext scratch;		/* emptied before each part */
	Oid			relid;
	char	   *table;			/* its name at the start, for messages */
	bool		encrypt;
	char	   *column;
	char	   *key;			/* encryption */
	char	   *type;			/* decryption, or NULL */
	bool		build_indexes;
	double		patience;		/* milliseconds left */
	int64		rows;			/* estimate at the start */
	StewardBatch batch;
	StewardTriggerStamp stamp;	/* before the last sweep that verified */
	VirtualTransactionId *others;	/* transactions to be waited for */
	int			other;			/* the one whose turn it is */
	List	   *commands;		/* CREATE INDEX for what is missing */
	char	   *phase;
	bool		swapped;
	StewardConversion done;		/* what say_done needs */
} StewardOnlineRun;

/*
 * What each transaction of a run needs before its first snapshot; called after
 * each SPI_commit.
 */
extern void steward_online_begin_transaction(void);

/*
 * Runs a conversion from where it is as far as it comes, in transactions of its
 * own, and returns its state: "complete" or "waiting for indexes". The caller is
 * connected to SPI, not atomically, and has the conversion's lock for the session.
 * Raises what conversion.h says, and ERRCODE_LOCK_NOT_AVAILABLE when patience is
 * used up.
 */
extern const char *steward_online_convert(StewardOnlineRun *run);

#endif							/* STEWARD_COLUMNS_ENCRYPT_ONLINE_H */

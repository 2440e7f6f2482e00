/*
 * trail.h: the records of one table, read from the audit log.
 */
#ifndef STEWARD_HISTORY_TRAIL_H
#define STEWARD_HISTORY_TRAIL_H

#include "base/compat.h"

#include "audit/codec.h"
#include "audit/record.h"
#include "history/point.h"
#include "history/table.h"
#include "utils/array.h"

/* A transaction that was met; not only those that changed the table. */
typedef struct StewardTrailTransaction
{
	struct
	{
		uint64		xid;
		int64		incarnation;
	}			id;				/* hash key */
	TimestampTz started_at;
	TimestampTz last_written;
	bool		ours;			/* of this database, not one it was copied
								 * from */
	bool		mine;			/* the one that asks */
} StewardTrailTransaction;

typedef struct StewardTrailRecord
{
	StewardRecord record;
	StewardPart *parts;			/* its payload, and the rest of it */
	int			part_count;
	StewardVersion *version;
	StewardTrailTransaction *transaction;
	TimestampTz written_at;
	TimestampTz time;			/* order among the changes of a row; see sort */
	bool		done;			/* for the user of the trail */
}			StewardTrailRecord;

/* Is a record to be kept? It has its first part alone. */
struct StewardTrailRecord;
typedef bool (*StewardTrailFilter) (const struct StewardTrailRecord *record, void *arg);

typedef struct StewardTrail
{
	StewardHistoryTable *table;
	HTAB	   *transactions;
	StewardTrailRecord *records;
	int64		count;
	int64		room;
	StewardTrailFilter filter;	/* NULL: keep all */
	void	   *filter_arg;
	bool		keyed;			/* not all batches are read; see read_keyed */
	bool		rest;			/* it is for parts after the first */
	MemoryContext context;
} StewardTrail;

/*
 * Writes what the current subtransaction collected, so that it can be read, and
 * pushes a snapshot that shows it and all that committed: for the whole call of a
 * function. The caller pops it. Segments are not pruned until the transaction ends.
 */
extern void steward_trail_prepare(void);

/*
 * Sets what the planner goes by until the caller's level of settings ends. Compiling a
 * query of the log takes longer than running it, whatever its guessed costs.
 */
extern void steward_planner_set(const char *setting, const char *value);

/* A trail without records, in the current context. */
extern StewardTrail *steward_trail_create(StewardHistoryTable *table);

/*
 * Read records into the trail; they need steward_trail_prepare. All; those of
 * batches that have one of the hashes of segment_key.h; those of
 * transactions after a point, and some others; those of one transaction. What is
 * still in memory is read too. Raise ERRCODE_DATA_CORRUPTED.
 */
extern void steward_trail_read_all(StewardTrail *trail);
extern void steward_trail_read_keyed(StewardTrail *trail, ArrayType *hashes);
extern void steward_trail_read_after(StewardTrail *trail,
									 const StewardPoint *point);
extern void steward_trail_read_one(StewardTrail *trail, uint64 xid);

/*
 * Puts the parts of records together, and sorts the records: of one transaction by number; of several that changed a row in
 * the order they did, since the later waited for the earlier to commit.
 */
extern void steward_trail_sort(StewardTrail *trail);

/* Is the record of a transaction before the point? */
extern bool steward_trail_includes(const StewardPoint *point,
								   const StewardTrailRecord * record);

#endif							/* STEWARD_HISTORY_TRAIL_H */

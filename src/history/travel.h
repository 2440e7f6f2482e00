/*
 * travel.h: the rows that a table had at a point in time.
 */
#ifndef STEWARD_HISTORY_TRAVEL_H
#define STEWARD_HISTORY_TRAVEL_H

#include "base/compat.h"

#include "history/point.h"
#include "history/rows.h"

typedef struct StewardTravel
{
	StewardHistoryTable *table;
	StewardPoint point;
	StewardTrail *trail;
	StewardRows *rows;			/* those that changed; forward, all */
	bool		forward;		/* from an empty table, not from the present */
} StewardTravel;

/*
 * Called for each row; cells by column, valid during the call. A row that was not
 * touched is in the present as it was at the point.
 */
typedef void (*StewardRowCallback) (StewardCell *cells, bool touched, void *arg);

/*
 * Finds the way to a point: back from the present, or forward from where the table
 * was empty. Needs steward_trail_prepare. Raises
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when neither can be told, saying why.
 */
extern StewardTravel *steward_travel_begin(StewardHistoryTable *table,
										   StewardPoint point);

/* Rows with the keys of others' slots count as touched; before the journey. */
extern void steward_travel_touch(StewardTravel *travel, StewardRows *others);

/*
 * Goes there and calls back for every row, or, from the present and if told so, for
 * the touched ones alone. Raises ERRCODE_DATA_CORRUPTED when the records do not
 * explain the rows of the table, naming the first that does not.
 */
extern void steward_travel_rows(StewardTravel *travel, bool touched_only,
								StewardRowCallback callback, void *arg);

/*
 * commands.c: what the records of commands say of a record of the table. Did a
 * rewrite leave all values that matter on this way what they were? Is the table
 * whose audit began a new partition, which was empty?
 */
extern bool steward_rewrite_is_harmless(const StewardTravel *travel,
										const StewardTrailRecord *record);
extern bool steward_partition_is_new(const StewardTravel *travel,
									 const StewardTrailRecord *record);

/*
 * Was a value of an enum of the table's columns renamed after this time? Records
 * have the label it had.
 */
extern bool steward_enums_relabelled(const StewardHistoryTable *table,
									 TimestampTz time);

/*
 * What command may have left changes without records, as a sentence; NULL: none.
 * Commands of transactions after the point count; those after since, when given,
 * where a way forward begins.
 */
extern char *steward_records_lacking(const StewardTravel *travel,
									 const StewardTrailRecord *since);

#endif							/* STEWARD_HISTORY_TRAVEL_H */

/*
 * life.h: the life of a row, from its INSERT to its DELETE.
 */
#ifndef STEWARD_HISTORY_LIFE_H
#define STEWARD_HISTORY_LIFE_H

#include "base/compat.h"

#include "history/rows.h"
#include "history/trail.h"
#include "nodes/pg_list.h"

/* A record of a life. */
typedef struct StewardLifeRecord
{
	int			life;			/* counts them from 1, in the order of time */
	const StewardTrailRecord *record;
} StewardLifeRecord;

/*
 * The records of all rows that ever had a key, given as resolved cells, in the
 * order of time; a list of StewardLifeRecord. Needs steward_trail_prepare.
 */
extern List *steward_lives(StewardHistoryTable *table, StewardCell *key);

#endif							/* STEWARD_HISTORY_LIFE_H */

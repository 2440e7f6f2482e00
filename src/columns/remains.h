/*
 * remains.h: what is left in the database under one version of a key.
 *
 * place		a table, partition or materialized view with columns under the key
 * remembered	may be seen by, or still be in the hands of, a transaction that
 *				has not ended, though no new one sees it
 */
#ifndef STEWARD_COLUMNS_REMAINS_H
#define STEWARD_COLUMNS_REMAINS_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/snapshot.h"

typedef struct StewardRemains
{
	uint32		holder_id;
	uint32		key_tag;
	Snapshot	since;			/* every other transaction began after it */
	uint64		values;			/* that the active snapshot shows */
	Oid			values_in;		/* one of the places that have them */
	Oid			remembered_in;	/* one that has rows remembered only */
	Oid			index;			/* an index whose pages hold such values */
	Oid			unread;			/* a place that cannot be read */
} StewardRemains;

/*
 * Places of a holder's columns, in the order of their oids, committed or not.
 * *pending is a transaction of somebody else that makes one now, or
 * InvalidTransactionId.
 */
extern List *steward_remains_places(uint32 holder_id, TransactionId *pending);

/*
 * Locks a place against writers until the end of the transaction, reads through
 * it and its unique indexes and adds what it finds; stores the counts. Needs an
 * active snapshot taken under the locks of all places, and SPI.
 */
extern void steward_remains_lock(List *places);
extern void steward_remains_look(StewardRemains *remains, List *places);

#endif							/* STEWARD_COLUMNS_REMAINS_H */

/*
 * trigger_row.h: a row of pg_trigger, found by its oid.
 */
#ifndef STEWARD_BASE_TRIGGER_ROW_H
#define STEWARD_BASE_TRIGGER_ROW_H

#include "base/compat.h"

typedef struct StewardTriggerRow
{
	Oid			relid;			/* of the table */
	Oid			function;
	int16		type;			/* tgtype */
	bool		clone;			/* of one on the partitioned table */
	bool		deferrable;
	bool		of_columns;		/* UPDATE OF some */
	bool		conditional;	/* has a WHEN */
	TransactionId xmin;			/* that wrote it */
} StewardTriggerRow;

/*
 * Reads it as the catalog has it now, also what this command did: an event trigger
 * asks before the relcache knows. False when there is no such trigger.
 */
extern bool steward_trigger_row_read(Oid trigger, StewardTriggerRow *row);

#endif							/* STEWARD_BASE_TRIGGER_ROW_H */

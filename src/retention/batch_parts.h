/*
 * batch_parts.h: a batch from within, for the files that collect and destroy rows.
 */
#ifndef STEWARD_RETENTION_BATCH_PARTS_H
#define STEWARD_RETENTION_BATCH_PARTS_H

#include "base/compat.h"

#include "base/compat.h"

#include "retention/batch.h"

#include "utils/relcache.h"

#include "retention/anonymize.h"
#include "retention/condition.h"

/*
 * What one batch works with, while it runs. Texts are parts of statements in which t
 * is the leaf and $1 the cutoff.
 */
typedef struct StewardBatch
{
	StewardLeaf *leaf;
	const StewardPolicy *policy;
	Oid			owner;
	Relation	rel;
	bool		preview;		/* foreign keys need not be declared */
	bool		read_only;		/* see what the active snapshot shows */
	StewardAge	age;
	Datum		cutoff;			/* of its type */
	const char *from;			/* ONLY schema.table AS t */
	const char *expired;		/* condition on $1 */
	const char *still_expired;	/* the same, out of reach of indexes */
	List	   *overwrites;		/* of STEWARD_ANONYMIZE: StewardOverwrite * */
	Relation	archive;		/* of STEWARD_ARCHIVE */
	List	   *edges;			/* StewardEdge * that lead to the leaf */
	const char *held;			/* condition: a legal hold keeps it */
	const char *restricted;		/* condition: rows of another table keep it */
	const char *recheck;		/* what else must be true of rows that are
								 * destroyed at once; else NULL */
} StewardBatch;

/* What stands in the place of values that the server does not compute. */
typedef struct StewardReplacements
{
	int			count;			/* of columns */
	Datum		places;			/* of the rows, tid[] */
	Datum	   *values;			/* of each column, text[] */
} StewardReplacements;

/* Computes them for rows that are locked; none when count is 0 afterwards. */
extern void steward_batch_replace(StewardBatch *batch, const ItemPointerData *rows,
								  int count, StewardReplacements *replacements);

/* Sets an option until the batch gives back its identity. */
extern void steward_batch_option(const char *name, const char *value);

/* Executes a statement over the leaf; see statement.h. */
extern uint64 steward_batch_execute(StewardBatch *batch, const char *sql,
									int expected, int count, Oid *types,
									Datum *values);

/*
 * Locks the rows of a slice that nobody else has locked and that are still
 * expired, and not held, now that we have them; they replace the slice in the array. Returns
 * how many.
 */
extern int	steward_batch_lock(StewardBatch *batch, ItemPointerData *slice, int size);

/*
 * Does what the policy says to rows that are locked, or go at once, and counts them; deletes are of
 * type StewardChildDelete.
 */
extern void steward_batch_destroy(StewardBatch *batch, const ItemPointerData *rows,
								  int count, List *deletes,
								  StewardBatchResult *result);

/*
 * Destroys rows of a slice, for a batch of that size, without finding out first what stands against it. False when
 * that cannot be, or did not work out: then nothing was done.
 */
extern bool steward_batch_at_once(StewardBatch *batch, const ItemPointerData *slice,
								  int count, int size, StewardBatchResult *result);

/* A closure may have this many times the rows that a batch aims at. */
#define STEWARD_CLOSURE_TIMES 2

/* Whether an index gives rows in the order of this column, of that type. */
extern bool steward_index_orders_age(Relation rel, AttrNumber column, Oid type);

/*
 * Sets up a batch over an open leaf, whose owner we are: settings, and the parts of
 * statements.
 */
extern void steward_batch_settings(const StewardPolicy *policy);
extern void steward_batch_describe(StewardBatch *batch);

/* Collects the next candidates of the sweep, when all before are done. */
extern void steward_batch_collect(StewardBatch *batch);

#endif							/* STEWARD_RETENTION_BATCH_PARTS_H */

/*
 * closure_parts.h: a closure from within, for the files that find and apply one.
 */
#ifndef STEWARD_RETENTION_CLOSURE_PARTS_H
#define STEWARD_RETENTION_CLOSURE_PARTS_H

#include "base/compat.h"

#include "base/compat.h"

#include "retention/closure.h"

#include "retention/edge.h"

#include "utils/hsearch.h"

/* What is known of a row. */
#define ROW_ROOT		0x01
#define ROW_WANTED		0x02	/* an edge that cascades leads to it */
#define ROW_TOUCHED		0x04	/* it is to lose a reference */
#define ROW_LOCKED		0x08	/* by us */
#define ROW_FOLLOWED	0x10	/* what refers to it has been looked for */
#define ROW_GOES		0x20

typedef struct StewardRowKey
{
	Oid			table;
	ItemPointerData place;
} StewardRowKey;

typedef struct StewardRowEntry
{
	StewardRowKey key;
	int			number;
} StewardRowEntry;

typedef struct StewardClosureRow
{
	StewardRowKey key;
	int			flags;
	int			reasons;
} StewardClosureRow;

/* Row to refers to row from. */
typedef struct StewardRowLink
{
	int			from;
	int			to;
	int			edge;			/* in the list of edges */
} StewardRowLink;

/* A table that has rows of the closure itself. */
typedef struct StewardClosureLeaf
{
	Oid			relid;
	Relation	rel;
	List	   *edges;			/* numbers of those that lead to it */
} StewardClosureLeaf;

struct StewardClosure
{
	const StewardPolicy *policy;
	Oid			owner;
	int			most;
	bool		preview;		/* looks only: no locks, one snapshot, no
								 * checks */
	HTAB	   *numbers;		/* StewardRowEntry */
	StewardClosureRow *rows;
	int			row_count;
	int			row_room;
	StewardRowLink *links;
	int			link_count;
	int			link_room;
	List	   *edges;			/* StewardEdge *, of all leaves */
	List	   *leaves;			/* StewardClosureLeaf * */
};

/* An edge by its number. */
extern StewardEdge *steward_closure_edge(const StewardClosure *closure, int number);

/* The leaf of this oid; opens and checks one that is new. */
extern StewardClosureLeaf *steward_closure_leaf(StewardClosure *closure, Oid relid);

/* The places of these rows, as a parameter. */
extern Datum steward_closure_places(const StewardClosure *closure, const int *numbers,
									int count);

/* Sets reasons and ROW_GOES of all rows, once they are found and locked. */
extern void steward_closure_decide(StewardClosure *closure);

#endif							/* STEWARD_RETENTION_CLOSURE_PARTS_H */

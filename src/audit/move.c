/*
 * move.c: rows that an UPDATE moves from one partition to another; see move.h.
 *
 * The header of a deleted row says that it moved, but not where to. The insertion
 * that follows is of the same row when the same command made it, in the same tree
 * of partitions, and no other record came in between. (A BEFORE trigger can
 * swallow it, and another insertion of the command follow: the record then tells
 * of two rows as of one, and still says rightly which values went and came.)
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/tupconvert.h"
#include "audit/buffer.h"
#include "audit/move.h"
#include "base/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "utils/memutils.h"
#include "utils/rel.h"

typedef struct Move
{
	Oid			root;			/* InvalidOid: none */
	int32		seq;			/* of the deletion's record */
	CommandId	command;
	TupleTableSlot *row;		/* as a row of the root */
	MemoryContext context;		/* holds it; NULL: none yet */
} Move;

static Move move = {InvalidOid};

/* Only the heap says in a row's header where it went, and by which command. */
static bool
may_move(Relation rel)
{
	return rel->rd_rel->relispartition &&
		rel->rd_rel->relkind == RELKIND_RELATION &&
		rel->rd_rel->relam == HEAP_TABLE_AM_OID;
}

/* A copy of a row of a partition, as one of the root, in the current context. */
static TupleTableSlot *
as_row_of(Relation root, Relation partition, TupleTableSlot *row)
{
	TupleDesc	desc = CreateTupleDescCopy(RelationGetDescr(root));
	TupleTableSlot *converted = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	TupleConversionMap *map = convert_tuples_by_name(RelationGetDescr(partition),
													 desc);

	if (map != NULL)
		(void) execute_attr_map_slot(map->attrMap, row, converted);
	else
		(void) ExecCopySlot(converted, row);
	ExecMaterializeSlot(converted);
	return converted;
}

void
steward_move_left(Relation rel, HeapTuple tuple, TupleTableSlot *row, int32 seq)
{
	MemoryContext caller;
	Relation	root;

	move.root = InvalidOid;
	if (!may_move(rel) ||
		!HeapTupleHeaderIndicatesMovedPartitions(tuple->t_data))
		return;
	if (move.context == NULL)
		move.context = AllocSetContextCreate(TopTransactionContext,
											 "steward moved row",
											 ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(move.context);
	root = relation_open(steward_partition_root(RelationGetRelid(rel)), AccessShareLock);
	caller = MemoryContextSwitchTo(move.context);
	move.row = as_row_of(root, rel, row);
	MemoryContextSwitchTo(caller);
	move.command = HeapTupleHeaderGetCmax(tuple->t_data);
	move.seq = seq;
	move.root = RelationGetRelid(root);
	relation_close(root, NoLock);
}

bool
steward_move_arrived(Relation rel, HeapTuple tuple, TupleTableSlot *row,
					 Relation *root, TupleTableSlot **before,
					 TupleTableSlot **after)
{
	MemoryContext caller;
	Oid			left = move.root;

	move.root = InvalidOid;
	if (!OidIsValid(left) || !may_move(rel) || steward_partition_root(RelationGetRelid(rel)) != left ||
		HeapTupleHeaderGetCmin(tuple->t_data) != move.command ||
		!steward_buffer_retract(move.seq))
		return false;
	*root = relation_open(left, NoLock);
	caller = MemoryContextSwitchTo(move.context);
	*before = move.row;
	*after = as_row_of(*root, rel, row);
	MemoryContextSwitchTo(caller);
	return true;
}

void
steward_move_end(void)
{
	/* the memory goes with the transaction's */
	move.root = InvalidOid;
	move.context = NULL;
}

/*
 * witness.c: an output plugin for logical decoding, as a second witness.
 *
 * What PostgreSQL decodes from its write-ahead log is independent of triggers. Of
 * each committed transaction the plugin tells how many rows of which relation it
 * changed, and nothing of their values: neither data nor a type's function has a
 * part in it. A line is
 *
 *	 xid relation action rows
 *
 * with the 64-bit transaction id, the oid of the relation, and an action:
 *
 *	 I D T	INSERT, DELETE, TRUNCATE
 *	 U		UPDATE; whether it changed anything is not in the write-ahead log
 *	 C N	UPDATE that changed something, and that changed nothing; known under
 *			REPLICA IDENTITY FULL
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "replication/logical.h"
#include "replication/output_plugin.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

extern PGDLLEXPORT void _PG_output_plugin_init(OutputPluginCallbacks *callbacks);

typedef struct Count
{
	struct
	{
		Oid			relid;
		int			action;
	}			id;				/* hash key */
	int64		rows;
} Count;

/* What a transaction did, while it is decoded; NULL between two. */
typedef struct Witness
{
	MemoryContext memory;
	HTAB	   *counts;
} Witness;

static void
on_startup(LogicalDecodingContext *context, OutputPluginOptions *options,
		   bool is_init)
{
	Witness    *witness = MemoryContextAllocZero(context->context, sizeof(Witness));

	if (context->output_plugin_options != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("output plugin \"%s\" takes no options", "pg_steward")));
	witness->memory = AllocSetContextCreate(context->context, "pg_steward witness",
											ALLOCSET_DEFAULT_SIZES);
	context->output_plugin_private = witness;
	options->output_type = OUTPUT_PLUGIN_TEXTUAL_OUTPUT;
}

static void
on_begin(LogicalDecodingContext *context, ReorderBufferTXN *txn)
{
	Witness    *witness = context->output_plugin_private;

	MemoryContextReset(witness->memory);
	witness->counts = NULL;
}

static void
count(Witness *witness, Oid relid, char action)
{
	Count		wanted;
	Count	   *entry;
	bool		found;

	if (witness->counts == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(wanted.id),
			.entrysize = sizeof(Count),
		.hcxt = witness->memory};

		witness->counts = hash_create("pg_steward witness", 16, &control,
									  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	memset(&wanted, 0, sizeof wanted);
	wanted.id.relid = relid;
	wanted.id.action = action;
	entry = hash_search(witness->counts, &wanted.id, HASH_ENTER, &found);
	entry->rows = found ? entry->rows + 1 : 1;
}

/* A value out of line that the new row has in common with the old one is not in it. */
static bool
is_kept(Form_pg_attribute attribute, Datum value)
{
	return attribute->attlen == -1 &&
		VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(value));
}

static bool
same_rows(TupleDesc desc, HeapTuple old, HeapTuple new)
{
	Datum	   *before = palloc(sizeof(Datum) * desc->natts * 2);
	bool	   *before_null = palloc(sizeof(bool) * desc->natts * 2);
	Datum	   *after = before + desc->natts;
	bool	   *after_null = before_null + desc->natts;
	bool		same = true;

	heap_deform_tuple(old, desc, before, before_null);
	heap_deform_tuple(new, desc, after, after_null);
	for (int i = 0; i < desc->natts && same; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attisdropped || (before_null[i] && after_null[i]))
			continue;
		same = before_null[i] == after_null[i] &&
			(is_kept(attribute, after[i]) ||
			 datum_image_eq(before[i], after[i], attribute->attbyval,
							attribute->attlen));
	}
	pfree(before);
	pfree(before_null);
	return same;
}

static char
update_action(Relation rel, ReorderBufferChange *change)
{
	HeapTuple	old = STEWARD_DECODED_TUPLE(change->data.tp.oldtuple);
	HeapTuple	new = STEWARD_DECODED_TUPLE(change->data.tp.newtuple);

	if (rel->rd_rel->relreplident != REPLICA_IDENTITY_FULL || old == NULL || new == NULL)
		return 'U';
	return same_rows(RelationGetDescr(rel), old, new) ? 'N' : 'C';
}

static void
on_change(LogicalDecodingContext *context, ReorderBufferTXN *txn, Relation rel,
		  ReorderBufferChange *change)
{
	Witness    *witness = context->output_plugin_private;
	MemoryContext caller = MemoryContextSwitchTo(witness->memory);

	switch (change->action)
	{
		case REORDER_BUFFER_CHANGE_INSERT:
			count(witness, RelationGetRelid(rel), 'I');
			break;
		case REORDER_BUFFER_CHANGE_UPDATE:
			count(witness, RelationGetRelid(rel), update_action(rel, change));
			break;
		case REORDER_BUFFER_CHANGE_DELETE:
			count(witness, RelationGetRelid(rel), 'D');
			break;
		default:
			break;
	}
	MemoryContextSwitchTo(caller);
}

static void
on_truncate(LogicalDecodingContext *context, ReorderBufferTXN *txn, int nrelations,
			Relation relations[], ReorderBufferChange *change)
{
	for (int i = 0; i < nrelations; i++)
		count(context->output_plugin_private, RelationGetRelid(relations[i]), 'T');
}

/* The decoded id is of 32 bits, and not ahead of the server's next. */
static uint64
whole_xid(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		epoch = EpochFromFullTransactionId(next);

	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return U64FromFullTransactionId(FullTransactionIdFromEpochAndXid(epoch, xid));
}

static void
on_commit(LogicalDecodingContext *context, ReorderBufferTXN *txn, XLogRecPtr lsn)
{
	Witness    *witness = context->output_plugin_private;
	HASH_SEQ_STATUS scan;
	Count	   *entry;

	if (witness->counts == NULL)
		return;
	hash_seq_init(&scan, witness->counts);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		OutputPluginPrepareWrite(context, true);
		appendStringInfo(context->out, UINT64_FORMAT " %u %c " INT64_FORMAT,
						 whole_xid(txn->xid), entry->id.relid, entry->id.action,
						 entry->rows);
		OutputPluginWrite(context, true);
	}
	witness->counts = NULL;
}

void
_PG_output_plugin_init(OutputPluginCallbacks *callbacks)
{
	callbacks->startup_cb = on_startup;
	callbacks->begin_cb = on_begin;
	callbacks->change_cb = on_change;
	callbacks->truncate_cb = on_truncate;
	callbacks->commit_cb = on_commit;
}

/*
 * log.c: which logs there are, and how they begin; see log.h.
 */
#include "ledger/log.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "audit/sink.h"
#include "base/catalog.h"
#include "catalog/pg_type_d.h"
#include "crypto/leaf.h"
#include "executor/spi.h"
#include "ledger/block.h"
#include "ledger/checkpoint.h"
#include "ledger/digest.h"
#include "ledger/values.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Columns of steward.ledger_opening, counted from 0. */
enum
{
	OPENING_INCARNATION,
	OPENING_PARENT,
	OPENING_OPENED_AT,
	OPENING_NATTS
};

static StewardRelationRef opening_table = {"ledger_opening"};
static StewardRelationRef opening_key = {"ledger_opening_pkey"};

static TimeLineID
present_timeline(void)
{
	TimeLineID	timeline;

	if (!RecoveryInProgress())
		return GetWALInsertionTimeLine();
	(void) GetXLogReplayRecPtr(&timeline);
	return timeline;
}

/* The first column, integers, of a query. */
static List *
select_ids(const char *sql, int count, Oid *types, Datum *values)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *ids = NIL;
	bool		isnull;

	if (SPI_execute_with_args(sql, count, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed: %s", sql);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		id = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1,
									   &isnull);

		MemoryContextSwitchTo(caller);
		ids = lappend_int(ids, DatumGetInt32(id));
	}
	SPI_freetuptable(SPI_tuptable);
	return ids;
}

List *
steward_logs_present(void)
{
	Oid			types[3] = {INT8OID, INT4OID, OIDOID};
	Datum		values[3] = {
		Int64GetDatum((int64) GetSystemIdentifier()),
		Int32GetDatum((int32) present_timeline()), ObjectIdGetDatum(MyDatabaseId)
	};

	return select_ids("SELECT i.id FROM steward.audit_incarnation AS i"
					  " WHERE i.system_identifier OPERATOR(pg_catalog.=) $1"
					  " AND i.timeline OPERATOR(pg_catalog.=) $2"
					  " AND i.database OPERATOR(pg_catalog.=) $3"
					  " ORDER BY i.id USING OPERATOR(pg_catalog.<)", 3, types, values);
}

List *
steward_logs_all(void)
{
	return select_ids("SELECT i.id FROM steward.audit_incarnation AS i"
					  " ORDER BY i.id USING OPERATOR(pg_catalog.<)", 0, NULL, NULL);
}

bool
steward_log_is_present(int32 incarnation)
{
	return list_member_int(steward_logs_present(), incarnation);
}

/* The last of these that has blocks which others can see. */
static int32
last_sealed(List *logs)
{
	for (int i = list_length(logs) - 1; i >= 0; i--)
	{
		StewardBlock block;

		if (steward_block_newest_committed(list_nth_int(logs, i), &block))
			return list_nth_int(logs, i);
	}
	return 0;
}

int32
steward_log_default(void)
{
	int32		present = last_sealed(steward_logs_present());

	return present != 0 ? present : last_sealed(steward_logs_all());
}

/* The newest checkpoint of the parent; NULL: there is no parent. */
static char *
parent_checkpoint(int32 incarnation)
{
	List	   *present = steward_logs_present();
	List	   *all = steward_logs_all();

	for (int i = list_length(all) - 1; i >= 0; i--)
	{
		int32		parent = list_nth_int(all, i);
		StewardBlock block;

		if (parent < incarnation && !list_member_int(present, parent) &&
			steward_block_newest(parent, &block))
			return steward_checkpoint_text(&block);
	}
	return NULL;
}

static void
opening_leaf(int32 incarnation, char *parent, StewardLeafOpening *opening)
{
	opening->incarnation = (uint32) incarnation;
	steward_digest_incarnation(&opening->identity, incarnation);
	opening->parent = parent;
	opening->parent_len = parent == NULL ? 0 : strlen(parent);
}

void
steward_log_open(int32 incarnation, StewardHash *leaf)
{
	char	   *parent = parent_checkpoint(incarnation);
	StewardLeafOpening opening;
	Datum		values[OPENING_NATTS];
	bool		nulls[OPENING_NATTS] = {false};

	opening_leaf(incarnation, parent, &opening);
	steward_leaf_opening_hash(leaf, &opening);
	values[OPENING_INCARNATION] = Int32GetDatum(incarnation);
	nulls[OPENING_PARENT] = parent == NULL;
	if (parent != NULL)
		values[OPENING_PARENT] = steward_value_of_bytes(parent, strlen(parent));
	values[OPENING_OPENED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	steward_sink_insert(&opening_table, OPENING_NATTS, values, nulls);
}

/* The parent's checkpoint of a log as it is stored. */
static bool
read_parent(int32 incarnation, char **parent)
{
	Relation	table = steward_relation_open(&opening_table, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;
	bool		isnull;

	ScanKeyInit(&key, OPENING_INCARNATION + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(incarnation));
	scan = systable_beginscan(table, steward_relation_oid(&opening_key), true,
							  GetActiveSnapshot(), 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		Datum		value = heap_getattr(tuple, OPENING_PARENT + 1,
										 RelationGetDescr(table), &isnull);

		*parent = isnull ? NULL : steward_value_string(value);
	}
	systable_endscan(scan);
	relation_close(table, AccessShareLock);
	return found;
}

bool
steward_log_opening(int32 incarnation, StewardHash *hash, unsigned char **leaf,
					size_t *length, char **parent)
{
	StewardLeafOpening opening;

	if (!read_parent(incarnation, parent))
		return false;
	opening_leaf(incarnation, *parent, &opening);
	steward_leaf_opening_hash(hash, &opening);
	if (leaf == NULL)
		return true;
	*length = STEWARD_LEAF_OPENING_HEAD_BYTES + opening.parent_len;
	*leaf = palloc(*length);
	steward_leaf_opening_head(*leaf, &opening);
	memcpy(*leaf + STEWARD_LEAF_OPENING_HEAD_BYTES, *parent ? *parent : "",
		   opening.parent_len);
	return true;
}

/*
 * conversion_state.c: the record of an online conversion; see conversion.h.
 *
 * What a conversion is stands in the table itself: its trigger names source and
 * shadow. The record has how far it is, and that decryption was allowed. Rows are
 * written as the owner of the extension.
 */
#include "columns/conversion.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"

static StewardRelationRef conversion_ref = {"column_conversion"};
static StewardRelationRef conversion_index_ref = {"column_conversion_pkey"};

/* The columns in their order in encrypt_column.sql. */
#define COLUMN_RELATION 1
#define COLUMN_COLUMN 2
#define COLUMN_SHADOW 3
#define COLUMN_DIRECTION 4
#define COLUMN_KEY_ID 5
#define COLUMN_PHASE 6
#define COLUMN_NEXT_BLOCK 7
#define COLUMN_ROWS_DONE 8

static void
set_lock_tag(LOCKTAG *tag, Oid relid)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, steward_relation_oid(&conversion_ref),
					   relid, 0);
}

bool
steward_conversion_lock(Oid relid, bool session)
{
	LOCKTAG		tag;

	set_lock_tag(&tag, relid);
	return LockAcquire(&tag, ExclusiveLock, session, true) != LOCKACQUIRE_NOT_AVAIL;
}

void
steward_conversion_unlock(Oid relid)
{
	LOCKTAG		tag;

	set_lock_tag(&tag, relid);
	(void) LockRelease(&tag, ExclusiveLock, true);
}

static StewardConversionState *
read_row(HeapTuple tuple, TupleDesc desc)
{
	StewardConversionState *state = palloc0(sizeof *state);
	bool		isnull;

	state->column = pstrdup(NameStr(*DatumGetName(heap_getattr(tuple, COLUMN_COLUMN, desc, &isnull))));
	state->shadow = pstrdup(NameStr(*DatumGetName(heap_getattr(tuple, COLUMN_SHADOW, desc, &isnull))));
	state->encrypt = strcmp(TextDatumGetCString(heap_getattr(tuple, COLUMN_DIRECTION, desc, &isnull)),
							"encrypt") == 0;
	state->key_id = (uint32) DatumGetInt32(heap_getattr(tuple, COLUMN_KEY_ID, desc, &isnull));
	state->phase = TextDatumGetCString(heap_getattr(tuple, COLUMN_PHASE, desc, &isnull));
	state->next_block = DatumGetInt64(heap_getattr(tuple, COLUMN_NEXT_BLOCK, desc, &isnull));
	state->rows_done = DatumGetInt64(heap_getattr(tuple, COLUMN_ROWS_DONE, desc, &isnull));
	return state;
}

StewardConversionState *
steward_conversion_state(Oid relid)
{
	Relation	table = steward_relation_open(&conversion_ref, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	StewardConversionState *state = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, COLUMN_RELATION, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(table, steward_relation_oid(&conversion_index_ref),
							  true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		state = read_row(tuple, RelationGetDescr(table));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	relation_close(table, AccessShareLock);
	return state;
}

bool
steward_conversion_decrypts(Oid relid, uint32 key_id)
{
	StewardConversionState *state = steward_conversion_state(relid);

	return state != NULL && !state->encrypt && state->key_id == key_id;
}

static void
write_state(const char *sql, int count, Oid *types, Datum *values)
{
	StewardIdentity identity;

	steward_become_owner(&identity);
	SPI_connect();
	if (SPI_execute_with_args(sql, count, types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not write steward.column_conversion");
	SPI_finish();
	steward_become_caller(&identity);
	CommandCounterIncrement();
}

void
steward_conversion_state_begin(const StewardConversion *conversion, int64 rows)
{
	NameData	column;
	NameData	shadow;
	Oid			types[] = {REGCLASSOID, NAMEOID, NAMEOID, TEXTOID, INT4OID, INT8OID};
	Datum		values[] = {
		ObjectIdGetDatum(conversion->relid), NameGetDatum(&column),
		NameGetDatum(&shadow),
		CStringGetTextDatum(conversion->encrypt ? "encrypt" : "decrypt"),
		Int32GetDatum((int32) conversion->key_id), Int64GetDatum(rows)
	};

	namestrcpy(&column, conversion->column);
	namestrcpy(&shadow, get_attname(conversion->relid, conversion->shadow, false));
	/* Of tables that were dropped meanwhile nothing is left but these. */
	write_state("DELETE FROM steward.column_conversion AS v WHERE NOT EXISTS"
				" (SELECT FROM pg_catalog.pg_class AS c"
				" WHERE c.oid OPERATOR(pg_catalog.=) v.relation)", 0, NULL, NULL);
	write_state("INSERT INTO steward.column_conversion"
				" (relation, \"column\", shadow, direction, key_id, rows_total)"
				" VALUES ($1, $2, $3, $4, $5, $6)", lengthof(types), types, values);
}

void
steward_conversion_state_phase(Oid relid, const char *phase)
{
	Oid			types[] = {REGCLASSOID, TEXTOID};
	Datum		values[] = {ObjectIdGetDatum(relid), CStringGetTextDatum(phase)};

	write_state("UPDATE steward.column_conversion SET phase = $2, next_block = 0,"
				" updated_at = pg_catalog.clock_timestamp()"
				" WHERE relation OPERATOR(pg_catalog.=) $1",
				lengthof(types), types, values);
}

void
steward_conversion_state_progress(Oid relid, int64 next_block, int64 rows)
{
	Oid			types[] = {REGCLASSOID, INT8OID, INT8OID};
	Datum		values[] = {ObjectIdGetDatum(relid), Int64GetDatum(next_block),
	Int64GetDatum(rows)};

	write_state("UPDATE steward.column_conversion SET next_block = $2,"
				" rows_done = rows_done OPERATOR(pg_catalog.+) $3,"
				" updated_at = pg_catalog.clock_timestamp()"
				" WHERE relation OPERATOR(pg_catalog.=) $1",
				lengthof(types), types, values);
}

void
steward_conversion_state_end(Oid relid)
{
	Oid			types[] = {REGCLASSOID};
	Datum		values[] = {ObjectIdGetDatum(relid)};

	write_state("DELETE FROM steward.column_conversion"
				" WHERE relation OPERATOR(pg_catalog.=) $1",
				lengthof(types), types, values);
}

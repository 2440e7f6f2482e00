/*
 * revocation_table.c: what the tables say of erased subjects; see
 * revocation_table.h.
 */
#include "keys/revocation_table.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/uuid.h"

/* So many uuids in a row stay below the size that TOAST would store apart. */
#define SUBJECTS_IN_ROW 100

static StewardRelationRef subject_table = {"subject_key"};
static StewardRelationRef erased_index = {"subject_key_erased"};
static StewardRelationRef known_table = {"revocation_known"};

/* Column of steward.revocation_known, as subject_revocation.sql has it. */
#define KNOWN_SUBJECTS 1

bool
steward_revocation_table_is(Oid relid)
{
	return relid == subject_table.oid;
}

void
steward_revocation_table_tombstones(StewardSubjectVisit visit, void *arg)
{
	Relation	table;
	Oid			index;
	SysScanDesc scan;
	HeapTuple	tuple;
	AttrNumber	subject_column;
	AttrNumber	erased_column;

	if (!OidIsValid(steward_relation_lookup(&subject_table)))
		return;
	index = steward_relation_lookup(&erased_index);
	table = table_open(subject_table.oid, AccessShareLock);
	subject_column = get_attnum(RelationGetRelid(table), "subject");
	erased_column = get_attnum(RelationGetRelid(table), "erased_at");
	scan = systable_beginscan(table, index, OidIsValid(index), NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		subject;

		/* A scan without the index sees those that live, too. */
		if (heap_attisnull(tuple, erased_column, RelationGetDescr(table)) ||
			TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
			continue;
		subject = heap_getattr(tuple, subject_column, RelationGetDescr(table),
							   &isnull);
		visit(DatumGetUUIDP(subject)->data, arg);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
}

void
steward_revocation_table_known(StewardSubjectVisit visit, void *arg)
{
	Relation	table;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(steward_relation_lookup(&known_table)))
		return;
	table = table_open(known_table.oid, AccessShareLock);
	scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, KNOWN_SUBJECTS,
										 RelationGetDescr(table), &isnull);
		Datum	   *subjects;
		bool	   *nulls;
		int			count;

		deconstruct_array(DatumGetArrayTypeP(value), UUIDOID, UUID_LEN, false,
						  TYPALIGN_CHAR, &subjects, &nulls, &count);
		for (int i = 0; i < count; i++)
		{
			if (!nulls[i])
				visit(DatumGetUUIDP(subjects[i])->data, arg);
		}
		pfree(subjects);
		pfree(nulls);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
}

/* ---- writing ---- */

static void
run(const char *sql, int count, Oid *types, Datum *values, int expected)
{
	int			result = SPI_execute_with_args(sql, count, types, values, NULL,
											   false, 0);

	if (result != expected)
		elog(ERROR, "statement on tables of the revocation journal failed: %s",
			 SPI_result_code_string(result));
}

static void
insert_known(const unsigned char *subjects, int count)
{
	Datum		elements[SUBJECTS_IN_ROW];
	Oid			types[1] = {UUIDARRAYOID};
	Datum		values[1];

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(subjects + (size_t) i * UUID_LEN);
	values[0] = PointerGetDatum(construct_array(elements, count, UUIDOID, UUID_LEN,
												false, TYPALIGN_CHAR));
	run("INSERT INTO steward.revocation_known (subjects) VALUES ($1)",
		1, types, values, SPI_OK_INSERT);
}

bool
steward_revocation_table_remember(const unsigned char *subjects, uint64 count)
{
	StewardIdentity caller;

	/* One session is enough, and none shall wait for another's transaction. */
	if (!ConditionalLockRelationOid(steward_relation_oid(&known_table),
									ShareUpdateExclusiveLock))
		return false;
	SPI_connect();
	steward_become_owner(&caller);
	for (uint64 i = 0; i < count; i += SUBJECTS_IN_ROW)
		insert_known(subjects + i * UUID_LEN, Min(count - i, SUBJECTS_IN_ROW));
	steward_become_caller(&caller);
	SPI_finish();
	return true;
}

void
steward_revocation_table_forget(void)
{
	StewardIdentity caller;

	SPI_connect();
	steward_become_owner(&caller);
	run("DELETE FROM steward.revocation_known", 0, NULL, NULL, SPI_OK_DELETE);
	steward_become_caller(&caller);
	SPI_finish();
}

void
steward_revocation_table_adopted(const char *found, uint64 held, uint64 missing)
{
	StewardIdentity caller;
	Oid			types[3] = {TEXTOID, INT8OID, INT8OID};
	Datum		values[3];

	values[0] = CStringGetTextDatum(found);
	values[1] = Int64GetDatum((int64) held);
	values[2] = Int64GetDatum((int64) missing);
	SPI_connect();
	steward_become_owner(&caller);
	run("INSERT INTO steward.revocation_adoption (found, held, missing) VALUES ($1, $2, $3)",
		3, types, values, SPI_OK_INSERT);
	steward_become_caller(&caller);
	SPI_finish();
}

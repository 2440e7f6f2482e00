/*
 * shred_find.c: which subjects have expired, and which are held, by their rows; see
 * shred_parts.h.
 *
 * A table is read with all that is below it, for a subject may have rows in several partitions. Bound
 * tables of others are asked for holds alone, each as its owner.
 */
#include "retention/shred_parts.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "retention/batch_parts.h"
#include "retention/statement.h"
#include "subjects/hold.h"
#include "types/binding.h"

/* Subjects fetched at once. */
#define FETCH_SUBJECTS 10000

void
steward_shred_describe(StewardShredTable *table, const StewardPolicy *policy, Relation rel)
{
	StewardBinding binding;

	table->policy = policy;
	table->rel = rel;
	(void) steward_binding_find(rel, &binding);
	table->kind = binding.kind;
	table->binder = steward_binder_any(rel);
	table->key = steward_shred_key(rel, &table->key_type);
	steward_age_describe(&table->age, policy, rel, "t");
	table->cutoff = steward_age_cutoff(policy, table->age.type);
	table->from = psprintf("%s AS t", steward_table_name(rel));
	table->expired = psprintf("COALESCE(%s, false)",
							  steward_condition_expired(policy, rel, &table->age, "t"));
}

/* ---- all of the table ---- */

static Portal
open_subjects(const StewardShredTable *table, bool preview)
{
	StewardStatement statement = {
		.relations = list_make1_oid(RelationGetRelid(table->rel)),
		.read_only = preview,
		.count = 1, .types = (Oid *) &table->age.type, .values = (Datum *) &table->cutoff
	};
	const char *age = steward_age_moment(table->policy, &table->age);

	statement.sql = preview ?
		psprintf("SELECT %s, pg_catalog.min(%s), pg_catalog.max(%s) FROM %s"
				 " WHERE %s IS NOT NULL GROUP BY %s HAVING pg_catalog.bool_and(%s)",
				 table->key, age, age, table->from, table->key, table->key, table->expired) :
		psprintf("SELECT %s FROM %s WHERE %s IS NOT NULL GROUP BY %s"
				 " HAVING pg_catalog.bool_and(%s)",
				 table->key, table->from, table->key, table->key, table->expired);
	return steward_statement_open(&statement);
}

/* A row of the result, if its subject is pending. */
static bool
take_subject(const StewardShredTable *table, uint64 row, bool preview, StewardShredFound *found)
{
	StewardShredSubject *subject = &found->subject;

	subject->key = steward_binder_spell(table->binder, steward_result(row, 1));
	if (!steward_shred_pending(table->kind, subject->key))
		return false;
	subject->lane = steward_shred_lane(table->kind, subject->key);
	if (preview)
	{
		found->oldest = DatumGetTimestampTz(steward_result(row, 2));
		found->newest = DatumGetTimestampTz(steward_result(row, 3));
	}
	return true;
}

/* The next subjects of the portal; false when there are none. */
static bool
fetch_subjects(const StewardShredTable *table, Portal portal, bool preview,
			   StewardShredCallback callback, void *arg)
{
	StewardShredFound *found;
	SPITupleTable *tuples;
	uint64		rows;
	int			count = 0;

	SPI_cursor_fetch(portal, true, FETCH_SUBJECTS);
	tuples = SPI_tuptable;
	rows = SPI_processed;
	found = palloc(FETCH_SUBJECTS * sizeof(StewardShredFound));
	for (uint64 i = 0; i < rows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		/* Who looks for a secret may use SPI. */
		SPI_tuptable = tuples;
		if (take_subject(table, i, preview, &found[count]))
			count++;
	}
	SPI_freetuptable(tuples);
	if (count > 0)
		callback(found, count, arg);
	return rows > 0;
}

void
steward_shred_collect(const StewardShredTable *table, bool preview,
					  StewardShredCallback callback, void *arg)
{
	Portal		portal = open_subjects(table, preview);
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(caller, "expired subjects",
												  ALLOCSET_DEFAULT_SIZES);
	bool		more = true;

	while (more)
	{
		MemoryContextReset(scratch);
		MemoryContextSwitchTo(scratch);
		more = fetch_subjects(table, portal, preview, callback, arg);
		MemoryContextSwitchTo(caller);
	}
	SPI_cursor_close(portal);
	MemoryContextDelete(scratch);
}

/* ---- some subjects ---- */

int
steward_shred_still_expired(const StewardShredTable *table, StewardShredSubject *subjects,
							int count)
{
	Oid			types[] = {table->age.type, get_array_type(table->key_type), INT4ARRAYOID};
	Datum		values[3] = {table->cutoff};
	StewardStatement statement = {
		.relations = list_make1_oid(RelationGetRelid(table->rel)),
		.count = lengthof(types), .types = types, .values = values
	};
	StewardShredSubject *all = memcpy(palloc(count * sizeof *all), subjects,
									  count * sizeof *all);
	int			expired;

	steward_shred_keys(table->key_type, subjects, count, &values[1], &values[2]);
	statement.sql = psprintf("SELECT k.n FROM unnest($2, $3) AS k (v, n) JOIN %s"
							 " ON %s OPERATOR(pg_catalog.=) k.v"
							 " GROUP BY k.n HAVING pg_catalog.bool_and(%s)",
							 table->from, table->key, table->expired);
	expired = (int) steward_statement_execute(&statement, SPI_OK_SELECT);
	for (int i = 0; i < expired; i++)
		subjects[i] = all[DatumGetInt32(steward_result(i, 1))];
	SPI_freetuptable(SPI_tuptable);
	return expired;
}

uint64
steward_shred_rows(const StewardPolicy *policy, Relation rel,
				   const StewardShredSubject *subjects, int count, bool read_only,
				   const char *what, const char *where)
{
	Oid			type;
	const char *key = steward_shred_key(rel, &type);
	Oid			types[] = {get_array_type(type), INT4ARRAYOID};
	Datum		values[2];
	StewardStatement statement = {
		.relations = list_make1_oid(RelationGetRelid(rel)),
		.read_only = read_only,
		.count = lengthof(types), .types = types, .values = values
	};
	StewardIdentity identity;
	uint64		rows;

	steward_shred_keys(type, subjects, count, &values[0], &values[1]);
	statement.sql = psprintf("SELECT %s FROM unnest($1, $2) AS k (v, n) JOIN ONLY %s AS t"
							 " ON %s OPERATOR(pg_catalog.=) k.v WHERE %s",
							 what, steward_table_name(rel), key, where);
	steward_become_guarded(rel->rd_rel->relowner, &identity);
	steward_batch_settings(policy);
	rows = steward_statement_execute(&statement, SPI_OK_SELECT);
	steward_become_caller(&identity);
	return rows;
}

static void
held_in(const StewardPolicy *policy, Relation rel, const StewardShredSubject *subjects,
		int count, bool read_only, bool *held)
{
	List	   *holds = steward_holds_on(RelationGetRelid(rel));
	uint64		rows;

	if (holds == NIL)
		return;
	rows = steward_shred_rows(policy, rel, subjects, count, read_only, "DISTINCT k.n",
							  steward_holds_condition(holds, rel, "t"));
	for (uint64 i = 0; i < rows; i++)
		held[DatumGetInt32(steward_result(i, 1))] = true;
	SPI_freetuptable(SPI_tuptable);
}

void
steward_shred_held(const StewardPolicy *policy, const char *kind,
				   const StewardShredSubject *subjects, int count, bool read_only,
				   bool *held)
{
	ListCell   *cell;

	memset(held, false, count * sizeof(bool));
	if (count == 0 || !steward_holds_exist())
		return;
	foreach(cell, steward_shred_tables(kind))
	{
		Relation	rel = steward_shred_open_bound(lfirst_oid(cell), kind);

		if (rel == NULL)
			continue;
		held_in(policy, rel, subjects, count, read_only, held);
		relation_close(rel, NoLock);
	}
}

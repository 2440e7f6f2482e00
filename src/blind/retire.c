/*
 * retire.c: generations of index secrets that no index goes by any more:
 * retire_index_secrets, and blind_index_secrets, which tells what is to be built anew.
 *
 * An index takes the newest committed generation when it is built, and has it from then on:
 * in its metapage, and an unlogged one in that of its init fork, which takes the place
 * of the other after a crash. So no index comes to go by an older generation than the
 * newest that was committed before the transaction began that builds it. retire_index_secrets
 * waits for all transactions that run (keys/quiesce.h) and looks at all indexes then: what
 * is built meanwhile, and it does not see, takes the newest or one that comes later.
 *
 * Locks: the turn of those who wait for all, then each index by itself, AccessShareLock,
 * and last steward.key.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "access/xact.h"
#include "base/argument.h"
#include "blind/meta.h"
#include "blind/relation.h"
#include "blind/tag.h"
#include "catalog/pg_class.h"
#include "funcapi.h"
#include "keys/keys.h"
#include "keys/manage.h"
#include "keys/quiesce.h"
#include "keys/tables.h"
#include "miscadmin.h"
#include "storage/smgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* A column of an index, and the generation that it goes by. */
typedef struct Use
{
	Oid			index;
	const char *name;			/* of the index, quoted, with its schema */
	const char *column;
	uint32		key_id;
	int32		generation;		/* the older one of two forks; 0: no pages */
	bool		unknown;		/* another session's temporary index */
} Use;

typedef void (*UseCallback) (const Use *use, void *arg);

/* ---- what indexes go by ---- */

/* Takes the generations that a fork says, where they are older. */
static void
read_fork(Relation index, ForkNumber fork, int32 *generations)
{
	StewardBlindMeta meta;

	if (!smgrexists(RelationGetSmgr(index), fork) ||
		smgrnblocks(RelationGetSmgr(index), fork) == 0)
		return;
	steward_blind_meta_read(index, fork, &meta);
	for (int i = 0; i < meta.columns; i++)
		if (generations[i] == 0 || meta.generation[i] < generations[i])
			generations[i] = meta.generation[i];
}

static void
tell_index(Relation index, UseCallback callback, void *arg)
{
	int32		generations[INDEX_MAX_KEYS] = {0};
	Use			use = {.index = RelationGetRelid(index)};

	use.unknown = RELATION_IS_OTHER_TEMP(index);
	use.name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(index)),
										  RelationGetRelationName(index));
	if (!use.unknown)
	{
		read_fork(index, MAIN_FORKNUM, generations);
		if (index->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
			read_fork(index, INIT_FORKNUM, generations);
	}
	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
	{
		use.column = NameStr(TupleDescAttr(RelationGetDescr(index), i)->attname);
		use.key_id = steward_blind_column_key(index, i);
		use.generation = generations[i];
		callback(&use, arg);
	}
}

/* Tells of each column of each blind index that there is. */
static void
tell_indexes(UseCallback callback, void *arg)
{
	ListCell   *cell;

	foreach(cell, steward_blind_relations())
	{
		Relation	index = try_relation_open(lfirst_oid(cell), AccessShareLock);

		CHECK_FOR_INTERRUPTS();
		if (index == NULL)
			continue;
		if (steward_blind_relation_is(index))
			tell_index(index, callback, arg);
		relation_close(index, AccessShareLock);
	}
}

/* ---- listing ---- */

enum
{
	LIST_INDEX,
	LIST_COLUMN,
	LIST_KEY,
	LIST_GENERATION,
	LIST_NEWEST,
	LIST_COLUMNS
};

static void
list_use(const Use *use, void *arg)
{
	ReturnSetInfo *result = arg;
	Datum		values[LIST_COLUMNS] = {0};
	bool		nulls[LIST_COLUMNS] = {false};
	char	   *path = steward_key_path(use->key_id);
	uint32		holder_id = steward_key_holder(use->key_id);
	int32		newest = holder_id == 0 ? 0 : steward_key_table_newest_index_secret(holder_id);

	values[LIST_INDEX] = ObjectIdGetDatum(use->index);
	values[LIST_COLUMN] = CStringGetTextDatum(use->column);
	nulls[LIST_KEY] = path == NULL;
	if (path != NULL)
		values[LIST_KEY] = CStringGetTextDatum(path);
	nulls[LIST_GENERATION] = use->generation == 0;
	values[LIST_GENERATION] = Int32GetDatum(use->generation);
	nulls[LIST_NEWEST] = newest == 0;
	values[LIST_NEWEST] = Int32GetDatum(newest);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

STEWARD_FUNCTION(steward_blind_index_secrets)
{
	InitMaterializedSRF(fcinfo, 0);
	tell_indexes(list_use, fcinfo->resultinfo);
	PG_RETURN_VOID();
}

/* ---- retiring ---- */

typedef struct Retirement
{
	const char *path;
	uint32		holder_id;
	int32		newest;
	List	   *used;			/* generations */
	const char *unknown;		/* an index that cannot be looked at, or NULL */
} Retirement;

static void
note_use(const Use *use, void *arg)
{
	Retirement *retirement = arg;

	if (steward_key_holder(use->key_id) != retirement->holder_id)
		return;
	if (use->unknown)
	{
		retirement->unknown = use->name;
		return;
	}
	if (use->generation == 0 || use->generation >= retirement->newest ||
		list_member_int(retirement->used, use->generation))
		return;
	retirement->used = lappend_int(retirement->used, use->generation);
	ereport(NOTICE,
			(errmsg("generation %d of the index secret of key \"%s\" is in use",
					use->generation, retirement->path),
			 errdetail("Index %s goes by it.", use->name),
			 errhint("See steward.blind_index_secrets(), and build such indexes anew with REINDEX INDEX CONCURRENTLY.")));
}

/* Until the newer generation is committed, others build indexes by the one before. */
static void
check_committed(const Retirement *retirement)
{
	StewardWrappedRow row;

	if (steward_key_table_secret(STEWARD_WRAP_INDEX_SECRET, retirement->holder_id,
								 retirement->newest, &row) && row.own)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the newest index secret of key \"%s\" is not committed yet",
						retirement->path),
				 errdetail("Until then others build indexes by the one before."),
				 errhint("Commit, and call the function then.")));
}

static int32
drop_unused(const Retirement *retirement)
{
	StewardWrappedRow row;
	int32		dropped = 0;

	for (int32 generation = 1; generation < retirement->newest; generation++)
	{
		CHECK_FOR_INTERRUPTS();
		if (list_member_int(retirement->used, generation) ||
			!steward_key_table_secret(STEWARD_WRAP_INDEX_SECRET, retirement->holder_id,
									  generation, &row))
			continue;
		steward_index_secret_drop(retirement->holder_id, generation);
		CommandCounterIncrement();
		dropped++;
	}
	return dropped;
}

STEWARD_FUNCTION(steward_retire_index_secrets)
{
	Retirement	retirement = {0};

	retirement.path = steward_name_argument(fcinfo, "steward.retire_index_secrets()", "key");
	retirement.holder_id = steward_key_find_holder(retirement.path, "index secret");
	retirement.newest = steward_index_secret_newest(retirement.holder_id);
	check_committed(&retirement);
	steward_quiesce_lock(false);
	steward_quiesce();
	tell_indexes(note_use, &retirement);
	if (retirement.unknown != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("index %s cannot be looked at", retirement.unknown),
				 errdetail("It is on a temporary table of another session."),
				 errhint("A temporary table goes with its session.")));
	PG_RETURN_INT32(drop_unused(&retirement));
}

/*
 * progress.c: how far spool files were imported; see progress.h.
 *
 * A row is needed until its file cannot come back: removed, and the removal on disk.
 * Only the server that has the file knows that, and a row is replicated to others:
 * so each data directory has a number of its own, which base backups leave out.
 */
#include "base/compat.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/progress.h"
#include "access/relation.h"
#include "access/spool.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "catalog/indexing.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#define NODE_FILE STEWARD_SPOOL_DIRECTORY "/" STEWARD_SPOOL_PREFIX "node"
#define NODE_BYTES 16

/* Columns of the table, counted from 0. */
enum
{
	PROGRESS_FILE,
	PROGRESS_NODE,
	PROGRESS_POSITION,
	PROGRESS_COMPLETE,
	PROGRESS_IMPORTED_AT,
	PROGRESS_NATTS
};

static StewardRelationRef progress_table = {"access_spool"};
static StewardRelationRef progress_key = {"access_spool_pkey"};

bool
steward_progress_lock(bool wait)
{
	Oid			table = steward_relation_oid(&progress_table);

	if (!wait)
		return ConditionalLockRelationOid(table, ShareRowExclusiveLock);
	LockRelationOid(table, ShareRowExclusiveLock);
	return true;
}

/* ---- the data directory's number ---- */

static bool
read_node(char *hex)
{
	int			fd = OpenTransientFile(NODE_FILE, O_RDONLY | PG_BINARY);
	bool		whole;

	if (fd < 0)
		return false;
	whole = read(fd, hex, NODE_BYTES * 2) == NODE_BYTES * 2;
	CloseTransientFile(fd);
	hex[NODE_BYTES * 2] = '\0';
	return whole && strspn(hex, "0123456789abcdef") == NODE_BYTES * 2;
}

/* Under the lock: nobody else makes one. */
static void
make_node(char *hex)
{
	unsigned char bytes[NODE_BYTES];
	int			fd;

	if (!pg_strong_random(bytes, sizeof bytes))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	hex_encode((const char *) bytes, sizeof bytes, hex);
	hex[NODE_BYTES * 2] = '\0';
	fd = OpenTransientFilePerm(NODE_FILE, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY, 0600);
	if (fd < 0 || write(fd, hex, NODE_BYTES * 2) != NODE_BYTES * 2 ||
		pg_fsync(fd) != 0 || CloseTransientFile(fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", NODE_FILE)));
	fsync_fname(STEWARD_SPOOL_DIRECTORY, true);
}

static text *
this_node(void)
{
	char		hex[NODE_BYTES * 2 + 1];

	if (!read_node(hex))
		make_node(hex);
	return cstring_to_text(hex);
}

/* ---- rows ---- */

static HeapTuple
find_row(Relation table, const char *file)
{
	return steward_row_by_text(table, &progress_key, PROGRESS_FILE + 1, file);
}

uint64
steward_progress_get(const char *file, bool *complete)
{
	Relation	table = steward_relation_open(&progress_table, AccessShareLock);
	HeapTuple	tuple = find_row(table, file);
	Datum		values[PROGRESS_NATTS];
	bool		nulls[PROGRESS_NATTS];
	uint64		position = 0;

	*complete = false;
	if (HeapTupleIsValid(tuple))
	{
		heap_deform_tuple(tuple, RelationGetDescr(table), values, nulls);
		position = (uint64) DatumGetInt64(values[PROGRESS_POSITION]);
		*complete = DatumGetBool(values[PROGRESS_COMPLETE]);
	}
	relation_close(table, NoLock);
	return position;
}

void
steward_progress_put(const char *file, uint64 position, bool complete)
{
	Relation	table = steward_relation_open(&progress_table, RowExclusiveLock);
	HeapTuple	old = find_row(table, file);
	HeapTuple	made;
	Datum		values[PROGRESS_NATTS];
	bool		nulls[PROGRESS_NATTS] = {false};

	values[PROGRESS_FILE] = CStringGetTextDatum(file);
	values[PROGRESS_NODE] = PointerGetDatum(this_node());
	values[PROGRESS_POSITION] = Int64GetDatum((int64) position);
	values[PROGRESS_COMPLETE] = BoolGetDatum(complete);
	values[PROGRESS_IMPORTED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	made = heap_form_tuple(RelationGetDescr(table), values, nulls);
	if (HeapTupleIsValid(old))
		CatalogTupleUpdate(table, &old->t_self, made);
	else
		CatalogTupleInsert(table, made);
	relation_close(table, NoLock);
	CommandCounterIncrement();
}

static bool
is_among(List *names, const char *name)
{
	int			low = 0;
	int			high = list_length(names);

	while (low < high)
	{
		int			middle = (low + high) / 2;
		int			order = strcmp(list_nth(names, middle), name);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* The rows of files that are gone. */
static List *
find_gone(Relation table, List *names, const char *node)
{
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	List	   *gone = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		values[PROGRESS_NATTS];
		bool		nulls[PROGRESS_NATTS];

		heap_deform_tuple(tuple, RelationGetDescr(table), values, nulls);
		if (strcmp(TextDatumGetCString(values[PROGRESS_NODE]), node) == 0 &&
			!is_among(names, TextDatumGetCString(values[PROGRESS_FILE])))
			gone = lappend(gone, heap_copytuple(tuple));
	}
	systable_endscan(scan);
	return gone;
}

void
steward_progress_sweep(List *names)
{
	Relation	table = steward_relation_open(&progress_table, RowExclusiveLock);
	char		node[NODE_BYTES * 2 + 1];
	List	   *gone = read_node(node) ? find_gone(table, names, node) : NIL;
	ListCell   *cell;

	if (gone != NIL)
		fsync_fname(psprintf("%s/%u", STEWARD_SPOOL_DIRECTORY, MyDatabaseId), true);
	foreach(cell, gone)
		CatalogTupleDelete(table, &((HeapTuple) lfirst(cell))->t_self);
	relation_close(table, NoLock);
	if (gone != NIL)
		CommandCounterIncrement();
}

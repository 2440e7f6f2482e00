/*
 * segment.c: the segments of the audit log; see segment.h.
 *
 * No segment is a member of the extension: all of them, also those created
 * later, come back from a dump by their own CREATE TABLE and ATTACH PARTITION.
 * That is why the first one is created by the first enable_audit and not by the
 * extension's script, whose segment would be there before the dumped one. How others
 * come and go is in segment_switch.c and segment_drop.c.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "audit/incarnation.h"
#include "audit/segment.h"
#include "base/catalog.h"
#include "base/relation_change.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "storage/sinval.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

enum
{
	SEGMENT_NUMBER,
	SEGMENT_NAME,
	SEGMENT_OPENED_AT,
	SEGMENT_NATTS
};

static StewardRelationRef log_table = {"audit_log"};
static StewardRelationRef segment_table = {"audit_segment"};
static StewardRelationRef segment_key = {"audit_segment_pkey"};

static StewardSegment current = {InvalidOid, 0};
static Oid	current_home = InvalidOid;	/* the audit_segment it was read from */
static uint64 changes = 0;		/* of relations, that we heard of */

static void
on_relation_change(Datum arg, Oid relid)
{
	changes++;
	if (!OidIsValid(relid) || relid == current.relid || relid == current_home)
		current.relid = InvalidOid;
}

void
steward_segment_init(void)
{
	steward_on_relation_change(on_relation_change, (Datum) 0);
}

int32
steward_segment_newest(char **name)
{
	Relation	table = steward_relation_open(&segment_table, AccessShareLock);
	Relation	index = steward_relation_open(&segment_key, AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(table, index, SnapshotSelf, 0,
												  NULL);
	HeapTuple	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	int32		number = 0;
	bool		isnull;

	if (HeapTupleIsValid(tuple))
	{
		TupleDesc	desc = RelationGetDescr(table);

		number = DatumGetInt32(heap_getattr(tuple, SEGMENT_NUMBER + 1, desc,
											&isnull));
		*name = TextDatumGetCString(heap_getattr(tuple, SEGMENT_NAME + 1, desc,
												 &isnull));
	}
	systable_endscan_ordered(scan);
	relation_close(index, AccessShareLock);
	relation_close(table, AccessShareLock);
	return number;
}

bool
steward_segment_exists(void)
{
	char	   *name;

	return steward_segment_newest(&name) != 0;
}

Oid
steward_segment_relation(const char *name)
{
	return get_relname_relid(name, get_namespace_oid(STEWARD_SCHEMA, false));
}

Oid
steward_segment_home(void)
{
	return steward_relation_lookup(&segment_table);
}

void
steward_segment_look_again(void)
{
	SharedInvalidationMessage message = {0};

	message.rc.id = SHAREDINVALRELCACHE_ID;
	message.rc.dbId = MyDatabaseId;
	message.rc.relId = steward_relation_lookup(&log_table);
	if (OidIsValid(message.rc.relId))
		LocalExecuteInvalidationMessage(&message);
}

static void
refuse_missing(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the audit log has no segment to write to"),
			 errhint("In a restore, restore the tables of schema \"steward\" first; otherwise call steward.enable_audit() for the table again.")));
}

StewardSegment
steward_segment_current(void)
{
	Oid			home = steward_relation_oid(&segment_table);
	StewardSegment found = {InvalidOid, 0};
	uint64		before = changes;
	char	   *name;

	if (OidIsValid(current.relid) && current_home == home)
		return current;
	found.number = steward_segment_newest(&name);
	if (found.number != 0)
		found.relid = steward_segment_relation(name);
	if (!OidIsValid(found.relid))
		refuse_missing();
	/* Another may have come between the reading and the look-up of its table. */
	if (changes == before)
	{
		current_home = home;
		current = found;
	}
	return found;
}

void
steward_segment_ensure(void)
{
	Relation	table = steward_relation_open(&segment_table,
											  ShareRowExclusiveLock);

	/* The lock is kept: one transaction creates, the others wait for it. */
	relation_close(table, NoLock);
	if (steward_segment_exists())
		return;
	steward_segment_create(1);
	(void) steward_incarnation_current();
}

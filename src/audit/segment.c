/*
 * segment.c: the segments of the audit log; see segment.h.
 *
 * No segment is a member of the extension: all of them, also those created
 * later, come back from a dump by their own CREATE TABLE and ATTACH PARTITION.
 * That is why the first one is created by the first enable_audit and not by the
 * extension's script, whose segment would claim the range of the dumped ones.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "audit/segment.h"
#include "base/catalog.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
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

static StewardRelationRef segment_table = {"audit_segment"};
static StewardRelationRef segment_key = {"audit_segment_pkey"};

static StewardSegment current = {InvalidOid, 0};
static Oid	current_home = InvalidOid;	/* the audit_segment it was read from */

static void
on_relation_change(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == current.relid || relid == current_home)
		current.relid = InvalidOid;
}

void
steward_segment_init(void)
{
	CacheRegisterRelcacheCallback(on_relation_change, (Datum) 0);
}

/* Number and name of the newest segment; 0 when there is none. */
static int32
newest(char **name)
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

	return newest(&name) != 0;
}

Oid
steward_segment_home(void)
{
	return steward_relation_lookup(&segment_table);
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
	char	   *name;

	if (OidIsValid(current.relid) && current_home == home)
		return current;
	found.number = newest(&name);
	if (found.number != 0)
		found.relid = get_relname_relid(name,
										get_namespace_oid(STEWARD_SCHEMA, false));
	if (!OidIsValid(found.relid))
		refuse_missing();
	current_home = home;
	current = found;
	return found;
}

static void
run(const char *command)
{
	if (SPI_execute(command, false, 0) < 0)
		elog(ERROR, "SPI_execute failed: %s", command);
}

static void
create_first(void)
{
	StewardIdentity saved;

	steward_become_owner(&saved);
	SPI_connect();
	run("CREATE TABLE steward.audit_log_1 PARTITION OF steward.audit_log"
		" FOR VALUES IN (1) USING heap");
	run("COMMENT ON TABLE steward.audit_log_1 IS 'a segment of the audit log'");
	run("REVOKE ALL ON steward.audit_log_1 FROM PUBLIC");
	run("CREATE INDEX audit_log_1_xid_idx ON steward.audit_log_1 USING btree (xid, first_seq)");
	run("CREATE INDEX audit_log_1_written_at_idx ON steward.audit_log_1 USING brin (written_at)");
	run("SELECT steward.audit_protect('steward.audit_log_1')");
	run("INSERT INTO steward.audit_segment (number, name, opened_at)"
		" VALUES (1, 'audit_log_1', pg_catalog.clock_timestamp())");
	SPI_finish();
	steward_become_caller(&saved);
	CommandCounterIncrement();
}

void
steward_segment_ensure(void)
{
	Relation	table = steward_relation_open(&segment_table,
											  ShareRowExclusiveLock);

	/* The lock is kept: one transaction creates, the others wait for it. */
	relation_close(table, NoLock);
	if (!steward_segment_exists())
		create_first();
}

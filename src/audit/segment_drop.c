/*
 * segment_drop.c: dropping a segment, and refusing to; see segment.h.
 */
#include "base/compat.h"

#include "audit/segment.h"
#include "base/catalog.h"
#include "base/slices.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"

static StewardRelationRef log_table = {"audit_log"};

/* The segment that steward_segment_drop drops now. */
static Oid	dropping = InvalidOid;

static bool
is_closed(int32 number)
{
	StewardIdentity saved;
	bool		closed;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute(psprintf("SELECT FROM steward.audit_segment_closed AS c"
							 " WHERE c.number OPERATOR(pg_catalog.=) %d", number),
					false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit_segment_closed");
	closed = SPI_processed > 0;
	SPI_finish();
	steward_become_caller(&saved);
	return closed;
}

/* In the order of DROP TABLE: the partition, found by name, after its parent. */
static void
lock_to_drop(void *arg)
{
	LockRelationOid(steward_relation_oid(&log_table), AccessExclusiveLock);
	LockRelationOid(*(Oid *) arg, AccessExclusiveLock);
}

static void
drop(Oid relation, const char *name)
{
	StewardIdentity saved;

	steward_become_owner(&saved);
	SPI_connect();
	dropping = relation;
	PG_TRY();
	{
		if (SPI_execute(psprintf("DROP TABLE steward.%s", name), false, 0) < 0)
			elog(ERROR, "could not drop a segment");
	}
	PG_FINALLY();
	{
		dropping = InvalidOid;
	}
	PG_END_TRY();
	SPI_finish();
	steward_become_caller(&saved);
}

bool
steward_segment_drop(int32 number, double patience)
{
	char	   *name = psprintf("audit_log_%d", number);
	Oid			relation = steward_segment_relation(name);

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the audit log has no segment %d", number)));
	if (!is_closed(number))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("segment %d of the audit log is not closed", number),
				 errhint("CALL steward.switch_segment() first.")));
	if (!steward_in_slices(lock_to_drop, &relation, patience))
		return false;
	drop(relation, name);
	return true;
}

/*
 * Segments are no members of the extension, for the sake of dumps, so nothing in
 * PostgreSQL keeps their owner from dropping one. DROP EXTENSION drops this trigger
 * along with them.
 */
STEWARD_FUNCTION(steward_audit_segment_guard)
{
	Oid			types[] = {OIDOID};
	Datum		values[] = {ObjectIdGetDatum(dropping)};
	StewardIdentity saved;
	char	   *name = NULL;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called as an event trigger",
						"audit_segment_guard")));
	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args("SELECT s.name FROM pg_catalog.pg_event_trigger_dropped_objects() AS o"
							  " JOIN steward.audit_segment AS s ON s.name OPERATOR(pg_catalog.=) o.object_name"
							  " WHERE o.object_type OPERATOR(pg_catalog.=) 'table'"
							  " AND o.schema_name OPERATOR(pg_catalog.=) 'steward'"
							  " AND o.objid OPERATOR(pg_catalog.<>) $1",
							  1, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not list dropped objects");
	if (SPI_processed > 0)
		name = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot drop \"%s\": it is a segment of the audit log", name),
				 errhint("DROP EXTENSION pg_steward CASCADE drops the log as a whole.")));
	SPI_finish();
	steward_become_caller(&saved);
	PG_RETURN_NULL();
}

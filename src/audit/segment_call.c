/*
 * segment_call.c: steward.switch_segment, which does in a session what the worker
 * does in the background.
 */
#include "base/compat.h"

#include "audit/segment.h"
#include "base/argument.h"
#include "base/duty.h"
#include "base/procedure.h"
#include "base/slices.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "access/relation.h"

typedef struct Call
{
	double		patience;
	int64		newest;
	int64		unclosed;
} Call;

static void
commit(void)
{
	SPI_commit();
	steward_begin_read_committed(false);
}

static bool
is_empty(const char *name)
{
	Oid			relid = steward_segment_relation(name);
	Relation	rel = relation_open(relid, AccessShareLock);
	bool		empty = RelationGetNumberOfBlocks(rel) == 0;

	relation_close(rel, NoLock);
	return empty;
}

static void
switch_newest(Call *call)
{
	char	   *name;
	int32		newest = steward_segment_newest(&name);

	if (newest == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database has no audit log"),
				 errhint("It begins with the first call of steward.enable_audit().")));
	if (is_empty(name))
		ereport(NOTICE,
				(errmsg("segment %d of the audit log is empty and goes on", newest)));
	else
		(void) steward_segment_switch(newest);
	call->newest = steward_segment_newest(&name);
}

static void
close_old(Call *call)
{
	int32		number = 0;

	while ((number = steward_segment_unclosed(number)) != 0)
	{
		if (!steward_segment_close(number, call->patience))
		{
			call->unclosed++;
			ereport(NOTICE,
					(errmsg("segment %d of the audit log is not closed yet: a transaction that wrote it has not ended",
							number),
					 errhint("The worker or another call of steward.switch_segment() closes it.")));
		}
		commit();
	}
	(void) steward_segment_renew(call->patience);
	if (call->unclosed > 0)
		steward_duty_due_lengthy(MyDatabaseId);
}

STEWARD_FUNCTION(steward_switch_segment)
{
	static const char *const names[] = {"segment", "unclosed"};
	Call		call = {0};
	int64		results[2];

	call.patience = steward_patience_argument(fcinfo, 0, "patience");
	steward_call_must_commit(fcinfo, "switch_segment",
							 "Writers go on to the new segment when it is committed, before the old one is closed.");
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	commit();
	switch_newest(&call);
	commit();
	close_old(&call);
	SPI_finish();
	results[0] = call.newest;
	results[1] = call.unclosed;
	PG_RETURN_DATUM(steward_bigint_row(2, names, results));
}

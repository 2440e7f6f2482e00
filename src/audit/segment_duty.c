/*
 * segment_duty.c: switching segments in the background, by size and age.
 *
 * A segment that nobody wrote to is not followed by another, however old.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "audit/segment.h"
#include "base/catalog.h"
#include "base/duty.h"
#include "base/guc.h"
#include "executor/spi.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* How often sizes are looked at while somebody writes, and closing is tried. */
#define CHECK_MILLISECONDS 2000

/* How long writers may be waited for; they do not wait for us. */
#define PATIENCE_MILLISECONDS 1000.0

static TimestampTz checked_at = 0;
static TimestampTz too_old_at = 0;	/* the newest segment; 0: it is empty */
static bool left_open = false;	/* a segment could not be closed */

static TimestampTz
read_opened_at(int32 number)
{
	StewardIdentity saved;
	bool		isnull = true;
	Datum		opened_at = (Datum) 0;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute(psprintf("SELECT s.opened_at FROM steward.audit_segment AS s"
							 " WHERE s.number OPERATOR(pg_catalog.=) %d", number),
					true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit_segment");
	if (SPI_processed > 0)
		opened_at = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
								  &isnull);
	SPI_finish();
	steward_become_caller(&saved);
	return isnull ? 0 : DatumGetTimestampTz(opened_at);
}

/* Bytes of a segment without its indexes; 0 when nothing was written to it. */
static int64
segment_size(const char *name)
{
	Oid			relid = steward_segment_relation(name);
	Relation	rel;
	int64		size = 0;

	if (!OidIsValid(relid))
		return 0;
	rel = relation_open(relid, AccessShareLock);
	if (RelationGetNumberOfBlocks(rel) > 0)
		size = DatumGetInt64(DirectFunctionCall1(pg_table_size,
												 ObjectIdGetDatum(relid)));
	relation_close(rel, NoLock);
	return size;
}

static bool
is_too_old(void)
{
	return too_old_at != 0 && too_old_at <= GetCurrentTimestamp();
}

static void
switch_if_needed(void)
{
	char	   *name;
	int32		number = steward_segment_newest(&name);
	int64		size = number != 0 ? segment_size(name) : 0;

	too_old_at = 0;
	if (size > 0 && steward_audit_segment_age > 0)
		too_old_at = read_opened_at(number) + steward_audit_segment_age * USECS_PER_SEC;
	if (size < (int64) steward_audit_segment_size * 1024 && !is_too_old())
		return;
	(void) steward_segment_switch(number);
	too_old_at = 0;
}

/* Closes one segment after this one; its number, or 0 when there is none. */
static int32
close_next(int32 after)
{
	int32		number;

	if (!steward_duty_begin())
		return 0;
	number = steward_segment_unclosed(after);
	if (number != 0 && !steward_segment_close(number, PATIENCE_MILLISECONDS))
		left_open = true;
	steward_duty_commit();
	return number;
}

static void
run(void)
{
	int32		number = 0;

	checked_at = GetCurrentTimestamp();
	left_open = false;
	if (!steward_duty_begin())
		return;
	switch_if_needed();
	steward_duty_commit();
	while ((number = close_next(number)) != 0)
	{
		if (!steward_duty_must_leave())
			continue;
		left_open = true;
		return;
	}
	if (!steward_duty_begin())
		return;
	left_open |= !steward_segment_renew(PATIENCE_MILLISECONDS);
	steward_duty_commit();
}

static long
nap(bool due)
{
	TimestampTz next = too_old_at;
	TimestampTz check = checked_at + CHECK_MILLISECONDS * INT64CONST(1000);

	if ((due || left_open) && (next == 0 || check < next))
		next = check;
	return next == 0 ? -1 : TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next);
}

static const StewardDuty duty = {"segments of the audit log", run, nap};

void
steward_segment_duty_init(void)
{
	steward_duty_register(&duty);
}

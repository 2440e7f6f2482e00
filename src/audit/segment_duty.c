/*
 * segment_duty.c: switching segments in the background, by size and age.
 *
 * A segment that nobody wrote to is not followed by another, however old. Closing is
 * a duty of its own, since making an index may take minutes.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "audit/segment.h"
#include "base/catalog.h"
#include "base/duty.h"
#include "base/guc.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* How often sizes are looked at while somebody writes. */
#define CHECK_MILLISECONDS 2000

/* Closing is tried as often first, and then less: somebody forgot a transaction. */
#define CLOSE_MOST_MILLISECONDS 60000

/* How long writers may be waited for; they do not wait for us. */
#define PATIENCE_MILLISECONDS 1000.0

static TimestampTz checked_at = 0;
static TimestampTz too_old_at = 0;	/* the newest segment; 0: it is empty */

/* In another process. */
static TimestampTz closed_at = 0;
static bool left_open = false;	/* a segment could not be closed */
static int	tries = 0;			/* in a row */

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

static bool
switch_if_needed(void)
{
	bool		switched;

	char	   *name;
	int32		number = steward_segment_newest(&name);
	int64		size = number != 0 ? segment_size(name) : 0;

	too_old_at = 0;
	if (size > 0 && steward_audit_segment_age > 0)
		too_old_at = read_opened_at(number) + steward_audit_segment_age * USECS_PER_SEC;
	if (size < (int64) steward_audit_segment_size * 1024 && !is_too_old())
		return false;
	switched = steward_segment_switch(number);
	too_old_at = 0;
	return switched;
}

/* Looks once a visit whether anything was left to be closed or made anew. */
static bool
find_left_over(void)
{
	static bool looked = false;
	bool		found = !looked &&
		(steward_segment_unclosed(0) != 0 || steward_segment_outdated(0) != 0);

	looked = true;
	return found;
}

static void
run_switch(void)
{
	bool		close;

	checked_at = GetCurrentTimestamp();
	if (!steward_duty_begin())
		return;
	close = switch_if_needed();
	close |= find_left_over();
	steward_duty_commit();
	if (close)
		steward_duty_due_lengthy(MyDatabaseId);
}

static long
nap_switch(bool due)
{
	TimestampTz next = too_old_at;
	TimestampTz check = checked_at + CHECK_MILLISECONDS * INT64CONST(1000);

	if (due && (next == 0 || check < next))
		next = check;
	return next == 0 ? -1 : TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next);
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
run_close(void)
{
	int32		number = 0;

	closed_at = GetCurrentTimestamp();
	tries = left_open ? tries + 1 : 0;
	left_open = false;
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
nap_close(bool due)
{
	int64		wait = Min(CHECK_MILLISECONDS << Min(tries, 10), CLOSE_MOST_MILLISECONDS);

	if (due)
		return 0;
	if (!left_open)
		return -1;
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
										   closed_at + wait * 1000);
}

static const StewardDuty switch_duty = {
	"segments of the audit log", false, run_switch, nap_switch
};
static const StewardDuty close_duty = {
	"closing segments of the audit log", true, run_close, nap_close
};

void
steward_segment_duty_init(void)
{
	steward_duty_register(&switch_duty);
	steward_duty_register(&close_duty);
}

/*
 * import_duty.c: the import of reads in the background.
 *
 * Whoever writes an end of a read says that there is something to do; so does a
 * session that leaves, whose file can then go.
 */
#include "base/compat.h"

#include "access/import.h"
#include "base/duty.h"
#include "utils/timestamp.h"

/* Records of one transaction, and the time between two looks. */
#define BATCH_RECORDS 10000
#define INTERVAL_MILLISECONDS 1000

static bool more = false;
static TimestampTz imported_at = 0;

static void
run(void)
{
	imported_at = GetCurrentTimestamp();
	do
	{
		if (!steward_duty_begin())
			return;
		more = steward_access_import(BATCH_RECORDS, false) >= BATCH_RECORDS;
		steward_duty_commit();
	} while (more && !steward_duty_must_leave());
}

static long
nap(bool due)
{
	TimestampTz next = imported_at + INTERVAL_MILLISECONDS * INT64CONST(1000);

	if (more)
		return 0;
	return due ? TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next) : -1;
}

static const StewardDuty duty = {
	.name = "import of recorded reads", .run = run, .nap = nap
};

void
steward_access_import_duty_init(void)
{
	steward_duty_register(&duty);
}

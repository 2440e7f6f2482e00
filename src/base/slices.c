/*
 * slices.c: taking locks that others queue behind, a short while at a time; see
 * slices.h.
 */
#include "base/slices.h"

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/argument.h"
#include "base/procedure.h"

/* How long others may have to wait behind us for one lock, in one try. */
#define LOCK_MILLISECONDS "300ms"
#define PAUSE_MILLISECONDS 200

double
steward_patience_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	const Interval *patience;
	double		milliseconds;

	steward_require_argument(fcinfo, number, name);
	patience = PG_GETARG_INTERVAL_P(number);
	milliseconds = patience->time / 1000.0 + patience->day * 86400000.0 +
		patience->month * 30.0 * 86400000.0;
	if (milliseconds < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be negative", name)));
	return milliseconds;
}

typedef struct Slice
{
	void		(*part) (void *arg);
	void	   *arg;
} Slice;

/* The setting goes with this level, or with the subtransaction. */
static void
run_slice(void *arg)
{
	Slice	   *slice = arg;
	int			level = NewGUCNestLevel();

	(void) set_config_option("lock_timeout", LOCK_MILLISECONDS, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	slice->part(slice->arg);
	AtEOXact_GUC(true, level);
}

static void
pause_slices(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 PAUSE_MILLISECONDS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

bool
steward_in_slices(void (*part) (void *arg), void *arg, double patience)
{
	Slice		slice = {part, arg};
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "locks in slices",
												  ALLOCSET_SMALL_SIZES);
	bool		done = false;

	for (;;)
	{
		instr_time	start;
		instr_time	elapsed;
		ErrorData  *error;

		CHECK_FOR_INTERRUPTS();
		INSTR_TIME_SET_CURRENT(start);
		error = steward_attempt(run_slice, &slice, scratch);
		done = error == NULL;
		if (done)
			break;
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
			error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
			ReThrowError(error);
		FreeErrorData(error);
		INSTR_TIME_SET_CURRENT(elapsed);
		INSTR_TIME_SUBTRACT(elapsed, start);
		patience -= INSTR_TIME_GET_MILLISEC(elapsed) + PAUSE_MILLISECONDS;
		if (patience < 0)
			break;
		pause_slices();
	}
	MemoryContextDelete(scratch);
	return done;
}

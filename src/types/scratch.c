/*
 * scratch.c: memory that is overwritten when it is freed; see scratch.h.
 *
 * PostgreSQL's contexts hand their blocks back to malloc as they are. The GNU C
 * library fills what is freed while M_PERTURB is set, but for small pieces, so
 * the blocks of this context are larger. A context with a minimum size of its own
 * is not kept for reuse.
 */
#include "types/scratch.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "utils/memutils.h"

#define FIRST_BYTES (16 * 1024)
#define LAST_BYTES (8 * 1024 * 1024)

static MemoryContext scratch = NULL;
static int	depth = 0;

static int	wiping = 0;

/* What is freed between the two is overwritten. */
static void
wipe_freed(bool on)
{
	wiping += on ? 1 : -1;
#ifdef __GLIBC__
	(void) mallopt(M_PERTURB, wiping > 0 ? 0x5a : 0);
#endif
}

MemoryContext
steward_scratch_begin(void)
{
	if (scratch == NULL)
	{
		scratch = AllocSetContextCreate(TopMemoryContext, "pg_steward scratch",
										FIRST_BYTES, FIRST_BYTES, LAST_BYTES);

		/* Large pieces are given back by pfree at once. */
		wipe_freed(true);
	}
	depth++;
	return MemoryContextSwitchTo(scratch);
}

void
steward_scratch_discard(void)
{
	MemoryContext context = scratch;

	depth = 0;
	scratch = NULL;
	if (context == NULL)
		return;
	MemoryContextDelete(context);
	wipe_freed(false);
}

void
steward_scratch_end(MemoryContext old)
{
	MemoryContextSwitchTo(old);
	if (--depth == 0)
		steward_scratch_discard();
}

MemoryContext
steward_work_begin(MemoryContext *old)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext,
											   "pg_steward work", FIRST_BYTES,
											   FIRST_BYTES, LAST_BYTES);

	*old = MemoryContextSwitchTo(work);
	wipe_freed(true);
	return work;
}

void
steward_work_end(MemoryContext work, MemoryContext old)
{
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	wipe_freed(false);
}

void
steward_work_per_tuple(ExprContext *context)
{
	MemoryContext usual = context->ecxt_per_tuple_memory;

	context->ecxt_per_tuple_memory =
		AllocSetContextCreate(MemoryContextGetParent(usual), "pg_steward row",
							  FIRST_BYTES, FIRST_BYTES, LAST_BYTES);
	MemoryContextDelete(usual);
}

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

static void
perturb(int byte)
{
#ifdef __GLIBC__
	(void) mallopt(M_PERTURB, byte);
#endif
}

MemoryContext
steward_scratch_begin(void)
{
	if (scratch == NULL)
		scratch = AllocSetContextCreate(TopMemoryContext, "pg_steward scratch",
										FIRST_BYTES, FIRST_BYTES, LAST_BYTES);
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
	perturb(0x5a);
	MemoryContextDelete(context);
	perturb(0);
}

void
steward_scratch_end(MemoryContext old)
{
	MemoryContextSwitchTo(old);
	if (--depth == 0)
		steward_scratch_discard();
}

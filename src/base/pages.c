/*
 * pages.c: memory of its own pages; see pages.h.
 */
#include "base/pages.h"

#include <sodium.h>
#include <sys/mman.h>

void *
steward_pages_make(size_t size)
{
	void	   *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
							  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
#ifdef MADV_DONTDUMP
	(void) madvise(memory, size, MADV_DONTDUMP);
#endif
	return memory;
}

void
steward_pages_free(void *memory, size_t size)
{
	if (memory == NULL)
		return;
	sodium_memzero(memory, size);
	(void) munmap(memory, size);
}

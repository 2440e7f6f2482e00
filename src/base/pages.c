/*
 * pages.c: memory of its own pages; see pages.h.
 */
#include "base/pages.h"

#include <sodium.h>
#include <sys/mman.h>
#include <unistd.h>

/* Bytes of the whole mapping: the pages, and one without access on each side. */
static size_t
mapping_size(size_t size, size_t page)
{
	return TYPEALIGN(page, size) + 2 * page;
}

void *
steward_pages_make(size_t size)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	char	   *mapping = mmap(NULL, mapping_size(size, page), PROT_NONE,
							   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mapping == MAP_FAILED)
		return NULL;
	if (mprotect(mapping + page, size, PROT_READ | PROT_WRITE) != 0)
	{
		int			save_errno = errno;

		(void) munmap(mapping, mapping_size(size, page));
		errno = save_errno;
		return NULL;
	}
#ifdef MADV_DONTDUMP
	(void) madvise(mapping + page, size, MADV_DONTDUMP);
#endif
	return mapping + page;
}

void
steward_pages_free(void *memory, size_t size)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);

	if (memory == NULL)
		return;
	sodium_memzero(memory, size);
	(void) munmap((char *) memory - page, mapping_size(size, page));
}

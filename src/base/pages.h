/*
 * pages.h: memory of its own pages, for what must not outlive its use.
 */
#ifndef STEWARD_BASE_PAGES_H
#define STEWARD_BASE_PAGES_H

#include "base/compat.h"

/*
 * Zeroed pages outside of all memory contexts, left out of core dumps, with a page
 * on each side that cannot be touched, so that no neighbour runs over into them; not
 * locked. NULL, with errno, when there is no memory.
 */
extern void *steward_pages_make(size_t size);

/* Zeroes the pages and gives them back. NULL is no error. */
extern void steward_pages_free(void *memory, size_t size);

#endif							/* STEWARD_BASE_PAGES_H */

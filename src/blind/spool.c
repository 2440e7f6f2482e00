/*
 * spool.c: the entries of an index that is built, sorted; see spool.h.
 *
 * Rows that a unique index must not find twice are sorted by themselves: two of them with
 * the same tag come one after the other. The others are merged in between.
 */
#include "blind/spool.h"

#include "blind/unique.h"
#include "miscadmin.h"

void
steward_blind_spool_begin(StewardBlindSpool *spool, Relation heap, Relation index,
						  int tag_bits, int work_kb)
{
	memset(spool, 0, sizeof *spool);
	spool->heap = heap;
	spool->index = index;
	spool->unique = index->rd_index->indisunique;
	spool->sort = steward_blind_sort_begin(tag_bits, work_kb);
	if (spool->unique)
		spool->exempt = steward_blind_sort_begin(tag_bits, work_mem);
}

void
steward_blind_spool_add(StewardBlindSpool *spool, StewardBlindTag tag, uint64 tid,
						bool bound)
{
	steward_blind_sort_add(spool->unique && !bound ? spool->exempt : spool->sort, tag, tid);
}

/* The next of the rows that must differ. */
static void
advance(StewardBlindSpool *spool)
{
	StewardBlindEntry last = spool->next;
	bool		had_one = spool->has_next;

	spool->has_next = steward_blind_sort_next(spool->sort, &spool->next);
	if (had_one && spool->has_next && spool->next.tag == last.tag)
		steward_blind_raise_duplicates(spool->index, spool->heap, last.tid,
									   spool->next.tid);
}

static void
advance_exempt(StewardBlindSpool *spool)
{
	spool->has_exempt = steward_blind_sort_next(spool->exempt, &spool->next_exempt);
}

void
steward_blind_spool_perform(StewardBlindSpool *spool)
{
	steward_blind_sort_perform(spool->sort);
	if (!spool->unique)
		return;
	steward_blind_sort_perform(spool->exempt);
	advance(spool);
	advance_exempt(spool);
}

/* Which of the two comes next? Less than 0: the one that must differ. */
static int
compare_next(const StewardBlindSpool *spool)
{
	if (!spool->has_next || !spool->has_exempt)
		return spool->has_next ? -1 : 1;
	return steward_blind_compare(spool->next.tag, spool->next.tid,
								 spool->next_exempt.tag, spool->next_exempt.tid);
}

bool
steward_blind_spool_next(StewardBlindSpool *spool, StewardBlindEntry *entry)
{
	int			order;

	if (!spool->unique)
		return steward_blind_sort_next(spool->sort, entry);
	if (!spool->has_next && !spool->has_exempt)
		return false;
	order = compare_next(spool);
	*entry = order <= 0 ? spool->next : spool->next_exempt;
	if (order <= 0)
		advance(spool);
	if (order >= 0)
		advance_exempt(spool);
	return true;
}

uint64
steward_blind_spool_count(const StewardBlindSpool *spool)
{
	return steward_blind_sort_count(spool->sort) +
		(spool->unique ? steward_blind_sort_count(spool->exempt) : 0);
}

void
steward_blind_spool_end(StewardBlindSpool *spool)
{
	steward_blind_sort_end(spool->sort);
	if (spool->unique)
		steward_blind_sort_end(spool->exempt);
}

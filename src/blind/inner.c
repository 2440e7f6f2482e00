/*
 * inner.c: separators and children of an inner page; see page.h.
 */
#include "blind/page.h"

#define INNER(page) ((StewardBlindInner *) PageGetContents(page))
#define SEPARATORS_BEGIN (MAXALIGN(SizeOfPageHeaderData) + offsetof(StewardBlindInner, separators))

/* Bytes of a separator, and of it and its child. */
static int
separator_bytes(Page page)
{
	return STEWARD_BLIND_SPECIAL(page)->tag_bytes +
		(INNER(page)->wide ? STEWARD_BLIND_TID_BYTES : 0);
}

#define CHILD_BYTES(page) (separator_bytes(page) + sizeof(BlockNumber))

bool
steward_blind_inner_is_sound(Page page)
{
	return INNER(page)->wide <= 1 && INNER(page)->count > 0 &&
		((PageHeader) page)->pd_lower == SEPARATORS_BEGIN +
		INNER(page)->count * CHILD_BYTES(page);
}

static unsigned char *
separator_at(Page page, int i)
{
	return INNER(page)->separators + i * separator_bytes(page);
}

static unsigned char *
block_at(Page page, int i)
{
	return separator_at(page, INNER(page)->count) + i * sizeof(BlockNumber);
}

int
steward_blind_child_count(Page page)
{
	return INNER(page)->count;
}

StewardBlindChild
steward_blind_child(Page page, int i)
{
	int			tag_bytes = STEWARD_BLIND_SPECIAL(page)->tag_bytes;
	const unsigned char *separator = separator_at(page, i);
	StewardBlindChild child;

	child.least.tag = steward_blind_load(separator, tag_bytes);
	child.least.tid = INNER(page)->wide ?
		(uint64) steward_blind_load(separator + tag_bytes, STEWARD_BLIND_TID_BYTES) : 0;
	child.block = (BlockNumber) steward_blind_load(block_at(page, i), sizeof(BlockNumber));
	return child;
}

int
steward_blind_child_for(Page page, const StewardBlindEntry *key)
{
	int			low = 0;
	int			high = INNER(page)->count;

	while (high - low > 1)
	{
		int			middle = low + (high - low) / 2;
		StewardBlindChild child = steward_blind_child(page, middle);

		if (steward_blind_compare(child.least.tag, child.least.tid,
								  key->tag, key->tid) <= 0)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Does one of them, but for the first, fall into a run of equal tags? */
static bool
needs_tids(const StewardBlindChild *children, int count)
{
	for (int i = 1; i < count; i++)
		if (children[i].least.tid != 0)
			return true;
	return false;
}

void
steward_blind_set_separator(Page page, int i, const StewardBlindEntry *least)
{
	int			tag_bytes = STEWARD_BLIND_SPECIAL(page)->tag_bytes;
	unsigned char *separator = separator_at(page, i);

	steward_blind_store(separator, least->tag, tag_bytes);
	if (INNER(page)->wide)
		steward_blind_store(separator + tag_bytes, least->tid, STEWARD_BLIND_TID_BYTES);
}

/* The first one's separator is left 0: what is not used tells nothing. */
static void
store_child(Page page, int i, const StewardBlindChild *child)
{
	const StewardBlindEntry none = {0};

	steward_blind_set_separator(page, i, i == 0 ? &none : &child->least);
	steward_blind_store(block_at(page, i), child->block, sizeof(BlockNumber));
}

/* How many have room, of the width that these many need. */
static int
children_that_fit(Page page, const StewardBlindChild *children, int count,
				  size_t free_room)
{
	size_t		room = STEWARD_BLIND_ROOM - offsetof(StewardBlindInner, separators) -
		free_room;
	int			fit;

	INNER(page)->wide = false;
	fit = Min(count, (int) (room / CHILD_BYTES(page)));
	if (needs_tids(children, fit))
	{
		INNER(page)->wide = true;
		fit = Min(count, (int) (room / CHILD_BYTES(page)));
	}
	return fit;
}

int
steward_blind_inner_fill(Page page, const StewardBlindChild *children, int count,
						 size_t free_room)
{
	int			fit = children_that_fit(page, children, count, free_room);

	INNER(page)->count = fit;
	for (int i = 0; i < fit; i++)
		store_child(page, i, &children[i]);
	((PageHeader) page)->pd_lower = SEPARATORS_BEGIN + fit * CHILD_BYTES(page);
	/* As on a leaf. */
	memset((char *) page + ((PageHeader) page)->pd_lower, 0,
		   ((PageHeader) page)->pd_upper - ((PageHeader) page)->pd_lower);
	return fit;
}

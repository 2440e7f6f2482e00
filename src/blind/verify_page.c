/*
 * verify_page.c: one page of an index that is checked; see verify.h.
 */
#include "blind/verify.h"


#define TID_BITS (STEWARD_BLIND_TID_BYTES * 8)

/* ---- reading ---- */

bool
steward_blind_check_has_block(StewardBlindCheck *check, BlockNumber block)
{
	if (block >= check->end)
		check->end = RelationGetNumberOfBlocks(check->index);
	return block < check->end;
}

void
steward_blind_check_copy(StewardBlindCheck *check, BlockNumber block,
						 StewardBlindCopy *copy)
{
	Buffer		buffer = ReadBufferExtended(check->index, MAIN_FORKNUM, block, RBM_NORMAL,
											check->strategy);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(copy->page.data, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	copy->block = block;
}

/* Flags and the right link go together. */
static const char *
fault_of_right(StewardBlindCheck *check, const StewardBlindCopy *copy)
{
	const StewardBlindSpecial *special = STEWARD_BLIND_COPY_SPECIAL(copy);
	bool		rightmost = (special->flags & STEWARD_BLIND_RIGHTMOST) != 0;

	if ((special->flags & ~(STEWARD_BLIND_RIGHTMOST | STEWARD_BLIND_INCOMPLETE)) != 0)
		return "It has flags that no page has.";
	if (!rightmost && (special->right == copy->block || special->right == STEWARD_BLIND_META ||
					   !steward_blind_check_has_block(check, special->right)))
		return psprintf("Its right link leads to block %u, where no sibling of it can be.",
						special->right);
	return NULL;
}

/* What is wrong with the page as such, of this level, or NULL. */
static const char *
fault_of_page(StewardBlindCheck *check, const StewardBlindCopy *copy, int level)
{
	Page		page = STEWARD_BLIND_COPY_PAGE(copy);
	const StewardBlindSpecial *special;

	if (!steward_blind_page_is_sound(page))
		return "It is no page of a blind index, or the numbers at its beginning are wrong.";
	special = STEWARD_BLIND_SPECIAL(page);
	if (special->level != level)
		return psprintf("It is of level %u, where one of level %d is expected.",
						special->level, level);
	if (special->tag_bytes != steward_blind_tag_bytes(&check->meta))
		return psprintf("Its tags have %u bytes, those of the index %d.",
						special->tag_bytes, steward_blind_tag_bytes(&check->meta));
	return fault_of_right(check, copy);
}

void
steward_blind_check_read(StewardBlindCheck *check, BlockNumber from, BlockNumber block,
						 int level, StewardBlindCopy *copy)
{
	const char *fault;

	if (block == STEWARD_BLIND_META || !steward_blind_check_has_block(check, block))
		steward_blind_check_raise(check, from,
								  psprintf("A link leads to block %u, where no page can be.",
										   block));
	steward_blind_check_copy(check, block, copy);
	if (PageIsNew(STEWARD_BLIND_COPY_PAGE(copy)))
		steward_blind_check_raise(check, block,
								  psprintf("It is empty, and block %u has a link to it.", from));
	fault = fault_of_page(check, copy, level);
	if (fault != NULL)
		steward_blind_check_raise(check, block, fault);
}

/* ---- keys ---- */

static int
compare(const StewardBlindEntry *a, const StewardBlindEntry *b)
{
	return steward_blind_compare(a->tag, a->tid, b->tag, b->tid);
}

static bool
has_too_many_bits(const StewardBlindCheck *check, const StewardBlindEntry *key)
{
	int			bits = steward_blind_tag_bits(&check->meta);

	return (bits < (int) sizeof(StewardBlindTag) * 8 && key->tag >> bits != 0) ||
		key->tid >> TID_BITS != 0;
}

/* Is the key from low on, and below the page's high key? */
static bool
is_within(const StewardBlindCopy *copy, const StewardBlindEntry *low,
		  const StewardBlindEntry *key)
{
	return compare(key, low) >= 0 &&
		!steward_blind_beyond((Page) copy->page.data, key);
}

static void
check_high_key(StewardBlindCheck *check, const StewardBlindCopy *copy,
			   const StewardBlindEntry *low)
{
	StewardBlindEntry high;

	if (!steward_blind_high_key((Page) copy->page.data, &high))
		return;
	if (has_too_many_bits(check, &high))
		steward_blind_check_raise(check, copy->block,
								  "Its high key has more bits than keys of the index.");
	if (compare(&high, low) <= 0)
		steward_blind_check_raise(check, copy->block,
								  "Its high key is not above the least key that it can have.");
}

/* ---- leaves ---- */

static void
check_entries(StewardBlindCheck *check, const StewardBlindCopy *copy, int count)
{
	const StewardBlindEntry *entries = check->entries;

	for (int i = 0; i < count; i++)
	{
		if (i > 0 && compare(&entries[i - 1], &entries[i]) >= 0)
			steward_blind_check_raise(check, copy->block, "An entry is on it twice.");
		if (has_too_many_bits(check, &entries[i]))
			steward_blind_check_raise(check, copy->block,
									  "A tag has more bits than tags of the index.");
		if (!steward_blind_is_reachable(&check->reach, check->heap, entries[i].tid))
			steward_blind_check_raise(check, copy->block,
									  "An entry is of a row that the table cannot have.");
		if (check->filter != NULL)
			bloom_add_element(check->filter, (unsigned char *) &check->entries[i],
							  sizeof *entries);
	}
}

/* Entries come in order, so the first and the last tell of all whether they belong here. */
static void
check_leaf(StewardBlindCheck *check, const StewardBlindCopy *copy,
		   const StewardBlindEntry *low)
{
	Page		page = (Page) copy->page.data;
	StewardBlindPacked packed = steward_blind_packed(page);
	int			count;

	if (!steward_blind_is_packed(&packed) ||
		steward_blind_count(&packed) > STEWARD_BLIND_MAX_ENTRIES - STEWARD_BLIND_TAIL_MAX)
		steward_blind_check_raise(check, copy->block, "Its packed part is damaged.");
	count = steward_blind_leaf_entries(check->index, copy->block, page, check->entries);
	check_entries(check, copy, count);
	if (count > 0 && (!is_within(copy, low, &check->entries[0]) ||
					  !is_within(copy, low, &check->entries[count - 1])))
		steward_blind_check_raise(check, copy->block,
								  "It has an entry that belongs on another page.");
	check->leaves++;
	check->entry_count += count;
}

/* ---- inner pages ---- */

static void
check_inner(StewardBlindCheck *check, const StewardBlindCopy *copy,
			const StewardBlindEntry *low)
{
	Page		page = (Page) copy->page.data;
	StewardBlindEntry last = *low;

	for (int i = 1; i < steward_blind_child_count(page); i++)
	{
		StewardBlindChild child = steward_blind_child(page, i);

		if (has_too_many_bits(check, &child.least))
			steward_blind_check_raise(check, copy->block,
									  "A separator has more bits than keys of the index.");
		if (compare(&child.least, &last) <= 0)
			steward_blind_check_raise(check, copy->block, "Its separators are not in order.");
		if (!is_within(copy, low, &child.least))
			steward_blind_check_raise(check, copy->block,
									  "It has a separator that belongs on another page.");
		last = child.least;
	}
}

void
steward_blind_check_page(StewardBlindCheck *check, const StewardBlindCopy *copy,
						 const StewardBlindEntry *low)
{
	check_high_key(check, copy, low);
	if (STEWARD_BLIND_SPECIAL((Page) copy->page.data)->level == 0)
		check_leaf(check, copy, low);
	else
		check_inner(check, copy, low);
	check->pages++;
}

/*
 * page.c: pages of any level; see page.h. Leaves are in leaf.c, inner pages in
 * inner.c.
 */
#include "blind/page.h"

void
steward_blind_raise_corrupted(Relation index, BlockNumber block)
{
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" is damaged at block %u",
					RelationGetRelationName(index), block),
			 errhint("Please REINDEX it.")));
}

/* Only the last page of a level has nothing to the right of it, and then no split. */
static bool
link_is_sound(const StewardBlindSpecial *special)
{
	if ((special->flags & STEWARD_BLIND_RIGHTMOST) == 0)
		return special->right != InvalidBlockNumber;
	return special->right == InvalidBlockNumber &&
		(special->flags & STEWARD_BLIND_INCOMPLETE) == 0;
}

/* Do the numbers at the beginning of the page agree with its header? */
static bool
is_sound(Page page)
{
	if (!link_is_sound(STEWARD_BLIND_SPECIAL(page)))
		return false;
	return STEWARD_BLIND_SPECIAL(page)->level == 0 ?
		steward_blind_leaf_is_sound(page) : steward_blind_inner_is_sound(page);
}

/*
 * Offsets within the page are checked here once, so that nobody reads or writes beyond it,
 * GenericXLog included, which zeroes what is from pd_lower to pd_upper.
 */
bool
steward_blind_page_is_sound(Page page)
{
	const StewardBlindSpecial *special;

	if (PageIsNew(page) ||
		((PageHeader) page)->pd_special != BLCKSZ - MAXALIGN(sizeof *special) ||
		((PageHeader) page)->pd_lower < SizeOfPageHeaderData ||
		((PageHeader) page)->pd_lower > ((PageHeader) page)->pd_upper ||
		((PageHeader) page)->pd_upper != ((PageHeader) page)->pd_special)
		return false;
	special = STEWARD_BLIND_SPECIAL(page);
	return special->page_id == STEWARD_BLIND_PAGE_ID &&
		(special->flags & STEWARD_BLIND_IS_META) == 0 &&
		special->tag_bytes >= 1 && special->tag_bytes <= sizeof(StewardBlindTag) &&
		is_sound(page);
}

void
steward_blind_page_check(Relation index, Buffer buffer)
{
	if (!steward_blind_page_is_sound(BufferGetPage(buffer)))
		steward_blind_raise_corrupted(index, BufferGetBlockNumber(buffer));
}

void
steward_blind_page_init(Page page, int level, int tag_bytes)
{
	StewardBlindSpecial *special;

	PageInit(page, BLCKSZ, sizeof(StewardBlindSpecial));
	special = STEWARD_BLIND_SPECIAL(page);
	special->right = InvalidBlockNumber;
	special->level = level;
	special->flags = STEWARD_BLIND_RIGHTMOST;
	special->tag_bytes = tag_bytes;
	special->page_id = STEWARD_BLIND_PAGE_ID;
	if (level == 0)
		(void) steward_blind_leaf_fill(page, NULL, 0, 0);
	else
		(void) steward_blind_inner_fill(page, NULL, 0, 0);
}

bool
steward_blind_high_key(Page page, StewardBlindEntry *high)
{
	const StewardBlindSpecial *special = STEWARD_BLIND_SPECIAL(page);

	if ((special->flags & STEWARD_BLIND_RIGHTMOST) != 0)
		return false;
	high->tag = (StewardBlindTag) special->high_tag[1] << 64 | special->high_tag[0];
	high->tid = special->high_tid;
	return true;
}

void
steward_blind_set_right(Page page, BlockNumber right, const StewardBlindEntry *high)
{
	StewardBlindSpecial *special = STEWARD_BLIND_SPECIAL(page);

	special->right = right;
	special->flags &= ~STEWARD_BLIND_RIGHTMOST;
	special->high_tag[0] = (uint64) high->tag;
	special->high_tag[1] = (uint64) (high->tag >> 64);
	special->high_tid = high->tid;
}

void
steward_blind_copy_right(Page to, Page from)
{
	StewardBlindEntry high;

	if (steward_blind_high_key(from, &high))
		steward_blind_set_right(to, STEWARD_BLIND_SPECIAL(from)->right, &high);
	STEWARD_BLIND_SPECIAL(to)->flags |=
		STEWARD_BLIND_SPECIAL(from)->flags & STEWARD_BLIND_INCOMPLETE;
}

bool
steward_blind_beyond(Page page, const StewardBlindEntry *key)
{
	StewardBlindEntry high;

	return steward_blind_high_key(page, &high) &&
		steward_blind_compare(key->tag, key->tid, high.tag, high.tid) >= 0;
}

/*
 * The number with the most zeros at its end that is above the left tag and not above the right
 * one: what they have in common, and one bit; where they are equal, all of it.
 */
static StewardBlindTag
roundest(StewardBlindTag left, StewardBlindTag right)
{
	int			low_bits = 0;

	if (left == right)
		return right;
	while (left >> low_bits >> 1 != right >> low_bits >> 1)
		low_bits++;
	return right >> low_bits << low_bits;
}

void
steward_blind_separator(const StewardBlindEntry *left, const StewardBlindEntry *right,
						StewardBlindEntry *separator)
{
	separator->tag = roundest(left->tag, right->tag);
	separator->tid = left->tag == right->tag ? left->tid + 1 : 0;
}

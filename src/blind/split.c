/*
 * split.c: splits of pages, their downlinks, and a new root; see split.h.
 *
 * Locks go upwards: who holds a page may lock one of the level above, and the
 * metapage. A downlink is put in with the child locked whose INCOMPLETE flag goes in
 * the same record.
 */
#include "blind/split.h"

#include "access/generic_xlog.h"
#include "blind/meta.h"
#include "blind/search.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"

/* Where a page is cut, as a part of its entries: somewhere in between. */
#define CUT_LEAST 0.35
#define CUT_MOST 0.65

Buffer
steward_blind_new_page(Relation index)
{
#ifdef STEWARD_EXTEND_LOCKED
	return STEWARD_EXTEND_LOCKED(index);
#else
	bool		lock = !RELATION_IS_LOCAL(index);
	Buffer		buffer;

	if (lock)
		LockRelationForExtension(index, ExclusiveLock);
	buffer = ReadBuffer(index, P_NEW);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (lock)
		UnlockRelationForExtension(index, ExclusiveLock);
	return buffer;
#endif
}

/* ---- a new root ---- */

/* Puts a root above the old one, which was split and is exclusively locked. */
static void
make_root(Relation index, Buffer meta_buffer, Buffer old)
{
	Page		old_page = BufferGetPage(old);
	int			level = STEWARD_BLIND_SPECIAL(old_page)->level + 1;
	int			tag_bytes = STEWARD_BLIND_SPECIAL(old_page)->tag_bytes;
	Buffer		root = steward_blind_new_page(index);
	GenericXLogState *state = GenericXLogStart(index);
	Page		meta_page = GenericXLogRegisterBuffer(state, meta_buffer, 0);
	Page		root_page = GenericXLogRegisterBuffer(state, root, GENERIC_XLOG_FULL_IMAGE);
	StewardBlindChild children[2] = {0};

	old_page = GenericXLogRegisterBuffer(state, old, 0);
	children[0].block = BufferGetBlockNumber(old);
	children[1].block = STEWARD_BLIND_SPECIAL(old_page)->right;
	(void) steward_blind_high_key(old_page, &children[1].least);
	steward_blind_page_init(root_page, level, tag_bytes);
	(void) steward_blind_inner_fill(root_page, children, 2, 0);
	STEWARD_BLIND_SPECIAL(old_page)->flags &= ~STEWARD_BLIND_INCOMPLETE;
	steward_blind_meta_of(meta_page)->root = BufferGetBlockNumber(root);
	steward_blind_meta_of(meta_page)->level = level;
	GenericXLogFinish(state);
	UnlockReleaseBuffer(root);
}

/*
 * Makes a new root if this page is the root; else false, and the level above is there or
 * the root of this level is not split completely yet.
 */
static bool
try_new_root(Relation index, Buffer child)
{
	int			level = STEWARD_BLIND_SPECIAL(BufferGetPage(child))->level;
	Buffer		buffer = ReadBuffer(index, STEWARD_BLIND_META);
	const StewardBlindMeta *meta;
	bool		is_root;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	meta = steward_blind_meta_of(BufferGetPage(buffer));
	is_root = meta->level == level && meta->root == BufferGetBlockNumber(child);
	if (is_root)
		make_root(index, buffer, child);
	UnlockReleaseBuffer(buffer);
	return is_root;
}

/* ---- downlinks ---- */

/* The downlink that the right sibling of a page lacks. */
static StewardBlindChild
missing_downlink(Page page)
{
	StewardBlindChild child;

	child.block = STEWARD_BLIND_SPECIAL(page)->right;
	(void) steward_blind_high_key(page, &child.least);
	return child;
}

/* All children of a page and the new one, in order; returns where that is. */
static int
gather_children(Page page, const StewardBlindChild *child, StewardBlindChild *children)
{
	int			count = steward_blind_child_count(page);
	int			at = steward_blind_child_for(page, &child->least) + 1;

	for (int i = 0; i < count; i++)
		children[i < at ? i : i + 1] = steward_blind_child(page, i);
	children[at] = *child;
	return at;
}

/* What a page says of its level, its width and what is to the right of it. */
static void
make_like(Page page, Page original)
{
	steward_blind_page_init(page, STEWARD_BLIND_SPECIAL(original)->level,
							STEWARD_BLIND_SPECIAL(original)->tag_bytes);
	steward_blind_copy_right(page, original);
}

static void
split_inner(Relation index, Buffer buffer, Buffer child,
			const StewardBlindChild *children, int count, int cut)
{
	Buffer		right = steward_blind_new_page(index);
	GenericXLogState *state = GenericXLogStart(index);
	Page		page = GenericXLogRegisterBuffer(state, buffer, GENERIC_XLOG_FULL_IMAGE);
	Page		right_page = GenericXLogRegisterBuffer(state, right, GENERIC_XLOG_FULL_IMAGE);
	Page		child_page = GenericXLogRegisterBuffer(state, child, 0);

	make_like(right_page, page);
	if (steward_blind_inner_fill(right_page, children + cut, count - cut, 0) != count - cut ||
		steward_blind_inner_fill(page, children, cut, 0) != cut)
		steward_blind_raise_corrupted(index, BufferGetBlockNumber(buffer));
	steward_blind_set_right(page, BufferGetBlockNumber(right), &children[cut].least);
	STEWARD_BLIND_SPECIAL(page)->flags |= STEWARD_BLIND_INCOMPLETE;
	STEWARD_BLIND_SPECIAL(child_page)->flags &= ~STEWARD_BLIND_INCOMPLETE;
	GenericXLogFinish(state);
	UnlockReleaseBuffer(right);
}

/* Puts the missing downlink of a child in; where it has no room the parent is split. */
static void
put_downlink(Relation index, Buffer parent, Buffer child_buffer)
{
	StewardBlindChild *children =
		palloc((STEWARD_BLIND_ROOM / sizeof(BlockNumber)) * sizeof *children);
	StewardBlindChild child = missing_downlink(BufferGetPage(child_buffer));
	int			count = steward_blind_child_count(BufferGetPage(parent)) + 1;
	int			at = gather_children(BufferGetPage(parent), &child, children);
	GenericXLogState *state = GenericXLogStart(index);
	Page		page = GenericXLogRegisterBuffer(state, parent, 0);
	Page		child_page = GenericXLogRegisterBuffer(state, child_buffer, 0);

	if (steward_blind_inner_fill(page, children, count, 0) == count)
	{
		STEWARD_BLIND_SPECIAL(child_page)->flags &= ~STEWARD_BLIND_INCOMPLETE;
		GenericXLogFinish(state);
	}
	else
	{
		GenericXLogAbort(state);
		/* Where new pages come at the end the left part stays full. */
		split_inner(index, parent, child_buffer, children, count,
					at == count - 1 ? count - 1 - count / 16 : count / 2);
	}
	pfree(children);
}

/*
 * A split of the root's level that is not finished: the root itself has to come first. We
 * hold no lock.
 */
static void
finish_root(Relation index)
{
	const StewardBlindMeta *meta = steward_blind_meta_refresh(index);
	Buffer		buffer = steward_blind_read(index, meta->root, meta->level,
											BUFFER_LOCK_EXCLUSIVE);

	if ((STEWARD_BLIND_SPECIAL(BufferGetPage(buffer))->flags & STEWARD_BLIND_INCOMPLETE) != 0)
		steward_blind_finish_split(index, buffer);
	else
	{
		/* A root that was split and is complete is the root no more. */
		if (steward_blind_meta_refresh(index)->root == BufferGetBlockNumber(buffer))
			steward_blind_raise_corrupted(index, BufferGetBlockNumber(buffer));
		UnlockReleaseBuffer(buffer);
	}
}

void
steward_blind_finish_split(Relation index, Buffer buffer)
{
	int			level = STEWARD_BLIND_SPECIAL(BufferGetPage(buffer))->level;
	StewardBlindChild child = missing_downlink(BufferGetPage(buffer));
	Buffer		parent;

	check_stack_depth();
	if (try_new_root(index, buffer))
	{
		UnlockReleaseBuffer(buffer);
		return;
	}
	if (steward_blind_meta_refresh(index)->level <= level)
	{
		UnlockReleaseBuffer(buffer);
		finish_root(index);
		return;
	}
	parent = steward_blind_find(index, &child.least, level + 1, BUFFER_LOCK_EXCLUSIVE);
	if ((STEWARD_BLIND_SPECIAL(BufferGetPage(parent))->flags & STEWARD_BLIND_INCOMPLETE) != 0)
	{
		/* It will be complete when we come again. */
		UnlockReleaseBuffer(buffer);
		steward_blind_finish_split(index, parent);
		return;
	}
	put_downlink(index, parent, buffer);
	UnlockReleaseBuffer(buffer);
	if ((STEWARD_BLIND_SPECIAL(BufferGetPage(parent))->flags & STEWARD_BLIND_INCOMPLETE) != 0)
		steward_blind_finish_split(index, parent);
	else
		UnlockReleaseBuffer(parent);
}

/* ---- leaves ---- */

/*
 * Where a leaf is cut. Where all newcomers fall into one gap, as in a run of equal
 * tags that grows, the left page is filled up to there; else somewhere in the middle.
 */
static int
choose_cut(const StewardBlindEntry *entries, int count,
		   const StewardBlindEntry *newcomers, int newcomer_count)
{
	int			first_at = 0;
	int			last_at;

	while (newcomer_count > 1 && first_at < count &&
		   steward_blind_compare(entries[first_at].tag, entries[first_at].tid,
								 newcomers->tag, newcomers->tid) < 0)
		first_at++;
	last_at = first_at + newcomer_count - 1;
	if (newcomer_count > 1 && last_at < count && last_at >= count / 2 &&
		steward_blind_compare(entries[last_at].tag, entries[last_at].tid,
							  newcomers[newcomer_count - 1].tag,
							  newcomers[newcomer_count - 1].tid) == 0)
		return Min(last_at + 1, count - 1);
	return count * (CUT_LEAST + (CUT_MOST - CUT_LEAST) * pg_prng_double(&pg_global_prng_state));
}

/* The nearest place where tags differ, not far away; separators are shorter there. */
static int
nearest_change(const StewardBlindEntry *entries, int count, int cut)
{
	for (int i = 0; i <= count / 16; i++)
	{
		if (cut - i >= 1 && entries[cut - i - 1].tag != entries[cut - i].tag)
			return cut - i;
		if (cut + i < count && entries[cut + i - 1].tag != entries[cut + i].tag)
			return cut + i;
	}
	return cut;
}

/* Fills both pages; false when one of them overflows. */
static bool
fill_leaves(Page left, Page right, const StewardBlindEntry *entries, int count, int cut)
{
	return steward_blind_leaf_fill(right, entries + cut, count - cut, 0) == count - cut &&
		steward_blind_leaf_fill(left, entries, cut, 0) == cut;
}

static void
put_into_tail(Relation index, Buffer buffer, Page page, const StewardBlindEntry *entry)
{
	PageHeader	header = (PageHeader) page;

	if (steward_blind_tail_room(page) < 1)
		steward_blind_raise_corrupted(index, BufferGetBlockNumber(buffer));
	steward_blind_store_raw((unsigned char *) page + header->pd_lower, entry,
							STEWARD_BLIND_SPECIAL(page)->tag_bytes);
	header->pd_lower += STEWARD_BLIND_RAW_BYTES(STEWARD_BLIND_SPECIAL(page)->tag_bytes);
}

/*
 * Splits a leaf with what it has: between two segments, and what is in the tail stays in
 * one. That always fits, while one entry can make its whole segment longer: among
 * rows that are the first of their blocks, one that is the last of its block. Then
 * two pages may not be enough for newcomers that come to many segments.
 */
static void
halve(Relation index, Buffer buffer, Page page, Page right_page, StewardBlindEntry *separator)
{
	Page		original = BufferGetPage(buffer);
	StewardBlindPacked packed = steward_blind_packed(original);
	int			count = steward_blind_count(&packed);
	int			cut = steward_blind_half(&packed);
	StewardBlindEntry *entries = palloc(Max(count, 1) * sizeof *entries);

	if (cut == 0 || steward_blind_unpack(&packed, entries, count) != count ||
		!fill_leaves(page, right_page, entries, count, cut))
		steward_blind_raise_corrupted(index, BufferGetBlockNumber(buffer));
	steward_blind_separator(&entries[cut - 1], &entries[cut], separator);
	for (int i = 0; i < steward_blind_tail_count(original); i++)
	{
		StewardBlindEntry entry = steward_blind_tail_entry(original, i);
		bool		left = steward_blind_compare(entry.tag, entry.tid,
												 separator->tag, separator->tid) < 0;

		put_into_tail(index, buffer, left ? page : right_page, &entry);
	}
	pfree(entries);
}

bool
steward_blind_split_leaf(Relation index, Buffer buffer, const StewardBlindEntry *entries,
						 int count, const StewardBlindEntry *newcomers, int newcomer_count)
{
	Buffer		right = steward_blind_new_page(index);
	GenericXLogState *state = GenericXLogStart(index);
	Page		page = GenericXLogRegisterBuffer(state, buffer, GENERIC_XLOG_FULL_IMAGE);
	Page		right_page = GenericXLogRegisterBuffer(state, right, GENERIC_XLOG_FULL_IMAGE);
	int			cut = nearest_change(entries, count,
									 choose_cut(entries, count, newcomers, newcomer_count));
	StewardBlindEntry separator;
	bool		fit;

	make_like(right_page, page);
	fit = fill_leaves(page, right_page, entries, count, cut) ||
		fill_leaves(page, right_page, entries, count, cut = count / 2);
	if (fit)
		steward_blind_separator(&entries[cut - 1], &entries[cut], &separator);
	else
		halve(index, buffer, page, right_page, &separator);
	steward_blind_set_right(page, BufferGetBlockNumber(right), &separator);
	STEWARD_BLIND_SPECIAL(page)->flags |= STEWARD_BLIND_INCOMPLETE;
	PredicateLockPageSplit(index, BufferGetBlockNumber(buffer), BufferGetBlockNumber(right));
	GenericXLogFinish(state);
	UnlockReleaseBuffer(right);
	steward_blind_finish_split(index, buffer);
	return fit;
}

/*
 * meta.c: the metapage of an index, and what a process remembers of it; see meta.h.
 */
#include "blind/meta.h"

#include "access/genam.h"
#include "blind/multi.h"
#include "blind/options.h"
#include "blind/tag.h"
#include "blind/validate.h"
#include "crypto/random.h"
#include "keys/keys.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"

int
steward_blind_tag_bits(const StewardBlindMeta *meta)
{
	int			bits = 0;

	for (int i = 0; i < meta->columns; i++)
		bits += meta->bits[i];
	return bits;
}

int
steward_blind_tag_bytes(const StewardBlindMeta *meta)
{
	return (steward_blind_tag_bits(meta) + 7) / 8;
}

/* ---- how many bits ---- */

#define TAG_BITS ((int) sizeof(StewardBlindTag) * 8)

/*
 * Where tags decide, the last column's is of all columns and has 96 bits or more; the
 * ones before serve searches by the first columns only.
 */
static void
decide_exact_bits(StewardBlindMeta *meta)
{
	int			last = meta->columns - 1;

	for (int i = 0; i < last; i++)
		meta->bits[i] = (TAG_BITS - STEWARD_BLIND_UNIQUE_BITS) / last;
	meta->bits[last] = last == 0 ? STEWARD_BLIND_UNIQUE_BITS : TAG_BITS -
		last * ((TAG_BITS - STEWARD_BLIND_UNIQUE_BITS) / last);
}

static void
decide_bits(StewardBlindMeta *meta, Relation index)
{
	int			bits = steward_blind_option_tag_bits(index);

	for (int i = 0; i < meta->columns; i++)
		meta->bits[i] = Min(bits, TAG_BITS / meta->columns);
}

/* ---- is it this index's? ---- */

/*
 * A tag made by a wrong salt, secret or width finds nothing, and nothing else would tell. The
 * table's oid and the columns' numbers stay while the index is this file, by whatever
 * command it is given another oid or file.
 */
static uint32
compute_check(const StewardBlindMeta *meta, Relation index)
{
	StewardBlindMeta fixed = *meta;
	pg_crc32c	crc;

	fixed.root = 0;
	fixed.level = 0;
	fixed.check = 0;
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &fixed, sizeof fixed);
	COMP_CRC32C(crc, &index->rd_index->indrelid, sizeof(Oid));
	COMP_CRC32C(crc, index->rd_index->indkey.values, meta->columns * sizeof(int16));
	FIN_CRC32C(crc);
	return crc;
}

static bool
is_exact(Relation index)
{
	return index->rd_index->indisunique || index->rd_index->indisexclusion;
}

/* ---- what is decided when it is built ---- */

/* Classes of several tags a value stand alone, and decide nothing. */
static void
check_classes(const StewardBlindMeta *meta, Relation index)
{
	for (int i = 0; i < meta->columns; i++)
	{
		if (!OidIsValid(index_getprocid(index, i + 1, STEWARD_BLIND_VALUE_TAGS_PROC)))
			continue;
		if (meta->columns > 1)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("an index with several tags a value has one column only"),
					 errhint("Create an index for each column; PostgreSQL searches several of them together.")));
		if (meta->exact)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("an index with several tags a value cannot decide which values are unique"),
					 errhint("Use the default operator class for the constraint.")));
	}
}

/*
 * pg_upgrade makes indexes of empty tables before it brings the old files, and the keys
 * with them. What is made then is overwritten.
 */
static int32
newest_generation(Relation index, int column)
{
	return IsBinaryUpgrade ? 1 :
		steward_index_secret_newest(steward_blind_column_key(index, column));
}

void
steward_blind_meta_begin(StewardBlindMeta *meta, Relation index)
{
	memset(meta, 0, sizeof *meta);
	meta->magic = STEWARD_BLIND_MAGIC;
	meta->version = STEWARD_BLIND_VERSION;
	meta->columns = IndexRelationGetNumberOfKeyAttributes(index);
	meta->root = STEWARD_BLIND_META + 1;
	meta->exact = is_exact(index);
	check_classes(meta, index);
	meta->multi = steward_blind_is_multi(index);
	meta->range_tags = steward_blind_option_range_tags(index);
	steward_random_key(meta->salt, sizeof meta->salt);
	for (int i = 0; i < meta->columns; i++)
		meta->generation[i] = newest_generation(index, i);
	if (meta->exact)
		decide_exact_bits(meta);
	else
		decide_bits(meta, index);
	meta->check = compute_check(meta, index);
}

/* ---- the page ---- */

void
steward_blind_meta_page(Page page, const StewardBlindMeta *meta)
{
	StewardBlindSpecial *special;

	PageInit(page, BLCKSZ, sizeof(StewardBlindSpecial));
	special = STEWARD_BLIND_SPECIAL(page);
	special->right = InvalidBlockNumber;
	special->flags = STEWARD_BLIND_IS_META;
	special->tag_bytes = steward_blind_tag_bytes(meta);
	special->page_id = STEWARD_BLIND_PAGE_ID;
	*steward_blind_meta_of(page) = *meta;
	((PageHeader) page)->pd_lower += MAXALIGN(sizeof *meta);
}

StewardBlindMeta *
steward_blind_meta_of(Page page)
{
	return (StewardBlindMeta *) PageGetContents(page);
}

/* Has each column a part of the tag? */
static bool
has_bits(const StewardBlindMeta *meta)
{
	for (int i = 0; i < meta->columns; i++)
		if (meta->bits[i] < 1)
			return false;
	return true;
}

/* Is it the metapage of an index with so many columns? */
static bool
is_sound(Page page, int columns)
{
	const StewardBlindMeta *meta = steward_blind_meta_of(page);

	return !PageIsNew(page) &&
		PageGetSpecialSize(page) == MAXALIGN(sizeof(StewardBlindSpecial)) &&
		STEWARD_BLIND_SPECIAL(page)->page_id == STEWARD_BLIND_PAGE_ID &&
		(STEWARD_BLIND_SPECIAL(page)->flags & STEWARD_BLIND_IS_META) != 0 &&
		meta->magic == STEWARD_BLIND_MAGIC &&
		meta->columns == columns && has_bits(meta) &&
		steward_blind_tag_bits(meta) <= TAG_BITS;
}

/* Is it of this index, as it was built? */
static void
require_own(Relation index, const StewardBlindMeta *meta)
{
	if (meta->check == compute_check(meta, index) && meta->exact == is_exact(index) &&
		meta->multi == steward_blind_is_multi(index))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" is damaged at block %u",
					RelationGetRelationName(index), STEWARD_BLIND_META),
			 errdetail("The page was changed, or is that of another index."),
			 errhint("Please REINDEX it.")));
}

void
steward_blind_meta_read(Relation index, ForkNumber fork, StewardBlindMeta *meta)
{
	Buffer		buffer = ReadBufferExtended(index, fork, STEWARD_BLIND_META, RBM_NORMAL, NULL);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	if (!is_sound(BufferGetPage(buffer), IndexRelationGetNumberOfKeyAttributes(index)))
		steward_blind_raise_corrupted(index, STEWARD_BLIND_META);
	*meta = *steward_blind_meta_of(BufferGetPage(buffer));
	UnlockReleaseBuffer(buffer);
	if (meta->version != STEWARD_BLIND_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" has format %u, which this version of pg_steward does not know",
						RelationGetRelationName(index), meta->version),
				 errhint("REINDEX it, or install the version that made it.")));
	require_own(index, meta);
}

/* ---- memory ---- */

StewardBlindMemory *
steward_blind_memory_make(Relation index, const StewardBlindMeta *meta, uint32 count)
{
	StewardBlindMemory *memory =
		MemoryContextAlloc(index->rd_indexcxt,
						   offsetof(StewardBlindMemory, children) +
						   count * sizeof(StewardBlindChild));

	memory->meta = *meta;
	memory->searches = 0;
	memory->steps = 0;
	memory->level = 0;
	memory->count = count;
	if (index->rd_amcache != NULL)
		pfree(index->rd_amcache);
	index->rd_amcache = memory;
	return memory;
}

const StewardBlindMeta *
steward_blind_meta_refresh(Relation index)
{
	StewardBlindMeta meta;

	steward_blind_meta_read(index, MAIN_FORKNUM, &meta);
	return &steward_blind_memory_make(index, &meta, 0)->meta;
}

StewardBlindMemory *
steward_blind_memory(Relation index)
{
	if (index->rd_amcache == NULL)
		(void) steward_blind_meta_refresh(index);
	return index->rd_amcache;
}

void
steward_blind_forget(Relation index)
{
	if (index->rd_amcache != NULL)
		pfree(index->rd_amcache);
	index->rd_amcache = NULL;
}

const StewardBlindMeta *
steward_blind_meta(Relation index)
{
	return &steward_blind_memory(index)->meta;
}

/*
 * tag_cache.c: keyed tags of values that this process has opened; see tag_cache.h.
 *
 * A table of sets of a few tags each, two cache lines long; a new tag takes the
 * place of the oldest of its set. The table grows when it is about half full: to
 * some megabytes for index searches, for hashing to what two hash tables may
 * use (both sides of a join). At the end of the transaction more than the former
 * is given back.
 */
#include "types/tag_cache.h"

#include <sodium.h>
#include <sys/mman.h>

#include "access/xact.h"
#include "base/pages.h"
#include "crypto/fingerprint.h"
#include "keys/keys.h"
#include "keys/subject.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define WAYS 5
#define FIRST_SETS 128			/* 16 kB */
#define LASTING_SETS 16384		/* 2 MB: 80,000 tags */

typedef struct TagSet
{
	uint64		fingerprints[WAYS]; /* 0: free */
	uint64		next;			/* which is replaced next */
	unsigned char tags[WAYS][STEWARD_TAG128_BYTES];
} TagSet;

StaticAssertDecl(sizeof(TagSet) == 128, "a set is two cache lines");

static TagSet *sets = NULL;
static size_t set_count = 0;
static size_t inserted = 0;		/* since the table was empty or grew */
static uint64 generation = 0;	/* of the keys */

/* A zeroed table; NULL when there is no memory. */
static TagSet *
make_sets(size_t count)
{
	void	   *fresh = steward_pages_make(count * sizeof(TagSet));

#ifdef MADV_HUGEPAGE
	/* Its places are looked up in no order. */
	if (fresh != NULL)
		(void) madvise(fresh, count * sizeof(TagSet), MADV_HUGEPAGE);
#endif
	return fresh;
}

static void
free_sets(TagSet *old, size_t count)
{
	steward_pages_free(old, count * sizeof(TagSet));
}

static inline TagSet *
set_of(uint64 fingerprint)
{
	return &sets[fingerprint & (set_count - 1)];
}

static void
insert(uint64 fingerprint, const unsigned char *tag)
{
	TagSet	   *set = set_of(fingerprint);
	size_t		way = set->next;

	set->next = (way + 1) % WAYS;
	inserted++;
	set->fingerprints[way] = fingerprint;
	memcpy(set->tags[way], tag, STEWARD_TAG128_BYTES);
}

/* Gives the table another size; with what fits of its content. */
static void
resize(size_t count)
{
	TagSet	   *fresh = make_sets(count);
	TagSet	   *old = sets;
	size_t		old_count = set_count;

	if (fresh == NULL)
		return;
	sets = fresh;
	set_count = count;
	inserted = 0;
	for (size_t i = 0; i < old_count; i++)
	{
		/* The oldest first, so that they go first. */
		for (size_t j = 0; j < WAYS; j++)
		{
			size_t		way = (old[i].next + j) % WAYS;

			if (old[i].fingerprints[way] != 0)
				insert(old[i].fingerprints[way], old[i].tags[way]);
		}
	}
	free_sets(old, old_count);
}

/* Every use begins with this: what is of other keys goes. */
static void
hold_to_generation(uint64 current)
{
	if (likely(generation == current))
		return;
	if (sets != NULL)
		sodium_memzero(sets, set_count * sizeof(TagSet));
	generation = current;
	inserted = 0;
}

static size_t
most_sets(StewardTagUse use)
{
	double		hash_memory;

	if (use == STEWARD_TAG_COMPARED)
		return FIRST_SETS;
	if (use == STEWARD_TAG_SEARCHED)
		return LASTING_SETS;
	hash_memory = Min(2.0 * work_mem * 1024.0 * hash_mem_multiplier,
					  (double) (MaxAllocHugeSize / 2));
	return Max((size_t) hash_memory / sizeof(TagSet), LASTING_SETS);
}

/* Which way of a set holds a fingerprint; WAYS when none does. */
static int
find_way(const TagSet *set, uint64 fingerprint)
{
	int			way = 0;

	while (way < WAYS && set->fingerprints[way] != fingerprint)
		way++;
	return way;
}

void
steward_tag_place(StewardTagPlace *place, const StewardDatum *datum)
{
	uint64		subjects = datum->subject == NULL ? 0 :
		steward_subject_generation() + 1;

	place->kept = true;
	place->generation = steward_key_generation();
	hold_to_generation(place->generation);
	place->fingerprint = steward_fingerprint(subjects, datum->header,
											 datum->header_len +
											 STEWARD_BODY_BYTES +
											 datum->plain_len);
	place->fingerprint += place->fingerprint == 0;
	/* It is looked at soon, and often lies in main memory. */
	if (likely(sets != NULL))
		__builtin_prefetch(set_of(place->fingerprint), 1);
}

/* In large steps: a hash join fills the table at once. */
static void
grow(size_t most)
{
	if (4 * set_count <= most)
		resize(4 * set_count);
	else if (2 * set_count <= most)
		resize(2 * set_count);
}

bool
steward_tag_recall(const StewardTagPlace *place,
				   unsigned char tag[STEWARD_TAG128_BYTES])
{
	const TagSet *set;
	int			way;

	if (!place->kept || unlikely(sets == NULL) ||
		unlikely(place->generation != generation))
		return false;
	set = set_of(place->fingerprint);
	way = find_way(set, place->fingerprint);
	if (way == WAYS)
		return false;
	memcpy(tag, set->tags[way], STEWARD_TAG128_BYTES);
	return true;
}

void
steward_tag_remember(const StewardTagPlace *place,
					 const unsigned char tag[STEWARD_TAG128_BYTES],
					 StewardTagUse use)
{
	/*
	 * Keys that changed meanwhile have a generation that steward_tag_place
	 * has not seen yet: it will zero what is put here.
	 */
	if (!place->kept || unlikely(place->generation != generation))
		return;
	if (unlikely(sets == NULL))
		resize(FIRST_SETS);
	else if (unlikely(inserted > set_count * WAYS / 2))
		grow(most_sets(use));
	if (likely(sets != NULL) &&
		find_way(set_of(place->fingerprint), place->fingerprint) == WAYS)
		insert(place->fingerprint, tag);
}

/* Index entries stay known from one transaction to the next. */
static void
on_transaction_end(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;
	if (set_count > LASTING_SETS)
	{
		free_sets(sets, set_count);
		sets = NULL;
		set_count = 0;
	}
}

void
steward_tag_cache_init(void)
{
	RegisterXactCallback(on_transaction_end, NULL);
}

/*
 * plain_store.c: plaintexts that one sort needs again and again; see plain_store.h.
 *
 * A handle is the number of bytes that had been written when its entry began; the
 * entry lies at that number modulo the ring's size, a power of two, and never
 * across its end. What was written less than a ring ago is still there. The ring
 * doubles when it is full, which keeps all handles good.
 */
#include "types/plain_store.h"

#include <sodium.h>

#include "base/pages.h"

#define FIRST_BYTES ((size_t) 16384)
#define RECENT 512				/* a power of two */
#define FIRST_NAMES 256			/* a power of two */

/* What a tuple takes in a sort, at least: more than most / this are not there. */
#define LEAST_TUPLE_BYTES 64

/* Before the bytes of each plaintext, and a NUL after them. */
typedef struct Entry
{
	uint64		fingerprint;
	uint64		len;
	unsigned char bytes[FLEXIBLE_ARRAY_MEMBER];
} Entry;

/* Which handle values of one canonical fingerprint have. */
typedef struct HandleName
{
	uint64		canonical;		/* 0: free */
	uint64		handle;
} HandleName;

struct StewardPlainStore
{
	unsigned char *ring;		/* NULL until something is put */
	size_t		size;
	size_t		most;
	uint64		first;			/* handles from before are no good */
	uint64		next;			/* handle of the next entry */
	uint64		recent[RECENT]; /* handles, by fingerprint */
	HandleName *names;			/* NULL until one is given */
	size_t		name_slots;		/* a power of two */
	size_t		name_count;
	MemoryContextCallback callback;
};

static void
on_end(void *arg)
{
	StewardPlainStore *store = arg;

	steward_pages_free(store->ring, store->size);
	steward_pages_free(store->names, store->name_slots * sizeof(HandleName));
	store->ring = NULL;
	store->names = NULL;
}

StewardPlainStore *
steward_plain_store_make(MemoryContext context, size_t most_bytes)
{
	StewardPlainStore *store = MemoryContextAllocZero(context, sizeof *store);

	store->most = FIRST_BYTES;
	while (2 * store->most <= most_bytes)
		store->most *= 2;
	store->first = store->next = sizeof(Entry);
	store->callback.func = on_end;
	store->callback.arg = store;
	MemoryContextRegisterResetCallback(context, &store->callback);
	return store;
}

static inline Entry *
entry_at(const StewardPlainStore *store, uint64 handle)
{
	return (Entry *) (store->ring + (handle & (store->size - 1)));
}

static inline bool
is_there(const StewardPlainStore *store, uint64 handle)
{
	return handle >= store->first && store->next - handle <= store->size;
}

/* Doubles the ring: what is in it gets the place that its handle has there. */
static bool
grow(StewardPlainStore *store)
{
	size_t		size = store->ring == NULL ? FIRST_BYTES : 2 * store->size;
	unsigned char *ring;
	uint64		at;

	if (size > store->most || (ring = steward_pages_make(size)) == NULL)
		return false;
	/* What was pushed out is not to come back. */
	if (store->next > store->size)
		store->first = Max(store->first, store->next - store->size);
	at = store->first;
	while (store->ring != NULL && at < store->next)
	{
		size_t		place = at & (store->size - 1);
		size_t		len = Min(store->size - place, store->next - at);

		memcpy(ring + (at & (size - 1)), store->ring + place, len);
		at += len;
	}
	steward_pages_free(store->ring, store->size);
	store->ring = ring;
	store->size = size;
	return true;
}

/* Bytes to pass over, because an entry does not lie across the ring's end. */
static size_t
to_skip(const StewardPlainStore *store, size_t need)
{
	size_t		left = store->size - (store->next & (store->size - 1));

	return left < need ? left : 0;
}

/* Would an entry push out others? */
static bool
is_full(const StewardPlainStore *store, size_t need)
{
	return store->ring == NULL ||
		store->next - store->first + to_skip(store, need) + need > store->size;
}

uint64
steward_plain_store_put(StewardPlainStore *store, uint64 fingerprint,
						const StewardPlain *plain)
{
	size_t		need = MAXALIGN(offsetof(Entry, bytes) + plain->len + 1);
	uint64		handle;
	Entry	   *entry;

	if (plain->len > store->most / 16)
		return 0;
	while (is_full(store, need) && grow(store))
		 /* doubling */ ;
	if (store->ring == NULL || need > store->size)
		return 0;
	handle = store->next + to_skip(store, need);
	store->next = handle + need;
	entry = entry_at(store, handle);
	entry->fingerprint = fingerprint;
	entry->len = plain->len;
	memcpy(entry->bytes, plain->bytes, plain->len);
	entry->bytes[plain->len] = '\0';
	store->recent[fingerprint & (RECENT - 1)] = handle;
	return handle;
}

/* ---- names ---- */

/* Where a name is, or would be. */
static HandleName *
find_name(HandleName *names, size_t slots, uint64 canonical)
{
	size_t		at = canonical & (slots - 1);

	while (names[at].canonical != 0 && names[at].canonical != canonical)
		at = (at + 1) & (slots - 1);
	return &names[at];
}

static void
grow_names(StewardPlainStore *store)
{
	size_t		slots = store->names == NULL ? FIRST_NAMES : 2 * store->name_slots;
	HandleName *names = steward_pages_make(slots * sizeof(HandleName));

	if (names == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while sorting encrypted values.")));
	for (size_t i = 0; store->names != NULL && i < store->name_slots; i++)
	{
		if (store->names[i].canonical != 0)
			*find_name(names, slots, store->names[i].canonical) = store->names[i];
	}
	steward_pages_free(store->names, store->name_slots * sizeof(HandleName));
	store->names = names;
	store->name_slots = slots;
}

uint64
steward_plain_store_name(StewardPlainStore *store, uint64 fingerprint,
						 uint64 canonical, const StewardPlain *plain)
{
	HandleName *name;

	if (store->name_count >= store->most / LEAST_TUPLE_BYTES)
	{
		memset(store->names, 0, store->name_slots * sizeof(HandleName));
		store->name_count = 0;
	}
	if (2 * store->name_count >= store->name_slots)
		grow_names(store);
	canonical += canonical == 0;
	name = find_name(store->names, store->name_slots, canonical);
	if (name->canonical == 0)
	{
		name->canonical = canonical;
		name->handle = steward_plain_store_put(store, fingerprint, plain);
		store->name_count++;
	}
	return name->handle;
}

uint64
steward_plain_store_find(const StewardPlainStore *store, uint64 fingerprint)
{
	uint64		handle = store->recent[fingerprint & (RECENT - 1)];

	return is_there(store, handle) &&
		entry_at(store, handle)->fingerprint == fingerprint ? handle : 0;
}

bool
steward_plain_store_get(const StewardPlainStore *store, uint64 handle,
						StewardPlain *plain)
{
	Entry	   *entry;

	if (unlikely(!is_there(store, handle)))
		return false;
	entry = entry_at(store, handle);
	*plain = steward_plain_borrow((char *) entry->bytes, entry->len);
	return true;
}

void
steward_plain_store_clear(StewardPlainStore *store)
{
	if (store->ring != NULL)
		sodium_memzero(store->ring, store->size);
	store->first = store->next;
}

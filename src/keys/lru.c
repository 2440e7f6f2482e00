/*
 * lru.c: a fixed number of places for keys; see lru.h.
 */
#include "keys/lru.h"

#include "lib/ilist.h"
#include "utils/hsearch.h"

typedef struct Place
{
	dlist_node	node;			/* in taken or in idle */
	bool		taken;
	unsigned char *key;
} Place;

struct StewardLru
{
	HTAB	   *entries;
	Size		key_size;
	Place	   *places;
	dlist_head	taken;			/* the most recently used first */
	dlist_head	idle;
};

/* A row of the hash table is the key, then the number of its place. */
static int *
place_of(StewardLru *lru, void *row)
{
	return (int *) ((char *) row + MAXALIGN(lru->key_size));
}

StewardLru *
steward_lru_make(MemoryContext context, const char *name, int places,
				 Size key_size)
{
	HASHCTL		control = {0};
	StewardLru *lru = MemoryContextAllocZero(context, sizeof *lru);
	unsigned char *keys = MemoryContextAllocHuge(context, places * key_size);

	control.keysize = key_size;
	control.entrysize = MAXALIGN(key_size) + sizeof(int);
	control.hcxt = context;
	lru->entries = hash_create(name, Min(places, 1024), &control,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	lru->key_size = key_size;
	lru->places = MemoryContextAllocHuge(context, places * sizeof(Place));
	dlist_init(&lru->taken);
	dlist_init(&lru->idle);
	for (int i = 0; i < places; i++)
	{
		lru->places[i].taken = false;
		lru->places[i].key = keys + i * key_size;
		dlist_push_tail(&lru->idle, &lru->places[i].node);
	}
	return lru;
}

int
steward_lru_find(StewardLru *lru, const void *key)
{
	void	   *row = hash_search(lru->entries, key, HASH_FIND, NULL);
	int			place;

	if (row == NULL)
		return -1;
	place = *place_of(lru, row);
	dlist_move_head(&lru->taken, &lru->places[place].node);
	return place;
}

int
steward_lru_take(StewardLru *lru, const void *key)
{
	Place	   *place;
	void	   *row;
	int			number;

	if (dlist_is_empty(&lru->idle))
		steward_lru_drop(lru, (int) (dlist_tail_element(Place, node, &lru->taken) -
									 lru->places));
	place = dlist_head_element(Place, node, &lru->idle);
	number = (int) (place - lru->places);
	row = hash_search(lru->entries, key, HASH_ENTER, NULL);
	*place_of(lru, row) = number;
	memcpy(place->key, key, lru->key_size);
	dlist_delete(&place->node);
	dlist_push_head(&lru->taken, &place->node);
	place->taken = true;
	return number;
}

void
steward_lru_drop(StewardLru *lru, int number)
{
	Place	   *place = &lru->places[number];

	if (!place->taken)
		return;
	(void) hash_search(lru->entries, place->key, HASH_REMOVE, NULL);
	dlist_delete(&place->node);
	dlist_push_head(&lru->idle, &place->node);
	place->taken = false;
}

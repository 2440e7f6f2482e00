/*
 * lru.h: a fixed number of places, and which key has which of them.
 *
 * The places themselves (arrays of the caller, some in locked memory) are
 * numbered from 0; when all are taken, a new key gets the place that was not used
 * for the longest time.
 */
#ifndef STEWARD_KEYS_LRU_H
#define STEWARD_KEYS_LRU_H

#include "base/compat.h"

typedef struct StewardLru StewardLru;

/* In a context that the caller resets to be rid of it; keys are plain bytes. */
extern StewardLru *steward_lru_make(MemoryContext context, const char *name,
									int places, Size key_size);

/* The place of a key, which has now been used; -1 when it has none. */
extern int	steward_lru_find(StewardLru *lru, const void *key);

/* A place for a key that has none. What was there is no longer found. */
extern int	steward_lru_take(StewardLru *lru, const void *key);

/* Gives a place back, if it is taken. */
extern void steward_lru_drop(StewardLru *lru, int place);

#endif							/* STEWARD_KEYS_LRU_H */

/*
 * receipt_tree.h: the trees of receipts, as docs/formats.md has them. Pure C.
 *
 * leaf		SHA-256 over a destroyed row's table and key, salted
 * batch	a tree over the leaves of its rows, in the order of their values: whoever has the
 *			keys has the root, in whatever order he has them
 * run		a tree over its batches, in the order in which they were done
 */
#ifndef STEWARD_RETENTION_RECEIPT_TREE_H
#define STEWARD_RETENTION_RECEIPT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/merkle.h"

/* The root of a batch. The leaves are sorted, and used up. */
extern void steward_receipt_batch_root(StewardHash *root, StewardHash *leaves, size_t count);

/*
 * Appends the next batch of a run, which has the number run->size + 1. False: the tree is full,
 * and as it was.
 */
extern bool steward_receipt_append(StewardFrontier *run, uint64_t rows,
								   const StewardHash *root);

#endif							/* STEWARD_RETENTION_RECEIPT_TREE_H */

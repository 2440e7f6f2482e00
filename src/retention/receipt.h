/*
 * receipt.h: what a run leaves behind of the rows that it destroyed: hashes, which prove that
 * it did to whoever has their keys, and say nothing to others.
 *
 * The formats are in docs/formats.md. Terms
 *	 leaf	of a row that was deleted, moved or overwritten: a salted hash over its table, its
 *			key, and what happened to it
 *	 key	the columns of the primary key, in the order of the table, as texts; of a
 *			table without one, the whole row as one text
 *	 head	what the leaves of one table and action begin with
 *	 salt	32 random bytes of the run. Who has it can confirm a guess of a key, so nobody
 *			is shown it; without it, nobody can
 *
 * Leaves are made of what the statement that destroys the rows returns: a row
 * that a trigger kept has none.
 */
#ifndef STEWARD_RETENTION_RECEIPT_H
#define STEWARD_RETENTION_RECEIPT_H

#include "base/compat.h"

#include "lib/stringinfo.h"
#include "utils/relcache.h"

#include "crypto/merkle.h"

#define STEWARD_RECEIPT_SALT_BYTES 32

/* The receipts of a run so far. */
typedef struct StewardReceipts
{
	unsigned char salt[STEWARD_RECEIPT_SALT_BYTES];
	StewardFrontier batches;
} StewardReceipts;

/* Parts of a statement that makes leaves of the rows t of a table. */
typedef struct StewardReceiptKey
{
	char	   *names;			/* ", k1, k2": columns of a common table
								 * expression */
	char	   *values;			/* ", …, …": what its RETURNING gives them */
	char	   *leaves;			/* what makes the leaves of all its rows, one
								 * value that is not null; reads it as g */
	int			columns;		/* of the key; 0 when there is none */
	Datum		head;
} StewardReceiptKey;

/*
 * These parts for an open table, with the head, which is also the parameter of this number. Under
 * steward_expression_settings.
 */
extern void steward_receipt_key(Relation rel, Datum head, int parameter,
								StewardReceiptKey *key);

/* The head of a table for the action of a run, or "delete" or "set null" of rows that refer; a bytea. */
extern Datum steward_receipt_head(const unsigned char *salt, const char *action,
								  const char *schema, const char *table);
extern Datum steward_receipt_head_of(const unsigned char *salt, const char *action,
									 Relation rel);

/* Appends a bytea to a leaf: its head. */
extern void steward_receipt_put_bytes(StringInfo leaf, Datum bytes);

/* Appends a text to a leaf, as its part of it. */
extern void steward_receipt_put(StringInfo leaf, const char *text);

/*
 * Adds the leaf of something that is no row to the leaves of a batch, which may be zeroed memory: a table that was
 * dropped, or a subject, known by these texts.
 */
extern void steward_receipt_add_texts(StringInfo leaves, const unsigned char *salt,
									  const char *action, const char *schema,
									  const char *table, int count,
									  const char *const *texts);

/* Adds the leaves of rows to those of a batch: what the expression of that name gave. */
extern void steward_receipt_add(StringInfo leaves, const StewardReceiptKey *key,
								Datum value);

/*
 * Reads the receipts of a run, of which the caller has the policy's lock. Raises
 * ERRCODE_DATA_CORRUPTED when they do not fit the number of its batches.
 */
extern void steward_receipts_read(int64 run, StewardReceipts *receipts);

/*
 * Writes the receipt of the next batch of a run, of so many rows, in its transaction; the leaves are used up.
 * *root becomes its root. The caller writes what steward_receipts_root and _frontier give to the run.
 */
extern void steward_receipts_batch(int64 run, StewardReceipts *receipts, int64 rows,
								   StringInfo leaves, StewardHash *root);

/* The run's root over its batches, and what it takes to go on, as bytea. */
extern Datum steward_receipts_root(const StewardReceipts *receipts);
extern Datum steward_receipts_frontier(const StewardReceipts *receipts);

#endif							/* STEWARD_RETENTION_RECEIPT_H */

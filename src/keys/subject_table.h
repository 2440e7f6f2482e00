/*
 * subject_table.h: reading and writing steward.subject_key and steward.root.
 *
 * As in tables.h every read sees the newest committed rows and this transaction's
 * own. Writes go to the tables directly, in whose name does not matter: whoever
 * may INSERT into a bound table makes secrets without any right on these.
 */
#ifndef STEWARD_KEYS_SUBJECT_TABLE_H
#define STEWARD_KEYS_SUBJECT_TABLE_H

#include "base/compat.h"

#include "crypto/wrap.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"

/* A row of steward.subject_key. */
typedef struct StewardSubjectRow
{
	unsigned char uuid[STEWARD_UUID_BYTES];
	unsigned char root_id[STEWARD_ROOT_ID_BYTES];
	unsigned char wrapped[STEWARD_WRAP_BYTES];
	bool		erased;			/* erased_at is not null */
	bool		final;			/* nor is final_at */
	bool		own;			/* written by this very transaction */
	TransactionId writer;
	ItemPointerData place;
} StewardSubjectRow;

/* What a new row is made of besides. */
typedef struct StewardSubjectLabel
{
	const char *kind;
	size_t		kind_len;
	unsigned char digest[STEWARD_SUBJECT_DIGEST_BYTES];
} StewardSubjectLabel;

/* Is this steward.subject_key? For invalidation callbacks. */
extern bool steward_subject_table_is(Oid relid);

/* Find a row; false when there is none. Raise ERRCODE_UNDEFINED_TABLE without
 * the extension. */
extern bool steward_subject_table_find(const unsigned char *uuid,
									   StewardSubjectRow *row);
extern bool steward_subject_table_find_label(const StewardSubjectLabel *label,
											 StewardSubjectRow *row);

/* Calls back for every row, erased ones or the others. */
typedef void (*StewardSubjectCallback) (const StewardSubjectRow *row, void *arg);
extern void steward_subject_table_scan(bool erased,
									   StewardSubjectCallback callback, void *arg);

/*
 * Inserts a row: with a secret, or, when row->erased, a tombstone of a subject
 * that never had one. Waits for a transaction that is inserting the same kind and
 * digest; false when that committed, and nothing is inserted.
 */
extern bool steward_subject_table_insert(const StewardSubjectLabel *label,
										 const StewardSubjectRow *row);

/*
 * Locks the row's newest version until the end of the transaction and reads it
 * again, waiting for who is changing it. False when it was deleted meanwhile.
 */
extern bool steward_subject_table_lock(StewardSubjectRow *row);

/* Gives a locked row that has a secret row->wrapped and row->root_id as its
 * tombstone; invalidates what others have cached. */
extern void steward_subject_table_entomb(const StewardSubjectRow *row);

/* Sets final_at of a locked row. */
extern void steward_subject_table_finish(const StewardSubjectRow *row);

/* Records a root, as the next in order, unless it is recorded. */
extern void steward_root_table_add(const unsigned char *root_id);

#endif							/* STEWARD_KEYS_SUBJECT_TABLE_H */

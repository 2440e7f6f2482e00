/*
 * subject.h: subjects, their secrets, and erasing them.
 *
 * A value that is bound to a subject is under a key that needs both the version
 * of its named key and the subject's secret. Secrets rest in
 * steward.subject_key, wrapped under a root; erasing a subject replaces its
 * secret by a tombstone, after which nobody opens its values any more. Erasure
 * does not wait for snapshots: the newest committed row counts, always.
 *
 * Terms
 *	 subject	whom values are about: a kind ("customer") and a key ("42")
 *	 uuid		16 random bytes that stand for the subject in its values
 *	 tombstone	authenticated wrap in place of a secret; see crypto/wrap.h
 *	 final		said of an erasure when no transaction is left that could have
 *				learnt the secret before, and might commit a value under it
 *
 * Kind and key are UTF-8 here, whatever the server's encoding.
 */
#ifndef STEWARD_KEYS_SUBJECT_H
#define STEWARD_KEYS_SUBJECT_H

#include "base/compat.h"

#include "crypto/value.h"
#include "nodes/pg_list.h"

/* How a subject is called. */
typedef struct StewardSubjectName
{
	const char *kind;
	const char *key;
	size_t		kind_len;
	size_t		key_len;
} StewardSubjectName;

typedef struct StewardSubject
{
	unsigned char uuid[STEWARD_UUID_BYTES];
	bool		erased;			/* as the table says; not authenticated */
} StewardSubject;

/* Register callbacks; by steward_keys_init. */
extern void steward_subject_init(void);
extern void steward_subject_erase_init(void);

/*
 * The subject of this name; false when there is none yet. Raises
 * ERRCODE_UNDEFINED_OBJECT before the first key was created and
 * ERRCODE_CONFIG_FILE_ERROR without the root of the hash secret.
 */
extern bool steward_subject_find(const StewardSubjectName *name,
								 StewardSubject *subject);

/*
 * The same, made now with a fresh secret when there is none yet. It waits for
 * another transaction that is just making it and then takes that one's, or, when
 * that rolled back, makes its own; so nobody ever sees a secret that is not
 * committed, save who made it. Raises also ERRCODE_READ_ONLY_SQL_TRANSACTION.
 */
extern void steward_subject_ensure(const StewardSubjectName *name,
								   StewardSubject *subject);

/* What can be said of a subject by its number. */
typedef enum StewardSubjectState
{
	STEWARD_SUBJECT_ALIVE,
	STEWARD_SUBJECT_ERASED,		/* which a valid tombstone alone can say */
	STEWARD_SUBJECT_MISSING,	/* this database does not have it */
	STEWARD_SUBJECT_REVOKED,	/* the journal names it, its secret is alive */
	STEWARD_SUBJECT_ALTERED		/* its row was */
} StewardSubjectState;

/* Always from the table. Raises ERRCODE_CONFIG_FILE_ERROR without the root that it
 * needs, and what steward_revocation_is_revoked raises. */
extern StewardSubjectState steward_subject_state(const unsigned char *uuid);

/*
 * The key of values under this version and bound to this subject, which must be
 * alive; else *key is not to be used. Good until the next call of any function
 * that may read tables. Raises what steward_key_for_opening and
 * steward_subject_state raise.
 */
extern StewardSubjectState steward_subject_try_key(uint32 key_id, uint32 key_tag,
												   const unsigned char *uuid,
												   const StewardValueKey **key);

/*
 * The key of values under this version and bound to this subject; NULL when the
 * subject was erased, which a valid tombstone alone can say. Good until the next
 * call of any function that may read tables. Raises what steward_key_for_opening
 * raises; ERRCODE_UNDEFINED_OBJECT for a subject that this database does not
 * have; ERRCODE_DATA_CORRUPTED when its row was altered;
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when the revocation journal names it
 * but its secret is alive; and what steward_revocation_is_revoked raises.
 */
extern const StewardValueKey *steward_subject_key(uint32 key_id, uint32 key_tag,
												  const unsigned char *uuid);

/*
 * Counts up whenever a subject may have been erased, or a secret that this
 * transaction made was rolled back: what is kept of bound values is then too old.
 */
extern uint64 steward_subject_generation(void);

/*
 * Erases a subject in this transaction. True when it had a secret; false when it
 * was erased before or never had one, in which case it gets a tombstone all the
 * same, so that none is ever made. Locks the subject's row. Raises as
 * steward_subject_find and steward_revocation_collect.
 */
extern bool steward_subject_erase(const StewardSubjectName *name);

/* Writes the tombstones that the journal knows of and the table does not;
 * returns their number. */
extern int64 steward_subject_apply_revocations(void);

/*
 * The subjects, as palloc'd uuids, whose erasure was committed and is not final.
 * When it returns, every session that begins a transaction knows of them: those
 * that could still write under their secrets are running already.
 */
extern List *steward_subject_pending(void);

/* Marks the erasures of these subjects as final, once those that were running
 * have ended; returns their number. */
extern int64 steward_subject_finish(List *uuids);

/* Records that the current root wraps something in this database. */
extern void steward_root_note(void);

#endif							/* STEWARD_KEYS_SUBJECT_H */

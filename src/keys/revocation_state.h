/*
 * revocation_state.h: the revocation journal as this process has read it.
 *
 * The copy holds what the journal says of this database's realm, and the place
 * up to which it was read. It is current when the file's name, inode, size and
 * times are those of the last reading.
 */
#ifndef STEWARD_KEYS_REVOCATION_STATE_H
#define STEWARD_KEYS_REVOCATION_STATE_H

#include "base/compat.h"

#include "keys/revocation_file.h"

/* What is to be done about tombstones that the journal misses. */
typedef enum StewardReconcile
{
	STEWARD_RECONCILE_ONCE,		/* append them, the first time in a process; a
								 * failure is for the log */
	STEWARD_RECONCILE_NOW,		/* likewise, and open the journal for this
								 * database; a failure raises */
	STEWARD_RECONCILE_NOT
} StewardReconcile;

/* Is steward.revocation_file set? */
extern bool steward_revocation_is_configured(void);

/*
 * Makes the copy current, checks that the journal holds what the database knows
 * it to have held, and reconciles. Raises as steward_revocation_is_revoked does.
 * False when the database has no realm, and so no subjects.
 */
extern bool steward_revocation_refresh(StewardReconcile reconcile);

/* Raises ERRCODE_CONFIG_FILE_ERROR when the database knows of a journal and
 * none is configured. */
extern void steward_revocation_require_none(void);

/* Does the copy name this subject? */
extern bool steward_revocation_copy_names(const unsigned char *subject);

/* Is every record of the copy's file under the current root? */
extern bool steward_revocation_copy_is_current(void);

/* The realm that the copy is of. */
extern const unsigned char *steward_revocation_copy_realm(void);

/* Begins a copy of this realm, with nothing read. */
extern void steward_revocation_copy_start(const unsigned char *realm);

/*
 * Reads what a locked file holds beyond the copy, or all of it when it is
 * another file. Raises when it was altered or a root is missing.
 */
extern void steward_revocation_copy_read(StewardJournalFile *file);

/* The copy's reader if it has read this file, else one for its start. */
extern StewardJournalReader steward_revocation_copy_reader(const StewardJournalFile *file);

/* Appends subjects that the file does not name yet, in a realm that is opened
 * first; returns how many. Raises. */
extern uint64 steward_revocation_copy_append(const unsigned char *subjects,
											 uint64 count, bool create);

/* Records in the database what the copy names and the database does not know;
 * not in recovery. */
extern void steward_revocation_copy_remember(void);

/* Sets space aside in a file that the copy has just read. */
extern bool steward_revocation_copy_reserve(StewardJournalFile *file,
											uint64 records,
											StewardJournalFault *fault);

/* Closes a file that an error left open. */
extern void steward_revocation_copy_close(void);

/* Forgets the copy; it is read anew when it is needed. */
extern void steward_revocation_copy_forget(void);

/* Tombstones may be missing: reconcile at the next refresh. */
extern void steward_revocation_copy_suspect(void);

/* Is this server a standby that follows a primary, not a restored backup? */
extern bool steward_revocation_follows(void);

/* Subjects, one after the other, in a memory context of the caller's. */
typedef struct StewardSubjectList
{
	unsigned char *subjects;
	uint64		count;
	uint64		capacity;
	bool		only_unnamed;	/* take those only that the copy does not name */
} StewardSubjectList;

/* Adds the erased subjects that the copy does not name. */
extern void steward_revocation_list_tombstones(StewardSubjectList *missing);

/* A StewardSubjectVisit that adds to the list at arg. */
extern void steward_revocation_list_add(const unsigned char *subject, void *arg);

#endif							/* STEWARD_KEYS_REVOCATION_STATE_H */

/*
 * revocation_file.h: the file steward.revocation_file: opened with every
 * refusal, locked, read, appended to.
 *
 * No function here raises an error but where it says so, for the callback of a
 * commit may not: a failure is told by a fault. The lock is the file's own
 * (flock); it is the innermost of all locks, held for reading or for one append
 * with its fsync, and never while a table is read. Waiting for it is bounded.
 *
 * A file that was opened is not trusted to be the one that the path names: the
 * lock is good only when both are the same, so a record never goes to a file
 * that was moved away or replaced.
 */
#ifndef STEWARD_KEYS_REVOCATION_FILE_H
#define STEWARD_KEYS_REVOCATION_FILE_H

#include "base/compat.h"

#include <sys/stat.h>

#include "crypto/journal.h"

typedef struct StewardJournalFile
{
	int			fd;				/* -1: not open */
	struct stat status;			/* when it was locked last */
} StewardJournalFile;

#define STEWARD_JOURNAL_FILE_CLOSED {-1}

/* Why something failed; constant texts. */
typedef struct StewardJournalFault
{
	bool		missing;		/* there is no such file */
	int			error;			/* errno, or 0 */
	const char *detail;			/* a sentence */
	const char *hint;
} StewardJournalFault;

/* How to lock. */
#define STEWARD_JOURNAL_SHARED 0	/* to read */
#define STEWARD_JOURNAL_EXCLUSIVE 1 /* to append */
#define STEWARD_JOURNAL_CREATE 2	/* make it when it is missing */
#define STEWARD_JOURNAL_INTERRUPTIBLE 4 /* waiting may be cancelled: raises */

/*
 * Opens the journal unless it is open, and locks it; fills in status. False,
 * with a fault and the file closed, when it is refused.
 */
extern bool steward_journal_file_lock(StewardJournalFile *file, int how,
									  StewardJournalFault *fault);

/* Gives the lock back and keeps the file open. */
extern void steward_journal_file_unlock(StewardJournalFile *file);

/* Closes it, lock and all; nothing happens when it is closed. */
extern void steward_journal_file_close(StewardJournalFile *file);

/* What lstat() says of the journal's path; false when there is no such file. */
extern bool steward_journal_file_stat(struct stat *status);

/* Called for each record; may raise, when the caller may. */
typedef void (*StewardJournalVisit) (const StewardJournalRecord *record,
									 void *arg);

/* Feeds the reader from its end to the file's. visit may be NULL. */
extern bool steward_journal_file_read(StewardJournalFile *file,
									  StewardJournalReader *reader,
									  const StewardJournalKeys *keys,
									  StewardJournalVisit visit, void *arg,
									  StewardJournalFault *fault);

/* Sets space aside for this many records behind the end, and some more. */
extern bool steward_journal_file_reserve(StewardJournalFile *file,
										 const StewardJournalReader *reader,
										 uint64 records,
										 StewardJournalFault *fault);

/* What one append writes. */
typedef struct StewardJournalAppend
{
	const unsigned char *realm;
	const unsigned char *opening;	/* its subject, or NULL for none */
	const unsigned char *subjects;	/* one after the other */
	uint64		count;
} StewardJournalAppend;

/*
 * Appends at the reader's end and makes it durable; the file is locked
 * exclusively and the reader has just read it. On failure what was written is
 * taken back as far as that is possible.
 */
extern bool steward_journal_file_append(StewardJournalFile *file,
										StewardJournalReader *reader,
										const StewardJournalKey *key,
										const StewardJournalAppend *append,
										StewardJournalFault *fault);

/* Writes raw slots at an offset. */
extern bool steward_journal_file_write(int fd, const unsigned char *bytes,
									   size_t len, off_t offset,
									   StewardJournalFault *fault);

/* Makes the directory of the journal durable. */
extern bool steward_journal_file_sync_directory(StewardJournalFault *fault);

/* A reason to refuse an open file, or NULL. */
extern const char *steward_journal_file_examine(int fd, struct stat *status);

/* Raises ERRCODE_CONFIG_FILE_ERROR with a fault. */
pg_attribute_noreturn()
extern void steward_journal_file_raise(const StewardJournalFault *fault);

#endif							/* STEWARD_KEYS_REVOCATION_FILE_H */

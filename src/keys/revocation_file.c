/*
 * revocation_file.c: the file of the revocation journal; see revocation_file.h.
 */
#include "keys/revocation_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/guc.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#define MODE_HINT "Make the file writable by the server's user alone (chmod 0600)."
#define PLACE_HINT "Set steward.revocation_file to an absolute path where backups of the data directory do not reach."
#define SPACE_HINT "See that the file system is there, writable and not full."

/* How long to wait for the lock of somebody who appends. */
#define LOCK_WAIT_MILLISECONDS 10000

/* Set aside beyond what is asked for: others append at the same time. */
#define SLACK_RECORDS 256

#define BUFFER_RECORDS 512
static unsigned char buffer[BUFFER_RECORDS * STEWARD_JOURNAL_RECORD_BYTES];

static bool
fail(StewardJournalFault *fault, int error, const char *detail, const char *hint)
{
	fault->missing = false;
	fault->error = error;
	fault->detail = detail;
	fault->hint = hint;
	return false;
}

void
steward_journal_file_raise(const StewardJournalFault *fault)
{
	/* The file's name goes to the log only: the setting is for superusers. */
	errno = fault->error;
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("revocation journal cannot be used"),
			 errdetail("%s", fault->detail),
			 fault->error != 0 ?
			 errdetail_log("%s File: \"%s\": %m.", fault->detail,
						   steward_revocation_file) :
			 errdetail_log("%s File: \"%s\".", fault->detail,
						   steward_revocation_file),
			 errhint("%s", fault->hint)));
}

/* ---- what is refused ---- */

/* The directory of the journal, as it was written. */
static void
split_directory(char directory[MAXPGPATH])
{
	char	   *slash;

	strlcpy(directory, steward_revocation_file, MAXPGPATH);
	slash = strrchr(directory, '/');
	slash[slash == directory ? 1 : 0] = '\0';
}

/* No link may lead into the data directory, nobody else move the file away. */
static bool
check_place(StewardJournalFault *fault)
{
	char		directory[MAXPGPATH];
	char		real[PATH_MAX];
	char		data[PATH_MAX];
	struct stat status;

	if (steward_revocation_file[0] != '/')
		return fail(fault, 0, "The path is not absolute.", PLACE_HINT);
	if (strlen(steward_revocation_file) >= MAXPGPATH)
		return fail(fault, 0, "The path is too long.", PLACE_HINT);
	split_directory(directory);
	if (realpath(directory, real) == NULL || stat(real, &status) != 0)
		return fail(fault, errno, "Its directory cannot be reached.", SPACE_HINT);
	if (realpath(DataDir, data) == NULL)
		return fail(fault, errno, "The data directory cannot be resolved.",
					PLACE_HINT);
	if (path_is_prefix_of_path(data, real))
		return fail(fault, 0, "The file lies inside the data directory.",
					PLACE_HINT);
	if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
		(status.st_mode & S_ISVTX) == 0)
		return fail(fault, 0, "Others can write to its directory, and so replace it.",
					"Make the directory writable by its owner alone.");
	return true;
}

const char *
steward_journal_file_examine(int fd, struct stat *status)
{
	if (fstat(fd, status) != 0)
		return "The file cannot be examined.";
	if (!S_ISREG(status->st_mode))
		return "It is not a regular file.";
	if (status->st_uid != geteuid() && status->st_uid != 0)
		return "The file belongs neither to the server's user nor to root.";
	if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "The file is writable by group or others.";
	return NULL;
}

bool
steward_journal_file_stat(struct stat *status)
{
	return lstat(steward_revocation_file, status) == 0;
}

/* ---- opening and locking ---- */

bool
steward_journal_file_sync_directory(StewardJournalFault *fault)
{
	char		directory[MAXPGPATH];
	int			fd;
	int			result;

	split_directory(directory);
	fd = open(directory, O_RDONLY | O_CLOEXEC);
	result = fd < 0 ? -1 : pg_fsync(fd);
	/* As in fsync_fname(): some systems cannot sync a directory. */
	if (result != 0 && fd >= 0 && (errno == EBADF || errno == EINVAL))
		result = 0;
	if (result != 0)
		(void) fail(fault, errno, "Its directory cannot be made durable.",
					SPACE_HINT);
	if (fd >= 0)
		(void) close(fd);
	return result == 0;
}

/* Opens without following a link, or makes the file. */
static bool
open_file(StewardJournalFile *file, int how, StewardJournalFault *fault)
{
	int			flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
		((how & STEWARD_JOURNAL_EXCLUSIVE) != 0 ? O_RDWR : O_RDONLY);
	const char *refusal;

	if (!check_place(fault))
		return false;
	file->fd = open(steward_revocation_file, flags);
	if (file->fd < 0 && errno == ENOENT &&
		(how & STEWARD_JOURNAL_CREATE) != 0)
	{
		file->fd = open(steward_revocation_file, flags | O_CREAT | O_EXCL, 0600);
		if (file->fd < 0 && errno == EEXIST)
			file->fd = open(steward_revocation_file, flags);
		else if (file->fd >= 0 && !steward_journal_file_sync_directory(fault))
			return false;
	}
	if (file->fd < 0)
	{
		int			error = errno;

		(void) fail(fault, error,
					error == ENOENT ? "The file does not exist." :
					error == ELOOP ? "It is not a regular file." :
					"The file cannot be opened.", SPACE_HINT);
		fault->missing = error == ENOENT;
		return false;
	}
	refusal = steward_journal_file_examine(file->fd, &file->status);
	return refusal == NULL || fail(fault, 0, refusal, MODE_HINT);
}

static bool
wait_for_lock(StewardJournalFile *file, int how, StewardJournalFault *fault)
{
	int			operation = LOCK_NB |
		((how & STEWARD_JOURNAL_EXCLUSIVE) != 0 ? LOCK_EX : LOCK_SH);
	instr_time	since;

	INSTR_TIME_SET_CURRENT(since);
	while (flock(file->fd, operation) != 0)
	{
		instr_time	waited;

		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(fault, errno, "The file cannot be locked.", SPACE_HINT);
		INSTR_TIME_SET_CURRENT(waited);
		INSTR_TIME_SUBTRACT(waited, since);
		if (INSTR_TIME_GET_MILLISEC(waited) > LOCK_WAIT_MILLISECONDS)
			return fail(fault, 0, "Another process keeps the file locked.",
						"Find the process that has a lock on the file.");
		if ((how & STEWARD_JOURNAL_INTERRUPTIBLE) != 0)
			CHECK_FOR_INTERRUPTS();
		pg_usleep(1000L);
	}
	return true;
}

bool
steward_journal_file_lock(StewardJournalFile *file, int how,
						  StewardJournalFault *fault)
{
	/* Each round is one replacement of the file by somebody. */
	for (int round = 0; round < 100; round++)
	{
		struct stat named;
		const char *refusal;

		if ((file->fd < 0 && !open_file(file, how, fault)) ||
			!wait_for_lock(file, how, fault))
			break;
		if (lstat(steward_revocation_file, &named) == 0 &&
			fstat(file->fd, &file->status) == 0 &&
			named.st_dev == file->status.st_dev &&
			named.st_ino == file->status.st_ino)
		{
			refusal = steward_journal_file_examine(file->fd, &file->status);
			if (refusal == NULL)
				return true;
			(void) fail(fault, 0, refusal, MODE_HINT);
			break;
		}
		steward_journal_file_close(file);
		(void) fail(fault, 0, "The file is replaced all the time.", SPACE_HINT);
	}
	steward_journal_file_close(file);
	return false;
}

void
steward_journal_file_unlock(StewardJournalFile *file)
{
	if (file->fd >= 0)
		(void) flock(file->fd, LOCK_UN);
}

void
steward_journal_file_close(StewardJournalFile *file)
{
	if (file->fd >= 0)
		(void) close(file->fd);
	file->fd = -1;
}

/* ---- reading ---- */

/* Fills the buffer from an offset; the bytes read, fewer at the end; -1. */
static ssize_t
fill_buffer(int fd, off_t offset)
{
	size_t		total = 0;

	while (total < sizeof buffer)
	{
		ssize_t		got = pread(fd, buffer + total, sizeof buffer - total,
								offset + total);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		total += got;
	}
	return total;
}

bool
steward_journal_file_read(StewardJournalFile *file, StewardJournalReader *reader,
						  const StewardJournalKeys *keys,
						  StewardJournalVisit visit, void *arg,
						  StewardJournalFault *fault)
{
	steward_journal_resume(reader);
	for (;;)
	{
		ssize_t		got = fill_buffer(file->fd, reader->slots *
									  STEWARD_JOURNAL_RECORD_BYTES);

		if (got < 0)
			return fail(fault, errno, "The file cannot be read.", SPACE_HINT);
		for (ssize_t at = 0; at + STEWARD_JOURNAL_RECORD_BYTES <= got;
			 at += STEWARD_JOURNAL_RECORD_BYTES)
		{
			StewardJournalRecord record;

			if (steward_journal_feed(reader, &record, buffer + at, keys) &&
				visit != NULL)
				visit(&record, arg);
		}
		if (got < sizeof buffer)
		{
			/* Part of a slot. */
			if (got % STEWARD_JOURNAL_RECORD_BYTES != 0)
				reader->torn = true;
			return true;
		}
	}
}

/* ---- writing ---- */

bool
steward_journal_file_write(int fd, const unsigned char *bytes, size_t len,
						   off_t offset, StewardJournalFault *fault)
{
	while (len > 0)
	{
		ssize_t		written = pwrite(fd, bytes, len, offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return fail(fault, written == 0 ? ENOSPC : errno,
						"The file cannot be written.", SPACE_HINT);
		bytes += written;
		len -= written;
		offset += written;
	}
	return true;
}

/* Undoes a write that failed; what cannot be undone is a torn tail. */
static void
take_back(StewardJournalFile *file, off_t size)
{
	if (ftruncate(file->fd, size) != 0)
		(void) pg_fsync(file->fd);
}

bool
steward_journal_file_reserve(StewardJournalFile *file,
							 const StewardJournalReader *reader, uint64 records,
							 StewardJournalFault *fault)
{
	off_t		needed = (reader->end.count + records) *
		STEWARD_JOURNAL_RECORD_BYTES;
	off_t		wanted = needed + SLACK_RECORDS * STEWARD_JOURNAL_RECORD_BYTES;
	off_t		size = file->status.st_size;

	/* Half of the slack is left for others before more is set aside. */
	if (size >= needed + SLACK_RECORDS / 2 * STEWARD_JOURNAL_RECORD_BYTES)
		return true;
	memset(buffer, 0, sizeof buffer);
	while (size < wanted)
	{
		size_t		step = Min(wanted - size, sizeof buffer);

		if (!steward_journal_file_write(file->fd, buffer, step, size, fault))
		{
			take_back(file, file->status.st_size);
			return false;
		}
		size += step;
	}
	return true;
}

/* Writes the records of an append; the reader's end moves along. */
static bool
write_records(StewardJournalFile *file, StewardJournalReader *reader,
			  const StewardJournalKey *key, const StewardJournalAppend *append,
			  StewardJournalFault *fault)
{
	uint64		openings = append->opening != NULL ? 1 : 0;
	uint64		total = append->count + openings;
	int64		now = GetCurrentTimestamp();
	off_t		offset = reader->end.count * STEWARD_JOURNAL_RECORD_BYTES;
	size_t		filled = 0;

	for (uint64 i = 0; i < total; i++)
	{
		bool		opens = i < openings;

		steward_journal_write(buffer + filled, &reader->end, key,
							  opens ? STEWARD_JOURNAL_OPENING :
							  STEWARD_JOURNAL_REVOCATION,
							  (uint32) i, now, append->realm,
							  opens ? append->opening :
							  append->subjects +
							  (i - openings) * STEWARD_UUID_BYTES);
		filled += STEWARD_JOURNAL_RECORD_BYTES;
		if (filled < sizeof buffer && i + 1 < total)
			continue;
		if (!steward_journal_file_write(file->fd, buffer, filled, offset, fault))
			return false;
		offset += filled;
		filled = 0;
	}
	return true;
}

bool
steward_journal_file_append(StewardJournalFile *file,
							StewardJournalReader *reader,
							const StewardJournalKey *key,
							const StewardJournalAppend *append,
							StewardJournalFault *fault)
{
	StewardJournalEnd before = reader->end;
	off_t		end = before.count * STEWARD_JOURNAL_RECORD_BYTES;

	/* Nothing of a torn append may follow what we write. */
	if (reader->torn &&
		(ftruncate(file->fd, end) != 0 || pg_fsync(file->fd) != 0))
		return fail(fault, errno, "The file cannot be written.", SPACE_HINT);
	reader->torn = false;
	if (write_records(file, reader, key, append, fault))
	{
		if (pg_fsync(file->fd) == 0)
			return true;
		(void) fail(fault, errno, "The file cannot be made durable.", SPACE_HINT);
	}
	/* What may not be durable must be written again, not be read as there. */
	take_back(file, end);
	reader->end = before;
	return false;
}

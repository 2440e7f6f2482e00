/*
 * spool.c: this process's spool file; see spool.h.
 *
 * A file is locked (flock) by the process that writes it, for as long as that
 * lives: whoever gets the lock knows that the file is complete, after any crash.
 * It gets its name only when it is locked. One write a call, at the end of the
 * file; what a failed write left is cut off, or, if that fails too, ends the file.
 *
 * The counter of bytes is what the directory holds at the start of the server, plus
 * what is written, minus what is removed.
 */
#include "base/compat.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/spool_json.h"
#include "access/spool.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "base/guc.h"
#include "base/shared.h"
#include "common/file_perm.h"
#include "crypto/spool.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/fd.h"
#include "utils/memutils.h"

typedef struct SpoolShared
{
	pg_atomic_uint64 bytes;
} SpoolShared;

static SpoolShared *shared = NULL;

/* The file that is written; fd -1 when none is open. */
static int	fd = -1;
static uint64 size = 0;
static uint64 file_number = 0;
static unsigned char id[STEWARD_SPOOL_ID_BYTES];

/* What is to be written next, frame after frame. */
static StringInfoData pending = {0};
static int	frame = -1;			/* where the record being made begins */

/* Why the last write failed. */
static bool full = false;
static int	failure = 0;
static const char *failed_to = NULL;

/* ---- the shared counter ---- */

static uint64
directory_bytes(const char *path)
{
	DIR		   *directory = AllocateDir(path);
	struct dirent *entry;
	uint64		bytes = 0;

	if (directory == NULL)
		return 0;
	while ((entry = ReadDirExtended(directory, path, LOG)) != NULL)
	{
		char		name[MAXPGPATH];
		struct stat info;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		if (lstat(name, &info) != 0)
			continue;
		if (S_ISDIR(info.st_mode))
			bytes += directory_bytes(name);
		else if (S_ISREG(info.st_mode))
			bytes += info.st_size;
	}
	FreeDir(directory);
	return bytes;
}

static void
init_shared(void *memory, LWLock *lock)
{
	pg_atomic_init_u64(&((SpoolShared *) memory)->bytes,
					   directory_bytes(STEWARD_SPOOL_DIRECTORY));
}

void
steward_spool_init(void)
{
	steward_shared_request("pg_steward access", sizeof(SpoolShared),
						   (void **) &shared, init_shared);
}

void
steward_spool_removed(uint64 bytes)
{
	uint64		used;

	if (shared == NULL)
		return;
	used = pg_atomic_read_u64(&shared->bytes);
	while (!pg_atomic_compare_exchange_u64(&shared->bytes, &used,
										   used < bytes ? 0 : used - bytes))
		;
}

uint64
steward_spool_used(void)
{
	return shared == NULL ? directory_bytes(STEWARD_SPOOL_DIRECTORY) :
		pg_atomic_read_u64(&shared->bytes);
}

/* ---- the file ---- */

const char *
steward_spool_session(void)
{
	static char name[48] = "";
	static int	pid = 0;
	uint32		random = 0;

	if (pid != MyProcPid)
	{
		pid = MyProcPid;
		if (!pg_strong_random(&random, sizeof random))
			random = (uint32) MyStartTimestamp;
		snprintf(name, sizeof name, UINT64_FORMAT ".%d.%08x",
				 (uint64) MyStartTimestamp, MyProcPid, random);
	}
	return name;
}

static bool
fail(const char *what)
{
	full = false;
	failure = errno;
	failed_to = what;
	return false;
}

static void
close_file(void)
{
	if (fd < 0)
		return;
	close(fd);
	ReleaseExternalFD();
	fd = -1;
}

static bool
make_directory(const char *path)
{
	if (mkdir(path, S_IRWXU) == 0 || errno == EEXIST)
		return true;
	return fail("create the spool directory");
}

static bool
make_directories(char *path, size_t path_size)
{
	snprintf(path, path_size, "%s/%u", STEWARD_SPOOL_DIRECTORY, MyDatabaseId);
	return make_directory("pg_steward") &&
		make_directory(STEWARD_SPOOL_DIRECTORY) && make_directory(path);
}

/* Opens a file under a name of its own, and locks it. */
static bool
open_file(const char *path)
{
	if (!AcquireExternalFD())
	{
		errno = EMFILE;
		return fail("open a spool file");
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
			  S_IRUSR | S_IWUSR);
	if (fd < 0)
	{
		int			error = errno;

		ReleaseExternalFD();
		errno = error;
		return fail("create a spool file");
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	(void) fail("lock a spool file");
	close_file();
	(void) unlink(path);
	return false;
}

/* Appends what is pending to the file, all of it or nothing. */
static bool
append(const char *bytes, size_t len)
{
	ssize_t		written;

	do
	{
		errno = 0;
		written = write(fd, bytes, len);
	} while (written < 0 && errno == EINTR);
	if (written == (ssize_t) len)
	{
		size += len;
		if (shared != NULL)
			pg_atomic_fetch_add_u64(&shared->bytes, len);
		return true;
	}
	if (written >= 0)
		errno = ENOSPC;
	(void) fail("write to the spool file");
	if (written > 0 && ftruncate(fd, size) != 0)
		close_file();
	return false;
}

static TimeLineID
timeline(void)
{
	TimeLineID	replayed;

	if (!RecoveryInProgress())
		return GetWALInsertionTimeLine();
	(void) GetXLogReplayRecPtr(&replayed);
	return replayed;
}

/* The first record: whose file this is. */
static void
put_origin(StringInfo out)
{
	char		number[32];

	steward_spool_json_put(out, "{\"kind\":\"spool\",\"session\":\"");
	appendStringInfoString(out, steward_spool_session());
	steward_spool_json_put(out, "\",\"pid\":");
	steward_spool_json_integer(out, MyProcPid);
	steward_spool_json_put(out, ",\"session_started_at\":");
	steward_spool_json_time(out, MyStartTimestamp);
	snprintf(number, sizeof number, UINT64_FORMAT, GetSystemIdentifier());
	steward_spool_json_put(out, ",\"system_identifier\":\"");
	appendStringInfoString(out, number);
	steward_spool_json_put(out, "\",\"timeline\":");
	steward_spool_json_unsigned(out, timeline());
	steward_spool_json_put(out, ",\"database\":");
	steward_spool_json_unsigned(out, MyDatabaseId);
	appendStringInfoString(out, RecoveryInProgress() ? ",\"standby\":true" :
						   ",\"standby\":false");
	steward_spool_json_put(out, ",\"encoding\":\"");
	appendStringInfoString(out, GetDatabaseEncodingName());
	steward_spool_json_put(out, "\"}");
}

/* Writes head and first record; the memory is the caller's context's. */
static bool
write_origin(void)
{
	StringInfoData head;
	unsigned char header[STEWARD_SPOOL_HEADER_BYTES];
	static const char zeros[STEWARD_SPOOL_SUM_BYTES] = {0};
	bool		written;

	steward_spool_put_header(header, id);
	initStringInfo(&head);
	appendBinaryStringInfo(&head, (char *) header, sizeof header);
	appendBinaryStringInfo(&head, zeros, STEWARD_SPOOL_LENGTH_BYTES);
	put_origin(&head);
	appendBinaryStringInfo(&head, zeros, STEWARD_SPOOL_SUM_BYTES);
	steward_spool_seal((unsigned char *) head.data + sizeof header,
					   head.len - sizeof header - STEWARD_SPOOL_FRAME_BYTES, id,
					   sizeof header);
	written = append(head.data, head.len);
	pfree(head.data);
	return written;
}

/* Makes the next file, and gives it its name once it is locked and begun. */
static bool
begin_file(void)
{
	char		directory[MAXPGPATH];
	char		fresh[MAXPGPATH];
	char		path[MAXPGPATH];
	char		name[96];

	if (!make_directories(directory, sizeof directory))
		return false;
	if (!pg_strong_random(id, sizeof id))
	{
		errno = EIO;
		return fail("make a random number for a spool file");
	}
	snprintf(name, sizeof name, "%s." UINT64_FORMAT, steward_spool_session(),
			 file_number + 1);
	snprintf(fresh, sizeof fresh, "%s/" STEWARD_SPOOL_PREFIX STEWARD_SPOOL_NEW "%s",
			 directory, name);
	snprintf(path, sizeof path, "%s/" STEWARD_SPOOL_PREFIX "%s", directory, name);
	if (!open_file(fresh))
		return false;
	size = 0;
	if (write_origin())
	{
		if (rename(fresh, path) == 0)
		{
			file_number++;
			return true;
		}
		(void) fail("name a spool file");
		steward_spool_removed(size);
	}
	close_file();
	(void) unlink(fresh);
	return false;
}

uint64
steward_spool_file(void)
{
	if (fd >= 0 && size >= STEWARD_SPOOL_FILE_BYTES)
		close_file();
	if (fd < 0)
	{
		/* What an error left unwritten was sealed for the file before. */
		pending.len = 0;
		frame = -1;
		if (!begin_file())
			return 0;
	}
	return file_number;
}

/* ---- records ---- */

StringInfo
steward_spool_begin(void)
{
	if (pending.data == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		initStringInfo(&pending);
		MemoryContextSwitchTo(old);
	}
	/* An error left a record unfinished. */
	if (frame >= 0)
		pending.len = frame;
	frame = pending.len;
	appendStringInfoSpaces(&pending, STEWARD_SPOOL_LENGTH_BYTES);
	return &pending;
}

uint64
steward_spool_end(void)
{
	uint64		position = size + frame;
	size_t		len = pending.len - frame - STEWARD_SPOOL_LENGTH_BYTES;

	enlargeStringInfo(&pending, STEWARD_SPOOL_SUM_BYTES);
	steward_spool_seal((unsigned char *) pending.data + frame, len, id, position);
	pending.len += STEWARD_SPOOL_SUM_BYTES;
	frame = -1;
	return position;
}

bool
steward_spool_write(void)
{
	int			len = pending.len;

	pending.len = 0;
	frame = -1;
	if (fd < 0)
		return false;
	if (steward_spool_used() + len > (uint64) steward_access_spool_size * 1024 * 1024)
	{
		full = true;
		return false;
	}
	if (!append(pending.data, len))
		return false;
	if (steward_access_audit_fsync && fdatasync(fd) != 0)
		return fail("write the spool file to disk");
	return true;
}

void
steward_spool_complain(int elevel)
{
	if (full)
		ereport(elevel,
				(errcode(ERRCODE_DISK_FULL),
				 errmsg("could not record the read of an audited table"),
				 errdetail("Records that wait for their import have reached the limit of %d MB.",
						   steward_access_spool_size),
				 errhint("Call steward.import_access() in each database that has some, or raise steward.access_spool_size.")));
	else
	{
		errno = failure;
		ereport(elevel,
				(errcode_for_file_access(),
				 errmsg("could not record the read of an audited table"),
				 errdetail("Could not %s in \"%s\": %m.", failed_to,
						   STEWARD_SPOOL_DIRECTORY),
				 errhint("See to the data directory's disk space and permissions.")));
	}
}

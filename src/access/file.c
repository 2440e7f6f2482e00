/*
 * file.c: reading spool files; see file.h.
 *
 * Another process may be appending. What it has not finished reads as short, and is
 * read again another time.
 */
#include "base/compat.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/file.h"
#include "access/spool.h"
#include "base/json.h"
#include "crypto/bytes.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

static char *
directory(void)
{
	return psprintf("%s/%u", STEWARD_SPOOL_DIRECTORY, MyDatabaseId);
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

List *
steward_spool_names(void)
{
	char	   *path = directory();
	DIR		   *dir = AllocateDir(path);
	struct dirent *entry;
	List	   *names = NIL;

	if (dir == NULL && errno == ENOENT)
		return NIL;
	while ((entry = ReadDir(dir, path)) != NULL)
		if (strncmp(entry->d_name, STEWARD_SPOOL_PREFIX, strlen(STEWARD_SPOOL_PREFIX)) == 0)
			names = lappend(names, pstrdup(entry->d_name));
	FreeDir(dir);
	list_sort(names, compare_names);
	return names;
}

/* Reads so many bytes at a position; fewer only at the end of the file. */
static size_t
read_at(StewardSpoolFile *file, uint64 position, void *bytes, size_t len)
{
	size_t		done = 0;

	while (done < len)
	{
		ssize_t		got = pread(file->fd, (char *) bytes + done, len - done,
								position + done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read file \"%s\": %m", file->path)));
		if (got == 0)
			break;
		done += got;
	}
	return done;
}

/* NULL when it is no JSON, or none that this database can hold. */
static Jsonb *
as_jsonb(const unsigned char *body, size_t len)
{
	char	   *text = pnstrdup((const char *) body, len);
	MemoryContext context = CurrentMemoryContext;
	Jsonb	   *volatile record = NULL;

	/* Neither of the two has anything open when it raises what is let pass. */
	PG_TRY();
	{
		text = pg_any_to_server(text, len, PG_UTF8);
		record = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		int			category = ERRCODE_TO_CATEGORY(geterrcode());

		if (category != ERRCODE_DATA_EXCEPTION &&
			category != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return record;
}

/* {"kind": "unreadable", …}: where it is. */
static Jsonb *
unreadable(const StewardSpoolFile *file, uint64 position, size_t len)
{
	StewardJson json;

	steward_json_begin(&json);
	steward_json_text(&json, "kind", "unreadable");
	steward_json_text(&json, "file", file->name);
	steward_json_number(&json, "position", (int64) position);
	steward_json_number(&json, "bytes", (int64) len);
	return steward_json_end(&json);
}

/* A record is an object that says of which kind it is. */
static bool
is_record(Jsonb *value)
{
	JsonbValue *kind;

	if (value == NULL || !JB_ROOT_IS_OBJECT(value))
		return false;
	kind = getKeyJsonValueFromContainer(&value->root, "kind", strlen("kind"), NULL);
	return kind != NULL && kind->type == jbvString;
}

static Jsonb *
read_record(StewardSpoolFile *file, uint64 position, uint64 *next,
			StewardSpoolStatus *status)
{
	unsigned char head[STEWARD_SPOOL_LENGTH_BYTES];
	unsigned char *bytes;
	const unsigned char *body;
	size_t		len;
	size_t		body_len;
	Jsonb	   *record;

	len = read_at(file, position, head, sizeof head);
	if (len < sizeof head)
	{
		*status = len == 0 ? STEWARD_SPOOL_OK : STEWARD_SPOOL_SHORT;
		return NULL;
	}
	len = steward_load_be32(head);
	if (len == 0 || len > STEWARD_SPOOL_BODY_MAX)
	{
		*status = STEWARD_SPOOL_DAMAGED;
		return NULL;
	}
	len += STEWARD_SPOOL_FRAME_BYTES;
	bytes = palloc(len);
	*status = steward_spool_read(bytes, read_at(file, position, bytes, len), file->id,
								 position, &body, &body_len);
	record = *status == STEWARD_SPOOL_OK ? as_jsonb(body, body_len) : NULL;
	if (*status == STEWARD_SPOOL_OK && !is_record(record))
		record = unreadable(file, position, len);
	pfree(bytes);
	*next = position + len;
	return record;
}

/* What is wrong at the place where a process that lives may be writing is short. */
static StewardSpoolStatus
judge(const StewardSpoolFile *file, StewardSpoolStatus status)
{
	return status == STEWARD_SPOOL_DAMAGED && !file->finished ?
		STEWARD_SPOOL_SHORT : status;
}

Jsonb *
steward_spool_next(StewardSpoolFile *file, StewardSpoolStatus *status)
{
	uint64		next;
	Jsonb	   *record = read_record(file, file->position, &next, status);

	*status = judge(file, *status);
	if (record != NULL)
		file->position = next;
	return record;
}

Jsonb *
steward_spool_at(StewardSpoolFile *file, uint64 position)
{
	uint64		next;
	StewardSpoolStatus status;

	return read_record(file, position, &next, &status);
}

uint64
steward_spool_first(StewardSpoolFile *file)
{
	uint64		next = STEWARD_SPOOL_HEADER_BYTES;
	StewardSpoolStatus status;

	if (file->origin != NULL)
		(void) read_record(file, STEWARD_SPOOL_HEADER_BYTES, &next, &status);
	return next;
}

StewardSpoolFile *
steward_spool_open(const char *name)
{
	StewardSpoolFile *file = palloc0(sizeof *file);
	unsigned char header[STEWARD_SPOOL_HEADER_BYTES];
	struct stat info;

	file->name = pstrdup(name);
	file->path = psprintf("%s/%s", directory(), name);
	file->fd = OpenTransientFile(file->path, O_RDONLY | PG_BINARY | O_NOFOLLOW);
	if (file->fd < 0 && errno == ENOENT)
		return NULL;
	if (file->fd < 0 || fstat(file->fd, &info) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", file->path)));
	/* Locked first and measured then: a finished file has its final size. */
	file->finished = flock(file->fd, LOCK_EX | LOCK_NB) == 0;
	if (fstat(file->fd, &info) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not stat file \"%s\": %m", file->path)));
	file->size = info.st_size;
	if (steward_spool_get_header(header, read_at(file, 0, header, sizeof header),
								 file->id) == STEWARD_SPOOL_OK)
		file->origin = steward_spool_at(file, STEWARD_SPOOL_HEADER_BYTES);
	return file;
}

void
steward_spool_close(StewardSpoolFile *file)
{
	CloseTransientFile(file->fd);
	file->fd = -1;
}

void
steward_spool_remove(const char *path, uint64 size)
{
	if (unlink(path) == 0)
		steward_spool_removed(size);
	else if (errno != ENOENT)
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not remove file \"%s\": %m", path)));
}

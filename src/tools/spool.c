/*
 * spool.c: the program pg_steward_spool, which reads the spool files of access
 * audit without a server.
 *
 * It prints a line of JSON for each record and checks what it reads. It changes
 * nothing, locks nothing and needs no key: records can be shipped from a standby,
 * or from a server that does not start.
 *
 * Terms
 *	 position	where a record begins in its file; file and position name it for
 *				good, so that what reads the lines can leave out what it has
 *	 damaged	no record can be read from here to the end. In a file that is
 *				written, that may be a record that is not complete yet
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/bytes.h"
#include "crypto/spool.h"

#define PREFIX "pgsql_tmp."
#define PREFIX_NEW "pgsql_tmp.new."
#define NODE_FILE "pgsql_tmp.node"
#define FOLLOW_SECONDS 1

/* A file, and how far it was read; kept while following. */
typedef struct File
{
	char	   *path;
	uint64_t	position;
	bool		damaged;		/* at this position; said already */
	bool		seen;			/* in this round */
	struct File *next;
} File;

static File *files = NULL;
static bool failed = false;

__attribute__((format(printf, 1, 2)))
static void
complain(const char *format, ...)
{
	va_list		arguments;

	va_start(arguments, format);
	fputs("pg_steward_spool: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	failed = true;
}

static void
quit(const char *what)
{
	complain("%s", what);
	exit(2);
}

static void *
checked(void *memory)
{
	if (memory == NULL)
		quit("out of memory");
	return memory;
}

static File *
file_of(const char *path)
{
	File	   *file;

	for (file = files; file != NULL; file = file->next)
		if (strcmp(file->path, path) == 0)
			return file;
	file = checked(calloc(1, sizeof *file));
	file->path = checked(strdup(path));
	file->next = files;
	files = file;
	return file;
}

/* Forgets files that are gone: one that follows may run for years. */
static void
forget_unseen(void)
{
	File	  **link = &files;

	while (*link != NULL)
	{
		File	   *file = *link;

		if (file->seen)
		{
			file->seen = false;
			link = &file->next;
			continue;
		}
		*link = file->next;
		free(file->path);
		free(file);
	}
}

/* As a JSON string; names of ours are ASCII, others are shown by their bytes. */
static void
print_string(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++)
	{
		unsigned char byte = (unsigned char) *text;

		if (byte < ' ' || byte >= 0x7f || byte == '"' || byte == '\\')
			printf("\\u%04x", byte);
		else
			putchar(byte);
	}
	putchar('"');
}

static void
begin_line(const File *file)
{
	const char *name = strrchr(file->path, '/');

	fputs("{\"file\":", stdout);
	print_string(name == NULL ? file->path : name + 1);
	printf(",\"position\":%" PRIu64 ",", file->position);
}

static void
print_record(const File *file, const unsigned char *body, size_t len)
{
	begin_line(file);
	fputs("\"record\":", stdout);
	fwrite(body, 1, len, stdout);
	fputs("}\n", stdout);
}

/* While following, what is written now is whole at the next look. */
static void
print_damage(File *file, size_t len, bool follows)
{
	if (follows || file->damaged)
		return;
	begin_line(file);
	printf("\"damaged\":%zu}\n", len);
	file->damaged = true;
	failed = true;
}

static void
print_file(File *file, const unsigned char *bytes, size_t size, bool follows)
{
	unsigned char id[STEWARD_SPOOL_ID_BYTES];

	if (steward_spool_get_header(bytes, size, id) != STEWARD_SPOOL_OK)
	{
		print_damage(file, size, follows);
		return;
	}
	if (file->position == 0)
		file->position = STEWARD_SPOOL_HEADER_BYTES;
	while (file->position < size)
	{
		const unsigned char *body;
		size_t		len;

		if (steward_spool_read(bytes + file->position, size - file->position, id,
							   file->position, &body, &len) != STEWARD_SPOOL_OK)
		{
			print_damage(file, size - file->position, follows);
			return;
		}
		print_record(file, body, len);
		file->position += len + STEWARD_SPOOL_FRAME_BYTES;
	}
}

/* A file as it is now: no longer than when it was opened. */
static void
read_file(const char *path, bool follows)
{
	int			fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat info;
	File	   *file;
	unsigned char *bytes;
	size_t		done = 0;

	if (fd < 0 && errno == ENOENT && follows)
		return;
	if (fd < 0 || fstat(fd, &info) != 0)
	{
		complain("cannot read \"%s\": %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	file = file_of(path);
	file->seen = true;
	if ((uint64_t) info.st_size > file->position)
	{
		bytes = checked(malloc((size_t) info.st_size));
		while (done < (size_t) info.st_size)
		{
			ssize_t		got = pread(fd, bytes + done, (size_t) info.st_size - done,
									(off_t) done);

			if (got < 0 && errno != EINTR)
				complain("cannot read \"%s\": %s", path, strerror(errno));
			if (got == 0 || (got < 0 && errno != EINTR))
				break;
			done += got > 0 ? (size_t) got : 0;
		}
		print_file(file, bytes, done, follows);
		free(bytes);
	}
	close(fd);
}

static int
is_spool(const struct dirent *entry)
{
	if (strcmp(entry->d_name, NODE_FILE) == 0 ||
		strncmp(entry->d_name, PREFIX_NEW, strlen(PREFIX_NEW)) == 0)
		return 0;
	return strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 ||
		(entry->d_name[0] >= '0' && entry->d_name[0] <= '9');
}

/* A file, or the files of a directory and of those of databases in it. */
static void
read_path(const char *path, bool follows)
{
	struct stat info;
	struct dirent **entries;
	int			count;

	if (lstat(path, &info) != 0)
	{
		if (errno != ENOENT || !follows)
			complain("cannot read \"%s\": %s", path, strerror(errno));
		return;
	}
	if (!S_ISDIR(info.st_mode))
	{
		read_file(path, follows);
		return;
	}
	count = scandir(path, &entries, is_spool, alphasort);
	if (count < 0)
		complain("cannot read \"%s\": %s", path, strerror(errno));
	for (int i = 0; i < count; i++)
	{
		size_t		len = strlen(path) + strlen(entries[i]->d_name) + 2;
		char	   *inner = checked(malloc(len));

		snprintf(inner, len, "%s/%s", path, entries[i]->d_name);
		read_path(inner, follows);
		free(inner);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static void
usage(FILE *out)
{
	fputs("pg_steward_spool prints the records of access audit that wait for their import.\n\n"
		  "Usage: pg_steward_spool [--follow] PATH...\n\n"
		  "  PATH      a spool file, or a directory: DATADIR/pg_steward/access\n"
		  "  --follow  goes on with what is added, until it is interrupted\n"
		  "  --help    prints this\n\n"
		  "A line of JSON a record. Exit status: 1 when something could not be read or is\n"
		  "damaged, which in a file of a session that runs may be a record that is being\n"
		  "written; 2 for wrong usage.\n", out);
}

int
main(int argc, char **argv)
{
	bool		follows = false;
	int			first = 1;

	if (argc > 1 && strcmp(argv[1], "--help") == 0)
	{
		usage(stdout);
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "--follow") == 0)
	{
		follows = true;
		first++;
	}
	if (first >= argc || argv[first][0] == '-')
	{
		usage(stderr);
		return 2;
	}
	if (sodium_init() < 0)
		quit("libsodium could not be initialised");
	for (;;)
	{
		for (int i = first; i < argc; i++)
			read_path(argv[i], follows);
		if (fflush(stdout) != 0 || ferror(stdout))
			quit("cannot write");
		if (!follows)
			return failed ? 1 : 0;
		forget_unseen();
		sleep(FOLLOW_SECONDS);
	}
}

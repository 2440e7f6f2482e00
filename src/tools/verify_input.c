/*
 * verify_input.c: reading for pg_steward_verify; see verify.h.
 */
#include "tools/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/leaf.h"

#define FIRST_READ_BYTES ((size_t) 64 * 1024)
#define HASH_WORD "hash "
#define SECONDS_1970_TO_2000 946684800
#define SECOND 1000000

/* A file, and the part of it that is in memory. */
typedef struct Reader
{
	FILE	   *file;
	char	   *buffer;
	size_t		room;
	size_t		start;			/* of what is not taken yet */
	size_t		end;
	bool		ended;
} Reader;

static bool
open_reader(Reader *reader, const char *path)
{
	memset(reader, 0, sizeof *reader);
	reader->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	if (reader->file == NULL)
		return false;
	reader->room = FIRST_READ_BYTES;
	reader->buffer = malloc(reader->room);
	return reader->buffer != NULL;
}

static void
close_reader(Reader *reader)
{
	int			saved = errno;

	if (reader->file != NULL && reader->file != stdin)
		(void) fclose(reader->file);
	free(reader->buffer);
	errno = saved;
}

/* Reads more behind what is there. False with errno; ended at the end. */
static bool
read_more(Reader *reader)
{
	size_t		got;

	if (reader->start > 0)
	{
		memmove(reader->buffer, reader->buffer + reader->start,
				reader->end - reader->start);
		reader->end -= reader->start;
		reader->start = 0;
	}
	if (reader->end == reader->room)
	{
		char	   *larger;

		if (reader->room >= STEWARD_INPUT_MAX_BYTES)
		{
			errno = EFBIG;
			return false;
		}
		larger = realloc(reader->buffer, 2 * reader->room);
		if (larger == NULL)
			return false;
		reader->buffer = larger;
		reader->room *= 2;
	}
	errno = 0;
	got = fread(reader->buffer + reader->end, 1, reader->room - reader->end,
				reader->file);
	reader->end += got;
	if (got == 0 && ferror(reader->file))
	{
		if (errno == 0)
			errno = EIO;
		return false;
	}
	reader->ended = got == 0;
	return true;
}

char *
steward_read_file(const char *path, size_t *len)
{
	Reader		reader;
	char	   *bytes = NULL;

	*len = 0;
	if (open_reader(&reader, path))
	{
		while (!reader.ended && read_more(&reader))
			;
		if (reader.ended)
		{
			bytes = reader.buffer;
			*len = reader.end;
			reader.buffer = NULL;
		}
	}
	close_reader(&reader);
	return bytes;
}

void
steward_export_begin(StewardExport *export, const StewardPrune *prune)
{
	memset(export, 0, sizeof *export);
	steward_frontier_init(&export->tree);
	export->prune = prune;
	if (prune != NULL)
		export->tree = prune->boundary;
	export->first = export->tree.size;
	steward_places_begin(&export->places);
}

/* When the tree is as large as the one that the certificate tells of, it must be
 * that tree. */
static void
compare_head(StewardExport *export)
{
	StewardHash root;

	if (export->prune == NULL || export->tree.size != export->prune->size)
		return;
	steward_frontier_root(&root, &export->tree);
	if (!steward_hash_equals(&root, &export->prune->root))
		export->head_differs = true;
}

static void
count_leaf(StewardExport *export, const unsigned char *leaf, size_t len)
{
	StewardLeafRecord record;
	StewardLeafOpening opening;

	if (steward_leaf_record_parse(&record, leaf, len))
		export->records++;
	else if (steward_leaf_opening_parse(&opening, leaf, len))
		export->openings++;
	else
		export->others++;
}

bool
steward_export_line(StewardExport *export, char *line, size_t len)
{
	StewardScan text = {line, len};
	StewardHash hash;

	export->lines++;
	if (steward_scan_skip(&text, HASH_WORD))
	{
		if (!steward_scan_hash(&text, &hash))
			return false;
		export->hashes++;
		steward_places_add(&export->places, export->tree.size);
	}
	else
	{
		StewardProofText source = {.extra = line, .extra_len = len};
		unsigned char *leaf = malloc(steward_proof_extra_max(&source) + 1);
		size_t		leaf_len;

		if (leaf == NULL || len == 0 ||
			!steward_proof_extra(leaf, &leaf_len, &source))
		{
			free(leaf);
			return false;
		}
		count_leaf(export, leaf, leaf_len);
		steward_merkle_leaf(&hash, leaf, leaf_len);
		free(leaf);
	}
	if (!steward_frontier_append(&export->tree, &hash, NULL, NULL))
		return false;
	compare_head(export);
	return true;
}

StewardExportStatus
steward_export_read(StewardExport *export, const char *path, uint64_t limit)
{
	Reader		reader;
	StewardExportStatus status = STEWARD_EXPORT_READ;
	size_t		searched = 0;

	if (!open_reader(&reader, path))
		status = STEWARD_EXPORT_UNREADABLE;
	while (status == STEWARD_EXPORT_READ)
	{
		char	   *line = reader.buffer + reader.start;
		char	   *newline = memchr(line + searched, '\n',
									 reader.end - reader.start - searched);

		if (newline == NULL)
		{
			searched = reader.end - reader.start;
			if (!reader.ended && read_more(&reader))
				continue;
			if (!reader.ended)
				status = STEWARD_EXPORT_UNREADABLE;
			else if (searched > 0)
			{
				export->lines++;	/* it has no newline: it was cut off */
				status = STEWARD_EXPORT_BAD_LINE;
			}
			break;
		}
		if (export->tree.size >= limit)
			status = STEWARD_EXPORT_TOO_MANY;
		else if (!steward_export_line(export, line, (size_t) (newline - line)))
			status = STEWARD_EXPORT_BAD_LINE;
		reader.start += (size_t) (newline - line) + 1;
		searched = 0;
	}
	close_reader(&reader);
	return status;
}

/* Microseconds since 2000 as a time, or as the number where no calendar goes. */
static void
print_time(FILE *stream, int64_t time)
{
	int64_t		micros = time % SECOND;
	time_t		seconds = (time_t) (time / SECOND + SECONDS_1970_TO_2000);
	struct tm	parts;
	char		text[64];

	if (micros < 0)
	{
		micros += SECOND;
		seconds--;
	}
	if (gmtime_r(&seconds, &parts) == NULL ||
		strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) == 0)
		fprintf(stream, "%lld", (long long) time);
	else
		fprintf(stream, "%s.%06d UTC", text, (int) micros);
}

void
steward_describe_leaf(FILE *stream, const unsigned char *leaf, size_t len)
{
	StewardLeafRecord record;
	StewardLeafOpening opening;

	if (steward_leaf_record_parse(&record, leaf, len))
	{
		fprintf(stream, "record: incarnation %u, transaction %llu, seq %u, op ",
				(unsigned int) record.incarnation,
				(unsigned long long) record.xid, (unsigned int) record.seq);
		if (record.op > 0x20 && record.op < 0x7f)
			fputc(record.op, stream);
		else
			fprintf(stream, "0x%02x", (unsigned int) record.op);
		fputs(", begun ", stream);
		print_time(stream, record.started_at);
		fputs(", changed ", stream);
		print_time(stream, record.changed_at);
		fputs(", written ", stream);
		print_time(stream, record.written_at);
		fprintf(stream, ", payload of %u bytes\n",
				(unsigned int) record.payload_len);
	}
	else if (steward_leaf_opening_parse(&opening, leaf, len))
		fprintf(stream, "opening of incarnation %u, %s\n",
				(unsigned int) opening.incarnation,
				opening.parent != NULL ? "with the checkpoint of its parent" :
				"which has no parent");
	else
		fprintf(stream, "a leaf of another form, %zu bytes\n", len);
}

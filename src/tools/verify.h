/*
 * verify.h: what pg_steward_verify reads: whole files, exports line by line, and
 * leaves for people. Apart from the program itself so that it can be fuzzed.
 */
#ifndef STEWARD_TOOLS_VERIFY_H
#define STEWARD_TOOLS_VERIFY_H

#include <stdio.h>

#include "crypto/checkpoint.h"
#include "crypto/proof_text.h"
#include "crypto/scan.h"

/* Longest file, and longest line of an export, that is read: a record's payload
 * is below 1 GB, its base64 a third longer. */
#define STEWARD_INPUT_MAX_BYTES ((size_t) 1600 * 1024 * 1024)

/*
 * The leaves of an export, one a line in base64; or "hash " and a leaf's hash
 * in base64, where the record was pruned.
 */
typedef struct StewardExport
{
	StewardFrontier tree;
	uint64_t	first;			/* leaf that it begins with */
	const StewardPrune *prune;	/* NULL: it begins with leaf 0 */
	bool		head_differs;	/* not the tree that the certificate tells of */
	StewardPlaces places;		/* of the hashes that stand for records */
	uint64_t	lines;
	uint64_t	records;
	uint64_t	openings;
	uint64_t	hashes;
	uint64_t	others;
} StewardExport;

typedef enum StewardExportStatus
{
	STEWARD_EXPORT_READ,
	STEWARD_EXPORT_UNREADABLE,	/* with errno */
	STEWARD_EXPORT_BAD_LINE,	/* export->lines is its number */
	STEWARD_EXPORT_TOO_MANY		/* leaves */
} StewardExportStatus;

/* Reads a file, "-" for standard input; the caller frees it. NULL with errno. */
extern char *steward_read_file(const char *path, size_t *len);

/* Begins at the boundary of a prune certificate, or, with NULL, at leaf 0. */
extern void steward_export_begin(StewardExport *export, const StewardPrune *prune);

/* Adds one line, without its newline; it may be written over. False: no leaf. */
extern bool steward_export_line(StewardExport *export, char *line, size_t len);

/* Adds a file of lines, of at most limit leaves in all. */
extern StewardExportStatus steward_export_read(StewardExport *export,
											   const char *path, uint64_t limit);

/* Says in one line what a leaf holds. */
extern void steward_describe_leaf(FILE *stream, const unsigned char *leaf,
								  size_t len);

#endif							/* STEWARD_TOOLS_VERIFY_H */

/*
 * file.h: reading spool files.
 */
#ifndef STEWARD_ACCESS_FILE_H
#define STEWARD_ACCESS_FILE_H

#include "base/compat.h"

#include "crypto/spool.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* A file that is open. */
typedef struct StewardSpoolFile
{
	char	   *name;			/* without its directory */
	char	   *path;
	int			fd;
	bool		finished;		/* its process is gone: it does not grow */
	uint64		size;
	uint64		position;		/* of the next record */
	unsigned char id[STEWARD_SPOOL_ID_BYTES];
	Jsonb	   *origin;			/* its first record; NULL when it is damaged */
} StewardSpoolFile;

/* Names of this database's spool files, oldest first; begun ones too. */
extern List *steward_spool_names(void);

/*
 * Opens a file, or NULL when it is gone. With a descriptor that the transaction's
 * end closes. When the file is finished it is locked until then.
 */
extern StewardSpoolFile *steward_spool_open(const char *name);

/* Where its first record after its head and origin is. */
extern uint64 steward_spool_first(StewardSpoolFile *file);

/*
 * The record at the position, as jsonb, and moves on; NULL at the end of what there
 * is. An object with a "kind": what is whole and no such thing is given as
 * {"kind": "unreadable"} with its file, position and bytes. *status is then OK at the end of the file, SHORT where one is not complete and
 * DAMAGED where there is none.
 */
extern Jsonb *steward_spool_next(StewardSpoolFile *file, StewardSpoolStatus *status);

/* The record at a position, or NULL. */
extern Jsonb *steward_spool_at(StewardSpoolFile *file, uint64 position);

extern void steward_spool_close(StewardSpoolFile *file);

/* Removes a file that was read to its end. Logs what fails. */
extern void steward_spool_remove(const char *path, uint64 size);

#endif							/* STEWARD_ACCESS_FILE_H */

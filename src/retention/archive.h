/*
 * archive.h: the table that expired rows are moved to.
 */
#ifndef STEWARD_RETENTION_ARCHIVE_H
#define STEWARD_RETENTION_ARCHIVE_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"

/*
 * The columns of a table that its open archive takes over, by name, as char *. Raises
 * unless all of them fit: the archive has a column of the same name and type for each,
 * what it has beside can be left out, it is as durable as the table, has
 * the owner, no rule on INSERT, and is not the table or a part of it.
 */
extern List *steward_archive_columns(Relation archive, Relation rel, Oid owner);

/* Opens the archive; ERRCODE_UNDEFINED_TABLE when it is gone. */
extern Relation steward_archive_open(Oid archive, LOCKMODE lockmode);

#endif							/* STEWARD_RETENTION_ARCHIVE_H */

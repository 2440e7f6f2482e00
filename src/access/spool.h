/*
 * spool.h: this process's spool file; README says how it lives.
 */
#ifndef STEWARD_ACCESS_SPOOL_H
#define STEWARD_ACCESS_SPOOL_H

#include "base/compat.h"

#include "lib/stringinfo.h"

/* Below the data directory; under it a directory a database, by its oid. */
#define STEWARD_SPOOL_DIRECTORY "pg_steward/access"

/*
 * Files are named so that base backups and pg_rewind leave them out: a copy would
 * be imported as reads of the copy. What begins with "new." is not in use yet.
 */
#define STEWARD_SPOOL_PREFIX "pgsql_tmp."
#define STEWARD_SPOOL_NEW "new."

/* Beyond this size another file is begun. */
#define STEWARD_SPOOL_FILE_BYTES (16 * 1024 * 1024)

/* Asks for the shared counter of spooled bytes; while the library is preloaded. */
extern void steward_spool_init(void);

/*
 * Begins a record, or another one of the same write: returns where its JSON goes,
 * after what is there.
 */
extern StringInfo steward_spool_begin(void);

/*
 * Ends the record. Its position in the file is returned; it is in effect once the
 * write succeeds and the file is still the same.
 */
extern uint64 steward_spool_end(void);

/*
 * Writes the records that were begun since the last call. Fails, and forgets them,
 * with false; the reason is kept for steward_spool_complain.
 */
extern bool steward_spool_write(void);

/* Reports why the last write failed, at this level, with what could not be done. */
extern void steward_spool_complain(int elevel);

/*
 * Number of the file that the next record goes to, from 1: a record that refers to
 * another by position must be in the same file. Opens it; 0 when that failed.
 */
extern uint64 steward_spool_file(void);

/* What the name of this session's files and its records have in common. */
extern const char *steward_spool_session(void);

/* Another file was imported and removed. */
extern void steward_spool_removed(uint64 bytes);

/* Bytes of all spool files, as this server counts them. */
extern uint64 steward_spool_used(void);

#endif							/* STEWARD_ACCESS_SPOOL_H */

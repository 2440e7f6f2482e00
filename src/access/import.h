/*
 * import.h: from spool files into the audit log.
 */
#ifndef STEWARD_ACCESS_IMPORT_H
#define STEWARD_ACCESS_IMPORT_H

#include "base/compat.h"

/*
 * Adds up to so many records of this database's spool files to the audit log, in
 * the current transaction, and says how many: as many as asked for means that there
 * may be more. Needs a transaction that may write, and a snapshot. Records that were
 * imported before are left out; a file goes when all of it was imported, its process
 * is gone and the transaction committed. With wait false another import that runs
 * is not waited for: 0. 0 too while there is no audit log.
 */
extern int64 steward_access_import(int64 limit, bool wait);

/* Registers callbacks; called once by the floor's init. */
extern void steward_access_import_init(void);

/* Registers the import in the background; called once by the floor's init. */
extern void steward_access_import_duty_init(void);

#endif							/* STEWARD_ACCESS_IMPORT_H */

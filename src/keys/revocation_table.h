/*
 * revocation_table.h: what the tables say of erased subjects.
 *
 * Read as tables.h reads, with the newest committed rows; written through SPI as
 * the extension's owner.
 */
#ifndef STEWARD_KEYS_REVOCATION_TABLE_H
#define STEWARD_KEYS_REVOCATION_TABLE_H

#include "base/compat.h"

#include "crypto/kdf.h"

/* Called for each subject; reads no table itself. */
typedef void (*StewardSubjectVisit) (const unsigned char *subject, void *arg);

/* Is this the table of the tombstones? For invalidation callbacks. */
extern bool steward_revocation_table_is(Oid relid);

/*
 * Every committed tombstone. Those of this very transaction are passed over: it
 * may still be rolled back. Nothing without the extension.
 */
extern void steward_revocation_table_tombstones(StewardSubjectVisit visit,
												void *arg);

/* Every subject that the journal is remembered to have held. */
extern void steward_revocation_table_known(StewardSubjectVisit visit, void *arg);

/*
 * Remembers subjects, one after the other in memory. Does nothing, and returns
 * false, while another session does it.
 */
extern bool steward_revocation_table_remember(const unsigned char *subjects,
											  uint64 count);

/* Forgets that there ever was a journal. */
extern void steward_revocation_table_forget(void);

/* Records an adoption. */
extern void steward_revocation_table_adopted(const char *found, uint64 held,
											 uint64 missing);

#endif							/* STEWARD_KEYS_REVOCATION_TABLE_H */

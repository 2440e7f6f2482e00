/*
 * seal.h: sealing what was committed into a block of each present log.
 */
#ifndef STEWARD_LEDGER_SEAL_H
#define STEWARD_LEDGER_SEAL_H

#include "base/compat.h"

/*
 * Seals what others committed, in a READ COMMITTED transaction without an id; needs
 * no key. Returns the number of records. Waits for another sealer. The block is there when the transaction commits, which
 * will wait for the disk and for synchronous standbys.
 */
extern int64 steward_seal_logs(void);

/* Keeps sealers away, and waits for one, to the end of the transaction. */
extern void steward_lock_sealer(void);

#endif							/* STEWARD_LEDGER_SEAL_H */

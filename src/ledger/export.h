/*
 * export.h: the duty that seals in the background and hands checkpoints out.
 */
#ifndef STEWARD_LEDGER_EXPORT_H
#define STEWARD_LEDGER_EXPORT_H

#include "base/compat.h"

/* Registers the duty; called once by _PG_init. */
extern void steward_ledger_init(void);

#endif							/* STEWARD_LEDGER_EXPORT_H */

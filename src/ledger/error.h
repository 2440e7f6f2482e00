/*
 * error.h: what the files of the ledger raise alike.
 */
#ifndef STEWARD_LEDGER_ERROR_H
#define STEWARD_LEDGER_ERROR_H

#include "base/compat.h"

/* Raises ERRCODE_DATA_CORRUPTED; the detail is without a period. */
pg_attribute_noreturn()
extern void steward_ledger_corrupted(const char *detail);

#endif							/* STEWARD_LEDGER_ERROR_H */

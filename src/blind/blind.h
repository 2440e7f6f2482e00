/*
 * blind.h: what the access method has for others.
 */
#ifndef STEWARD_BLIND_BLIND_H
#define STEWARD_BLIND_BLIND_H

#include "base/compat.h"

/* Registers storage parameters; called by _PG_init. */
extern void steward_blind_init(void);

#endif							/* STEWARD_BLIND_BLIND_H */

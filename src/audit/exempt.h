/*
 * exempt.h: roles whose changes are not recorded.
 */
#ifndef STEWARD_AUDIT_EXEMPT_H
#define STEWARD_AUDIT_EXEMPT_H

#include "base/compat.h"

/* Registers the invalidation callback; called once by _PG_init. */
extern void steward_exempt_init(void);

/* Are the session's role and the one that logged in exempt? Remembered until that may have changed. */
extern bool steward_exempt_session(void);

#endif							/* STEWARD_AUDIT_EXEMPT_H */

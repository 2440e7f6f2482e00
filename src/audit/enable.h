/*
 * enable.h: whether a table is audited.
 */
#ifndef STEWARD_AUDIT_ENABLE_H
#define STEWARD_AUDIT_ENABLE_H

#include "base/compat.h"

#include "utils/relcache.h"

/* Has the table the trigger that records its rows, enabled or not? */
extern bool steward_audit_attached(Relation rel);

#endif							/* STEWARD_AUDIT_ENABLE_H */

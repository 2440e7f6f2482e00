/*
 * readable.h: whose records somebody may read.
 */
#ifndef STEWARD_AUDIT_READABLE_H
#define STEWARD_AUDIT_READABLE_H

#include "base/compat.h"

/*
 * May the current user read every row and column of a table that there is? Row
 * security that applies to him means no.
 */
extern bool steward_may_read_all_of(Oid relid);

#endif							/* STEWARD_AUDIT_READABLE_H */

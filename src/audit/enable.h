/*
 * enable.h: keeping the audit of partitioned tables whole.
 */
#ifndef STEWARD_AUDIT_ENABLE_H
#define STEWARD_AUDIT_ENABLE_H

#include "base/compat.h"

/*
 * A table was made a partition, or is one no more, by a command that still has it
 * locked. As a partition of an audited table it is audited from now on; detached
 * from one, it stays so. Raises ERRCODE_WRONG_OBJECT_TYPE when it cannot be.
 */
extern void steward_audit_follow_partition(Oid relid);

#endif							/* STEWARD_AUDIT_ENABLE_H */

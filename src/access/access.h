/*
 * access.h: the audit of reads.
 */
#ifndef STEWARD_ACCESS_ACCESS_H
#define STEWARD_ACCESS_ACCESS_H

#include "base/compat.h"

/* Sets the floor up; called once by _PG_init. */
extern void steward_access_init(void);

/* Raises ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE unless it is. */
extern void steward_access_require_preload(void);

/* Is every session's every statement watched? Only while the library is preloaded. */
extern bool steward_access_is_watching(void);

#endif							/* STEWARD_ACCESS_ACCESS_H */

/*
 * relation_change.h: hearing of relations that changed.
 *
 * PostgreSQL has ten places for such callbacks in a process, for itself and for all
 * extensions: we take one of them for everybody here.
 */
#ifndef STEWARD_BASE_RELATION_CHANGE_H
#define STEWARD_BASE_RELATION_CHANGE_H

#include "base/compat.h"

#include "utils/inval.h"

/* As CacheRegisterRelcacheCallback; for the life of the process, at most 16. */
extern void steward_on_relation_change(RelcacheCallbackFunction callback, Datum arg);

#endif							/* STEWARD_BASE_RELATION_CHANGE_H */

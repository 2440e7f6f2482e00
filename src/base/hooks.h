/*
 * hooks.h: the server's hooks, chained once for the whole extension.
 */
#ifndef STEWARD_BASE_HOOKS_H
#define STEWARD_BASE_HOOKS_H

#include "base/compat.h"

#include "nodes/nodes.h"

/* Called before every utility statement, also nested ones. */
typedef void (*StewardUtilityCallback) (Node *statement);

/* Called before a plan runs, and each time a cursor fetches from it. */
struct PlanState;
typedef void (*StewardRunCallback) (struct PlanState *plan);

/* Installs the hooks, keeping those that were there; called by _PG_init. */
extern void steward_hooks_init(void);

/* Adds a callback, for the life of the process; at most 8. */
extern void steward_hooks_on_utility(StewardUtilityCallback callback);

/* Sets the callback for runs of plans; there is one. */
extern void steward_hooks_on_run(StewardRunCallback callback);

#endif							/* STEWARD_BASE_HOOKS_H */

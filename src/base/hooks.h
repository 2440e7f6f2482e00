/*
 * hooks.h: the server's hooks, chained once for the whole extension.
 */
#ifndef STEWARD_BASE_HOOKS_H
#define STEWARD_BASE_HOOKS_H

#include "base/compat.h"

#include "nodes/nodes.h"

/* Called before every utility statement, also nested ones. */
typedef void (*StewardUtilityCallback) (Node *statement);

/*
 * Called before COPY FROM: a name for the table in messages when it has encrypted
 * columns, so that none of what is copied is shown; else NULL.
 */
typedef const char *(*StewardCopyCallback) (Node *statement);

/*
 * Called before a query is planned: the parameters as the planner may see them,
 * params itself or a copy.
 */
struct Query;
struct ParamListInfoData;
typedef struct ParamListInfoData *(*StewardPlanCallback) (struct Query *query,
														  struct ParamListInfoData *params);

/* Called before a plan runs, and each time a cursor fetches from it. */
struct PlanState;
typedef void (*StewardRunCallback) (struct PlanState *plan);

/*
 * Called when PostgreSQL tells of an object: an ObjectAccessType, the class and oid
 * of the object, the number of a part of it, or 0, and what that access adds.
 */
typedef void (*StewardObjectCallback) (int access, Oid class_id, Oid object,
									   int part, void *arg);

/* Called when the planner has gathered what it knows of a relation. */
struct PlannerInfo;
struct RelOptInfo;
typedef void (*StewardRelationCallback) (struct PlannerInfo *root,
										 struct RelOptInfo *rel);

/* The innermost utility statement that runs. */
typedef struct StewardCommand
{
	Oid			role;			/* who runs it; the current user, if none runs */
	bool		rebuilds;		/* REINDEX */
} StewardCommand;

extern StewardCommand steward_hooks_command(void);

/* To be called in a command that loads the library: tells who runs it. */
extern void steward_hooks_command_begun(void);

/* Installs the hooks, keeping those that were there; called by _PG_init. */
extern void steward_hooks_init(void);

/* Add a callback, for the life of the process; at most 8 of each. */
extern void steward_hooks_on_utility(StewardUtilityCallback callback);
extern void steward_hooks_on_object(StewardObjectCallback callback);
extern void steward_hooks_on_run(StewardRunCallback callback);

/* Set the callbacks of which there is one. */
extern void steward_hooks_on_copy(StewardCopyCallback callback);
extern void steward_hooks_on_plan(StewardPlanCallback callback);
extern void steward_hooks_on_relation(StewardRelationCallback callback);

#endif							/* STEWARD_BASE_HOOKS_H */

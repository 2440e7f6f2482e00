/*
 * databases.h: the databases of the cluster, for processes that visit them.
 */
#ifndef STEWARD_BASE_DATABASES_H
#define STEWARD_BASE_DATABASES_H

#include "base/compat.h"

#include "nodes/pg_list.h"

/*
 * The databases that take connections, as oids in this memory context. In a transaction
 * of its own; the current memory context stays what it was.
 */
extern List *steward_databases(MemoryContext context);

/* Does it exist, and take connections? In a transaction of its own too. */
extern bool steward_database_connectable(Oid database);

#endif							/* STEWARD_BASE_DATABASES_H */

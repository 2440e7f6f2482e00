/*
 * query.h: statements about one table that mean it whatever becomes of names.
 */
#ifndef STEWARD_HISTORY_QUERY_H
#define STEWARD_HISTORY_QUERY_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/portal.h"
#include "utils/snapshot.h"

typedef struct StewardQuery
{
	const char *text;			/* one statement, which names no other table */
	Oid			relid;			/* its table, locked */
	List	   *operators;		/* oids: those that it may use */
	int			count;			/* of parameters, which are constants */
	Oid		   *types;
	Datum	   *values;			/* not NULL; valid until the portal is closed */
} StewardQuery;

/*
 * Parses, plans and starts a statement as the current user; its rows are fetched by
 * SPI_cursor_fetch, and it is closed by SPI_cursor_close. Needs SPI_connect and an
 * active snapshot. InvalidSnapshot: it reads what is committed when it begins. Raises
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, before anything is planned or run, when
 * a name in it means something else by now, and what the statement raises.
 */
extern Portal steward_query_open(const StewardQuery *query, Snapshot snapshot);

#endif							/* STEWARD_HISTORY_QUERY_H */

/*
 * statement.h: statements over the tables of a policy, as their owner.
 *
 * They name tables by schema and name, which our locks keep as they are unless somebody
 * renames the schema at that very moment. So each is compared with what it was to
 * be over before it runs.
 */
#ifndef STEWARD_RETENTION_STATEMENT_H
#define STEWARD_RETENTION_STATEMENT_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

typedef struct StewardStatement
{
	const char *sql;
	List	   *relations;		/* oids that it must be over */
	bool		read_only;		/* sees what the active snapshot shows */
	int			count;			/* of parameters */
	Oid		   *types;
	Datum	   *values;
} StewardStatement;

/*
 * Prepares and executes it, and returns how many rows it processed; the result is in
 * SPI_tuptable. Raises an internal error unless SPI answers with expected, and
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when a name leads elsewhere.
 */
extern uint64 steward_statement_execute(const StewardStatement *statement,
										int expected);

/* The same for many rows, which the caller fetches; opens a portal. */
extern struct PortalData *steward_statement_open(const StewardStatement *statement);

/* "schema"."table" of an open relation. */
extern char *steward_table_name(Relation rel);

/* Places of rows as a parameter of type tid[]; its type. */
extern Datum steward_tid_array(const ItemPointerData *tids, int count);

/*
 * What a row of the alias takes, in bytes as it is stored, without reading what is
 * stored out of line: an expression that is never null.
 */
extern char *steward_row_size(Relation rel, const char *alias);

/* A column of a row of the result that is not null. */
extern Datum steward_result(uint64 row, int column);

#endif							/* STEWARD_RETENTION_STATEMENT_H */

/*
 * rule_table.h: the rows of steward.access_rule.
 *
 * A row names its columns twice: by number, which survives a rename, and by name,
 * which survives a dump. The relation's oid stands in it as a number too: where
 * that is not the relation's, the row was restored, and the names count. Renames
 * bring the names up to date before they commit.
 */
#ifndef STEWARD_ACCESS_RULE_TABLE_H
#define STEWARD_ACCESS_RULE_TABLE_H

#include "base/compat.h"

#include "nodes/pg_list.h"

/* A row. */
typedef struct StewardAccessRow
{
	Oid			relid;
	bool		all;
	List	   *columns;		/* numbers; those that are gone are left out */
	bool		stale;			/* names or numbers are not what they were */
} StewardAccessRow;

/* Oid of the table; InvalidOid without it, or without the extension. */
extern Oid	steward_access_table(void);

/* All rows, as StewardAccessRow, in the current context, and what audited labels
 * say; those whose relation is gone are left out. */
extern List *steward_access_rows(void);

/*
 * Makes this the rule of a relation; columns are numbers, NIL all. False, and
 * nothing written, when it is already.
 */
extern bool steward_access_put(Oid relid, List *columns);

/* Removes the rule; false when there is none. */
extern bool steward_access_remove(Oid relid);

/* Brings names up to date, and removes the rules of relations that are gone. */
extern void steward_access_sync(void);

#endif							/* STEWARD_ACCESS_RULE_TABLE_H */

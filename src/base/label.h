/*
 * label.h: the classification of columns, by SECURITY LABEL FOR pg_steward.
 *
 * A label is a word that says of what kind a column's values are, such as personal
 * or sensitive. Which words there are, and what follows from them, is for those who
 * read them.
 */
#ifndef STEWARD_BASE_LABEL_H
#define STEWARD_BASE_LABEL_H

#include "base/compat.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"

#define STEWARD_LABEL_PROVIDER "pg_steward"

/* A labelled column. */
typedef struct StewardLabel
{
	Oid			relid;
	AttrNumber	number;
	const char *label;
} StewardLabel;

/*
 * Called before a column's label changes, with the one it has and the one that it
 * gets; NULL is none. The relation is locked and its owner is who acts. May raise.
 */
typedef void (*StewardLabelCallback) (Oid relid, const char *before, const char *after);

/* Adds a callback, for the life of the process; by _PG_init, at most 4. */
extern void steward_on_label_change(StewardLabelCallback callback);

/*
 * Labels of columns of this database, as StewardLabel in the current context,
 * sorted by relation and number. Reads all labels.
 */
extern List *steward_labels(void);

/* Raises ERRCODE_INVALID_PARAMETER_VALUE for what is no label. */
extern void steward_label_check(const char *label);

/* Registers the provider; called once by _PG_init. */
extern void steward_label_init(void);

#endif							/* STEWARD_BASE_LABEL_H */

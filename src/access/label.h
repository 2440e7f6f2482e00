/*
 * label.h: classification labels whose columns are audited, the rows of
 * steward.access_label.
 */
#ifndef STEWARD_ACCESS_LABEL_H
#define STEWARD_ACCESS_LABEL_H

#include "base/compat.h"

#include "nodes/pg_list.h"

/*
 * What the audited labels say, as StewardAccessRow in the current context: one for
 * each relation that has such a column.
 */
extern List *steward_access_label_rows(void);

/* Registers callbacks; called once by the floor's init. */
extern void steward_access_label_init(void);

#endif							/* STEWARD_ACCESS_LABEL_H */

/*
 * row_json.h: rows of the past as jsonb.
 */
#ifndef STEWARD_HISTORY_ROW_JSON_H
#define STEWARD_HISTORY_ROW_JSON_H

#include "base/compat.h"

#include "history/rows.h"
#include "utils/jsonb.h"

/*
 * A row as the trail shows rows, by the present columns. No cast is called that the
 * owner of a type made.
 */
extern Jsonb *steward_row_to_jsonb(const StewardHistoryTable *table,
								   StewardCell *cells);

/* The key of a row likewise; NULL when the table has none. */
extern Jsonb *steward_row_key(const StewardHistoryTable *table, StewardCell *cells);

/*
 * Takes the values of a key from an object that has its columns and no others, else
 * raises ERRCODE_INVALID_PARAMETER_VALUE; what the types' input functions raise; and
 * what steward_refuse_foreign_checks does.
 */
extern void steward_key_cells(const StewardHistoryTable *table, Jsonb *key,
							  StewardCell *cells);

#endif							/* STEWARD_HISTORY_ROW_JSON_H */

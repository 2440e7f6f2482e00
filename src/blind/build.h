/*
 * build.h: CREATE INDEX, and whatever else makes an index of a table.
 */
#ifndef STEWARD_BLIND_BUILD_H
#define STEWARD_BLIND_BUILD_H

#include "base/compat.h"

#include "access/genam.h"
#include "utils/rel.h"

/*
 * The access method's ambuild: an index of all rows. Needs the keys of the columns,
 * and maintenance_work_mem. Raises what computing tags raises.
 */
struct IndexInfo;
extern IndexBuildResult *steward_blind_build(Relation heap, Relation index,
											 struct IndexInfo *info);

/* ambuildempty: an empty index in the init fork of an unlogged one; logged. */
extern void steward_blind_build_empty(Relation index);

/* ambuildphasename: names of what pg_stat_progress_create_index shows. */
extern char *steward_blind_build_phase(int64 phase);

#endif							/* STEWARD_BLIND_BUILD_H */

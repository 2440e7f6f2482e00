/*
 * partman.h: tables whose partitions pg_partman makes.
 *
 * A run does what pg_partman's own retention does, so that its maintenance goes on: it leaves the last
 * partition, and with a partition that is partitioned itself goes the configuration of that. Settings for
 * retention in part_config are left as they are, and nothing is asked of them.
 */
#ifndef STEWARD_RETENTION_PARTMAN_H
#define STEWARD_RETENTION_PARTMAN_H

#include "base/compat.h"

#include "nodes/pg_list.h"

/* Has pg_partman, if it is there, a configuration of this table? With an SPI connection. */
extern bool steward_partman_manages(Oid relid);

/* The names that it would know a table and all below it by, in the current context. */
extern List *steward_partman_names(Oid relid);

/*
 * Removes the configuration of tables of these names, which are gone, as the owner of
 * part_config. With an SPI connection. Called while new holds are kept waiting, so it waits 100 ms at most for
 * a lock, then raises ERRCODE_LOCK_NOT_AVAILABLE.
 */
extern void steward_partman_forget(const List *names);

#endif							/* STEWARD_RETENTION_PARTMAN_H */

/*
 * retention.h: what _PG_init calls.
 */
#ifndef STEWARD_RETENTION_RETENTION_H
#define STEWARD_RETENTION_RETENTION_H

/* Registers the duties that run policies by their schedules. */
extern void steward_retention_init(void);

#endif							/* STEWARD_RETENTION_RETENTION_H */

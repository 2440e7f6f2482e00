/*
 * cost.h: what a scan costs, and how many rows it gives.
 */
#ifndef STEWARD_BLIND_COST_H
#define STEWARD_BLIND_COST_H

#include "base/compat.h"

#include "nodes/pathnodes.h"

/* The access method's amcostestimate. */
extern void steward_blind_cost(PlannerInfo *root, IndexPath *path, double loop_count,
							   Cost *startup_cost, Cost *total_cost,
							   Selectivity *selectivity, double *correlation,
							   double *pages);

#endif							/* STEWARD_BLIND_COST_H */

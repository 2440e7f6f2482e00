/*
 * finding.h: what verification reports: one row a finding.
 */
#ifndef STEWARD_LEDGER_FINDING_H
#define STEWARD_LEDGER_FINDING_H

#include "base/compat.h"

#include "funcapi.h"

/* The kinds; users see these words. */
#define STEWARD_FOUND_ALTERED "altered"
#define STEWARD_FOUND_MISSING "missing"
#define STEWARD_FOUND_INSERTED "inserted"
#define STEWARD_FOUND_REORDERED "reordered"
#define STEWARD_FOUND_CONTEXT "context altered"
#define STEWARD_FOUND_SCHEMA "schema altered"
#define STEWARD_FOUND_TILE "tile altered"
#define STEWARD_FOUND_BLOCK "block altered"
#define STEWARD_FOUND_BLOCK_MISSING "block missing"
#define STEWARD_FOUND_CHECKPOINT "checkpoint inconsistent"
#define STEWARD_FOUND_SIGNATURE "bad signature"
#define STEWARD_FOUND_KEY "key changed"
#define STEWARD_FOUND_FORK "fork"
#define STEWARD_FOUND_TRIGGER "trigger disabled"
#define STEWARD_FOUND_UNSEALED "unsealed"

/* Where something was found; what is not known is 0, and of leaves -1. */
typedef struct StewardPlace
{
	int32		incarnation;
	int64		block;
	int64		leaf;
	uint64		xid;
	int32		seq;
} StewardPlace;

#define STEWARD_NOWHERE ((StewardPlace) {0, 0, -1, 0, 0})

/* Where they go: the result of a set-returning function. */
typedef struct StewardFindings
{
	ReturnSetInfo *result;
	int64		count;
} StewardFindings;

extern void steward_findings_begin(StewardFindings *findings, FunctionCallInfo fcinfo);

/* Reports one; the detail is a sentence. */
extern void steward_finding(StewardFindings *findings, const char *kind,
							const StewardPlace *place, const char *detail, ...) pg_attribute_printf(4, 5);

#endif							/* STEWARD_LEDGER_FINDING_H */

/*
 * hold.c: keeping back what a short read sends, so that one record is enough.
 *
 * Most reads are of a row or a few by an index. Their rows are not sent before the
 * plan has ended, when beginning and end are written at once. What is kept is small:
 * with the first byte beyond it, or whatever else goes to the client or must get
 * there, the beginning is written as of any other read. If it cannot be written what
 * is kept is thrown away.
 *
 * Rows could leave by another way than the connection: by a function that the plan
 * calls. So it must call none but an index's comparisons.
 */
#include "base/compat.h"

#include <sodium.h>

#include "access/hold.h"
#include "base/guc.h"
/* Else libpq.h asks for Kerberos' headers, which nothing here needs. */
#undef ENABLE_GSS
#include "libpq/libpq.h"
#include "nodes/plannodes.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"

/* As much as PostgreSQL itself keeps before it sends. */
#define HELD_BYTES 8192

static StewardRead *holder = NULL;
static const PQcommMethods *behind = NULL;
static char held[HELD_BYTES];
static size_t held_len = 0;
static bool refused = false;	/* it could not be recorded */
static bool covered = false;	/* somebody put methods before ours, which may
								 * still call them */
static const PQcommMethods holding;

/* ---- which reads ---- */

static bool
are_columns(List *targets)
{
	ListCell   *cell;

	foreach(cell, targets)
	{
		const Expr *target = lfirst_node(TargetEntry, cell)->expr;

		if (!IsA(target, Var) && !IsA(target, Const))
			return false;
	}
	return true;
}

/* column operator value */
static bool
are_comparisons(List *conditions)
{
	ListCell   *cell;

	foreach(cell, conditions)
	{
		const OpExpr *condition = lfirst(cell);
		const Node *value;

		if (!IsA(condition, OpExpr) || list_length(condition->args) != 2)
			return false;
		value = lsecond(condition->args);
		if (!IsA(value, Const) && !(IsA(value, Param) && ((const Param *) value)->paramkind == PARAM_EXTERN))
			return false;
	}
	return true;
}

/* PostgreSQL notes which functions of others, and domains, a plan depends on. */
static bool
is_plain(const PlannedStmt *planned)
{
	const Plan *plan = planned->planTree;

	if (planned->commandType != CMD_SELECT || planned->invalItems != NIL ||
		planned->subplans != NIL || planned->rowMarks != NIL ||
		planned->parallelModeNeeded || plan->qual != NIL || plan->initPlan != NIL)
		return false;
	if (IsA(plan, IndexScan))
		return ((const IndexScan *) plan)->indexorderby == NIL &&
			are_comparisons(((const IndexScan *) plan)->indexqual) && are_columns(plan->targetlist);
	if (IsA(plan, IndexOnlyScan))
		return ((const IndexOnlyScan *) plan)->indexorderby == NIL &&
			are_comparisons(((const IndexOnlyScan *) plan)->indexqual) && are_columns(plan->targetlist);
	return false;
}

/* ---- holding ---- */

void
steward_hold_end(bool send)
{
	size_t		at = 0;

	if (holder == NULL)
		return;
	holder = NULL;
	if (PqCommMethods == &holding)
		PqCommMethods = behind;
	else
		covered = true;
	while (send && at < held_len)
	{
		uint32		len;

		memcpy(&len, held + at + 1, sizeof len);
		(void) behind->putmessage(held[at], held + at + 1 + sizeof len, len);
		at += 1 + sizeof len + len;
	}
	/* Rows of personal data do not stay behind in the session's memory. */
	sodium_memzero(held, held_len);
	held_len = 0;
}

/*
 * Something must get to the client now: records the beginning, and sends what was
 * kept. Must not raise, for it may be an error that is sent. A read that may not
 * go on unrecorded is then refused: no row of it is sent any more.
 */
static void
let_go(void)
{
	if (holder == NULL || refused)
		return;
	if (steward_read_try_announce(holder) || steward_access_audit != STEWARD_ACCESS_REQUIRED)
		steward_hold_end(true);
	else
		refused = true;
}

static void
hold_reset(void)
{
	steward_hold_end(false);
	behind->comm_reset();
}

static int
hold_flush(void)
{
	let_go();
	return behind->flush();
}

static int
hold_flush_if_writable(void)
{
	return behind->flush_if_writable();
}

static bool
hold_is_send_pending(void)
{
	return behind->is_send_pending();
}

/* Rows and their description are kept. */
static int
hold_putmessage(char type, const char *bytes, size_t len)
{
	uint32		length = (uint32) len;
	bool		row = type == 'D' || type == 'T';

	if (!row || len > sizeof held ||
		held_len + 1 + sizeof length + len > sizeof held)
		let_go();
	if (row && holder != NULL && refused)
		steward_read_complain();
	if (!row || holder == NULL)
		return behind->putmessage(type, bytes, len);
	held[held_len] = type;
	memcpy(held + held_len + 1, &length, sizeof length);
	memcpy(held + held_len + 1 + sizeof length, bytes, len);
	held_len += 1 + sizeof length + len;
	return 0;
}

static void
hold_putmessage_noblock(char type, const char *bytes, size_t len)
{
	let_go();
	behind->putmessage_noblock(type, bytes, len);
}

static const PQcommMethods holding = {
	.comm_reset = hold_reset,
	.flush = hold_flush,
	.flush_if_writable = hold_flush_if_writable,
	.is_send_pending = hold_is_send_pending,
	.putmessage = hold_putmessage,
	.putmessage_noblock = hold_putmessage_noblock
};

bool
steward_hold_begin(StewardRead *read)
{
	DestReceiver *dest = read->query->dest;

	if (holder != NULL || dest == NULL || whereToSendOutput != DestRemote ||
		(dest->mydest != DestRemote && dest->mydest != DestRemoteExecute) ||
		!is_plain(read->query->plannedstmt))
		return false;
	if (covered && PqCommMethods != &holding && PqCommMethods != behind)
		return false;
	covered = false;
	holder = read;
	held_len = 0;
	refused = false;
	if (PqCommMethods != &holding)
		behind = PqCommMethods;
	PqCommMethods = &holding;
	return true;
}

bool
steward_hold_is_by(const StewardRead *read)
{
	return holder == read;
}

/*
 * procedure.h: what procedures that commit on their way have in common.
 */
#ifndef STEWARD_BASE_PROCEDURE_H
#define STEWARD_BASE_PROCEDURE_H

#include "base/compat.h"

#include "fmgr.h"

/*
 * True when the call cannot commit: in a transaction block, in a function, or in a
 * block with an EXCEPTION clause, which can be left only as a whole.
 */
extern bool steward_call_is_atomic(FunctionCallInfo fcinfo);

/*
 * Raises ERRCODE_ACTIVE_SQL_TRANSACTION, with this hint, when the call of
 * "steward.name" cannot commit, and an error when it may not write at all.
 */
extern void steward_call_must_commit(FunctionCallInfo fcinfo, const char *name,
									 const char *hint);

/*
 * What a transaction needs before its first snapshot, after each SPI_commit:
 * READ COMMITTED. With asynchronous its commit need not wait for the disk.
 */
extern void steward_begin_read_committed(bool asynchronous);

/* For the rest of the transaction: constraints leave no triggers for its end. */
extern void steward_constraints_immediate(void);

/*
 * Does a part in a subtransaction, in the scratch context, which is emptied
 * first. Returns its error, allocated in the context that was current, with the
 * subtransaction rolled back; or NULL.
 */
extern ErrorData *steward_attempt(void (*part) (void *arg), void *arg,
								  MemoryContext scratch);

/*
 * What a procedure that commits on its way has around it, for one that nobody calls: in a new
 * transaction, in which nothing was done. Statements of SPI take their snapshots with it. It ends in
 * the last transaction; after an error, before the transaction is aborted.
 */
extern struct PortalData *steward_portal_begin(const char *source);
extern void steward_portal_end(struct PortalData *portal);
extern void steward_portal_fail(struct PortalData *portal);

/* The row that a procedure with bigints as INOUT arguments returns. */
extern Datum steward_bigint_row(int count, const char *const *names,
								const int64 *numbers);

#endif							/* STEWARD_BASE_PROCEDURE_H */

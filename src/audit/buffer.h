/*
 * buffer.h: the records of the transaction that are not written yet.
 */
#ifndef STEWARD_AUDIT_BUFFER_H
#define STEWARD_AUDIT_BUFFER_H

#include "base/compat.h"

#include "audit/record.h"

/* Numbers the next record of the transaction; ERRCODE_PROGRAM_LIMIT_EXCEEDED after
 * 2^31 - 1. */
extern int32 steward_buffer_next_seq(void);

/*
 * Adds a record, which is copied. It is written when the buffer of its
 * subtransaction is full, and at the latest before the transaction commits; after
 * that each is written at once. Needs an active snapshot. Raises what writing
 * raises.
 */
extern void steward_buffer_add(const StewardRecord *record);

/*
 * Takes the record back that was added last, if it is the one with this number and
 * was collected by the current subtransaction but not written; else false.
 */
extern bool steward_buffer_retract(int32 seq);

/* Writes what the current subtransaction collected. Its parents' records stay. */
extern void steward_buffer_flush(void);

/* Has this transaction written any? */
extern bool steward_buffer_has_written(void);

/* Calls back for each record that is not written yet, in order. */
typedef void (*StewardRecordCallback) (const StewardRecord *record, void *arg);
extern void steward_buffer_each(StewardRecordCallback callback, void *arg);

/* The end of a (sub)transaction, from its callbacks. */
extern void steward_buffer_before_end(void);
extern void steward_buffer_end(void);
extern void steward_buffer_before_subcommit(SubTransactionId ending,
											SubTransactionId parent);
extern void steward_buffer_subcommit(SubTransactionId ending,
									 SubTransactionId parent);
extern void steward_buffer_subabort(SubTransactionId ending);

#endif							/* STEWARD_AUDIT_BUFFER_H */

/*
 * duty.h: work that is done in the background, for each database that has some.
 *
 * Modules register duties; README says which processes do them, and when. All of
 * it needs the library to be preloaded; without, nothing is done in the
 * background and the functions here do nothing.
 *
 * Terms:
 *	duty	a kind of work, such as sealing the ledger
 *	due		somebody wrote in a database what may concern a duty
 *	lengthy	a duty that others do not wait for: it has workers of its own
 *	worker	a process connected to one database, which does its duties
 *	launcher	the process that starts workers where something is due
 *	visit	the life of a worker
 */
#ifndef STEWARD_BASE_DUTY_H
#define STEWARD_BASE_DUTY_H

#include "base/compat.h"

typedef struct StewardDuty
{
	const char *name;			/* as pg_stat_activity shows it */
	bool		lengthy;		/* takes longer than others should wait */

	/*
	 * Does the work, called outside a transaction: by steward_duty_begin and
	 * steward_duty_commit, as often as it likes. Called again after an error,
	 * later and later. When steward_duty_must_leave says so it returns, with
	 * work left.
	 */
	void		(*run) (void);

	/*
	 * Milliseconds until run wants to be called: 0 for now, -1 for not before
	 * something is due. due: something became so since the last run began, as
	 * at the beginning of a visit. Outside a transaction; must not raise.
	 */
	long		(*nap) (bool due);
} StewardDuty;

/* Adds a duty, for the life of the process; by _PG_init, at most 8. */
extern void steward_duty_register(const StewardDuty *duty);

/* Registers the launcher and the hooks; called once by _PG_init. */
extern void steward_duty_init(void);

/*
 * Tells that something is due in a database, after a commit: what the caller
 * wrote must be visible. Raises nothing. Cheap when it is known already.
 */
extern void steward_duty_due(Oid database);

/* The same for lengthy duties, which steward_duty_due does not wake. */
extern void steward_duty_due_lengthy(Oid database);

/*
 * Is it known when lengthy duties of a database want to run? Not after a start of the
 * server, until steward_duty_due_lengthy is called. True when nothing is done in the background.
 */
extern bool steward_duty_knows_lengthy(Oid database);

/*
 * Begins a transaction of a duty, READ COMMITTED, as the extension's owner, with
 * an active snapshot and without a transaction id. False, and no transaction, when
 * the extension is not the one this visit began with: dropped or updated. It
 * cannot be dropped before the end of the transaction.
 */
extern bool steward_duty_begin(void);
extern void steward_duty_commit(void);

/*
 * The same for a transaction of a duty that it began otherwise, as the worker: locks the extension
 * until its end. Raises ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when it is
 * another one; the visit ends then.
 */
extern void steward_duty_require_extension(void);

/* Should the worker go soon: to let others in, or for a DROP DATABASE? */
extern bool steward_duty_must_leave(void);

/* Shows in pg_stat_activity what the duty that runs is doing. */
extern void steward_duty_show(const char *phase);

#endif							/* STEWARD_BASE_DUTY_H */

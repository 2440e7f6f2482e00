/*
 * shred_parts.h: action shred from within, for the files that carry it out.
 */
#ifndef STEWARD_RETENTION_SHRED_PARTS_H
#define STEWARD_RETENTION_SHRED_PARTS_H

#include "base/compat.h"

#include "storage/lockdefs.h"

#include "columns/bind.h"
#include "retention/condition.h"
#include "retention/shred.h"

/* A subject of the policy's kind. */
typedef struct StewardShredSubject
{
	char	   *key;			/* as it is spelt, in the server's encoding */
	int			lane;			/* see keys/subject_lane.h */
} StewardShredSubject;

/* The policy's table, open, and the parts of statements over it: t is it, $1 the cutoff. */
typedef struct StewardShredTable
{
	const StewardPolicy *policy;
	Relation	rel;
	char	   *kind;
	StewardBinder *binder;
	Oid			key_type;		/* by which keys are compared */
	const char *key;			/* t.column */
	StewardAge	age;
	Datum		cutoff;
	const char *from;			/* with all that is below it */
	const char *expired;		/* a condition, never null */
} StewardShredTable;

/* ---- the tables, shred_target.c ---- */

/*
 * Opens the policy's table and locks all below it so; raises as steward_shred_check. With
 * RowExclusiveLock or more the binding stays as it is.
 */
extern Relation steward_shred_open(const StewardPolicy *policy, Oid owner, LOCKMODE lock);

/*
 * The bound tables of a kind, by their oids, neither locked nor opened; temporary ones are
 * not among them.
 */
extern List *steward_shred_tables(const char *kind);

/* Opens one of them; NULL when it is gone, or not bound to the kind any more. */
extern Relation steward_shred_open_bound(Oid relid, const char *kind);

/*
 * "t.column", and the type of keys to compare with; raises
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when the table cannot be asked for a subject.
 */
extern char *steward_shred_key(Relation rel, Oid *type);

/* ---- subjects, shred_subject.c ---- */

extern int	steward_shred_lane(const char *kind, const char *key);
extern bool steward_shred_pending(const char *kind, const char *key);

/* As steward_subject_erase. */
extern bool steward_shred_erase(const char *kind, const char *key);

/* ---- keys as parameters, shred_key.c ---- */

/*
 * The type by which keys in a column of this type are compared; InvalidOid when keys
 * cannot be of it.
 */
extern Oid	steward_shred_comparable(Oid type);

/*
 * The keys of subjects as an array of such a type, and their numbers, from 0, as int4[]. Keys that no value
 * of the type is spelt like are left out, for no row has them.
 */
extern void steward_shred_keys(Oid type, const StewardShredSubject *subjects, int count,
							   Datum *keys, Datum *numbers);

/* ---- their rows, shred_find.c ---- */

/* Over the open table, under the identity and settings of its owner. */
extern void steward_shred_describe(StewardShredTable *table, const StewardPolicy *policy,
								   Relation rel);

/*
 * Calls back with subjects that have expired and are pending, some thousands at a time and in
 * memory of the call. oldest and newest are for the preview, which sees the active snapshot.
 */
typedef struct StewardShredFound
{
	StewardShredSubject subject;
	TimestampTz oldest;			/* of its rows */
	TimestampTz newest;
} StewardShredFound;
typedef void (*StewardShredCallback) (const StewardShredFound *found, int count, void *arg);
extern void steward_shred_collect(const StewardShredTable *table, bool preview,
								  StewardShredCallback callback, void *arg);

/* Puts those that have expired now first; returns their number. */
extern int	steward_shred_still_expired(const StewardShredTable *table,
										StewardShredSubject *subjects, int count);

/*
 * Sets held[i] for subjects of which a hold keeps a row in any bound table. Locks these tables when
 * there are holds; evaluates each as the owner of the table. read_only: by the active snapshot.
 */
extern void steward_shred_held(const StewardPolicy *policy, const char *kind,
							   const StewardShredSubject *subjects, int count,
							   bool read_only, bool *held);

/*
 * A statement over "ONLY rel AS t" and "k (v, n)", the subjects; selects this where that holds. As
 * the owner of rel. The result is in SPI_tuptable.
 */
extern uint64 steward_shred_rows(const StewardPolicy *policy, Relation rel,
								 const StewardShredSubject *subjects, int count,
								 bool read_only, const char *what, const char *where);

#endif							/* STEWARD_RETENTION_SHRED_PARTS_H */

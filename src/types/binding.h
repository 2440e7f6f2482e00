/*
 * binding.h: tables whose encrypted values are bound to subjects.
 *
 * A table is bound by a trigger that calls steward.bind_row(kind, column), and by
 * nothing else: it is dumped, renamed and cloned to partitions with the table.
 * The column is the one whose value is the subject's key.
 */
#ifndef STEWARD_TYPES_BINDING_H
#define STEWARD_TYPES_BINDING_H

#include "base/compat.h"

#include "utils/rel.h"

/* A binding, in the current context. */
typedef struct StewardBinding
{
	char	   *kind;			/* in the server's encoding */
	char	   *column;
	AttrNumber	key;			/* its number; InvalidAttrNumber when it is
								 * gone */
	char	   *trigger;		/* its name */
	bool		enabled;		/* it fires, unless session_replication_role
								 * says otherwise */
} StewardBinding;

/* The binding of an open table; false when it has none. */
extern bool steward_binding_find(Relation rel, StewardBinding *binding);

/*
 * Raises what is wrong with the binding of a table, if it has one: the trigger is
 * not as bind_subject makes it or not the last to see the row, the key is of a
 * type that has several spellings, or there are columns that cannot be bound.
 */
extern void steward_guard_binding(Oid relid);

/*
 * Everybody may execute the trigger's function, because whoever attaches a
 * partition to a bound table clones the trigger; but only those make a binding who
 * may call steward.bind_subject. For a trigger that CREATE TRIGGER made or replaced:
 * raises ERRCODE_INSUFFICIENT_PRIVILEGE. To rename, disable or drop the trigger of a
 * binding that is there, is for the table's owner.
 */
extern void steward_guard_new_trigger(Oid trigger);

/* Raises when the table is bound: a unique index on its column would be out of
 * order after an erasure, when a tag cannot be computed any more. */
extern void steward_guard_bound_index(Oid relid, AttrNumber column);

#endif							/* STEWARD_TYPES_BINDING_H */

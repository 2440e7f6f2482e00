/*
 * guard.h: the parts of the DDL guard.
 *
 * guard.c finds out what a command touched; guard_affected.c what that changes
 * besides; guard_object.c, guard_index.c, guard_rule.c and guard_cast.c go through
 * what the catalogs hold about an object; guard_expression.c judges expressions.
 * guard_create.c looks at indexes and foreign keys while a command makes them.
 */
#ifndef STEWARD_TYPES_GUARD_H
#define STEWARD_TYPES_GUARD_H

#include "base/compat.h"

#include "access/attnum.h"
#include "access/htup.h"
#include "nodes/nodes.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

/* Is this an encrypted type, or made of one (array, domain, composite, range)? */
extern bool steward_guard_type(Oid type);

/* The encrypted type, or an array or domain of it? Such a column needs a key. */
extern bool steward_guard_type_takes_key(Oid type, int32 typmod,
										 int32 *key_typmod);

/* What an expression or query may hold that a catalog must not. */
typedef struct StewardFindings
{
	bool		constant;		/* a constant of an encrypted type */
	bool		touches;		/* anything of an encrypted type */
	bool		decrypts;		/* a call that opens or compares encrypted
								 * values */
	bool		may_decrypt;	/* that, or somebody's function that is given
								 * one */
} StewardFindings;

/*
 * Judges a stored expression (text form); NULL text finds nothing. Raises
 * ERRCODE_FEATURE_NOT_SUPPORTED when it holds an encrypted constant; what names
 * the place, as in "a default". Returns what it found.
 */
extern StewardFindings steward_guard_no_constant(const char *node_string,
												 const char *what);

/*
 * Raises when a function in the FROM list of this query, not of those below it,
 * has a column definition list that names a key.
 */
struct Query;
extern void steward_guard_function_columns(const struct Query *query);

/* Has a relation a column of an encrypted type, or of one made of it? */
extern bool steward_guard_has_encrypted(Oid relid);

/*
 * The relation and, when it has encrypted columns, those that a change of it
 * changes too: heirs, partitions, and what has columns of its row type.
 */
extern List *steward_guard_affected(Oid relid);

/* Raises when a rule gives out values as if they were under a column's key. */
extern void steward_guard_rules(Oid relid);

/* Go through everything that belongs to the object; raise what is refused. */
extern void steward_guard_relation(Oid relid);
extern void steward_guard_type_object(Oid type);
extern void steward_guard_function(Oid function);
extern void steward_guard_publication(Oid publication);

/* Raises when it leads to an encrypted type, or one made of it, and is not ours. */
extern void steward_guard_cast(Oid cast);

/* Text of a column of a catalog row, or NULL. */
extern char *steward_guard_text(Relation catalog, HeapTuple tuple,
								AttrNumber column);

/*
 * A row of a catalog as it is, be it of this very command; begin is false when
 * there is none. End releases it in any case.
 */
typedef struct StewardCatalogRow
{
	Relation	catalog;
	struct SysScanDescData *scan;
	HeapTuple	tuple;
} StewardCatalogRow;

extern bool steward_guard_row_begin(StewardCatalogRow *row, Oid class_id,
									Oid index_id, AttrNumber column, Oid object);
extern void steward_guard_row_end(StewardCatalogRow *row);

/*
 * Raises what is refused about an index, by its row in pg_index. Before it is
 * built also ERRCODE_INSUFFICIENT_PRIVILEGE, unless who runs the command may search
 * under the keys of its columns: a unique index of one's own compares any
 * ciphertext one can read with any guess.
 */
extern void steward_guard_index(Relation catalog, HeapTuple tuple,
								bool before_build);

/* The same for a foreign key that is being made, by its row in pg_constraint. */
extern void steward_guard_foreign_key(Relation catalog, HeapTuple tuple);

/* Does an index, by its row in pg_index, keep rows in the order of keyed tags? */
extern bool steward_guard_orders_tags(Relation catalog, HeapTuple tuple);

/* Raises when a table is to lie in the order of this index's keyed tags. */
extern void steward_guard_clustered(Relation catalog, HeapTuple tuple);

/* Is this operator class one of ours for unique indexes? */
extern bool steward_guard_unique_class(Oid opclass);

/*
 * Is this access method blind, and ours? Reads the catalogs. The oid of an index's
 * own is steward_guard_method_of, also while it is being made.
 */
extern bool steward_guard_is_blind(Oid method);
extern Oid	steward_guard_method_of(Oid index);

/*
 * Is an operator class of the family, for the type, one of several tags a value? Whoever
 * searches by it needs the right to decrypt, whatever the operator.
 */
extern bool steward_guard_is_multi_tag(Oid method, Oid family, Oid type);

/* Raises that such an index has columns only. */
pg_attribute_noreturn()
extern void steward_guard_raise_blind_expression(void);

/*
 * Raises for CREATE UNIQUE INDEX ... USING blind on an encrypted column where
 * PostgreSQL cannot have it: its own error would name no way. Any statement may be
 * given.
 */
extern void steward_guard_unique_statement(const Node *statement);

/* Raises that a column, or an expression (0), of this type has no such index. */
pg_attribute_noreturn()
extern void steward_guard_raise_index(Oid heap, AttrNumber column, Oid type);

#endif							/* STEWARD_TYPES_GUARD_H */

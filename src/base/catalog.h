/*
 * catalog.h: finding the extension's own objects, and acting as its owner.
 *
 * Objects are found by name in the schema "steward", never through a search
 * path, and remembered until an invalidation says that they may have changed.
 */
#ifndef STEWARD_BASE_CATALOG_H
#define STEWARD_BASE_CATALOG_H

#include "base/compat.h"

#include "access/htup.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"

#define STEWARD_SCHEMA "steward"

/* A table or index of ours; make it static and zero all but the name. */
typedef struct StewardRelationRef
{
	const char *name;
	Oid			oid;
	uint64		epoch;
} StewardRelationRef;

/* A type of ours, likewise. */
typedef struct StewardTypeRef
{
	const char *name;
	Oid			oid;
	uint64		epoch;
} StewardTypeRef;

/* Sets up the invalidation callbacks; called once by _PG_init. */
extern void steward_catalog_init(void);

/*
 * Oid of the extension; InvalidOid with missing_ok, else
 * ERRCODE_UNDEFINED_OBJECT when this database does not have it.
 */
extern Oid	steward_extension_oid(bool missing_ok);

/*
 * Version of the extension, as CREATE or ALTER EXTENSION left it, and its oid; NULL
 * when this database does not have it.
 */
extern char *steward_extension_version(Oid *oid);

/* The schema that an extension, of whatever name, was put into; InvalidOid when it is not there. */
extern Oid	steward_extension_schema(const char *name);

/* Owner of the extension. Reads pg_extension; cached until invalidated. */
extern Oid	steward_extension_owner(void);

/* Oid of a relation of ours; InvalidOid when it does not exist. */
extern Oid	steward_relation_lookup(StewardRelationRef *ref);

/* The same, with ERRCODE_UNDEFINED_TABLE. */
extern Oid	steward_relation_oid(StewardRelationRef *ref);

/* Opens a relation of ours (table_open); the caller closes it. */
extern Relation steward_relation_open(StewardRelationRef *ref, LOCKMODE lockmode);

/*
 * The row of an open relation of ours with this text in a column, that is the first of
 * the index; a copy in the current context, or NULL.
 */
extern HeapTuple steward_row_by_text(Relation table, StewardRelationRef *index,
									 int column, const char *text);

/*
 * Opens the relation that an argument of an SQL function names; raises
 * ERRCODE_UNDEFINED_TABLE when a number was given that is none's.
 */
extern Relation steward_named_relation_open(Oid relid, LOCKMODE lockmode);

/*
 * Opens a relation that the current user owns; the caller closes it. Ownership is
 * asked for before the lock too, so that this is no means to block others. Raises
 * ERRCODE_INSUFFICIENT_PRIVILEGE, or ERRCODE_UNDEFINED_TABLE.
 */
extern Relation steward_own_relation_open(Oid relid, LOCKMODE lockmode);

/* Oid of a type of ours; InvalidOid when it does not exist. */
extern Oid	steward_type_lookup(StewardTypeRef *ref);

/* Who we were before steward_become_owner. */
typedef struct StewardIdentity
{
	Oid			user;
	int			security_context;
	int			guc_nest_level;
	Oid			guarded;		/* the role whose code is run, or InvalidOid */
	CommandId	since;
} StewardIdentity;

/*
 * Acts as another role until steward_become_caller: user id changed under
 * SECURITY_RESTRICTED_OPERATION, search_path pg_catalog and pg_temp, row
 * security off. An error undoes it by the (sub)transaction's abort.
 */
extern void steward_become(Oid role, StewardIdentity *saved);

/*
 * The same where code of that role may run, as of triggers. If that made objects in the session's temporary schema, which
 * the session would find later (see temporary.h), steward_become_caller raises ERRCODE_INSUFFICIENT_PRIVILEGE.
 * Not so for a superuser's code, or the current user's own.
 */
extern void steward_become_guarded(Oid role, StewardIdentity *saved);
extern void steward_become_owner(StewardIdentity *saved);
extern void steward_become_caller(StewardIdentity *saved);

#endif							/* STEWARD_BASE_CATALOG_H */

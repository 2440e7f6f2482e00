/*
 * ddl.h: the parts of the audit of commands; see ddl.c.
 *
 * Terms:
 *	command		a statement that changes definitions or rights
 *	collected	what PostgreSQL says of a command to event triggers
 *	shared		a command that no event trigger is fired for: on roles,
 *				databases, tablespaces, settings, event triggers
 *
 * What a record says is taken from the parse tree and the catalogs, piece by
 * piece; no expression, constant, option of a foreign server or statement text
 * gets into it, since those can hold passwords and plaintext.
 */
#ifndef STEWARD_AUDIT_DDL_H
#define STEWARD_AUDIT_DDL_H

#include "base/compat.h"

#include "base/json.h"
#include "catalog/objectaddress.h"
#include "nodes/parsenodes.h"
#include "tcop/deparse_utility.h"

/* Sets this up, and the sink of the extension's own events; called once. */
extern void steward_ddl_init(void);

/* Is there a log that can be written to, and began in this database? */
extern bool steward_ddl_log_open(void);

/*
 * Begin and end the record of a command: event is "command", "drop", "rewrite",
 * "shared" or "catalog"; between, members are added to its details.
 */
typedef struct StewardDdlObject
{
	const char *type;			/* as pg_event_trigger_ddl_commands() names it */
	const char *schema;			/* or NULL */
	const char *identity;		/* or NULL: the details name the objects */
	Oid			class_id;		/* or InvalidOid */
	bool		in_extension;
} StewardDdlObject;

extern void steward_ddl_begin(StewardJson *json, const char *event,
							  const char *command,
							  const StewardDdlObject *object);
extern void steward_ddl_end(StewardJson *json);

/* The name a role has in a statement; "public" for PUBLIC, NULL for none. */
extern char *steward_ddl_role(const RoleSpec *role);
extern List *steward_ddl_roles(const List *specs);

/* A name in a parse tree, of any node that names an object; or NULL. */
extern char *steward_ddl_name(const Node *node);

/* The identity of an object; NULL when it is gone. */
extern char *steward_ddl_identity(Oid class_id, Oid object, int32 part);

/*
 * The trigger function that a statement names, as it finds it now; or NULL. Before
 * a command alone: after it, the names in its parse tree may mean something else.
 */
extern char *steward_ddl_function(const List *name);

/* The function of a trigger, and what a relation inherits from: by the catalogs. */
extern char *steward_ddl_trigger_function(Oid trigger);
extern List *steward_ddl_parents(Oid relid);

/*
 * The table that ALTER TABLE of this parent just attached or detached, or of an
 * index the one that the statement names; InvalidOid when it is gone. Known until
 * it is forgotten, for parent or child; see ddl_partition.c.
 */
extern Oid	steward_ddl_partition(Oid parent, const RangeVar *name);
extern void steward_ddl_partition_forget(Oid relid);
extern void steward_ddl_partition_init(void);

/*
 * Adds what SET, RESET and their like set: setting, and value unless it could be
 * secret (then value_omitted); see ddl_setting.c.
 */
extern void steward_ddl_setting(StewardJson *json, const VariableSetStmt *set);

/* Adds what a collected command did to its object; ddl_detail.c. */
extern void steward_ddl_detail(StewardJson *json, const CollectedCommand *command);

/* Adds the subcommands of ALTER TABLE; ddl_table.c. */
extern void steward_ddl_table(StewardJson *json, const CollectedCommand *command);

/* Add what was granted or revoked; ddl_grant.c. */
extern void steward_ddl_grant(StewardJson *json, const InternalGrant *grant);
extern char *steward_ddl_grant_object(const InternalGrant *grant);	/* if it is one */
extern void steward_ddl_grant_statement(StewardJson *json, const GrantStmt *grant);
extern void steward_ddl_grant_role(StewardJson *json, const GrantRoleStmt *grant);
extern void steward_ddl_default_privileges(StewardJson *json,
										   const AlterDefaultPrivilegesStmt *statement);

/* Does it change a setting that decides what is recorded? ddl_watch.c. */
extern bool steward_ddl_is_watched(const Node *statement);

/*
 * A command is not recorded although there is a log: says so, once in a
 * (sub)transaction. The second looks whether PostgreSQL will keep it from us (17).
 */
extern void steward_ddl_unrecorded(void);
extern void steward_ddl_untriggered(Node *statement);

/* Begins to record changes of system catalogs; ddl_catalog.c. */
extern void steward_ddl_catalog_init(void);

/*
 * Records what REASSIGN OWNED and DROP OWNED are about to do to each object, as far
 * as no event trigger will be told; ddl_owned.c.
 */
extern void steward_ddl_owned(Node *statement);

/* Records a shared command, before it runs; ddl_shared.c. */
extern void steward_ddl_shared(Node *statement);

#endif							/* STEWARD_AUDIT_DDL_H */

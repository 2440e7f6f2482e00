/*
 * bind.c: steward.bind_subject and steward.unbind_subject.
 *
 * The caller must own the table, or be a superuser. The trigger is made by the
 * extension's owner, because its function is nobody else's to attach. Its name
 * sorts last: it must see the row as it is stored.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "columns/conversion.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "types/binding.h"
#include "types/guard.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#define TRIGGER_NAME "~~~~steward_bind_subject"
#define KIND_MAX 100

/* Opens the table under the lock that CREATE TRIGGER takes. */
static Relation
open_table(Oid relid)
{
	Relation	rel = steward_own_relation_open(relid, ShareRowExclusiveLock);

	if ((rel->rd_rel->relkind != RELKIND_RELATION &&
		 rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE) ||
		IsSystemRelation(rel) ||
		RelationGetNamespace(rel) == get_namespace_oid(STEWARD_SCHEMA, false))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table that can be bound to subjects",
						RelationGetRelationName(rel)),
				 errhint("Bind ordinary and partitioned tables.")));
	return rel;
}

static void
run_on_table(Relation rel, const char *before, const char *after)
{
	char	   *command = psprintf("%s%s%s", before,
								   quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
															  RelationGetRelationName(rel)),
								   after);
	StewardIdentity caller;

	/* DDL needs the table closed; the lock stays. */
	relation_close(rel, NoLock);
	steward_become_owner(&caller);
	SPI_connect();
	if (SPI_execute(command, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not run: %s", command);
	SPI_finish();
	steward_become_caller(&caller);
	CommandCounterIncrement();
}

/* ---- bind ---- */

static char *
read_kind(FunctionCallInfo fcinfo)
{
	char	   *kind = text_to_cstring(PG_GETARG_TEXT_PP(1));

	if (kind[0] == '\0' || strlen(kind) > KIND_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("kind of subject must have 1 to %d bytes", KIND_MAX),
				 errhint("Say what the subjects are, as in 'customer'.")));
	return kind;
}

/* A row trigger of a table does not fire for the rows of its children. */
static void
warn_of_children(Relation rel)
{
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
		find_inheritance_children(RelationGetRelid(rel), NoLock) == NIL)
		return;
	ereport(WARNING,
			(errmsg("rows in tables that inherit from \"%s\" are not bound to subjects",
					RelationGetRelationName(rel)),
			 errhint("Call steward.bind_subject() for each of these tables too.")));
}

/* The shadow column of a conversion that is running would be made too early. */
static void
check_no_conversion(Relation rel)
{
	char	   *trigger;
	char	   *shadow;

	steward_conversion_find_remains(rel, &trigger, &shadow);
	if (trigger != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a column of table \"%s\" is being converted online",
						RelationGetRelationName(rel)),
				 errhint("Let the conversion finish, or give it up with steward.abort_column_conversion(), and bind the table then.")));
}

static bool
has_rows(Oid relid)
{
	ListCell   *cell;
	bool		found = false;

	foreach(cell, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		Relation	rel = relation_open(lfirst_oid(cell), NoLock);

		found |= RELKIND_HAS_STORAGE(rel->rd_rel->relkind) &&
			RelationGetNumberOfBlocks(rel) > 0;
		relation_close(rel, NoLock);
	}
	return found;
}

static void
tell_binding(const char *event, Oid relid, const char *kind, const char *column)
{
	StewardJson json;

	if (!steward_event_begin(&json, event))
		return;
	steward_event_relation(&json, "relation", relid);
	steward_json_text(&json, "kind", kind);
	steward_json_text(&json, "column", column);
	steward_event_end(&json);
}

STEWARD_FUNCTION(steward_bind_subject)
{
	static const char *const names[] = {"relation", "kind", "column"};
	StewardBinding binding;
	const char *column;
	char	   *kind;
	Relation	rel;
	Oid			relid;

	PreventCommandIfReadOnly("steward.bind_subject()");
	steward_require_arguments(fcinfo, lengthof(names), names);
	relid = PG_GETARG_OID(0);
	kind = read_kind(fcinfo);
	column = NameStr(*PG_GETARG_NAME(2));
	rel = open_table(relid);
	if (steward_binding_find(rel, &binding))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("table \"%s\" is bound to subjects already",
						RelationGetRelationName(rel)),
				 errdetail("Its subjects are of kind \"%s\", their key is column \"%s\".",
						   binding.kind, binding.column),
				 errhint("Call steward.unbind_subject() first.")));
	if (!steward_guard_has_encrypted(relid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no encrypted column",
						RelationGetRelationName(rel)),
				 errhint("Encrypt a column first.")));
	check_no_conversion(rel);
	warn_of_children(rel);
	run_on_table(rel, "CREATE TRIGGER \"" TRIGGER_NAME "\" BEFORE INSERT OR UPDATE ON ",
				 psprintf(" FOR EACH ROW EXECUTE FUNCTION steward.bind_row(%s, %s)",
						  quote_literal_cstr(kind), quote_literal_cstr(column)));
	/* Also where the guard of DDL is switched off. */
	steward_guard_binding(relid);
	tell_binding("bind_subject", relid, kind, column);
	if (has_rows(relid))
		ereport(NOTICE,
				(errmsg("rows that table \"%s\" has already are not bound yet",
						get_rel_name(relid)),
				 errhint("Run CALL steward.reencrypt('%s').",
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
													get_rel_name(relid)))));
	PG_RETURN_VOID();
}

STEWARD_FUNCTION(steward_unbind_subject)
{
	StewardBinding binding;
	Relation	rel;

	PreventCommandIfReadOnly("steward.unbind_subject()");
	steward_require_argument(fcinfo, 0, "relation");
	rel = open_table(PG_GETARG_OID(0));
	if (!steward_binding_find(rel, &binding))
	{
		ereport(NOTICE,
				(errmsg("table \"%s\" is not bound to subjects",
						RelationGetRelationName(rel))));
		relation_close(rel, NoLock);
		PG_RETURN_VOID();
	}
	run_on_table(rel, psprintf("DROP TRIGGER %s ON ",
							   quote_identifier(binding.trigger)), "");
	tell_binding("unbind_subject", PG_GETARG_OID(0), binding.kind, binding.column);
	PG_RETURN_VOID();
}

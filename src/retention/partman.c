/*
 * partman.c: what pg_partman must know of partitions that are gone; see partman.h.
 *
 * The configuration is read and written as its owner, so that what he has put on it, such as a
 * trigger, runs as himself.
 */
#include "retention/partman.h"

#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/catalog.h"
#include "retention/batch_parts.h"
#include "retention/target.h"

/* The table part_config of the extension, not one that somebody gave that name; or InvalidOid. */
static Oid
part_config(void)
{
	Oid			schema = steward_extension_schema("pg_partman");
	Oid			table;

	if (!OidIsValid(schema))
		return InvalidOid;
	table = get_relname_relid("part_config", schema);
	if (!OidIsValid(table) || get_rel_relkind(table) != RELKIND_RELATION ||
		getExtensionOfObject(RelationRelationId, table) != get_extension_oid("pg_partman", true))
		return InvalidOid;
	return table;
}

static Datum
name_array(const List *names)
{
	Datum	   *elements = palloc(list_length(names) * sizeof(Datum));
	ListCell   *cell;

	foreach(cell, names)
	{
		elements[foreach_current_index(cell)] = CStringGetTextDatum(lfirst(cell));
	}
	return PointerGetDatum(construct_array(elements, list_length(names), TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* One statement about rows of part_config of these names, as its owner; how many rows it is. */
static uint64
execute(Oid table, const char *format, const List *names, int expected)
{
	Oid			types[] = {TEXTARRAYOID};
	Datum		values[] = {name_array(names)};
	StewardIdentity identity;
	char	   *sql = psprintf("%s %s AS c WHERE c.parent_table OPERATOR(pg_catalog.=) ANY ($1)",
							   format, steward_qualified_name(table));
	int			answer;

	steward_become_guarded(steward_target_owner(table), &identity);
	/* Who places a hold waits for us, and must not wait for others with us. */
	steward_batch_option("lock_timeout", "100ms");
	answer = SPI_execute_with_args(sql, 1, types, values, NULL, false, 0);
	steward_become_caller(&identity);
	if (answer != expected)
		elog(ERROR, "unexpected answer %d from SPI", answer);
	return SPI_processed;
}

/* As pg_partman writes it: without quotes. */
static char *
partman_name(Oid relid)
{
	return psprintf("%s.%s", get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

bool
steward_partman_manages(Oid relid)
{
	Oid			table = part_config();

	return OidIsValid(table) &&
		execute(table, "SELECT FROM", list_make1(partman_name(relid)), SPI_OK_SELECT) > 0;
}

List *
steward_partman_names(Oid relid)
{
	List	   *names = NIL;
	ListCell   *cell;

	if (!OidIsValid(part_config()))
		return NIL;
	foreach(cell, find_all_inheritors(relid, NoLock, NULL))
	{
		names = lappend(names, partman_name(lfirst_oid(cell)));
	}
	return names;
}

void
steward_partman_forget(const List *names)
{
	Oid			table = part_config();

	if (names != NIL && OidIsValid(table))
		(void) execute(table, "DELETE FROM", names, SPI_OK_DELETE);
}

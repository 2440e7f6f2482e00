/*
 * conversion_swap.c: the two ends of an online conversion; see conversion.h.
 */
#include "columns/conversion.h"

#include "access/relation.h"
#include "access/xact.h"
#include "base/event.h"
#include "catalog/pg_constraint.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "base/catalog.h"

/* A name for the shadow that no column of the table has. */
static char *
shadow_name(const StewardConversion *conversion)
{
	for (int i = 0;; i++)
	{
		char	   *suffix = i == 0 ? "" : psprintf("_%d", i);
		int			room = NAMEDATALEN - 1 - strlen("steward_") - strlen(suffix);
		char	   *name = psprintf("steward_%.*s%s",
									pg_mbcliplen(conversion->column,
												 strlen(conversion->column), room),
									conversion->column, suffix);

		if (get_attnum(conversion->relid, name) == InvalidAttrNumber)
			return name;
	}
}

static bool
check_exists(Oid relid)
{
	return OidIsValid(get_relation_constraint_oid(relid, STEWARD_SHADOW_CHECK, true));
}

/* The trigger is made by who may execute its function. */
static void
make_trigger(const StewardConversion *conversion, const char *table,
			 const char *source, const char *shadow)
{
	StewardIdentity identity;

	steward_become_owner(&identity);
	steward_conversion_execute("CREATE TRIGGER %s BEFORE INSERT OR UPDATE ON %s FOR EACH ROW"
							   " WHEN ((NEW.%s IS NULL) IS NOT NULL AND (NEW.%s IS NULL) IS NOT NULL)"
							   " EXECUTE FUNCTION steward.column_step()",
							   quote_identifier(STEWARD_STEP_TRIGGER), table, source, shadow);
	steward_conversion_execute("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table,
							   quote_identifier(STEWARD_STEP_TRIGGER));
	steward_become_caller(&identity);
}

void
steward_conversion_prepare(StewardConversion *conversion)
{
	char	   *table = steward_conversion_table(conversion->relid);
	char	   *name = shadow_name(conversion);
	char	   *source = pstrdup(quote_identifier(conversion->column));
	char	   *shadow = pstrdup(quote_identifier(name));
	StewardAttribute *attribute = steward_attribute_read(conversion);

	steward_conversion_execute("ALTER TABLE %s ADD COLUMN %s %s", table, shadow,
							   conversion->target_sql);
	conversion->shadow = get_attnum(conversion->relid, name);
	steward_attribute_try_default(attribute, conversion, conversion->shadow);
	steward_conversion_execute("COMMENT ON COLUMN %s.%s IS %s", table, shadow,
							   quote_literal_cstr(psprintf("shadow of column %s, which is being %s",
														   source, conversion->encrypt ? "encrypted" : "decrypted")));
	make_trigger(conversion, table, source, shadow);
	if (steward_attribute_not_null(attribute))
		steward_conversion_execute("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID",
								   table, STEWARD_SHADOW_CHECK, shadow);
}

/* What the new indexes are to inherit from the old ones. */
static void
match_indexes(const StewardConversion *conversion, List **indexes, List **successors)
{
	ListCell   *cell;

	foreach(cell, conversion->indexes)
	{
		Oid			successor = steward_conversion_find_index(conversion,
															  lfirst_oid(cell),
															  *successors);

		if (!OidIsValid(successor))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("index \"%s\" has no successor yet",
							get_rel_name(lfirst_oid(cell))),
					 errhint("Call the procedure again.")));
		*indexes = lappend(*indexes, steward_index_read(lfirst_oid(cell)));
		*successors = lappend_oid(*successors, successor);
	}
}

static void
set_not_null(const StewardConversion *conversion, const char *table,
			 const char *shadow, bool not_null)
{
	/* The constraint, once validated, spares PostgreSQL a scan. */
	if (not_null)
		steward_conversion_execute("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL",
								   table, shadow);
	if (check_exists(conversion->relid))
		steward_conversion_execute("ALTER TABLE %s DROP CONSTRAINT %s", table,
								   STEWARD_SHADOW_CHECK);
}

/* The shadow takes name and properties of the source, which goes. */
static void
take_place(const StewardConversion *conversion, const StewardAttribute *attribute,
		   const char *table, const char *shadow)
{
	char	   *source = pstrdup(quote_identifier(conversion->column));

	steward_conversion_execute("COMMENT ON COLUMN %s.%s IS NULL", table, shadow);
	steward_conversion_execute("ALTER TABLE %s DROP COLUMN %s", table, source);
	steward_conversion_execute("ALTER TABLE %s RENAME COLUMN %s TO %s", table, shadow,
							   source);
	steward_attribute_write(attribute, conversion, conversion->shadow, true);
}

static char *
shadow_identifier(const StewardConversion *conversion)
{
	return pstrdup(quote_identifier(get_attname(conversion->relid,
												conversion->shadow, false)));
}

static void
drop_trigger(const char *table)
{
	steward_conversion_execute("DROP TRIGGER %s ON %s",
							   quote_identifier(STEWARD_STEP_TRIGGER), table);
}

static void
play(const StewardConversion *conversion)
{
	char	   *table = steward_conversion_table(conversion->relid);
	StewardAttribute *attribute = steward_attribute_read(conversion);
	List	   *views = steward_conversion_drop_views(conversion);

	drop_trigger(table);
	take_place(conversion, attribute, table, shadow_identifier(conversion));
	steward_conversion_make_views(views);
}

void
steward_conversion_rehearse(StewardConversion *conversion)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner resources = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		MemoryContextSwitchTo(context);
		play(conversion);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = resources;
	if (error != NULL)
		ReThrowError(error);
}

void
steward_conversion_swap(StewardConversion *conversion)
{
	char	   *table = steward_conversion_table(conversion->relid);
	char	   *shadow = shadow_identifier(conversion);
	StewardAttribute *attribute = steward_attribute_read(conversion);
	List	   *views = steward_conversion_drop_views(conversion);
	List	   *indexes = NIL;
	List	   *successors = NIL;
	ListCell   *index;
	ListCell   *successor;

	match_indexes(conversion, &indexes, &successors);
	drop_trigger(table);
	set_not_null(conversion, table, shadow, steward_attribute_not_null(attribute));
	take_place(conversion, attribute, table, shadow);
	forboth(index, indexes, successor, successors)
		steward_index_write(lfirst(index), conversion->relid, lfirst_oid(successor));
	steward_conversion_make_views(views);
	steward_conversion_state_end(conversion->relid);
}

void
steward_conversion_remove(Oid relid, const char *trigger, const char *shadow)
{
	char	   *table = steward_conversion_table(relid);

	if (trigger != NULL)
		steward_conversion_execute("DROP TRIGGER %s ON %s",
								   quote_identifier(trigger), table);
	if (check_exists(relid))
		steward_conversion_execute("ALTER TABLE %s DROP CONSTRAINT %s", table,
								   STEWARD_SHADOW_CHECK);
	if (shadow != NULL)
		steward_conversion_execute("ALTER TABLE %s DROP COLUMN %s", table,
								   quote_identifier(shadow));
}

void
steward_conversion_tell(const char *event, const StewardConversion *conversion,
						const char *state)
{
	StewardJson json;

	if (!steward_event_begin(&json, event))
		return;
	steward_event_relation(&json, "relation", conversion->relid);
	steward_json_text(&json, "column", conversion->column);
	steward_json_text(&json, "type", conversion->target_sql != NULL ?
					  conversion->target_sql :
					  format_type_extended(conversion->target_type,
										   conversion->target_typmod,
										   FORMAT_TYPE_TYPEMOD_GIVEN |
										   FORMAT_TYPE_FORCE_QUALIFY));
	steward_json_text(&json, "state", state);
	steward_event_end(&json);
}

void
steward_conversion_say_done(const StewardConversion *conversion)
{
	const char *table = get_rel_name(conversion->relid);

	if (!conversion->encrypt)
		ereport(NOTICE,
				(errmsg("column \"%s\" of table \"%s\" is no longer encrypted",
						conversion->column, table)));
	else if (conversion->online)
		ereport(NOTICE,
				(errmsg("column \"%s\" of table \"%s\" is encrypted",
						conversion->column, table),
				 errdetail("Its old plaintext remains in the rows of the table until they are rewritten, and in the write-ahead log, replicas' logs, backups and audit records that were made before until these are gone."),
				 errhint("Run VACUUM FULL %s, and VACUUM FULL pg_catalog.pg_statistic, when the table can be locked; then let old write-ahead log and backups expire.",
						 steward_conversion_table(conversion->relid))));
	else
		ereport(NOTICE,
				(errmsg("column \"%s\" of table \"%s\" is encrypted",
						conversion->column, table),
				 errdetail("The table was rewritten. Its old plaintext remains in the write-ahead log, replicas' logs, backups and audit records that were made before until these are gone."),
				 errhint("Run VACUUM FULL pg_catalog.pg_statistic, which held common values of the column; then let old write-ahead log and backups expire.")));
}

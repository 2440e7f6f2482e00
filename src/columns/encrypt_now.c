/*
 * encrypt_now.c: encrypt_column and decrypt_column, at once.
 *
 * ALTER TABLE ... TYPE does the work, so the column keeps its number and all
 * that hangs on it; only indexes and views are dropped and made anew. It runs as
 * the owner of the table, so that no code of his runs as somebody who can do
 * more.
 */
#include "columns/conversion.h"

#include "access/relation.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/argument.h"
#include "base/catalog.h"
#include "types/binding.h"
#include "types/encrypted.h"

/* Partitions and heirs are changed with the table: they must have nothing of their own. */
static void
check_heirs(const StewardConversion *conversion)
{
	List	   *tree = find_all_inheritors(conversion->relid, AccessExclusiveLock, NULL);
	ListCell   *cell;

	if (list_length(tree) > 1 && conversion->indexes != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" of table \"%s\" cannot be converted",
						conversion->column, get_rel_name(conversion->relid)),
				 errdetail("It is used by index %s, and indexes of a table with partitions or heirs are not carried.",
						   get_rel_name(linitial_oid(conversion->indexes))),
				 errhint("Drop the index, and make it again afterwards.")));
	foreach(cell, tree)
	{
		StewardConversion heir = *conversion;
		Relation	rel = relation_open(lfirst_oid(cell), NoLock);

		if (lfirst_oid(cell) != conversion->relid)
		{
			heir.relid = lfirst_oid(cell);
			heir.source = get_attnum(heir.relid, conversion->column);
			heir.indexes = heir.views = NIL;
			steward_conversion_check_dependents(&heir, rel);
			if (heir.indexes != NIL || heir.views != NIL)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("column \"%s\" of table \"%s\" cannot be converted",
								conversion->column, get_rel_name(conversion->relid)),
						 errdetail("That of \"%s\" is used by \"%s\", and what is over partitions and heirs is not carried.",
								   RelationGetRelationName(rel),
								   get_rel_name(heir.indexes != NIL ? linitial_oid(heir.indexes) : linitial_oid(heir.views))),
						 errhint("Drop it, and make it again afterwards.")));
		}
		relation_close(rel, NoLock);
	}
}

static void
change_type(const StewardConversion *conversion)
{
	char	   *table = steward_conversion_table(conversion->relid);
	const char *column = quote_identifier(conversion->column);

	if (conversion->encrypt)
		steward_conversion_execute("ALTER TABLE %s ALTER COLUMN %s TYPE %s USING %s::%s",
								   table, column, conversion->target_sql, column,
								   conversion->target_sql);
	else
		steward_conversion_execute("ALTER TABLE %s ALTER COLUMN %s TYPE %s USING steward.decrypt(%s)",
								   table, column, conversion->target_sql, column);
}

/* Drops the indexes; fills the lists with what is needed to make them anew. */
static void
drop_indexes(const StewardConversion *conversion, List **commands, List **indexes)
{
	ListCell   *cell;

	foreach(cell, conversion->indexes)
	{
		StewardIndex *index = steward_index_read(lfirst_oid(cell));

		*indexes = lappend(*indexes, index);
		*commands = lappend(*commands,
							steward_conversion_index_sql(conversion, lfirst_oid(cell),
														 conversion->source,
														 steward_index_name(index), false));
	}
	foreach(cell, conversion->indexes)
		steward_conversion_execute("DROP INDEX %s",
								   steward_conversion_table(lfirst_oid(cell)));
}

static void
make_indexes(const StewardConversion *conversion, List *commands, List *indexes)
{
	Oid			schema = get_rel_namespace(conversion->relid);
	ListCell   *command;
	ListCell   *index;

	forboth(command, commands, index, indexes)
	{
		steward_conversion_execute("%s", (char *) lfirst(command));
		steward_index_write(lfirst(index), conversion->relid,
							get_relname_relid(steward_index_name(lfirst(index)), schema));
	}
}

/* As the owner of the table, which is locked and which nobody has open. */
static void
convert(const StewardConversion *conversion)
{
	StewardAttribute *attribute = steward_attribute_read(conversion);
	List	   *views = steward_conversion_drop_views(conversion);
	List	   *commands = NIL;
	List	   *indexes = NIL;

	drop_indexes(conversion, &commands, &indexes);
	steward_conversion_execute("ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT",
							   steward_conversion_table(conversion->relid),
							   quote_identifier(conversion->column));
	change_type(conversion);
	steward_attribute_write(attribute, conversion, conversion->source, false);
	make_indexes(conversion, commands, indexes);
	steward_conversion_make_views(views);
}

/* The numbers that the column has in the table, its partitions and heirs. */
static Bitmapset *
column_numbers(const StewardConversion *conversion)
{
	Bitmapset  *numbers = NULL;
	ListCell   *cell;

	foreach(cell, find_all_inheritors(conversion->relid, NoLock, NULL))
		numbers = bms_add_member(numbers, get_attnum(lfirst_oid(cell),
													 conversion->column));
	return numbers;
}

/* Who decrypts needs the right, and was asked; the owner of the table need not have it. */
static void
convert_as_owner(const StewardConversion *conversion)
{
	Bitmapset  *columns = column_numbers(conversion);
	StewardIdentity identity;

	steward_become(conversion->owner, &identity);
	steward_decrypt_authorise(conversion->encrypt ? 0 : conversion->key_id, columns);
	PG_TRY();
	{
		convert(conversion);
	}
	PG_FINALLY();
	{
		steward_decrypt_authorise(0, NULL);
	}
	PG_END_TRY();
	steward_become_caller(&identity);
}

/* The trigger that binds saw none of the rows. */
static void
say_unbound(const StewardConversion *conversion)
{
	Relation	rel = relation_open(conversion->relid, NoLock);
	StewardBinding binding;

	if (conversion->encrypt && steward_binding_find(rel, &binding))
		ereport(NOTICE,
				(errmsg("the values of column \"%s\" are not bound to subjects yet",
						conversion->column),
				 errhint("Run CALL steward.reencrypt('%s').",
						 steward_conversion_table(conversion->relid))));
	relation_close(rel, NoLock);
}

static void
convert_column(Oid relid, const char *column, const char *key, const char *type,
			   bool encrypt)
{
	StewardConversion conversion = {.encrypt = encrypt};
	Relation	rel;

	PreventCommandIfReadOnly(encrypt ? "steward.encrypt_column()" :
							 "steward.decrypt_column()");
	/* Before the lock too, so that it is no means to block others. */
	steward_conversion_check_owner(relid);
	rel = steward_named_relation_open(relid, AccessExclusiveLock);
	steward_conversion_check_owner(relid);
	if (!steward_conversion_lock(relid, false) || steward_conversion_state(relid) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("an online conversion of a column of table \"%s\" has begun",
						RelationGetRelationName(rel)),
				 errhint("Finish it, or give it up with steward.abort_column_conversion().")));
	steward_conversion_describe(&conversion, rel, column, key, type);
	steward_conversion_check_dependents(&conversion, rel);
	check_heirs(&conversion);
	steward_conversion_warn(&conversion, rel);
	relation_close(rel, NoLock);
	convert_as_owner(&conversion);
	steward_conversion_tell(encrypt ? "encrypt_column" : "decrypt_column",
							&conversion, "ended");
	steward_conversion_say_done(&conversion);
	say_unbound(&conversion);
}

STEWARD_FUNCTION(steward_encrypt_column)
{
	static const char *const names[] = {"relation", "column", "key"};

	steward_require_arguments(fcinfo, lengthof(names), names);
	convert_column(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)),
				   text_to_cstring(PG_GETARG_TEXT_PP(2)), NULL, true);
	PG_RETURN_VOID();
}

STEWARD_FUNCTION(steward_decrypt_column)
{
	static const char *const names[] = {"relation", "column"};

	steward_require_arguments(fcinfo, lengthof(names), names);
	convert_column(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)), NULL,
				   PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)),
				   false);
	PG_RETURN_VOID();
}

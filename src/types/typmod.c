/*
 * typmod.c: the type modifier of encrypted types: the id of a key.
 *
 * Reading a modifier needs no table: a dump is restored before the keys are
 * there. What path an id stands for is remembered by the process, and the DDL
 * guard registers it when a column uses it.
 */
#include "types/encrypted.h"

#include "catalog/pg_type_d.h"
#include "keys/keys.h"
#include "keys/names.h"
#include "utils/array.h"
#include "utils/builtins.h"

static bool
is_number(const char *text)
{
	return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

static uint32
read_number(const char *text)
{
	unsigned long value;

	errno = 0;
	value = strtoul(text, NULL, 10);
	if (errno != 0 || value == 0 || value > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("key id is out of range")));
	return (uint32) value;
}

static void
warn_unless_known(uint32 key_id, const char *name)
{
	if (!steward_key_is_known(key_id) && steward_key_any())
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("key \"%s\" does not exist", name),
				 errhint("Create it with steward.create_key('%.*s') before values are stored.",
						 (int) steward_name_holder_length(name), name)));
}

STEWARD_FUNCTION(steward_typmod_in)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Datum	   *elements;
	int			count;
	char	   *name;
	uint32		key_id;

	if (ARR_ELEMTYPE(array) != CSTRINGOID || ARR_NDIM(array) != 1 ||
		array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("type modifier must be the name of a key")));
	deconstruct_array(array, CSTRINGOID, -2, false, TYPALIGN_CHAR, &elements,
					  NULL, &count);
	if (count != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("type modifier must be the name of one key")));

	name = DatumGetCString(elements[0]);
	if (is_number(name))
		PG_RETURN_INT32((int32) read_number(name));
	key_id = steward_key_named(name);
	warn_unless_known(key_id, name);
	PG_RETURN_INT32((int32) key_id);
}

STEWARD_FUNCTION(steward_typmod_out)
{
	int32		typmod = PG_GETARG_INT32(0);
	char	   *path;

	if (typmod < 0)
		PG_RETURN_CSTRING(pstrdup(""));
	path = steward_key_path((uint32) typmod);
	if (path == NULL)
		PG_RETURN_CSTRING(psprintf("(%d)", typmod));
	/* What checks the path is create_key, not the table: quote it. */
	PG_RETURN_CSTRING(psprintf("(%s)", quote_literal_cstr(path)));
}

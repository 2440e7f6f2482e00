/*
 * shred_key.c: keys of subjects as parameters of statements; see shred_parts.h.
 *
 * A subject's key is its spelling, which is the same in each type of column that can have
 * it. To be found by an index it must become a value of the column's type; a spelling that no such
 * value has, as 'x' or '007' of an integer, is the key of no row there. No error may
 * come of it, for it would show the key.
 */
#include "retention/shred_parts.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/uuid.h"

/* What numeric can have before the point, and after it. */
#define MOST_WHOLE_DIGITS 131072
#define MOST_FRACTION_DIGITS 16383

Oid
steward_shred_comparable(Oid type)
{
	switch (getBaseType(type))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case BPCHAROID:
		case UUIDOID:
			return getBaseType(type);
		case TEXTOID:
		case VARCHAROID:
		case NAMEOID:
			return TEXTOID;
		default:
			return InvalidOid;
	}
}

static bool
integer_value(Oid type, const char *key, Datum *value)
{
	char		spelt[32];
	char	   *end;
	int64		number;

	errno = 0;
	number = strtoll(key, &end, 10);
	snprintf(spelt, sizeof spelt, INT64_FORMAT, number);
	if (errno != 0 || strcmp(spelt, key) != 0)
		return false;
	switch (type)
	{
		case INT2OID:
			*value = Int16GetDatum((int16) number);
			return number >= PG_INT16_MIN && number <= PG_INT16_MAX;
		case INT4OID:
			*value = Int32GetDatum((int32) number);
			return number >= PG_INT32_MIN && number <= PG_INT32_MAX;
		default:
			*value = Int64GetDatum(number);
			return true;
	}
}

/* Digits, maybe with a sign before them and a point between, as many as numeric can have. */
static bool
is_number(const char *key)
{
	size_t		whole;
	size_t		fraction;

	if (*key == '-')
		key++;
	whole = strspn(key, "0123456789");
	key += whole;
	if (*key == '\0')
		return whole > 0 && whole <= MOST_WHOLE_DIGITS;
	if (*key++ != '.')
		return false;
	fraction = strspn(key, "0123456789");
	return whole > 0 && whole <= MOST_WHOLE_DIGITS && fraction > 0 &&
		fraction <= MOST_FRACTION_DIGITS && key[fraction] == '\0';
}

static bool
numeric_value(const char *key, Datum *value)
{
	if (!is_number(key) && strcmp(key, "NaN") != 0 && strcmp(key, "Infinity") != 0 &&
		strcmp(key, "-Infinity") != 0)
		return false;
	*value = DirectFunctionCall3(numeric_in, CStringGetDatum(key),
								 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	return strcmp(numeric_normalize(DatumGetNumeric(*value)), key) == 0;
}

static bool
uuid_value(const char *key, Datum *value)
{
	static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(key) != strlen(pattern))
		return false;
	for (int i = 0; pattern[i] != '\0'; i++)
	{
		if (pattern[i] == '-' ? key[i] != '-' : strchr("0123456789abcdef", key[i]) == NULL)
			return false;
	}
	*value = DirectFunctionCall1(uuid_in, CStringGetDatum(key));
	return true;
}

/* False when no value of the type is spelt like this. */
static bool
key_value(Oid type, const char *key, Datum *value)
{
	switch (type)
	{
		case NUMERICOID:
			return numeric_value(key, value);
		case UUIDOID:
			return uuid_value(key, value);
		case BPCHAROID:
			*value = CStringGetTextDatum(key);
			/* Blanks at its end are not compared, and not spelt. */
			return key[0] == '\0' || key[strlen(key) - 1] != ' ';
		case TEXTOID:
			*value = CStringGetTextDatum(key);
			return true;
		default:
			return integer_value(type, key, value);
	}
}

void
steward_shred_keys(Oid type, const StewardShredSubject *subjects, int count,
				   Datum *keys, Datum *numbers)
{
	Datum	   *values = palloc(Max(count, 1) * sizeof(Datum));
	Datum	   *places = palloc(Max(count, 1) * sizeof(Datum));
	int			found = 0;
	int16		length;
	bool		by_value;
	char		align;

	for (int i = 0; i < count; i++)
	{
		places[found] = Int32GetDatum(i);
		if (key_value(type, subjects[i].key, &values[found]))
			found++;
	}
	get_typlenbyvalalign(type, &length, &by_value, &align);
	*keys = PointerGetDatum(construct_array(values, found, type, length, by_value, align));
	*numbers = PointerGetDatum(construct_array(places, found, INT4OID, sizeof(int32),
											   true, TYPALIGN_INT));
}

/*
 * codec_show.c: decoded values as jsonb; see codec_show.h.
 */
#include "base/compat.h"

#include <math.h>

#include "audit/codec_show.h"
#include "catalog/pg_type_d.h"
#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/inet.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

void
steward_show_cstring(JsonbValue *out, char *string)
{
	out->type = jbvString;
	out->val.string.val = string;
	out->val.string.len = strlen(string);
}

static void
show_numeric(JsonbValue *out, Numeric number)
{
	out->type = jbvNumeric;
	out->val.numeric = number;
}

static void
show_integer(JsonbValue *out, int64 value)
{
	show_numeric(out, int64_to_numeric(value));
}

/* By an output function that obeys no setting. */
static void
show_output(JsonbValue *out, PGFunction function, Datum value)
{
	steward_show_cstring(out,
						 DatumGetCString(DirectFunctionCall1(function, value)));
}

void
steward_show_bool(JsonbValue *out, Datum value)
{
	out->type = jbvBool;
	out->val.boolean = DatumGetBool(value);
}

void
steward_show_int2(JsonbValue *out, Datum value)
{
	show_integer(out, DatumGetInt16(value));
}

void
steward_show_int4(JsonbValue *out, Datum value)
{
	show_integer(out, DatumGetInt32(value));
}

void
steward_show_int8(JsonbValue *out, Datum value)
{
	show_integer(out, DatumGetInt64(value));
}

void
steward_show_oid(JsonbValue *out, Datum value)
{
	show_integer(out, DatumGetObjectId(value));
}

/* The shortest decimal that reads back to the same number. */
static void
show_float(JsonbValue *out, char *decimal, bool as_number)
{
	if (!as_number)
		steward_show_cstring(out, decimal);
	else
		show_numeric(out, DatumGetNumeric(DirectFunctionCall3(numeric_in,
															  CStringGetDatum(decimal),
															  ObjectIdGetDatum(InvalidOid),
															  Int32GetDatum(-1))));
}

static inline bool
json_has(double number)
{
	return !isnan(number) && !isinf(number) && !(number == 0 && signbit(number));
}

void
steward_show_float4(JsonbValue *out, Datum value)
{
	char	   *decimal = palloc(FLOAT_SHORTEST_DECIMAL_LEN);
	float4		number = DatumGetFloat4(value);

	float_to_shortest_decimal_buf(number, decimal);
	show_float(out, decimal, json_has(number));
}

void
steward_show_float8(JsonbValue *out, Datum value)
{
	char	   *decimal = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);
	float8		number = DatumGetFloat8(value);

	double_to_shortest_decimal_buf(number, decimal);
	show_float(out, decimal, json_has(number));
}

void
steward_show_numeric(JsonbValue *out, Datum value)
{
	Numeric		number = DatumGetNumeric(value);

	if (numeric_is_nan(number) || numeric_is_inf(number))
		show_output(out, numeric_out, value);
	else
		show_numeric(out, number);
}

void
steward_show_text(JsonbValue *out, Datum value)
{
	text	   *string = DatumGetTextPP(value);

	out->type = jbvString;
	out->val.string.val = VARDATA_ANY(string);
	out->val.string.len = VARSIZE_ANY_EXHDR(string);
}

/* What is not ASCII as an octal escape, as 16 and later read it. */
void
steward_show_char(JsonbValue *out, Datum value)
{
	unsigned char byte = (unsigned char) DatumGetChar(value);
	char	   *string = palloc(5);

	if (IS_HIGHBIT_SET(byte))
		snprintf(string, 5, "\\%03o", byte);
	else
		snprintf(string, 5, "%c", byte);
	steward_show_cstring(out, string);
}

void
steward_show_bytea(JsonbValue *out, Datum value)
{
	bytea	   *bytes = DatumGetByteaPP(value);
	Size		length = VARSIZE_ANY_EXHDR(bytes);
	char	   *hex = palloc(length * 2 + 3);

	hex[0] = '\\';
	hex[1] = 'x';
	hex_encode(VARDATA_ANY(bytes), length, hex + 2);
	hex[length * 2 + 2] = '\0';
	steward_show_cstring(out, hex);
}

/* JSON's own ISO form; timestamptz in UTC whatever the session's zone. */
static void
show_datetime(JsonbValue *out, Datum value, Oid type)
{
	int			utc = 0;

	steward_show_cstring(out, JsonEncodeDateTime(NULL, value, type,
												 type == TIMESTAMPTZOID ? &utc : NULL));
}

void
steward_show_date(JsonbValue *out, Datum value)
{
	show_datetime(out, value, DATEOID);
}

void
steward_show_time(JsonbValue *out, Datum value)
{
	show_datetime(out, value, TIMEOID);
}

void
steward_show_timetz(JsonbValue *out, Datum value)
{
	show_datetime(out, value, TIMETZOID);
}

void
steward_show_timestamp(JsonbValue *out, Datum value)
{
	show_datetime(out, value, TIMESTAMPOID);
}

void
steward_show_timestamptz(JsonbValue *out, Datum value)
{
	show_datetime(out, value, TIMESTAMPTZOID);
}

void
steward_show_interval(JsonbValue *out, Datum value)
{
	Interval   *interval = DatumGetIntervalP(value);
	struct pg_itm parts;
	char	   *string = palloc(MAXDATELEN + 1);

	if (STEWARD_INTERVAL_IS_INFINITE(interval))
		snprintf(string, MAXDATELEN + 1, "%sinfinity",
				 interval->time < 0 ? "-" : "");
	else
	{
		interval2itm(*interval, &parts);
		EncodeInterval(&parts, INTSTYLE_ISO_8601, string);
	}
	steward_show_cstring(out, string);
}

void
steward_show_jsonb(JsonbValue *out, Datum value)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);

	out->type = jbvBinary;
	out->val.binary.data = &jsonb->root;
	out->val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
}

/* It is valid json: what jsonb refuses now is an escape or a number. */
void
steward_show_json(JsonbValue *out, Datum value)
{
	MemoryContext caller = CurrentMemoryContext;

	PG_TRY();
	{
		steward_show_jsonb(out, DirectFunctionCall1(jsonb_in,
													CStringGetDatum(TextDatumGetCString(value))));
	}
	PG_CATCH();
	{
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(caller);
		FlushErrorState();
		steward_show_text(out, value);
	}
	PG_END_TRY();
}

void
steward_show_uuid(JsonbValue *out, Datum value)
{
	show_output(out, uuid_out, value);
}

void
steward_show_macaddr(JsonbValue *out, Datum value)
{
	show_output(out, macaddr_out, value);
}

void
steward_show_macaddr8(JsonbValue *out, Datum value)
{
	show_output(out, macaddr8_out, value);
}

void
steward_show_pg_lsn(JsonbValue *out, Datum value)
{
	show_output(out, pg_lsn_out, value);
}

void
steward_show_bit(JsonbValue *out, Datum value)
{
	show_output(out, varbit_out, value);
}

void
steward_show_tid(JsonbValue *out, Datum value)
{
	show_output(out, tidout, value);
}

void
steward_show_xid8(JsonbValue *out, Datum value)
{
	show_output(out, xid8out, value);
}

/*
 * With two decimals, as the C locale has it: how many money has is a matter of
 * lc_monetary, which a record must not depend on.
 */
void
steward_show_money(JsonbValue *out, Datum value)
{
	int64		cents = DatumGetInt64(value);
	uint64		size = cents < 0 ? -(uint64) cents : (uint64) cents;

	steward_show_cstring(out, psprintf("%s" UINT64_FORMAT ".%02d",
									   cents < 0 ? "-" : "", size / 100,
									   (int) (size % 100)));
}

void
steward_show_inet(JsonbValue *out, Datum value)
{
	show_output(out, inet_out, value);
}

void
steward_show_cidr(JsonbValue *out, Datum value)
{
	show_output(out, cidr_out, value);
}

/*
 * type_time.c: encrypted_date and encrypted_timestamptz.
 *
 * Plaintext bytes are days or microseconds since 2000-01-01 UTC, two's
 * complement, big-endian; the least and the greatest number are -infinity and
 * infinity, as in PostgreSQL. They are canonical: a time zone is no part of them.
 */
#include "types/type_info.h"

#include <sodium.h>

#include "crypto/bytes.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define DATE_WIDTH 4
#define TIME_WIDTH 8

/* ---- date ---- */

static StewardPlain
encode_date(Datum value)
{
	StewardPlain plain = steward_plain_make(DATE_WIDTH);

	steward_store_be32(plain.bytes, (uint32) DatumGetDateADT(value));
	return plain;
}

/* Casts drop the time of day; with a time zone, that of the session. */
static StewardPlain
date_of_timestamp(Datum value)
{
	return encode_date(DirectFunctionCall1(timestamp_date, value));
}

static StewardPlain
date_of_timestamptz(Datum value)
{
	return encode_date(DirectFunctionCall1(timestamptz_date, value));
}

static bool
open_date(const StewardDatum *datum, Datum *value)
{
	unsigned char bytes[DATE_WIDTH];
	DateADT		date;

	if (!steward_open_fixed(datum, bytes, sizeof bytes))
		return false;
	date = (DateADT) steward_load_be32(bytes);
	sodium_memzero(bytes, sizeof bytes);
	if (!DATE_NOT_FINITE(date) && !IS_VALID_DATE(date))
		steward_raise_malformed_plain();
	*value = DateADTGetDatum(date);
	return true;
}

static int
compare_dates(StewardPlain *a, StewardPlain *b)
{
	int32		x;
	int32		y;

	if (a->len != DATE_WIDTH || b->len != DATE_WIDTH)
		steward_raise_malformed_plain();
	x = (int32) steward_load_be32(a->bytes);
	y = (int32) steward_load_be32(b->bytes);
	return (x > y) - (x < y);
}

const StewardTypeInfo steward_date_info = {
	.code = STEWARD_TYPE_DATE,
	.name = "encrypted_date",
	.encrypt_function = "encrypt_date",
	.unique_class = "encrypted_date_unique_ops",
	.encode = encode_date,
	.input = date_in,
	.output = date_out,
	.open = open_date,
	.compare = compare_dates,
};

STEWARD_TYPE_FUNCTIONS(date)
STEWARD_AS_TEXT_FUNCTION(date)
STEWARD_CAST_FUNCTION(date, date, encode_date)
STEWARD_CAST_FUNCTION(date, timestamp, date_of_timestamp)
STEWARD_CAST_FUNCTION(date, timestamptz, date_of_timestamptz)
STEWARD_PLAIN_FUNCTIONS(date, date, encode_date)
STEWARD_PLAIN_ORDER_FUNCTIONS(date, date, encode_date)

/* ---- timestamp with time zone ---- */

static StewardPlain
encode_timestamptz(Datum value)
{
	StewardPlain plain = steward_plain_make(TIME_WIDTH);

	steward_store_be64(plain.bytes, (uint64) DatumGetTimestampTz(value));
	return plain;
}

/* Without a time zone, that of the session is meant. */
static StewardPlain
timestamptz_of_timestamp(Datum value)
{
	return encode_timestamptz(DirectFunctionCall1(timestamp_timestamptz, value));
}

static StewardPlain
timestamptz_of_date(Datum value)
{
	return encode_timestamptz(DirectFunctionCall1(date_timestamptz, value));
}

static bool
open_timestamptz(const StewardDatum *datum, Datum *value)
{
	unsigned char bytes[TIME_WIDTH];
	TimestampTz time;

	if (!steward_open_fixed(datum, bytes, sizeof bytes))
		return false;
	time = (TimestampTz) steward_load_be64(bytes);
	sodium_memzero(bytes, sizeof bytes);
	if (!TIMESTAMP_NOT_FINITE(time) && !IS_VALID_TIMESTAMP(time))
		steward_raise_malformed_plain();
	*value = TimestampTzGetDatum(time);
	return true;
}

static int
compare_times(StewardPlain *a, StewardPlain *b)
{
	int64		x;
	int64		y;

	if (a->len != TIME_WIDTH || b->len != TIME_WIDTH)
		steward_raise_malformed_plain();
	x = (int64) steward_load_be64(a->bytes);
	y = (int64) steward_load_be64(b->bytes);
	return (x > y) - (x < y);
}

const StewardTypeInfo steward_timestamptz_info = {
	.code = STEWARD_TYPE_TIMESTAMPTZ,
	.name = "encrypted_timestamptz",
	.encrypt_function = "encrypt_timestamptz",
	.unique_class = "encrypted_timestamptz_unique_ops",
	.encode = encode_timestamptz,
	.input = timestamptz_in,
	.output = timestamptz_out,
	.open = open_timestamptz,
	.compare = compare_times,
};

STEWARD_TYPE_FUNCTIONS(timestamptz)
STEWARD_AS_TEXT_FUNCTION(timestamptz)
STEWARD_CAST_FUNCTION(timestamptz, timestamptz, encode_timestamptz)
STEWARD_CAST_FUNCTION(timestamptz, timestamp, timestamptz_of_timestamp)
STEWARD_CAST_FUNCTION(timestamptz, date, timestamptz_of_date)
STEWARD_PLAIN_FUNCTIONS(timestamptz, timestamptz, encode_timestamptz)
STEWARD_PLAIN_ORDER_FUNCTIONS(timestamptz, timestamptz, encode_timestamptz)

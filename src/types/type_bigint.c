/*
 * type_bigint.c: encrypted_bigint.
 *
 * Plaintext bytes are the number in 8 bytes, two's complement, big-endian. It is
 * compared with every number that PostgreSQL writes without being asked, also a
 * numeric: one that is no bigint equals none, and is no error.
 */
#include "types/type_info.h"

#include <sodium.h>

#include "crypto/bytes.h"
#include "crypto/plain_numeric.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#define WIDTH 8

static StewardPlain
encode_number(int64 number)
{
	StewardPlain plain = steward_plain_make(WIDTH);

	steward_store_be64(plain.bytes, (uint64) number);
	return plain;
}

static int64
decode_number(const unsigned char *bytes)
{
	return (int64) steward_load_be64(bytes);
}

static StewardPlain
encode_int8(Datum value)
{
	return encode_number(DatumGetInt64(value));
}

static StewardPlain
encode_int4(Datum value)
{
	return encode_number(DatumGetInt32(value));
}

static StewardPlain
encode_int2(Datum value)
{
	return encode_number(DatumGetInt16(value));
}

/* For casts: rounds, and raises when it is out of range, as PostgreSQL does. */
static StewardPlain
cast_numeric(Datum value)
{
	return encode_int8(DirectFunctionCall1(numeric_int8, value));
}

/*
 * For comparing: what is no bigint keeps the bytes of a numeric, whose number is
 * odd, so that they equal no bigint's.
 */
static StewardPlain
encode_numeric(Datum value)
{
	StewardPlain plain = steward_numeric_info.encode(value);
	int64_t		number;

	steward_numeric_canonicalise(plain.bytes, plain.len);
	if (!steward_numeric_to_int64(&number, plain.bytes, plain.len))
		return plain;
	steward_plain_free(&plain);
	return encode_number(number);
}

static bool
open_bigint(const StewardDatum *datum, Datum *value)
{
	unsigned char bytes[WIDTH];
	bool		opened = steward_open_fixed(datum, bytes, sizeof bytes);

	if (opened)
		*value = Int64GetDatum(decode_number(bytes));
	sodium_memzero(bytes, sizeof bytes);
	return opened;
}

/* A side as numeric: one that is no bigint is that already. */
static StewardPlain
as_numeric(const StewardPlain *plain)
{
	Numeric		number;
	StewardPlain result;

	if (plain->len != WIDTH)
		return steward_plain_borrow((const char *) plain->bytes, plain->len);
	number = int64_to_numeric(decode_number(plain->bytes));
	result = steward_numeric_info.encode(NumericGetDatum(number));
	steward_wipe_varlena((struct varlena *) number);
	return result;
}

static int
compare_numerics(StewardPlain *a, StewardPlain *b)
{
	StewardPlain x = as_numeric(a);
	StewardPlain y = as_numeric(b);
	int			result = steward_numeric_info.compare(&x, &y);

	steward_plain_free(&x);
	steward_plain_free(&y);
	return result;
}

/* A stored value has WIDTH, a plaintext may be another number: an odd length. */
static int
compare_bigints(StewardPlain *a, StewardPlain *b)
{
	int64		x;
	int64		y;

	if (a->len != WIDTH || b->len != WIDTH)
		return compare_numerics(a, b);
	x = decode_number(a->bytes);
	y = decode_number(b->bytes);
	return (x > y) - (x < y);
}

const StewardTypeInfo steward_bigint_info = {
	.code = STEWARD_TYPE_BIGINT,
	.name = "encrypted_bigint",
	.encrypt_function = "encrypt_bigint",
	.unique_class = "encrypted_bigint_unique_ops",
	.encode = encode_int8,
	.input = int8in,
	.output = int8out,
	.open = open_bigint,
	.compare = compare_bigints,
};

STEWARD_TYPE_FUNCTIONS(bigint)
STEWARD_AS_TEXT_FUNCTION(bigint)
STEWARD_CAST_FUNCTION(bigint, int8, encode_int8)
STEWARD_CAST_FUNCTION(bigint, int4, encode_int4)
STEWARD_CAST_FUNCTION(bigint, int2, encode_int2)
STEWARD_CAST_FUNCTION(bigint, numeric, cast_numeric)
STEWARD_PLAIN_FUNCTIONS(bigint, int8, encode_int8)
STEWARD_PLAIN_FUNCTIONS(bigint, int4, encode_int4)
STEWARD_PLAIN_FUNCTIONS(bigint, int2, encode_int2)
STEWARD_PLAIN_FUNCTIONS(bigint, numeric, encode_numeric)
STEWARD_PLAIN_ORDER_FUNCTIONS(bigint, int8, encode_int8)
STEWARD_PLAIN_ORDER_FUNCTIONS(bigint, int4, encode_int4)
STEWARD_PLAIN_ORDER_FUNCTIONS(bigint, int2, encode_int2)
STEWARD_PLAIN_ORDER_FUNCTIONS(bigint, numeric, encode_numeric)

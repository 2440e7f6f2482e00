/*
 * type_numeric.c: encrypted_numeric.
 *
 * Plaintext bytes are those of crypto/plain_numeric.h. PostgreSQL shows what a
 * numeric is made of by its binary form alone: count of digits, weight, sign and
 * scale, then the digits, 16 bits each.
 */
#include "types/type_info.h"

#include "crypto/bytes.h"
#include "crypto/plain_numeric.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#define WIRE_HEADER_BYTES 8
#define WIRE_COUNT 0
#define WIRE_WEIGHT 2
#define WIRE_SIGN 4
#define WIRE_SCALE 6

/* Signs in PostgreSQL's binary form, by ours. */
static const uint16 wire_signs[] = {
	[STEWARD_NUMERIC_POSITIVE] = 0x0000,
	[STEWARD_NUMERIC_NEGATIVE] = 0x4000,
	[STEWARD_NUMERIC_NAN] = 0xC000,
	[STEWARD_NUMERIC_INFINITY] = 0xD000,
	[STEWARD_NUMERIC_MINUS_INFINITY] = 0xF000,
};

static StewardNumericSign
sign_of_wire(uint16 wire)
{
	for (size_t i = 0; i < lengthof(wire_signs); i++)
	{
		if (wire_signs[i] == wire)
			return (StewardNumericSign) i;
	}
	elog(ERROR, "unexpected sign of a numeric");
}

static StewardPlain
encode_wire(const unsigned char *wire)
{
	StewardNumericHeader header = {.sign = sign_of_wire(steward_load_be16(wire + WIRE_SIGN))};
	StewardPlain plain;

	/* Of what is no number PostgreSQL's weight and scale mean nothing. */
	if (header.sign <= STEWARD_NUMERIC_NEGATIVE)
	{
		header.digits = steward_load_be16(wire + WIRE_COUNT);
		header.weight = (int16) steward_load_be16(wire + WIRE_WEIGHT);
		header.scale = steward_load_be16(wire + WIRE_SCALE);
	}
	plain = steward_plain_make(STEWARD_NUMERIC_HEADER_BYTES + 2 * header.digits);
	steward_numeric_write_header(plain.bytes, &header);
	memcpy(plain.bytes + STEWARD_NUMERIC_HEADER_BYTES, wire + WIRE_HEADER_BYTES,
		   2 * header.digits);
	/* Should the scale hide digits, they count all the same. */
	if (!steward_numeric_parse(&header, plain.bytes, plain.len))
		steward_numeric_canonicalise(plain.bytes, plain.len);
	return plain;
}

static StewardPlain
encode_numeric(Datum value)
{
	bytea	   *wire = DatumGetByteaPP(DirectFunctionCall1(numeric_send, value));
	StewardPlain plain = encode_wire((unsigned char *) VARDATA_ANY(wire));

	steward_wipe_varlena(wire);
	return plain;
}

/* Encoders of other numbers, which PostgreSQL makes numerics of. */
#define ENCODE_BY(source, conversion) \
	static StewardPlain \
	encode_##source(Datum value) \
	{ \
		Datum		numeric = DirectFunctionCall1(conversion, value); \
		StewardPlain plain = encode_numeric(numeric); \
		steward_wipe_varlena((struct varlena *) DatumGetPointer(numeric)); \
		return plain; \
	}

ENCODE_BY(int8, int8_numeric)
ENCODE_BY(int4, int4_numeric)
ENCODE_BY(int2, int2_numeric)
ENCODE_BY(float8, float8_numeric)
ENCODE_BY(float4, float4_numeric)

static StewardNumericHeader
parse_plain(const StewardPlain *plain)
{
	StewardNumericHeader header;

	if (!steward_numeric_parse(&header, plain->bytes, plain->len) ||
		header.digits > PG_UINT16_MAX)
		steward_raise_malformed_plain();
	return header;
}

static Datum
decode_numeric(StewardPlain *plain)
{
	StewardNumericHeader header = parse_plain(plain);
	StewardPlain wire = steward_plain_make(WIRE_HEADER_BYTES + 2 * header.digits);
	StringInfoData message = {.data = (char *) wire.bytes,
	.len = (int) wire.len, .maxlen = (int) wire.len};
	Datum		value;

	steward_store_be16(wire.bytes + WIRE_COUNT, (uint16) header.digits);
	steward_store_be16(wire.bytes + WIRE_WEIGHT, (uint16) header.weight);
	steward_store_be16(wire.bytes + WIRE_SIGN, wire_signs[header.sign]);
	steward_store_be16(wire.bytes + WIRE_SCALE, header.scale);
	memcpy(wire.bytes + WIRE_HEADER_BYTES,
		   plain->bytes + STEWARD_NUMERIC_HEADER_BYTES, 2 * header.digits);
	value = DirectFunctionCall3(numeric_recv, PointerGetDatum(&message),
								ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	steward_plain_free(&wire);
	return value;
}

static bool
open_numeric(const StewardDatum *datum, Datum *value)
{
	return steward_open_decoded(datum, decode_numeric, value);
}

static void
canonicalise_numeric(StewardPlain *plain)
{
	(void) parse_plain(plain);
	steward_numeric_canonicalise(plain->bytes, plain->len);
}

static int
compare_numerics(StewardPlain *a, StewardPlain *b)
{
	(void) parse_plain(a);
	(void) parse_plain(b);
	return steward_numeric_compare(a->bytes, a->len, b->bytes, b->len);
}

const StewardTypeInfo steward_numeric_info = {
	.code = STEWARD_TYPE_NUMERIC,
	.name = "encrypted_numeric",
	.encrypt_function = "encrypt_numeric",
	.unique_class = "encrypted_numeric_unique_ops",
	.encode = encode_numeric,
	.is_varlena = true,
	.input = numeric_in,
	.output = numeric_out,
	.open = open_numeric,
	.canonicalise = canonicalise_numeric,
	.compare = compare_numerics,
};

STEWARD_TYPE_FUNCTIONS(numeric)
STEWARD_AS_TEXT_FUNCTION(numeric)
STEWARD_CAST_FUNCTION(numeric, numeric, encode_numeric)
STEWARD_CAST_FUNCTION(numeric, int8, encode_int8)
STEWARD_CAST_FUNCTION(numeric, int4, encode_int4)
STEWARD_CAST_FUNCTION(numeric, int2, encode_int2)
STEWARD_CAST_FUNCTION(numeric, float8, encode_float8)
STEWARD_CAST_FUNCTION(numeric, float4, encode_float4)
STEWARD_PLAIN_FUNCTIONS(numeric, numeric, encode_numeric)
STEWARD_PLAIN_ORDER_FUNCTIONS(numeric, numeric, encode_numeric)

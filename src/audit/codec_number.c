/*
 * codec_number.c: how numbers are stored.
 *
 * Integers are varints, so that small ones are short. The digits of a numeric,
 * to the base of 10000, are varints too: of one byte below 128, else of two.
 */
#include "base/compat.h"

#include "audit/codec_put.h"
#include "audit/codec_read.h"
#include "audit/codec_scalar.h"
#include "crypto/bytes.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

void
steward_put_bool(const StewardCodec *codec, StringInfo out, Datum value)
{
	steward_append_byte(out, DatumGetBool(value) ? 1 : 0);
}

Datum
steward_get_bool(StewardSlice slice)
{
	if (slice.data[0] > 1)
		steward_payload_corrupted("a value is out of range");
	return BoolGetDatum(slice.data[0] == 1);
}

void
steward_put_char(const StewardCodec *codec, StringInfo out, Datum value)
{
	steward_append_byte(out, (unsigned char) DatumGetChar(value));
}

Datum
steward_get_char(StewardSlice slice)
{
	return CharGetDatum((char) slice.data[0]);
}

void
steward_put_vint2(const StewardCodec *codec, StringInfo out, Datum value)
{
	steward_append_signed(out, DatumGetInt16(value));
}

Datum
steward_get_vint2(StewardSlice slice)
{
	return Int16GetDatum((int16) steward_slice_signed(slice, PG_INT16_MIN,
													  PG_INT16_MAX));
}

void
steward_put_vint4(const StewardCodec *codec, StringInfo out, Datum value)
{
	steward_append_signed(out, DatumGetInt32(value));
}

Datum
steward_get_vint4(StewardSlice slice)
{
	return Int32GetDatum((int32) steward_slice_signed(slice, PG_INT32_MIN,
													  PG_INT32_MAX));
}

void
steward_put_vint8(const StewardCodec *codec, StringInfo out, Datum value)
{
	steward_append_signed(out, DatumGetInt64(value));
}

Datum
steward_get_vint8(StewardSlice slice)
{
	return Int64GetDatum(steward_slice_signed(slice, PG_INT64_MIN, PG_INT64_MAX));
}

void
steward_put_oid(const StewardCodec *codec, StringInfo out, Datum value)
{
	steward_store_be32(steward_reserve(out, 4), DatumGetUInt32(value));
	out->len += 4;
}

Datum
steward_get_oid(StewardSlice slice)
{
	return UInt32GetDatum(steward_load_be32(slice.data));
}

/* All types of 64 bits: a float8 Datum is its bits too, by value or not. */
void
steward_put_be64(const StewardCodec *codec, StringInfo out, Datum value)
{
	steward_store_be64(steward_reserve(out, 8), (uint64) DatumGetInt64(value));
	out->len += 8;
}

Datum
steward_get_be64(StewardSlice slice)
{
	return Int64GetDatum((int64) steward_load_be64(slice.data));
}

void
steward_put_float4(const StewardCodec *codec, StringInfo out, Datum value)
{
	float4		number = DatumGetFloat4(value);
	uint32		bits;

	memcpy(&bits, &number, sizeof(bits));
	steward_store_be32(steward_reserve(out, 4), bits);
	out->len += 4;
}

Datum
steward_get_float4(StewardSlice slice)
{
	uint32		bits = steward_load_be32(slice.data);
	float4		number;

	memcpy(&number, &bits, sizeof(number));
	return Float4GetDatum(number);
}

Datum
steward_get_float8(StewardSlice slice)
{
	uint64		bits = steward_load_be64(slice.data);
	float8		number;

	memcpy(&number, &bits, sizeof(number));
	return Float8GetDatum(number);
}

/* Signs as numeric_send has them, and ours: the last two bits of the head. */
static const uint16 signs[] = {0x0000, 0x4000, 0xC000, 0xD000, 0xF000};

enum
{
	NUMERIC_POSITIVE,
	NUMERIC_NEGATIVE,
	NUMERIC_SPECIAL				/* in place of the scale: which one */
};

static int
sign_number(uint16 sign)
{
	for (int i = 0; i < lengthof(signs); i++)
		if (signs[i] == sign)
			return i;
	elog(ERROR, "numeric_send gave an unknown sign %x", sign);
	return 0;
}

/* From numeric_send: count, weight, sign, scale, digits, 16 bits each. */
void
steward_put_vnumeric(const StewardCodec *codec, StringInfo out, Datum value)
{
	bytea	   *sent = DatumGetByteaPP(DirectFunctionCall1(numeric_send, value));
	const unsigned char *in = (const unsigned char *) VARDATA_ANY(sent);
	int			digits = steward_load_be16(in);
	int			sign = sign_number(steward_load_be16(in + 4));
	int			start = steward_begin_counted(out);

	if (sign >= NUMERIC_SPECIAL)
		steward_append_varint(out, (sign - NUMERIC_SPECIAL) << 2 | NUMERIC_SPECIAL);
	else
	{
		steward_append_varint(out, steward_load_be16(in + 6) << 2 | sign);
		steward_append_signed(out, (int16) steward_load_be16(in + 2));
	}
	for (int i = 0; i < digits; i++)
		steward_append_varint(out, steward_load_be16(in + 8 + 2 * i));
	steward_end_counted(out, start);
	pfree(sent);
}

static void
send_be16(StringInfo out, uint16 value)
{
	steward_store_be16(steward_reserve(out, 2), value);
	out->len += 2;
}

/* Digits as numeric_send has them: neither the first nor the last is 0. */
static int
expand_digits(StewardReader *reader, StringInfo in)
{
	int			digits = 0;
	uint32		digit = 1;

	for (; reader->left > 0; digits++)
	{
		digit = steward_take_count(reader);
		if (digit > 9999 || digits == PG_UINT16_MAX || (digits == 0 && digit == 0))
			steward_payload_corrupted("a numeric is malformed");
		send_be16(in, digit);
	}
	if (digit == 0)
		steward_payload_corrupted("a numeric is malformed");
	return digits;
}

/* What numeric_recv wants; it checks the rest. */
static void
expand_numeric(StewardReader *reader, StringInfo in)
{
	uint32		head = steward_take_count(reader);
	int			sign = head & 3;
	int16		weight = 0;
	int			digits;

	if ((head >> 2) > PG_UINT16_MAX || sign > NUMERIC_SPECIAL ||
		(sign == NUMERIC_SPECIAL &&
		 ((head >> 2) + NUMERIC_SPECIAL >= lengthof(signs) || reader->left > 0)))
		steward_payload_corrupted("a numeric is malformed");
	if (sign == NUMERIC_SPECIAL)
		sign += head >> 2;
	else
		weight = (int16) steward_take_signed(reader, PG_INT16_MIN, PG_INT16_MAX);
	send_be16(in, 0);
	send_be16(in, (uint16) weight);
	send_be16(in, signs[sign]);
	send_be16(in, sign >= NUMERIC_SPECIAL ? 0 : head >> 2);
	digits = expand_digits(reader, in);
	if (digits == 0 && (weight != 0 || sign == NUMERIC_NEGATIVE))
		steward_payload_corrupted("a numeric is malformed");
	steward_store_be16((unsigned char *) in->data, digits);
}

Datum
steward_get_vnumeric(StewardSlice slice)
{
	StewardReader reader = steward_read_slice(slice);
	StringInfoData in;

	initStringInfo(&in);
	expand_numeric(&reader, &in);
	return DirectFunctionCall3(numeric_recv, PointerGetDatum(&in),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

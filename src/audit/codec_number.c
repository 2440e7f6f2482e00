/*
 * codec_number.c: how numbers are stored but numeric, which codec_numeric.c has.
 *
 * Integers are varints, so that small ones are short.
 */
#include "base/compat.h"

#include "audit/codec_put.h"
#include "audit/codec_read.h"
#include "audit/codec_scalar.h"
#include "crypto/bytes.h"

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

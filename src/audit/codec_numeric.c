/*
 * codec_numeric.c: how numeric is stored.
 *
 * Scale, sign and weight, then the digits to the base of 10000 as varints: of one
 * byte below 128, else of two.
 */
#include "base/compat.h"

#include "audit/codec_put.h"
#include "audit/codec_read.h"
#include "audit/codec_scalar.h"
#include "crypto/bytes.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* Signs as numeric_recv wants them, and ours: the last two bits of the head. */
static const uint16 signs[] = {0x0000, 0x4000, 0xC000, 0xD000, 0xF000};

enum
{
	NUMERIC_POSITIVE,
	NUMERIC_NEGATIVE,
	NUMERIC_SPECIAL				/* in place of the scale: which one */
};

/* A stored numeric, taken apart. */
typedef struct Parts
{
	int			sign;
	int			scale;			/* of a special value: which one */
	int			weight;
	int			count;			/* of digits */
	const char *digits;			/* in the machine's order, perhaps not aligned */
} Parts;

static uint16
load_native(const char *at)
{
	uint16		number;

	memcpy(&number, at, sizeof number);
	return number;
}

/* The head's first two bits: its form. */
#define HEAD_FORM		0xC000
#define HEAD_NEGATIVE	0x4000	/* no form of its own: long, and negative */
#define HEAD_SHORT		0x8000
#define HEAD_SPECIAL	0xC000

/* Of a short head: 1 bit of sign, 6 of scale, 7 of weight (two's complement). */
#define SHORT_NEGATIVE(head)	(((head) & 0x2000) != 0)
#define SHORT_SCALE(head)		(((head) & 0x1F80) >> 7)
#define SHORT_WEIGHT(head)		((int) ((head) & 0x3F) - (int) ((head) & 0x40))

/* Of a long one 14 bits of scale, and the weight follows. */
#define LONG_SCALE(head)		((head) & 0x3FFF)

/*
 * Takes a numeric apart as PostgreSQL stores it, which pg_upgrade relies on
 * (NumericData in utils/adt/numeric.c). numeric_send would give the same for five
 * times the work, in the middle of every change of every table with amounts.
 */
static void
take_apart(const struct varlena *number, Parts *parts)
{
	const char *at = VARDATA_ANY(number);
	uint16		head = load_native(at);
	int			header = sizeof head;

	if ((head & HEAD_FORM) == HEAD_SPECIAL)
	{
		parts->sign = NUMERIC_SPECIAL;
		parts->scale = (head >> 12) - 0xC;
		parts->scale -= parts->scale > 1 ? 1 : 0;	/* 0xE is not used */
		parts->count = 0;
		return;
	}
	if ((head & HEAD_FORM) == HEAD_SHORT)
	{
		parts->sign = SHORT_NEGATIVE(head) ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE;
		parts->scale = SHORT_SCALE(head);
		parts->weight = SHORT_WEIGHT(head);
	}
	else
	{
		parts->sign = (head & HEAD_FORM) == HEAD_NEGATIVE ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE;
		parts->scale = LONG_SCALE(head);
		parts->weight = (int16) load_native(at + header);
		header += sizeof(int16);
	}
	parts->digits = at + header;
	parts->count = (VARSIZE_ANY_EXHDR(number) - header) / sizeof(int16);
}

void
steward_put_vnumeric(const StewardCodec *codec, StringInfo out, Datum value)
{
	struct varlena *number = PG_DETOAST_DATUM_PACKED(value);
	Parts		parts;
	int			start = steward_begin_counted(out);

	take_apart(number, &parts);
	steward_append_varint(out, (uint64) parts.scale << 2 | parts.sign);
	if (parts.sign != NUMERIC_SPECIAL)
		steward_append_signed(out, parts.weight);
	for (int i = 0; i < parts.count; i++)
		steward_append_varint(out, load_native(parts.digits + sizeof(int16) * i));
	steward_end_counted(out, start);
	if ((Pointer) number != DatumGetPointer(value))
		pfree(number);
}

static void
send_be16(StringInfo out, uint16 value)
{
	steward_store_be16(steward_reserve(out, 2), value);
	out->len += 2;
}

/* Digits as numeric_recv wants them: neither the first nor the last is 0. */
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

/*
 * plain_numeric.c: the plaintext bytes of a numeric; see plain_numeric.h.
 */
#include "crypto/plain_numeric.h"

#include "crypto/bytes.h"

#define BASE 10000

uint16_t
steward_numeric_digit(const unsigned char *bytes, size_t i)
{
	return steward_load_be16(bytes + STEWARD_NUMERIC_HEADER_BYTES + 2 * i);
}

void
steward_numeric_write_header(unsigned char *out,
							 const StewardNumericHeader *header)
{
	out[0] = (unsigned char) header->sign;
	steward_store_be16(out + 1, header->scale);
	steward_store_be16(out + 3, (uint16_t) header->weight);
}

static void
read_header(StewardNumericHeader *header, const unsigned char *bytes, size_t len)
{
	header->sign = (StewardNumericSign) bytes[0];
	header->scale = steward_load_be16(bytes + 1);
	header->weight = (int16_t) steward_load_be16(bytes + 3);
	header->digits = (len - STEWARD_NUMERIC_HEADER_BYTES) / 2;
}

static bool
is_number(StewardNumericSign sign)
{
	return sign == STEWARD_NUMERIC_POSITIVE || sign == STEWARD_NUMERIC_NEGATIVE;
}

/* The fewest digits after the point that show all of the number. */
static int
least_scale(const StewardNumericHeader *header, const unsigned char *bytes)
{
	int			scale;

	if (header->digits == 0)
		return 0;
	scale = ((int) header->digits - 1 - header->weight) * 4;
	for (unsigned last = steward_numeric_digit(bytes, header->digits - 1);
		 last % 10 == 0; last /= 10)
		scale--;
	return scale > 0 ? scale : 0;
}

bool
steward_numeric_parse(StewardNumericHeader *header, const unsigned char *bytes,
					  size_t len)
{
	if (len < STEWARD_NUMERIC_HEADER_BYTES || len % 2 == 0 ||
		bytes[0] > STEWARD_NUMERIC_MINUS_INFINITY)
		return false;
	read_header(header, bytes, len);
	if (!is_number(header->sign))
		return header->digits == 0 && header->scale == 0 && header->weight == 0;
	if (header->scale > STEWARD_NUMERIC_SCALE_MAX)
		return false;
	if (header->digits == 0)
		return header->sign == STEWARD_NUMERIC_POSITIVE && header->weight == 0;
	for (size_t i = 0; i < header->digits; i++)
	{
		if (steward_numeric_digit(bytes, i) >= BASE)
			return false;
	}
	return steward_numeric_digit(bytes, 0) != 0 &&
		steward_numeric_digit(bytes, header->digits - 1) != 0 &&
		least_scale(header, bytes) <= header->scale;
}

void
steward_numeric_canonicalise(unsigned char *bytes, size_t len)
{
	StewardNumericHeader header;

	read_header(&header, bytes, len);
	if (is_number(header.sign))
		steward_store_be16(bytes + 1, (uint16_t) least_scale(&header, bytes));
}

/* Summed up below zero, where the range is greater by one. */
bool
steward_numeric_to_int64(int64_t *number, const unsigned char *bytes, size_t len)
{
	StewardNumericHeader header;
	int64_t		negated = 0;

	read_header(&header, bytes, len);
	if (!is_number(header.sign) || header.scale != 0)
		return false;
	for (int i = 0; header.digits > 0 && i <= header.weight; i++)
	{
		int64_t		digit = (size_t) i < header.digits ?
			steward_numeric_digit(bytes, (size_t) i) : 0;

		if (__builtin_mul_overflow(negated, BASE, &negated) ||
			__builtin_sub_overflow(negated, digit, &negated))
			return false;
	}
	if (header.sign == STEWARD_NUMERIC_POSITIVE && negated == INT64_MIN)
		return false;
	*number = header.sign == STEWARD_NUMERIC_POSITIVE ? -negated : negated;
	return true;
}

/* Where a sign stands among the others; numbers are looked at closer. */
static int
rank(const StewardNumericHeader *header)
{
	switch (header->sign)
	{
		case STEWARD_NUMERIC_MINUS_INFINITY:
			return 0;
		case STEWARD_NUMERIC_NEGATIVE:
			return 1;
		case STEWARD_NUMERIC_POSITIVE:
			return header->digits == 0 ? 2 : 3;
		case STEWARD_NUMERIC_INFINITY:
			return 4;
		case STEWARD_NUMERIC_NAN:
			break;
	}
	return 5;
}

/* Of two numbers other than zero, without their signs. */
static int
compare_magnitudes(const StewardNumericHeader *a, const unsigned char *a_bytes,
				   const StewardNumericHeader *b, const unsigned char *b_bytes)
{
	size_t		shorter = a->digits < b->digits ? a->digits : b->digits;

	if (a->weight != b->weight)
		return a->weight < b->weight ? -1 : 1;
	for (size_t i = 0; i < shorter; i++)
	{
		uint16_t	x = steward_numeric_digit(a_bytes, i);
		uint16_t	y = steward_numeric_digit(b_bytes, i);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a->digits > b->digits) - (a->digits < b->digits);
}

int
steward_numeric_compare(const unsigned char *a, size_t a_len,
						const unsigned char *b, size_t b_len)
{
	StewardNumericHeader x;
	StewardNumericHeader y;

	read_header(&x, a, a_len);
	read_header(&y, b, b_len);
	if (rank(&x) != rank(&y))
		return rank(&x) < rank(&y) ? -1 : 1;
	if (!is_number(x.sign) || x.digits == 0)
		return 0;
	if (x.sign == STEWARD_NUMERIC_NEGATIVE)
		return compare_magnitudes(&y, b, &x, a);
	return compare_magnitudes(&x, a, &y, b);
}

/*
 * plain_numeric.h: the plaintext bytes of a numeric, see docs/formats.md.
 *
 *	0	sign: see StewardNumericSign
 *	1	scale, digits shown after the point, 16 bits big-endian
 *	3	weight of the first digit as a power of 10000, 16 bits, two's complement
 *	5	digits to base 10000, 16 bits each; neither the first nor the last is 0
 *
 * Zero has no digits and weight 0; what is no number has scale 0 besides.
 */
#ifndef STEWARD_CRYPTO_PLAIN_NUMERIC_H
#define STEWARD_CRYPTO_PLAIN_NUMERIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEWARD_NUMERIC_HEADER_BYTES 5
#define STEWARD_NUMERIC_SCALE_MAX 16383

typedef enum StewardNumericSign
{
	STEWARD_NUMERIC_POSITIVE = 0,	/* and zero */
	STEWARD_NUMERIC_NEGATIVE = 1,
	STEWARD_NUMERIC_NAN = 2,
	STEWARD_NUMERIC_INFINITY = 3,
	STEWARD_NUMERIC_MINUS_INFINITY = 4
} StewardNumericSign;

typedef struct StewardNumericHeader
{
	StewardNumericSign sign;
	uint16_t	scale;
	int16_t		weight;
	size_t		digits;
} StewardNumericHeader;

/*
 * Reads the header of well-formed bytes. False when they are not exactly what
 * the format says, so that no two spellings of a number with a scale pass.
 */
extern bool steward_numeric_parse(StewardNumericHeader *header,
								  const unsigned char *bytes, size_t len);

/* Writes a header; the digits follow it. */
extern void steward_numeric_write_header(unsigned char *out,
										 const StewardNumericHeader *header);

/* Digit number i of well-formed bytes. */
extern uint16_t steward_numeric_digit(const unsigned char *bytes, size_t i);

/*
 * Makes well-formed bytes canonical, in place and in the same length: the scale
 * becomes that of the number without trailing zeros.
 */
extern void steward_numeric_canonicalise(unsigned char *bytes, size_t len);

/* The number of canonical bytes as an integer; false when it is none that fits. */
extern bool steward_numeric_to_int64(int64_t *number,
									 const unsigned char *bytes, size_t len);

/* Order of two well-formed values: as numbers, infinity before NaN. */
extern int	steward_numeric_compare(const unsigned char *a, size_t a_len,
									const unsigned char *b, size_t b_len);

#endif							/* STEWARD_CRYPTO_PLAIN_NUMERIC_H */

/*
 * range_place.c: where values lie, and how long the intervals there are; see range.h.
 *
 * Numbers lie by how many digits they have before they lie by their digits, as if
 * written 4.711e3: else all that is beyond the greatest number that anybody has would
 * have to be filled where a range is open. From -infinity to NaN there are blocks,
 *
 *	 -infinity | negative | zero | positive | infinity | NaN
 *
 * in which a class is what has the same number of digits; within a class the first
 * digit counts most. Negative numbers lie the other way round. Of a numeric 30 digits
 * count: a cell is a number of 30 digits, or all that lie between it and the next. So
 * no numeric is refused, and no scale need be declared.
 *
 * Dates lie by year, month and day of the Gregorian calendar, in UTC, with gaps where a
 * month has fewer than 32 days; times by their date, then in microseconds. Finite
 * ones from the year 10000 on are one cell.
 */
#include "blind/range.h"

#include "crypto/bytes.h"
#include "crypto/plain_numeric.h"

/* ---- numbers ---- */

/* How numbers of a type lie. */
typedef struct NumberLine
{
	int			digits;			/* that count */
	int			classes;		/* of one sign; a multiple of group */
	int			group;			/* classes that the longest level takes
								 * together */
	int			cells;			/* for each number of so many digits */
} NumberLine;

static const NumberLine bigint_line = {19, 20, 5, 1};
static const NumberLine numeric_line = {30, 64, 8, 2};

/* Of a numeric the first class has all below 1e-20, the last all from 1e42 on. */
#define NUMERIC_LEAST (-20)
#define NUMERIC_CLASS_OF(exponent) ((exponent) - NUMERIC_LEAST + 1)

static StewardBlindCode
power_of_ten(int exponent)
{
	StewardBlindCode power = 1;

	while (exponent-- > 0)
		power *= 10;
	return power;
}

/* The first digit is never 0. */
static StewardBlindCode
class_length(const NumberLine *line)
{
	return 9 * power_of_ten(line->digits - 1) * (unsigned) line->cells;
}

/* Where a block begins: 0 for -infinity, 1 for negative numbers … 6 for the end. */
static StewardBlindCode
block_at(const NumberLine *line, int block)
{
	const int	classes[] = {line->group, line->classes, line->group,
	line->classes, line->group, line->group};
	int			before = 0;

	for (int i = 0; i < block; i++)
		before += classes[i];
	return class_length(line) * (unsigned) before;
}

/* A block that is one cell. */
static void
place_block(StewardBlindPlace *place, const NumberLine *line, int block)
{
	place->at = block_at(line, block);
	place->after = block_at(line, block + 1);
	place->shared = false;
}

/* A cell among the numbers of a sign, counted from zero on. */
static void
place_number(StewardBlindPlace *place, const NumberLine *line, bool negative,
			 StewardBlindCode distance, StewardBlindCode length)
{
	place->at = negative ? block_at(line, 2) - distance - length :
		block_at(line, 3) + distance;
	place->after = place->at + length;
	place->shared = false;
}

static void
place_bigint(StewardBlindPlace *place, int64_t number)
{
	const NumberLine *line = &bigint_line;
	uint64_t	magnitude = number < 0 ? -(uint64_t) number : (uint64_t) number;
	StewardBlindCode least = 1;
	unsigned	class = 0;

	if (number == 0)
	{
		place_block(place, line, 2);
		return;
	}
	for (; magnitude / 10 >= least; least *= 10)
		class++;
	place_number(place, line, number < 0,
				 class_length(line) * class +
				 (magnitude - least) * power_of_ten(line->digits - 1 - (int) class),
				 power_of_ten(line->digits - 1 - (int) class));
}

/* The decimal digits of a number, one after the other. */
typedef struct DigitReader
{
	StewardBlindCode digits;	/* those that count, as a number */
	int			count;
	bool		more;			/* there are others */
} DigitReader;

/* Takes a digit to base 10000; the first one without its leading zeros. */
static void
read_group(DigitReader *reader, unsigned group)
{
	for (unsigned power = 1000; power > 0; power /= 10)
	{
		unsigned	digit = group / power % 10;

		if (reader->count == 0 && digit == 0)
			continue;
		if (reader->count == numeric_line.digits)
			reader->more |= digit != 0;
		else
		{
			reader->digits = reader->digits * 10 + digit;
			reader->count++;
		}
	}
}

/* How many digits the first one to base 10000 has. */
static int
first_digits(unsigned group)
{
	return group >= 1000 ? 4 : group >= 100 ? 3 : group >= 10 ? 2 : 1;
}

static void
place_digits(StewardBlindPlace *place, const StewardNumericHeader *header,
			 const unsigned char *bytes)
{
	const NumberLine *line = &numeric_line;
	bool		negative = header->sign == STEWARD_NUMERIC_NEGATIVE;
	StewardBlindCode length = class_length(line);
	int			class = NUMERIC_CLASS_OF(4 * header->weight - 1 +
										 first_digits(steward_numeric_digit(bytes, 0)));
	DigitReader reader = {0};

	if (class <= 0 || class >= line->classes - 1)
	{
		class = class <= 0 ? 0 : line->classes - 1;
		place_number(place, line, negative, length * (unsigned) class, length);
		place->shared = true;
		return;
	}
	for (size_t i = 0; i < header->digits; i++)
		read_group(&reader, steward_numeric_digit(bytes, i));
	reader.digits *= power_of_ten(line->digits - reader.count);
	reader.digits -= power_of_ten(line->digits - 1);
	place_number(place, line, negative,
				 length * (unsigned) class + 2 * reader.digits + reader.more, 1);
	place->shared = reader.more;
}

static bool
place_numeric(StewardBlindPlace *place, const unsigned char *bytes, size_t len)
{
	StewardNumericHeader header;

	if (!steward_numeric_parse(&header, bytes, len))
		return false;
	switch (header.sign)
	{
		case STEWARD_NUMERIC_POSITIVE:
		case STEWARD_NUMERIC_NEGATIVE:
			if (header.digits == 0)
				place_block(place, &numeric_line, 2);
			else
				place_digits(place, &header, bytes);
			break;
		case STEWARD_NUMERIC_MINUS_INFINITY:
			place_block(place, &numeric_line, 0);
			break;
		case STEWARD_NUMERIC_INFINITY:
			place_block(place, &numeric_line, 4);
			break;
		case STEWARD_NUMERIC_NAN:
			place_block(place, &numeric_line, 5);
			break;
	}
	return true;
}

/*
 * From the last digit up: the cell, where it is shorter, each digit, the class, the
 * group. Classes and first digits are what makes any range short; a digit more makes
 * the rounding of a long one ten times finer.
 */
static void
chain_of_numbers(StewardBlindChain *chain, const NumberLine *line)
{
	unsigned	cells = (unsigned) line->cells;
	int			class;
	int			order = 0;

	chain->count = 0;
	if (cells > 1)
		chain->lengths[chain->count++] = 1;
	for (int i = 0; i < line->digits; i++)
		chain->lengths[chain->count++] = power_of_ten(i) * cells;
	class = chain->count;
	chain->lengths[chain->count++] = class_length(line);
	chain->lengths[chain->count++] = class_length(line) * (unsigned) line->group;
	chain->end = block_at(line, 6);

	chain->order[order++] = 0;
	for (int i = class; i > 0; i--)
	{
		chain->order[order++] = (unsigned char) i;
		if (class - i == 3)
			chain->order[order++] = (unsigned char) (class + 1);
	}
}

/* ---- dates and times ---- */

#define DAY_USECS INT64_C(86400000000)

/* In codes of dates. */
#define MONTH 32
#define YEAR (12 * MONTH)
#define MILLENNIUM (1000 * YEAR)

/* Blocks of a millennium: -infinity, the years -5000 to 9999, later ones, infinity. */
#define FIRST_YEAR (-5000)
#define FAR_YEAR 10000
#define FAR_AT ((StewardBlindCode) 16 * MILLENNIUM)
#define INFINITY_AT ((StewardBlindCode) 17 * MILLENNIUM)
#define DATES_END ((StewardBlindCode) 18 * MILLENNIUM)

#define CYCLE_DAYS 146097		/* of 400 years */
#define CENTURY_DAYS 36524		/* without the day that ends a cycle */
#define FOUR_YEARS_DAYS 1461
#define YEAR_DAYS 365

/*
 * The code of a day, counted from 2000-01-01, whose year is less than FAR_YEAR. Years
 * begin in March, so that a leap day is the last one of its year, of its four years
 * and of its cycle. False before FIRST_YEAR.
 */
static bool
code_of_day(StewardBlindCode *code, int64_t day)
{
	static const int month_days[] = {31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29};
	int64_t		left = day - 60;
	int64_t		cycle = left / CYCLE_DAYS - (left % CYCLE_DAYS < 0);
	int64_t		centuries;
	int64_t		years;
	int64_t		year;
	int			month = 0;

	left -= cycle * CYCLE_DAYS;
	centuries = left / CENTURY_DAYS < 3 ? left / CENTURY_DAYS : 3;
	left -= centuries * CENTURY_DAYS;
	year = 2000 + 400 * cycle + 100 * centuries + 4 * (left / FOUR_YEARS_DAYS);
	left %= FOUR_YEARS_DAYS;
	years = left / YEAR_DAYS < 3 ? left / YEAR_DAYS : 3;
	left -= years * YEAR_DAYS;
	while (left >= month_days[month])
		left -= month_days[month++];
	month += 2;
	year += years + month / 12;
	if (year < FIRST_YEAR)
		return false;
	*code = MILLENNIUM + (StewardBlindCode) (year - FIRST_YEAR) * YEAR +
		(StewardBlindCode) (month % 12 * MONTH + left);
	return true;
}

/* A day and a time of it, in units of which the day has so many. */
static bool
place_time(StewardBlindPlace *place, int64_t day, int64_t time, int64_t units)
{
	StewardBlindCode today;
	StewardBlindCode tomorrow;

	if (!code_of_day(&today, day) || !code_of_day(&tomorrow, day + 1))
		return false;
	place->shared = today >= FAR_AT;
	if (place->shared)
	{
		place->at = FAR_AT * (StewardBlindCode) units;
		place->after = INFINITY_AT * (StewardBlindCode) units;
		return true;
	}
	place->at = today * (StewardBlindCode) units + (StewardBlindCode) time;
	place->after = time + 1 < units ? place->at + 1 :
		tomorrow * (StewardBlindCode) units;
	return true;
}

static void
place_infinity(StewardBlindPlace *place, bool negative, int64_t units)
{
	place->at = negative ? 0 : INFINITY_AT * (StewardBlindCode) units;
	place->after = place->at + (StewardBlindCode) MILLENNIUM * (StewardBlindCode) units;
	place->shared = false;
}

static bool
place_date(StewardBlindPlace *place, int32_t date)
{
	if (date != INT32_MIN && date != INT32_MAX)
		return place_time(place, date, 0, 1);
	place_infinity(place, date < 0, 1);
	return true;
}

static bool
place_timestamptz(StewardBlindPlace *place, int64_t time)
{
	int64_t		day = time / DAY_USECS - (time % DAY_USECS < 0);

	if (time != INT64_MIN && time != INT64_MAX)
		return place_time(place, day, time - day * DAY_USECS, DAY_USECS);
	place_infinity(place, time < 0, DAY_USECS);
	return true;
}

static void
chain_of(StewardBlindChain *chain, const int64_t *lengths,
		 const unsigned char *order, int count, int64_t units)
{
	chain->count = count;
	for (int i = 0; i < count; i++)
	{
		chain->lengths[i] = (StewardBlindCode) lengths[i];
		chain->order[i] = order[i];
	}
	chain->end = DATES_END * (StewardBlindCode) units;
}

static void
chain_of_dates(StewardBlindChain *chain)
{
	static const int64_t lengths[] = {
		1, 8, MONTH, 3 * MONTH, YEAR, 10 * YEAR, 100 * YEAR, MILLENNIUM
	};
	static const unsigned char order[] = {0, 2, 4, 6, 5, 7, 1, 3};

	chain_of(chain, lengths, order, sizeof order, 1);
}

static void
chain_of_times(StewardBlindChain *chain)
{
	static const int64_t lengths[] = {
		1, 1000, 1000000, 60000000, 600000000, DAY_USECS / 24, DAY_USECS / 4,
		DAY_USECS, 8 * DAY_USECS, MONTH * DAY_USECS, 3 * MONTH * DAY_USECS,
		YEAR * DAY_USECS, 10 * YEAR * DAY_USECS, 100 * YEAR * DAY_USECS,
		MILLENNIUM * DAY_USECS
	};
	static const unsigned char order[] = {0, 7, 11, 13, 5, 9, 12, 14, 3, 2, 8, 6, 10, 4, 1};

	chain_of(chain, lengths, order, sizeof order, DAY_USECS);
}

/* ---- all types ---- */

void
steward_blind_chain(StewardBlindChain *chain, StewardBlindLine line)
{
	switch (line)
	{
		case STEWARD_BLIND_BIGINT:
			chain_of_numbers(chain, &bigint_line);
			break;
		case STEWARD_BLIND_NUMERIC:
			chain_of_numbers(chain, &numeric_line);
			break;
		case STEWARD_BLIND_DATE:
			chain_of_dates(chain);
			break;
		case STEWARD_BLIND_TIMESTAMPTZ:
			chain_of_times(chain);
			break;
	}
}

bool
steward_blind_place(StewardBlindPlace *place, StewardBlindLine line,
					const unsigned char *bytes, size_t len)
{
	switch (line)
	{
		case STEWARD_BLIND_BIGINT:
			if (len != 8)
				return false;
			place_bigint(place, (int64_t) steward_load_be64(bytes));
			return true;
		case STEWARD_BLIND_NUMERIC:
			return place_numeric(place, bytes, len);
		case STEWARD_BLIND_DATE:
			return len == 4 && place_date(place, (int32_t) steward_load_be32(bytes));
		case STEWARD_BLIND_TIMESTAMPTZ:
			return len == 8 &&
				place_timestamptz(place, (int64_t) steward_load_be64(bytes));
	}
	return false;
}

/*
 * blind_range_test.c: places of values, intervals and covers.
 *
 * What an index finds by a cover is compared with the range itself, over values at
 * random and at every edge; dates are compared with the calendar of the C library.
 */
#include "tap.h"

#include <time.h>

#include "blind/range.h"
#include "crypto/bytes.h"
#include "crypto/plain_numeric.h"

#define MANY 100000

static StewardBlindInterval cover[MANY];
static int	faults;

static void
expect(bool passed)
{
	if (!passed)
		faults++;
}

/* One test for all that was expected since the last. */
static void
report(const char *name)
{
	tap_ok(faults == 0, "%s", name);
	if (faults != 0)
		printf("# %d faults\n", faults);
	faults = 0;
}

static uint64_t
random_bits(void)
{
	uint64_t	bits;

	randombytes_buf(&bits, sizeof bits);
	return bits;
}

/* ---- values ---- */

typedef struct Value
{
	unsigned char bytes[256];
	size_t		len;
	StewardBlindPlace place;
} Value;

static void
locate(Value *value, StewardBlindLine line)
{
	memset(&value->place, 0xA5, sizeof value->place);
	expect(steward_blind_place(&value->place, line, value->bytes, value->len));
	expect(value->place.at < value->place.after);
}

static Value
fixed_value(StewardBlindLine line, int64_t number)
{
	Value		value = {.len = line == STEWARD_BLIND_DATE ? 4 : 8};

	if (value.len == 4)
		steward_store_be32(value.bytes, (uint32_t) number);
	else
		steward_store_be64(value.bytes, (uint64_t) number);
	locate(&value, line);
	return value;
}

static Value
special_numeric(StewardNumericSign sign)
{
	StewardNumericHeader header = {.sign = sign};
	Value		value = {.len = STEWARD_NUMERIC_HEADER_BYTES};

	steward_numeric_write_header(value.bytes, &header);
	locate(&value, STEWARD_BLIND_NUMERIC);
	return value;
}

/* digits × 10^exponent, of digits without zeros at its ends. */
static Value
numeric_value(bool negative, const char *digits, int exponent)
{
	StewardNumericHeader header = {
		.sign = negative ? STEWARD_NUMERIC_NEGATIVE : STEWARD_NUMERIC_POSITIVE
	};
	Value		value = {.len = STEWARD_NUMERIC_HEADER_BYTES};
	int			before = (int) strlen(digits) + exponent;	/* the point */
	int			weight = (before + 4 * 10000 - 1) / 4 - 10000;
	int			at = before - 4 * (weight + 1);

	header.scale = exponent < 0 ? (uint16_t) -exponent : 0;
	header.weight = (int16_t) weight;
	for (; at < (int) strlen(digits); at += 4)
	{
		int			group = 0;

		for (int i = at; i < at + 4; i++)
			group = group * 10 + (i >= 0 && i < (int) strlen(digits) ? digits[i] - '0' : 0);
		steward_store_be16(value.bytes + value.len, (uint16_t) group);
		value.len += 2;
	}
	steward_numeric_write_header(value.bytes, &header);
	locate(&value, STEWARD_BLIND_NUMERIC);
	return value;
}

static Value
random_numeric(void)
{
	char		digits[64];
	int			count = 1 + (int) randombytes_uniform(randombytes_uniform(8) == 0 ? 60 : 6);
	int			exponent = (int) randombytes_uniform(12) - 8;

	if (randombytes_uniform(32) == 0)
		return special_numeric(randombytes_uniform(2) == 0 ? STEWARD_NUMERIC_POSITIVE :
							   STEWARD_NUMERIC_NAN + randombytes_uniform(3));
	for (int i = 0; i < count; i++)
		digits[i] = (char) ('1' + randombytes_uniform(randombytes_uniform(2) == 0 ? 2 : 9));
	digits[count] = '\0';
	if (randombytes_uniform(32) == 0)
		exponent = (int) randombytes_uniform(4000) - 2000;
	return numeric_value(randombytes_uniform(2) == 0, digits, exponent);
}

/* Most are where real ones are, some anywhere. */
static Value
random_value(StewardBlindLine line)
{
	int64_t		number = (int64_t) random_bits() >> randombytes_uniform(64);

	switch (line)
	{
		case STEWARD_BLIND_NUMERIC:
			return random_numeric();
		case STEWARD_BLIND_DATE:
			if (randombytes_uniform(64) == 0)
				number = randombytes_uniform(2) == 0 ? INT32_MIN : INT32_MAX;
			else
				number = (int64_t) randombytes_uniform(randombytes_uniform(8) == 0 ? 4000000 : 40000) - 20000;
			if (number < -2451545 && number != INT32_MIN)
				number = -2451545;
			break;
		case STEWARD_BLIND_TIMESTAMPTZ:
			if (number < INT64_C(-211813488000000000) && randombytes_uniform(2) == 0)
				number = INT64_MIN;
			else if (number < INT64_C(-211813488000000000))
				number = INT64_C(-211813488000000000);
			break;
		default:
			break;
	}
	return fixed_value(line, number);
}

static int
order(StewardBlindLine line, const Value *a, const Value *b)
{
	int64_t		x;
	int64_t		y;

	if (line == STEWARD_BLIND_NUMERIC)
		return steward_numeric_compare(a->bytes, a->len, b->bytes, b->len);
	if (line == STEWARD_BLIND_DATE)
	{
		x = (int32_t) steward_load_be32(a->bytes);
		y = (int32_t) steward_load_be32(b->bytes);
	}
	else
	{
		x = (int64_t) steward_load_be64(a->bytes);
		y = (int64_t) steward_load_be64(b->bytes);
	}
	return (x > y) - (x < y);
}

/* ---- intervals ---- */

static int
hits(const StewardBlindLevels *levels, const StewardBlindPlace *place, int count)
{
	StewardBlindInterval mine[STEWARD_BLIND_TAGS_MAX];
	int			found = 0;

	steward_blind_intervals(levels, place, mine);
	for (int i = 0; i < levels->count; i++)
	{
		for (int j = 0; j < count; j++)
			found += mine[i].level == cover[j].level && mine[i].number == cover[j].number;
	}
	return found;
}

/* Length of the intervals of this name; 0 for none. */
static StewardBlindCode
length_of(const StewardBlindLevels *levels, int name)
{
	for (int i = 0; i < levels->count; i++)
	{
		if (levels->names[i] == name)
			return levels->lengths[i];
	}
	return 0;
}

/* A cover follows on itself, holds the range, and is it when it says so. */
static void
expect_cover(const StewardBlindLevels *levels, StewardBlindCode begin,
			 StewardBlindCode end, int count, bool exact)
{
	StewardBlindCode at = 0;

	expect(count > 0 && length_of(levels, cover[0].level) != 0);
	if (count <= 0)
		return;
	at = length_of(levels, cover[0].level) * cover[0].number;
	expect(exact ? at == begin : at <= begin);
	for (int i = 0; i < count; i++)
	{
		StewardBlindCode length = length_of(levels, cover[i].level);

		expect(length != 0 && length * cover[i].number == at);
		at += length;
	}
	expect(exact ? at == end : at >= end);
	expect(at <= levels->end);
}

/* ---- tests ---- */

static const char *const line_names[] = {"bigint", "numeric", "date", "timestamptz"};

static void
test_levels(void)
{
	for (int line = STEWARD_BLIND_BIGINT; line <= STEWARD_BLIND_TIMESTAMPTZ; line++)
	{
		int			last = 0;

		for (int tags = -1; tags <= 100; tags++)
		{
			StewardBlindLevels levels;

			memset(&levels, 0xA5, sizeof levels);
			steward_blind_levels(&levels, line, tags);
			expect(levels.count == tags || tags < STEWARD_BLIND_TAGS_MIN ||
				   levels.count < tags);
			expect(levels.count >= STEWARD_BLIND_TAGS_MIN && levels.count >= last &&
				   levels.count <= STEWARD_BLIND_TAGS_MAX);
			expect(levels.lengths[0] == 1 && levels.names[0] == 0);
			for (int i = 1; i < levels.count; i++)
				expect(levels.names[i] > levels.names[i - 1] &&
					   levels.lengths[i] > levels.lengths[i - 1] &&
					   levels.lengths[i] % levels.lengths[i - 1] == 0);
			expect(levels.end % levels.lengths[levels.count - 1] == 0);
			last = levels.count;
		}
		expect(last > STEWARD_BLIND_TAGS_MIN);
	}
	report("levels are as many as asked for, each made of whole ones of the level below");
}

static void
test_order(StewardBlindLine line)
{
	for (int i = 0; i < 30000; i++)
	{
		Value		a = random_value(line);
		Value		b = random_value(line);
		int			sign = order(line, &a, &b);

		if (sign == 0)
			expect(a.place.at == b.place.at && a.place.after == b.place.after);
		else if (a.place.at == b.place.at)
			expect(a.place.shared || b.place.shared);
		else
			expect(sign < 0 ? a.place.after <= b.place.at : b.place.after <= a.place.at);
	}
	report(line_names[line]);
}

static void
test_range(StewardBlindLine line, int tags, int max)
{
	StewardBlindLevels levels;
	int			covered = 0;

	steward_blind_levels(&levels, line, tags);
	for (int i = 0; i < 1500; i++)
	{
		Value		low = random_value(line);
		Value		high = random_value(line);
		bool		from = randombytes_uniform(8) != 0;
		bool		to = randombytes_uniform(8) != 0;
		int			low_order = (int) randombytes_uniform(2);	/* 0: >=, 1: > */
		int			high_order = -(int) randombytes_uniform(2);
		StewardBlindCode begin = !from ? 0 :
			steward_blind_range_begin(&low.place, low_order == 0);
		StewardBlindCode end = !to ? levels.end :
			steward_blind_range_end(&high.place, high_order == 0);
		bool		exact = !(i & 1);
		int			count = steward_blind_range_cover(&levels, begin, end, cover, max, &exact);

		if (count < 0)
			continue;
		covered++;
		expect(count <= max && (count == 0) == (begin >= end));
		if (count > 0)
			expect_cover(&levels, begin, end, count, exact);
		for (int j = 0; j < 12; j++)
		{
			Value		value = j == 0 ? low : j == 1 ? high : random_value(line);
			bool		in = (!from || order(line, &value, &low) >= low_order) &&
				(!to || order(line, &value, &high) <= high_order);
			int			found = hits(&levels, &value.place, count);

			expect(in ? found == 1 : found <= 1);
			if (!in && exact && !value.place.shared && !(from && low.place.shared) &&
				!(to && high.place.shared))
				expect(found == 0);
		}
	}
	expect(covered > 200);
	tap_ok(faults == 0, "%s: with %d tags and covers of %d, a value has one interval of a cover if it is in the range, and none if not",
		   line_names[line], levels.count, max);
	faults = 0;
}

/* How many intervals fill a range of bigints, both bounds included. */
static int
bigint_cover(int tags, int64_t low, int64_t high, int max, bool *exact)
{
	StewardBlindLevels levels;
	Value		a = fixed_value(STEWARD_BLIND_BIGINT, low);
	Value		b = fixed_value(STEWARD_BLIND_BIGINT, high);

	steward_blind_levels(&levels, STEWARD_BLIND_BIGINT, tags);
	return steward_blind_range_cover(&levels, a.place.at, b.place.after, cover, max, exact);
}

static void
test_sizes(void)
{
	bool		exact;
	int			tags = STEWARD_BLIND_TAGS_DEFAULT;
	int			max = STEWARD_BLIND_COVER_DEFAULT;
	StewardBlindLevels levels;
	Value		a;
	Value		b;

	expect(bigint_cover(tags, 100, 200, max, &exact) == 2 && exact);
	expect(bigint_cover(tags, 1000, 9999, max, &exact) == 1 && exact);
	expect(bigint_cover(tags, 4000, 4999, max, &exact) == 1 && exact);
	expect(bigint_cover(tags, -4999, -4000, max, &exact) == 1 && exact);
	expect(bigint_cover(tags, 0, 0, max, &exact) == 1 && exact);
	expect(bigint_cover(tags, 7, 7, max, &exact) == 1 && exact);
	expect(bigint_cover(tags, INT64_MIN, INT64_MAX, max, &exact) > 0);
	expect(bigint_cover(tags, 501, INT64_MAX, max, &exact) < 64);
	expect(bigint_cover(tags, -12345678, 87654321, max, &exact) < 128 && exact);
	expect(bigint_cover(4, 123456789, 987654321, max, &exact) > 0 && !exact);
	report("covers of round ranges of numbers are small, those of any range bounded");

	/* 1980; February of 1981; all since 2024-05-03 */
	steward_blind_levels(&levels, STEWARD_BLIND_DATE, tags);
	a = fixed_value(STEWARD_BLIND_DATE, -7305);
	b = fixed_value(STEWARD_BLIND_DATE, -6940);
	expect(steward_blind_range_cover(&levels, a.place.at, b.place.after, cover, max, &exact) == 1 && exact);
	a = fixed_value(STEWARD_BLIND_DATE, -6908);
	b = fixed_value(STEWARD_BLIND_DATE, -6881);
	expect(steward_blind_range_cover(&levels, a.place.at, b.place.after, cover, max, &exact) == 1 && exact);
	a = fixed_value(STEWARD_BLIND_DATE, 8889);
	expect(steward_blind_range_cover(&levels, a.place.at, levels.end, cover, max, &exact) < 50 && exact);

	/* a day; from one microsecond to another, decades later */
	steward_blind_levels(&levels, STEWARD_BLIND_TIMESTAMPTZ, tags);
	a = fixed_value(STEWARD_BLIND_TIMESTAMPTZ, INT64_C(86400000000) * 8889);
	b = fixed_value(STEWARD_BLIND_TIMESTAMPTZ, INT64_C(86400000000) * 8890 - 1);
	expect(steward_blind_range_cover(&levels, a.place.at, b.place.after, cover, max, &exact) == 1 && exact);
	b = fixed_value(STEWARD_BLIND_TIMESTAMPTZ, INT64_C(1234567890123456));
	expect(steward_blind_range_cover(&levels, a.place.after, b.place.at, cover, max, &exact) > 0 && !exact);
	report("so are those of years, months and days");
}

static void
test_bounds(void)
{
	StewardBlindLevels levels;
	bool		exact;

	steward_blind_levels(&levels, STEWARD_BLIND_BIGINT, 8);
	for (int max = 0; max < 40; max++)
	{
		int			count;

		memset(cover, 0xA5, 64 * sizeof *cover);
		count = steward_blind_range_cover(&levels, 12345, levels.end - 54321, cover, max, &exact);
		expect(count <= max && (count == -1 || !exact));
		expect(cover[max].level == 0xA5);
		if (count > 0)
			expect_cover(&levels, 12345, levels.end - 54321, count, exact);
	}
	report("no more than max are written, whatever max is");

	expect(bigint_cover(12, 123, 98765, 256, &exact) == 58 && exact);
	expect(bigint_cover(12, 123, 98765, 58, &exact) == 58 && exact);
	expect(bigint_cover(12, 123, 98765, 57, &exact) > 40 && !exact);
	report("as many as max are taken");

	exact = false;
	expect(steward_blind_range_cover(&levels, 5, 5, cover, 0, &exact) == 0 && exact);
	expect(steward_blind_range_cover(&levels, 6, 5, cover, 9, &exact) == 0 && exact);
	expect(steward_blind_range_cover(&levels, levels.end, levels.end, cover, 9, &exact) == 0);
	expect(steward_blind_range_cover(&levels, levels.end - 1, levels.end, cover, 1, &exact) == 1 && exact);
	expect(steward_blind_range_cover(&levels, 0, 1, cover, 1, &exact) == 1 && exact);
	report("empty ranges have no intervals, single codes one");
}

static void
test_bytes(void)
{
	StewardBlindInterval interval = {.level = 7, .number = (StewardBlindCode) 0x0102030405060708 << 64 | 0x090a0b0c0d0e0f10};
	unsigned char expected[STEWARD_BLIND_INTERVAL_BYTES];
	unsigned char got[STEWARD_BLIND_INTERVAL_BYTES];

	expected[0] = 7;
	fill_sequence(expected + 1, 16, 1);
	steward_blind_interval_bytes(got, &interval);
	tap_bytes(got, expected, sizeof got, "an interval is its level and its number, big-endian");
}

static void
test_malformed(void)
{
	unsigned char bytes[16] = {0};
	StewardBlindPlace place;

	for (size_t len = 0; len < sizeof bytes; len++)
	{
		Guarded		copy = guard_copy(bytes, len);

		expect(steward_blind_place(&place, STEWARD_BLIND_BIGINT, copy.bytes, len) == (len == 8));
		expect(steward_blind_place(&place, STEWARD_BLIND_TIMESTAMPTZ, copy.bytes, len) == (len == 8));
		expect(steward_blind_place(&place, STEWARD_BLIND_DATE, copy.bytes, len) == (len == 4));
		expect(steward_blind_place(&place, STEWARD_BLIND_NUMERIC, copy.bytes, len) == (len == 5));
		guard_free(&copy);
	}
	/* a date before the year -5000, which PostgreSQL does not have */
	steward_store_be32(bytes, (uint32_t) -2600000);
	expect(!steward_blind_place(&place, STEWARD_BLIND_DATE, bytes, 4));
	steward_store_be64(bytes, (uint64_t) INT64_C(-8000000000000000000));
	expect(!steward_blind_place(&place, STEWARD_BLIND_TIMESTAMPTZ, bytes, 8));
	report("bytes of another length, or of no date, have no place");
}

/* The code of a day by the calendar of the C library. */
static StewardBlindCode
calendar_code(int64_t day)
{
	time_t		seconds = (time_t) ((day + 10957) * 86400);
	struct tm	parts;

	if (gmtime_r(&seconds, &parts) == NULL)
		tap_bail("no calendar");
	return (StewardBlindCode) (((parts.tm_year + 1900 + 5000 + 1000) * 12 + parts.tm_mon) * 32 +
							   parts.tm_mday - 1);
}

static void
test_dates(void)
{
	for (int64_t day = -1000000; day < 2921940; day += day > -200000 && day < 200000 ? 1 : 37)
	{
		Value		value = fixed_value(STEWARD_BLIND_DATE, day);

		expect(value.place.at == calendar_code(day) && !value.place.shared &&
			   value.place.after == (day == 2921939 ? value.place.after : calendar_code(day + 1)));
	}
	report("dates lie by the Gregorian calendar");
}

static void
test_extremes(void)
{
	static const int64_t numbers[] = {INT64_MIN, INT64_MIN + 1, -1000000000000000000, -10, -9, -1, 0, 1, 9, 10, 99, 100, 101, 999999999999999999, INT64_MAX - 1, INT64_MAX};
	static const int64_t dates[] = {INT32_MIN, -2451545, -2451544, 0, 2921938, 2921939};
	static const int64_t times[] = {INT64_MIN, INT64_C(-211813488000000000), -1, 0, 1, INT64_C(252455615999999998), INT64_C(252455615999999999)};
	Value		last;

	last = fixed_value(STEWARD_BLIND_BIGINT, numbers[0]);
	for (size_t i = 1; i < sizeof numbers / sizeof *numbers; i++)
	{
		Value		next = fixed_value(STEWARD_BLIND_BIGINT, numbers[i]);

		expect(last.place.after <= next.place.at && !next.place.shared);
		if (numbers[i] == numbers[i - 1] + 1)
			expect(last.place.after == next.place.at);
		last = next;
	}
	report("bigints at the ends and where a digit is added");

	last = fixed_value(STEWARD_BLIND_DATE, dates[0]);
	expect(last.place.at == 0);
	for (size_t i = 1; i < sizeof dates / sizeof *dates; i++)
	{
		Value		next = fixed_value(STEWARD_BLIND_DATE, dates[i]);

		expect(last.place.after <= next.place.at && !next.place.shared);
		last = next;
	}
	expect(fixed_value(STEWARD_BLIND_DATE, 2921940).place.shared);
	expect(fixed_value(STEWARD_BLIND_DATE, 2921940).place.at == last.place.after);
	expect(fixed_value(STEWARD_BLIND_DATE, 2145031948).place.shared);
	expect(!fixed_value(STEWARD_BLIND_DATE, INT32_MAX).place.shared);
	expect(fixed_value(STEWARD_BLIND_DATE, INT32_MAX).place.at ==
		   fixed_value(STEWARD_BLIND_DATE, 2145031948).place.after);
	report("dates at the ends, infinite ones, and those of far years");

	last = fixed_value(STEWARD_BLIND_TIMESTAMPTZ, times[0]);
	expect(last.place.at == 0);
	for (size_t i = 1; i < sizeof times / sizeof *times; i++)
	{
		Value		next = fixed_value(STEWARD_BLIND_TIMESTAMPTZ, times[i]);

		expect(last.place.after <= next.place.at && !next.place.shared);
		if (times[i] == times[i - 1] + 1)
			expect(last.place.after == next.place.at);
		last = next;
	}
	expect(fixed_value(STEWARD_BLIND_TIMESTAMPTZ, INT64_C(252455616000000000)).place.shared);
	expect(fixed_value(STEWARD_BLIND_TIMESTAMPTZ, INT64_C(252455616000000000)).place.at == last.place.after);
	expect(fixed_value(STEWARD_BLIND_TIMESTAMPTZ, INT64_MAX - 1).place.shared);
	expect(!fixed_value(STEWARD_BLIND_TIMESTAMPTZ, INT64_MAX).place.shared);
	report("times at the ends, infinite ones, and those of far years");
}

static void
test_numerics(void)
{
	static const char digits30[] = "123456789123456789123456789123";
	static const char digits31[] = "1234567891234567891234567891231";
	static const char digits32[] = "12345678912345678912345678912301";
	Value		steps[] = {
		special_numeric(STEWARD_NUMERIC_MINUS_INFINITY),
		numeric_value(true, "1", 42),
		numeric_value(true, "999", 39),
		numeric_value(true, digits31, 0),
		numeric_value(true, digits30, 1),
		numeric_value(true, "15", -1),
		numeric_value(true, "1", -20),
		numeric_value(true, "9", -21),
		special_numeric(STEWARD_NUMERIC_POSITIVE),
		numeric_value(false, "9", -21),
		numeric_value(false, "1", -20),
		numeric_value(false, "15", -1),
		numeric_value(false, digits30, 1),
		numeric_value(false, digits31, 0),
		numeric_value(false, "999", 39),
		numeric_value(false, "1", 42),
		special_numeric(STEWARD_NUMERIC_INFINITY),
		special_numeric(STEWARD_NUMERIC_NAN),
	};

	for (size_t i = 1; i < sizeof steps / sizeof *steps; i++)
		expect(steps[i - 1].place.after <= steps[i].place.at);
	expect(numeric_value(false, digits31, 0).place.shared);
	expect(numeric_value(false, digits31, 0).place.at == numeric_value(false, digits32, -1).place.at);
	expect(!numeric_value(false, digits30, 0).place.shared);
	expect(numeric_value(false, digits30, 0).place.after - numeric_value(false, digits30, 0).place.at == 1);
	expect(numeric_value(false, "1", 42).place.shared && numeric_value(false, "1", -21).place.shared);
	expect(numeric_value(false, "1", 42).place.at == numeric_value(false, "7", 2000).place.at);
	expect(steps[17].place.after == steps[17].place.at + (steps[17].place.at - steps[16].place.at));
	report("numerics of any size and length have places in order");
}

int
main(void)
{
	tap_begin();
	test_levels();
	for (int line = STEWARD_BLIND_BIGINT; line <= STEWARD_BLIND_TIMESTAMPTZ; line++)
	{
		test_order(line);
		test_range(line, STEWARD_BLIND_TAGS_DEFAULT, STEWARD_BLIND_COVER_DEFAULT);
		test_range(line, STEWARD_BLIND_TAGS_MIN, STEWARD_BLIND_COVER_DEFAULT);
		test_range(line, STEWARD_BLIND_TAGS_MAX, 1024);
		test_range(line, 7, 40);
	}
	test_sizes();
	test_bounds();
	test_bytes();
	test_malformed();
	test_dates();
	test_extremes();
	test_numerics();
	return tap_end();
}

/*
 * plain_test.c: plaintext bytes of numeric and jsonb. Bytes of many numbers are
 * among the vectors; here are order, the edges of integers, and hostile text.
 */
#include "crypto/plain_json.h"
#include "crypto/plain_numeric.h"

#include "tap.h"

#define MOST_DIGITS 8

typedef struct Number
{
	const char *name;
	unsigned char bytes[STEWARD_NUMERIC_HEADER_BYTES + 2 * MOST_DIGITS];
	size_t		len;
} Number;

static Number
number(const char *name, int sign, int scale, int weight, int count,
	   const int *digits)
{
	Number		made = {.name = name};
	StewardNumericHeader header = {.sign = (StewardNumericSign) sign,
		.scale = (uint16_t) scale, .weight = (int16_t) weight,
	.digits = (size_t) count};

	steward_numeric_write_header(made.bytes, &header);
	for (int i = 0; i < count; i++)
	{
		made.bytes[STEWARD_NUMERIC_HEADER_BYTES + 2 * i] = (unsigned char) (digits[i] >> 8);
		made.bytes[STEWARD_NUMERIC_HEADER_BYTES + 2 * i + 1] = (unsigned char) digits[i];
	}
	made.len = STEWARD_NUMERIC_HEADER_BYTES + 2 * (size_t) count;
	return made;
}

#define NUMBER(name, sign, scale, weight, ...) \
	number(name, sign, scale, weight, \
		   (int) (sizeof (int[]) {__VA_ARGS__} / sizeof(int)), (int[]) {__VA_ARGS__})

static int
order(const Number *a, const Number *b)
{
	Guarded		x = guard_copy(a->bytes, a->len);
	Guarded		y = guard_copy(b->bytes, b->len);
	int			result = steward_numeric_compare(x.bytes, a->len, y.bytes, b->len);

	guard_free(&x);
	guard_free(&y);
	return (result > 0) - (result < 0);
}

/* In ascending order; each is compared with each. */
static void
test_order(void)
{
	const Number ascending[] = {
		number("-infinity", 4, 0, 0, 0, NULL),
		NUMBER("-1e20", 1, 0, 5, 1),
		NUMBER("-10000.5", 1, 1, 1, 1, 0, 5000),
		NUMBER("-10000", 1, 0, 1, 1),
		NUMBER("-9999", 1, 0, 0, 9999),
		NUMBER("-1", 1, 0, 0, 1),
		NUMBER("-0.0001", 1, 4, -1, 1),
		number("0", 0, 0, 0, 0, NULL),
		NUMBER("0.00000001", 0, 8, -2, 1),
		NUMBER("0.0001", 0, 4, -1, 1),
		NUMBER("1", 0, 0, 0, 1),
		NUMBER("1.0001", 0, 4, 0, 1, 1),
		NUMBER("1.00010001", 0, 8, 0, 1, 1, 1),
		NUMBER("2", 0, 0, 0, 2),
		NUMBER("10000", 0, 0, 1, 1),
		NUMBER("10001", 0, 0, 1, 1, 1),
		NUMBER("1e20", 0, 0, 5, 1),
		number("infinity", 3, 0, 0, 0, NULL),
		number("NaN", 2, 0, 0, 0, NULL),
	};
	const int	count = sizeof ascending / sizeof ascending[0];

	for (int i = 0; i < count; i++)
	{
		StewardNumericHeader header;
		int			wrong = 0;

		for (int j = 0; j < count; j++)
			wrong += order(&ascending[i], &ascending[j]) != (i > j) - (i < j);
		tap_ok(wrong == 0 &&
			   steward_numeric_parse(&header, ascending[i].bytes, ascending[i].len),
			   "%s stands where it belongs", ascending[i].name);
	}
}

static void
test_scale(void)
{
	Number		a = NUMBER("1.50", 0, 2, 0, 1, 5000);
	Number		b = NUMBER("1.5000", 0, 4, 0, 1, 5000);
	Number		c = NUMBER("1.5", 0, 1, 0, 1, 5000);

	tap_ok(order(&a, &b) == 0, "zeros at the end do not count");
	steward_numeric_canonicalise(a.bytes, a.len);
	steward_numeric_canonicalise(b.bytes, b.len);
	tap_bytes(a.bytes, c.bytes, c.len, "canonical 1.50 is 1.5");
	tap_bytes(b.bytes, c.bytes, c.len, "canonical 1.5000 is 1.5");
	a = NUMBER("100.000", 0, 3, 0, 100);
	c = NUMBER("100", 0, 0, 0, 100);
	steward_numeric_canonicalise(a.bytes, a.len);
	tap_bytes(a.bytes, c.bytes, c.len, "zeros before the point stay");
	a = number("0.000", 0, 3, 0, 0, NULL);
	steward_numeric_canonicalise(a.bytes, a.len);
	tap_ok(a.bytes[2] == 0, "zero has no scale");
}

static bool
is_integer(Number a, int64_t expected)
{
	int64_t		got = 0;

	return steward_numeric_to_int64(&got, a.bytes, a.len) && got == expected;
}

static bool
is_no_integer(Number a)
{
	int64_t		got;

	return !steward_numeric_to_int64(&got, a.bytes, a.len);
}

static void
test_integers(void)
{
	tap_ok(is_integer(number("0", 0, 0, 0, 0, NULL), 0), "0");
	tap_ok(is_integer(NUMBER("1", 0, 0, 0, 1), 1), "1");
	tap_ok(is_integer(NUMBER("-1", 1, 0, 0, 1), -1), "-1");
	tap_ok(is_integer(NUMBER("100010000", 0, 0, 2, 1, 1), 100010000), "100010000");
	tap_ok(is_integer(NUMBER("max", 0, 0, 4, 922, 3372, 368, 5477, 5807), INT64_MAX), "the largest");
	tap_ok(is_no_integer(NUMBER("max + 1", 0, 0, 4, 922, 3372, 368, 5477, 5808)), "one more");
	tap_ok(is_integer(NUMBER("min", 1, 0, 4, 922, 3372, 368, 5477, 5808), INT64_MIN), "the least");
	tap_ok(is_no_integer(NUMBER("min - 1", 1, 0, 4, 922, 3372, 368, 5477, 5809)), "one less");
	tap_ok(is_no_integer(NUMBER("1e131068", 0, 0, 32767, 1)), "a very large one");
	tap_ok(is_no_integer(NUMBER("0.5", 0, 1, -1, 5000)), "0.5");
	tap_ok(is_no_integer(NUMBER("10000.5", 0, 1, 1, 1, 0, 5000)), "10000.5");
	tap_ok(is_no_integer(number("NaN", 2, 0, 0, 0, NULL)), "NaN");
	tap_ok(is_no_integer(number("infinity", 3, 0, 0, 0, NULL)), "infinity");
}

static bool
becomes(const char *text, const char *expected)
{
	Guarded		copy = guard_copy(text, strlen(text));
	size_t		len = steward_json_canonicalise(copy.bytes, strlen(text));
	bool		same = len == strlen(expected) && memcmp(copy.bytes, expected, len) == 0;

	guard_free(&copy);
	return same;
}

static bool
has_wide_key(const char *text)
{
	Guarded		copy = guard_copy(text, strlen(text));
	bool		has = steward_json_has_wide_key(copy.bytes, strlen(text));

	guard_free(&copy);
	return has;
}

static void
test_json(void)
{
	static const char *const texts[][2] = {
		{"1.0", "1"}, {"1.50", "1.5"}, {"-0.10", "-0.1"}, {"100", "100"}, {"0.000", "0"},
		{"[1.0, 10, 1.10]", "[1, 10, 1.1]"}, {"{\"1.0\": 1.0}", "{\"1.0\": 1}"},
		{"\"a\\\"1.0\"", "\"a\\\"1.0\""}, {"[\"\\\\\", 1.0]", "[\"\\\\\", 1]"},
		{"\"1.0", "\"1.0"}, {"\"\\", "\"\\"}, {"", ""}, {".", ""}, {"1.", "1"}, {"..00", "."},
		{"[true, null, 2.00]", "[true, null, 2]"},
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		tap_ok(becomes(texts[i][0], texts[i][1]), "%s becomes %s", texts[i][0], texts[i][1]);
	tap_ok(has_wide_key("{\"\303\251\": 1}"), "a key beyond ASCII");
	tap_ok(has_wide_key("[{\"a\": {\"a\\\"\303\251\": 1}}]"), "deep inside");
	tap_ok(!has_wide_key("{\"e\": \"\303\251\"}"), "a value is no key");
	tap_ok(!has_wide_key("\"\303\251"), "nor is a string without its end");
}

int
main(void)
{
	test_order();
	test_scale();
	test_integers();
	test_json();
	return tap_end();
}

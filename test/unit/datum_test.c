/*
 * datum_test.c: the parser of the datum and the writer of its header.
 */
#include "crypto/datum.h"

#include "tap.h"

#define UNBOUND_MIN (STEWARD_HEADER_BYTES + STEWARD_BODY_BYTES)
#define BOUND_MIN (STEWARD_HEADER_MAX_BYTES + STEWARD_BODY_BYTES)
#define LONGEST (BOUND_MIN + 8)

static StewardDatumStatus
parse_guarded(StewardDatum *datum, const unsigned char *bytes, size_t len)
{
	Guarded		copy = guard_copy(bytes, len);
	StewardDatumStatus status = steward_datum_parse(datum, copy.bytes, len);

	guard_free(&copy);
	return status;
}

static void
write_sample(unsigned char bytes[LONGEST], bool bound)
{
	unsigned char subject[STEWARD_UUID_BYTES];
	StewardDatumLabel label = {STEWARD_TYPE_TEXT, 0x01020304, 0xa0b0c0d0, NULL};

	fill_sequence(subject, sizeof subject, 0x30);
	fill_sequence(bytes, LONGEST, 0x80);
	if (bound)
		label.subject = subject;
	(void) steward_datum_write_header(bytes, &label);
}

/* One byte of a well-formed value replaced, and what the parser says of it. */
static void
test_header_table(void)
{
	static const struct
	{
		size_t		offset;
		unsigned char value;
		StewardDatumStatus expected;
		const char *name;
	}			cases[] = {
		{0, 0, STEWARD_DATUM_UNKNOWN_FORMAT, "format 0"},
		{0, 2, STEWARD_DATUM_UNKNOWN_FORMAT, "format 2"},
		{0, 255, STEWARD_DATUM_UNKNOWN_FORMAT, "format 255"},
		{1, 0, STEWARD_DATUM_UNKNOWN_SUITE, "suite 0"},
		{1, 2, STEWARD_DATUM_UNKNOWN_SUITE, "suite 2, reserved"},
		{2, 0, STEWARD_DATUM_UNKNOWN_TYPE, "type 0"},
		{2, 1, STEWARD_DATUM_OK, "type 1"},
		{2, 2, STEWARD_DATUM_OK, "type 2"},
		{2, 3, STEWARD_DATUM_OK, "type 3"},
		{2, 4, STEWARD_DATUM_OK, "type 4"},
		{2, 5, STEWARD_DATUM_OK, "type 5"},
		{2, 6, STEWARD_DATUM_OK, "type 6"},
		{2, 7, STEWARD_DATUM_OK, "type 7"},
		{2, 8, STEWARD_DATUM_UNKNOWN_TYPE, "type 8"},
		{2, 255, STEWARD_DATUM_UNKNOWN_TYPE, "type 255"},
		{3, 0x02, STEWARD_DATUM_UNKNOWN_FLAG, "flag bit 1, reserved"},
		{3, 0x04, STEWARD_DATUM_UNKNOWN_FLAG, "flag bit 2, reserved"},
		{3, 0x08, STEWARD_DATUM_UNKNOWN_FLAG, "flag bit 3, reserved"},
		{3, 0x10, STEWARD_DATUM_UNKNOWN_FLAG, "flag bit 4"},
		{3, 0x20, STEWARD_DATUM_UNKNOWN_FLAG, "flag bit 5"},
		{3, 0x40, STEWARD_DATUM_UNKNOWN_FLAG, "flag bit 6"},
		{3, 0x80, STEWARD_DATUM_UNKNOWN_FLAG, "flag bit 7"},
		{3, 0x81, STEWARD_DATUM_UNKNOWN_FLAG, "a known flag does not hide one"},
		{4, 0x80, STEWARD_DATUM_BAD_KEY_ID, "key id with the top bit"},
		{4, 0x7f, STEWARD_DATUM_OK, "a large key id"},
		{8, 0xff, STEWARD_DATUM_OK, "any key tag"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
	{
		unsigned char bytes[LONGEST];
		StewardDatum datum;

		write_sample(bytes, false);
		bytes[cases[i].offset] = cases[i].value;
		tap_ok(parse_guarded(&datum, bytes, LONGEST) == cases[i].expected,
			   "header: %s", cases[i].name);
	}
}

/* Every length from 0: the first one that parses is the minimum. */
static void
test_lengths(bool bound)
{
	unsigned char bytes[LONGEST];
	StewardDatum datum;
	size_t		minimum = bound ? BOUND_MIN : UNBOUND_MIN;
	int			wrong = 0;

	write_sample(bytes, bound);
	for (size_t len = 0; len < minimum; len++)
		wrong += parse_guarded(&datum, bytes, len) != STEWARD_DATUM_TRUNCATED;
	tap_ok(wrong == 0, "%zu shorter lengths are truncated (%s)", minimum,
		   bound ? "bound" : "not bound");
	for (size_t len = minimum; len <= LONGEST; len++)
	{
		wrong += parse_guarded(&datum, bytes, len) != STEWARD_DATUM_OK;
		wrong += datum.plain_len != len - minimum;
		wrong += steward_datum_size(datum.plain_len, bound) != len;
	}
	tap_ok(wrong == 0, "longer ones parse, sizes agree (%s)",
		   bound ? "bound" : "not bound");
}

static void
test_parts(bool bound)
{
	unsigned char bytes[LONGEST];
	StewardDatum datum;
	size_t		header = bound ? 28 : 12;

	write_sample(bytes, bound);
	tap_ok(steward_datum_parse(&datum, bytes, LONGEST) == STEWARD_DATUM_OK &&
		   datum.type == 1 && datum.flags == (bound ? 1 : 0) &&
		   datum.key_id == 0x01020304 && datum.key_tag == 0xa0b0c0d0,
		   "the fields of the header");
	tap_ok(datum.header == bytes && datum.header_len == header &&
		   datum.subject == (bound ? bytes + 12 : NULL) &&
		   datum.salt == bytes + header &&
		   datum.commitment == bytes + header + 24 &&
		   datum.ciphertext == bytes + header + 40,
		   "the places of the parts");
}

static void
test_layout(void)
{
	unsigned char bytes[LONGEST];
	unsigned char expected[28];

	fill_hex(expected, 12, "0101010001020304a0b0c0d0");
	write_sample(bytes, false);
	tap_bytes(bytes, expected, 12, "the bytes of a header");
	fill_hex(expected, 28, "0101010101020304a0b0c0d0"
			 "303132333435363738393a3b3c3d3e3f");
	write_sample(bytes, true);
	tap_bytes(bytes, expected, 28, "the bytes of a bound header");
	tap_ok(steward_datum_size(0, false) == 68 &&
		   steward_datum_size(0, true) == 84 &&
		   steward_datum_size(1000, true) == 1084, "sizes");
}

static void
test_failure_leaves_nothing(void)
{
	unsigned char bytes[LONGEST] = {9};
	StewardDatum datum;
	StewardDatum empty;

	memset(&empty, 0, sizeof empty);
	memset(&datum, 0xff, sizeof datum);
	(void) steward_datum_parse(&datum, bytes, sizeof bytes);
	tap_ok(datum.header == empty.header && datum.salt == empty.salt &&
		   datum.ciphertext == empty.ciphertext && datum.plain_len == 0,
		   "a refused value leaves no pointers");
}

int
main(void)
{
	tap_begin();
	test_layout();
	test_header_table();
	test_lengths(false);
	test_lengths(true);
	test_parts(false);
	test_parts(true);
	test_failure_leaves_nothing();
	return tap_end();
}

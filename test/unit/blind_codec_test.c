/*
 * blind_codec_test.c: the packed part of a leaf of a blind index, against bytes
 * written by hand and against an array that is searched from end to end.
 */
#include "blind/codec.h"

#include "tap.h"

#define ROOM 65536
#define BLOCK_MAX 0xFFFFFFFEU

static StewardBlindEntry entries[STEWARD_BLIND_MAX_ENTRIES];
static StewardBlindEntry unpacked[STEWARD_BLIND_MAX_ENTRIES];
static uint64_t collected[STEWARD_BLIND_MAX_ENTRIES + 1];
static unsigned char room_bytes[ROOM];
static uint64_t random_state;

static uint64_t
next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * UINT64_C(0x2545F4914F6CDD1D);
}

static StewardBlindTag
random_tag(int bits)
{
	StewardBlindTag tag = (StewardBlindTag) next_random() << 64 | next_random();

	return bits == 0 ? 0 : tag >> (128 - bits);
}

static uint64_t
tid_of(uint64_t block, uint64_t offset)
{
	return block << 16 | offset;
}

static int
compare_entries(const void *a, const void *b)
{
	const StewardBlindEntry *x = a;
	const StewardBlindEntry *y = b;

	return steward_blind_compare(x->tag, x->tid, y->tag, y->tid);
}

/* Orders the entries and drops those that are there twice; returns how many are left. */
static int
in_order(int count)
{
	int			kept = 0;

	qsort(entries, (size_t) count, sizeof entries[0], compare_entries);
	for (int i = 0; i < count; i++)
	{
		if (kept == 0 || compare_entries(&entries[kept - 1], &entries[i]) != 0)
			entries[kept++] = entries[i];
	}
	return kept;
}

static bool
same_entries(const StewardBlindEntry *a, const StewardBlindEntry *b, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (compare_entries(&a[i], &b[i]) != 0)
			return false;
	}
	return true;
}

/* A guarded copy of what the entries pack to. */
static Guarded
pack(int tag_bytes, int count, StewardBlindPacked *packed)
{
	size_t		len = steward_blind_pack(room_bytes, ROOM, tag_bytes, entries, count, NULL);
	Guarded		copy = guard_copy(room_bytes, len);

	*packed = (StewardBlindPacked) {copy.bytes, len, tag_bytes};
	return copy;
}

/* Does a search for a range find what is in the array? */
static bool
collects(const StewardBlindPacked *packed, const StewardBlindEntry *array, int count,
		 StewardBlindTag low, StewardBlindTag high)
{
	int			first;
	int			from = 0;
	int			upto;
	int			found;

	while (from < count && array[from].tag < low)
		from++;
	upto = from;
	while (upto < count && array[upto].tag <= high)
		upto++;
	memset(collected, 0xEE, (size_t) (upto - from + 1) * sizeof collected[0]);
	found = steward_blind_collect(packed, low, high, collected, upto - from, &first);
	if (found != upto - from || (found > 0 && first != from))
		return false;
	for (int i = 0; i < found; i++)
	{
		if (collected[i] != array[from + i].tid)
			return false;
	}
	return collected[found] == UINT64_C(0xEEEEEEEEEEEEEEEE) &&
		(found == 0 ||
		 steward_blind_collect(packed, low, high, collected, found - 1, &first) == -1);
}

/* Is what is said of an entry true? */
static bool
has(const StewardBlindPacked *packed, const StewardBlindEntry *array, int count,
	StewardBlindTag tag, uint64_t tid)
{
	StewardBlindEntry entry = {tag, tid};
	bool		there = bsearch(&entry, array, (size_t) count, sizeof entry,
								compare_entries) != NULL;

	return steward_blind_has(packed, tag, tid) == (int) there;
}

/* Searches around some of the entries: them, their neighbours, ranges that begin there. */
static int
wrong_searches(const StewardBlindPacked *packed, const StewardBlindEntry *array, int count,
			   int step)
{
	StewardBlindTag most = ~(StewardBlindTag) 0 >> (128 - 8 * packed->tag_bytes);
	int			wrong = 0;

	for (int i = 0; i < count; i += 1 + (int) (next_random() % (uint64_t) step))
	{
		StewardBlindTag tag = array[i].tag;
		uint64_t	tid = array[i].tid;
		StewardBlindTag high = array[i + (int) (next_random() % (uint64_t) (count - i))].tag;

		wrong += !collects(packed, array, count, tag, tag);
		wrong += !collects(packed, array, count, tag, high);
		wrong += tag > 0 && !collects(packed, array, count, tag - 1, tag - 1);
		wrong += tag > 0 && !collects(packed, array, count, tag - 1, high);
		wrong += tag < most && !collects(packed, array, count, tag + 1, tag + 1);
		wrong += tag < most && !collects(packed, array, count, tag + 1, most);
		for (uint64_t other = tid - 1; other <= tid + 1; other++)
			wrong += !has(packed, array, count, tag, other);
		wrong += !has(packed, array, count, tag, tid_of(0, 1));
		wrong += !has(packed, array, count, tag, tid_of(BLOCK_MAX, 65535));
		wrong += !has(packed, array, count, tag, 0);
		wrong += tag > 0 && !has(packed, array, count, tag - 1, tid);
		wrong += tag < most && !has(packed, array, count, tag + 1, tid);
	}
	wrong += !collects(packed, array, count, 0, most);
	wrong += !collects(packed, array, count, 0, 0);
	wrong += !collects(packed, array, count, most, most);
	wrong += !collects(packed, array, count, 0, ~(StewardBlindTag) 0);
	return wrong;
}

/* Packs the entries, and finds in it what they are: how much is wrong? */
static int
wrong_of(int tag_bytes, int count, int step)
{
	StewardBlindPacked packed;
	Guarded		copy = pack(tag_bytes, count, &packed);
	int			wrong = packed.len == 0;

	wrong += steward_blind_count(&packed) != count;
	wrong += !steward_blind_is_packed(&packed);
	wrong += steward_blind_unpack(&packed, unpacked, count) != count;
	wrong += !same_entries(unpacked, entries, count);
	wrong += count > 0 && steward_blind_unpack(&packed, unpacked, count - 1) != -1;
	wrong += wrong_searches(&packed, entries, count, step);
	wrong += steward_blind_pack(room_bytes, packed.len - 1, tag_bytes, entries, count, NULL) != 0;
	wrong += steward_blind_pack(room_bytes, packed.len, tag_bytes, entries, count, NULL) != packed.len;
	guard_free(&copy);
	return wrong;
}

/* What the entries pack to, byte by byte. */
static void
known(int tag_bytes, int count, const char *hex, const char *name)
{
	size_t		len = strlen(hex) / 2;
	unsigned char expected[64];

	fill_hex(expected, len, hex);
	tap_ok(steward_blind_pack(room_bytes, ROOM, tag_bytes, entries, count, NULL) == len,
		   "%s: as long as by hand", name);
	tap_bytes(room_bytes, expected, len, name);
	tap_ok(wrong_of(tag_bytes, count, 1) == 0, "%s: all entries are found", name);
}

static void
test_known(void)
{
	known(1, 0, "00000000", "nothing");

	/*
	 * Tags 0, 3 and 10 above the first: low bits 0 1 0, in unary 1 01 00001. Numbers of
	 * TIDs, of 3 bits: 0, 7 and 2.
	 */
	entries[0] = (StewardBlindEntry) {0x10, tid_of(5, 1)};
	entries[1] = (StewardBlindEntry) {0x13, tid_of(7, 2)};
	entries[2] = (StewardBlindEntry) {0x1A, tid_of(5, 3)};
	known(1, 3, "03000100" "05000000" "0300" "1100" "02000103" "10" "C25508", "a list");

	/* In unary the one tag, 1, and the numbers 0, 1, 2 and 7: 1 01 01 000001. */
	for (int i = 0; i < 4; i++)
		entries[i].tag = 0x0102;
	entries[0].tid = tid_of(1, 1);
	entries[1].tid = tid_of(1, 2);
	entries[2].tid = tid_of(2, 1);
	entries[3].tid = tid_of(4, 2);
	known(2, 4, "04000100" "01000000" "0200" "1200" "03010000" "0201" "2B08", "one run");

	/* 16 blocks; tags 0 and 2: 1 001; numbers 0 to 31: 1 and 31 times 01. */
	for (int i = 0; i < 32; i++)
	{
		entries[i].tag = i < 16 ? 7 : 9;
		entries[i].tid = tid_of(100 + (uint64_t) i % 16, 1);
	}
	known(1, 32, "20000100" "64000000" "0100" "1100" "1F020000" "07"
		  "10000000" "595555555555555505", "two runs");
}

/* What is random in a test, and how. */
typedef struct Shape
{
	int			tag_bits;
	int			count;
	int			run_max;		/* equal tags, at most */
	uint64_t	blocks;			/* TIDs are in so many */
	uint64_t	first_block;
	uint64_t	offsets;
} Shape;

static int
fill_shape(const Shape *shape)
{
	int			i = 0;

	while (i < shape->count)
	{
		StewardBlindTag tag = random_tag(shape->tag_bits);
		int			run = 1 + (int) (next_random() % (uint64_t) shape->run_max);

		for (; run > 0 && i < shape->count; run--, i++)
		{
			entries[i].tag = tag;
			entries[i].tid = tid_of(shape->first_block + next_random() % shape->blocks,
									1 + next_random() % shape->offsets);
		}
	}
	return in_order(shape->count);
}

static void
test_shapes(void)
{
	static const Shape shapes[] = {
		{40, 1400, 1, 17500, 0, 57},
		{8, 1000, 1, 17500, 3, 57},
		{1, 1000, 1, 300, 0, 10},
		{17, 700, 300, 1000, 1, 60},
		{64, 600, 3, UINT64_C(0xFFFFFFFF), 0, 65535},
		{65, 600, 40, UINT64_C(0xFFFFFFFF), 0, 65535},
		{128, 500, 1, UINT64_C(0xFFFFFFFF), 0, 65535},
		{128, 500, 100, 1, BLOCK_MAX, 65535},
		{127, 300, 129, 5, BLOCK_MAX - 4, 1},
		{63, 900, 8, 1, 0, 291},
		{120, 900, 20, 100, 9, 100},
		{3, STEWARD_BLIND_MAX_ENTRIES, 1, 100000, 0, 50},
	};

	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
	{
		int			count = fill_shape(&shapes[i]);

		tap_ok(wrong_of((shapes[i].tag_bits + 7) / 8, count, 97) == 0,
			   "%d entries of %d bits, runs up to %d", count, shapes[i].tag_bits,
			   shapes[i].run_max);
	}
}

/* Many small ones, of every length of tags. */
static void
test_many(void)
{
	int			wrong = 0;

	for (int i = 0; i < 2000; i++)
	{
		Shape		shape;
		int			tag_bytes;

		shape.tag_bits = 1 + i % 128;
		shape.count = 1 + (int) (next_random() % 200);
		shape.run_max = 1 << next_random() % 8;
		shape.blocks = UINT64_C(1) << next_random() % 32;
		shape.first_block = next_random() % (BLOCK_MAX - shape.blocks);
		shape.offsets = 1 + (UINT64_C(0xFFFF) >> next_random() % 16) % 65535;
		tag_bytes = (shape.tag_bits + 7) / 8;
		wrong += wrong_of(tag_bytes, fill_shape(&shape), 19) != 0;
	}
	tap_ok(wrong == 0, "2000 small ones, of 1 to 128 bits");
}

static void
test_extremes(void)
{
	StewardBlindTag most = ~(StewardBlindTag) 0;

	for (int tag_bytes = 1; tag_bytes <= 16; tag_bytes++)
	{
		entries[0] = (StewardBlindEntry) {0, tid_of(0, 1)};
		entries[1] = (StewardBlindEntry) {most >> (128 - 8 * tag_bytes), tid_of(BLOCK_MAX, 65535)};
		tap_ok(wrong_of(tag_bytes, 2, 1) == 0 && wrong_of(tag_bytes, 1, 1) == 0,
			   "least and greatest of %d bytes", tag_bytes);
		entries[0] = entries[1];
		tap_ok(wrong_of(tag_bytes, 1, 1) == 0, "greatest alone of %d bytes", tag_bytes);
	}
	for (int i = 0; i < 1000; i++)
		entries[i] = (StewardBlindEntry) {most - 999 + (unsigned int) i, tid_of(7, 1)};
	tap_ok(wrong_of(16, 1000, 3) == 0, "tags are the last integers");
	for (int i = 0; i < STEWARD_BLIND_MAX_ENTRIES; i++)
		entries[i] = (StewardBlindEntry) {0, tid_of((uint64_t) i / 100, 1 + (uint64_t) i % 100)};
	tap_ok(wrong_of(1, STEWARD_BLIND_MAX_ENTRIES, 401) == 0, "as many as may be, of one tag");
	for (int i = 0; i < 2000; i++)
		entries[i] = (StewardBlindEntry) {i < 130 ? 4 : 5, tid_of(BLOCK_MAX, 1 + (uint64_t) i)};
	tap_ok(wrong_of(5, 2000, 3) == 0, "a block of more entries than a segment");
}

/* Entries that begin with a run of every length, and have one in their middle. */
static void
test_run_lengths(void)
{
	int			wrong = 0;

	for (int run = 1; run < 400; run += run < 140 ? 1 : 13)
	{
		int			count = 0;

		for (int i = 0; i < 2 * run + 70; i++, count++)
		{
			bool		first = i < run;
			bool		second = !first && i >= run + 35 && i < 2 * run + 35;
			unsigned int other = i < run + 35 ? 10 : 100;

			entries[count].tag = first ? 1 : second ? 50 : other + (unsigned int) i;
			entries[count].tid = tid_of(next_random() % 1000, 1 + next_random() % 50);
		}
		wrong += wrong_of(2, in_order(count), 7) != 0;
	}
	tap_ok(wrong == 0, "runs of 1 to 400");
}

/* More room never packs less, and what was packed packs again to the same bytes. */
static void
test_room(const Shape *shape)
{
	int			tag_bytes = (shape->tag_bits + 7) / 8;
	int			count = fill_shape(shape);
	size_t		whole = steward_blind_pack(room_bytes, ROOM, tag_bytes, entries, count, NULL);
	int			before = 0;
	int			wrong = 0;

	for (size_t room = 4; room <= whole; room += room < 400 || room + 37 > whole ? 1 : 37)
	{
		Guarded		out = guard_copy(room_bytes, room);
		Guarded		again = guard_copy(room_bytes, room);
		int			packed_count = -1;
		size_t		len = steward_blind_pack(out.bytes, room, tag_bytes, entries, count,
											 &packed_count);
		StewardBlindPacked packed = {out.bytes, len, tag_bytes};

		wrong += len < 4 || len > room;
		wrong += packed_count < before || (packed_count == count) != (room == whole);
		wrong += steward_blind_unpack(&packed, unpacked, count) != packed_count ||
			!same_entries(unpacked, entries, packed_count);
		wrong += steward_blind_pack(again.bytes, room, tag_bytes, entries, packed_count,
									NULL) != len || memcmp(out.bytes, again.bytes, len) != 0;
		wrong += room < whole &&
			steward_blind_pack(again.bytes, room, tag_bytes, entries, count, NULL) != 0;
		before = packed_count;
		guard_free(&out);
		guard_free(&again);
	}
	tap_ok(wrong == 0 && before == count, "in any room: %d entries of %d bits, runs up to %d",
		   count, shape->tag_bits, shape->run_max);
}

static void
test_rooms(void)
{
	test_room(&(Shape) {40, 1000, 1, 17500, 0, 57});
	test_room(&(Shape) {40, 1500, 5, 17500, 0, 57});
	test_room(&(Shape) {40, 1500, 150, 17500, 0, 57});
	test_room(&(Shape) {128, 400, 500, 17500, 0, 57});
	test_room(&(Shape) {1, 1500, 1, 17500, 0, 57});
	tap_ok(steward_blind_pack(room_bytes, 3, 5, entries, 1, NULL) == 0 &&
		   steward_blind_pack(room_bytes, 0, 5, entries, 0, NULL) == 0,
		   "no room for the header");
}

/* Both parts of what is cut in half are as long as they were together. */
static void
test_half(const Shape *shape)
{
	int			tag_bytes = (shape->tag_bits + 7) / 8;
	int			count = fill_shape(shape);
	size_t		whole = steward_blind_pack(room_bytes, ROOM, tag_bytes, entries, count, NULL);
	StewardBlindPacked packed = {room_bytes, whole, tag_bytes};
	int			half = steward_blind_half(&packed);
	size_t		left = steward_blind_pack(room_bytes, ROOM, tag_bytes, entries, half, NULL);
	size_t		right = steward_blind_pack(room_bytes, ROOM, tag_bytes, entries + half,
										   count - half, NULL);

	tap_ok(half > 0 && half < count && left + right == whole + 4,
		   "halves of %d entries of %d bits, runs up to %d", count, shape->tag_bits,
		   shape->run_max);
}

static void
test_halves(void)
{
	StewardBlindPacked packed = {room_bytes, 0, 5};
	int			wrong = 0;

	test_half(&(Shape) {40, 1000, 1, 17500, 0, 57});
	test_half(&(Shape) {40, 1500, 5, 17500, 0, 57});
	test_half(&(Shape) {40, 5000, 150, 17500, 0, 57});
	test_half(&(Shape) {128, 5000, 5000, 17500, 0, 57});
	test_half(&(Shape) {8, 1500, 70, 17500, 0, 57});
	entries[0] = (StewardBlindEntry) {1, tid_of(1, 1)};
	for (int count = 0; count < 2; count++)
	{
		packed.len = steward_blind_pack(room_bytes, ROOM, 5, entries, count, NULL);
		wrong += steward_blind_half(&packed) != 0;
	}
	packed.len = 5;
	wrong += steward_blind_half(&packed) != 0;
	tap_ok(wrong == 0, "nothing to cut");
}

/* Reads bytes in every way; what is accepted is in order, and searches agree with it. */
static bool
reads_well(const StewardBlindPacked *packed)
{
	int			first;
	int			count = steward_blind_unpack(packed, unpacked, STEWARD_BLIND_MAX_ENTRIES);

	for (int i = 0; i < 4; i++)
	{
		StewardBlindTag tag = random_tag(8 * packed->tag_bytes);

		(void) steward_blind_collect(packed, tag >> i, tag, collected,
									 STEWARD_BLIND_MAX_ENTRIES, &first);
		(void) steward_blind_has(packed, tag, tid_of(i, 1));
	}
	(void) steward_blind_collect(packed, 0, ~(StewardBlindTag) 0, collected,
								 STEWARD_BLIND_MAX_ENTRIES, &first);
	if (steward_blind_is_packed(packed) != (count >= 0))
		return false;
	if (count < 0)
		return true;
	for (int i = 1; i < count; i++)
	{
		if (compare_entries(&unpacked[i - 1], &unpacked[i]) >= 0)
			return false;
	}
	return steward_blind_count(packed) == count &&
		wrong_searches(packed, unpacked, count, count / 4 + 1) == 0;
}

static void
test_damaged(const Shape *shape)
{
	int			tag_bytes = (shape->tag_bits + 7) / 8;
	int			count = fill_shape(shape);
	StewardBlindPacked packed;
	Guarded		copy = pack(tag_bytes, count, &packed);
	int			accepted = 0;
	int			wrong = 0;

	for (size_t len = 0; len < packed.len; len++)
	{
		Guarded		part = guard_copy(copy.bytes, len);
		StewardBlindPacked cut = {part.bytes, len, tag_bytes};

		wrong += !reads_well(&cut);
		accepted += steward_blind_is_packed(&cut);
		guard_free(&part);
	}
	tap_ok(wrong == 0 && accepted == 0, "no part of %zu bytes is accepted", packed.len);
	wrong = 0;
	for (size_t bit = 0; bit < 8 * packed.len; bit++)
	{
		copy.bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
		wrong += !reads_well(&packed);
		for (int i = 0; i < count; i += 50)
			(void) steward_blind_has(&packed, entries[i].tag, entries[i].tid);
		copy.bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
	}
	tap_ok(wrong == 0, "%zu bytes with each bit flipped: nothing is out of order", packed.len);
	guard_free(&copy);
}

static void
test_every_damage(void)
{
	static const unsigned char longer[5] = {0};

	test_damaged(&(Shape) {40, 200, 1, 17500, 0, 57});
	test_damaged(&(Shape) {40, 300, 6, 17500, 0, 57});
	test_damaged(&(Shape) {128, 150, 200, 17500, BLOCK_MAX - 17500, 57});
	test_damaged(&(Shape) {3, 200, 1, 10, 0, 57});
	test_damaged(&(Shape) {8, 1, 1, 10, 0, 57});
	tap_ok(!steward_blind_is_packed(&(StewardBlindPacked) {longer, 5, 1}) &&
		   steward_blind_is_packed(&(StewardBlindPacked) {longer, 4, 1}),
		   "a byte too many is refused");
	tap_ok(!steward_blind_is_packed(&(StewardBlindPacked) {longer, 4, 0}) &&
		   !steward_blind_is_packed(&(StewardBlindPacked) {longer, 4, 17}),
		   "tags of no or of 17 bytes are refused");
}

/* What is a packed part, and what differs from it by one fault. */
static void
refused(int tag_bytes, const char *good, const char *bad, const char *name)
{
	unsigned char bytes[2][64];
	StewardBlindPacked packed[2];

	for (int i = 0; i < 2; i++)
	{
		const char *hex = i == 0 ? good : bad;

		packed[i] = (StewardBlindPacked) {bytes[i], strlen(hex) / 2, tag_bytes};
		fill_hex(bytes[i], packed[i].len, hex);
	}
	tap_ok(steward_blind_is_packed(&packed[0]) && !steward_blind_is_packed(&packed[1]) &&
		   steward_blind_unpack(&packed[1], unpacked, STEWARD_BLIND_MAX_ENTRIES) == -1,
		   "refused: %s", name);
}

static void
test_refused(void)
{
	static const char list[] = "03000100" "05000000" "0300" "1100" "02000103" "10" "C25508";
	static const char one[] = "01000100" "00000000" "0100" "1100" "00000000" "07" "01";
	static const char runs[] = "02000100" "00000000" "0100" "1100" "01020000" "07"
		"02000000" "8D";

	refused(1, list, "03000100" "05000000" "0300" "1100" "02000103" "10" "C25588",
			"a bit behind the data");
	refused(1, list, "03000100" "05000000" "0300" "1200" "02000103" "10" "00C25508",
			"a byte before the data");
	refused(1, list, "04000100" "05000000" "0300" "1100" "02000103" "10" "C25508",
			"more entries than segments have");
	refused(1, list, "03000100" "05000000" "0000" "1100" "02000103" "10" "C25508",
			"blocks without offsets");
	refused(1, one, "01000100" "00000000" "0100" "1100" "00000000" "07" "02",
			"a first tag that is not the directory's");
	refused(1, "02000100" "00000000" "0100" "1100" "01000000" "FE" "05",
			"02000100" "00000000" "0100" "1100" "01000000" "FF" "05",
			"a tag that has more bytes");
	refused(1, "01000100" "FEFFFFFF" "0100" "1100" "00000001" "07" "03",
			"01000100" "FFFFFFFF" "0100" "1100" "00000001" "07" "03",
			"a block beyond the last");
	refused(1, runs, "02000100" "00000000" "0100" "1100" "01020000" "07" "02000000" "47",
			"two runs of one tag");
	refused(1, runs, "02000100" "00000000" "0100" "1100" "01020000" "07" "02000000" "2D",
			"a last run without entries");
	refused(1, runs, "02000100" "FFFFFFFF" "0100" "1100" "01020000" "07" "02000000" "8D",
			"runs that reach beyond the last block");
}

/* Bytes of an entry, in thousandths. */
static int
size_of(int tag_bytes, int count)
{
	return (int) (steward_blind_pack(room_bytes, ROOM, tag_bytes, entries, count, NULL) * 1000 /
				  (unsigned int) count);
}

static void
test_sizes(void)
{
	int			size;
	int			count;

	for (int i = 0; i < 1400; i++)
		entries[i] = (StewardBlindEntry) {
			random_tag(40) % ((UINT64_C(1) << 20) * 1400),
			tid_of(next_random() % 17500, 1 + next_random() % 57)
		};
	size = size_of(5, in_order(1400));
	tap_ok(size <= 5450, "1400 entries of 40 bits take %d / 1000 bytes each", size);
	for (int i = 0; i < 1400; i++)
		entries[i].tag = random_tag(128) % (((StewardBlindTag) 1 << 76) * 1400);
	size = size_of(12, in_order(1400));
	tap_ok(size <= 12500, "of 96 bits %d / 1000", size);
	for (int i = 0; i < 4000; i++)
		entries[i] = (StewardBlindEntry) {
			(unsigned int) i / 1000 * UINT64_C(1000000007),
			tid_of(next_random() % 17500, 1 + next_random() % 57)
		};
	count = in_order(4000);
	size = size_of(5, count);
	tap_ok(size <= 1750, "runs of 1000 %d / 1000", size);
}

static void
test_segments(void)
{
	StewardBlindPacked packed;
	Guarded		copy;
	int			lists;
	int			runs;

	copy = pack(5, 0, &packed);
	tap_ok(steward_blind_segments(&packed, &lists, &runs) && lists == 0 && runs == 0,
		   "nothing has no segments");
	guard_free(&copy);
	for (int i = 0; i < 1000; i++)
		entries[i] = (StewardBlindEntry) {
			(unsigned int) i * UINT64_C(1000000007) + 1, tid_of((unsigned int) i * 7919 % 1000, 1)
		};
	for (int i = 1000; i < 2000; i++)
		entries[i] = (StewardBlindEntry) {
			UINT64_C(1000000007000), tid_of((unsigned int) i, 1)
		};
	copy = pack(5, 2000, &packed);
	tap_ok(steward_blind_segments(&packed, &lists, &runs) && lists == 8 && runs == 8,
		   "a thousand tags are lists, and a tag of a thousand rows runs");
	packed.len = 3;
	tap_ok(!steward_blind_segments(&packed, &lists, &runs), "what is no packed part has none");
	guard_free(&copy);
}

int
main(void)
{
	tap_begin();
	random_state = UINT64_C(0x9E3779B97F4A7C15);
	test_known();
	test_shapes();
	test_many();
	test_extremes();
	test_run_lengths();
	test_rooms();
	test_halves();
	test_every_damage();
	test_refused();
	test_sizes();
	test_segments();
	return tap_end();
}

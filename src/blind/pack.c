/*
 * pack.c: writing the packed part of a leaf; see codec.h, and README, "Pages".
 *
 * First the directory is laid out, as long as there is room for it and for the data
 * that it promises; then the data are written behind it.
 */
#include "blind/codec.h"

#include "blind/ascending.h"
#include "blind/segment.h"

/* A run of so many equal tags pays for segments of its own. */
#define LONG_RUN 64

/* What a segment would be, and how long. */
typedef struct Shape
{
	int			count;
	int			runs;			/* 0: each entry has its own tag */
	int			low_bits;
	int			tid_bits;
	uint32_t	block;			/* least of its TIDs */
	uint32_t	blocks;			/* from it to the greatest */
	uint32_t	per_block;
	size_t		bytes;			/* of its data */
} Shape;

static uint64_t
shape_number(const Shape *shape, uint64_t tid)
{
	return ((tid >> 16) - shape->block) * shape->per_block + (tid & 0xFFFF) - 1;
}

static uint64_t
shape_span(const Shape *shape)
{
	return (uint64_t) shape->blocks * shape->per_block;
}

/* Finds where the TIDs are; returns the greatest. *runs is how many tags there are. */
static uint64_t
shape_measure(Shape *shape, const StewardBlindEntry *entries, int *runs)
{
	uint64_t	least = entries[0].tid;
	uint64_t	greatest = entries[0].tid;

	*runs = 1;
	shape->per_block = 1;
	for (int i = 0; i < shape->count; i++)
	{
		uint64_t	tid = entries[i].tid;

		if (i > 0 && entries[i].tag != entries[i - 1].tag)
			*runs += 1;
		least = tid < least ? tid : least;
		greatest = tid > greatest ? tid : greatest;
		if ((tid & 0xFFFF) > shape->per_block)
			shape->per_block = tid & 0xFFFF;
	}
	shape->block = (uint32_t) (least >> 16);
	shape->blocks = (uint32_t) (greatest >> 16) - shape->block + 1;
	return greatest;
}

/* The shape of a segment of these entries: the shorter of a list and runs. */
static void
shape_fit(Shape *shape, const StewardBlindEntry *entries, int count)
{
	StewardBlindTag last_tag = entries[count - 1].tag - entries[0].tag;
	StewardWide last_number;
	StewardWide list_bits;
	StewardWide runs_bits;
	uint64_t	greatest;
	int			list_low;
	int			list_tid;

	shape->count = count;
	greatest = shape_measure(shape, entries, &shape->runs);
	list_low = steward_ascending_low_bits(last_tag, count);
	list_tid = steward_bits_filled(shape_number(shape, greatest));
	list_bits = (StewardWide) (count * (list_low + list_tid)) +
		steward_ascending_high_bits(last_tag, list_low, count);
	last_number = (StewardWide) shape_span(shape) * (unsigned int) (shape->runs - 1) +
		shape_number(shape, entries[count - 1].tid);
	shape->low_bits = steward_ascending_low_bits(last_tag, shape->runs);
	shape->tid_bits = steward_ascending_low_bits(last_number, count);
	runs_bits = (shape->runs > 1 ? BLOCKS_BITS : 0) +
		(StewardWide) (shape->runs * shape->low_bits + count * shape->tid_bits) +
		steward_ascending_high_bits(last_tag, shape->low_bits, shape->runs) +
		steward_ascending_high_bits(last_number, shape->tid_bits, count);
	if (list_bits < runs_bits)
	{
		shape->runs = 0;
		shape->low_bits = list_low;
		shape->tid_bits = list_tid;
		runs_bits = list_bits;
	}
	shape->bytes = (size_t) ((runs_bits + 7) / 8);
}

/* Do so many equal tags begin with this entry? */
static bool
run_begins(const StewardBlindEntry *entries, int count, int at)
{
	return count - at >= LONG_RUN && entries[at].tag == entries[at + LONG_RUN - 1].tag;
}

/* How many entries from at on a segment takes. */
static int
segment_count(const StewardBlindEntry *entries, int count, int at)
{
	bool		is_run = run_begins(entries, count, at);
	int			i = at + 1;

	while (i < count && i - at < STEWARD_BLIND_SEGMENT)
	{
		if (entries[i].tag == entries[i - 1].tag || is_run)
		{
			if (entries[i].tag != entries[at].tag && is_run)
				break;
		}
		else if (run_begins(entries, count, i))
			break;
		i++;
	}
	return i - at;
}

/* The shape of as many of count entries as have room; false when none has. */
static bool
shape_within(Shape *shape, const StewardBlindEntry *entries, int count, size_t room)
{
	int			from = 0;

	shape_fit(shape, entries, count);
	if (shape->bytes <= room)
		return true;
	/* A segment with one more entry is not shorter. */
	while (count - from > 1)
	{
		int			middle = (from + count) / 2;

		shape_fit(shape, entries, middle);
		if (shape->bytes <= room)
			from = middle;
		else
			count = middle;
	}
	if (from > 0)
		shape_fit(shape, entries, from);
	return from > 0;
}

static void
store_segment(unsigned char *out, const Shape *shape, StewardBlindTag tag,
			  int tag_bytes, size_t offset)
{
	StewardBitsWriter writer = {out, 0, 0};

	steward_bits_put(&writer, shape->block, 32);
	steward_bits_put(&writer, shape->per_block, 16);
	steward_bits_put(&writer, offset, 16);
	steward_bits_put(&writer, (uint64_t) shape->count - 1, 8);
	steward_bits_put(&writer, (uint64_t) shape->runs, 8);
	steward_bits_put(&writer, (uint64_t) shape->low_bits, 8);
	steward_bits_put(&writer, (uint64_t) shape->tid_bits, 8);
	steward_bits_put_wide(&writer, tag, tag_bytes * 8);
	steward_bits_finish(&writer);
}

/* Writes the tags of a segment, each minus the first, and the numbers of its TIDs. */
static void
segment_values(const Shape *shape, const StewardBlindEntry *entries,
			   StewardWide *tags, StewardWide *numbers)
{
	StewardWide base = 0;
	int			runs = 0;

	for (int i = 0; i < shape->count; i++)
	{
		if (shape->runs == 0 || i == 0 || entries[i].tag != entries[i - 1].tag)
		{
			if (shape->runs > 0 && i > 0)
				base += shape_span(shape);
			tags[runs++] = entries[i].tag - entries[0].tag;
		}
		numbers[i] = base + shape_number(shape, entries[i].tid);
	}
}

static void
put_low_bits(StewardBitsWriter *writer, const StewardWide *numbers, int count, int low_bits)
{
	for (int i = 0; i < count; i++)
		steward_bits_put_wide(writer, numbers[i], low_bits);
}

static void
put_high_bits(StewardBitsWriter *writer, const StewardWide *numbers, int count, int low_bits)
{
	uint64_t	before = 0;

	for (int i = 0; i < count; i++)
	{
		uint64_t	high = (uint64_t) steward_bits_shift_right(numbers[i], low_bits);

		steward_bits_put_unary(writer, high - before);
		before = high;
	}
}

/* Writes the data of a segment; returns their end. */
static unsigned char *
store_data(unsigned char *out, const Shape *shape, const StewardBlindEntry *entries)
{
	StewardWide tags[STEWARD_BLIND_SEGMENT];
	StewardWide numbers[STEWARD_BLIND_SEGMENT];
	StewardBitsWriter writer = {out, 0, 0};
	int			tag_count = shape->runs > 0 ? shape->runs : shape->count;

	segment_values(shape, entries, tags, numbers);
	if (shape->runs > 1)
		steward_bits_put(&writer, shape->blocks, BLOCKS_BITS);
	put_low_bits(&writer, tags, tag_count, shape->low_bits);
	put_low_bits(&writer, numbers, shape->count, shape->tid_bits);
	put_high_bits(&writer, tags, tag_count, shape->low_bits);
	if (shape->runs > 0)
		put_high_bits(&writer, numbers, shape->count, shape->tid_bits);
	return steward_bits_finish(&writer);
}

/* How many entries fit; *segments is into how many segments. */
static int
entries_within(const StewardBlindEntry *entries, int count, int tag_bytes, size_t room,
			   int *segments)
{
	size_t		each = directory_entry_bytes(tag_bytes);
	int			at = 0;

	*segments = 0;
	if (room > MOST_BYTES)
		room = MOST_BYTES;
	room = room > HEADER_BYTES ? room - HEADER_BYTES : 0;
	while (at < count)
	{
		int			wanted = segment_count(entries, count, at);
		Shape		shape;

		if (room < each || !shape_within(&shape, entries + at, wanted, room - each))
			break;

		/*
		 * The beginning of a long run would not have been cut off from what
		 * is before it, had it been all: what was packed shall pack again to
		 * the same.
		 */
		if (shape.count < wanted && shape.count < LONG_RUN && at > 0 &&
			run_begins(entries, count, at))
			break;
		room -= each + shape.bytes;
		at += shape.count;
		*segments += 1;
		if (shape.count < wanted)
			break;
	}
	return at;
}

size_t
steward_blind_pack(unsigned char *out, size_t room, int tag_bytes,
				   const StewardBlindEntry *entries, int count, int *packed)
{
	int			segments;
	int			within = entries_within(entries, count, tag_bytes, room, &segments);
	StewardBitsWriter header = {out, 0, 0};
	unsigned char *end;
	int			at = 0;

	if (room < HEADER_BYTES || (packed == NULL && within < count))
		return 0;
	if (packed != NULL)
		*packed = within;
	steward_bits_put(&header, (uint64_t) within, 16);
	steward_bits_put(&header, (uint64_t) segments, 16);
	steward_bits_finish(&header);
	end = out + HEADER_BYTES + (size_t) segments * directory_entry_bytes(tag_bytes);
	for (int i = 0; i < segments; i++)
	{
		int			taken = segment_count(entries, count, at);
		Shape		shape;

		shape_fit(&shape, entries + at, taken < within - at ? taken : within - at);
		store_segment(out + HEADER_BYTES + (size_t) i * directory_entry_bytes(tag_bytes), &shape,
					  entries[at].tag, tag_bytes, (size_t) (end - out));
		end = store_data(end, &shape, entries + at);
		at += shape.count;
	}
	return (size_t) (end - out);
}

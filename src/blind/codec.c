/*
 * codec.c: reading the packed part of a leaf; see codec.h, and README, "Pages".
 *
 * Nothing here trusts the bytes: what a segment claims is checked against their length
 * before its data are read. Whether entries are in order is seen by those functions that
 * read all of them; the others find what is there, or nothing, in bytes that are not.
 */
#include "blind/codec.h"

#include "blind/ascending.h"
#include "blind/segment.h"

/* A packed part whose directory is all there. */
typedef struct Directory
{
	StewardBits bits;
	int			tag_bytes;
	int			entries;
	int			segments;
} Directory;

typedef struct Segment
{
	StewardBlindTag first;		/* tag of the first entry */
	uint32_t	block;
	uint32_t	per_block;
	size_t		offset;
	int			count;
	int			runs;			/* 0: each entry has its own tag */
	int			tid_bits;
	uint64_t	span;			/* TIDs have numbers below this */
	uint64_t	inverse;		/* 2^64 / per_block, rounded up; 0 for 1 */
	StewardAscending tags;		/* each minus the first */
	size_t		tids_at;		/* low bits of numbers of TIDs, or all */
} Segment;

static uint32_t
load_u16(const unsigned char *bytes)
{
	return bytes[0] | (uint32_t) bytes[1] << 8;
}

static uint32_t
load_u32(const unsigned char *bytes)
{
	return load_u16(bytes) | load_u16(bytes + 2) << 16;
}

static bool
directory_open(Directory *directory, const StewardBlindPacked *packed)
{
	if (packed->len < HEADER_BYTES || packed->len > MOST_BYTES ||
		packed->tag_bytes < 1 || packed->tag_bytes > 16)
		return false;
	directory->bits.bytes = packed->bytes;
	directory->bits.len = packed->len;
	directory->tag_bytes = packed->tag_bytes;
	directory->entries = (int) load_u16(packed->bytes);
	directory->segments = (int) load_u16(packed->bytes + 2);
	return directory->entries <= STEWARD_BLIND_MAX_ENTRIES &&
		(size_t) directory->segments * directory_entry_bytes(packed->tag_bytes) <=
		packed->len - HEADER_BYTES;
}

static const unsigned char *
directory_entry(const Directory *directory, int i)
{
	return directory->bits.bytes + HEADER_BYTES +
		(size_t) i * directory_entry_bytes(directory->tag_bytes);
}

static size_t
directory_end(const Directory *directory)
{
	return HEADER_BYTES +
		(size_t) directory->segments * directory_entry_bytes(directory->tag_bytes);
}

static StewardBlindTag
directory_tag(const Directory *directory, int i)
{
	size_t		at = (size_t) (directory_entry(directory, i) - directory->bits.bytes) + AT_TAG;

	return steward_bits_get_wide(&directory->bits, at * 8, directory->tag_bytes * 8);
}

static int
directory_count(const Directory *directory, int i)
{
	return directory_entry(directory, i)[AT_LAST] + 1;
}

/* Entries of the segments before this one. */
static int
directory_position(const Directory *directory, int segment)
{
	int			position = 0;

	for (int i = 0; i < segment; i++)
		position += directory_count(directory, i);
	return position;
}

/* The first segment whose tag is not below this one. */
static int
directory_find(const Directory *directory, StewardBlindTag tag)
{
	int			from = 0;
	int			to = directory->segments;

	while (from < to)
	{
		int			middle = (from + to) / 2;

		if (directory_tag(directory, middle) < tag)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static StewardBlindTag
greatest_tag(int tag_bytes)
{
	return steward_bits_shift_right(~(StewardBlindTag) 0, 128 - tag_bytes * 8);
}

/* Takes a segment's numbers out of the directory, and where its data are. */
static bool
segment_open(Segment *segment, const Directory *directory, int i)
{
	const unsigned char *entry = directory_entry(directory, i);
	uint32_t	blocks = UINT32_MAX;
	size_t		at;

	segment->first = directory_tag(directory, i);
	segment->block = load_u32(entry + AT_BLOCK);
	segment->per_block = load_u16(entry + AT_PER_BLOCK);
	segment->offset = load_u16(entry + AT_OFFSET);
	segment->count = entry[AT_LAST] + 1;
	segment->runs = entry[AT_RUNS];
	segment->tid_bits = entry[AT_TID_BITS];
	if (segment->per_block == 0 || segment->count > STEWARD_BLIND_SEGMENT ||
		segment->runs > segment->count || entry[AT_LOW_BITS] > 128 ||
		segment->tid_bits > MOST_TID_BITS || segment->offset < directory_end(directory))
		return false;
	at = segment->offset * 8;
	segment->span = ((UINT64_C(1) << 32) - segment->block) * segment->per_block;
	if (segment->runs > 1)
	{
		blocks = (uint32_t) steward_bits_get(&directory->bits, at, BLOCKS_BITS);
		if (blocks == 0 || blocks > (UINT64_C(1) << 32) - segment->block)
			return false;
		segment->span = (uint64_t) blocks * segment->per_block;
		at += BLOCKS_BITS;
	}
	segment->inverse = UINT64_MAX / segment->per_block + 1;
	segment->tags.bits = directory->bits;
	segment->tags.count = segment->runs > 0 ? segment->runs : segment->count;
	segment->tags.low_bits = entry[AT_LOW_BITS];
	steward_ascending_limit(&segment->tags,
							greatest_tag(directory->tag_bytes) - segment->first);
	segment->tags.low_at = at;
	segment->tids_at = at + (size_t) (segment->tags.count * segment->tags.low_bits);
	segment->tags.high_at = segment->tids_at + (size_t) (segment->count * segment->tid_bits);
	return segment->tags.high_at <= directory->bits.len * 8;
}

/*
 * The numbers of the TIDs of a segment of runs: each TID's number and, for run i, i times
 * the span. They begin behind those of tags.
 */
static void
segment_numbers(StewardAscending *numbers, const Segment *segment)
{
	numbers->bits = segment->tags.bits;
	numbers->count = segment->count;
	numbers->low_bits = segment->tid_bits;
	numbers->low_at = segment->tids_at;
	numbers->high_at = steward_ascending_end(&segment->tags);
	steward_ascending_limit(numbers,
							(StewardWide) segment->span * (unsigned int) segment->runs - 1);
}

/*
 * The TID of a number below the span, by multiplying: numbers have 48 bits, and per_block
 * 16, so that what the inverse is too great by does not make a difference.
 */
static uint64_t
segment_tid(const Segment *segment, uint64_t number)
{
	uint64_t	block = number;

	if (segment->inverse != 0)
		block = (uint64_t) ((StewardWide) number * segment->inverse >> 64);
	return (segment->block + block) << 16 | (number - block * segment->per_block + 1);
}

/* The number of entry i of a segment without runs. */
static uint64_t
segment_number(const Segment *segment, int i)
{
	return steward_bits_get(&segment->tags.bits,
							segment->tids_at + (size_t) (i * segment->tid_bits),
							segment->tid_bits);
}

/* The number that a TID has in a segment; false when it cannot be there. */
static bool
segment_number_of(const Segment *segment, uint64_t tid, uint64_t *number)
{
	uint64_t	block = tid >> 16;
	uint64_t	offset = tid & 0xFFFF;

	if (block < segment->block || offset == 0 || offset > segment->per_block)
		return false;
	*number = (block - segment->block) * segment->per_block + offset - 1;
	return *number < segment->span;
}

int
steward_blind_count(const StewardBlindPacked *packed)
{
	Directory	directory;

	return directory_open(&directory, packed) ? directory.entries : -1;
}

bool
steward_blind_segments(const StewardBlindPacked *packed, int *lists, int *runs)
{
	Directory	directory;

	*lists = *runs = 0;
	if (!directory_open(&directory, packed))
		return false;
	for (int i = 0; i < directory.segments; i++)
	{
		if (directory_entry(&directory, i)[AT_RUNS] == 0)
			(*lists)++;
		else
			(*runs)++;
	}
	return true;
}

int
steward_blind_half(const StewardBlindPacked *packed)
{
	Directory	directory;

	return directory_open(&directory, packed) ?
		directory_position(&directory, directory.segments / 2) : 0;
}

/* The TIDs of entries from to upto of a segment without runs. */
static bool
collect_list(const Segment *segment, int from, int upto, uint64_t *tids)
{
	for (int i = from; i < upto; i++)
	{
		uint64_t	number = segment_number(segment, i);

		if (number >= segment->span)
			return false;
		*tids++ = segment_tid(segment, number);
	}
	return true;
}

/*
 * The TIDs of runs from to upto, at most max; their number, or -1. *before is
 * how many entries the runs before have.
 */
static int
collect_runs(const Segment *segment, int from, int upto, uint64_t *tids, int max,
			 int *before)
{
	StewardAscending numbers;
	StewardAscendingCursor cursor;
	StewardWide base = (StewardWide) segment->span * (unsigned int) from;
	int			found = 0;
	bool		more;

	segment_numbers(&numbers, segment);
	more = steward_ascending_seek(&cursor, &numbers, base);
	*before = cursor.index;
	while (more && from < upto)
	{
		if (cursor.value - base >= segment->span)
		{
			base += segment->span;
			from++;
			continue;
		}
		if (found == max)
			return -1;
		tids[found++] = segment_tid(segment, (uint64_t) (cursor.value - base));
		more = steward_ascending_next(&cursor);
	}
	return cursor.damaged ? -1 : found;
}

/* As steward_blind_collect, of one segment that begins with a tag up to high. */
static int
collect_segment(const Segment *segment, StewardBlindTag low, StewardBlindTag high,
				uint64_t *tids, int max, int *before)
{
	StewardAscendingCursor cursor;
	StewardBlindTag sought = low > segment->first ? low - segment->first : 0;
	int			from;
	bool		more;

	more = steward_ascending_seek(&cursor, &segment->tags, sought);
	from = cursor.index;
	while (more && cursor.value <= high - segment->first)
		more = steward_ascending_next(&cursor);
	if (cursor.damaged)
		return -1;
	if (segment->runs > 0)
		return collect_runs(segment, from, cursor.index, tids, max, before);
	*before = from;
	if (cursor.index - from > max || !collect_list(segment, from, cursor.index, tids))
		return -1;
	return cursor.index - from;
}

int
steward_blind_collect(const StewardBlindPacked *packed, StewardBlindTag low,
					  StewardBlindTag high, uint64_t *tids, int max, int *first)
{
	Directory	directory;
	int			at;
	int			found = 0;

	if (!directory_open(&directory, packed))
		return -1;
	at = directory_find(&directory, low);
	/* The segment before ends with greater tags than it begins with. */
	at -= at > 0;
	*first = directory_position(&directory, at);
	for (; at < directory.segments && directory_tag(&directory, at) <= high; at++)
	{
		Segment		segment;
		int			before;
		int			more;

		if (!segment_open(&segment, &directory, at))
			return -1;
		more = collect_segment(&segment, low, high, tids + found, max - found, &before);
		if (more < 0)
			return -1;
		if (found == 0)
			*first += before;
		found += more;
	}
	return *first + found <= directory.entries ? found : -1;
}

/* Is there an entry in this segment? 1, 0 or -1. */
static int
segment_has(const Segment *segment, StewardBlindTag tag, uint64_t tid)
{
	StewardAscending numbers;
	StewardAscendingCursor cursor;
	StewardBlindTag sought = tag - segment->first;
	uint64_t	number;
	bool		more;

	if (!segment_number_of(segment, tid, &number))
		return 0;
	more = steward_ascending_seek(&cursor, &segment->tags, sought);
	if (segment->runs > 0 && more && cursor.value == sought)
	{
		StewardWide whole = (StewardWide) segment->span * (unsigned int) cursor.index + number;

		segment_numbers(&numbers, segment);
		more = steward_ascending_seek(&cursor, &numbers, whole);
		return cursor.damaged ? -1 : more && cursor.value == whole;
	}
	while (more && cursor.value == sought)
	{
		if (segment_number(segment, cursor.index) == number)
			return 1;
		more = steward_ascending_next(&cursor);
	}
	return cursor.damaged ? -1 : 0;
}

/* The TID of a segment's first entry. */
static bool
segment_first_tid(const Segment *segment, uint64_t *tid)
{
	StewardAscending numbers;
	StewardAscendingCursor cursor;
	uint64_t	number;

	if (segment->runs > 0)
	{
		segment_numbers(&numbers, segment);
		if (!steward_ascending_first(&cursor, &numbers))
			return false;
		number = (uint64_t) cursor.value;
	}
	else
		number = segment_number(segment, 0);
	*tid = segment_tid(segment, number);
	return number < segment->span;
}

int
steward_blind_has(const StewardBlindPacked *packed, StewardBlindTag tag, uint64_t tid)
{
	Directory	directory;
	Segment		segment;
	int			from = 0;
	int			to;

	if (!directory_open(&directory, packed))
		return -1;
	/* Which is the last segment that does not begin behind the entry? */
	to = directory.segments;
	while (from < to)
	{
		int			middle = (from + to) / 2;
		StewardBlindTag first = directory_tag(&directory, middle);
		uint64_t	first_tid = 0;

		if (first == tag && !(segment_open(&segment, &directory, middle) &&
							  segment_first_tid(&segment, &first_tid)))
			return -1;
		if (steward_blind_compare(first, first_tid, tag, tid) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	if (from == 0)
		return 0;
	if (!segment_open(&segment, &directory, from - 1))
		return -1;
	return segment_has(&segment, tag, tid);
}

/* All entries of a segment without runs; the bit behind its data, 0 for damage. */
static size_t
unpack_list(const Segment *segment, StewardBlindEntry *entries)
{
	StewardAscendingCursor cursor;
	bool		more = steward_ascending_first(&cursor, &segment->tags);

	while (more)
	{
		uint64_t	number = segment_number(segment, cursor.index);

		if (number >= segment->span)
			return 0;
		entries[cursor.index].tag = segment->first + cursor.value;
		entries[cursor.index].tid = segment_tid(segment, number);
		more = steward_ascending_next(&cursor);
	}
	return cursor.damaged ? 0 : cursor.end;
}

/* The tags of all runs, which differ; false for damage. */
static bool
unpack_tags(const Segment *segment, StewardBlindTag *tags)
{
	StewardAscendingCursor cursor;
	bool		more = steward_ascending_first(&cursor, &segment->tags);

	while (more)
	{
		tags[cursor.index] = segment->first + cursor.value;
		if (cursor.index > 0 && tags[cursor.index - 1] >= tags[cursor.index])
			return false;
		more = steward_ascending_next(&cursor);
	}
	return !cursor.damaged;
}

/* As unpack_list, of a segment of runs. Each has an entry. */
static size_t
unpack_runs(const Segment *segment, StewardBlindEntry *entries)
{
	StewardBlindTag tags[STEWARD_BLIND_SEGMENT];
	StewardAscending numbers;
	StewardAscendingCursor cursor;
	StewardWide base = 0;
	int			run = 0;
	bool		more;

	if (!unpack_tags(segment, tags))
		return 0;
	segment_numbers(&numbers, segment);
	more = steward_ascending_first(&cursor, &numbers);
	while (more)
	{
		if (cursor.value - base >= segment->span && cursor.index > 0)
		{
			base += segment->span;
			run++;
		}
		if (cursor.value - base >= segment->span)
			return 0;
		entries[cursor.index].tag = tags[run];
		entries[cursor.index].tid = segment_tid(segment, (uint64_t) (cursor.value - base));
		more = steward_ascending_next(&cursor);
	}
	return cursor.damaged || run != segment->runs - 1 ? 0 : cursor.end;
}

/*
 * Unpacks one segment whose data begin at *offset, and moves it behind them. They begin
 * with the tag in the directory, and end in a byte whose other bits are 0.
 */
static bool
unpack_segment(const Segment *segment, StewardBlindEntry *entries, size_t *offset)
{
	size_t		end;
	size_t		padding;

	if (segment->offset != *offset)
		return false;
	end = segment->runs > 0 ? unpack_runs(segment, entries) : unpack_list(segment, entries);
	if (end == 0 || entries[0].tag != segment->first)
		return false;
	padding = (8 - end % 8) % 8;
	*offset = (end + padding) / 8;
	return steward_bits_get(&segment->tags.bits, end, (int) padding) == 0;
}

/*
 * Checks all that there is to check of a packed part, on the way unpacking up to max
 * entries, unless NULL. Returns their number, or -1.
 */
static int
unpack(const StewardBlindPacked *packed, StewardBlindEntry *out, int max)
{
	StewardBlindEntry entries[STEWARD_BLIND_SEGMENT];
	StewardBlindEntry last = {0, 0};
	Directory	directory;
	size_t		offset;
	int			done = 0;

	if (!directory_open(&directory, packed) || directory.entries > max)
		return -1;
	offset = directory_end(&directory);
	for (int i = 0; i < directory.segments; i++)
	{
		Segment		segment;

		if (!segment_open(&segment, &directory, i) ||
			segment.count > directory.entries - done ||
			!unpack_segment(&segment, entries, &offset))
			return -1;
		for (int j = 0; j < segment.count; j++)
		{
			if (steward_blind_compare(last.tag, last.tid, entries[j].tag, entries[j].tid) >= 0)
				return -1;
			last = entries[j];
		}
		if (out != NULL)
			memcpy(out + done, entries, (size_t) segment.count * sizeof *out);
		done += segment.count;
	}
	return done == directory.entries && offset == packed->len ? done : -1;
}

int
steward_blind_unpack(const StewardBlindPacked *packed, StewardBlindEntry *entries, int max)
{
	return unpack(packed, entries, max);
}

bool
steward_blind_is_packed(const StewardBlindPacked *packed)
{
	return unpack(packed, NULL, STEWARD_BLIND_MAX_ENTRIES) >= 0;
}

/*
 * blind_codec_fuzz.c: any bytes as a packed part, and any entries into one.
 *
 * The lowest four bits of the first byte choose how long tags are. If the next bit is
 * 0, the other bytes are a packed part; else two are the room for one, two which byte
 * of it to damage and how, and the rest says which entries to pack.
 */
#include "blind/codec.h"

#include "fuzz.h"

#define ROOM_MAX 8192

static StewardBlindEntry entries[STEWARD_BLIND_MAX_ENTRIES];
static uint64_t tids[STEWARD_BLIND_MAX_ENTRIES];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	return 0;
}

static int
compare_entries(const void *a, const void *b)
{
	const StewardBlindEntry *x = a;
	const StewardBlindEntry *y = b;

	return steward_blind_compare(x->tag, x->tid, y->tag, y->tid);
}

/* A search for the tags of entries from to upto finds these, and no others. */
static void
must_find(const StewardBlindPacked *packed, int count, int from, int upto)
{
	StewardBlindTag low = entries[from].tag;
	StewardBlindTag high = entries[upto].tag;
	int			first;

	while (from > 0 && entries[from - 1].tag == low)
		from--;
	while (upto < count && entries[upto].tag == high)
		upto++;
	MUST(steward_blind_collect(packed, low, high, tids, upto - from, &first) == upto - from);
	MUST(first == from);
	for (int i = from; i < upto; i++)
		MUST(tids[i - from] == entries[i].tid);
	MUST(steward_blind_collect(packed, low, high, tids, upto - from - 1, &first) == -1);
}

/* Is said to be there what is, and nothing that is between it and the next. */
static void
must_have(const StewardBlindPacked *packed, int count, int i)
{
	StewardBlindEntry after = entries[i];

	MUST(steward_blind_has(packed, after.tag, after.tid) == 1);
	after.tid++;
	MUST(steward_blind_has(packed, after.tag, after.tid) ==
		 (i + 1 < count && compare_entries(&after, &entries[i + 1]) == 0));
}

/* Everything that can be said of a packed part whose entries are in the array. */
static void
must_hold(const StewardBlindPacked *packed, int count)
{
	static unsigned char again[65536];
	int			first;
	size_t		len;

	MUST(steward_blind_count(packed) == count);
	for (int i = 1; i < count; i++)
		MUST(compare_entries(&entries[i - 1], &entries[i]) < 0);
	/* Not around each of many: more inputs find more. */
	for (int i = 0; i < count; i += 1 + count / 16)
	{
		must_have(packed, count, i);
		must_find(packed, count, i, i + (count - i - 1) % 7);
	}
	MUST(steward_blind_collect(packed, 0, ~(StewardBlindTag) 0, tids, count, &first) == count);
	len = steward_blind_pack(again, sizeof again, packed->tag_bytes, entries, count, NULL);
	if (len > 0)
	{
		static StewardBlindEntry other[STEWARD_BLIND_MAX_ENTRIES];
		StewardBlindPacked repacked = {again, len, packed->tag_bytes};

		MUST(steward_blind_unpack(&repacked, other, count) == count);
		for (int i = 0; i < count; i++)
			MUST(compare_entries(&entries[i], &other[i]) == 0);
	}
}

static void
try_packed(const unsigned char *bytes, size_t len, int tag_bytes)
{
	unsigned char *copy = malloc(len);	/* as long: the sanitizer guards its end */
	StewardBlindPacked packed = {copy, len, tag_bytes};
	StewardBlindTag tag = 0;
	int			first;
	int			count;
	int			lists;
	int			runs;

	if (len > 0)
		memcpy(copy, bytes, len);
	if (len >= sizeof tag)
		memcpy(&tag, bytes + len - sizeof tag, sizeof tag);
	(void) steward_blind_collect(&packed, 0, ~(StewardBlindTag) 0, tids,
								 STEWARD_BLIND_MAX_ENTRIES, &first);
	for (int shift = 0; shift < 128; shift += 8)
	{
		(void) steward_blind_collect(&packed, tag >> shift, tag >> shift, tids,
									 STEWARD_BLIND_MAX_ENTRIES, &first);
		(void) steward_blind_has(&packed, tag >> shift, (uint64_t) tag >> 16);
	}
	count = steward_blind_unpack(&packed, entries, STEWARD_BLIND_MAX_ENTRIES);
	MUST(steward_blind_is_packed(&packed) == (count >= 0));
	MUST(steward_blind_segments(&packed, &lists, &runs) || count < 0);
	if (count >= 0)
		must_hold(&packed, count);
	free(copy);
}

/*
 * Entries from bytes. One says how many of those that follow are added to the
 * tag and how the TID moves on.
 */
static int
make_entries(const unsigned char *bytes, size_t len, int tag_bytes)
{
	StewardBlindTag most = ~(StewardBlindTag) 0 >> (128 - 8 * tag_bytes);
	StewardBlindTag tag = 0;
	uint32_t	block = 0;
	int			count = 0;
	int			kept = 0;

	while (len > 0 && count < STEWARD_BLIND_MAX_ENTRIES)
	{
		unsigned char how = *bytes++;
		size_t		step_len = how % 16;
		StewardBlindTag step = 0;

		len--;
		step_len = step_len < len ? step_len : len;
		memcpy(&step, bytes, step_len);
		bytes += step_len;
		len -= step_len;
		tag = (tag + step) & most;
		block += (uint32_t) how >> 4;
		if (how == 0xFF)
			block *= 65521;
		entries[count].tag = tag;
		entries[count].tid = (uint64_t) block << 16 | (1 + (uint64_t) count * 17 % (1 + how));
		count++;
	}
	qsort(entries, (size_t) count, sizeof entries[0], compare_entries);
	for (int i = 0; i < count; i++)
	{
		if (kept == 0 || compare_entries(&entries[kept - 1], &entries[i]) != 0)
			entries[kept++] = entries[i];
	}
	return kept;
}

static void
try_entries(const unsigned char *bytes, size_t len, int tag_bytes)
{
	unsigned char *out;
	size_t		room;
	size_t		out_len;
	int			count;
	int			fit;

	if (len < 4)
		return;
	room = 4 + (bytes[0] | (size_t) bytes[1] << 8) % ROOM_MAX;
	count = make_entries(bytes + 4, len - 4, tag_bytes);
	out = malloc(room);
	out_len = steward_blind_pack(out, room, tag_bytes, entries, count, &fit);
	MUST(out_len >= 4 && out_len <= room && fit <= count);
	must_hold(&(StewardBlindPacked) {out, out_len, tag_bytes}, fit);
	out[bytes[2] % out_len] ^= bytes[3];
	try_packed(out, out_len, tag_bytes);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return 0;
	if ((bytes[0] & 16) == 0)
		try_packed(bytes + 1, len - 1, 1 + bytes[0] % 16);
	else
		try_entries(bytes + 1, len - 1, 1 + bytes[0] % 16);
	return 0;
}

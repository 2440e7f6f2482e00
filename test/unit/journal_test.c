/*
 * journal_test.c: the revocation journal: what a crash leaves is tolerated at
 * every byte, what somebody alters is noticed at every byte.
 */
#include "crypto/bytes.h"
#include "crypto/journal.h"

#include "tap.h"

#define RECORD STEWARD_JOURNAL_RECORD_BYTES
#define RECORDS 6

static StewardJournalKey list[2];
static const StewardJournalKeys both = {list, 2};
static unsigned char realm[STEWARD_REALM_BYTES];

/* Six records: appends of 1, 2 and 3; the last one under the other root. */
static unsigned char journal[RECORDS * RECORD];
static const uint32_t parts[RECORDS] = {0, 0, 1, 0, 1, 2};

static void
make_journal(void)
{
	StewardJournalEnd end = {0};

	for (int i = 0; i < RECORDS; i++)
	{
		unsigned char subject[STEWARD_UUID_BYTES];

		fill_sequence(subject, sizeof subject, (unsigned char) (16 * i));
		steward_journal_write(journal + i * RECORD, &end, &list[i >= 3],
							  i == 0 ? STEWARD_JOURNAL_OPENING :
							  STEWARD_JOURNAL_REVOCATION, parts[i], 1000 + i,
							  realm, subject);
	}
}

/* Reads slots, each from a guarded copy; the number of records. */
static StewardJournalReader
read_all(const unsigned char *bytes, size_t len, const StewardJournalKeys *keys)
{
	StewardJournalReader reader = {0};
	size_t		at;

	for (at = 0; at + RECORD <= len; at += RECORD)
	{
		Guarded		copy = guard_copy(bytes + at, RECORD);
		StewardJournalRecord record;

		(void) steward_journal_feed(&reader, &record, copy.bytes, keys);
		guard_free(&copy);
	}
	reader.torn |= at < len;
	return reader;
}

static void
test_whole(void)
{
	StewardJournalReader reader = read_all(journal, sizeof journal, &both);
	StewardJournalRecord record;
	unsigned char zeros[RECORD] = {0};

	tap_ok(reader.status == STEWARD_JOURNAL_OK && !reader.torn &&
		   !reader.ended && reader.end.count == RECORDS, "a whole journal");
	tap_bytes(reader.end.last, journal + sizeof journal - 32, 32, "its last MAC");
	tap_ok(steward_journal_check(&record, zeros, &both) == STEWARD_JOURNAL_FREE,
		   "a free slot");
	tap_ok(steward_journal_check(&record, journal + RECORD, &both) == STEWARD_JOURNAL_OK &&
		   record.kind == STEWARD_JOURNAL_REVOCATION && record.number == 2 &&
		   record.part == 0 && record.time == 1001 &&
		   memcmp(record.realm, realm, sizeof realm) == 0 &&
		   record.subject[0] == 16 &&
		   memcmp(record.root_id, list[0].root_id, STEWARD_ROOT_ID_BYTES) == 0 &&
		   memcmp(record.previous, journal + RECORD - 32, 32) == 0,
		   "the fields of a record");
}

/* Cut anywhere, with and without zeros set aside behind. */
static void
test_torn(void)
{
	unsigned char padded[sizeof journal + 3 * RECORD];
	bool		cut_good = true;
	bool		padded_good = true;

	for (size_t len = 0; len <= sizeof journal; len++)
	{
		StewardJournalReader reader = read_all(journal, len, &both);

		cut_good &= reader.status == STEWARD_JOURNAL_OK &&
			reader.end.count == len / RECORD && reader.torn == (len % RECORD != 0);
		memset(padded, 0, sizeof padded);
		memcpy(padded, journal, len);
		reader = read_all(padded, sizeof padded, &both);
		padded_good &= reader.status == STEWARD_JOURNAL_OK &&
			reader.end.count == len / RECORD && reader.torn == (len % RECORD != 0);
	}
	tap_ok(cut_good, "cut at every byte: the whole records count");
	tap_ok(padded_good, "cut at every byte, zeros behind: likewise");
}

/* Of one append any slot may be missing; of an earlier one none. */
static void
test_holes(void)
{
	for (int i = 0; i < RECORDS; i++)
	{
		unsigned char copy[sizeof journal];
		StewardJournalReader reader;

		memcpy(copy, journal, sizeof copy);
		memset(copy + i * RECORD, 0, RECORD);
		reader = read_all(copy, sizeof copy, &both);
		tap_ok(reader.end.count == (uint64_t) i &&
			   reader.status == (i < 3 ? STEWARD_JOURNAL_BAD : STEWARD_JOURNAL_OK),
			   "record %d is missing: %s", i + 1,
			   i < 3 ? "altered, as a later append is whole" : "torn");
	}
}

static void
test_altered(void)
{
	bool		noticed = true;
	bool		left_out = true;

	for (size_t at = 0; at < sizeof journal; at++)
	{
		for (int bit = 0; bit < 8; bit++)
		{
			unsigned char copy[sizeof journal];
			StewardJournalReader reader;

			memcpy(copy, journal, sizeof copy);
			copy[at] ^= 1 << bit;
			reader = read_all(copy, sizeof copy, &both);
			left_out &= reader.end.count == at / RECORD;
			if (at < 3 * RECORD)
				noticed &= reader.status != STEWARD_JOURNAL_OK;
		}
	}
	tap_ok(left_out, "a bit altered anywhere: the record does not count, nor what follows");
	tap_ok(noticed, "and before the last append it is noticed");
}

static void
expect(const unsigned char *bytes, size_t len, const StewardJournalKeys *keys,
	   StewardJournalStatus status, uint64_t count, const char *name)
{
	StewardJournalReader reader = read_all(bytes, len, keys);

	tap_ok(reader.status == status && reader.end.count == count, "%s", name);
}

static void
test_moved(void)
{
	unsigned char copy[sizeof journal];
	StewardJournalEnd other_end = {0};
	StewardJournalKeys old = {list, 1};
	StewardJournalKeys newer = {list + 1, 1};
	StewardJournalKeys none = {list, 0};

	memcpy(copy, journal, sizeof copy);
	memmove(copy + RECORD, copy + 2 * RECORD, 4 * RECORD);
	expect(copy, 5 * RECORD, &both, STEWARD_JOURNAL_BAD, 1, "a record was dropped");
	expect(journal + RECORD, 5 * RECORD, &both, STEWARD_JOURNAL_BAD, 0,
		   "the first record was dropped");
	memcpy(copy, journal, sizeof copy);
	memcpy(copy + 4 * RECORD, journal + 5 * RECORD, RECORD);
	memcpy(copy + 5 * RECORD, journal + 4 * RECORD, RECORD);
	expect(copy, sizeof copy, &both, STEWARD_JOURNAL_BAD, 4, "two records changed places");
	memcpy(copy, journal, sizeof copy);
	memcpy(copy + 5 * RECORD, journal + RECORD, RECORD);
	expect(copy, sizeof copy, &both, STEWARD_JOURNAL_BAD, 5, "a record was repeated");
	/* A journal of our own hand, with another first record. */
	memcpy(copy, journal, sizeof copy);
	steward_journal_write(copy, &other_end, &list[0], STEWARD_JOURNAL_OPENING, 0, 7,
						  realm, realm);
	expect(copy, sizeof copy, &both, STEWARD_JOURNAL_BAD, 1, "another journal's beginning");
	expect(journal, sizeof journal, &old, STEWARD_JOURNAL_OTHER_ROOT, 3,
		   "a root is missing");
	expect(journal, sizeof journal, &newer, STEWARD_JOURNAL_OTHER_ROOT, 0,
		   "the older root is missing, as it may after a rotation");
	expect(journal, sizeof journal, &none, STEWARD_JOURNAL_OTHER_ROOT, 0, "all roots are");
	memcpy(copy, journal, sizeof copy);
	copy[2 * RECORD + 50] ^= 1;
	expect(copy, sizeof copy, &old, STEWARD_JOURNAL_OTHER_ROOT, 2,
		   "altered before a record whose root is missing: refused all the same");
}

static void
test_form(void)
{
	StewardJournalEnd end = {0};
	unsigned char slot[RECORD];
	StewardJournalRecord record;
	static const struct
	{
		int			at;
		unsigned char value;
		const char *name;
	}			forms[] = {
		{0, 2, "another format"}, {0, 0, "format 0"}, {1, 0, "kind 0"}, {1, 3, "kind 3"},
		{2, 1, "a byte that is zero"}, {3, 128, "the other one"},
		{7, 1, "a part as high as the number"},
	};

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
	{
		memset(&end, 0, sizeof end);
		steward_journal_write(slot, &end, &list[0], STEWARD_JOURNAL_REVOCATION, 0, 0,
							  realm, realm);
		slot[forms[i].at] = forms[i].value;
		/* With a MAC that fits: only the form can be what is refused. */
		(void) crypto_generichash(slot + 96, 32, slot, 96, list[0].key, STEWARD_KEY_BYTES);
		tap_ok(steward_journal_check(&record, slot, &both) == STEWARD_JOURNAL_BAD,
			   "%s is no record", forms[i].name);
	}
}

static void
test_resume(void)
{
	StewardJournalReader reader = read_all(journal, 3 * RECORD + 20, &both);
	StewardJournalRecord record;
	bool		all = true;

	tap_ok(reader.torn && reader.end.count == 3, "reading ends at half a record");
	steward_journal_resume(&reader);
	for (int i = 3; i < RECORDS; i++)
		all &= steward_journal_feed(&reader, &record, journal + i * RECORD, &both);
	tap_ok(all && reader.end.count == RECORDS && !reader.torn &&
		   reader.status == STEWARD_JOURNAL_OK, "and goes on when it is whole");
}

int
main(void)
{
	unsigned char root[STEWARD_KEY_BYTES];

	tap_begin();
	for (int i = 0; i < 2; i++)
	{
		fill_sequence(root, sizeof root, (unsigned char) (100 * i));
		steward_kdf_root_id(list[i].root_id, root);
		steward_kdf_journal(list[i].key, root);
	}
	fill_sequence(realm, sizeof realm, 200);
	make_journal();
	test_whole();
	test_torn();
	test_holes();
	test_altered();
	test_moved();
	test_form();
	test_resume();
	return tap_end();
}

/*
 * journal_fuzz.c: any bytes as a journal, and whole journals with any damage.
 *
 * An input that begins with an even byte is a journal as it is. Of any other the
 * first half tells what to append and the rest what to do to it; then whatever
 * counts must stand where it was written, and a journal that passes as whole
 * must have lost the end of its last append at most, or whole appends, as a cut
 * can always take them.
 */
#include "crypto/journal.h"

#include "fuzz.h"

#define RECORD STEWARD_JOURNAL_RECORD_BYTES
#define MOST 64

static StewardJournalKey list[2];
static const StewardJournalKeys keys = {list, 2};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	unsigned char root[STEWARD_KEY_BYTES];

	(void) argc;
	(void) argv;
	if (steward_crypto_init() != 0)
		return 1;
	for (int i = 0; i < 2; i++)
	{
		for (size_t j = 0; j < sizeof root; j++)
			root[j] = (unsigned char) (i + j);
		steward_kdf_root_id(list[i].root_id, root);
		steward_kdf_journal(list[i].key, root);
	}
	return 0;
}

/* Reads and checks what holds of every journal. */
static StewardJournalReader
read_well(const uint8_t *bytes, size_t len)
{
	StewardJournalReader reader = {0};

	for (size_t at = 0; at + RECORD <= len; at += RECORD)
	{
		unsigned char *slot = malloc(RECORD);
		StewardJournalRecord record;
		StewardJournalEnd before = reader.end;

		memcpy(slot, bytes + at, RECORD);
		if (steward_journal_feed(&reader, &record, slot, &keys))
		{
			unsigned char again[RECORD];

			MUST(before.count == at / RECORD && reader.end.count == before.count + 1);
			MUST(record.number == reader.end.count && record.part < record.number);
			steward_journal_write(again, &before,
								  &list[memcmp(record.root_id, list[0].root_id,
											   STEWARD_ROOT_ID_BYTES) != 0],
								  record.kind, record.part, record.time,
								  record.realm, record.subject);
			MUST(memcmp(again, slot, RECORD) == 0);
		}
		else
		{
			MUST(memcmp(&before, &reader.end, sizeof before) == 0);
			MUST(reader.ended);
		}
		free(slot);
	}
	MUST(reader.slots == len / RECORD);
	return reader;
}

/* Makes a journal; fills in where the append of each record begins. */
static size_t
make_journal(unsigned char *journal, size_t *starts, const uint8_t *how, size_t len)
{
	static const unsigned char realms[2][STEWARD_REALM_BYTES] = {"realm one", "realm two"};
	StewardJournalEnd end = {0};
	size_t		count = 0;

	for (size_t i = 0; i < len && count < MOST; i++)
	{
		size_t		start = count;

		for (uint32_t part = 0; part <= how[i] % 4 && count < MOST; part++)
		{
			unsigned char subject[STEWARD_UUID_BYTES] = {(unsigned char) count, how[i]};

			starts[count] = start;
			steward_journal_write(journal + count * RECORD, &end, &list[how[i] / 4 % 2],
								  how[i] & 8 ? STEWARD_JOURNAL_OPENING :
								  STEWARD_JOURNAL_REVOCATION, part, how[i],
								  realms[how[i] / 16 % 2], subject);
			count++;
		}
	}
	return count;
}

/* One thing that crashes, disks and hands do, in three bytes. */
static void
damage(unsigned char *journal, size_t count, const uint8_t *how)
{
	size_t		slot = how[1] % count;
	size_t		other = how[2] % count;
	unsigned char kept[RECORD];

	switch (how[0] % 5)
	{
		case 0:
			journal[slot * RECORD + how[2] % RECORD] ^= 1 << (how[0] / 5 % 8);
			break;
		case 1:
			memset(journal + slot * RECORD + how[2] % RECORD, 0, RECORD - how[2] % RECORD);
			break;
		case 2:
			memcpy(journal + slot * RECORD, journal + other * RECORD, RECORD);
			break;
		case 3:
			memcpy(kept, journal + slot * RECORD, RECORD);
			memmove(journal + slot * RECORD, journal + other * RECORD, RECORD);
			memcpy(journal + other * RECORD, kept, RECORD);
			break;
		default:
			memset(journal + slot * RECORD, 0, (count - slot) * RECORD);
			break;
	}
}

static void
try_damage(const uint8_t *bytes, size_t len)
{
	static unsigned char before[MOST * RECORD];
	static unsigned char after[MOST * RECORD];
	size_t		starts[MOST];
	size_t		count = make_journal(before, starts, bytes, len / 2);
	StewardJournalReader reader;

	if (count == 0)
		return;
	reader = read_well(before, count * RECORD);
	MUST(reader.status == STEWARD_JOURNAL_OK && reader.end.count == count &&
		 !reader.torn);
	memcpy(after, before, sizeof after);
	for (size_t i = len / 2; i + 3 <= len; i += 3)
		damage(after, count, bytes + i);
	reader = read_well(after, count * RECORD);
	MUST(memcmp(before, after, reader.end.count * RECORD) == 0);
	if (reader.status != STEWARD_JOURNAL_OK)
		return;
	/* Whole: behind its end no record of a later append is left in place. */
	for (size_t i = reader.end.count; i < count; i++)
		MUST(starts[i] <= reader.end.count ||
			 memcmp(before + i * RECORD, after + i * RECORD, RECORD) != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return 0;
	if (bytes[0] % 2 == 0)
		(void) read_well(bytes + 1, len - 1);
	else
		try_damage(bytes + 1, len - 1);
	return 0;
}

/*
 * journal.c: the records of the revocation journal; see journal.h.
 */
#include "crypto/journal.h"

#include <sodium.h>
#include <string.h>

#include "crypto/bytes.h"
#include "crypto/wipe.h"

#define FORMAT 1

/* Offsets in a record. */
enum
{
	AT_FORMAT = 0, AT_KIND = 1, AT_ZERO = 2, AT_PART = 4, AT_ROOT = 8,
	AT_NUMBER = 16, AT_TIME = 24, AT_REALM = 32, AT_SUBJECT = 48,
	AT_PREVIOUS = 64, AT_MAC = 96
};

static void
compute_mac(unsigned char mac[STEWARD_JOURNAL_MAC_BYTES],
			const unsigned char *slot, const unsigned char *key)
{
	(void) crypto_generichash(mac, STEWARD_JOURNAL_MAC_BYTES, slot, AT_MAC, key,
							  STEWARD_KEY_BYTES);
	steward_wipe_frames();
}

bool
steward_journal_parse(StewardJournalRecord *record,
					  const unsigned char slot[STEWARD_JOURNAL_RECORD_BYTES])
{
	memset(record, 0, sizeof *record);
	if (slot[AT_FORMAT] != FORMAT ||
		(slot[AT_KIND] != STEWARD_JOURNAL_OPENING &&
		 slot[AT_KIND] != STEWARD_JOURNAL_REVOCATION) ||
		slot[AT_ZERO] != 0 || slot[AT_ZERO + 1] != 0)
		return false;
	record->kind = (StewardJournalKind) slot[AT_KIND];
	record->part = steward_load_be32(slot + AT_PART);
	record->root_id = slot + AT_ROOT;
	record->number = steward_load_be64(slot + AT_NUMBER);
	record->time = (int64_t) steward_load_be64(slot + AT_TIME);
	record->realm = slot + AT_REALM;
	record->subject = slot + AT_SUBJECT;
	record->previous = slot + AT_PREVIOUS;
	record->mac = slot + AT_MAC;
	return record->number > record->part;
}

StewardJournalStatus
steward_journal_check(StewardJournalRecord *record,
					  const unsigned char slot[STEWARD_JOURNAL_RECORD_BYTES],
					  const StewardJournalKeys *keys)
{
	unsigned char mac[STEWARD_JOURNAL_MAC_BYTES];

	if (!steward_journal_parse(record, slot))
		return sodium_is_zero(slot, STEWARD_JOURNAL_RECORD_BYTES) ?
			STEWARD_JOURNAL_FREE : STEWARD_JOURNAL_BAD;
	for (size_t i = 0; i < keys->count; i++)
	{
		if (memcmp(keys->keys[i].root_id, record->root_id,
				   STEWARD_ROOT_ID_BYTES) != 0)
			continue;
		compute_mac(mac, slot, keys->keys[i].key);
		return sodium_memcmp(mac, record->mac, sizeof mac) == 0 ?
			STEWARD_JOURNAL_OK : STEWARD_JOURNAL_BAD;
	}
	return STEWARD_JOURNAL_OTHER_ROOT;
}

/* Is a good record at the reader's end the one that belongs there? */
static bool
follows(const StewardJournalReader *reader, const StewardJournalRecord *record)
{
	return record->number == reader->end.count + 1 &&
		memcmp(record->previous, reader->end.last,
			   STEWARD_JOURNAL_MAC_BYTES) == 0;
}

/*
 * Does a good record in the slot just fed, at or behind the place where reading
 * ended, show that this place was whole once?
 */
static bool
contradicts(const StewardJournalReader *reader,
			const StewardJournalRecord *record)
{
	uint64_t	append_start = record->number - 1 - record->part;

	return record->number != reader->slots || append_start > reader->end.count ||
		reader->slots == reader->end.count + 1;
}

/* A record under a root that we do not have; half a record is not taken for
 * one, as it does not get as far as a number. */
static void
note_other_root(StewardJournalReader *reader, const StewardJournalRecord *record)
{
	if (record->number != reader->slots || reader->status != STEWARD_JOURNAL_OK)
		return;
	reader->status = STEWARD_JOURNAL_OTHER_ROOT;
	reader->blind = !reader->ended;
	memcpy(reader->other_root, record->root_id, STEWARD_ROOT_ID_BYTES);
}

bool
steward_journal_feed(StewardJournalReader *reader, StewardJournalRecord *record,
					 const unsigned char slot[STEWARD_JOURNAL_RECORD_BYTES],
					 const StewardJournalKeys *keys)
{
	StewardJournalStatus status = steward_journal_check(record, slot, keys);

	reader->slots++;
	if (!reader->ended && status == STEWARD_JOURNAL_OK && follows(reader, record))
	{
		reader->end.count++;
		memcpy(reader->end.last, record->mac, STEWARD_JOURNAL_MAC_BYTES);
		return true;
	}
	if (status == STEWARD_JOURNAL_OTHER_ROOT)
		note_other_root(reader, record);
	reader->ended = true;
	if (status == STEWARD_JOURNAL_FREE)
		return false;
	reader->torn = true;
	/* Behind a record that we cannot check, the others cannot fit. */
	if (status == STEWARD_JOURNAL_OK && !reader->blind &&
		contradicts(reader, record))
		reader->status = STEWARD_JOURNAL_BAD;
	return false;
}

void
steward_journal_resume(StewardJournalReader *reader)
{
	reader->slots = reader->end.count;
	reader->ended = false;
	reader->torn = false;
	reader->blind = false;
	reader->status = STEWARD_JOURNAL_OK;
}

void
steward_journal_write(unsigned char slot[STEWARD_JOURNAL_RECORD_BYTES],
					  StewardJournalEnd *end, const StewardJournalKey *key,
					  StewardJournalKind kind, uint32_t part, int64_t time,
					  const unsigned char realm[STEWARD_REALM_BYTES],
					  const unsigned char subject[STEWARD_UUID_BYTES])
{
	memset(slot, 0, STEWARD_JOURNAL_RECORD_BYTES);
	slot[AT_FORMAT] = FORMAT;
	slot[AT_KIND] = (unsigned char) kind;
	steward_store_be32(slot + AT_PART, part);
	memcpy(slot + AT_ROOT, key->root_id, STEWARD_ROOT_ID_BYTES);
	steward_store_be64(slot + AT_NUMBER, end->count + 1);
	steward_store_be64(slot + AT_TIME, (uint64_t) time);
	memcpy(slot + AT_REALM, realm, STEWARD_REALM_BYTES);
	memcpy(slot + AT_SUBJECT, subject, STEWARD_UUID_BYTES);
	memcpy(slot + AT_PREVIOUS, end->last, STEWARD_JOURNAL_MAC_BYTES);
	compute_mac(slot + AT_MAC, slot, key->key);
	end->count++;
	memcpy(end->last, slot + AT_MAC, STEWARD_JOURNAL_MAC_BYTES);
}

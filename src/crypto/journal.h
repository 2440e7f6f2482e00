/*
 * journal.h: the records of the revocation journal, and reading them in order.
 *
 * A journal is a row of slots of 128 bytes: records, then free slots of zeros
 * that were set aside. All numbers are big-endian.
 *
 *	  0	 format 1
 *	  1	 kind
 *	  2	 zero (2 bytes)
 *	  4	 part: how many records before this one are of the same append (be32)
 *	  8	 root id (8)
 *	 16	 number, from 1 (be64)
 *	 24	 time, microseconds since 2000-01-01 UTC (be64)
 *	 32	 realm (16)
 *	 48	 subject (16)
 *	 64	 MAC of the record before; zeros in the first (32)
 *	 96	 MAC (32) = BLAKE2b-256(key = journal key of the root, bytes 0 … 95)
 *
 * A crash leaves at most the last append unfinished, in any order of its bytes:
 * what is no record at the end of a journal is torn, and the next append writes
 * over it. A record that is good by itself behind such a place, of a later
 * append or under another number than its slot's, shows that the place was
 * whole once: the journal was altered.
 *
 * Terms
 *	 opening	the first record of a realm; its subject is random, nobody's
 *	 part		position in an append: the records of one transaction
 */
#ifndef STEWARD_CRYPTO_JOURNAL_H
#define STEWARD_CRYPTO_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/kdf.h"
#include "crypto/wrap.h"

#define STEWARD_JOURNAL_RECORD_BYTES 128
#define STEWARD_JOURNAL_MAC_BYTES 32

typedef enum StewardJournalKind
{
	STEWARD_JOURNAL_OPENING = 1,
	STEWARD_JOURNAL_REVOCATION = 2
} StewardJournalKind;

/* What MACs records under one root. */
typedef struct StewardJournalKey
{
	unsigned char root_id[STEWARD_ROOT_ID_BYTES];
	unsigned char key[STEWARD_KEY_BYTES];
} StewardJournalKey;

typedef struct StewardJournalKeys
{
	const StewardJournalKey *keys;
	size_t		count;
} StewardJournalKeys;

/* A record; the pointers are into its slot. */
typedef struct StewardJournalRecord
{
	StewardJournalKind kind;
	uint32_t	part;
	const unsigned char *root_id;
	uint64_t	number;
	int64_t		time;
	const unsigned char *realm;
	const unsigned char *subject;
	const unsigned char *previous;
	const unsigned char *mac;
} StewardJournalRecord;

typedef enum StewardJournalStatus
{
	STEWARD_JOURNAL_OK = 0,		/* for a reader: whole, but for a torn tail */
	STEWARD_JOURNAL_FREE,		/* a slot of zeros */
	STEWARD_JOURNAL_BAD,		/* no record; for a reader: altered */
	STEWARD_JOURNAL_OTHER_ROOT	/* under a root that we do not have */
} StewardJournalStatus;

/* Where the next record goes. */
typedef struct StewardJournalEnd
{
	uint64_t	count;			/* records before it */
	unsigned char last[STEWARD_JOURNAL_MAC_BYTES];	/* MAC of the last one */
} StewardJournalEnd;

/* Reading slot by slot; zeros at the start of a journal. */
typedef struct StewardJournalReader
{
	StewardJournalEnd end;		/* after the last good record */
	uint64_t	slots;			/* fed so far */
	bool		ended;			/* a slot was no record */
	bool		torn;			/* and it was not free either */
	bool		blind;			/* its root is one that we do not have */
	StewardJournalStatus status;
	unsigned char other_root[STEWARD_ROOT_ID_BYTES];	/* of OTHER_ROOT */
} StewardJournalReader;

/* Takes a slot apart and checks its form alone. False: no record. */
extern bool steward_journal_parse(StewardJournalRecord *record,
								  const unsigned char slot[STEWARD_JOURNAL_RECORD_BYTES]);

/* Checks form and MAC of a slot, not its place. Fills record unless FREE or
 * BAD. */
extern StewardJournalStatus steward_journal_check(StewardJournalRecord *record,
												  const unsigned char slot[STEWARD_JOURNAL_RECORD_BYTES],
												  const StewardJournalKeys *keys);

/*
 * Feeds the next slot. True, and record, when it is the next record. After the
 * first that is not, the rest is looked through for signs of alteration.
 */
extern bool steward_journal_feed(StewardJournalReader *reader,
								 StewardJournalRecord *record,
								 const unsigned char slot[STEWARD_JOURNAL_RECORD_BYTES],
								 const StewardJournalKeys *keys);

/* Makes a reader go on at its end, to read what was appended since. */
extern void steward_journal_resume(StewardJournalReader *reader);

/* Writes the next record under key, and moves the end behind it. */
extern void steward_journal_write(unsigned char slot[STEWARD_JOURNAL_RECORD_BYTES],
								  StewardJournalEnd *end,
								  const StewardJournalKey *key,
								  StewardJournalKind kind, uint32_t part,
								  int64_t time,
								  const unsigned char realm[STEWARD_REALM_BYTES],
								  const unsigned char subject[STEWARD_UUID_BYTES]);

#endif							/* STEWARD_CRYPTO_JOURNAL_H */

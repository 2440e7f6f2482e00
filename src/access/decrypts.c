/*
 * decrypts.c: how many values were decrypted, by key and subject.
 *
 * Counted are values whose plaintext was handed out, not those that were opened to
 * be compared. They are those of the read that runs, or, outside of one, of the
 * transaction.
 */
#include "base/compat.h"

#include "access/spool_json.h"
#include "access/read.h"
#include "access/reader.h"
#include "base/guc.h"
#include "crypto/kdf.h"
#include "keys/keys.h"
#include "types/encrypted.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* So many pairs of key and subject are told apart; further subjects are counted
 * together, as left off. */
#define MAX_PAIRS 10000

typedef struct Pair
{
	uint64		owner;			/* a read's number, or 0 */
	uint32		key_id;
	bool		bound;
	bool		left_off;
	unsigned char subject[STEWARD_UUID_BYTES];
} Pair;

typedef struct Counted
{
	Pair		pair;			/* the key, zeroed where it has holes */
	uint64		count;
} Counted;

typedef struct KeyName
{
	uint32		key_id;
	char	   *json;			/* in TopMemoryContext, for good: an id never
								 * gets another path */
} KeyName;

static HTAB *counts = NULL;
static HTAB *names = NULL;
static Counted *newest = NULL;

/* A name is looked up when it is first met: at an abort that is not possible. */
static void
name_key(uint32 key_id)
{
	KeyName    *name = hash_search(names, &key_id, HASH_FIND, NULL);
	StringInfoData json;
	char	   *path;

	if (name != NULL)
		return;
	path = steward_key_path(key_id);
	if (path == NULL)
		return;
	initStringInfo(&json);
	steward_spool_json_string(&json, path);
	name = hash_search(names, &key_id, HASH_ENTER, NULL);
	name->json = NULL;
	name->json = MemoryContextStrdup(TopMemoryContext, json.data);
}

static void
begin(void)
{
	HASHCTL		control = {.keysize = sizeof(Pair), .entrysize = sizeof(Counted)};
	HASHCTL		name_control = {.keysize = sizeof(uint32), .entrysize = sizeof(KeyName)};

	names = hash_create("pg_steward names of counted keys", 16, &name_control,
						HASH_ELEM | HASH_BLOBS);
	counts = hash_create("pg_steward counted decryptions", 64, &control,
						 HASH_ELEM | HASH_BLOBS);
}

static void
count(uint32 key_id, const unsigned char *subject)
{
	Pair		pair;
	bool		found;

	if (!steward_access_rules_known() || steward_access_audit == STEWARD_ACCESS_OFF)
		return;
	if (unlikely(counts == NULL))
		begin();
	memset(&pair, 0, sizeof pair);
	pair.owner = steward_read_running != NULL && !steward_read_running->check ?
		steward_read_running->number : 0;
	pair.key_id = key_id;
	pair.bound = subject != NULL;
	if (subject != NULL)
		memcpy(pair.subject, subject, sizeof pair.subject);
	if (newest == NULL || memcmp(&newest->pair, &pair, sizeof pair) != 0)
	{
		/* What an abort writes must be known before. */
		steward_reader_refresh();
		name_key(key_id);
		if (subject != NULL && hash_get_num_entries(counts) >= MAX_PAIRS &&
			hash_search(counts, &pair, HASH_FIND, NULL) == NULL)
		{
			memset(pair.subject, 0, sizeof pair.subject);
			pair.left_off = true;
		}
		newest = hash_search(counts, &pair, HASH_ENTER, &found);
		if (!found)
			newest->count = 0;
	}
	newest->count++;
}

bool
steward_decrypts_any(uint64 owner)
{
	HASH_SEQ_STATUS status;
	Counted    *counted;

	if (counts == NULL || hash_get_num_entries(counts) == 0)
		return false;
	hash_seq_init(&status, counts);
	while ((counted = hash_seq_search(&status)) != NULL)
		if (counted->pair.owner == owner)
		{
			hash_seq_term(&status);
			return true;
		}
	return false;
}

static void
put_subject(StringInfo out, const unsigned char *subject)
{
	char		hex[STEWARD_UUID_BYTES * 2];

	hex_encode((const char *) subject, STEWARD_UUID_BYTES, hex);
	steward_spool_json_put(out, ",\"subject\":\"");
	for (int i = 0; i < (int) sizeof hex; i++)
	{
		if (i == 8 || i == 12 || i == 16 || i == 20)
			appendStringInfoCharMacro(out, '-');
		appendStringInfoCharMacro(out, hex[i]);
	}
	appendStringInfoCharMacro(out, '"');
}

static void
put_counted(StringInfo out, const Counted *counted)
{
	const KeyName *name = hash_search(names, &counted->pair.key_id, HASH_FIND, NULL);

	steward_spool_json_put(out, "{\"key\":");
	if (name != NULL && name->json != NULL)
		appendStringInfoString(out, name->json);
	else
		steward_spool_json_put(out, "null");
	if (counted->pair.left_off)
		steward_spool_json_put(out, ",\"subjects_left_off\":true");
	else if (counted->pair.bound)
		put_subject(out, counted->pair.subject);
	steward_spool_json_put(out, ",\"count\":");
	steward_spool_json_unsigned(out, counted->count);
	appendStringInfoCharMacro(out, '}');
}

void
steward_decrypts_put(StringInfo out, uint64 owner)
{
	HASH_SEQ_STATUS status;
	Counted    *counted;
	const char *separator = ",\"decrypts\":[";
	bool		any = false;

	if (counts == NULL || hash_get_num_entries(counts) == 0)
		return;
	newest = NULL;
	hash_seq_init(&status, counts);
	while ((counted = hash_seq_search(&status)) != NULL)
	{
		if (counted->pair.owner != owner)
			continue;
		appendStringInfoString(out, separator);
		put_counted(out, counted);
		hash_search(counts, &counted->pair, HASH_REMOVE, NULL);
		separator = ",";
		any = true;
	}
	if (any)
		appendStringInfoCharMacro(out, ']');
}

void
steward_decrypts_init(void)
{
	steward_on_decrypted = count;
}

/*
 * subject_cache.c: keys of subjects as this process knows them.
 *
 * Two bounded caches: from a version of a named key and a uuid to the key of
 * values (in locked memory; the secret itself is not kept), and from a subject's
 * name to its uuid. Erased subjects are cached as such.
 *
 * Both are thrown away when a row of steward.subject_key is changed or deleted
 * (its trigger sends a relation-cache invalidation, which is transactional and
 * reaches standbys), and when the named keys are: before the next use, and the keys
 * when the transaction ends that heard of it. New rows say nothing about
 * cached ones. What was read from rows of this very transaction is dropped by
 * itself when a part of the transaction is rolled back or prepared.
 */
#include "keys/subject.h"

#include <sodium.h>

#include "access/xact.h"
#include "base/guc.h"
#include "base/relation_change.h"
#include "crypto/random.h"
#include "crypto/tag.h"
#include "keys/keys.h"
#include "keys/lru.h"
#include "keys/revocation.h"
#include "keys/roots.h"
#include "keys/secrets.h"
#include "keys/subject_table.h"
#include "keys/subject_wrap.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/memutils.h"

/* What a cached key is for: the pointer stands for holder and version. */
typedef struct KeyPlace
{
	const StewardValueKey *version;
	unsigned char uuid[STEWARD_UUID_BYTES];
} KeyPlace;

/* What is known of a place besides the key. */
typedef struct KeyState
{
	bool		erased;
	bool		own;			/* of a row of this transaction */
} KeyState;

typedef struct NamedSubject
{
	StewardSubject subject;
	bool		own;
} NamedSubject;

static MemoryContext cache_context = NULL;
static int	places = 0;
static StewardLru *key_places = NULL;
static KeyState *key_states;
static StewardValueKey *keys;
static StewardLru *name_places;
static NamedSubject *named;
static unsigned char name_key[STEWARD_TAG_KEY_BYTES];

static bool stale = false;		/* throw away before the next use */
static List *own_keys = NIL;	/* places that may be of own rows */
static List *own_names = NIL;
static uint64 changes = 0;
static uint64 key_generation = 0;

/* ---- the caches as a whole ---- */

static void *
make_array(Size element)
{
	return MemoryContextAllocExtended(cache_context, places * element,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* Remembers that a place is of a row of this transaction. */
static void
note_own(List **list, int place)
{
	MemoryContext caller = MemoryContextSwitchTo(cache_context);

	*list = lappend_int(*list, place);
	MemoryContextSwitchTo(caller);
}

static void
throw_away(void)
{
	stale = true;				/* until all of it is done */
	key_places = NULL;
	own_keys = own_names = NIL;
	if (cache_context == NULL)
		cache_context = AllocSetContextCreate(TopMemoryContext,
											  "pg_steward subjects",
											  ALLOCSET_SMALL_SIZES);
	else
		MemoryContextReset(cache_context);
	/* Zeroed, so that no key outlives what says whose it is. */
	steward_secrets_subjects_release();
	keys = steward_secrets_subjects(&places);
	steward_random_key(name_key, sizeof name_key);
	key_states = make_array(sizeof(KeyState));
	named = make_array(sizeof(NamedSubject));
	name_places = steward_lru_make(cache_context, "pg_steward subject names",
								   places, STEWARD_TAG128_BYTES);
	key_places = steward_lru_make(cache_context, "pg_steward subject keys",
								  places, sizeof(KeyPlace));
	stale = false;
}

/* Makes the caches usable; returns the generation of the named keys. */
static uint64
refresh(void)
{
	uint64		generation = steward_key_generation();

	if (unlikely(key_places == NULL || stale || key_generation != generation ||
				 places != steward_subject_cache_size))
	{
		throw_away();
		key_generation = generation;
	}
	return generation;
}

/* ---- keys ---- */

static pg_attribute_noreturn() void
raise_missing(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("a value is bound to a subject that this database does not have"),
			 errhint("Restore the tables of schema \"steward\" that belong to the data.")));
}

static pg_attribute_noreturn() void
raise_revoked(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("a value is bound to a subject that was erased"),
			 errdetail("The revocation journal names the subject, but this database still has its secret: it was restored from an older backup."),
			 errhint("Run SELECT steward.apply_revocations(), which erases it here too; its values read as null then.")));
}

static pg_attribute_noreturn() void
raise_altered(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the wrapped secret of a subject cannot be opened"),
			 errdetail("It was altered, or it belongs to another subject or another database."),
			 errhint("Restore the tables of schema \"steward\" together, from one dump.")));
}

/*
 * Reads the row of a subject; when it is alive, its secret is in the scratch
 * space, which the caller zeroes.
 */
static StewardSubjectState
read_subject(const unsigned char *uuid, StewardSubjectRow *row)
{
	bool		revoked = false;

	if (!steward_subject_table_find(uuid, row))
		return STEWARD_SUBJECT_MISSING;
	if (!row->erased)
	{
		revoked = steward_revocation_is_revoked(uuid);

		/*
		 * It may have been erased since we read it: the tombstone comes
		 * first.
		 */
		if (revoked && !steward_subject_table_find(uuid, row))
			return STEWARD_SUBJECT_MISSING;
	}
	if (row->erased)
		return steward_subject_is_tombstone(row) ? STEWARD_SUBJECT_ERASED :
			STEWARD_SUBJECT_ALTERED;
	if (revoked)
		return STEWARD_SUBJECT_REVOKED;
	return steward_subject_unwrap(row) ? STEWARD_SUBJECT_ALIVE :
		STEWARD_SUBJECT_ALTERED;
}

/* Caches the key of a subject under a version; returns its place. */
static int
keep_key(const KeyPlace *name, const StewardSubjectRow *row)
{
	int			place = steward_lru_take(key_places, name);
	StewardValueKey *key = &keys[place];

	key_states[place].erased = row->erased;
	key_states[place].own = row->own;
	if (row->own)
		note_own(&own_keys, place);
	if (!row->erased)
	{
		steward_kdf_subject(key->key, name->version->key,
							steward_secrets()->scratch);
		steward_value_key(key, key->key);
	}
	return place;
}

StewardSubjectState
steward_subject_state(const unsigned char *uuid)
{
	StewardSubjectRow row;
	StewardSubjectState state = read_subject(uuid, &row);

	sodium_memzero(steward_secrets()->scratch, STEWARD_KEY_BYTES);
	return state;
}

StewardSubjectState
steward_subject_try_key(uint32 key_id, uint32 key_tag,
						const unsigned char *uuid, const StewardValueKey **key)
{
	for (;;)
	{
		uint64		generation = refresh();
		KeyPlace	name;
		StewardSubjectRow row;
		StewardSubjectState state;
		uint64		before;
		int			place;

		/* Finding the version may throw away what was made usable just now. */
		name.version = steward_key_for_opening(key_id, key_tag);
		if (unlikely(generation != refresh()))
			continue;
		memcpy(name.uuid, uuid, STEWARD_UUID_BYTES);
		place = steward_lru_find(key_places, &name);
		if (unlikely(place < 0))
		{
			before = changes;
			state = read_subject(uuid, &row);
			/* Something changed while we read: what we have may be old. */
			if (before == changes && generation == refresh() &&
				state <= STEWARD_SUBJECT_ERASED)
				place = keep_key(&name, &row);
			sodium_memzero(steward_secrets()->scratch, STEWARD_KEY_BYTES);
			if (state > STEWARD_SUBJECT_ERASED)
				return state;
			if (place < 0)
				continue;
		}
		*key = &keys[place];
		return key_states[place].erased ? STEWARD_SUBJECT_ERASED :
			STEWARD_SUBJECT_ALIVE;
	}
}

static void
check_state(StewardSubjectState state)
{
	switch (state)
	{
		case STEWARD_SUBJECT_ALIVE:
		case STEWARD_SUBJECT_ERASED:
			return;
		case STEWARD_SUBJECT_MISSING:
			raise_missing();
		case STEWARD_SUBJECT_REVOKED:
			raise_revoked();
		case STEWARD_SUBJECT_ALTERED:
			raise_altered();
	}
}

const StewardValueKey *
steward_subject_key(uint32 key_id, uint32 key_tag, const unsigned char *uuid)
{
	const StewardValueKey *key;
	StewardSubjectState state;

	/* The values of an erased subject read as null without their version too. */
	if (unlikely(steward_key_is_destroyed(key_id, key_tag)))
	{
		state = steward_subject_state(uuid);
		check_state(state);
		if (state == STEWARD_SUBJECT_ERASED)
			return NULL;
	}
	state = steward_subject_try_key(key_id, key_tag, uuid, &key);
	if (unlikely(state != STEWARD_SUBJECT_ALIVE))
	{
		check_state(state);
		return NULL;
	}
	return key;
}

uint64
steward_subject_generation(void)
{
	return changes;
}

/* ---- names ---- */

/* A short stand-in for a name, of use in this process only. */
static void
digest_name(unsigned char digest[STEWARD_TAG128_BYTES],
			const StewardSubjectName *name)
{
	size_t		len = sizeof(size_t) + name->kind_len + name->key_len;
	unsigned char *bytes = palloc(len);

	memcpy(bytes, &name->kind_len, sizeof(size_t));
	memcpy(bytes + sizeof(size_t), name->kind, name->kind_len);
	memcpy(bytes + sizeof(size_t) + name->kind_len, name->key, name->key_len);
	steward_tag_128(digest, name_key, bytes, len);
	pfree(bytes);
}

static void
keep_name(const unsigned char *digest, const StewardSubject *subject, bool own)
{
	int			place = steward_lru_find(name_places, digest);

	if (place < 0)
		place = steward_lru_take(name_places, digest);
	named[place].subject = *subject;
	named[place].own = own;
	if (own)
		note_own(&own_names, place);
}

void
steward_subject_label(StewardSubjectLabel *label, const StewardSubjectName *name)
{
	const StewardTagKeys *tags = steward_tag_keys();

	label->kind = name->kind;
	label->kind_len = name->kind_len;
	steward_kdf_subject_digest(label->digest, tags->subject, name->kind,
							   name->kind_len, name->key, name->key_len);
}

bool
steward_subject_find(const StewardSubjectName *name, StewardSubject *subject)
{
	unsigned char digest[STEWARD_TAG128_BYTES];
	StewardSubjectLabel label;
	StewardSubjectRow row;
	int			place;

	/* A long statement hears of an erasure here, row by row. */
	if (InterruptHoldoffCount == 0)
		AcceptInvalidationMessages();
	(void) refresh();
	digest_name(digest, name);
	place = steward_lru_find(name_places, digest);
	if (likely(place >= 0))
	{
		*subject = named[place].subject;
		return true;
	}
	for (;;)
	{
		uint64		before;

		steward_subject_label(&label, name);
		before = changes;
		if (!steward_subject_table_find_label(&label, &row))
			return false;
		if (before == changes)
			break;
	}
	memcpy(subject->uuid, row.uuid, STEWARD_UUID_BYTES);
	subject->erased = row.erased;
	(void) refresh();
	digest_name(digest, name);
	keep_name(digest, subject, row.own);
	return true;
}

/* Makes a subject; false when somebody else just did. */
static bool
make_subject(const StewardSubjectName *name)
{
	StewardSubjectLabel label;
	StewardSubjectRow row = {.erased = false};

	PreventCommandIfReadOnly("making the secret of a subject");
	steward_subject_label(&label, name);
	steward_random_key(row.uuid, sizeof row.uuid);
	steward_subject_wrap_fresh(&row);
	return steward_subject_table_insert(&label, &row);
}

void
steward_subject_ensure(const StewardSubjectName *name, StewardSubject *subject)
{
	while (!steward_subject_find(name, subject))
	{
		CHECK_FOR_INTERRUPTS();
		(void) make_subject(name);
	}
}

/* ---- invalidation ---- */

static void
on_relation_change(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || steward_subject_table_is(relid))
	{
		changes++;
		stale = true;
	}
}

/*
 * Goes through the entries that were made of rows of this transaction; a place
 * may have got another key since.
 */
static void
settle_own(bool keep)
{
	ListCell   *cell;

	if (own_keys != NIL && !keep)
		changes++;
	if (stale || key_places == NULL)
		return;
	foreach(cell, own_keys)
	{
		KeyState   *state = &key_states[lfirst_int(cell)];

		if (state->own && !keep)
		{
			sodium_memzero(&keys[lfirst_int(cell)], sizeof keys[0]);
			steward_lru_drop(key_places, lfirst_int(cell));
		}
		state->own = false;
	}
	foreach(cell, own_names)
	{
		NamedSubject *name = &named[lfirst_int(cell)];

		if (name->own && !keep)
			steward_lru_drop(name_places, lfirst_int(cell));
		name->own = false;
	}
	list_free(own_keys);
	list_free(own_names);
	own_keys = own_names = NIL;
}

/*
 * Keys that are to be thrown away do not stay for as long as the session has
 * nothing to do with subjects. Nobody uses one now; nothing here can fail.
 */
static void
wipe_stale(XactEvent event)
{
	if (stale && key_places != NULL && event != XACT_EVENT_PRE_COMMIT &&
		event != XACT_EVENT_PRE_PREPARE && event != XACT_EVENT_PARALLEL_PRE_COMMIT)
	{
		steward_secrets_subjects_wipe();
		key_places = NULL;
	}
}

/* Rolled back, they never were; prepared, nobody sees them yet. */
static void
on_transaction_end(XactEvent event, void *arg)
{
	wipe_stale(event);
	if (event == XACT_EVENT_COMMIT)
		settle_own(true);
	else if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE ||
			 event == XACT_EVENT_PARALLEL_ABORT)
		settle_own(false);
}

static void
on_subtransaction_end(SubXactEvent event, SubTransactionId mine,
					  SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		settle_own(false);
}

void
steward_subject_init(void)
{
	steward_on_relation_change(on_relation_change, (Datum) 0);
	RegisterXactCallback(on_transaction_end, NULL);
	RegisterSubXactCallback(on_subtransaction_end, NULL);
}

/*
 * cache.c: named keys as this process knows them.
 *
 * A cached name knows its holder and the holder's versions. Reading the tables
 * needs no root key, so that a host without a keyring can load a dump; a
 * version is unwrapped when it is first used.
 *
 * The cache is thrown away whole: when a key table changes (its triggers send
 * a relation-cache invalidation, which is transactional and reaches standbys),
 * when the roots change, and at the end of a transaction or subtransaction that
 * may have seen keys of its own making. A flag asks for it; the next use does it,
 * so that no invalidation callback pulls a key from under its user.
 */
#include "base/compat.h"

#include <sodium.h>

#include "access/xact.h"
#include "base/relation_change.h"
#include "keys/keys.h"
#include "keys/names.h"
#include "keys/revocation.h"
#include "keys/roots.h"
#include "keys/secrets.h"
#include "keys/subject.h"
#include "keys/tables.h"
#include "keys/unwrap.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"

typedef struct CachedVersion
{
	StewardWrappedRow row;
	StewardValueKey *key;		/* NULL until first used */
} CachedVersion;

typedef struct CachedHolder
{
	uint32		key_id;			/* hash key */
	int			version_count;
	int			current;		/* index of the newest version, or -1 */
	CachedVersion *versions;
} CachedHolder;

typedef struct CachedName
{
	uint32		key_id;			/* hash key */
	bool		registered;		/* stands in steward.key */
	CachedHolder *holder;
} CachedName;

static MemoryContext cache_context = NULL;
static HTAB *names = NULL;
static HTAB *holders = NULL;
static CachedName *last_name = NULL;
static bool have_tags = false;

static bool stale = false;		/* throw away before the next use */
static bool provisional = false;	/* holds rows of this very transaction */
static uint64 invalidations = 0;
static uint64 generation = 1;
static uint64 roots_generation = 0;

static HTAB *
make_table(const char *name, Size entry_size)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(uint32);
	control.entrysize = entry_size;
	control.hcxt = cache_context;
	return hash_create(name, 32, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
throw_away(void)
{
	stale = true;				/* until all of it is done */
	steward_secrets_flush();
	steward_rights_flush();
	last_name = NULL;
	have_tags = false;
	if (cache_context == NULL)
		cache_context = AllocSetContextCreate(TopMemoryContext,
											  "pg_steward keys",
											  ALLOCSET_SMALL_SIZES);
	else
		MemoryContextReset(cache_context);
	names = make_table("pg_steward key names", sizeof(CachedName));
	holders = make_table("pg_steward key holders", sizeof(CachedHolder));
	stale = false;
	provisional = false;
	generation++;
}

/* Makes the cache usable: the first thing that every entry point does. */
static void
refresh(void)
{
	if (unlikely(names == NULL || stale ||
				 roots_generation != steward_roots_generation()))
	{
		throw_away();
		roots_generation = steward_roots_generation();
	}
}

/* ---- reading the tables ---- */

static CachedHolder *
load_holder(uint32 holder_id)
{
	CachedHolder *holder = hash_search(holders, &holder_id, HASH_FIND, NULL);
	CachedVersion *versions;
	StewardWrappedRow *rows;
	int			count;

	if (holder != NULL)
		return holder;
	count = steward_key_table_versions(holder_id, &rows);
	versions = MemoryContextAllocZero(cache_context,
									  Max(count, 1) * sizeof(CachedVersion));
	holder = hash_search(holders, &holder_id, HASH_ENTER, NULL);
	holder->current = -1;
	holder->versions = versions;
	for (int i = 0; i < count; i++)
	{
		holder->versions[i].row = rows[i];
		provisional |= rows[i].own;
		if (holder->current < 0 ||
			rows[i].version > rows[holder->current].version)
			holder->current = i;
	}
	holder->version_count = count;
	pfree(rows);
	return holder;
}

/* The row of a key, or what this process remembers about a path below one. */
static bool
find_row(uint32 key_id, StewardKeyRow *row, bool *registered)
{
	const char *path;
	StewardKeyRow holder;

	*registered = steward_key_table_find(key_id, row);
	if (*registered)
		return true;
	path = steward_name_recall(key_id);
	if (path == NULL || strchr(path, '/') == NULL)
		return false;
	row->holder_id = steward_kdf_key_id(path, steward_name_holder_length(path));
	if (!steward_key_table_find(row->holder_id, &holder))
		return false;
	row->own = holder.own;
	return true;
}

/* Reads one name; NULL when the key is unknown. Misses are not cached. */
static CachedName *
load_name(uint32 key_id)
{
	for (;;)
	{
		uint64		before = invalidations;
		StewardKeyRow row;
		CachedHolder *holder;
		CachedName *name;
		bool		registered;

		if (!find_row(key_id, &row, &registered))
			return NULL;
		holder = load_holder(row.holder_id);
		/* Something changed while we read: what we have may be old. */
		if (before != invalidations)
		{
			throw_away();
			continue;
		}
		provisional |= row.own;
		name = hash_search(names, &key_id, HASH_ENTER, NULL);
		name->registered = registered;
		name->holder = holder;
		return name;
	}
}

static CachedName *
lookup(uint32 key_id)
{
	CachedName *name;

	refresh();
	if (likely(last_name != NULL && last_name->key_id == key_id))
		return last_name;
	name = hash_search(names, &key_id, HASH_FIND, NULL);
	if (name == NULL)
		name = load_name(key_id);
	last_name = name;
	return name;
}

/* ---- unwrapping ---- */

static pg_attribute_noreturn() void
raise_destroyed(uint32 key_tag)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("a value is under a key version that was destroyed"),
			 errdetail("Key tag %08x.", key_tag),
			 errhint("Nobody can read it any more; steward.key_destruction says when and by whom the version was destroyed.")));
}

static const StewardValueKey *
unwrap_version(CachedHolder *holder, int index)
{
	CachedVersion *version = &holder->versions[index];

	if (unlikely(version->row.destroyed))
		raise_destroyed(version->row.key_tag);

	if (unlikely(version->key == NULL))
	{
		StewardWrappedRow row = version->row;
		uint32		holder_id = holder->key_id;
		uint64		generation_before = generation;
		StewardValueKey *slot;

		steward_key_unwrap(&row, STEWARD_WRAP_KEY_VERSION, holder_id, row.key_tag);
		slot = steward_secrets_slot();
		if (slot == NULL || generation != generation_before)
		{
			sodium_memzero(steward_secrets()->scratch, STEWARD_KEY_BYTES);
			stale = true;
			return NULL;
		}
		steward_value_key(slot, steward_secrets()->scratch);
		sodium_memzero(steward_secrets()->scratch, STEWARD_KEY_BYTES);
		version->key = slot;
	}
	return version->key;
}

/* ---- what keys.h promises ---- */

/*
 * A plan that is run again in an open transaction holds its locks already, so
 * PostgreSQL itself looks for news neither between its runs nor within one. A
 * look costs a flag in shared memory when there are none. Under a lightweight
 * lock, where an index scan may compare, it is left to the next row.
 */
void
steward_keys_hear(void)
{
	if (InterruptHoldoffCount == 0)
		AcceptInvalidationMessages();
}

const StewardValueKey *
steward_key_for_sealing(uint32 key_id, uint32 *key_tag)
{
	if (key_id == 0)
		return steward_root_transient(key_tag);

	steward_keys_hear();
	for (;;)
	{
		CachedName *name = lookup(key_id);
		const StewardValueKey *key;

		if (name == NULL || name->holder->current < 0)
			steward_name_raise_unknown(key_id);
		/* Also notices a reload that took the roots away. */
		(void) steward_roots();
		if (unlikely(stale || roots_generation != steward_roots_generation()))
			continue;
		*key_tag = name->holder->versions[name->holder->current].row.key_tag;
		key = unwrap_version(name->holder, name->holder->current);
		if (likely(key != NULL))
			return key;
	}
}

const StewardValueKey *
steward_key_for_opening(uint32 key_id, uint32 key_tag)
{
	const StewardValueKey *key;

	if (key_id == 0)
	{
		key = steward_root_transient_find(key_tag);
		if (key == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_CONFIG_FILE_ERROR),
					 errmsg("a constant was sealed under a root key that is no longer in the keyring"),
					 errhint("Run the statement again.")));
		return key;
	}

	for (;;)
	{
		CachedName *name = lookup(key_id);
		int			index = 0;

		if (name == NULL)
			steward_name_raise_unknown(key_id);
		while (index < name->holder->version_count &&
			   name->holder->versions[index].row.key_tag != key_tag)
			index++;
		if (index == name->holder->version_count)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("a value is under a key version that this database does not have"),
					 errdetail("Key id %u, key tag %08x.", key_id, key_tag),
					 errhint("Restore the tables of schema \"steward\" that belong to the data.")));
		(void) steward_roots();
		if (unlikely(stale || roots_generation != steward_roots_generation()))
			continue;
		key = unwrap_version(name->holder, index);
		if (likely(key != NULL))
			return key;
	}
}

/* NULL without a hash secret, or when it is to be done without its root. */
static const StewardTagKeys *
find_tag_keys(bool root_missing_ok)
{
	refresh();
	(void) steward_roots();
	while (unlikely(!have_tags || stale ||
					roots_generation != steward_roots_generation()))
	{
		StewardWrappedRow row;
		uint64		before;

		refresh();
		before = invalidations;
		if (!steward_key_table_secret(STEWARD_WRAP_HASH_SECRET, 0, 1, &row))
			return NULL;
		if (root_missing_ok && steward_root_find(row.root_id) == NULL)
			return NULL;
		steward_key_unwrap(&row, STEWARD_WRAP_HASH_SECRET, 0, 0);
		if (before == invalidations)
		{
			steward_kdf_tag_keys(&steward_secrets()->tags,
								 steward_secrets()->scratch);
			have_tags = true;
			provisional |= row.own;
		}
		sodium_memzero(steward_secrets()->scratch, STEWARD_KEY_BYTES);
	}
	return &steward_secrets()->tags;
}

const StewardTagKeys *
steward_tag_keys_if_any(void)
{
	return find_tag_keys(true);
}

const StewardTagKeys *
steward_tag_keys(void)
{
	const StewardTagKeys *keys = find_tag_keys(false);

	if (unlikely(keys == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("this database has no hash secret"),
				 errhint("Create a key with steward.create_key(), which makes it, or restore the tables of schema \"steward\".")));
	return keys;
}

bool
steward_key_is_known(uint32 key_id)
{
	return lookup(key_id) != NULL;
}

bool
steward_key_has_versions(uint32 key_id)
{
	CachedName *name = lookup(key_id);

	return name != NULL && name->holder->version_count > 0;
}

bool
steward_key_has_version(uint32 key_id, uint32 key_tag)
{
	CachedName *name = lookup(key_id);

	for (int i = 0; name != NULL && i < name->holder->version_count; i++)
	{
		if (name->holder->versions[i].row.key_tag == key_tag)
			return !name->holder->versions[i].row.destroyed;
	}
	return false;
}

bool
steward_key_opens(uint32 key_id, uint32 key_tag)
{
	CachedName *name = lookup(key_id);

	for (int i = 0; name != NULL && i < name->holder->version_count; i++)
	{
		const CachedVersion *version = &name->holder->versions[i];
		StewardWrappedRow row = version->row;
		bool		opens;

		if (row.key_tag != key_tag)
			continue;
		if (row.destroyed || version->key != NULL)
			return !row.destroyed;
		opens = steward_key_try_unwrap(&row, STEWARD_WRAP_KEY_VERSION,
									   name->holder->key_id, key_tag);
		sodium_memzero(steward_secrets()->scratch, STEWARD_KEY_BYTES);
		return opens;
	}
	return false;
}

bool
steward_key_is_destroyed(uint32 key_id, uint32 key_tag)
{
	CachedName *name = lookup(key_id);

	for (int i = 0; name != NULL && i < name->holder->version_count; i++)
	{
		if (name->holder->versions[i].row.key_tag == key_tag)
			return name->holder->versions[i].row.destroyed;
	}
	return false;
}

bool
steward_key_current_tag(uint32 key_id, uint32 *key_tag)
{
	CachedName *name = lookup(key_id);

	if (name == NULL || name->holder->current < 0)
		return false;
	*key_tag = name->holder->versions[name->holder->current].row.key_tag;
	return true;
}

uint32
steward_key_holder(uint32 key_id)
{
	CachedName *name = lookup(key_id);

	return name != NULL ? name->holder->key_id : 0;
}

bool
steward_key_any(void)
{
	return steward_key_table_any();
}

char *
steward_key_path(uint32 key_id)
{
	StewardKeyRow row;

	return steward_key_table_find(key_id, &row) ? pstrdup(row.path) : NULL;
}

uint64
steward_key_generation(void)
{
	refresh();
	return generation;
}

void
steward_key_note_own(void)
{
	provisional = true;
}

/* ---- invalidation ---- */

static void
on_relation_change(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || steward_key_table_is(relid))
	{
		invalidations++;
		stale = true;
	}
}

/*
 * At the end of a transaction that saw keys of its own making the cache must
 * go: rolled back, they never were; prepared, nobody sees them yet.
 */
static void
on_transaction_end(XactEvent event, void *arg)
{
	if (!provisional)
		return;
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE ||
		event == XACT_EVENT_COMMIT || event == XACT_EVENT_PARALLEL_ABORT)
		stale = true;
}

static void
on_subtransaction_end(SubXactEvent event, SubTransactionId mine,
					  SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && provisional)
		stale = true;
}

void
steward_keys_init(void)
{
	steward_on_relation_change(on_relation_change, (Datum) 0);
	RegisterXactCallback(on_transaction_end, NULL);
	RegisterSubXactCallback(on_subtransaction_end, NULL);
	steward_rights_init();
	steward_subject_init();
	steward_subject_erase_init();
	steward_revocation_init();
	if (process_shared_preload_libraries_in_progress && !IsBinaryUpgrade)
		steward_root_command_init();
}

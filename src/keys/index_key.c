/*
 * index_key.c: keys of the columns of blind indexes, as this process knows them.
 *
 * The secret of a named key's indexes has generations: an index goes by that which
 * was the newest when it was built. From secret, salt of the index and number of
 * the column comes the key that tags are made with (crypto/kdf.h).
 *
 * The last keys are remembered in the arena, and the last secrets with them, so
 * that a table of more partitions than there are places unwraps nothing for each
 * row. All of it is good for one generation of the named keys (cache.c): whatever
 * ends that, the end of a transaction that saw rows of its own too, zeroes it.
 */
#include "base/compat.h"

#include <sodium.h>

#include "keys/keys.h"
#include "keys/names.h"
#include "keys/roots.h"
#include "keys/secrets.h"
#include "keys/tables.h"
#include "keys/unwrap.h"

/* What lies at the same place of the arena's index_secrets. */
typedef struct SecretName
{
	uint32		holder_id;
	int32		generation;
} SecretName;

/* And of its index_keys. */
typedef struct KeyName
{
	uint64		salt[STEWARD_INDEX_SALT_BYTES / sizeof(uint64)];
	uint32		key_id;
	int32		generation;
	uint32		column;
} KeyName;

static SecretName secret_names[STEWARD_INDEX_SECRET_SLOTS];
static int	secret_count = 0;	/* taken, from the first on */
static int	secret_next = 0;	/* which is taken next */

static KeyName key_names[STEWARD_INDEX_KEY_SLOTS];
static int	key_count = 0;
static int	key_next = 0;
static int	key_last = 0;		/* which was asked for last */

static uint64 known_generation = 0; /* of the named keys */

/*
 * Takes notice of keys and roots that changed, and forgets what came of the former
 * ones: the arena's copies are zeroed already. Returns the generation.
 */
static inline uint64
refresh(void)
{
	uint64		now = steward_key_generation();

	if (likely(known_generation == now))
		return now;

	/*
	 * A reload of the roots ends a generation, too. Where they cannot be read
	 * this raises, and does so again with each call, as none becomes known.
	 */
	(void) steward_roots();
	secret_count = secret_next = 0;
	key_count = key_next = key_last = 0;
	known_generation = steward_key_generation();
	return known_generation;
}

static uint32
need_holder(uint32 key_id)
{
	uint32		holder_id = steward_key_holder(key_id);

	if (unlikely(holder_id == 0))
		steward_name_raise_unknown(key_id);
	return holder_id;
}

/* ---- secrets ---- */

static pg_attribute_noreturn() void
raise_no_generation(uint32 holder_id, int32 generation)
{
	char	   *path = steward_key_path(holder_id);

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("an index goes by an index secret that this database does not have"),
			 errdetail("Key \"%s\", generation %d.",
					   path != NULL ? path : psprintf("%u", holder_id), generation),
			 errhint("Restore the tables of schema \"steward\" that belong to the data, or build the index anew with REINDEX.")));
}

int32
steward_index_secret_newest(uint32 key_id)
{
	uint32		holder_id = need_holder(key_id);
	int32		newest = steward_key_table_newest_index_secret(holder_id);
	char	   *path;

	if (likely(newest > 0))
		return newest;
	path = steward_key_path(holder_id);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("key \"%s\" has no index secret",
					path != NULL ? path : psprintf("%u", holder_id)),
			 errhint("Restore the tables of schema \"steward\" together, from one dump.")));
}

/* Takes the secret in the arena's scratch over and zeroes that. */
static const unsigned char *
keep_secret(uint32 holder_id, int32 generation)
{
	StewardSecrets *secrets = steward_secrets();
	int			place = secret_next;

	memcpy(secrets->index_secrets[place], secrets->scratch, STEWARD_KEY_BYTES);
	sodium_memzero(secrets->scratch, STEWARD_KEY_BYTES);
	secret_names[place].holder_id = holder_id;
	secret_names[place].generation = generation;
	secret_count = Max(secret_count, place + 1);
	secret_next = (place + 1) % STEWARD_INDEX_SECRET_SLOTS;
	return secrets->index_secrets[place];
}

/*
 * The secret of a generation; NULL when the named keys changed while it was read,
 * so that what was read may be old.
 */
static const unsigned char *
find_secret(uint32 holder_id, int32 generation, uint64 keys)
{
	const unsigned char *secret;
	StewardWrappedRow row;

	for (int i = 0; i < secret_count; i++)
	{
		if (secret_names[i].holder_id == holder_id &&
			secret_names[i].generation == generation)
			return steward_secrets()->index_secrets[i];
	}
	if (!steward_key_table_secret(STEWARD_WRAP_INDEX_SECRET, holder_id,
								  generation, &row))
		raise_no_generation(holder_id, generation);
	steward_key_unwrap(&row, STEWARD_WRAP_INDEX_SECRET, holder_id,
					   (uint32) generation - 1);
	if (steward_key_generation() != keys)
	{
		sodium_memzero(steward_secrets()->scratch, STEWARD_KEY_BYTES);
		return NULL;
	}
	secret = keep_secret(holder_id, generation);
	if (row.own)
		steward_key_note_own();
	return secret;
}

/* ---- keys ---- */

static inline bool
is_same(const KeyName *one, const KeyName *other)
{
	return one->salt[0] == other->salt[0] && one->salt[1] == other->salt[1] &&
		one->key_id == other->key_id && one->generation == other->generation &&
		one->column == other->column;
}

/*
 * The place of a key, or -1. Rows of a table ask for the keys of its indexes in
 * always the same order, so the next one is mostly where the last one was, or
 * behind it.
 */
static inline int
find_key(const KeyName *name)
{
	for (int i = key_last; i < key_count; i++)
	{
		if (is_same(&key_names[i], name))
			return i;
	}
	for (int i = 0; i < key_last; i++)
	{
		if (is_same(&key_names[i], name))
			return i;
	}
	return -1;
}

/* Derives a key into the next place; -1 when the named keys changed meanwhile. */
static int
make_key(const KeyName *name, uint64 keys)
{
	const unsigned char *secret;
	uint32		holder_id = need_holder(name->key_id);
	int			place;

	/* Reading the holder may have thrown the secrets away. */
	if (steward_key_generation() != keys)
		return -1;
	secret = find_secret(holder_id, name->generation, keys);
	if (secret == NULL)
		return -1;
	place = key_next;
	steward_kdf_index_key(steward_secrets()->index_keys[place], secret,
						  (const unsigned char *) name->salt,
						  (uint16_t) name->column);
	key_names[place] = *name;
	key_count = Max(key_count, place + 1);
	key_next = (place + 1) % STEWARD_INDEX_KEY_SLOTS;
	return place;
}

const unsigned char *
steward_index_key(uint32 key_id, int32 generation,
				  const unsigned char salt[STEWARD_INDEX_SALT_BYTES],
				  uint16 column)
{
	KeyName		name = {
		.key_id = key_id, .generation = generation, .column = column
	};
	uint64		keys;
	int			place;

	memcpy(name.salt, salt, STEWARD_INDEX_SALT_BYTES);
	do
	{
		keys = refresh();
		place = find_key(&name);
		if (unlikely(place < 0))
			place = make_key(&name, keys);
	} while (unlikely(place < 0));
	key_last = place;
	return steward_secrets()->index_keys[place];
}

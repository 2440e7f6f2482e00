/*
 * roots.c: the root keys of this process; see roots.h.
 */
#include "keys/roots.h"

#include <sodium.h>
#include <sys/stat.h>

#include "base/guc.h"
#include "keys/secrets.h"
#include "utils/plancache.h"
#include "utils/timestamp.h"

static bool loaded = false;
static bool ever_loaded = false;
static uint64 generation = 1;

/* When the keyring was read: a later reload makes it stale. */
static TimestampTz loaded_reload_time;
static uint64 loaded_command_generation;

/* How often a missing root may make us read a key file that seems unchanged. */
#define READ_AGAIN_MILLISECONDS 1000

static TimestampTz read_again_at = 0;
static struct stat read_again_status;

static bool
is_set(const char *setting)
{
	return setting != NULL && setting[0] != '\0';
}

bool
steward_roots_configured(void)
{
	return is_set(steward_root_key_file) || is_set(steward_root_key_command);
}

static pg_attribute_noreturn() void
raise_no_source(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("no root key is available"),
			 errdetail("Neither \"steward.root_key_file\" nor \"steward.root_key_command\" is set."),
			 errhint("Make a keyring with pg_steward_keygen, set steward.root_key_file to its path in postgresql.conf and reload the configuration.")));
}

static pg_attribute_noreturn() void
raise_two_sources(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("no root key is available"),
			 errdetail("Both \"steward.root_key_file\" and \"steward.root_key_command\" are set."),
			 errhint("Set only one of them and reload the configuration.")));
}

/* Forgets the keyring, so that a failing read leaves nothing usable. */
static void
forget(void)
{
	StewardSecrets *secrets = steward_secrets();

	sodium_memzero(&secrets->roots, sizeof secrets->roots);
	sodium_memzero(secrets->transient, sizeof secrets->transient);
	sodium_memzero(secrets->journal, sizeof secrets->journal);
	loaded = false;
	generation++;
}

/* Takes over secrets->incoming, which holds at least one root. */
static void
accept_incoming(void)
{
	StewardSecrets *secrets = steward_secrets();
	bool		same = loaded &&
		sodium_memcmp(&secrets->roots, &secrets->incoming,
					  sizeof(StewardKeyring)) == 0;

	if (!same)
	{
		forget();
		secrets->roots = secrets->incoming;
		for (size_t i = 0; i < secrets->roots.count; i++)
		{
			steward_kdf_transient(secrets->scratch, secrets->roots.roots[i].key);
			secrets->transient_tag[i] = steward_kdf_key_tag(secrets->scratch);
			steward_value_key(&secrets->transient[i], secrets->scratch);
			memcpy(secrets->journal[i].root_id, secrets->roots.roots[i].id,
				   STEWARD_ROOT_ID_BYTES);
			steward_kdf_journal(secrets->journal[i].key,
								secrets->roots.roots[i].key);
		}
		sodium_memzero(secrets->scratch, sizeof secrets->scratch);
		/* Cached plans may hold constants sealed under the old root. */
		if (ever_loaded)
			ResetPlanCache();
	}
	sodium_memzero(&secrets->incoming, sizeof secrets->incoming);
	loaded = true;
	ever_loaded = true;
}

static void
read_source(void)
{
	if (is_set(steward_root_key_file) && is_set(steward_root_key_command))
		raise_two_sources();
	else if (is_set(steward_root_key_file))
		steward_root_file_read(steward_root_key_file);
	else if (is_set(steward_root_key_command))
		steward_root_command_read();
	else
		raise_no_source();
}

static void
load(void)
{
	TimestampTz reload_time = PgReloadTime;
	uint64		command_generation = steward_root_command_generation();

	steward_secrets_protect();
	PG_TRY();
	{
		read_source();
	}
	PG_CATCH();
	{
		StewardSecrets *secrets = steward_secrets();

		forget();
		sodium_memzero(&secrets->incoming, sizeof secrets->incoming);
		sodium_memzero(secrets->keyring_text, sizeof secrets->keyring_text);
		PG_RE_THROW();
	}
	PG_END_TRY();
	accept_incoming();
	loaded_reload_time = reload_time;
	loaded_command_generation = command_generation;
}

const StewardKeyring *
steward_roots(void)
{
	if (unlikely(!loaded || loaded_reload_time != PgReloadTime ||
				 loaded_command_generation != steward_root_command_generation()))
		load();
	return &steward_secrets()->roots;
}

const StewardRoot *
steward_root_current(void)
{
	const StewardKeyring *keyring = steward_roots();

	return &keyring->roots[keyring->count - 1];
}

/* Is it time to read the key file again? Takes note that it is done. */
static bool
may_read_again(void)
{
	TimestampTz now = GetCurrentTimestamp();
	struct stat status = {0};

	(void) stat(steward_root_key_file, &status);
	if (now < read_again_at &&
		status.st_dev == read_again_status.st_dev &&
		status.st_ino == read_again_status.st_ino &&
		status.st_size == read_again_status.st_size &&
		status.st_mtim.tv_sec == read_again_status.st_mtim.tv_sec &&
		status.st_mtim.tv_nsec == read_again_status.st_mtim.tv_nsec &&
		status.st_ctim.tv_sec == read_again_status.st_ctim.tv_sec &&
		status.st_ctim.tv_nsec == read_again_status.st_ctim.tv_nsec)
		return false;
	read_again_status = status;
	read_again_at = TimestampTzPlusMilliseconds(now, READ_AGAIN_MILLISECONDS);
	return true;
}

/*
 * Something is under a root that we do not have: reads a key file again, as it
 * may have grown since. This can happen under a lightweight lock, so no error is
 * raised and caught; a file that cannot be used leaves the roots as they are.
 * True when they may be others now.
 */
static bool
read_again(void)
{
	const char *reason;
	const char *hint;

	if (!is_set(steward_root_key_file) || is_set(steward_root_key_command) ||
		!may_read_again())
		return false;
	reason = steward_root_file_try(steward_root_key_file, &hint);
	if (reason == NULL)
	{
		accept_incoming();
		return true;
	}
	ereport(LOG,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("root key file cannot be used, so the root keys stay what they were in this session"),
			 errdetail("%s File: \"%s\".", reason, steward_root_key_file),
			 errhint("%s", hint)));
	return false;
}

static const StewardRoot *
find(const unsigned char *id)
{
	const StewardKeyring *keyring = steward_roots();

	for (size_t i = 0; i < keyring->count; i++)
	{
		if (memcmp(keyring->roots[i].id, id, STEWARD_ROOT_ID_BYTES) == 0)
			return &keyring->roots[i];
	}
	return NULL;
}

const StewardRoot *
steward_root_find(const unsigned char *id)
{
	const StewardRoot *root = find(id);

	return root == NULL && read_again() ? find(id) : root;
}

const StewardRoot *
steward_root_need(const unsigned char *id, const char *detail, const char *hint)
{
	const StewardRoot *root = steward_root_find(id);
	char		hex[2 * STEWARD_ROOT_ID_BYTES + 1];

	if (root != NULL)
		return root;
	(void) sodium_bin2hex(hex, sizeof hex, id, STEWARD_ROOT_ID_BYTES);
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("root key %s is not in the keyring", hex),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

const StewardValueKey *
steward_root_transient(uint32 *key_tag)
{
	size_t		current = steward_roots()->count - 1;
	StewardSecrets *secrets = steward_secrets();

	*key_tag = secrets->transient_tag[current];
	return &secrets->transient[current];
}

static const StewardValueKey *
find_transient(uint32 key_tag)
{
	size_t		count = steward_roots()->count;
	StewardSecrets *secrets = steward_secrets();

	for (size_t i = 0; i < count; i++)
	{
		if (secrets->transient_tag[i] == key_tag)
			return &secrets->transient[i];
	}
	return NULL;
}

const StewardValueKey *
steward_root_transient_find(uint32 key_tag)
{
	const StewardValueKey *key = find_transient(key_tag);

	return key == NULL && read_again() ? find_transient(key_tag) : key;
}

StewardJournalKeys
steward_root_journal_keys(void)
{
	StewardJournalKeys keys = {NULL, 0};

	if (loaded)
	{
		StewardSecrets *secrets = steward_secrets();

		keys.keys = secrets->journal;
		keys.count = secrets->roots.count;
	}
	return keys;
}

uint64
steward_roots_generation(void)
{
	/* A reload that has not been looked at yet may have changed the roots. */
	if (loaded && (loaded_reload_time != PgReloadTime ||
				   loaded_command_generation != steward_root_command_generation()))
		return 0;
	return generation;
}

/*
 * secrets.c: the one place in a process where keys lie; see secrets.h.
 */
#include "keys/secrets.h"

#include <sodium.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/guc.h"
#include "base/pages.h"
#include "miscadmin.h"

static StewardSecrets *arena = NULL;
static StewardValueKey *subjects = NULL;
static int	subject_count = 0;

/*
 * Without this a superuser could read the keys by SQL alone, through
 * /proc/self/mem. Not in the postmaster: its children could then not reset
 * their OOM score.
 */
static void
hide_process(void)
{
#ifdef PR_SET_DUMPABLE
	if (steward_protect_memory && IsUnderPostmaster &&
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		ereport(WARNING,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("memory that holds keys could not be hidden: %m")));
#endif
}

/* Memory of its own pages, locked. */
static void *
make_locked(size_t size)
{
	static bool warned = false;
	void	   *memory = steward_pages_make(size);

	if (memory == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not allocate memory for keys: %m")));
	if (sodium_mlock(memory, size) != 0 && !warned)
	{
		warned = true;
		ereport(WARNING,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("memory for keys could not be locked: %m"),
				 errhint("Raise the server's limit on locked memory (RLIMIT_MEMLOCK), or keys may be written to swap.")));
	}
	return memory;
}

static void
make_arena(void)
{
	StewardSecrets *memory = make_locked(sizeof(StewardSecrets));

	hide_process();
	arena = memory;
}

void
steward_secrets_protect(void)
{
	if (arena != NULL)
		hide_process();
}

StewardSecrets *
steward_secrets(void)
{
	if (unlikely(arena == NULL))
		make_arena();
	return arena;
}

StewardValueKey *
steward_secrets_slot(void)
{
	StewardSecrets *secrets = steward_secrets();

	if (secrets->slots_used == STEWARD_SECRET_SLOTS)
		return NULL;
	return &secrets->slots[secrets->slots_used++];
}

StewardValueKey *
steward_secrets_subjects(int *count)
{
	if (unlikely(subjects == NULL))
	{
		subjects = make_locked(steward_subject_cache_size * sizeof(StewardValueKey));
		subject_count = steward_subject_cache_size;
	}
	*count = subject_count;
	return subjects;
}

void
steward_secrets_subjects_release(void)
{
	size_t		size = subject_count * sizeof(StewardValueKey);

	if (subjects == NULL)
		return;
	(void) sodium_munlock(subjects, size);
	steward_pages_free(subjects, size);
	subjects = NULL;
	subject_count = 0;
}

void
steward_secrets_subjects_wipe(void)
{
	if (subjects != NULL)
		sodium_memzero(subjects, subject_count * sizeof(StewardValueKey));
}

void
steward_secrets_flush(void)
{
	if (arena == NULL)
		return;
	sodium_memzero(&arena->tags, sizeof arena->tags);
	sodium_memzero(arena->index_secrets, sizeof arena->index_secrets);
	sodium_memzero(arena->index_keys, sizeof arena->index_keys);
	sodium_memzero(arena->slots, arena->slots_used * sizeof(StewardValueKey));
	arena->slots_used = 0;
	steward_secrets_subjects_wipe();
}

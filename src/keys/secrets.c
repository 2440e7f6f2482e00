/*
 * secrets.c: the one place in a process where keys lie; see secrets.h.
 */
#include "keys/secrets.h"

#include <sodium.h>
#include <sys/mman.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/guc.h"
#include "miscadmin.h"

static StewardSecrets *arena = NULL;

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

static void
make_arena(void)
{
	void	   *memory = mmap(NULL, sizeof(StewardSecrets),
							  PROT_READ | PROT_WRITE,
							  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not allocate memory for keys: %m")));
	/* Also sets MADV_DONTDUMP, even where the lock itself is refused. */
	if (sodium_mlock(memory, sizeof(StewardSecrets)) != 0)
		ereport(WARNING,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("memory for keys could not be locked: %m"),
				 errhint("Raise the server's limit on locked memory (RLIMIT_MEMLOCK), or keys may be written to swap.")));
	hide_process();
	arena = memory;
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

void
steward_secrets_flush(void)
{
	if (arena == NULL)
		return;
	sodium_memzero(&arena->tags, sizeof arena->tags);
	sodium_memzero(arena->slots, arena->slots_used * sizeof(StewardValueKey));
	arena->slots_used = 0;
}

/*
 * random_test.c: the pool of salts. Includes random.c to look at the pool and
 * to let the registration of the fork handler fail.
 */
#include <pthread.h>

static int	atfork_fails = 0;

static int
test_atfork(void (*prepare) (void), void (*parent) (void), void (*child) (void))
{
	return atfork_fails ? 12 : pthread_atfork(prepare, parent, child);
}

#define pthread_atfork test_atfork
#include "../../src/crypto/random.c"

#include <sys/wait.h>

#include "tap.h"

#define TAKE_BYTES 24
#define SHARED_COUNT 300

static bool
contains(const unsigned char *haystack, size_t len, const unsigned char *needle)
{
	for (size_t i = 0; i + TAKE_BYTES <= len; i++)
	{
		if (memcmp(haystack + i, needle, TAKE_BYTES) == 0)
			return true;
	}
	return false;
}

/* A first use whose handler cannot be set keeps no stock for a child. */
static void
test_no_handler(void)
{
	unsigned char salt[TAKE_BYTES];

	atfork_fails = 1;
	steward_random_salt(salt, sizeof salt);
	tap_ok(!fork_handler_set && pool.left == 0 &&
		   !sodium_is_zero(salt, sizeof salt),
		   "without a fork handler there is no stock");
	atfork_fails = 0;
	steward_random_salt(salt, sizeof salt);
	tap_ok(fork_handler_set && pool.left == POOL_BYTES - TAKE_BYTES,
		   "the handler is set at the next use");
}

static void
test_zeroed_as_used(void)
{
	unsigned char salt[TAKE_BYTES];
	int			found = 0;
	int			dirty = 0;

	for (int i = 0; i < 1000; i++)
	{
		steward_random_salt(salt, sizeof salt);
		found += contains(pool.bytes, POOL_BYTES, salt);
		dirty += !sodium_is_zero(pool.bytes, POOL_BYTES - pool.left);
	}
	tap_ok(found == 0, "no salt stays in the pool");
	tap_ok(dirty == 0, "what was used is zero");
}

static void
test_lengths(void)
{
	unsigned char out[8192];
	int			wrong = 0;

	for (size_t len = 16; len <= sizeof out; len += 16)
	{
		Guarded		guarded = guard_copy(memset(out, 0, sizeof out), len);

		steward_random_salt(guarded.bytes, len);
		wrong += sodium_is_zero(guarded.bytes + len - 16, 16);
		wrong += pool.left > POOL_BYTES;
		guard_free(&guarded);
	}
	tap_ok(wrong == 0, "requests longer than the pool are filled to the end");
	steward_random_salt(out, 0);
	tap_ok(pool.left <= POOL_BYTES, "a request for nothing");
}

static void
child_writes(int fd)
{
	static unsigned char salts[SHARED_COUNT][TAKE_BYTES];
	int			left_at_start = (int) pool.left;
	bool		clean = sodium_is_zero(pool.bytes, POOL_BYTES);

	for (int i = 0; i < SHARED_COUNT; i++)
		steward_random_salt(salts[i], TAKE_BYTES);
	if (left_at_start != 0 || !clean ||
		write(fd, salts, sizeof salts) != (ssize_t) sizeof salts)
		_exit(1);
	_exit(0);
}

static void
test_fork(void)
{
	static unsigned char childs[2][SHARED_COUNT][TAKE_BYTES];
	static unsigned char parents[SHARED_COUNT][TAKE_BYTES];
	unsigned char before[POOL_BYTES];
	int			shared = 0;
	int			failed = 0;

	refill_pool();
	memcpy(before, pool.bytes, sizeof before);
	for (int child = 0; child < 2; child++)
	{
		int			fds[2];
		int			status;
		pid_t		pid;
		size_t		got = 0;

		if (pipe(fds) != 0 || (pid = fork()) < 0)
			tap_bail("no child");
		if (pid == 0)
			child_writes(fds[1]);
		close(fds[1]);
		while (got < sizeof childs[0])
		{
			ssize_t		n = read(fds[0], (unsigned char *) childs[child] + got,
								 sizeof childs[0] - got);

			if (n <= 0)
				break;
			got += (size_t) n;
		}
		close(fds[0]);
		failed += got != sizeof childs[0];
		failed += waitpid(pid, &status, 0) != pid || status != 0;
	}
	tap_ok(failed == 0, "a child starts with an empty, zeroed pool");
	tap_ok(memcmp(before, pool.bytes, sizeof before) == 0,
		   "the parent's pool is untouched by children");
	for (int i = 0; i < SHARED_COUNT; i++)
		steward_random_salt(parents[i], TAKE_BYTES);
	for (int i = 0; i < SHARED_COUNT; i++)
	{
		shared += contains(parents[0], sizeof parents, childs[0][i]);
		shared += contains(parents[0], sizeof parents, childs[1][i]);
		shared += contains(childs[0][0], sizeof childs[0], childs[1][i]);
	}
	tap_ok(shared == 0, "parent and two children share no salt");
}

static void
test_keys_bypass_pool(void)
{
	unsigned char before[POOL_BYTES];
	unsigned char one[32];
	unsigned char two[32];
	size_t		left = pool.left;

	memcpy(before, pool.bytes, sizeof before);
	steward_random_key(one, sizeof one);
	steward_random_key(two, sizeof two);
	tap_ok(left == pool.left && memcmp(before, pool.bytes, POOL_BYTES) == 0 &&
		   !contains(before, POOL_BYTES, one), "keys never come from the pool");
	tap_ok(memcmp(one, two, sizeof one) != 0, "two keys differ");
}

int
main(void)
{
	tap_begin();
	test_no_handler();
	test_zeroed_as_used();
	test_lengths();
	test_fork();
	test_keys_bypass_pool();
	return tap_end();
}

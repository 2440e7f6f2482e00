/*
 * random.c: random bytes and the pool of salts; see random.h.
 */
#include "crypto/random.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

#define POOL_BYTES 6144			/* 256 salts of 24 bytes */
#define REQUEST_MAX_BYTES 64

static struct
{
	size_t		left;			/* unused bytes, at the end of the pool */
	unsigned char bytes[POOL_BYTES];
}			pool;

static int	fork_handler_set = 0;

static void
discard_pool(void)
{
	sodium_memzero(&pool, sizeof pool);
}

static void
refill_pool(void)
{
	if (!fork_handler_set && pthread_atfork(NULL, NULL, discard_pool) == 0)
		fork_handler_set = 1;
	randombytes_buf(pool.bytes, POOL_BYTES);
	/* Without the handler a child could repeat our salts: keep no stock. */
	pool.left = fork_handler_set ? POOL_BYTES : REQUEST_MAX_BYTES;
}

void
steward_random_key(unsigned char *out, size_t len)
{
	randombytes_buf(out, len);
}

void
steward_random_salt(unsigned char *out, size_t len)
{
	unsigned char *next;

	if (len > REQUEST_MAX_BYTES)
	{
		randombytes_buf(out, len);
		return;
	}
	if (pool.left < len)
		refill_pool();
	next = pool.bytes + POOL_BYTES - pool.left;
	memcpy(out, next, len);
	memset(next, 0, len);
	pool.left -= len;
	if (!fork_handler_set)
		pool.left = 0;
}

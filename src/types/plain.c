/*
 * plain.c: memory for plaintext on its way, zeroed whatever happens.
 *
 * What is opened to be compared, hashed or sealed anew lies in a memory context
 * of its own and is zeroed when it is freed. An error in between (a missing key,
 * a cancel) leaves it there, out of the reach of the contexts that the abort
 * throws away; the end of the transaction or subtransaction then zeroes it. So
 * does the end with the stack, on which callees leave pieces of what they read.
 * Comparisons come and go by the million: a few small blocks are kept for them.
 */
#include "types/encrypted.h"

#include <sodium.h>

#include "access/xact.h"
#include "lib/ilist.h"
#include "types/scratch.h"
#include "utils/memutils.h"

/* More than the frames below the end of a transaction reach, but for rare depths. */
#define STACK_BYTES (256 * 1024)

bool		steward_plain_opened = false;

/* What stands before the bytes of each plaintext. */
typedef struct PlainBlock
{
	dlist_node	node;			/* in blocks, while it is not freed */
	size_t		size;			/* of bytes */
	unsigned char bytes[FLEXIBLE_ARRAY_MEMBER];
} PlainBlock;

/* Free blocks, zeroed, with room for so many bytes. */
#define SPARE_BYTES 256
#define SPARES 4

static MemoryContext plain_context = NULL;
static dlist_head blocks = DLIST_STATIC_INIT(blocks);
static PlainBlock *spares[SPARES];
static int	spare_count = 0;

static PlainBlock *
make_block(size_t size)
{
	if (unlikely(plain_context == NULL))
		plain_context = AllocSetContextCreate(TopMemoryContext,
											  "pg_steward plaintext",
											  ALLOCSET_DEFAULT_SIZES);
	if (size <= SPARE_BYTES)
	{
		if (likely(spare_count > 0))
			return spares[--spare_count];
		size = SPARE_BYTES;
	}
	return MemoryContextAlloc(plain_context,
							  offsetof(PlainBlock, bytes) + size);
}

StewardPlain
steward_plain_make(size_t size)
{
	PlainBlock *block = make_block(size + 1);
	StewardPlain plain;

	block->size = size + 1;
	dlist_push_head(&blocks, &block->node);
	block->bytes[size] = '\0';
	plain.bytes = block->bytes;
	plain.len = size;
	plain.owned = true;
	return plain;
}

StewardPlain
steward_plain_borrow(const char *text, size_t len)
{
	StewardPlain plain = {(unsigned char *) text, len, false};

	return plain;
}

static void
wipe(PlainBlock *block)
{
	dlist_delete(&block->node);
	sodium_memzero(block->bytes, block->size);
	if (block->size <= SPARE_BYTES && spare_count < SPARES)
		spares[spare_count++] = block;
	else
		pfree(block);
}

void
steward_plain_free(StewardPlain *plain)
{
	if (plain->owned)
		wipe((PlainBlock *) (plain->bytes - offsetof(PlainBlock, bytes)));
	plain->bytes = NULL;
	plain->owned = false;
}

void
steward_plain_wipe_all(void)
{
	while (!dlist_is_empty(&blocks))
		wipe(dlist_head_element(PlainBlock, node, &blocks));
	steward_scratch_discard();
}

static void
on_transaction_end(XactEvent event, void *arg)
{
	steward_plain_wipe_all();
	if (steward_plain_opened && event != XACT_EVENT_PRE_COMMIT &&
		event != XACT_EVENT_PARALLEL_PRE_COMMIT &&
		event != XACT_EVENT_PRE_PREPARE)
	{
		sodium_stackzero(STACK_BYTES);
		steward_plain_opened = false;
	}
}

/* An error that a block with an exception handler caught ends here. */
static void
on_subtransaction_end(SubXactEvent event, SubTransactionId mine,
					  SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		steward_plain_wipe_all();
}

void
steward_plain_init(void)
{
	RegisterXactCallback(on_transaction_end, NULL);
	RegisterSubXactCallback(on_subtransaction_end, NULL);
}

/*
 * buffer.c: collecting records until they are worth a write; see buffer.h.
 *
 * Each subtransaction that makes records has a level of its own, since a record
 * must be written by the subtransaction that made the change, or by one that it
 * committed into: written inside a child, a parent's record would be lost with the
 * child. So a level is written when it is full, or before the commit. A child that
 * commits hands its level to its parent, unless both together are too much: then it
 * writes both, as the last thing it does, so that batches are full however small the
 * children are. The parent's are still kept until the child has committed, for it may
 * fail after that. No level exceeds steward.audit_buffer_size by that, however many
 * subtransactions there are.
 *
 * After PRE_COMMIT every record is written at once: callbacks of others may still
 * change tables, in any order.
 *
 * Terms
 *	 level		what one subtransaction collected
 *	 epoch		counts writes. Records of one epoch have no written record between
 *				them, so a batch of them overlaps no other.
 */
#include "base/compat.h"

#include "access/xact.h"
#include "audit/buffer.h"
#include "audit/codec_put.h"
#include "audit/segment.h"
#include "audit/sink.h"
#include "base/guc.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* A record in a level, followed by its payload. */
typedef struct Entry
{
	StewardRecord record;
	uint32		epoch;
	Oid			home;			/* the log it was made for */
} Entry;

typedef struct Level
{
	SubTransactionId owner;
	struct Level *parent;
	StringInfoData entries;
	int			last;			/* offset of the last entry; -1: not known */
	SubTransactionId written_by;	/* the child that wrote all of them and is
									 * about to commit, or invalid */
} Level;

#define ENTRY_SIZE(length) MAXALIGN(sizeof(Entry) + (length))

static Level *top = NULL;
static MemoryContext context = NULL;	/* of the transaction */
static int32 last_seq = 0;
static uint32 epoch = 0;
static bool ending = false;		/* the transaction is past its PRE_COMMIT */
static bool written = false;

int32
steward_buffer_next_seq(void)
{
	if (last_seq == PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("transaction has too many audit records"),
				 errhint("Make the changes in several transactions.")));
	return ++last_seq;
}

/* The level of the current subtransaction, made when it is missing. */
static Level *
current_level(void)
{
	SubTransactionId owner = GetCurrentSubTransactionId();
	MemoryContext caller;
	Level	   *level;

	if (top != NULL && top->owner == owner)
		return top;
	if (context == NULL)
		context = AllocSetContextCreate(TopTransactionContext,
										"steward audit buffer",
										ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	level = palloc(sizeof(Level));
	level->owner = owner;
	level->parent = top;
	level->last = -1;
	level->written_by = InvalidSubTransactionId;
	initStringInfo(&level->entries);
	top = level;
	MemoryContextSwitchTo(caller);
	return level;
}

static void
remove_top(void)
{
	Level	   *level = top;

	top = level->parent;
	pfree(level->entries.data);
	pfree(level);
}

/* The entry at an offset; moves the offset behind it. */
static const Entry *
next_entry(const Level *level, int *offset, StewardRecord *record)
{
	const Entry *entry = (const Entry *) (level->entries.data + *offset);

	*record = entry->record;
	record->payload = (const unsigned char *) entry + sizeof(Entry);
	*offset += ENTRY_SIZE(record->length);
	return entry;
}

/* Adds a level's records but those of a log that this transaction dropped. */
static void
add_level(StewardSink *sink, const Level *level)
{
	Oid			home = steward_segment_home();
	int			offset = 0;

	while (offset < level->entries.len)
	{
		StewardRecord record;
		const Entry *entry = next_entry(level, &offset, &record);

		if (entry->home == home)
			steward_sink_add(sink, &record, entry->epoch);
	}
}

static void
empty(Level *level)
{
	resetStringInfo(&level->entries);
	level->last = -1;
	level->written_by = InvalidSubTransactionId;
}

/* Writes a level's records, and before them those of its parent, if one is given. */
static void
write_levels(const Level *parent, Level *level)
{
	StewardSink sink;

	if (level->entries.len == 0)
		return;
	steward_sink_begin(&sink);
	if (parent != NULL)
		add_level(&sink, parent);
	add_level(&sink, level);
	steward_sink_finish(&sink);
	empty(level);
	epoch++;
	written = true;
}

static void
write_record(const StewardRecord *record)
{
	StewardSink sink;

	steward_sink_begin(&sink);
	steward_sink_add(&sink, record, epoch);
	steward_sink_finish(&sink);
	epoch++;
	written = true;
}

static void
append(Level *level, const StewardRecord *record)
{
	Size		bytes = ENTRY_SIZE(record->length);
	unsigned char *place = steward_reserve(&level->entries, (int) bytes);
	Entry	   *entry = (Entry *) place;

	entry->record = *record;
	entry->record.payload = NULL;
	entry->epoch = epoch;
	entry->home = steward_segment_home();
	memcpy(place + sizeof(Entry), record->payload, record->length);
	level->last = level->entries.len;
	level->entries.len += (int) bytes;
}

void
steward_buffer_add(const StewardRecord *record)
{
	Size		limit = (Size) steward_audit_buffer_size * 1024;
	Level	   *level = current_level();

	if (level->entries.len > 0 &&
		level->entries.len + ENTRY_SIZE(record->length) > limit)
		write_levels(NULL, level);
	if (ending || ENTRY_SIZE(record->length) > limit)
		write_record(record);
	else
		append(level, record);
}

bool
steward_buffer_retract(int32 seq)
{
	Level	   *level = top;

	if (level == NULL || level->last < 0 ||
		level->owner != GetCurrentSubTransactionId() ||
		((const Entry *) (level->entries.data + level->last))->record.seq != seq)
		return false;
	level->entries.len = level->last;
	level->last = -1;
	return true;
}

/* Storing a value out of line needs a snapshot, which callbacks do not have. */
static void
write_with_snapshot(const Level *parent, Level *level)
{
	bool		pushed = !ActiveSnapshotSet();

	if (pushed)
		PushActiveSnapshot(GetTransactionSnapshot());
	write_levels(parent, level);
	if (pushed)
		PopActiveSnapshot();
}

void
steward_buffer_flush(void)
{
	if (top != NULL && top->owner == GetCurrentSubTransactionId())
		write_with_snapshot(NULL, top);
}

bool
steward_buffer_has_written(void)
{
	return written;
}

static void
each_of(const Level *level, StewardRecordCallback callback, void *arg)
{
	int			offset = 0;

	if (level == NULL)
		return;
	each_of(level->parent, callback, arg);
	if (level->written_by != InvalidSubTransactionId)
		return;
	while (offset < level->entries.len)
	{
		StewardRecord record;

		if (next_entry(level, &offset, &record)->home == steward_segment_home())
			callback(&record, arg);
	}
}

void
steward_buffer_each(StewardRecordCallback callback, void *arg)
{
	each_of(top, callback, arg);
}

void
steward_buffer_before_end(void)
{
	steward_buffer_flush();
	ending = true;
}

void
steward_buffer_end(void)
{
	/* the memory goes with the transaction's */
	top = NULL;
	context = NULL;
	last_seq = 0;
	epoch = 0;
	ending = false;
	written = false;
}

void
steward_buffer_before_subcommit(SubTransactionId owner, SubTransactionId parent)
{
	Size		limit = (Size) steward_audit_buffer_size * 1024;

	if (top == NULL || top->owner != owner || top->parent == NULL ||
		top->parent->owner != parent)
		return;
	if (top->entries.len > 0 &&
		(Size) top->entries.len + top->parent->entries.len > limit)
	{
		write_with_snapshot(top->parent, top);
		top->parent->written_by = owner;
	}
	/* Room for them while an error is still one of the subtransaction. */
	enlargeStringInfo(&top->parent->entries, top->entries.len);
}

void
steward_buffer_subcommit(SubTransactionId owner, SubTransactionId parent)
{
	if (top == NULL || top->owner != owner)
		return;
	if (top->parent == NULL || top->parent->owner != parent)
	{
		top->owner = parent;
		return;
	}
	if (top->parent->written_by == owner)
		empty(top->parent);
	appendBinaryStringInfo(&top->parent->entries, top->entries.data,
						   top->entries.len);
	top->parent->last = -1;
	remove_top();
}

void
steward_buffer_subabort(SubTransactionId owner)
{
	while (top != NULL && top->owner >= owner)
		remove_top();
	/* What it wrote for its parent is lost with it. */
	if (top != NULL && top->written_by >= owner)
		top->written_by = InvalidSubTransactionId;
}

/*
 * build_parallel.c: the entries of all rows, computed by several processes; see
 * build_rows.h, and README, "Building in parallel".
 *
 * Terms: the leader is the process that builds the index; a batch is some entries, sent
 * together by a worker to the leader through its queue; a report is what a worker
 * has to say in the end.
 *
 * PostgreSQL asks for workers from 17 on; see STEWARD_SET_BUILDS_PARALLEL.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/parallel.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "blind/build_rows.h"
#include "catalog/index.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "storage/latch.h"
#include "storage/shm_mq.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

/* What the leader and its workers share, by number. */
enum
{
	KEY_TASK = 1,
	KEY_SCAN,
	KEY_REPORTS,
	KEY_QUEUES,
	KEY_QUERY
};

#define QUEUE_BYTES ((Size) 128 * 1024)
#define BATCH 128				/* entries */

/* After so many entries of its own the leader looks what workers have sent. */
#define LEADER_ENTRIES 32

/* What to do. No key: each worker derives those that it needs, as any process does. */
typedef struct Task
{
	Oid			heap;
	Oid			index;
	bool		concurrent;
	int64		query_id;
	StewardBlindMeta meta;
} Task;

/* Written by the worker before it lets go of its queue, read when it has ended. */
typedef struct Report
{
	bool		finished;
	bool		broken_hot_chain;
	double		rows;
	BufferUsage buffers;
	WalUsage	wal;
} Report;

typedef struct Sent
{
	StewardBlindEntry entry;
	uint64		bound;
} Sent;

/* The leader's view. */
typedef struct Crew
{
	const StewardBlindRows *rows;
	ParallelContext *context;
	Report	   *reports;
	ParallelTableScanDesc scan;
	Snapshot	snapshot;		/* registered, or SnapshotAny */
	shm_mq_handle **queues;		/* NULL for one whose worker is done */
	int			open;			/* of them that are not */
	uint32		own;			/* entries of its own so far */
} Crew;

/* A worker's view. */
typedef struct Sender
{
	shm_mq_handle *queue;
	int			count;
	Sent		batch[BATCH];
} Sender;

/* ---- workers ---- */

static void
send_batch(Sender *sender)
{
	if (sender->count > 0 &&
		shm_mq_send(sender->queue, sender->count * sizeof(Sent), sender->batch, false,
					false) != SHM_MQ_SUCCESS)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("lost the process that builds the index")));
	sender->count = 0;
}

static void
send_entry(void *state, const StewardBlindEntry *entry, bool bound)
{
	Sender	   *sender = state;

	sender->batch[sender->count].entry = *entry;
	sender->batch[sender->count++].bound = bound;
	if (sender->count == BATCH)
		send_batch(sender);
}

static shm_mq_handle *
open_queue(dsm_segment *segment, shm_toc *toc)
{
	char	   *queues = shm_toc_lookup(toc, KEY_QUEUES, false);
	shm_mq	   *queue = (shm_mq *) (queues + ParallelWorkerNumber * QUEUE_BYTES);

	shm_mq_set_sender(queue, MyProc);
	return shm_mq_attach(queue, segment, NULL);
}

/* Lets others see what this process works on, as a statement's workers do. */
static void
show_activity(const Task *task, shm_toc *toc)
{
	debug_query_string = shm_toc_lookup(toc, KEY_QUERY, true);
	pgstat_report_activity(STATE_RUNNING, debug_query_string);
	pgstat_report_query_id(task->query_id, false);
}

/* The leader has these locks; a worker shares them. */
static void
work(const Task *task, shm_toc *toc, Sender *sender, Report *report)
{
	Relation	heap = table_open(task->heap, task->concurrent ?
								  ShareUpdateExclusiveLock : ShareLock);
	Relation	index = index_open(task->index, task->concurrent ?
								   RowExclusiveLock : AccessExclusiveLock);
	StewardBlindRows rows = {
		.heap = heap, .index = index, .info = BuildIndexInfo(index),
		.meta = &task->meta, .take = send_entry, .state = sender
	};

	rows.info->ii_Concurrent = task->concurrent;
	report->rows =
		steward_blind_rows_scan(&rows,
								table_beginscan_parallel(heap,
														 shm_toc_lookup(toc, KEY_SCAN,
																		false)));
	send_batch(sender);
	report->broken_hot_chain = rows.info->ii_BrokenHotChain;
	index_close(index, NoLock);
	table_close(heap, NoLock);
}

extern PGDLLEXPORT void steward_blind_build_worker(dsm_segment *segment, shm_toc *toc);

void
steward_blind_build_worker(dsm_segment *segment, shm_toc *toc)
{
	const Task *task = shm_toc_lookup(toc, KEY_TASK, false);
	Report	   *reports = shm_toc_lookup(toc, KEY_REPORTS, false);
	Report	   *report = &reports[ParallelWorkerNumber];
	Sender		sender = {.queue = open_queue(segment, toc)};

	show_activity(task, toc);
	InstrStartParallelQuery();
	work(task, toc, &sender, report);
	InstrEndParallelQuery(&report->buffers, &report->wal);
	report->finished = true;
	shm_mq_detach(sender.queue);
}

/* ---- the leader: beginning ---- */

static void
estimate(ParallelContext *context, Size bytes)
{
	shm_toc_estimate_chunk(&context->estimator, bytes);
	shm_toc_estimate_keys(&context->estimator, 1);
}

static Size
query_bytes(void)
{
	return debug_query_string == NULL ? 0 : strlen(debug_query_string) + 1;
}

static void *
allocate(ParallelContext *context, uint64 key, Size bytes)
{
	void	   *memory = shm_toc_allocate(context->toc, bytes);

	memset(memory, 0, bytes);
	shm_toc_insert(context->toc, key, memory);
	return memory;
}

static void
share_task(const Crew *crew)
{
	const StewardBlindRows *rows = crew->rows;
	Task	   *task = allocate(crew->context, KEY_TASK, sizeof *task);

	task->heap = RelationGetRelid(rows->heap);
	task->index = RelationGetRelid(rows->index);
	task->concurrent = rows->info->ii_Concurrent;
	task->query_id = pgstat_get_my_query_id();
	task->meta = *rows->meta;
	if (query_bytes() > 0)
		memcpy(allocate(crew->context, KEY_QUERY, query_bytes()), debug_query_string,
			   query_bytes());
}

/* Queues are there before anybody can send. */
static void
share_queues(Crew *crew)
{
	int			workers = crew->context->nworkers;
	char	   *queues = allocate(crew->context, KEY_QUEUES, workers * QUEUE_BYTES);

	crew->queues = palloc0(workers * sizeof *crew->queues);
	for (int i = 0; i < workers; i++)
	{
		shm_mq	   *queue = shm_mq_create(queues + i * QUEUE_BYTES, QUEUE_BYTES);

		shm_mq_set_receiver(queue, MyProc);
		crew->queues[i] = shm_mq_attach(queue, crew->context->seg, NULL);
	}
}

/* Without shared memory to be had there are no workers, and nothing to share. */
static void
share(Crew *crew)
{
	ParallelContext *context = crew->context;
	Size		scan_bytes = table_parallelscan_estimate(crew->rows->heap, crew->snapshot);
	Size		report_bytes = context->nworkers * sizeof(Report);

	estimate(context, sizeof(Task));
	estimate(context, query_bytes());
	estimate(context, scan_bytes);
	estimate(context, report_bytes);
	estimate(context, context->nworkers * QUEUE_BYTES);
	InitializeParallelDSM(context);
	if (context->seg == NULL)
		return;
	share_task(crew);
	crew->scan = allocate(context, KEY_SCAN, scan_bytes);
	table_parallelscan_initialize(crew->rows->heap, crew->scan, crew->snapshot);
	crew->reports = allocate(context, KEY_REPORTS, report_bytes);
	share_queues(crew);
}

/* Without CONCURRENTLY all that a snapshot may see is read, as in a serial build. */
static void
crew_begin(Crew *crew)
{
	EnterParallelMode();
	crew->context = CreateParallelContext("pg_steward", "steward_blind_build_worker",
										  crew->rows->info->ii_ParallelWorkers);
	crew->snapshot = crew->rows->info->ii_Concurrent ?
		RegisterSnapshot(GetTransactionSnapshot()) : SnapshotAny;
	share(crew);
	if (crew->context->seg != NULL)
		LaunchParallelWorkers(crew->context);
	crew->open = crew->context->nworkers_launched;
	for (int i = 0; i < crew->open; i++)
		shm_mq_set_handle(crew->queues[i], crew->context->worker[i].bgwhandle);
	ereport(DEBUG1,
			(errmsg_internal("index \"%s\" is built with %d parallel workers",
							 RelationGetRelationName(crew->rows->index), crew->open)));
}

/* ---- the leader: entries ---- */

static void
take_batch(const StewardBlindRows *rows, const Sent *items, int count)
{
	for (int i = 0; i < count; i++)
		rows->take(rows->state, &items[i].entry, items[i].bound != 0);
}

/* Takes what a worker has sent; false when there was nothing. */
static bool
take_sent(Crew *crew, int worker)
{
	bool		any = false;

	for (;;)
	{
		Size		bytes;
		void	   *items;
		shm_mq_result result = shm_mq_receive(crew->queues[worker], &bytes, &items, true);

		CHECK_FOR_INTERRUPTS();
		if (result == SHM_MQ_WOULD_BLOCK)
			return any;
		any = true;
		if (result == SHM_MQ_DETACHED)
		{
			shm_mq_detach(crew->queues[worker]);
			crew->queues[worker] = NULL;
			crew->open--;
			return any;
		}
		take_batch(crew->rows, items, bytes / sizeof(Sent));
	}
}

static bool
take_all_sent(Crew *crew)
{
	bool		any = false;

	for (int i = 0; i < crew->context->nworkers_launched; i++)
		if (crew->queues[i] != NULL)
			any |= take_sent(crew, i);
	return any;
}

/* An entry of the leader's own. Workers must not wait long for it. */
static void
take_own(void *state, const StewardBlindEntry *entry, bool bound)
{
	Crew	   *crew = state;

	crew->rows->take(crew->rows->state, entry, bound);
	if (++crew->own % LEADER_ENTRIES == 0)
		(void) take_all_sent(crew);
}

/* Takes entries until all workers are done, or gone. */
static void
take_rest(Crew *crew)
{
	while (crew->open > 0)
	{
		CHECK_FOR_INTERRUPTS();
		if (take_all_sent(crew))
			continue;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1,
						 WAIT_EVENT_PARALLEL_CREATE_INDEX_SCAN);
		ResetLatch(MyLatch);
	}
}

/* ---- the leader: ending ---- */

/*
 * Adds up what workers report; returns their rows. A worker that fails raises its error
 * here, or earlier; one that left without a word would leave rows out.
 */
static double
take_reports(Crew *crew)
{
	double		rows = 0;

	WaitForParallelWorkersToFinish(crew->context);
	for (int i = 0; i < crew->context->nworkers_launched; i++)
	{
		Report	   *report = &crew->reports[i];

		if (!report->finished)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("a parallel worker ended before it had read its part of the table")));
		rows += report->rows;
		crew->rows->info->ii_BrokenHotChain |= report->broken_hot_chain;
		InstrAccumParallelQuery(&report->buffers, &report->wal);
	}
	return rows;
}

static void
crew_end(Crew *crew)
{
	if (IsMVCCSnapshot(crew->snapshot))
		UnregisterSnapshot(crew->snapshot);
	DestroyParallelContext(crew->context);
	ExitParallelMode();
}

double
steward_blind_rows_scan_parallel(const StewardBlindRows *rows)
{
	Crew		crew = {.rows = rows};
	StewardBlindRows own = *rows;
	double		count;

	own.take = take_own;
	own.state = &crew;
	crew_begin(&crew);
	if (crew.open == 0)
	{
		crew_end(&crew);
		return steward_blind_rows_scan(rows, NULL);
	}
	count = steward_blind_rows_scan(&own, table_beginscan_parallel(rows->heap, crew.scan));
	take_rest(&crew);
	count += take_reports(&crew);
	crew_end(&crew);
	return count;
}

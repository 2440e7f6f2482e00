/*
 * import.c: from spool files into the audit log; see import.h.
 *
 * Records and how far they were read commit together, so that each is imported once
 * whatever happens. A record of a read refers to who read by position; what the log
 * gets has it all.
 */
#include "base/compat.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "access/file.h"
#include "access/import.h"
#include "access/progress.h"
#include "access/spool.h"
#include "access/xact.h"
#include "audit/event.h"
#include "base/json.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

/* A file that was never begun is left by a crash, and removed after this time. */
#define ABANDONED_SECONDS 3600

/* Files that are imported as a whole, once this transaction commits. */
typedef struct Imported
{
	struct Imported *next;
	uint64		size;
	char		path[FLEXIBLE_ARRAY_MEMBER];
} Imported;

static Imported *imported = NULL;

static void
remove_at_commit(const StewardSpoolFile *file)
{
	Imported   *entry = MemoryContextAlloc(TopMemoryContext,
										   offsetof(Imported, path) + strlen(file->path) + 1);

	memcpy(entry->path, file->path, strlen(file->path) + 1);
	entry->size = file->size;
	entry->next = imported;
	imported = entry;
}

static void
end_imported(bool committed)
{
	while (imported != NULL)
	{
		Imported   *entry = imported;

		imported = entry->next;
		if (committed)
			steward_spool_remove(entry->path, entry->size);
		pfree(entry);
	}
}

/* ---- records ---- */

/* A string of an object, copied; NULL when it has none of this name. */
static char *
string_of(Jsonb *object, const char *name)
{
	JsonbValue *value = getKeyJsonValueFromContainer(&object->root, name, strlen(name), NULL);

	return value == NULL || value->type != jbvString ? NULL :
		pnstrdup(value->val.string.val, value->val.string.len);
}

static Jsonb *
merge(Jsonb *below, Jsonb *above)
{
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(below),
											  JsonbPGetDatum(above)));
}

static Jsonb *
without(Jsonb *object, const char *name)
{
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_delete, JsonbPGetDatum(object),
											  CStringGetTextDatum(name)));
}

/* {"session": …}: what ties a record that says no more to its session. */
static Jsonb *
session_of(const StewardSpoolFile *file)
{
	char	   *session = string_of(file->origin, "session");
	StewardJson json;

	steward_json_begin(&json);
	steward_json_text(&json, "session", session != NULL ? session : file->name);
	return steward_json_end(&json);
}

/* A read whose end was not met yet. */
typedef struct Begun
{
	struct Begun *next;
	int64		statement;
	Jsonb	   *details;
} Begun;

static Begun *begun = NULL;		/* in the memory of one file's import */

static int64
number_of(Jsonb *object, const char *name)
{
	JsonbValue *value = getKeyJsonValueFromContainer(&object->root, name, strlen(name), NULL);

	char	   *digits;
	int64		number;

	if (value == NULL || value->type != jbvNumeric)
		return 0;
	digits = DatumGetCString(DirectFunctionCall1(numeric_out,
												 NumericGetDatum(value->val.numeric)));
	/* Not of numeric's own cast, which raises. */
	number = strtoi64(digits, NULL, 10);
	pfree(digits);
	return number;
}

/* The record that says who read, by its position in the file. */
static Jsonb *
context_of(StewardSpoolFile *file, Jsonb *record)
{
	int64		position = number_of(record, "context");
	Jsonb	   *context = position <= 0 ? NULL :
		steward_spool_at(file, (uint64) position);

	return context != NULL && JB_ROOT_IS_OBJECT(context) ? context : NULL;
}

/* What the log gets to know of a read, or of decryptions. */
static Jsonb *
with_context(StewardSpoolFile *file, Jsonb *record)
{
	Jsonb	   *context = context_of(file, record);
	Jsonb	   *details = context != NULL ? merge(file->origin, context) : file->origin;

	details = without(merge(details, record), "context");
	return without(without(details, "encoding"), "database");
}

/* {name: record} */
static Jsonb *
as_member(char *name, Jsonb *record)
{
	JsonbParseState *state = NULL;
	JsonbValue	key = {.type = jbvString};
	JsonbValue	value = {.type = jbvBinary};

	key.val.string.val = name;
	key.val.string.len = strlen(name);
	value.val.binary.data = &record->root;
	value.val.binary.len = VARSIZE(record) - VARHDRSZ;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	pushJsonbValue(&state, WJB_KEY, &key);
	pushJsonbValue(&state, WJB_VALUE, &value);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* Keeps a read until its end is met. */
static void
begin_read(MemoryContext memory, Jsonb *details)
{
	MemoryContext old = MemoryContextSwitchTo(memory);
	Begun	   *read = palloc(sizeof *read);

	read->statement = number_of(details, "statement");
	read->details = DatumGetJsonbPCopy(JsonbPGetDatum(details));
	read->next = begun;
	begun = read;
	MemoryContextSwitchTo(old);
}

/* Most reads end before they are imported: then they are one record of the log. */
static void
end_read(StewardSpoolFile *file, Jsonb *record)
{
	int64		statement = number_of(record, "statement");

	for (Begun **link = &begun; *link != NULL; link = &(*link)->next)
	{
		Begun	   *read = *link;

		if (read->statement != statement)
			continue;
		*link = read->next;
		steward_audit_event(STEWARD_OP_READ,
							merge(read->details, as_member("end", without(without(record, "kind"), "statement"))));
		pfree(read->details);
		pfree(read);
		return;
	}
	steward_audit_event(STEWARD_OP_READ, merge(session_of(file), record));
}

/* Those that have not ended yet are recorded without their end, which follows. */
static void
record_begun(void)
{
	while (begun != NULL)
	{
		steward_audit_event(STEWARD_OP_READ, begun->details);
		begun = begun->next;
	}
}

/* It is no read, but tells of some: an event of the extension. */
static void
import_as_own(const char *event, Jsonb *record)
{
	StewardJson json;

	steward_json_begin(&json);
	steward_json_text(&json, "event", event);
	steward_audit_event(STEWARD_OP_OWN,
						merge(steward_json_end(&json),
							  as_member("details", without(record, "kind"))));
}

/* Adds a record to the log; false for what is only referred to. */
static bool
import_record(StewardSpoolFile *file, MemoryContext memory, Jsonb *record)
{
	char	   *kind = string_of(record, "kind");

	if (strcmp(kind, "context") == 0 || strcmp(kind, "spool") == 0)
		return false;
	if (strcmp(kind, "read") == 0)
		begin_read(memory, with_context(file, record));
	else if (strcmp(kind, "end") == 0)
		end_read(file, record);
	else if (strcmp(kind, "decrypts") == 0)
		steward_audit_event(STEWARD_OP_READ, with_context(file, record));
	else if (strcmp(kind, "setting") == 0)
		import_as_own("reads_not_recorded", with_context(file, record));
	else if (strcmp(kind, "unreadable") == 0)
		import_as_own("unreadable_record", record);
	else
		steward_audit_event(STEWARD_OP_READ, merge(session_of(file), record));
	return true;
}

/* Notes that the rest of a file whose process is gone cannot be read. */
static void
import_torn(StewardSpoolFile *file)
{
	StewardJson json;

	ereport(LOG,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("spool file \"%s\" cannot be read from position " UINT64_FORMAT " to its end at " UINT64_FORMAT,
					file->path, file->position, file->size)));
	steward_json_begin(&json);
	steward_json_text(&json, "kind", "torn");
	steward_json_text(&json, "file", file->name);
	steward_json_number(&json, "position", (int64) file->position);
	steward_json_number(&json, "bytes", (int64) (file->size - file->position));
	steward_audit_event(STEWARD_OP_READ, steward_json_end(&json));
}

/* ---- files ---- */

/* Imports records until there are no more, or so many; true at the end of a file
 * that does not grow. */
static bool
import_records(StewardSpoolFile *file, int64 limit, int64 *count)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext,
												 "pg_steward import",
												 ALLOCSET_DEFAULT_SIZES);
	MemoryContext scratch = AllocSetContextCreate(memory, "pg_steward import of a record",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	StewardSpoolStatus status = STEWARD_SPOOL_OK;
	Jsonb	   *record = NULL;

	begun = NULL;
	while (*count < limit && (record = steward_spool_next(file, &status)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (import_record(file, memory, record))
			(*count)++;
		MemoryContextReset(scratch);
	}
	record_begun();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
	if (record != NULL || *count >= limit || !file->finished)
		return false;
	if (status != STEWARD_SPOOL_OK)
	{
		import_torn(file);
		file->position = file->size;
		(*count)++;
	}
	return true;
}

static int64
import_file(const char *name, int64 limit)
{
	StewardSpoolFile *file = steward_spool_open(name);
	bool		complete;
	uint64		before;
	int64		count = 0;

	if (file == NULL)
		return 0;
	before = steward_progress_get(name, &complete);
	if (!complete && (file->origin != NULL || file->finished))
	{
		file->position = Max(before, steward_spool_first(file));
		if (file->origin == NULL)
			file->position = Min(file->position, file->size);
		complete = import_records(file, limit, &count);
		if (complete || file->position != before)
			steward_progress_put(name, file->position, complete);
	}
	if (complete && file->finished)
		remove_at_commit(file);
	steward_spool_close(file);
	return count;
}

/* Removes what a crash left between making a file and naming it. */
static void
remove_abandoned(const char *name)
{
	StewardSpoolFile *file = steward_spool_open(name);
	struct stat info;

	if (file == NULL)
		return;
	if (file->finished && fstat(file->fd, &info) == 0 &&
		info.st_mtime < time(NULL) - ABANDONED_SECONDS)
		steward_spool_remove(file->path, file->size);
	steward_spool_close(file);
}

int64
steward_access_import(int64 limit, bool wait)
{
	List	   *names;
	ListCell   *cell;
	int64		count = 0;

	if (!steward_audit_started() || !steward_progress_lock(wait))
		return 0;
	names = steward_spool_names();
	steward_progress_sweep(names);
	foreach(cell, names)
	{
		const char *name = lfirst(cell);

		if (strncmp(name, STEWARD_SPOOL_PREFIX STEWARD_SPOOL_NEW,
					strlen(STEWARD_SPOOL_PREFIX STEWARD_SPOOL_NEW)) == 0)
			remove_abandoned(name);
		else if (count < limit)
			count += import_file(name, limit - count);
	}
	return count;
}

STEWARD_FUNCTION(steward_import_access)
{
	PreventCommandIfReadOnly("steward.import_access()");
	if (!PG_ARGISNULL(0) && PG_GETARG_INT64(0) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of records must be at least 1")));
	PG_RETURN_INT64(steward_access_import(PG_ARGISNULL(0) ? PG_INT64_MAX :
										  PG_GETARG_INT64(0), true));
}

/* ---- transactions ---- */

static void
on_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT)
		end_imported(true);
	else if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		end_imported(false);
}

/* A later import removes what is left then. */
static void
on_subtransaction(SubXactEvent event, SubTransactionId mine,
				  SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		end_imported(false);
}

void
steward_access_import_init(void)
{
	RegisterXactCallback(on_transaction, NULL);
	RegisterSubXactCallback(on_subtransaction, NULL);
}

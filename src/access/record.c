/*
 * record.c: the records of a read; see read.h and README.
 *
 * Beginning and end are one write each. Nothing here reads a catalog, so that the
 * end can be written while a transaction is rolled back.
 */
#include "base/compat.h"

#include "access/spool_json.h"
#include "access/parallel.h"
#include "access/read.h"
#include "access/reader.h"
#include "access/spool.h"
#include "access/xact.h"
#include "base/duty.h"
#include "base/guc.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

/* "statement" and the time; kind is a constant. */
#define BEGIN_RECORD(out, kind, statement, time) \
	do { \
		steward_spool_json_put(out, "{\"kind\":\"" kind "\",\"statement\":"); \
		steward_spool_json_unsigned(out, statement); \
		steward_spool_json_put(out, ",\"at\":"); \
		steward_spool_json_time(out, time); \
	} while (0)

static void
put_transaction(StringInfo out)
{
	FullTransactionId xid = GetTopFullTransactionIdIfAny();

	steward_spool_json_put(out, ",\"vxid\":\"");
	steward_spool_json_integer(out, STEWARD_VXID_NUMBER());
	appendStringInfoCharMacro(out, '/');
	steward_spool_json_unsigned(out, STEWARD_VXID_LOCAL());
	appendStringInfoCharMacro(out, '"');
	if (FullTransactionIdIsValid(xid))
	{
		steward_spool_json_put(out, ",\"xid\":");
		steward_spool_json_unsigned(out, U64FromFullTransactionId(xid));
	}
}

static void
put_beginning(StewardRead *read, uint64 context, bool shown)
{
	StringInfo	out = steward_spool_begin();

	BEGIN_RECORD(out, "read", read->number, read->begun_at);
	steward_spool_json_put(out, ",\"context\":");
	steward_spool_json_unsigned(out, context);
	steward_spool_json_put(out, ",\"command\":\"");
	appendStringInfoString(out, read->command);
	steward_spool_json_put(out, "\",\"statement_started_at\":");
	steward_spool_json_time(out, GetCurrentStatementStartTimestamp());
	put_transaction(out);
	if (read->query != NULL && read->query->plannedstmt->queryId != 0)
	{
		steward_spool_json_put(out, ",\"query_id\":");
		steward_spool_json_integer(out, (int64) read->query->plannedstmt->queryId);
	}
	steward_read_put_relations(read, out, shown ? STEWARD_SHOWN_COLUMNS : STEWARD_READ_COLUMNS);
	appendStringInfoCharMacro(out, '}');
	(void) steward_spool_end();
}

static void
put_end(StewardRead *read, const char *outcome, int sqlstate, bool shown)
{
	TimestampTz now = GetCurrentTimestamp();
	StringInfo	out = steward_spool_begin();

	BEGIN_RECORD(out, "end", read->number, now);
	steward_spool_json_put(out, ",\"outcome\":\"");
	appendStringInfoString(out, outcome);
	appendStringInfoCharMacro(out, '"');
	if (sqlstate != 0)
	{
		steward_spool_json_put(out, ",\"sqlstate\":\"");
		appendStringInfoString(out, unpack_sql_state(sqlstate));
		appendStringInfoCharMacro(out, '"');
	}
	steward_spool_json_put(out, ",\"rows\":");
	steward_spool_json_unsigned(out, read->rows);
	steward_spool_json_put(out, ",\"microseconds\":");
	steward_spool_json_integer(out, now - read->begun_at);
	if (read->query != NULL && read->query->plannedstmt->parallelModeNeeded)
		steward_spool_json_put(out, ",\"parallel\":true");
	steward_read_put_relations(read, out, shown ? STEWARD_SHOWN_ROWS : STEWARD_READ_ROWS);
	if (!shown)
		steward_decrypts_put(out, read->number);
	appendStringInfoCharMacro(out, '}');
	(void) steward_spool_end();
}

/* Writes what was put, or undoes it. */
static bool
write_records(void)
{
	if (steward_spool_write())
		return true;
	steward_reader_forget();
	return false;
}

/* The same of what an import makes a record of. */
static bool
write_to_import(void)
{
	if (!write_records())
		return false;
	steward_duty_due(MyDatabaseId);
	return true;
}

/* As the setting says, unless it must not be an error any more. */
static void
complain(int elevel)
{
	if (elevel == ERROR && steward_access_audit != STEWARD_ACCESS_REQUIRED)
		elevel = WARNING;
	steward_spool_complain(elevel);
}

bool
steward_read_try_announce(StewardRead *read)
{
	uint64		file;

	if (read->announced || read->unrecorded)
		return read->announced;
	file = steward_spool_file();
	if (file != 0)
	{
		put_beginning(read, steward_reader_record(file), false);
		read->announced = write_records();
	}
	read->unrecorded = !read->announced;
	return read->announced;
}

void
steward_read_complain(void)
{
	complain(ERROR);
}

void
steward_read_announce(StewardRead *read)
{
	if (likely(read->announced) || read->unrecorded || read->part || read->check)
		return;
	read->begun_at = GetCurrentTimestamp();
	if (!steward_read_try_announce(read))
		complain(ERROR);
}

bool
steward_read_try_whole(StewardRead *read)
{
	uint64		file = steward_spool_file();

	if (file != 0)
	{
		put_beginning(read, steward_reader_record(file), false);
		put_end(read, "completed", 0, false);
		read->ended = write_to_import();
	}
	read->unrecorded = !read->ended;
	return read->ended;
}

void
steward_read_conclude(StewardRead *read, const char *outcome, int sqlstate,
					  int elevel)
{
	if (!read->announced)
		return;
	read->announced = false;
	if (steward_spool_file() != 0)
	{
		put_end(read, outcome, sqlstate, false);
		if (write_to_import())
			return;
	}
	complain(elevel);
}

void
steward_read_refused(StewardRead *read, int sqlstate)
{
	uint64		file = steward_spool_file();

	read->begun_at = GetCurrentTimestamp();
	if (file != 0)
	{
		put_beginning(read, steward_reader_record(file), false);
		put_end(read, "denied", sqlstate, false);
		if (write_to_import())
			return;
	}
	steward_spool_complain(LOG);
}

bool
steward_read_shown(StewardRead *read, int sqlstate)
{
	uint64		file = steward_spool_file();

	read->begun_at = GetCurrentTimestamp();
	read->rows = 0;
	if (file == 0)
		return false;
	put_beginning(read, steward_reader_record(file), true);
	put_end(read, "error", sqlstate, true);
	return write_to_import();
}

void
steward_read_withhold(void)
{
	if (steward_access_audit == STEWARD_ACCESS_REQUIRED)
		FlushErrorState();
	complain(ERROR);
}

void
steward_read_part(StewardRead *read, int elevel)
{
	const char *number = strchr(read->leader, '/');

	if (steward_spool_file() != 0)
	{
		StringInfo	out = steward_spool_begin();

		BEGIN_RECORD(out, "part", strtou64(number + 1, NULL, 10),
					 GetCurrentTimestamp());
		steward_spool_json_put(out, ",\"of_session\":\"");
		appendBinaryStringInfo(out, read->leader, number - read->leader);
		appendStringInfoCharMacro(out, '"');
		steward_read_put_relations(read, out, STEWARD_READ_ROWS);
		steward_decrypts_put(out, read->number);
		appendStringInfoCharMacro(out, '}');
		(void) steward_spool_end();
		if (write_to_import())
			return;
	}
	complain(elevel);
}

void
steward_read_decrypts(int elevel)
{
	uint64		file;

	if (!steward_decrypts_any(0))
		return;
	if (elevel == ERROR)
		steward_reader_refresh();
	file = steward_spool_file();
	if (file != 0)
	{
		uint64		context = steward_reader_record(file);
		StringInfo	out = steward_spool_begin();

		steward_spool_json_put(out, "{\"kind\":\"decrypts\",\"at\":");
		steward_spool_json_time(out, GetCurrentTimestamp());
		steward_spool_json_put(out, ",\"context\":");
		steward_spool_json_unsigned(out, context);
		put_transaction(out);
		steward_decrypts_put(out, 0);
		appendStringInfoCharMacro(out, '}');
		(void) steward_spool_end();
		if (write_to_import())
			return;
	}
	complain(elevel);
}

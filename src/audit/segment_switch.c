/*
 * segment_switch.c: one segment after another; see segment.h.
 *
 * In three steps, each whole or not done at all:
 *
 *	1	creates the next segment, empty and by itself, attaches it, and adds it to
 *		audit_segment. With the commit it is the newest: who begins to write looks
 *		after locking the segment whether it still is.
 *	2	waits until those who had locked the one before have ended.
 *	3	makes the indexes of that one that only readers need, by key and by time,
 *		as it does not change any more, and adds it to audit_segment_closed.
 *
 * Step 1 is a transaction, 2 and 3 are another, which may come much later: after
 * a crash or when somebody does not end, the next call or the duty does it.
 */
#include "base/compat.h"

#include "audit/buffer.h"
#include "audit/segment.h"
#include "base/catalog.h"
#include "base/event.h"
#include "base/slices.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"

static StewardRelationRef log_table = {"audit_log"};
static StewardRelationRef segment_table = {"audit_segment"};

/*
 * Acts as the owner. That a segment was made is recorded, or stands in a table; the
 * commands that make it are not, and what they skip is no news to the caller.
 */
static void
begin_quietly(StewardIdentity *saved)
{
	steward_become_owner(saved);
	(void) set_config_option("steward.audit_ddl", "off", PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("client_min_messages", "warning", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	SPI_connect();
}

static void
end_quietly(StewardIdentity *saved)
{
	SPI_finish();
	steward_become_caller(saved);
}

static void
run(const char *command)
{
	if (SPI_execute(command, false, 0) < 0)
		elog(ERROR, "SPI_execute failed: %s", command);
}

/* Runs a command in which %s is a segment's name, which needs no quotes. */
static void
run_on(const char *format, const char *name)
{
	StringInfoData command;

	initStringInfo(&command);
	for (const char *at = format; *at != '\0'; at++)
	{
		if (at[0] == '%' && at[1] == 's')
		{
			appendStringInfoString(&command, name);
			at++;
		}
		else
			appendStringInfoChar(&command, *at);
	}
	run(command.data);
	pfree(command.data);
}

void
steward_segment_create(int32 number)
{
	char	   *name = psprintf("audit_log_%d", number);
	StewardIdentity saved;

	begin_quietly(&saved);
	run_on("CREATE TABLE steward.%s (LIKE steward.audit_log INCLUDING COMMENTS"
		   " INCLUDING STORAGE) USING heap", name);
	run_on("COMMENT ON TABLE steward.%s IS 'a segment of the audit log'", name);
	run_on("REVOKE ALL ON steward.%s FROM PUBLIC", name);
	run_on("CREATE INDEX %s_xid_idx ON steward.%s USING btree (xid, first_seq)", name);
	run_on("SELECT steward.audit_protect('steward.%s')", name);
	/* Unlike CREATE TABLE ... PARTITION OF this lets others read the log. */
	run(psprintf("ALTER TABLE steward.audit_log ATTACH PARTITION steward.%s"
				 " FOR VALUES IN (%d)", name, number));
	run(psprintf("INSERT INTO steward.audit_segment (number, name, opened_at)"
				 " VALUES (%d, '%s', pg_catalog.clock_timestamp())", number, name));
	end_quietly(&saved);
	/* What a session knows of the newest segment. */
	CacheInvalidateRelcacheByRelid(steward_relation_oid(&segment_table));
	CommandCounterIncrement();
}

/* The last record of the old segment is that another follows, and who says so. */
static void
record_switch(int32 to)
{
	StewardJson json;

	if (!steward_event_begin(&json, "switch_segment"))
		return;
	steward_json_number(&json, "segment", to);
	steward_event_end(&json);
	steward_buffer_flush();
}

bool
steward_segment_switch(int32 from)
{
	char	   *name;

	/*
	 * One at a time; enable_audit, which creates the first, takes a stronger
	 * one.
	 */
	LockRelationOid(steward_relation_oid(&segment_table), ShareUpdateExclusiveLock);
	if (steward_segment_newest(&name) != from)
		return false;
	if (from == PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the audit log has too many segments")));
	record_switch(from + 1);
	steward_segment_create(from + 1);
	return true;
}

/* A number that a query gives, or 0. */
static int32
query_number(const char *query, int32 argument)
{
	Oid			types[] = {INT4OID};
	Datum		values[] = {Int32GetDatum(argument)};
	StewardIdentity saved;
	bool		isnull = true;
	Datum		number = (Datum) 0;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args(query, 1, types, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed: %s", query);
	if (SPI_processed > 0)
		number = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							   &isnull);
	SPI_finish();
	steward_become_caller(&saved);
	return isnull ? 0 : DatumGetInt32(number);
}

int32
steward_segment_unclosed(int32 after)
{
	return query_number("SELECT pg_catalog.min(s.number) FROM steward.audit_segment AS s"
						" WHERE s.number OPERATOR(pg_catalog.>) $1 AND s.number OPERATOR(pg_catalog.<)"
						" (SELECT pg_catalog.max(n.number) FROM steward.audit_segment AS n)"
						" AND pg_catalog.to_regclass('steward.' OPERATOR(pg_catalog.||) s.name) IS NOT NULL"
						" AND (pg_catalog.to_regclass('steward.' OPERATOR(pg_catalog.||) s.name OPERATOR(pg_catalog.||) '_keys_idx') IS NULL"
						" OR NOT EXISTS (SELECT FROM steward.audit_segment_closed AS c WHERE c.number OPERATOR(pg_catalog.=) s.number))",
						after);
}

/* Conflicts with writers, and with itself. */
static void
lock_to_close(void *arg)
{
	LockRelationOid(*(Oid *) arg, ShareRowExclusiveLock);
}

static void
make_indexes(int32 number, const char *name)
{
	StewardIdentity saved;

	begin_quietly(&saved);
	run_on("CREATE INDEX IF NOT EXISTS %s_keys_idx ON steward.%s"
		   " USING gin (steward.audit_keys(batch, first_seq, xid))", name);
	run_on("COMMENT ON INDEX steward.%s_keys_idx IS 'the rows that batches are about'", name);
	run_on("CREATE INDEX IF NOT EXISTS %s_written_at_idx ON steward.%s USING brin (written_at)", name);
	run(psprintf("INSERT INTO steward.audit_segment_closed"
				 " (number, closed_at, incarnation, batches, records, first_written_at, last_written_at, last_xid)"
				 " SELECT %d, pg_catalog.clock_timestamp(),"
				 " (SELECT pg_catalog.max(i.id) FROM steward.audit_incarnation AS i),"
				 " pg_catalog.count(*), coalesce(pg_catalog.sum(l.records), 0),"
				 " pg_catalog.min(l.written_at), pg_catalog.max(l.written_at), pg_catalog.max(l.xid)"
				 " FROM ONLY steward.%s AS l ON CONFLICT (number) DO NOTHING",
				 number, name));
	end_quietly(&saved);
}

bool
steward_segment_close(int32 number, double patience)
{
	char	   *name = psprintf("audit_log_%d", number);
	Oid			relation = steward_segment_relation(name);

	if (!OidIsValid(relation))
		return true;
	if (!steward_in_slices(lock_to_close, &relation, patience))
		return false;
	/* Somebody else may have done it, or dropped it, meanwhile. */
	if (steward_segment_unclosed(number - 1) != number)
		return true;
	make_indexes(number, name);
	/* For plain queries of a session that overlooked the one that follows. */
	CacheInvalidateRelcacheByRelid(steward_relation_oid(&log_table));
	return true;
}

/*
 * A restored segment whose index says of a batch that it could not be read, which
 * can be read now.
 */
static bool
is_outdated(int32 number)
{
	return query_number(psprintf("SELECT $1 FROM (SELECT l.batch, l.first_seq, l.xid FROM ONLY steward.audit_log_%d AS l"
								 " WHERE steward.audit_keys(l.batch, l.first_seq, l.xid) OPERATOR(pg_catalog.&&) '{0}' OFFSET 0) AS b"
								 " WHERE NOT steward.audit_keys(b.batch, b.first_seq, b.xid) OPERATOR(pg_catalog.&&) '{0}' LIMIT 1",
								 number), number) != 0;
}

/* The next segment that was closed in another life of the database, or 0. */
static int32
next_restored(int32 after)
{
	return query_number("SELECT pg_catalog.min(c.number) FROM steward.audit_segment_closed AS c"
						" JOIN steward.audit_segment AS s ON s.number OPERATOR(pg_catalog.=) c.number"
						" WHERE c.number OPERATOR(pg_catalog.>) $1"
						" AND c.incarnation OPERATOR(pg_catalog.<>) (SELECT pg_catalog.max(i.id) FROM steward.audit_incarnation AS i)"
						" AND pg_catalog.to_regclass('steward.' OPERATOR(pg_catalog.||) s.name OPERATOR(pg_catalog.||) '_keys_idx') IS NOT NULL",
						after);
}

static void
lock_to_renew(void *arg)
{
	LockRelationOid(*(Oid *) arg, AccessExclusiveLock);
}

int32
steward_segment_outdated(int32 after)
{
	int32		number = after;

	while ((number = next_restored(number)) != 0)
	{
		if (is_outdated(number))
			return number;
	}
	return 0;
}

bool
steward_segment_renew(double patience)
{
	int32		number = 0;
	bool		all = true;

	while ((number = steward_segment_outdated(number)) != 0)
	{
		StewardIdentity saved;
		char	   *name = psprintf("audit_log_%d", number);
		Oid			relation = steward_segment_relation(name);

		if (!steward_in_slices(lock_to_renew, &relation, patience))
		{
			all = false;
			continue;
		}
		begin_quietly(&saved);
		run_on("REINDEX INDEX steward.%s_keys_idx", name);
		end_quietly(&saved);
	}
	return all;
}

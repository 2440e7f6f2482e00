/*
 * lenient.c: tells that steward.access_audit lets reads go unrecorded.
 *
 * However a session came by the setting (SET, set_config(), the connection, ALTER
 * ROLE, a configuration file): the first read of something audited under it puts
 * that into the spool, where no rollback reaches it. Once, until the session reads
 * under another value.
 */
#include "base/compat.h"

#include "access/parallel.h"
#include "access/read.h"
#include "access/reader.h"
#include "access/spool.h"
#include "access/spool_json.h"
#include "base/duty.h"
#include "base/guc.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

static int	told = STEWARD_ACCESS_REQUIRED;

static bool
tell(void)
{
	uint64		file;
	uint64		context;
	StringInfo	out;

	steward_reader_refresh();
	file = steward_spool_file();
	if (file == 0)
		return false;
	context = steward_reader_record(file);
	out = steward_spool_begin();
	steward_spool_json_put(out, "{\"kind\":\"setting\",\"at\":");
	steward_spool_json_time(out, GetCurrentTimestamp());
	steward_spool_json_put(out, ",\"context\":");
	steward_spool_json_unsigned(out, context);
	steward_spool_json_put(out, ",\"setting\":\"steward.access_audit\",\"value\":");
	steward_spool_json_string(out, GetConfigOption("steward.access_audit", false, false));
	appendStringInfoCharMacro(out, '}');
	(void) steward_spool_end();
	if (steward_spool_write())
		return true;
	steward_reader_forget();
	return false;
}

bool
steward_read_is_recorded(void)
{
	if (steward_access_audit != told && !IsParallelWorker())
	{
		if (steward_access_audit == STEWARD_ACCESS_REQUIRED || tell())
			told = steward_access_audit;
		else
			steward_spool_complain(LOG);
		if (told != STEWARD_ACCESS_REQUIRED)
			steward_duty_due(MyDatabaseId);
	}
	return steward_access_audit != STEWARD_ACCESS_OFF;
}

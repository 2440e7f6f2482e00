/*
 * pruned.c: records that are gone with their segments; see pruned.h.
 *
 * Which tables there are is not a matter of the snapshot by which the log is read:
 * a segment that was dropped after the snapshot was taken is read by nobody. So
 * the catalogs are asked for each segment that the snapshot knows of.
 */
#include "base/compat.h"

#include "audit/segment.h"
#include "base/catalog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "history/pruned.h"
#include "storage/lmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

static StewardRelationRef log_table = {"audit_log"};

/* Closed later than the snapshot, a segment has no row in audit_segment_closed. */
static const char *const segments_query =
"SELECT s.name, coalesce(c.last_written_at, 'infinity')"
" FROM steward.audit_segment AS s"
" LEFT JOIN steward.audit_segment_closed AS c ON c.number OPERATOR(pg_catalog.=) s.number"
" WHERE c.number IS NULL OR (c.last_written_at OPERATOR(pg_catalog.>) $1"
"  AND c.closed_at OPERATOR(pg_catalog.>) $2 AND c.last_xid OPERATOR(pg_catalog.>=) $3)"
" ORDER BY s.number DESC";

void
steward_pruning_wait(void)
{
	LockRelationOid(steward_relation_oid(&log_table), AccessShareLock);
}

bool
steward_pruned_since(TimestampTz written, TimestampTz ended, uint64 xid,
					 TimestampTz *last)
{
	Oid			types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID, XID8OID};
	Datum		values[] = {TimestampTzGetDatum(written), TimestampTzGetDatum(ended),
	UInt64GetDatum(xid)};
	StewardIdentity saved;
	bool		found = false;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args(segments_query, lengthof(types), types, values, NULL,
							  true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the segments");
	for (uint64 i = 0; i < SPI_processed && !found; i++)
	{
		bool		isnull;

		found = !OidIsValid(steward_segment_relation(SPI_getvalue(SPI_tuptable->vals[i],
																  SPI_tuptable->tupdesc, 1)));
		if (found)
			*last = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[i],
													  SPI_tuptable->tupdesc, 2, &isnull));
	}
	SPI_finish();
	steward_become_caller(&saved);
	return found;
}

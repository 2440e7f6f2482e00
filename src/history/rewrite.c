/*
 * rewrite.c: what ALTER TABLE did to the values when it rewrote a table.
 *
 * The rewrite itself is a record of the table. What for is in the records of
 * commands of the same transaction: a type was changed by the types' own
 * conversion, or by an expression (USING) that could make anything of a value; a
 * column was added, whose default was evaluated for each row.
 */
#include "base/compat.h"

#include "base/catalog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "history/travel.h"
#include "utils/builtins.h"
#include "utils/xid8.h"

static const char *const commands_query =
	"SELECT pg_catalog.bool_or(r.seq OPERATOR(pg_catalog.>) $3 AND a.action OPERATOR(pg_catalog.->>) 'action' OPERATOR(pg_catalog.=) 'ALTER COLUMN TYPE'),"
	" pg_catalog.bool_or(r.seq OPERATOR(pg_catalog.>) $3 AND a.action OPERATOR(pg_catalog.->>) 'action' OPERATOR(pg_catalog.=) 'ADD COLUMN'),"
	" pg_catalog.bool_or((a.action OPERATOR(pg_catalog.->) 'using') IS NOT NULL)"
	" FROM steward.audit_record AS r"
	" CROSS JOIN LATERAL steward.audit_event(r.payload) AS e (event)"
	" CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(coalesce(e.event OPERATOR(pg_catalog.#>) '{details,actions}', '[]')) AS a (action)"
	" WHERE r.xid OPERATOR(pg_catalog.=) $1 AND r.incarnation OPERATOR(pg_catalog.=) $2 AND r.op OPERATOR(pg_catalog.=) 'C'";

bool
steward_rewrite_is_harmless(const StewardTravel *travel,
							const StewardTrailRecord *record)
{
	Oid			types[] = {XID8OID, INT4OID, INT4OID};
	Datum		values[] = {UInt64GetDatum(record->transaction->id.xid),
		Int32GetDatum((int32) record->transaction->id.incarnation),
	Int32GetDatum(record->record.seq)};
	bool		answers[3] = {false, false, false};
	StewardIdentity saved;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args(commands_query, lengthof(types), types, values, NULL,
							  true, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read the commands of a transaction");
	for (int i = 0; i < lengthof(answers); i++)
	{
		bool		isnull;
		Datum		answer = SPI_getbinval(SPI_tuptable->vals[0],
										   SPI_tuptable->tupdesc, i + 1, &isnull);

		answers[i] = !isnull && DatumGetBool(answer);
	}
	SPI_finish();
	steward_become_caller(&saved);
	if (answers[2])
		return false;
	/* A column that came later matters to rows that are followed past it. */
	return answers[1] ? !travel->forward : answers[0];
}

/*
 * commands.c: what the records of commands say about the records of a table.
 *
 * That ALTER TABLE rewrote a table is a record of the table, and so is that its
 * audit began. What for is in the records of commands of the same transaction: a
 * type was changed by the types' own conversion, or by an expression (USING) that
 * could make anything of a value; a column was added whose default was evaluated
 * for each row; a partition was made, or one that had rows was attached.
 */
#include "base/compat.h"

#include "base/catalog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "history/pruned.h"
#include "history/travel.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#define COMMANDS \
	" FROM steward.audit_record AS r" \
	" CROSS JOIN LATERAL steward.audit_event(r.payload) AS e (event)" \
	" LEFT JOIN LATERAL pg_catalog.jsonb_array_elements(e.event OPERATOR(pg_catalog.#>) '{details,actions}') AS a (action) ON true" \
	" WHERE r.op OPERATOR(pg_catalog.=) ANY ('{C,S}')"

#define OF_TRANSACTION \
	" AND r.xid OPERATOR(pg_catalog.=) $1 AND r.incarnation OPERATOR(pg_catalog.=) $2"

#define ACTION_IS(name) "a.action OPERATOR(pg_catalog.->>) 'action' OPERATOR(pg_catalog.=) '" name "'"

static const char *const rewrite_query =
"SELECT coalesce(pg_catalog.bool_or(r.seq OPERATOR(pg_catalog.>) $3 AND " ACTION_IS("ALTER COLUMN TYPE") "), false),"
" coalesce(pg_catalog.bool_or(r.seq OPERATOR(pg_catalog.>) $3 AND " ACTION_IS("ADD COLUMN") "), false),"
" coalesce(pg_catalog.bool_or((a.action OPERATOR(pg_catalog.->) 'using') IS NOT NULL), false)"
COMMANDS OF_TRANSACTION;

static const char *const new_partition_query =
"SELECT coalesce(pg_catalog.bool_or(r.seq OPERATOR(pg_catalog.<) $3"
" AND e.event OPERATOR(pg_catalog.->>) 'command' OPERATOR(pg_catalog.=) 'CREATE TABLE'"
" AND (e.event OPERATOR(pg_catalog.#>) '{details,partition_of}') IS NOT NULL"
" AND e.event OPERATOR(pg_catalog.->>) 'identity' OPERATOR(pg_catalog.=)"
" (SELECT pg_catalog.format('%I.%I', s.schema_name, s.table_name) FROM steward.audit_schema AS s"
"  WHERE s.id OPERATOR(pg_catalog.=) $4)), false)"
COMMANDS OF_TRANSACTION;

/*
 * Commands after which records of a table can be lacking. A partition that is
 * dropped loses its copy of the table's trigger.
 */
static const char *const lacking_query =
"WITH names (name) AS ("
" SELECT pg_catalog.format('%I.%I', s.schema_name, s.table_name) FROM steward.audit_schema AS s"
"  WHERE s.relation OPERATOR(pg_catalog.=) ANY ($3)"
" UNION SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class AS c"
"  JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
"  WHERE c.oid OPERATOR(pg_catalog.=) ANY ($3)), "
"command AS (SELECT r.xid, r.incarnation, r.changed_at, a.action OPERATOR(pg_catalog.->>) 'action' AS action,"
"  a.action OPERATOR(pg_catalog.->>) 'name' AS name, e.event OPERATOR(pg_catalog.->>) 'identity' AS identity,"
"  e.event OPERATOR(pg_catalog.->>) 'event' OPERATOR(pg_catalog.=) 'drop'"
"   AND e.event OPERATOR(pg_catalog.->>) 'object_type' OPERATOR(pg_catalog.=) 'trigger' AS dropped,"
"  (r.op OPERATOR(pg_catalog.=) 'S' AND e.event OPERATOR(pg_catalog.->>) 'event' OPERATOR(pg_catalog.=) ANY ('{exempt_role,audit_role}'))"
"   OR (e.event OPERATOR(pg_catalog.->>) 'command' OPERATOR(pg_catalog.=) ANY ('{GRANT,REVOKE}')"
"    AND pg_catalog.strpos(e.event::pg_catalog.text, 'audit_exemption') OPERATOR(pg_catalog.>) 0)"
"   OR (e.event OPERATOR(pg_catalog.->>) 'command' OPERATOR(pg_catalog.=) 'DROP OWNED'"
"    AND EXISTS (SELECT FROM steward.audit_record AS f WHERE f.op OPERATOR(pg_catalog.=) 'S'"
"     AND steward.audit_event(f.payload) OPERATOR(pg_catalog.->>) 'event' OPERATOR(pg_catalog.=) 'exempt_role')) AS exempted,"
"  (e.event OPERATOR(pg_catalog.#>) '{details,value_renamed_to}') IS NOT NULL AS relabelled"
COMMANDS " AND r.written_at OPERATOR(pg_catalog.>) $1 AND r.xid OPERATOR(pg_catalog.>=) $2)"
" SELECT c.xid, c.incarnation, c.changed_at,"
"  CASE WHEN c.relabelled THEN 'ALTER TYPE renamed a value of an enum of its columns'"
"   WHEN c.exempted THEN 'a role was exempted from the audit, or no longer'"
"   WHEN c.dropped OR c.action OPERATOR(pg_catalog.!~) '^DETACH PARTITION'"
"   THEN 'one of its audit triggers was dropped or disabled, maybe with a partition'"
"   ELSE 'a partition was detached' END"
" FROM command AS c"
" WHERE coalesce(c.exempted, false)"
"  OR (c.relabelled AND c.identity OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT pg_catalog.format('%I.%I', n.nspname, t.typname)"
"   FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace"
"   WHERE t.oid OPERATOR(pg_catalog.=) ANY ($5))))"
"  OR (c.identity OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT n.name FROM names AS n))"
"   AND (c.action OPERATOR(pg_catalog.~) '^DETACH PARTITION'"
"    OR (c.action OPERATOR(pg_catalog.~) '^(DISABLE|ENABLE|ENABLE REPLICA) TRIGGER'"
"     AND (c.name IS NULL OR pg_catalog.starts_with(c.name, '00_steward_audit_')))))"
"  OR (c.dropped AND pg_catalog.strpos(c.identity, $4) OPERATOR(pg_catalog.>) 0)"
"  OR (c.dropped AND pg_catalog.starts_with(c.identity, '\"00_steward_audit_')"
"   AND EXISTS (SELECT FROM names AS n WHERE pg_catalog.right(c.identity, pg_catalog.length(n.name) OPERATOR(pg_catalog.+) 4)"
"    OPERATOR(pg_catalog.=) pg_catalog.concat(' on ', n.name)))"
" ORDER BY c.changed_at";

static const char *const relabelled_query =
"SELECT" COMMANDS " AND r.written_at OPERATOR(pg_catalog.>) $1"
" AND (e.event OPERATOR(pg_catalog.#>) '{details,value_renamed_to}') IS NOT NULL"
" AND e.event OPERATOR(pg_catalog.->>) 'identity' OPERATOR(pg_catalog.=) ANY (ARRAY("
"  SELECT pg_catalog.format('%I.%I', n.nspname, t.typname) FROM pg_catalog.pg_type AS t"
"   JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace"
"   WHERE t.oid OPERATOR(pg_catalog.=) ANY ($2)))";

/* Runs a query about a record's transaction, whose row has booleans. */
static void
ask(const char *query, const StewardTrailRecord *record, int count, bool *answers)
{
	Oid			types[] = {XID8OID, INT4OID, INT4OID, INT4OID};
	Datum		values[] = {UInt64GetDatum(record->transaction->id.xid),
		Int32GetDatum((int32) record->transaction->id.incarnation),
		Int32GetDatum(record->record.seq),
	Int32GetDatum(record->record.schema_version)};
	StewardIdentity saved;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args(query, lengthof(types), types, values, NULL, true,
							  0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read the commands of a transaction");
	for (int i = 0; i < count; i++)
	{
		bool		isnull;

		answers[i] = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
												SPI_tuptable->tupdesc, i + 1, &isnull));
	}
	SPI_finish();
	steward_become_caller(&saved);
}

bool
steward_rewrite_is_harmless(const StewardTravel *travel,
							const StewardTrailRecord *record)
{
	bool		answers[3];

	ask(rewrite_query, record, lengthof(answers), answers);
	if (answers[2])
		return false;
	/* A column that came later matters to rows that are followed past it. */
	return answers[1] ? !travel->forward : answers[0];
}

bool
steward_partition_is_new(const StewardTravel *travel,
						 const StewardTrailRecord *record)
{
	bool		answer;

	if (record->version->relid == travel->table->relid)
		return false;
	ask(new_partition_query, record, 1, &answer);
	return answer;
}

static ArrayType *
oid_array(List *relids)
{
	Datum	   *members = palloc((list_length(relids) + 1) * sizeof(Datum));
	ListCell   *cell;
	int			count = 0;

	foreach(cell, relids)
		members[count++] = ObjectIdGetDatum(lfirst_oid(cell));
	return construct_array(members, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT);
}

/* Does the transaction of a row of the query count? It is not over before since. */
static bool
is_after(const StewardTravel *travel, const StewardTrailRecord *since, HeapTuple row,
		 uint64 *xid)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	StewardTrailTransaction *transaction;
	StewardTrailTransaction wanted = {0};
	bool		isnull;

	*xid = DatumGetUInt64(SPI_getbinval(row, desc, 1, &isnull));
	wanted.id.xid = *xid;
	wanted.id.incarnation = DatumGetInt32(SPI_getbinval(row, desc, 2, &isnull));
	transaction = hash_search(travel->trail->transactions, &wanted.id, HASH_FIND, NULL);
	if (transaction == NULL || !transaction->ours)
		return false;
	if (since != NULL)
		return transaction->last_written >= since->record.changed_at;
	return !steward_point_includes(&travel->point, *xid, transaction->last_written, true);
}

/* A role whose changes are not recorded now. */
static char *
exempt_role(MemoryContext context)
{
	char	   *name;

	if (SPI_execute("SELECT e.role FROM steward.audit_exempt AS e", true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the exempt roles");
	if (SPI_processed == 0)
		return NULL;
	name = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	return MemoryContextStrdup(context,
							   psprintf("Changes of role %s are not recorded.", name));
}

bool
steward_enums_relabelled(const StewardHistoryTable *table, TimestampTz time)
{
	Oid			types[] = {TIMESTAMPTZOID, OIDARRAYOID};
	Datum		values[] = {TimestampTzGetDatum(time),
	PointerGetDatum(oid_array(steward_history_enums(table)))};
	int			level = NewGUCNestLevel();
	StewardIdentity saved;
	bool		found;

	steward_planner_set("jit", "off");
	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args(relabelled_query, lengthof(types), types, values, NULL,
							  true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the commands on enums");
	found = SPI_processed > 0;
	SPI_finish();
	steward_become_caller(&saved);
	AtEOXact_GUC(true, level);
	return found;
}

char *
steward_records_lacking(const StewardTravel *travel, const StewardTrailRecord *since)
{
	const StewardPoint *point = &travel->point;
	TimestampTz time = since != NULL ? since->record.changed_at - 1 :
		steward_point_written_after(point);
	uint64		xmin = since == NULL && point->by_snapshot ? steward_point_xmin(point) : 0;
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {TIMESTAMPTZOID, XID8OID, OIDARRAYOID, TEXTOID, OIDARRAYOID};
	Datum		values[] = {TimestampTzGetDatum(time), UInt64GetDatum(xmin),
		PointerGetDatum(oid_array(travel->table->members)),
		CStringGetTextDatum(psprintf("00_steward_audit_row_%u\"", travel->table->relid)),
	PointerGetDatum(oid_array(steward_history_enums(travel->table)))};
	char	   *result = NULL;
	TimestampTz last;
	int			level = NewGUCNestLevel();
	StewardIdentity saved;

	steward_planner_set("jit", "off");
	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args(lacking_query, lengthof(types), types, values, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the commands on a table");
	for (uint64 i = 0; i < SPI_processed && result == NULL; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		uint64		xid;

		if (!is_after(travel, since, row, &xid))
			continue;
		result = psprintf("At %s, in transaction " UINT64_FORMAT ", %s.",
						  timestamptz_to_str(DatumGetTimestampTz(SPI_getbinval(row, desc, 3, &isnull))),
						  xid, SPI_getvalue(row, desc, 4));
		result = MemoryContextStrdup(caller, result);
	}
	if (result == NULL)
		result = exempt_role(caller);
	SPI_finish();
	steward_become_caller(&saved);
	AtEOXact_GUC(true, level);
	if (result == NULL &&
		steward_pruned_since(time, since != NULL || point->by_snapshot ? DT_NOBEGIN : point->at,
							 xmin, &last))
		result = "Records that were written since were pruned.";
	return result;
}

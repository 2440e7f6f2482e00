/*
 * hold_place.c: placing and releasing holds; see hold.h.
 *
 * Who may execute place_hold may place a hold on any table, a data-protection officer
 * owns none. The predicate is evaluated as the table's owner, so that of somebody
 * else must be plain (base/expression.h).
 */
#include "subjects/hold_row.h"

#include "access/relation.h"
#include "access/transam.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "pgtime.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

static char *
ground_argument(FunctionCallInfo fcinfo, int number)
{
	char	   *ground;

	steward_require_argument(fcinfo, number, "ground");
	ground = text_to_cstring(PG_GETARG_TEXT_PP(number));
	if (ground[strspn(ground, " \t\r\n\v\f")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a hold is placed and released on some ground"),
				 errhint("Say why, for example: litigation, case 12/2026.")));
	return ground;
}

static void
check_table(Relation rel)
{
	const char *name = RelationGetRelationName(rel);
	const char *sort = NULL;

	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("rows of relation \"%s\" cannot be held", name),
				 errdetail_relkind_not_supported(rel->rd_rel->relkind)));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		sort = "temporary table";
	else if (RelationGetRelid(rel) < FirstNormalObjectId)
		sort = "system table";
	else if (RelationGetNamespace(rel) == get_namespace_oid(STEWARD_SCHEMA, true))
		sort = "pg_steward's own table";
	if (sort != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("rows of %s \"%s\" cannot be held", sort, name)));
}

/* The predicate as it is kept, and its columns, an array of names. */
static char *
keep_predicate(Relation rel, const char *typed, Datum *columns)
{
	bool		plain = !STEWARD_OWNS_RELATION(RelationGetRelid(rel), GetUserId());
	Bitmapset  *numbers = NULL;
	Datum	   *names;
	char	   *kept = NULL;
	int			count = 0;
	int			number = -1;

	if (typed != NULL)
	{
		Node	   *predicate = steward_expression_parse(rel, typed, plain,
														 &steward_hold_use);

		numbers = steward_expression_columns(predicate);
		kept = steward_expression_text(rel, predicate, NULL);
	}
	names = palloc(Max(1, bms_num_members(numbers)) * sizeof(Datum));
	while ((number = bms_next_member(numbers, number)) >= 0)
		names[count++] = NameGetDatum(&TupleDescAttr(RelationGetDescr(rel), number - 1)->attname);
	*columns = PointerGetDatum(construct_array(names, count, NAMEOID, NAMEDATALEN,
											   false, TYPALIGN_CHAR));
	return kept;
}

/* What is kept must mean the same when it is read again. */
static void
check_kept(Relation rel, const char *kept)
{
	StewardHold hold = {.predicate = unconstify(char *, kept),
	.time_zone = unconstify(char *, pg_get_timezone_name(session_timezone))};
	char	   *problem = NULL;
	Node	   *again = steward_hold_predicate(&hold, rel, &problem);

	if (again == NULL || strcmp(kept, steward_expression_text(rel, again, NULL)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the predicate of a hold cannot be kept as text"),
				 problem != NULL ? errdetail("Read again, it gives: %s.", problem) : 0,
				 errhint("Write it in a simpler form.")));
}

/* Waits for destroyers, as long as lock_timeout lets it. */
static int64
insert_hold(Oid relid, const char *predicate, Datum columns, const char *ground)
{
	Oid			types[] = {REGCLASSOID, TEXTOID, NAMEARRAYOID, TEXTOID, TEXTOID, NAMEOID};
	NameData	user;
	Datum		values[] = {
		ObjectIdGetDatum(relid),
		predicate != NULL ? CStringGetTextDatum(predicate) : (Datum) 0,
		columns,
		CStringGetTextDatum(pg_get_timezone_name(session_timezone)),
		CStringGetTextDatum(ground),
		NameGetDatum(&user)
	};
	StewardIdentity identity;
	bool		isnull;
	int			answer;
	int64		id;

	namestrcpy(&user, GetUserNameFromId(GetUserId(), false));
	SPI_connect();
	steward_become_owner(&identity);
	answer = SPI_execute_with_args("INSERT INTO steward.hold"
								   " (relation, predicate, columns, time_zone, ground, placed_by)"
								   " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
								   lengthof(types), types, values,
								   predicate != NULL ? NULL : " n    ", false, 0);
	steward_become_caller(&identity);
	if (answer != SPI_OK_INSERT_RETURNING)
		elog(ERROR, "unexpected answer %d from SPI", answer);
	id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
									 &isnull));
	SPI_finish();
	return id;
}

STEWARD_FUNCTION(steward_place_hold)
{
	Relation	rel;
	const char *predicate = NULL;
	char	   *ground;
	Datum		columns;
	int64		id;
	StewardJson event;

	PreventCommandIfReadOnly("steward.place_hold()");
	steward_require_argument(fcinfo, 0, "relation");
	ground = ground_argument(fcinfo, 2);
	rel = steward_named_relation_open(PG_GETARG_OID(0), AccessShareLock);
	check_table(rel);
	if (!PG_ARGISNULL(1))
		predicate = text_to_cstring(PG_GETARG_TEXT_PP(1));
	predicate = keep_predicate(rel, predicate, &columns);
	if (predicate != NULL)
		check_kept(rel, predicate);
	id = insert_hold(RelationGetRelid(rel), predicate, columns, ground);
	if (steward_event_begin(&event, "place_hold"))
	{
		steward_json_number(&event, "hold", id);
		steward_event_relation(&event, "relation", RelationGetRelid(rel));
		steward_json_flag(&event, "all_rows", predicate == NULL);
		steward_json_text(&event, "ground", ground);
		steward_event_end(&event);
	}
	relation_close(rel, NoLock);
	if (!steward_hold_guard_is_everywhere())
		ereport(WARNING,
				(errmsg("the hold does not keep sessions that have not loaded pg_steward from TRUNCATE"),
				 errhint("Add shared_preload_libraries = 'pg_steward' to postgresql.conf and restart the server.")));
	PG_RETURN_INT64(id);
}

static void
raise_not_active(int64 id, bool exists)
{
	ereport(ERROR,
			(errcode(exists ? ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE : ERRCODE_UNDEFINED_OBJECT),
			 exists ? errmsg("hold %lld was released before", (long long) id) :
			 errmsg("hold %lld does not exist", (long long) id)));
}

/* Releases it, and returns its table. */
static Oid
update_hold(int64 id, const char *ground)
{
	Oid			types[] = {INT8OID, NAMEOID, TEXTOID};
	NameData	user;
	Datum		values[] = {Int64GetDatum(id), NameGetDatum(&user), CStringGetTextDatum(ground)};
	StewardIdentity identity;
	bool		isnull;
	bool		exists;
	Oid			relid;

	namestrcpy(&user, GetUserNameFromId(GetUserId(), false));
	SPI_connect();
	steward_become_owner(&identity);
	if (SPI_execute_with_args("UPDATE steward.hold SET released_by = $2, release_ground = $3,"
							  " released_at = pg_catalog.clock_timestamp()"
							  " WHERE id OPERATOR(pg_catalog.=) $1 AND released_at IS NULL"
							  " RETURNING relation",
							  lengthof(types), types, values, NULL, false, 0) != SPI_OK_UPDATE_RETURNING)
		elog(ERROR, "could not release a hold");
	if (SPI_processed == 0)
	{
		(void) SPI_execute_with_args("SELECT FROM steward.hold WHERE id OPERATOR(pg_catalog.=) $1",
									 1, types, values, NULL, false, 0);
		exists = SPI_processed > 0;
		steward_become_caller(&identity);
		raise_not_active(id, exists);
	}
	relid = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
										   1, &isnull));
	steward_become_caller(&identity);
	SPI_finish();
	return relid;
}

STEWARD_FUNCTION(steward_release_hold)
{
	char	   *ground;
	Oid			relid;
	StewardJson event;

	PreventCommandIfReadOnly("steward.release_hold()");
	steward_require_argument(fcinfo, 0, "hold");
	ground = ground_argument(fcinfo, 1);
	relid = update_hold(PG_GETARG_INT64(0), ground);
	if (steward_event_begin(&event, "release_hold"))
	{
		steward_json_number(&event, "hold", PG_GETARG_INT64(0));
		steward_event_relation(&event, "relation", relid);
		steward_json_text(&event, "ground", ground);
		steward_event_end(&event);
	}
	PG_RETURN_VOID();
}

/* For those who place holds, and the owner of the table. */
static bool
may_know(Oid relid)
{
	Oid			types[] = {REGCLASSOID, TEXTOID, TEXTOID};
	Oid			place = LookupFuncName(list_make2(makeString(STEWARD_SCHEMA),
												  makeString("place_hold")),
									   lengthof(types), types, true);

	return (OidIsValid(place) && STEWARD_MAY_EXECUTE(place, GetUserId())) ||
		(get_rel_name(relid) != NULL && STEWARD_OWNS_RELATION(relid, GetUserId()));
}

/* Why the predicate is broken, or NULL. */
static const char *
problem_of(const StewardHold *hold)
{
	Relation	rel = try_relation_open(hold->relation, AccessShareLock);
	char	   *problem = NULL;

	if (rel == NULL)
		return "the table no longer exists";
	if (hold->predicate != NULL)
		(void) steward_hold_predicate(hold, rel, &problem);
	relation_close(rel, AccessShareLock);
	return problem;
}

STEWARD_FUNCTION(steward_hold_problem)
{
	StewardHold *hold;
	const char *problem = NULL;

	steward_require_argument(fcinfo, 0, "hold");
	hold = steward_hold_read(PG_GETARG_INT64(0));
	if (hold != NULL && may_know(hold->relation))
		problem = problem_of(hold);
	if (problem == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(problem));
}

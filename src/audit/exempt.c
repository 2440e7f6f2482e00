/*
 * exempt.c: roles whose changes are not recorded; see exempt.h.
 *
 * A role is exempt while it holds REFERENCES on the table of exemptions itself. So
 * PostgreSQL keeps the role from being dropped unnoticed (DROP OWNED ends the
 * exemption), a dump carries the exemption by the role's name, and another role that
 * comes to have the same oid elsewhere is not exempt.
 *
 * It goes by session_user, who the changes are made for, and not by current_user:
 * else whoever can call a SECURITY DEFINER function of an exempt role would be
 * exempt in it. The role that logged in must be exempt as well: else any superuser
 * would be, by SET SESSION AUTHORIZATION.
 */
#include "base/compat.h"

#include "audit/exempt.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "base/relation_change.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "keys/keys.h"
#include "keys/manage.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"

static StewardRelationRef exemption_table = {"audit_exemption"};

static bool known = false;
static Oid	known_role = InvalidOid;
static bool known_exempt = false;
static uint64 changes = 0;		/* of relations, that we heard of */

static void
on_relation_change(Datum arg, Oid relid)
{
	changes++;
	if (!OidIsValid(relid) || relid == exemption_table.oid)
		known = false;
}

void
steward_exempt_init(void)
{
	steward_on_relation_change(on_relation_change, (Datum) 0);
}

bool
steward_exempt_session(void)
{
	Oid			role = GetSessionUserId();
	uint64		before = changes;
	Oid			table;

	if (likely(known && known_role == role))
		return known_exempt;
	table = steward_relation_lookup(&exemption_table);
	known_exempt = OidIsValid(table) && steward_grantee_is_marked(table, role) &&
		steward_grantee_is_marked(table, GetAuthenticatedUserId());
	known_role = role;
	/* What changed while we looked may be this. */
	known = changes == before;
	return known_exempt;
}

/* The role that an argument names. */
static Oid
role_argument(FunctionCallInfo fcinfo, const char *call)
{
	Oid			role;

	PreventCommandIfReadOnly(call);
	steward_require_argument(fcinfo, 0, "role");
	role = PG_GETARG_OID(0);
	(void) GetUserNameFromId(role, false);	/* raises when there is none */
	return role;
}

static void
run_on_role(const char *format, Oid role)
{
	char	   *statement = psprintf(format, quote_identifier(GetUserNameFromId(role, false)));

	(void) steward_keys_run(statement, 0, NULL, NULL, SPI_OK_UTILITY);
	pfree(statement);
}

static uint64
forget(Oid role)
{
	Oid			types[1] = {REGROLEOID};
	Datum		values[1] = {ObjectIdGetDatum(role)};

	return steward_keys_run("DELETE FROM steward.audit_exemption WHERE role OPERATOR(pg_catalog.=) $1",
							1, types, values, SPI_OK_DELETE);
}

static void
record(const char *event, Oid role, const char *reason)
{
	StewardJson details;

	if (!steward_event_begin(&details, event))
		return;
	steward_event_role(&details, "role", role);
	if (reason != NULL)
		steward_json_text(&details, "reason", reason);
	steward_event_end(&details);
}

STEWARD_FUNCTION(steward_exempt_role)
{
	Oid			role = role_argument(fcinfo, "steward.exempt_role()");
	Oid			types[2] = {REGROLEOID, TEXTOID};
	Datum		values[2];
	StewardIdentity saved;

	steward_require_reason(fcinfo, 1);
	values[0] = ObjectIdGetDatum(role);
	values[1] = PG_GETARG_DATUM(1);
	steward_become_owner(&saved);
	SPI_connect();
	(void) forget(role);
	run_on_role("GRANT REFERENCES ON TABLE steward.audit_exemption TO %s", role);
	(void) steward_keys_run("INSERT INTO steward.audit_exemption (role, reason) VALUES ($1, $2)",
							2, types, values, SPI_OK_INSERT);
	SPI_finish();
	steward_become_caller(&saved);
	record("exempt_role", role, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}

STEWARD_FUNCTION(steward_audit_role)
{
	Oid			role = role_argument(fcinfo, "steward.audit_role()");
	bool		exempt = steward_grantee_is_marked(steward_relation_oid(&exemption_table), role);
	StewardIdentity saved;

	steward_become_owner(&saved);
	SPI_connect();
	(void) forget(role);
	run_on_role("REVOKE REFERENCES ON TABLE steward.audit_exemption FROM %s", role);
	SPI_finish();
	steward_become_caller(&saved);
	if (!exempt)
		ereport(NOTICE,
				(errmsg("changes of role \"%s\" are recorded already",
						GetUserNameFromId(role, false))));
	else
		record("audit_role", role, NULL);
	PG_RETURN_VOID();
}

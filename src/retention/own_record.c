/*
 * own_record.c: which tables of the extension can have policies, and which; see own_record.h.
 */
#include "retention/own_record.h"

#include "catalog/namespace.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "base/catalog.h"
#include "retention/children.h"

static StewardRelationRef runs_table = {"policy_run_log"};
static StewardRelationRef receipts_table = {"policy_receipt"};
static StewardRelationRef trail_table = {"audit_log"};

StewardOwnRecord
steward_own_record(Oid relid)
{
	if (!OidIsValid(relid))
		return STEWARD_OWN_NONE;
	if (relid == steward_relation_lookup(&runs_table))
		return STEWARD_OWN_RUNS;
	if (relid == steward_relation_lookup(&trail_table))
		return STEWARD_OWN_TRAIL;
	return STEWARD_OWN_NONE;
}

bool
steward_own_record_allows(Oid relid, CmdType command)
{
	if (relid == steward_relation_lookup(&receipts_table))
		return command != CMD_INSERT;
	return command == CMD_DELETE && steward_own_record(relid) != STEWARD_OWN_NONE;
}

static pg_attribute_noreturn() void
refuse(const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s cannot have this retention policy", what),
			 errhint("%s", hint)));
}

void
steward_own_record_check(const StewardPolicy *policy)
{
	StewardOwnRecord own = steward_own_record(policy->relation);

	if (own == STEWARD_OWN_RUNS &&
		(policy->action != STEWARD_DELETE || strcmp(policy->age, "finished_at") != 0))
		refuse("the history of runs",
			   "Use action delete, and finished_at as the age: then runs that have not ended stay.");
	if (own == STEWARD_OWN_TRAIL &&
		(policy->action != STEWARD_DROP_PARTITION || strcmp(policy->age, "written_at") != 0))
		refuse("the audit trail",
			   "Use action drop_partition, and written_at as the age: then the ledger still proves what stays.");
	if (own == STEWARD_OWN_NONE &&
		get_rel_namespace(policy->relation) == get_namespace_oid(STEWARD_SCHEMA, true))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" of pg_steward itself cannot have a retention policy",
						get_rel_name(policy->relation)),
				 errhint("steward.policy_run_log and steward.audit_log can.")));
}

List *
steward_own_record_children(const StewardPolicy *policy, Oid owner)
{
	Datum		receipts = DirectFunctionCall1(jsonb_in,
											   CStringGetDatum("{\"steward.policy_receipt\": \"cascade\"}"));

	return steward_children_declare(policy->relation, owner, DatumGetJsonbP(receipts));
}

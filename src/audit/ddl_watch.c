/*
 * ddl_watch.c: settings that decide what is recorded.
 *
 * A command that changes one is recorded whether or not commands are. set_config()
 * and what a connection asks for when it begins are no commands: that something was
 * not recorded because of a setting is, when it happens.
 */
#include "audit/ddl.h"

#include "access/xact.h"
#include "base/event.h"
#include "base/guc.h"
#include "commands/event_trigger.h"
#include "storage/proc.h"
#include "tcop/cmdtag.h"
#include "tcop/utility.h"
#include "utils/guc.h"

static const char *const watched[] = {
	"event_triggers",
	"session_replication_role",
	"steward.access_audit",
	"steward.access_audit_fsync",
	"steward.access_audit_rows",
	"steward.allow_unkeyed_ddl",
	"steward.audit_ddl",
	"steward.context_lifetime",
	"steward.require_context",
};

static bool
is_watched(const char *setting)
{
	for (size_t i = 0; setting != NULL && i < lengthof(watched); i++)
		if (pg_strcasecmp(setting, watched[i]) == 0)
			return true;
	return false;
}

/* Has the session one that is not as it began with? */
static bool
would_be_reset(void)
{
	for (size_t i = 0; i < lengthof(watched); i++)
	{
		const char *now = GetConfigOption(watched[i], true, false);

		if (now != NULL && strcmp(now, GetConfigOptionResetString(watched[i])) != 0)
			return true;
	}
	return false;
}

/* What stands in a file or the catalogs may be one of them. */
static bool
sets_watched(const VariableSetStmt *set)
{
	return set->kind == VAR_RESET_ALL || is_watched(set->name);
}

bool
steward_ddl_is_watched(const Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_VariableSetStmt:
			if (((const VariableSetStmt *) statement)->kind == VAR_RESET_ALL)
				return would_be_reset();
			return sets_watched((const VariableSetStmt *) statement);
		case T_DiscardStmt:
			return ((const DiscardStmt *) statement)->target == DISCARD_ALL &&
				would_be_reset();
		case T_AlterSystemStmt:
			return sets_watched(((const AlterSystemStmt *) statement)->setstmt);
		case T_AlterRoleSetStmt:
			return sets_watched(((const AlterRoleSetStmt *) statement)->setstmt);
		case T_AlterDatabaseSetStmt:
			return sets_watched(((const AlterDatabaseSetStmt *) statement)->setstmt);
		default:
			return false;
	}
}

/* Not again in the same subtransaction: of two, one may be rolled back. */
static void
tell_unrecorded(const char *setting)
{
	static LocalTransactionId told_in = InvalidLocalTransactionId;
	static SubTransactionId told_by = InvalidSubTransactionId;
	LocalTransactionId transaction = STEWARD_VXID_LOCAL();
	SubTransactionId mine = GetCurrentSubTransactionId();
	StewardJson json;

	if (told_in == transaction && told_by == mine)
		return;
	if (!steward_event_begin(&json, "commands_not_recorded"))
		return;
	steward_json_text(&json, "setting", setting);
	steward_event_end(&json);
	told_in = transaction;
	told_by = mine;
}

void
steward_ddl_unrecorded(void)
{
	if (!steward_audit_ddl)
		tell_unrecorded("steward.audit_ddl");
}

void
steward_ddl_untriggered(Node *statement)
{
	if (STEWARD_EVENT_TRIGGERS_OFF && steward_ddl_log_open() &&
		command_tag_event_trigger_ok(CreateCommandTag(statement)))
		tell_unrecorded("event_triggers");
}

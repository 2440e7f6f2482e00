/*
 * ddl_setting.c: settings in commands, without values that could be secret.
 *
 * A value is recorded when the setting is one of PostgreSQL or of a library that
 * is loaded, everybody may see it, and its name does not speak of a secret.
 * Settings that nobody has defined are an application's own; what it keeps there
 * is not known. So is a command that the server runs, which may hold a password.
 */
#include "audit/ddl.h"

#include "utils/guc.h"

static const char *const secret_words[] = {
	"password", "passwd", "passphrase", "secret", "token", "credential",
	"conninfo", "_key", "key_", "_command", "command_",
};

static bool
may_be_secret(const char *setting)
{
	int			flags = GetConfigOptionFlags(setting, true);
	char	   *lower = pstrdup(setting);

	if (GetConfigOption(setting, true, false) == NULL && flags == 0)
		return true;
	if ((flags & (GUC_SUPERUSER_ONLY | GUC_CUSTOM_PLACEHOLDER)) != 0)
		return true;
	for (char *c = lower; *c != '\0'; c++)
		*c = pg_tolower((unsigned char) *c);
	for (size_t i = 0; i < lengthof(secret_words); i++)
		if (strstr(lower, secret_words[i]) != NULL)
			return true;
	return false;
}

void
steward_ddl_setting(StewardJson *json, const VariableSetStmt *set)
{
	switch (set->kind)
	{
		case VAR_RESET_ALL:
			steward_json_flag(json, "reset_all", true);
			return;
		case VAR_RESET:
		case VAR_SET_DEFAULT:
			steward_json_text(json, "setting", set->name);
			steward_json_flag(json, "reset", true);
			return;
		case VAR_SET_MULTI:
			steward_json_text(json, "setting", set->name);
			return;
		default:
			break;
	}
	steward_json_text(json, "setting", set->name);
	if (set->is_local)
		steward_json_flag(json, "local", true);
	if (may_be_secret(set->name))
		steward_json_flag(json, "value_omitted", true);
	else if (set->kind == VAR_SET_CURRENT)
		steward_json_text(json, "value", GetConfigOptionByName(set->name, NULL,
															   true));
	else
		steward_json_text(json, "value",
						  ExtractSetVariableArgs((VariableSetStmt *) set));
}

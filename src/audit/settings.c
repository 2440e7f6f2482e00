/*
 * settings.c: fixed settings for output and input functions; see settings.h.
 */
#include "base/compat.h"

#include "audit/settings.h"
#include "utils/guc.h"

static const struct
{
	const char *name;
	const char *value;
}			fixed[] = {
	{"DateStyle", "ISO, MDY"},
	{"IntervalStyle", "postgres"},
	{"TimeZone", "UTC"},
	{"bytea_output", "hex"},
	{"extra_float_digits", "1"},
	{"lc_monetary", "C"},
	{"quote_all_identifiers", "off"},
	{"search_path", "pg_catalog, pg_temp"},
	{"xmlbinary", "base64"},
};

int
steward_settings_enter(void)
{
	int			level = 0;

	for (int i = 0; i < lengthof(fixed); i++)
	{
		const char *now = GetConfigOption(fixed[i].name, false, false);

		if (now != NULL && strcmp(now, fixed[i].value) == 0)
			continue;
		if (level == 0)
			level = NewGUCNestLevel();
		(void) set_config_option(fixed[i].name, fixed[i].value, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	}
	return level;
}

void
steward_settings_leave(int level)
{
	if (level != 0)
		AtEOXact_GUC(true, level);
}

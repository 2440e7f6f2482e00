/*
 * setting.h: which columns and rows of an audited table are recorded, and how.
 *
 * Settings are kept as triggers, so they are dumped, restored, copied and renamed
 * with the table, and only superusers can make them. A column's setting is a
 * trigger AFTER UPDATE OF that column that never fires: PostgreSQL itself follows
 * the column when it is renamed. The condition is the WHEN of the triggers that
 * record rows, what is left their arguments.
 *
 * Terms
 *	 treatment	what is done with a column
 *	 redacted	recorded without its value: omitted, hashed or encrypted
 *	 condition	which rows are recorded
 */
#ifndef STEWARD_AUDIT_SETTING_H
#define STEWARD_AUDIT_SETTING_H

#include "base/compat.h"

#include "base/json.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "nodes/nodes.h"
#include "utils/rel.h"

typedef enum StewardTreatment
{
	STEWARD_INCLUDE,			/* recorded, when only such columns are */
	STEWARD_EXCLUDE,			/* not recorded */
	STEWARD_OMIT,				/* recorded is that it changed */
	STEWARD_HASH,				/* recorded is a keyed hash */
	STEWARD_ENCRYPT				/* recorded is a ciphertext */
} StewardTreatment;

typedef struct StewardColumnSetting
{
	AttrNumber	attnum;
	StewardTreatment treatment;
	char	   *key;			/* path of the key of STEWARD_ENCRYPT */
} StewardColumnSetting;

typedef struct StewardSetting
{
	List	   *columns;		/* of StewardColumnSetting */
	bool		only_included;	/* columns without INCLUDE are not recorded */
	bool		log_unchanged;	/* so are updates that change nothing */
	Node	   *condition;		/* over the row as relation 1; NULL: all rows */
} StewardSetting;

/* The settings of an open table, in the current context. Those of a partition that
 * is audited with its parent are the parent's. */
extern StewardSetting *steward_setting_read(Relation rel);

/* Is the column recorded, key or not? A column of the key always is, unless hidden. */
extern bool steward_setting_records(const StewardSetting *setting,
									AttrNumber attnum);

/* Is the column excluded by name, or redacted? Then it is no part of a key. */
extern bool steward_setting_hides(const StewardSetting *setting,
								  AttrNumber attnum);

/* Is a column encrypted? */
extern bool steward_setting_encrypts(const StewardSetting *setting);

/* How the column is redacted, or NULL. */
extern const StewardColumnSetting *steward_setting_redaction(const StewardSetting *setting,
															 AttrNumber attnum);

/* Adds the members that show a setting, under this key. */
extern void steward_setting_show(StewardJson *json, const char *key, Relation rel,
								 const StewardSetting *setting);

/* The same setting for a partition, whose columns have other numbers; of the
 * condition it is only told that there is one. */
extern StewardSetting *steward_setting_map(const StewardSetting *setting,
										   Relation from, Relation to);

/* The arguments of the triggers that record, without parentheses. */
extern char *steward_setting_arguments(const StewardSetting *setting);

/* Appends commands that make the triggers of columns what they should be; table is
 * the quoted name. */
extern void steward_setting_plan(StringInfo out, Relation rel, const char *table,
								 const StewardSetting *setting);

/* Appends commands that drop them. */
extern void steward_setting_plan_drops(StringInfo out, Relation rel,
									   const char *table);

/*
 * Changes a setting by the arguments of enable_audit from this one on; a null
 * argument changes nothing. Returns whether any was given. Raises what is wrong
 * with them.
 */
extern bool steward_setting_change(StewardSetting *setting, Relation rel,
								   FunctionCallInfo fcinfo, int first);

/* The condition in a text over the table's columns; setting_condition.c. */
extern Node *steward_condition_parse(Relation rel, const char *text);

/* The text of a condition with this in front of its columns, or without. */
extern char *steward_condition_text(Relation rel, Node *condition,
									const char *prefix);

/* What a trigger's WHEN says for a condition: of NEW, of OLD, or of either. */
extern char *steward_condition_when(Relation rel, Node *condition, bool of_old,
									bool of_new);

/* The condition of such a trigger, as a setting has it. */
extern Node *steward_condition_of_trigger(const char *stored);

#endif							/* STEWARD_AUDIT_SETTING_H */

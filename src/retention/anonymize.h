/*
 * anonymize.h: what a policy puts in the place of values.
 *
 * strategy		value that a column gets					of type
 * null			NULL										any
 * constant		the same for all rows						any
 * hash			48 characters, equal for equal values		text, varchar
 * pseudonym	37 characters, or a uuid, that say nothing	text, varchar, uuid
 * truncate		the beginning of its year, month, …			date, timestamp, timestamptz
 * generalise	a multiple of a width, fewer digits, or a	numbers, inet, cidr
 *				network
 *
 * A row is pending while one of its columns is not what its strategy makes of it. So each
 * strategy, applied to its own result, gives that result again, or, for hash
 * and pseudonym, knows it (steward.is_anonymous).
 */
#ifndef STEWARD_RETENTION_ANONYMIZE_H
#define STEWARD_RETENTION_ANONYMIZE_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/relcache.h"

#include "retention/policy.h"

typedef enum StewardReplacement
{
	STEWARD_BY_SQL,				/* the server computes it */
	STEWARD_BY_HASH,			/* we do, from the value */
	STEWARD_BY_PSEUDONYM,		/* we do, from nothing */
	STEWARD_BY_UUID
} StewardReplacement;

typedef struct StewardOverwrite
{
	char	   *column;			/* its name */
	char	   *type;			/* as SQL */
	StewardReplacement by;
	char	   *value;			/* STEWARD_BY_SQL: expression over row t */
	char	   *pending;		/* condition on row t, never null */
} StewardOverwrite;

/*
 * The columns of a policy over an open table: StewardOverwrite in the current memory
 * context. Raises what is wrong with a column or its strategy:
 * ERRCODE_INVALID_PARAMETER_VALUE, ERRCODE_UNDEFINED_COLUMN, ERRCODE_DATATYPE_MISMATCH,
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE for columns that others depend on, and as
 * steward_tag_keys for hash and pseudonym.
 */
extern List *steward_anonymize_columns(const StewardPolicy *policy, Relation rel);

/* What somebody typed as columns, in the form that is kept: constants as their type
 * writes them, under steward_expression_settings. */
extern Jsonb *steward_anonymize_typed(const StewardPolicy *policy, Relation rel);

/* The condition of rows that are pending. */
extern char *steward_anonymize_pending(const List *overwrites);

/* Replacements as text, palloc'd: of a value; of nothing. */
extern char *steward_anonymous_value(const StewardOverwrite *overwrite,
									 const char *policy, const char *value);

#endif							/* STEWARD_RETENTION_ANONYMIZE_H */

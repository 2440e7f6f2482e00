/*
 * expression.h: expressions over the columns of a table, given as text.
 *
 * Such an expression is kept as text and parsed again whenever it is used, against
 * the table or one of its heirs, which have the same columns by name. So what is
 * kept is not what somebody typed but the expression written out again, under
 * settings that are always the same: every name that is not in pg_catalog has its
 * schema, every constant its type and a form that no setting changes.
 *
 * Terms
 *	 owner		the role that the expression is evaluated as: the table's owner
 *	 trusted	of a function or type: it belongs to the owner or to a superuser, so
 *				whoever replaces it later gains no right that is not his already
 *	 plain		calls nothing but what PostgreSQL has itself, and can have no effect
 *				but its value: comparisons, casts, immutable functions
 */
#ifndef STEWARD_BASE_EXPRESSION_H
#define STEWARD_BASE_EXPRESSION_H

#include "base/compat.h"

#include "nodes/bitmapset.h"
#include "nodes/nodes.h"
#include "nodes/parsenodes.h"
#include "parser/parse_node.h"
#include "utils/relcache.h"

/* What an expression is for, as messages say it. */
typedef struct StewardExpressionUse
{
	const char *what;			/* "the predicate of a hold" */
	const char *example;		/* "status = 'disputed'" */
	const char *clause;			/* "the predicate" when it must be boolean, or
								 * NULL */
} StewardExpressionUse;

/*
 * The expression in a text that is nothing but one, not analyzed yet. Raises
 * ERRCODE_SYNTAX_ERROR.
 */
extern Node *steward_expression_raw(const char *text,
									const StewardExpressionUse *use);

/*
 * Analyzes a text as an expression of this kind over the columns of rel, relation 1,
 * under the settings of now. Raises what the parser raises, with positions in the
 * text. Looks at nothing that the kind allows.
 */
extern Node *steward_expression_transform(Relation rel, const char *text,
										  ParseExprKind kind,
										  const StewardExpressionUse *use);

/*
 * Analyzes a text that somebody typed, under his search path and settings, or one
 * from steward_expression_text, after steward_expression_settings. The caller has a
 * lock on rel. With plain it must be: for the text of somebody who is not the owner.
 * Raises
 *	 ERRCODE_FEATURE_NOT_SUPPORTED	subqueries, aggregates, window functions, sets,
 *									whole rows, system columns
 *	 ERRCODE_INVALID_OBJECT_DEFINITION	volatile functions
 *	 ERRCODE_INSUFFICIENT_PRIVILEGE	what is not trusted, not plain, or nothing that
 *									the owner may call
 * and what the parser raises. Functions of constants may run, as the owner under
 * SECURITY_RESTRICTED_OPERATION. The result is in the current memory context.
 */
extern Node *steward_expression_parse(Relation rel, const char *text, bool plain,
									  const StewardExpressionUse *use);

/*
 * Begins a level of settings under which an expression is written, read again and
 * evaluated: search_path pg_catalog and pg_temp, and what changes how values are
 * read and shown. With a time zone also that. Ended by AtEOXact_GUC(false, level),
 * or by the end of the (sub)transaction.
 */
extern int	steward_expression_settings(const char *time_zone);

/*
 * The expression as text to keep; with an alias, columns have it as prefix, for a
 * query. Under its own settings.
 */
extern char *steward_expression_text(Relation rel, Node *expression,
									 const char *alias);

/* Numbers of the columns that it uses. */
extern Bitmapset *steward_expression_columns(Node *expression);

#endif							/* STEWARD_BASE_EXPRESSION_H */

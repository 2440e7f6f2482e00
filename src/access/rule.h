/*
 * rule.h: which relations and columns are audited, remembered by each process.
 *
 * Terms
 *	 rule		a row of steward.access_rule: a relation and its audited columns
 *	 resolved	what holds for a relation: its own rule, or those of what it is a
 *				partition or a child of
 *	 generation what was remembered between two changes; a statement pins the one
 *				that it began with
 */
#ifndef STEWARD_ACCESS_RULE_H
#define STEWARD_ACCESS_RULE_H

#include "base/compat.h"

#include "access/attnum.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

typedef struct StewardAccessGeneration StewardAccessGeneration;

/* An audited relation; good while its generation is pinned. */
typedef struct StewardAccessRule
{
	Oid			relid;
	Oid			origin;			/* whose rule it is; relid itself if it has
								 * one */
	bool		all;			/* every column; else those in columns */
	Bitmapset  *columns;		/* as selectedCols numbers them */
	const char *name;			/* JSON, quoted and qualified */
	int			column_count;
	const char **column_names;	/* JSON, by number - 1; NULL when dropped */
	int			key_count;		/* 0: rows are counted, not named */
	AttrNumber	keys[INDEX_MAX_KEYS];
	StewardAccessGeneration *generation;
} StewardAccessRule;

/* Registers callbacks; called once by the floor's init. */
extern void steward_access_rule_init(void);

/* Does this database audit any reads? */
extern bool steward_access_rules_exist(void);

/* The same as far as it is known; reads nothing. */
extern bool steward_access_rules_known(void);

/* Has a rule a relation that is a partition or child of another? */
extern bool steward_access_rules_of_children(void);

/*
 * Relations with a rule of their own that are, however deep, partitions or children
 * of this one; a list of oids in the current context. Reads catalogs.
 */
extern List *steward_access_ruled_below(Oid ancestor);

/* The rule for a relation, or NULL. The relation is locked. */
extern const StewardAccessRule *steward_access_rule(Oid relid);

extern void steward_access_pin(const StewardAccessRule *rule);
extern void steward_access_unpin(StewardAccessGeneration *generation);

#endif							/* STEWARD_ACCESS_RULE_H */

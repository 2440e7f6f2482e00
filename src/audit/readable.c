/*
 * readable.c: steward.audit_readable, whose records somebody may read.
 *
 * The records of a table show all its rows and columns, of all times: they are for
 * who may read all of the table now. A table that is gone, or was that of another
 * database which this one was restored from, has no rights that could be asked
 * for: its records are for those who may read everything.
 */
#include "base/compat.h"

#include "audit/incarnation.h"
#include "audit/readable.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

/* An answer, remembered for the call site. */
typedef struct Answer
{
	struct
	{
		Oid			relation;
		int32		incarnation;
	}			id;				/* hash key */
	bool		readable;
} Answer;

bool
steward_may_read_all_of(Oid relid)
{
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(relid, GetUserId(), ACL_SELECT,
								  ACLMASK_ALL) != ACLCHECK_OK)
		return false;
	return check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
}

static bool
find_answer(Oid relation, int32 incarnation)
{
	if (has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_DATA))
		return true;
	return get_rel_name(relation) != NULL &&
		steward_incarnation_continues(incarnation) &&
		steward_may_read_all_of(relation);
}

STEWARD_FUNCTION(steward_audit_readable)
{
	HTAB	   *answers = fcinfo->flinfo->fn_extra;
	Answer		wanted = {.id = {PG_GETARG_OID(0), PG_GETARG_INT32(1)}};
	Answer	   *answer;
	bool		found;

	if (answers == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(wanted.id),
			.entrysize = sizeof(Answer),
		.hcxt = fcinfo->flinfo->fn_mcxt};

		answers = hash_create("steward readable tables", 16, &control,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		fcinfo->flinfo->fn_extra = answers;
	}
	answer = hash_search(answers, &wanted.id, HASH_FIND, NULL);
	if (answer == NULL)
	{
		wanted.readable = find_answer(wanted.id.relation, wanted.id.incarnation);
		answer = hash_search(answers, &wanted.id, HASH_ENTER, &found);
		answer->readable = wanted.readable;
	}
	PG_RETURN_BOOL(answer->readable);
}

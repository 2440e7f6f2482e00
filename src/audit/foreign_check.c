/*
 * foreign_check.c: constraints of domains that others own; see foreign_check.h.
 *
 * The input functions of arrays and composites call those of their elements, and a
 * domain's checks its constraints. Values that are put together from what was
 * recorded are not checked; a text that becomes an array or a composite is.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "audit/foreign_check.h"
#include "catalog/pg_type.h"
#include "commands/typecmds.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

static bool
is_trusted(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	owner = ((Form_pg_type) GETSTRUCT(tuple))->typowner;
	ReleaseSysCache(tuple);
	return owner == GetUserId() || superuser_arg(owner);
}

static Oid	find_foreign(Oid type);

static Oid
find_in_composite(Oid type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(type, -1);
	Oid			found = InvalidOid;

	for (int i = 0; i < desc->natts && !OidIsValid(found); i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			found = find_foreign(TupleDescAttr(desc, i)->atttypid);
	return found;
}

/* A domain with constraints that is not trusted; InvalidOid: there is none. */
static Oid
find_foreign(Oid type)
{
	Oid			element = get_element_type(type);

	check_stack_depth();
	if (OidIsValid(element))
		return find_foreign(element);
	switch (get_typtype(type))
	{
		case TYPTYPE_DOMAIN:
			return DomainHasConstraints(type) && !is_trusted(type) ? type :
				find_foreign(getBaseType(type));
		case TYPTYPE_COMPOSITE:
			return find_in_composite(type);
		case TYPTYPE_RANGE:
			return find_foreign(get_range_subtype(type));
		case TYPTYPE_MULTIRANGE:
			return find_foreign(get_multirange_range(type));
		default:
			return InvalidOid;
	}
}

void
steward_refuse_foreign_checks(Oid type)
{
	Oid			found = find_foreign(type);

	if (OidIsValid(found))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a text cannot be read as type %s here", format_type_be(type)),
				 errdetail("That would check the constraints of domain %s, whose owner's functions would run as the current role.",
						   format_type_be(found)),
				 errhint("steward.audit_trail shows values as they were recorded.")));
}

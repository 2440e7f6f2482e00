/*
 * conversion_rights.c: rights that only the end of an online conversion uses,
 * asked for before hours of filling; see conversion.h.
 *
 * Ownership of the table, and for decryption the right to decrypt, are asked for
 * elsewhere; what the views and the default need shows in the rehearsal
 * (conversion_swap.c).
 */
#include "columns/conversion.h"

#include "access/relation.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_tablespace.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "keys/keys.h"

static bool
is_key_of(const StewardConversion *conversion, Relation index)
{
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		if (index->rd_index->indkey.values[i] == conversion->source)
			return true;
	}
	return false;
}

/*
 * Who makes an index on encrypted values may learn which are equal. Made by the
 * run, it is the owner's; else the caller makes it, or the owner.
 */
static void
check_search(const StewardConversion *conversion, bool build_indexes)
{
	int			rights = STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT;
	StewardIdentity identity;

	if (!build_indexes &&
		steward_key_allowed(conversion->key_id, GetUserId(), rights))
		return;
	steward_become(conversion->owner, &identity);
	steward_key_require(conversion->key_id, rights);
	steward_become_caller(&identity);
}

static void
check_place(const StewardConversion *conversion, Relation index, bool build_indexes)
{
	Oid			schema = RelationGetNamespace(index);
	Oid			tablespace = index->rd_rel->reltablespace;

	/* The owner gives the successor the name of the index. */
	if (!STEWARD_MAY_CREATE_IN(NamespaceRelationId, schema, conversion->owner))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_SCHEMA, get_namespace_name(schema));
	if (build_indexes && OidIsValid(tablespace) && tablespace != MyDatabaseTableSpace &&
		!STEWARD_MAY_CREATE_IN(TableSpaceRelationId, tablespace, conversion->owner))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLESPACE,
					   get_tablespace_name(tablespace));
}

void
steward_conversion_check_rights(const StewardConversion *conversion,
								bool build_indexes)
{
	List	   *taken = NIL;
	ListCell   *cell;

	foreach(cell, conversion->indexes)
	{
		Oid			successor = conversion->shadow == InvalidAttrNumber ? InvalidOid :
			steward_conversion_find_index(conversion, lfirst_oid(cell), taken);
		Relation	index = relation_open(lfirst_oid(cell), AccessShareLock);

		taken = lappend_oid(taken, successor);
		check_place(conversion, index, build_indexes && !OidIsValid(successor));
		if (conversion->encrypt && !OidIsValid(successor) && is_key_of(conversion, index))
			check_search(conversion, build_indexes);
		relation_close(index, NoLock);
	}
}

/*
 * rights.c: who may do what with the values under a key.
 *
 * Rights are granted on holders; paths below follow. Superusers and the
 * extension's owner pass. Checks are for the current user, so a view decrypts
 * as its invoker and a SECURITY DEFINER function as its owner.
 */
#include "base/compat.h"

#include "base/catalog.h"
#include "catalog/pg_class.h"
#include "keys/keys.h"
#include "keys/tables.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

typedef struct RightsKey
{
	Oid			role;
	uint32		holder_id;
} RightsKey;

typedef struct CachedRights
{
	RightsKey	key;			/* hash key */
	int			rights;
} CachedRights;

#define ALL_RIGHTS \
	(STEWARD_RIGHT_DECRYPT | STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_LOAD)

static HTAB *cached = NULL;
static bool stale = false;
static uint64 changes = 0;

/* The last answer: one column of one table is checked row after row. */
static CachedRights last;
static uint32 last_key_id = 0;
static uint64 last_generation = 0;

void
steward_rights_flush(void)
{
	stale = true;
	changes++;
	last_key_id = 0;			/* no key has this id */
}

uint64
steward_rights_generation(void)
{
	return changes;
}

static void
on_role_change(Datum arg, int cacheid, uint32 hashvalue)
{
	steward_rights_flush();
}

void
steward_rights_init(void)
{
	CacheRegisterSyscacheCallback(AUTHOID, on_role_change, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, on_role_change, (Datum) 0);
}

/*
 * Does the role itself hold REFERENCES on the marker? A privilege that comes by
 * membership or from PUBLIC does not count: DROP OWNED must end a grant for good.
 */
bool
steward_grantee_is_marked(Oid marker, Oid role)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(marker));
	bool		marked = false;
	bool		isnull;
	Datum		value;

	if (!HeapTupleIsValid(tuple))
		return false;
	value = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &isnull);
	if (!isnull)
	{
		Acl		   *acl = DatumGetAclPCopy(value);
		AclItem    *items = ACL_DAT(acl);

		for (int i = 0; i < ACL_NUM(acl); i++)
			marked |= items[i].ai_grantee == role &&
				(ACLITEM_GET_PRIVS(items[i]) & ACL_REFERENCES) != 0;
		pfree(acl);
	}
	ReleaseSysCache(tuple);
	return marked;
}

typedef struct GrantSum
{
	Oid			role;
	Oid			marker;
	int			rights;
} GrantSum;

/*
 * A grant counts only while its grantee holds REFERENCES on the marker: DROP
 * OWNED takes that away, and an oid that a dump carried from another cluster
 * does not have it.
 */
static void
add_grant(Oid grantee, int right, void *arg)
{
	GrantSum   *sum = arg;

	if (SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(grantee)) &&
		has_privs_of_role(sum->role, grantee) &&
		steward_grantee_is_marked(sum->marker, grantee))
		sum->rights |= right;
}

static int
read_rights(uint32 holder_id, Oid role)
{
	GrantSum	sum = {0};

	if (superuser_arg(role) || role == steward_extension_owner())
		return ALL_RIGHTS;
	sum.role = role;
	sum.marker = steward_key_table_grantee_marker();
	if (OidIsValid(sum.marker))
		steward_key_table_grants(holder_id, add_grant, &sum);
	return sum.rights;
}

static void
make_cache(void)
{
	HASHCTL		control = {0};

	if (cached != NULL)
		hash_destroy(cached);
	cached = NULL;				/* making it anew may fail */
	control.keysize = sizeof(RightsKey);
	control.entrysize = sizeof(CachedRights);
	control.hcxt = TopMemoryContext;
	cached = hash_create("pg_steward rights", 32, &control,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	stale = false;
}

static int
find_rights(uint32 holder_id, Oid role)
{
	RightsKey	key = {role, holder_id};
	CachedRights *entry;
	uint64		before;
	int			rights;

	if (cached == NULL || stale)
		make_cache();
	entry = hash_search(cached, &key, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->rights;

	before = changes;
	rights = read_rights(holder_id, role);
	if (before == changes)
	{
		entry = hash_search(cached, &key, HASH_ENTER, NULL);
		entry->rights = rights;
	}
	return rights;
}

bool
steward_key_allowed(uint32 key_id, Oid role, int rights)
{
	uint64		generation;
	uint32		holder_id;

	if (key_id == 0)			/* the caller's own constant */
		return true;
	steward_keys_hear();
	generation = steward_key_generation();
	if (likely(!stale && last_key_id == key_id && last.key.role == role &&
			   last_generation == generation))
		return (last.rights & rights) != 0;

	/* Grants on an unknown key cannot exist: superusers and owner remain. */
	holder_id = steward_key_holder(key_id);
	last.rights = find_rights(holder_id, role);
	last.key.role = role;
	last_key_id = key_id;
	last_generation = steward_key_generation();
	return (last.rights & rights) != 0;
}

void
steward_key_require(uint32 key_id, int rights)
{
	steward_key_require_of(key_id, GetUserId(), rights);
}

void
steward_key_require_of(uint32 key_id, Oid role, int rights)
{
	char	   *path;

	if (likely(steward_key_allowed(key_id, role, rights)))
		return;
	path = steward_key_path(key_id);
	if (path == NULL)
		path = psprintf("%u", key_id);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for key \"%s\"", path),
			 errhint("Ask the extension's owner for steward.grant_key('%.*s', '%s', '%s').",
					 (int) strcspn(path, "/"), path,
					 GetUserNameFromId(role, false),
					 rights & STEWARD_RIGHT_SEARCH ? "search" :
					 rights & STEWARD_RIGHT_LOAD ? "load" : "decrypt")));
}

/*
 * catalog.c: finding the extension's own objects; see catalog.h.
 */
#include "base/catalog.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/relation_change.h"
#include "base/temporary.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/*
 * Everything remembered carries the epoch it was found in. Any change of a
 * schema or a type, and a change of a relation of ours, begins a new one; these
 * are rare, so one counter for all is enough.
 */
static uint64 epoch = 1;

/* Relations found in this epoch, so that the callback knows which are ours. */
#define MAX_KNOWN 64
static Oid	known_relations[MAX_KNOWN];
static int	known_count = 0;

static Oid	owner_cache = InvalidOid;
static uint64 owner_epoch = 0;

static void
begin_epoch(void)
{
	epoch++;
	known_count = 0;
}

static void
on_relation_change(Datum arg, Oid relid)
{
	if (!OidIsValid(relid))
	{
		begin_epoch();
		return;
	}
	for (int i = 0; i < known_count; i++)
	{
		if (known_relations[i] == relid)
		{
			begin_epoch();
			return;
		}
	}
}

static void
on_catalog_change(Datum arg, int cacheid, uint32 hashvalue)
{
	begin_epoch();
}

void
steward_catalog_init(void)
{
	steward_on_relation_change(on_relation_change, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, on_catalog_change, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, on_catalog_change, (Datum) 0);
}

Oid
steward_extension_oid(bool missing_ok)
{
	return get_extension_oid("pg_steward", missing_ok);
}

/* The row of an extension in the open catalog, a copy; or NULL. */
static HeapTuple
extension_row(Relation extensions, const char *name)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum(name));
	scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

/* What the catalog says of ours; the version is palloc'd. */
static bool
read_extension(Oid *oid, Oid *owner, char **version)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	HeapTuple	tuple = extension_row(rel, "pg_steward");
	bool		isnull;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_extension row = (Form_pg_extension) GETSTRUCT(tuple);

		*oid = row->oid;
		*owner = row->extowner;
		*version = TextDatumGetCString(heap_getattr(tuple, Anum_pg_extension_extversion,
													RelationGetDescr(rel), &isnull));
	}
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

Oid
steward_extension_schema(const char *name)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	HeapTuple	tuple = extension_row(rel, name);

	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple) ? ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace : InvalidOid;
}

char *
steward_extension_version(Oid *oid)
{
	Oid			owner;
	char	   *version;

	return read_extension(oid, &owner, &version) ? version : NULL;
}

static Oid
read_extension_owner(void)
{
	Oid			oid;
	Oid			owner;
	char	   *version;

	return read_extension(&oid, &owner, &version) ? owner : InvalidOid;
}

Oid
steward_extension_owner(void)
{
	if (owner_epoch != epoch || !OidIsValid(owner_cache))
	{
		uint64		before = epoch;

		owner_cache = read_extension_owner();
		owner_epoch = before;
	}
	if (!OidIsValid(owner_cache))
		(void) steward_extension_oid(false);	/* raises */
	return owner_cache;
}

Oid
steward_relation_lookup(StewardRelationRef *ref)
{
	Oid			schema;
	uint64		before = epoch;

	if (ref->epoch == epoch)
		return ref->oid;

	schema = get_namespace_oid(STEWARD_SCHEMA, true);
	ref->oid = OidIsValid(schema) ? get_relname_relid(ref->name, schema)
		: InvalidOid;
	/* What is missing, or found while things changed, is looked up again. */
	ref->epoch = 0;
	if (OidIsValid(ref->oid) && before == epoch && known_count < MAX_KNOWN)
	{
		known_relations[known_count++] = ref->oid;
		ref->epoch = epoch;
	}
	return ref->oid;
}

Oid
steward_relation_oid(StewardRelationRef *ref)
{
	Oid			oid = steward_relation_lookup(ref);

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" does not exist", STEWARD_SCHEMA,
						ref->name),
				 errhint("Run CREATE EXTENSION pg_steward in this database.")));
	return oid;
}

Relation
steward_relation_open(StewardRelationRef *ref, LOCKMODE lockmode)
{
	return relation_open(steward_relation_oid(ref), lockmode);
}

HeapTuple
steward_row_by_text(Relation table, StewardRelationRef *index, int column,
					const char *text)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, (AttrNumber) column, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(text));
	scan = systable_beginscan(table, steward_relation_oid(index), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

Relation
steward_named_relation_open(Oid relid, LOCKMODE lockmode)
{
	Relation	rel = try_relation_open(relid, lockmode);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid),
				 errhint("Give the name of a table.")));
	return rel;
}

Relation
steward_own_relation_open(Oid relid, LOCKMODE lockmode)
{
	Relation	rel;

	if (get_rel_name(relid) != NULL && !STEWARD_OWNS_RELATION(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
	rel = steward_named_relation_open(relid, lockmode);
	if (!STEWARD_OWNS_RELATION(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
	return rel;
}

Oid
steward_type_lookup(StewardTypeRef *ref)
{
	Oid			schema;
	uint64		before = epoch;

	if (ref->epoch == epoch)
		return ref->oid;

	schema = get_namespace_oid(STEWARD_SCHEMA, true);
	ref->oid = !OidIsValid(schema) ? InvalidOid :
		GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						CStringGetDatum(ref->name), ObjectIdGetDatum(schema));
	ref->epoch = OidIsValid(ref->oid) && before == epoch ? epoch : 0;
	return ref->oid;
}

void
steward_become(Oid role, StewardIdentity *saved)
{
	GetUserIdAndSecContext(&saved->user, &saved->security_context);
	SetUserIdAndSecContext(role, saved->security_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	saved->guarded = InvalidOid;
	saved->guc_nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
steward_become_guarded(Oid role, StewardIdentity *saved)
{
	CommandId	now = GetCurrentCommandId(false);

	steward_become(role, saved);
	if (role == saved->user || superuser_arg(role))
		return;
	saved->guarded = role;
	saved->since = now;
}

static void
check_temporary(const StewardIdentity *saved)
{
	if (!OidIsValid(saved->guarded) || !steward_temporary_made(saved->since))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("code of role \"%s\" made temporary objects in a session of another role",
					GetUserNameFromId(saved->guarded, false)),
			 errhint("What triggers, defaults and expressions of the table call must not create anything in pg_temp.")));
}

void
steward_become_owner(StewardIdentity *saved)
{
	steward_become(steward_extension_owner(), saved);
}

void
steward_become_caller(StewardIdentity *saved)
{
	check_temporary(saved);
	AtEOXact_GUC(false, saved->guc_nest_level);
	SetUserIdAndSecContext(saved->user, saved->security_context);
}

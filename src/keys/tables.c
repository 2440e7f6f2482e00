/*
 * tables.c: reading the key tables; see tables.h.
 */
#include "keys/tables.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "keys/keys.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/uuid.h"

static StewardRelationRef key_table = {"key"};
static StewardRelationRef key_index = {"key_pkey"};
static StewardRelationRef version_table = {"key_version"};
static StewardRelationRef version_index = {"key_version_pkey"};
static StewardRelationRef secret_table = {"key_secret"};
static StewardRelationRef secret_index = {"key_secret_pkey"};
static StewardRelationRef grant_table = {"key_grant"};
static StewardRelationRef grant_index = {"key_grant_pkey"};
static StewardRelationRef realm_table = {"realm"};
static StewardRelationRef grantee_table = {"key_grantee"};

/* Column numbers, as keys.sql has them. */
enum
{
	KEY_ID = 1, KEY_PATH, KEY_HOLDER
};
enum
{
	VERSION_KEY = 1, VERSION_NUMBER, VERSION_TAG, VERSION_ROOT, VERSION_WRAPPED
};
enum
{
	SECRET_KIND = 1, SECRET_KEY, SECRET_GENERATION, SECRET_ROOT, SECRET_WRAPPED
};
enum
{
	GRANT_KEY = 1, GRANT_GRANTEE, GRANT_PRIVILEGE
};

/* A scan in progress. */
typedef struct TableScan
{
	Relation	table;
	SysScanDesc scan;
} TableScan;

/*
 * Begins a scan on up to three int4 columns, the leading ones of the index. False
 * when the table does not exist, as in a database without the extension.
 */
static bool
begin_scan(TableScan *scan, StewardRelationRef *table, StewardRelationRef *index,
		   int key_count, const uint32 *values)
{
	ScanKeyData keys[3];
	Oid			index_oid;

	if (!OidIsValid(steward_relation_lookup(table)))
		return false;
	index_oid = index != NULL ? steward_relation_lookup(index) : InvalidOid;
	for (int i = 0; i < key_count; i++)
		ScanKeyInit(&keys[i], i + 1, BTEqualStrategyNumber, F_INT4EQ,
					Int32GetDatum((int32) values[i]));
	scan->table = table_open(table->oid, AccessShareLock);
	scan->scan = systable_beginscan(scan->table, index_oid,
									OidIsValid(index_oid), NULL, key_count, keys);
	return true;
}

static void
end_scan(TableScan *scan)
{
	systable_endscan(scan->scan);
	table_close(scan->table, AccessShareLock);
}

static Datum
column(TableScan *scan, HeapTuple tuple, int number)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, number,
									 RelationGetDescr(scan->table), &isnull);

	if (isnull)
		elog(ERROR, "key table \"%s\" holds a null",
			 RelationGetRelationName(scan->table));
	return value;
}

/* A destroyed version has neither root nor wrap. */
static bool
is_destroyed(TableScan *scan, HeapTuple tuple)
{
	return heap_attisnull(tuple, VERSION_WRAPPED, RelationGetDescr(scan->table));
}

static bool
is_own(HeapTuple tuple)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
}

static void
copy_bytes(Datum value, unsigned char *out, size_t len)
{
	bytea	   *bytes = DatumGetByteaPP(value);

	if (VARSIZE_ANY_EXHDR(bytes) != len)
		elog(ERROR, "key table holds a value of the wrong length");
	memcpy(out, VARDATA_ANY(bytes), len);
	if ((Pointer) bytes != DatumGetPointer(value))
		pfree(bytes);
}

bool
steward_key_table_is(Oid relid)
{
	return relid == key_table.oid || relid == version_table.oid ||
		relid == secret_table.oid || relid == grant_table.oid ||
		relid == realm_table.oid || relid == grantee_table.oid;
}

Oid
steward_key_rights_table(void)
{
	return steward_relation_lookup(&grant_table);
}

bool
steward_key_table_find(uint32 key_id, StewardKeyRow *row)
{
	TableScan	scan;
	HeapTuple	tuple;

	if (!begin_scan(&scan, &key_table, &key_index, 1, &key_id))
		return false;
	tuple = systable_getnext(scan.scan);
	if (HeapTupleIsValid(tuple))
	{
		char	   *path = TextDatumGetCString(column(&scan, tuple, KEY_PATH));

		row->key_id = key_id;
		row->holder_id = (uint32) DatumGetInt32(column(&scan, tuple, KEY_HOLDER));
		strlcpy(row->path, path, sizeof row->path);
		row->own = is_own(tuple);
		pfree(path);
	}
	end_scan(&scan);
	return HeapTupleIsValid(tuple);
}

bool
steward_key_table_any(void)
{
	TableScan	scan;
	bool		any;

	if (!begin_scan(&scan, &key_table, NULL, 0, NULL))
		return false;
	any = HeapTupleIsValid(systable_getnext(scan.scan));
	end_scan(&scan);
	return any;
}

int
steward_key_table_versions(uint32 holder_id, StewardWrappedRow **rows)
{
	TableScan	scan;
	HeapTuple	tuple;
	int			count = 0;
	int			capacity = 4;

	*rows = palloc(capacity * sizeof(StewardWrappedRow));
	if (!begin_scan(&scan, &version_table, &version_index, 1, &holder_id))
		return 0;
	while (HeapTupleIsValid(tuple = systable_getnext(scan.scan)))
	{
		StewardWrappedRow *row;

		if (count == capacity)
		{
			capacity *= 2;
			*rows = repalloc(*rows, capacity * sizeof(StewardWrappedRow));
		}
		row = &(*rows)[count++];
		memset(row, 0, sizeof *row);
		row->version = DatumGetInt32(column(&scan, tuple, VERSION_NUMBER));
		row->key_tag = (uint32) DatumGetInt64(column(&scan, tuple, VERSION_TAG));
		row->destroyed = is_destroyed(&scan, tuple);
		if (!row->destroyed)
		{
			copy_bytes(column(&scan, tuple, VERSION_ROOT), row->root_id,
					   STEWARD_ROOT_ID_BYTES);
			copy_bytes(column(&scan, tuple, VERSION_WRAPPED), row->wrapped,
					   STEWARD_WRAP_BYTES);
		}
		row->xmin = HeapTupleHeaderGetXmin(tuple->t_data);
		row->own = is_own(tuple);
	}
	end_scan(&scan);
	return count;
}

bool
steward_key_table_secret(StewardWrapKind kind, uint32 key_id,
						 int32 generation, StewardWrappedRow *row)
{
	TableScan	scan;
	HeapTuple	tuple;
	uint32		values[3] = {(uint32) kind, key_id, (uint32) generation};

	if (!begin_scan(&scan, &secret_table, &secret_index, 3, values))
		return false;
	tuple = systable_getnext(scan.scan);
	if (HeapTupleIsValid(tuple))
	{
		memset(row, 0, sizeof *row);
		copy_bytes(column(&scan, tuple, SECRET_ROOT), row->root_id,
				   STEWARD_ROOT_ID_BYTES);
		copy_bytes(column(&scan, tuple, SECRET_WRAPPED), row->wrapped,
				   STEWARD_WRAP_BYTES);
		row->own = is_own(tuple);
	}
	end_scan(&scan);
	return HeapTupleIsValid(tuple);
}

int32
steward_key_table_newest_index_secret(uint32 holder_id)
{
	TableScan	scan;
	HeapTuple	tuple;
	uint32		values[2] = {STEWARD_WRAP_INDEX_SECRET, holder_id};
	int32		newest = 0;

	if (!begin_scan(&scan, &secret_table, &secret_index, 2, values))
		return 0;
	while (HeapTupleIsValid(tuple = systable_getnext(scan.scan)))
		newest = Max(newest,
					 DatumGetInt32(column(&scan, tuple, SECRET_GENERATION)));
	end_scan(&scan);
	return newest;
}

bool
steward_key_table_realm(unsigned char realm[STEWARD_REALM_BYTES])
{
	TableScan	scan;
	HeapTuple	tuple;

	if (!begin_scan(&scan, &realm_table, NULL, 0, NULL))
		return false;
	tuple = systable_getnext(scan.scan);
	if (HeapTupleIsValid(tuple))
		memcpy(realm, DatumGetUUIDP(column(&scan, tuple, 1))->data,
			   STEWARD_REALM_BYTES);
	end_scan(&scan);
	return HeapTupleIsValid(tuple);
}

int
steward_right_of_name(const char *privilege)
{
	if (strcmp(privilege, "decrypt") == 0)
		return STEWARD_RIGHT_DECRYPT;
	if (strcmp(privilege, "search") == 0)
		return STEWARD_RIGHT_SEARCH;
	if (strcmp(privilege, "load") == 0)
		return STEWARD_RIGHT_LOAD;
	return 0;
}

void
steward_key_table_grants(uint32 holder_id, StewardGrantCallback callback,
						 void *arg)
{
	TableScan	scan;
	HeapTuple	tuple;

	if (!begin_scan(&scan, &grant_table, &grant_index, 1, &holder_id))
		return;
	while (HeapTupleIsValid(tuple = systable_getnext(scan.scan)))
	{
		char	   *privilege = TextDatumGetCString(column(&scan, tuple,
														   GRANT_PRIVILEGE));

		callback(DatumGetObjectId(column(&scan, tuple, GRANT_GRANTEE)),
				 steward_right_of_name(privilege), arg);
		pfree(privilege);
	}
	end_scan(&scan);
}

Oid
steward_key_table_grantee_marker(void)
{
	return steward_relation_lookup(&grantee_table);
}

/*
 * context_key.c: steward.create_context_key and steward.revoke_context_key, and
 * checking what was proved with such a key; see context_key.h.
 *
 * A context key is not stored: it is derived from the root, the realm and its name,
 * here for a check and by pg_steward_keygen for the application, so it never comes
 * near SQL. The table holds which names count. A name that was revoked stays there
 * for good, since the same key would come back with it.
 *
 * After a root was added, keys of earlier roots count as long as these are in the
 * keyring; so the application gets its new key in the meantime.
 */
#include "base/compat.h"

#include <sodium.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "audit/context_key.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "base/guc.h"
#include "catalog/pg_collation_d.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "keys/manage.h"
#include "keys/roots.h"
#include "keys/tables.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define MAX_NAME_BYTES 63

/* How far the application's clock may be ahead. */
#define MAX_AHEAD_MILLISECONDS 30000

/* Columns of steward.context_key, counted from 1. */
enum
{
	KEY_NAME = 1,
	KEY_CREATED_AT,
	KEY_REVOKED_AT
};

typedef enum KeyState
{
	KEY_UNKNOWN,
	KEY_VALID,
	KEY_REVOKED
} KeyState;

static StewardRelationRef key_table = {"context_key"};
static StewardRelationRef key_index = {"context_key_pkey"};

/* Small letters, digits, '-', '_' and '.': the name goes through a shell. */
static void
check_name(const char *name)
{
	size_t		len = strlen(name);

	if (len > 0 && len <= MAX_NAME_BYTES && name[0] != '-' &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("invalid name of a context key: \"%s\"", name),
			 errhint("Use up to %d small letters, digits and \"-\", \"_\", \".\", not beginning with \"-\".",
					 MAX_NAME_BYTES)));
}

/*
 * What the newest committed row says, whatever the snapshot of the transaction: a
 * revocation counts at once.
 */
static KeyState
key_state(const char *name)
{
	Relation	table = steward_relation_open(&key_table, AccessShareLock);
	Datum		wanted = CStringGetTextDatum(name);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	KeyState	state = KEY_UNKNOWN;

	ScanKeyEntryInitialize(&key, 0, KEY_NAME, BTEqualStrategyNumber, InvalidOid,
						   C_COLLATION_OID, F_TEXTEQ, wanted);
	scan = systable_beginscan(table, steward_relation_oid(&key_index), true,
							  NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		state = heap_attisnull(tuple, KEY_REVOKED_AT, RelationGetDescr(table)) ?
			KEY_VALID : KEY_REVOKED;
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return state;
}

/* One answer for whatever does not fit: it does not tell which part. */
static pg_attribute_noreturn() void
refuse(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("context could not be authenticated"),
			 errdetail("%s", detail),
			 errhint("The MAC is of the login role, actor, purpose, request id and time, under a key that pg_steward_keygen made for this database.")));
}

static void
check_time(TimestampTz issued_at)
{
	TimestampTz now = GetCurrentTimestamp();

	if (TIMESTAMP_NOT_FINITE(issued_at) ||
		issued_at > TimestampTzPlusMilliseconds(now, MAX_AHEAD_MILLISECONDS))
		refuse("It was issued in the future.");
	if (issued_at < TimestampTzPlusMilliseconds(now, -(int64) steward_context_lifetime))
		refuse("It was issued too long ago; see steward.context_lifetime.");
}

void
steward_context_key_check(const char *name, const StewardContextClaim *claim,
						  TimestampTz issued_at, const unsigned char *mac,
						  size_t mac_len)
{
	const StewardKeyring *roots;
	unsigned char realm[STEWARD_REALM_BYTES];
	unsigned char key[STEWARD_KEY_BYTES];
	KeyState	state = key_state(name);
	bool		fits = false;

	if (state == KEY_UNKNOWN || !steward_key_table_realm(realm))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("context key \"%s\" does not exist", name),
				 errhint("Make it with steward.create_context_key().")));
	if (state == KEY_REVOKED)
		refuse("The context key was revoked.");
	check_time(issued_at);
	roots = steward_roots();
	for (size_t i = 0; i < roots->count && !fits; i++)
	{
		steward_context_key(key, roots->roots[i].key, realm, name, strlen(name));
		fits = steward_context_mac_fits(mac, mac_len, key, claim);
	}
	sodium_memzero(key, sizeof key);
	if (!fits)
		refuse("The MAC does not fit.");
}

/* Records that a context key was made or revoked. */
static void
record_event(const char *event, const char *name)
{
	StewardJson details;

	if (!steward_event_begin(&details, event))
		return;
	steward_json_text(&details, "context_key", name);
	steward_event_end(&details);
}

static const char *
name_argument(FunctionCallInfo fcinfo, const char *call)
{
	const char *name = steward_name_argument(fcinfo, call, "name");

	check_name(name);
	return name;
}

/* Runs a statement on the table with the name as its parameter; the rows. */
static uint64
run(const char *sql, const char *name, int expected)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(name)};

	return steward_keys_run(sql, 1, types, values, expected);
}

STEWARD_FUNCTION(steward_create_context_key)
{
	const char *name = name_argument(fcinfo, "steward.create_context_key()");
	pg_uuid_t  *realm = palloc(sizeof(pg_uuid_t));
	StewardIdentity saved;
	uint64		rows;

	(void) steward_root_current();	/* without a root there is no key */
	steward_become_owner(&saved);
	SPI_connect();
	steward_keys_lock();
	steward_keys_realm(realm->data);
	rows = run("INSERT INTO steward.context_key (name) VALUES ($1) ON CONFLICT DO NOTHING",
			   name, SPI_OK_INSERT);
	SPI_finish();
	steward_become_caller(&saved);
	if (rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("context key \"%s\" exists already, or was revoked", name),
				 errhint("Choose another name.")));
	record_event("create_context_key", name);
	PG_RETURN_UUID_P(realm);
}

STEWARD_FUNCTION(steward_revoke_context_key)
{
	const char *name = name_argument(fcinfo, "steward.revoke_context_key()");
	StewardIdentity saved;
	uint64		rows;

	steward_become_owner(&saved);
	SPI_connect();
	rows = run("UPDATE steward.context_key SET revoked_at = pg_catalog.now() "
			   "WHERE name OPERATOR(pg_catalog.=) $1 AND revoked_at IS NULL",
			   name, SPI_OK_UPDATE);
	SPI_finish();
	steward_become_caller(&saved);
	if (rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no valid context key \"%s\"", name)));
	record_event("revoke_context_key", name);
	PG_RETURN_VOID();
}

/*
 * manage.c: making keys, granting and revoking rights on them.
 *
 * The functions act as the extension's owner: whoever may execute them need
 * have no right on the tables. What the owner's statements are given is wrapped.
 */
#include "base/compat.h"

#include <sodium.h>

#include "access/xact.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "catalog/pg_type_d.h"
#include "commands/trigger.h"
#include "crypto/random.h"
#include "executor/spi.h"
#include "keys/keys.h"
#include "keys/manage.h"
#include "keys/names.h"
#include "keys/roots.h"
#include "keys/secrets.h"
#include "keys/subject.h"
#include "keys/tables.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/uuid.h"

uint64
steward_keys_run(const char *sql, int count, Oid *types, Datum *values, int expected)
{
	int			result = SPI_execute_with_args(sql, count, types, values, NULL,
											   false, 0);

	if (result != expected)
		elog(ERROR, "statement on key tables failed: %s",
			 SPI_result_code_string(result));
	return SPI_processed;
}

Datum
steward_bytes_datum(const unsigned char *bytes, size_t len)
{
	bytea	   *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), bytes, len);
	return PointerGetDatum(result);
}

/* Makes a fresh 32-byte secret in locked memory; the caller zeroes it. */
static unsigned char *
fresh_secret(void)
{
	unsigned char *secret = steward_secrets()->scratch;

	steward_random_key(secret, STEWARD_KEY_BYTES);
	return secret;
}

void
steward_keys_realm(unsigned char realm[STEWARD_REALM_BYTES])
{
	Oid			types[1] = {UUIDOID};
	pg_uuid_t	uuid;
	Datum		values[1] = {UUIDPGetDatum(&uuid)};

	if (steward_key_table_realm(realm))
		return;
	/* A new realm would hide from the keys that there are what is missing. */
	if (steward_key_table_any())
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("this database has keys but no realm"),
				 errhint("Restore table \"steward.realm\" together with the key tables.")));
	steward_random_key(uuid.data, UUID_LEN);
	(void) steward_keys_run("INSERT INTO steward.realm (realm) VALUES ($1)", 1, types, values,
							SPI_OK_INSERT);
	memcpy(realm, uuid.data, STEWARD_REALM_BYTES);
}

void
steward_key_secret_insert(const unsigned char *realm, StewardWrapKind kind,
						  uint32 key_id, int32 generation)
{
	const StewardRoot *root = steward_root_current();
	unsigned char wrapped[STEWARD_WRAP_BYTES];
	StewardWrapContext context;
	Oid			types[5] = {INT4OID, INT4OID, INT4OID, BYTEAOID, BYTEAOID};
	Datum		values[5];

	steward_wrap_context(&context, realm, kind, key_id, (uint32) generation - 1);
	steward_wrap_seal(wrapped, root->key, &context, fresh_secret());
	sodium_memzero(steward_secrets()->scratch, STEWARD_KEY_BYTES);
	values[0] = Int32GetDatum((int32) kind);
	values[1] = Int32GetDatum((int32) key_id);
	values[2] = Int32GetDatum(generation);
	values[3] = steward_bytes_datum(root->id, STEWARD_ROOT_ID_BYTES);
	values[4] = steward_bytes_datum(wrapped, sizeof wrapped);
	(void) steward_keys_run("INSERT INTO steward.key_secret (kind, key_id, generation, root_id, wrapped) VALUES ($1, $2, $3, $4, $5)",
							5, types, values, SPI_OK_INSERT);
}

uint32
steward_key_version_insert(const unsigned char *realm, uint32 key_id,
						   int32 version)
{
	const StewardRoot *root = steward_root_current();
	unsigned char *secret = fresh_secret();
	uint32		key_tag = steward_kdf_key_tag(secret);
	unsigned char wrapped[STEWARD_WRAP_BYTES];
	StewardWrapContext context;
	Oid			types[5] = {INT4OID, INT4OID, INT8OID, BYTEAOID, BYTEAOID};
	Datum		values[5];

	steward_wrap_context(&context, realm, STEWARD_WRAP_KEY_VERSION, key_id,
						 key_tag);
	steward_wrap_seal(wrapped, root->key, &context, secret);
	sodium_memzero(secret, STEWARD_KEY_BYTES);
	values[0] = Int32GetDatum((int32) key_id);
	values[1] = Int32GetDatum(version);
	values[2] = Int64GetDatum((int64) key_tag);
	values[3] = steward_bytes_datum(root->id, STEWARD_ROOT_ID_BYTES);
	values[4] = steward_bytes_datum(wrapped, sizeof wrapped);
	(void) steward_keys_run("INSERT INTO steward.key_version (key_id, version, key_tag, root_id, wrapped) VALUES ($1, $2, $3, $4, $5)",
							5, types, values, SPI_OK_INSERT);
	return key_tag;
}

static void
insert_key(uint32 key_id, const char *path, uint32 holder_id)
{
	Oid			types[3] = {INT4OID, TEXTOID, INT4OID};
	Datum		values[3];

	values[0] = Int32GetDatum((int32) key_id);
	values[1] = CStringGetTextDatum(path);
	values[2] = Int32GetDatum((int32) holder_id);
	(void) steward_keys_run("INSERT INTO steward.key (key_id, path, holder_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
							3, types, values, SPI_OK_INSERT);
}

void
steward_keys_lock(void)
{
	(void) steward_keys_run("LOCK TABLE steward.key IN SHARE ROW EXCLUSIVE MODE", 0, NULL,
							NULL, SPI_OK_UTILITY);
}

/* Writes a key that does not exist yet; SPI is connected, we are the owner. */
static void
make_key(const char *path, uint32 key_id)
{
	size_t		holder_length = steward_name_holder_length(path);
	uint32		holder_id = steward_kdf_key_id(path, holder_length);
	unsigned char realm[STEWARD_REALM_BYTES];
	StewardWrappedRow row;
	StewardKeyRow holder;

	if (path[holder_length] != '\0')
	{
		if (!steward_key_table_find(holder_id, &holder))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("key \"%.*s\" does not exist", (int) holder_length, path),
					 errhint("Create it first: a path below it uses its versions and rights.")));
		insert_key(key_id, path, holder_id);
		return;
	}
	steward_keys_realm(realm);
	insert_key(key_id, path, key_id);
	(void) steward_key_version_insert(realm, key_id, 1);
	steward_key_secret_insert(realm, STEWARD_WRAP_INDEX_SECRET, key_id, 1);
	if (!steward_key_table_secret(STEWARD_WRAP_HASH_SECRET, 0, 1, &row))
		steward_key_secret_insert(realm, STEWARD_WRAP_HASH_SECRET, 0, 1);
}

STEWARD_FUNCTION(steward_create_key)
{
	char	   *path;
	uint32		key_id;
	StewardIdentity caller;
	StewardKeyRow row;

	PreventCommandIfReadOnly("steward.create_key()");
	steward_require_argument(fcinfo, 0, "key");
	path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	key_id = steward_name_check(path);
	SPI_connect();
	steward_become_owner(&caller);
	steward_keys_lock();
	if (steward_key_table_find(key_id, &row))
	{
		if (strcmp(row.path, path) != 0)
			steward_name_raise_taken(path, row.path);
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("key \"%s\" already exists", path)));
	}
	steward_root_note();
	make_key(path, key_id);
	steward_become_caller(&caller);
	steward_event_key("create_key", path);
	SPI_finish();
	PG_RETURN_VOID();
}

uint32
steward_key_named(const char *path)
{
	uint32		key_id = steward_name_check(path);
	const char *recalled = steward_name_recall(key_id);
	StewardKeyRow row;

	if (steward_key_table_find(key_id, &row))
		recalled = row.path;
	else if (recalled != NULL && !steward_key_is_known(key_id))
		recalled = NULL;
	if (recalled != NULL && strcmp(recalled, path) != 0)
		steward_name_raise_taken(path, recalled);
	steward_name_remember(key_id, path);
	return key_id;
}

void
steward_key_register(uint32 key_id)
{
	const char *recalled = steward_name_recall(key_id);
	StewardKeyRow row;
	StewardIdentity caller;
	char	   *path;

	if (steward_key_table_find(key_id, &row))
	{
		if (recalled != NULL && strcmp(row.path, recalled) != 0)
			steward_name_raise_taken(recalled, row.path);
		return;
	}
	if (recalled == NULL || strchr(recalled, '/') == NULL ||
		!steward_key_table_find(steward_kdf_key_id(recalled,
												   steward_name_holder_length(recalled)),
								&row))
		return;
	path = pstrdup(recalled);
	SPI_connect();
	steward_become_owner(&caller);
	insert_key(key_id, path, row.key_id);
	steward_become_caller(&caller);
	steward_event_key("register_key", path);
	SPI_finish();
	CommandCounterIncrement();
	/* Another transaction may have been faster, with another path. */
	if (steward_key_table_find(key_id, &row) && strcmp(row.path, path) != 0)
		steward_name_raise_taken(path, row.path);
}

/* ---- rights ---- */

static int
parse_privilege(const char *privilege)
{
	int			right = steward_right_of_name(privilege);

	if (right == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown privilege \"%s\"", privilege),
				 errhint("Privileges on keys are \"decrypt\", \"search\" and \"load\".")));
	return right;
}

uint32
steward_key_find_holder(const char *path, const char *what)
{
	uint32		key_id = steward_name_check(path);
	size_t		holder_length = steward_name_holder_length(path);
	StewardKeyRow row;

	if (!steward_key_table_find(key_id, &row) || strcmp(row.path, path) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("key \"%s\" does not exist", path),
				 errhint("Create it with steward.create_key('%.*s').",
						 (int) holder_length, path)));
	if (path[holder_length] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("key \"%s\" has no %s of its own", path, what),
				 errhint("It follows key \"%.*s\": name that one.",
						 (int) holder_length, path)));
	return key_id;
}

static Oid
check_grantee(Oid role)
{
	/* regrole takes any number; a grant must be on somebody who exists. */
	(void) GetUserNameFromId(role, false);
	return role;
}

static void
run_on_role(const char *format, Oid role)
{
	char	   *sql = psprintf(format, quote_identifier(GetUserNameFromId(role, false)));

	(void) steward_keys_run(sql, 0, NULL, NULL, SPI_OK_UTILITY);
}

/* What the marker no longer vouches for must not come back to life. */
static void
delete_void_grants(Oid role)
{
	Oid			types[1] = {OIDOID};
	Datum		values[1] = {ObjectIdGetDatum(role)};

	if (!steward_grantee_is_marked(steward_key_table_grantee_marker(), role))
		(void) steward_keys_run("DELETE FROM steward.key_grant AS g WHERE g.grantee OPERATOR(pg_catalog.=) $1",
								1, types, values, SPI_OK_DELETE);
}

/*
 * Checks the arguments of grant_key and revoke_key; fills in what a row of
 * steward.key_grant holds and returns the role.
 */
static Oid
read_grant(FunctionCallInfo fcinfo, Datum values[3])
{
	static const char *const names[] = {"key", "role", "privilege"};
	char	   *path;
	Oid			role;
	char	   *privilege;

	steward_require_arguments(fcinfo, lengthof(names), names);
	path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	role = check_grantee(PG_GETARG_OID(1));
	privilege = text_to_cstring(PG_GETARG_TEXT_PP(2));
	(void) parse_privilege(privilege);
	values[0] = Int32GetDatum((int32) steward_key_find_holder(path, "rights"));
	values[1] = ObjectIdGetDatum(role);
	values[2] = CStringGetTextDatum(privilege);
	return role;
}

static void
tell_right(const char *event, FunctionCallInfo fcinfo)
{
	StewardJson json;

	if (!steward_event_begin(&json, event))
		return;
	steward_json_text(&json, "key", text_to_cstring(PG_GETARG_TEXT_PP(0)));
	steward_event_role(&json, "role", PG_GETARG_OID(1));
	steward_json_text(&json, "privilege", text_to_cstring(PG_GETARG_TEXT_PP(2)));
	steward_event_end(&json);
}

STEWARD_FUNCTION(steward_grant_key)
{
	StewardIdentity caller;
	Oid			types[3] = {INT4OID, REGROLEOID, TEXTOID};
	Datum		values[3];
	Oid			role = read_grant(fcinfo, values);

	PreventCommandIfReadOnly("steward.grant_key()");
	SPI_connect();
	steward_become_owner(&caller);
	steward_keys_lock();
	delete_void_grants(role);
	run_on_role("GRANT REFERENCES ON TABLE steward.key_grantee TO %s", role);
	(void) steward_keys_run("INSERT INTO steward.key_grant (key_id, grantee, privilege) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
							3, types, values, SPI_OK_INSERT);
	steward_become_caller(&caller);
	tell_right("grant_key", fcinfo);
	SPI_finish();
	PG_RETURN_VOID();
}

STEWARD_FUNCTION(steward_revoke_key)
{
	StewardIdentity caller;
	Oid			types[3] = {INT4OID, OIDOID, TEXTOID};
	Datum		values[3];
	Oid			role = read_grant(fcinfo, values);

	PreventCommandIfReadOnly("steward.revoke_key()");
	SPI_connect();
	steward_become_owner(&caller);
	steward_keys_lock();
	(void) steward_keys_run("DELETE FROM steward.key_grant AS g WHERE g.key_id OPERATOR(pg_catalog.=) $1 AND g.grantee OPERATOR(pg_catalog.=) $2 AND g.privilege OPERATOR(pg_catalog.=) $3",
							3, types, values, SPI_OK_DELETE);
	if (steward_keys_run("SELECT FROM steward.key_grant AS g WHERE g.grantee OPERATOR(pg_catalog.=) $1",
						 1, &types[1], &values[1], SPI_OK_SELECT) == 0)
		run_on_role("REVOKE REFERENCES ON TABLE steward.key_grantee FROM %s", role);
	steward_become_caller(&caller);
	tell_right("revoke_key", fcinfo);
	SPI_finish();
	PG_RETURN_VOID();
}

static bool
has_privilege(Oid role, text *key, text *privilege)
{
	char	   *path = text_to_cstring(key);
	int			right = parse_privilege(text_to_cstring(privilege));
	uint32		key_id = steward_key_named(path);

	/* A path that no column uses yet has the rights of its holder. */
	if (!steward_key_is_known(key_id))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("key \"%s\" does not exist", path)));
	return steward_key_allowed(key_id, role, right);
}

STEWARD_FUNCTION(steward_has_key_privilege)
{
	PG_RETURN_BOOL(has_privilege(check_grantee(PG_GETARG_OID(0)),
								 PG_GETARG_TEXT_PP(1), PG_GETARG_TEXT_PP(2)));
}

STEWARD_FUNCTION(steward_has_key_privilege_current)
{
	PG_RETURN_BOOL(has_privilege(GetUserId(), PG_GETARG_TEXT_PP(0),
								 PG_GETARG_TEXT_PP(1)));
}

/*
 * Trigger on every key table. A change of rows alone invalidates nothing in
 * other sessions; this does, when the transaction commits.
 */
STEWARD_FUNCTION(steward_key_changed)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called as a trigger", "key_changed")));
	CacheInvalidateRelcacheByRelid(RelationGetRelid(trigger->tg_relation));
	PG_RETURN_POINTER(NULL);
}

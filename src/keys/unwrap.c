/*
 * unwrap.c: opening what the tables of named keys wrap; see unwrap.h.
 */
#include "keys/unwrap.h"

#include <sodium.h>

#include "keys/roots.h"
#include "keys/secrets.h"

static pg_attribute_noreturn() void
raise_root_missing(const unsigned char *root_id)
{
	char		hex[2 * STEWARD_ROOT_ID_BYTES + 1];

	(void) sodium_bin2hex(hex, sizeof hex, root_id, STEWARD_ROOT_ID_BYTES);
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("root key %s is not in the keyring", hex),
			 errdetail("A key of this database is wrapped under it."),
			 errhint("Add this root key to the keyring and reload the configuration.")));
}

bool
steward_key_try_unwrap(const StewardWrappedRow *row, StewardWrapKind kind,
					   uint32 key_id, uint32 number)
{
	StewardSecrets *secrets = steward_secrets();
	const StewardRoot *root = steward_root_find(row->root_id);
	unsigned char realm[STEWARD_REALM_BYTES];
	StewardWrapContext context;

	if (root == NULL)
		raise_root_missing(row->root_id);
	if (!steward_key_table_realm(realm))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("this database has keys but no realm"),
				 errhint("Restore table \"steward.realm\" together with the key tables.")));
	/* Reading the realm may have run a callback; look the root up again. */
	root = steward_root_find(row->root_id);
	if (root == NULL)
		raise_root_missing(row->root_id);
	steward_wrap_context(&context, realm, kind, key_id, number);
	if (steward_wrap_open(secrets->scratch, row->wrapped, STEWARD_WRAP_BYTES,
						  root->key, &context) &&
		(kind != STEWARD_WRAP_KEY_VERSION ||
		 steward_kdf_key_tag(secrets->scratch) == number))
		return true;
	sodium_memzero(secrets->scratch, sizeof secrets->scratch);
	return false;
}

void
steward_key_unwrap(const StewardWrappedRow *row, StewardWrapKind kind,
				   uint32 key_id, uint32 number)
{
	if (!steward_key_try_unwrap(row, kind, key_id, number))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a wrapped key cannot be opened"),
				 errdetail("It was altered, or it belongs to another database."),
				 errhint("Restore the tables of schema \"steward\" together, from one dump.")));
}

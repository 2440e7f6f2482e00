/*
 * subject_wrap.c: secrets and tombstones of subjects, wrapped and opened; see
 * subject_wrap.h.
 */
#include "keys/subject_wrap.h"

#include <sodium.h>

#include "crypto/random.h"
#include "keys/keys.h"
#include "keys/roots.h"
#include "keys/secrets.h"
#include "keys/tables.h"

/* The realm, good while the named keys are. */
static unsigned char realm[STEWARD_REALM_BYTES];
static uint64 realm_generation = 0;

static void
fill_context(StewardWrapContext *context, StewardWrapKind kind,
			 const unsigned char *uuid)
{
	if (realm_generation != steward_key_generation())
	{
		uint64		before = steward_key_generation();

		realm_generation = 0;
		if (!steward_key_table_realm(realm))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("this database has keys but no realm"),
					 errhint("Restore table \"steward.realm\" together with the key tables.")));
		realm_generation = before;
	}
	steward_wrap_subject_context(context, realm, kind, uuid);
}

static const StewardRoot *
need_root(const unsigned char *root_id)
{
	return steward_root_need(root_id, "The secret of a subject is wrapped under it.",
							 "Add this root key to the keyring and reload the configuration.");
}

bool
steward_subject_unwrap(const StewardSubjectRow *row)
{
	StewardWrapContext context;

	fill_context(&context, STEWARD_WRAP_SUBJECT_SECRET, row->uuid);
	return steward_wrap_open(steward_secrets()->scratch, row->wrapped,
							 STEWARD_WRAP_BYTES, need_root(row->root_id)->key,
							 &context);
}

bool
steward_subject_is_tombstone(const StewardSubjectRow *row)
{
	StewardWrapContext context;

	fill_context(&context, STEWARD_WRAP_TOMBSTONE, row->uuid);
	return row->erased &&
		steward_wrap_is_tombstone(row->wrapped, STEWARD_WRAP_BYTES,
								  need_root(row->root_id)->key, &context);
}

void
steward_root_note(void)
{
	unsigned char id[STEWARD_ROOT_ID_BYTES];

	memcpy(id, steward_root_current()->id, sizeof id);
	steward_root_table_add(id);
}

/* Chooses the root that wraps a row, and records it. */
static void
choose_root(StewardSubjectRow *row)
{
	memcpy(row->root_id, steward_root_current()->id, STEWARD_ROOT_ID_BYTES);
	steward_root_table_add(row->root_id);
}

void
steward_subject_wrap_fresh(StewardSubjectRow *row)
{
	StewardWrapContext context;
	const StewardRoot *root;
	unsigned char *secret;

	choose_root(row);
	fill_context(&context, STEWARD_WRAP_SUBJECT_SECRET, row->uuid);
	root = need_root(row->root_id);
	secret = steward_secrets()->scratch;
	steward_random_key(secret, STEWARD_KEY_BYTES);
	steward_wrap_seal(row->wrapped, root->key, &context, secret);
	sodium_memzero(secret, STEWARD_KEY_BYTES);
}

void
steward_subject_wrap_tombstone(StewardSubjectRow *row)
{
	StewardWrapContext context;

	choose_root(row);
	fill_context(&context, STEWARD_WRAP_TOMBSTONE, row->uuid);
	steward_wrap_seal_tombstone(row->wrapped, need_root(row->root_id)->key,
								&context);
}

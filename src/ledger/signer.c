/*
 * signer.c: the keys that sign checkpoints; see signer.h.
 */
#include "ledger/signer.h"

#include <sodium.h>

#include "base/argument.h"
#include "catalog/pg_type_d.h"
#include "crypto/random.h"
#include "executor/spi.h"
#include "keys/manage.h"
#include "keys/roots.h"
#include "keys/secrets.h"
#include "keys/subject.h"
#include "keys/tables.h"
#include "ledger/error.h"
#include "ledger/event.h"
#include "ledger/log.h"
#include "ledger/session.h"
#include "ledger/values.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define ENDORSEMENT "pg_steward ledger key endorsement 1\n"

/* The text that an endorsement signs; its length. */
static size_t
endorsed_text(char *out, size_t room, const char *origin,
			  const unsigned char *public_key)
{
	StewardNoteKey key;

	if (!steward_note_key_make(&key, origin, strlen(origin), public_key))
		steward_ledger_corrupted("the origin of a key is malformed");
	strlcpy(out, ENDORSEMENT, room);
	return strlen(ENDORSEMENT) +
		steward_note_key_format(out + strlen(ENDORSEMENT), &key);
}

#define ENDORSED_ROOM (sizeof ENDORSEMENT + STEWARD_NOTE_KEY_TEXT_BYTES)

static bool
is_endorsed(const StewardSigner *signer, const StewardSigner *before, Datum value,
			bool isnull)
{
	char		text[ENDORSED_ROOM];
	size_t		length;
	StewardSlot signature;

	if (before == NULL)
		return true;
	if (isnull)
		return false;
	signature = steward_value_bytes(value);
	length = endorsed_text(text, sizeof text, signer->origin, signer->public_key);
	return signature.length == STEWARD_SIGNATURE_BYTES &&
		steward_sign_verify(signature.data, before->public_key, text, length);
}

static void
read_signer(StewardSigner *signer, const StewardSigner *before, HeapTuple row,
			TupleDesc desc)
{
	Datum		values[4];
	bool		nulls[4];
	StewardSlot key;

	heap_deform_tuple(row, desc, values, nulls);
	if (nulls[0] || nulls[1] || nulls[2])
		steward_ledger_corrupted("a row of ledger_key is incomplete");
	signer->id = DatumGetInt32(values[0]);
	signer->origin = TextDatumGetCString(values[1]);
	key = steward_value_bytes(values[2]);
	if (key.length != STEWARD_SIGN_PUBLIC_BYTES ||
		strlen(signer->origin) > STEWARD_ORIGIN_MAX)
		steward_ledger_corrupted("a row of ledger_key is malformed");
	memcpy(signer->public_key, key.data, key.length);
	signer->endorsed = is_endorsed(signer, before, values[3], nulls[3]);
}

int
steward_signers(StewardSigner **signers)
{
	MemoryContext caller = CurrentMemoryContext;
	SPITupleTable *rows;
	int			count;

	if (SPI_execute("SELECT k.id, k.origin, k.public_key, k.endorsement"
					" FROM steward.ledger_key AS k"
					" ORDER BY k.id USING OPERATOR(pg_catalog.<)", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed");
	rows = SPI_tuptable;
	count = (int) SPI_processed;
	MemoryContextSwitchTo(caller);
	*signers = palloc(sizeof(StewardSigner) * (count + 1));
	for (int i = 0; i < count; i++)
		read_signer(*signers + i, i > 0 ? *signers + i - 1 : NULL, rows->vals[i],
					rows->tupdesc);
	SPI_freetuptable(rows);
	return count;
}

bool
steward_signer_newest(StewardSigner *signer)
{
	StewardSigner *all;
	int			count = steward_signers(&all);

	if (count > 0)
		*signer = all[count - 1];
	return count > 0;
}

void
steward_signer_need(StewardSigner *signer)
{
	if (!steward_signer_newest(signer))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the ledger has no signing key"),
				 errhint("Make one with steward.create_ledger_key(); until then blocks are sealed without a signature.")));
}

void
steward_signer_key(StewardNoteKey *key, const StewardSigner *signer, int32 incarnation)
{
	char	   *origin = psprintf("%s/%d", signer->origin, incarnation);

	if (!steward_note_key_make(key, origin, strlen(origin), signer->public_key))
		steward_ledger_corrupted("the origin of a key is malformed");
}

static pg_attribute_noreturn() void
raise_altered(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the signing key of the ledger cannot be opened"),
			 errdetail("Its secret was altered, is missing, or belongs to another database."),
			 errhint("Restore the tables of schema \"steward\" together, from one dump.")));
}

const unsigned char *
steward_signer_seed(const StewardSigner *signer)
{
	unsigned char *seed = steward_secrets()->scratch;
	unsigned char realm[STEWARD_REALM_BYTES];
	unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES];
	StewardWrappedRow row;
	StewardWrapContext context;
	const StewardRoot *root;

	if (!steward_key_table_realm(realm) ||
		!steward_key_table_secret(STEWARD_WRAP_LEDGER_SEED, (uint32) signer->id, 1, &row))
		raise_altered();
	steward_wrap_context(&context, realm, STEWARD_WRAP_LEDGER_SEED,
						 (uint32) signer->id, 0);
	root = steward_root_need(row.root_id,
							 "The signing key of the ledger is wrapped under it.",
							 "Put it into the keyring and reload the configuration.");
	if (!steward_wrap_open(seed, row.wrapped, STEWARD_WRAP_BYTES, root->key, &context))
		raise_altered();
	steward_sign_public(public_key, seed);
	if (memcmp(public_key, signer->public_key, sizeof public_key) != 0)
	{
		steward_signer_done();
		raise_altered();
	}
	return seed;
}

void
steward_signer_done(void)
{
	sodium_memzero(steward_secrets()->scratch, STEWARD_KEY_BYTES);
}

/* ---- making one ---- */

/* What may stand in the name of a ledger, in any encoding. */
static void
check_origin(const char *origin)
{
	size_t		length = strlen(origin);

	if (length == 0 || length > STEWARD_ORIGIN_MAX ||
		strspn(origin, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/:") != length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid origin \"%s\"", origin),
				 errdetail("An origin has 1 to %d letters, digits, and characters of \".-_/:\".",
						   STEWARD_ORIGIN_MAX),
				 errhint("Take a name that is unique in the world, such as \"example.com/audit\".")));
}

/* Wraps and stores a fresh seed; gives its public key. */
static void
insert_seed(int32 id, unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES])
{
	const StewardRoot *root = steward_root_current();
	unsigned char *seed = steward_secrets()->scratch;
	unsigned char wrapped[STEWARD_WRAP_BYTES];
	unsigned char realm[STEWARD_REALM_BYTES];
	StewardWrapContext context;
	Oid			types[4] = {INT4OID, INT4OID, BYTEAOID, BYTEAOID};
	Datum		values[4];

	steward_keys_realm(realm);
	steward_wrap_context(&context, realm, STEWARD_WRAP_LEDGER_SEED, (uint32) id, 0);
	steward_random_key(seed, STEWARD_KEY_BYTES);
	steward_sign_public(public_key, seed);
	steward_wrap_seal(wrapped, root->key, &context, seed);
	steward_signer_done();
	values[0] = Int32GetDatum(STEWARD_WRAP_LEDGER_SEED);
	values[1] = Int32GetDatum(id);
	values[2] = steward_bytes_datum(root->id, STEWARD_ROOT_ID_BYTES);
	values[3] = steward_bytes_datum(wrapped, sizeof wrapped);
	(void) steward_keys_run("INSERT INTO steward.key_secret (kind, key_id, root_id, wrapped) VALUES ($1, $2, $3, $4)",
							4, types, values, SPI_OK_INSERT);
}

/* The endorsement of a new key by the one before. */
static Datum
endorse(const StewardSigner *before, const char *origin, const unsigned char *public_key)
{
	char		text[ENDORSED_ROOM];
	size_t		length = endorsed_text(text, sizeof text, origin, public_key);
	unsigned char signature[STEWARD_SIGNATURE_BYTES];

	steward_sign(signature, steward_signer_seed(before), text, length);
	steward_signer_done();
	return steward_value_of_bytes(signature, sizeof signature);
}

static void
insert_signer(int32 id, const char *origin, const unsigned char *public_key,
			  const StewardSigner *before)
{
	Oid			types[4] = {INT4OID, TEXTOID, BYTEAOID, BYTEAOID};
	Datum		values[4];
	char		nulls[5] = "    ";

	values[0] = Int32GetDatum(id);
	values[1] = CStringGetTextDatum(origin);
	values[2] = steward_value_of_bytes(public_key, STEWARD_SIGN_PUBLIC_BYTES);
	if (before != NULL)
		values[3] = endorse(before, origin, public_key);
	else
		nulls[3] = 'n';
	if (SPI_execute_with_args("INSERT INTO steward.ledger_key (id, origin, public_key, endorsement)"
							  " VALUES ($1, $2, $3, $4)",
							  4, types, values, nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "SPI_execute_with_args failed");
}

/* Makes the next key. */
static void
make_signer(const char *origin)
{
	StewardSigner before;
	bool		has_before;
	StewardSigner signer;
	StewardNoteKey key;
	char		text[STEWARD_NOTE_KEY_TEXT_BYTES];

	steward_keys_lock();
	has_before = steward_signer_newest(&before);
	signer.id = has_before ? before.id + 1 : 1;
	insert_seed(signer.id, signer.public_key);
	insert_signer(signer.id, origin, signer.public_key, has_before ? &before : NULL);
	if (!steward_note_key_make(&key, origin, strlen(origin), signer.public_key))
		steward_ledger_corrupted("the origin of a key is malformed");
	steward_note_key_format(text, &key);
	steward_ledger_event("create ledger key", "key", text);
}

STEWARD_FUNCTION(steward_create_ledger_key)
{
	StewardSession session;
	char	   *origin;

	PreventCommandIfReadOnly("steward.create_ledger_key()");
	steward_require_argument(fcinfo, 0, "origin");
	origin = text_to_cstring(PG_GETARG_TEXT_PP(0));
	check_origin(origin);
	steward_session_begin(&session);
	steward_root_note();
	make_signer(origin);
	steward_session_end(&session);
	PG_RETURN_VOID();
}

STEWARD_FUNCTION(steward_ledger_verifier_key)
{
	StewardSession session;
	StewardSigner signer;
	StewardNoteKey key;
	char		text[STEWARD_NOTE_KEY_TEXT_BYTES];
	int32		incarnation;
	Datum		result;

	steward_session_begin(&session);
	steward_signer_need(&signer);
	incarnation = PG_ARGISNULL(0) ? steward_log_default() : PG_GETARG_INT32(0);
	if (incarnation == 0)
	{
		steward_session_end(&session);
		PG_RETURN_NULL();
	}
	steward_signer_key(&key, &signer, incarnation);
	result = steward_session_text(&session, text, steward_note_key_format(text, &key));
	steward_session_end(&session);
	PG_RETURN_DATUM(result);
}

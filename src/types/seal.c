/*
 * seal.c: sealing, opening and recoding values; see encrypted.h.
 */
#include "types/type_info.h"

#include "base/errors.h"
#include "crypto/value.h"
#include "keys/keys.h"
#include "keys/roots.h"
#include "keys/subject.h"
#include "utils/memutils.h"

uint32
steward_typmod_key(int32 typmod)
{
	return typmod > 0 ? (uint32) typmod : 0;
}

static pg_attribute_noreturn() void
raise_erased(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the subject of a value was erased"),
			 errdetail("No value can be bound to it any more.")));
}

struct varlena *
steward_try_seal(const StewardTypeInfo *info, uint32 key_id,
				 const unsigned char *subject, const unsigned char *plain,
				 size_t len)
{
	StewardDatumLabel label = {.type = info->code, .key_id = key_id,
	.subject = subject};
	const StewardValueKey *key;
	struct varlena *result;
	size_t		size;

	if (len > STEWARD_PLAIN_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("value is too long to be encrypted"),
				 errdetail("The limit is %zu bytes, so that a dump can hold the ciphertext.",
						   STEWARD_PLAIN_MAX)));
	size = VARHDRSZ + steward_datum_size(len, subject != NULL);
	result = palloc(size);
	SET_VARSIZE(result, size);
	key = steward_key_for_sealing(key_id, &label.key_tag);
	if (subject != NULL)
		key = steward_subject_key(key_id, label.key_tag, subject);
	if (unlikely(key == NULL))
	{
		pfree(result);
		return NULL;
	}
	steward_value_seal((unsigned char *) VARDATA(result), key, &label, plain, len);
	return result;
}

struct varlena *
steward_seal(const StewardTypeInfo *info, uint32 key_id,
			 const unsigned char *subject, const unsigned char *plain,
			 size_t len)
{
	struct varlena *result = steward_try_seal(info, key_id, subject, plain, len);

	if (unlikely(result == NULL))
		raise_erased();
	return result;
}

void
steward_parse(const StewardTypeInfo *info, StewardDatum *datum,
			  struct varlena *value)
{
	StewardDatumStatus status = steward_datum_parse(datum,
													(unsigned char *) VARDATA_ANY(value),
													VARSIZE_ANY_EXHDR(value));

	if (status == STEWARD_DATUM_OK && datum->type == info->code)
		return;
	if (status == STEWARD_DATUM_UNKNOWN_FORMAT ||
		status == STEWARD_DATUM_UNKNOWN_SUITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ciphertext has a format that this version does not know"),
				 errhint("Update pg_steward to the version that wrote it.")));
	if (status == STEWARD_DATUM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("ciphertext is not of type %s", info->name)));
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("malformed ciphertext")));
}

bool
steward_open_into(const StewardDatum *datum, unsigned char *out)
{
	const StewardValueKey *key;

	steward_plain_opened = true;
	if (unlikely(datum->subject != NULL))
		key = steward_subject_key(datum->key_id, datum->key_tag, datum->subject);
	else
		key = steward_key_for_opening(datum->key_id, datum->key_tag);
	if (unlikely(key == NULL))
		return false;
	if (unlikely(!steward_value_open(out, datum, key)))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("encrypted value cannot be opened"),
				 errdetail("It was altered, or it was moved from another place.")));
	return true;
}

bool
steward_open(const StewardDatum *datum, StewardPlain *plain)
{
	*plain = steward_plain_make(datum->plain_len);
	if (steward_open_into(datum, plain->bytes))
		return true;
	steward_plain_free(plain);
	return false;
}

/* The key that opens a value, if there is one; good as those it comes from. */
static StewardOpening
find_key(const StewardDatum *datum, const StewardValueKey **key)
{
	StewardSubjectState state;

	if (datum->key_id != 0 && !steward_key_opens(datum->key_id, datum->key_tag))
		return datum->subject != NULL &&
			steward_key_is_destroyed(datum->key_id, datum->key_tag) &&
			steward_subject_state(datum->subject) == STEWARD_SUBJECT_ERASED ?
			STEWARD_OPENING_ERASED : STEWARD_OPENING_FAILED;
	/* Sealed under a root that is gone, or no transient value at all. */
	if (datum->key_id == 0 && steward_root_transient_find(datum->key_tag) == NULL)
		return STEWARD_OPENING_FAILED;
	if (datum->subject == NULL)
	{
		*key = steward_key_for_opening(datum->key_id, datum->key_tag);
		return STEWARD_OPENING_DONE;
	}
	state = steward_subject_try_key(datum->key_id, datum->key_tag, datum->subject,
									key);
	return state == STEWARD_SUBJECT_ALIVE ? STEWARD_OPENING_DONE :
		state == STEWARD_SUBJECT_ERASED ? STEWARD_OPENING_ERASED :
		STEWARD_OPENING_FAILED;
}

StewardOpening
steward_try_open(const StewardDatum *datum, StewardPlain *plain)
{
	const StewardValueKey *key;
	StewardOpening result = find_key(datum, &key);

	if (result != STEWARD_OPENING_DONE)
		return result;
	steward_plain_opened = true;
	*plain = steward_plain_make(datum->plain_len);
	if (steward_value_open(plain->bytes, datum, key))
		return STEWARD_OPENING_DONE;
	steward_plain_free(plain);
	return STEWARD_OPENING_FAILED;
}

struct varlena *
steward_recode(const StewardTypeInfo *info, struct varlena *value, int32 typmod)
{
	uint32		key_id = steward_typmod_key(typmod);
	StewardPlaintextScope scope;
	StewardDatum datum;
	StewardPlain plain;
	struct varlena *result = NULL;

	steward_parse(info, &datum, value);
	if (key_id == 0 || datum.key_id == key_id)
		return value;
	steward_key_require(datum.key_id, STEWARD_RIGHT_DECRYPT);

	steward_plaintext_begin(&scope);
	if (steward_open(&datum, &plain))
		result = steward_seal(info, key_id, datum.subject, plain.bytes,
							  plain.len);
	steward_plain_free(&plain);
	steward_plaintext_end(&scope);
	return result;
}

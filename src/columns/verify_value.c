/*
 * verify_value.c: what is wrong with one encrypted value; see verify.h.
 *
 * A value can be wrong in several ways at once, and each is told: one that was
 * moved here as it is opens under its own header, one that was altered to fit in
 * does not open.
 */
#include "columns/verify.h"

#include "base/errors.h"
#include "columns/count.h"
#include "crypto/value.h"
#include "keys/keys.h"
#include "keys/subject_table.h"

/* The text of a datum that cannot even be parsed. */
static void
report_malformed(StewardDatumStatus status, StewardFindingCallback report,
				 void *arg)
{
	switch (status)
	{
		case STEWARD_DATUM_UNKNOWN_FORMAT:
			report(arg, "unknown format", "the format is not one that this version knows");
			break;
		case STEWARD_DATUM_UNKNOWN_SUITE:
			report(arg, "unknown format", "the suite is not one that this version knows");
			break;
		case STEWARD_DATUM_UNKNOWN_TYPE:
			report(arg, "unknown format", "the type is not one that this version knows");
			break;
		case STEWARD_DATUM_UNKNOWN_FLAG:
			report(arg, "unknown format", "a flag is not one that this version knows");
			break;
		case STEWARD_DATUM_BAD_KEY_ID:
			report(arg, "malformed", "the key id is out of range");
			break;
		default:
			report(arg, "malformed", "it is too short");
			break;
	}
}

static const char *
name_of_key(uint32 key_id)
{
	char	   *path = steward_key_path(key_id);

	return path != NULL ? psprintf("key \"%s\"", path) : psprintf("key id %u", key_id);
}

/* Is there a key that could open it? Told when there is none. */
static bool
has_key(const StewardDatum *datum, StewardFindingCallback report, void *arg)
{
	if (datum->key_id == 0)
	{
		report(arg, "transient", "a constant was stored before it got a key; steward.reencrypt gives it the column's");
		return false;
	}
	if (!steward_key_is_known(datum->key_id))
	{
		report(arg, "unknown key", name_of_key(datum->key_id));
		return false;
	}
	if (!steward_key_has_version(datum->key_id, datum->key_tag))
	{
		report(arg, "unknown version",
			   psprintf("%s has no version with tag %08x",
						name_of_key(datum->key_id), datum->key_tag));
		return false;
	}
	return true;
}

/* Is the value bound to whom it should be, and is that somebody known? */
static bool
has_subject(const StewardDatum *datum, const StewardVerifyOwner *owner,
			StewardFindingCallback report, void *arg)
{
	StewardSubjectRow row;

	if (owner->bound && datum->subject == NULL)
		report(arg, "not bound", "the table is bound to subjects, the value is not");
	if (datum->subject == NULL)
		return true;
	if (owner->bound &&
		(!owner->known ||
		 memcmp(datum->subject, owner->subject.uuid, STEWARD_UUID_BYTES) != 0))
		report(arg, "other subject", "it is bound to another subject than the row's");
	if (steward_subject_table_find(datum->subject, &row))
		return true;
	report(arg, "unknown subject", "it is bound to a subject that this database does not have");
	return false;
}

static bool
opens(const StewardDatum *datum)
{
	StewardPlaintextScope scope;
	StewardPlain plain;
	StewardOpening opening;

	steward_plaintext_begin(&scope);
	opening = steward_try_open(datum, &plain);
	if (opening == STEWARD_OPENING_DONE)
		steward_plain_free(&plain);
	steward_plaintext_end(&scope);
	return opening != STEWARD_OPENING_FAILED;
}

void
steward_verify_value(const StewardTypeInfo *info, uint32 key_id,
					 const StewardVerifyOwner *owner, struct varlena *value,
					 StewardFindingCallback report, void *arg)
{
	StewardDatum datum;
	bool		subject;
	StewardDatumStatus status = steward_datum_parse(&datum,
													(unsigned char *) VARDATA_ANY(value),
													VARSIZE_ANY_EXHDR(value));

	if (status != STEWARD_DATUM_OK)
	{
		report_malformed(status, report, arg);
		return;
	}
	if (datum.type != info->code)
		report(arg, "other type", "it was sealed as a value of another type");
	if (key_id != 0 && datum.key_id != 0 && datum.key_id != key_id)
		report(arg, "other key", name_of_key(datum.key_id));
	subject = has_subject(&datum, owner, report, arg);
	/* What was erased is left behind when its version is destroyed. */
	if (steward_key_is_destroyed(datum.key_id, datum.key_tag) &&
		steward_is_erased(&datum))
		return;
	if (has_key(&datum, report, arg) && subject && !opens(&datum))
		report(arg, "altered", "it does not open");
}

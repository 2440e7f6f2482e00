/*
 * load.c: bringing ciphertext in as it is (armour, binary input).
 *
 * Not everybody may: stolen armour, pasted where an application takes text,
 * would come back decrypted through somebody's view or function. Superusers,
 * the extension's owner and roles with the right "load" on its key may.
 */
#include "types/type_info.h"

#include "keys/keys.h"
#include "miscadmin.h"

static pg_attribute_noreturn() void
raise_denied(const StewardTypeInfo *info)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to load ciphertext"),
			 errhint("Loading ciphertext as it is needs the privilege \"load\" on its key. To encrypt a text that looks like ciphertext, use steward.%s().",
					 info->encrypt_function)));
}

void
steward_check_load(const StewardTypeInfo *info, struct varlena *value,
				   int32 typmod)
{
	StewardDatum datum;

	steward_parse(info, &datum, value);
	/* A transient value is some session's constant; it never comes back in. */
	if (datum.key_id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ciphertext of a transient value cannot be loaded")));
	if (!steward_key_allowed(datum.key_id, GetUserId(), STEWARD_RIGHT_LOAD))
		raise_denied(info);
	if (typmod > 0 && datum.key_id != (uint32) typmod)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("ciphertext belongs to another key than the column"),
				 errhint("Load it into a column of its own key, and move it with a cast.")));

	/*
	 * An unknown key is no error, nor is one without versions: a dump is
	 * restored before the tables of the keys are, or beside them.
	 */
	if (steward_key_has_versions(datum.key_id) &&
		!steward_key_has_version(datum.key_id, datum.key_tag))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("ciphertext is under a version that its key does not have"),
				 errdetail("It comes from another database, or the version was destroyed."),
				 errhint("Restore a whole dump, with the tables of schema \"steward\", into a database that has no keys yet.")));
}

/*
 * shred_subject.c: subjects by kind and key in the server's encoding; see shred_parts.h.
 */
#include "retention/shred_parts.h"

#include "base/errors.h"
#include "keys/subject_lane.h"
#include "types/encrypted.h"

/* A name in UTF-8, from begin_name to end_name. */
typedef struct NameScope
{
	StewardPlaintextScope scope;
	StewardPlain kind;
	StewardPlain key;
	StewardSubjectName name;
} NameScope;

static void
begin_name(NameScope *name, const char *kind, const char *key)
{
	/* A key may be personal: no error shows what is going on. */
	steward_plaintext_begin(&name->scope);
	name->kind = steward_text_to_utf8(kind, strlen(kind));
	name->key = steward_text_to_utf8(key, strlen(key));
	name->name.kind = (char *) name->kind.bytes;
	name->name.kind_len = name->kind.len;
	name->name.key = (char *) name->key.bytes;
	name->name.key_len = name->key.len;
}

static void
end_name(NameScope *name)
{
	steward_plain_free(&name->kind);
	steward_plain_free(&name->key);
	steward_plaintext_end(&name->scope);
}

int
steward_shred_lane(const char *kind, const char *key)
{
	NameScope	name;
	int			lane;

	begin_name(&name, kind, key);
	lane = steward_subject_lane(&name.name);
	end_name(&name);
	return lane;
}

/*
 * Only a valid tombstone says that a subject was erased; a secret that was altered, or that the
 * journal names, is replaced like any other.
 */
bool
steward_shred_pending(const char *kind, const char *key)
{
	NameScope	name;
	StewardSubject subject;
	StewardSubjectState state = STEWARD_SUBJECT_MISSING;

	begin_name(&name, kind, key);
	if (steward_subject_find(&name.name, &subject))
		state = steward_subject_state(subject.uuid);
	end_name(&name);
	return state != STEWARD_SUBJECT_MISSING && state != STEWARD_SUBJECT_ERASED;
}

bool
steward_shred_erase(const char *kind, const char *key)
{
	NameScope	name;
	bool		erased;

	begin_name(&name, kind, key);
	erased = steward_subject_erase(&name.name);
	end_name(&name);
	return erased;
}

/*
 * names.c: names of keys; see names.h.
 */
#include "keys/names.h"

#include "crypto/kdf.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* More names than any schema has; when full the map starts again. */
#define MAX_REMEMBERED 4096

typedef struct RememberedName
{
	uint32		key_id;			/* hash key */
	char		path[STEWARD_PATH_MAX + 1];
} RememberedName;

static HTAB *remembered = NULL;

static bool
is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/* What is wrong with a path, or NULL. */
static const char *
find_fault(const char *path)
{
	size_t		segment = 0;
	bool		all_digits = true;

	if (path[0] == '\0')
		return "The name is empty.";
	if (strlen(path) > STEWARD_PATH_MAX)
		return "The name is longer than 200 characters.";
	for (const char *c = path; *c != '\0'; c++)
	{
		if (*c < '0' || *c > '9')
			all_digits = false;
		if (*c == '/' && segment == 0)
			return "A segment of the path is empty.";
		if (*c != '/' && !is_name_character(*c))
			return "Only letters, digits, \"_\", \"-\", \".\" and, between segments, \"/\" are allowed.";
		segment = *c == '/' ? 0 : segment + 1;
	}
	if (segment == 0)
		return "A segment of the path is empty.";
	if (all_digits)
		return "A name of digits alone would be taken for a key id.";
	return NULL;
}

uint32
steward_name_check(const char *path)
{
	const char *fault = find_fault(path);

	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid key name \"%s\"", path),
				 errdetail("%s", fault),
				 errhint("A key name is a path such as 'pii' or 'pii/customer.ssn'.")));
	return steward_kdf_key_id(path, strlen(path));
}

void
steward_name_raise_taken(const char *path, const char *other)
{
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("key name \"%s\" cannot be used", path),
			 errdetail("It has the same key id as \"%s\".", other),
			 errhint("Choose another name.")));
}

size_t
steward_name_holder_length(const char *path)
{
	return strcspn(path, "/");
}

static void
make_map(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(uint32);
	control.entrysize = sizeof(RememberedName);
	control.hcxt = TopMemoryContext;
	remembered = hash_create("pg_steward key names", 64, &control,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void
steward_name_remember(uint32 key_id, const char *path)
{
	RememberedName *entry;

	if (remembered != NULL &&
		hash_get_num_entries(remembered) >= MAX_REMEMBERED)
	{
		hash_destroy(remembered);
		remembered = NULL;
	}
	if (remembered == NULL)
		make_map();
	entry = hash_search(remembered, &key_id, HASH_ENTER, NULL);
	strlcpy(entry->path, path, sizeof entry->path);
}

const char *
steward_name_recall(uint32 key_id)
{
	RememberedName *entry;

	if (remembered == NULL)
		return NULL;
	entry = hash_search(remembered, &key_id, HASH_FIND, NULL);
	return entry != NULL ? entry->path : NULL;
}

void
steward_name_raise_unknown(uint32 key_id)
{
	const char *path = steward_name_recall(key_id);

	if (path != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("key \"%s\" does not exist", path),
				 errhint("Create it with steward.create_key('%.*s').",
						 (int) steward_name_holder_length(path), path)));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("key %u does not exist in this database", key_id),
			 errhint("Restore the tables of schema \"steward\" too, or create the key with steward.create_key(). With pg_restore --jobs restore section by section, so that the keys come before the indexes.")));
}

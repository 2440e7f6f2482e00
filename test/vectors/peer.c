/*
 * peer.c: the extension's side of test/vectors/second.py.
 *
 *	 peer check		reads vectors, one a line, and tests that the crypto floor
 *					produces and opens each of them (TAP)
 *	 peer seal N	prints N values and N wraps under random keys, as vectors
 *
 * A line is "construct name=hex name=hex …"; see second.py --lines.
 */
#include "crypto/armour.h"
#include "crypto/bytes.h"
#include "crypto/journal.h"
#include "crypto/keyring.h"
#include "crypto/plain_json.h"
#include "crypto/plain_numeric.h"
#include "crypto/random.h"
#include "crypto/tag.h"
#include "crypto/value.h"
#include "crypto/wrap.h"

#include "../unit/tap.h"

#define MAX_FIELDS 16

typedef struct Field
{
	const char *name;
	unsigned char *bytes;
	size_t		len;
} Field;

typedef struct Vector
{
	const char *construct;
	Field		fields[MAX_FIELDS];
	int			count;
} Vector;

/* Cuts a line into a vector; the text is the line's own. */
static void
read_vector(Vector *vector, char *line)
{
	char	   *next = line;

	memset(vector, 0, sizeof *vector);
	line[strcspn(line, "\n")] = '\0';
	vector->construct = strsep(&next, " ");
	while (next != NULL)
	{
		Field	   *field = &vector->fields[vector->count++];
		char	   *hex = strsep(&next, " ");

		field->name = strsep(&hex, "=");
		if (hex == NULL || vector->count == MAX_FIELDS)
			tap_bail("a line of another form");
		field->len = strlen(hex) / 2;
		field->bytes = malloc(field->len + 1);
		fill_hex(field->bytes, field->len, hex);
	}
}

static void
free_vector(Vector *vector)
{
	for (int i = 0; i < vector->count; i++)
		free(vector->fields[i].bytes);
}

static const Field *
find_field(const Vector *vector, const char *name)
{
	for (int i = 0; i < vector->count; i++)
	{
		if (strcmp(vector->fields[i].name, name) == 0)
			return &vector->fields[i];
	}
	return NULL;
}

static const Field *
need_field(const Vector *vector, const char *name)
{
	const Field *field = find_field(vector, name);

	if (field == NULL)
		tap_bail(name);
	return field;
}

static const unsigned char *
bytes_of(const Vector *vector, const char *name)
{
	return need_field(vector, name)->bytes;
}

static bool
is_field(const Vector *vector, const char *name, const void *bytes, size_t len)
{
	const Field *field = need_field(vector, name);

	return field->len == len && memcmp(field->bytes, bytes, len) == 0;
}

static bool
is_number(const Vector *vector, const char *name, uint32_t number)
{
	unsigned char bytes[4];

	steward_store_be32(bytes, number);
	return is_field(vector, name, bytes, sizeof bytes);
}

static bool
check_key_id(const Vector *v)
{
	const Field *path = need_field(v, "path_text");

	return is_number(v, "id", steward_kdf_key_id((const char *) path->bytes,
												 path->len));
}

static bool
check_root_id(const Vector *v)
{
	unsigned char id[STEWARD_ROOT_ID_BYTES];

	steward_kdf_root_id(id, bytes_of(v, "root"));
	return is_field(v, "id", id, sizeof id);
}

static bool
check_key_tag(const Vector *v)
{
	return is_number(v, "tag", steward_kdf_key_tag(bytes_of(v, "key")));
}

static bool
check_transient(const Vector *v)
{
	unsigned char key[STEWARD_KEY_BYTES];

	steward_kdf_transient(key, bytes_of(v, "root"));
	return is_field(v, "key", key, sizeof key) &&
		is_number(v, "tag", steward_kdf_key_tag(key));
}

static bool
check_subject_key(const Vector *v)
{
	unsigned char key[STEWARD_KEY_BYTES];

	steward_kdf_subject(key, bytes_of(v, "version"), bytes_of(v, "secret"));
	return is_field(v, "key", key, sizeof key);
}

static bool
check_hedge(const Vector *v)
{
	unsigned char hedge[STEWARD_HEDGE_BYTES];

	steward_kdf_hedge(hedge, bytes_of(v, "key"));
	return is_field(v, "hedge", hedge, sizeof hedge);
}

static bool
check_tag_keys(const Vector *v)
{
	StewardTagKeys keys;

	steward_kdf_tag_keys(&keys, bytes_of(v, "secret"));
	return is_field(v, "hash", keys.hash, sizeof keys.hash) &&
		is_field(v, "unique", keys.unique, sizeof keys.unique) &&
		is_field(v, "subject", keys.subject, sizeof keys.subject);
}

static bool
check_subject_digest(const Vector *v)
{
	const Field *kind = need_field(v, "kind_text");
	const Field *name = need_field(v, "name_text");
	unsigned char digest[STEWARD_SUBJECT_DIGEST_BYTES];

	steward_kdf_subject_digest(digest, bytes_of(v, "key"), (char *) kind->bytes,
							   kind->len, (char *) name->bytes, name->len);
	return is_field(v, "digest", digest, sizeof digest);
}

static bool
check_index_key(const Vector *v)
{
	unsigned char key[STEWARD_TAG_KEY_BYTES];

	steward_kdf_index_key(key, bytes_of(v, "secret"), bytes_of(v, "salt"),
						  steward_load_be16(bytes_of(v, "column")));
	return is_field(v, "key", key, sizeof key);
}

static bool
check_hash_tag(const Vector *v)
{
	const Field *canonical = need_field(v, "canonical");
	unsigned char number[8];

	steward_store_be64(number, steward_tag_64(bytes_of(v, "key"),
											  canonical->bytes, canonical->len));
	return is_field(v, "number", number, sizeof number);
}

static bool
check_unique_tag(const Vector *v)
{
	const Field *canonical = need_field(v, "canonical");
	unsigned char tag[STEWARD_TAG128_BYTES];

	steward_tag_128(tag, bytes_of(v, "key"), canonical->bytes, canonical->len);
	return is_field(v, "tag", tag, sizeof tag);
}

/* Are the ids those of the generation of an index secret, where it says one? */
static bool
check_index_secret_ids(const Vector *v)
{
	const Field *generation = find_field(v, "generation");
	StewardWrapContext context;

	if (generation == NULL)
		return true;
	steward_wrap_context(&context, bytes_of(v, "realm"),
						 STEWARD_WRAP_INDEX_SECRET,
						 steward_load_be32(bytes_of(v, "key_id")),
						 steward_load_be32(generation->bytes) - 1);
	return is_field(v, "ids", context.ids, sizeof context.ids) &&
		is_field(v, "kind", &context.kind, 1);
}

static bool
check_wrap(const Vector *v)
{
	const Field *wrapped = need_field(v, "wrapped");
	unsigned char again[STEWARD_WRAP_BYTES];
	unsigned char secret[STEWARD_KEY_BYTES];
	StewardWrapContext context;

	memcpy(context.realm, bytes_of(v, "realm"), STEWARD_REALM_BYTES);
	memcpy(context.ids, bytes_of(v, "ids"), STEWARD_WRAP_IDS_BYTES);
	context.kind = bytes_of(v, "kind")[0];
	steward_wrap_seal_salted(again, bytes_of(v, "root"), &context,
							 bytes_of(v, "secret"), bytes_of(v, "salt"));
	return check_index_secret_ids(v) &&
		is_field(v, "wrapped", again, sizeof again) &&
		steward_wrap_open(secret, wrapped->bytes, wrapped->len,
						  bytes_of(v, "root"), &context) &&
		is_field(v, "secret", secret, sizeof secret) &&
		steward_wrap_is_tombstone(wrapped->bytes, wrapped->len,
								  bytes_of(v, "root"), &context) ==
		(context.kind == STEWARD_WRAP_TOMBSTONE);
}

/* Parses and opens; the plaintext is the caller's to free, NULL when refused. */
static unsigned char *
open_datum(const Vector *v, StewardDatum *parsed)
{
	const Field *datum = need_field(v, "datum");
	StewardValueKey key;
	unsigned char *plain;

	if (steward_datum_parse(parsed, datum->bytes, datum->len) != STEWARD_DATUM_OK)
		return NULL;
	steward_value_key(&key, bytes_of(v, "key"));
	plain = malloc(parsed->plain_len + 1);
	if (steward_value_open(plain, parsed, &key))
		return plain;
	free(plain);
	return NULL;
}

static bool
check_value(const Vector *v)
{
	const Field *plain = need_field(v, "plain");
	const Field *subject = find_field(v, "subject");
	size_t		size = steward_datum_size(plain->len, subject != NULL);
	unsigned char *again = malloc(size);
	unsigned char *opened;
	StewardDatumLabel label = {0};
	StewardDatum parsed;
	StewardValueKey key;
	bool		good;

	label.type = bytes_of(v, "type")[0];
	label.key_id = steward_load_be32(bytes_of(v, "key_id"));
	label.key_tag = steward_load_be32(bytes_of(v, "key_tag"));
	label.subject = subject != NULL ? subject->bytes : NULL;
	steward_value_key(&key, bytes_of(v, "key"));
	steward_value_seal_salted(again, &key, &label, plain->bytes, plain->len,
							  bytes_of(v, "random"));
	opened = open_datum(v, &parsed);
	good = is_field(v, "datum", again, size) && opened != NULL &&
		is_field(v, "plain", opened, parsed.plain_len) &&
		is_field(v, "salt", parsed.salt, STEWARD_SALT_BYTES) &&
		parsed.type == label.type && parsed.key_id == label.key_id &&
		parsed.key_tag == label.key_tag &&
		(parsed.subject != NULL) == (subject != NULL) &&
		(subject == NULL ||
		 is_field(v, "subject", parsed.subject, STEWARD_UUID_BYTES));
	free(opened);
	free(again);
	return good;
}

/* Plaintext bytes of a type, and what of them is compared. */
static bool
check_plain(const Vector *v)
{
	const Field *plain = need_field(v, "plain");
	size_t		len = plain->len;
	StewardNumericHeader header;
	StewardDatum parsed;
	unsigned char *bytes = open_datum(v, &parsed);
	bool		good;

	if (bytes == NULL)
		return false;
	good = is_field(v, "plain", bytes, parsed.plain_len) &&
		is_field(v, "type", &parsed.type, 1);
	if (parsed.type == STEWARD_TYPE_JSONB)
		len = steward_json_canonicalise(bytes, len);
	else if (parsed.type == STEWARD_TYPE_NUMERIC)
	{
		good = good && steward_numeric_parse(&header, bytes, len);
		steward_numeric_canonicalise(bytes, len);
		good = good && steward_numeric_parse(&header, bytes, len) &&
			steward_numeric_compare(bytes, len, plain->bytes, plain->len) == 0;
	}
	good = good && is_field(v, "canonical", bytes, len);
	free(bytes);
	return good;
}

/* Authentic, and no value of its type: for the crypto floor it is as good as any. */
static bool
check_malformed_plain(const Vector *v)
{
	StewardDatum parsed;
	unsigned char *bytes = open_datum(v, &parsed);
	bool		good = bytes != NULL &&
		is_field(v, "plain", bytes, parsed.plain_len);

	free(bytes);
	return good;
}

static bool
check_refused_numeric(const Vector *v)
{
	const Field *plain = need_field(v, "plain");
	StewardNumericHeader header;

	return !steward_numeric_parse(&header, plain->bytes, plain->len);
}

/* The keys of a database: a test with a server reads the values in it. */
static bool
check_database(const Vector *v)
{
	const Field *wrapped = need_field(v, "hash_wrapped");
	const Field *text = need_field(v, "line_text");
	unsigned char secret[STEWARD_KEY_BYTES];
	StewardWrapContext context = {.kind = STEWARD_WRAP_HASH_SECRET};
	StewardKeyring keyring;
	size_t		bad_line;

	memcpy(context.realm, bytes_of(v, "realm"), STEWARD_REALM_BYTES);
	return steward_keyring_parse(&keyring, &bad_line, (const char *) text->bytes,
								 text->len) == STEWARD_KEYRING_OK &&
		steward_wrap_open(secret, wrapped->bytes, wrapped->len,
						  keyring.roots[0].key, &context) &&
		is_field(v, "hash_secret", secret, sizeof secret);
}

static bool
check_armour(const Vector *v)
{
	const Field *bytes = need_field(v, "bytes");
	const Field *text = need_field(v, "armour_text");
	char	   *encoded = malloc(steward_armour_size(bytes->len));
	unsigned char *decoded = malloc(steward_armour_decoded_max(text->len));
	size_t		len;
	bool		good;

	steward_armour_encode(encoded, bytes->bytes, bytes->len);
	good = is_field(v, "armour_text", encoded, strlen(encoded)) &&
		steward_armour_decode(decoded, &len, (const char *) text->bytes,
							  text->len) &&
		is_field(v, "bytes", decoded, len);
	free(encoded);
	free(decoded);
	return good;
}

static bool
check_keyring_line(const Vector *v)
{
	const Field *text = need_field(v, "line_text");
	char		line[STEWARD_KEYRING_LINE_BYTES];
	StewardKeyring keyring;
	size_t		bad_line;

	steward_keyring_format(line, bytes_of(v, "root"));
	return is_field(v, "line_text", line, strlen(line)) &&
		steward_keyring_parse(&keyring, &bad_line, (const char *) text->bytes,
							  text->len) == STEWARD_KEYRING_OK &&
		is_field(v, "root", keyring.roots[0].key, STEWARD_KEY_BYTES);
}

static bool
check_journal_record(const Vector *v)
{
	unsigned char slot[STEWARD_JOURNAL_RECORD_BYTES];
	StewardJournalRecord record;
	StewardJournalKey key;
	StewardJournalKeys keys = {&key, 1};
	StewardJournalEnd end;
	uint64_t	number = steward_load_be64(bytes_of(v, "number"));
	uint32_t	part = steward_load_be32(bytes_of(v, "part"));
	int64_t		time = (int64_t) steward_load_be64(bytes_of(v, "time"));

	steward_kdf_root_id(key.root_id, bytes_of(v, "root"));
	steward_kdf_journal(key.key, bytes_of(v, "root"));
	end.count = number - 1;
	memcpy(end.last, bytes_of(v, "previous"), sizeof end.last);
	steward_journal_write(slot, &end, &key,
						  (StewardJournalKind) bytes_of(v, "kind")[0], part, time,
						  bytes_of(v, "realm"), bytes_of(v, "subject"));
	return is_field(v, "record", slot, sizeof slot) && end.count == number &&
		memcmp(end.last, slot + sizeof slot - sizeof end.last, sizeof end.last) == 0 &&
		steward_journal_check(&record, slot, &keys) == STEWARD_JOURNAL_OK &&
		record.number == number && record.part == part && record.time == time &&
		record.kind == (StewardJournalKind) bytes_of(v, "kind")[0] &&
		is_field(v, "subject", record.subject, STEWARD_UUID_BYTES) &&
		is_field(v, "realm", record.realm, STEWARD_REALM_BYTES);
}

static const char *
journal_state(const StewardJournalReader *reader)
{
	if (reader->status == STEWARD_JOURNAL_BAD)
		return "altered";
	if (reader->status == STEWARD_JOURNAL_OTHER_ROOT)
		return "other root";
	return reader->torn ? "torn" : "whole";
}

static bool
check_journal(const Vector *v)
{
	const Field *roots = need_field(v, "roots");
	const Field *journal = need_field(v, "journal");
	const Field *records = need_field(v, "records");
	StewardJournalKey list[2];
	StewardJournalKeys keys = {list, roots->len / STEWARD_KEY_BYTES};
	StewardJournalReader reader = {0};
	const char *state;
	size_t		at = 0;
	bool		good = true;

	for (size_t i = 0; i < keys.count; i++)
	{
		steward_kdf_root_id(list[i].root_id, roots->bytes + i * STEWARD_KEY_BYTES);
		steward_kdf_journal(list[i].key, roots->bytes + i * STEWARD_KEY_BYTES);
	}
	for (; at + STEWARD_JOURNAL_RECORD_BYTES <= journal->len;
		 at += STEWARD_JOURNAL_RECORD_BYTES)
	{
		StewardJournalRecord record;

		if (steward_journal_feed(&reader, &record, journal->bytes + at, &keys))
			good &= at + STEWARD_JOURNAL_RECORD_BYTES <= records->len &&
				memcmp(records->bytes + at, journal->bytes + at,
					   STEWARD_JOURNAL_RECORD_BYTES) == 0;
	}
	reader.torn |= at < journal->len;
	state = journal_state(&reader);
	return good && is_field(v, "state_text", state, strlen(state)) &&
		reader.end.count * STEWARD_JOURNAL_RECORD_BYTES == records->len;
}

static bool
check_refused_armour(const Vector *v)
{
	const Field *text = need_field(v, "armour_text");
	unsigned char *decoded = malloc(steward_armour_decoded_max(text->len));
	size_t		len;
	bool		refused = !steward_armour_decode(decoded, &len,
												 (const char *) text->bytes,
												 text->len);

	free(decoded);
	return refused;
}

static bool
check_refused_value(const Vector *v)
{
	StewardDatum parsed;
	unsigned char *plain = open_datum(v, &parsed);

	free(plain);
	return plain == NULL;
}

static bool
check_refused_keyring(const Vector *v)
{
	const Field *text = need_field(v, "ring_text");
	StewardKeyring keyring;
	size_t		bad_line;

	return steward_keyring_parse(&keyring, &bad_line,
								 (const char *) text->bytes,
								 text->len) != STEWARD_KEYRING_OK;
}

static bool
check_vector(const Vector *vector)
{
	static const struct
	{
		const char *construct;
		bool		(*check) (const Vector *v);
	}			constructs[] = {
		{"key_id", check_key_id},
		{"root_id", check_root_id},
		{"key_tag", check_key_tag},
		{"transient", check_transient},
		{"subject_key", check_subject_key},
		{"hedge", check_hedge},
		{"tag_keys", check_tag_keys},
		{"index_key", check_index_key},
		{"subject_digest", check_subject_digest},
		{"hash_tag", check_hash_tag},
		{"unique_tag", check_unique_tag},
		{"wrap", check_wrap},
		{"value", check_value},
		{"plain", check_plain},
		{"malformed_plain", check_malformed_plain},
		{"refused_numeric", check_refused_numeric},
		{"database", check_database},
		{"armour", check_armour},
		{"keyring_line", check_keyring_line},
		{"journal_record", check_journal_record},
		{"journal", check_journal},
		{"refused_armour", check_refused_armour},
		{"refused_value", check_refused_value},
		{"refused_keyring", check_refused_keyring},
	};

	for (size_t i = 0; i < sizeof constructs / sizeof constructs[0]; i++)
	{
		if (strcmp(vector->construct, constructs[i].construct) == 0)
			return constructs[i].check(vector);
	}
	return false;
}

static int
check_all(void)
{
	char	   *line = NULL;
	size_t		room = 0;
	Vector		vector;

	while (getline(&line, &room, stdin) > 0)
	{
		read_vector(&vector, line);
		tap_ok(check_vector(&vector), "%s", vector.construct);
		free_vector(&vector);
	}
	free(line);
	if (tap_run == 0)
		tap_bail("no vectors");
	return tap_end();
}

static void
print_field(const char *name, const unsigned char *bytes, size_t len)
{
	printf(" %s=", name);
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
}

static void
seal_value(size_t plain_len)
{
	unsigned char *plain = malloc(plain_len + 1);
	unsigned char *datum = malloc(steward_datum_size(plain_len, true));
	unsigned char key_bytes[STEWARD_KEY_BYTES];
	unsigned char subject[STEWARD_UUID_BYTES];
	bool		bound = plain_len % 2 == 1;
	StewardDatumLabel label = {0};
	StewardValueKey key;

	steward_random_key(plain, plain_len);
	steward_random_key(key_bytes, sizeof key_bytes);
	steward_random_key(subject, sizeof subject);
	label.type = (uint8_t) (1 + plain_len % 7);
	label.key_id = steward_load_be32(subject) >> 1;
	label.key_tag = steward_kdf_key_tag(key_bytes);
	label.subject = bound ? subject : NULL;
	steward_value_key(&key, key_bytes);
	steward_value_seal(datum, &key, &label, plain, plain_len);
	printf("value");
	print_field("key", key_bytes, sizeof key_bytes);
	if (bound)
		print_field("subject", subject, sizeof subject);
	print_field("plain", plain, plain_len);
	print_field("datum", datum, steward_datum_size(plain_len, bound));
	putchar('\n');
	free(plain);
	free(datum);
}

static void
seal_wrap(unsigned char kind)
{
	unsigned char root[STEWARD_KEY_BYTES];
	unsigned char secret[STEWARD_KEY_BYTES];
	unsigned char wrapped[STEWARD_WRAP_BYTES];
	StewardWrapContext context;

	steward_random_key(root, sizeof root);
	steward_random_key(secret, sizeof secret);
	steward_random_key((unsigned char *) &context, sizeof context);
	context.kind = kind;
	if (kind == STEWARD_WRAP_TOMBSTONE)
	{
		memset(secret, 0, sizeof secret);
		steward_wrap_seal_tombstone(wrapped, root, &context);
	}
	else
		steward_wrap_seal(wrapped, root, &context, secret);
	printf("wrap");
	print_field("root", root, sizeof root);
	print_field("realm", context.realm, sizeof context.realm);
	print_field("kind", &context.kind, 1);
	print_field("ids", context.ids, sizeof context.ids);
	print_field("secret", secret, sizeof secret);
	print_field("wrapped", wrapped, sizeof wrapped);
	putchar('\n');
}

int
main(int argc, char **argv)
{
	tap_begin();
	if (argc == 2 && strcmp(argv[1], "check") == 0)
		return check_all();
	if (argc == 3 && strcmp(argv[1], "seal") == 0)
	{
		size_t		count = strtoul(argv[2], NULL, 10);

		for (size_t i = 0; i < count; i++)
		{
			seal_value(i);
			seal_wrap((unsigned char) (1 + i % 5));
		}
		return 0;
	}
	fputs("usage: peer check | peer seal N\n", stderr);
	return 2;
}

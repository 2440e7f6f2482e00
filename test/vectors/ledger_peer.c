/*
 * ledger_peer.c: the ledger's formats of the crypto floor, for comparing with
 * the second implementation (transparency/exchange.py).
 *
 * A line of standard input is a question: words with a space between them, bytes
 * in hexadecimal, "-" for none. Each gets one line. Trees are of the leaves
 * SHA-256("leaf" || be64(i)), cut off after i % 33 bytes.
 */
#include "crypto/bytes.h"
#include "crypto/checkpoint.h"
#include "crypto/leaf.h"
#include "crypto/proof_text.h"

#include "../unit/tap.h"

#define LEAVES 4096
#define LEVELS 13
#define MAX_WORDS 200

static StewardHash tree[LEVELS][LEAVES];

typedef struct Bytes
{
	unsigned char *bytes;
	size_t		len;
} Bytes;

static char *words[MAX_WORDS];
static int	count;

static void
plant(void)
{
	for (uint64_t i = 0; i < LEAVES; i++)
	{
		unsigned char seed[12] = "leaf";
		unsigned char leaf[STEWARD_HASH_BYTES];

		steward_store_be64(seed + 4, i);
		(void) crypto_hash_sha256(leaf, seed, sizeof seed);
		steward_merkle_leaf(&tree[0][i], leaf, (size_t) (i % 33));
	}
	for (int level = 1; level < LEVELS; level++)
	{
		for (size_t i = 0; i < (size_t) LEAVES >> level; i++)
			steward_merkle_node(&tree[level][i], &tree[level - 1][2 * i],
								&tree[level - 1][2 * i + 1]);
	}
}

static bool
get_subtree(void *context, unsigned int level, uint64_t index, StewardHash *hash)
{
	(void) context;
	if (level >= LEVELS || index >= (uint64_t) LEAVES >> level)
		tap_bail("no such subtree");
	*hash = tree[level][index];
	return true;
}

static const char *
word(int i)
{
	if (i >= count)
		tap_bail("a question of another form");
	return words[i];
}

static uint64_t
number(int i)
{
	return strtoull(word(i), NULL, 10);
}

/* The bytes of a word, which ends at a page that cannot be read. */
static Bytes
bytes_of(const char *hex)
{
	size_t		len = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
	unsigned char *plain = malloc(len + 1);
	Bytes		result = {NULL, len};

	if (len > 0)
		fill_hex(plain, len, hex);
	result.bytes = malloc(len == 0 ? 1 : len);	/* the sanitizer guards it */
	memcpy(result.bytes, plain, len);
	free(plain);
	return result;
}

static StewardHash
hash_of(int i)
{
	Bytes		bytes = bytes_of(word(i));
	StewardHash hash;

	if (bytes.len != sizeof hash)
		tap_bail("no hash");
	memcpy(&hash, bytes.bytes, sizeof hash);
	free(bytes.bytes);
	return hash;
}

static void
say_bytes(const void *bytes, size_t len)
{
	if (len == 0)
		putchar('-');
	for (size_t i = 0; i < len; i++)
		printf("%02x", ((const unsigned char *) bytes)[i]);
}

static void
say(bool yes)
{
	fputs(yes ? "yes" : "no", stdout);
}

static void
grow(StewardFrontier *frontier, uint64_t size)
{
	steward_frontier_init(frontier);
	for (uint64_t i = 0; i < size; i++)
		(void) steward_frontier_append(frontier, &tree[0][i], NULL, NULL);
}

/* root SIZE: root and frontier */
static void
answer_root(void)
{
	unsigned char packed[STEWARD_FRONTIER_MAX_BYTES];
	StewardFrontier frontier;
	StewardHash root;

	grow(&frontier, number(1));
	steward_frontier_root(&root, &frontier);
	say_bytes(root.bytes, sizeof root);
	putchar(' ');
	say_bytes(packed, steward_frontier_pack(packed, &frontier));
}

/* path INDEX SIZE | proof OLD NEW: the hashes */
static void
answer_proof(void)
{
	StewardProof proof;
	bool		made = (strcmp(words[0], "path") == 0 ? steward_proof_inclusion :
						steward_proof_consistency) (&proof, number(1), number(2),
													get_subtree, NULL);

	if (made)
		say_bytes(proof.hashes, proof.count * sizeof proof.hashes[0]);
	else
		say(false);
}

/* shows-path INDEX SIZE LEAF ROOT HASHES | shows-proof OLD NEW ROOT ROOT HASHES */
static void
answer_shows(void)
{
	StewardHash one = hash_of(3);
	StewardHash other = hash_of(4);
	Bytes		hashes = bytes_of(word(5));
	StewardProof proof;

	proof.count = (unsigned int) (hashes.len / sizeof one);
	if (proof.count > STEWARD_PROOF_MAX_HASHES || hashes.len % sizeof one != 0)
		tap_bail("no proof");
	memcpy(proof.hashes, hashes.bytes, hashes.len);
	free(hashes.bytes);
	say((strcmp(words[0], "shows-path") == 0 ? steward_proof_shows_inclusion :
		 steward_proof_shows_consistency) (&proof, number(1), number(2), &one, &other));
}

static Bytes
signer(StewardNoteKey *key)
{
	Bytes		name = bytes_of(word(1));
	Bytes		seed = bytes_of(word(2));
	unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES];

	steward_sign_public(public_key, seed.bytes);
	if (!steward_note_key_make(key, (char *) name.bytes, name.len, public_key))
		tap_bail("no name");
	free(name.bytes);
	return seed;
}

/* key NAME SEED: the verifier key */
static void
answer_key(void)
{
	char		text[STEWARD_NOTE_KEY_TEXT_BYTES];
	StewardNoteKey key;
	Bytes		seed = signer(&key);

	free(seed.bytes);
	say_bytes(text, steward_note_key_format(text, &key));
}

/* checkpoint NAME SEED SIZE ROOT: the note */
static void
answer_checkpoint(void)
{
	char		note[STEWARD_CHECKPOINT_NOTE_BYTES];
	StewardNoteKey key;
	Bytes		seed = signer(&key);
	StewardHash root = hash_of(4);

	say_bytes(note, steward_checkpoint_sign(note, &key, seed.bytes, number(3), &root));
	free(seed.bytes);
}

/* prune NAME SEED BOUNDARY SIZE SEGMENT PLACE...: the note */
static void
answer_prune(void)
{
	char		note[STEWARD_PRUNE_NOTE_BYTES];
	StewardNoteKey key;
	Bytes		seed = signer(&key);
	StewardPrune prune = {.origin = key.name, .origin_len = strlen(key.name)};
	StewardFrontier whole;
	StewardPlaces places;

	steward_places_begin(&places);
	for (int i = 6; i < count; i++)
		steward_places_add(&places, number(i));
	prune.removed = places.count;
	steward_places_end(&places, &prune.places);
	grow(&prune.boundary, number(3));
	grow(&whole, number(4));
	prune.size = whole.size;
	steward_frontier_root(&prune.root, &whole);
	prune.segment = (uint32_t) number(5);
	say_bytes(note, steward_prune_sign(note, &key, seed.bytes, &prune));
	free(seed.bytes);
}

static bool
opens_inclusion(const StewardNoteKey *key, Bytes file)
{
	StewardProofText text;
	StewardCheckpoint checkpoint;
	StewardHash hash;
	unsigned char *leaf;
	size_t		len;
	bool		shown;

	if (!steward_proof_text_parse(&text, STEWARD_PROOF_INCLUSION, (char *) file.bytes, file.len) ||
		steward_checkpoint_open(&checkpoint, text.checkpoint, text.checkpoint_len, key) != STEWARD_NOTE_OK)
		return false;
	leaf = malloc(steward_proof_extra_max(&text) + 1);
	shown = steward_proof_extra(leaf, &len, &text);
	if (shown)
	{
		steward_merkle_leaf(&hash, leaf, len);
		shown = steward_proof_shows_inclusion(&text.proof, text.number, checkpoint.size,
											  &hash, &checkpoint.root);
	}
	free(leaf);
	return shown;
}

static bool
opens_consistency(const StewardNoteKey *key, Bytes file, uint64_t old_size)
{
	StewardProofText text;
	StewardCheckpoint checkpoint;
	StewardFrontier old;
	StewardHash old_root;

	grow(&old, old_size);
	steward_frontier_root(&old_root, &old);
	return steward_proof_text_parse(&text, STEWARD_PROOF_CONSISTENCY, (char *) file.bytes, file.len) &&
		steward_checkpoint_open(&checkpoint, text.checkpoint, text.checkpoint_len, key) == STEWARD_NOTE_OK &&
		text.number == old_size &&
		steward_proof_shows_consistency(&text.proof, old_size, checkpoint.size,
										&old_root, &checkpoint.root);
}

/* open KIND VKEY FILE [OLD]: yes or no */
static void
answer_open(void)
{
	const char *kind = word(1);
	Bytes		text = bytes_of(word(2));
	Bytes		file = bytes_of(word(3));
	const char *note = (char *) file.bytes;
	StewardNoteKey key;
	StewardCheckpoint checkpoint;
	StewardPrune prune;
	bool		known = steward_note_key_parse(&key, (char *) text.bytes, text.len);

	if (!known)
		say(false);
	else if (strcmp(kind, "checkpoint") == 0)
		say(steward_checkpoint_open(&checkpoint, note, file.len, &key) == STEWARD_NOTE_OK);
	else if (strcmp(kind, "prune") == 0)
		say(steward_prune_open(&prune, note, file.len, &key) == STEWARD_NOTE_OK);
	else if (strcmp(kind, "inclusion") == 0)
		say(opens_inclusion(&key, file));
	else
		say(opens_consistency(&key, file, number(4)));
	free(text.bytes);
	free(file.bytes);
}

/* record INCARNATION XID SEQ STARTED CHANGED WRITTEN OP CONTEXT SCHEMA PAYLOAD: leaf hash */
static void
answer_record(void)
{
	Bytes		payload = bytes_of(word(10));
	StewardLeafRecord record = {
		.incarnation = (uint32_t) number(1), .xid = number(2),
		.seq = (uint32_t) number(3), .started_at = strtoll(word(4), NULL, 10),
		.changed_at = strtoll(word(5), NULL, 10),
		.written_at = strtoll(word(6), NULL, 10),
		.op = (unsigned char) number(7), .context = hash_of(8), .schema = hash_of(9),
		.payload = payload.bytes, .payload_len = (uint32_t) payload.len
	};
	StewardHash hash;

	steward_leaf_record_hash(&hash, &record);
	say_bytes(&hash, sizeof hash);
	free(payload.bytes);
}

/* opening INCARNATION IDENTITY PARENT: leaf hash */
static void
answer_opening(void)
{
	Bytes		parent = bytes_of(word(3));
	StewardLeafOpening opening = {
		.incarnation = (uint32_t) number(1), .identity = hash_of(2),
		.parent = (char *) parent.bytes, .parent_len = (uint32_t) parent.len
	};
	StewardHash hash;

	steward_leaf_opening_hash(&hash, &opening);
	say_bytes(&hash, sizeof hash);
	free(parent.bytes);
}

/* row TABLE FIELD…: the digest; "null" is NULL */
static void
answer_row(void)
{
	StewardSha256 row;
	StewardHash digest;

	steward_row_begin(&row, word(1));
	for (int i = 2; i < count; i++)
	{
		Bytes		field;

		if (strcmp(words[i], "null") == 0)
		{
			steward_row_null(&row);
			continue;
		}
		field = bytes_of(words[i]);
		steward_row_bytes(&row, field.bytes, (uint32_t) field.len);
		free(field.bytes);
	}
	steward_row_end(&row, &digest);
	say_bytes(&digest, sizeof digest);
}

static const struct
{
	const char *name;
	void		(*answer) (void);
}			questions[] = {
	{"root", answer_root},
	{"path", answer_proof},
	{"proof", answer_proof},
	{"shows-path", answer_shows},
	{"shows-proof", answer_shows},
	{"key", answer_key},
	{"checkpoint", answer_checkpoint},
	{"prune", answer_prune},
	{"open", answer_open},
	{"record", answer_record},
	{"opening", answer_opening},
	{"row", answer_row},
};

static void
answer(char *line)
{
	line[strcspn(line, "\n")] = '\0';
	count = 0;
	while (line != NULL && count < MAX_WORDS)
		words[count++] = strsep(&line, " ");
	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
	{
		if (strcmp(words[0], questions[i].name) != 0)
			continue;
		questions[i].answer();
		putchar('\n');
		return;
	}
	tap_bail("an unknown question");
}

int
main(void)
{
	char	   *line = NULL;
	size_t		room = 0;

	tap_begin();
	plant();
	while (getline(&line, &room, stdin) > 0)
		answer(line);
	free(line);
	return 0;
}

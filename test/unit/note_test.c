/*
 * note_test.c: Ed25519, signed notes, checkpoints and prune certificates, against
 * the examples that RFC 8032 and C2SP publish and against what must be refused.
 */
#include "crypto/checkpoint.h"
#include "crypto/scan.h"

#include "tap.h"

#define NAME "log.example/steward/1"

static const char c2sp_key[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char c2sp_note[] = "This is an example message.\n\n"
"\xe2\x80\x94 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

/* The head of the example in tlog-checkpoint; its key is not published. */
static const char c2sp_checkpoint[] = "example.com/behind-the-sofa\n20852163\n"
"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

static unsigned char seed[STEWARD_SIGN_SEED_BYTES];
static StewardNoteKey key;

static void
prepare(void)
{
	unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES];

	fill_sequence(seed, sizeof seed, 3);
	steward_sign_public(public_key, seed);
	if (!steward_note_key_make(&key, NAME, strlen(NAME), public_key))
		tap_bail("no key");
}

/* RFC 8032, section 7.1, tests 1 to 3. */
static void
test_ed25519(void)
{
	static const struct
	{
		const char *seed;
		const char *public_key;
		const char *message;
		const char *signature;
	}			cases[] = {
		{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
		"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
		"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
			"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
		"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
	{
		unsigned char its_seed[32],
					public_key[32],
					message[2],
					expected[64],
					signature[64];
		size_t		len = strlen(cases[i].message) / 2;

		fill_hex(its_seed, 32, cases[i].seed);
		fill_hex(message, len, cases[i].message);
		fill_hex(expected, 32, cases[i].public_key);
		steward_sign_public(public_key, its_seed);
		tap_bytes(public_key, expected, 32, "a published public key");
		fill_hex(expected, 64, cases[i].signature);
		steward_sign(signature, its_seed, message, len);
		tap_bytes(signature, expected, 64, "a published signature");
		tap_ok(steward_sign_verify(signature, public_key, message, len), "it verifies");
		signature[63] ^= 1;
		tap_ok(!steward_sign_verify(signature, public_key, message, len), "altered, not");
	}
}

static void
test_small_order(void)
{
	unsigned char public_key[32] = {1};	/* the neutral element */
	unsigned char signature[64] = {1};

	tap_ok(!steward_sign_verify(signature, public_key, "x", 1),
		   "a public key of small order verifies nothing");
}

static void
test_published(void)
{
	StewardNoteKey parsed;
	StewardCheckpoint checkpoint;
	char		text[STEWARD_NOTE_KEY_TEXT_BYTES];
	char		again[STEWARD_CHECKPOINT_TEXT_BYTES];
	size_t		text_len;

	tap_ok(steward_note_key_parse(&parsed, c2sp_key, strlen(c2sp_key)) &&
		   strcmp(parsed.name, "example.com/foo") == 0, "C2SP's verifier key");
	tap_ok(steward_note_key_format(text, &parsed) == strlen(c2sp_key) &&
		   strcmp(text, c2sp_key) == 0, "is written as it was read");
	tap_ok(steward_note_open(&text_len, c2sp_note, strlen(c2sp_note), &parsed) ==
		   STEWARD_NOTE_OK && text_len == 28, "C2SP's note");
	tap_ok(steward_checkpoint_open(&checkpoint, c2sp_note, strlen(c2sp_note), &parsed) ==
		   STEWARD_NOTE_BAD_TEXT, "is no checkpoint");
	tap_ok(steward_checkpoint_parse(&checkpoint, c2sp_checkpoint, strlen(c2sp_checkpoint)) &&
		   checkpoint.size == 20852163 && checkpoint.origin_len == 27 &&
		   checkpoint.extensions_len == 0, "C2SP's checkpoint");
	tap_ok(steward_checkpoint_format(again, &checkpoint) == strlen(c2sp_checkpoint) &&
		   strcmp(again, c2sp_checkpoint) == 0, "is written as it was read");
}

/* Every bit of a text flipped: none of them opens as before. */
static void
test_flips(const char *what, const char *note, bool is_prune)
{
	size_t		len = strlen(note);
	int			accepted = 0;

	for (size_t bit = 0; bit < 8 * len; bit++)
	{
		Guarded		copy = guard_copy(note, len);
		StewardCheckpoint checkpoint;
		StewardPrune prune;
		const char *text = (const char *) copy.bytes;

		copy.bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
		accepted += is_prune ?
			steward_prune_open(&prune, text, len, &key) == STEWARD_NOTE_OK :
			steward_checkpoint_open(&checkpoint, text, len, &key) == STEWARD_NOTE_OK;
		guard_free(&copy);
	}
	tap_ok(accepted == 0, "%s: none of %zu flipped bits is accepted", what, 8 * len);
}

static void
test_checkpoint(void)
{
	char		note[STEWARD_CHECKPOINT_NOTE_BYTES];
	StewardCheckpoint checkpoint;
	StewardHash root;
	size_t		len;

	fill_sequence(root.bytes, sizeof root.bytes, 100);
	len = steward_checkpoint_sign(note, &key, seed, 1234567, &root);
	tap_ok(len == strlen(note) && len > 0, "a checkpoint is signed");
	tap_ok(steward_checkpoint_open(&checkpoint, note, len, &key) == STEWARD_NOTE_OK &&
		   checkpoint.size == 1234567 && steward_hash_equals(&checkpoint.root, &root) &&
		   checkpoint.origin_len == strlen(NAME) &&
		   memcmp(checkpoint.origin, NAME, strlen(NAME)) == 0, "and opens");
	test_flips("a checkpoint", note, false);
	for (size_t cut = 0; cut < len; cut++)
	{
		if (steward_checkpoint_open(&checkpoint, note, cut, &key) == STEWARD_NOTE_OK)
			tap_ok(false, "cut off after %zu bytes", cut);
	}
	tap_ok(steward_checkpoint_sign(note, &key, seed, STEWARD_TREE_MAX_SIZE, &root) > 0 &&
		   steward_checkpoint_open(&checkpoint, note, strlen(note), &key) == STEWARD_NOTE_OK &&
		   checkpoint.size == STEWARD_TREE_MAX_SIZE, "the largest tree");
	tap_ok(steward_checkpoint_sign(note, &key, seed, STEWARD_TREE_MAX_SIZE + 1, &root) == 0,
		   "none is larger");
	tap_ok(steward_checkpoint_sign(note, &key, seed, 0, &root) > 0 &&
		   steward_checkpoint_open(&checkpoint, note, strlen(note), &key) == STEWARD_NOTE_BAD_TEXT,
		   "an empty tree has the empty root");
}

/* A signed text that is no checkpoint of ours, or is. */
static void
test_texts(void)
{
#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	static const struct
	{
		const char *text;
		StewardNoteStatus status;
	}			cases[] = {
		{NAME "\n7\n" ROOT, STEWARD_NOTE_OK},
		{NAME "\n7\n" ROOT "an extension\nand another\n", STEWARD_NOTE_OK},
		{NAME "\n7\n" ROOT "\n", STEWARD_NOTE_BAD_TEXT},
		{NAME "\n7\n" ROOT "one\n\nother\n", STEWARD_NOTE_BAD_TEXT},
		{NAME "/2\n7\n" ROOT, STEWARD_NOTE_OTHER_ORIGIN},
		{"\n7\n" ROOT, STEWARD_NOTE_BAD_TEXT},
		{NAME "\n07\n" ROOT, STEWARD_NOTE_BAD_TEXT},
		{NAME "\n+7\n" ROOT, STEWARD_NOTE_BAD_TEXT},
		{NAME "\n-7\n" ROOT, STEWARD_NOTE_BAD_TEXT},
		{NAME "\n 7\n" ROOT, STEWARD_NOTE_BAD_TEXT},
		{NAME "\n\n" ROOT, STEWARD_NOTE_BAD_TEXT},
		{NAME "\n9223372036854775807\n" ROOT, STEWARD_NOTE_OK},
		{NAME "\n9223372036854775808\n" ROOT, STEWARD_NOTE_BAD_TEXT},
		{NAME "\n99999999999999999999\n" ROOT, STEWARD_NOTE_BAD_TEXT},
		{NAME "\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", STEWARD_NOTE_BAD_TEXT},
		{NAME "\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n", STEWARD_NOTE_BAD_TEXT},
		{NAME "\n7\nAAAA" ROOT, STEWARD_NOTE_BAD_TEXT},
		{NAME "\n7\n", STEWARD_NOTE_BAD_TEXT},
		{NAME "\n7", STEWARD_NOTE_MALFORMED},
		{NAME "\r\n7\n" ROOT, STEWARD_NOTE_MALFORMED},
		{NAME "\n7\n" ROOT "a\tb\n", STEWARD_NOTE_MALFORMED},
		{NAME "\n7\n" ROOT "\xc0\x80\n", STEWARD_NOTE_MALFORMED},
		{NAME "\n7\n" ROOT "\xed\xa0\x80\n", STEWARD_NOTE_MALFORMED},
		{NAME "\n7\n" ROOT "\xf4\x90\x80\x80\n", STEWARD_NOTE_MALFORMED},
		{NAME "\n7\n" ROOT "\xf0\x9f\x94\x92\n", STEWARD_NOTE_OK},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
	{
		char		note[1000];
		size_t		len = strlen(cases[i].text);
		StewardCheckpoint checkpoint;
		StewardNoteStatus status;
		Guarded		copy;

		memcpy(note, cases[i].text, len);
		note[len] = '\n';
		(void) steward_note_sign(note + len + 1, &key, seed, note, len);
		copy = guard_copy(note, strlen(note));
		status = steward_checkpoint_open(&checkpoint, (const char *) copy.bytes,
										 strlen(note), &key);
		guard_free(&copy);
		tap_ok(status == cases[i].status, "text %zu: %s", i,
			   steward_note_status_text(status));
	}
#undef ROOT
}

/* The lines under a text that is fine. */
static void
test_lines(void)
{
#define DASH "\xe2\x80\x94 "
	static const struct
	{
		const char *format;		/* %s: the line of the key */
		StewardNoteStatus status;
		const char *name;
	}			cases[] = {
		{"%s", STEWARD_NOTE_OK, "its line"},
		{"%1$s%1$s", STEWARD_NOTE_OK, "its line twice"},
		{DASH "other.example AAAAAAA=\n%s", STEWARD_NOTE_OK, "an unknown line before it"},
		{"%s" DASH "other.example AAAAAAA=\n", STEWARD_NOTE_OK, "and behind it"},
		{DASH NAME " AAAAAAA=\n%s", STEWARD_NOTE_OK, "another key of the same name"},
		{"%.0s" DASH "other.example AAAAAAA=\n", STEWARD_NOTE_UNSIGNED, "an unknown line only"},
		{"%s" DASH "other.example AAAAAA==\n", STEWARD_NOTE_MALFORMED, "an id without a signature"},
		{"%s" DASH "other.example AAAAAAB=\n", STEWARD_NOTE_MALFORMED, "stray bits"},
		{"%s" DASH "other.example AAA-AAA=\n", STEWARD_NOTE_MALFORMED, "the other alphabet"},
		{"%s" DASH "other.example \n", STEWARD_NOTE_MALFORMED, "nothing behind the name"},
		{"%s" DASH "other+example AAAAAAA=\n", STEWARD_NOTE_MALFORMED, "a plus in a name"},
		{"%s" DASH "other\xc2\xa0""example AAAAAAA=\n", STEWARD_NOTE_MALFORMED, "a space in a name"},
		{"%s" DASH "other\xe3\x80\x80""example AAAAAAA=\n", STEWARD_NOTE_MALFORMED, "a wide space in a name"},
		{"%s" DASH " AAAAAAA=\n", STEWARD_NOTE_MALFORMED, "no name"},
		{"%s" "- other.example AAAAAAA=\n", STEWARD_NOTE_MALFORMED, "no em dash"},
		{"%s" DASH "other.example AAAAAAA=", STEWARD_NOTE_MALFORMED, "no newline"},
		{"%s" DASH "other.example AAAAAAA= \n", STEWARD_NOTE_MALFORMED, "a blank at the end"},
		{"%s\n", STEWARD_NOTE_MALFORMED, "an empty line at the end"},
		{"", STEWARD_NOTE_MALFORMED, "no line"},
	};
	static const char text[] = NAME "\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
	char		line[STEWARD_NOTE_LINE_BYTES];
	char		note[8000];
	size_t		text_len;
	size_t		len = sizeof text - 1;

	memcpy(note, text, len);
	note[len++] = '\n';
	(void) steward_note_sign(line, &key, seed, text, sizeof text - 1);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
	{
		StewardNoteStatus status;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
		(void) snprintf(note + len, sizeof note - len, cases[i].format, line);
#pragma GCC diagnostic pop
		status = steward_note_open(&text_len, note, strlen(note), &key);
		tap_ok(status == cases[i].status &&
			   text_len == (status == STEWARD_NOTE_OK ? sizeof text - 1 : 0),
			   "%s: %s", cases[i].name, steward_note_status_text(status));
	}
	for (int i = 0; i < 17; i++)
		memcpy(note + len + (size_t) i * strlen(line), line, strlen(line) + 1);
	tap_ok(steward_note_open(&text_len, note, strlen(note), &key) == STEWARD_NOTE_OK,
		   "17 signatures");
	note[len + 60] = note[len + 60] == 'A' ? 'B' : 'A';
	tap_ok(steward_note_open(&text_len, note, strlen(note), &key) == STEWARD_NOTE_FORGED,
		   "of which one is wrong");
#undef DASH
}

static void
test_many_lines(void)
{
	static const char unknown[] = "\xe2\x80\x94 o.example AAAAAAA=\n";
	char	   *note = calloc(1, STEWARD_NOTE_MAX_BYTES + 1);
	char	   *end = note;
	size_t		text_len;

	memcpy(end, "text\n\n", 6);
	end += 6;
	for (int i = 0; i < STEWARD_NOTE_MAX_SIGNATURES - 1; i++)
		end = steward_put_word(end, unknown);
	end += steward_note_sign(end, &key, seed, "text\n", 5);
	tap_ok(steward_note_open(&text_len, note, (size_t) (end - note), &key) == STEWARD_NOTE_OK,
		   "the most signatures");
	end = steward_put_word(end, unknown);
	tap_ok(steward_note_open(&text_len, note, (size_t) (end - note), &key) == STEWARD_NOTE_MALFORMED,
		   "one more");
	memset(note, 'x', STEWARD_NOTE_MAX_BYTES + 1);
	end = note + STEWARD_NOTE_MAX_BYTES + 1 - strlen(unknown);
	memcpy(end, unknown, strlen(unknown));
	memcpy(end - 2, "\n\n", 2);
	tap_ok(steward_note_open(&text_len, note, STEWARD_NOTE_MAX_BYTES + 1, &key) == STEWARD_NOTE_MALFORMED &&
		   steward_note_open(&text_len, note + 1, STEWARD_NOTE_MAX_BYTES, &key) == STEWARD_NOTE_UNSIGNED,
		   "the longest note, and one byte more");
	free(note);
}

static void
test_keys(void)
{
	static const struct
	{
		size_t		at;
		const char *with;
		const char *name;
	}			cases[] = {
		{0, "+", "an empty name"},
		{7, " ", "a space in the name"},
		{7, "+", "a plus in the name"},
		{16, "530D903A", "an id in upper case"},
		{16, "530d903b", "another id"},
		{16, "530d903", "a short id"},
		{25, "B", "another type"},
		{68, "l", "another public key"},
		{67, "==", "padding"},
	};
	StewardNoteKey parsed;
	char		long_name[STEWARD_NOTE_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
	{
		char		text[sizeof c2sp_key];

		memcpy(text, c2sp_key, sizeof text);
		memcpy(text + cases[i].at, cases[i].with, strlen(cases[i].with));
		if (i == 5)
			memmove(text + 23, text + 24, strlen(text + 24) + 1);
		tap_ok(!steward_note_key_parse(&parsed, text, strlen(text)) &&
			   sodium_is_zero((unsigned char *) &parsed, sizeof parsed),
			   "refused: %s", cases[i].name);
	}
	tap_ok(!steward_note_key_parse(&parsed, c2sp_key, strlen(c2sp_key) - 1) &&
		   !steward_note_key_parse(&parsed, "", 0), "refused: cut off");
	memset(long_name, 'n', sizeof long_name);
	tap_ok(steward_note_name_is_valid(long_name, STEWARD_NOTE_NAME_MAX) &&
		   !steward_note_name_is_valid(long_name, STEWARD_NOTE_NAME_MAX + 1),
		   "names have up to %d bytes", STEWARD_NOTE_NAME_MAX);
	tap_ok(!steward_note_name_is_valid("a\nb", 3) && !steward_note_name_is_valid("a\xe2\x80\xa8", 4) &&
		   !steward_note_name_is_valid("\xff", 1) && steward_note_name_is_valid("\xc3\xa4", 2),
		   "of characters that are no space");
}

static void
test_prune(void)
{
	StewardPrune prune = {.origin = NAME, .origin_len = strlen(NAME), .size = 1000, .segment = 7};
	StewardPrune parsed;
	StewardCheckpoint checkpoint;
	char		note[STEWARD_PRUNE_NOTE_BYTES];
	char		again[STEWARD_PRUNE_TEXT_BYTES];
	size_t		len;
	size_t		text_len;
	StewardPlaces places;

	steward_places_begin(&places);
	steward_places_add(&places, 301);
	steward_places_add(&places, 305);
	prune.removed = places.count;
	steward_places_end(&places, &prune.places);
	steward_frontier_init(&prune.boundary);
	randombytes_buf(&prune.root, sizeof prune.root);
	for (int i = 0; i < 300; i++)
		(void) steward_frontier_append(&prune.boundary, &prune.root, NULL, NULL);
	len = steward_prune_sign(note, &key, seed, &prune);
	tap_ok(len > 0 && steward_prune_open(&parsed, note, len, &key) == STEWARD_NOTE_OK &&
		   parsed.boundary.size == 300 && parsed.boundary.count == prune.boundary.count &&
		   memcmp(parsed.boundary.hashes, prune.boundary.hashes,
				  parsed.boundary.count * sizeof(StewardHash)) == 0 &&
		   parsed.size == 1000 && parsed.segment == 7 && parsed.removed == 2 &&
		   steward_hash_equals(&parsed.places, &prune.places) &&
		   steward_hash_equals(&parsed.root, &prune.root),
		   "a prune certificate opens");
	text_len = steward_prune_format(again, &parsed);
	tap_ok(text_len > 0 && memcmp(again, note, text_len) == 0, "and is written as it was");
	tap_ok(steward_checkpoint_open(&checkpoint, note, len, &key) == STEWARD_NOTE_BAD_TEXT,
		   "it is no checkpoint");
	test_flips("a prune certificate", note, true);
	prune.removed = 701;
	tap_ok(steward_prune_sign(note, &key, seed, &prune) == 0, "no more removed than there are");
	prune.removed = 0;
	tap_ok(steward_prune_sign(note, &key, seed, &prune) == 0, "nothing removed has one digest");
	steward_places_begin(&places);
	steward_places_end(&places, &prune.places);
	tap_ok(steward_prune_sign(note, &key, seed, &prune) > 0, "that of nothing");
	prune.size = 299;
	tap_ok(steward_prune_sign(note, &key, seed, &prune) == 0, "no boundary behind the end");
	prune.size = 300;
	tap_ok(steward_prune_sign(note, &key, seed, &prune) == 0, "at the end the roots agree");
	steward_frontier_root(&prune.root, &prune.boundary);
	tap_ok(steward_prune_sign(note, &key, seed, &prune) > 0, "then it may stand there");
	prune.segment = (uint32_t) INT32_MAX + 1;
	tap_ok(steward_prune_sign(note, &key, seed, &prune) == 0, "segments are integers");
	prune.segment = 1;
	prune.origin_len--;
	tap_ok(steward_prune_sign(note, &key, seed, &prune) == 0, "the origin is the key's");
	prune.origin_len++;
	(void) steward_frontier_unpack(&prune.boundary, STEWARD_TREE_MAX_SIZE,
								   (unsigned char *) prune.boundary.hashes,
								   STEWARD_FRONTIER_MAX_BYTES);
	prune.size = STEWARD_TREE_MAX_SIZE;
	steward_frontier_root(&prune.root, &prune.boundary);
	len = steward_prune_sign(note, &key, seed, &prune);
	tap_ok(len > 0 && len < sizeof note &&
		   steward_prune_open(&parsed, note, len, &key) == STEWARD_NOTE_OK,
		   "the longest certificate fits: %zu bytes", len);
}

int
main(void)
{
	tap_begin();
	prepare();
	test_ed25519();
	test_small_order();
	test_published();
	test_checkpoint();
	test_texts();
	test_lines();
	test_many_lines();
	test_keys();
	test_prune();
	return tap_end();
}

/*
 * note_fuzz.c: any bytes as verifier key, note, checkpoint and prune certificate;
 * also rightly signed, so that what is behind the signature is reached. What is
 * read is written again as it was.
 *
 * The first byte chooses: 0 a verifier key, 1 a whole note, others a text that is
 * signed here.
 */
#include "crypto/checkpoint.h"

#include "fuzz.h"

#define NAME "log.example/steward/1"

static unsigned char seed[STEWARD_SIGN_SEED_BYTES];
static StewardNoteKey key;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES];

	(void) argc;
	(void) argv;
	if (steward_crypto_init() != 0)
		return -1;
	for (size_t i = 0; i < sizeof seed; i++)
		seed[i] = (unsigned char) i;
	steward_sign_public(public_key, seed);
	MUST(steward_note_key_make(&key, NAME, strlen(NAME), public_key));
	return 0;
}

static void
try_key(const char *text, size_t len)
{
	StewardNoteKey parsed;
	char		again[STEWARD_NOTE_KEY_TEXT_BYTES];

	if (!steward_note_key_parse(&parsed, text, len))
	{
		MUST(sodium_is_zero((unsigned char *) &parsed, sizeof parsed));
		return;
	}
	MUST(steward_note_name_is_valid(parsed.name, strlen(parsed.name)));
	MUST(steward_note_key_format(again, &parsed) == len);
	MUST(memcmp(again, text, len) == 0);
}

static void
must_write_checkpoint(const StewardCheckpoint *checkpoint, const char *text,
					  size_t len)
{
	char		again[STEWARD_CHECKPOINT_TEXT_BYTES];
	size_t		again_len = steward_checkpoint_format(again, checkpoint);

	if (!steward_note_name_is_valid(checkpoint->origin, checkpoint->origin_len))
		MUST(again_len == 0);
	else
	{
		MUST(again_len + checkpoint->extensions_len == len);
		MUST(memcmp(again, text, again_len) == 0);
	}
	MUST(checkpoint->extensions + checkpoint->extensions_len == text + len);
}

static void
must_write_prune(const StewardPrune *prune, const char *text, size_t len)
{
	char		again[STEWARD_PRUNE_TEXT_BYTES];

	MUST(steward_prune_format(again, prune) == len);
	MUST(memcmp(again, text, len) == 0);
}

static void
try_note(const char *note, size_t len)
{
	StewardCheckpoint checkpoint;
	StewardPrune prune;
	size_t		text_len;
	StewardNoteStatus status = steward_note_open(&text_len, note, len, &key);
	bool		is_checkpoint = steward_checkpoint_open(&checkpoint, note, len, &key) == STEWARD_NOTE_OK;
	bool		is_prune = steward_prune_open(&prune, note, len, &key) == STEWARD_NOTE_OK;

	MUST(!(is_checkpoint && is_prune));
	MUST(is_checkpoint || sodium_is_zero((unsigned char *) &checkpoint, sizeof checkpoint));
	MUST(is_prune || sodium_is_zero((unsigned char *) &prune, sizeof prune));
	if (status != STEWARD_NOTE_OK)
	{
		MUST(text_len == 0 && !is_checkpoint && !is_prune);
		return;
	}
	MUST(text_len > 0 && text_len < len && steward_note_text_is_valid(note, text_len));
	if (is_checkpoint)
		must_write_checkpoint(&checkpoint, note, text_len);
	if (is_prune)
		must_write_prune(&prune, note, text_len);
}

static void
try_text(const char *text, size_t len)
{
	StewardCheckpoint checkpoint;
	StewardPrune prune;
	char	   *note = malloc(len + 1 + STEWARD_NOTE_LINE_BYTES);
	char	   *exact;
	size_t		note_len = len + 1;
	size_t		text_len;

	if (steward_checkpoint_parse(&checkpoint, text, len))
		must_write_checkpoint(&checkpoint, text, len);
	if (steward_prune_parse(&prune, text, len))
		must_write_prune(&prune, text, len);
	memcpy(note, text, len);
	note[len] = '\n';
	note_len += steward_note_sign(note + len + 1, &key, seed, text, len);
	exact = malloc(note_len);
	memcpy(exact, note, note_len);
	MUST((steward_note_open(&text_len, exact, note_len, &key) == STEWARD_NOTE_OK) ==
		 steward_note_text_is_valid(text, len));
	try_note(exact, note_len);
	free(exact);
	free(note);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *) bytes + 1;

	if (len == 0)
		return 0;
	if (bytes[0] == 0)
		try_key(text, len - 1);
	else if (bytes[0] == 1)
		try_note(text, len - 1);
	else
		try_text(text, len - 1);
	return 0;
}

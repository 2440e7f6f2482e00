/*
 * checkpoint.c: checkpoints and prune certificates; see checkpoint.h.
 */
#include "crypto/checkpoint.h"

#include <string.h>

#include "crypto/bytes.h"
#include "crypto/scan.h"

#define PRUNE_TITLE "pg_steward prune certificate 1"

static bool
is_empty_root(const StewardHash *root)
{
	StewardHash empty;

	steward_merkle_empty(&empty);
	return steward_hash_equals(root, &empty);
}

bool
steward_checkpoint_parse(StewardCheckpoint *checkpoint, const char *text,
						 size_t len)
{
	StewardScan rest = {text, len};
	StewardScan origin;
	StewardScan size;
	StewardScan root;

	memset(checkpoint, 0, sizeof *checkpoint);
	if (!steward_note_text_is_valid(text, len) ||
		!steward_scan_line(&rest, &origin) || origin.len == 0 ||
		!steward_scan_line(&rest, &size) ||
		!steward_scan_number(&size, &checkpoint->size) ||
		!steward_scan_line(&rest, &root) ||
		!steward_scan_hash(&root, &checkpoint->root) ||
		(checkpoint->size == 0 && !is_empty_root(&checkpoint->root)))
	{
		memset(checkpoint, 0, sizeof *checkpoint);
		return false;
	}
	checkpoint->origin = origin.start;
	checkpoint->origin_len = origin.len;
	checkpoint->extensions = rest.start;
	checkpoint->extensions_len = rest.len;
	while (rest.len > 0)
	{
		StewardScan line;

		if (!steward_scan_line(&rest, &line) || line.len == 0)
		{
			memset(checkpoint, 0, sizeof *checkpoint);
			return false;
		}
	}
	return true;
}

size_t
steward_checkpoint_format(char out[STEWARD_CHECKPOINT_TEXT_BYTES],
						  const StewardCheckpoint *checkpoint)
{
	char	   *end = out;

	*out = '\0';
	if (!steward_note_name_is_valid(checkpoint->origin, checkpoint->origin_len) ||
		checkpoint->size > STEWARD_TREE_MAX_SIZE)
		return 0;
	end = steward_put_text(end, checkpoint->origin, checkpoint->origin_len);
	*end++ = '\n';
	end = steward_put_number(end, checkpoint->size);
	*end++ = '\n';
	end = steward_put_base64(end, checkpoint->root.bytes, STEWARD_HASH_BYTES);
	*end++ = '\n';
	*end = '\0';
	return (size_t) (end - out);
}

/* Signs the text that ends at out + len; the length of the note. */
static size_t
finish_note(char *out, size_t len, const StewardNoteKey *key,
			const unsigned char *seed)
{
	char	   *end = out + len;

	if (len == 0)
		return 0;
	*end++ = '\n';
	end += steward_note_sign(end, key, seed, out, len);
	return (size_t) (end - out);
}

size_t
steward_checkpoint_sign(char out[STEWARD_CHECKPOINT_NOTE_BYTES],
						const StewardNoteKey *key,
						const unsigned char seed[STEWARD_SIGN_SEED_BYTES],
						uint64_t size, const StewardHash *root)
{
	StewardCheckpoint checkpoint = {
		.origin = key->name, .origin_len = strlen(key->name), .size = size, .root = *root
	};

	return finish_note(out, steward_checkpoint_format(out, &checkpoint), key, seed);
}

/* Is the origin of what was signed the name of the key? */
static bool
is_of(const StewardNoteKey *key, const char *origin, size_t len)
{
	return len == strlen(key->name) && memcmp(origin, key->name, len) == 0;
}

StewardNoteStatus
steward_checkpoint_open(StewardCheckpoint *checkpoint, const char *note,
						size_t len, const StewardNoteKey *key)
{
	size_t		text_len;
	StewardNoteStatus status = steward_note_open(&text_len, note, len, key);

	memset(checkpoint, 0, sizeof *checkpoint);
	if (status == STEWARD_NOTE_OK &&
		!steward_checkpoint_parse(checkpoint, note, text_len))
		status = STEWARD_NOTE_BAD_TEXT;
	if (status == STEWARD_NOTE_OK &&
		!is_of(key, checkpoint->origin, checkpoint->origin_len))
		status = STEWARD_NOTE_OTHER_ORIGIN;
	if (status != STEWARD_NOTE_OK)
		memset(checkpoint, 0, sizeof *checkpoint);
	return status;
}

/* A line of a keyword, a space and something, which is left in line. */
static bool
keyword_line(StewardScan *rest, const char *keyword, StewardScan *line)
{
	return steward_scan_line(rest, line) && steward_scan_skip(line, keyword);
}

static bool
number_line(StewardScan *rest, const char *keyword, uint64_t *number)
{
	StewardScan line;

	return keyword_line(rest, keyword, &line) && steward_scan_number(&line, number);
}

static bool
read_frontier(StewardScan *rest, StewardFrontier *frontier, uint64_t size)
{
	unsigned char bytes[STEWARD_FRONTIER_MAX_BYTES];
	size_t		len = 0;
	StewardScan line;

	for (uint64_t bits = size; bits != 0; bits &= bits - 1)
	{
		if (!keyword_line(rest, "frontier ", &line) ||
			!steward_scan_bytes(&line, bytes + len, STEWARD_HASH_BYTES))
			return false;
		len += STEWARD_HASH_BYTES;
	}
	return steward_frontier_unpack(frontier, size, bytes, len);
}

void
steward_places_begin(StewardPlaces *places)
{
	places->count = 0;
	steward_sha256_init(&places->sha);
}

void
steward_places_add(StewardPlaces *places, uint64_t index)
{
	unsigned char bytes[8];

	steward_store_be64(bytes, index);
	places->count++;
	steward_sha256_update(&places->sha, bytes, sizeof bytes);
}

void
steward_places_end(StewardPlaces *places, StewardHash *digest)
{
	steward_sha256_final(&places->sha, digest);
}

/* Can so many records be gone behind the boundary? */
static bool
can_be_removed(const StewardPrune *prune)
{
	StewardPlaces none;
	StewardHash digest;

	if (prune->removed > prune->size - prune->boundary.size)
		return false;
	steward_places_begin(&none);
	steward_places_end(&none, &digest);
	return prune->removed > 0 || steward_hash_equals(&prune->places, &digest);
}

/* Can the tree head be one of a log that has the boundary? */
static bool
is_possible(const StewardPrune *prune)
{
	StewardHash root;

	if (prune->boundary.size > prune->size || prune->size > STEWARD_TREE_MAX_SIZE ||
		prune->segment > INT32_MAX || !can_be_removed(prune))
		return false;
	steward_frontier_root(&root, &prune->boundary);
	return prune->boundary.size < prune->size ||
		steward_hash_equals(&root, &prune->root);
}

bool
steward_prune_parse(StewardPrune *prune, const char *text, size_t len)
{
	StewardScan rest = {text, len};
	StewardScan origin;
	StewardScan line;
	uint64_t	boundary;
	uint64_t	segment;

	memset(prune, 0, sizeof *prune);
	if (steward_scan_line(&rest, &line) &&
		line.len == strlen(PRUNE_TITLE) &&
		memcmp(line.start, PRUNE_TITLE, line.len) == 0 &&
		keyword_line(&rest, "origin ", &origin) &&
		steward_note_name_is_valid(origin.start, origin.len) &&
		number_line(&rest, "boundary ", &boundary) &&
		read_frontier(&rest, &prune->boundary, boundary) &&
		number_line(&rest, "size ", &prune->size) &&
		keyword_line(&rest, "root ", &line) &&
		steward_scan_hash(&line, &prune->root) &&
		number_line(&rest, "segment ", &segment) && segment <= INT32_MAX &&
		number_line(&rest, "removed ", &prune->removed) &&
		keyword_line(&rest, "places ", &line) &&
		steward_scan_hash(&line, &prune->places) &&
		rest.len == 0)
	{
		prune->origin = origin.start;
		prune->origin_len = origin.len;
		prune->segment = (uint32_t) segment;
		if (is_possible(prune))
			return true;
	}
	memset(prune, 0, sizeof *prune);
	return false;
}

size_t
steward_prune_format(char out[STEWARD_PRUNE_TEXT_BYTES], const StewardPrune *prune)
{
	char	   *end = out;

	*out = '\0';
	if (!steward_note_name_is_valid(prune->origin, prune->origin_len) ||
		!is_possible(prune))
		return 0;
	end = steward_put_word(end, PRUNE_TITLE "\norigin ");
	end = steward_put_text(end, prune->origin, prune->origin_len);
	end = steward_put_word(end, "\nboundary ");
	end = steward_put_number(end, prune->boundary.size);
	for (unsigned int i = 0; i < prune->boundary.count; i++)
	{
		end = steward_put_word(end, "\nfrontier ");
		end = steward_put_base64(end, prune->boundary.hashes[i].bytes,
								 STEWARD_HASH_BYTES);
	}
	end = steward_put_word(end, "\nsize ");
	end = steward_put_number(end, prune->size);
	end = steward_put_word(end, "\nroot ");
	end = steward_put_base64(end, prune->root.bytes, STEWARD_HASH_BYTES);
	end = steward_put_word(end, "\nsegment ");
	end = steward_put_number(end, prune->segment);
	end = steward_put_word(end, "\nremoved ");
	end = steward_put_number(end, prune->removed);
	end = steward_put_word(end, "\nplaces ");
	end = steward_put_base64(end, prune->places.bytes, STEWARD_HASH_BYTES);
	*end++ = '\n';
	*end = '\0';
	return (size_t) (end - out);
}

size_t
steward_prune_sign(char out[STEWARD_PRUNE_NOTE_BYTES], const StewardNoteKey *key,
				   const unsigned char seed[STEWARD_SIGN_SEED_BYTES],
				   const StewardPrune *prune)
{
	if (!is_of(key, prune->origin, prune->origin_len))
	{
		*out = '\0';
		return 0;
	}
	return finish_note(out, steward_prune_format(out, prune), key, seed);
}

StewardNoteStatus
steward_prune_open(StewardPrune *prune, const char *note, size_t len,
				   const StewardNoteKey *key)
{
	size_t		text_len;
	StewardNoteStatus status = steward_note_open(&text_len, note, len, key);

	memset(prune, 0, sizeof *prune);
	if (status == STEWARD_NOTE_OK && !steward_prune_parse(prune, note, text_len))
		status = STEWARD_NOTE_BAD_TEXT;
	if (status == STEWARD_NOTE_OK && !is_of(key, prune->origin, prune->origin_len))
		status = STEWARD_NOTE_OTHER_ORIGIN;
	if (status != STEWARD_NOTE_OK)
		memset(prune, 0, sizeof *prune);
	return status;
}

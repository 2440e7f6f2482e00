/*
 * trigram.c: the trigrams of a text, and those that a pattern asks for; see trigram.h.
 *
 * A text is a pattern without wildcards that begins and ends where the text does; so
 * both are read by one reader. It keeps the last two characters of the word it is in:
 * blanks where it begins for certain, and nothing where it may go on to the left.
 */
#include "blind/trigram.h"

#include <sodium.h>

#include "catalog/pg_collation_d.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "types/scratch.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"

/* UTF-8 of characters whose lower case depends on what is around them. */
#define SIGMA "\xCF\x83"
#define FINAL_SIGMA "\xCF\x82"
#define DOTLESS_I "\xC4\xB1"
#define DOT_ABOVE "\xCC\x87"

/* A character of what another was folded to. */
typedef struct Folded
{
	unsigned char bytes[MAX_MULTIBYTE_CHAR_LEN];
	unsigned char len;			/* 0: passed over */
	bool		in_word;
} Folded;

/* Lithuanian makes as many of one, with its dot and accent. */
#define FOLDED_MAX 3

/* Characters beyond ASCII that were folded lately: there are few in most texts. */
#define REMEMBERED 64			/* a power of two */

typedef struct Remembered
{
	unsigned char source[MAX_MULTIBYTE_CHAR_LEN];
	unsigned char len;			/* 0: free */
	int			count;
	Folded		folded[FOLDED_MAX];
} Remembered;

typedef struct Reader
{
	StewardTrigrams found;		/* neither in order nor distinct */
	Folded		last[2];		/* of the word, the older one first */
	int			known;			/* how many of these there are */
	bool		in_word;		/* or where one may be, after a wildcard */
	Remembered	remembered[REMEMBERED];
} Reader;

/* ---- folding ---- */

/* Takes a character of a lower case, in the server's encoding. */
static void
fold_lower(Folded *folded, const char *lower, int len)
{
	StewardPlain utf8 = steward_text_to_utf8(lower, len);

	folded->in_word = STEWARD_IS_WORD_CHARACTER(lower);
	folded->len = (unsigned char) Min(utf8.len, sizeof folded->bytes);
	memcpy(folded->bytes, utf8.bytes, folded->len);
	steward_plain_free(&utf8);
	if (folded->len != 2)
		return;
	if (memcmp(folded->bytes, DOT_ABOVE, 2) == 0)
		folded->len = 0;
	else if (memcmp(folded->bytes, FINAL_SIGMA, 2) == 0)
		memcpy(folded->bytes, SIGMA, 2);
	else if (memcmp(folded->bytes, DOTLESS_I, 2) == 0)
	{
		folded->bytes[0] = 'i';
		folded->len = 1;
		folded->in_word = true;
	}
}

static void
fold_ascii(Folded *folded, char character)
{
	folded->bytes[0] = pg_ascii_tolower((unsigned char) character);
	folded->len = 1;
	folded->in_word = isalnum((unsigned char) character) != 0;
}

/* Folds a character beyond ASCII. */
static void
fold_other(Remembered *place, const char *character, int len)
{
	char	   *lower = str_tolower(character, len, DEFAULT_COLLATION_OID);

	memcpy(place->source, character, len);
	place->len = (unsigned char) len;
	place->count = 0;
	for (const char *at = lower; *at != '\0' && place->count < FOLDED_MAX; at += pg_mblen(at))
		fold_lower(&place->folded[place->count++], at, pg_mblen(at));
	pfree(lower);
}

/* What was folded last time, or is now. */
static const Remembered *
fold(Reader *reader, const char *character, int len)
{
	Remembered *place;
	unsigned	slot = 0;

	for (int i = 0; i < len; i++)
		slot = slot * 31 + (unsigned char) character[i];
	place = &reader->remembered[slot & (REMEMBERED - 1)];
	if (place->len != len || memcmp(place->source, character, len) != 0)
		fold_other(place, character, len);
	return place;
}

/* ---- trigrams ---- */

static const Folded blank = {.bytes = " ", .len = 1};

/* There is room for all, but where characters become several in a short encoding. */
static void
need_room(Reader *reader)
{
	StewardPlain *bytes = &reader->found.bytes;
	StewardPlain more;

	if (STEWARD_TRIGRAM_BYTES * ((size_t) reader->found.count + 1) <= bytes->len)
		return;
	more = steward_plain_make(2 * bytes->len);
	memcpy(more.bytes, bytes->bytes, bytes->len);
	steward_plain_free(bytes);
	*bytes = more;
}

static void
put(Reader *reader, const Folded *third)
{
	const Folded *parts[] = {&reader->last[0], &reader->last[1], third};
	unsigned char *out;
	size_t		len = 0;

	need_room(reader);
	out = reader->found.bytes.bytes +
		STEWARD_TRIGRAM_BYTES * (size_t) reader->found.count++;

	memset(out, 0, STEWARD_TRIGRAM_BYTES);
	for (int i = 0; i < 3; i++)
	{
		memcpy(out + len, parts[i]->bytes, parts[i]->len);
		len += parts[i]->len;
	}
}

/* A character of a word, or the blank after it. */
static void
add(Reader *reader, const Folded *folded)
{
	if (reader->known == 2)
	{
		put(reader, folded);
		reader->last[0] = reader->last[1];
		reader->known = 1;
	}
	reader->last[reader->known++] = *folded;
}

/* No word goes on here: it begins and ends where it seems to. */
static void
end_word(Reader *reader)
{
	if (reader->in_word)
		add(reader, &blank);
	reader->in_word = false;
	reader->last[0] = reader->last[1] = blank;
	reader->known = 2;
}

/* Anything may stand here. */
static void
break_word(Reader *reader)
{
	reader->in_word = true;
	reader->known = 0;
}

static void
take_folded(Reader *reader, const Folded *folded)
{
	if (folded->len == 0)
		return;
	if (!folded->in_word)
	{
		end_word(reader);
		return;
	}
	reader->in_word = true;
	add(reader, folded);
}

static void
take(Reader *reader, const char *character, int len)
{
	const Remembered *others;
	Folded		ascii;

	if (len == 1 && !IS_HIGHBIT_SET(*character))
	{
		fold_ascii(&ascii, *character);
		take_folded(reader, &ascii);
		return;
	}
	others = fold(reader, character, len);
	for (int i = 0; i < others->count; i++)
		take_folded(reader, &others->folded[i]);
}

/* ---- reading ---- */

static MemoryContext
begin(Reader *reader, size_t len)
{
	memset(reader, 0, sizeof *reader);

	/*
	 * A word has one more than it has characters, and something stands after
	 * it.
	 */
	reader->found.bytes = steward_plain_make((len + len / 2 + 2) * STEWARD_TRIGRAM_BYTES);
	end_word(reader);
	return steward_scratch_begin();
}

static int
compare_trigrams(const void *a, const void *b)
{
	return memcmp(a, b, STEWARD_TRIGRAM_BYTES);
}

/* Puts them in order, each once. */
static StewardTrigrams
finish(Reader *reader, MemoryContext old)
{
	StewardTrigrams found = reader->found;
	unsigned char *bytes = found.bytes.bytes;
	int			kept = 0;

	steward_scratch_end(old);
	qsort(bytes, found.count, STEWARD_TRIGRAM_BYTES, compare_trigrams);
	for (int i = 0; i < found.count; i++)
	{
		unsigned char *next = bytes + STEWARD_TRIGRAM_BYTES * (size_t) i;

		if (kept > 0 && compare_trigrams(next - STEWARD_TRIGRAM_BYTES, next) == 0)
			continue;
		memmove(bytes + STEWARD_TRIGRAM_BYTES * (size_t) kept++, next, STEWARD_TRIGRAM_BYTES);
	}
	found.count = kept;
	sodium_memzero(reader, sizeof *reader);
	return found;
}

/* Reads the character that is at this place, and returns how long it is. */
static size_t
read_character(Reader *reader, const char *at, const char *end)
{
	int			len = Min(pg_mblen(at), (int) (end - at));

	CHECK_FOR_INTERRUPTS();
	take(reader, at, len);
	return len;
}

StewardTrigrams
steward_trigrams_of_text(const char *text, size_t len)
{
	const char *end = text + len;
	Reader		reader;
	MemoryContext old = begin(&reader, len);

	while (text < end)
		text += read_character(&reader, text, end);
	end_word(&reader);
	return finish(&reader, old);
}

/* False when it ends in an escape: PostgreSQL then finds an error, or nothing. */
static bool
read_pattern(Reader *reader, const char *pattern, const char *end)
{
	while (pattern < end)
	{
		if (*pattern == '%' || *pattern == '_')
		{
			break_word(reader);
			pattern++;
			continue;
		}
		if (*pattern == '\\' && ++pattern == end)
			return false;
		pattern += read_character(reader, pattern, end);
	}
	end_word(reader);
	return true;
}

/*
 * Does folding take for equal what the operator does? A collation that takes different
 * texts for equal, or another lower case, may know more.
 */
static bool
is_followed(Oid collation, bool ignore_case)
{
	if (!OidIsValid(collation))
		return false;
	if (ignore_case)
		return collation == DEFAULT_COLLATION_OID || collation == C_COLLATION_OID;
	return get_collation_isdeterministic(collation);
}

StewardTrigrams
steward_trigrams_of_pattern(const char *pattern, size_t len, Oid collation,
							bool ignore_case)
{
	Reader		reader;
	MemoryContext old = begin(&reader, len);

	if (!is_followed(collation, ignore_case) ||
		!read_pattern(&reader, pattern, pattern + len))
		reader.found.count = 0;
	return finish(&reader, old);
}

const unsigned char *
steward_trigram(const StewardTrigrams *trigrams, int i, size_t *len)
{
	const unsigned char *trigram = trigrams->bytes.bytes +
		STEWARD_TRIGRAM_BYTES * (size_t) i;

	*len = strnlen((const char *) trigram, STEWARD_TRIGRAM_BYTES);
	return trigram;
}

/*
 * trigram.h: the trigrams of a text, and those that a pattern asks for.
 *
 * A text is split as pg_trgm does it: into words of letters and digits, each in lower
 * case with two blanks before it and one after it, and of these every three
 * characters in a row, each once. A pattern of LIKE or ILIKE gives those that every text
 * has that matches: of what stands between wildcards, blanks only where a word
 * must begin or end.
 *
 * So that every matching text is found, each character is taken by itself. What a lower
 * case depends on besides is made the same for all: a sigma at the end of a word is any
 * sigma, an i without its dot is an i, and a dot above that stands alone is passed over.
 *
 * Terms
 *	 fold		what a character becomes before it is looked at; may be nothing
 */
#ifndef STEWARD_BLIND_TRIGRAM_H
#define STEWARD_BLIND_TRIGRAM_H

#include "base/compat.h"

#include "types/encrypted.h"

/* Three characters of UTF-8, filled up with zeros. */
#define STEWARD_TRIGRAM_BYTES 12

/*
 * Trigrams, in order and distinct, one after the other in memory of plain.c; the caller
 * gives it to steward_plain_free.
 */
typedef struct StewardTrigrams
{
	StewardPlain bytes;
	int			count;
} StewardTrigrams;

/* One of them. Its length is that without the zeros, at least 3. */
extern const unsigned char *steward_trigram(const StewardTrigrams *trigrams, int i,
											size_t *len);

/*
 * The trigrams of a text in the server's encoding; none, where there is no word. Inside a
 * plaintext scope. Raises ERRCODE_INVALID_PARAMETER_VALUE for a text of more than
 * some 59 million bytes, and what lower() raises.
 */
extern StewardTrigrams steward_trigrams_of_text(const char *text, size_t len);

/*
 * The trigrams that every text has that is LIKE the pattern, in a collation: with its
 * escapes, as the operator gets it. None where the pattern is too short, ends in an
 * escape, or compares by rules that folding does not follow: then all rows are to be
 * looked at. Otherwise as above.
 */
extern StewardTrigrams steward_trigrams_of_pattern(const char *pattern, size_t len,
												   Oid collation, bool ignore_case);

#endif							/* STEWARD_BLIND_TRIGRAM_H */

/*
 * schedule_text.h: reading a schedule as people write it, and saying what is wrong with it.
 *
 * Pure C without PostgreSQL's headers. Texts end with a zero byte; everything that
 * a schedule has is ASCII, so the first byte that is not is where it is wrong.
 */
#ifndef STEWARD_RETENTION_SCHEDULE_TEXT_H
#define STEWARD_RETENTION_SCHEDULE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers are read up to here; a longer one is this one. */
#define STEWARD_SCHEDULE_NUMBER_MAX 999999999

/*
 * What is wrong: a sentence, for DETAIL. It has nothing of the text in it but
 * numbers and the position.
 */
typedef struct StewardScheduleFault
{
	int			position;		/* the character, from 1 on */
	char		reason[160];
} StewardScheduleFault;

typedef struct StewardScheduleText
{
	const char *start;
	const char *at;
	StewardScheduleFault *fault;	/* where it says what is wrong */
} StewardScheduleText;

/* Skips blanks; is there nothing after them? */
extern bool steward_schedule_text_end(StewardScheduleText *text);

/* Is it a blank or the end? */
extern bool steward_schedule_text_gap(const char *at);

/* Reads a number of digits alone; false when there is no digit. */
extern bool steward_schedule_text_number(StewardScheduleText *text, int *number);

/*
 * Reads a word of letters: which of count words it is, in any case, else -1, and
 * nothing is read.
 */
extern int	steward_schedule_text_word(StewardScheduleText *text,
									   const char *const *words, int count);

/*
 * Says that the text is wrong at a place. Returns false, for the caller to return.
 * The format makes a sentence, which "at character 1" is put in front of.
 */
extern bool steward_schedule_text_fault(StewardScheduleText *text, const char *at,
										const char *format, ...)
			__attribute__((format(printf, 3, 4)));

#endif							/* STEWARD_RETENTION_SCHEDULE_TEXT_H */

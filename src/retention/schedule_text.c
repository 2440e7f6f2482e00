/*
 * schedule_text.c: reading the words of a schedule; see schedule_text.h.
 */
#include "retention/schedule_text.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool
steward_schedule_text_gap(const char *at)
{
	return *at == '\0' || *at == ' ' || *at == '\t' || *at == '\n' || *at == '\r';
}

bool
steward_schedule_text_end(StewardScheduleText *text)
{
	while (*text->at != '\0' && steward_schedule_text_gap(text->at))
		text->at++;
	return *text->at == '\0';
}

bool
steward_schedule_text_number(StewardScheduleText *text, int *number)
{
	const char *from = text->at;
	int64_t		value = 0;

	while (*text->at >= '0' && *text->at <= '9')
	{
		value = value * 10 + (*text->at++ - '0');
		if (value > STEWARD_SCHEDULE_NUMBER_MAX)
			value = STEWARD_SCHEDULE_NUMBER_MAX;
	}
	*number = (int) value;
	return text->at > from;
}

/* Is the word of this length at a place, in any case? */
static bool
is_word(const char *at, size_t len, const char *word)
{
	for (size_t i = 0; i < len; i++)
	{
		if (word[i] == '\0' || (at[i] | 0x20) != word[i])
			return false;
	}
	return word[len] == '\0';
}

int
steward_schedule_text_word(StewardScheduleText *text, const char *const *words,
						   int count)
{
	size_t		len = 0;

	while (is_letter(text->at[len]))
		len++;
	for (int i = 0; i < count; i++)
	{
		if (len > 0 && is_word(text->at, len, words[i]))
		{
			text->at += len;
			return i;
		}
	}
	return -1;
}

bool
steward_schedule_text_fault(StewardScheduleText *text, const char *at,
							const char *format, ...)
{
	StewardScheduleFault *fault = text->fault;
	va_list		arguments;
	int			used;

	fault->position = (int) (at - text->start) + 1;
	used = snprintf(fault->reason, sizeof fault->reason, "At character %d ",
					fault->position);
	va_start(arguments, format);
	(void) vsnprintf(fault->reason + used, sizeof fault->reason - (size_t) used,
					 format, arguments);
	va_end(arguments);
	return false;
}

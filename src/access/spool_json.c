/*
 * spool_json.c: the JSON of records; see spool_json.h.
 */
#include "base/compat.h"

#include "access/spool_json.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static void
put_escaped(StringInfo out, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";
	char		escape[] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};

	appendBinaryStringInfo(out, escape, sizeof escape);
}

/* Escapes what JSON asks for; with as_latin1 bytes that are not ASCII are characters
 * of the same number, and not escaped: a server in SQL_ASCII reads no such escape. */
static void
put_bytes(StringInfo out, const char *text, int length, bool as_latin1)
{
	int			clean = 0;		/* where what is taken as it is begins */

	appendStringInfoCharMacro(out, '"');
	for (int i = 0; i < length; i++)
	{
		unsigned char byte = text[i];
		bool		high = as_latin1 && IS_HIGHBIT_SET(byte);

		if (likely(byte >= ' ' && byte != '"' && byte != '\\' && byte != 0x7f && !high))
			continue;
		appendBinaryStringInfo(out, text + clean, i - clean);
		clean = i + 1;
		if (!high)
			put_escaped(out, byte);
		else
		{
			appendStringInfoChar(out, (char) (0xc0 | byte >> 6));
			appendStringInfoChar(out, (char) (0x80 | (byte & 0x3f)));
		}
	}
	appendBinaryStringInfo(out, text + clean, length - clean);
	appendStringInfoCharMacro(out, '"');
}

/*
 * A database in SQL_ASCII does not know what its bytes mean: those that are no
 * UTF-8 are kept as characters of the same number, as events do.
 */
void
steward_spool_json_text(StringInfo out, const char *text, int length)
{
	int			encoding = GetDatabaseEncoding();
	char	   *utf8;

	if (likely(encoding == PG_UTF8))
		put_bytes(out, text, length, false);
	else if (encoding == PG_SQL_ASCII)
		put_bytes(out, text, length,
				  pg_encoding_verifymbstr(PG_UTF8, text, length) != length);
	else
	{
		utf8 = pg_server_to_any(text, length, PG_UTF8);
		put_bytes(out, utf8, utf8 == text ? length : (int) strlen(utf8), false);
		if (utf8 != text)
			pfree(utf8);
	}
}

void
steward_spool_json_string(StringInfo out, const char *text)
{
	if (text == NULL)
		steward_spool_json_put(out, "null");
	else
		steward_spool_json_text(out, text, strlen(text));
}

void
steward_spool_json_integer(StringInfo out, int64 number)
{
	char		digits[MAXINT8LEN + 1];

	appendBinaryStringInfo(out, digits, pg_lltoa(number, digits));
}

void
steward_spool_json_unsigned(StringInfo out, uint64 number)
{
	char		digits[MAXINT8LEN + 1];

	appendBinaryStringInfo(out, digits, pg_ulltoa_n(number, digits));
}

/* Of "2000-01-01T00:00:00. with its quote. */
#define SECOND_LENGTH 21

static char *
put_number(char *at, int number, int width)
{
	return pg_ultostr_zeropad(at, number, width);
}

/* The second of a time; false when it has no such form. */
static bool
put_second(char *end, TimestampTz at)
{
	struct pg_tm parts;
	fsec_t		micros;

	if (timestamp2tm(at, NULL, &parts, &micros, NULL, NULL) != 0 || parts.tm_year < 0 || parts.tm_year > 9999)
		return false;
	*end++ = '"';
	end = put_number(end, parts.tm_year, 4);
	*end++ = '-';
	end = put_number(end, parts.tm_mon, 2);
	*end++ = '-';
	end = put_number(end, parts.tm_mday, 2);
	*end++ = 'T';
	end = put_number(end, parts.tm_hour, 2);
	*end++ = ':';
	end = put_number(end, parts.tm_min, 2);
	*end++ = ':';
	end = put_number(end, parts.tm_sec, 2);
	*end++ = '.';
	return true;
}

/* Most times are of the second that was written last. */
void
steward_spool_json_time(StringInfo out, TimestampTz at)
{
	static TimestampTz second = 0;
	static char text[32] = "";

	if (text[0] == '\0' || at < second || at >= second + USECS_PER_SEC)
	{
		int64		micros = ((at % USECS_PER_SEC) + USECS_PER_SEC) % USECS_PER_SEC;

		text[0] = '\0';
		if (!put_second(text, at))
		{
			text[0] = '\0';
			steward_spool_json_put(out, "null");
			return;
		}
		second = at - micros;
	}
	(void) put_number(text + SECOND_LENGTH, (int) (at - second), 6);
	memcpy(text + SECOND_LENGTH + 6, "Z\"", 2);
	appendBinaryStringInfo(out, text, SECOND_LENGTH + 8);
}

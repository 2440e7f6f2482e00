/*
 * event.c: the payload of events; see event.h.
 *
 * The text is UTF-8 in every database, so that it reads alike after a restore into
 * another encoding. A database in SQL_ASCII does not know what its bytes mean: those
 * that are no UTF-8 are kept as characters of the same number.
 */
#include "base/compat.h"

#include "audit/codec.h"
#include "audit/event.h"
#include "audit/incarnation.h"
#include "audit/segment.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#define EVENT_FORMAT 1

bool
steward_audit_started(void)
{
	/*
	 * A restore may bring the segments before the incarnations they belong
	 * to.
	 */
	return OidIsValid(steward_segment_home()) && steward_segment_exists() &&
		steward_incarnation_exists();
}

static void
append_escaped(StringInfo out, const char *text, int length)
{
	for (int i = 0; i < length; i++)
	{
		if (IS_HIGHBIT_SET(text[i]))
			appendStringInfo(out, "\\u00%02x", (unsigned char) text[i]);
		else
			appendStringInfoCharMacro(out, text[i]);
	}
}

void
steward_event_encode(Jsonb *details, StringInfo payload)
{
	char	   *text = JsonbToCString(NULL, &details->root, VARSIZE(details));
	int			length = strlen(text);

	appendStringInfoCharMacro(payload, EVENT_FORMAT);
	if (GetDatabaseEncoding() == PG_SQL_ASCII &&
		pg_encoding_verifymbstr(PG_UTF8, text, length) != length)
		append_escaped(payload, text, length);
	else
	{
		char	   *utf8 = pg_server_to_any(text, length, PG_UTF8);

		steward_put_bytes(payload, utf8, strlen(utf8));
	}
}

/* JSON that is none is a corruption, like any other value. */
static Datum
parse(char *text)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		details = (Datum) 0;

	PG_TRY();
	{
		details = DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
	}
	PG_CATCH();
	{
		steward_payload_rethrow(caller);
	}
	PG_END_TRY();
	return details;
}

/* The details of an event, by its payload. */
STEWARD_FUNCTION(steward_audit_event_details)
{
	bytea	   *payload = PG_GETARG_BYTEA_PP(0);
	const char *data = VARDATA_ANY(payload);
	int			length = VARSIZE_ANY_EXHDR(payload);
	char	   *text;

	if (length < 1 || data[0] != EVENT_FORMAT ||
		pg_encoding_verifymbstr(PG_UTF8, data + 1, length - 1) != length - 1)
		steward_payload_corrupted("it is no event");
	text = pg_any_to_server(pnstrdup(data + 1, length - 1), length - 1, PG_UTF8);
	PG_RETURN_DATUM(parse(text));
}

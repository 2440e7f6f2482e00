/*
 * session.c: how the SQL functions of the ledger work; see session.h.
 */
#include "ledger/session.h"

#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

void
steward_session_begin(StewardSession *session)
{
	session->caller = CurrentMemoryContext;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	steward_become_owner(&session->identity);
}

void
steward_session_end(StewardSession *session)
{
	steward_become_caller(&session->identity);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

Datum
steward_session_text(StewardSession *session, const char *utf8, size_t length)
{
	MemoryContext context = MemoryContextSwitchTo(session->caller);
	char	   *converted;
	Datum		result;

	if (length > 0 && utf8[length - 1] == '\n')
		length--;
	converted = pg_any_to_server(utf8, length, PG_UTF8);
	result = converted == utf8 ?
		PointerGetDatum(cstring_to_text_with_len(utf8, length)) :
		CStringGetTextDatum(converted);

	MemoryContextSwitchTo(context);
	return result;
}

/*
 * session.h: how the SQL functions of the ledger work: SPI is connected, as the
 * extension's owner, so that whoever may execute them need have no right on tables.
 */
#ifndef STEWARD_LEDGER_SESSION_H
#define STEWARD_LEDGER_SESSION_H

#include "base/compat.h"

#include "base/catalog.h"

typedef struct StewardSession
{
	MemoryContext caller;		/* results go here */
	StewardIdentity identity;
	bool		pushed;			/* a snapshot */
} StewardSession;

extern void steward_session_begin(StewardSession *session);

/*
 * The same, to read what was sealed. A prune drops a segment for old snapshots too,
 * which do not see its certificate: so prunes are kept away (AccessShareLock on the
 * log, to the end of the transaction), the active snapshot is taken after that, and after
 * it the segments are read again (steward_segment_look_again).
 * In a transaction with one snapshot for all that is older than a prune it raises
 * ERRCODE_T_R_SERIALIZATION_FAILURE.
 */
extern void steward_session_begin_reading(StewardSession *session);

/* Ends it; an error ends it by itself. */
extern void steward_session_end(StewardSession *session);

/* A text in UTF-8 for the caller: in its memory, in the encoding of the server, which
 * must have its characters; without a newline at its end, which psql adds. */
extern Datum steward_session_text(StewardSession *session, const char *utf8, size_t length);

#endif							/* STEWARD_LEDGER_SESSION_H */

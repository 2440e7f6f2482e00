/*
 * read.h: a statement that reads audited relations.
 *
 * Terms
 *	 read		such a statement, from its permission check to its end
 *	 touched	an audited relation that a statement names, to read it or to write
 *	 quiet		it only writes to audited relations: it counts as a read when it
 *				fails with an error that shows a row
 *	 announced	it is in the spool file that the read begins
 *	 part		what a parallel worker does of its leader's read
 */
#ifndef STEWARD_ACCESS_READ_H
#define STEWARD_ACCESS_READ_H

#include "base/compat.h"

#include "access/rule.h"
#include "datatype/timestamp.h"
#include "executor/execdesc.h"
#include "lib/ilist.h"
#include "lib/stringinfo.h"

typedef struct StewardTouched
{
	const StewardAccessRule *rule;
	Bitmapset  *columns;		/* audited ones that are named, as
								 * selectedCols */
	bool		read;			/* else only written */
	bool		written;		/* an error may show a row that is there */
	bool		inserted;		/* likewise, but only of another row's key */
	uint64		rows;			/* that scans gave */
	bool		scanned;		/* its scans are watched */
	bool		left_off;		/* more rows than keys */
	int			key_limit;		/* so many are named */
	int			key_count;
	struct StewardNamed *named;
	StringInfoData keys;		/* JSON objects, separated by commas */
} StewardTouched;

typedef struct StewardRead
{
	dlist_node	node;
	MemoryContext context;
	QueryDesc  *query;			/* NULL: COPY of a table */
	StewardAccessGeneration *generation;	/* NULL until something is touched */
	SubTransactionId level;
	uint64		number;			/* of the announced reads of this session */
	TimestampTz begun_at;
	uint64		rows;			/* that the statement gave */
	int			touched_count;
	StewardTouched *touched;
	const char *command;
	struct Watched *scans;		/* scan.c's */
	const char *leader;			/* of a part: the name of its read */
	struct StewardRead *outer;	/* what ran when it was entered */
	bool		entered;
	bool		started;		/* its plan has its state */
	bool		part;
	bool		check;			/* of a foreign key, by PostgreSQL itself */
	bool		in_check;		/* and now it is what runs */
	bool		quiet;
	bool		kept;			/* what it sends was, when its run began */
	bool		ended;			/* its end was recorded before its plan's */
	bool		announced;
	bool		unrecorded;		/* it failed, and was let pass */
} StewardRead;

/* The innermost read that runs, or NULL. */
extern StewardRead *steward_read_running;

/* May it read something audited? Nearly none does, and this is all they pay. */
struct PlannedStmt;
extern bool steward_read_may_touch(struct PlannedStmt *planned);

/*
 * Notes what a planned statement reads; read->touched_count stays 0 when it reads
 * nothing audited. Reads catalogs.
 */
extern void steward_read_collect(StewardRead *read, struct PlannedStmt *planned);

/* The same of the entries that COPY's permission check had. */
extern void steward_read_collect_entries(StewardRead *read, List *entries);

/* Watches the scans of touched relations, once the plan has its state. */
extern void steward_read_watch_scans(StewardRead *read);

/*
 * After an error: names the rows that its scans were working on, as the error may
 * tell of one.
 */
extern void steward_read_name_failed(StewardRead *read);

/*
 * The same where the error shows a row that was to be written: forgets what was
 * named before, and names the rows that were come to.
 */
extern void steward_read_name_shown(StewardRead *read);

/* No scan of it is watched any more. */
extern void steward_read_forget_scans(StewardRead *read);

/* What a record says of relations. */
typedef enum StewardReadPart
{
	STEWARD_READ_COLUMNS,		/* columns that are read */
	STEWARD_READ_ROWS,			/* rows that were */
	STEWARD_SHOWN_COLUMNS,		/* audited columns of those that are written */
	STEWARD_SHOWN_ROWS			/* rows of those that an error showed */
} StewardReadPart;

/* Appends ,"relations":[…] */
extern void steward_read_put_relations(StewardRead *read, StringInfo out,
									   StewardReadPart part);

/*
 * Puts the beginning of a read into the spool, unless that is done: raises, warns
 * or lets it pass as steward.access_audit says.
 */
extern void steward_read_announce(StewardRead *read);

/* The same without raising: false when that failed, and is to be complained of. */
extern bool steward_read_try_announce(StewardRead *read);
extern void steward_read_complain(void);

/* Beginning and end of one that was not announced and ran to its end. False as
 * above. */
extern bool steward_read_try_whole(StewardRead *read);

/*
 * Puts its end there. sqlstate 0: none. At ERROR a failure is reported as
 * steward.access_audit says, at LOG it is only logged.
 */
extern void steward_read_conclude(StewardRead *read, const char *outcome,
								  int sqlstate, int elevel);

/* Beginning and end of one that was refused; logs what fails. */
extern void steward_read_refused(StewardRead *read, int sqlstate);

/* Does an error with this code show a row of what the statement writes? */
extern bool steward_read_shows(const StewardRead *read, int sqlstate);

/*
 * Beginning and end of what such an error shows, before it is reported. False when
 * that could not be written.
 */
extern bool steward_read_shown(StewardRead *read, int sqlstate);

/*
 * While an error is handled that shows what could not be recorded: raises another
 * in its place, or warns, as steward.access_audit says.
 */
extern void steward_read_withhold(void);

/* What a parallel worker did of its leader's read. A failure is reported as above. */
extern void steward_read_part(StewardRead *read, int elevel);

/* Decryptions outside of any read. */
extern void steward_read_decrypts(int elevel);

/* ---- parallel.c ---- */

/*
 * Tells the workers that this plan may start whose read they work for; once the
 * plan has its state, in its memory.
 */
extern void steward_read_name_to_workers(StewardRead *read);

/* In such a worker, with the plan that it was started for: the name of the read.
 * NULL with any other plan. */
extern const char *steward_read_leader(QueryDesc *query);

/*
 * Is what is read now recorded, as steward.access_audit says? When it says less than
 * "required", the first read under that is told of; logs what fails. lenient.c.
 */
extern bool steward_read_is_recorded(void);

/* ---- decrypts.c ---- */

/* Begins to count; called once by the floor's init. */
extern void steward_decrypts_init(void);

/* Are there decryptions that no read has taken? */
extern bool steward_decrypts_any(uint64 owner);

/* Appends ,"decrypts":[…], if there are any, and forgets them. */
extern void steward_decrypts_put(StringInfo out, uint64 owner);

#endif							/* STEWARD_ACCESS_READ_H */

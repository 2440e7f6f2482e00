/*
 * revocation_adopt.c: writing the revocation journal anew: under another root,
 * or as somebody who is responsible takes it over.
 *
 * A new journal is written beside the old one, made durable, and renamed over
 * it while the old one is locked; whoever waits for that lock then finds the
 * new one. Nothing that can be verified is left behind.
 */
#include "keys/revocation.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "base/catalog.h"
#include "base/event.h"
#include "base/guc.h"
#include "keys/revocation_state.h"
#include "keys/revocation_table.h"
#include "keys/revocation_worker.h"
#include "keys/roots.h"
#include "keys/tables.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#define BUFFER_RECORDS 512

/* A journal being written. */
typedef struct Rewrite
{
	char		path[MAXPGPATH];
	int			fd;
	off_t		offset;
	size_t		filled;
	unsigned char *buffer;
	const StewardJournalKey *key;
	StewardJournalEnd end;
	uint64		changed;		/* records that were under another root */
	bool		dry;			/* only count them */
} Rewrite;

/* Locked while it is open. */
static StewardJournalFile old_file = STEWARD_JOURNAL_FILE_CLOSED;

void
steward_revocation_rewrite_close(void)
{
	steward_journal_file_close(&old_file);
}

static pg_attribute_noreturn() void
raise_write(const char *detail)
{
	StewardJournalFault fault = {false, errno, detail,
	"See that the file system is there, writable and not full."};

	steward_journal_file_close(&old_file);
	steward_journal_file_raise(&fault);
}

static void
begin_rewrite(Rewrite *rewrite)
{
	StewardJournalKeys keys = steward_root_journal_keys();

	memset(rewrite, 0, sizeof *rewrite);
	rewrite->key = keys.keys + keys.count - 1;
	rewrite->buffer = palloc(BUFFER_RECORDS * STEWARD_JOURNAL_RECORD_BYTES);
	if (snprintf(rewrite->path, MAXPGPATH, "%s.new", steward_revocation_file) >= MAXPGPATH)
	{
		errno = ENAMETOOLONG;
		raise_write("The file cannot be written anew.");
	}
	/* One that was left by a crash. */
	(void) unlink(rewrite->path);
	rewrite->fd = OpenTransientFilePerm(rewrite->path, O_RDWR | O_CREAT | O_EXCL |
										O_NOFOLLOW | PG_BINARY, 0600);
	if (rewrite->fd < 0 ||
		fchmod(rewrite->fd, old_file.status.st_mode & 0644) != 0)
		raise_write("The file cannot be written anew.");
}

static void
flush_rewrite(Rewrite *rewrite)
{
	StewardJournalFault fault;

	if (!steward_journal_file_write(rewrite->fd, rewrite->buffer, rewrite->filled,
									rewrite->offset, &fault))
	{
		errno = fault.error;
		(void) unlink(rewrite->path);
		raise_write("The file cannot be written anew.");
	}
	rewrite->offset += rewrite->filled;
	rewrite->filled = 0;
}

/* Appends a record; each is whole by itself, for the rename is atomic. */
static void
rewrite_record(const StewardJournalRecord *record, void *arg)
{
	Rewrite    *rewrite = arg;

	if (memcmp(record->root_id, rewrite->key->root_id, STEWARD_ROOT_ID_BYTES) != 0)
		rewrite->changed++;
	if (rewrite->dry)
		return;
	steward_journal_write(rewrite->buffer + rewrite->filled, &rewrite->end,
						  rewrite->key, record->kind, 0, record->time,
						  record->realm, record->subject);
	rewrite->filled += STEWARD_JOURNAL_RECORD_BYTES;
	if (rewrite->filled == BUFFER_RECORDS * STEWARD_JOURNAL_RECORD_BYTES)
		flush_rewrite(rewrite);
}

static void
finish_rewrite(Rewrite *rewrite)
{
	StewardJournalFault fault;

	flush_rewrite(rewrite);
	if (pg_fsync(rewrite->fd) != 0 || CloseTransientFile(rewrite->fd) != 0 ||
		rename(rewrite->path, steward_revocation_file) != 0)
	{
		(void) unlink(rewrite->path);
		raise_write("The file cannot be replaced.");
	}
	if (!steward_journal_file_sync_directory(&fault))
	{
		steward_journal_file_close(&old_file);
		steward_journal_file_raise(&fault);
	}
	pfree(rewrite->buffer);
}

/* Locks the journal for a rewrite; false when there is none. */
static bool
lock_old(int how)
{
	StewardJournalFault fault;

	steward_journal_file_close(&old_file);
	if (steward_journal_file_lock(&old_file, STEWARD_JOURNAL_EXCLUSIVE |
								  STEWARD_JOURNAL_INTERRUPTIBLE | how, &fault))
		return true;
	if (!fault.missing)
		steward_journal_file_raise(&fault);
	return false;
}

/* ---- another root ---- */

static void
read_old(Rewrite *rewrite)
{
	StewardJournalKeys keys = steward_root_journal_keys();
	StewardJournalReader reader = {0};
	StewardJournalFault fault;

	if (!steward_journal_file_read(&old_file, &reader, &keys, rewrite_record,
								   rewrite, &fault))
		steward_journal_file_raise(&fault);
}

void
steward_revocation_rekey(void)
{
	StewardJournalKeys keys;
	Rewrite		rewrite = {.dry = true};

	if (!steward_revocation_is_configured())
		return;
	/* Raises unless the journal is whole and all of it can be verified. */
	if (!steward_revocation_refresh(STEWARD_RECONCILE_NOT) || !lock_old(0))
		return;
	steward_revocation_copy_read(&old_file);
	keys = steward_root_journal_keys();
	rewrite.key = &keys.keys[keys.count - 1];
	read_old(&rewrite);
	if (rewrite.changed > 0)
	{
		begin_rewrite(&rewrite);
		read_old(&rewrite);
		finish_rewrite(&rewrite);
	}
	steward_journal_file_close(&old_file);
	steward_revocation_worker_wake(false);
}

/* ---- adoption ---- */

/* What was found, for the record and the notice. */
typedef struct Finding
{
	const char *found;			/* as steward.revocation_adoption has it */
	uint64		held;			/* of this database, openings apart */
	uint64		missing;
	uint64		unverified;		/* records that were left out */
	char	   *kept_as;		/* where the altered file is now, or NULL */
	const unsigned char *realm;
} Finding;

static void
count_held(const StewardJournalRecord *record, void *arg)
{
	Finding    *finding = arg;

	if (memcmp(record->realm, finding->realm, STEWARD_REALM_BYTES) == 0 &&
		record->kind == STEWARD_JOURNAL_REVOCATION)
		finding->held++;
}

/* Moves every record that can be verified, wherever it stands, to a new file. */
static void
salvage(Rewrite *rewrite, Finding *finding)
{
	StewardJournalKeys keys = steward_root_journal_keys();
	unsigned char slot[STEWARD_JOURNAL_RECORD_BYTES];
	off_t		offset = 0;

	while (pg_pread(old_file.fd, slot, sizeof slot, offset) == sizeof slot)
	{
		StewardJournalRecord record;
		StewardJournalStatus status = steward_journal_check(&record, slot, &keys);

		CHECK_FOR_INTERRUPTS();
		offset += sizeof slot;
		if (status == STEWARD_JOURNAL_OK)
		{
			count_held(&record, finding);
			rewrite_record(&record, rewrite);
		}
		else if (status != STEWARD_JOURNAL_FREE)
			finding->unverified++;
	}
}

/* The altered file keeps its content under another name. */
static void
set_aside(Finding *finding)
{
	finding->kept_as = psprintf("%s.altered-%lld", steward_revocation_file,
								(long long) GetCurrentTimestamp());
	if (link(steward_revocation_file, finding->kept_as) != 0)
		raise_write("The altered file cannot be kept under another name.");
}

/* Makes sure that the file is whole; notes what it was. */
static void
mend(Finding *finding)
{
	StewardJournalKeys keys = steward_root_journal_keys();
	StewardJournalReader reader = {0};
	StewardJournalFault fault;

	(void) lock_old(STEWARD_JOURNAL_CREATE);
	if (!steward_journal_file_read(&old_file, &reader, &keys, count_held, finding,
								   &fault))
		steward_journal_file_raise(&fault);
	if (reader.status != STEWARD_JOURNAL_OK)
	{
		Rewrite		rewrite;

		finding->found = reader.status == STEWARD_JOURNAL_OTHER_ROOT ?
			"unverifiable" : "altered";
		finding->held = 0;
		begin_rewrite(&rewrite);
		salvage(&rewrite, finding);
		set_aside(finding);
		finish_rewrite(&rewrite);
	}
	else if (reader.end.count == 0)
		finding->found = "missing";
	steward_journal_file_close(&old_file);
	steward_revocation_copy_forget();
}

/* Adds to the journal what the database knows. */
static void
complete(Finding *finding)
{
	StewardSubjectList list = {.only_unnamed = true};

	if (!lock_old(0))
		raise_write("The file does not exist.");
	steward_revocation_copy_start(finding->realm);
	steward_revocation_copy_read(&old_file);
	steward_journal_file_close(&old_file);
	steward_revocation_table_known(steward_revocation_list_add, &list);
	finding->missing = list.count;
	steward_revocation_list_tombstones(&list);
	if (finding->found == NULL)
		finding->found = finding->missing == 0 ? "whole" :
			finding->held == 0 ? "foreign" : "shorter";
	(void) steward_revocation_copy_append(list.subjects, list.count, false);
	if (!RecoveryInProgress())
		steward_revocation_copy_remember();
}

static void
record(const Finding *finding)
{
	StewardJson event;

	if (!steward_event_begin(&event, "adopt_revocation_journal"))
		return;
	steward_json_text(&event, "found", finding->found);
	steward_json_number(&event, "held", (int64) finding->held);
	steward_json_number(&event, "missing", (int64) finding->missing);
	steward_json_number(&event, "unverified", (int64) finding->unverified);
	steward_event_end(&event);
}

static void
tell(const Finding *finding)
{
	const char *user = GetUserNameFromId(GetSessionUserId(), false);

	ereport(NOTICE,
			(strcmp(finding->found, "none") == 0 ?
			 errmsg("the database does without a revocation journal from now on") :
			 errmsg("revocation journal was found %s and is adopted", finding->found),
			 errdetail("It named %llu subjects of this database and lacked %llu that the database knew, which were added.",
					   (unsigned long long) finding->held,
					   (unsigned long long) finding->missing),
			 finding->unverified > 0 ?
			 errhint_plural("%lu record could not be verified and was left out. The file as it was is kept beside the journal.",
							"%lu records could not be verified and were left out. The file as it was is kept beside the journal.",
							(unsigned long) finding->unverified,
							(unsigned long) finding->unverified) : 0));
	ereport(LOG,
			(errmsg("revocation journal was adopted by %s: found %s, held %llu, lacked %llu, unverified %llu",
					user, finding->found, (unsigned long long) finding->held,
					(unsigned long long) finding->missing,
					(unsigned long long) finding->unverified),
			 finding->kept_as != NULL ?
			 errdetail("The file as it was is kept as \"%s\".", finding->kept_as) : 0));
	if (!RecoveryInProgress())
		steward_revocation_table_adopted(finding->found, finding->held,
										 finding->missing);
	record(finding);
}

static void
adopt_none(void)
{
	Finding		finding = {.found = "none"};

	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("no revocation journal is configured"),
				 errhint("Set steward.revocation_file on the standby, or adopt having none on the primary.")));
	steward_revocation_table_forget();
	tell(&finding);
}

STEWARD_FUNCTION(steward_adopt_revocation_journal)
{
	unsigned char realm[STEWARD_REALM_BYTES];
	Finding		finding = {.realm = realm};

	if (!superuser() && GetUserId() != steward_extension_owner())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser or owner of the extension to adopt a revocation journal")));
	if (!steward_revocation_is_configured())
	{
		adopt_none();
		PG_RETURN_VOID();
	}
	(void) steward_roots();
	if (!steward_key_table_realm(realm))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database has no keys and so no revocation journal"),
				 errhint("Create a key with steward.create_key() first.")));
	mend(&finding);
	complete(&finding);
	tell(&finding);
	steward_revocation_worker_wake(false);
	PG_RETURN_VOID();
}

/*
 * revocation_state.c: the revocation journal as this process has read it; see
 * revocation_state.h.
 *
 * Each node has a journal of its own, in an order of its own: backends append
 * after their commits, a standby as it follows. So what the database knows of
 * its journal is a set of subjects, not a length and a hash: a journal is good
 * when it is whole and names all of them.
 */
#include "keys/revocation_state.h"

#include <sodium.h>
#include <time.h>
#include <unistd.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "base/guc.h"
#include "crypto/random.h"
#include "keys/revocation_table.h"
#include "keys/revocation_worker.h"
#include "keys/roots.h"
#include "keys/tables.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef struct NamedSubject
{
	pg_uuid_t	subject;		/* hash key */
	bool		known;			/* the database remembers it */
	char		status;
} NamedSubject;

/* The keys are random: a part of one is as good as its hash. */
static inline uint32
hash_subject(pg_uuid_t subject)
{
	uint32		hash;

	memcpy(&hash, subject.data, sizeof hash);
	return hash;
}

#define SH_PREFIX named
#define SH_ELEMENT_TYPE NamedSubject
#define SH_KEY_TYPE pg_uuid_t
#define SH_KEY subject
#define SH_HASH_KEY(table, key) hash_subject(key)
#define SH_EQUAL(table, a, b) (memcmp((a).data, (b).data, UUID_LEN) == 0)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* A change within so many seconds of a reading may bear the same time. */
#define TIME_GRAIN_SECONDS 2

#define RETRY_MILLISECONDS 10000

static struct
{
	bool		read;			/* the rest is of a journal that was read */
	bool		exists;			/* false: there was no file */
	char		path[MAXPGPATH];
	struct stat status;
	time_t		read_at;
	uint64		roots_generation;
	unsigned char realm[STEWARD_REALM_BYTES];
	StewardJournalReader reader;
	named_hash *names;			/* of our realm, its opening included */
	uint64		elsewhere;		/* records of any realm under an older root */
	bool		known_checked;
	bool		reconciled;
	TimestampTz retry_at;
}			copy;

static MemoryContext copy_context = NULL;
static StewardJournalFile copy_file = STEWARD_JOURNAL_FILE_CLOSED;

bool
steward_revocation_is_configured(void)
{
	return steward_revocation_file != NULL && steward_revocation_file[0] != '\0';
}

bool
steward_revocation_follows(void)
{
	return RecoveryInProgress() && access(STANDBY_SIGNAL_FILE, F_OK) == 0;
}

/*
 * Is what the journal lacks merely not copied yet? So on a standby, and after its
 * promotion until the worker has seen to it. Whatever runs on a backup that was
 * restored must have a journal with all that the database knows.
 */
static bool
is_behind(void)
{
	return steward_revocation_follows() || steward_revocation_worker_followed();
}

void
steward_revocation_copy_close(void)
{
	steward_journal_file_close(&copy_file);
}

void
steward_revocation_copy_forget(void)
{
	steward_journal_file_close(&copy_file);
	copy.read = false;
}

bool
steward_revocation_copy_reserve(StewardJournalFile *file, uint64 records,
								StewardJournalFault *fault)
{
	return steward_journal_file_reserve(file, &copy.reader, records, fault);
}

void
steward_revocation_copy_suspect(void)
{
	copy.reconciled = false;
	copy.retry_at = 0;
}

bool
steward_revocation_copy_is_current(void)
{
	return copy.elsewhere == 0;
}

const unsigned char *
steward_revocation_copy_realm(void)
{
	return copy.realm;
}

static NamedSubject *
find(const unsigned char *subject)
{
	pg_uuid_t	key;

	memcpy(key.data, subject, UUID_LEN);
	return named_lookup(copy.names, key);
}

bool
steward_revocation_copy_names(const unsigned char *subject)
{
	return find(subject) != NULL;
}

/* ---- refusals ---- */

#define ADOPT_HINT "Put the newest copy of the journal in its place. If there is none, take the one that is there with steward.adopt_revocation_journal()."

static pg_attribute_noreturn() void
raise_altered(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("revocation journal was altered"),
			 errdetail("Record %llu is not what was written there.",
					   (unsigned long long) copy.reader.end.count + 1),
			 errhint(ADOPT_HINT)));
}

static pg_attribute_noreturn() void
raise_other_root(void)
{
	char		hex[2 * STEWARD_ROOT_ID_BYTES + 1];

	(void) sodium_bin2hex(hex, sizeof hex, copy.reader.other_root,
						  STEWARD_ROOT_ID_BYTES);
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("root key %s is not in the keyring", hex),
			 errdetail("Record %llu of the revocation journal is under it.",
					   (unsigned long long) copy.reader.end.count + 1),
			 errhint("Add this root key to the keyring and reload the configuration.")));
}

static pg_attribute_noreturn() void
raise_unknown(uint64 missing)
{
	if (copy.reader.end.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("revocation journal is missing"),
				 errdetail_plural("This database had one: it knows %lu record.",
								  "This database had one: it knows %lu records.",
								  (unsigned long) missing,
								  (unsigned long) missing),
				 errhint(ADOPT_HINT)));
	if (copy.names->members == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("revocation journal is of other databases"),
				 errdetail("It has no record of this database, which knows %llu.",
						   (unsigned long long) missing),
				 errhint(ADOPT_HINT)));
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("revocation journal is not the newest"),
			 errdetail_plural("It lacks %lu record that this database knows.",
							  "It lacks %lu records that this database knows.",
							  (unsigned long) missing, (unsigned long) missing),
			 errhint(ADOPT_HINT)));
}

void
steward_revocation_require_none(void)
{
	StewardSubjectList known = {0};

	steward_revocation_table_known(steward_revocation_list_add, &known);
	if (known.count > 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("no revocation journal is configured"),
				 errdetail_plural("This database had one: it knows %lu record.",
								  "This database had one: it knows %lu records.",
								  (unsigned long) known.count,
								  (unsigned long) known.count),
				 errhint("Set steward.revocation_file again. To do without a journal, call steward.adopt_revocation_journal().")));
}

/* ---- reading the file ---- */

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool
same_status(const struct stat *a, const struct stat *b)
{
	return same_file(a, b) && a->st_size == b->st_size &&
		a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
		a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
		a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

void
steward_revocation_copy_start(const unsigned char *realm)
{
	copy.read = false;
	if (copy_context == NULL)
		copy_context = AllocSetContextCreate(TopMemoryContext,
											 "pg_steward revocation journal",
											 ALLOCSET_SMALL_SIZES);
	MemoryContextReset(copy_context);
	memset(&copy, 0, sizeof copy);
	copy.names = named_create(copy_context, 64, NULL);
	memcpy(copy.realm, realm, STEWARD_REALM_BYTES);
	strlcpy(copy.path, steward_revocation_file, sizeof copy.path);
	copy.roots_generation = steward_roots_generation();
}

static void
name_subject(const unsigned char *subject, bool known)
{
	pg_uuid_t	key;
	NamedSubject *entry;
	bool		found;

	memcpy(key.data, subject, UUID_LEN);
	entry = named_insert(copy.names, key, &found);
	if (!found)
		entry->known = known;
}

static void
take_record(const StewardJournalRecord *record, void *arg)
{
	const StewardJournalKeys *keys = arg;

	if (memcmp(record->root_id, keys->keys[keys->count - 1].root_id,
			   STEWARD_ROOT_ID_BYTES) != 0)
		copy.elsewhere++;
	if (memcmp(record->realm, copy.realm, STEWARD_REALM_BYTES) == 0)
		name_subject(record->subject, false);
}

StewardJournalReader
steward_revocation_copy_reader(const StewardJournalFile *file)
{
	static const StewardJournalReader start;

	return copy.read && copy.exists && same_file(&copy.status, &file->status) &&
		file->status.st_size >= copy.reader.end.count * STEWARD_JOURNAL_RECORD_BYTES ?
		copy.reader : start;
}

static void
read_once(StewardJournalFile *file)
{
	StewardJournalKeys keys = steward_root_journal_keys();
	StewardJournalReader reader = steward_revocation_copy_reader(file);
	StewardJournalFault fault;

	if (reader.end.count == 0)
	{
		unsigned char realm[STEWARD_REALM_BYTES];

		memcpy(realm, copy.realm, sizeof realm);
		steward_revocation_copy_start(realm);
	}
	copy.read = false;
	copy.exists = true;
	copy.status = file->status;
	copy.read_at = time(NULL);
	if (!steward_journal_file_read(file, &copy.reader, &keys, take_record, &keys,
								   &fault))
		steward_journal_file_raise(&fault);
}

/* A root that was added to the key file since we read that may be at hand. */
static bool
has_other_root(void)
{
	unsigned char id[STEWARD_ROOT_ID_BYTES];

	memcpy(id, copy.reader.other_root, sizeof id);
	return steward_root_find(id) != NULL;
}

void
steward_revocation_copy_read(StewardJournalFile *file)
{
	read_once(file);
	if (copy.reader.status == STEWARD_JOURNAL_OTHER_ROOT && has_other_root())
		read_once(file);
	if (copy.reader.status == STEWARD_JOURNAL_OTHER_ROOT)
		raise_other_root();
	if (copy.reader.status != STEWARD_JOURNAL_OK)
		raise_altered();
	copy.read = true;
}

/* Does the copy still fit what the path names? */
static bool
is_current(void)
{
	struct stat status;

	if (!copy.read || strcmp(copy.path, steward_revocation_file) != 0 ||
		copy.roots_generation != steward_roots_generation())
		return false;
	if (!steward_journal_file_stat(&status))
		return !copy.exists;
	return copy.exists && same_status(&copy.status, &status) &&
		status.st_mtim.tv_sec + TIME_GRAIN_SECONDS <= copy.read_at;
}

static void
read_file(const unsigned char *realm)
{
	StewardJournalFault fault;

	if (!copy.read || strcmp(copy.path, steward_revocation_file) != 0 ||
		memcmp(copy.realm, realm, STEWARD_REALM_BYTES) != 0 ||
		copy.roots_generation != steward_roots_generation())
		steward_revocation_copy_start(realm);
	steward_journal_file_close(&copy_file);
	if (steward_journal_file_lock(&copy_file, STEWARD_JOURNAL_SHARED |
								  STEWARD_JOURNAL_INTERRUPTIBLE, &fault))
		steward_revocation_copy_read(&copy_file);
	else if (!fault.missing)
		steward_journal_file_raise(&fault);
	else
	{
		steward_revocation_copy_start(realm);
		copy.read = true;
	}
	steward_journal_file_close(&copy_file);
}

/* ---- what the database knows ---- */

typedef struct KnownCheck
{
	uint64		missing;
} KnownCheck;

static void
check_known_subject(const unsigned char *subject, void *arg)
{
	KnownCheck *check = arg;
	NamedSubject *entry = find(subject);

	if (entry != NULL)
		entry->known = true;
	else
		check->missing++;
}

static void
check_known(void)
{
	KnownCheck	check = {0};

	steward_revocation_table_known(check_known_subject, &check);
	if (check.missing > 0 &&
		!(copy.reader.end.count > 0 && is_behind()))
		raise_unknown(check.missing);
	copy.known_checked = true;
}

void
steward_revocation_copy_remember(void)
{
	StewardSubjectList list = {0};
	KnownCheck	check = {0};
	named_iterator iterator;
	NamedSubject *entry;

	if (RecoveryInProgress())
		return;
	/* Others may have remembered some since. */
	steward_revocation_table_known(check_known_subject, &check);
	named_start_iterate(copy.names, &iterator);
	while ((entry = named_iterate(copy.names, &iterator)) != NULL)
	{
		if (!entry->known)
			steward_revocation_list_add(entry->subject.data, &list);
	}
	if (list.count > 0)
		(void) steward_revocation_table_remember(list.subjects, list.count);
	if (list.subjects != NULL)
		pfree(list.subjects);
}

/* ---- reconciling ---- */

uint64
steward_revocation_copy_append(const unsigned char *subjects, uint64 count,
							   bool create)
{
	StewardJournalKeys keys = steward_root_journal_keys();
	StewardJournalFault fault;
	StewardSubjectList list = {.only_unnamed = true};
	unsigned char opening[STEWARD_UUID_BYTES];
	StewardJournalAppend append = {copy.realm};

	steward_journal_file_close(&copy_file);
	if (!steward_journal_file_lock(&copy_file, STEWARD_JOURNAL_EXCLUSIVE |
								   STEWARD_JOURNAL_INTERRUPTIBLE |
								   (create ? STEWARD_JOURNAL_CREATE : 0),
								   &fault))
		steward_journal_file_raise(&fault);
	steward_revocation_copy_read(&copy_file);
	for (uint64 i = 0; i < count; i++)
		steward_revocation_list_add(subjects + i * UUID_LEN, &list);
	append.subjects = list.subjects;
	append.count = list.count;
	if (copy.names->members == 0)
	{
		steward_random_key(opening, sizeof opening);
		append.opening = opening;
	}
	if (append.count > 0 || append.opening != NULL)
	{
		if (!steward_journal_file_reserve(&copy_file, &copy.reader,
										  append.count + 1, &fault) ||
			!steward_journal_file_append(&copy_file, &copy.reader,
										 &keys.keys[keys.count - 1], &append,
										 &fault))
		{
			copy.read_at = 0;
			steward_journal_file_raise(&fault);
		}
		for (uint64 i = 0; i < append.count; i++)
			name_subject(append.subjects + i * UUID_LEN, false);
		if (append.opening != NULL)
			name_subject(append.opening, false);
		/* The status is that of before; the next look reads what was added. */
		copy.read_at = 0;
	}
	steward_journal_file_close(&copy_file);
	if (list.subjects != NULL)
		pfree(list.subjects);
	return list.count;
}

static void
reconcile(bool open_realm)
{
	StewardSubjectList missing = {.only_unnamed = true};
	uint64		added = 0;

	steward_revocation_list_tombstones(&missing);
	if (is_behind())
		steward_revocation_table_known(steward_revocation_list_add, &missing);
	if (missing.count > 0 || (open_realm && copy.names->members == 0))
		added = steward_revocation_copy_append(missing.subjects, missing.count,
											   !copy.exists);
	if (added > 0)
		ereport(steward_revocation_follows() ? DEBUG1 : LOG,
				(errmsg_plural("revocation journal lacked %lu erased subject, which was added",
							   "revocation journal lacked %lu erased subjects, which were added",
							   (unsigned long) added, (unsigned long) added)));
	if (missing.subjects != NULL)
		pfree(missing.subjects);
	copy.reconciled = true;
}

/* For a reader: what the journal misses is no reason not to read. */
static void
try_reconcile(void)
{
	MemoryContext context = CurrentMemoryContext;

	if (copy.retry_at != 0 && GetCurrentTimestamp() < copy.retry_at)
		return;
	PG_TRY();
	{
		reconcile(false);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		/* Only that it cannot be written; what was read must be good. */
		if (error->sqlerrcode != ERRCODE_CONFIG_FILE_ERROR || !copy.read)
			PG_RE_THROW();
		FlushErrorState();
		steward_journal_file_close(&copy_file);
		copy.retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													RETRY_MILLISECONDS);
		ereport(LOG,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("revocation journal does not take erased subjects that it misses"),
				 errdetail("%s", error->detail != NULL ? error->detail :
						   error->message)));
		FreeErrorData(error);
	}
	PG_END_TRY();
}

bool
steward_revocation_refresh(StewardReconcile reconcile_how)
{
	unsigned char realm[STEWARD_REALM_BYTES];

	(void) steward_roots();
	if (!is_current())
	{
		if (!steward_key_table_realm(realm))
			return false;
		read_file(realm);
	}
	if (!copy.known_checked)
		check_known();

	/*
	 * While a backup is brought to a point in time its tombstones come before
	 * what it knows of its journal: to add them would hide that the journal
	 * is an older one.
	 */
	if (RecoveryInProgress() && !steward_revocation_follows())
		return true;
	if (reconcile_how == STEWARD_RECONCILE_NOW)
	{
		if (!copy.reconciled || copy.names->members == 0)
			reconcile(true);
	}
	else if (reconcile_how == STEWARD_RECONCILE_ONCE && !copy.reconciled &&
			 !steward_revocation_worker_keeps())
		try_reconcile();
	return true;
}

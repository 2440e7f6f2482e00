/*
 * guc.c: the settings under "steward.", in alphabetical order.
 */
#include "base/guc.h"

#include <limits.h>

#include "utils/guc.h"

int			steward_access_audit = STEWARD_ACCESS_REQUIRED;
bool		steward_access_audit_fsync = false;
int			steward_access_audit_rows = 100;
int			steward_access_spool_size = 1024;
bool		steward_allow_unkeyed_ddl = false;
int			steward_audit_buffer_size = 1024;
bool		steward_audit_ddl = true;
bool		steward_audit_query_id = false;
int			steward_audit_segment_age = 7 * 86400;
int			steward_audit_segment_size = 1024 * 1024;
char	   *steward_checkpoint_command = NULL;
int			steward_checkpoint_timeout = 60000;
int			steward_context_lifetime = 60000;
int			steward_max_workers = 2;
bool		steward_override_hold = false;
bool		steward_protect_memory = true;
int			steward_require_context = STEWARD_CONTEXT_OFF;
int			steward_retention_retry_delay = 60000;
char	   *steward_revocation_command = NULL;
char	   *steward_revocation_file = NULL;
int			steward_revocation_interval = 10000;
int			steward_revocation_timeout = 60000;
char	   *steward_root_key_command = NULL;
char	   *steward_root_key_file = NULL;
int			steward_root_key_timeout = 10000;
int			steward_seal_interval = 1000;
int			steward_subject_cache_size = 4096;

static const struct config_enum_entry access_modes[] = {
	{"required", STEWARD_ACCESS_REQUIRED, false},
	{"best_effort", STEWARD_ACCESS_BEST_EFFORT, false},
	{"off", STEWARD_ACCESS_OFF, false},
	{NULL, 0, false}
};

static const struct config_enum_entry required_contexts[] = {
	{"off", STEWARD_CONTEXT_OFF, false},
	{"actor", STEWARD_CONTEXT_ACTOR, false},
	{"authenticated", STEWARD_CONTEXT_AUTHENTICATED, false},
	{NULL, 0, false}
};

static void
define_access(void)
{
	DefineCustomEnumVariable("steward.access_audit",
							 "What happens when a read of an audited table cannot be recorded.",
							 "required: the read fails; best_effort: it goes on with a warning; off: reads are not recorded.",
							 &steward_access_audit, STEWARD_ACCESS_REQUIRED, access_modes,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("steward.access_audit_fsync",
							 "Waits until the record of a read is on disk.",
							 "Without it a crash of the machine, though not of the server, can lose the newest records.",
							 &steward_access_audit_fsync, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.access_audit_rows",
							"Number of rows of each table whose keys the record of a read names.",
							"Further rows are counted.",
							&steward_access_audit_rows, 100, 0, 10000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.access_spool_size",
							"Size of all records of reads that wait for their import, beyond which no more are accepted.",
							NULL,
							&steward_access_spool_size, 1024, 1, MAX_KILOBYTES / 1024,
							PGC_SIGHUP, GUC_UNIT_MB, NULL, NULL, NULL);
}

static void
define_a(void)
{
	DefineCustomBoolVariable("steward.allow_unkeyed_ddl",
							 "Lets DDL pass that the guard of encrypted types refuses.",
							 "For a rescue: such objects can hold values that anyone who reads the catalogs can open.",
							 &steward_allow_unkeyed_ddl, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.audit_buffer_size",
							"Memory for the audit records of a transaction that are not written yet.",
							"A subtransaction has as much of its own; 0 writes each record at once.",
							&steward_audit_buffer_size, 1024, 0, 65536,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomBoolVariable("steward.audit_ddl",
							 "Records commands that change definitions and rights, once a table is audited.",
							 "Turning it off is recorded.",
							 &steward_audit_ddl, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("steward.audit_query_id",
							 "Records the query id of the statement that made a change.",
							 "Needs compute_query_id, or an extension that computes it. Each statement then writes a context of its own.",
							 &steward_audit_query_id, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.audit_segment_age",
							"Age at which the newest segment of the audit log is followed by another.",
							"0: never because of its age.",
							&steward_audit_segment_age, 7 * 86400, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.audit_segment_size",
							"Size at which the newest segment of the audit log is followed by another.",
							"It is looked at from time to time, so a segment may become somewhat larger.",
							&steward_audit_segment_size, 1024 * 1024, 64, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
}

static void
define_b_to_q(void)
{
	DefineCustomStringVariable("steward.checkpoint_command",
							   "Command that takes each checkpoint of the ledger elsewhere, run after a block was sealed.",
							   "%p is replaced by the path of a file with the signed note. Needs shared_preload_libraries = 'pg_steward'.",
							   &steward_checkpoint_command, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.checkpoint_timeout",
							"Time after which checkpoint_command is ended.",
							NULL,
							&steward_checkpoint_timeout, 60000, 100, 86400000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.context_lifetime",
							"Time for which the MAC of a context can be used after it was issued.",
							"Clocks of application servers may be ahead of the server's by 30 seconds.",
							&steward_context_lifetime, 60000, 1000, 86400000,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.max_workers",
							"Number of databases that are worked for in the background at the same time.",
							"Each takes one of max_worker_processes while it is worked for. 0: nothing is done in the background.",
							&steward_max_workers, 2, 0, 64,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("steward.override_hold",
							 "Lets commands pass that legal holds refuse.",
							 "Each is recorded, with the hold, once a table is audited.",
							 &steward_override_hold, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("steward.protect_memory",
							 "Makes processes that hold keys unreadable through /proc and leaves them out of core dumps.",
							 NULL,
							 &steward_protect_memory, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
}

static void
define_r(void)
{
	DefineCustomEnumVariable("steward.require_context",
							 "What steward.set_context() must have said in a transaction that changes audited tables.",
							 "off, actor: that there is an actor, or authenticated: proved by a context key. Changes that logical replication applies need none.",
							 &steward_require_context, STEWARD_CONTEXT_OFF,
							 required_contexts, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.retention_retry_delay",
							"Time after which a scheduled run of a retention policy that failed is tried again.",
							"It doubles with each failure in a row, up to 360 times of it or 6 hours; part of it is random. After 10 failures the policy is quarantined.",
							&steward_retention_retry_delay, 60000, 10, 86400000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomStringVariable("steward.revocation_command",
							   "Command that copies the revocation journal elsewhere, run after it changed.",
							   "%p is replaced by the path of the journal. Needs shared_preload_libraries = 'pg_steward'.",
							   &steward_revocation_command, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("steward.revocation_file",
							   "The revocation journal: names every erased subject, outside the data directory and its backups.",
							   "Made when it is first needed; writable by the server's user alone.",
							   &steward_revocation_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.revocation_interval",
							"Time after which erasures are looked for that the revocation journal misses.",
							NULL,
							&steward_revocation_interval, 10000, 100, 86400000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.revocation_timeout",
							"Time after which revocation_command is ended.",
							NULL,
							&steward_revocation_timeout, 60000, 100, 86400000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomStringVariable("steward.root_key_command",
							   "Command that prints the keyring, run at start and at reload.",
							   "Needs shared_preload_libraries = 'pg_steward'. Only one of root_key_file and root_key_command may be set.",
							   &steward_root_key_command, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("steward.root_key_file",
							   "File that holds the keyring, outside the data directory.",
							   "Written by pg_steward_keygen; readable by the server's user alone.",
							   &steward_root_key_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.root_key_timeout",
							"Time after which root_key_command is ended.",
							NULL,
							&steward_root_key_timeout, 10000, 100, 600000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
}

static void
define_s_to_z(void)
{
	DefineCustomIntVariable("steward.seal_interval",
							"Time after a commit within which its audit records are sealed into the ledger.",
							"0 seals when steward.seal_ledger() is called. Needs shared_preload_libraries = 'pg_steward'.",
							&steward_seal_interval, 1000, 0, 86400000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("steward.subject_cache_size",
							"Number of subjects whose keys a session keeps ready.",
							"Each takes 48 bytes of locked memory in every session that reads values bound to subjects.",
							&steward_subject_cache_size, 4096, 8, 1000000,
							PGC_SUSET, 0, NULL, NULL, NULL);
}

void
steward_guc_init(void)
{
	define_access();
	define_a();
	define_b_to_q();
	define_r();
	define_s_to_z();
	MarkGUCPrefixReserved("steward");
}

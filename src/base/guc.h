/*
 * guc.h: the settings under "steward.".
 */
#ifndef STEWARD_BASE_GUC_H
#define STEWARD_BASE_GUC_H

#include "base/compat.h"

/* What a read that cannot be recorded is. */
typedef enum StewardAccessMode
{
	STEWARD_ACCESS_REQUIRED,
	STEWARD_ACCESS_BEST_EFFORT,
	STEWARD_ACCESS_OFF
} StewardAccessMode;

extern int	steward_access_audit;	/* StewardAccessMode */
extern bool steward_access_audit_fsync;
extern int	steward_access_audit_rows;	/* of each table */
extern int	steward_access_spool_size;	/* megabytes */
extern bool steward_audit_ddl;
extern int	steward_audit_segment_age;	/* seconds */
extern int	steward_audit_segment_size; /* kB */
extern int	steward_max_workers;
extern int	steward_retention_retry_delay;	/* milliseconds */
extern bool steward_override_hold;
extern char *steward_revocation_command;
extern char *steward_revocation_file;
extern int	steward_revocation_interval;	/* milliseconds */
extern int	steward_revocation_timeout; /* milliseconds */
extern char *steward_root_key_file;
extern char *steward_root_key_command;
extern int	steward_root_key_timeout;	/* milliseconds */
extern bool steward_protect_memory;
extern int	steward_audit_buffer_size;	/* kilobytes */
extern bool steward_audit_query_id;
extern int	steward_context_lifetime;	/* milliseconds */
extern int	steward_require_context;	/* a StewardRequiredContext */
extern bool steward_allow_unkeyed_ddl;
extern int	steward_subject_cache_size; /* entries */
extern char *steward_checkpoint_command;
extern int	steward_checkpoint_timeout; /* milliseconds */
extern int	steward_seal_interval;	/* milliseconds; 0: by hand alone */

/* What a transaction must say of itself before it changes an audited table. */
typedef enum StewardRequiredContext
{
	STEWARD_CONTEXT_OFF,
	STEWARD_CONTEXT_ACTOR,
	STEWARD_CONTEXT_AUTHENTICATED
} StewardRequiredContext;

/* Defines the settings and reserves the prefix; called once by _PG_init. */
extern void steward_guc_init(void);

#endif							/* STEWARD_BASE_GUC_H */

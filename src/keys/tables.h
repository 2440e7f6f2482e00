/*
 * tables.h: reading the key tables.
 *
 * Every read sees the newest committed rows (and this transaction's own), not
 * those of the statement's snapshot: revocation and erasure must be immediate,
 * and a constraint of an old snapshot must not keep a key alive. It is done
 * with the catalog snapshot, which PostgreSQL takes anew for a relation that
 * has no system cache; GetLatestSnapshot() would do the same but is forbidden
 * in parallel mode.
 *
 * No table is read through SPI: no search path, no row security, no plan.
 */
#ifndef STEWARD_KEYS_TABLES_H
#define STEWARD_KEYS_TABLES_H

#include "base/compat.h"

#include "access/htup.h"
#include "crypto/wrap.h"

/* A row of steward.key. */
typedef struct StewardKeyRow
{
	uint32		key_id;
	uint32		holder_id;
	char		path[256];
	bool		own;			/* written by this very transaction */
} StewardKeyRow;

/* A row of steward.key_version or steward.key_secret, without its ids. */
typedef struct StewardWrappedRow
{
	int32		version;		/* key_version only */
	uint32		key_tag;		/* key_version only */
	unsigned char root_id[STEWARD_ROOT_ID_BYTES];
	unsigned char wrapped[STEWARD_WRAP_BYTES];
	bool		destroyed;		/* key_version only: root and wrap are gone */
	TransactionId xmin;			/* key_version only: who wrote the row */
	bool		own;
} StewardWrappedRow;

/* Is this one of the key tables? For invalidation callbacks. */
extern bool steward_key_table_is(Oid relid);

/* False when the extension or the row does not exist. */
extern bool steward_key_table_find(uint32 key_id, StewardKeyRow *row);

/* Is there any row in steward.key? */
extern bool steward_key_table_any(void);

/* All versions of a holder, in a palloc'd array; returns their number. */
extern int	steward_key_table_versions(uint32 holder_id,
									   StewardWrappedRow **rows);

/* The secret of this kind, key id and generation; only those of indexes have
 * other generations than 1. */
extern bool steward_key_table_secret(StewardWrapKind kind, uint32 key_id,
									 int32 generation, StewardWrappedRow *row);

/* The newest generation of a holder's index secret; 0 when it has none. */
extern int32 steward_key_table_newest_index_secret(uint32 holder_id);

/* The realm of this database. */
extern bool steward_key_table_realm(unsigned char realm[STEWARD_REALM_BYTES]);

/* The StewardRight that a privilege's name stands for; 0 for any other name. */
extern int	steward_right_of_name(const char *privilege);

/* Calls back for every grant on a holder. */
typedef void (*StewardGrantCallback) (Oid grantee, int right, void *arg);
extern void steward_key_table_grants(uint32 holder_id,
									 StewardGrantCallback callback, void *arg);

/* The marker relation whose ACL ties grantees to this database; InvalidOid
 * when it does not exist. */
extern Oid	steward_key_table_grantee_marker(void);

#endif							/* STEWARD_KEYS_TABLES_H */

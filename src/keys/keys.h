/*
 * keys.h: named keys, as the rest of the extension uses them.
 *
 * Terms
 *	 key id		number of a key path; 0 means transient
 *	 holder		the named key whose material a path uses: its first segment
 *	 version	one 32-byte key of a holder, named by its key tag
 *	 right		what a role may do with the values under a holder
 *
 * Pointers to keys are good until the next call of any function that may read
 * tables: use them at once.
 */
#ifndef STEWARD_KEYS_KEYS_H
#define STEWARD_KEYS_KEYS_H

#include "base/compat.h"

#include "crypto/value.h"

typedef enum StewardRight
{
	STEWARD_RIGHT_DECRYPT = 1,
	STEWARD_RIGHT_SEARCH = 2,
	STEWARD_RIGHT_LOAD = 4
} StewardRight;

/* Registers callbacks; when preloaded also the root command's worker. */
extern void steward_keys_init(void);

/*
 * The key under which new values of this key id are sealed, and its tag; key
 * id 0 gives the transient key. Raises ERRCODE_UNDEFINED_OBJECT for an unknown
 * key and ERRCODE_CONFIG_FILE_ERROR without its root.
 */
extern const StewardValueKey *steward_key_for_sealing(uint32 key_id,
													  uint32 *key_tag);

/*
 * The key that opens a value. Raises as above, ERRCODE_UNDEFINED_OBJECT when
 * the key has no such version, and ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
 * when the version was destroyed.
 */
extern const StewardValueKey *steward_key_for_opening(uint32 key_id,
													  uint32 key_tag);

/* Keys of the hash and unique classes. Raises ERRCODE_UNDEFINED_OBJECT before
 * the first key was created and ERRCODE_CONFIG_FILE_ERROR without its root. */
extern const StewardTagKeys *steward_tag_keys(void);

/* The same, but NULL before the first key was created, or without its root. */
extern const StewardTagKeys *steward_tag_keys_if_any(void);

/*
 * The newest generation of the index secret of a key, which an index that is
 * built now takes; a path below a key has its holder's. Reads the newest committed
 * rows. Raises ERRCODE_UNDEFINED_OBJECT for an unknown key, and for one without any.
 * Needs no root; checks no right.
 */
extern int32 steward_index_secret_newest(uint32 key_id);

/*
 * The key of one column of a blind index: SipHash's, of STEWARD_TAG_KEY_BYTES, in
 * locked memory. Generation and salt are those in the index's metapage, columns
 * count from 1. A few nanoseconds for one of the last that were asked for; else
 * it reads tables, so the caller holds no buffer lock. Raises
 * ERRCODE_UNDEFINED_OBJECT for an unknown key and for a generation that it does not
 * have, and ERRCODE_CONFIG_FILE_ERROR without its root. Checks no right.
 */
extern const unsigned char *steward_index_key(uint32 key_id, int32 generation,
											  const unsigned char salt[STEWARD_INDEX_SALT_BYTES],
											  uint16 column);

/*
 * Deletes a generation of the index secret of a key that is not the newest, as
 * the extension's owner, and tells of it as an event. Indexes that go by it are of
 * no use from then on, so the caller has made sure that there is none, nor one
 * being built. Connects to SPI itself. Raises ERRCODE_UNDEFINED_OBJECT for an
 * unknown key or generation, ERRCODE_OBJECT_IN_USE for the newest. Locks
 * steward.key, see README; checks no right.
 */
extern void steward_index_secret_drop(uint32 key_id, int32 generation);

/*
 * The key id of a path, which the process remembers. Raises ERRCODE_INVALID_NAME,
 * and ERRCODE_DUPLICATE_OBJECT when the id is that of another path that is known:
 * what is sealed under it would be under the other's key. Needs no root.
 */
extern uint32 steward_key_named(const char *path);

/* Is the path of this id registered, or known to this process below a
 * registered holder? Needs no root. */
extern bool steward_key_is_known(uint32 key_id);

/* Has it any version yet, destroyed or not? Not while its tables are being
 * restored. Needs no root. */
extern bool steward_key_has_versions(uint32 key_id);

/* Has a known key this version, not destroyed? Needs no root. */
extern bool steward_key_has_version(uint32 key_id, uint32 key_tag);

/* Would steward_key_for_opening find it, unaltered? Raises
 * ERRCODE_CONFIG_FILE_ERROR without the root that it needs. */
extern bool steward_key_opens(uint32 key_id, uint32 key_tag);

/* Was this version of a known key destroyed? Needs no root. */
extern bool steward_key_is_destroyed(uint32 key_id, uint32 key_tag);

/* The tag under which new values of a key are sealed; false when the key is
 * unknown or has no version. Needs no root. */
extern bool steward_key_current_tag(uint32 key_id, uint32 *key_tag);

/* Does this database have any key? False also without the extension. */
extern bool steward_key_any(void);

/* The registered path of an id, copied to the caller's context, or NULL. */
extern char *steward_key_path(uint32 key_id);

/*
 * Registers a path that the process remembers for this id when its holder
 * exists and it is not registered yet. Raises ERRCODE_DUPLICATE_OBJECT when
 * the id belongs to another path. Writes steward.key as the extension owner.
 */
extern void steward_key_register(uint32 key_id);

/* May this role do any of these (a mask of StewardRight) with the key? */
extern bool steward_key_allowed(uint32 key_id, Oid role, int rights);

/* Raises ERRCODE_INSUFFICIENT_PRIVILEGE unless the current user may. */
extern void steward_key_require(uint32 key_id, int rights);

/* The same of another role, which the error names. */
extern void steward_key_require_of(uint32 key_id, Oid role, int rights);

/* The table that is invalidated with every change of rights; or InvalidOid. */
extern Oid	steward_key_rights_table(void);

/* Does the role itself hold REFERENCES on the marker of grantees? */
extern bool steward_grantee_is_marked(Oid marker, Oid role);

/* Forgets cached rights; called whenever key tables changed. */
extern void steward_rights_flush(void);

/* Counts up whenever somebody's rights may have changed. */
extern uint64 steward_rights_generation(void);
extern void steward_rights_init(void);

/* Takes notice of what others committed to key tables, in the middle of a
 * statement too; costs next to nothing when there is nothing. */
extern void steward_keys_hear(void);

/* Counts up whenever the cached keys were thrown away. */
extern uint64 steward_key_generation(void);

/*
 * To be called by who keeps something that came of a row of this very
 * transaction: steward_key_generation counts up at its end, and when a
 * subtransaction is rolled back.
 */
extern void steward_key_note_own(void);

/* The holder of a key id; 0 when the key is unknown. */
extern uint32 steward_key_holder(uint32 key_id);

#endif							/* STEWARD_KEYS_KEYS_H */

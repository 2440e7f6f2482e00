/*
 * manage.h: what the functions that change key tables share.
 *
 * All of it is called with SPI connected and as the extension's owner.
 */
#ifndef STEWARD_KEYS_MANAGE_H
#define STEWARD_KEYS_MANAGE_H

#include "base/compat.h"

#include "crypto/wrap.h"

/*
 * Runs one statement of ours, which names its schemas; returns the number of
 * rows. Raises an internal error unless SPI answers with expected.
 */
extern uint64 steward_keys_run(const char *sql, int count, Oid *types,
							   Datum *values, int expected);

/* A bytea of these bytes, in the current context. */
extern Datum steward_bytes_datum(const unsigned char *bytes, size_t len);

/* Several may change keys at once: this lets one after the other, each until
 * the end of its transaction. */
extern void steward_keys_lock(void);

/* The realm of this database, made now if it has none and has no keys. */
extern void steward_keys_realm(unsigned char realm[STEWARD_REALM_BYTES]);

/*
 * The id of an existing key that has material of its own; what names in the
 * plural what a path below it has not, as in "rights". Raises
 * ERRCODE_UNDEFINED_OBJECT and ERRCODE_WRONG_OBJECT_TYPE. Needs no SPI.
 */
extern uint32 steward_key_find_holder(const char *path, const char *what);

/*
 * Makes a version of a holder and stores it, wrapped under the current root;
 * returns its key tag. Raises ERRCODE_CONFIG_FILE_ERROR without a root.
 */
extern uint32 steward_key_version_insert(const unsigned char *realm,
										 uint32 key_id, int32 version);

/*
 * Makes an index or hash secret and stores it likewise. The hash secret has key id
 * 0 and generation 1.
 */
extern void steward_key_secret_insert(const unsigned char *realm,
									  StewardWrapKind kind, uint32 key_id,
									  int32 generation);

#endif							/* STEWARD_KEYS_MANAGE_H */

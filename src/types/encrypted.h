/*
 * encrypted.h: values of the encrypted types.
 *
 * One implementation serves all types; what differs stands in a descriptor, see
 * type_info.h, which also says what plaintext bytes and canonical bytes are.
 *
 * Terms
 *	 armour		the text form of ciphertext, "stw1:…"
 *	 transient	sealed under the key of the current root (key id 0), because
 *				the column's key is not known yet; never stored
 */
#ifndef STEWARD_TYPES_ENCRYPTED_H
#define STEWARD_TYPES_ENCRYPTED_H

#include "base/compat.h"

#include "crypto/datum.h"
#include "nodes/bitmapset.h"

/* The descriptor of an encrypted type; see type_info.h. */
typedef struct StewardTypeInfo StewardTypeInfo;

/*
 * A plaintext: bytes of plain.c, which are zeroed when they are freed or the
 * transaction fails, or bytes that the caller owns.
 */
typedef struct StewardPlain
{
	unsigned char *bytes;
	size_t		len;
	bool		owned;			/* bytes are plain.c's */
} StewardPlain;

/*
 * Memory for a plaintext of this size, with a NUL after it. Raises
 * ERRCODE_INVALID_PARAMETER_VALUE beyond MaxAllocSize, as palloc does. It
 * stays until steward_plain_free or the end of the (sub)transaction.
 */
extern StewardPlain steward_plain_make(size_t size);

/* A plaintext in somebody else's memory, which free leaves alone. */
extern StewardPlain steward_plain_borrow(const char *text, size_t len);

/* Zeroes and frees what is owned. */
extern void steward_plain_free(StewardPlain *plain);

/*
 * Zeroes and frees every plaintext that an error left behind: for those who
 * catch errors without a subtransaction. None may be in use.
 */
extern void steward_plain_wipe_all(void);

/*
 * Who counts the values whose plaintext is handed out, by key id and subject (NULL
 * when not bound); NULL for nobody. May read tables.
 */
typedef void (*StewardDecrypted) (uint32 key_id, const unsigned char *subject);
extern StewardDecrypted steward_on_decrypted;

/* Has a value been opened in this transaction? Its end then clears the stack. */
extern bool steward_plain_opened;

/* Registers the callbacks that do so; called by steward_types_init. */
extern void steward_plain_init(void);

/* Largest plaintext whose armour is still a value that can be dumped. */
#define STEWARD_PLAIN_MAX ((size_t) (MaxAllocSize / 4 * 3 - 1024))

/*
 * Seals plaintext bytes under a key id (0 = transient) and, unless NULL, bound to
 * the subject of this uuid; a varlena in the current context. Raises what
 * steward_key_for_sealing raises, and ERRCODE_PROGRAM_LIMIT_EXCEEDED. Checks no
 * right. When the subject was erased, steward_seal raises
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE and steward_try_seal gives NULL.
 */
extern struct varlena *steward_try_seal(const StewardTypeInfo *info,
										uint32 key_id,
										const unsigned char *subject,
										const unsigned char *plain, size_t len);
extern struct varlena *steward_seal(const StewardTypeInfo *info, uint32 key_id,
									const unsigned char *subject,
									const unsigned char *plain, size_t len);

/*
 * Parses a detoasted value; raises ERRCODE_DATA_CORRUPTED when it is malformed
 * or of another type. *datum points into value.
 */
extern void steward_parse(const StewardTypeInfo *info, StewardDatum *datum,
						  struct varlena *value);

/*
 * Opens a parsed value into out, which has room for datum->plain_len bytes.
 * False, and nothing written, when the value is bound to a subject that was
 * erased: whoever reads it gets NULL. Raises ERRCODE_DATA_CORRUPTED with one
 * constant text. Checks no right.
 */
extern bool steward_open_into(const StewardDatum *datum, unsigned char *out);

/*
 * The same into fresh memory, to be given to steward_plain_free; for an erased
 * value false and a plaintext without bytes.
 */
extern bool steward_open(const StewardDatum *datum, StewardPlain *plain);

/* How it went. */
typedef enum StewardOpening
{
	STEWARD_OPENING_DONE,
	STEWARD_OPENING_ERASED,
	STEWARD_OPENING_FAILED
} StewardOpening;

/*
 * The same, which says it of a value that cannot be opened: it was altered, or its
 * key, root or subject are not there. The plaintext is there,
 * and to be given back, only when it is done. Raises what is wrong with the server or with
 * its configuration.
 */
extern StewardOpening steward_try_open(const StewardDatum *datum,
									   StewardPlain *plain);

/*
 * Gives a value the key of a type modifier: returns it as it is when it has
 * that key already (or typmod is -1), else opens it, for which a named key needs
 * the right to decrypt, and seals it again, bound to the same subject. NULL when
 * that subject was erased.
 */
extern struct varlena *steward_recode(const StewardTypeInfo *info,
									  struct varlena *value, int32 typmod);

/*
 * Lets decrypt() open the values under this key id whoever runs it, also inside a
 * maintenance operation, until it is called with 0, as it must be on every path.
 * For converting a column, once somebody with the right has asked for that.
 *
 * Only what is meant is let: with columns, decrypt() of a column with one of these
 * numbers, in a utility statement that the caller runs; without, the caller's own
 * call of the function. What the table's owner has hung on the table runs in
 * between and gets nothing.
 */
extern void steward_decrypt_authorise(uint32 key_id, const Bitmapset *columns);

/* The key id of a type modifier: 0 (transient) for -1. */
extern uint32 steward_typmod_key(int32 typmod);

/*
 * Checks that the current user may bring this ciphertext in as it is (armour,
 * binary input) and that it fits the column: structure, key, version.
 */
extern void steward_check_load(const StewardTypeInfo *info,
							   struct varlena *value, int32 typmod);

/*
 * Text of the server's encoding as UTF-8: converted, or borrowed where nothing
 * is to be done. The caller frees it. Raises ERRCODE_UNTRANSLATABLE_CHARACTER
 * and, without a conversion, ERRCODE_FEATURE_NOT_SUPPORTED.
 */
extern StewardPlain steward_text_to_utf8(const char *text, size_t len);

/* Replaces UTF-8 by text of the server's encoding. Raises the same. */
extern void steward_plain_to_server(StewardPlain *plain);

/* Asks who runs a plan for the right to search; called by steward_types_init. */
extern void steward_scan_rights_init(void);

/* Looks at indexes and foreign keys while they are made; called likewise. */
extern void steward_guard_create_init(void);

/* Keeps plaintext parameters out of plans, and COPY's data out of errors; called
 * by steward_types_init. */
extern void steward_parameters_init(void);

/* Registers all of the floor's callbacks and hooks; called by _PG_init. */
extern void steward_types_init(void);

#endif							/* STEWARD_TYPES_ENCRYPTED_H */

/*
 * revocation.h: the revocation journal, a file that names every erased subject.
 *
 * It lies outside the data directory and its backups, so that restoring an old
 * backup, in which a secret is still alive, does not bring a person back: a
 * subject that the journal names is not unwrapped. See revocation.c for how it
 * follows the table and docs/formats.md for its bytes.
 *
 * Terms
 *	 tombstone	what steward.subject_key holds of an erased subject
 *	 journal	the file steward.revocation_file of this server; one for all
 *				its databases, told apart by their realms
 *	 known		subjects of which this database remembers that its journal
 *				held them (steward.revocation_known)
 */
#ifndef STEWARD_KEYS_REVOCATION_H
#define STEWARD_KEYS_REVOCATION_H

#include "base/compat.h"

#include "crypto/kdf.h"

/* Registers callbacks; when preloaded also the worker. By steward_keys_init. */
extern void steward_revocation_init(void);

/*
 * Notes that this transaction erases a subject: to be called right after the
 * tombstone is written, in the same (sub)transaction. After the commit, and not
 * before, the journal names it; a subtransaction that is rolled back takes its
 * subjects along; PREPARE TRANSACTION is refused from here on.
 *
 * Raises ERRCODE_CONFIG_FILE_ERROR, here or before the commit, when the journal
 * is unusable or cannot take a record. Without steward.revocation_file it WARNs,
 * once in a transaction, that restoring an older backup brings the secret back.
 * Writes steward.revocation_known as the extension's owner.
 */
extern void steward_revocation_collect(const unsigned char subject[STEWARD_UUID_BYTES]);

/*
 * Does the journal name this subject? To be asked before a subject's secret is
 * unwrapped. First makes sure that the journal is the one this database knows
 * and, the first time in a process, that it holds every committed tombstone.
 * Costs a stat() when nothing changed. False without steward.revocation_file.
 *
 * Raises ERRCODE_CONFIG_FILE_ERROR when the journal is missing, foreign, shorter
 * than the database knows, altered, or not configured although the database
 * had one, until adopt_revocation_journal(). Reads tables and roots: pointers to
 * keys that were taken before are no longer good. May be called in parallel
 * workers and on standbys; takes no lock that outlives the call.
 */
extern bool steward_revocation_is_revoked(const unsigned char subject[STEWARD_UUID_BYTES]);

/*
 * Rewrites the journal under the current root, so that older roots may leave
 * the keyring; the last step of rotate_root_key. Nothing happens without a
 * journal. Replaces the file atomically, for all databases at once. Raises
 * ERRCODE_CONFIG_FILE_ERROR when it is unusable or cannot be written.
 */
extern void steward_revocation_rekey(void);

/* Gives up the journal that a rewrite or an adoption has locked: when an error
 * ended it. Raises nothing. */
extern void steward_revocation_rewrite_close(void);

#endif							/* STEWARD_KEYS_REVOCATION_H */

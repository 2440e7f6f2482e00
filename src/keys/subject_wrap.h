/*
 * subject_wrap.h: secrets and tombstones of subjects, wrapped and opened.
 *
 * All of them raise ERRCODE_CONFIG_FILE_ERROR without the root they need and
 * ERRCODE_DATA_CORRUPTED when the database has no realm.
 */
#ifndef STEWARD_KEYS_SUBJECT_WRAP_H
#define STEWARD_KEYS_SUBJECT_WRAP_H

#include "base/compat.h"

#include "keys/subject.h"
#include "keys/subject_table.h"

/* The kind and the digest of a name, as they stand in the table. */
extern void steward_subject_label(StewardSubjectLabel *label,
								  const StewardSubjectName *name);

/* Opens a secret into secrets->scratch, which the caller zeroes; false when the
 * row was altered. */
extern bool steward_subject_unwrap(const StewardSubjectRow *row);

/* Is this the row of an erased subject with its own tombstone? */
extern bool steward_subject_is_tombstone(const StewardSubjectRow *row);

/* Fill root_id and wrapped for the uuid: a fresh secret, or a tombstone, under
 * the current root, which is recorded. */
extern void steward_subject_wrap_fresh(StewardSubjectRow *row);
extern void steward_subject_wrap_tombstone(StewardSubjectRow *row);

#endif							/* STEWARD_KEYS_SUBJECT_WRAP_H */

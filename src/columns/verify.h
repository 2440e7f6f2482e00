/*
 * verify.h: the parts of steward.verify_column.
 *
 * verify.c goes through the rows of a table and the parts of each value;
 * verify_value.c judges one encrypted value.
 */
#ifndef STEWARD_COLUMNS_VERIFY_H
#define STEWARD_COLUMNS_VERIFY_H

#include "base/compat.h"

#include "keys/subject.h"
#include "types/type_info.h"

/* Takes what is wrong with a value; detail may be NULL. */
typedef void (*StewardFindingCallback) (void *arg, const char *finding,
										const char *detail);

/* Whose the row is in which a value lies. */
typedef struct StewardVerifyOwner
{
	bool		bound;			/* the table is, and the row has a key */
	bool		known;			/* this database has that subject */
	StewardSubject subject;
} StewardVerifyOwner;

/*
 * Opens a value of this type and calls back for each thing that is wrong with it.
 * key_id is that of the column, 0 when it has none. That a value's subject was
 * erased is nothing wrong. No error is raised for what
 * the value holds, only for keys: ERRCODE_CONFIG_FILE_ERROR without a root, and
 * ERRCODE_DATA_CORRUPTED for a wrapped key that was altered. The plaintext is
 * zeroed before it returns; checks no right.
 */
extern void steward_verify_value(const StewardTypeInfo *info, uint32 key_id,
								 const StewardVerifyOwner *owner,
								 struct varlena *value,
								 StewardFindingCallback report, void *arg);

#endif							/* STEWARD_COLUMNS_VERIFY_H */

/*
 * revocation_list.c: lists of subjects for the revocation journal; see
 * revocation_state.h.
 */
#include "keys/revocation_state.h"

#include "keys/revocation_table.h"
#include "keys/roots.h"
#include "keys/subject_wrap.h"
#include "miscadmin.h"
#include "utils/uuid.h"

void
steward_revocation_list_add(const unsigned char *subject, void *arg)
{
	StewardSubjectList *list = arg;

	if (list->only_unnamed && steward_revocation_copy_names(subject))
		return;
	if (list->count == list->capacity)
	{
		list->capacity = Max(64, 2 * list->capacity);
		list->subjects = list->subjects == NULL ?
			palloc(list->capacity * UUID_LEN) :
			repalloc_huge(list->subjects, list->capacity * UUID_LEN);
	}
	memcpy(list->subjects + list->count++ * UUID_LEN, subject, UUID_LEN);
}

/* The unnamed subjects whose tombstones are real: a record cannot be undone. */
void
steward_revocation_list_tombstones(StewardSubjectList *missing)
{
	uint64		kept = missing->count;

	steward_revocation_table_tombstones(steward_revocation_list_add, missing);
	for (uint64 i = kept; i < missing->count; i++)
	{
		const unsigned char *subject = missing->subjects + i * UUID_LEN;
		StewardSubjectRow row;

		CHECK_FOR_INTERRUPTS();
		if (steward_subject_table_find(subject, &row) &&
			steward_root_find(row.root_id) != NULL &&
			steward_subject_is_tombstone(&row))
			memmove(missing->subjects + kept++ * UUID_LEN, subject, UUID_LEN);
	}
	missing->count = kept;
}

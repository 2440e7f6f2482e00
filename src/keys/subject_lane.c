/*
 * subject_lane.c: lanes of subjects; see subject_lane.h.
 *
 * A lane is a heavyweight lock on an object of class steward.subject_key, whose
 * number is that of the lane: so it shows in pg_locks, counts for deadlocks, and survives
 * PREPARE TRANSACTION.
 */
#include "keys/subject_lane.h"

#include "base/catalog.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/inval.h"

static StewardRelationRef subject_ref = {"subject_key"};

int
steward_subject_lane(const StewardSubjectName *name)
{
	uint32		hash = hash_bytes((const unsigned char *) name->kind, (int) name->kind_len);

	hash = hash_combine(hash, hash_bytes((const unsigned char *) name->key,
										 (int) name->key_len));
	return (int) (hash % STEWARD_SUBJECT_LANES);
}

static void
set_tag(LOCKTAG *tag, int lane)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, steward_relation_oid(&subject_ref),
					   (uint32) lane, 0);
}

void
steward_subject_lane_share(int lane)
{
	LOCKTAG		tag;

	set_tag(&tag, lane);
	/* Who had it alone has told of his erasures before he gave it back. */
	if (LockAcquire(&tag, ShareLock, false, false) != LOCKACQUIRE_ALREADY_HELD)
		AcceptInvalidationMessages();
}

bool
steward_subject_lane_try(int lane)
{
	LOCKTAG		tag;

	set_tag(&tag, lane);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

bool
steward_subject_lane_wanted(int lane)
{
	LOCKTAG		tag;

	set_tag(&tag, lane);
	return LockHasWaiters(&tag, ExclusiveLock, false);
}

/*
 * revocation.c: the revocation journal as a transaction sees it; see
 * revocation.h.
 */
#include "keys/revocation.h"

#include "access/xact.h"
#include "base/guc.h"

static bool warned = false;		/* in this transaction */

static void
on_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		warned = false;
}

void
steward_revocation_collect(const unsigned char subject[STEWARD_UUID_BYTES])
{
	if (warned)
		return;
	warned = true;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("there is no revocation journal"),
			 errdetail("Restoring a backup that is older than this erasure brings the subject's secret back."),
			 errhint("Set steward.revocation_file to a file outside the data directory and its backups.")));
}

bool
steward_revocation_is_revoked(const unsigned char subject[STEWARD_UUID_BYTES])
{
	return false;
}

void
steward_revocation_rekey(void)
{
}

void
steward_revocation_init(void)
{
	RegisterXactCallback(on_transaction_end, NULL);
}

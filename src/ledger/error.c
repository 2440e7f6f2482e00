/*
 * error.c: what the files of the ledger raise alike; see error.h.
 */
#include "ledger/error.h"

void
steward_ledger_corrupted(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the ledger is damaged: %s", detail),
			 errhint("steward.verify_ledger() shows what was changed.")));
}

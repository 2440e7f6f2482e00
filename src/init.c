/*
 * init.c: what the server calls when it loads the library.
 */
#include "base/compat.h"

#include "access/access.h"
#include "audit/capture.h"
#include "base/catalog.h"
#include "base/duty.h"
#include "base/errors.h"
#include "base/guc.h"
#include "base/hooks.h"
#include "base/label.h"
#include "base/mask.h"
#include "blind/blind.h"
#include "crypto/kdf.h"
#include "keys/keys.h"
#include "ledger/export.h"
#include "retention/retention.h"
#include "subjects/hold.h"
#include "types/encrypted.h"

STEWARD_MODULE_MAGIC("pg_steward", STEWARD_VERSION);

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	if (steward_crypto_init() != 0)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("libsodium could not be initialised")));
	steward_guc_init();
	steward_catalog_init();
	steward_label_init();
	steward_hooks_init();
	steward_errors_init();
	steward_mask_init();
	steward_keys_init();
	steward_types_init();
	steward_blind_init();
	steward_audit_init();
	steward_access_init();
	steward_ledger_init();
	steward_holds_init();
	steward_retention_init();
	/* Last: where background workers are few, keys come first. */
	steward_duty_init();
}

/*
 * rotate.c: new versions of named keys.
 *
 * A new version seals what is written from its commit on; the earlier ones stay
 * and open what they sealed. Sessions hear of it as of any change of a key table:
 * a statement that began before may go on to seal under the version before.
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "executor/spi.h"
#include "keys/manage.h"
#include "keys/tables.h"
#include "miscadmin.h"
#include "utils/builtins.h"

STEWARD_FUNCTION(steward_rotate_key)
{
	char	   *path;
	uint32		key_id;
	unsigned char realm[STEWARD_REALM_BYTES];
	StewardWrappedRow *rows;
	StewardIdentity caller;
	StewardJson event;
	int32		newest = 0;
	int			count;

	PreventCommandIfReadOnly("steward.rotate_key()");
	steward_require_argument(fcinfo, 0, "key");
	path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	key_id = steward_key_find_holder(path, "versions");
	SPI_connect();
	steward_become_owner(&caller);
	steward_keys_lock();
	steward_keys_realm(realm);
	count = steward_key_table_versions(key_id, &rows);
	for (int i = 0; i < count; i++)
		newest = Max(newest, rows[i].version);
	(void) steward_key_version_insert(realm, key_id, newest + 1);
	steward_become_caller(&caller);
	if (steward_event_begin(&event, "rotate_key"))
	{
		steward_json_text(&event, "key", path);
		steward_json_number(&event, "version", newest + 1);
		steward_event_end(&event);
	}
	SPI_finish();
	PG_RETURN_INT32(newest + 1);
}

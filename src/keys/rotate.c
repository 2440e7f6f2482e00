/*
 * rotate.c: new versions of named keys, and new secrets of their indexes.
 *
 * A new version seals what is written from its commit on; the earlier ones stay
 * and open what they sealed. Sessions hear of it as of any change of a key table:
 * a statement that began before may go on to seal under the version before.
 *
 * An index secret has generations. An index goes by the one that was the newest
 * when it was built, and says which in its metapage, so that a new one changes
 * nothing for it until it is built anew.
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "keys/keys.h"
#include "keys/manage.h"
#include "keys/subject.h"
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

/* ---- secrets of indexes ---- */

static void
tell_generation(const char *event_name, const char *path, int32 generation)
{
	StewardJson event;

	if (!steward_event_begin(&event, event_name))
		return;
	steward_json_text(&event, "key", path);
	steward_json_number(&event, "generation", generation);
	steward_event_end(&event);
}

STEWARD_FUNCTION(steward_rotate_index_secret)
{
	char	   *path;
	uint32		key_id;
	unsigned char realm[STEWARD_REALM_BYTES];
	StewardIdentity caller;
	int32		generation;

	PreventCommandIfReadOnly("steward.rotate_index_secret()");
	steward_require_argument(fcinfo, 0, "key");
	path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	key_id = steward_key_find_holder(path, "index secret");
	SPI_connect();
	steward_become_owner(&caller);
	steward_keys_lock();

	/*
	 * Raises where all generations are missing: a first one made anew would
	 * not be that which indexes go by, and they would find nothing.
	 */
	generation = steward_index_secret_newest(key_id) + 1;
	steward_keys_realm(realm);
	steward_root_note();
	steward_key_secret_insert(realm, STEWARD_WRAP_INDEX_SECRET, key_id, generation);
	steward_become_caller(&caller);
	tell_generation("rotate_index_secret", path, generation);
	SPI_finish();
	PG_RETURN_INT32(generation);
}

void
steward_index_secret_drop(uint32 key_id, int32 generation)
{
	uint32		holder_id;
	StewardIdentity caller;
	Oid			types[3] = {INT4OID, INT4OID, INT4OID};
	Datum		values[3];
	char	   *path;

	SPI_connect();
	steward_become_owner(&caller);
	steward_keys_lock();
	if (generation == steward_index_secret_newest(key_id))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("generation %d of an index secret is the newest one", generation),
				 errhint("Make a newer one with steward.rotate_index_secret(), and build the indexes anew.")));
	holder_id = steward_key_holder(key_id);
	path = steward_key_path(holder_id);
	values[0] = Int32GetDatum(STEWARD_WRAP_INDEX_SECRET);
	values[1] = Int32GetDatum((int32) holder_id);
	values[2] = Int32GetDatum(generation);
	if (steward_keys_run("DELETE FROM steward.key_secret AS s WHERE s.kind OPERATOR(pg_catalog.=) $1 AND s.key_id OPERATOR(pg_catalog.=) $2 AND s.generation OPERATOR(pg_catalog.=) $3",
						 3, types, values, SPI_OK_DELETE) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("key \"%s\" has no generation %d of its index secret",
						path, generation)));
	steward_become_caller(&caller);
	tell_generation("drop_index_secret", path, generation);
	SPI_finish();
}

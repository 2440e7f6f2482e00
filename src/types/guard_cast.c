/*
 * guard_cast.c: casts to encrypted types.
 *
 * A cast function that takes a type modifier is believed: PostgreSQL takes its
 * result for a value of that modifier and calls nothing of ours that would give it
 * the column's key. So with a cast of one's own, ciphertext of any key, or a
 * transient value, would get into any column. Only the extension may have casts to
 * its types, whatever they do: one without a function would be believed too.
 */
#include "types/guard.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "base/catalog.h"
#include "catalog/dependency.h"
#include "catalog/pg_cast.h"
#include "utils/builtins.h"

static void
judge_cast(Form_pg_cast form)
{
	if (!steward_guard_type(form->casttarget) ||
		getExtensionOfObject(CastRelationId, form->oid) == steward_extension_oid(true))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot make a cast to type %s",
					format_type_be(form->casttarget)),
			 errdetail("PostgreSQL would take what it gives for values under the key of a column."),
			 errhint("Cast to the plaintext type; the column that stores the value encrypts it.")));
}

void
steward_guard_cast(Oid cast)
{
	StewardCatalogRow row;

	if (steward_guard_row_begin(&row, CastRelationId, CastOidIndexId,
								Anum_pg_cast_oid, cast))
		judge_cast((Form_pg_cast) GETSTRUCT(row.tuple));
	steward_guard_row_end(&row);
}

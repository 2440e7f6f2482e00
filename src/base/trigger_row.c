/*
 * trigger_row.c: a row of pg_trigger, found by its oid; see trigger_row.h.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "base/trigger_row.h"
#include "catalog/pg_trigger.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

bool
steward_trigger_row_read(Oid trigger, StewardTriggerRow *row)
{
	Relation	catalog = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(trigger));
	scan = systable_beginscan(catalog, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		row->xmin = HeapTupleHeaderGetRawXmin(tuple->t_data);
		row->relid = form->tgrelid;
		row->function = form->tgfoid;
		row->type = form->tgtype;
		row->clone = OidIsValid(form->tgparentid);
		row->deferrable = form->tgdeferrable;
		row->of_columns = form->tgattr.dim1 > 0;
		row->conditional = !heap_attisnull(tuple, Anum_pg_trigger_tgqual,
										   RelationGetDescr(catalog));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/*
 * finding.c: what verification reports; see finding.h.
 */
#include "ledger/finding.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

enum
{
	FINDING_KIND,
	FINDING_INCARNATION,
	FINDING_BLOCK,
	FINDING_LEAF,
	FINDING_XID,
	FINDING_SEQ,
	FINDING_DETAIL,
	FINDING_NATTS
};

void
steward_findings_begin(StewardFindings *findings, FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
	findings->result = (ReturnSetInfo *) fcinfo->resultinfo;
	findings->count = 0;
}

static pg_attribute_printf(1, 0)
char *
vformat(const char *format, va_list arguments)
{
	StringInfoData text;

	initStringInfo(&text);
	for (;;)
	{
		va_list		copy;
		int			needed;

		va_copy(copy, arguments);
		needed = appendStringInfoVA(&text, format, copy);
		va_end(copy);
		if (needed == 0)
			return text.data;
		enlargeStringInfo(&text, needed);
	}
}

void
steward_finding(StewardFindings *findings, const char *kind, const StewardPlace *place,
				const char *detail, ...)
{
	Datum		values[FINDING_NATTS];
	bool		nulls[FINDING_NATTS] = {false};
	va_list		arguments;

	va_start(arguments, detail);
	values[FINDING_DETAIL] = CStringGetTextDatum(vformat(detail, arguments));
	va_end(arguments);
	values[FINDING_KIND] = CStringGetTextDatum(kind);
	values[FINDING_INCARNATION] = Int32GetDatum(place->incarnation);
	nulls[FINDING_INCARNATION] = place->incarnation == 0;
	values[FINDING_BLOCK] = Int64GetDatum(place->block);
	nulls[FINDING_BLOCK] = place->block == 0;
	values[FINDING_LEAF] = Int64GetDatum(place->leaf);
	nulls[FINDING_LEAF] = place->leaf < 0;
	values[FINDING_XID] = UInt64GetDatum(place->xid);
	nulls[FINDING_XID] = place->xid == 0;
	values[FINDING_SEQ] = Int32GetDatum(place->seq);
	nulls[FINDING_SEQ] = place->seq == 0;
	tuplestore_putvalues(findings->result->setResult, findings->result->setDesc, values,
						 nulls);
	findings->count++;
}

/*
 * xids.c: which transactions a snapshot sees; see xids.h.
 */
#include "ledger/xids.h"

#include "ledger/error.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "fmgr.h"

/* Reads a number and the character after it. */
static uint64
read_xid(const char **at, char follows)
{
	char	   *end;
	uint64		xid;

	if (**at < '0' || **at > '9')
		steward_ledger_corrupted("the snapshot of a block is malformed");
	errno = 0;
	xid = strtou64(*at, &end, 10);
	if (errno != 0 || *end != follows)
		steward_ledger_corrupted("the snapshot of a block is malformed");
	*at = end;
	return xid;
}

static uint32
count_xids(const char *list)
{
	uint32		count = *list == '\0' ? 0 : 1;

	for (; *list != '\0'; list++)
		count += *list == ',';
	return count;
}

void
steward_xids_parse(StewardXids *xids, const char *text)
{
	xids->xmin = read_xid(&text, ':');
	text++;
	xids->xmax = read_xid(&text, ':');
	text++;
	xids->count = count_xids(text);
	xids->xip = palloc(sizeof(uint64) * (xids->count + 1));
	for (uint32 i = 0; i < xids->count; i++)
	{
		bool		last = i == xids->count - 1;

		xids->xip[i] = read_xid(&text, last ? '\0' : ',');
		if (xids->xip[i] < xids->xmin || xids->xip[i] >= xids->xmax ||
			(i > 0 && xids->xip[i] <= xids->xip[i - 1]))
			steward_ledger_corrupted("the snapshot of a block is malformed");
		text++;
	}
	if (xids->xmin > xids->xmax)
		steward_ledger_corrupted("the snapshot of a block is malformed");
}

bool
steward_xids_ended(const StewardXids *xids, uint64 xid)
{
	uint32		low = 0;
	uint32		high = xids->count;

	if (xid >= xids->xmax)
		return false;
	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (xids->xip[middle] == xid)
			return false;
		if (xids->xip[middle] < xid)
			low = middle + 1;
		else
			high = middle;
	}
	return true;
}

char *
steward_xids_active(void)
{
	Datum		snapshot = OidFunctionCall0(F_PG_CURRENT_SNAPSHOT);

	return OidOutputFunctionCall(F_PG_SNAPSHOT_OUT, snapshot);
}

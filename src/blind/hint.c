/*
 * hint.c: bits that say nobody will ever see an entry's row again; see hint.h.
 */
#include "blind/hint.h"

/* The byte that has the hint of a position; NULL when there is no room for it. */
static unsigned char *
byte_of(Page page, int position)
{
	int			offset = ((PageHeader) page)->pd_upper - 1 - position / 8;

	return offset < ((PageHeader) page)->pd_lower ? NULL : (unsigned char *) page + offset;
}

bool
steward_blind_hinted(Page page, int position)
{
	const unsigned char *byte = byte_of(page, position);

	return byte != NULL && (*byte & 1 << position % 8) != 0;
}

bool
steward_blind_hint(Page page, int position)
{
	unsigned char *byte = byte_of(page, position);

	if (byte == NULL)
		return false;
	*byte |= 1 << position % 8;
	return true;
}

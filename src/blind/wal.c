/*
 * wal.c: appending bytes to a page, and many pages in one record; see wal.h.
 *
 * GenericXLog copies the page, and compares old and new byte by byte to find what has
 * changed: four fifths of the time of an insert. Here what has changed is known. The
 * record is the one that GenericXLog would write (src/backend/access/transam/generic_xlog.c):
 * for a block a sequence of fragments, each an offset, a length and as many bytes, which
 * PostgreSQL's own redo of generic records puts in place. That format has been the same since
 * 9.6; releases for which it was not looked up use GenericXLog itself.
 */
#include "blind/wal.h"

#include "access/generic_xlog.h"
#include "access/xloginsert.h"
#include "catalog/pg_control.h"
#include "miscadmin.h"
#include "storage/bufpage.h"

#ifdef STEWARD_KNOWS_GENERIC_RECORDS

/* A fragment's head. */
typedef struct Fragment
{
	OffsetNumber offset;
	OffsetNumber length;
} Fragment;

static XLogRecPtr
log_append(Buffer buffer, uint16 at, uint16 lower, const unsigned char *bytes, size_t len)
{
	Fragment	head = {offsetof(PageHeaderData, pd_lower), sizeof lower};
	Fragment	tail = {at, len};

	XLogBeginInsert();
	XLogRegisterBuffer(0, buffer, REGBUF_STANDARD);
	XLogRegisterBufData(0, (char *) &head, sizeof head);
	XLogRegisterBufData(0, (char *) &lower, sizeof lower);
	XLogRegisterBufData(0, (char *) &tail, sizeof tail);
	XLogRegisterBufData(0, unconstify(char *, (const char *) bytes), len);
	return XLogInsert(RM_GENERIC_ID, 0);
}

void
steward_blind_append_bytes(Relation index, Buffer buffer, const unsigned char *bytes,
						   size_t len)
{
	Page		page = BufferGetPage(buffer);
	uint16		at = ((PageHeader) page)->pd_lower;
	uint16		lower = at + len;

	START_CRIT_SECTION();
	memcpy(page + at, bytes, len);
	((PageHeader) page)->pd_lower = lower;
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(index))
	{
		/* A macro before 16, which would log it twice. */
		XLogRecPtr	lsn = log_append(buffer, at, lower, bytes, len);

		PageSetLSN(page, lsn);
	}
	END_CRIT_SECTION();
}

#else							/* !STEWARD_KNOWS_GENERIC_RECORDS */

void
steward_blind_append_bytes(Relation index, Buffer buffer, const unsigned char *bytes,
						   size_t len)
{
	GenericXLogState *state = GenericXLogStart(index);
	Page		page = GenericXLogRegisterBuffer(state, buffer, 0);

	memcpy(page + ((PageHeader) page)->pd_lower, bytes, len);
	((PageHeader) page)->pd_lower += len;
	GenericXLogFinish(state);
}

#endif							/* STEWARD_KNOWS_GENERIC_RECORDS */

/* ---- images ---- */

void
steward_blind_images_prepare(int count)
{
	XLogEnsureRecordSpace(count - 1, 0);
}

static void
clear_hole(Page page)
{
	PageHeader	header = (PageHeader) page;

	memset((char *) page + header->pd_lower, 0, header->pd_upper - header->pd_lower);
}

void
steward_blind_images_log(Relation index, const Buffer *buffers, int count)
{
	XLogRecPtr	lsn;

	for (int i = 0; i < count; i++)
	{
		clear_hole(BufferGetPage(buffers[i]));
		MarkBufferDirty(buffers[i]);
	}
	if (!RelationNeedsWAL(index))
		return;
	XLogBeginInsert();
	for (int i = 0; i < count; i++)
		XLogRegisterBuffer(i, buffers[i], REGBUF_FORCE_IMAGE | REGBUF_STANDARD);
	lsn = XLogInsert(RM_XLOG_ID, XLOG_FPI);
	for (int i = 0; i < count; i++)
		PageSetLSN(BufferGetPage(buffers[i]), lsn);
}

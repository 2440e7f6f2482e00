/*
 * wal.h: appending bytes to a page, with as little WAL and work as there can be; and changing
 * many pages in one record.
 */
#ifndef STEWARD_BLIND_WAL_H
#define STEWARD_BLIND_WAL_H

#include "base/compat.h"

#include "storage/bufmgr.h"
#include "utils/rel.h"

/*
 * Appends bytes at pd_lower of an exclusively locked page, which has room for them, and
 * writes that to WAL. What else is in the hole stays; after a crash, and on a standby,
 * the hole is zero.
 */
extern void steward_blind_append_bytes(Relation index, Buffer buffer,
									   const unsigned char *bytes, size_t len);

/*
 * For changing more pages in one record than GenericXLog can, as whole images of them. First
 * images_prepare, which may raise an error; then, in a critical section, the change of
 * the pages, which are exclusively locked, and images_log, which leaves their holes zero, as
 * GenericXLog does. Redo puts back one page after the other: where readers of a standby must not see
 * some pages new and some old, a lock has to keep them out.
 */
extern void steward_blind_images_prepare(int count);
extern void steward_blind_images_log(Relation index, const Buffer *buffers, int count);

#endif							/* STEWARD_BLIND_WAL_H */

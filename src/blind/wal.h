/*
 * wal.h: appending bytes to a page, with as little WAL and work as there can be.
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

#endif							/* STEWARD_BLIND_WAL_H */

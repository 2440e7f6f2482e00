/*
 * scan.h: amgettuple and amgetbitmap.
 */
#ifndef STEWARD_BLIND_SCAN_H
#define STEWARD_BLIND_SCAN_H

#include "base/compat.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "nodes/tidbitmap.h"

extern IndexScanDesc steward_blind_begin_scan(Relation index, int keys, int order_bys);
extern void steward_blind_rescan(IndexScanDesc scan, ScanKey keys, int key_count,
								 ScanKey order_bys, int order_by_count);
extern bool steward_blind_get_tuple(IndexScanDesc scan, ScanDirection direction);
extern int64 steward_blind_get_bitmap(IndexScanDesc scan, TIDBitmap *bitmap);
extern void steward_blind_end_scan(IndexScanDesc scan);

#endif							/* STEWARD_BLIND_SCAN_H */

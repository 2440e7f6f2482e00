/*
 * reader.h: who reads, from where and why. Written once a file, and again when it
 * changed; records refer to it by its position.
 */
#ifndef STEWARD_ACCESS_READER_H
#define STEWARD_ACCESS_READER_H

#include "base/compat.h"

/* Looks at who acts now. Reads catalogs when it is somebody else than last time. */
extern void steward_reader_refresh(void);

/*
 * Position of the record of who was seen last, which is begun when this file does
 * not have it. After steward_spool_file.
 */
extern uint64 steward_reader_record(uint64 file);

/* A write failed: what was begun is not there. */
extern void steward_reader_forget(void);

#endif							/* STEWARD_ACCESS_READER_H */

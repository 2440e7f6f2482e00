/*
 * codec_read.h: reading the bytes of a payload, none of which is trusted.
 *
 * All raise ERRCODE_DATA_CORRUPTED at what the encoder does not write. The
 * length of what they return is bounded by that of the bytes read.
 */
#ifndef STEWARD_AUDIT_CODEC_READ_H
#define STEWARD_AUDIT_CODEC_READ_H

#include "base/compat.h"

#include "audit/codec.h"
#include "utils/array.h"

/* Where the decoder is. */
typedef struct StewardReader
{
	const unsigned char *data;
	uint32		left;
	int			encoding;
} StewardReader;

extern const unsigned char *steward_take(StewardReader *reader, uint32 length);
extern uint64 steward_take_varint(StewardReader *reader);

/* A varint that must fit into 32 bits. */
extern uint32 steward_take_count(StewardReader *reader);

/* A signed varint between two bounds, including them. */
extern int64 steward_take_signed(StewardReader *reader, int64 least, int64 most);

/* A bitmap whose bits beyond the last are zero. */
extern const unsigned char *steward_take_bitmap(StewardReader *reader, int bits);

/* The bytes of one value. */
extern StewardSlice steward_take_value(StewardReader *reader,
									   const StewardCodec *codec);

extern StewardReader steward_read_slice(StewardSlice slice);

/* Nothing may be left. */
extern void steward_read_end(const StewardReader *reader);

/* The number that a whole slice is. */
extern int64 steward_slice_signed(StewardSlice slice, int64 least, int64 most);

/* An array and its elements one by one. */
typedef struct StewardArrayReader
{
	StewardReader reader;
	const StewardCodec *element;
	int			ndim;
	int			dims[MAXDIM];
	int			bounds[MAXDIM];
	bool		plain_bounds;	/* all are 1 */
	int			count;
	int			at;
	const unsigned char *present;	/* bitmap, or NULL: all are */
} StewardArrayReader;

extern void steward_array_open(const StewardCodec *codec, StewardSlice slice,
							   StewardArrayReader *array);

/* The next element; false, and nothing, when it is NULL. */
extern bool steward_array_next(StewardArrayReader *array, StewardSlice *element);

/* Flags of a range, which are stored. */
#define STEWARD_RANGE_EMPTY		0x01
#define STEWARD_RANGE_LOWER_IN	0x02
#define STEWARD_RANGE_UPPER_IN	0x04
#define STEWARD_RANGE_LOWER_INF	0x08
#define STEWARD_RANGE_UPPER_INF	0x10

typedef struct StewardRangeBounds
{
	unsigned char flags;
	bool		has_lower;
	bool		has_upper;
	StewardSlice lower;
	StewardSlice upper;
} StewardRangeBounds;

extern void steward_range_read(const StewardCodec *codec, StewardSlice slice,
							   StewardRangeBounds *range);

/* The ranges of a multirange: how many, then one after the other. */
extern uint32 steward_multirange_open(StewardSlice slice, StewardReader *reader);
extern StewardSlice steward_multirange_next(StewardReader *reader);

/* The attributes of a composite. */
extern void steward_composite_read(const StewardCodec *codec,
								   StewardSlice slice, StewardImage *image);

extern void steward_new_image(StewardImage *image, int count);

#endif							/* STEWARD_AUDIT_CODEC_READ_H */

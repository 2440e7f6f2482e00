/*
 * codec_put.h: appending bytes to a payload, for the files that write codecs.
 *
 * These are on the way of every change and therefore inline.
 */
#ifndef STEWARD_AUDIT_CODEC_PUT_H
#define STEWARD_AUDIT_CODEC_PUT_H

#include "base/compat.h"

#include "audit/codec.h"

/* What follows the format in the payload of an ENABLE, or nothing. */
#define STEWARD_ENABLED_WITHOUT_ROWS 1

#define STEWARD_VARINT_MAX 10	/* bytes of a number of 64 bits */

/* Room for some bytes at the end; the caller fills them and adds to len. */
static inline unsigned char *
steward_reserve(StringInfo out, int bytes)
{
	if (unlikely(out->len + bytes >= out->maxlen))
		enlargeStringInfo(out, bytes);
	return (unsigned char *) out->data + out->len;
}

static inline int
steward_write_varint(unsigned char *out, uint64 value)
{
	int			n = 0;

	while (value >= 0x80)
	{
		out[n++] = (unsigned char) (value | 0x80);
		value >>= 7;
	}
	out[n++] = (unsigned char) value;
	return n;
}

static inline void
steward_append_varint(StringInfo out, uint64 value)
{
	out->len += steward_write_varint(steward_reserve(out, STEWARD_VARINT_MAX),
									 value);
}

/* Small numbers of either sign are short. */
static inline uint64
steward_zigzag(int64 value)
{
	return ((uint64) value << 1) ^ (uint64) (value < 0 ? -1 : 0);
}

static inline int64
steward_unzigzag(uint64 value)
{
	return (int64) (value >> 1) ^ -(int64) (value & 1);
}

static inline void
steward_append_signed(StringInfo out, int64 value)
{
	steward_append_varint(out, steward_zigzag(value));
}

static inline void
steward_append_byte(StringInfo out, unsigned char byte)
{
	*steward_reserve(out, 1) = byte;
	out->len++;
}

static inline void
steward_append_counted(StringInfo out, const void *data, uint32 length)
{
	steward_append_varint(out, length);
	steward_put_bytes(out, data, length);
}

/*
 * A counted value whose length shows only when it is written: what is appended
 * between begin and end.
 */
static inline int
steward_begin_counted(StringInfo out)
{
	steward_append_byte(out, 0);
	return out->len;
}

extern void steward_end_counted(StringInfo out, int start);

/* Appends a bitmap of zeros for so many bits; returns where it is. */
extern int	steward_append_bitmap(StringInfo out, int bits);

#define STEWARD_BITMAP_BYTES(bits) (((bits) + 7) / 8)

static inline void
steward_set_bit(StringInfo out, int start, int bit)
{
	out->data[start + bit / 8] |= 1 << (bit % 8);
}

static inline bool
steward_get_bit(const unsigned char *bitmap, int bit)
{
	return (bitmap[bit / 8] & (1 << (bit % 8))) != 0;
}

/* Whether an UPDATE stores the old value of a column. */
extern bool steward_keeps_old(const struct StewardAuditSchema *schema, int i,
							  const unsigned char *changed);

/* put functions that more than one file needs. */
extern void steward_put_varlena(const StewardCodec *codec, StringInfo out,
								Datum value);
extern void steward_put_array(const StewardCodec *codec, StringInfo out,
							  Datum value);
extern void steward_put_range(const StewardCodec *codec, StringInfo out,
							  Datum value);
extern void steward_put_multirange(const StewardCodec *codec, StringInfo out,
								   Datum value);
extern void steward_put_composite(const StewardCodec *codec, StringInfo out,
								  Datum value);
extern void steward_put_reg(const StewardCodec *codec, StringInfo out,
							Datum value);

#endif							/* STEWARD_AUDIT_CODEC_PUT_H */

/*
 * codec_time.c: how dates and times are stored.
 *
 * Days and times of day are varints. A timestamp of these years, in
 * microseconds, would be as long as a varint as it is with a fixed width.
 */
#include "base/compat.h"

#include "audit/codec_put.h"
#include "audit/codec_read.h"
#include "audit/codec_scalar.h"
#include "crypto/bytes.h"
#include "utils/date.h"
#include "utils/timestamp.h"

Datum
steward_get_vdate(StewardSlice slice)
{
	DateADT		date = (DateADT) steward_slice_signed(slice, PG_INT32_MIN,
													  PG_INT32_MAX);

	if (!DATE_NOT_FINITE(date) && !IS_VALID_DATE(date))
		steward_payload_corrupted("a value is out of range");
	return DateADTGetDatum(date);
}

Datum
steward_get_vtime(StewardSlice slice)
{
	return TimeADTGetDatum(steward_slice_signed(slice, 0, USECS_PER_DAY));
}

Datum
steward_get_timestamp(StewardSlice slice)
{
	Timestamp	timestamp = (Timestamp) steward_load_be64(slice.data);

	if (!TIMESTAMP_NOT_FINITE(timestamp) && !IS_VALID_TIMESTAMP(timestamp))
		steward_payload_corrupted("a value is out of range");
	return TimestampGetDatum(timestamp);
}

void
steward_put_timetz(const StewardCodec *codec, StringInfo out, Datum value)
{
	TimeTzADT  *time = DatumGetTimeTzADTP(value);
	unsigned char *at = steward_reserve(out, 12);

	steward_store_be64(at, (uint64) time->time);
	steward_store_be32(at + 8, (uint32) time->zone);
	out->len += 12;
}

Datum
steward_get_timetz(StewardSlice slice)
{
	TimeTzADT  *time = palloc(sizeof(TimeTzADT));

	time->time = (int64) steward_load_be64(slice.data);
	time->zone = (int32) steward_load_be32(slice.data + 8);
	if (time->time < 0 || time->time > USECS_PER_DAY ||
		time->zone <= -TZDISP_LIMIT || time->zone >= TZDISP_LIMIT)
		steward_payload_corrupted("a value is out of range");
	return TimeTzADTPGetDatum(time);
}

void
steward_put_vinterval(const StewardCodec *codec, StringInfo out, Datum value)
{
	Interval   *interval = DatumGetIntervalP(value);
	int			start = steward_begin_counted(out);

	steward_append_signed(out, interval->month);
	steward_append_signed(out, interval->day);
	steward_append_signed(out, interval->time);
	steward_end_counted(out, start);
}

Datum
steward_get_vinterval(StewardSlice slice)
{
	StewardReader reader = steward_read_slice(slice);
	Interval   *interval = palloc(sizeof(Interval));

	interval->month = (int32) steward_take_signed(&reader, PG_INT32_MIN, PG_INT32_MAX);
	interval->day = (int32) steward_take_signed(&reader, PG_INT32_MIN, PG_INT32_MAX);
	interval->time = steward_take_signed(&reader, PG_INT64_MIN, PG_INT64_MAX);
	steward_read_end(&reader);
	return IntervalPGetDatum(interval);
}

/*
 * codec_types.c: how the values of each supported type are stored and shown.
 *
 * Integers and times are big-endian, text is in the server's encoding, numeric
 * and addresses have a layout of their own; nothing depends on the client or on
 * a setting. Shown as jsonb, a value can be read back by its type's input.
 */
#include "base/compat.h"

#include <sys/socket.h>

#include "audit/codec.h"
#include "audit/codec_show.h"
#include "base/catalog.h"
#include "catalog/pg_type_d.h"
#include "crypto/bytes.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "types/type_info.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static void
put_be16(StringInfo out, uint16 value)
{
	unsigned char bytes[2] = {value >> 8, value & 0xff};

	steward_put_bytes(out, bytes, 2);
}

static void
put_be32(StringInfo out, uint32 value)
{
	unsigned char bytes[4];

	steward_store_be32(bytes, value);
	steward_put_bytes(out, bytes, 4);
}

static void
put_be64(StringInfo out, uint64 value)
{
	unsigned char bytes[8];

	steward_store_be64(bytes, value);
	steward_put_bytes(out, bytes, 8);
}

static void
put_counted(StringInfo out, const void *data, uint32 length)
{
	steward_put_varint(out, length);
	steward_put_bytes(out, data, length);
}

static void
put_varlena(StringInfo out, Datum value)
{
	struct varlena *plain = PG_DETOAST_DATUM_PACKED(value);

	put_counted(out, VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
	if ((Pointer) plain != DatumGetPointer(value))
		pfree(plain);
}

static Datum
get_bytes(StewardSlice slice)
{
	return PointerGetDatum(cstring_to_text_with_len((const char *) slice.data,
													slice.length));
}

/* Text that may come from a database with another encoding. */
static char *
server_text(StewardSlice slice)
{
	return pg_any_to_server(pnstrdup((const char *) slice.data, slice.length),
							slice.length, slice.encoding);
}

static Datum
get_text(StewardSlice slice)
{
	return PointerGetDatum(cstring_to_text(server_text(slice)));
}

static void
put_bool(StringInfo out, Datum value)
{
	appendStringInfoCharMacro(out, DatumGetBool(value) ? 1 : 0);
}

static Datum
get_bool(StewardSlice slice)
{
	if (slice.data[0] > 1)
		steward_payload_corrupted("a value is out of range");
	return BoolGetDatum(slice.data[0] == 1);
}

static void
put_char(StringInfo out, Datum value)
{
	appendStringInfoCharMacro(out, DatumGetChar(value));
}

static Datum
get_char(StewardSlice slice)
{
	return CharGetDatum((char) slice.data[0]);
}

static void
put_int2(StringInfo out, Datum value)
{
	put_be16(out, (uint16) DatumGetInt16(value));
}

static Datum
get_int2(StewardSlice slice)
{
	return Int16GetDatum((int16) (slice.data[0] << 8 | slice.data[1]));
}

static void
put_int4(StringInfo out, Datum value)
{
	put_be32(out, DatumGetUInt32(value));
}

static Datum
get_int4(StewardSlice slice)
{
	return Int32GetDatum((int32) steward_load_be32(slice.data));
}

static Datum
get_oid(StewardSlice slice)
{
	return ObjectIdGetDatum(steward_load_be32(slice.data));
}

static Datum
get_date(StewardSlice slice)
{
	DateADT		date = (DateADT) steward_load_be32(slice.data);

	if (!DATE_NOT_FINITE(date) && !IS_VALID_DATE(date))
		steward_payload_corrupted("a value is out of range");
	return DateADTGetDatum(date);
}

static void
put_int8(StringInfo out, Datum value)
{
	put_be64(out, (uint64) DatumGetInt64(value));
}

static Datum
get_int8(StewardSlice slice)
{
	return Int64GetDatum((int64) steward_load_be64(slice.data));
}

static Datum
get_time(StewardSlice slice)
{
	int64		time = (int64) steward_load_be64(slice.data);

	if (time < 0 || time > USECS_PER_DAY)
		steward_payload_corrupted("a value is out of range");
	return TimeADTGetDatum(time);
}

static Datum
get_timestamp(StewardSlice slice)
{
	Timestamp	timestamp = (Timestamp) steward_load_be64(slice.data);

	if (!TIMESTAMP_NOT_FINITE(timestamp) && !IS_VALID_TIMESTAMP(timestamp))
		steward_payload_corrupted("a value is out of range");
	return TimestampGetDatum(timestamp);
}

static void
put_float4(StringInfo out, Datum value)
{
	float4		number = DatumGetFloat4(value);
	uint32		bits;

	memcpy(&bits, &number, sizeof(bits));
	put_be32(out, bits);
}

static Datum
get_float4(StewardSlice slice)
{
	uint32		bits = steward_load_be32(slice.data);
	float4		number;

	memcpy(&number, &bits, sizeof(number));
	return Float4GetDatum(number);
}

static void
put_float8(StringInfo out, Datum value)
{
	float8		number = DatumGetFloat8(value);
	uint64		bits;

	memcpy(&bits, &number, sizeof(bits));
	put_be64(out, bits);
}

static Datum
get_float8(StewardSlice slice)
{
	uint64		bits = steward_load_be64(slice.data);
	float8		number;

	memcpy(&number, &bits, sizeof(number));
	return Float8GetDatum(number);
}

static void
put_timetz(StringInfo out, Datum value)
{
	TimeTzADT  *time = DatumGetTimeTzADTP(value);

	put_be64(out, (uint64) time->time);
	put_be32(out, (uint32) time->zone);
}

static Datum
get_timetz(StewardSlice slice)
{
	TimeTzADT  *time = palloc(sizeof(TimeTzADT));

	time->time = DatumGetTimeADT(get_time(slice));
	time->zone = (int32) steward_load_be32(slice.data + 8);
	if (time->zone <= -TZDISP_LIMIT || time->zone >= TZDISP_LIMIT)
		steward_payload_corrupted("a value is out of range");
	return TimeTzADTPGetDatum(time);
}

static void
put_interval(StringInfo out, Datum value)
{
	Interval   *interval = DatumGetIntervalP(value);

	put_be64(out, (uint64) interval->time);
	put_be32(out, (uint32) interval->day);
	put_be32(out, (uint32) interval->month);
}

static Datum
get_interval(StewardSlice slice)
{
	Interval   *interval = palloc(sizeof(Interval));

	interval->time = (TimeOffset) steward_load_be64(slice.data);
	interval->day = (int32) steward_load_be32(slice.data + 8);
	interval->month = (int32) steward_load_be32(slice.data + 12);
	return IntervalPGetDatum(interval);
}

static void
put_uuid(StringInfo out, Datum value)
{
	steward_put_bytes(out, DatumGetPointer(value), UUID_LEN);
}

/* Types that are a fixed number of bytes. */
static Datum
get_raw(StewardSlice slice)
{
	void	   *copy = palloc(slice.length);

	memcpy(copy, slice.data, slice.length);
	return PointerGetDatum(copy);
}

static void
put_macaddr(StringInfo out, Datum value)
{
	steward_put_bytes(out, DatumGetPointer(value), sizeof(macaddr));
}

static void
put_name(StringInfo out, Datum value)
{
	const char *name = NameStr(*DatumGetName(value));

	put_counted(out, name, strlen(name));
}

/* numeric_send: digits, weight, sign, scale, then base-10000 digits. */
static void
put_numeric(StringInfo out, Datum value)
{
	bytea	   *sent = DatumGetByteaPP(DirectFunctionCall1(numeric_send, value));

	put_counted(out, VARDATA_ANY(sent), VARSIZE_ANY_EXHDR(sent));
	pfree(sent);
}

static Datum
get_numeric(StewardSlice slice)
{
	StringInfoData in;

	if (slice.length < 8 ||
		slice.length != 8 + 2 * (slice.data[0] << 8 | slice.data[1]))
		steward_payload_corrupted("a numeric has the wrong length");
	initStringInfo(&in);
	appendBinaryStringInfo(&in, (const char *) slice.data, slice.length);
	return DirectFunctionCall3(numeric_recv, PointerGetDatum(&in),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

static void
put_jsonb(StringInfo out, Datum value)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);
	StringInfoData text;

	initStringInfo(&text);
	(void) JsonbToCString(&text, &jsonb->root, VARSIZE(jsonb));
	put_counted(out, text.data, text.len);
	pfree(text.data);
}

static Datum
get_jsonb(StewardSlice slice)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(server_text(slice)));
}

/*
 * json is shown as jsonb, or as a string with its text where that cannot be:
 * json has escapes and numbers that jsonb refuses, and a writer must not be
 * able to make the trail unreadable.
 */
static Datum
get_json(StewardSlice slice)
{
	return DirectFunctionCall1(json_in, CStringGetDatum(server_text(slice)));
}

/* 4 or 6, the bits of the network mask, the address. */
static void
put_inet(StringInfo out, Datum value)
{
	inet	   *address = DatumGetInetPP(value);
	bool		is_ipv4 = ip_family(address) == PGSQL_AF_INET;
	unsigned char bytes[18];

	bytes[0] = is_ipv4 ? 4 : 6;
	bytes[1] = ip_bits(address);
	memcpy(bytes + 2, ip_addr(address), is_ipv4 ? 4 : 16);
	put_counted(out, bytes, is_ipv4 ? 6 : 18);
}

static Datum
get_inet(StewardSlice slice)
{
	bool		is_ipv4 = slice.length == 6 && slice.data[0] == 4;
	inet	   *address;

	if (!is_ipv4 && !(slice.length == 18 && slice.data[0] == 6))
		steward_payload_corrupted("a network address is malformed");
	if (slice.data[1] > (is_ipv4 ? 32 : 128))
		steward_payload_corrupted("a value is out of range");
	address = palloc0(sizeof(inet));
	ip_family(address) = is_ipv4 ? PGSQL_AF_INET : PGSQL_AF_INET6;
	ip_bits(address) = slice.data[1];
	memcpy(ip_addr(address), slice.data + 2, slice.length - 2);
	SET_INET_VARSIZE(address);
	return InetPGetDatum(address);
}

/*
 * The names are stored. A type whose layout must change gets a new name beside
 * the old one, which stays readable.
 */
static const StewardCodec codecs[] = {
	{"bool", BOOLOID, 1, put_bool, get_bool, steward_show_bool},
	{"bytea", BYTEAOID, -1, put_varlena, get_bytes, steward_show_bytea},
	{"char", CHAROID, 1, put_char, get_char, steward_show_char},
	{"cidr", CIDROID, -1, put_inet, get_inet, steward_show_cidr},
	{"date", DATEOID, 4, put_int4, get_date, steward_show_date},
	{"encrypted_bigint", InvalidOid, -1, put_varlena, get_bytes, steward_show_encrypted},
	{"encrypted_bytea", InvalidOid, -1, put_varlena, get_bytes, steward_show_encrypted},
	{"encrypted_date", InvalidOid, -1, put_varlena, get_bytes, steward_show_encrypted},
	{"encrypted_jsonb", InvalidOid, -1, put_varlena, get_bytes, steward_show_encrypted},
	{"encrypted_numeric", InvalidOid, -1, put_varlena, get_bytes, steward_show_encrypted},
	{"encrypted_text", InvalidOid, -1, put_varlena, get_bytes, steward_show_encrypted},
	{"encrypted_timestamptz", InvalidOid, -1, put_varlena, get_bytes, steward_show_encrypted},
	{"float4", FLOAT4OID, 4, put_float4, get_float4, steward_show_float4},
	{"float8", FLOAT8OID, 8, put_float8, get_float8, steward_show_float8},
	{"inet", INETOID, -1, put_inet, get_inet, steward_show_inet},
	{"int2", INT2OID, 2, put_int2, get_int2, steward_show_int2},
	{"int4", INT4OID, 4, put_int4, get_int4, steward_show_int4},
	{"int8", INT8OID, 8, put_int8, get_int8, steward_show_int8},
	{"interval", INTERVALOID, 16, put_interval, get_interval, steward_show_interval},
	{"json", JSONOID, -1, put_varlena, get_json, steward_show_json},
	{"jsonb", JSONBOID, -1, put_jsonb, get_jsonb, steward_show_jsonb},
	{"macaddr", MACADDROID, 6, put_macaddr, get_raw, steward_show_macaddr},
	{"name", NAMEOID, -1, put_name, get_text, steward_show_text},
	{"numeric", NUMERICOID, -1, put_numeric, get_numeric, steward_show_numeric},
	{"oid", OIDOID, 4, put_int4, get_oid, steward_show_oid},
	{"text", TEXTOID, -1, put_varlena, get_text, steward_show_text},
	{"text", BPCHAROID, -1, put_varlena, get_text, steward_show_text},
	{"text", VARCHAROID, -1, put_varlena, get_text, steward_show_text},
	{"time", TIMEOID, 8, put_int8, get_time, steward_show_time},
	{"timestamp", TIMESTAMPOID, 8, put_int8, get_timestamp, steward_show_timestamp},
	{"timestamptz", TIMESTAMPTZOID, 8, put_int8, get_timestamp, steward_show_timestamptz},
	{"timetz", TIMETZOID, 12, put_timetz, get_timetz, steward_show_timetz},
	{"uuid", UUIDOID, 16, put_uuid, get_raw, steward_show_uuid},
};

const StewardCodec *
steward_codec_for_type(Oid type)
{
	const StewardTypeInfo *encrypted = steward_type_info(type);

	if (encrypted != NULL)
		return steward_codec_by_name(encrypted->name);
	for (int i = 0; i < lengthof(codecs); i++)
		if (codecs[i].type == type)
			return &codecs[i];
	return NULL;
}

const StewardCodec *
steward_codec_by_name(const char *name)
{
	for (int i = 0; i < lengthof(codecs); i++)
		if (strcmp(codecs[i].name, name) == 0)
			return &codecs[i];
	steward_payload_corrupted("a codec of its schema version is unknown");
	return NULL;
}

/* Armour, which is the same for all encrypted types: by the function of one. */
void
steward_show_encrypted(JsonbValue *out, Datum value)
{
	Oid			type = steward_type_info_oid(&steward_text_info);
	Oid			function;
	bool		is_varlena;

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type \"%s.%s\" does not exist", STEWARD_SCHEMA,
						steward_text_info.name),
				 errhint("Run CREATE EXTENSION pg_steward in this database.")));
	getTypeOutputInfo(type, &function, &is_varlena);
	steward_show_cstring(out, OidOutputFunctionCall(function, value));
}

/*
 * codec_types.c: the table of scalar codecs, and those of strings of bytes.
 *
 * A built-in type is in the table when its bytes can be written without asking
 * client_encoding, a setting or the catalogs; the reg* types and enums are
 * there with names in place of numbers. What is in no entry is stored by its
 * output function, under fixed settings.
 */
#include "base/compat.h"

#include <sys/socket.h>

#include "access/htup_details.h"
#include "audit/codec_put.h"
#include "audit/codec_read.h"
#include "audit/codec_scalar.h"
#include "audit/codec_show.h"
#include "audit/codec_types.h"
#include "audit/settings.h"
#include "base/catalog.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type_d.h"
#include "crypto/bytes.h"
#include "mb/pg_wchar.h"
#include "storage/itemptr.h"
#include "types/type_info.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/uuid.h"
#include "utils/varbit.h"

void
steward_put_varlena(const StewardCodec *codec, StringInfo out, Datum value)
{
	struct varlena *plain = (struct varlena *) DatumGetPointer(value);

	if (unlikely(VARATT_IS_EXTERNAL(plain) || VARATT_IS_COMPRESSED(plain)))
		plain = pg_detoast_datum_packed(plain);
	steward_append_counted(out, VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
	if ((Pointer) plain != DatumGetPointer(value))
		pfree(plain);
}

static Datum
get_bytes(StewardSlice slice)
{
	return PointerGetDatum(cstring_to_text_with_len((const char *) slice.data,
													slice.length));
}

char *
steward_slice_text(StewardSlice slice)
{
	char	   *copy = pnstrdup((const char *) slice.data, slice.length);

	return pg_any_to_server(copy, slice.length, slice.encoding);
}

static Datum
get_text(StewardSlice slice)
{
	return PointerGetDatum(cstring_to_text(steward_slice_text(slice)));
}

static void
put_name(const StewardCodec *codec, StringInfo out, Datum value)
{
	const char *name = NameStr(*DatumGetName(value));

	steward_append_counted(out, name, strlen(name));
}

static void
put_jsonb(const StewardCodec *codec, StringInfo out, Datum value)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);
	StringInfoData text;

	initStringInfo(&text);
	(void) JsonbToCString(&text, &jsonb->root, VARSIZE(jsonb));
	steward_append_counted(out, text.data, text.len);
	pfree(text.data);
	if ((Pointer) jsonb != DatumGetPointer(value))
		pfree(jsonb);
}

static Datum
get_jsonb(StewardSlice slice)
{
	return DirectFunctionCall1(jsonb_in,
							   CStringGetDatum(steward_slice_text(slice)));
}

/*
 * json is shown as jsonb, or as a string with its text where that cannot be:
 * json has escapes and numbers that jsonb refuses, and a writer must not be
 * able to make the trail unreadable.
 */
static Datum
get_json(StewardSlice slice)
{
	return DirectFunctionCall1(json_in,
							   CStringGetDatum(steward_slice_text(slice)));
}

/* Types that are a fixed number of bytes. */
static void
put_raw(const StewardCodec *codec, StringInfo out, Datum value)
{
	memcpy(steward_reserve(out, codec->width), DatumGetPointer(value),
		   codec->width);
	out->len += codec->width;
}

static Datum
get_raw(StewardSlice slice)
{
	void	   *copy = palloc(slice.length);

	memcpy(copy, slice.data, slice.length);
	return PointerGetDatum(copy);
}

/* 4 or 6, the bits of the network mask, the address. */
static void
put_inet(const StewardCodec *codec, StringInfo out, Datum value)
{
	inet	   *address = DatumGetInetPP(value);
	bool		is_ipv4 = ip_family(address) == PGSQL_AF_INET;
	unsigned char bytes[18];

	bytes[0] = is_ipv4 ? 4 : 6;
	bytes[1] = ip_bits(address);
	memcpy(bytes + 2, ip_addr(address), is_ipv4 ? 4 : 16);
	steward_append_counted(out, bytes, is_ipv4 ? 6 : 18);
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

/* How many bits, and the bits; those that fill the last byte are zero. */
static void
put_bit(const StewardCodec *codec, StringInfo out, Datum value)
{
	VarBit	   *bits = DatumGetVarBitP(value);
	int			start = steward_begin_counted(out);

	steward_append_varint(out, VARBITLEN(bits));
	steward_put_bytes(out, VARBITS(bits), VARBITBYTES(bits));
	steward_end_counted(out, start);
	if ((Pointer) bits != DatumGetPointer(value))
		pfree(bits);
}

static Datum
get_bit(StewardSlice slice)
{
	StewardReader reader = steward_read_slice(slice);
	uint64		count = steward_take_varint(&reader);
	VarBit	   *bits;

	if (count > PG_INT32_MAX - BITS_PER_BYTE ||
		(count + BITS_PER_BYTE - 1) / BITS_PER_BYTE != reader.left ||
		(count % BITS_PER_BYTE != 0 &&
		 (reader.data[reader.left - 1] & (0xff >> (count % BITS_PER_BYTE))) != 0))
		steward_payload_corrupted("a bit string is malformed");
	bits = palloc0(VARBITTOTALLEN(count));
	SET_VARSIZE(bits, VARBITTOTALLEN(count));
	VARBITLEN(bits) = (int32) count;
	memcpy(VARBITS(bits), reader.data, reader.left);
	return VarBitPGetDatum(bits);
}

static void
put_tid(const StewardCodec *codec, StringInfo out, Datum value)
{
	ItemPointer tid = (ItemPointer) DatumGetPointer(value);
	unsigned char *at = steward_reserve(out, 6);

	steward_store_be32(at, ItemPointerGetBlockNumberNoCheck(tid));
	steward_store_be16(at + 4, ItemPointerGetOffsetNumberNoCheck(tid));
	out->len += 6;
}

static Datum
get_tid(StewardSlice slice)
{
	ItemPointer tid = palloc(sizeof(ItemPointerData));

	ItemPointerSet(tid, steward_load_be32(slice.data),
				   steward_load_be16(slice.data + 4));
	return PointerGetDatum(tid);
}

static void
put_enum(const StewardCodec *codec, StringInfo out, Datum value)
{
	HeapTuple	tuple = SearchSysCache1(ENUMOID, value);
	const char *label;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid internal value for enum: %u",
						DatumGetObjectId(value))));
	label = NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel);
	steward_append_counted(out, label, strlen(label));
	ReleaseSysCache(tuple);
}

/* citext and others have the output function of text: their bytes are their text. */
static bool
is_text(const StewardCodec *codec)
{
	return codec->output->fn_addr == textout && codec->typlen == -1;
}

static void
put_output(const StewardCodec *codec, StringInfo out, Datum value)
{
	int			level;
	char	   *text;

	if (is_text(codec))
	{
		steward_put_varlena(codec, out, value);
		return;
	}
	level = codec->settings ? steward_settings_enter() : 0;
	text = OutputFunctionCall(codec->output, value);
	steward_settings_leave(level);
	steward_append_counted(out, text, strlen(text));
	pfree(text);
}

#define OWN InvalidOid, STEWARD_COUNTED, STEWARD_EXACT, steward_put_varlena, get_bytes, steward_show_encrypted
#define TEXT STEWARD_COUNTED, STEWARD_EXACT_TEXT, steward_put_varlena, get_text, steward_show_text
#define REG STEWARD_COUNTED, STEWARD_AS_TEXT, steward_put_reg, get_text, steward_show_text
#define FLOATS(n) (n) * 8, STEWARD_EXACT, steward_put_floats, steward_get_floats

/*
 * The names are stored. A type whose layout must change gets a new name beside
 * the old one, which stays readable.
 */
static const StewardScalar scalars[] = {
	{"bit", BITOID, STEWARD_COUNTED, STEWARD_EXACT, put_bit, get_bit, steward_show_bit},
	{"bit", VARBITOID, STEWARD_COUNTED, STEWARD_EXACT, put_bit, get_bit, steward_show_bit},
	{"bool", BOOLOID, 1, STEWARD_EXACT, steward_put_bool, steward_get_bool, steward_show_bool},
	{"box", BOXOID, FLOATS(4), steward_show_box},
	{"bytea", BYTEAOID, STEWARD_COUNTED, STEWARD_EXACT, steward_put_varlena, get_bytes, steward_show_bytea},
	{"char", CHAROID, 1, STEWARD_EXACT, steward_put_char, steward_get_char, steward_show_char},
	{"cidr", CIDROID, STEWARD_COUNTED, STEWARD_EXACT, put_inet, get_inet, steward_show_cidr},
	{"circle", CIRCLEOID, FLOATS(3), steward_show_circle},
	{"encrypted_bigint", OWN},
	{"encrypted_bytea", OWN},
	{"encrypted_date", OWN},
	{"encrypted_jsonb", OWN},
	{"encrypted_numeric", OWN},
	{"encrypted_text", OWN},
	{"encrypted_timestamptz", OWN},
	{"enum", InvalidOid, STEWARD_COUNTED, STEWARD_AS_TEXT, put_enum, get_text, steward_show_text},
	{"float4", FLOAT4OID, 4, STEWARD_EXACT, steward_put_float4, steward_get_float4, steward_show_float4},
	{"float8", FLOAT8OID, 8, STEWARD_EXACT, steward_put_be64, steward_get_float8, steward_show_float8},
	{"inet", INETOID, STEWARD_COUNTED, STEWARD_EXACT, put_inet, get_inet, steward_show_inet},
	{"json", JSONOID, STEWARD_COUNTED, STEWARD_EXACT_TEXT, steward_put_varlena, get_json, steward_show_json},
	{"jsonb", JSONBOID, STEWARD_COUNTED, STEWARD_EXACT_TEXT, put_jsonb, get_jsonb, steward_show_jsonb},
	{"line", LINEOID, FLOATS(3), steward_show_line},
	{"lseg", LSEGOID, FLOATS(4), steward_show_lseg},
	{"macaddr", MACADDROID, 6, STEWARD_EXACT, put_raw, get_raw, steward_show_macaddr},
	{"macaddr8", MACADDR8OID, 8, STEWARD_EXACT, put_raw, get_raw, steward_show_macaddr8},
	{"money", MONEYOID, STEWARD_VARINT, STEWARD_EXACT, steward_put_vint8, steward_get_vint8, steward_show_money},
	{"name", NAMEOID, STEWARD_COUNTED, STEWARD_AS_TEXT, put_name, get_text, steward_show_text},
	{"oid", OIDOID, 4, STEWARD_EXACT, steward_put_oid, steward_get_oid, steward_show_oid},
	{"oid", XIDOID, 4, STEWARD_EXACT, steward_put_oid, steward_get_oid, steward_show_oid},
	{"oid", CIDOID, 4, STEWARD_EXACT, steward_put_oid, steward_get_oid, steward_show_oid},
	{"path", PATHOID, STEWARD_COUNTED, STEWARD_EXACT, steward_put_path, steward_get_path, steward_show_path},
	{"pg_lsn", PG_LSNOID, 8, STEWARD_EXACT, steward_put_be64, steward_get_be64, steward_show_pg_lsn},
	{"point", POINTOID, FLOATS(2), steward_show_point},
	{"polygon", POLYGONOID, STEWARD_COUNTED, STEWARD_EXACT, steward_put_polygon, steward_get_polygon, steward_show_polygon},
	{"regclass", REGCLASSOID, REG},
	{"regcollation", REGCOLLATIONOID, REG},
	{"regconfig", REGCONFIGOID, REG},
	{"regdictionary", REGDICTIONARYOID, REG},
	{"regnamespace", REGNAMESPACEOID, REG},
	{"regoper", REGOPEROID, REG},
	{"regoperator", REGOPERATOROID, REG},
	{"regproc", REGPROCOID, REG},
	{"regprocedure", REGPROCEDUREOID, REG},
	{"regrole", REGROLEOID, REG},
	{"regtype", REGTYPEOID, REG},
	{"text", TEXTOID, TEXT},
	{"text", BPCHAROID, TEXT},
	{"text", VARCHAROID, TEXT},
	{"text", REFCURSOROID, TEXT},
	{"text-output", InvalidOid, STEWARD_COUNTED, STEWARD_AS_TEXT, put_output, get_text, steward_show_text},
	{"tid", TIDOID, 6, STEWARD_EXACT, put_tid, get_tid, steward_show_tid},
	{"timestamp", TIMESTAMPOID, 8, STEWARD_EXACT, steward_put_be64, steward_get_timestamp, steward_show_timestamp},
	{"timestamptz", TIMESTAMPTZOID, 8, STEWARD_EXACT, steward_put_be64, steward_get_timestamp, steward_show_timestamptz},
	{"timetz", TIMETZOID, 12, STEWARD_EXACT, steward_put_timetz, steward_get_timetz, steward_show_timetz},
	{"tsquery", TSQUERYOID, STEWARD_COUNTED, STEWARD_AS_TEXT, steward_put_tsquery, get_text, steward_show_text},
	{"uuid", UUIDOID, UUID_LEN, STEWARD_EXACT, put_raw, get_raw, steward_show_uuid},
	{"vdate", DATEOID, STEWARD_VARINT, STEWARD_EXACT, steward_put_vint4, steward_get_vdate, steward_show_date},
	{"vint2", INT2OID, STEWARD_VARINT, STEWARD_EXACT, steward_put_vint2, steward_get_vint2, steward_show_int2},
	{"vint4", INT4OID, STEWARD_VARINT, STEWARD_EXACT, steward_put_vint4, steward_get_vint4, steward_show_int4},
	{"vint8", INT8OID, STEWARD_VARINT, STEWARD_EXACT, steward_put_vint8, steward_get_vint8, steward_show_int8},
	{"vinterval", INTERVALOID, STEWARD_COUNTED, STEWARD_EXACT, steward_put_vinterval, steward_get_vinterval, steward_show_interval},
	{"vnumeric", NUMERICOID, STEWARD_COUNTED, STEWARD_EXACT, steward_put_vnumeric, steward_get_vnumeric, steward_show_numeric},
	{"vtime", TIMEOID, STEWARD_VARINT, STEWARD_EXACT, steward_put_vint8, steward_get_vtime, steward_show_time},
	{"xid8", XID8OID, 8, STEWARD_EXACT, steward_put_be64, steward_get_be64, steward_show_xid8},
	{"xml", XMLOID, TEXT},
};

#undef OWN
#undef TEXT
#undef REG
#undef FLOATS

/* Types that are stored by an output function which obeys no setting. */
static const Oid free_of_settings[] = {
	ACLITEMOID, INT2VECTOROID, JSONPATHOID, OIDVECTOROID, PG_NODE_TREEOID,
	PG_SNAPSHOTOID, TSVECTOROID, TXID_SNAPSHOTOID
};

const StewardScalar *
steward_scalar_for_type(Oid type)
{
	const StewardTypeInfo *encrypted = steward_type_info(type);

	if (encrypted != NULL)
		return steward_scalar_by_name(encrypted->name);
	for (int i = 0; i < lengthof(scalars); i++)
		if (scalars[i].type == type)
			return &scalars[i];
	return NULL;
}

const StewardScalar *
steward_scalar_by_name(const char *name)
{
	for (int i = 0; i < lengthof(scalars); i++)
		if (strcmp(scalars[i].name, name) == 0)
			return &scalars[i];
	steward_payload_corrupted("a codec of its schema version is unknown");
	return NULL;
}

bool
steward_scalar_is_exact(const StewardScalar *scalar, Oid type)
{
	const StewardScalar *current = steward_scalar_for_type(type);

	return current != NULL && strcmp(current->name, scalar->name) == 0 &&
		current->fidelity != STEWARD_AS_TEXT;
}

bool
steward_output_obeys_settings(Oid type)
{
	for (int i = 0; i < lengthof(free_of_settings); i++)
		if (free_of_settings[i] == type)
			return false;
	return true;
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

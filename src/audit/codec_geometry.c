/*
 * codec_geometry.c: the geometric types, stored as their coordinates.
 *
 * point, lseg, box, line and circle are nothing but float8 values, a path and a
 * polygon hold points. Text is made here and not by the output functions,
 * because these obey extra_float_digits.
 */
#include "base/compat.h"

#include "audit/codec_put.h"
#include "audit/codec_scalar.h"
#include "audit/codec_show.h"
#include "common/shortest_dec.h"
#include "crypto/bytes.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/geo_decls.h"

static void
append_floats(StringInfo out, const float8 *numbers, int count)
{
	unsigned char *at = steward_reserve(out, count * 8);

	for (int i = 0; i < count; i++)
	{
		uint64		bits;

		memcpy(&bits, &numbers[i], sizeof(bits));
		steward_store_be64(at + i * 8, bits);
	}
	out->len += count * 8;
}

static float8
load_float(const unsigned char *at)
{
	uint64		bits = steward_load_be64(at);
	float8		number;

	memcpy(&number, &bits, sizeof(number));
	return number;
}

void
steward_put_floats(const StewardCodec *codec, StringInfo out, Datum value)
{
	append_floats(out, (const float8 *) DatumGetPointer(value), codec->width / 8);
}

Datum
steward_get_floats(StewardSlice slice)
{
	float8	   *numbers = palloc(slice.length);

	for (uint32 i = 0; i < slice.length / 8; i++)
		numbers[i] = load_float(slice.data + i * 8);
	return PointerGetDatum(numbers);
}

static void
append_number(StringInfo out, float8 number)
{
	char		decimal[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(number, decimal);
	appendStringInfoString(out, decimal);
}

static void
append_point(StringInfo out, const Point *point)
{
	appendStringInfoChar(out, '(');
	append_number(out, point->x);
	appendStringInfoChar(out, ',');
	append_number(out, point->y);
	appendStringInfoChar(out, ')');
}

static void
append_points(StringInfo out, const Point *points, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		append_point(out, &points[i]);
	}
}

/* Points between brackets, either of which may be nothing. */
static void
show_points(JsonbValue *out, const char *open, const Point *points, int count,
			const char *close)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, open);
	append_points(&text, points, count);
	appendStringInfoString(&text, close);
	steward_show_cstring(out, text.data);
}

void
steward_show_point(JsonbValue *out, Datum value)
{
	show_points(out, "", DatumGetPointP(value), 1, "");
}

void
steward_show_lseg(JsonbValue *out, Datum value)
{
	show_points(out, "[", DatumGetLsegP(value)->p, 2, "]");
}

void
steward_show_box(JsonbValue *out, Datum value)
{
	show_points(out, "", (const Point *) DatumGetBoxP(value), 2, "");
}

void
steward_show_circle(JsonbValue *out, Datum value)
{
	CIRCLE	   *circle = DatumGetCircleP(value);
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoChar(&text, '<');
	append_point(&text, &circle->center);
	appendStringInfoChar(&text, ',');
	append_number(&text, circle->radius);
	appendStringInfoChar(&text, '>');
	steward_show_cstring(out, text.data);
}

void
steward_show_line(JsonbValue *out, Datum value)
{
	LINE	   *line = DatumGetLineP(value);
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoChar(&text, '{');
	append_number(&text, line->A);
	appendStringInfoChar(&text, ',');
	append_number(&text, line->B);
	appendStringInfoChar(&text, ',');
	append_number(&text, line->C);
	appendStringInfoChar(&text, '}');
	steward_show_cstring(out, text.data);
}

/* Points of a slice; there is one at least, as the input functions want. */
static Point *
load_points(StewardSlice slice, uint32 skip, int *count)
{
	uint32		length = slice.length - skip;
	Point	   *points;

	if (slice.length < skip || length == 0 || length % 16 != 0)
		steward_payload_corrupted("points are malformed");
	*count = length / 16;
	points = palloc(length);
	for (int i = 0; i < *count; i++)
	{
		points[i].x = load_float(slice.data + skip + i * 16);
		points[i].y = load_float(slice.data + skip + i * 16 + 8);
	}
	return points;
}

/* A byte, 1 for a closed path, and the points. */
void
steward_put_path(const StewardCodec *codec, StringInfo out, Datum value)
{
	PATH	   *path = DatumGetPathP(value);

	steward_append_varint(out, 1 + path->npts * (uint64) sizeof(Point));
	steward_append_byte(out, path->closed ? 1 : 0);
	append_floats(out, (const float8 *) path->p, path->npts * 2);
	if ((Pointer) path != DatumGetPointer(value))
		pfree(path);
}

Datum
steward_get_path(StewardSlice slice)
{
	int			count;
	Point	   *points = load_points(slice, 1, &count);
	Size		size = offsetof(PATH, p) + sizeof(Point) * (Size) count;
	PATH	   *path = palloc0(size);

	if (slice.data[0] > 1)
		steward_payload_corrupted("points are malformed");
	SET_VARSIZE(path, size);
	path->npts = count;
	path->closed = slice.data[0];
	memcpy(path->p, points, sizeof(Point) * count);
	return PathPGetDatum(path);
}

void
steward_show_path(JsonbValue *out, Datum value)
{
	PATH	   *path = DatumGetPathP(value);

	show_points(out, path->closed ? "(" : "[", path->p, path->npts,
				path->closed ? ")" : "]");
}

/* The points; the bounding box follows from them. */
void
steward_put_polygon(const StewardCodec *codec, StringInfo out, Datum value)
{
	POLYGON    *polygon = DatumGetPolygonP(value);

	steward_append_varint(out, polygon->npts * (uint64) sizeof(Point));
	append_floats(out, (const float8 *) polygon->p, polygon->npts * 2);
	if ((Pointer) polygon != DatumGetPointer(value))
		pfree(polygon);
}

static BOX
box_around(const Point *points, int count)
{
	BOX			box = {points[0], points[0]};

	for (int i = 1; i < count; i++)
	{
		box.low.x = float8_lt(points[i].x, box.low.x) ? points[i].x : box.low.x;
		box.low.y = float8_lt(points[i].y, box.low.y) ? points[i].y : box.low.y;
		box.high.x = float8_gt(points[i].x, box.high.x) ? points[i].x : box.high.x;
		box.high.y = float8_gt(points[i].y, box.high.y) ? points[i].y : box.high.y;
	}
	return box;
}

Datum
steward_get_polygon(StewardSlice slice)
{
	int			count;
	Point	   *points = load_points(slice, 0, &count);
	Size		size = offsetof(POLYGON, p) + sizeof(Point) * (Size) count;
	POLYGON    *polygon = palloc0(size);

	SET_VARSIZE(polygon, size);
	polygon->npts = count;
	polygon->boundbox = box_around(points, count);
	memcpy(polygon->p, points, sizeof(Point) * count);
	return PolygonPGetDatum(polygon);
}

void
steward_show_polygon(JsonbValue *out, Datum value)
{
	POLYGON    *polygon = DatumGetPolygonP(value);

	show_points(out, "(", polygon->p, polygon->npts, ")");
}

/*
 * shape.c: where encrypted values are inside a type; see shape.h.
 */
#include "columns/shape.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "types/guard.h"
#include "types/type_info.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

typedef enum ShapeKind
{
	SHAPE_VALUE,
	SHAPE_ARRAY,
	SHAPE_ROW
} ShapeKind;

struct StewardShape
{
	ShapeKind	kind;
	const StewardTypeInfo *info;	/* of a value */
	int32		typmod;			/* of a value: its key id */
	StewardShape *element;		/* of an array */
	Oid			element_type;
	int16		element_len;
	bool		element_byval;
	char		element_align;
	TupleDesc	desc;			/* of a row */
	StewardShape **columns;
};

/* Enough bytes of a value for steward_datum_parse. */
#define HEAD_BYTES (STEWARD_HEADER_MAX_BYTES + STEWARD_BODY_BYTES)

static StewardShape *
make_shape(ShapeKind kind)
{
	StewardShape *shape = palloc0(sizeof *shape);

	shape->kind = kind;
	return shape;
}

static StewardShape *
array_shape(Oid element_type, int32 typmod)
{
	StewardShape *shape = make_shape(SHAPE_ARRAY);

	shape->element = steward_shape(element_type, typmod);
	shape->element_type = element_type;
	get_typlenbyvalalign(element_type, &shape->element_len,
						 &shape->element_byval, &shape->element_align);
	return shape->element != NULL ? shape : NULL;
}

static StewardShape *
row_shape(Oid type)
{
	StewardShape *shape = make_shape(SHAPE_ROW);

	shape->desc = lookup_rowtype_tupdesc_copy(type, -1);
	shape->columns = steward_shapes(shape->desc);
	return shape->columns != NULL ? shape : NULL;
}

StewardShape *
steward_shape(Oid type, int32 typmod)
{
	StewardShape *shape;
	Oid			base;
	Oid			element_type;

	/* Asked first, because almost every column is of no such type. */
	if (!steward_guard_type(type))
		return NULL;
	base = getBaseTypeAndTypmod(type, &typmod);
	if (steward_type_info(base) != NULL)
	{
		shape = make_shape(SHAPE_VALUE);
		shape->info = steward_type_info(base);
		shape->typmod = typmod;
		return shape;
	}
	element_type = get_element_type(base);
	if (OidIsValid(element_type))
		return array_shape(element_type, typmod);
	return type_is_rowtype(base) ? row_shape(base) : NULL;
}

StewardShape **
steward_shapes(TupleDesc desc)
{
	StewardShape **shapes = palloc0(Max(desc->natts, 1) * sizeof *shapes);
	bool		any = false;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped)
			shapes[i] = steward_shape(att->atttypid, att->atttypmod);
		any |= shapes[i] != NULL;
	}
	return any ? shapes : NULL;
}

void
steward_shape_keys(const StewardShape *shape, StewardShapeKey callback,
				   void *arg)
{
	switch (shape->kind)
	{
		case SHAPE_VALUE:
			callback(shape->typmod, arg);
			break;
		case SHAPE_ARRAY:
			steward_shape_keys(shape->element, callback, arg);
			break;
		case SHAPE_ROW:
			for (int i = 0; i < shape->desc->natts; i++)
			{
				if (shape->columns[i] != NULL)
					steward_shape_keys(shape->columns[i], callback, arg);
			}
			break;
	}
}

/* ---- heads ---- */

static void
head_of_value(Datum value, StewardShapeHead callback, void *arg)
{
	struct varlena *given = (struct varlena *) DatumGetPointer(value);
	struct varlena *head = given;
	StewardDatum datum;

	if (VARATT_IS_EXTERNAL(given) || VARATT_IS_COMPRESSED(given))
		head = PG_DETOAST_DATUM_SLICE(value, 0, HEAD_BYTES);
	if (steward_datum_parse(&datum, (unsigned char *) VARDATA_ANY(head),
							VARSIZE_ANY_EXHDR(head)) == STEWARD_DATUM_OK)
		callback(&datum, arg);
	else
		callback(NULL, arg);
	if (head != given)
		pfree(head);
}

static void
heads_of_array(const StewardShape *shape, Datum value,
			   StewardShapeHead callback, void *arg)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	ArrayIterator iterator = array_create_iterator(array, 0, NULL);
	Datum		element;
	bool		isnull;

	while (array_iterate(iterator, &element, &isnull))
	{
		if (!isnull)
			steward_shape_heads(shape->element, element, callback, arg);
	}
	array_free_iterator(iterator);
	if ((Pointer) array != DatumGetPointer(value))
		pfree(array);
}

/* The columns of a row datum; those that its type got later are null. */
static void
deform_row(const StewardShape *shape, Datum value, Datum **values, bool **nulls)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	HeapTupleData tuple;

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	*values = palloc(shape->desc->natts * sizeof(Datum));
	*nulls = palloc(shape->desc->natts * sizeof(bool));
	heap_deform_tuple(&tuple, shape->desc, *values, *nulls);
}

static void
heads_of_row(const StewardShape *shape, Datum value,
			 StewardShapeHead callback, void *arg)
{
	Datum	   *values;
	bool	   *nulls;

	deform_row(shape, value, &values, &nulls);
	for (int i = 0; i < shape->desc->natts; i++)
	{
		if (shape->columns[i] != NULL && !nulls[i])
			steward_shape_heads(shape->columns[i], values[i], callback, arg);
	}
	pfree(values);
	pfree(nulls);
}

void
steward_shape_heads(const StewardShape *shape, Datum value,
					StewardShapeHead callback, void *arg)
{
	switch (shape->kind)
	{
		case SHAPE_VALUE:
			head_of_value(value, callback, arg);
			break;
		case SHAPE_ARRAY:
			heads_of_array(shape, value, callback, arg);
			break;
		case SHAPE_ROW:
			heads_of_row(shape, value, callback, arg);
			break;
	}
}

/* ---- replacing ---- */

static Datum
map_value(const StewardShape *shape, Datum value, StewardShapeValue callback,
		  void *arg)
{
	struct varlena *whole = PG_DETOAST_DATUM_PACKED(value);
	struct varlena *result = callback(shape->info, shape->typmod, whole, arg);

	return result == whole ? value : PointerGetDatum(result);
}

static Datum
map_array(const StewardShape *shape, Datum value, StewardShapeValue callback,
		  void *arg)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Datum	   *elements;
	bool	   *nulls;
	bool		changed = false;
	int			count;

	deconstruct_array(array, shape->element_type, shape->element_len,
					  shape->element_byval, shape->element_align, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		Datum		before = elements[i];

		if (!nulls[i])
			elements[i] = steward_shape_map(shape->element, before, callback, arg);
		changed |= !nulls[i] && elements[i] != before;
	}
	if (!changed)
		return value;
	return PointerGetDatum(construct_md_array(elements, nulls, ARR_NDIM(array),
											  ARR_DIMS(array), ARR_LBOUND(array),
											  shape->element_type,
											  shape->element_len,
											  shape->element_byval,
											  shape->element_align));
}

static Datum
map_row(const StewardShape *shape, Datum value, StewardShapeValue callback,
		void *arg)
{
	Datum	   *values;
	bool	   *nulls;
	bool		changed = false;

	deform_row(shape, value, &values, &nulls);
	for (int i = 0; i < shape->desc->natts; i++)
	{
		Datum		before = values[i];

		if (shape->columns[i] == NULL || nulls[i])
			continue;
		values[i] = steward_shape_map(shape->columns[i], before, callback, arg);
		changed |= values[i] != before;
	}
	if (!changed)
		return value;
	return heap_copy_tuple_as_datum(heap_form_tuple(shape->desc, values, nulls),
									shape->desc);
}

Datum
steward_shape_map(const StewardShape *shape, Datum value,
				  StewardShapeValue callback, void *arg)
{
	switch (shape->kind)
	{
		case SHAPE_VALUE:
			return map_value(shape, value, callback, arg);
		case SHAPE_ARRAY:
			return map_array(shape, value, callback, arg);
		case SHAPE_ROW:
			return map_row(shape, value, callback, arg);
	}
	return value;
}

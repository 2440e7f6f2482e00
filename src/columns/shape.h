/*
 * shape.h: where encrypted values are inside a type.
 *
 * shape	an encrypted type itself, or an array, a domain or a composite type in
 *			which encrypted values are; found once a table, then used row by row
 * head		a value as steward_datum_parse sees its first bytes: key id, key tag
 *			and subject are right, the length of the plaintext is not
 */
#ifndef STEWARD_COLUMNS_SHAPE_H
#define STEWARD_COLUMNS_SHAPE_H

#include "base/compat.h"

#include "access/tupdesc.h"
#include "types/encrypted.h"

typedef struct StewardShape StewardShape;

/* The shape of a type with this modifier; NULL when no encrypted value is in
 * it. In the current context. */
extern StewardShape *steward_shape(Oid type, int32 typmod);

/* The shapes of a row's columns, NULL for those without; NULL when there are
 * none. In the current context. */
extern StewardShape **steward_shapes(TupleDesc desc);

/* Calls back for each key id that the shape's columns and attributes name; -1
 * where one names none. */
typedef void (*StewardShapeKey) (int32 typmod, void *arg);
extern void steward_shape_keys(const StewardShape *shape, StewardShapeKey callback,
							   void *arg);

/*
 * Calls back with the head of each encrypted value in a non-null datum, NULL for
 * bytes that are no value at all. A value stored out of line is read only as far
 * as its head goes.
 */
typedef void (*StewardShapeHead) (const StewardDatum *head, void *arg);
extern void steward_shape_heads(const StewardShape *shape, Datum value,
								StewardShapeHead callback, void *arg);

/*
 * Replaces encrypted values in a non-null datum by what the callback returns for
 * them (the same pointer: as it was); typmod names the key that they should have.
 * Returns the datum itself when nothing changed, else a new one in the current
 * context.
 */
typedef struct varlena *(*StewardShapeValue) (const StewardTypeInfo *info, int32 typmod,
											  struct varlena *value, void *arg);
extern Datum steward_shape_map(const StewardShape *shape, Datum value,
							   StewardShapeValue callback, void *arg);

#endif							/* STEWARD_COLUMNS_SHAPE_H */

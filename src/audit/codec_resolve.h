/*
 * codec_resolve.h: from types to codecs, and from codecs to text and back.
 *
 * The text of a codec, which the schema version stores, is
 *
 *	   codec := scalar | "array(" codec ")" | "array" delimiter "(" codec ")"
 *			  | "range(" codec ")" | "multirange(" codec ")" | "composite:" id
 *			  | "omit(" codec ")" | "hash(" codec ")" | "encrypt(" codec ")"
 *
 * where the delimiter is named when it is no comma, and the id is that of the
 * schema version of a composite type.
 */
#ifndef STEWARD_AUDIT_CODEC_RESOLVE_H
#define STEWARD_AUDIT_CODEC_RESOLVE_H

#include "base/compat.h"

#include "audit/codec.h"
#include "audit/schema.h"

/*
 * The codec of a type, in the current context, which must live as long as it is
 * used; there is one for every type. Schemas of composites are described, and
 * have no version yet.
 */
extern StewardCodec *steward_codec_for_type(Oid type);

/* The text; composites must have their version. */
extern void steward_codec_append(StringInfo out, const StewardCodec *codec);

/* Finds the schema version of a composite. */
typedef StewardAuditSchema *(*StewardCompositeFinder) (void *arg, int32 version);

/*
 * The codec of a text, for reading, in the current context;
 * ERRCODE_DATA_CORRUPTED when it is none.
 */
extern StewardCodec *steward_codec_parse(const char *text,
										 StewardCompositeFinder find, void *arg);

#endif							/* STEWARD_AUDIT_CODEC_RESOLVE_H */

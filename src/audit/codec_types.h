/*
 * codec_types.h: the table of scalar codecs.
 */
#ifndef STEWARD_AUDIT_CODEC_TYPES_H
#define STEWARD_AUDIT_CODEC_TYPES_H

#include "base/compat.h"

#include "audit/codec.h"

/* The entry for a type that is no domain, or NULL. */
extern const StewardScalar *steward_scalar_for_type(Oid type);

/* The entry of a stored name; ERRCODE_DATA_CORRUPTED when unknown. */
extern const StewardScalar *steward_scalar_by_name(const char *name);

/* Whether what get makes is a Datum of the type. */
extern bool steward_scalar_is_exact(const StewardScalar *scalar, Oid type);

/* Whether the text of a value may depend on a setting. */
extern bool steward_output_obeys_settings(Oid type);

/* The bytes of a text, in the server's encoding. */
extern char *steward_slice_text(StewardSlice slice);

#endif							/* STEWARD_AUDIT_CODEC_TYPES_H */

/*
 * options.h: storage parameters of blind indexes.
 */
#ifndef STEWARD_BLIND_OPTIONS_H
#define STEWARD_BLIND_OPTIONS_H

#include "base/compat.h"

#include "utils/rel.h"

/* Bits of each column's tag. */
extern int	steward_blind_option_tag_bits(Relation index);

/* How full leaves are built on average, in percent. */
extern int	steward_blind_option_fillfactor(Relation index);

/* How many tags a value has at most, in a class for ranges. */
extern int	steward_blind_option_range_tags(Relation index);

/* Is its class one for ranges, so that range_tags is of use? */
extern bool steward_blind_option_is_for_ranges(Relation index);

/*
 * Tells by a NOTICE of each option that was given and is not heeded by such an index: where
 * tags decide (exact), or of a class that is not for ranges.
 */
extern void steward_blind_options_tell(Relation index, bool exact);

/* The access method's amoptions. */
extern bytea *steward_blind_options(Datum reloptions, bool validate);

/* Registers the parameters; called by steward_blind_init. */
extern void steward_blind_options_init(void);

#endif							/* STEWARD_BLIND_OPTIONS_H */

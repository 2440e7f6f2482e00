/*
 * settings.h: fixed settings, under which output and input functions of types
 * that have no codec of their own say the same for everybody.
 */
#ifndef STEWARD_AUDIT_SETTINGS_H
#define STEWARD_AUDIT_SETTINGS_H

#include "base/compat.h"

/*
 * Sets DateStyle, IntervalStyle, TimeZone, extra_float_digits, bytea_output,
 * lc_monetary, xmlbinary, quote_all_identifiers and search_path; returns what
 * steward_settings_leave() wants. Cheap when they are so already, as inside
 * another call. An error restores them like any setting of a function.
 */
extern int	steward_settings_enter(void);
extern void steward_settings_leave(int level);

#endif							/* STEWARD_AUDIT_SETTINGS_H */

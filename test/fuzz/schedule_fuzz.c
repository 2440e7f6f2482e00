/*
 * schedule_fuzz.c: any text as a schedule, and any schedule's next runs.
 *
 * One byte chooses a zone, eight bytes each are where intervals are counted from and what the
 * next run is to be after, and the rest is the text.
 */
#include "retention/schedule.h"

#include "fuzz.h"

#define HEADER 17

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	return 0;
}

/* Clocks go forward and back every few days, by up to a day. */
static int32_t
jumpy_offset(const StewardZone *zone, int64_t instant, int64_t *until)
{
	int64_t		stretch = 3600 * (1 + (int64_t) *(const unsigned char *) zone->data);
	int64_t		number = (instant - STEWARD_INSTANT_MIN + 100 * INT64_C(86400)) / stretch;

	*until = STEWARD_INSTANT_MIN - 100 * INT64_C(86400) + (number + 1) * stretch;
	return (int32_t) ((number * 7919) % 97 - 48) * 900;
}

static int32_t
fixed_offset(const StewardZone *zone, int64_t instant, int64_t *until)
{
	(void) instant;
	*until = STEWARD_NEVER;
	return (*(const unsigned char *) zone->data - 128) * 3600;
}

static void
must_be_cron(const StewardCron *cron)
{
	MUST(cron->minutes != 0 && cron->minutes >> 60 == 0);
	MUST(cron->hours != 0 && cron->hours >> 24 == 0);
	MUST(cron->days != 0 && (cron->days & 1) == 0 && cron->days >> 32 == 0);
	MUST(cron->months != 0 && (cron->months & 1) == 0 && cron->months >> 13 == 0);
	MUST(cron->weekdays != 0 && cron->weekdays >> 7 == 0);
}

static void
must_be_span(const StewardSpan *span)
{
	MUST(span->months >= 0 && span->months <= 1200);
	MUST(span->days >= 0 && span->days <= 36525);
	MUST(span->seconds >= 0 && span->seconds <= 36525 * INT64_C(86400));
	MUST(span->months + span->days + span->seconds > 0);
}

/* A sentence that has nothing of the text in it, which may be in any encoding. */
static void
must_be_fault(const StewardScheduleFault *fault, size_t len)
{
	size_t		reason_len = strlen(fault->reason);

	MUST(fault->position >= 1 && fault->position <= (int) len + 1);
	MUST(reason_len > 20 && reason_len + 1 < sizeof fault->reason);
	MUST(fault->reason[reason_len - 1] == '.');
	for (size_t i = 0; i < reason_len; i++)
		MUST(fault->reason[i] >= ' ' && fault->reason[i] <= '~');
}

/* The next run is later; there is none before it, and others follow in order. */
static void
must_run(const StewardSchedule *schedule, const StewardZone *zone, int64_t anchor,
		 int64_t after)
{
	for (int i = 0; i < 3 && after < STEWARD_INSTANT_END; i++)
	{
		int64_t		next = steward_schedule_next(schedule, zone, anchor, after);
		int64_t		middle = next == STEWARD_NEVER ? after : after + (next - 1 - after) / 2;
		int64_t		planned = STEWARD_NEVER;

		MUST(next > after && (next == STEWARD_NEVER || next < STEWARD_INSTANT_END));
		MUST(steward_schedule_next(schedule, zone, anchor, middle) == next);
		MUST(steward_schedule_plan(schedule, zone, anchor, INT64_MIN, after) == next);
		MUST(!steward_schedule_due(schedule, zone, anchor, INT64_MIN, after, &planned));
		MUST(planned == next);
		if (next == STEWARD_NEVER)
			return;
		MUST(steward_schedule_next(schedule, zone, anchor, next - 1) == next);
		after = next;
	}
}

/* An instant that is dealt with. */
static int64_t
take_instant(const unsigned char *bytes)
{
	uint64_t	number;

	memcpy(&number, bytes, sizeof number);
	return STEWARD_INSTANT_MIN +
		(int64_t) (number % (uint64_t) (STEWARD_INSTANT_END - STEWARD_INSTANT_MIN));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	StewardSchedule schedule;
	StewardScheduleFault fault;
	StewardZone zone = {jumpy_offset, bytes};
	char	   *text;

	if (len < HEADER)
		return 0;
	/* As long: the sanitizer guards its end. */
	text = malloc(len - HEADER + 1);
	memcpy(text, bytes + HEADER, len - HEADER);
	text[len - HEADER] = '\0';
	if (bytes[1] % 2 == 0)
		zone.offset = fixed_offset;
	if (!steward_schedule_parse(&schedule, text, &fault))
		must_be_fault(&fault, strlen(text));
	else
	{
		if (schedule.is_cron)
			must_be_cron(&schedule.cron);
		else
			must_be_span(&schedule.span);
		must_run(&schedule, &zone, take_instant(bytes + 1), take_instant(bytes + 9));
	}
	free(text);
	return 0;
}

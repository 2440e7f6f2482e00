/*
 * codec_decode.c: payloads to images; README has the format.
 *
 * A payload of several parts is read as if it were one, except that a value
 * never reaches from one part into the next.
 */
#include "base/compat.h"

#include "audit/codec_put.h"
#include "audit/codec_read.h"
#include "audit/schema.h"

/* Where the decoder is. */
typedef struct PartsReader
{
	StewardReader reader;		/* in this part */
	const StewardPart *next;
	int			count;			/* parts that follow */
	bool		continues;		/* as this part says */
	bool		missing;		/* a value is in a part that was not given */
} PartsReader;

static void
open_part(PartsReader *parts)
{
	unsigned char format;

	parts->reader.data = parts->next->data;
	parts->reader.left = parts->next->length;
	parts->next++;
	parts->count--;
	format = *steward_take(&parts->reader, 1);
	if (format != STEWARD_PAYLOAD_FORMAT && format != STEWARD_PAYLOAD_CONTINUES)
		steward_payload_corrupted("its format is unknown");
	parts->continues = format == STEWARD_PAYLOAD_CONTINUES;
}

/* Whether the next value is there; it is not when its part is missing. */
static bool
find_value(PartsReader *parts)
{
	while (parts->reader.left == 0 && parts->continues)
	{
		parts->missing = parts->count == 0;
		if (parts->missing)
			return false;
		open_part(parts);
	}
	return true;
}

static void
take_column(PartsReader *parts, const StewardAuditSchema *schema, int i,
			bool present, StewardImage *image)
{
	image->presence[i] = present ? STEWARD_VALUE : STEWARD_NULL;
	if (!present)
		return;
	if (find_value(parts))
		image->slices[i] = steward_take_value(&parts->reader,
											  schema->columns[i].codec);
	else
		image->presence[i] = STEWARD_ABSENT;
}

static void
take_update(PartsReader *parts, const StewardAuditSchema *schema,
			StewardImage *before, StewardImage *after)
{
	const unsigned char *changed = steward_take_bitmap(&parts->reader,
													   schema->count);
	const unsigned char *present;
	int			values = 0;
	int			bit = 0;

	for (int i = 0; i < schema->count; i++)
		values += (steward_keeps_old(schema, i, changed) ? 1 : 0) +
			(steward_get_bit(changed, i) ? 1 : 0);
	present = steward_take_bitmap(&parts->reader, values);
	for (int i = 0; i < schema->count; i++)
		if (steward_keeps_old(schema, i, changed))
			take_column(parts, schema, i, steward_get_bit(present, bit++), before);
	for (int i = 0; i < schema->count; i++)
		if (steward_get_bit(changed, i))
			take_column(parts, schema, i, steward_get_bit(present, bit++), after);
}

static void
take_row(PartsReader *parts, const StewardAuditSchema *schema,
		 StewardImage *image)
{
	const unsigned char *present = steward_take_bitmap(&parts->reader,
													   schema->count);

	for (int i = 0; i < schema->count; i++)
		take_column(parts, schema, i, steward_get_bit(present, i), image);
}

/*
 * All parts that were given are used up, and no byte of the last is left. A part
 * is followed by another only for the sake of a value.
 */
static void
close_parts(const PartsReader *parts)
{
	steward_read_end(&parts->reader);
	if (parts->count > 0 || (parts->continues && !parts->missing))
		steward_payload_corrupted("bytes follow its end");
}

void
steward_decode_payload(const StewardAuditSchema *schema, char op,
					   const StewardPart *given, int count,
					   StewardImage *before, StewardImage *after)
{
	PartsReader parts = {.next = given, .count = count};

	parts.reader.encoding = schema->encoding;
	steward_new_image(before, schema->count);
	steward_new_image(after, schema->count);
	open_part(&parts);
	switch (op)
	{
		case STEWARD_OP_INSERT:
			take_row(&parts, schema, after);
			break;
		case STEWARD_OP_DELETE:
			take_row(&parts, schema, before);
			break;
		case STEWARD_OP_UPDATE:
			take_update(&parts, schema, before, after);
			break;
		case STEWARD_OP_PART:
			return;
		case STEWARD_OP_ENABLE:
			if (parts.reader.left > 0 &&
				*steward_take(&parts.reader, 1) != STEWARD_ENABLED_WITHOUT_ROWS)
				steward_payload_corrupted("its format is unknown");
			/* FALLTHROUGH */
		case STEWARD_OP_TRUNCATE:
		case STEWARD_OP_DISABLE:
		case STEWARD_OP_REWRITE:
			if (!parts.continues)
				break;
			steward_payload_corrupted("its format is unknown");
		default:
			steward_payload_corrupted("its operation is unknown");
	}
	close_parts(&parts);
}

bool
steward_enabled_without_rows(const StewardPart *payload)
{
	return payload->length == 2 && payload->data[1] == STEWARD_ENABLED_WITHOUT_ROWS;
}

#include "frame.h"

#include <cell/bytes.h>
#include <errno.h>

static const char *const kind_names[] = {
	[FRAME_HELLO] = "hello",   [FRAME_REQUEST] = "request", [FRAME_REPLY] = "reply",
	[FRAME_ERROR] = "error",   [FRAME_ONE_WAY] = "one-way", [FRAME_ITEM] = "item",
	[FRAME_END] = "end",       [FRAME_CANCEL] = "cancel",   [FRAME_CREDIT] = "credit",
	[FRAME_GOAWAY] = "goaway",
};
#define KINDS (sizeof kind_names / sizeof kind_names[0])

#define RECORD_HEADER_SIZE 3

const char *frame_kind_name(uint8_t kind)
{
	return kind < KINDS && kind_names[kind] ? kind_names[kind] : "unknown";
}

static bool kind_is_message(uint8_t kind)
{
	return kind == FRAME_REQUEST || kind == FRAME_REPLY || kind == FRAME_ONE_WAY ||
	       kind == FRAME_ITEM;
}

static int check_flags(const struct frame *header, struct cell_error *err)
{
	uint16_t flags = header->flags;

	if (flags & ~FRAME_FLAGS_KNOWN)
		return cell_fail(err, -EPROTO, "%s frame with unknown flags 0x%x",
				 frame_kind_name(header->kind), (unsigned)flags);
	if (flags && !kind_is_message(header->kind))
		return cell_fail(err, -EPROTO,
				 "%s frame with flags 0x%x, which only messages have",
				 frame_kind_name(header->kind), (unsigned)flags);
	if ((flags & FRAME_FLAG_MORE) && (flags & FRAME_FLAG_MEMFD) &&
	    header->kind == FRAME_ITEM)
		return cell_fail(err, -EPROTO, "%s frame both in fragments and in a memfd",
				 frame_kind_name(header->kind));
	if ((flags & FRAME_FLAG_MEMFD) && (flags & FRAME_FLAG_METADATA) && header->length)
		return cell_fail(err, -EPROTO, "%s frame both with metadata and of a payload",
				 frame_kind_name(header->kind));
	if ((flags & FRAME_FLAG_MORE) && !header->length)
		return cell_fail(err, -EPROTO, "%s frame that is an empty fragment",
				 frame_kind_name(header->kind));
	return 0;
}

static int check_sizes(const struct frame *header, struct cell_error *err)
{
	const char *name = frame_kind_name(header->kind);

	if (header->length > FRAME_BODY_MAX)
		return cell_fail(err, -EPROTO, "%s frame of %u bytes, limit %u", name,
				 (unsigned)header->length, (unsigned)FRAME_BODY_MAX);
	if ((header->kind == FRAME_CANCEL || header->kind == FRAME_CREDIT) && header->length)
		return cell_fail(err, -EPROTO, "%s frame with a body of %u bytes", name,
				 (unsigned)header->length);
	if (header->flags & FRAME_FLAG_MEMFD) {
		if (header->total > FRAME_PAYLOAD_MAX + FRAME_PAYLOAD_PREFIX)
			return cell_fail(err, -EPROTO,
					 "%s frame of a payload of %u bytes, limit %u", name,
					 (unsigned)header->total, FRAME_PAYLOAD_MAX);
		if (!header->length)
			return 0;
	}
	if (!header->total)
		return 0;
	if (header->flags & FRAME_FLAG_MORE ? header->total <= header->length
					    : header->total != header->length)
		return cell_fail(err, -EPROTO, "%s frame of %u bytes, total %u", name,
				 (unsigned)header->length, (unsigned)header->total);
	return 0;
}

int frame_check_all(const struct frame *header, struct cell_error *err)
{
	int r;

	if (header->kind >= KINDS || !kind_names[header->kind])
		return cell_fail(err, -EPROTO, "frame of unknown kind %u",
				 (unsigned)header->kind);

	r = check_flags(header, err);
	if (r < 0)
		return r;
	r = check_sizes(header, err);
	if (r < 0)
		return r;

	if (header->kind == FRAME_HELLO && header->call_id)
		return cell_fail(err, -EPROTO, "hello frame with call id %llu",
				 (unsigned long long)header->call_id);
	if (header->kind != FRAME_HELLO && header->kind != FRAME_GOAWAY && !header->call_id)
		return cell_fail(err, -EPROTO, "%s frame without a call id",
				 frame_kind_name(header->kind));
	if (header->kind == FRAME_ERROR && !header->code)
		return cell_fail(err, -EPROTO, "error frame with status 0");
	return 0;
}

void frame_hello_encode(const struct frame_hello *hello, uint8_t out[static FRAME_HELLO_SIZE])
{
	struct cell_writer writer = cell_writer(out, FRAME_HELLO_SIZE);

	cell_write_u16(&writer, hello->version);
	cell_write_u32(&writer, hello->message_max);
	cell_write_u32(&writer, hello->calls_max);
	cell_write_u32(&writer, hello->window);
	cell_write_u64(&writer, hello->payload_max);
	cell_write_u64(&writer, hello->schema);
	assert(!writer.failed && writer.at == writer.end);
}

int frame_hello_decode(struct frame_hello *ret_hello, const uint8_t *bytes, size_t len,
		       struct cell_error *err)
{
	struct cell_reader reader = cell_reader(bytes, len);
	struct frame_hello hello;

	hello.version = cell_read_u16(&reader);
	hello.message_max = cell_read_u32(&reader);
	hello.calls_max = cell_read_u32(&reader);
	hello.window = cell_read_u32(&reader);
	hello.payload_max = cell_read_u64(&reader);
	hello.schema = cell_read_u64(&reader);
	if (reader.failed)
		return cell_fail(err, -EPROTO, "hello of %zu bytes, needs %u", len,
				 FRAME_HELLO_SIZE);
	*ret_hello = hello;
	return 0;
}

/* A known tag stands once: else two readers could believe two different principals. */
static int metadata_take(struct frame_metadata *metadata, uint8_t tag, const uint8_t *value,
			 size_t len, struct cell_error *err)
{
	switch (tag) {
	case FRAME_TAG_TRACE:
		if (metadata->trace || len != FRAME_TRACE_SIZE)
			break;
		metadata->trace = value;
		return 0;
	case FRAME_TAG_PRINCIPAL:
		if (metadata->principal || !len)
			break;
		for (size_t i = 0; i < len; i++)
			if (value[i] < ' ' || value[i] == 0x7f)
				return cell_fail(err, -EPROTO,
						 "metadata: a control byte in "
						 "the principal");
		metadata->principal = (const char *)value;
		metadata->principal_len = len;
		return 0;
	case FRAME_TAG_IDEMPOTENCY_KEY:
		if (metadata->idempotency_key || !len || len > FRAME_IDEMPOTENCY_KEY_MAX)
			break;
		metadata->idempotency_key = value;
		metadata->idempotency_key_len = len;
		return 0;
	default: return 0;
	}
	return cell_fail(err, -EPROTO, "metadata: tag %u is there twice, or of %zu bytes",
			 (unsigned)tag, len);
}

int frame_metadata_decode(struct frame_metadata *ret_metadata, size_t *ret_used,
			  const uint8_t *bytes, size_t len, struct cell_error *err)
{
	struct cell_reader reader = cell_reader(bytes, len);
	struct frame_metadata metadata = { 0 };
	size_t size = cell_read_u16(&reader);
	const uint8_t *block = cell_read_bytes(&reader, size);

	if (!block)
		return cell_fail(err, -EPROTO, "metadata: %zu bytes in a body of %zu", size,
				 len);
	if (size > FRAME_METADATA_MAX)
		return cell_fail(err, -EPROTO, "metadata: %zu bytes, limit %d", size,
				 FRAME_METADATA_MAX);

	reader = cell_reader(block, size);
	while (reader.at < reader.end) {
		uint8_t tag = cell_read_u8(&reader);
		size_t value_len = cell_read_u16(&reader);
		const uint8_t *value = cell_read_bytes(&reader, value_len);
		int r;

		if (!value)
			return cell_fail(err, -EPROTO,
					 "metadata: record of tag %u is cut off",
					 (unsigned)tag);
		r = metadata_take(&metadata, tag, value, value_len, err);
		if (r < 0)
			return r;
	}

	*ret_metadata = metadata;
	*ret_used = sizeof(uint16_t) + size;
	return 0;
}

static size_t record_size(size_t len)
{
	return RECORD_HEADER_SIZE + len;
}

size_t frame_metadata_size(const struct frame_metadata *metadata)
{
	size_t size = 0;

	if (metadata->trace)
		size += record_size(FRAME_TRACE_SIZE);
	if (metadata->principal)
		size += record_size(metadata->principal_len);
	if (metadata->idempotency_key)
		size += record_size(metadata->idempotency_key_len);
	return size ? sizeof(uint16_t) + size : 0;
}

static void record_write(struct cell_writer *writer, uint8_t tag, const void *value,
			 size_t len)
{
	uint8_t *room;

	if (!value)
		return;
	cell_write_u8(writer, tag);
	cell_write_u16(writer, (uint16_t)len);
	room = cell_write_room(writer, len);
	if (room)
		memcpy(room, value, len);
}

uint8_t *frame_metadata_encode(const struct frame_metadata *metadata, uint8_t *out)
{
	size_t size = frame_metadata_size(metadata);
	struct cell_writer writer = cell_writer(out, size);

	if (!size)
		return out;
	assert(size <= sizeof(uint16_t) + FRAME_METADATA_MAX);

	cell_write_u16(&writer, (uint16_t)(size - sizeof(uint16_t)));
	record_write(&writer, FRAME_TAG_TRACE, metadata->trace, FRAME_TRACE_SIZE);
	record_write(&writer, FRAME_TAG_PRINCIPAL, metadata->principal,
		     metadata->principal_len);
	record_write(&writer, FRAME_TAG_IDEMPOTENCY_KEY, metadata->idempotency_key,
		     metadata->idempotency_key_len);
	assert(!writer.failed && writer.at == writer.end);
	return writer.at;
}

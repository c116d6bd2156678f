#include <cell/codec.h>

#include <errno.h>
#include <stdlib.h>

#include <cell/bytes.h>
#include <cell/error.h>

/* Unknown groups (only old schemas have any) may nest so deep before they are refused. */
#define GROUP_DEPTH_MAX 32

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_LENGTH = 2,
	WIRE_GROUP = 3,
	WIRE_GROUP_END = 4,
	WIRE_FIXED32 = 5
};

/* --- sizes -------------------------------------------------------------- */

uint64_t cell_bound_strings(const char *const *items, size_t n, unsigned tag_size)
{
	uint64_t size = 0;

	for (size_t i = 0; i < n && size <= CELL_MESSAGE_SIZE_MAX; i++)
		size += tag_size + 5 + cell_bound_string(items[i]);
	return cell_bound_size(size);
}

uint64_t cell_bound_bytes_list(const struct cell_bytes *items, size_t n, unsigned tag_size)
{
	uint64_t size = 0;

	for (size_t i = 0; i < n && size <= CELL_MESSAGE_SIZE_MAX; i++)
		size += tag_size + 5 + cell_bound_size(items[i].len);
	return cell_bound_size(size);
}

/* --- encoding ----------------------------------------------------------- */

uint8_t *cell_encode_close_long(uint8_t *start, uint8_t *body, uint8_t *end)
{
	size_t len = (size_t)(end - body);
	uint8_t *at = start + cell_varint_size(len);

	if (at != body)
		memmove(at, body, len);
	(void)cell_encode_varint(start, len);
	return at + len;
}

#define ENCODE_PACKED(name, type)                                                            \
	uint8_t *cell_encode_packed_##name(uint8_t *out, const void *items, size_t n)        \
	{                                                                                    \
		const type *at = items;                                                      \
		uint8_t *body = cell_encode_open(out, n);                                    \
		uint8_t *end = body;                                                         \
                                                                                             \
		for (size_t i = 0; i < n; i++)                                               \
			end = cell_encode_##name(end, at[i]);                                \
		return cell_encode_close(out, body, end);                                    \
	}
ENCODE_PACKED(int32, int32_t)
ENCODE_PACKED(uint32, uint32_t)
ENCODE_PACKED(sint32, int32_t)
ENCODE_PACKED(uint64, uint64_t)
ENCODE_PACKED(sint64, int64_t)
ENCODE_PACKED(bool, bool)
#undef ENCODE_PACKED

uint8_t *cell_encode_packed_fixed32(uint8_t *out, const void *items, size_t n)
{
	const uint8_t *at = items;

	out = cell_encode_varint(out, 4 * (uint64_t)n);
	for (size_t i = 0; i < n; i++, at += 4) {
		uint32_t value;

		memcpy(&value, at, sizeof value);
		out = cell_encode_fixed32(out, value);
	}
	return out;
}

uint8_t *cell_encode_packed_fixed64(uint8_t *out, const void *items, size_t n)
{
	const uint8_t *at = items;

	out = cell_encode_varint(out, 8 * (uint64_t)n);
	for (size_t i = 0; i < n; i++, at += 8) {
		uint64_t value;

		memcpy(&value, at, sizeof value);
		out = cell_encode_fixed64(out, value);
	}
	return out;
}

/* --- decoding: errors --------------------------------------------------- */

/* The name of field NUMBER in "number:name number:name "; NULL if it is not there. */
static const char *name_find(const char *names, uint32_t number, int *ret_len)
{
	while (*names) {
		char *colon;
		unsigned long n = strtoul(names, &colon, 10);

		names = colon + 1;
		*ret_len = (int)strcspn(names, " ");
		if (n == number)
			return names;
		names += *ret_len + 1;
	}
	return NULL;
}

const uint8_t *cell_decode_fail(struct cell_decoder *d, const char *names, uint32_t tag)
{
	const char *why = d->why ? d->why : "cut short, or no number";
	const char *field;
	int len = 0;

	if (d->code && !d->why)
		return NULL;
	if (!d->code)
		d->code = CELL_INVALID_ARGUMENT;
	field = name_find(names + strlen(names) + 1, tag >> 3, &len);
	if (field)
		(void)cell_fail(d->err, d->code, "%s.%.*s: %s", names, len, field, why);
	else
		(void)cell_fail(d->err, d->code, "%s: in an unknown field: %s", names, why);
	d->why = NULL;
	return NULL;
}

static bool out_of_memory(struct cell_decoder *d)
{
	d->code = -ENOMEM;
	d->why = "no memory left for it";
	return false;
}

/* --- decoding: tags and what is skipped --------------------------------- */

/*
 * Eight groups of seven bits, one in each byte of WORD, drawn together: first pairs,
 * then fours.
 */
static uint64_t groups_join(uint64_t word)
{
	word = (word & 0x007f007f007f007f) | (word & 0x7f007f007f007f00) >> 1;
	word = (word & 0x00003fff00003fff) | (word & 0x3fff00003fff0000) >> 2;
	return (word & 0x000000000fffffff) | (word & 0x0fffffff00000000) >> 4;
}

struct cell_varint cell_decode_varint_long(const uint8_t *at, const uint8_t *end)
{
	struct cell_varint result = { NULL, 0 };
	const uint8_t *stop = end - at > 10 ? at + 10 : end;
	unsigned shift = 0;
	uint64_t byte;

	if (end - at >= 8) {
		uint64_t word, last;

		memcpy(&word, at, sizeof word);
		word = cell_little64(word);
		last = ~word & 0x8080808080808080;
		if (last) {
			/* All bits up to the first byte that does not go on. */
			result.value = groups_join(word & (last ^ (last - 1)));
			result.at = at + (__builtin_ctzll(last) + 1) / 8;
			return result;
		}
		result.value = groups_join(word);
		shift = 56;
		at += 8;
	}
	for (; at < stop; shift += 7) {
		byte = *at++;
		result.value |= (byte & 0x7f) << shift;
		if (byte >= 0x80)
			continue;
		/* The tenth byte has room for one bit. */
		if (shift < 63 || byte <= 1)
			result.at = at;
		return result;
	}
	return result;
}

const uint8_t *cell_decode_tag(struct cell_decoder *d, const uint8_t *at, const uint8_t *end,
			       uint32_t *tag)
{
	uint64_t value = *tag & 0x7f;

	for (unsigned shift = 7; shift < 35 && at < end; shift += 7) {
		uint64_t byte = *at++;

		value |= (byte & 0x7f) << shift;
		if (byte >= 0x80)
			continue;
		/* Tags come in their shortest form, so that there is one way to switch on. */
		if (value > UINT32_MAX || byte == 0)
			break;
		*tag = (uint32_t)value;
		return at;
	}
	d->why = "no valid tag";
	return NULL;
}

/*
 * Past the value of one field that is no group; NULL if it is cut short or has no such
 * type.
 */
static const uint8_t *value_skip(const uint8_t *at, const uint8_t *end, uint32_t tag)
{
	struct cell_varint v;
	size_t size;

	switch (tag & 7) {
	case WIRE_VARINT: return cell_decode_varint(at, end).at;
	case WIRE_LENGTH:
		v = cell_decode_varint(at, end);
		return v.at && v.value <= (size_t)(end - v.at) ? v.at + v.value : NULL;
	case WIRE_FIXED32:
	case WIRE_FIXED64:
		size = (tag & 7) == WIRE_FIXED32 ? 4 : 8;
		return (size_t)(end - at) >= size ? at + size : NULL;
	default: return NULL;
	}
}

const uint8_t *cell_decode_skip(struct cell_decoder *d, const uint8_t *at, const uint8_t *end,
				uint32_t tag)
{
	uint32_t groups[GROUP_DEPTH_MAX];
	unsigned depth = 0;

	for (;;) {
		if (tag >> 3 == 0) {
			d->why = "there is no field 0";
			return NULL;
		}
		if ((tag & 7) == WIRE_GROUP) {
			if (depth == GROUP_DEPTH_MAX) {
				d->why = "groups nest too deep";
				return NULL;
			}
			groups[depth++] = tag >> 3;
		} else if ((tag & 7) == WIRE_GROUP_END) {
			if (!depth || groups[--depth] != tag >> 3) {
				d->why = "a group ends that did not begin";
				return NULL;
			}
		} else {
			at = value_skip(at, end, tag);
		}
		if (!depth || !at)
			return at;
		if (at == end)
			return NULL;
		tag = *at++;
		if (tag >= 0x80) {
			at = cell_decode_tag(d, at, end, &tag);
			if (!at)
				return NULL;
		}
	}
}

const uint8_t *cell_decode_unknown(struct cell_decoder *d, const uint8_t *at,
				   const uint8_t *end, uint8_t first)
{
	uint32_t tag = first;

	if (tag >= 0x80) {
		at = cell_decode_tag(d, at, end, &tag);
		if (!at)
			return NULL;
	}
	return cell_decode_skip(d, at, end, tag);
}

/* --- decoding: text and memory ------------------------------------------ */

/*
 * How long the UTF-8 sequence at AT is, 0 if it is none. The limits of its second byte
 * are what rules out overlong forms, surrogates and what is past U+10FFFF
 * (Unicode Standard, table 3-7).
 */
static size_t sequence_len(const uint8_t *at, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t len;

	if (at[0] < 0x80)
		return at[0] ? 1 : 0;
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	len = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	if (len > left)
		return 0;
	if (at[0] == 0xe0)
		low = 0xa0;
	else if (at[0] == 0xed)
		high = 0x9f;
	else if (at[0] == 0xf0)
		low = 0x90;
	else if (at[0] == 0xf4)
		high = 0x8f;
	if (at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool cell_text_is_valid(const uint8_t *at, size_t len)
{
	while (len) {
		size_t n = len >= 8 && cell_text_is_plain(at, 8) ? 8 : sequence_len(at, len);

		if (!n)
			return false;
		at += n;
		len -= n;
	}
	return true;
}

const uint8_t *cell_decode_string_copy(struct cell_decoder *d, const uint8_t *at,
				       const uint8_t *stop, const char **ret)
{
	char *copy = cell_arena_strndup(d->arena, (const char *)at, (size_t)(stop - at));

	if (!copy) {
		(void)out_of_memory(d);
		return NULL;
	}
	*ret = copy;
	return stop;
}

const uint8_t *cell_decode_bytes(struct cell_decoder *d, const uint8_t *at,
				 const uint8_t *end, size_t *ret_len, const uint8_t **ret)
{
	const uint8_t *stop;

	at = cell_decode_length(d, at, end, &stop);
	if (!at)
		return NULL;
	*ret_len = (size_t)(stop - at);
	*ret = at;
	if (!(d->flags & (CELL_DECODE_IN_PLACE | CELL_DECODE_BYTES_STAY))) {
		uint8_t *copy = cell_decode_new(d, *ret_len);

		if (!copy)
			return NULL;
		memcpy(copy, at, *ret_len);
		*ret = copy;
	}
	return stop;
}

const uint8_t *cell_decode_chars(struct cell_decoder *d, const uint8_t *at, const uint8_t *end,
				 char *to, size_t size)
{
	const uint8_t *stop;
	size_t len;

	at = cell_decode_length(d, at, end, &stop);
	if (!at)
		return NULL;
	len = (size_t)(stop - at);
	if (len > size) {
		d->why = "longer than the array it goes to";
		return NULL;
	}
	if (!cell_text_is_plain(at, len) && !cell_text_is_valid(at, len)) {
		d->why = "not UTF-8 text, or with a NUL in it";
		return NULL;
	}
	memcpy(to, at, len);
	memset(to + len, 0, size - len);
	return stop;
}

const uint8_t *cell_decode_block(struct cell_decoder *d, const uint8_t *at, const uint8_t *end,
				 uint8_t *to, size_t size)
{
	const uint8_t *stop;

	at = cell_decode_length(d, at, end, &stop);
	if (!at)
		return NULL;
	if (stop != at && (size_t)(stop - at) != size) {
		d->why = "not as long as the array it goes to";
		return NULL;
	}
	if (stop == at)
		memset(to, 0, size);
	else
		memcpy(to, at, size);
	return stop;
}

const uint8_t *cell_decode_not_n(struct cell_decoder *d)
{
	d->why = "not as many values as the array has";
	return NULL;
}

const uint8_t *cell_decode_array(struct cell_decoder *d, const uint8_t *at,
				 const struct cell_list *list, void *to, size_t size, size_t n,
				 size_t *count)
{
	if (*count > n || list->n > n - *count)
		return cell_decode_not_n(d);
	if (list->n)
		memcpy((uint8_t *)to + *count * size, list->items, list->n * size);
	*count += list->n;
	return at;
}

void *cell_decode_new(struct cell_decoder *d, size_t size)
{
	void *at = cell_arena_alloc(d->arena, size);

	if (!at)
		(void)out_of_memory(d);
	return at;
}

/* --- decoding: repeated fields ------------------------------------------ */

/* Room for MORE items behind those there are; what a list outgrows stays in the arena. */
static bool list_reserve(struct cell_decoder *d, struct cell_list *list, size_t more,
			 size_t size)
{
	size_t room = list->items ? ((const size_t *)list->items)[-1] : 0;
	size_t need, bytes;
	size_t *at;

	if (!cell_add(list->n, more, &need))
		return out_of_memory(d);
	if (need <= room)
		return true;
	/* Exact the first time, then doubling: many short runs must not cost a copy each. */
	if (need < 2 * room)
		need = 2 * room;
	if (!cell_mul(need, size, &bytes) || !cell_add(bytes, sizeof *at, &bytes))
		return out_of_memory(d);
	at = cell_arena_alloc(d->arena, bytes);
	if (!at)
		return out_of_memory(d);
	*at++ = need;
	if (list->n)
		memcpy(at, list->items, list->n * size);
	list->items = at;
	return true;
}

/* How many fields of TAG follow each other, the first one's tag being read already. */
static size_t run_count(const uint8_t *at, const uint8_t *end, uint32_t tag)
{
	size_t n = 0;

	for (;;) {
		struct cell_varint next;

		at = value_skip(at, end, tag);
		n++;
		if (!at || at == end)
			return n;
		next = cell_decode_varint(at, end);
		if (!next.at || next.value != tag)
			return n;
		at = next.at;
	}
}

bool cell_decode_room_more(struct cell_decoder *d, struct cell_list *list, size_t size,
			   const uint8_t *at, const uint8_t *end, uint32_t tag)
{
	return list_reserve(d, list, run_count(at, end, tag), size);
}

/* Varints in the bytes: as many as there are last bytes of one. */
static size_t varint_count(const uint8_t *at, const uint8_t *stop)
{
	size_t n = 0;

	for (; at < stop; at++)
		n += *at < 0x80;
	return n;
}

#define DECODE_PACKED(name, type)                                                            \
	const uint8_t *cell_decode_packed_##name(struct cell_decoder *d, const uint8_t *at,  \
						 const uint8_t *end, struct cell_list *list) \
	{                                                                                    \
		const uint8_t *stop;                                                         \
                                                                                             \
		at = cell_decode_length(d, at, end, &stop);                                  \
		if (!at || !list_reserve(d, list, varint_count(at, stop), sizeof(type)))     \
			return NULL;                                                         \
		while (at && at < stop) {                                                    \
			type value;                                                          \
                                                                                             \
			at = cell_decode_##name(at, stop, &value);                           \
			if (at)                                                              \
				((type *)list->items)[list->n++] = value;                    \
		}                                                                            \
		return at;                                                                   \
	}
DECODE_PACKED(int32, int32_t)
DECODE_PACKED(uint32, uint32_t)
DECODE_PACKED(sint32, int32_t)
DECODE_PACKED(uint64, uint64_t)
DECODE_PACKED(sint64, int64_t)
DECODE_PACKED(bool, bool)
#undef DECODE_PACKED

#define DECODE_PACKED_FIXED(name, type)                                                      \
	const uint8_t *cell_decode_packed_##name(struct cell_decoder *d, const uint8_t *at,  \
						 const uint8_t *end, struct cell_list *list) \
	{                                                                                    \
		const uint8_t *stop;                                                         \
		type *items;                                                                 \
                                                                                             \
		at = cell_decode_length(d, at, end, &stop);                                  \
		if (!at)                                                                     \
			return NULL;                                                         \
		if ((size_t)(stop - at) % sizeof(type)) {                                    \
			d->why = "its length is no whole number of items";                   \
			return NULL;                                                         \
		}                                                                            \
		if (!list_reserve(d, list, (size_t)(stop - at) / sizeof(type),               \
				  sizeof(type)))                                             \
			return NULL;                                                         \
		for (items = list->items; at < stop; list->n++)                              \
			at = cell_decode_##name(at, stop, &items[list->n]);                  \
		return at;                                                                   \
	}
DECODE_PACKED_FIXED(fixed32, uint32_t)
DECODE_PACKED_FIXED(fixed64, uint64_t)
#undef DECODE_PACKED_FIXED

/*
 * The codec: what generated encoders and decoders (protoc-gen-cell(1)) are made of.
 *
 * Generated code is straight lines of these calls: no descriptor is walked, nothing is
 * allocated but from the call's arena. Programs use the `struct cell_message_type` of a
 * message; nothing here is meant to be called by hand, except for struct cell_bytes.
 *
 * Encoders write at `out` and return the new end; the room was found by bound(). Decoders
 * read at `at`, never past `end`, and return the new position, or NULL for bytes that make
 * no sense. All bytes are hostile.
 *
 * Strings in place: on the wire no NUL follows a string, but C wants one. Its place is
 * the first byte of whatever follows, usually the next field's tag, so it is written
 * right after that tag has been read (`late`). Behind the very last string lies the
 * spare byte that CELL_DECODE_IN_PLACE promises.
 */
#pragma once

#include <cell/arena.h>
#include <cell/message.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest encoded message, as everywhere in protobuf: its size fits into 31 bits. */
#define CELL_MESSAGE_SIZE_MAX 0x7fffffffu

/* One element of `repeated bytes`. */
struct cell_bytes {
	size_t len;
	const uint8_t *at;
};

#define CELL_LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define CELL_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* --- sizes -------------------------------------------------------------- */

/* A size that somebody stated, cut to just over the maximum: sums of them cannot overflow. */
static inline uint64_t cell_bound_size(uint64_t size)
{
	return size > CELL_MESSAGE_SIZE_MAX ? (uint64_t)CELL_MESSAGE_SIZE_MAX + 1 : size;
}

static inline uint64_t cell_bound_string(const char *text)
{
	return text ? strlen(text) : 0;
}

/* N strings or byte strings with a tag of TAG_SIZE bytes each. */
uint64_t cell_bound_strings(const char *const *items, size_t n, unsigned tag_size);
uint64_t cell_bound_bytes_list(const struct cell_bytes *items, size_t n, unsigned tag_size);

/* N bytes, unless they become a piece. */
static inline uint64_t cell_bound_chunk(uint64_t n)
{
	return n < CELL_CHUNK_MIN ? n : 0;
}

/* What bound() answers for a sum of such sizes. */
static inline size_t cell_bound_end(uint64_t size)
{
	return size > CELL_MESSAGE_SIZE_MAX ? SIZE_MAX : (size_t)size;
}

static inline unsigned cell_varint_size(uint64_t value)
{
	/* Bits, seven to a byte: (bits * 9 + 64) / 64 is ceil(bits / 7) for 1 to 64. */
	return ((unsigned)(64 - __builtin_clzll(value | 1)) * 9 + 64) / 64;
}

/* --- encoding: one scalar ----------------------------------------------- */

static inline uint8_t *cell_encode_varint(uint8_t *out, uint64_t value)
{
	while (value >= 0x80) {
		*out++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*out++ = (uint8_t)value;
	return out;
}

static inline uint8_t *cell_encode_uint32(uint8_t *out, uint32_t value)
{
	return cell_encode_varint(out, value);
}

static inline uint8_t *cell_encode_uint64(uint8_t *out, uint64_t value)
{
	return cell_encode_varint(out, value);
}

/* A negative number takes ten bytes: it is extended to 64 bits, as protobuf has it. */
static inline uint8_t *cell_encode_int32(uint8_t *out, int32_t value)
{
	return cell_encode_varint(out, (uint64_t)(int64_t)value);
}

static inline uint8_t *cell_encode_int64(uint8_t *out, int64_t value)
{
	return cell_encode_varint(out, (uint64_t)value);
}

static inline uint8_t *cell_encode_sint32(uint8_t *out, int32_t value)
{
	return cell_encode_varint(out, ((uint32_t)value << 1) ^ (value < 0 ? UINT32_MAX : 0));
}

static inline uint8_t *cell_encode_sint64(uint8_t *out, int64_t value)
{
	return cell_encode_varint(out, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

static inline uint8_t *cell_encode_bool(uint8_t *out, bool value)
{
	*out++ = value;
	return out;
}

static inline uint32_t cell_little32(uint32_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value = __builtin_bswap32(value);
#endif
	return value;
}

static inline uint64_t cell_little64(uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value = __builtin_bswap64(value);
#endif
	return value;
}

static inline uint8_t *cell_encode_fixed32(uint8_t *out, uint32_t value)
{
	value = cell_little32(value);
	memcpy(out, &value, sizeof value);
	return out + sizeof value;
}

static inline uint8_t *cell_encode_fixed64(uint8_t *out, uint64_t value)
{
	value = cell_little64(value);
	memcpy(out, &value, sizeof value);
	return out + sizeof value;
}

static inline uint8_t *cell_encode_sfixed32(uint8_t *out, int32_t value)
{
	return cell_encode_fixed32(out, (uint32_t)value);
}

static inline uint8_t *cell_encode_sfixed64(uint8_t *out, int64_t value)
{
	return cell_encode_fixed64(out, (uint64_t)value);
}

/* The bits of a float: -0.0 is not the default value 0.0, and is written. */
static inline uint32_t cell_float_bits(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

static inline uint64_t cell_double_bits(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

static inline uint8_t *cell_encode_float(uint8_t *out, float value)
{
	return cell_encode_fixed32(out, cell_float_bits(value));
}

static inline uint8_t *cell_encode_double(uint8_t *out, double value)
{
	return cell_encode_fixed64(out, cell_double_bits(value));
}

/* --- encoding: what has a length ---------------------------------------- */

/* The length, and LEN bytes. Most strings are short: those are copied without a call. */
static inline uint8_t *cell_encode_bytes(uint8_t *out, const void *bytes, size_t len)
{
	const uint8_t *from = (const uint8_t *)bytes;

	out = cell_encode_varint(out, len);
	if (len > 16) {
		memcpy(out, from, len);
	} else if (len >= 8) {
		uint64_t head, tail;

		memcpy(&head, from, 8);
		memcpy(&tail, from + len - 8, 8);
		memcpy(out, &head, 8);
		memcpy(out + len - 8, &tail, 8);
	} else if (len >= 4) {
		uint32_t head, tail;

		memcpy(&head, from, 4);
		memcpy(&tail, from + len - 4, 4);
		memcpy(out, &head, 4);
		memcpy(out + len - 4, &tail, 4);
	} else if (len) {
		uint8_t first = from[0], middle = from[len / 2], last = from[len - 1];

		out[0] = first;
		out[len / 2] = middle;
		out[len - 1] = last;
	}
	return out + len;
}

/* The same, or only the length, and a piece in place of the bytes. */
static inline uint8_t *cell_encode_chunk(uint8_t *out, const void *bytes, size_t len,
					 struct cell_chunks *pieces)
{
	struct cell_chunk *piece;

	if (len < CELL_CHUNK_MIN)
		return cell_encode_bytes(out, bytes, len);
	out = cell_encode_varint(out, len);
	piece = &pieces->items[pieces->n++];
	piece->at = out;
	piece->bytes = (const uint8_t *)bytes;
	piece->len = len;
	return out;
}

static inline uint8_t *cell_encode_string(uint8_t *out, const char *text)
{
	return cell_encode_bytes(out, text, text ? strlen(text) : 0);
}

/* The text of a char array of SIZE, which need not be terminated when it is full. */
static inline uint8_t *cell_encode_chars(uint8_t *out, const char *text, size_t size)
{
	const char *end = (const char *)memchr(text, 0, size);

	return cell_encode_bytes(out, text, end ? (size_t)(end - text) : size);
}

/* An array by value is left out when it holds nothing: minus zero is something. */
static inline bool cell_bytes_are_zero(const void *bytes, size_t size)
{
	const uint8_t *at = (const uint8_t *)bytes;

	return size == 0 || (at[0] == 0 && memcmp(at, at + 1, size - 1) == 0);
}

/*
 * A nested message is written in one pass: leave room for the length of the HINT bytes
 * that it has at least, write the body, then put the length before it. Only if that needs
 * more room than was left is the body moved.
 */
static inline uint8_t *cell_encode_open(uint8_t *out, uint64_t hint)
{
	return out + cell_varint_size(hint);
}

uint8_t *cell_encode_close_long(uint8_t *start, uint8_t *body, uint8_t *end);

static inline uint8_t *cell_encode_close(uint8_t *start, uint8_t *body, uint8_t *end)
{
	if (CELL_LIKELY(end - body < 0x80 && body - start == 1)) {
		*start = (uint8_t)(end - body);
		return end;
	}
	return cell_encode_close_long(start, body, end);
}

/*
 * N scalars with one length before them. ITEMS is an array of the member's C type; signed
 * and unsigned kinds of one encoding share a function, as do enums and int32.
 */
uint8_t *cell_encode_packed_int32(uint8_t *out, const void *items, size_t n);
uint8_t *cell_encode_packed_uint32(uint8_t *out, const void *items, size_t n);
uint8_t *cell_encode_packed_sint32(uint8_t *out, const void *items, size_t n);
uint8_t *cell_encode_packed_uint64(uint8_t *out, const void *items, size_t n);
uint8_t *cell_encode_packed_sint64(uint8_t *out, const void *items, size_t n);
uint8_t *cell_encode_packed_bool(uint8_t *out, const void *items, size_t n);
uint8_t *cell_encode_packed_fixed32(uint8_t *out, const void *items, size_t n);
uint8_t *cell_encode_packed_fixed64(uint8_t *out, const void *items, size_t n);

/* --- decoding ----------------------------------------------------------- */

struct cell_decoder {
	uint8_t *late; /* where the last string's NUL goes once the next tag is read */
	struct cell_arena *arena;
	struct cell_error *err;
	const char *why; /* what is wrong, if a helper knows better than "cut short" */
	int code;        /* 0 until something failed and was named */
	unsigned flags;
	uint8_t nowhere; /* where `late` points while no string waits for its NUL */
};

static inline void cell_decode_begin(struct cell_decoder *d, unsigned flags,
				     struct cell_arena *arena, struct cell_error *err)
{
	d->late = &d->nowhere;
	d->arena = arena;
	d->err = err;
	d->why = NULL;
	d->code = 0;
	d->flags = flags;
}

/* AT is what the outermost message's merge returned. */
static inline int cell_decode_end(struct cell_decoder *d, const uint8_t *at)
{
	*d->late = 0;
	return CELL_LIKELY(at != NULL) ? 0 : d->code;
}

/*
 * Fill the error: which field it was (NAMES is the message's full name, NUL, and
 * "number:name " for each field) and why. Only the innermost message's word counts.
 * Always returns NULL.
 */
const uint8_t *cell_decode_fail(struct cell_decoder *d, const char *names, uint32_t tag);

/* The rest of a tag of several bytes whose first one is *TAG. */
const uint8_t *cell_decode_tag(struct cell_decoder *d, const uint8_t *at, const uint8_t *end,
			       uint32_t *tag);

/* Skip the field of a complete TAG, or of a tag of which only the first byte is read. */
const uint8_t *cell_decode_skip(struct cell_decoder *d, const uint8_t *at, const uint8_t *end,
				uint32_t tag);
const uint8_t *cell_decode_unknown(struct cell_decoder *d, const uint8_t *at,
				   const uint8_t *end, uint8_t first);

/* Two results in two registers. */
struct cell_varint {
	const uint8_t *at;
	uint64_t value;
};

struct cell_varint cell_decode_varint_long(const uint8_t *at, const uint8_t *end);

static inline struct cell_varint cell_decode_varint(const uint8_t *at, const uint8_t *end)
{
	if (CELL_LIKELY(at < end && *at < 0x80)) {
		struct cell_varint one = { at + 1, *at };

		return one;
	}
	return cell_decode_varint_long(at, end);
}

#define CELL_DECODE_VARINT(name, type, expression)                                           \
	static inline const uint8_t *cell_decode_##name(const uint8_t *at,                   \
							const uint8_t *end, type *ret)       \
	{                                                                                    \
		struct cell_varint v = cell_decode_varint(at, end);                          \
                                                                                             \
		*ret = (type)(expression);                                                   \
		return v.at;                                                                 \
	}
CELL_DECODE_VARINT(uint32, uint32_t, v.value)
CELL_DECODE_VARINT(uint64, uint64_t, v.value)
CELL_DECODE_VARINT(int32, int32_t, v.value)
CELL_DECODE_VARINT(int64, int64_t, v.value)
CELL_DECODE_VARINT(sint32, int32_t, ((uint32_t)v.value >> 1) ^ (0 - ((uint32_t)v.value & 1)))
CELL_DECODE_VARINT(sint64, int64_t, (v.value >> 1) ^ (0 - (v.value & 1)))
CELL_DECODE_VARINT(bool, bool, v.value != 0)
#undef CELL_DECODE_VARINT

static inline const uint8_t *cell_decode_fixed32(const uint8_t *at, const uint8_t *end,
						 uint32_t *ret)
{
	if (CELL_UNLIKELY(end - at < 4))
		return NULL;
	memcpy(ret, at, 4);
	*ret = cell_little32(*ret);
	return at + 4;
}

static inline const uint8_t *cell_decode_fixed64(const uint8_t *at, const uint8_t *end,
						 uint64_t *ret)
{
	if (CELL_UNLIKELY(end - at < 8))
		return NULL;
	memcpy(ret, at, 8);
	*ret = cell_little64(*ret);
	return at + 8;
}

#define CELL_DECODE_FIXED(name, type, bits)                                                  \
	static inline const uint8_t *cell_decode_##name(const uint8_t *at,                   \
							const uint8_t *end, type *ret)       \
	{                                                                                    \
		uint##bits##_t value = 0;                                                    \
                                                                                             \
		at = cell_decode_fixed##bits(at, end, &value);                               \
		memcpy(ret, &value, sizeof value);                                           \
		return at;                                                                   \
	}
CELL_DECODE_FIXED(sfixed32, int32_t, 32)
CELL_DECODE_FIXED(sfixed64, int64_t, 64)
CELL_DECODE_FIXED(float, float, 32)
CELL_DECODE_FIXED(double, double, 64)
#undef CELL_DECODE_FIXED

/* A length, and where what has that length stops. */
static inline const uint8_t *cell_decode_length(struct cell_decoder *d, const uint8_t *at,
						const uint8_t *end, const uint8_t **ret_stop)
{
	struct cell_varint v = cell_decode_varint(at, end);

	if (CELL_UNLIKELY(!v.at || v.value > (size_t)(end - v.at))) {
		d->why = "its length is more than there is";
		return NULL;
	}
	*ret_stop = v.at + v.value;
	return v.at;
}

/* Whether all bytes are ASCII other than NUL: eight at a time. */
static inline bool cell_text_is_plain(const uint8_t *at, size_t len)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t bad = 0, word;

	/*
	 * WORD - ONES borrows into bit 7 of a byte that is 0; bytes from 1 to 127 stay
	 * below. One that is above 127 spoils its neighbours, but is itself the answer.
	 */
	if (len >= 8) {
		const uint8_t *last = at + len - 8;

		for (; at < last; at += 8) {
			memcpy(&word, at, 8);
			bad |= word | (word - ones);
		}
		memcpy(&word, last, 8);
	} else if (len >= 4) {
		uint32_t head, tail;

		memcpy(&head, at, 4);
		memcpy(&tail, at + len - 4, 4);
		word = head | (uint64_t)tail << 32;
	} else if (len) {
		word = at[0] | (uint64_t)at[len / 2] << 8 | (uint64_t)at[len - 1] << 16;
		word |= ones << 24;
	} else {
		return true;
	}
	bad |= word | (word - ones);
	return !(bad & ones << 7);
}

/* Whether the bytes are UTF-8 without NUL: no overlong forms, no surrogates. */
bool cell_text_is_valid(const uint8_t *at, size_t len);

const uint8_t *cell_decode_string_copy(struct cell_decoder *d, const uint8_t *at,
				       const uint8_t *stop, const char **ret);

static inline const uint8_t *cell_decode_string(struct cell_decoder *d, const uint8_t *at,
						const uint8_t *end, const char **ret)
{
	const uint8_t *stop = NULL;

	at = cell_decode_length(d, at, end, &stop);
	if (CELL_UNLIKELY(!at))
		return NULL;
	if (CELL_UNLIKELY(!cell_text_is_plain(at, (size_t)(stop - at)) &&
			  !cell_text_is_valid(at, (size_t)(stop - at)))) {
		d->why = "not UTF-8 text, or with a NUL in it";
		return NULL;
	}
	if (CELL_UNLIKELY(!(d->flags & CELL_DECODE_IN_PLACE)))
		return cell_decode_string_copy(d, at, stop, ret);
	*ret = (const char *)at;
	d->late = (uint8_t *)stop;
	return stop;
}

const uint8_t *cell_decode_bytes(struct cell_decoder *d, const uint8_t *at,
				 const uint8_t *end, size_t *ret_len, const uint8_t **ret);

/* Text into a char array of SIZE, the rest of it zero; longer text is refused. */
const uint8_t *cell_decode_chars(struct cell_decoder *d, const uint8_t *at, const uint8_t *end,
				 char *to, size_t size);
/* Bytes into an array: exactly SIZE of them, or none. */
const uint8_t *cell_decode_block(struct cell_decoder *d, const uint8_t *at, const uint8_t *end,
				 uint8_t *to, size_t size);

/* Arena memory for one nested message; NULL, with the reason kept, if there is none. */
void *cell_decode_new(struct cell_decoder *d, size_t size);

/*
 * A repeated field that is being filled. In front of the first item is how many there is
 * room for: a singular message that occurs twice goes on with the lists it had.
 */
struct cell_list {
	size_t n;
	void *items;
};

/*
 * Make room for the item whose tag was just read and, as equal fields mostly stand
 * together, for those that follow it at once: counted, so that the room is exact. The
 * next item is at index list->n, which the caller raises.
 */
bool cell_decode_room_more(struct cell_decoder *d, struct cell_list *list, size_t size,
			   const uint8_t *at, const uint8_t *end, uint32_t tag);

static inline bool cell_decode_room(struct cell_decoder *d, struct cell_list *list,
				    size_t size, const uint8_t *at, const uint8_t *end,
				    uint32_t tag)
{
	if (list->items && list->n < ((const size_t *)list->items)[-1])
		return true;
	return cell_decode_room_more(d, list, size, at, end, tag);
}

/*
 * Scalars into an array of N items of SIZE bytes at TO, from *COUNT on: the items of LIST.
 * AT is given back, or NULL if they are too many.
 */
const uint8_t *cell_decode_array(struct cell_decoder *d, const uint8_t *at,
				 const struct cell_list *list, void *to, size_t size, size_t n,
				 size_t *count);
/* Not as many items as the array has: NULL, with the reason kept. */
const uint8_t *cell_decode_not_n(struct cell_decoder *d);

/* Append packed scalars; see cell_encode_packed_int32() for which is for which. */
const uint8_t *cell_decode_packed_int32(struct cell_decoder *d, const uint8_t *at,
					const uint8_t *end, struct cell_list *list);
const uint8_t *cell_decode_packed_uint32(struct cell_decoder *d, const uint8_t *at,
					 const uint8_t *end, struct cell_list *list);
const uint8_t *cell_decode_packed_sint32(struct cell_decoder *d, const uint8_t *at,
					 const uint8_t *end, struct cell_list *list);
const uint8_t *cell_decode_packed_uint64(struct cell_decoder *d, const uint8_t *at,
					 const uint8_t *end, struct cell_list *list);
const uint8_t *cell_decode_packed_sint64(struct cell_decoder *d, const uint8_t *at,
					 const uint8_t *end, struct cell_list *list);
const uint8_t *cell_decode_packed_bool(struct cell_decoder *d, const uint8_t *at,
				       const uint8_t *end, struct cell_list *list);
const uint8_t *cell_decode_packed_fixed32(struct cell_decoder *d, const uint8_t *at,
					  const uint8_t *end, struct cell_list *list);
const uint8_t *cell_decode_packed_fixed64(struct cell_decoder *d, const uint8_t *at,
					  const uint8_t *end, struct cell_list *list);

#ifdef __cplusplus
}
#endif

/*
 * Reading and writing bytes that somebody else chose: cursors with a sticky error,
 * little-endian, and arithmetic that reports overflow.
 *
 * Read all fields, check `failed` once, then insist on cell_reader_is_done().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cell_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed; /* a read went past the end; every later read gives 0 */
};

struct cell_writer {
	uint8_t *at;
	uint8_t *end;
	bool failed; /* a write did not fit; nothing is written from then on */
};

static inline struct cell_reader cell_reader(const void *bytes, size_t len)
{
	struct cell_reader reader = { (const uint8_t *)bytes, (const uint8_t *)bytes + len, false };

	return reader;
}

static inline struct cell_writer cell_writer(void *bytes, size_t len)
{
	struct cell_writer writer = { (uint8_t *)bytes, (uint8_t *)bytes + len, false };

	return writer;
}

/* LEN bytes in place, or NULL (and failed) if there are fewer. */
static inline const uint8_t *cell_read_bytes(struct cell_reader *reader, size_t len)
{
	const uint8_t *at = reader->at;

	if (reader->failed || len > (size_t)(reader->end - at)) {
		reader->failed = true;
		return NULL;
	}
	reader->at = at + len;
	return at;
}

static inline bool cell_reader_is_done(const struct cell_reader *reader)
{
	return !reader->failed && reader->at == reader->end;
}

/* LEN bytes to fill, or NULL (and failed) if they do not fit. */
static inline uint8_t *cell_write_room(struct cell_writer *writer, size_t len)
{
	uint8_t *at = writer->at;

	if (writer->failed || len > (size_t)(writer->end - at)) {
		writer->failed = true;
		return NULL;
	}
	writer->at = at + len;
	return at;
}

#define CELL_BYTES_FIXED(suffix, type)                                              \
	static inline type cell_load_##suffix(const uint8_t *at)                    \
	{                                                                           \
		type value = 0;                                                     \
		for (size_t i = 0; i < sizeof(type); i++)                           \
			value = (type)(value | (type)((type)at[i] << (8 * i)));     \
		return value;                                                       \
	}                                                                           \
	static inline void cell_store_##suffix(uint8_t *at, type value)             \
	{                                                                           \
		for (size_t i = 0; i < sizeof(type); i++)                           \
			at[i] = (uint8_t)(value >> (8 * i));                        \
	}                                                                           \
	static inline type cell_read_##suffix(struct cell_reader *reader)           \
	{                                                                           \
		const uint8_t *at = cell_read_bytes(reader, sizeof(type));          \
		return at ? cell_load_##suffix(at) : (type)0;                       \
	}                                                                           \
	static inline void cell_write_##suffix(struct cell_writer *writer, type value) \
	{                                                                           \
		uint8_t *at = cell_write_room(writer, sizeof(type));                \
		if (at)                                                             \
			cell_store_##suffix(at, value);                             \
	}
CELL_BYTES_FIXED(u8, uint8_t)
CELL_BYTES_FIXED(u16, uint16_t)
CELL_BYTES_FIXED(u32, uint32_t)
CELL_BYTES_FIXED(u64, uint64_t)
#undef CELL_BYTES_FIXED

/* *RET = A + B or A * B; false, and *RET untouched, on overflow. */
static inline bool cell_add(size_t a, size_t b, size_t *ret)
{
	size_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*ret = sum;
	return true;
}

static inline bool cell_mul(size_t a, size_t b, size_t *ret)
{
	size_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*ret = product;
	return true;
}

#ifdef __cplusplus
}
#endif

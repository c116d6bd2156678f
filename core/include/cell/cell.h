/*
 * Cell: processes that call each other. The one header a program includes.
 * Read in this order: error.h, call.h, server.h, stream.h, pool.h, table.h, payload.h, message.h.
 * What generated code needs comes with it: attr.h, codec.h, linked.h.
 */
#pragma once

#include <cell/arena.h>
#include <cell/attr.h>
#include <cell/bytes.h>
#include <cell/call.h>
#include <cell/codec.h>
#include <cell/error.h>
#include <cell/linked.h>
#include <cell/log.h>
#include <cell/message.h>
#include <cell/payload.h>
#include <cell/pool.h>
#include <cell/server.h>
#include <cell/stream.h>
#include <cell/table.h>

#include <errno.h>
#include <inttypes.h>

/*
 * `cell_cleanup(fn) T *x = …;` calls fn(&x) when x goes out of scope; hand x over with
 * cell_steal(&x), which gives its value and leaves NULL.
 */
#define cell_cleanup(fn) __attribute__((cleanup(fn)))
#define cell_steal(pointer)                        \
	({                                         \
		__typeof__(pointer) p_ = (pointer); \
		__typeof__(*p_) v_ = *p_;          \
		*p_ = NULL;                        \
		v_;                                \
	})

/* The member's owner: from a pointer to a member to the struct around it. */
#define cell_container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer) - offsetof(type, member)))

/* States what only our own bug can break; stays on in release builds. */
#define cell_assert(condition) \
	((condition) ? (void)0 : cell_assert_failed(#condition, __FILE__, __LINE__))

#ifdef __cplusplus
extern "C" {
#endif

void cell_assert_failed(const char *condition, const char *file, int line)
	__attribute__((noreturn));

/* libcell's version, "0.1.0". */
const char *cell_version(void);

#ifdef __cplusplus
}
#endif

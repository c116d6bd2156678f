/*
 * Declarations of a text, as libclang sees them. This is the only module that knows
 * libclang; it is opened when it is first needed.
 *
 * An attribute N (from 0) must be written as [[clang::annotate("cell:N")]] in the text.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include "macro.cell.h"

/* An attribute in front of, in or behind what it stands on. */
struct clang_mark {
	size_t attribute; /* N */
	size_t at;        /* where it takes effect: of a macro, where that is used */
};

struct clang_type;

/* A declaration, a member, an enumerator or a parameter. Offsets are bytes of the text. */
struct clang_declaration {
	enum macro_place place;
	const char *name;               /* "" = none */
	size_t start, end;              /* without the semicolon, without a function's body */
	size_t name_at;
	bool is_definition;             /* of functions it is not known: bodies are skipped */
	bool is_static, is_inline, is_variadic;
	const struct clang_type *type;  /* its own; of a function: what it returns; NULL = not asked for */
	const struct clang_mark *marks;
	size_t n_marks;
	/* Members, enumerators, parameters. */
	const struct clang_declaration *parts;
	size_t n_parts;
	int64_t value;                  /* of an enumerator */
	uint64_t offset_bits;           /* of a member */
	uint32_t bits;                  /* of a bit-field; 0 = none */
};

struct clang_type {
	enum macro_type_kind kind;
	const char *spelling, *tag;
	uint64_t size;
	uint32_t align;
	bool is_const, is_flexible;
	uint64_t length;
	const struct clang_type *element;
	const struct clang_declaration *definition; /* of a struct, union or enum; NULL = none */
};

struct clang_error {
	const char *text;
	size_t at;
};

struct clang_stretch {
	size_t start, end;
};

struct clang_tree {
	/* At file scope, in order. Parts and types are there for those that have marks. */
	const struct clang_declaration *declarations;
	size_t n_declarations;
	const struct clang_error *errors;
	size_t n_errors;
	/* Left out by #if and #ifdef. */
	const struct clang_stretch *skipped;
	size_t n_skipped;
	const struct macro_target *target;
};

struct clang_options {
	const char *const *arguments; /* -std=…, -m32 and so on; NULL-terminated */
	const char *libclang;         /* path; NULL = search for it */
	bool wants_skipped;
};

/* The file of the libclang that was opened; NULL = none yet, or it is not known. */
const char *clang_library(void);

/*
 * Parse LEN bytes at TEXT. Everything lives in ARENA.
 *
 * Returns 0, -ENOENT if there is no libclang, -EINVAL if it could make nothing of the text.
 */
int clang_parse(struct clang_tree *ret, const char *text, size_t len,
		const struct clang_options *options, struct cell_arena *arena,
		struct cell_error *err);

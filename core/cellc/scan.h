/*
 * Finding attributes in preprocessed text (gcc -E -fdirectives-only, clang
 * -E -frewrite-includes, or plain -E), exactly: strings, comments, raw text and directives
 * are not mistaken for code.
 *
 * Both spellings are found: [[ns::name(args), …]] and CELL(ns::name(args), …). Standard
 * attributes and those of gnu, clang, gcc, msvc and omp are left alone.
 */
#pragma once

#include "arguments.h"
#include "diag.h"
#include "lex.h"
#include "lines.h"

#include <cell/arena.h>
#include "macro.cell.h"

/* A value of an argument beside what is sent: where it stands. */
struct attribute {
	const char *ns;
	const char *name;
	struct place at;                   /* of NS */
	struct place name_at;
	const struct macro_value *values;  /* parents first */
	const struct place *value_places;  /* one per value */
	const struct value_source *value_sources; /* the same */
	size_t n_values;
	/* Bytes of the text to overwrite: the attribute with one comma, or the whole list when
	 * it is the last one of ours in it; brackets that hold nothing else go with it. */
	size_t start, end;
	/* Bytes of the attribute alone. */
	size_t item_start, item_end;
	/* Bytes of the brackets around it, and of a semicolon that belongs to it alone. */
	size_t list_start, list_end;
	size_t list_open, list_close;      /* bytes within the brackets */
	/* The token before the list: 0, its punctuator, or UINT32_MAX for other ones; and
	 * where it starts. The first byte of the token behind the list, LEN if there is none. */
	uint32_t before;
	size_t before_start, after_start;
	bool is_after_tag;                 /* behind the braces of a struct, union or enum */
	bool is_bare;                      /* [[…]]; at file scope: applies to nothing */
	bool is_in_header;                 /* not in the file that is compiled */
	bool is_in_macro;                  /* in the body of a #define */
	bool is_call;                      /* CELL(…) */
	bool is_conditional;               /* in an #ifdef that the text alone does not decide */
};

struct scan {
	struct attribute *attributes; /* in order */
	size_t n_attributes;
	/* For those who look closer. Empty if there are no attributes. */
	struct lines lines;
	struct ranges comments;       /* all outside directives */
	struct ranges lists;          /* in code: every [[…]], also those of others; CELL(…) with ours */
	bool has_directives;          /* #define lines: macros are not expanded yet */
};

/* Whether the text can hold an attribute at all: a quick look for "[[" and "CELL(". */
bool scan_may_find(const char *text, size_t len);

/*
 * Scan LEN bytes at TEXT, the preprocessed form of MAIN_FILE. Results live in ARENA and
 * point into TEXT where they can. What is wrong with an attribute's syntax is said to
 * DIAG. Returns 0, or -EINVAL if something was said as an error.
 */
int scan_text(struct scan *ret, const char *text, size_t len, const char *main_file,
	      struct cell_arena *arena, struct diag *diag);

/* The place of byte OFFSET of TEXT, markers applied. File names live in ARENA. */
struct place scan_place(const char *text, size_t len, size_t offset, struct cell_arena *arena);

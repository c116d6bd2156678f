/*
 * A translation unit: its attributes, and the declarations that they stand on, as libclang
 * sees them.
 */
#pragma once

#include "scan.h"

struct declaration {
	/*
	 * What is asked about it, complete but for `kept`, `features_off`, `program` and
	 * `order`. Canonical: equal source gives equal bytes.
	 */
	struct macro_plan_request request;
	/* Behind request.attributes, request.context and the attributes in types: ids are
	 * indices + 1 here. */
	const struct attribute **attributes;
	size_t n_attributes;
	struct place at;          /* of its name */
	const struct place *members; /* of the struct's members, enumerators or the function's parameters */
	const char *const *member_names;
	size_t n_members;
	bool is_in_header;
	/* Bytes of the text. */
	size_t start, end;        /* the declaration with its semicolon, or the function with its body */
	size_t name;              /* its name's first byte; 0 at file scope */
	size_t open, close;       /* its braces' own bytes (struct, enum, function body); 0 = none */
};

struct unit {
	const char *text; /* the text that was scanned */
	size_t len;
	struct scan scan;
	struct declaration *declarations; /* in order of the text */
	size_t n_declarations;
	/* Names that the file declares at file scope (once for each declaration), to find clashes with what is planned. */
	struct unit_name {
		const char *name;
		bool is_tag;
		struct place at;
	} *names;
	size_t n_names;
};

struct unit_options {
	const char *main_file;
	const char *standard;            /* "gnu2x", …; NULL = the compiler's default */
	/* -m32, --target=…, -fshort-enums, …; and for text of clang -frewrite-includes, whose
	 * #ifdef lines ask for them, -D and -U; NULL-terminated, or NULL */
	const char *const *target_flags;
	const char *libclang;            /* path, NULL = search */
};

/*
 * Parse the unit whose scan found attributes: load libclang if that has not happened, and
 * fill the declarations. An attribute that stands where nothing can be made of it is an
 * error (the message shows where to put it). Everything lives in ARENA.
 *
 * Returns 0, -EINVAL after an error was said, -ENOENT if there is no libclang (ERR says what
 * to install).
 */
int unit_parse(struct unit *unit, const struct unit_options *options, struct cell_arena *arena,
	       struct diag *diag, struct cell_error *err);

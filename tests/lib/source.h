/*
 * A C source as cellc would see it: declarations with attributes, from which come the
 * requests for a macro provider, and the text of the expanded file. For tests of providers
 * in one process, without libclang and without a node.
 *
 *	struct source *s = source_new("bank");
 *	source_struct(s, "deposit", "cell::message", "uint64_t account; int64_t amount;");
 *	code = source_expand(s, call, &provider, self);
 *
 * Types are understood as far as these tests need: numbers, bool, char, size_t and their
 * like, structs and enums of the source, pointers, arrays, const. x86-64 sizes.
 */
#pragma once

#include <cell/macro.h>

struct source;

/* Never NULL; PROGRAM is the project's cell. Nothing is freed before the test ends. */
struct source *source_new(const char *program);

/* Text as it is, as the compiler sees it alone. */
void source_text(struct source *source, const char *text);
/* [[ATTRIBUTES]]; at file scope: "cell::service(\"bank\")". */
void source_bare(struct source *source, const char *attributes);
/*
 * struct [[ATTRIBUTES]] TAG { MEMBERS }: "[[cell::field(4)]] uint32_t x; bool has_y; …". A
 * line comment before a member is its documentation, DOC the struct's. ATTRIBUTES may be "".
 */
void source_struct(struct source *source, const char *doc, const char *attributes,
		   const char *tag, const char *members);
/* enum TAG { A = 0, B = 1 } with VALUES "A = 0, B = 1". */
void source_enum(struct source *source, const char *tag, const char *values);
/* typedef OLD NAME; */
void source_typedef(struct source *source, const char *old, const char *name);
/* [[ATTRIBUTES]] [static] int NAME(PARAMETERS) BODY, PARAMETERS "struct cell_call *call, …". */
void source_function(struct source *source, const char *doc, const char *attributes,
		     bool is_static, const char *name, const char *parameters,
		     const char *body);
/* What the lock holds for declaration NAME. */
void source_kept(struct source *source, const char *name, const char *key, const char *value);

/* The request for the declaration NAME, with ids as cellc gives them. */
const struct macro_plan_request *source_request(struct source *source, const char *name);

/*
 * Plan and expand every declaration. The text of the file with all that was made: pieces
 * behind their declarations, wrappers around functions, the rest at the end. *ret_units: what
 * is to be compiled for itself. NULL, with the first diagnostic in *ret_units, after a refusal.
 */
const char *source_expand(struct source *source, struct cell_call *call,
			  const struct cell_macro_provider *provider, void *self,
			  const char **ret_units);

/* Another provider, for declarations that bear an attribute of its first namespace. */
void source_provider(struct source *source, const struct cell_macro_provider *provider);

/* What was kept for NAME when it was expanded, "key=value\n" each. */
const char *source_kept_text(struct source *source, const char *name);

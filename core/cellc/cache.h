/*
 * What is remembered of an expansion: .cell/exp/NS/DECLARATION-KEY16.plan, a text that names
 * the files with the pieces and holds the rest of the plan and of the generated code. The
 * lock has the plan file's hash, the plan file those of the pieces. Pure: text in, text out.
 *
 * A piece is a file that holds exactly what is inserted, as line markers name it.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include "macro.cell.h"

/* Bytes of a plan file that is read. */
#define CACHE_PLAN_MAX (8 * 1024 * 1024)

struct cached {
	/* Without wants, provides, reads and digest, which matter while expanding only. */
	struct macro_plan plan;
	/* Without facts, kept and states; warnings stay. Texts are "" until they are loaded.
	 */
	struct macro_generated_code code;
	/* One for each piece: relative to .cell/exp, and the text's hash (64 digits). */
	const char **paths;
	const char **hashes;
};

/*
 * Name the pieces of CODE by namespace, declaration, key and place, and describe them: fills
 * RET from PLAN and CODE. Texts must be final. Lives in ARENA.
 */
void cache_make(struct cached *ret, const struct macro_plan *plan,
		const struct macro_generated_code *code, const char *declaration,
		const char *key, struct cell_arena *arena);

const char *cache_text(const struct cached *cached, struct cell_arena *arena);

/* Returns 0, or CELL_INVALID_ARGUMENT ("PATH:LINE: …"). Lives in ARENA. */
int cache_parse(struct cached *ret, const char *text, size_t len, const char *path,
		struct cell_arena *arena, struct cell_error *err);

/* "NS/struct-account-0123456789abcdef": the files of one expansion begin like this. */
const char *cache_stem(const char *ns, const char *declaration, const char *key,
		       struct cell_arena *arena);

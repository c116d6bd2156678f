/*
 * What a provider sends back is hostile until it was accepted. The first two bytes are the
 * length of a Plan, which follows; the rest is a GeneratedCode, or with an odd first byte the
 * text of one piece. What is accepted stays below its folder and survives being remembered.
 */
#include "cellc/accept.h"
#include "cellc/cache.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)          \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct macro_declaration declarations[] = {
	{ .place = MACRO_PLACE_STRUCT, .name = "account", .doc = "" },
	{ .place = MACRO_PLACE_FUNCTION, .name = "deposit", .doc = "" },
	{ .place = MACRO_PLACE_PROTOTYPE, .name = "deposit", .doc = "" },
};

static void try_code(const struct macro_plan *plan, struct macro_generated_code *code,
		     const struct macro_declaration *declaration, uint32_t may,
		     struct cell_arena *arena)
{
	const struct macro_plan_request request = { .declaration = declaration };
	const struct accept_rules rules = { .root = "/home/ann", .plan = plan, .may = may,
					    .request = &request };
	struct macro_piece *pieces;
	struct cached cached, again;
	struct cell_error err = { .code = 0 };
	uint32_t attribute;
	const char *text;
	int r = accept_code(&rules, code, &attribute, &err);

	if (r < 0) {
		MUST(r == CELL_INVALID_ARGUMENT && err.text[0]);
		return;
	}
	/* The namespace is checked by who asked. */
	pieces = cell_arena_calloc(arena, code->n_pieces + 1, sizeof *pieces);
	for (size_t i = 0; i < code->n_pieces; i++) {
		pieces[i] = code->pieces[i];
		pieces[i].ns = "db";
		MUST(!strstr(pieces[i].text, "/home/ann"));
	}
	code->pieces = pieces;
	cache_make(&cached, plan, code, "struct:account", KEY, arena);
	for (size_t i = 0; i < code->n_pieces; i++)
		MUST(strncmp(cached.paths[i], "db/struct-account-0123456789abcdef", 34) == 0 &&
		     accept_path(cached.paths[i]));
	text = cache_text(&cached, arena);
	MUST(cache_parse(&again, text, strlen(text), "x.plan", arena, &err) == 0);
	MUST(again.code.n_pieces == code->n_pieces && again.code.n_files == code->n_files);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct macro_generated_code code = { .rename = "" };
	struct macro_piece piece = { .symbol = "", .ns = "" };
	struct macro_plan plan = { .n_uses = 0 };
	struct cell_arena arena;
	struct cell_error err;
	size_t len;

	if (size < 3)
		return 0;
	len = (size_t)data[0] | (size_t)data[1] << 8;
	if (len > size - 3)
		return 0;
	cell_arena_init(&arena, 0);
	if (macro_plan_type.decode(&plan, data + 3, len, 0, &arena, &err) < 0)
		goto out;
	if (data[2] & 1) {
		piece.text = cell_arena_strndup(&arena, (const char *)data + 3 + len,
						size - 3 - len);
		piece.anchor = (enum macro_anchor)(data[2] >> 3 & 7);
		code.pieces = &piece;
		code.n_pieces = 1;
	} else if (macro_generated_code_type.decode(&code, data + 3 + len, size - 3 - len, 0, &arena,
						    &err) < 0) {
		goto out;
	}
	try_code(&plan, &code, &declarations[data[2] >> 1 & 1 ? data[2] >> 2 & 1 : 2],
		 data[2] & 0x40 ? UINT32_MAX : ~(1u << MACRO_ADDITION_ASM), &arena);
out:
	cell_arena_deinit(&arena);
	return 0;
}

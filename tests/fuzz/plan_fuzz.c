/*
 * What providers answer, and what cellc asks: decoded, checked, merged, and their text read.
 *
 * Input: five messages, each with two bytes of length before it: a PlanRequest, the plans of
 * two providers (namespaces "a" and "b"), the code of both. What cannot be decoded is left
 * out. What the checks let through must hold what they promise.
 */
#include "macro/code.h"
#include "macro/request.h"

#include <cell/cell.h>
#include <cell/internal/macrotext.h>
#include <cell/macro.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cell_arena arena;

/* The next message; NULL if it is none. */
static void *next(const uint8_t **at, size_t *left, const struct cell_message_type *type)
{
	void *message = cell_arena_calloc(&arena, 1, type->size);
	struct cell_error err;
	size_t len;
	uint8_t *bytes;

	if (*left < 2 || !message)
		return NULL;
	len = (size_t)((*at)[0] | (*at)[1] << 8);
	*at += 2;
	*left -= 2;
	len = len < *left ? len : *left;
	bytes = cell_arena_alloc(&arena, len + 1);
	memcpy(bytes, *at, len);
	*at += len;
	*left -= len;
	return type->decode(message, bytes, len, CELL_DECODE_IN_PLACE, &arena, &err) == 0 ? message
											   : NULL;
}

/* A provider of our own gets the same request. */
static int plan_any(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *text = cell_macro_text(work, mine, "text", "x");

	return cell_plan_symbol(work, mine, MACRO_PIECE_KIND_INLINE, "%s", text);
}

static int expand_any(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	struct cell_piece *piece = cell_piece(work, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_DECL);

	cell_piece_put(piece, "extern const char *cell_text;\n");
	cell_piece_literal(piece, cell_macro_text(work, mine, "text", "x"));
	return 0;
}

static void serve(const struct macro_plan_request *request)
{
	static const struct cell_macro_argument arguments[] = {
		{ "text", MACRO_VALUE_KIND_STRING, .is_positional = true },
		{ "list", MACRO_VALUE_KIND_LIST, .of = MACRO_VALUE_KIND_INTEGER },
		{ 0 } };
	static const struct cell_macro macros[] = {
		{ "m", .doc = "M.", .places = ~0u, .may = ~0u, .arguments = arguments,
		  .plan = plan_any, .expand = expand_any },
		{ "key", .doc = "K.", .places = CELL_MACRO_BIT(MACRO_PLACE_MEMBER),
		  .takes_expression = true },
		{ 0 } };
	static const char *const namespaces[] = { "a", NULL };
	static const struct cell_macro_provider provider = { .namespaces = namespaces,
							     .macros = macros };
	static struct cell_call *call;
	struct macro_go go = { .request = request };
	struct macro_generated_code code;
	struct cell_arena_mark mark;
	struct macro_plan plan;

	if (!call)
		call = cell_open("fuzz");
	mark = cell_mark(call);
	(void)cell_macro_plan(call, &provider, NULL, request, &plan);
	(void)cell_macro_expand(call, &provider, NULL, &go, NULL, NULL, &code);
	cell_rewind(call, mark);
}

/* Nothing comes out that was not looked at; wrappers have the user's names in them by now. */
static void check_piece(const struct macro_plan_request *request, const struct macro_piece *piece)
{
	struct macro_text_rules rules = { .request = request,
					 .is_unit = piece->kind == MACRO_PIECE_KIND_UNIT };
	const char *why;
	unsigned line;

	cell_assert(piece->anchor == MACRO_ANCHOR_WRAP ||
		    macro_text_check(piece->text, &rules, &why, &line) == MACRO_TEXT_FINE);
	cell_assert(!strstr(piece->text, "$next$") || strstr(piece->text, "/") ||
		    strstr(piece->text, "\""));
}

static void coordinate(const struct macro_plan_request *request, struct macro_plan *const plans[2],
		       struct macro_generated_code *const codes[2])
{
	static const char *const namespaces[] = { "a", "b" };
	static const struct macro_plan no_plan;
	static const struct macro_generated_code no_code = { .rename = "" };
	const struct macro_generated_code *list[2];
	struct plan_world world = { .running = namespaces, .n_running = 2 };
	struct plan_part parts[2];
	struct plan_merged merged;
	struct macro_generated_code code;
	struct cell_error err;
	uint64_t done = 0;

	for (size_t i = 0; i < 2; i++) {
		uint32_t attribute;

		parts[i] = (struct plan_part){ .cell = namespaces[i], .namespaces = &namespaces[i],
					       .n_namespaces = 1,
					       .plan = plans[i] ? plans[i] : &no_plan };
		if (plan_check(request, &parts[i], &err) < 0)
			parts[i].plan = &no_plan;
		list[i] = codes[i] && code_check(request, &parts[i], codes[i], NULL, 0, &attribute,
						 &err) == CODE_FINE
				  ? codes[i]
				  : &no_code;
		cell_assert(request_for(&arena, request, &parts[i]));
	}
	if (plan_merge(&arena, request, parts, 2, &world, &merged) < 0)
		return;
	/* Whatever they want of each other, everybody's turn comes, after those it needs. */
	for (size_t i = 0; i < 2; i++) {
		cell_assert(merged.order[i] < 2 && !(merged.needs[merged.order[i]] & ~done));
		done |= UINT64_C(1) << merged.order[i];
	}
	cell_assert(done == 3);
	if (merged.n_errors == 0 && code_merge(&arena, request, parts, 2, &merged, list, &code, &err) == 0)
		for (size_t i = 0; i < code.n_pieces; i++)
			check_piece(request, &code.pieces[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct macro_plan_request *request;
	struct macro_generated_code *codes[2];
	struct macro_plan *plans[2];
	struct cell_error err;

	cell_arena_init(&arena, 0);
	request = next(&data, &size, &macro_plan_request_type);
	for (size_t i = 0; i < 2; i++)
		plans[i] = next(&data, &size, &macro_plan_type);
	for (size_t i = 0; i < 2; i++)
		codes[i] = next(&data, &size, &macro_generated_code_type);
	if (request && request_check(request, &err) == 0) {
		serve(request);
		coordinate(request, plans, codes);
	}
	cell_arena_deinit(&arena);
	return 0;
}

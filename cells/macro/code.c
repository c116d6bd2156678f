#include "code.h"

#include "plan_internal.h"
#include "wrap.h"

#include <cell/internal/macrocheck.h>
#include <cell/internal/macrotext.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- one provider's ---------------------------------------------------------------------- */

static bool is_own_ns(const struct plan_part *part, const char *ns)
{
	return plan_list_has(part->namespaces, part->n_namespaces, ns);
}

static const struct macro_attribute *own_attribute(const struct macro_plan_request *request,
						   const struct plan_part *part, uint32_t id)
{
	const struct macro_attribute *attribute = plan_attribute(request, id);

	return attribute && is_own_ns(part, attribute->ns) ? attribute : NULL;
}

static bool is_asm_ok(const uint32_t *asm_ok, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (asm_ok[i] == id)
			return true;
	return false;
}

static bool path_is_below(const char *path)
{
	if (!*path || strlen(path) > 1024)
		return false;
	for (const char *part = path; part;) {
		size_t len = strcspn(part, "/");

		if (len == 0 || *part == '.')
			return false;
		part = part[len] ? part + len + 1 : NULL;
	}
	return true;
}

static int wrong(const struct plan_part *part, struct cell_error *err, const char *what,
		 const char *name)
{
	return cell_fail(err, CELL_INTERNAL, "cell '%s' answered what makes no sense: %s '%.60s'",
			 part->cell, what, name);
}

static int check_rest(const struct macro_plan_request *request, const struct plan_part *part,
		      const struct macro_generated_code *code, struct cell_error *err)
{
	for (size_t i = 0; i < code->n_facts; i++)
		if (!is_own_ns(part, code->facts[i].ns))
			return wrong(part, err, "a fact of", code->facts[i].ns);
	for (size_t i = 0; i < code->n_kept; i++)
		if (!is_own_ns(part, code->kept[i].ns))
			return wrong(part, err, "something to keep for", code->kept[i].ns);
	for (size_t i = 0; i < code->n_files; i++)
		if (!path_is_below(code->files[i].path))
			return wrong(part, err, "the file", code->files[i].path);
	for (size_t i = 0; i < code->n_declared; i++)
		if (!is_own_ns(part, code->declared[i].ns) ||
		    !own_attribute(request, part, code->declared[i].attribute))
			return wrong(part, err, "declares", code->declared[i].name);
	for (size_t i = 0; i < code->n_diagnostics; i++)
		if ((unsigned)code->diagnostics[i].severity > MACRO_DIAGNOSTIC_SEVERITY_NOTE ||
		    (code->diagnostics[i].attribute &&
		     !own_attribute(request, part, code->diagnostics[i].attribute)))
			return wrong(part, err, "the message", code->diagnostics[i].text);
	return 0;
}

static enum code_verdict check_text(const struct macro_plan_request *request,
				    const struct plan_part *part, const struct macro_piece *piece,
				    const uint32_t *asm_ok, size_t n_asm_ok, struct cell_error *err)
{
	const struct macro_attribute *attribute = own_attribute(request, part, piece->attribute);
	struct macro_text_rules rules = { .request = request,
				    .is_unit = piece->kind == MACRO_PIECE_KIND_UNIT };
	enum macro_text_verdict verdict;
	const char *why;
	unsigned line;

	if (!attribute || (unsigned)piece->anchor > MACRO_ANCHOR_END ||
	    (unsigned)piece->kind > MACRO_PIECE_KIND_UNIT) {
		(void)wrong(part, err, "a piece of", attribute ? attribute->name : "another's attribute");
		return CODE_WRONG;
	}
	rules.allows_asm = is_asm_ok(asm_ok, n_asm_ok, piece->attribute);
	verdict = macro_text_check(piece->text, &rules, &why, &line);
	if (verdict == MACRO_TEXT_FINE)
		return CODE_FINE;
	(void)cell_fail(err, CELL_INTERNAL, "%s::%s: line %u of its text has %s%s", attribute->ns,
			attribute->name, line, why,
			verdict == MACRO_TEXT_NEEDS_ASM ? ", which the macro does not announce" : "");
	return verdict == MACRO_TEXT_NEEDS_ASM ? CODE_NEEDS_ASM : CODE_WRONG;
}

static int check_size(const struct plan_part *part, const struct macro_generated_code *code,
		      struct cell_error *err)
{
	size_t bytes = 0;

	if (code->n_pieces > CODE_ITEMS_MAX || code->n_facts > CODE_ITEMS_MAX ||
	    code->n_files > CODE_ITEMS_MAX || code->n_declared > CODE_ITEMS_MAX ||
	    code->n_kept > CODE_ITEMS_MAX || code->n_states > CODE_ITEMS_MAX ||
	    code->n_diagnostics > CODE_ITEMS_MAX)
		return cell_fail(err, CELL_INTERNAL, "cell '%s' answered more than %d items",
				 part->cell, CODE_ITEMS_MAX);
	for (size_t i = 0; i < code->n_pieces; i++)
		bytes += strlen(code->pieces[i].text);
	if (bytes > MACRO_TEXT_MAX_BYTES)
		return cell_fail(err, CELL_INTERNAL,
				 "cell '%s' answered %zu bytes of text, limit %u", part->cell, bytes,
				 MACRO_TEXT_MAX_BYTES);
	return 0;
}

static bool has_error(const struct macro_generated_code *code)
{
	for (size_t i = 0; i < code->n_diagnostics; i++)
		if (code->diagnostics[i].severity == MACRO_DIAGNOSTIC_SEVERITY_ERROR)
			return true;
	return false;
}

enum code_verdict code_check(const struct macro_plan_request *request,
			     const struct plan_part *part,
			     const struct macro_generated_code *code, const uint32_t *asm_ok,
			     size_t n_asm_ok, uint32_t *ret_attribute, struct cell_error *err)
{
	if (check_size(part, code, err) < 0 || check_rest(request, part, code, err) < 0)
		return CODE_WRONG;
	/* With an error there is no text that anybody would use. */
	if (has_error(code))
		return CODE_FINE;
	for (size_t i = 0; i < code->n_pieces; i++) {
		enum code_verdict verdict = check_text(request, part, &code->pieces[i], asm_ok,
						       n_asm_ok, err);

		*ret_attribute = code->pieces[i].attribute;
		if (verdict != CODE_FINE)
			return verdict;
	}
	return cell_macro_check(request, part->plan, code, err) < 0 ? CODE_WRONG : CODE_FINE;
}

/* --- all of it ------------------------------------------------------------------------------ */

struct assembly {
	struct cell_arena *arena;
	const struct macro_plan_request *request;
	const struct plan_part *parts;
	size_t n_parts;
	const struct plan_merged *merged;
	const struct macro_generated_code *const *codes;
	struct macro_generated_code *out;
	bool is_out_of_memory;
};

static const char *ns_of(const struct assembly *a, uint32_t attribute)
{
	const struct macro_attribute *at = plan_attribute(a->request, attribute);

	return at ? at->ns : "";
}

/* Append SIZE bytes at ITEM to a growing array; NULL if there is no memory. */
static void *append(struct assembly *a, void *items, size_t *n, const void *item, size_t size)
{
	char *grown = plan_grow(a->arena, items, *n, size);

	if (!grown) {
		a->is_out_of_memory = true;
		return items;
	}
	memcpy(grown + (*n)++ * size, item, size);
	return grown;
}

#define APPEND(a, member, item)                                                              \
	((a)->out->member = append((a), (void *)(uintptr_t)(a)->out->member,                 \
				   &(a)->out->n_##member, (item), sizeof *(item)))

static void take_piece(struct assembly *a, const struct macro_piece *from)
{
	struct macro_piece piece = *from;

	piece.ns = ns_of(a, piece.attribute);
	APPEND(a, pieces, &piece);
}

static const struct macro_piece *wrapper(const struct assembly *a, const struct plan_wrap *wrap)
{
	const struct macro_generated_code *code = a->codes[wrap->part];

	for (size_t i = 0; i < code->n_pieces; i++)
		if (code->pieces[i].anchor == MACRO_ANCHOR_WRAP &&
		    code->pieces[i].attribute == wrap->wrap->attribute &&
		    code->pieces[i].phase == wrap->wrap->phase)
			return &code->pieces[i];
	return NULL;
}

/* From the innermost out: each is called by the next. */
static void take_wrappers(struct assembly *a)
{
	const struct macro_declaration *declaration = a->request->declaration;
	size_t n = a->merged->n_wraps;
	const char *inner = declaration->name;
	bool has_entry = n > 0 && a->merged->wraps[0].wrap->phase == MACRO_PHASE_ENTRY;

	if (n > 0 && !has_entry) {
		inner = cell_arena_printf(a->arena, "cell_body_%s", declaration->name);
		a->out->rename = inner;
	}
	for (size_t i = n; i-- > 0;) {
		const struct macro_piece *from = wrapper(a, &a->merged->wraps[i]);
		struct macro_piece piece;
		struct wrap_names names = {
			.next = inner, .is_static = declaration->is_static,
			.is_inline = declaration->is_inline,
		};

		if (!from || !inner)
			continue;
		piece = *from;
		names.symbol = from->symbol;
		names.takes = i == 0 && !has_entry ? declaration->name : NULL;
		piece.text = wrap_text(a->arena, from->text, &names);
		if (names.takes)
			piece.symbol = names.takes;
		inner = piece.symbol;
		if (piece.text)
			take_piece(a, &piece);
		else
			a->is_out_of_memory = true;
	}
	a->is_out_of_memory = a->is_out_of_memory || !inner;
}

static int take_files(struct assembly *a, size_t part, struct cell_error *err)
{
	const struct macro_generated_code *code = a->codes[part];

	for (size_t i = 0; i < code->n_files; i++) {
		for (size_t k = 0; k < a->out->n_files; k++)
			if (strcmp(a->out->files[k].path, code->files[i].path) == 0)
				return cell_fail(err, CELL_INTERNAL,
						 "cell '%s' makes the file '%.80s' a second time",
						 a->parts[part].cell, code->files[i].path);
		APPEND(a, files, &code->files[i]);
	}
	return 0;
}

static void take_diagnostics(struct assembly *a, size_t part)
{
	const struct macro_generated_code *code = a->codes[part];

	for (size_t i = 0; i < code->n_diagnostics; i++) {
		struct macro_diagnostic diagnostic = code->diagnostics[i];

		diagnostic.ns = diagnostic.attribute ? ns_of(a, diagnostic.attribute)
						     : a->parts[part].namespaces[0];
		APPEND(a, diagnostics, &diagnostic);
	}
}

static int by_ns(const void *a, const void *b)
{
	return strcmp(((const struct macro_kept_of *)a)->ns, ((const struct macro_kept_of *)b)->ns);
}

static int take_part(struct assembly *a, size_t part, struct cell_error *err)
{
	const struct macro_generated_code *code = a->codes[part];

	for (size_t i = 0; i < code->n_pieces; i++)
		if (code->pieces[i].anchor != MACRO_ANCHOR_WRAP)
			take_piece(a, &code->pieces[i]);
	for (size_t i = 0; i < code->n_kept; i++)
		APPEND(a, kept, &code->kept[i]);
	for (size_t i = 0; i < code->n_states; i++)
		APPEND(a, states, &code->states[i]);
	for (size_t i = 0; i < code->n_declared; i++)
		APPEND(a, declared, &code->declared[i]);
	a->out->degraded = a->out->degraded || code->degraded;
	return take_files(a, part, err);
}

int code_merge(struct cell_arena *arena, const struct macro_plan_request *request,
	       const struct plan_part *parts, size_t n_parts, const struct plan_merged *merged,
	       const struct macro_generated_code *const *codes,
	       struct macro_generated_code *ret_code, struct cell_error *err)
{
	struct assembly assembly = {
		.arena = arena, .request = request, .parts = parts, .n_parts = n_parts,
		.merged = merged, .codes = codes, .out = ret_code,
	};
	struct assembly *a = &assembly;
	bool failed = false;
	int r = 0;

	*ret_code = (struct macro_generated_code){ .rename = "" };
	for (size_t i = 0; i < n_parts; i++) {
		take_diagnostics(a, merged->order[i]);
		failed = failed || has_error(codes[merged->order[i]]);
	}
	if (!failed)
		take_wrappers(a);
	for (size_t i = 0; !failed && r == 0 && i < n_parts; i++)
		r = take_part(a, merged->order[i], err);
	if (r < 0)
		return r;
	if (ret_code->n_kept)
		qsort((void *)(uintptr_t)ret_code->kept, ret_code->n_kept, sizeof *ret_code->kept,
		      by_ns);
	return a->is_out_of_memory ? -ENOMEM : 0;
}

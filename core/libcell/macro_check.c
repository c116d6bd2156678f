#include <cell/internal/macrocheck.h>

#include <cell/cell.h>
#include <cell/internal/ctext.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct checked {
	const struct macro_plan_request *request;
	const struct macro_plan *plan;
	const struct macro_generated_code *code;
	const struct macro_piece *piece;
	struct cell_error *err;
};

static int bug(const struct checked *checked, uint32_t attribute, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "db::table: text", or the text alone if there is no such attribute. */
static int bug(const struct checked *checked, uint32_t attribute, const char *format, ...)
{
	const struct macro_plan_request *request = checked->request;
	char text[CELL_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	for (size_t i = 0; i < request->n_attributes; i++)
		if (request->attributes[i].id == attribute)
			return cell_fail(checked->err, CELL_INTERNAL, "%s::%s: %s",
					 request->attributes[i].ns, request->attributes[i].name,
					 text);
	return cell_fail(checked->err, CELL_INTERNAL, "%s", text);
}

static bool same(const char *name, const char *start, size_t len)
{
	return strlen(name) == len && memcmp(name, start, len) == 0;
}

/* A unit of its own has nothing of the user's text, and declares again what it needs. */
static bool is_mirrored(const struct checked *checked, const char *name, size_t len)
{
	const struct macro_plan_request *request = checked->request;

	if (checked->piece->kind != MACRO_PIECE_KIND_UNIT)
		return false;
	for (size_t i = 0; i < request->n_types; i++) {
		const struct macro_type *type = &request->types[i];

		if (same(type->tag, name, len))
			return true;
		for (size_t j = 0; j < type->n_enumerators; j++)
			if (same(type->enumerators[j].name, name, len))
				return true;
	}
	return false;
}

static bool is_planned(const struct checked *checked, enum ctext_role role, const char *name,
		       size_t len)
{
	const struct macro_plan *plan = checked->plan;

	/* Identifiers of the runtime's own may be made without a word. */
	if (len > 5 && (memcmp(name, "cell_", 5) == 0 || memcmp(name, "CELL_", 5) == 0))
		return true;
	if (role == CTEXT_ORDINARY && same(checked->piece->symbol, name, len))
		return true;
	if (is_mirrored(checked, name, len))
		return true;
	/* Declaring again what the user declares adds nothing. */
	if (same(checked->request->declaration->name, name, len))
		return role == CTEXT_ORDINARY;
	for (size_t i = 0; i < plan->n_symbols; i++)
		if (same(plan->symbols[i].name, name, len) &&
		    plan->symbols[i].is_type == (role == CTEXT_TAG))
			return true;
	return false;
}

static bool is_planned_field(const struct macro_plan *plan, const char *name, size_t len)
{
	for (size_t i = 0; i < plan->n_fields; i++)
		if (same(plan->fields[i].name, name, len))
			return true;
	return false;
}

static int on_name(void *userdata, enum ctext_role role, const char *name, size_t len,
		   unsigned line)
{
	const struct checked *checked = userdata;
	bool is_field =
		checked->piece->anchor == MACRO_ANCHOR_STRUCT_END && role == CTEXT_ORDINARY;

	if (is_field ? is_planned_field(checked->plan, name, len)
		     : is_planned(checked, role, name, len))
		return 0;
	return bug(checked, checked->piece->attribute,
		   "line %u of its text declares '%.*s', which it did not plan", line, (int)len,
		   name);
}

static int check_wrap(const struct checked *checked)
{
	const struct macro_plan *plan = checked->plan;
	const struct macro_piece *piece = checked->piece;

	if (!*piece->symbol)
		return bug(checked, piece->attribute, "its wrapper has no name");
	if (!strstr(piece->text, "$next$"))
		return bug(checked, piece->attribute, "its wrapper '%s' never calls $next$",
			   piece->symbol);
	for (size_t i = 0; i < plan->n_wraps; i++)
		if (plan->wraps[i].attribute == piece->attribute &&
		    plan->wraps[i].phase == piece->phase)
			return 0;
	return bug(checked, piece->attribute, "wraps as '%s' in phase %u, which it did not plan",
		   piece->symbol, piece->phase);
}

static int check_names(struct checked *checked)
{
	const struct macro_piece *piece = checked->piece;
	const char *why;
	unsigned line;
	int r = ctext_declared(piece->text, on_name, checked, &why, &line);

	if (r == -EINVAL)
		return bug(checked, piece->attribute, "line %u of its text: %s", line, why);
	return r;
}

int cell_macro_check_names(const struct macro_plan_request *request, const struct macro_plan *plan,
			   const struct macro_piece *piece, struct cell_error *err)
{
	struct checked checked = { .request = request, .plan = plan, .piece = piece, .err = err };

	return check_names(&checked);
}

static int check_piece(struct checked *checked)
{
	const struct macro_piece *piece = checked->piece;
	int r = 0;

	if (piece->anchor == MACRO_ANCHOR_WRAP)
		r = check_wrap(checked);
	else if (strstr(piece->text, "$next$"))
		r = bug(checked, piece->attribute, "$next$ stands in a piece that is no wrapper");
	else if (piece->anchor == MACRO_ANCHOR_BODY && checked->plan->body != piece->attribute)
		r = bug(checked, piece->attribute, "gives '%s' a body, which it did not plan",
			checked->request->declaration->name);
	return r < 0 ? r : check_names(checked);
}

static int find_declared(void *userdata, enum ctext_role role, const char *name, size_t len,
			 unsigned line)
{
	(void)line;
	return role == CTEXT_ORDINARY && same(userdata, name, len);
}

static bool has_field(const struct macro_generated_code *code, const char *name)
{
	for (size_t i = 0; i < code->n_pieces; i++)
		if (code->pieces[i].anchor == MACRO_ANCHOR_STRUCT_END &&
		    ctext_declared(code->pieces[i].text, find_declared, (void *)(uintptr_t)name,
				   NULL, NULL) == 1)
			return true;
	return false;
}

static size_t count_pieces(const struct macro_generated_code *code, enum macro_anchor anchor,
			   uint32_t attribute, uint32_t phase)
{
	size_t n = 0;

	for (size_t i = 0; i < code->n_pieces; i++)
		n += code->pieces[i].anchor == anchor && code->pieces[i].attribute == attribute &&
		     (anchor != MACRO_ANCHOR_WRAP || code->pieces[i].phase == phase);
	return n;
}

/* What was planned is there: each field, each wrapper once, the body. */
static int check_promises(const struct checked *checked)
{
	const struct macro_plan *plan = checked->plan;

	for (size_t i = 0; i < plan->n_fields; i++)
		if (!has_field(checked->code, plan->fields[i].name))
			return bug(checked, plan->fields[i].attribute,
				   "plans the field '%s' and does not add it",
				   plan->fields[i].name);
	for (size_t i = 0; i < plan->n_wraps; i++) {
		const struct macro_planned_wrap *wrap = &plan->wraps[i];
		size_t n = count_pieces(checked->code, MACRO_ANCHOR_WRAP, wrap->attribute,
					wrap->phase);

		if (n != 1)
			return bug(checked, wrap->attribute,
				   "plans one wrapper in phase %u and makes %zu", wrap->phase, n);
	}
	if (plan->body && count_pieces(checked->code, MACRO_ANCHOR_BODY, plan->body, 0) != 1)
		return bug(checked, plan->body, "plans a body and does not give one");
	return 0;
}

static bool list_has(const char *const *list, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}

static bool has_fact(const struct macro_generated_code *code, const char *key)
{
	for (size_t i = 0; i < code->n_facts; i++)
		if (strcmp(code->facts[i].key, key) == 0)
			return true;
	return false;
}

static int check_facts(const struct checked *checked)
{
	const struct macro_generated_code *code = checked->code;
	const struct macro_plan *plan = checked->plan;

	for (size_t i = 0; i < code->n_facts; i++)
		if (!list_has(plan->provides, plan->n_provides, code->facts[i].key))
			return bug(checked, 0, "%s: gives the fact '%s', which it did not plan",
				   code->facts[i].ns, code->facts[i].key);
	for (size_t i = 0; i < plan->n_provides; i++)
		if (!has_fact(code, plan->provides[i]))
			return bug(checked, 0, "plans the fact '%s' and does not give it",
				   plan->provides[i]);
	for (size_t i = 0; i < code->n_states; i++)
		if (!list_has(plan->reads, plan->n_reads, code->states[i].id))
			return bug(checked, 0,
				   "depends on the state '%s', which it did not plan to read",
				   code->states[i].id);
	return 0;
}

int cell_macro_check(const struct macro_plan_request *request, const struct macro_plan *plan,
		     const struct macro_generated_code *code, struct cell_error *err)
{
	struct checked checked = { .request = request, .plan = plan, .code = code, .err = err };
	int r = 0;

	for (size_t i = 0; r == 0 && i < code->n_pieces; i++) {
		checked.piece = &code->pieces[i];
		r = check_piece(&checked);
	}
	if (r == 0)
		r = check_promises(&checked);
	return r == 0 ? check_facts(&checked) : r;
}

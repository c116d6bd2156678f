/* Planned against expanded: what a plan did not say must not be in the text. */
#include "macro_work.h"

#include <cell/cell.h>
#include <cell/internal/ctext.h>
#include <string.h>

static bool same(const char *name, const char *start, size_t len)
{
	return strlen(name) == len && memcmp(name, start, len) == 0;
}

struct checked {
	struct cell_macro_work *work;
	const struct cell_piece *piece;
};

static bool is_planned(const struct checked *checked, enum ctext_role role, const char *name,
		       size_t len)
{
	const struct cell_macro_work *work = checked->work;
	const struct macro_planned_symbol *symbols = work->symbols.items;

	/* Identifiers of the runtime's own may be made without a word. */
	if ((len > 5 && memcmp(name, "cell_", 5) == 0) || (len > 5 && memcmp(name, "CELL_", 5) == 0))
		return true;
	if (role == CTEXT_ORDINARY && same(checked->piece->symbol, name, len))
		return true;
	/* Declaring again what the user declares adds nothing. */
	if (same(work->request->declaration->name, name, len))
		return role == CTEXT_ORDINARY;
	for (size_t i = 0; i < work->symbols.n; i++)
		if (same(symbols[i].name, name, len) &&
		    symbols[i].is_type == (role == CTEXT_TAG))
			return true;
	return false;
}

static bool is_planned_field(const struct checked *checked, const char *name, size_t len)
{
	const struct macro_planned_field *fields = checked->work->fields.items;

	for (size_t i = 0; i < checked->work->fields.n; i++)
		if (same(fields[i].name, name, len))
			return true;
	return false;
}

static int on_name(void *userdata, enum ctext_role role, const char *name, size_t len,
		   unsigned line)
{
	const struct checked *checked = userdata;
	bool is_field = checked->piece->anchor == MACRO_ANCHOR_STRUCT_END && role == CTEXT_ORDINARY;

	if (is_field ? is_planned_field(checked, name, len)
		     : is_planned(checked, role, name, len))
		return 0;
	return macro_bug(checked->work, checked->piece->mine,
			 "line %u of its text declares '%.*s', which it did not plan", line,
			 (int)len, name);
}

static int check_wrap(struct cell_macro_work *work, const struct cell_piece *piece)
{
	const struct macro_planned_wrap *wraps = work->wraps.items;

	if (!strstr(piece->text ? piece->text : "", "$next$"))
		return macro_bug(work, piece->mine, "its wrapper '%s' never calls $next$",
				 piece->symbol);
	for (size_t i = 0; i < work->wraps.n; i++)
		if (wraps[i].attribute == piece->mine->id && wraps[i].phase == piece->phase)
			return 0;
	return macro_bug(work, piece->mine, "wraps as '%s' in phase %d, which it did not plan",
			 piece->symbol, (int)piece->phase);
}

static int check_piece(struct cell_macro_work *work, const struct cell_piece *piece)
{
	struct checked checked = { .work = work, .piece = piece };
	const char *text = piece->text ? piece->text : "", *why;
	unsigned line;
	int r = 0;

	if (piece->anchor == MACRO_ANCHOR_WRAP)
		r = check_wrap(work, piece);
	else if (strstr(text, "$next$"))
		r = macro_bug(work, piece->mine, "$next$ stands in a piece that is no wrapper");
	else if (piece->anchor == MACRO_ANCHOR_BODY && work->body != piece->mine->id)
		r = macro_bug(work, piece->mine, "gives '%s' a body, which it did not plan",
			      work->request->declaration->name);
	if (r < 0)
		return r;
	r = ctext_declared(text, on_name, &checked, &why, &line);
	if (r == -EINVAL)
		return macro_bug(work, piece->mine, "line %u of its text: %s", line, why);
	return r;
}

/* That every planned field is there, and the body, and each wrapper once. */
static int find_declared(void *userdata, enum ctext_role role, const char *name, size_t len,
			 unsigned line)
{
	(void)line;
	return role == CTEXT_ORDINARY && same(userdata, name, len);
}

static bool has_field(const struct cell_macro_work *work, const char *name)
{
	for (const struct cell_piece *piece = work->pieces; piece; piece = piece->next)
		if (piece->anchor == MACRO_ANCHOR_STRUCT_END && piece->text &&
		    ctext_declared(piece->text, find_declared, (void *)(uintptr_t)name, NULL,
				   NULL) == 1)
			return true;
	return false;
}

static size_t count_pieces(const struct cell_macro_work *work, enum macro_anchor anchor,
			   uint32_t attribute, uint32_t phase)
{
	size_t n = 0;

	for (const struct cell_piece *piece = work->pieces; piece; piece = piece->next)
		n += piece->anchor == anchor && piece->mine->id == attribute &&
		     (uint32_t)piece->phase == phase;
	return n;
}

static const struct macro_attribute *attribute_of(const struct cell_macro_work *work, uint32_t id)
{
	for (size_t i = 0; i < work->request->n_attributes; i++)
		if (work->request->attributes[i].id == id)
			return &work->request->attributes[i];
	return NULL;
}

static int check_promises(struct cell_macro_work *work)
{
	const struct macro_planned_field *fields = work->fields.items;
	const struct macro_planned_wrap *wraps = work->wraps.items;

	for (size_t i = 0; i < work->fields.n; i++)
		if (!has_field(work, fields[i].name))
			return macro_bug(work, attribute_of(work, fields[i].attribute),
					 "plans the field '%s' and does not add it",
					 fields[i].name);
	for (size_t i = 0; i < work->wraps.n; i++)
		if (count_pieces(work, MACRO_ANCHOR_WRAP, wraps[i].attribute, wraps[i].phase) != 1)
			return macro_bug(work, attribute_of(work, wraps[i].attribute),
					 "plans one wrapper in phase %u and makes %zu",
					 wraps[i].phase,
					 count_pieces(work, MACRO_ANCHOR_WRAP, wraps[i].attribute,
						      wraps[i].phase));
	if (work->body && count_pieces(work, MACRO_ANCHOR_BODY, work->body, 0) != 1)
		return macro_bug(work, attribute_of(work, work->body),
				 "plans a body and does not give one");
	return 0;
}

static int check_facts(struct cell_macro_work *work)
{
	const char *const *provides = work->provides.items, *const *reads = work->reads.items;
	const struct macro_fact *facts = work->facts.items;
	const struct macro_state *states = work->states.items;
	size_t k;

	for (size_t i = 0; i < work->facts.n; i++) {
		for (k = 0; k < work->provides.n && strcmp(provides[k], facts[i].key) != 0; k++)
			;
		if (k == work->provides.n)
			return macro_bug(work, NULL, "gives the fact '%s', which it did not plan",
					 facts[i].key);
	}
	for (size_t i = 0; i < work->provides.n; i++) {
		for (k = 0; k < work->facts.n && strcmp(facts[k].key, provides[i]) != 0; k++)
			;
		if (k == work->facts.n)
			return macro_bug(work, NULL, "plans the fact '%s' and does not give it",
					 provides[i]);
	}
	for (size_t i = 0; i < work->states.n; i++) {
		for (k = 0; k < work->reads.n && strcmp(reads[k], states[i].id) != 0; k++)
			;
		if (k == work->reads.n)
			return macro_bug(work, NULL,
					 "depends on the state '%s', which it did not plan to read",
					 states[i].id);
	}
	return 0;
}

int macro_check_expansion(struct cell_macro_work *work)
{
	int r = 0;

	for (const struct cell_piece *piece = work->pieces; r == 0 && piece; piece = piece->next)
		r = check_piece(work, piece);
	if (r == 0)
		r = check_promises(work);
	return r == 0 ? check_facts(work) : r;
}

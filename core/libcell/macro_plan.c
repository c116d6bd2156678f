/* Planning: what an expansion will add. */
#include "macro_work.h"

#include <cell/cell.h>
#include <cell/internal/ctext.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *keep_text(struct cell_macro_work *work, const char *text)
{
	const char *copy = cell_arena_strdup(cell_arena(work->call), text ? text : "");

	if (!copy)
		work->is_out_of_memory = true;
	return copy;
}

/* That MINE's macro may add WHAT. */
static int allow(struct cell_macro_work *work, const struct macro_attribute *mine,
		 enum macro_addition what, const char *said)
{
	const struct cell_macro *macro = macro_of(work->provider, mine);

	if (macro && macro->may & CELL_MACRO_BIT(what))
		return 0;
	return macro_bug(work, mine, "plans %s, which its table does not announce", said);
}

int cell_plan_field(struct cell_macro_work *work, const struct macro_attribute *mine,
		    const char *type, const char *name)
{
	struct macro_planned_field *field;
	int r = allow(work, mine, MACRO_ADDITION_FIELDS, "a field");

	if (r < 0)
		return r;
	field = macro_list_add(work, &work->fields, sizeof *field);
	if (!field)
		return -ENOMEM;
	field->attribute = mine->id;
	field->name = keep_text(work, name);
	field->type = keep_text(work, type);
	return field->name && field->type ? 0 : -ENOMEM;
}

static int keep_list(struct cell_macro_work *work, const char *const *texts, size_t *ret_n,
		     const char *const **ret)
{
	struct macro_list list = { 0 };

	for (; texts && *texts; texts++)
		if (macro_list_add_text(work, &list, *texts) < 0)
			return -ENOMEM;
	*ret_n = list.n;
	*ret = list.items;
	return 0;
}

int cell_plan_wrap(struct cell_macro_work *work, const struct macro_attribute *mine,
		   enum macro_phase phase, const char *const *before, const char *const *after)
{
	struct macro_planned_wrap *wrap;
	int r = allow(work, mine, MACRO_ADDITION_WRAP, "a wrapper");

	if (r < 0)
		return r;
	wrap = macro_list_add(work, &work->wraps, sizeof *wrap);
	if (!wrap)
		return -ENOMEM;
	wrap->attribute = mine->id;
	wrap->phase = (uint32_t)phase;
	r = keep_list(work, before, &wrap->n_before, &wrap->before);
	return r < 0 ? r : keep_list(work, after, &wrap->n_after, &wrap->after);
}

int cell_plan_body(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	int r = allow(work, mine, MACRO_ADDITION_BODY, "a body");

	if (r < 0)
		return r;
	if (work->body && work->body != mine->id)
		return cell_macro_refuse(work, mine, NULL,
					 "the function has a body from another attribute already");
	work->body = mine->id;
	return 0;
}

static int plan_name(struct cell_macro_work *work, const struct macro_attribute *mine,
		     bool is_type, enum macro_piece_kind piece, const char *format, va_list args)
{
	struct macro_planned_symbol *symbol;
	char name[1024];
	int r = allow(work, mine, MACRO_ADDITION_DECLARATIONS, "a declaration");
	int n = vsnprintf(name, sizeof name, format, args);

	if (r < 0)
		return r;
	if (n <= 0 || (size_t)n >= sizeof name)
		return macro_bug(work, mine, "plans a symbol of %d bytes", n);
	symbol = macro_list_add(work, &work->symbols, sizeof *symbol);
	if (!symbol)
		return -ENOMEM;
	symbol->attribute = mine->id;
	symbol->is_type = is_type;
	symbol->piece = piece;
	symbol->name = keep_text(work, name);
	return symbol->name ? 0 : -ENOMEM;
}

int cell_plan_symbol(struct cell_macro_work *work, const struct macro_attribute *mine,
		     enum macro_piece_kind piece, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = plan_name(work, mine, false, piece, format, args);
	va_end(args);
	return r;
}

int cell_plan_tag(struct cell_macro_work *work, const struct macro_attribute *mine,
		  const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = plan_name(work, mine, true, MACRO_PIECE_KIND_DECL, format, args);
	va_end(args);
	return r;
}

struct planning {
	struct cell_macro_work *work;
	const struct macro_attribute *mine;
	enum macro_piece_kind kind;
};

static int on_declared(void *userdata, enum ctext_role role, const char *name, size_t len,
		       unsigned line)
{
	const struct planning *p = userdata;

	(void)line;
	if (role == CTEXT_MACRO || (len > 5 && strncmp(name, "cell_", 5) == 0) ||
	    (len > 5 && strncmp(name, "CELL_", 5) == 0))
		return 0;
	if (role == CTEXT_TAG)
		return cell_plan_tag(p->work, p->mine, "%.*s", (int)len, name);
	return cell_plan_symbol(p->work, p->mine, p->kind, "%.*s", (int)len, name);
}

int cell_plan_text(struct cell_macro_work *work, const struct macro_attribute *mine,
		   enum macro_piece_kind piece, const char *text)
{
	struct planning planning = { work, mine, piece };

	return text ? ctext_declared(text, on_declared, &planning, NULL, NULL) : 0;
}

int cell_plan_use(struct cell_macro_work *work, const struct macro_attribute *mine,
		  const char *cell, const char *channel)
{
	struct macro_planned_use *use = macro_list_add(work, &work->uses, sizeof *use);

	if (!use)
		return -ENOMEM;
	use->attribute = mine->id;
	use->cell = keep_text(work, cell);
	use->channel = keep_text(work, channel);
	return use->cell && use->channel ? 0 : -ENOMEM;
}

int cell_plan_provides(struct cell_macro_work *work, const char *key)
{
	return macro_list_add_text(work, &work->provides, key);
}

int cell_plan_wants(struct cell_macro_work *work, const struct macro_attribute *mine,
		    const char *ns, const char *key, bool is_optional)
{
	struct macro_want *want = macro_list_add(work, &work->wants, sizeof *want);

	if (!want)
		return -ENOMEM;
	want->attribute = mine->id;
	want->optional = is_optional;
	want->ns = keep_text(work, ns);
	want->key = keep_text(work, key);
	return want->ns && want->key ? 0 : -ENOMEM;
}

int cell_plan_reads(struct cell_macro_work *work, const char *state)
{
	return macro_list_add_text(work, &work->reads, state);
}

int cell_plan_header(struct cell_macro_work *work, const char *header)
{
	return macro_list_add_text(work, &work->headers, header);
}

/* --- all of it ----------------------------------------------------------------------------- */

static int plan_one(struct cell_macro_work *work, const struct cell_macro *macro,
		    const struct macro_attribute *mine)
{
	size_t errors_before = work->n_errors;
	int r;

	for (const char *const *header = macro->headers; header && *header; header++)
		if (macro_list_add_text(work, &work->headers, *header) < 0)
			return -ENOMEM;
	for (const char *const *link = macro->link; link && *link; link++)
		if (macro_list_add_text(work, &work->link, *link) < 0)
			return -ENOMEM;
	work->asked = mine;
	r = macro->plan ? macro->plan(work, mine) : 0;
	work->asked = NULL;
	if (r < 0 && work->n_errors == errors_before && !work->bug && r != -ENOMEM)
		return macro_bug(work, mine, "its plan failed with %s and does not say why",
				 cell_status_name(r));
	return 0;
}

int macro_plan_make(struct cell_macro_work *work)
{
	const struct macro_plan_request *request = work->request;

	macro_check_attributes(work);
	/* Every mistake is said at once; nothing is planned on top of one. */
	if (work->n_errors)
		return 0;
	for (size_t i = 0; i < request->n_attributes && !work->bug; i++) {
		const struct cell_macro *macro = macro_of(work->provider, &request->attributes[i]);
		int r = macro ? plan_one(work, macro, &request->attributes[i]) : 0;

		if (r < 0)
			return r;
	}
	if (work->is_out_of_memory)
		return cell_refuse(work->call, CELL_RESOURCE_EXHAUSTED, "no memory for the plan");
	return work->bug;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *const *sorted(struct macro_list *list, size_t *ret_n)
{
	if (list->n)
		qsort(list->items, list->n, sizeof(char *), by_text);
	*ret_n = list->n;
	return list->items;
}

int macro_plan_put(struct cell_macro_work *work, struct macro_plan *ret_plan)
{
	uint8_t *digest = cell_arena_alloc(cell_arena(work->call), MACRO_DIGEST_SIZE);
	struct macro_plan plan = {
		.n_fields = work->fields.n, .fields = work->fields.items,
		.n_wraps = work->wraps.n, .wraps = work->wraps.items,
		.body = work->body,
		.n_symbols = work->symbols.n, .symbols = work->symbols.items,
		.n_wants = work->wants.n, .wants = work->wants.items,
		.n_uses = work->uses.n, .uses = work->uses.items,
	};

	plan.provides = sorted(&work->provides, &plan.n_provides);
	plan.reads = sorted(&work->reads, &plan.n_reads);
	plan.headers = sorted(&work->headers, &plan.n_headers);
	plan.link = sorted(&work->link, &plan.n_link);
	if (!digest ||
	    macro_digest(cell_arena(work->call), &macro_plan_type, &plan, digest) < 0)
		return cell_refuse(work->call, CELL_RESOURCE_EXHAUSTED, "no memory for the plan");
	plan.digest = digest;
	plan.n_digest = MACRO_DIGEST_SIZE;
	plan.diagnostics = work->diagnostics.items;
	plan.n_diagnostics = work->diagnostics.n;
	*ret_plan = plan;
	return 0;
}

#include "expand_work.h"

#include "accept.h"
#include "session.h"

#include <cell/cell.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A plan that changes under us is made anew this often. */
#define ATTEMPTS 3

struct asked {
	struct item **items;
	const struct macro_plan_request **requests;
	struct macro_plan *plans;
	struct macro_generated_code *codes;
	struct cell_error *errors;
	size_t n;
};

/* What the attributes of the declaration may add, all together. */
static uint32_t may_of(const struct work *w, const struct item *item)
{
	uint32_t may = 0;

	for (size_t i = 0; i < item->prepared.request.n_attributes; i++) {
		const struct macro_attribute *attribute =
			&item->prepared.request.attributes[i];
		const struct macro_macro_description *macro =
			check_find(&w->context.check, attribute->ns, attribute->name);

		may |= macro ? macro->may : 0;
	}
	return may;
}

/* Headers and libraries that signatures name, without those that the plan has. */
static void complete_plan(const struct work *w, struct item *item)
{
	for (size_t i = 0; i < item->prepared.request.n_attributes; i++) {
		const struct macro_attribute *attribute =
			&item->prepared.request.attributes[i];
		const struct macro_macro_description *macro =
			check_find(&w->context.check, attribute->ns, attribute->name);

		if (!macro)
			continue;
		strings_unite(w->arena, &item->plan.headers, &item->plan.n_headers,
			      macro->headers, macro->n_headers);
		strings_unite(w->arena, &item->plan.link, &item->plan.n_link, macro->link,
			      macro->n_link);
	}
}

/* Where each piece comes from must be a namespace of the declaration: it names a folder. */
static const char *foreign_piece(const struct item *item)
{
	for (size_t i = 0; i < item->code.n_pieces; i++) {
		bool is_ours = false;

		for (size_t k = 0; k < item->prepared.n_namespaces && !is_ours; k++)
			is_ours = strcmp(item->prepared.namespaces[k]->ns,
					 item->code.pieces[i].ns) == 0;
		if (!is_ours)
			return item->code.pieces[i].ns;
	}
	return NULL;
}

static int states_order(const void *a, const void *b)
{
	return strcmp(((const struct lock_state *)a)->id, ((const struct lock_state *)b)->id);
}

static void take_states(const struct work *w, struct item *item)
{
	for (size_t i = 0; i < item->code.n_states; i++) {
		const struct macro_state *state = &item->code.states[i];

		if (state->n_digest == 32)
			*must_add(w->arena, item->states, item->n_states) =
				(struct lock_state){
					state->id,
					hex_of(w->arena, state->digest, state->n_digest),
				};
	}
	if (item->plan.n_wants)
		*must_add(w->arena, item->states, item->n_states) =
			(struct lock_state){ FEATURES, lookup_features(w) };
	if (item->n_states)
		qsort(item->states, item->n_states, sizeof *item->states, states_order);
}

/* Kept lists as requests have them: sorted by namespace, those of the declaration only. */
static void take_kept(const struct work *w, struct item *item)
{
	for (size_t i = 0; i < item->prepared.n_namespaces; i++)
		for (size_t k = 0; k < item->code.n_kept; k++)
			if (strcmp(item->prepared.namespaces[i]->ns, item->code.kept[k].ns) ==
				    0 &&
			    item->code.kept[k].n_kept)
				*must_add(w->arena, item->kept, item->n_kept) =
					request_sort_kept(&item->code.kept[k], w->arena);
}

/* Files have whole lines. */
static void end_lines(const struct work *w, struct macro_generated_code *code)
{
	struct macro_piece *pieces = must_new(w->arena, struct macro_piece, code->n_pieces);

	for (size_t i = 0; i < code->n_pieces; i++) {
		size_t len = strlen(code->pieces[i].text);

		pieces[i] = code->pieces[i];
		if (len > 0 && pieces[i].text[len - 1] != '\n')
			pieces[i].text = must_printf(w->arena, "%s\n", pieces[i].text);
	}
	code->pieces = pieces;
}

static void accept(struct work *w, struct item *item)
{
	const struct accept_rules rules = {
		.root = w->project->root,
		.plan = &item->plan,
		.may = may_of(w, item),
		.request = &item->prepared.request,
	};
	const char *foreign = foreign_piece(item);
	struct macro_plan_request request;
	struct cell_error err;
	uint32_t attribute;

	if (remark_errors(w, item, item->code.diagnostics, item->code.n_diagnostics)) {
		w->err = -EINVAL;
		return;
	}
	if (foreign) {
		remark_refusal(w, item,
			       must_printf(w->arena,
					   "its text comes from '%.60s', which is "
					   "not on this declaration",
					   foreign));
		return;
	}
	if (accept_code(&rules, &item->code, &attribute, &err) < 0) {
		const struct attribute *a = conflict_attribute(&item->prepared, attribute);

		if (!a) {
			remark_refusal(w, item, err.text);
			return;
		}
		w->err = -EINVAL;
		diag_say(w->diag, SEVERITY_ERROR, &a->at, a->ns, "%s::%s: refused: %s", a->ns,
			 a->name, err.text);
		return;
	}
	take_states(w, item);
	take_kept(w, item);
	request = request_with_kept(&item->prepared.request, item->kept, item->n_kept);
	item->key = lookup_key(w, item, &request, item->states, item->n_states);
	end_lines(w, &item->code);
	cache_make(&item->cached, &item->plan, &item->code, item->prepared.name, item->key,
		   w->arena);
	item->is_there = item->is_new = true;
	item->is_degraded = item->code.degraded;
	if (item->is_degraded && (w->project->strict || w->project->locked)) {
		remark_warnings(w, item);
		remark_refusal(w, item,
			       "its expansion is incomplete, and --strict forbids that");
	}
}

static void ask_plans(struct work *w, struct asked *asked)
{
	size_t left = 0;

	session_plan(w->session, asked->requests, asked->n, asked->plans, asked->errors);
	for (size_t i = 0; i < asked->n; i++) {
		struct item *item = asked->items[i];

		item->plan = asked->plans[i];
		if (asked->errors[i].code) {
			remark_refusal(w, item, asked->errors[i].text);
			continue;
		}
		complete_plan(w, item);
		if (remark_errors(w, item, item->plan.diagnostics,
				  item->plan.n_diagnostics) ||
		    conflict_check(&w->context, &item->prepared, &item->plan, w->diag) < 0) {
			w->err = -EINVAL;
			continue;
		}
		asked->items[left] = item;
		asked->requests[left] = asked->requests[i];
		asked->plans[left++] = asked->plans[i];
	}
	asked->n = left;
}

/* Those whose plan changed since stay in ASKED, to be planned again. */
static void ask_texts(struct work *w, struct asked *asked, bool is_last)
{
	size_t left = 0;

	session_expand(w->session, asked->requests, asked->plans, asked->n, asked->codes,
		       asked->errors);
	for (size_t i = 0; i < asked->n; i++) {
		struct item *item = asked->items[i];

		if (asked->errors[i].code == CELL_ABORTED && !is_last) {
			asked->items[left] = item;
			asked->requests[left++] = asked->requests[i];
		} else if (asked->errors[i].code) {
			remark_refusal(w, item, asked->errors[i].text);
		} else {
			item->code = asked->codes[i];
			accept(w, item);
		}
	}
	asked->n = left;
}

void ask_missing(struct work *w)
{
	struct asked asked = {
		.items = must_new(w->arena, struct item *, w->n_items),
		.requests = must_new(w->arena, const struct macro_plan_request *, w->n_items),
		.plans = must_new(w->arena, struct macro_plan, w->n_items),
		.codes = must_new(w->arena, struct macro_generated_code, w->n_items),
		.errors = must_new(w->arena, struct cell_error, w->n_items),
	};

	for (size_t i = 0; i < w->n_items; i++) {
		struct item *item = &w->items[i];
		const struct attribute *a;

		if (item->is_there)
			continue;
		a = lookup_unreachable(item);
		if (a) {
			remark_unreachable(w, item, a);
			continue;
		}
		asked.items[asked.n] = item;
		asked.requests[asked.n++] = &item->prepared.request;
	}
	for (int attempt = 1; asked.n > 0 && w->err == 0; attempt++) {
		ask_plans(w, &asked);
		if (w->err == 0)
			ask_texts(w, &asked, attempt == ATTEMPTS);
	}
}

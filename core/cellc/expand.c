#include "expand.h"

#include "accept.h"
#include "assemble.h"
#include "cache.h"
#include "conflict.h"
#include "folder.h"
#include "keep.h"
#include "key.h"
#include "writer.h"
#include "session.h"
#include "turn.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * A state of our own: the namespaces that are off. It matters to who asks other cells, and to
 * nobody else: all others give the text of a source without the attributes that are off.
 */
#define FEATURES "cellc:features"

/* A plan that changes under us is made anew this often. */
#define ATTEMPTS 3

/* One declaration from the question to its text. */
struct item {
	struct prepared prepared;
	struct cached cached;
	const char *key;
	const char *old_key; /* of the use in the lock; NULL = none */
	bool is_there;       /* CACHED is filled */
	bool is_new;         /* and was asked for just now */
	bool is_degraded;
	const char *assumed; /* a state that nobody knows now: as the lock has it; NULL */
	struct macro_kept_of *kept; /* from now on; if it is new */
	size_t n_kept;
	struct lock_state *states; /* that were looked at; sorted */
	size_t n_states;
	struct macro_plan plan; /* while it is asked for */
	struct macro_generated_code code;
};

/* What provisioning needs to expand again. */
struct expansion_origin {
	bool is_remembered; /* there is no unit */
	struct unit unit;
	struct project project;
	struct cell_arena *arena;
	const struct lock_state *states; /* that were looked at */
	size_t n_states;
};

struct work {
	const struct unit *unit;
	struct session *session;
	const struct project *project;
	struct cell_arena *arena;
	struct diag *diag;
	struct known known;
	struct conflict_context context;
	const char *cwd, *prefix;
	const char *main_marker; /* the main file as markers spell it */
	const char *main_file;   /* relative to the root */
	const char **main_names; /* of the declarations in it */
	size_t n_main_names;
	const char **emitted;
	size_t n_emitted;
	struct item *items;
	size_t n_items;
	int err;
};

static const char *ns_of(const struct attribute *a)
{
	return a ? a->ns : NULL;
}

/* ---- names and places --------------------------------------------------------------------
 */

static const char *place_word(enum macro_place place)
{
	static const char *const words[] = {
		[MACRO_PLACE_FILE] = "file",         [MACRO_PLACE_STRUCT] = "struct",
		[MACRO_PLACE_UNION] = "union",       [MACRO_PLACE_ENUM] = "enum",
		[MACRO_PLACE_FUNCTION] = "function", [MACRO_PLACE_PROTOTYPE] = "prototype",
		[MACRO_PLACE_TYPEDEF] = "typedef",   [MACRO_PLACE_VARIABLE] = "variable",
	};

	return (unsigned)place < sizeof words / sizeof words[0] && words[place] ? words[place]
										: "other";
}

/* The nth of one name in one file gets a number, so that names are unique. */
static const char *unique_name(const struct work *w, const char *file, const char *name)
{
	const char *candidate = name;

	for (unsigned n = 2;; n++) {
		bool is_taken = false;

		for (size_t i = 0; i < w->n_items && !is_taken; i++)
			is_taken = strcmp(w->items[i].prepared.file, file) == 0 &&
				   strcmp(w->items[i].prepared.name, candidate) == 0;
		if (!is_taken)
			return candidate;
		candidate = must_printf(w->arena, "%s.%u", name, n);
	}
}

static const char *name_of(const struct work *w, const struct declaration *d,
			   const char *file)
{
	const struct macro_declaration *declaration = d->request.declaration;
	const struct attribute *first = d->n_attributes ? d->attributes[0] : NULL;

	if (*declaration->name)
		return unique_name(w, file,
				   must_printf(w->arena, "%s:%s",
					       place_word(declaration->place),
					       declaration->name));
	return unique_name(w, file,
			   must_printf(w->arena, "%s:%s.%s", place_word(declaration->place),
				       first ? first->ns : "", first ? first->name : ""));
}

/* "../.cell/" from a folder below the root; absolute from elsewhere. */
static const char *prefix_of(const char *cwd, const struct project *project,
			     struct cell_arena *arena)
{
	size_t len = strlen(project->root);
	struct writer out = writer_new(arena);

	if (strncmp(cwd, project->root, len) != 0 || (cwd[len] && cwd[len] != '/'))
		return must_printf(arena, "%s/", project->folder);
	for (const char *c = cwd + len; *c; c++)
		if (*c == '/' && c[1])
			writer_put(&out, "../");
	writer_put(&out, ".cell/");
	return out.text;
}

/* The first line marker names it. */
static const char *main_marker(const struct unit *unit, struct cell_arena *arena)
{
	const char *open = memchr(unit->text, '"', unit->len), *close;
	size_t left;

	if (unit->len < 2 || unit->text[0] != '#' || !open)
		return "";
	left = unit->len - (size_t)(open + 1 - unit->text);
	close = memchr(open + 1, '"', left);
	return close ? must(cell_arena_strndup(arena, open + 1, (size_t)(close - open - 1)))
		     : "";
}

/* ---- what the provider says
 * ------------------------------------------------------------------ */

static void say_diagnostic(const struct work *w, const struct item *item,
			   const struct macro_diagnostic *d, enum severity severity)
{
	const struct attribute *a = conflict_attribute(&item->prepared, d->attribute);
	const struct place *place =
		conflict_place(&item->prepared, d->attribute, d->value, d->member);
	const char *ns = *d->ns ? d->ns : ns_of(a);

	/* About the declaration itself, such as a handler's signature, it says all alone. */
	if (!a)
		diag_say(w->diag, severity, place, ns, "%s", d->text);
	else if (ns && strcmp(a->ns, ns) == 0)
		diag_say(w->diag, severity, place, ns, "%s::%s: %s", a->ns, a->name, d->text);
	else
		diag_say(w->diag, severity, place, ns, "%s%s%s", ns ? ns : "", ns ? ": " : "",
			 d->text);
	for (size_t i = 0; i < d->n_notes; i++)
		diag_say(w->diag, SEVERITY_NOTE, NULL, ns, "%s", d->notes[i]);
}

/* Returns whether there was an error among them. Warnings are said when the text is used. */
static bool say_errors(const struct work *w, const struct item *item,
		       const struct macro_diagnostic *list, size_t n)
{
	bool found = false;

	for (size_t i = 0; i < n; i++)
		if (list[i].severity == MACRO_DIAGNOSTIC_SEVERITY_ERROR) {
			say_diagnostic(w, item, &list[i], SEVERITY_ERROR);
			found = true;
		}
	return found;
}

static void say_warnings(const struct work *w, const struct item *item)
{
	const struct macro_plan *plan = &item->cached.plan;
	const struct macro_generated_code *code = &item->cached.code;

	for (size_t i = 0; i < plan->n_diagnostics; i++)
		say_diagnostic(w, item, &plan->diagnostics[i],
			       (enum severity)plan->diagnostics[i].severity);
	for (size_t i = 0; i < code->n_diagnostics; i++)
		say_diagnostic(w, item, &code->diagnostics[i],
			       (enum severity)code->diagnostics[i].severity);
}

/* ---- preparing
 * ------------------------------------------------------------------------------- */

static void note_emits(struct work *w)
{
	for (size_t i = 0; i < w->unit->scan.n_attributes; i++) {
		const struct attribute *a = &w->unit->scan.attributes[i];

		if (!request_is_emit(a->ns, a->name) || request_is_off(w->project, a->ns))
			continue;
		if (a->n_values != 1 || a->values[0].kind != MACRO_VALUE_KIND_IDENTIFIER ||
		    *a->values[0].name) {
			diag_say(
				w->diag, SEVERITY_ERROR, &a->name_at, a->ns,
				"cell::emit: wants the header, with '_' for what is no letter or "
				"digit");
			diag_say(w->diag, SEVERITY_NOTE, NULL, a->ns,
				 "write [[cell::emit(users_h)]]; for users.h");
			w->err = -EINVAL;
		} else if (!a->is_in_header) {
			*must_add(w->arena, w->emitted, w->n_emitted) = a->values[0].text;
		}
	}
}

/* Whether any attribute is left when those that are switched off are gone. */
static bool is_anything_asked(const struct work *w)
{
	for (size_t i = 0; i < w->unit->scan.n_attributes; i++) {
		const struct attribute *a = &w->unit->scan.attributes[i];

		if (!request_is_off(w->project, a->ns) && !request_is_emit(a->ns, a->name))
			return true;
	}
	return false;
}

static void prepare(struct work *w)
{
	for (size_t i = 0; i < w->unit->n_declarations; i++) {
		const struct declaration *d = &w->unit->declarations[i];
		const char *file = request_path(d->at.file ? d->at.file : w->main_marker,
						w->cwd, w->project->root, w->arena);
		const char *name = name_of(w, d, file);
		struct item *item = must_add(w->arena, w->items, w->n_items);
		bool any = false;

		item->prepared.file = file;
		item->prepared.name = name;
		if (request_prepare(&item->prepared, &any, d, file, name, &w->known,
				    w->project, w->arena, w->diag) < 0)
			w->err = -EINVAL;
		if (!any)
			w->n_items--;
		else if (strcmp(file, w->main_file) == 0)
			*must_add(w->arena, w->main_names, w->n_main_names) = name;
	}
}

/* ---- looking up
 * -------------------------------------------------------------------------------- */

static const struct key_provider *providers_of(const struct work *w, const struct item *item)
{
	struct key_provider *list =
		must_new(w->arena, struct key_provider, item->prepared.n_namespaces);

	for (size_t i = 0; i < item->prepared.n_namespaces; i++) {
		const struct known_namespace *known = item->prepared.namespaces[i];

		list[i] = (struct key_provider){ known->ns, known->cell, known->key,
						 known->digest };
	}
	return list;
}

static const char *features_digest(const struct work *w)
{
	struct writer out = writer_new(w->arena);

	for (const char *const *off = w->project->features_off; off && *off; off++)
		writer_put(&out, "%s\n", *off);
	return key_hash(out.text, strlen(out.text), w->arena);
}

/*
 * As the cells that run say, else as the locks of the declaration's namespaces remember. A
 * cell that runs may not know a state of its own any more, as it has restarted, or because
 * whom it would ask is gone: that does not mean that the state has changed.
 */
static const char *state_now(const struct work *w, struct item *item, const char *id)
{
	if (strcmp(id, FEATURES) == 0)
		return features_digest(w);
	for (size_t i = 0; i < w->known.n; i++) {
		const struct macro_catalog *catalog = w->known.list[i].catalog;

		for (size_t k = 0; catalog && k < catalog->n_states; k++)
			if (strcmp(catalog->states[k].id, id) == 0)
				return hex_of(w->arena, catalog->states[k].digest,
					      catalog->states[k].n_digest);
	}
	for (size_t i = 0; i < item->prepared.n_namespaces; i++) {
		const char *digest = lock_find_state(&item->prepared.namespaces[i]->lock, id);

		if (digest && item->prepared.namespaces[i]->catalog)
			item->assumed = id;
		if (digest)
			return digest;
	}
	return "gone";
}

static const char *make_key(const struct work *w, const struct item *item,
			    const struct macro_plan_request *request,
			    const struct lock_state *states, size_t n)
{
	struct key_state *list = must_new(w->arena, struct key_state, n);
	struct macro_plan_request plain = *request;

	for (size_t i = 0; i < n; i++)
		list[i] = (struct key_state){ states[i].id, states[i].digest };
	plain.n_features_off = 0;
	return key_make(&plain, providers_of(w, item), item->prepared.n_namespaces, list, n,
			w->arena);
}

/* The use that all namespaces of the declaration agree on, or NULL. */
static const struct lock_use *find_use(const struct item *item)
{
	const struct lock_use *found = NULL;

	for (size_t i = 0; i < item->prepared.n_namespaces; i++) {
		const struct lock_use *use =
			lock_find_use(&item->prepared.namespaces[i]->lock,
				      item->prepared.file, item->prepared.name);

		if (!use || (found && (strcmp(found->key, use->key) != 0 ||
				       strcmp(found->plan, use->plan) != 0)))
			return NULL;
		found = use;
	}
	return found;
}

static const char *plan_path(const struct item *item, const char *key,
			     struct cell_arena *arena)
{
	return must_printf(arena, "exp/%s.plan",
			   cache_stem(item->prepared.namespaces[0]->ns, item->prepared.name,
				      key, arena));
}

/* A file below .cell whose hash is known; NULL if it is not there or was changed by hand. */
static const char *load_file(const struct work *w, const char *path, const char *hash)
{
	char *text = NULL;
	size_t len = 0;

	if (folder_read(must_printf(w->arena, "%s/%s", w->project->folder, path),
			CACHE_PLAN_MAX, w->arena, &text, &len, NULL) < 0 ||
	    strlen(text) != len || strcmp(key_hash(text, len, w->arena), hash) != 0)
		return NULL;
	return text;
}

static bool load(const struct work *w, struct item *item, const struct lock_use *use)
{
	const char *path = plan_path(item, use->key, w->arena);
	const char *text = load_file(w, path, use->plan);
	struct cached cached;
	struct macro_piece *pieces;

	if (!text || cache_parse(&cached, text, strlen(text), path, w->arena, NULL) < 0)
		return false;
	pieces = must_new(w->arena, struct macro_piece, cached.code.n_pieces);
	for (size_t i = 0; i < cached.code.n_pieces; i++) {
		pieces[i] = cached.code.pieces[i];
		pieces[i].text =
			load_file(w, must_printf(w->arena, "exp/%s", cached.paths[i]),
				  cached.hashes[i]);
		if (!pieces[i].text)
			return false;
	}
	cached.code.pieces = pieces;
	item->cached = cached;
	return true;
}

/* The first attribute of the namespace of it that cannot be asked; NULL: all can. */
static const struct attribute *unreachable(const struct item *item)
{
	for (size_t i = 0; i < item->prepared.request.n_attributes; i++) {
		const struct macro_attribute *attribute =
			&item->prepared.request.attributes[i];

		for (size_t k = 0; k < item->prepared.n_namespaces; k++)
			if (strcmp(item->prepared.namespaces[k]->ns, attribute->ns) == 0 &&
			    !item->prepared.namespaces[k]->catalog)
				return conflict_attribute(&item->prepared, attribute->id);
	}
	return NULL;
}

/* Whether the programs that run now are those that gave the answer of the item's key. */
static bool is_confirmed(const struct item *item)
{
	for (size_t i = 0; i < item->prepared.n_namespaces; i++) {
		const struct known_namespace *known = item->prepared.namespaces[i];

		if (*known->program &&
		    !program_answered(&known->answered, known->program, item->key))
			return false;
	}
	return true;
}

static void look_up(struct work *w, struct item *item)
{
	const struct lock_use *use = find_use(item);
	struct lock_state *states;

	request_take_kept(&item->prepared, w->project->root, w->arena);
	if (!use)
		return;
	item->old_key = use->key;
	states = must_new(w->arena, struct lock_state, use->n_reads);
	for (size_t i = 0; i < use->n_reads; i++)
		states[i] = (struct lock_state){ use->reads[i],
						 state_now(w, item, use->reads[i]) };
	item->key = make_key(w, item, &item->prepared.request, states, use->n_reads);
	if (w->project->fresh || strcmp(item->key, use->key) != 0 || item->prepared.kept_from)
		return;
	/* Who would have to ask somebody who is gone cannot confirm anything. */
	if ((!item->assumed && !unreachable(item) && !is_confirmed(item)) ||
	    !load(w, item, use))
		return;
	item->is_there = true;
	item->states = states;
	item->n_states = use->n_reads;
}

/* ---- asking
 * -------------------------------------------------------------------------------------- */

static void say_unreachable(struct work *w, const struct item *item,
			    const struct attribute *a)
{
	const struct known_namespace *known = known_find(&w->known, a->ns);
	const char *trouble = session_trouble(w->session);

	w->err = -EINVAL;
	if (w->project->offline) {
		diag_say(
			w->diag, SEVERITY_ERROR, &a->at, a->ns,
			"%s::%s: .cell has no answer from cell '%s' %s, and --offline forbids to ask",
			a->ns, a->name, known->cell,
			item->old_key ? "to what stands here now" : "about this");
		diag_say(w->diag, SEVERITY_NOTE, NULL, a->ns, "build once without --offline");
		return;
	}
	diag_say(w->diag, SEVERITY_ERROR, &a->at, a->ns,
		 "cell '%s' is not running and .cell has no answer from it%s", known->cell,
		 item->old_key ? " to what stands here now" : "");
	trouble = *known->trouble ? known->trouble : trouble;
	/* The macro cell's advice is ours, which follows. */
	if (*trouble && !strstr(trouble, "run: cell run "))
		diag_say(w->diag, SEVERITY_NOTE, NULL, a->ns, "%s", trouble);
	diag_say(w->diag, SEVERITY_NOTE, NULL, a->ns, "run: cell run %s", known->cell);
	diag_say(w->diag, SEVERITY_NOTE, NULL, a->ns,
		 "or leave it out: cellc --features %s=off", a->ns);
}

static void say_refusal(struct work *w, const struct item *item, const char *text)
{
	const struct attribute *a =
		conflict_attribute(&item->prepared, item->prepared.request.attributes[0].id);

	w->err = -EINVAL;
	diag_say(w->diag, SEVERITY_ERROR, a ? &a->at : &item->prepared.declaration->at,
		 ns_of(a), "%s::%s: %s", a ? a->ns : "cell", a ? a->name : "", text);
}

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
static void add_strings(struct cell_arena *arena, const char *const **list, size_t *n,
			const char *const *more, size_t n_more)
{
	const char **made = NULL;
	size_t n_made = 0;

	for (size_t i = 0; i < *n; i++)
		*must_add(arena, made, n_made) = (*list)[i];
	for (size_t i = 0; i < n_more; i++) {
		bool is_there = false;

		for (size_t k = 0; k < n_made && !is_there; k++)
			is_there = strcmp(made[k], more[i]) == 0;
		if (!is_there)
			*must_add(arena, made, n_made) = more[i];
	}
	*list = made;
	*n = n_made;
}

static void complete_plan(const struct work *w, struct item *item)
{
	for (size_t i = 0; i < item->prepared.request.n_attributes; i++) {
		const struct macro_attribute *attribute =
			&item->prepared.request.attributes[i];
		const struct macro_macro_description *macro =
			check_find(&w->context.check, attribute->ns, attribute->name);

		if (!macro)
			continue;
		add_strings(w->arena, &item->plan.headers, &item->plan.n_headers,
			    macro->headers, macro->n_headers);
		add_strings(w->arena, &item->plan.link, &item->plan.n_link, macro->link,
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
			(struct lock_state){ FEATURES, features_digest(w) };
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

	if (say_errors(w, item, item->code.diagnostics, item->code.n_diagnostics)) {
		w->err = -EINVAL;
		return;
	}
	if (foreign) {
		say_refusal(w, item,
			    must_printf(w->arena,
					"its text comes from '%.60s', which is "
					"not on this declaration",
					foreign));
		return;
	}
	if (accept_code(&rules, &item->code, &attribute, &err) < 0) {
		const struct attribute *a = conflict_attribute(&item->prepared, attribute);

		if (!a) {
			say_refusal(w, item, err.text);
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
	item->key = make_key(w, item, &request, item->states, item->n_states);
	end_lines(w, &item->code);
	cache_make(&item->cached, &item->plan, &item->code, item->prepared.name, item->key,
		   w->arena);
	item->is_there = item->is_new = true;
	item->is_degraded = item->code.degraded;
	if (item->is_degraded && (w->project->strict || w->project->locked)) {
		say_warnings(w, item);
		say_refusal(w, item,
			    "its expansion is incomplete, and --strict forbids that");
	}
}

struct asked {
	struct item **items;
	const struct macro_plan_request **requests;
	struct macro_plan *plans;
	struct macro_generated_code *codes;
	struct cell_error *errors;
	size_t n;
};

static void ask_plans(struct work *w, struct asked *asked)
{
	size_t left = 0;

	session_plan(w->session, asked->requests, asked->n, asked->plans, asked->errors);
	for (size_t i = 0; i < asked->n; i++) {
		struct item *item = asked->items[i];

		item->plan = asked->plans[i];
		if (asked->errors[i].code) {
			say_refusal(w, item, asked->errors[i].text);
			continue;
		}
		complete_plan(w, item);
		if (say_errors(w, item, item->plan.diagnostics, item->plan.n_diagnostics) ||
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
			say_refusal(w, item, asked->errors[i].text);
		} else {
			item->code = asked->codes[i];
			accept(w, item);
		}
	}
	asked->n = left;
}

/* Conflicts are all found before any text is asked for. */
static void ask(struct work *w)
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
		a = unreachable(item);
		if (a) {
			say_unreachable(w, item, a);
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

/* ---- the result
 * ---------------------------------------------------------------------------------- */

static void check_conflicts(struct work *w)
{
	for (size_t i = 0; i < w->n_items; i++) {
		struct item *item = &w->items[i];

		if (!item->is_new && conflict_check(&w->context, &item->prepared,
						    &item->cached.plan, w->diag) < 0)
			w->err = -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (conflict_between(&w->items[k].prepared, &w->items[k].cached.plan,
					     &item->prepared, &item->cached.plan,
					     w->diag) < 0)
				w->err = -EINVAL;
	}
}

static void assemble(struct work *w, struct assembly *a)
{
	const char **grown = NULL;
	size_t n_grown = 0;

	for (size_t i = 0; i < w->n_items; i++)
		for (size_t k = 0; k < w->items[i].cached.code.n_pieces; k++)
			if (w->items[i].cached.code.pieces[k].anchor ==
			    MACRO_ANCHOR_STRUCT_END)
				*must_add(w->arena, grown, n_grown) =
					w->items[i].prepared.request.declaration->name;
	*a = (struct assembly){
		.arena = w->arena,
		.unit = w->unit,
		.project = w->project,
		.prefix = w->prefix,
		.top = assemble_top(w->unit, w->main_marker),
		.emitted = w->emitted,
		.n_emitted = w->n_emitted,
		.grown = grown,
		.n_grown = n_grown,
	};
	for (size_t i = 0; i < w->n_items; i++) {
		a->is_forgotten = w->items[i].is_degraded;
		assemble_add(a, &w->items[i].prepared, &w->items[i].cached, w->items[i].key);
	}
}

static void record(const struct work *w, const struct item *item, const char *plan_hash)
{
	const char **reads = must_new(w->arena, const char *, item->n_states);

	for (size_t i = 0; i < item->n_states; i++)
		reads[i] = item->states[i].id;
	for (size_t i = 0; i < item->prepared.n_namespaces; i++) {
		struct known_namespace *known = item->prepared.namespaces[i];

		*must_add(w->arena, known->uses, known->n_uses) = (struct lock_use){
			.file = item->prepared.file,
			.declaration = item->prepared.name,
			.key = item->key,
			.plan = plan_hash,
			.reads = reads,
			.n_reads = item->n_states,
		};
		if (*known->program && item->is_new)
			*must_add(w->arena, known->confirmed, known->n_confirmed) = item->key;
		for (size_t k = 0; k < item->n_states; k++)
			if (strcmp(item->states[k].id, FEATURES) != 0)
				*must_add(w->arena, known->states, known->n_states) =
					item->states[k];
		if (item->is_new) {
			struct known_kept *kept =
				must_add(w->arena, known->kept, known->n_kept);

			kept->file = item->prepared.file;
			kept->declaration = item->prepared.name;
			kept->from = item->prepared.kept_from;
			for (size_t k = 0; k < item->n_kept; k++)
				if (strcmp(item->kept[k].ns, known->ns) == 0) {
					kept->kept = item->kept[k].kept;
					kept->n = item->kept[k].n_kept;
				}
		}
	}
}

/* The path of the file that PATH replaces: the same with the old key. */
static const char *old_path(const struct item *item, const char *path,
			    struct cell_arena *arena)
{
	char *copy, *at;

	if (!item->old_key || strncmp(item->old_key, item->key, 16) == 0)
		return NULL;
	copy = must_printf(arena, "%s", path);
	at = strstr(copy, must_printf(arena, "%.16s", item->key));
	if (at)
		memcpy(at, item->old_key, 16);
	return copy;
}

static void keep(struct work *w, const struct assembly *a)
{
	struct keep keep = {
		.project = w->project,
		.known = &w->known,
		.main_file = w->main_file,
		.declarations = w->main_names,
		.n_declarations = w->n_main_names,
	};
	struct keep_file *files = NULL;
	size_t n = 0;

	for (size_t i = 0; i < w->n_items; i++) {
		struct item *item = &w->items[i];
		const char *text = cache_text(&item->cached, w->arena);
		const char *path = plan_path(item, item->key, w->arena);

		if (item->is_degraded)
			continue;
		record(w, item, key_hash(text, strlen(text), w->arena));
		if (!item->is_new)
			continue;
		*must_add(w->arena, files, n) =
			(struct keep_file){ path, text, old_path(item, path, w->arena) };
		for (size_t k = 0; k < item->cached.code.n_pieces; k++) {
			path = must_printf(w->arena, "exp/%s", item->cached.paths[k]);
			*must_add(w->arena, files, n) =
				(struct keep_file){ path, item->cached.code.pieces[k].text,
						    old_path(item, path, w->arena) };
		}
	}
	/* cellc's own follow from the source: nobody reviews them. */
	for (size_t i = 0; i < a->n_files && !w->project->locked; i++)
		*must_add(w->arena, files, n) =
			(struct keep_file){ a->files[i].path, a->files[i].text, NULL };
	keep.files = files;
	keep.n_files = n;
	if (keep_all(&keep, w->arena, w->diag) < 0)
		w->err = -EINVAL;
}

static void depend(struct work *w, struct expansion *e, const char *path)
{
	for (size_t i = 0; i < e->n_depends; i++)
		if (strcmp(e->depends[i], path) == 0)
			return;
	*must_add(w->arena, e->depends, e->n_depends) = path;
}

static void collect_depends(struct work *w, struct expansion *e)
{
	for (size_t i = 0; i < w->n_items; i++) {
		const struct item *item = &w->items[i];

		if (item->is_degraded)
			continue;
		for (size_t k = 0; k < item->prepared.n_namespaces; k++)
			depend(w, e,
			       must_printf(w->arena, "%s%s.schema.lock", w->prefix,
					   item->prepared.namespaces[k]->ns));
		depend(w, e,
		       must_printf(w->arena, "%s%s", w->prefix,
				   plan_path(item, item->key, w->arena)));
		for (size_t k = 0; k < item->cached.code.n_pieces; k++)
			depend(w, e,
			       must_printf(w->arena, "%sexp/%s", w->prefix,
					   item->cached.paths[k]));
	}
	if (w->project->settings)
		depend(w, e, w->project->settings);
	if (w->project->manifest)
		depend(w, e, w->project->manifest);
}

static void add_line(struct work *w, struct expansion_piece *piece, const struct item *item,
		     const struct macro_line_source *source)
{
	*must_add(w->arena, piece->lines, piece->n_lines) = (struct expansion_line){
		.line = source->line,
		.attribute = conflict_attribute(&item->prepared, source->attribute),
		.place = conflict_place(&item->prepared, source->attribute, source->value,
					source->member),
	};
}

static void collect_pieces(struct work *w, struct expansion *e, const struct item *item)
{
	const struct declaration *d = item->prepared.declaration;
	struct macro_line_source all = { .line = 1, .member = "" };
	struct expansion_piece *made;

	for (size_t i = 0; i < item->cached.code.n_pieces; i++) {
		const struct macro_piece *piece = &item->cached.code.pieces[i];

		all.attribute = piece->attribute;
		made = must_add(w->arena, e->pieces, e->n_pieces);
		made->file =
			must_printf(w->arena, "%sexp/%s", w->prefix, item->cached.paths[i]);
		made->attribute = conflict_attribute(&item->prepared, piece->attribute);
		add_line(w, made, item, &all);
		for (size_t k = 0; k < piece->n_sources; k++)
			add_line(w, made, item, &piece->sources[k]);
	}
	/* What cellc itself adds. */
	all.attribute = d->n_attributes > 0;
	made = must_add(w->arena, e->pieces, e->n_pieces);
	made->file = must_printf(w->arena, "%sexp/%s.", w->prefix,
				 cache_stem(item->prepared.namespaces[0]->ns,
					    item->prepared.name, item->key, w->arena));
	made->is_stem = true;
	made->attribute = conflict_attribute(&item->prepared, all.attribute);
	add_line(w, made, item, &all);
	for (size_t i = 0; i < item->cached.plan.n_symbols; i++)
		if (!item->cached.plan.symbols[i].is_type)
			*must_add(w->arena, e->functions, e->n_functions) =
				item->cached.plan.symbols[i].name;
}

static void remember_origin(struct work *w, struct expansion *e)
{
	struct expansion_origin *origin = must_new(w->arena, struct expansion_origin, 1);
	struct lock_state *states = NULL;

	origin->unit = *w->unit;
	origin->project = *w->project;
	origin->arena = w->arena;
	for (size_t i = 0; i < w->n_items; i++)
		for (size_t k = 0; k < w->items[i].n_states; k++)
			*must_add(w->arena, states, origin->n_states) = w->items[i].states[k];
	origin->states = states;
	e->origin = origin;
}

/* Locks as they are from now on: of what was read, not of what others write meanwhile. */
static void note_locks(const struct work *w, struct expansion_basis *basis)
{
	struct lock *locks = must_new(w->arena, struct lock, w->known.n);

	for (size_t i = 0; i < w->known.n; i++) {
		const struct known_namespace *known = &w->known.list[i];

		locks[i] = lock_copy(&known->lock, w->arena);
		known_apply(known, &locks[i], w->main_file, w->main_names, w->n_main_names,
			    w->arena);
	}
	basis->locks = locks;
	basis->n_locks = w->known.n;
}

static const struct expansion_file *note_files(const struct work *w, const struct assembly *a,
					       size_t *ret_n)
{
	struct expansion_file *files = NULL;
	size_t n = 0;

	for (size_t i = 0; i < w->n_items; i++) {
		const struct item *item = &w->items[i];
		const char *text = cache_text(&item->cached, w->arena);

		*must_add(w->arena, files, n) = (struct expansion_file){
			plan_path(item, item->key, w->arena),
			key_hash(text, strlen(text), w->arena),
		};
		for (size_t k = 0; k < item->cached.code.n_pieces; k++)
			*must_add(w->arena, files, n) = (struct expansion_file){
				must_printf(w->arena, "exp/%s", item->cached.paths[k]),
				item->cached.hashes[k],
			};
	}
	for (size_t i = 0; i < a->n_files && !w->project->locked; i++)
		*must_add(w->arena, files, n) = (struct expansion_file){
			a->files[i].path,
			key_hash(a->files[i].text, strlen(a->files[i].text), w->arena),
		};
	*ret_n = n;
	return files;
}

/* After keep(). */
static void note_basis(const struct work *w, const struct assembly *a, struct expansion *e)
{
	struct expansion_declaration *declarations = NULL;
	struct expansion_basis *basis = &e->basis;

	basis->asks = true;
	for (size_t i = 0; i < w->known.n; i++)
		if (w->known.list[i].is_used)
			*must_add(w->arena, basis->namespaces, basis->n_namespaces) =
				w->known.list[i].ns;
	for (size_t i = 0; i < w->n_items; i++)
		*must_add(w->arena, declarations, basis->n_declarations) =
			(struct expansion_declaration){ w->items[i].prepared.file,
							w->items[i].prepared.name };
	basis->declarations = declarations;
	basis->files = note_files(w, a, &basis->n_files);
	basis->states = e->origin->states;
	basis->n_states = e->origin->n_states;
	note_locks(w, basis);
}

static void collect(struct work *w, struct expansion *e)
{
	struct macro_declared *declared = NULL;
	struct macro_file *files = NULL;

	for (size_t i = 0; i < w->n_items; i++) {
		const struct item *item = &w->items[i];
		const struct macro_generated_code *code = &item->cached.code;
		size_t n = e->n_declared;

		say_warnings(w, item);
		for (size_t k = 0; k < code->n_declared; k++) {
			const struct attribute *a =
				conflict_attribute(&item->prepared,
						   code->declared[k].attribute);

			*must_add(w->arena, declared, e->n_declared) = code->declared[k];
			*must_add(w->arena, e->declared_at, n) =
				a ? a : item->prepared.declaration->attributes[0];
		}
		for (size_t k = 0; k < code->n_files; k++)
			*must_add(w->arena, files, e->n_files) = code->files[k];
		collect_pieces(w, e, item);
		add_strings(w->arena, (const char *const **)&e->link, &e->n_link,
			    item->cached.plan.link, item->cached.plan.n_link);
		e->is_degraded = e->is_degraded || item->is_degraded;
	}
	e->declared = declared;
	e->files = files;
	collect_depends(w, e);
	remember_origin(w, e);
}

/* The first state that was taken from the lock as nobody knows it now; NULL if none was. */
static const char *assumed_state(const struct work *w)
{
	for (size_t i = 0; i < w->n_items; i++)
		if (w->items[i].assumed && !w->items[i].is_new)
			return w->items[i].assumed;
	return NULL;
}

static void warn_assumed(struct work *w, const char *state)
{
	/* cell::remote's: the one that may be missed for a reason that people can mend. */
	const char *cell = strncmp(state, "schema ", 7) == 0 ? state + 7 : NULL;

	if (cell)
		diag_say(w->diag, SEVERITY_WARNING, NULL, "cell",
			 "cell '%s' is not running: built from what .cell remembers", cell);
	else
		diag_say(w->diag, SEVERITY_WARNING, NULL, NULL,
			 "nobody says what '%s' is now: built from what .cell remembers",
			 state);
	if (cell)
		diag_say(w->diag, SEVERITY_NOTE, NULL, "cell", "run: cell run %s", cell);
}

/* What is built from memory is said once. */
static void warn_unreachable(struct work *w)
{
	const struct known_namespace *missing = NULL;
	const char *trouble, *assumed = assumed_state(w);

	for (size_t i = 0; i < w->known.n && !missing; i++)
		if (w->known.list[i].is_used && !w->known.list[i].catalog)
			missing = &w->known.list[i];
	if ((!missing && !assumed) || w->project->offline || !session_warn_once(w->session))
		return;
	if (!missing) {
		warn_assumed(w, assumed);
		return;
	}
	trouble = *missing->trouble ? missing->trouble : session_trouble(w->session);
	diag_say(w->diag, SEVERITY_WARNING, NULL, missing->ns,
		 "cell '%s' is not running: built from what .cell remembers", missing->cell);
	if (*trouble)
		diag_say(w->diag, SEVERITY_NOTE, NULL, missing->ns, "%s", trouble);
}

static struct cell_manifest *read_manifest(struct work *w)
{
	struct cell_manifest *manifest = NULL;
	struct cell_error err;

	if (!w->project->manifest)
		return NULL;
	if (cell_manifest_read(&manifest, w->project->manifest, &err) < 0) {
		diag_say(w->diag, SEVERITY_ERROR, NULL, NULL, "%s", err.text);
		w->err = -EINVAL;
	}
	return manifest;
}

/* What .cell has of each declaration. */
static void look(struct work *w)
{
	w->known = (struct known){ 0 };
	w->n_items = w->n_main_names = 0;
	w->items = NULL;
	w->main_names = NULL;
	if (known_load(&w->known, w->project, w->session, &w->unit->scan, w->arena, w->diag) <
	    0) {
		w->err = -EINVAL;
		return;
	}
	w->context.check = known_for_check(&w->known, w->arena);
	prepare(w);
	for (size_t i = 0; i < w->n_items && w->err == 0; i++)
		look_up(w, &w->items[i]);
}

/* Others may be asking about the same headers: then there is something when they are done. */
static void look_in_turn(struct work *w, struct turn *turn)
{
	const char **paths = NULL;
	size_t n = 0;

	look(w);
	for (size_t i = 0; i < w->n_items && w->err == 0; i++) {
		const struct item *item = &w->items[i];

		if (!item->is_there && !unreachable(item) && *item->prepared.file != '<' &&
		    strcmp(item->prepared.file, w->main_file) != 0)
			*must_add(w->arena, paths, n) =
				must_printf(w->arena, "%s/%s", w->project->root,
					    item->prepared.file);
	}
	if (n == 0)
		return;
	turn_take(turn, paths, n, w->arena);
	look(w);
}

static void make(struct work *w, struct expansion *e, struct turn *turn)
{
	struct assembly assembly;

	look_in_turn(w, turn);
	if (w->err == 0)
		ask(w);
	if (w->err == 0)
		check_conflicts(w);
	if (w->err < 0)
		return;
	assemble(w, &assembly);
	collect(w, e);
	keep(w, &assembly);
	note_basis(w, &assembly, e);
	warn_unreachable(w);
	e->splice.insertions = assembly.insertions;
	e->splice.n_insertions = assembly.n_insertions;
	e->splice.renamings = assembly.renamings;
	e->splice.n_renamings = assembly.n_renamings;
	e->units = assembly.units;
	e->n_units = assembly.n_units;
}

static void run(struct work *w, struct expansion *e)
{
	struct turn turn = { .n = 0 };

	make(w, e, &turn);
	turn_end(&turn);
}

int expand_unit(struct expansion *ret, const struct unit *unit, struct session *session,
		const struct project *project, struct cell_arena *arena, struct diag *diag)
{
	struct work w = { .unit = unit,
			  .session = session,
			  .project = project,
			  .arena = arena,
			  .diag = diag };
	struct expansion expansion = { .n_units = 0 };
	struct cell_manifest *manifest = NULL;
	char *cwd = getcwd(NULL, 0);

	w.cwd = must_printf(arena, "%s", cwd ? cwd : "/");
	free(cwd);
	w.prefix = prefix_of(w.cwd, project, arena);
	w.main_marker = main_marker(unit, arena);
	w.main_file = request_path(w.main_marker, w.cwd, project->root, arena);
	expansion.basis.main_file = w.main_file;
	session_begin_file(session);
	note_emits(&w);
	if (w.err == 0 && is_anything_asked(&w)) {
		manifest = read_manifest(&w);
		w.context = (struct conflict_context){ .unit = unit,
						       .project = project,
						       .manifest = manifest };
		if (w.err == 0)
			run(&w, &expansion);
		cell_manifest_free(manifest);
	}
	if (w.err < 0 || diag_errors(diag) > 0)
		return -EINVAL;
	*ret = expansion;
	return 0;
}

/* ---- provisioning
 * --------------------------------------------------------------------------------- */

static void say_provision(const struct expansion *e, const struct macro_diagnostic *d,
			  struct diag *diag)
{
	const struct attribute *a = d->attribute > 0 && d->attribute <= e->n_declared
					    ? e->declared_at[d->attribute - 1]
					    : NULL;
	const char *ns = *d->ns ? d->ns : ns_of(a);

	diag_say(diag, (enum severity)d->severity, a ? &a->at : NULL, ns, "%s%s%s",
		 ns ? ns : "", ns ? ": " : "", d->text);
	for (size_t i = 0; i < d->n_notes; i++)
		diag_say(diag, SEVERITY_NOTE, NULL, ns, "%s", d->notes[i]);
}

/* Whether a state that was looked at is another one now. */
static bool has_changed(const struct expansion_origin *origin,
			const struct macro_provisioned *done)
{
	for (size_t i = 0; i < done->n_states; i++) {
		const struct macro_state *now = &done->states[i];
		const char *digest = hex_of(origin->arena, now->digest, now->n_digest);

		for (size_t k = 0; k < origin->n_states; k++)
			if (strcmp(origin->states[k].id, now->id) == 0 &&
			    strcmp(origin->states[k].digest, digest) != 0)
				return true;
	}
	return false;
}

static bool is_same_text(const struct expansion *a, const struct expansion *b)
{
	bool same =
		a->splice.n_insertions == b->splice.n_insertions && a->n_units == b->n_units;

	for (size_t i = 0; same && i < a->splice.n_insertions; i++)
		same = strcmp(a->splice.insertions[i].text, b->splice.insertions[i].text) ==
		       0;
	for (size_t i = 0; same && i < a->n_units; i++)
		same = strcmp(a->units[i].text, b->units[i].text) == 0;
	return same;
}

/*
 * A table that was made has another digest than one that was not: asked with it, providers
 * mostly answer the same. Else what was compiled is old already.
 */
static int refresh(struct expansion *e, struct session *session, struct diag *diag)
{
	const struct expansion_origin *origin = e->origin;
	struct expansion again;
	int r;

	session_forget(session);
	r = expand_unit(&again, &origin->unit, session, &origin->project, origin->arena,
			diag);
	if (r == 0 && !is_same_text(e, &again))
		diag_say(
			diag, SEVERITY_WARNING, &e->declared_at[0]->at, e->declared_at[0]->ns,
			"what was provisioned changes what is generated: build this once more");
	/* The keys have the new state in them, and files have keys in their names. */
	if (r == 0) {
		e->depends = again.depends;
		e->n_depends = again.n_depends;
	}
	return r;
}

void expand_remember(struct expansion *e, const struct project *project,
		     struct cell_arena *arena)
{
	struct expansion_origin *origin = must_new(arena, struct expansion_origin, 1);

	*origin = (struct expansion_origin){ .is_remembered = true,
					     .project = *project,
					     .arena = arena,
					     .states = e->basis.states,
					     .n_states = e->basis.n_states };
	e->origin = origin;
}

int expand_provision(struct expansion *e, struct session *session, struct diag *diag,
		     bool *ret_changed)
{
	struct macro_provision_request request = { .n_declared = e->n_declared };
	struct macro_provisioned done = { 0 };
	struct macro_declared *declared;
	struct cell_error err = { .code = 0 };
	size_t before = diag_errors(diag);
	int r;

	if (e->n_declared == 0)
		return 0;
	/* How long the compiler took is not the cells' time. */
	session_begin_file(session);
	if (!session_catalogs(session))
		return 0;
	/* Ids are unique in a declaration only; here they count through. */
	declared = must(calloc(e->n_declared, sizeof *declared));
	for (size_t i = 0; i < e->n_declared; i++) {
		declared[i] = e->declared[i];
		declared[i].attribute = (uint32_t)i + 1;
	}
	request.declared = declared;
	request.program = session_program(session);
	r = session_provision(session, &request, &done, &err);
	free(declared);
	for (size_t i = 0; r == 0 && i < done.n_diagnostics; i++)
		say_provision(e, &done.diagnostics[i], diag);
	for (size_t i = 0; r == 0 && i < done.n_changes; i++)
		diag_say(diag, SEVERITY_NOTE, NULL, NULL, "%s", done.changes[i]);
	if (r < 0)
		diag_say(diag, SEVERITY_ERROR, &e->declared_at[0]->at, e->declared_at[0]->ns,
			 "%s", err.text);
	if (r == 0 && done.status) {
		r = cell_status_from_wire(done.status);
		if (diag_errors(diag) == before)
			diag_say(diag, SEVERITY_ERROR, &e->declared_at[0]->at,
				 e->declared_at[0]->ns, "provisioning was refused: %s",
				 cell_status_name(r));
	}
	if (r == 0 && diag_errors(diag) == before && !e->origin->project.locked &&
	    !e->is_degraded && has_changed(e->origin, &done)) {
		if (ret_changed)
			*ret_changed = true;
		if (e->origin->is_remembered)
			return EXPAND_CHANGED;
		r = refresh(e, session, diag);
	}
	return r < 0 ? r : diag_errors(diag) > before ? -EINVAL : 0;
}

#include "expand_work.h"

#include "keep.h"
#include "key.h"

#include <errno.h>
#include <string.h>

void outcome_check(struct work *w)
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

void outcome_assemble(struct work *w, struct assembly *a)
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

/* ---- collecting: what the rest of cellc is told ---- */

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
				   lookup_plan_path(item, item->key, w->arena)));
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

/* A site under construction. */
struct spotting {
	struct work *w;
	const struct item *item;
	const char *ns;
	struct expansion_spot *spots;
	size_t n;
};

static void spot_attribute(struct spotting *s, const char *member,
			   const struct macro_attribute *a)
{
	if (strcmp(a->ns, s->ns) != 0)
		return;
	*must_add(s->w->arena, s->spots, s->n) = (struct expansion_spot){
		.member = member,
		.macro = a->name,
		.argument = a->n_values ? a->values[0].text : "",
		.at = *conflict_place(&s->item->prepared, a->id, 0, ""),
	};
}

static void spot_member(struct spotting *s, const struct macro_member *member)
{
	if (!*member->name)
		return;
	*must_add(s->w->arena, s->spots, s->n) = (struct expansion_spot){
		.member = member->name,
		.macro = "",
		.argument = "",
		.at = *conflict_place(&s->item->prepared, 0, 0, member->name),
	};
	for (size_t i = 0; i < member->n_attributes; i++)
		spot_attribute(s, member->name, &member->attributes[i]);
}

/* The type behind typedefs; NULL if there is none. */
static const struct macro_type *plain_type(const struct macro_plan_request *request,
					   uint32_t index)
{
	const struct macro_type *type = NULL;

	for (size_t i = 0; index > 0 && index <= request->n_types && i <= request->n_types;
	     i++) {
		type = &request->types[index - 1];
		if (type->kind != MACRO_TYPE_KIND_TYPEDEF)
			return type;
		index = type->element;
	}
	return NULL;
}

static bool is_of_member(const struct macro_type *type, uint32_t id)
{
	for (size_t i = 0; type && i < type->n_members; i++)
		for (size_t k = 0; k < type->members[i].n_attributes; k++)
			if (type->members[i].attributes[k].id == id)
				return true;
	return false;
}

/* Where A of ITEM stands, and all that may be said about what it declares. */
static struct expansion_site site_of(struct work *w, const struct item *item,
				     const struct attribute *a)
{
	const struct macro_plan_request *request = &item->prepared.request;
	const struct macro_type *type = plain_type(request, request->declaration->type);
	struct spotting s = { .w = w, .item = item, .ns = a->ns };

	if (request->declaration->place != MACRO_PLACE_STRUCT)
		type = NULL;
	for (size_t i = 0; i < request->n_attributes; i++)
		if (!is_of_member(type, request->attributes[i].id))
			spot_attribute(&s, "", &request->attributes[i]);
	for (size_t i = 0; type && i < type->n_members; i++)
		spot_member(&s, &type->members[i]);
	return (struct expansion_site){
		.ns = a->ns, .name = a->name, .at = a->at, .spots = s.spots, .n_spots = s.n
	};
}

void outcome_collect(struct work *w, struct expansion *e)
{
	struct macro_declared *declared = NULL;
	struct expansion_site *sites = NULL;
	struct macro_file *files = NULL;

	for (size_t i = 0; i < w->n_items; i++) {
		const struct item *item = &w->items[i];
		const struct macro_generated_code *code = &item->cached.code;
		size_t n = e->n_declared;

		remark_warnings(w, item);
		for (size_t k = 0; k < code->n_declared; k++) {
			const struct attribute *a =
				conflict_attribute(&item->prepared,
						   code->declared[k].attribute);

			*must_add(w->arena, declared, e->n_declared) = code->declared[k];
			*must_add(w->arena, sites, n) = site_of(
				w, item,
				a ? a : item->prepared.declaration->attributes[0]);
		}
		for (size_t k = 0; k < code->n_files; k++)
			*must_add(w->arena, files, e->n_files) = code->files[k];
		collect_pieces(w, e, item);
		strings_unite(w->arena, (const char *const **)&e->link, &e->n_link,
			      item->cached.plan.link, item->cached.plan.n_link);
		e->is_degraded = e->is_degraded || item->is_degraded;
	}
	e->declared = declared;
	e->sites = sites;
	e->files = files;
	collect_depends(w, e);
	remember_origin(w, e);
}

/* ---- keeping: what .cell has from now on ---- */

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

void outcome_keep(struct work *w, const struct assembly *a)
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
		const char *path = lookup_plan_path(item, item->key, w->arena);

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

/* ---- what must stay for the result to hold ---- */

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
			lookup_plan_path(item, item->key, w->arena),
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

/* What is off is in the settings, which count anyway. */
static const struct lock_state *note_states(const struct work *w, size_t *ret_n)
{
	struct lock_state *states = NULL;
	size_t n = 0;

	for (size_t i = 0; i < w->n_items; i++) {
		const struct item *item = &w->items[i];

		for (size_t k = 0; k < item->n_states; k++) {
			const char *id = item->states[k].id, *digest = item->states[k].digest;

			if (strcmp(id, FEATURES) == 0)
				continue;
			if (!item->is_new && !lookup_state(w, id))
				digest = "";
			*must_add(w->arena, states, n) = (struct lock_state){ id, digest };
		}
	}
	*ret_n = n;
	return states;
}

void outcome_note_basis(const struct work *w, const struct assembly *a, struct expansion *e)
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
	basis->states = note_states(w, &basis->n_states);
	note_locks(w, basis);
}

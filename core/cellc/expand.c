#include "expand_work.h"

#include "session.h"
#include "turn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- preparing: the declarations that ask for anything ---- */

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
		const char *name = names_declaration(w, d, file);
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

/* ---- looking ---- */

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
		lookup_item(w, &w->items[i]);
}

/* Others may be asking about the same headers: then there is something when they are done. */
static void look_in_turn(struct work *w, struct turn *turn)
{
	const char **paths = NULL;
	size_t n = 0;

	look(w);
	for (size_t i = 0; i < w->n_items && w->err == 0; i++) {
		const struct item *item = &w->items[i];

		if (!item->is_there && !lookup_unreachable(item) &&
		    *item->prepared.file != '<' &&
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

/* ---- from the question to the text ---- */

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

static void make(struct work *w, struct expansion *e, struct turn *turn)
{
	struct assembly assembly;

	look_in_turn(w, turn);
	if (w->err == 0)
		ask_missing(w);
	if (w->err == 0)
		outcome_check(w);
	if (w->err < 0)
		return;
	outcome_assemble(w, &assembly);
	outcome_collect(w, e);
	outcome_keep(w, &assembly);
	outcome_note_basis(w, &assembly, e);
	remark_remembered(w);
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
	w.prefix = names_prefix(w.cwd, project, arena);
	w.main_marker = names_main_marker(unit, arena);
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

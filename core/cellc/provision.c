#include "expand_work.h"

#include "session.h"

#include <cell/cell.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- where it belongs ---- */

/* Whether A and B are the same but for spaces. */
static bool is_same_argument(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, " \t");
		b += strspn(b, " \t");
		if (*a != *b)
			return false;
		if (!*a)
			return true;
	}
}

/* Whether SPOT has the macro that SAID names: "check", "check(balance >= 0)". */
static bool is_macro(const struct expansion_spot *spot, const char *said,
		     struct cell_arena *arena)
{
	size_t n = strcspn(said, "(");

	if (strlen(spot->macro) != n || strncmp(spot->macro, said, n) != 0)
		return false;
	return !said[n] ||
	       is_same_argument(must_printf(arena, "(%s)", spot->argument), said + n);
}

/* What macro("column", …) at the declaration is about: unique(city, street). */
static bool is_about(const struct expansion_spot *spot, const struct macro_diagnostic *d)
{
	return !*spot->member && *d->member && strcmp(spot->argument, d->member) == 0 &&
	       strlen(spot->macro) == strcspn(d->macro, "(") &&
	       strncmp(spot->macro, d->macro, strlen(spot->macro)) == 0;
}

/*
 * The spot of SITE that D names: the macro at the member, or one at the declaration that is
 * about the member, or the member. NULL: the site itself.
 */
static const struct expansion_spot *find_spot(const struct expansion_site *site,
					      const struct macro_diagnostic *d,
					      struct cell_arena *arena)
{
	const struct expansion_spot *about = NULL, *member = NULL;

	for (size_t i = 0; i < site->n_spots; i++) {
		const struct expansion_spot *spot = &site->spots[i];

		if (is_about(spot, d))
			about = spot;
		if (strcmp(spot->member, d->member) != 0)
			continue;
		if (*d->macro && is_macro(spot, d->macro, arena))
			return spot;
		if (*d->member && !*spot->macro)
			member = spot;
	}
	return about ? about : member;
}

static void say_provision(const struct expansion *e, const struct macro_diagnostic *d,
			  struct diag *diag)
{
	const struct expansion_site *site = d->attribute > 0 && d->attribute <= e->n_declared
						    ? &e->sites[d->attribute - 1]
						    : NULL;
	const char *ns = *d->ns ? d->ns : site ? site->ns : NULL, *name = NULL;
	const struct expansion_spot *spot = NULL;

	if (site && strcmp(site->ns, ns) == 0) {
		spot = find_spot(site, d, e->origin->arena);
		name = spot && *spot->macro ? spot->macro : site->name;
	}
	diag_say(diag, (enum severity)d->severity,
		 spot   ? &spot->at
		 : site ? &site->at
			: NULL,
		 ns, "%s%s%s%s%s", ns ? ns : "", name ? "::" : "", name ? name : "",
		 ns ? ": " : "", d->text);
	for (size_t i = 0; i < d->n_notes; i++)
		diag_say(diag, SEVERITY_NOTE, NULL, ns, "%s", d->notes[i]);
}

/* ---- what it changes ---- */

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
			diag, SEVERITY_WARNING, &e->sites[0].at, e->sites[0].ns,
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
		diag_say(diag, SEVERITY_ERROR, &e->sites[0].at, e->sites[0].ns,
			 "%s", err.text);
	if (r == 0 && done.status) {
		r = cell_status_from_wire(done.status);
		if (diag_errors(diag) == before)
			diag_say(diag, SEVERITY_ERROR, &e->sites[0].at,
				 e->sites[0].ns, "provisioning was refused: %s",
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

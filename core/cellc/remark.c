#include "expand_work.h"

#include "session.h"

#include <errno.h>
#include <string.h>

static const char *ns_of(const struct attribute *a)
{
	return a ? a->ns : NULL;
}

/* Where D belongs: as conflict_place() has it, or within a value. */
static struct place place_of(const struct work *w, const struct item *item,
			     const struct macro_diagnostic *d)
{
	const struct attribute *a = conflict_attribute(&item->prepared, d->attribute);

	if (d->offset && !*d->member && a && d->value > 0 && d->value <= a->n_values &&
	    a->value_sources[d->value - 1].n > 0)
		return arguments_place(&a->value_sources[d->value - 1], &w->unit->scan.lines,
				       d->offset - 1, w->arena);
	return *conflict_place(&item->prepared, d->attribute, d->value, d->member);
}

static void say(const struct work *w, const struct item *item,
		const struct macro_diagnostic *d, enum severity severity)
{
	const struct attribute *a = conflict_attribute(&item->prepared, d->attribute);
	const struct place at = place_of(w, item, d), *place = &at;
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

bool remark_errors(const struct work *w, const struct item *item,
		   const struct macro_diagnostic *list, size_t n)
{
	bool found = false;

	for (size_t i = 0; i < n; i++)
		if (list[i].severity == MACRO_DIAGNOSTIC_SEVERITY_ERROR) {
			say(w, item, &list[i], SEVERITY_ERROR);
			found = true;
		}
	return found;
}

void remark_warnings(const struct work *w, const struct item *item)
{
	const struct macro_plan *plan = &item->cached.plan;
	const struct macro_generated_code *code = &item->cached.code;

	for (size_t i = 0; i < plan->n_diagnostics; i++)
		say(w, item, &plan->diagnostics[i],
		    (enum severity)plan->diagnostics[i].severity);
	for (size_t i = 0; i < code->n_diagnostics; i++)
		say(w, item, &code->diagnostics[i],
		    (enum severity)code->diagnostics[i].severity);
}

void remark_refusal(struct work *w, const struct item *item, const char *text)
{
	const struct attribute *a =
		conflict_attribute(&item->prepared, item->prepared.request.attributes[0].id);

	w->err = -EINVAL;
	diag_say(w->diag, SEVERITY_ERROR, a ? &a->at : &item->prepared.declaration->at,
		 ns_of(a), "%s::%s: %s", a ? a->ns : "cell", a ? a->name : "", text);
}

void remark_unreachable(struct work *w, const struct item *item, const struct attribute *a)
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

void remark_remembered(struct work *w)
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

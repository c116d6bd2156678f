#include "conflict.h"

#include "grant.h"

#include <cell/cell.h>
#include <stdio.h>
#include <string.h>

const struct attribute *conflict_attribute(const struct prepared *prepared, uint32_t id)
{
	const struct declaration *d = prepared->declaration;

	return id > 0 && id <= d->n_attributes ? d->attributes[id - 1] : NULL;
}

const struct place *conflict_place(const struct prepared *prepared, uint32_t attribute,
				   uint32_t value, const char *member)
{
	const struct declaration *d = prepared->declaration;
	const struct attribute *a = conflict_attribute(prepared, attribute);

	for (size_t i = 0; *member && i < d->n_members; i++)
		if (strcmp(d->member_names[i], member) == 0)
			return &d->members[i];
	if (a && value > 0 && value <= a->n_values)
		return &a->value_places[value - 1];
	return a ? &a->at : &d->at;
}

/* "db::table", for the beginning of a message. */
static const char *who(const struct attribute *a, char out[static 132])
{
	if (a)
		(void)snprintf(out, 132, "%.64s::%.64s", a->ns, a->name);
	else
		(void)snprintf(out, 132, "the expansion");
	return out;
}

static const char *ns_of(const struct attribute *a)
{
	return a ? a->ns : NULL;
}

/* ---- names --------------------------------------------------------------------------------
 */

/* "<time.h>:348", "user.h:3". */
static void describe(const struct place *place, char *out, size_t size)
{
	static const char *const system[] = { "/usr/include/x86_64-linux-gnu/",
					      "/usr/include/", "/usr/local/include/", NULL };

	for (const char *const *s = system; *s; s++) {
		size_t len = strlen(*s);

		if (place->file && strncmp(place->file, *s, len) == 0) {
			(void)snprintf(out, size, "<%s>:%u", place->file + len, place->line);
			return;
		}
	}
	(void)snprintf(out, size, "%s:%u", place->file ? place->file : "the compiler",
		       place->line);
}

static void note_prefix(const struct conflict_context *context,
			const struct prepared *prepared, const struct attribute *a,
			struct diag *diag)
{
	const struct macro_macro_description *macro =
		a ? check_find(&context->check, a->ns, a->name) : NULL;

	for (size_t i = 0; macro && i < macro->n_arguments; i++)
		if (strcmp(macro->arguments[i].name, "prefix") == 0)
			diag_say(diag, SEVERITY_NOTE, NULL, a->ns, "add prefix = \"my_%s\"",
				 prepared->request.declaration->name);
}

static int check_symbol(const struct conflict_context *context,
			const struct prepared *prepared,
			const struct macro_planned_symbol *symbol, struct diag *diag)
{
	const struct attribute *a = conflict_attribute(prepared, symbol->attribute);
	char name[132], where[300];

	for (size_t i = 0; i < context->unit->n_names; i++) {
		const struct unit_name *other = &context->unit->names[i];

		if (other->is_tag != symbol->is_type ||
		    strcmp(other->name, symbol->name) != 0)
			continue;
		describe(&other->at, where, sizeof where);
		diag_say(diag, SEVERITY_ERROR,
			 conflict_place(prepared, symbol->attribute, 0, ""), ns_of(a),
			 "%s would declare '%s%s', which %s declares", who(a, name),
			 symbol->is_type ? "struct " : "", symbol->name, where);
		note_prefix(context, prepared, a, diag);
		return -EINVAL;
	}
	return 0;
}

/* What a provider's unit defines for all that needs it: linked once, as it is one text. */
static bool is_shared(const struct macro_planned_symbol *a, const struct attribute *of_a,
		      const struct macro_planned_symbol *b, const struct attribute *of_b)
{
	return a->piece == MACRO_PIECE_KIND_UNIT && b->piece == MACRO_PIECE_KIND_UNIT &&
	       of_a && of_b && strcmp(of_a->ns, of_b->ns) == 0;
}

int conflict_between(const struct prepared *a, const struct macro_plan *plan_a,
		     const struct prepared *b, const struct macro_plan *plan_b,
		     struct diag *diag)
{
	char name[132], where[300];

	for (size_t i = 0; i < plan_b->n_symbols; i++)
		for (size_t k = 0; k < plan_a->n_symbols; k++) {
			const struct macro_planned_symbol *mine = &plan_b->symbols[i];
			const struct macro_planned_symbol *other = &plan_a->symbols[k];
			const struct attribute *attribute =
				conflict_attribute(b, mine->attribute);

			if (mine->is_type != other->is_type ||
			    strcmp(mine->name, other->name) != 0 ||
			    is_shared(mine, attribute, other,
				      conflict_attribute(a, other->attribute)))
				continue;
			describe(conflict_place(a, other->attribute, 0, ""), where,
				 sizeof where);
			diag_say(
				diag, SEVERITY_ERROR,
				conflict_place(b, mine->attribute, 0, ""), ns_of(attribute),
				"%s would declare '%s%s', which the attribute at %s declares, too",
				who(attribute, name), mine->is_type ? "struct " : "",
				mine->name, where);
			return -EINVAL;
		}
	return 0;
}

/* ---- headers
 * ------------------------------------------------------------------------------- */

/* Whether a line marker of TEXT names a file that ends in "/NAME" or is NAME. */
static bool is_included(const struct unit *unit, const char *name, size_t len)
{
	const char *at = unit->text, *end = at + unit->len;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end, *close;

		if (*at == '#' && at + 1 < stop && at[1] == ' ') {
			close = memrchr(at, '"', (size_t)(stop - at));
			if (close && (size_t)(close - at) > len + 1 &&
			    memcmp(close - len, name, len) == 0 &&
			    (close[-(ptrdiff_t)len - 1] == '/' ||
			     close[-(ptrdiff_t)len - 1] == '"'))
				return true;
		}
		at = stop + 1;
	}
	return false;
}

static int check_header(const struct conflict_context *context,
			const struct prepared *prepared, const char *header,
			struct diag *diag)
{
	size_t len = strlen(header);
	const struct attribute *a = prepared->declaration->n_attributes
					    ? prepared->declaration->attributes[0]
					    : NULL;
	char name[132];

	if (len < 3 || is_included(context->unit, header + 1, len - 2))
		return 0;
	diag_say(diag, SEVERITY_ERROR, a ? &a->at : &prepared->declaration->at, ns_of(a),
		 "%s: what it generates needs %s", who(a, name), header);
	diag_say(diag, SEVERITY_NOTE, NULL, ns_of(a), "add #include %s", header);
	return -EINVAL;
}

/* ---- capabilities
 * ---------------------------------------------------------------------------- */

/* All that PLAN will call of CELL. */
static struct cell_channels channels_of(const struct macro_plan *plan, const char *cell)
{
	struct cell_channels set = CELL_CHANNELS_NONE;
	char name[CELL_CHANNEL_NAME_MAX];

	for (size_t i = 0; i < plan->n_uses; i++) {
		const char *channel = *plan->uses[i].channel ? plan->uses[i].channel : "app";

		for (unsigned k = 0; strcmp(plan->uses[i].cell, cell) == 0 && k < 256; k++)
			if (strcmp(cell_channel_name((uint8_t)k, name), channel) == 0)
				cell_channels_set(&set, (uint8_t)k);
	}
	return set;
}

static const char *manifest_name(const struct conflict_context *context)
{
	const char *slash = strrchr(context->manifest->path, '/');

	return slash ? slash + 1 : context->manifest->path;
}

/* A cell has one line: of what it lacks only a part is new. */
static void note_use(const struct conflict_context *context, const char *cell,
		     const struct cell_channels *set, const char *ns,
		     struct cell_arena *arena, struct diag *diag)
{
	static const struct cell_manifest nothing;
	struct cell_channels granted = cell_manifest_uses(context->manifest, cell, false);
	struct cell_channels all = cell_channels_union(*set, granted);

	diag_say(diag, SEVERITY_NOTE, NULL, ns, "%s \"%s = %s\" under [uses]",
		 cell_channels_is_empty(&granted) ? "add" : "make it", cell,
		 grant_missing(&nothing, cell, &all, arena));
}

static int fix_use(const struct conflict_context *context, const char *cell,
		   const struct cell_channels *set, const char *ns, struct cell_arena *arena,
		   struct diag *diag)
{
	struct cell_error err = { .code = 0 };
	const char *added = "";
	int r = grant_add(context->project->folder, context->project->manifest, cell, set,
			  arena, &added, &err);

	if (r < 0)
		diag_say(diag, SEVERITY_ERROR, NULL, ns, "%s", err.text);
	else if (*added)
		diag_say(diag, SEVERITY_NOTE, NULL, ns, "%s: added \"%s = %s\" under [uses]",
			 manifest_name(context), cell, added);
	return r < 0 ? -EINVAL : 0;
}

/* Use N of PLAN; the first of a cell speaks for the others. */
static int check_use(const struct conflict_context *context, const struct prepared *prepared,
		     const struct macro_plan *plan, size_t n, struct cell_arena *arena,
		     struct diag *diag)
{
	const struct macro_planned_use *use = &plan->uses[n];
	const struct attribute *a = conflict_attribute(prepared, use->attribute);
	struct cell_channels set = channels_of(plan, use->cell);
	char name[132];

	for (size_t i = 0; i < n; i++)
		if (strcmp(plan->uses[i].cell, use->cell) == 0)
			return 0;
	if (!context->manifest || strcmp(context->manifest->name, use->cell) == 0 ||
	    !*grant_missing(context->manifest, use->cell, &set, arena))
		return 0;
	if (context->project->fix)
		return fix_use(context, use->cell, &set, ns_of(a), arena, diag);
	diag_say(diag, SEVERITY_ERROR, conflict_place(prepared, use->attribute, 0, ""),
		 ns_of(a), "%s calls cell '%s', which %s does not list", who(a, name),
		 use->cell, manifest_name(context));
	note_use(context, use->cell, &set, ns_of(a), arena, diag);
	return -EINVAL;
}

static int check_uses(const struct conflict_context *context, const struct prepared *prepared,
		      const struct macro_plan *plan, struct diag *diag)
{
	struct cell_arena arena;
	int err = 0;

	cell_arena_init(&arena, 0);
	for (size_t i = 0; i < plan->n_uses; i++)
		if (check_use(context, prepared, plan, i, &arena, diag) < 0)
			err = -EINVAL;
	cell_arena_deinit(&arena);
	return err;
}

int conflict_check(const struct conflict_context *context, const struct prepared *prepared,
		   const struct macro_plan *plan, struct diag *diag)
{
	int err = 0;

	for (size_t i = 0; i < plan->n_symbols; i++)
		if (check_symbol(context, prepared, &plan->symbols[i], diag) < 0)
			err = -EINVAL;
	for (size_t i = 0; i < plan->n_headers; i++)
		if (check_header(context, prepared, plan->headers[i], diag) < 0)
			err = -EINVAL;
	if (check_uses(context, prepared, plan, diag) < 0)
		err = -EINVAL;
	return err;
}

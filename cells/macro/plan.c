#include "plan.h"

#include "plan_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- parts ------------------------------------------------------------------------------- */

bool plan_list_has(const char *const *list, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}

size_t plan_part_of(const struct plan_part *parts, size_t n_parts, const char *ns)
{
	for (size_t i = 0; i < n_parts; i++)
		if (plan_list_has(parts[i].namespaces, parts[i].n_namespaces, ns))
			return i;
	return n_parts;
}

static int by_namespace(const void *a, const void *b)
{
	return strcmp(((const struct plan_part *)a)->namespaces[0],
		      ((const struct plan_part *)b)->namespaces[0]);
}

void plan_sort(struct plan_part *parts, size_t n_parts)
{
	qsort(parts, n_parts, sizeof *parts, by_namespace);
}

const char *plan_attribute_name(struct cell_arena *arena, const struct macro_plan_request *request,
				uint32_t id)
{
	const struct macro_attribute *attribute = plan_attribute(request, id);
	const char *name = attribute ? cell_arena_printf(arena, "%s::%s", attribute->ns,
							 attribute->name)
				     : NULL;

	return name ? name : "";
}

const struct macro_attribute *plan_attribute(const struct macro_plan_request *request, uint32_t id)
{
	for (size_t i = 0; id && i < request->n_attributes; i++)
		if (request->attributes[i].id == id)
			return &request->attributes[i];
	return NULL;
}

/* --- diagnostics --------------------------------------------------------------------------- */

void *plan_grow(struct cell_arena *arena, void *items, size_t n, size_t size)
{
	char *grown;

	if (n & (n - 1))
		return items;
	grown = cell_arena_calloc(arena, n ? 2 * n : 1, size);
	if (grown && n)
		memcpy(grown, items, n * size);
	return grown;
}

struct macro_diagnostic *plan_diagnose(struct cell_arena *arena, struct macro_diagnostic **at,
				       size_t *n, enum macro_diagnostic_severity severity,
				       const char *ns, uint32_t attribute, const char *format, ...)
{
	struct macro_diagnostic *grown = plan_grow(arena, *at, *n, sizeof *grown);
	char text[1024];
	va_list args;

	if (!grown)
		return NULL;
	*at = grown;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	grown[*n] = (struct macro_diagnostic){
		.severity = severity, .attribute = attribute, .member = "", .macro = "", .ns = ns,
		.text = cell_arena_strdup(arena, text),
	};
	return grown[*n].text ? &grown[(*n)++] : NULL;
}

void plan_note(struct cell_arena *arena, struct macro_diagnostic *diagnostic, const char *note)
{
	const char **notes;

	if (!diagnostic || !note)
		return;
	notes = cell_arena_calloc(arena, diagnostic->n_notes + 1, sizeof *notes);
	if (!notes)
		return;
	if (diagnostic->n_notes)
		memcpy(notes, diagnostic->notes, diagnostic->n_notes * sizeof *notes);
	notes[diagnostic->n_notes++] = note;
	diagnostic->notes = notes;
}

/* An error at the attribute with that id; NULL (and is_out_of_memory) if there is no memory. */
struct macro_diagnostic *plan_error(struct merge *m, uint32_t attribute, const char *text)
{
	const struct macro_attribute *at = plan_attribute(m->request, attribute);
	struct macro_diagnostic *diagnostic;

	m->merged->n_errors++;
	diagnostic = text ? plan_diagnose(m->arena, &m->diagnostics, &m->n_diagnostics,
					  MACRO_DIAGNOSTIC_SEVERITY_ERROR, at ? at->ns : "",
					  attribute, "%s", text)
			  : NULL;
	m->is_out_of_memory = m->is_out_of_memory || !diagnostic;
	return diagnostic;
}

/* --- conflicts ------------------------------------------------------------------------------- */

static const struct macro_type *own_type(const struct macro_plan_request *request)
{
	uint32_t index = request->declaration->type;

	for (size_t i = 0; index && index <= request->n_types && i <= request->n_types; i++) {
		const struct macro_type *type = &request->types[index - 1];

		if (type->kind != MACRO_TYPE_KIND_TYPEDEF)
			return type;
		index = type->element;
	}
	return NULL;
}

static bool is_record(const struct macro_plan_request *request)
{
	return request->declaration->place == MACRO_PLACE_STRUCT ||
	       request->declaration->place == MACRO_PLACE_UNION;
}

static void check_field(struct merge *m, size_t part, const struct macro_planned_field *field)
{
	const struct macro_type *type = own_type(m->request);
	const char *said = plan_attribute_name(m->arena, m->request, field->attribute);

	if (!is_record(m->request)) {
		(void)plan_error(m, field->attribute,
				 cell_arena_printf(m->arena, "would add the field '%s', and this is no struct",
						   field->name));
		return;
	}
	for (size_t i = 0; type && i < type->n_members; i++)
		if (strcmp(type->members[i].name, field->name) == 0)
			(void)plan_error(m, field->attribute,
					 cell_arena_printf(m->arena, "would add the field '%s', which '%s' has already",
							   field->name, m->request->declaration->name));
	for (size_t p = 0; p <= part; p++)
		for (size_t i = 0; i < m->parts[p].plan->n_fields; i++) {
			const struct macro_planned_field *other = &m->parts[p].plan->fields[i];

			if (other == field)
				return;
			if (strcmp(other->name, field->name) == 0) {
				(void)plan_error(m, field->attribute,
						 cell_arena_printf(m->arena, "%s and %s both add the field '%s'",
								   plan_attribute_name(m->arena, m->request, other->attribute),
								   said, field->name));
				return;
			}
		}
}

static bool is_same_symbol(const struct macro_planned_symbol *a,
			   const struct macro_planned_symbol *b)
{
	return a->is_type == b->is_type && strcmp(a->name, b->name) == 0;
}

/* The user's own names, as far as the declaration shows them; cellc knows the rest of the file. */
static bool is_users(const struct macro_plan_request *request,
		     const struct macro_planned_symbol *symbol)
{
	const struct macro_declaration *declaration = request->declaration;
	const struct macro_type *type = own_type(request);
	bool has_tag = is_record(request) || declaration->place == MACRO_PLACE_ENUM;

	if (*declaration->name && symbol->is_type == has_tag &&
	    strcmp(declaration->name, symbol->name) == 0)
		return true;
	for (size_t i = 0; !symbol->is_type && declaration->place == MACRO_PLACE_ENUM && type &&
			   i < type->n_enumerators; i++)
		if (strcmp(type->enumerators[i].name, symbol->name) == 0)
			return true;
	return false;
}

static void check_symbol(struct merge *m, size_t part, const struct macro_planned_symbol *symbol)
{
	if (is_users(m->request, symbol)) {
		(void)plan_error(m, symbol->attribute,
				 cell_arena_printf(m->arena, "would declare '%s', which is there already",
						   symbol->name));
		return;
	}
	for (size_t p = 0; p <= part; p++)
		for (size_t i = 0; i < m->parts[p].plan->n_symbols; i++) {
			const struct macro_planned_symbol *other = &m->parts[p].plan->symbols[i];

			if (other == symbol)
				return;
			/* One attribute may name it twice: declared here, defined there. */
			if (!is_same_symbol(other, symbol) || other->attribute == symbol->attribute)
				continue;
			(void)plan_error(m, symbol->attribute,
					 cell_arena_printf(m->arena, "%s and %s both declare '%s'",
							   plan_attribute_name(m->arena, m->request, other->attribute),
							   plan_attribute_name(m->arena, m->request, symbol->attribute),
							   symbol->name));
			return;
		}
}

static void check_bodies(struct merge *m)
{
	enum macro_place place = m->request->declaration->place;
	uint32_t first = 0;

	for (size_t p = 0; p < m->n_parts; p++) {
		uint32_t body = m->parts[p].plan->body;

		if (!body)
			continue;
		if (place != MACRO_PLACE_PROTOTYPE)
			(void)plan_error(m, body,
					 place == MACRO_PLACE_FUNCTION
						 ? "would give a body to a function that has one"
						 : "would give a body to what is no function");
		else if (first)
			(void)plan_error(m, body,
					 cell_arena_printf(m->arena, "%s and %s both give '%s' its body",
							   plan_attribute_name(m->arena, m->request, first),
							   plan_attribute_name(m->arena, m->request, body),
							   m->request->declaration->name));
		else
			first = body;
	}
	m->merged->plan.body = first;
}

static void check_wants(struct merge *m, size_t part)
{
	const struct macro_plan *plan = m->parts[part].plan;

	for (size_t i = 0; i < plan->n_wants; i++) {
		const struct macro_want *want = &plan->wants[i];
		struct macro_diagnostic *said;
		size_t from;

		if (want->optional)
			continue;
		switch (plan_want(m->request, m->parts, m->n_parts, m->merged, m->world, part, want,
				  &from)) {
		case PLAN_WANT_OFF:
			(void)plan_error(m, want->attribute,
					 cell_arena_printf(m->arena, "needs '%s' of '%s', which is switched off",
							   want->key, want->ns));
			break;
		case PLAN_WANT_NOBODY:
			said = plan_error(m, want->attribute,
					  cell_arena_printf(m->arena, "needs '%s' of '%s', which no running cell provides",
							    want->key, want->ns));
			plan_note(m->arena, said, cell_arena_printf(m->arena, "run: cell run %s", want->ns));
			break;
		case PLAN_WANT_CUT:
			(void)plan_error(m, want->attribute,
					 cell_arena_printf(m->arena, "needs '%s' of '%s', which needs this first",
							   want->key, want->ns));
			break;
		case PLAN_WANT_FACT:
		case PLAN_WANT_ASK: break;
		}
	}
}

enum plan_want plan_want(const struct macro_plan_request *request, const struct plan_part *parts,
			 size_t n_parts, const struct plan_merged *merged,
			 const struct plan_world *world, size_t part,
			 const struct macro_want *want, size_t *ret_part)
{
	size_t from = plan_part_of(parts, n_parts, want->ns);

	*ret_part = from;
	if (plan_list_has(request->features_off, request->n_features_off, want->ns))
		return PLAN_WANT_OFF;
	if (from < n_parts && merged->cut[part] & UINT64_C(1) << from &&
	    plan_list_has(parts[from].plan->provides, parts[from].plan->n_provides, want->key))
		return PLAN_WANT_CUT;
	if (from < n_parts && from != part &&
	    plan_list_has(parts[from].plan->provides, parts[from].plan->n_provides, want->key))
		return PLAN_WANT_FACT;
	return plan_list_has(world->running, world->n_running, want->ns) ? PLAN_WANT_ASK
									  : PLAN_WANT_NOBODY;
}

/* --- one plan of all ---------------------------------------------------------------------------- */

/* The items of one member of all plans in a row. */
static void *concatenate(struct merge *m, size_t items_at, size_t count_at, size_t size,
			 size_t *ret_n)
{
	size_t n = 0;
	char *all, *at;

	for (size_t p = 0; p < m->n_parts; p++)
		n += *(const size_t *)((const char *)m->parts[p].plan + count_at);
	all = at = cell_arena_calloc(m->arena, n + 1, size);
	if (!all) {
		m->is_out_of_memory = true;
		return NULL;
	}
	for (size_t p = 0; p < m->n_parts; p++) {
		const char *plan = (const char *)m->parts[p].plan;
		size_t count = *(const size_t *)(plan + count_at);

		if (count)
			memcpy(at, *(const void *const *)(plan + items_at), count * size);
		at += count * size;
	}
	*ret_n = n;
	return all;
}

#define TAKE(m, member)                                                                      \
	((m)->merged->plan.member =                                                          \
		 concatenate((m), offsetof(struct macro_plan, member),                       \
			     offsetof(struct macro_plan, n_##member),                        \
			     sizeof *(m)->merged->plan.member, &(m)->merged->plan.n_##member))

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_once(const char *const **list, size_t *n)
{
	const char **items = (const char **)(uintptr_t)*list;
	size_t kept = 0;

	if (*n)
		qsort(items, *n, sizeof *items, by_text);
	for (size_t i = 0; i < *n; i++)
		if (i == 0 || strcmp(items[kept - 1], items[i]) != 0)
			items[kept++] = items[i];
	*n = kept;
}

/* What providers say about it: with their namespace, which they may not choose. */
static void take_diagnostics(struct merge *m, size_t part)
{
	const struct macro_plan *plan = m->parts[part].plan;

	for (size_t i = 0; i < plan->n_diagnostics; i++) {
		const struct macro_diagnostic *from = &plan->diagnostics[i];
		const struct macro_attribute *at = plan_attribute(m->request, from->attribute);
		struct macro_diagnostic *to;

		to = plan_diagnose(m->arena, &m->diagnostics, &m->n_diagnostics, from->severity,
				   at ? at->ns : m->parts[part].namespaces[0], from->attribute,
				   "%s", from->text);
		if (!to) {
			m->is_out_of_memory = true;
			return;
		}
		to->value = from->value;
		to->offset = from->offset;
		to->member = from->member;
		to->notes = from->notes;
		to->n_notes = from->n_notes;
		m->merged->n_errors += from->severity == MACRO_DIAGNOSTIC_SEVERITY_ERROR;
	}
}

static void take_all(struct merge *m)
{
	struct macro_plan *plan = &m->merged->plan;
	struct macro_planned_wrap *wraps;

	TAKE(m, fields);
	TAKE(m, symbols);
	TAKE(m, provides);
	TAKE(m, wants);
	TAKE(m, reads);
	TAKE(m, uses);
	TAKE(m, headers);
	TAKE(m, link);
	if (m->is_out_of_memory)
		return;
	sort_once(&plan->provides, &plan->n_provides);
	sort_once(&plan->reads, &plan->n_reads);
	sort_once(&plan->headers, &plan->n_headers);
	sort_once(&plan->link, &plan->n_link);
	wraps = cell_arena_calloc(m->arena, m->merged->n_wraps + 1, sizeof *wraps);
	if (!wraps) {
		m->is_out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < m->merged->n_wraps; i++)
		wraps[i] = *m->merged->wraps[i].wrap;
	plan->wraps = wraps;
	plan->n_wraps = m->merged->n_wraps;
}

int plan_merge(struct cell_arena *arena, const struct macro_plan_request *request,
	       const struct plan_part *parts, size_t n_parts, const struct plan_world *world,
	       struct plan_merged *ret_merged)
{
	struct merge merge = { .arena = arena, .request = request, .parts = parts,
			       .n_parts = n_parts, .world = world, .merged = ret_merged };
	struct merge *m = &merge;

	memset(ret_merged, 0, sizeof *ret_merged);
	for (size_t p = 0; p < n_parts; p++)
		take_diagnostics(m, p);
	plan_order_parts(m);
	check_bodies(m);
	for (size_t p = 0; p < n_parts; p++) {
		const struct macro_plan *plan = parts[p].plan;

		for (size_t i = 0; i < plan->n_fields; i++)
			check_field(m, p, &plan->fields[i]);
		for (size_t i = 0; i < plan->n_symbols; i++)
			check_symbol(m, p, &plan->symbols[i]);
		check_wants(m, p);
	}
	plan_order_wraps(m);
	take_all(m);
	if (m->is_out_of_memory)
		return -ENOMEM;
	return plan_digest(m);
}

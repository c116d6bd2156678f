#include "request.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TYPES_MAX 65536

static int by_id(const void *a, const void *b)
{
	uint32_t left = ((const struct macro_attribute *)a)->id;
	uint32_t right = ((const struct macro_attribute *)b)->id;

	return left < right ? -1 : left > right;
}

/* An identifier; "" is the name of what has none. It becomes part of generated text. */
static bool is_word(const char *name)
{
	size_t len = 0;

	for (; name[len]; len++)
		if (!isalnum((unsigned char)name[len]) && name[len] != '_' &&
		    (unsigned char)name[len] < 0x80)
			return false;
	return true;
}

int request_check(const struct macro_plan_request *request, struct cell_error *err)
{
	struct macro_attribute *sorted;
	int r = 0;

	if (!request || !request->declaration)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "a request needs a declaration");
	if (!is_word(request->declaration->name))
		return cell_fail(err, CELL_INVALID_ARGUMENT, "'%.60s' is no name in C",
				 request->declaration->name);
	if (request->n_attributes == 0)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "a request needs an attribute");
	if (request->n_attributes > PLAN_ATTRIBUTES_MAX || request->n_types > TYPES_MAX)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "%zu attributes and %zu types, limits %d and %d",
				 request->n_attributes, request->n_types, PLAN_ATTRIBUTES_MAX,
				 TYPES_MAX);
	sorted = calloc(request->n_attributes, sizeof *sorted);
	if (!sorted)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "no memory for the request");
	memcpy(sorted, request->attributes, request->n_attributes * sizeof *sorted);
	qsort(sorted, request->n_attributes, sizeof *sorted, by_id);
	for (size_t i = 0; r == 0 && i < request->n_attributes; i++)
		if (sorted[i].id == 0 || (i > 0 && sorted[i - 1].id == sorted[i].id))
			r = cell_fail(err, CELL_INVALID_ARGUMENT,
				      "attribute id %u is 0 or given twice", sorted[i].id);
	free(sorted);
	return r;
}

static bool is_own(const struct plan_part *part, const char *ns)
{
	return plan_list_has(part->namespaces, part->n_namespaces, ns);
}

/* What cell::service and cell::handler say is what providers have in common. */
static bool is_seen(const struct plan_part *part, const char *ns)
{
	return is_own(part, ns) || strcmp(ns, "cell") == 0;
}

static int by_name(const void *a, const void *b)
{
	const struct macro_attribute *left = a, *right = b;
	int order = strcmp(left->ns, right->ns);

	if (order == 0)
		order = strcmp(left->name, right->name);
	return order ? order : by_id(a, b);
}

const struct macro_plan_request *request_for(struct cell_arena *arena,
					     const struct macro_plan_request *request,
					     const struct plan_part *part)
{
	struct macro_plan_request *own = cell_arena_calloc(arena, 1, sizeof *own);
	struct macro_attribute *attributes =
		cell_arena_calloc(arena, request->n_attributes + 1, sizeof *attributes);
	struct macro_attribute *context =
		cell_arena_calloc(arena, request->n_context + 1, sizeof *context);
	struct macro_kept_of *kept = cell_arena_calloc(arena, request->n_kept + 1, sizeof *kept);

	if (!own || !attributes || !context || !kept)
		return NULL;
	*own = *request;
	for (size_t i = 0; i < request->n_attributes; i++) {
		attributes[i] = request->attributes[i];
		if (!is_seen(part, attributes[i].ns)) {
			attributes[i].values = NULL;
			attributes[i].n_values = 0;
		}
	}
	qsort(attributes, request->n_attributes, sizeof *attributes, by_name);
	own->attributes = attributes;
	own->context = context;
	own->n_context = 0;
	for (size_t i = 0; i < request->n_context; i++)
		if (is_seen(part, request->context[i].ns))
			context[own->n_context++] = request->context[i];
	own->kept = kept;
	own->n_kept = 0;
	for (size_t i = 0; i < request->n_kept; i++)
		if (is_own(part, request->kept[i].ns))
			kept[own->n_kept++] = request->kept[i];
	return own;
}

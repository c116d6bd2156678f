#include "request.h"

#include "writer.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- paths ------------------------------------------------------------------------------
 */

/* Without ".", ".." and double slashes, by its text alone. */
static const char *plain_path(const char *path, struct cell_arena *arena)
{
	char *copy = must_printf(arena, "%s", path), *save = NULL;
	const char **parts = NULL;
	struct writer out = writer_new(arena);
	size_t n = 0;

	for (char *part = strtok_r(copy, "/", &save); part;
	     part = strtok_r(NULL, "/", &save)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0)
			n -= n > 0;
		else
			*must_add(arena, parts, n) = part;
	}
	for (size_t i = 0; i < n; i++)
		writer_put(&out, "/%s", parts[i]);
	return out.text;
}

const char *request_path(const char *place_file, const char *cwd, const char *root,
			 struct cell_arena *arena)
{
	const char *path, *slash;
	size_t len = strlen(root);

	path = plain_path(*place_file == '/' ? place_file
					     : must_printf(arena, "%s/%s", cwd, place_file),
			  arena);
	if (strcmp(root, "/") == 0)
		return path + 1;
	if (strncmp(path, root, len) == 0 && path[len] == '/')
		return path + len + 1;
	slash = strrchr(path, '/');
	return must_printf(arena, "<%s>", slash ? slash + 1 : path);
}

bool request_is_off(const struct project *project, const char *ns)
{
	for (const char *const *off = project->features_off; off && *off; off++)
		if (strcmp(*off, ns) == 0)
			return true;
	return false;
}

bool request_is_emit(const char *ns, const char *name)
{
	return strcmp(ns, "cell") == 0 && strcmp(name, "emit") == 0;
}

/* ---- checking ----------------------------------------------------------------------------
 */

struct preparing {
	const struct declaration *declaration;
	const struct known *known;
	const struct project *project;
	struct check_known check;
	struct cell_arena *arena;
	struct diag *diag;
	enum macro_place *places;    /* of each attribute; 0: it is of another declaration */
	struct macro_value **values; /* checked copies */
	int err;
};

static const struct attribute *source_of(const struct preparing *p, uint32_t id)
{
	return id > 0 && id <= p->declaration->n_attributes
		       ? p->declaration->attributes[id - 1]
		       : NULL;
}

static bool is_left_out(const struct preparing *p, const struct macro_attribute *attribute)
{
	return request_is_off(p->project, attribute->ns) ||
	       request_is_emit(attribute->ns, attribute->name) ||
	       !source_of(p, attribute->id);
}

/* Nobody runs who could answer, and nothing is known. */
static void say_missing(struct preparing *p, const struct attribute *a,
			const struct known_namespace *known)
{
	/* The macro cell provides cell:: itself; others are mostly called like their namespace. */
	bool is_builtin = strcmp(a->ns, "cell") == 0;
	const char *cell = known && known->cell     ? known->cell
			   : known && known->silent ? known->silent
			   : is_builtin		    ? "macro"
						    : a->ns;
	bool is_silent = known && *known->trouble &&
			 strncmp(known->trouble, "not running", 11) != 0;

	p->err = -EINVAL;
	diag_say(p->diag, SEVERITY_ERROR, &a->at, a->ns,
		 "cell '%s' %s and .cell has no answer from it", cell,
		 is_silent ? "does not answer" : "is not running");
	/* The macro cell's advice is ours, which follows. */
	if (known && *known->trouble && !strstr(known->trouble, "run: cell run "))
		diag_say(p->diag, SEVERITY_NOTE, NULL, a->ns, "%s", known->trouble);
	if (!is_silent)
		diag_say(p->diag, SEVERITY_NOTE, NULL, a->ns, "run: cell run %s", cell);
	if (!is_builtin)
		diag_say(p->diag, SEVERITY_NOTE, NULL, a->ns,
			 "or leave it out: cellc --features %s=off", a->ns);
}

/* The key that signed the provider is pinned at its first use. */
static void check_trust(struct preparing *p, struct known_namespace *known,
			const struct attribute *a)
{
	const struct lock *lock = &known->lock;

	if (known->is_suspect) {
		p->err = -EINVAL;
		return;
	}
	if (!known->catalog || !lock->cell ||
	    (strcmp(lock->key, known->key) == 0 && strcmp(lock->cell, known->cell) == 0))
		return;
	known->is_suspect = true;
	p->err = -EINVAL;
	diag_say(
		p->diag, SEVERITY_ERROR, &a->at, a->ns,
		"%s:: is provided by cell '%s' with key %s, but this project trusts '%s' with key %s",
		a->ns, known->cell, known->key, lock->cell, lock->key);
	diag_say(p->diag, SEVERITY_NOTE, NULL, a->ns,
		 "if that is right: cell macro trust %s %s", a->ns, known->key);
}

static void check_one(struct preparing *p, const struct macro_attribute *attribute,
		      enum macro_place place)
{
	const struct attribute *a = source_of(p, attribute->id);
	struct known_namespace *known = known_find(p->known, attribute->ns);
	struct macro_value *values;

	if (is_left_out(p, attribute) || p->places[attribute->id - 1])
		return;
	p->places[attribute->id - 1] = place;
	if (!known || !known->cell) {
		/* Among complete catalogues a near name is the likelier explanation. */
		if ((known && !known->cell) || !p->known->is_complete)
			say_missing(p, a, known);
		else
			p->err = check_attribute(&p->check, a, place, NULL, p->diag);
		if (!known && p->known->is_complete)
			diag_say(p->diag, SEVERITY_NOTE, NULL, a->ns,
				 "if there is such a cell, run it: cell run %s", a->ns);
		return;
	}
	known->is_used = true;
	check_trust(p, known, a);
	values = must_new(p->arena, struct macro_value, attribute->n_values);
	if (attribute->n_values)
		memcpy(values, attribute->values, attribute->n_values * sizeof *values);
	p->values[attribute->id - 1] = values;
	if (attribute->n_values == a->n_values &&
	    check_attribute(&p->check, a, place, values, p->diag) < 0)
		p->err = -EINVAL;
}

/* All at one place: each alone, and none twice that may stand once only. */
static void check_list(struct preparing *p, const struct macro_attribute *list, size_t n,
		       enum macro_place place)
{
	const struct attribute **sources = must_new(p->arena, const struct attribute *, n);
	size_t n_sources = 0;

	for (size_t i = 0; i < n; i++) {
		if (is_left_out(p, &list[i]) || p->places[list[i].id - 1])
			continue;
		check_one(p, &list[i], place);
		sources[n_sources++] = source_of(p, list[i].id);
	}
	if (check_repeated(&p->check, sources, n_sources, p->diag) < 0)
		p->err = -EINVAL;
}

static enum macro_place place_of_type(enum macro_type_kind kind)
{
	switch (kind) {
	case MACRO_TYPE_KIND_UNION: return MACRO_PLACE_UNION;
	case MACRO_TYPE_KIND_ENUM: return MACRO_PLACE_ENUM;
	case MACRO_TYPE_KIND_TYPEDEF: return MACRO_PLACE_TYPEDEF;
	default: return MACRO_PLACE_STRUCT;
	}
}

/* Parts first: what is left in the request's list then stands on the declaration itself. */
static void check_all(struct preparing *p)
{
	const struct macro_plan_request *request = &p->declaration->request;
	const struct macro_declaration *declaration = request->declaration;

	for (size_t i = 0; i < declaration->n_parameters; i++)
		check_list(p, declaration->parameters[i].attributes,
			   declaration->parameters[i].n_attributes, MACRO_PLACE_PARAMETER);
	for (size_t i = 0; i < request->n_types; i++) {
		const struct macro_type *type = &request->types[i];

		for (size_t k = 0; k < type->n_members; k++)
			check_list(p, type->members[k].attributes,
				   type->members[k].n_attributes, MACRO_PLACE_MEMBER);
		for (size_t k = 0; k < type->n_enumerators; k++)
			check_list(p, type->enumerators[k].attributes,
				   type->enumerators[k].n_attributes, MACRO_PLACE_ENUMERATOR);
		if (i + 1 != declaration->type)
			check_list(p, type->attributes, type->n_attributes,
				   place_of_type(type->kind));
	}
	check_list(p, request->attributes, request->n_attributes, declaration->place);
	/* Each at a place of its own. */
	for (size_t i = 0; i < request->n_context; i++)
		check_list(p, &request->context[i], 1, MACRO_PLACE_FILE);
}

/* ---- rewriting ---------------------------------------------------------------------------
 */

static void rewrite(const struct preparing *p, const struct macro_attribute **list, size_t *n)
{
	struct macro_attribute *made = must_new(p->arena, struct macro_attribute, *n);
	size_t n_made = 0;

	for (size_t i = 0; i < *n; i++) {
		struct macro_attribute attribute = (*list)[i];

		if (is_left_out(p, &attribute))
			continue;
		if (attribute.n_values && p->values[attribute.id - 1])
			attribute.values = p->values[attribute.id - 1];
		made[n_made++] = attribute;
	}
	*list = made;
	*n = n_made;
}

static void rewrite_type(const struct preparing *p, struct macro_type *type)
{
	struct macro_member *members =
		must_new(p->arena, struct macro_member, type->n_members);
	struct macro_enumerator *enumerators =
		must_new(p->arena, struct macro_enumerator, type->n_enumerators);

	for (size_t i = 0; i < type->n_members; i++) {
		members[i] = type->members[i];
		rewrite(p, &members[i].attributes, &members[i].n_attributes);
	}
	for (size_t i = 0; i < type->n_enumerators; i++) {
		enumerators[i] = type->enumerators[i];
		rewrite(p, &enumerators[i].attributes, &enumerators[i].n_attributes);
	}
	type->members = members;
	type->enumerators = enumerators;
	rewrite(p, &type->attributes, &type->n_attributes);
}

static size_t count(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static void rewrite_request(const struct preparing *p, struct macro_plan_request *request)
{
	struct macro_declaration *declaration =
		must_new(p->arena, struct macro_declaration, 1);
	struct macro_type *types = must_new(p->arena, struct macro_type, request->n_types);
	struct macro_parameter *parameters = must_new(p->arena, struct macro_parameter,
						      request->declaration->n_parameters);

	*declaration = *request->declaration;
	for (size_t i = 0; i < declaration->n_parameters; i++) {
		parameters[i] = declaration->parameters[i];
		rewrite(p, &parameters[i].attributes, &parameters[i].n_attributes);
	}
	declaration->parameters = parameters;
	for (size_t i = 0; i < request->n_types; i++) {
		types[i] = request->types[i];
		rewrite_type(p, &types[i]);
	}
	request->declaration = declaration;
	request->types = types;
	rewrite(p, &request->attributes, &request->n_attributes);
	rewrite(p, &request->context, &request->n_context);
	request->features_off = p->project->features_off;
	request->n_features_off = count(p->project->features_off);
	request->program = p->project->program ? p->project->program : "";
	request->order = p->project->order;
	request->n_order = count(p->project->order);
}

static int namespaces_order(const void *a, const void *b)
{
	return strcmp((*(struct known_namespace *const *)a)->ns,
		      (*(struct known_namespace *const *)b)->ns);
}

static void collect_namespaces(const struct preparing *p, struct prepared *ret)
{
	for (size_t i = 0; i < ret->request.n_attributes; i++) {
		struct known_namespace *known =
			known_find(p->known, ret->request.attributes[i].ns);
		bool is_there = !known;

		for (size_t k = 0; k < ret->n_namespaces && !is_there; k++)
			is_there = ret->namespaces[k] == known;
		if (!is_there)
			*must_add(p->arena, ret->namespaces, ret->n_namespaces) = known;
	}
	if (ret->n_namespaces)
		qsort(ret->namespaces, ret->n_namespaces, sizeof(struct known_namespace *),
		      namespaces_order);
}

int request_prepare(struct prepared *ret, bool *ret_any,
		    const struct declaration *declaration, const char *file, const char *name,
		    const struct known *known, const struct project *project,
		    struct cell_arena *arena, struct diag *diag)
{
	struct preparing p = {
		.declaration = declaration,
		.known = known,
		.project = project,
		.check = known_for_check(known, arena),
		.arena = arena,
		.diag = diag,
		.places = must_new(arena, enum macro_place, declaration->n_attributes),
		.values = must_new(arena, struct macro_value *, declaration->n_attributes),
	};

	*ret = (struct prepared){ .declaration = declaration,
				  .file = file,
				  .name = name,
				  .request = declaration->request };
	check_all(&p);
	rewrite_request(&p, &ret->request);
	collect_namespaces(&p, ret);
	*ret_any = ret->request.n_attributes > 0;
	return p.err;
}

/* ---- what is kept
 * -------------------------------------------------------------------------- */

static int kept_order(const void *a, const void *b)
{
	const struct macro_kept *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : strcmp(x->value, y->value);
}

struct macro_kept_of request_sort_kept(const struct macro_kept_of *kept,
				       struct cell_arena *arena)
{
	struct macro_kept *list = must_new(arena, struct macro_kept, kept->n_kept);

	if (kept->n_kept) {
		memcpy(list, kept->kept, kept->n_kept * sizeof *list);
		qsort(list, kept->n_kept, sizeof *list, kept_order);
	}
	return (struct macro_kept_of){ .ns = kept->ns, .n_kept = kept->n_kept, .kept = list };
}

static struct macro_kept_of kept_of(const struct lock *lock, const char *file,
				    const char *declaration, struct cell_arena *arena)
{
	struct macro_kept *kept = NULL;
	size_t n = 0;

	for (size_t i = 0; i < lock->n_kept; i++)
		if (strcmp(lock->kept[i].file, file) == 0 &&
		    strcmp(lock->kept[i].declaration, declaration) == 0)
			*must_add(arena, kept, n) =
				(struct macro_kept){ lock->kept[i].key, lock->kept[i].value };
	return request_sort_kept(
		&(struct macro_kept_of){ .ns = lock->ns, .n_kept = n, .kept = kept }, arena);
}

/* The one other file that had this declaration and is gone: it was renamed. */
static const char *old_file(const struct lock *lock, const char *file,
			    const char *declaration, const char *root,
			    struct cell_arena *arena)
{
	const char *found = NULL;

	for (size_t i = 0; i < lock->n_kept; i++) {
		const struct lock_kept *kept = &lock->kept[i];

		if (strcmp(kept->declaration, declaration) != 0 ||
		    strcmp(kept->file, file) == 0 ||
		    (found && strcmp(found, kept->file) == 0))
			continue;
		if (access(must_printf(arena, "%s/%s", root, kept->file), F_OK) == 0)
			continue;
		if (found)
			return NULL;
		found = kept->file;
	}
	return found;
}

void request_take_kept(struct prepared *prepared, const char *root, struct cell_arena *arena)
{
	struct macro_kept_of *list = NULL;
	size_t n = 0;

	for (size_t i = 0; i < prepared->n_namespaces; i++) {
		const struct lock *lock = &prepared->namespaces[i]->lock;
		struct macro_kept_of kept =
			kept_of(lock, prepared->file, prepared->name, arena);

		if (kept.n_kept == 0) {
			const char *from =
				old_file(lock, prepared->file, prepared->name, root, arena);

			if (from) {
				prepared->kept_from = from;
				kept = kept_of(lock, from, prepared->name, arena);
			}
		}
		if (kept.n_kept)
			*must_add(arena, list, n) = kept;
	}
	prepared->request = request_with_kept(&prepared->request, list, n);
}

struct macro_plan_request request_with_kept(const struct macro_plan_request *request,
					    const struct macro_kept_of *kept, size_t n)
{
	struct macro_plan_request copy = *request;

	copy.kept = kept;
	copy.n_kept = n;
	return copy;
}

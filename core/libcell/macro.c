/* Providing macros: the service of channel 3, and the same answers within one process. */
#include "macro_work.h"

#include "callstate.h"

#include <cell/cell.h>
#include <cell/internal/macrocheck.h>
#include <stdlib.h>
#include <string.h>

/* --- the catalogue ------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct macro_macro_description *left = a, *right = b;
	int order = strcmp(left->ns, right->ns);

	return order ? order : strcmp(left->name, right->name);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *const *list_of(const char *const *texts, size_t *ret_n)
{
	size_t n = 0;

	while (texts && texts[n])
		n++;
	*ret_n = n;
	return texts;
}

static int describe_arguments(struct cell_arena *arena, const struct cell_macro *macro,
			      struct macro_macro_description *ret)
{
	struct macro_argument *arguments;
	size_t n = 0;

	while (macro->arguments && macro->arguments[n].name)
		n++;
	arguments = cell_arena_calloc(arena, n + 1, sizeof *arguments);
	if (!arguments)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct cell_macro_argument *from = &macro->arguments[i];

		arguments[i] = (struct macro_argument){
			.name = from->name, .kind = from->kind, .of = from->of,
			.positional = from->is_positional, .required = from->is_required,
			.fallback = from->fallback ? from->fallback : "",
			.doc = from->doc ? from->doc : "",
		};
		arguments[i].choices = list_of(from->choices, &arguments[i].n_choices);
	}
	ret->arguments = arguments;
	ret->n_arguments = n;
	return 0;
}

static int describe(struct cell_arena *arena, const struct cell_macro_provider *provider,
		    const struct cell_macro *macro, struct macro_macro_description *ret)
{
	*ret = (struct macro_macro_description){
		.ns = macro_ns(provider, macro), .name = macro->name, .doc = macro->doc,
		.places = macro->places, .may = macro->may, .repeatable = macro->is_repeatable,
		.any_arguments = macro->takes_any_argument,
		.raw_argument = macro->takes_expression,
	};
	ret->headers = list_of(macro->headers, &ret->n_headers);
	ret->link = list_of(macro->link, &ret->n_link);
	return describe_arguments(arena, macro, ret);
}

/* All of them, sorted. */
static int describe_all(struct cell_call *call, const struct cell_macro_provider *provider,
			struct macro_macro_info *ret_info)
{
	struct macro_macro_description *macros;
	size_t n = 0;

	while (provider->macros[n].name)
		n++;
	macros = cell_arena_calloc(cell_arena(call), n + 1, sizeof *macros);
	if (!macros)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for the catalogue");
	for (size_t i = 0; i < n; i++)
		if (describe(cell_arena(call), provider, &provider->macros[i], &macros[i]) < 0)
			return cell_refuse(call, CELL_RESOURCE_EXHAUSTED,
					   "no memory for the catalogue");
	qsort(macros, n, sizeof *macros, by_name);
	*ret_info = (struct macro_macro_info){ .n_macros = n, .macros = macros };
	return 0;
}

static const struct macro_macro_description *find_full(const struct macro_macro_info *info,
						       const char *name)
{
	for (size_t i = 0; i < info->n_macros; i++) {
		size_t len = strlen(info->macros[i].ns);

		if (strncmp(name, info->macros[i].ns, len) == 0 &&
		    strncmp(name + len, "::", 2) == 0 &&
		    strcmp(name + len + 2, info->macros[i].name) == 0)
			return &info->macros[i];
	}
	return NULL;
}

int cell_macro_info(struct cell_call *call, const struct cell_macro_provider *provider,
		    const struct macro_macro_names *names, struct macro_macro_info *ret_info)
{
	struct macro_macro_description *chosen;
	struct macro_macro_info all;
	int r = describe_all(call, provider, &all);

	if (r < 0 || names->n_names == 0) {
		if (r == 0)
			*ret_info = all;
		return r;
	}
	chosen = cell_arena_calloc(cell_arena(call), names->n_names, sizeof *chosen);
	if (!chosen)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for the catalogue");
	for (size_t i = 0; i < names->n_names; i++) {
		const struct macro_macro_description *found = find_full(&all, names->names[i]);

		if (!found)
			return cell_refuse(call, CELL_NOT_FOUND, "no macro '%.80s'",
					   names->names[i]);
		chosen[i] = *found;
	}
	*ret_info = (struct macro_macro_info){ .n_macros = names->n_names, .macros = chosen };
	return 0;
}

static const struct macro_macro_name *name_all(struct cell_arena *arena,
					       const struct macro_macro_info *info)
{
	struct macro_macro_name *names =
		cell_arena_calloc(arena, info->n_macros + 1, sizeof *names);

	for (size_t i = 0; names && i < info->n_macros; i++) {
		const struct macro_macro_description *macro = &info->macros[i];

		names[i] = (struct macro_macro_name){
			.ns = macro->ns, .name = macro->name, .places = macro->places,
			.summary = cell_arena_strndup(arena, macro->doc,
						      strcspn(macro->doc, "\n")),
		};
		if (!names[i].summary)
			return NULL;
	}
	return names;
}

int cell_macro_catalog(struct cell_call *call, const struct cell_macro_provider *provider,
		       void *self, struct macro_catalog *ret_catalog)
{
	struct macro_catalog catalog = { .cell = "", .key = "local", .trouble = "" };
	struct cell_arena *arena = cell_arena(call);
	uint8_t *digest = cell_arena_alloc(arena, MACRO_DIGEST_SIZE);
	const char **namespaces;
	struct macro_macro_info info;
	int r = describe_all(call, provider, &info);

	if (r < 0)
		return r;
	(void)list_of(provider->namespaces, &catalog.n_namespaces);
	namespaces = cell_arena_calloc(arena, catalog.n_namespaces, sizeof *namespaces);
	catalog.macros = name_all(arena, &info);
	catalog.n_macros = info.n_macros;
	if (!digest || !namespaces || !catalog.macros ||
	    macro_digest(arena, &macro_macro_info_type, &info, digest) < 0)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for the catalogue");
	memcpy(namespaces, provider->namespaces, catalog.n_namespaces * sizeof *namespaces);
	qsort(namespaces, catalog.n_namespaces, sizeof *namespaces, by_text);
	catalog.namespaces = namespaces;
	catalog.digest = digest;
	catalog.n_digest = MACRO_DIGEST_SIZE;
	macro_program(&catalog.program, &catalog.n_program);
	if (call->root->rt)
		catalog.cell = call->root->rt->cell;
	if (provider->states)
		r = provider->states(call, self, &catalog.states, &catalog.n_states);
	if (r == 0)
		*ret_catalog = catalog;
	return r;
}

/* An answer after the deadline is none: half of it may have been made by waits cut short. */
static int check_time(struct cell_call *call)
{
	return cell_call_left_ns(call) == 0
		       ? cell_refuse(call, CELL_DEADLINE_EXCEEDED, "it took too long")
		       : 0;
}

/* --- planning and expanding --------------------------------------------------------------------- */

int cell_macro_plan(struct cell_call *call, const struct cell_macro_provider *provider, void *self,
		    const struct macro_plan_request *request, struct macro_plan *ret_plan)
{
	struct cell_macro_work work;
	int r;

	macro_work_init(&work, call, provider, self, request);
	r = macro_plan_make(&work);
	if (r == 0)
		r = check_time(call);
	return r < 0 ? r : macro_plan_put(&work, ret_plan);
}

static int expand_one(struct cell_macro_work *work, const struct cell_macro *macro,
		      const struct macro_attribute *mine)
{
	size_t errors_before = work->n_errors;
	int r;

	work->asked = mine;
	r = macro->expand ? macro->expand(work, mine) : 0;
	work->asked = NULL;
	if (r < 0 && work->n_errors == errors_before && !work->bug && r != -ENOMEM)
		return macro_bug(work, mine, "its expansion failed with %s and does not say why",
				 cell_status_name(r));
	return 0;
}

static int expand_all(struct cell_macro_work *work)
{
	const struct macro_plan_request *request = work->request;

	for (size_t i = 0; i < request->n_attributes && !work->bug; i++) {
		const struct cell_macro *macro = macro_of(work->provider, &request->attributes[i]);
		int r = macro ? expand_one(work, macro, &request->attributes[i]) : 0;

		if (r < 0)
			return r;
	}
	if (work->is_out_of_memory)
		return cell_refuse(work->call, CELL_RESOURCE_EXHAUSTED,
				   "no memory for the expansion");
	return work->bug;
}

static int put_pieces(struct cell_macro_work *work, struct macro_generated_code *code)
{
	struct macro_piece *pieces, *at;
	size_t n = 0;

	for (struct cell_piece *piece = work->pieces; piece; piece = piece->next) {
		/* Whole lines: what follows in the file starts on one of its own. */
		if (piece->len && piece->text[piece->len - 1] != '\n')
			cell_piece_put(piece, "\n");
		n += piece->len > 0;
	}
	pieces = cell_arena_calloc(cell_arena(work->call), n + 1, sizeof *pieces);
	if (!pieces || work->is_out_of_memory)
		return cell_refuse(work->call, CELL_RESOURCE_EXHAUSTED,
				   "no memory for the expansion");
	at = pieces;
	for (struct cell_piece *piece = work->pieces; piece; piece = piece->next)
		if (piece->len)
			*at++ = (struct macro_piece){
				.anchor = piece->anchor, .kind = piece->kind,
				.text = piece->text, .attribute = piece->mine->id,
				.symbol = piece->symbol, .phase = (uint32_t)piece->phase,
				.ns = piece->mine->ns,
				.n_sources = piece->sources.n, .sources = piece->sources.items,
			};
	code->n_pieces = n;
	code->pieces = pieces;
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct macro_kept *)a)->key, ((const struct macro_kept *)b)->key);
}

static int put_code(struct cell_macro_work *work, struct macro_generated_code *ret_code)
{
	struct macro_generated_code code = {
		.n_facts = work->facts.n, .facts = work->facts.items,
		.n_states = work->states.n, .states = work->states.items,
		.n_files = work->files.n, .files = work->files.items,
		.n_declared = work->declared.n, .declared = work->declared.items,
		.degraded = work->is_degraded,
	};
	struct macro_kept_of *kept;
	int r = 0;

	if (work->n_errors)
		code = (struct macro_generated_code){ 0 };
	else
		r = put_pieces(work, &code);
	if (r == 0 && !work->n_errors && work->kept.n) {
		kept = cell_arena_calloc(cell_arena(work->call), 1, sizeof *kept);
		if (!kept)
			return cell_refuse(work->call, CELL_RESOURCE_EXHAUSTED,
					   "no memory for the expansion");
		qsort(work->kept.items, work->kept.n, sizeof(struct macro_kept), by_key);
		*kept = (struct macro_kept_of){ .ns = work->provider->namespaces[0],
						.n_kept = work->kept.n,
						.kept = work->kept.items };
		code.kept = kept;
		code.n_kept = 1;
	}
	code.diagnostics = work->diagnostics.items;
	code.n_diagnostics = work->diagnostics.n;
	if (r == 0)
		*ret_code = code;
	return r;
}

int cell_macro_expand(struct cell_call *call, const struct cell_macro_provider *provider,
		      void *self, const struct macro_go *go, cell_macro_query_fn *query,
		      void *userdata, struct macro_generated_code *ret_code)
{
	static const struct macro_plan_request nothing;
	struct macro_generated_code code;
	struct cell_macro_work work;
	struct macro_plan plan;
	size_t n_warnings;
	int r;

	macro_work_init(&work, call, provider, self, go->request ? go->request : &nothing);
	work.go = go;
	work.query = query;
	work.query_userdata = userdata;
	r = macro_plan_make(&work);
	if (r == 0)
		r = macro_plan_put(&work, &plan);
	/* The plan has been told its warnings already; errors are why there is no text. */
	n_warnings = work.n_errors ? 0 : work.diagnostics.n;
	work.diagnostics.n -= n_warnings;
	work.diagnostics.items = work.diagnostics.n ? work.diagnostics.items : NULL;
	if (r == 0 && !work.n_errors)
		r = expand_all(&work);
	if (r == 0)
		r = check_time(call);
	if (r == 0)
		r = put_code(&work, &code);
	if (r == 0 && !work.n_errors)
		r = cell_macro_check(work.request, &plan, &code, cell_error_slot(call));
	if (r == 0)
		*ret_code = code;
	return r;
}

/* --- provisioning -------------------------------------------------------------------------------- */

static int provision_one(struct cell_macro_work *work, const struct macro_declared *declared,
			 bool only_check)
{
	int r;

	if (!macro_owns(work->provider, declared->ns))
		return cell_provision_refuse(work, declared, CELL_INVALID_ARGUMENT,
					     "'%s' is none of this provider's namespaces",
					     declared->ns);
	if (!work->provider->provision)
		return cell_provision_refuse(work, declared, CELL_UNIMPLEMENTED,
					     "'%s' has nothing to provision '%s' with",
					     declared->ns, declared->name);
	r = work->provider->provision(work, declared, only_check);
	if (r < 0 && !work->status)
		return cell_provision_refuse(work, declared, r, "'%s' could not be provisioned: %s",
					     declared->name,
					     cell_error(work->call)->code
						     ? cell_error(work->call)->text
						     : cell_status_name(r));
	return r;
}

/*
 * Of what is not done, the first that nothing else has to come before. A circle is begun where
 * it is met: its provider says what is missing. N if all is done.
 */
static size_t provision_next(struct cell_macro_work *work,
			     const struct macro_provision_request *request, const bool *is_done)
{
	const struct macro_declared *all = request->declared;
	size_t n = request->n_declared, first = n;

	for (size_t i = 0; i < n; i++) {
		bool waits = false;

		if (is_done[i])
			continue;
		if (first == n)
			first = i;
		for (size_t k = 0; k < n && !waits && work->provider->comes_before; k++)
			waits = k != i && !is_done[k] &&
				work->provider->comes_before(work, &all[k], &all[i]);
		if (!waits)
			return i;
	}
	return first;
}

int cell_macro_provision(struct cell_call *call, const struct cell_macro_provider *provider,
			 void *self, const struct macro_provision_request *request,
			 struct macro_provisioned *ret_provisioned)
{
	bool *is_done = cell_arena_calloc(cell_arena(call), request->n_declared + 1, sizeof *is_done);
	struct macro_provisioned done = { 0 };
	struct cell_macro_work work;
	size_t next;
	int r = 0;

	if (!is_done)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory to provision");
	macro_work_init(&work, call, provider, self, NULL);
	while (r == 0 && (next = provision_next(&work, request, is_done)) < request->n_declared) {
		is_done[next] = true;
		r = provision_one(&work, &request->declared[next], request->only_check);
	}
	if (work.is_out_of_memory)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory to provision");
	r = 0;
	if (provider->states)
		r = provider->states(call, self, &done.states, &done.n_states);
	done.status = cell_status_to_wire(work.status);
	done.diagnostics = work.diagnostics.items;
	done.n_diagnostics = work.diagnostics.n;
	done.changes = work.changes.items;
	done.n_changes = work.changes.n;
	if (r == 0)
		*ret_provisioned = done;
	return r;
}

/* --- the service ------------------------------------------------------------------------------------ */

struct served_provider {
	const struct cell_macro_provider *provider;
	void *self;
};

static int on_catalog(struct cell_call *call, void *self, const struct macro_hello *in,
		      struct macro_macros *out)
{
	const struct served_provider *served = self;
	struct macro_catalog *catalog = cell_arena_calloc(cell_arena(call), 1, sizeof *catalog);
	int r;

	if (in->protocol != 1)
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "macro protocol %u is asked for, this provider speaks 1",
				   in->protocol);
	if (!catalog)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for the catalogue");
	r = cell_macro_catalog(call, served->provider, served->self, catalog);
	*out = (struct macro_macros){ .n_catalogs = 1, .catalogs = catalog };
	return r;
}

static int on_info(struct cell_call *call, void *self, const struct macro_macro_names *in,
		   struct macro_macro_info *out)
{
	const struct served_provider *served = self;

	return cell_macro_info(call, served->provider, in, out);
}

static int on_plan(struct cell_call *call, void *self, const struct macro_plan_request *in,
		   struct macro_plan *out)
{
	const struct served_provider *served = self;

	return cell_macro_plan(call, served->provider, served->self, in, out);
}

struct wire {
	struct cell_call *call;
	struct macro_to_provider_source *in;
	struct macro_from_provider_sink *out;
};

/* Ask the macro cell, and wait; nothing else comes in between. */
static int ask(void *userdata, const struct macro_query *query,
	       struct macro_query_result *ret_result)
{
	struct wire *wire = userdata;
	const struct macro_to_provider *item;
	const struct macro_query_result *result;
	int r = macro_from_provider_send(wire->out, &(struct macro_from_provider){ .query = query });

	if (r < 0)
		return r;
	item = macro_to_provider_recv(wire->in);
	if (!item || !item->result)
		return cell_refuse(wire->call, CELL_CANCELLED,
				   "the expansion was given up while %s: %s was asked", query->ns,
				   query->key);
	/* An item lives until the next one only. */
	result = macro_copy(cell_arena(wire->call), &macro_query_result_type, item->result);
	if (!result)
		return cell_refuse(wire->call, CELL_RESOURCE_EXHAUSTED, "no memory for an answer");
	*ret_result = *result;
	return 0;
}

static int on_expand(struct cell_call *call, void *self, struct macro_to_provider_source *in,
		     struct macro_from_provider_sink *out)
{
	const struct served_provider *served = self;
	struct wire wire = { .call = call, .in = in, .out = out };
	const struct macro_to_provider *first = macro_to_provider_recv(in);
	struct macro_generated_code code;
	const struct macro_go *go;
	int r;

	if (!first || !first->go || !first->go->request)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "an expansion begins with go");
	go = macro_copy(cell_arena(call), &macro_go_type, first->go);
	if (!go)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for the request");
	r = cell_macro_expand(call, served->provider, served->self, go, ask, &wire, &code);
	return r < 0 ? r : macro_from_provider_send(out, &(struct macro_from_provider){ .done = &code });
}

static int on_query(struct cell_call *call, void *self, const struct macro_query *in,
		    struct macro_query_result *out)
{
	const struct served_provider *served = self;
	int r;

	*out = (struct macro_query_result){ .outcome = MACRO_QUERY_RESULT_OUTCOME_UNKNOWN };
	if (!served->provider->query || !macro_owns(served->provider, in->ns))
		return 0;
	*out = (struct macro_query_result){ 0 };
	r = served->provider->query(call, served->self, in, out);
	return r < 0 ? r : check_time(call);
}

static int on_provision(struct cell_call *call, void *self,
			const struct macro_provision_request *in, struct macro_provisioned *out)
{
	const struct served_provider *served = self;

	return cell_macro_provision(call, served->provider, served->self, in, out);
}

static const struct macro_provider_handlers handlers = {
	.what_macros_do_you_provide = on_catalog,
	.get_macro_info = on_info,
	.plan_expansion = on_plan,
	.coordinate_expansion = on_expand,
	.query_other_cell = on_query,
	.provision = on_provision,
};

int cell_provide_macros(struct cell_call *call, const struct cell_macro_provider *provider,
			void *self)
{
	struct served_provider *served;
	int r = macro_check_table(call, provider);

	if (r < 0)
		return r;
	served = cell_arena_alloc(cell_arena(call), sizeof *served);
	if (!served)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for a provider");
	*served = (struct served_provider){ .provider = provider, .self = self };
	return cell_serve(call, &macro_provider_service, &handlers, served);
}

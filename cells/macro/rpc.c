/* The methods of service Macro in proto/macro.proto, in its order. */
#include "builtin.h"
#include "coordinate.h"
#include "macro.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

/* Providers at a time in one list; a node has a dozen. */
#define ASK_MAX 256
/* Tables grow indexes meanwhile. */
#define PROVISION_MS 10000

static int discover(struct cell_call *call, const struct macro *macro,
		    struct providers *ret_providers)
{
	int r = providers_discover(call, cell_arena(call), macro->builtin, macro->builtin_self,
				   ret_providers);

	if (r == 0 && ret_providers->n > ASK_MAX)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "%zu providers, limit %d",
				   ret_providers->n, ASK_MAX);
	return r;
}

/* --- discovery ------------------------------------------------------------------------------ */

/* In place of a catalogue: whose it would be, and why there is none. */
static void catalog_trouble(struct macro_catalog *catalog, const struct provider *provider,
			    const char *why)
{
	*catalog = (struct macro_catalog){
		.cell = provider->cell, .namespaces = provider->namespaces,
		.n_namespaces = provider->n_namespaces, .key = "",
		.trouble = why ? why : "no memory to say what is wrong" };
}

/* Why PROVIDER is not even asked; NULL if it is. */
static const char *why_not(struct cell_arena *arena, const struct providers *providers,
			   const struct provider *provider, const struct macro_hello *hello)
{
	const struct provider *rival;
	const char *ns;
	size_t off = 0;

	rival = providers_rival(providers, provider, &ns);
	if (rival)
		return cell_arena_printf(arena,
					 "namespace '%s' is announced by cell '%s' and by cell '%s'",
					 ns, provider->cell, rival->cell);
	if (!provider->is_running)
		return cell_arena_printf(arena, "not running; run: cell run %s", provider->cell);
	for (size_t i = 0; i < provider->n_namespaces; i++)
		off += plan_list_has(hello->features_off, hello->n_features_off,
				     provider->namespaces[i]);
	return off == provider->n_namespaces ? "switched off" : NULL;
}

static void take_catalog(struct cell_call *call, const struct provider *provider, int status,
			 const struct macro_macros *answer, struct macro_catalog *catalog)
{
	if (status < 0) {
		catalog_trouble(catalog, provider,
				coordinate_failure(cell_arena(call), provider->cell,
						   COORDINATE_CALL_MS, status,
						   cell_error(call)->text));
		return;
	}
	if (answer->n_catalogs != 1) {
		catalog_trouble(catalog, provider,
				cell_arena_printf(cell_arena(call),
						  "cell '%s' answered %zu catalogues, not its own",
						  provider->cell, answer->n_catalogs));
		return;
	}
	*catalog = answer->catalogs[0];
	/* Who it is says cellcore, what it announces its manifest. */
	catalog->cell = provider->cell;
	catalog->namespaces = provider->namespaces;
	catalog->n_namespaces = provider->n_namespaces;
	catalog->trouble = "";
}

static int what_macros(struct cell_call *call, void *self, const struct macro_hello *in,
		       struct macro_macros *out)
{
	struct macro_provider_what_macros_do_you_provide_future futures[ASK_MAX];
	const struct macro_hello hello = { .protocol = 1 };
	const struct macro *macro = self;
	struct macro_macros answer = { 0 };
	struct macro_catalog *catalogs;
	struct providers providers;
	const char *why;
	int r;

	if (in->protocol != 1)
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "macro protocol %u is asked for, this node speaks 1",
				   in->protocol);
	if (macro->builtin == &cell_builtin)
		builtin_recall(macro->builtin_self, in->states, in->n_states);
	r = discover(call, macro, &providers);
	if (r < 0)
		return r;
	catalogs = cell_arena_calloc(cell_arena(call), providers.n + 1, sizeof *catalogs);
	if (!catalogs)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for catalogues");
	for (size_t i = 0; i < providers.n; i++) {
		const struct provider *provider = &providers.items[i];

		why = why_not(cell_arena(call), &providers, provider, in);
		if (why)
			catalog_trouble(&catalogs[i], provider, why);
		else if (!provider->builtin)
			futures[i] = macro_provider_what_macros_do_you_provide_start(
				coordinate_to(call, provider, COORDINATE_CALL_MS), &hello);
	}
	for (size_t i = 0; i < providers.n; i++) {
		const struct provider *provider = &providers.items[i];
		struct macro_catalog own;

		if (catalogs[i].trouble)
			continue;
		if (provider->builtin) {
			r = cell_macro_catalog(call, provider->builtin, provider->self, &own);
			answer = (struct macro_macros){ .n_catalogs = 1, .catalogs = &own };
		} else {
			r = macro_provider_what_macros_do_you_provide_wait(&futures[i], &answer);
		}
		take_catalog(call, provider, r, &answer, &catalogs[i]);
	}
	*out = (struct macro_macros){ .n_catalogs = providers.n, .catalogs = catalogs };
	return 0;
}

static int info_of(struct cell_call *call, const struct provider *provider,
		   const struct macro_macro_names *names, struct macro_macro_info *ret_info)
{
	if (provider->builtin)
		return cell_macro_info(call, provider->builtin, names, ret_info);
	return macro_provider_get_macro_info(coordinate_to(call, provider, COORDINATE_CALL_MS),
					     names, ret_info);
}

static int info_of_one(struct cell_call *call, const struct providers *providers, const char *name,
		       struct macro_macro_description *ret)
{
	struct macro_macro_names names = { .n_names = 1, .names = &name };
	const char *colons = strstr(name, "::");
	const struct provider *provider;
	struct macro_macro_info info;
	char *ns;
	int r;

	if (!colons)
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "'%.80s' is no name of a macro, such as db::table", name);
	ns = cell_arena_strndup(cell_arena(call), name, (size_t)(colons - name));
	if (!ns)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for a name");
	r = providers_find(providers, ns, &provider, cell_error_slot(call));
	if (r < 0)
		return r;
	r = info_of(call, provider, &names, &info);
	if (r == CELL_NOT_FOUND)
		return cell_refuse(call, r, "cell '%s' provides no macro '%.80s'", provider->cell, name);
	if (r < 0)
		return cell_refuse(call, r, "%s",
				   coordinate_failure(cell_arena(call), provider->cell,
						      COORDINATE_CALL_MS, r,
						      cell_error(call)->text));
	if (info.n_macros != 1)
		return cell_refuse(call, CELL_INTERNAL, "cell '%s' describes %zu macros, not one",
				   provider->cell, info.n_macros);
	*ret = info.macros[0];
	return 0;
}

/* Of everybody who can be asked. */
static int info_of_all(struct cell_call *call, const struct providers *providers,
		       struct macro_macro_info *out)
{
	static const struct macro_macro_names all;
	struct macro_macro_info infos[ASK_MAX];
	struct macro_macro_description *macros;
	size_t n = 0, at = 0;
	const char *ns;

	for (size_t i = 0; i < providers->n; i++) {
		infos[i] = (struct macro_macro_info){ 0 };
		if (providers->items[i].is_running &&
		    !providers_rival(providers, &providers->items[i], &ns) &&
		    info_of(call, &providers->items[i], &all, &infos[i]) == 0)
			n += infos[i].n_macros;
		else
			infos[i].n_macros = 0;
	}
	macros = cell_arena_calloc(cell_arena(call), n + 1, sizeof *macros);
	if (!macros)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for descriptions");
	for (size_t i = 0; i < providers->n; i++) {
		if (infos[i].n_macros)
			memcpy(macros + at, infos[i].macros, infos[i].n_macros * sizeof *macros);
		at += infos[i].n_macros;
	}
	*out = (struct macro_macro_info){ .n_macros = n, .macros = macros };
	return 0;
}

static int get_macro_info(struct cell_call *call, void *self, const struct macro_macro_names *in,
			  struct macro_macro_info *out)
{
	struct macro_macro_description *macros;
	struct providers providers;
	int r = discover(call, self, &providers);

	if (r < 0)
		return r;
	if (in->n_names == 0)
		return info_of_all(call, &providers, out);
	macros = cell_arena_calloc(cell_arena(call), in->n_names, sizeof *macros);
	if (!macros)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for descriptions");
	for (size_t i = 0; r == 0 && i < in->n_names; i++)
		r = info_of_one(call, &providers, in->names[i], &macros[i]);
	*out = (struct macro_macro_info){ .n_macros = in->n_names, .macros = macros };
	return r;
}

/* --- plans and expansions ----------------------------------------------------------------------- */

static void release(void *owner)
{
	coordination_unref(owner);
}

static int begin(struct cell_call *call, const struct macro *macro,
		 const struct macro_plan_request *request, void **ret_owner)
{
	struct coordination *c = coordination_new();

	if (!c)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for an expansion");
	*ret_owner = c;
	return coordinate_plan(call, c, request, macro->builtin, macro->builtin_self);
}

static int run_plan(struct cell_call *call, void *userdata, const void *in, void *out,
		    void **ret_owner)
{
	int r = begin(call, userdata, in, ret_owner);

	if (r == 0)
		*(struct macro_plan *)out = ((struct coordination *)*ret_owner)->merged.plan;
	return r;
}

static int run_expansion(struct cell_call *call, void *userdata, const void *in, void *out,
			 void **ret_owner)
{
	const struct macro_expansion_request *request = in;
	struct coordination *c;
	int r = begin(call, userdata, request->request, ret_owner);

	if (r < 0)
		return r;
	c = *ret_owner;
	c->is_strict = request->strict;
	if (request->n_plan != c->merged.plan.n_digest ||
	    memcmp(request->plan, c->merged.plan.digest, request->n_plan) != 0)
		return cell_refuse(call, CELL_ABORTED, "the plan has changed since it was made");
	return coordinate_expand(call, c, out);
}

static const struct flight_kind plans = {
	.in = &macro_plan_request_type, .out = &macro_plan_type, .run = run_plan,
	.release = release,
};
static const struct flight_kind expansions = {
	.in = &macro_expansion_request_type, .out = &macro_generated_code_type,
	.run = run_expansion, .release = release,
};

static int plan_expansion(struct cell_call *call, void *self, const struct macro_plan_request *in,
			  struct macro_plan *out)
{
	struct macro *macro = self;

	return flight_join(call, &macro->flights, &plans, macro, in, out);
}

static int coordinate_expansion(struct cell_call *call, void *self,
				const struct macro_expansion_request *in,
				struct macro_generated_code *out)
{
	struct macro *macro = self;

	return flight_join(call, &macro->flights, &expansions, macro, in, out);
}

/* --- provisioning ---------------------------------------------------------------------------------- */

/* What of IN is PROVIDER's, in the order it was asked for. */
static int share_of(struct cell_call *call, const struct macro_provision_request *in,
		    const struct provider *provider, struct macro_provision_request *ret)
{
	struct macro_declared *declared =
		cell_arena_calloc(cell_arena(call), in->n_declared + 1, sizeof *declared);

	if (!declared)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory to provision");
	*ret = *in;
	ret->declared = declared;
	ret->n_declared = 0;
	for (size_t i = 0; i < in->n_declared; i++)
		if (plan_list_has(provider->namespaces, provider->n_namespaces,
				  in->declared[i].ns))
			declared[ret->n_declared++] = in->declared[i];
	return 0;
}

static void *join(struct cell_arena *arena, const void *a, size_t n, const void *b, size_t m,
		  size_t size)
{
	char *all = cell_arena_calloc(arena, n + m + 1, size);

	if (all && n)
		memcpy(all, a, n * size);
	if (all && m)
		memcpy(all + n * size, b, m * size);
	return all;
}

#define JOIN(arena, out, from, member)                                                       \
	do {                                                                                 \
		(out)->member = join((arena), (out)->member, (out)->n_##member,              \
				     (from)->member, (from)->n_##member,                     \
				     sizeof *(out)->member);                                 \
		(out)->n_##member += (out)->member ? (from)->n_##member : 0;                 \
	} while (0)

static int provision_with(struct cell_call *call, const struct provider *provider,
			  const struct macro_provision_request *share,
			  struct macro_provisioned *out)
{
	struct macro_provisioned done = { 0 };
	struct macro_diagnostic *failure = NULL;
	int r = provider->builtin
			? cell_macro_provision(call, provider->builtin, provider->self, share, &done)
			: macro_provider_provision(coordinate_to(call, provider, PROVISION_MS),
						   share, &done);

	if (r < 0) {
		done = (struct macro_provisioned){ .status = cell_status_to_wire(r) };
		(void)plan_diagnose(cell_arena(call), &failure, &done.n_diagnostics,
				    MACRO_DIAGNOSTIC_SEVERITY_ERROR, provider->namespaces[0],
				    share->declared[0].attribute, "%s",
				    coordinate_failure(cell_arena(call), provider->cell,
						       PROVISION_MS, r, cell_error(call)->text));
		done.diagnostics = failure;
	}
	JOIN(cell_arena(call), out, &done, diagnostics);
	JOIN(cell_arena(call), out, &done, states);
	JOIN(cell_arena(call), out, &done, changes);
	out->status = done.status;
	if (!out->diagnostics || !out->states || !out->changes)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory to provision");
	return 0;
}

static int provision(struct cell_call *call, void *self, const struct macro_provision_request *in,
		     struct macro_provisioned *out)
{
	struct macro_provision_request share;
	struct providers providers;
	const struct provider *provider;
	int r = discover(call, self, &providers);

	*out = (struct macro_provisioned){ 0 };
	/* Nothing is begun if one of them is not there. */
	for (size_t i = 0; r == 0 && i < in->n_declared; i++)
		r = providers_find(&providers, in->declared[i].ns, &provider,
				   cell_error_slot(call));
	for (size_t i = 0; r == 0 && out->status == 0 && i < providers.n; i++) {
		r = share_of(call, in, &providers.items[i], &share);
		if (r == 0 && share.n_declared)
			r = provision_with(call, &providers.items[i], &share, out);
	}
	return r;
}

const struct macro_handlers macro_handlers = {
	.what_macros_do_you_provide = what_macros,
	.get_macro_info = get_macro_info,
	.plan_expansion = plan_expansion,
	.coordinate_expansion = coordinate_expansion,
	.provision = provision,
};

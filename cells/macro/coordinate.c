#include "coordinate.h"

#include "broker.h"
#include "code.h"
#include "event.h"
#include "message.h"
#include "request.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

/* Attributes of one provider whose macros have announced ADDITION_ASM. */
#define ASM_MAX 32

/* --- life ---------------------------------------------------------------------------------- */

struct coordination *coordination_new(void)
{
	struct coordination *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->refs = 1;
	c->event = -1;
	cell_arena_init(&c->arena, 0);
	return c;
}

struct coordination *coordination_ref(struct coordination *c)
{
	c->refs++;
	return c;
}

void coordination_unref(struct coordination *c)
{
	if (!c || --c->refs > 0)
		return;
	event_close(c->event);
	cell_arena_deinit(&c->arena);
	free(c);
}

void coordination_unrefp(struct coordination **c)
{
	coordination_unref(*c);
}

struct cell_call *coordinate_to(struct cell_call *call, const struct provider *provider,
				uint64_t ms)
{
	return cell_to(cell_within_ms(call, ms), provider->cell, 0);
}

static int no_memory(struct cell_call *call)
{
	return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for the expansion");
}

const char *coordinate_failure(struct cell_arena *arena, const char *cell, uint64_t ms, int status,
			       const char *text)
{
	const char *said;

	switch (status) {
	case CELL_DEADLINE_EXCEEDED:
		said = cell_arena_printf(arena, "cell '%s' did not answer within %" PRIu64 " ms",
					 cell, ms);
		break;
	case CELL_UNAVAILABLE:
	case CELL_CANCELLED:
		said = cell_arena_printf(arena, "cell '%s' ended before it had answered", cell);
		break;
	case CELL_UNIMPLEMENTED:
		said = cell_arena_printf(arena, "cell '%s' announces macros and answers none of their questions",
					 cell);
		break;
	default: said = cell_arena_printf(arena, "cell '%s' failed: %s", cell, text); break;
	}
	return said ? said : "a provider failed";
}

/* --- who has a say --------------------------------------------------------------------------- */

static bool has_provider(const struct coordination *c, const struct provider *provider)
{
	for (size_t i = 0; i < c->n_parts; i++)
		if (c->parts[i].cell == provider->cell)
			return true;
	return false;
}

static int add_part(struct cell_call *call, struct coordination *c, const char *ns)
{
	const struct provider *provider;
	int r;

	if (plan_list_has(c->request->features_off, c->request->n_features_off, ns))
		return 0;
	r = providers_find(&c->providers, ns, &provider, cell_error_slot(call));
	if (r < 0 || has_provider(c, provider))
		return r;
	if (c->n_parts == PLAN_PARTS_MAX)
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "attributes of more than %d providers on one declaration",
				   PLAN_PARTS_MAX);
	c->parts[c->n_parts++] = (struct plan_part){
		.cell = provider->cell, .namespaces = provider->namespaces,
		.n_namespaces = provider->n_namespaces };
	return 0;
}

static int find_world(struct cell_call *call, struct coordination *c)
{
	size_t n = 0;
	const char **running;

	for (size_t i = 0; i < c->providers.n; i++)
		n += c->providers.items[i].n_namespaces;
	running = cell_arena_calloc(&c->arena, n + 1, sizeof *running);
	if (!running)
		return no_memory(call);
	n = 0;
	for (size_t i = 0; i < c->providers.n; i++)
		for (size_t k = 0; c->providers.items[i].is_running &&
				   k < c->providers.items[i].n_namespaces; k++)
			running[n++] = c->providers.items[i].namespaces[k];
	c->world = (struct plan_world){ .running = running, .n_running = n };
	return 0;
}

static int find_parts(struct cell_call *call, struct coordination *c)
{
	int r = find_world(call, c);

	for (size_t i = 0; r == 0 && i < c->request->n_attributes; i++)
		r = add_part(call, c, c->request->attributes[i].ns);
	if (r < 0)
		return r;
	plan_sort(c->parts, c->n_parts);
	for (size_t i = 0; i < c->n_parts; i++) {
		struct coordination_part *state = &c->state[i];

		for (size_t k = 0; k < c->providers.n; k++)
			if (c->providers.items[k].cell == c->parts[i].cell)
				state->provider = &c->providers.items[k];
		state->request = request_for(&c->arena, c->request, &c->parts[i]);
		if (!state->request)
			return no_memory(call);
	}
	return 0;
}

/* --- planning --------------------------------------------------------------------------------- */

static uint32_t first_attribute(const struct coordination *c, size_t part)
{
	for (size_t i = 0; i < c->request->n_attributes; i++)
		if (plan_list_has(c->parts[part].namespaces, c->parts[part].n_namespaces,
				  c->request->attributes[i].ns))
			return c->request->attributes[i].id;
	return 0;
}

/* In place of a plan that never came: nothing, and an error that says why. */
static const struct macro_plan *failed_plan(struct coordination *c, size_t part, const char *why)
{
	struct macro_plan *plan = cell_arena_calloc(&c->arena, 1, sizeof *plan);
	struct macro_diagnostic *diagnostics = NULL;

	if (!plan)
		return NULL;
	(void)plan_diagnose(&c->arena, &diagnostics, &plan->n_diagnostics,
			    MACRO_DIAGNOSTIC_SEVERITY_ERROR, c->parts[part].namespaces[0],
			    first_attribute(c, part), "%s", why);
	plan->diagnostics = diagnostics;
	return plan;
}

static int take_plan(struct cell_call *call, struct coordination *c, size_t part, int status,
		     const struct macro_plan *plan)
{
	struct plan_part *of = &c->parts[part];
	struct cell_error err = { 0 };

	if (status < 0) {
		of->plan = failed_plan(c, part, coordinate_failure(&c->arena, of->cell,
								   COORDINATE_CALL_MS, status,
								   cell_error(call)->text));
		return of->plan ? 0 : no_memory(call);
	}
	of->plan = message_copy(&c->arena, &macro_plan_type, plan);
	if (of->plan && plan_check(c->request, of, &err) < 0)
		of->plan = failed_plan(c, part, err.text);
	return of->plan ? 0 : no_memory(call);
}

/*
 * Who has just died under somebody else's declaration starts again; cellcore may take a moment
 * to see it, and hands out connections to the dead one until then.
 */
static int plan_again(struct cell_call *call, const struct coordination *c, size_t part,
		      struct macro_plan *plan)
{
	int r = cell_sleep_ms(call, COORDINATE_AGAIN_MS);

	return r < 0 ? r
		     : macro_provider_plan_expansion(
			       coordinate_to(call, c->state[part].provider, COORDINATE_CALL_MS),
			       c->state[part].request, plan);
}

static int ask_plans(struct cell_call *call, struct coordination *c)
{
	struct macro_provider_plan_expansion_future futures[PLAN_PARTS_MAX];
	struct macro_plan plan;
	int r = 0, status;

	for (size_t i = 0; i < c->n_parts; i++)
		if (!c->state[i].provider->builtin)
			futures[i] = macro_provider_plan_expansion_start(
				coordinate_to(call, c->state[i].provider, COORDINATE_CALL_MS),
				c->state[i].request);
	for (size_t i = 0; i < c->n_parts; i++) {
		const struct provider *provider = c->state[i].provider;

		/* All are waited for, whatever the first one did. */
		status = provider->builtin
				 ? cell_macro_plan(cell_within_ms(call, COORDINATE_CALL_MS),
						   provider->builtin, provider->self,
						   c->state[i].request, &plan)
				 : macro_provider_plan_expansion_wait(&futures[i], &plan);
		if (status == CELL_UNAVAILABLE && !provider->builtin)
			status = plan_again(call, c, i, &plan);
		if (r == 0)
			r = take_plan(call, c, i, status, &plan);
	}
	return r;
}

int coordinate_plan(struct cell_call *call, struct coordination *c,
		    const struct macro_plan_request *request,
		    const struct cell_macro_provider *builtin, void *self)
{
	int r = request_check(request, cell_error_slot(call));

	if (r < 0)
		return r;
	c->request = message_copy(&c->arena, &macro_plan_request_type, request);
	if (!c->request)
		return no_memory(call);
	r = providers_discover(call, &c->arena, builtin, self, &c->providers);
	if (r == 0)
		r = find_parts(call, c);
	if (r == 0)
		r = ask_plans(call, c);
	if (r < 0)
		return r;
	r = plan_merge(&c->arena, c->request, c->parts, c->n_parts, &c->world, &c->merged);
	return r < 0 ? no_memory(call) : 0;
}

/* --- one expansion ------------------------------------------------------------------------------ */

struct job {
	struct coordination *c;
	size_t part;
	struct cell_call *call; /* with its deadline */
};

/* Facts that PART wants and that others, who are done, have given. */
static int collect_facts(struct coordination *c, size_t part, struct macro_go *go)
{
	const struct macro_plan *plan = c->parts[part].plan;
	struct macro_fact *facts = cell_arena_calloc(&c->arena, plan->n_wants + 1, sizeof *facts);

	if (!facts)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_wants; i++) {
		const struct macro_generated_code *code;
		size_t from;

		if (plan_want(c->request, c->parts, c->n_parts, &c->merged, &c->world, part,
			      &plan->wants[i], &from) != PLAN_WANT_FACT)
			continue;
		code = c->state[from].code;
		for (size_t k = 0; code && k < code->n_facts; k++)
			if (strcmp(code->facts[k].key, plan->wants[i].key) == 0) {
				facts[go->n_facts] = code->facts[k];
				facts[go->n_facts++].ns = plan->wants[i].ns;
				break;
			}
	}
	go->facts = facts;
	return 0;
}

static void fail_part(const struct job *job, const char *why)
{
	struct coordination *c = job->c;
	struct coordination_part *state = &c->state[job->part];

	state->code = NULL;
	(void)plan_diagnose(&c->arena, &state->diagnostics, &state->n_diagnostics,
			    MACRO_DIAGNOSTIC_SEVERITY_ERROR, c->parts[job->part].namespaces[0],
			    first_attribute(c, job->part), "%s", why);
}

/* Whether the macro of ATTRIBUTE has announced ADDITION_ASM. */
static bool announces_asm(const struct job *job, uint32_t attribute)
{
	struct coordination *c = job->c;
	const struct provider *provider = c->state[job->part].provider;
	const char *name = plan_attribute_name(&c->arena, c->request, attribute);
	struct macro_macro_names names = { .n_names = 1, .names = &name };
	struct macro_macro_info info = { 0 };
	int r = provider->builtin
			? cell_macro_info(job->call, provider->builtin, &names, &info)
			: macro_provider_get_macro_info(cell_to(job->call, provider->cell, 0),
							&names, &info);

	return r == 0 && info.n_macros == 1 &&
	       info.macros[0].may & CELL_MACRO_BIT(MACRO_ADDITION_ASM);
}

static void check_code(const struct job *job)
{
	struct coordination *c = job->c;
	uint32_t asm_ok[ASM_MAX], attribute = 0;
	struct cell_error err = { 0 };
	enum code_verdict verdict;
	size_t n = 0;

	for (;;) {
		verdict = code_check(c->request, &c->parts[job->part], c->state[job->part].code,
				     asm_ok, n, &attribute, &err);
		if (verdict != CODE_NEEDS_ASM || n == ASM_MAX || !announces_asm(job, attribute))
			break;
		asm_ok[n++] = attribute;
	}
	if (verdict != CODE_FINE)
		fail_part(job, err.text);
}

static void take_code(const struct job *job, int status, const struct macro_generated_code *code)
{
	struct coordination *c = job->c;
	struct coordination_part *state = &c->state[job->part];

	if (status == 0) {
		state->code = message_copy(&c->arena, &macro_generated_code_type, code);
		if (state->code)
			check_code(job);
		else
			fail_part(job, "no memory for the expansion");
	} else {
		fail_part(job, coordinate_failure(&c->arena, state->provider->cell,
						  COORDINATE_CALL_MS, status,
						  cell_error(job->call)->text));
	}
}

static int on_query(void *userdata, const struct macro_query *query,
		    struct macro_query_result *ret_result)
{
	const struct job *job = userdata;

	broker_answer(job->call, job->c, job->part, query, ret_result);
	return 0;
}

static void expand_here(const struct job *job, const struct macro_go *go)
{
	const struct provider *provider = job->c->state[job->part].provider;
	struct macro_generated_code code;
	int r = cell_macro_expand(job->call, provider->builtin, provider->self, go, on_query,
				  (void *)(uintptr_t)job, &code);

	take_code(job, r, &code);
}

/* Over the stream: go, answers to what it asks, and its last word. */
static void expand_there(const struct job *job, const struct macro_go *go)
{
	const struct provider *provider = job->c->state[job->part].provider;
	struct macro_provider_coordinate_expansion_stream stream =
		macro_provider_coordinate_expansion_open(cell_to(job->call, provider->cell, 0));
	const struct macro_from_provider *item = NULL;
	bool is_done = false;
	int r;

	r = macro_provider_coordinate_expansion_send(&stream,
						     &(struct macro_to_provider){ .go = go });
	while (r == 0 && !is_done &&
	       (item = macro_provider_coordinate_expansion_recv(&stream))) {
		struct macro_query_result result;

		if (item->query) {
			broker_answer(job->call, job->c, job->part, item->query, &result);
			r = macro_provider_coordinate_expansion_send(
				&stream, &(struct macro_to_provider){ .result = &result });
		} else if (item->done) {
			take_code(job, 0, item->done);
			is_done = true;
		} else {
			break;
		}
	}
	r = macro_provider_coordinate_expansion_close(&stream);
	if (is_done)
		return;
	if (r == 0)
		fail_part(job, cell_arena_printf(&job->c->arena,
						 "cell '%s' answered what makes no sense: an expansion without an end",
						 provider->cell));
	else
		take_code(job, r, NULL);
}

/* The task of one expansion. */
static void run_part(struct cell_call *call, void *userdata)
{
	struct job job = *(const struct job *)userdata;
	struct coordination *c = job.c;
	struct coordination_part *state = &c->state[job.part];
	struct macro_go go = { .request = state->request };

	job.call = cell_within_ms(call, COORDINATE_CALL_MS);
	if (collect_facts(c, job.part, &go) < 0)
		fail_part(&job, "no memory for the expansion");
	else if (state->provider->builtin)
		expand_here(&job, &go);
	else
		expand_there(&job, &go);
	state->is_done = true;
	c->n_running--;
	event_raise(c->event);
	coordination_unref(c);
}

/* --- all of them ------------------------------------------------------------------------------------ */

static uint64_t parts_done(const struct coordination *c)
{
	uint64_t done = 0;

	for (size_t i = 0; i < c->n_parts; i++)
		if (c->state[i].is_done)
			done |= UINT64_C(1) << i;
	return done;
}

static bool has_failed(const struct coordination *c)
{
	for (size_t i = 0; i < c->n_parts; i++)
		if (c->state[i].is_done && !c->state[i].code)
			return true;
	return false;
}

/* Start who needs nobody any more. */
static int start_ready(struct cell_call *call, struct coordination *c)
{
	uint64_t done = parts_done(c);

	for (size_t k = 0; k < c->n_parts; k++) {
		size_t i = c->merged.order[k];
		struct job *job;
		int r;

		if (c->state[i].is_started || c->merged.needs[i] & ~done)
			continue;
		job = cell_arena_calloc(&c->arena, 1, sizeof *job);
		if (!job)
			return no_memory(call);
		*job = (struct job){ .c = coordination_ref(c), .part = i };
		r = cell_spawn_task(call, run_part, job);
		if (r < 0) {
			coordination_unref(c);
			return cell_refuse(call, r, "no task for the expansion of '%s'",
					   c->parts[i].cell);
		}
		c->state[i].is_started = true;
		c->n_running++;
	}
	return 0;
}

static int run_all(struct cell_call *call, struct coordination *c)
{
	int r = 0;

	c->event = event_open();
	if (c->event < 0)
		return cell_refuse(call, c->event, "an event for the expansion");
	for (;;) {
		/* After a failure nobody new starts; who runs is waited for. */
		if (r == 0 && !has_failed(c))
			r = start_ready(call, c);
		if (c->n_running == 0)
			return r;
		if (r == 0)
			r = cell_wait_readable(call, c->event);
		else
			return r;
		event_clear(c->event);
	}
}

static const struct macro_generated_code nothing = { .rename = "" };

/* What the macro cell itself has to say: of each part, and with --strict of loops. */
static int add_own(struct cell_call *call, struct coordination *c,
		   struct macro_generated_code *code)
{
	struct macro_diagnostic *all;
	size_t n = code->n_diagnostics;

	for (size_t i = 0; i < c->n_parts; i++)
		n += c->state[i].n_diagnostics;
	n += c->merged.plan.n_diagnostics;
	all = cell_arena_calloc(&c->arena, n + 1, sizeof *all);
	if (!all)
		return no_memory(call);
	n = 0;
	for (size_t i = 0; i < c->n_parts; i++)
		for (size_t k = 0; k < c->state[i].n_diagnostics; k++)
			all[n++] = c->state[i].diagnostics[k];
	for (size_t i = 0; c->is_strict && i < c->merged.n_loops; i++) {
		all[n] = c->merged.plan.diagnostics[c->merged.loops[i]];
		all[n++].severity = MACRO_DIAGNOSTIC_SEVERITY_ERROR;
	}
	if (code->n_diagnostics)
		memcpy(all + n, code->diagnostics, code->n_diagnostics * sizeof *all);
	code->n_diagnostics += n;
	code->diagnostics = all;
	for (size_t i = 0; i < c->n_parts; i++)
		code->degraded = code->degraded || c->state[i].is_degraded;
	return 0;
}

static bool has_error(const struct macro_generated_code *code)
{
	for (size_t i = 0; i < code->n_diagnostics; i++)
		if (code->diagnostics[i].severity == MACRO_DIAGNOSTIC_SEVERITY_ERROR)
			return true;
	return false;
}

/* Diagnostics alone: no text beside an error. */
static void drop_text(struct macro_generated_code *code)
{
	struct macro_generated_code only = nothing;

	only.diagnostics = code->diagnostics;
	only.n_diagnostics = code->n_diagnostics;
	*code = only;
}

int coordinate_expand(struct cell_call *call, struct coordination *c,
		      struct macro_generated_code *ret_code)
{
	const struct macro_generated_code *codes[PLAN_PARTS_MAX];
	int r;

	*ret_code = nothing;
	if (c->merged.n_errors) {
		ret_code->diagnostics = c->merged.plan.diagnostics;
		ret_code->n_diagnostics = c->merged.plan.n_diagnostics;
		return 0;
	}
	r = run_all(call, c);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n_parts; i++)
		codes[i] = c->state[i].code ? c->state[i].code : &nothing;
	if (!has_failed(c))
		r = code_merge(&c->arena, c->request, c->parts, c->n_parts, &c->merged, codes,
			       ret_code, cell_error_slot(call));
	if (r == 0)
		r = add_own(call, c, ret_code);
	if (r == 0 && (has_failed(c) || has_error(ret_code)))
		drop_text(ret_code);
	return r == -ENOMEM ? no_memory(call) : r;
}

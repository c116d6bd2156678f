#include "broker.h"

#include <cell/cell.h>
#include <string.h>

/* A question that led to others, with what has been found out for it. */
struct asked {
	const char *ns;
	const char *key;
	struct macro_fact facts[COORDINATE_HOPS_MAX];
	size_t n_facts;
};

/* Ask the provider of QUESTION itself. */
static int ask_once(struct cell_call *call, const struct coordination *c,
		    const struct asked *question, uint32_t hops, struct macro_query_result *ret)
{
	struct macro_query query = { .ns = question->ns, .key = question->key, .hops = hops,
				     .facts = question->facts, .n_facts = question->n_facts };
	const struct provider *provider;
	struct cell_error err = { 0 };
	int r;

	*ret = (struct macro_query_result){ .outcome = MACRO_QUERY_RESULT_OUTCOME_OFFLINE };
	if (plan_list_has(c->request->features_off, c->request->n_features_off, question->ns)) {
		ret->outcome = MACRO_QUERY_RESULT_OUTCOME_FEATURE_OFF;
		return 0;
	}
	if (providers_find(&c->providers, question->ns, &provider, &err) < 0)
		return 0;
	if (provider->builtin) {
		ret->outcome = MACRO_QUERY_RESULT_OUTCOME_UNKNOWN;
		return provider->builtin->query
			       ? provider->builtin->query(call, provider->self, &query, ret)
			       : 0;
	}
	r = macro_provider_query_other_cell(cell_to(call, provider->cell, 0), &query, ret);
	if (r == CELL_DEADLINE_EXCEEDED)
		ret->outcome = MACRO_QUERY_RESULT_OUTCOME_TIMEOUT;
	else if (r == CELL_UNAVAILABLE)
		ret->outcome = MACRO_QUERY_RESULT_OUTCOME_OFFLINE;
	else if (r < 0 || (unsigned)ret->outcome > MACRO_QUERY_RESULT_OUTCOME_HOPS)
		ret->outcome = MACRO_QUERY_RESULT_OUTCOME_UNKNOWN;
	return 0;
}

static bool is_asked_already(const struct asked *chain, size_t n, const struct macro_query *query)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(chain[i].ns, query->ns) == 0 && strcmp(chain[i].key, query->key) == 0)
			return true;
	return false;
}

/* Follow "ask this first" until the first question has its answer, or one has none. */
static void ask_chain(struct cell_call *call, const struct coordination *c,
		      const struct macro_query *query, struct macro_query_result *ret)
{
	struct asked chain[COORDINATE_HOPS_MAX + 1] = { { .ns = query->ns, .key = query->key } };
	struct asked *asked;
	uint32_t hops = 0;
	size_t n = 1;

	for (;;) {
		if (ask_once(call, c, &chain[n - 1], hops, ret) < 0) {
			ret->outcome = MACRO_QUERY_RESULT_OUTCOME_UNKNOWN;
			return;
		}
		if (ret->first) {
			if (is_asked_already(chain, n, ret->first)) {
				ret->outcome = MACRO_QUERY_RESULT_OUTCOME_CYCLE;
				return;
			}
			if (++hops > COORDINATE_HOPS_MAX || n > COORDINATE_HOPS_MAX) {
				ret->outcome = MACRO_QUERY_RESULT_OUTCOME_HOPS;
				return;
			}
			chain[n++] = (struct asked){ .ns = ret->first->ns,
						     .key = ret->first->key };
			continue;
		}
		if (ret->outcome != MACRO_QUERY_RESULT_OUTCOME_VALUE || n == 1)
			return;
		n--;
		asked = &chain[n - 1];
		asked->facts[asked->n_facts++] =
			(struct macro_fact){ .ns = chain[n].ns, .key = chain[n].key,
					     .value = ret->value, .n_value = ret->n_value };
	}
}

static const char *reason(enum macro_query_result_outcome outcome)
{
	switch (outcome) {
	case MACRO_QUERY_RESULT_OUTCOME_TIMEOUT: return "which did not answer in time";
	case MACRO_QUERY_RESULT_OUTCOME_OFFLINE: return "which does not run";
	case MACRO_QUERY_RESULT_OUTCOME_HOPS: return "where one question led to too many others";
	case MACRO_QUERY_RESULT_OUTCOME_CYCLE: return "which needs this first";
	case MACRO_QUERY_RESULT_OUTCOME_FEATURE_OFF: return "which is switched off";
	case MACRO_QUERY_RESULT_OUTCOME_UNKNOWN: return "which does not know it";
	case MACRO_QUERY_RESULT_OUTCOME_VALUE:
	case MACRO_QUERY_RESULT_OUTCOME_UNDECLARED: break;
	}
	return "which gave no answer";
}

/* Not every missing answer is news: what was switched off, or is not known, is an answer. */
static bool is_news(enum macro_query_result_outcome outcome)
{
	return outcome == MACRO_QUERY_RESULT_OUTCOME_TIMEOUT ||
	       outcome == MACRO_QUERY_RESULT_OUTCOME_OFFLINE ||
	       outcome == MACRO_QUERY_RESULT_OUTCOME_HOPS ||
	       outcome == MACRO_QUERY_RESULT_OUTCOME_CYCLE;
}

static void say_missing(struct coordination *c, size_t part, const struct macro_want *want,
			enum macro_query_result_outcome outcome, bool was_planned)
{
	struct coordination_part *state = &c->state[part];
	bool is_error = !want->optional || (c->is_strict && is_news(outcome));

	if (outcome == MACRO_QUERY_RESULT_OUTCOME_TIMEOUT ||
	    outcome == MACRO_QUERY_RESULT_OUTCOME_OFFLINE)
		state->is_degraded = true;
	/* The plan has told of its loops already. */
	if (!is_error && (!is_news(outcome) || was_planned))
		return;
	(void)plan_diagnose(&c->arena, &state->diagnostics, &state->n_diagnostics,
			    is_error ? MACRO_DIAGNOSTIC_SEVERITY_ERROR
				     : MACRO_DIAGNOSTIC_SEVERITY_WARNING,
			    c->parts[part].namespaces[0], want->attribute,
			    want->optional ? "expanded without '%s' of '%s', %s" : "needs '%s' of '%s', %s",
			    want->key, want->ns, reason(outcome));
}

static const struct macro_want *find_want(const struct macro_plan *plan,
					  const struct macro_query *query)
{
	for (size_t i = 0; i < plan->n_wants; i++)
		if (strcmp(plan->wants[i].ns, query->ns) == 0 &&
		    strcmp(plan->wants[i].key, query->key) == 0)
			return &plan->wants[i];
	return NULL;
}

void broker_answer(struct cell_call *call, struct coordination *c, size_t part,
		   const struct macro_query *query, struct macro_query_result *ret_result)
{
	const struct macro_want *want = find_want(c->parts[part].plan, query);
	size_t from;

	*ret_result = (struct macro_query_result){
		.outcome = MACRO_QUERY_RESULT_OUTCOME_UNDECLARED };
	if (!want)
		return;
	switch (plan_want(c->request, c->parts, c->n_parts, &c->merged, &c->world, part, want,
			  &from)) {
	case PLAN_WANT_OFF: ret_result->outcome = MACRO_QUERY_RESULT_OUTCOME_FEATURE_OFF; break;
	case PLAN_WANT_CUT: ret_result->outcome = MACRO_QUERY_RESULT_OUTCOME_CYCLE; break;
	case PLAN_WANT_NOBODY: ret_result->outcome = MACRO_QUERY_RESULT_OUTCOME_OFFLINE; break;
	/* It was in Go already; who asks all the same may have it from its source. */
	case PLAN_WANT_FACT:
	case PLAN_WANT_ASK:
		ask_chain(cell_within_ms(call, cell_call_left_ns(call) / 2 / 1000000), c, query,
			  ret_result);
		break;
	}
	ret_result->first = NULL;
	if (ret_result->outcome != MACRO_QUERY_RESULT_OUTCOME_VALUE)
		say_missing(c, part, want, ret_result->outcome,
			    c->merged.cut[part] != 0 &&
				    ret_result->outcome == MACRO_QUERY_RESULT_OUTCOME_CYCLE);
}

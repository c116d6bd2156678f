/* Who comes before whom: providers by what they need, wrappers by phase. */
#include "plan_internal.h"

#include <stdio.h>
#include <string.h>

#define BIT(n) (UINT64_C(1) << (n))

/* --- providers ------------------------------------------------------------------------------ */

/* Bit J of each: part J is to be done before, for a fact that it promises. */
static void find_edges(const struct merge *m, uint64_t edges[static PLAN_PARTS_MAX])
{
	for (size_t p = 0; p < m->n_parts; p++) {
		const struct macro_plan *plan = m->parts[p].plan;

		edges[p] = 0;
		for (size_t i = 0; i < plan->n_wants; i++) {
			const struct macro_want *want = &plan->wants[i];
			size_t from = plan_part_of(m->parts, m->n_parts, want->ns);

			if (from < m->n_parts && from != p &&
			    plan_list_has(m->parts[from].plan->provides,
					  m->parts[from].plan->n_provides, want->key))
				edges[p] |= BIT(from);
		}
	}
}

/* Warshall's closure, a row of bits at a time. */
static void find_reach(const uint64_t *edges, size_t n, uint64_t reach[static PLAN_PARTS_MAX])
{
	memcpy(reach, edges, n * sizeof *reach);
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < n; i++)
			if (reach[i] & BIT(k))
				reach[i] |= reach[k];
}

/* The shortest way from START back to itself, through MEMBERS only: "a needs b needs a". */
static void loop_print(const struct merge *m, const uint64_t *edges, uint64_t members,
		       size_t start, char *out, size_t size)
{
	size_t came_from[PLAN_PARTS_MAX], queue[PLAN_PARTS_MAX], head = 0, tail = 0;
	size_t path[PLAN_PARTS_MAX], n = 0, at = start;
	uint64_t seen = 0;
	size_t len = 0;

	/* Breadth first over edges turned round: who needs START, and so on, until START does. */
	queue[tail++] = start;
	while (head < tail) {
		size_t to = queue[head++];

		for (size_t p = 0; p < m->n_parts; p++)
			if (members & BIT(p) && edges[p] & BIT(to) && !(seen & BIT(p))) {
				seen |= BIT(p);
				came_from[p] = to;
				if (p == start)
					break;
				queue[tail++] = p;
			}
		if (seen & BIT(start))
			break;
	}
	do {
		path[n++] = at;
		at = came_from[at];
	} while (at != start && n < PLAN_PARTS_MAX);
	path[n < PLAN_PARTS_MAX ? n++ : n - 1] = start;
	out[0] = '\0';
	for (size_t i = 0; i < n && len < size; i++) {
		int more = snprintf(out + len, size - len, "%s'%s'", i ? " needs " : "",
				    m->parts[path[i]].namespaces[0]);

		len += more > 0 ? (size_t)more : 0;
	}
}

/* The first want of PART that is cut: there the warning stands. */
static uint32_t cut_attribute(const struct merge *m, size_t part, uint64_t members)
{
	const struct macro_plan *plan = m->parts[part].plan;

	for (size_t i = 0; i < plan->n_wants; i++) {
		size_t from = plan_part_of(m->parts, m->n_parts, plan->wants[i].ns);

		if (from < m->n_parts && members & BIT(from))
			return plan->wants[i].attribute;
	}
	return 0;
}

static void warn_of_loop(struct merge *m, const uint64_t *edges, uint64_t members, size_t start)
{
	char loop[512];

	loop_print(m, edges, members, start, loop, sizeof loop);
	if (!plan_diagnose(m->arena, &m->diagnostics, &m->n_diagnostics,
			   MACRO_DIAGNOSTIC_SEVERITY_WARNING, m->parts[start].namespaces[0],
			   cut_attribute(m, start, members),
			   "a loop: %s; each is expanded without the other", loop))
		m->is_out_of_memory = true;
	else
		m->merged->loops[m->merged->n_loops++] = m->n_diagnostics - 1;
}

/* Every need within a strongly connected set is cut: nobody in it waits for another. */
static void cut_loops(struct merge *m, uint64_t edges[static PLAN_PARTS_MAX])
{
	uint64_t reach[PLAN_PARTS_MAX], told = 0;

	find_reach(edges, m->n_parts, reach);
	for (size_t p = 0; p < m->n_parts; p++) {
		uint64_t members = 0;

		for (size_t q = 0; q < m->n_parts; q++)
			if (reach[p] & BIT(q) && reach[q] & BIT(p))
				members |= BIT(q);
		if (!(members & BIT(p)))
			continue;
		if (!(told & BIT(p)))
			warn_of_loop(m, edges, members, p);
		told |= members;
		m->merged->cut[p] = edges[p] & members;
	}
	for (size_t p = 0; p < m->n_parts; p++)
		m->merged->needs[p] = edges[p] & ~m->merged->cut[p];
}

void plan_order_parts(struct merge *m)
{
	uint64_t edges[PLAN_PARTS_MAX], done = 0;
	size_t n = 0;

	find_edges(m, edges);
	cut_loops(m, edges);
	/* Without loops there is always one that can go next: the first by name. */
	while (n < m->n_parts)
		for (size_t p = 0; p < m->n_parts; p++)
			if (!(done & BIT(p)) && !(m->merged->needs[p] & ~done)) {
				m->merged->order[n++] = p;
				done |= BIT(p);
				break;
			}
}

/* --- wrappers ---------------------------------------------------------------------------------- */

static const char *ns_of(const struct merge *m, const struct plan_wrap *wrap)
{
	const struct macro_attribute *attribute = plan_attribute(m->request, wrap->wrap->attribute);

	return attribute ? attribute->ns : m->parts[wrap->part].namespaces[0];
}

/* Whether one of the two says that A is further outside than B. */
static bool says_outside(const struct merge *m, const struct plan_wrap *a, const struct plan_wrap *b)
{
	return plan_list_has(a->wrap->before, a->wrap->n_before, ns_of(m, b)) ||
	       plan_list_has(b->wrap->after, b->wrap->n_after, ns_of(m, a));
}

static bool project_says(const struct merge *m, const struct plan_wrap *a, const struct plan_wrap *b)
{
	const char *const *order = m->request->order;
	size_t n = m->request->n_order, i = 0, k = 0;

	while (i < n && strcmp(order[i], ns_of(m, a)) != 0)
		i++;
	while (k < n && strcmp(order[k], ns_of(m, b)) != 0)
		k++;
	return i < n && k < n && i < k;
}

static void refuse_order(struct merge *m, const struct plan_wrap *a, const struct plan_wrap *b,
			 const char *why)
{
	struct macro_diagnostic *said;

	said = plan_error(m, b->wrap->attribute,
			  cell_arena_printf(m->arena, "%s and %s both wrap '%s' in phase %u%s",
					    plan_attribute_name(m->arena, m->request, a->wrap->attribute),
					    plan_attribute_name(m->arena, m->request, b->wrap->attribute),
					    m->request->declaration->name, a->wrap->phase, why));
	if (a->wrap->phase != MACRO_PHASE_ENTRY)
		plan_note(m->arena, said,
			  cell_arena_printf(m->arena, "say which is outside: order = %s %s in .cell/project",
					    ns_of(m, a), ns_of(m, b)));
}

/* Put WRAPS, N of one phase, in order from AT on. False if they have none. */
static bool order_phase(struct merge *m, struct plan_wrap *wraps, size_t n)
{
	for (size_t at = 0; at < n; at++) {
		size_t outer = n, other = n;

		for (size_t i = at; i < n; i++) {
			bool is_first = true;

			for (size_t k = at; k < n && is_first; k++)
				is_first = k == i || !says_outside(m, &wraps[k], &wraps[i]);
			if (!is_first)
				continue;
			if (outer == n || project_says(m, &wraps[i], &wraps[outer])) {
				other = outer;
				outer = i;
			} else {
				other = i;
			}
			if (other < n && !project_says(m, &wraps[outer], &wraps[other])) {
				refuse_order(m, &wraps[outer], &wraps[other],
					     ", and nothing says in which order");
				return false;
			}
		}
		if (outer == n) {
			refuse_order(m, &wraps[at], &wraps[at + 1], ", each outside of the other");
			return false;
		}
		struct plan_wrap chosen = wraps[outer];

		memmove(&wraps[at + 1], &wraps[at], (outer - at) * sizeof *wraps);
		wraps[at] = chosen;
	}
	return true;
}

static struct plan_wrap *collect(struct merge *m, size_t *ret_n)
{
	struct plan_wrap *wraps = NULL;
	size_t n = 0;

	for (size_t p = 0; p < m->n_parts; p++)
		n += m->parts[p].plan->n_wraps;
	wraps = cell_arena_calloc(m->arena, n + 1, sizeof *wraps);
	*ret_n = 0;
	if (!wraps) {
		m->is_out_of_memory = true;
		return NULL;
	}
	for (size_t p = 0; p < m->n_parts; p++)
		for (size_t i = 0; i < m->parts[p].plan->n_wraps; i++) {
			struct plan_wrap wrap = { p, &m->parts[p].plan->wraps[i] };
			size_t at = (*ret_n)++;

			/* By phase; within one, parts stay in their order for now. */
			for (; at > 0 && wraps[at - 1].wrap->phase > wrap.wrap->phase; at--)
				wraps[at] = wraps[at - 1];
			wraps[at] = wrap;
		}
	return wraps;
}

void plan_order_wraps(struct merge *m)
{
	enum macro_place place = m->request->declaration->place;
	struct plan_wrap *wraps = collect(m, &m->merged->n_wraps);
	size_t n = m->merged->n_wraps;

	m->merged->wraps = wraps;
	if (n && place != MACRO_PLACE_FUNCTION &&
	    !(place == MACRO_PLACE_PROTOTYPE && m->merged->plan.body)) {
		(void)plan_error(m, wraps[0].wrap->attribute,
				 "would wrap what has no body: nothing runs here");
		return;
	}
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && wraps[end].wrap->phase == wraps[i].wrap->phase;)
			end++;
		if (end - i > 1 && wraps[i].wrap->phase == MACRO_PHASE_ENTRY) {
			refuse_order(m, &wraps[i], &wraps[i + 1], ", which has one entry");
			return;
		}
		if (end - i > 1 && !order_phase(m, wraps + i, end - i))
			return;
	}
}

#include "traces.h"

#include <stdlib.h>
#include <string.h>

struct traces {
	struct span *spans; /* a ring */
	size_t max, n, next;
};

struct traces *traces_new(size_t max)
{
	struct traces *traces = calloc(1, sizeof *traces);

	if (!traces)
		return NULL;
	traces->max = max;
	traces->spans = calloc(max, sizeof *traces->spans);
	if (traces->spans)
		return traces;
	free(traces);
	return NULL;
}

void traces_free(struct traces *traces)
{
	if (!traces)
		return;
	free(traces->spans);
	free(traces);
}

void traces_take(struct traces *traces, const struct span *span)
{
	traces->spans[traces->next] = *span;
	traces->next = (traces->next + 1) % traces->max;
	if (traces->n < traces->max)
		traces->n++;
}

size_t traces_kept(const struct traces *traces)
{
	return traces->n;
}

/* The I-th newest. */
static const struct span *span_at(const struct traces *traces, size_t i)
{
	return &traces->spans[(traces->next + traces->max - 1 - i) % traces->max];
}

static bool is_of(const struct span *span, const uint8_t id[TRACE_ID_SIZE])
{
	return memcmp(span->trace_id, id, TRACE_ID_SIZE) == 0;
}

/* ---- listing --------------------------------------------------------------------------- */

static struct trace_summary summarize(const struct traces *traces,
				      const uint8_t id[TRACE_ID_SIZE], const char *cell,
				      bool *ret_has_cell)
{
	struct trace_summary summary = { .n_spans = 0 };
	uint64_t end_ns = 0;

	*ret_has_cell = !*cell;
	memcpy(summary.trace_id, id, TRACE_ID_SIZE);
	for (size_t i = 0; i < traces->n; i++) {
		const struct span *span = span_at(traces, i);

		if (!is_of(span, id))
			continue;
		summary.n_spans++;
		summary.n_failed += span->status != 0;
		*ret_has_cell |= strcmp(span->cell, cell) == 0;
		if (!summary.first || span->start_ns < summary.first->start_ns ||
		    (span->start_ns == summary.first->start_ns && !span->has_parent))
			summary.first = span;
		if (span->start_ns + span->duration_ns > end_ns)
			end_ns = span->start_ns + span->duration_ns;
	}
	summary.start_ns = summary.first->start_ns;
	summary.duration_ns = end_ns > summary.start_ns ? end_ns - summary.start_ns : 0;
	return summary;
}

/* A small set of the ids seen: open addressing, by the bytes of the id, which are random. */
struct seen {
	const uint8_t **slots;
	size_t size;
};

static bool seen_add(struct seen *seen, const uint8_t *id)
{
	size_t slot;

	memcpy(&slot, id, sizeof slot);
	for (slot %= seen->size; seen->slots[slot]; slot = (slot + 1) % seen->size)
		if (memcmp(seen->slots[slot], id, TRACE_ID_SIZE) == 0)
			return false;
	seen->slots[slot] = id;
	return true;
}

size_t traces_list(const struct traces *traces, const char *cell, bool only_failed,
		   struct trace_summary *ret, size_t max)
{
	struct seen seen = { .size = 2 * traces->n + 1 };
	size_t n = 0;

	seen.slots = calloc(seen.size, sizeof(*seen.slots));
	for (size_t i = 0; seen.slots && i < traces->n && n < max; i++) {
		const struct span *span = span_at(traces, i);
		bool has_cell;

		if (!seen_add(&seen, span->trace_id))
			continue;
		ret[n] = summarize(traces, span->trace_id, cell, &has_cell);
		if (has_cell && (!only_failed || ret[n].n_failed))
			n++;
	}
	free(seen.slots);
	return n;
}

/* ---- one trace ------------------------------------------------------------------------- */

static int digit_of(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static bool begins_with(const uint8_t id[TRACE_ID_SIZE], const char *digits, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (digit_of(digits[i]) != (i % 2 ? id[i / 2] & 15 : id[i / 2] >> 4))
			return false;
	return true;
}

enum trace_found traces_find(const struct traces *traces, const char *digits,
			     uint8_t ret_id[TRACE_ID_SIZE])
{
	size_t n = strlen(digits);
	const struct span *found = NULL;

	for (size_t i = 0; n <= 2 * TRACE_ID_SIZE && i < traces->n; i++) {
		const struct span *span = span_at(traces, i);

		if (!begins_with(span->trace_id, digits, n))
			continue;
		if (found && !is_of(found, span->trace_id))
			return TRACE_AMBIGUOUS;
		found = span;
		if (!n)
			break;
	}
	if (!found)
		return TRACE_ABSENT;
	memcpy(ret_id, found->trace_id, TRACE_ID_SIZE);
	return TRACE_FOUND;
}

static int by_start(const void *left, const void *right)
{
	const struct span *a = *(const struct span *const *)left;
	const struct span *b = *(const struct span *const *)right;

	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	/* Of one clock tick: what has no parent first, then the longer one. */
	if (a->has_parent != b->has_parent)
		return a->has_parent ? 1 : -1;
	return (a->duration_ns < b->duration_ns) - (a->duration_ns > b->duration_ns);
}

static bool is_parent(const struct span *parent, const struct span *child)
{
	return child->has_parent && parent != child &&
	       memcmp(parent->span_id, child->parent_id, SPAN_ID_SIZE) == 0;
}

static bool has_parent_among(const struct span *const *spans, size_t n, const struct span *child)
{
	for (size_t i = 0; i < n; i++)
		if (spans[i] && is_parent(spans[i], child))
			return true;
	return false;
}

size_t traces_tree(const struct traces *traces, const uint8_t id[TRACE_ID_SIZE],
		   struct placed_span *ret)
{
	const struct span **spans = calloc(TRACE_SPANS_MAX, sizeof(*spans));
	size_t n = 0, placed = 0;

	for (size_t i = 0; spans && i < traces->n && n < TRACE_SPANS_MAX; i++)
		if (is_of(span_at(traces, i), id))
			spans[n++] = span_at(traces, i);
	if (n)
		qsort(spans, n, sizeof(*spans), by_start);

	while (placed < n) {
		const struct placed_span *parent = placed ? &ret[placed - 1] : NULL;
		size_t i = n;

		/* The first child of the one placed last, else of the one before it in depth. */
		for (size_t p = placed; i == n && p-- > 0;) {
			if (ret[p].depth >= parent->depth && &ret[p] != parent)
				continue;
			parent = &ret[p];
			for (i = 0; i < n && !(spans[i] && is_parent(parent->span, spans[i])); i++)
				;
		}
		if (i < n) {
			ret[placed].depth = parent->depth + 1;
		} else {
			/* A root; of a circle, the one that began first. */
			for (i = 0; i < n && !(spans[i] && !has_parent_among(spans, n, spans[i])); i++)
				;
			for (size_t j = 0; i == n && j < n; j++)
				if (spans[j])
					i = j;
			ret[placed].depth = 0;
		}
		ret[placed++].span = spans[i];
		spans[i] = NULL;
	}
	free(spans);
	return n;
}

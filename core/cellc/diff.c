#include "diff.h"

#include "writer.h"

#include <string.h>

#define CONTEXT 3
/* Beyond this many pairs of lines the middle is shown as replaced. */
#define PAIRS_MAX (4u * 1024 * 1024)

struct side {
	const char **lines;
	size_t n;
};

/* One line of the result. */
struct edit {
	char sign; /* ' ', '-', '+' */
	const char *line;
};

struct script {
	struct cell_arena *arena;
	struct edit *edits;
	size_t n;
};

static struct side split(const char *text, struct cell_arena *arena)
{
	struct side side = { NULL, 0 };
	char *copy = must(cell_arena_strdup(arena, text));

	while (*copy) {
		char *end = strchr(copy, '\n');

		*must_add(arena, side.lines, side.n) = copy;
		if (!end)
			break;
		*end = 0;
		copy = end + 1;
	}
	return side;
}

static void add(struct script *script, char sign, const char *line)
{
	*must_add(script->arena, script->edits, script->n) = (struct edit){ sign, line };
}

/* The longest common subsequence, by the table that everyone knows. */
static void compare(struct script *script, struct side a, struct side b)
{
	uint32_t *table;
	size_t width = b.n + 1, i = 0, k = 0;

	if ((uint64_t)a.n * b.n > PAIRS_MAX) {
		for (i = 0; i < a.n; i++)
			add(script, '-', a.lines[i]);
		for (k = 0; k < b.n; k++)
			add(script, '+', b.lines[k]);
		return;
	}
	table = must(cell_arena_calloc(script->arena, (a.n + 1) * width, sizeof *table));
	for (i = a.n; i-- > 0;)
		for (k = b.n; k-- > 0;) {
			uint32_t down = table[(i + 1) * width + k],
				 right = table[i * width + k + 1];

			if (strcmp(a.lines[i], b.lines[k]) == 0)
				table[i * width + k] = table[(i + 1) * width + k + 1] + 1;
			else
				table[i * width + k] = down > right ? down : right;
		}
	for (i = k = 0; i < a.n || k < b.n;) {
		if (i < a.n && k < b.n && strcmp(a.lines[i], b.lines[k]) == 0) {
			add(script, ' ', a.lines[i++]);
			k++;
		} else if (k == b.n || (i < a.n && table[(i + 1) * width + k] >=
							   table[i * width + k + 1])) {
			add(script, '-', a.lines[i++]);
		} else {
			add(script, '+', b.lines[k++]);
		}
	}
}

static void put_hunk(struct writer *out, const struct script *script, size_t from, size_t to,
		     size_t at_old, size_t at_new)
{
	size_t n_old = 0, n_new = 0;

	for (size_t i = from; i < to; i++) {
		n_old += script->edits[i].sign != '+';
		n_new += script->edits[i].sign != '-';
	}
	writer_put(out, "@@ -%zu,%zu +%zu,%zu @@\n", n_old ? at_old + 1 : at_old, n_old,
		   n_new ? at_new + 1 : at_new, n_new);
	for (size_t i = from; i < to; i++)
		writer_put(out, "%c%s\n", script->edits[i].sign, script->edits[i].line);
}

static void put_hunks(struct writer *out, const struct script *script)
{
	size_t at_old = 0, at_new = 0, done = 0;

	for (size_t i = 0; i < script->n;) {
		size_t from, to, last;

		if (script->edits[i].sign == ' ') {
			i++;
			continue;
		}
		from = i > CONTEXT ? i - CONTEXT : 0;
		last = i;
		for (to = i; to < script->n && to - last <= 2 * CONTEXT; to++)
			if (script->edits[to].sign != ' ')
				last = to;
		to = last + 1 + CONTEXT < script->n ? last + 1 + CONTEXT : script->n;
		for (; done < from; done++) {
			at_old += script->edits[done].sign != '+';
			at_new += script->edits[done].sign != '-';
		}
		put_hunk(out, script, from, to, at_old, at_new);
		i = to;
	}
}

const char *diff_unified(const char *name, const char *old, const char *new,
			 struct cell_arena *arena)
{
	struct writer out = writer_new(arena);
	struct script script = { .arena = arena };

	if (old && new &&strcmp(old, new) == 0)
		return "";
	writer_put(&out, "--- %s%s\n+++ %s%s\n", old ? "a/" : "", old ? name : "/dev/null",
		   new ? "b/" : "", new ? name : "/dev/null");
	compare(&script, split(old ? old : "", arena), split(new ? new : "", arena));
	put_hunks(&out, &script);
	return out.text;
}

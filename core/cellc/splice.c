#include "splice.h"

#include "lex.h"
#include "vector.h"

#include <errno.h>
#include <stdio.h>

/* Something to be put before a byte of the text. */
struct event {
	size_t at;
	size_t skip; /* bytes of the text that it replaces */
	unsigned order;
	size_t index; /* equal ones stay in order */
	enum event_kind {
		EVENT_INSERT,
		EVENT_RENAME,
		EVENT_NAME_KEPT, /* __func__ is from here on */
		EVENT_NAME_FREED,
		EVENT_NAME, /* __func__ itself, where macros are expanded */
	} kind;
	const void *what; /* struct insertion or renaming */
};

struct splicer {
	const struct unit *unit;
	struct cell_arena *arena;
	struct lines lines;
	char *blanked; /* the text, attributes overwritten */
	VECTOR(struct event) events;
	VECTOR(struct splice_copy) copies;
	char *out;
	size_t len, room;
};

/* --- blanking -----------------------------------------------------------------------------
 */

/* Line ends stay, and so do what continues lines and lines of directives in between. */
static void blank(struct splicer *splicer, size_t start, size_t end)
{
	const char *text = splicer->unit->text;
	bool is_directive = false, is_first = false;

	for (size_t i = start; i < end; i++) {
		if (text[i] == '\n') {
			is_directive = false;
			is_first = true;
			continue;
		}
		if (is_first && text[i] == '#')
			is_directive = true;
		if (text[i] != ' ' && text[i] != '\t')
			is_first = false;
		if (is_directive || text[i] == '\t' || text[i] == '\r' ||
		    (text[i] == '\\' && i + 1 < end &&
		     (text[i + 1] == '\n' || text[i + 1] == '\r')))
			continue;
		splicer->blanked[i] = ' ';
	}
}

static bool is_blanked(const struct splice *splice, const struct attribute *attribute)
{
	if (!splice->blank_namespaces)
		return true;
	for (size_t i = 0; i < splice->n_blank_namespaces; i++)
		if (strcmp(splice->blank_namespaces[i], attribute->ns) == 0)
			return true;
	return false;
}

/* Those of one list: all of ours, or each with what it leaves valid. */
static void list_blank(struct splicer *splicer, const struct splice *splice, size_t first,
		       size_t end)
{
	const struct attribute *all = splicer->unit->scan.attributes;
	bool is_all = true;

	for (size_t i = first; i < end; i++)
		is_all = is_all && is_blanked(splice, &all[i]);
	for (size_t i = first; i < end; i++)
		if (is_all)
			blank(splicer, all[i].start, all[i].end);
		else if (is_blanked(splice, &all[i]))
			blank(splicer, all[i].item_start, all[i].item_end);
}

static void attributes_blank(struct splicer *splicer, const struct splice *splice)
{
	const struct scan *scan = &splicer->unit->scan;

	for (size_t i = 0, end; i < scan->n_attributes; i = end) {
		for (end = i + 1;
		     end < scan->n_attributes &&
		     scan->attributes[end].list_start == scan->attributes[i].list_start;)
			end++;
		list_blank(splicer, splice, i, end);
	}
}

/* --- writing ------------------------------------------------------------------------------
 */

static void put(struct splicer *splicer, const char *bytes, size_t n)
{
	memcpy(splicer->out + splicer->len, bytes, n);
	splicer->len += n;
}

static void put_string(struct splicer *splicer, const char *string)
{
	put(splicer, string, strlen(string));
}

static void put_marker(struct splicer *splicer, uint32_t line, const char *file,
		       const char *flags)
{
	char number[32];

	put(splicer, number, (size_t)snprintf(number, sizeof number, "# %u \"", line));
	for (const char *at = file; *at; at++) {
		if (*at == '"' || *at == '\\')
			put(splicer, "\\", 1);
		put(splicer, at, 1);
	}
	put_string(splicer, "\"");
	put_string(splicer, flags);
	put_string(splicer, "\n");
}

static void put_line_start(struct splicer *splicer)
{
	if (splicer->len && splicer->out[splicer->len - 1] != '\n')
		put(splicer, "\n", 1);
}

/*
 * Back to byte AT of the text: a marker, and what takes the room of the bytes before it on
 * its line. FLAGS is " 2" behind an insertion.
 */
static void put_return(struct splicer *splicer, size_t at, const char *flags)
{
	const struct line_marker *marker = lines_marker(&splicer->lines, at);
	struct place place = lines_place(&splicer->lines, at, at);
	const char *text = splicer->unit->text;
	char both[8];

	put_line_start(splicer);
	snprintf(both, sizeof both, "%s%s", flags, marker->is_system ? " 3" : "");
	put_marker(splicer, place.line, place.file ? place.file : "", both);
	for (size_t i = lines_start(&splicer->lines, at); i < at; i++)
		put(splicer, text[i] == '\t' ? "\t" : " ", 1);
}

static void put_insertion(struct splicer *splicer, const struct insertion *insertion)
{
	put_line_start(splicer);
	put_marker(splicer, 1, insertion->file, " 1 3");
	put_string(splicer, insertion->text);
	put_return(splicer, insertion->at + insertion->blank, " 2");
}

static const char *const function_names[] = { "__func__", "__FUNCTION__",
					      "__PRETTY_FUNCTION__" };

/* The body of a function that was renamed says its old name. At EVENT's byte of the text. */
static void put_names(struct splicer *splicer, const struct event *event)
{
	const struct renaming *renaming = event->what;
	const struct line_marker *marker = lines_marker(&splicer->lines, event->at);
	struct place place = lines_place(&splicer->lines, event->at, event->at);

	/* As if in a system header: the user has not redefined anything. */
	put_line_start(splicer);
	put_marker(splicer, place.line, marker->file ? marker->file : "", " 3");
	for (size_t i = 0; i < sizeof function_names / sizeof *function_names; i++) {
		if (event->kind == EVENT_NAME_KEPT) {
			put_string(splicer, "#define ");
			put_string(splicer, function_names[i]);
			put_string(splicer, " \"");
			put_string(splicer, renaming->name);
			put_string(splicer, "\"\n");
		} else {
			put_string(splicer, "#undef ");
			put_string(splicer, function_names[i]);
			put_string(splicer, "\n");
		}
	}
	put_return(splicer, event->at, "");
}

static void put_event(struct splicer *splicer, const struct event *event)
{
	const struct renaming *renaming = event->what;

	switch (event->kind) {
	case EVENT_INSERT: put_insertion(splicer, event->what); break;
	case EVENT_RENAME:
		put_string(splicer, renaming->new_name);
		put_return(splicer, event->at + event->skip, "");
		break;
	case EVENT_NAME_KEPT:
	case EVENT_NAME_FREED: put_names(splicer, event); break;
	case EVENT_NAME:
		put_string(splicer, "\"");
		put_string(splicer, renaming->name);
		put_string(splicer, "\"");
		put_return(splicer, event->at + event->skip, "");
		break;
	}
}

/* --- the whole ----------------------------------------------------------------------------
 */

static int by_place(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static struct event *event_add(struct splicer *splicer, enum event_kind kind, size_t at,
			       const void *what)
{
	struct event *event = VECTOR_ADD(splicer->arena, &splicer->events);

	*event = (struct event){
		.at = at, .index = splicer->events.n, .kind = kind, .what = what
	};
	return event;
}

/* Room for a marker: its file name may double, the line's start is repeated behind it. */
static size_t event_room(const struct splicer *splicer, const struct event *event)
{
	struct place place = lines_place(&splicer->lines, event->at, event->at);
	size_t room =
		128 + 2 * strlen(place.file ? place.file : "") + place.column + event->skip;
	const struct insertion *insertion = event->what;
	const struct renaming *renaming = event->what;

	if (event->kind == EVENT_INSERT) {
		place = lines_place(&splicer->lines, event->at + event->skip, 0);
		return room + 2 * strlen(insertion->file) + strlen(insertion->text) +
		       2 * strlen(place.file ? place.file : "") + place.column;
	}
	return room * 2 + 4 * strlen(renaming->name) + strlen(renaming->new_name);
}

/* Text without directives has its macros expanded already: each name by hand. */
static void names_replace(struct splicer *splicer, const struct renaming *renaming)
{
	struct lexer lexer;
	struct token token;

	lex_init(&lexer, splicer->unit->text, renaming->end, renaming->start);
	while (lex_next(&lexer, &token) != TOKEN_END)
		for (size_t i = 0; i < sizeof function_names / sizeof *function_names; i++)
			if (lex_is(&lexer, &token, function_names[i]))
				event_add(splicer, EVENT_NAME, token.start, renaming)->skip =
					token.end - token.start;
}

static int events_make(struct splicer *splicer, const struct splice *splice,
		       struct cell_error *err)
{
	size_t len = splicer->unit->len;

	for (size_t i = 0; i < splice->n_renamings; i++) {
		const struct renaming *one = &splice->renamings[i];
		size_t n = strlen(one->name);

		if (one->at + n > len || one->start > one->end || one->end > len ||
		    memcmp(splicer->unit->text + one->at, one->name, n) != 0)
			return cell_fail(err, -EINVAL,
					 "'%s' is not where it is to be renamed", one->name);
		event_add(splicer, EVENT_RENAME, one->at, one)->skip = n;
		if (!splicer->unit->scan.has_directives) {
			names_replace(splicer, one);
			continue;
		}
		event_add(splicer, EVENT_NAME_KEPT, one->start, one)->order = UINT32_MAX;
		event_add(splicer, EVENT_NAME_FREED, one->end, one);
	}
	for (size_t i = 0; i < splice->n_insertions; i++) {
		const struct insertion *one = &splice->insertions[i];
		struct event *event;

		if (one->at > len || one->blank > len - one->at)
			return cell_fail(err, -EINVAL,
					 "'%s' is to be inserted behind the end", one->file);
		event = event_add(splicer, EVENT_INSERT, one->at, one);
		event->order = one->order;
		event->skip = one->blank;
	}
	if (splicer->events.n)
		qsort(splicer->events.items, splicer->events.n, sizeof *splicer->events.items,
		      by_place);
	return 0;
}

static void put_copy(struct splicer *splicer, size_t from, size_t n)
{
	*VECTOR_ADD(splicer->arena, &splicer->copies) =
		(struct splice_copy){ .to = splicer->len, .from = from, .n = n };
	put(splicer, splicer->blanked + from, n);
}

int splice_with_copies(const struct unit *unit, const struct splice *splice,
		       struct cell_arena *arena, const char **ret_text, size_t *ret_len,
		       const struct splice_copy **ret_copies, size_t *ret_n,
		       struct cell_error *err)
{
	static const struct line_marker start = { .line = 1 };
	struct splicer splicer = { .unit = unit, .arena = arena, .lines = unit->scan.lines };
	size_t at = 0, room = unit->len + 1;
	int r;

	/* A unit without attributes has not been looked at. */
	if (!splicer.lines.starts)
		lines_init(&splicer.lines, unit->text, unit->len, arena);
	if (!splicer.lines.n_markers) {
		splicer.lines.markers = &start;
		splicer.lines.n_markers = 1;
	}
	splicer.blanked = memory_copy(arena, unit->text, unit->len);
	attributes_blank(&splicer, splice);
	r = events_make(&splicer, splice, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < splicer.events.n; i++)
		room += event_room(&splicer, &splicer.events.items[i]);
	splicer.out = memory_new(arena, room, 1);
	for (size_t i = 0; i < splicer.events.n; i++) {
		const struct event *event = &splicer.events.items[i];

		if (event->at > at) {
			put_copy(&splicer, at, event->at - at);
			at = event->at;
		}
		put_event(&splicer, event);
		if (event->at + event->skip > at)
			at = event->at + event->skip;
	}
	put_copy(&splicer, at, unit->len - at);
	splicer.out[splicer.len] = '\0';
	*ret_text = splicer.out;
	*ret_len = splicer.len;
	*ret_copies = splicer.copies.items;
	*ret_n = splicer.copies.n;
	return 0;
}

int splice_text(const struct unit *unit, const struct splice *splice,
		struct cell_arena *arena, const char **ret_text, size_t *ret_len,
		struct cell_error *err)
{
	const struct splice_copy *copies;
	size_t n;

	return splice_with_copies(unit, splice, arena, ret_text, ret_len, &copies, &n, err);
}

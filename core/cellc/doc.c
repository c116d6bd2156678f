/* The comments of declarations: declare_doc(). */
#include "declare.h"
#include "vector.h"

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\f' || byte == '\v';
}

/* The index of the first comment that starts at byte AT or behind. */
static size_t comment_index(const struct ranges *comments, size_t at)
{
	size_t low = 0, high = comments->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (comments->items[middle].start < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_line_comment(const char *text, struct range comment)
{
	return text[comment.start + 1] == '/';
}

/* Whether code stands before it on its line: then it is about that. */
static bool is_trailing(const char *text, struct range comment)
{
	size_t at = comment.start;

	while (at > 0 && is_blank(text[at - 1]))
		at--;
	return at > 0 && text[at - 1] != '\n' && text[at - 1] != '{';
}

/* Whether only spaces and at most one line's end are between two bytes. */
static bool is_near(const char *text, size_t start, size_t end)
{
	size_t lines = 0;

	for (; start < end; start++) {
		if (text[start] == '\n')
			lines++;
		else if (!is_blank(text[start]))
			return false;
	}
	return lines <= 1;
}

static size_t skip_blanks(const char *at, size_t start, size_t end)
{
	while (start < end && is_blank(at[start]))
		start++;
	return start;
}

/* One comment's lines, without what marks them as a comment, to OUT; behind what was written.
 */
static char *put_clean(char *out, const char *text, struct range comment)
{
	bool is_block = !is_line_comment(text, comment);
	size_t at = comment.start + 2, end = comment.end, line_end, from;

	if (is_block && end - at >= 2 && text[end - 1] == '/' && text[end - 2] == '*')
		end -= 2;
	while (at < end &&
	       (text[at] == '*' || text[at] == '!' || (!is_block && text[at] == '/')))
		at++;
	if (at < end && text[at] == '<')
		at++;
	for (bool first = true; at < end; at = line_end + 1, first = false) {
		const char *newline = memchr(text + at, '\n', end - at);

		line_end = newline ? (size_t)(newline - text) : end;
		from = skip_blanks(text, at, line_end);
		/* What is indented behind the star stays so. */
		if (is_block && !first && from < line_end && text[from] == '*') {
			from++;
			from += from < line_end && is_blank(text[from]);
		}
		at = line_end;
		while (at > from && is_blank(text[at - 1]))
			at--;
		out = mempcpy(out, text + from, at - from);
		*out++ = '\n';
	}
	return out;
}

static const char *clean(const struct unit *unit, const struct range *comments, size_t n,
			 struct cell_arena *arena)
{
	size_t room = 1;
	char *doc, *out;

	for (size_t i = 0; i < n; i++)
		room += comments[i].end - comments[i].start + 1;
	doc = out = memory_new(arena, room, 1);
	for (size_t i = 0; i < n; i++)
		out = put_clean(out, unit->text, comments[i]);
	while (out > doc && out[-1] == '\n')
		out--;
	*out = '\0';
	while (*doc == '\n')
		doc++;
	return doc;
}

/* Behind a member: lists of attributes and one comma or semicolon may come first. */
static const char *doc_behind(const struct unit *unit, size_t at, struct cell_arena *arena)
{
	const struct ranges *lists = &unit->scan.lists, *comments = &unit->scan.comments;
	size_t i = 0, k;
	bool is_over = false;

	for (;;) {
		at = skip_blanks(unit->text, at, unit->len);
		while (i < lists->n && lists->items[i].start < at)
			i++;
		if (!is_over && i < lists->n && lists->items[i].start == at) {
			at = lists->items[i].end;
		} else if (!is_over && at < unit->len &&
			   (unit->text[at] == ';' || unit->text[at] == ',')) {
			is_over = true;
			at++;
		} else {
			break;
		}
	}
	k = comment_index(comments, at);
	if (k == comments->n || comments->items[k].start != at)
		return "";
	return clean(unit, &comments->items[k], 1, arena);
}

const char *declare_doc(const struct unit *unit, size_t start, size_t behind,
			struct cell_arena *arena)
{
	const struct ranges *comments = &unit->scan.comments;
	size_t last = comment_index(comments, start), first;

	if (last > 0) {
		struct range *comment = &comments->items[last - 1];

		if (comment->end <= start && is_near(unit->text, comment->end, start) &&
		    !is_trailing(unit->text, *comment)) {
			first = last - 1;
			while (first > 0 &&
			       is_line_comment(unit->text, comments->items[first]) &&
			       is_line_comment(unit->text, comments->items[first - 1]) &&
			       is_near(unit->text, comments->items[first - 1].end,
				       comments->items[first].start) &&
			       !is_trailing(unit->text, comments->items[first - 1]))
				first--;
			return clean(unit, &comments->items[first], last - first, arena);
		}
	}
	return behind ? doc_behind(unit, behind, arena) : "";
}

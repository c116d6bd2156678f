#include <string.h>

#include <cell/internal/gen.h>

/* Longer notes go above the line they are about. */
#define NOTE_COLUMNS_MAX 60

static size_t trimmed_len(const char *at, size_t len)
{
	while (len && (at[len - 1] == ' ' || at[len - 1] == '\t' || at[len - 1] == '\r'))
		len--;
	return len;
}

/* One line, with what would end or nest a C comment taken apart. */
static void put_line(struct gen_text *out, const char *at, size_t len)
{
	char *line = gen_take(2 * len + 1);
	char *to = line;

	for (size_t i = 0; i < len; i++) {
		const char before = i ? at[i - 1] : ' ';

		if ((before == '*' && at[i] == '/') || (before == '/' && at[i] == '*'))
			*to++ = ' ';
		*to++ = at[i];
	}
	gen_add(out, line);
}

void gen_emit_doc(struct gen_text *out, const char *indent, const char *doc)
{
	size_t len = strlen(doc);
	const char *end = doc + len;

	while (end > doc && strchr(" \t\r\n", end[-1]))
		end--;
	if (end == doc)
		return;
	if (!memchr(doc, '\n', (size_t)(end - doc))) {
		while (*doc == ' ')
			doc++;
		gen_put(out, "%s/* ", indent);
		put_line(out, doc, (size_t)(end - doc));
		gen_add(out, " */\n");
		return;
	}
	gen_put(out, "%s/*\n", indent);
	while (doc < end) {
		const char *stop = memchr(doc, '\n', (size_t)(end - doc));

		stop = stop ? stop : end;
		len = trimmed_len(doc, (size_t)(stop - doc));
		gen_put(out, "%s *%s", indent, len && *doc != ' ' ? " " : "");
		put_line(out, doc, len);
		gen_add(out, "\n");
		doc = stop + 1;
	}
	gen_put(out, "%s */\n", indent);
}

bool gen_note_is_short(const char *note)
{
	const size_t len = strlen(note);

	return len <= NOTE_COLUMNS_MAX && (!len || !memchr(note, '\n', len - 1));
}

void gen_emit_note(struct gen_text *out, const char *note)
{
	size_t len = strlen(note);

	while (*note == ' ') {
		note++;
		len--;
	}
	if (len && note[len - 1] == '\n')
		len--;
	len = trimmed_len(note, len);
	if (!len)
		return;
	gen_add(out, " /* ");
	put_line(out, note, len);
	gen_add(out, " */");
}

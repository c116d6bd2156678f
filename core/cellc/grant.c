#include "grant.h"

#include "folder.h"
#include "writer.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST_MAX (1024 * 1024)

static size_t line_len(const char *line)
{
	return strcspn(line, "\n");
}

static const char *line_next(const char *line)
{
	line += line_len(line);
	return *line ? line + 1 : line;
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t\r");
}

static bool is_section(const char *line)
{
	return *skip_blanks(line) == '[';
}

/* The line behind "[uses]", or NULL. */
static const char *section_find(const char *text)
{
	for (const char *line = text; *line; line = line_next(line))
		if (strncmp(skip_blanks(line), "[uses]", 6) == 0)
			return line_next(line);
	return NULL;
}

/* Whether LINE is "CELL = …" or "CELL: …". */
static bool is_key(const char *line, const char *cell)
{
	const char *at = skip_blanks(line);
	size_t len = strlen(cell);

	return strncmp(at, cell, len) == 0 && strchr("=:", *skip_blanks(at + len)) &&
	       *skip_blanks(at + len);
}

/* Where the value on LINE ends: before a comment and the blanks in front of it. */
static const char *value_end(const char *line)
{
	const char *end = line + line_len(line);

	for (const char *at = line; at < end; at++)
		if (*at == ';' && at > line && strchr(" \t", at[-1])) {
			end = at;
			break;
		}
	while (end > line && strchr(" \t\r", end[-1]))
		end--;
	return end;
}

/* Whether LINE belongs to what is before it: comments may be about what follows. */
static bool is_entry(const char *line)
{
	const char *at = skip_blanks(line);

	return at < line + line_len(line) && *at != ';' && *at != '#';
}

const char *grant_text(const char *text, const char *cell, const char *channels,
		       struct cell_arena *arena)
{
	const char *section = section_find(text), *end = section;
	size_t len = strlen(text);
	bool is_ended = len == 0 || text[len - 1] == '\n';

	if (!section)
		return must_printf(arena, "%s%s%s[uses]\n%s = %s\n", text,
				   is_ended ? "" : "\n", len ? "\n" : "", cell, channels);
	for (const char *line = section; *line && !is_section(line); line = line_next(line)) {
		if (is_key(line, cell)) {
			end = value_end(line);
			return must_printf(arena, "%.*s %s%s", (int)(end - text), text,
					   channels, end);
		}
		if (is_entry(line))
			end = line_next(line);
	}
	return must_printf(arena, "%.*s%s%s = %s\n%s", (int)(end - text), text,
			   end > text && end[-1] != '\n' ? "\n" : "", cell, channels, end);
}

/* The channels of SET that MANIFEST does not let it use of CELL, as words. */
const char *grant_missing(const struct cell_manifest *manifest, const char *cell,
			  const struct cell_channels *set, struct cell_arena *arena)
{
	struct cell_channels granted = cell_manifest_uses(manifest, cell, false);
	struct writer out = writer_new(arena);
	char name[CELL_CHANNEL_NAME_MAX];

	for (unsigned channel = 0; channel < 256; channel++)
		if (cell_channels_has(set, (uint8_t)channel) &&
		    !cell_channels_has(&granted, (uint8_t)channel) &&
		    !cell_channels_has(&manifest->uses_any, (uint8_t)channel))
			writer_put(&out, "%s%s", *out.text ? " " : "",
				   cell_channel_name((uint8_t)channel, name));
	return out.text;
}

static int add(const char *path, const char *cell, const struct cell_channels *set,
	       struct cell_arena *arena, const char **ret_added, struct cell_error *err)
{
	cell_cleanup(cell_manifest_freep) struct cell_manifest *manifest = NULL;
	const char *text;
	char *old;
	size_t len;
	int r = cell_manifest_read(&manifest, path, err);

	if (r < 0)
		return r;
	*ret_added = grant_missing(manifest, cell, set, arena);
	if (!**ret_added)
		return 0;
	r = folder_read(path, MANIFEST_MAX, arena, &old, &len, err);
	if (r < 0)
		return r;
	text = grant_text(old, cell, *ret_added, arena);
	return folder_write(path, text, strlen(text), err);
}

int grant_add(const char *folder, const char *path, const char *cell,
	      const struct cell_channels *set, struct cell_arena *arena,
	      const char **ret_added, struct cell_error *err)
{
	/* A link stays one. */
	char *real = realpath(path, NULL);
	int fd = folder_lock(folder, err), r = fd;

	if (fd >= 0) {
		r = add(real ? real : path, cell, set, arena, ret_added, err);
		(void)close(fd);
	}
	free(real);
	return r;
}

#include "ide_files.h"

#include "folder.h"
#include "ide.h"
#include "key.h"
#include "writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (16 * 1024 * 1024)

struct files {
	struct project project;
	struct unit unit;
	struct expansion expansion;
	struct cell_arena *arena;
	struct writer list;
	struct cell_error err;
};

/* PATH without links, or NULL. */
static const char *real_path(const char *path, struct cell_arena *arena)
{
	char *real = realpath(path, NULL);
	const char *copy = real ? must(cell_arena_strdup(arena, real)) : NULL;

	free(real);
	return copy;
}

/* PATH below the project's root, or NULL. */
static const char *inside(const struct files *files, const char *path)
{
	size_t len = strlen(files->project.root);

	return strncmp(path, files->project.root, len) == 0 && path[len] == '/'
		       ? path + len + 1
		       : NULL;
}

/* Where what is made of PATH is kept: below .cell/ide/KIND, with SUFFIX. */
static const char *place_of(const struct files *files, const char *kind, const char *path,
			    const char *suffix)
{
	const char *relative = inside(files, path), *slash = strrchr(path, '/');

	if (!relative)
		relative = must_printf(files->arena, "other/%.16s-%s",
				       key_hash(path, strlen(path), files->arena),
				       slash ? slash + 1 : path);
	return must_printf(files->arena, "%s/ide/%s/%s%s", files->project.folder, kind,
			   relative, suffix);
}

static int write_text(struct files *files, const char *path, const char *text)
{
	return folder_write(path, text, strlen(text), &files->err);
}

/* What is read before PATH, whose TEXT is called FILE by markers, and its line in the list. */
static int write_before(struct files *files, const char *word, const char *file,
			const char *path, const char *text)
{
	const char *place = place_of(files, "before", path, ".decls.h");
	int r = write_text(files, place,
			   ide_before(&files->unit, &files->expansion.splice, file, text,
				      files->arena));

	if (r == 0)
		writer_put(&files->list, "%s\t%s\t%s\n", word, path, place);
	return r;
}

static int write_header(struct files *files, const char *file)
{
	const char *path = real_path(file, files->arena), *text, *place;
	bool any = false;
	char *old;
	size_t len;
	int r;

	if (!path || folder_read(path, FILE_MAX, files->arena, &old, &len, NULL) < 0)
		return 0;
	text = ide_header(&files->unit, &files->expansion.splice, file, old, &any,
			  files->arena);
	if (!any) {
		if (inside(files, path))
			writer_put(&files->list, "header\t%s\n", path);
		return 0;
	}
	place = place_of(files, "headers", path, "");
	r = write_text(files, place, text);
	if (r == 0)
		writer_put(&files->list, "copy\t%s\t%s\n", path, place);
	if (r == 0 && inside(files, path))
		r = write_before(files, "header", file, path, old);
	return r;
}

/* Each header that is no system's, once. */
static int write_headers(struct files *files)
{
	const struct lines *lines = &files->unit.scan.lines;
	int r = 0;

	for (size_t i = 0; i < lines->n_markers && r == 0; i++) {
		const struct line_marker *marker = &lines->markers[i];
		bool is_new = marker->depth > 0 && !marker->is_system && marker->file;

		for (size_t k = 0; k < i && is_new; k++)
			is_new = !lines->markers[k].file ||
				 strcmp(lines->markers[k].file, marker->file) != 0;
		if (is_new)
			r = write_header(files, marker->file);
	}
	return r;
}

static int write_main(struct files *files, const char *file)
{
	const char *path = real_path(file, files->arena);
	char *text;
	size_t len;
	int r;

	if (!path)
		return 0;
	r = folder_read(path, FILE_MAX, files->arena, &text, &len, &files->err);
	return r < 0 ? r : write_before(files, "source", file, path, text);
}

int ide_files_write(const char *list, const struct command_line *line,
		    const struct compiler *compiler, const struct compile_source *sources,
		    size_t n, struct cell_arena *arena, struct diag *diag)
{
	struct files files = { .arena = arena, .list = writer_new(arena) };
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (!sources[i].has_attributes)
			continue;
		r = compile_look(line, compiler, &sources[i], &files.project, &files.unit,
				 &files.expansion, arena, diag);
		if (r < 0)
			return r;
		r = write_headers(&files);
		if (r == 0)
			r = write_main(&files, sources[i].input->path);
	}
	if (r == 0)
		r = folder_write(list, files.list.text, files.list.len, &files.err);
	if (r < 0)
		diag_say(diag, SEVERITY_ERROR, NULL, NULL, "%s", files.err.text);
	return r;
}

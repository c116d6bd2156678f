#include "link.h"

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading -------------------------------------------------------------------------- */

/* A unit is known by its text, too: what many declarations need is one. */
static struct link_note *note_find(const struct link *link, const struct note *note)
{
	for (size_t i = 0; i < link->n_notes; i++) {
		const struct note *other = &link->notes[i].note;

		if (other->kind == note->kind &&
		    (strcmp(other->name, note->name) == 0 ||
		     (note->kind == NOTE_UNIT &&
		      memcmp(other->digest, note->digest, NOTE_DIGEST_SIZE) == 0)))
			return &link->notes[i];
	}
	return NULL;
}

static const char *where(const struct link *link)
{
	return *link->member
		       ? cell_arena_printf(link->arena, "%s(%s)", link->file, link->member)
		       : link->file;
}

static int disagreement(const struct link *link, const struct link_note *first,
			const struct note *second)
{
	return cell_fail(link->err, CELL_FAILED_PRECONDITION,
			 "%s%s is not the same in %s (from %s) and in %s (from %s)",
			 second->kind == NOTE_UNIT ? "unit " : "", second->name, first->where,
			 first->note.source, where(link), second->source);
}

static int on_note(void *userdata, const struct note *note)
{
	struct link *link = userdata;
	struct link_note *known = note_find(link, note);

	if (known)
		return memcmp(known->note.digest, note->digest, NOTE_DIGEST_SIZE) == 0
			       ? 0
			       : disagreement(link, known, note);
	if (link->n_notes == link->room) {
		size_t room = link->room ? 2 * link->room : 32;
		struct link_note *notes = cell_arena_calloc(link->arena, room, sizeof *notes);

		if (!notes)
			return cell_fail(link->err, -ENOMEM, "reading notes");
		if (link->n_notes)
			memcpy(notes, link->notes, link->n_notes * sizeof *notes);
		link->notes = notes;
		link->room = room;
	}
	link->notes[link->n_notes++] = (struct link_note){ *note, where(link) };
	link->n_units += note->kind == NOTE_UNIT;
	link->n_libraries += note->kind == NOTE_LINK;
	return 0;
}

static int on_object(void *userdata, const char *member, const uint8_t *bytes, size_t len)
{
	struct link *link = userdata;
	int r;

	link->member = member;
	r = note_read_object(bytes, len, on_note, link, link->err);
	return r == -EPROTO ? cell_wrap(link->err, r, "%s", where(link)) : r;
}

/* A file that people know as NAME. Not unmapped: notes point into it. */
static int file_read(struct link *link, const char *path, const char *name)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const uint8_t *bytes = MAP_FAILED;
	struct stat st;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	(void)close(fd);
	if (bytes == MAP_FAILED)
		return 0;
	link->file = name;
	if (note_is_archive(bytes, (size_t)st.st_size))
		return note_each_object(bytes, (size_t)st.st_size, on_object, link);
	return on_object(link, "", bytes, (size_t)st.st_size);
}

/* -lNAME in the folders of -L; what is the system's is none of ours. */
static int library_read(struct link *link, const struct command_line *line, const char *name)
{
	static const char *const suffixes[] = { ".so", ".a" };

	for (size_t i = 1; i < line->n_expanded; i++) {
		const char *folder = line->expanded[i];

		if (strncmp(folder, "-L", 2) != 0)
			continue;
		folder += 2;
		if (!*folder && i + 1 < line->n_expanded)
			folder = line->expanded[++i];
		for (size_t k = 0; k < 2; k++) {
			char path[PATH_MAX];
			const char *kept;

			if (*name == ':')
				(void)snprintf(path, sizeof path, "%s/%s", folder, name + 1);
			else
				(void)snprintf(path, sizeof path, "%s/lib%s%s", folder, name,
					       suffixes[k]);
			if (access(path, R_OK) < 0)
				continue;
			kept = cell_arena_strdup(link->arena, path);
			return kept ? file_read(link, kept, kept)
				    : cell_fail(link->err, -ENOMEM, "reading '%s'", path);
		}
	}
	return 0;
}

int link_read(struct link *ret, const struct command_line *line, const char *const *objects,
	      struct cell_arena *arena, struct cell_error *err)
{
	int r = 0;

	*ret = (struct link){ .arena = arena, .err = err };
	for (size_t i = 0; i < line->n_inputs && r == 0; i++) {
		const struct command_input *input = &line->inputs[i];

		if (objects && objects[i])
			r = file_read(ret, objects[i], input->path);
		else if (input->kind == COMMAND_INPUT_LINKED)
			r = file_read(ret, input->path, input->path);
		else if (input->kind == COMMAND_INPUT_LIBRARY)
			r = library_read(ret, line, input->path);
	}
	return r;
}

bool link_is_plain(const struct link *link)
{
	return link->n_units == 0 && link->n_libraries == 0;
}

/* ---- linking
 * ------------------------------------------------------------------------------- */

static int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), r;

	if (fd < 0)
		return -errno;
	r = process_write(fd, text, strlen(text));
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

/* The words of a note, one a line, as a list. */
static const char **words_of(const struct note *note, struct cell_arena *arena)
{
	char *copy = cell_arena_strdup(arena, note->words);
	const char **words = cell_arena_calloc(arena, strlen(note->words) + 2, sizeof *words);
	size_t n = 0;

	if (!copy || !words)
		return NULL;
	for (char *word; (word = strsep(&copy, "\n"));)
		if (*word)
			words[n++] = word;
	return words;
}

/* Compile the unit to FOLDER/N.o. */
static int unit_compile(const struct link *link, const struct link_note *unit,
			const struct compiler *compiler, const char *folder, size_t n,
			const char **ret_object, int *ret_status)
{
	struct cell_arena *arena = link->arena;
	const char *source = cell_arena_printf(arena, "%s/unit%zu.c", folder, n);
	const char *object = cell_arena_printf(arena, "%s/unit%zu.o", folder, n);
	const char *own[] = { "-w", "-D_GNU_SOURCE", "-c", "-x", "c", source, "-o", object, NULL };
	const char **words = words_of(&unit->note, arena), **argv = NULL;
	struct process process;
	int r;

	if (words && source && object)
		argv = compiler_argv(compiler, arena, words, own, NULL);
	if (!argv)
		return cell_fail(link->err, -ENOMEM, "compiling unit %s", unit->note.name);
	r = file_write(source, unit->note.text);
	if (r < 0)
		return cell_fail(link->err, r, "writing '%s': %s", source, strerror(-r));
	process = (struct process)PROCESS(compiler->path, argv);
	*ret_object = object;
	return process_run(&process, ret_status, link->err);
}

/* LINE's words with OBJECTS in place of inputs; the object of a source needs no -x. */
static const char **words_replaced(const struct command_line *line,
				   const char *const *objects, struct cell_arena *arena)
{
	const char **words =
		cell_arena_calloc(arena, 5 * line->n_expanded + 1, sizeof *words);
	size_t n = 0, input = 0;

	for (size_t i = 1; words && i < line->n_expanded; i++) {
		const struct command_input *at;

		while (input < line->n_inputs && line->inputs[input].word < i)
			input++;
		at = input < line->n_inputs && line->inputs[input].word == i
			     ? &line->inputs[input]
			     : NULL;
		if (!at || !objects || !objects[input]) {
			words[n++] = line->expanded[i];
			continue;
		}
		if (at->language) {
			words[n++] = "-x";
			words[n++] = "none";
		}
		words[n++] = objects[input];
		if (at->language) {
			words[n++] = "-x";
			words[n++] = at->language;
		}
	}
	return words;
}

static bool is_asked_for(const struct command_line *line, const char *library)
{
	for (size_t i = 1; i < line->n_expanded; i++)
		if (strcmp(line->expanded[i], library) == 0)
			return true;
	return false;
}

/* Units first: what they need may be in the archives behind them. */
static int parts_make(const struct link *link, const struct command_line *line,
		      const struct compiler *compiler, const char **units,
		      const char **libraries, int *ret_status)
{
	char folder[PATH_MAX];
	const char *temp = getenv("TMPDIR");
	size_t n_units = 0, n_libraries = 0;
	int r = 0;

	*ret_status = 0;
	if (link->n_units)
		r = process_folder(temp && *temp ? temp : "/tmp", folder, sizeof folder,
				   link->err);
	for (size_t i = 0; r == 0 && *ret_status == 0 && i < link->n_notes; i++) {
		const struct link_note *note = &link->notes[i];

		/* In what -r makes they stay notes, for the last link. */
		if (note->note.kind == NOTE_UNIT && !line->is_relocatable) {
			r = unit_compile(link, note, compiler, folder, n_units,
					 &units[n_units], ret_status);
			n_units++;
		} else if (note->note.kind == NOTE_LINK && !line->is_relocatable &&
			   !is_asked_for(line, note->note.name)) {
			libraries[n_libraries++] = note->note.name;
		}
	}
	return r;
}

int link_run(const struct link *link, const struct command_line *line,
	     const struct compiler *compiler, const char *const *objects, int *ret_status)
{
	struct cell_arena *arena = link->arena;
	const char **units = cell_arena_calloc(arena, link->n_units + 1, sizeof *units);
	const char **libraries =
		cell_arena_calloc(arena, link->n_libraries + 1, sizeof *libraries);
	const char **words = words_replaced(line, objects, arena), **argv;
	struct process process;
	int r;

	if (!units || !libraries || !words)
		return cell_fail(link->err, -ENOMEM, "linking");
	r = parts_make(link, line, compiler, units, libraries, ret_status);
	if (r < 0 || *ret_status != 0)
		return r;
	argv = compiler_argv(compiler, arena, units, words, libraries, NULL);
	if (!argv)
		return cell_fail(link->err, -ENOMEM, "linking");
	process = (struct process)PROCESS(compiler->path, argv);
	return process_run(&process, ret_status, link->err);
}

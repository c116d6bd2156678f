#include "keep.h"

#include "cache.h"
#include "diff.h"
#include "folder.h"
#include "writer.h"

#include <cell/cell.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (16 * 1024 * 1024)

static const char *path_of(const struct keep *keep, const char *path,
			   struct cell_arena *arena)
{
	return must_printf(arena, "%s/%s", keep->project->folder, path);
}

/* The text of a file, or NULL. */
static const char *read_text(const char *path, struct cell_arena *arena)
{
	char *text = NULL;
	size_t len;

	return folder_read(path, FILE_MAX, arena, &text, &len, NULL) == 0 ? text : NULL;
}

/* OLD with the changes of this unit. */
static struct lock change(const struct keep *keep, const struct known_namespace *known,
			  const struct lock *old, struct cell_arena *arena)
{
	struct lock lock = lock_copy(old, arena);

	known_apply(known, &lock, keep->main_file, keep->declarations, keep->n_declarations,
		    arena);
	return lock;
}

/* ---- --locked
 * --------------------------------------------------------------------------------- */

static void say_difference(struct diag *diag, const char *ns, const char *name,
			   const char *old, const char *new, struct cell_arena *arena)
{
	diag_say(diag, SEVERITY_ERROR, NULL, ns, "%s would change, and --locked forbids that",
		 name);
	diag_say(diag, SEVERITY_NOTE, NULL, ns, "the difference:\n%s",
		 diff_unified(name, old, new, arena));
}

static int compare(const struct keep *keep, struct cell_arena *arena, struct diag *diag)
{
	int result = 0;

	for (size_t i = 0; i < keep->known->n; i++) {
		const struct known_namespace *known = &keep->known->list[i];
		struct lock lock;
		const char *text;

		if (!known->is_used)
			continue;
		lock = change(keep, known, &known->lock, arena);
		text = lock_text(&lock, arena);
		if (known->lock_old && strcmp(known->lock_old, text) == 0)
			continue;
		/* Comments and order are nobody's business. */
		if (known->lock_old && strcmp(lock_text(&known->lock, arena), text) == 0)
			continue;
		say_difference(diag, known->ns, known->lock_name, known->lock_old, text,
			       arena);
		result = -EINVAL;
	}
	for (size_t i = 0; i < keep->n_files; i++) {
		const struct keep_file *file = &keep->files[i];
		const char *old = read_text(path_of(keep, file->path, arena), arena);

		if (old && strcmp(old, file->text) == 0)
			continue;
		if (!old && file->old_path)
			old = read_text(path_of(keep, file->old_path, arena), arena);
		if (old && strcmp(old, file->text) == 0)
			continue;
		say_difference(diag, NULL, must_printf(arena, ".cell/%s", file->path), old,
			       file->text, arena);
		result = -EINVAL;
	}
	return result;
}

/* ---- writing
 * ------------------------------------------------------------------------------------ */

/* Expansions that no use names any more. */
static void remove_stale(const struct keep *keep, const struct lock *old,
			 const struct lock *new, struct cell_arena *arena)
{
	for (size_t i = 0; i < old->n_uses; i++) {
		const struct lock_use *use = &old->uses[i];
		const char *stem = cache_stem(old->ns, use->declaration, use->key, arena);
		bool is_used = false;

		for (size_t k = 0; k < new->n_uses && !is_used; k++)
			is_used = strcmp(stem, cache_stem(new->ns, new->uses[k].declaration,
							  new->uses[k].key, arena)) == 0;
		if (!is_used)
			folder_remove(must_printf(arena, "%s/exp/%s", keep->project->folder,
						  old->ns),
				      strchr(stem, '/') + 1);
	}
}

static bool has_use(const void *userdata, const char *key)
{
	const struct lock *lock = userdata;

	for (size_t i = 0; i < lock->n_uses; i++)
		if (strcmp(lock->uses[i].key, key) == 0)
			return true;
	return false;
}

/* Which program gave the answers in LOCK. */
static int write_program(const struct known_namespace *known, const struct lock *lock,
			 struct cell_error *err)
{
	if (known->n_confirmed == 0)
		return 0;
	return program_write(known->state_path, known->program, known->confirmed,
			     known->n_confirmed, has_use, lock, err);
}

/* Others may have written meanwhile: the changes go to the file as it is now. */
static int write_lock(const struct keep *keep, const struct known_namespace *known,
		      struct cell_arena *arena, struct cell_error *err)
{
	struct lock old = { .ns = known->ns, .catalog = "" }, lock;
	char *current = NULL;
	const char *text;
	size_t len = 0;
	int r = folder_read(known->lock_path, FILE_MAX, arena, &current, &len, err);

	if (r == 0)
		r = lock_parse(&old, known->ns, current, len, known->lock_name, arena, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (!current && !known->is_used)
		return 0;
	lock = change(keep, known, &old, arena);
	text = lock_text(&lock, arena);
	if (current && strcmp(lock_text(&old, arena), text) == 0)
		return write_program(known, &lock, err);
	/* What was built with the lines that stay is up to date, and make is to see that. */
	if (current && lock_only_grows(&old, &lock, arena))
		r = folder_write_quietly(known->lock_path, text, strlen(text), err);
	else
		r = folder_write(known->lock_path, text, strlen(text), err);
	if (r < 0)
		return r;
	remove_stale(keep, &old, &lock, arena);
	return write_program(known, &lock, err);
}

static int write_files(const struct keep *keep, struct cell_arena *arena,
		       struct cell_error *err)
{
	int r = 0;

	for (size_t i = 0; i < keep->n_files && r == 0; i++)
		r = folder_write(path_of(keep, keep->files[i].path, arena),
				 keep->files[i].text, strlen(keep->files[i].text), err);
	return r;
}

/* Whether anything is to be written at all: most compilations change nothing. */
static bool is_settled(const struct keep *keep, struct cell_arena *arena)
{
	for (size_t i = 0; i < keep->known->n; i++) {
		const struct known_namespace *known = &keep->known->list[i];
		struct lock lock;

		if (!known->is_used && !known->lock_old)
			continue;
		lock = change(keep, known, &known->lock, arena);
		if (!known->lock_old ||
		    strcmp(lock_text(&known->lock, arena), lock_text(&lock, arena)) != 0)
			return false;
		for (size_t k = 0; k < known->n_confirmed; k++)
			if (!program_answered(&known->answered, known->program,
					      known->confirmed[k]))
				return false;
	}
	for (size_t i = 0; i < keep->n_files; i++) {
		const char *old = read_text(path_of(keep, keep->files[i].path, arena), arena);

		if (!old || strcmp(old, keep->files[i].text) != 0)
			return false;
	}
	return true;
}

int keep_all(const struct keep *keep, struct cell_arena *arena, struct diag *diag)
{
	struct cell_error err = { .code = 0 };
	int fd, r;

	if (keep->project->looks_only)
		return 0;
	if (keep->project->locked)
		return compare(keep, arena, diag);
	if (is_settled(keep, arena))
		return 0;
	fd = r = folder_lock(keep->project->folder, &err);
	if (fd >= 0) {
		r = write_files(keep, arena, &err);
		for (size_t i = 0; i < keep->known->n && r == 0; i++)
			r = write_lock(keep, &keep->known->list[i], arena, &err);
		(void)close(fd);
	}
	if (r < 0)
		diag_say(diag, SEVERITY_ERROR, NULL, NULL, "%s", err.text);
	return r < 0 ? -EINVAL : 0;
}

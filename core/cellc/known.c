#include "known.h"

#include "folder.h"
#include "key.h"
#include "writer.h"
#include "session.h"

#include <cell/cell.h>
#include <string.h>
#include <unistd.h>

/* Bytes of a lock that is read. */
#define LOCK_MAX (16 * 1024 * 1024)
#define SUFFIX   ".schema.lock"

struct known_namespace *known_find(const struct known *known, const char *ns)
{
	for (size_t i = 0; i < known->n; i++)
		if (strcmp(known->list[i].ns, ns) == 0)
			return &known->list[i];
	return NULL;
}

static struct known_namespace *add(struct known *known, const char *ns,
				   const struct project *project, struct cell_arena *arena)
{
	struct known_namespace *made = must_add(arena, known->list, known->n);

	made->ns = ns;
	made->lock = (struct lock){ .ns = ns, .catalog = "" };
	made->lock_name = must_printf(arena, ".cell/%s" SUFFIX, ns);
	made->lock_path = must_printf(arena, "%s/%s" SUFFIX, project->folder, ns);
	made->trouble = "";
	made->program = "";
	made->state_path = must_printf(arena, "%s/state/programs/%s", project->folder, ns);
	return made;
}

/* Its old text and the parsed lock; 0 too if there is none. */
static int read_lock(struct known_namespace *known, struct cell_arena *arena,
		     struct cell_error *err)
{
	char *text = NULL;
	size_t len = 0;
	int r = folder_read(known->lock_path, LOCK_MAX, arena, &text, &len, err);

	known->lock_old = NULL;
	known->lock = (struct lock){ .ns = known->ns, .catalog = "" };
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = lock_parse(&known->lock, known->ns, text, len, known->lock_name, arena,
			       err);
	if (r == 0)
		known->lock_old = text;
	return r;
}

/* Without DIAG nothing is said. */
static int read_locks(struct known *known, const struct project *project,
		      struct cell_arena *arena, struct diag *diag)
{
	struct cell_error err = { .code = 0 };
	const char **names;
	size_t n;
	int result = 0;

	if (folder_list(project->folder, SUFFIX, arena, &names, &n, &err) < 0) {
		if (diag)
			diag_say(diag, SEVERITY_ERROR, NULL, NULL, "%s", err.text);
		return -EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		char *ns = must(cell_arena_strndup(arena, names[i],
						   strlen(names[i]) - strlen(SUFFIX)));
		struct known_namespace *made;

		if (!lock_namespace_is_valid(ns))
			continue;
		made = add(known, ns, project, arena);
		if (read_lock(made, arena, &err) < 0) {
			if (diag)
				diag_say(diag, SEVERITY_ERROR, NULL, ns, "%s", err.text);
			result = -EINVAL;
		}
	}
	return result;
}

int known_locks(struct known *ret, const struct project *project, struct cell_arena *arena)
{
	*ret = (struct known){ .n = 0 };
	return read_locks(ret, project, arena, NULL);
}

static void from_lock(struct known_namespace *known)
{
	known->cell = known->lock.cell;
	known->key = known->lock.key;
	known->digest = known->lock.catalog;
	known->macros = known->lock.macros;
	known->n_macros = known->lock.n_macros;
}

/* Signatures: as locked if the catalogue is the same, else as the macro cell says. */
static int take_macros(struct known_namespace *known, struct session *session,
		       struct cell_arena *arena, struct cell_error *err)
{
	const struct macro_macro_info *info = NULL;
	struct macro_macro_description *macros = NULL;
	size_t n = 0;
	int r;

	if (known->lock.n_macros > 0 && strcmp(known->lock.catalog, known->digest) == 0) {
		known->macros = known->lock.macros;
		known->n_macros = known->lock.n_macros;
		return 0;
	}
	r = session_macros(session, &info, err);
	for (size_t i = 0; r == 0 && i < info->n_macros; i++)
		if (strcmp(info->macros[i].ns, known->ns) == 0)
			*must_add(arena, macros, n) = info->macros[i];
	known->macros = macros;
	known->n_macros = n;
	return r;
}

static bool is_in(const struct scan *scan, const char *ns)
{
	for (size_t i = 0; i < scan->n_attributes; i++)
		if (strcmp(scan->attributes[i].ns, ns) == 0)
			return true;
	return false;
}

static int take_catalog(struct known *known, const char *ns,
			const struct macro_catalog *catalog, const struct project *project,
			struct session *session, const struct scan *scan,
			struct cell_arena *arena, struct cell_error *err)
{
	struct known_namespace *made = known_find(known, ns);

	if (!made)
		made = add(known, ns, project, arena);
	if (*catalog->trouble || catalog->n_digest != 32) {
		made->silent = catalog->cell;
		made->trouble =
			*catalog->trouble ? catalog->trouble : "its catalogue has no digest";
		return 0;
	}
	if (made->catalog)
		return cell_fail(err, CELL_ALREADY_EXISTS,
				 "cells '%s' and '%s' both provide the namespace '%s'",
				 made->catalog->cell, catalog->cell, ns);
	made->catalog = catalog;
	made->cell = catalog->cell;
	made->key = *catalog->key ? catalog->key : "local";
	made->digest = hex_of(arena, catalog->digest, catalog->n_digest);
	made->macros = NULL;
	made->n_macros = 0;
	made->program = hex_of(arena, catalog->program, catalog->n_program);
	if (*made->program && is_in(scan, ns))
		made->answered = program_read(made->state_path, arena);
	return is_in(scan, ns) ? take_macros(made, session, arena, err) : 0;
}

/* A macro cell that has restarted is told what it is asked about. */
static void recall_states(const struct known *known, struct session *session,
			  const struct scan *scan, struct cell_arena *arena)
{
	const char **ids = NULL;
	size_t n = 0;

	for (size_t i = 0; i < known->n; i++)
		for (size_t k = 0;
		     is_in(scan, known->list[i].ns) && k < known->list[i].lock.n_states; k++)
			*must_add(arena, ids, n) = known->list[i].lock.states[k].id;
	session_recall(session, ids, n);
}

int known_load(struct known *ret, const struct project *project, struct session *session,
	       const struct scan *scan, struct cell_arena *arena, struct diag *diag)
{
	struct known known = { .n = 0 };
	struct cell_error err = { .code = 0 };
	int r = read_locks(&known, project, arena, diag);
	const struct macro_macros *macros;

	recall_states(&known, session, scan, arena);
	macros = session_catalogs(session);
	known.is_complete = macros != NULL;
	for (size_t i = 0; i < known.n; i++)
		from_lock(&known.list[i]);
	for (size_t i = 0; r == 0 && macros && i < macros->n_catalogs; i++) {
		const struct macro_catalog *catalog = &macros->catalogs[i];

		for (size_t k = 0; r == 0 && k < catalog->n_namespaces; k++)
			if (lock_namespace_is_valid(catalog->namespaces[k]))
				r = take_catalog(&known, catalog->namespaces[k], catalog,
						 project, session, scan, arena, &err);
		if (r < 0)
			diag_say(diag, SEVERITY_ERROR, NULL, NULL, "%s", err.text);
	}
	*ret = known;
	return r < 0 ? -EINVAL : 0;
}

struct check_known known_for_check(const struct known *known, struct cell_arena *arena)
{
	const char **namespaces = NULL, **cells = NULL;
	struct macro_macro_description *macros = NULL;
	size_t n = 0, n_cells = 0, n_macros = 0;

	for (size_t i = 0; i < known->n; i++) {
		if (!known->list[i].cell)
			continue;
		*must_add(arena, namespaces, n) = known->list[i].ns;
		*must_add(arena, cells, n_cells) = known->list[i].cell;
		for (size_t k = 0; k < known->list[i].n_macros; k++)
			*must_add(arena, macros, n_macros) = known->list[i].macros[k];
	}
	return (struct check_known){ namespaces, cells, n, macros, n_macros };
}

void known_apply(const struct known_namespace *known, struct lock *lock,
		 const char *main_file, const char *const *declarations,
		 size_t n_declarations, struct cell_arena *arena)
{
	if (known->catalog && known->is_used) {
		lock->cell = known->cell;
		lock->key = known->key;
		lock->catalog = known->digest;
		lock->n_macros = 0;
		lock->macros = NULL;
		for (size_t i = 0; i < known->n_macros; i++)
			*must_add(arena, lock->macros, lock->n_macros) = known->macros[i];
	}
	lock_keep_uses(lock, main_file, declarations, n_declarations);
	for (size_t i = 0; i < known->n_kept; i++) {
		const struct known_kept *kept = &known->kept[i];

		if (kept->from)
			lock_move_kept(lock, kept->from, kept->file, kept->declaration);
		lock_set_kept(lock, kept->file, kept->declaration, kept->kept, kept->n,
			      arena);
	}
	for (size_t i = 0; i < known->n_states; i++)
		lock_set_state(lock, known->states[i].id, known->states[i].digest, arena);
	for (size_t i = 0; i < known->n_uses; i++)
		lock_set_use(lock, &known->uses[i], arena);
	lock_trim_states(lock);
}

int known_trust(const struct project *project, const char *ns, const char *cell,
		const char *key, struct cell_error *err)
{
	struct known known = { .n = 0 };
	struct known_namespace *made;
	struct cell_arena arena;
	const char *text;
	int fd, r;

	if (!lock_namespace_is_valid(ns))
		return cell_fail(err, CELL_INVALID_ARGUMENT, "'%.60s' is no namespace", ns);
	cell_arena_init(&arena, 0);
	fd = r = folder_lock(project->folder, err);
	if (fd >= 0) {
		made = add(&known, ns, project, &arena);
		r = read_lock(made, &arena, err);
		if (r == 0) {
			/* Another provider's answers are no longer worth anything. */
			if (!made->lock.cell || strcmp(made->lock.cell, cell) != 0)
				made->lock.n_macros = 0;
			if (strlen(made->lock.catalog) != 64)
				made->lock.catalog = key_hash("", 0, &arena);
			made->lock.cell = cell;
			made->lock.key = key;
			text = lock_text(&made->lock, &arena);
			r = folder_write(made->lock_path, text, strlen(text), err);
		}
		(void)close(fd);
	}
	cell_arena_deinit(&arena);
	return r;
}

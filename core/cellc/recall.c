#include "recall.h"

#include "accept.h"
#include "cache.h"
#include "clang.h"
#include "folder.h"
#include "key.h"
#include "known.h"
#include "session.h"
#include "writer.h"

#include <elf.h>
#include <link.h>
#include <sodium/core.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of a manifest that is looked at. */
#define MANIFEST_MAX (1024 * 1024)

/* ---- what it is about
 * ---------------------------------------------------------------------- */

static struct memo_program program_at(const char *path)
{
	struct memo_program program = { .path = path };
	struct stat st;

	if (stat(path, &st) == 0) {
		program.size = (uint64_t)st.st_size;
		program.mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u +
				   (uint64_t)st.st_mtim.tv_nsec;
		program.inode = (uint64_t)st.st_ino;
	}
	return program;
}

struct build {
	const void *id;
	size_t len;
};

/* The linker's id in the notes of LEN bytes at NOTES. */
static void notes_search(const char *notes, size_t len, size_t align, struct build *build)
{
	for (size_t at = 0; len - at >= sizeof(ElfW(Nhdr));) {
		ElfW(Nhdr) note;
		size_t name = at + sizeof note, body, end;

		memcpy(&note, notes + at, sizeof note);
		body = (name + note.n_namesz + align - 1) & ~(align - 1);
		end = (body + note.n_descsz + align - 1) & ~(align - 1);
		if (end > len || end < body)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    memcmp(notes + name, "GNU", 4) == 0)
			*build = (struct build){ notes + body, note.n_descsz };
		at = end;
	}
}

/* The first is the program itself. */
static int on_object(struct dl_phdr_info *info, size_t size, void *userdata)
{
	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_NOTE)
			notes_search((const char *)info->dlpi_addr +
					     info->dlpi_phdr[i].p_vaddr,
				     info->dlpi_phdr[i].p_memsz,
				     info->dlpi_phdr[i].p_align == 8 ? 8 : 4, userdata);
	return 1;
}

/* What differs between two builds of cellc. */
static struct build build_find(struct cell_arena *arena)
{
	struct build build = { .id = NULL };
	struct memo_program *program;

	(void)dl_iterate_phdr(on_object, &build);
	if (!build.id) {
		program = must_new(arena, struct memo_program, 1);
		*program = program_at("/proc/self/exe");
		build = (struct build){ &program->size,
					sizeof *program - sizeof program->path };
	}
	return build;
}

int recall_project(struct project *ret, const struct command_line *line, const char *path,
		   struct cell_arena *arena, struct cell_error *err)
{
	int r = project_find(ret, path, line->features, arena, err);

	if (r < 0)
		return r;
	ret->locked |= line->locked;
	ret->offline |= line->offline;
	ret->strict |= line->strict || line->locked;
	ret->fresh = line->fresh;
	ret->fix = line->fix && !ret->locked;
	return 0;
}

void recall_init(struct recall *ret, const struct command_line *line,
		 const struct compiler *compiler, const struct command_input *source,
		 const struct preprocessed *text, const char *home, struct cell_arena *arena,
		 struct diag *diag)
{
	static const struct pool_limits limits = { .entries = RECALL_ENTRIES_MAX,
						   .bytes = RECALL_BYTES_MAX,
						   .entry = RECALL_ENTRY_MAX };
	struct build build = build_find(arena);
	struct memo_source of = {
		.build = build.id,
		.build_len = build.len,
		.path = source->path,
		.text = text->text,
		.len = text->len,
		.is_plain = text->is_plain,
		.line = line,
		.compiler = compiler,
		.libclang = getenv("CELLC_LIBCLANG"),
	};
	uint8_t hash[MEMO_HASH_SIZE];
	char *cwd, *manifest = NULL;

	*ret = (struct recall){
		.arena = arena, .diag = diag, .text = text->text, .len = text->len
	};
	if (recall_project(&ret->project, line, source->path, arena, &ret->err) < 0)
		return;
	ret->has_project = true;
	/* What mends the manifest is not done by remembering that it was mended. */
	if (!home || ret->project.fix)
		return;
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return;
	of.cwd = must_printf(arena, "%s", cwd);
	free(cwd);
	of.project = &ret->project;
	/* One that cannot be read is said by those who need it. */
	if (ret->project.manifest &&
	    folder_read(ret->project.manifest, MANIFEST_MAX, arena, &manifest,
			&of.manifest_len, NULL) < 0)
		return;
	of.manifest = manifest;
	/* It chooses the fastest hash, which for a megabyte of text matters. */
	if (sodium_init() < 0)
		return;
	memo_key(hash, &of);
	pool_locate(&ret->entry, home, "units", hash, &limits, arena);
}

/* ---- finding
 * -------------------------------------------------------------------------------- */

/* Made files as they were written: who removes or changes one gets it again. */
static bool files_hold(const struct recall *recall, const struct memo *memo)
{
	for (size_t i = 0; i < memo->basis.n_files; i++) {
		const struct expansion_file *file = &memo->basis.files[i];
		char *text;
		size_t len;

		if (!accept_path(file->path) ||
		    folder_read(must_printf(recall->arena, "%s/%s", recall->project.folder,
					    file->path),
				CACHE_PLAN_MAX, recall->arena, &text, &len, NULL) < 0 ||
		    strcmp(key_hash(text, len, recall->arena), file->hash) != 0)
			return false;
	}
	return true;
}

static bool program_is_same(const struct memo_program *then)
{
	struct memo_program now = program_at(then->path);

	return !*then->path || (now.size == then->size && now.mtime_ns == then->mtime_ns &&
				now.inode == then->inode);
}

/* A macro cell that has restarted is told what it is asked about, as known_load() does. */
static void states_recall(const struct recall *recall, const struct memo *memo,
			  const struct known *known)
{
	const char **ids = NULL;
	size_t n = 0;

	for (size_t i = 0; i < memo->basis.n_namespaces; i++) {
		const struct known_namespace *one =
			known_find(known, memo->basis.namespaces[i]);

		for (size_t k = 0; one && k < one->lock.n_states; k++)
			*must_add(recall->arena, ids, n) = one->lock.states[k].id;
	}
	session_recall(recall->session, ids, n);
}

/* Files first: looking at them is cheaper than asking. */
static bool memo_holds(struct recall *recall, const struct memo *memo)
{
	const struct macro_macros *catalogs;
	uint8_t now[MEMO_HASH_SIZE];
	struct lock *locks;
	struct known known;

	if (!program_is_same(&memo->libclang))
		return false;
	for (size_t i = 0; i < memo->n_files; i++)
		if (!accept_path(memo->files[i].path))
			return false;
	if (!memo->basis.asks)
		return true;
	if (!files_hold(recall, memo) ||
	    known_locks(&known, &recall->project, recall->arena) < 0)
		return false;
	locks = must_new(recall->arena, struct lock, known.n);
	for (size_t i = 0; i < known.n; i++)
		locks[i] = known.list[i].lock;
	if (!recall->session)
		recall->session = session_new(&recall->project, recall->diag);
	states_recall(recall, memo, &known);
	catalogs = session_catalogs(recall->session);
	memo_circumstances(now, &memo->basis, locks, known.n, catalogs,
			   session_trouble(recall->session), recall->project.root,
			   recall->arena);
	if (memcmp(now, memo->circumstances, sizeof now) == 0 &&
	    memo_states_hold(&memo->basis, catalogs, recall->arena))
		return true;
	/* What is looked at instead may want other states. */
	session_forget(recall->session);
	return false;
}

bool recall_find(struct recall *recall)
{
	struct memo memo;
	const uint8_t *bytes;
	size_t len;

	if (recall->project.fresh || !pool_read(&recall->entry, recall->arena, &bytes, &len) ||
	    !memo_decode(&memo, bytes, len, recall->text, recall->len, recall->arena) ||
	    !memo_holds(recall, &memo))
		return false;
	pool_touch(&recall->entry);
	for (size_t i = 0; i < memo.n_messages; i++)
		diag_say(recall->diag, memo.messages[i].severity, &memo.messages[i].place,
			 memo.messages[i].ns, "%s", memo.messages[i].text);
	recall->memo = memo;
	recall->is_found = true;
	return true;
}

/* ---- keeping
 * -------------------------------------------------------------------------------- */

static void on_say(void *userdata, enum severity severity, const struct place *place,
		   const char *ns, const char *text)
{
	struct recall *recall = userdata;
	struct memo_message *message =
		must_add(recall->arena, recall->messages, recall->n_messages);

	*message = (struct memo_message){ .severity = severity, .place = *place };
	message->text = must_printf(recall->arena, "%s", text);
	if (ns)
		message->ns = must_printf(recall->arena, "%s", ns);
	if (place->file)
		message->place.file = must_printf(recall->arena, "%s", place->file);
}

void recall_listen(struct recall *recall, bool yes)
{
	diag_listen(recall->diag, yes ? on_say : NULL, recall);
}

void recall_keep(const struct recall *recall, const struct expansion *expansion,
		 struct session *session, const char *text, size_t text_len,
		 const struct splice_copy *copies, size_t n_copies)
{
	const char *library = clang_library();
	struct memo memo = {
		.basis = expansion->basis,
		.messages = recall->messages,
		.n_messages = recall->n_messages,
		.text = text,
		.text_len = text_len,
		.copies = copies,
		.n_copies = n_copies,
		.depends = expansion->depends,
		.n_depends = expansion->n_depends,
		.declared = expansion->declared,
		.sites = expansion->sites,
		.n_declared = expansion->n_declared,
		.files = expansion->files,
		.n_files = expansion->n_files,
	};
	const uint8_t *bytes;
	size_t len;

	if (!recall->entry.folder || !library || expansion->is_degraded)
		return;
	memo.libclang = program_at(library);
	if (memo.basis.asks)
		memo_circumstances(memo.circumstances, &memo.basis, memo.basis.locks,
				   memo.basis.n_locks, session_catalogs(session),
				   session_trouble(session), recall->project.root,
				   recall->arena);
	memo_encode(&memo, recall->text, recall->len, recall->arena, &bytes, &len);
	pool_put(&recall->entry, bytes, len);
}

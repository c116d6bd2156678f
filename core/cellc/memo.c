#include "memo.h"

#include "writer.h"

#include <cell/bytes.h>
#include <sodium/crypto_generichash.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Changes when the format does. */
#define MAGIC UINT64_C(0x326f6d656d636363) /* "cccmemo2" */
/* Bytes of a text that are worth being copied, not stored. */
#define COPY_MIN 32
/* Bytes of a text that is given to a compiler. */
#define TEXT_MAX (1u << 30)

typedef crypto_generichash_state hasher;

/* ---- hashes ------------------------------------------------------------------------------
 */

/* Each part with its length before it, so that no two lists of parts look alike. */
static void add(hasher *state, const void *bytes, size_t len)
{
	uint8_t size[8];

	cell_store_u64(size, len);
	(void)crypto_generichash_update(state, size, sizeof size);
	(void)crypto_generichash_update(state, bytes, len);
}

static void add_number(hasher *state, uint64_t number)
{
	uint8_t bytes[8];

	cell_store_u64(bytes, number);
	add(state, bytes, sizeof bytes);
}

/* NULL is another thing than "". */
static void add_text(hasher *state, const char *text)
{
	add_number(state, text != NULL);
	if (text)
		add(state, text, strlen(text));
}

static void add_words(hasher *state, const char *const *words)
{
	size_t n = 0;

	while (words && words[n])
		n++;
	add_number(state, n);
	for (size_t i = 0; i < n; i++)
		add_text(state, words[i]);
}

static void add_compiler(hasher *state, const struct compiler *compiler)
{
	add_number(state, compiler->kind);
	add_text(state, compiler->path);
	add_text(state, compiler->inner);
	add_words(state, compiler->words);
	add_number(state, compiler->is_wrapped);
	add_number(state, compiler->size);
	add_number(state, compiler->mtime_ns);
	add_number(state, compiler->inode);
	add_number(state, compiler->inner_size);
	add_number(state, compiler->inner_mtime_ns);
	add_number(state, compiler->inner_inode);
}

/* Where the output and dependencies go changes nothing in the text. */
static void add_line(hasher *state, const struct command_line *line)
{
	add_words(state, line->preprocess);
	add_words(state, line->compile);
	add_words(state, line->defines);
	add_words(state, line->target_flags);
	add_text(state, line->standard);
}

static void add_project(hasher *state, const struct project *project)
{
	add_text(state, project->root);
	add_text(state, project->folder);
	add_text(state, project->settings);
	add_text(state, project->program);
	add_text(state, project->manifest);
	add_words(state, (const char *const *)project->features_off);
	add_words(state, (const char *const *)project->order);
	add_number(state, project->locked);
	add_number(state, project->offline);
	add_number(state, project->strict);
}

void memo_key(uint8_t hash[MEMO_HASH_SIZE], const struct memo_source *source)
{
	hasher state;

	(void)crypto_generichash_init(&state, NULL, 0, MEMO_HASH_SIZE);
	add_number(&state, MAGIC);
	add(&state, source->build, source->build_len);
	add_text(&state, source->cwd);
	add_text(&state, source->path);
	add_number(&state, source->is_plain);
	add_line(&state, source->line);
	add_compiler(&state, source->compiler);
	add_project(&state, source->project);
	add_number(&state, source->manifest != NULL);
	add(&state, source->manifest ? source->manifest : "", source->manifest_len);
	add_text(&state, source->libclang);
	add(&state, source->text, source->len);
	(void)crypto_generichash_final(&state, hash, MEMO_HASH_SIZE);
}

/* ---- circumstances
 * ------------------------------------------------------------------------- */

static bool is_used(const struct expansion_basis *basis, const char *ns)
{
	for (size_t i = 0; i < basis->n_namespaces; i++)
		if (strcmp(basis->namespaces[i], ns) == 0)
			return true;
	return false;
}

static bool is_declared(const struct expansion_basis *basis, const char *file,
			const char *declaration)
{
	for (size_t i = 0; i < basis->n_declarations; i++)
		if (strcmp(basis->declarations[i].name, declaration) == 0 &&
		    (!file || strcmp(basis->declarations[i].file, file) == 0))
			return true;
	return false;
}

/* LOCK without the lines about other units. */
static struct lock lock_narrow(const struct expansion_basis *basis, const struct lock *lock,
			       struct cell_arena *arena)
{
	struct lock narrow = lock_copy(lock, arena);

	narrow.n_uses = narrow.n_kept = 0;
	for (size_t i = 0; i < lock->n_uses; i++) {
		const struct lock_use *use = &lock->uses[i];

		/* One of the file that is no declaration in it will be dropped. */
		if (strcmp(use->file, basis->main_file) == 0 ||
		    is_declared(basis, use->file, use->declaration))
			narrow.uses[narrow.n_uses++] = *use;
	}
	/* Of a declaration that moved here, kept lines are those of another file. */
	for (size_t i = 0; i < lock->n_kept; i++)
		if (is_declared(basis, NULL, lock->kept[i].declaration))
			narrow.kept[narrow.n_kept++] = lock->kept[i];
	lock_trim_states(&narrow);
	return narrow;
}

static int locks_order(const void *a, const void *b)
{
	const struct lock *const *x = a, *const *y = b;

	return strcmp((*x)->ns, (*y)->ns);
}

static void add_locks(hasher *state, const struct expansion_basis *basis,
		      const struct lock *locks, size_t n, const char *root,
		      struct cell_arena *arena)
{
	const struct lock **sorted = must_new(arena, const struct lock *, n);

	for (size_t i = 0; i < n; i++)
		sorted[i] = &locks[i];
	qsort((void *)sorted, n, sizeof *sorted, locks_order);
	for (size_t i = 0; i < n; i++) {
		struct lock narrow;

		/* A lock that is still empty is none. */
		if (!sorted[i]->cell)
			continue;
		narrow = lock_narrow(basis, sorted[i], arena);
		if (!is_used(basis, narrow.ns) && narrow.n_uses == 0 && narrow.n_kept == 0)
			continue;
		add_text(state, narrow.ns);
		add_text(state, lock_text(&narrow, arena));
		for (size_t k = 0; k < narrow.n_kept; k++)
			add_number(state,
				   is_declared(basis, narrow.kept[k].file,
					       narrow.kept[k].declaration) ||
					   access(must_printf(arena, "%s/%s", root,
							      narrow.kept[k].file),
						  F_OK) == 0);
	}
	add_text(state, NULL);
}

static const char *state_said(const struct macro_macros *catalogs, const char *id,
			      struct cell_arena *arena)
{
	for (size_t i = 0; i < catalogs->n_catalogs; i++)
		for (size_t k = 0; k < catalogs->catalogs[i].n_states; k++)
			if (strcmp(catalogs->catalogs[i].states[k].id, id) == 0)
				return hex_of(arena, catalogs->catalogs[i].states[k].digest,
					      catalogs->catalogs[i].states[k].n_digest);
	return "";
}

bool memo_states_hold(const struct expansion_basis *basis, const struct macro_macros *catalogs,
		      struct cell_arena *arena)
{
	for (size_t i = 0; catalogs && i < basis->n_states; i++)
		if (strcmp(state_said(catalogs, basis->states[i].id, arena),
			   basis->states[i].digest) != 0)
			return false;
	return true;
}

static bool provides_any(const struct expansion_basis *basis,
			 const struct macro_catalog *catalog)
{
	for (size_t i = 0; i < catalog->n_namespaces; i++)
		if (is_used(basis, catalog->namespaces[i]))
			return true;
	return false;
}

static void add_catalogs(hasher *state, const struct expansion_basis *basis,
			 const struct macro_macros *catalogs)
{
	add_number(state, catalogs->n_catalogs);
	for (size_t i = 0; i < catalogs->n_catalogs; i++) {
		const struct macro_catalog *one = &catalogs->catalogs[i];

		add_text(state, one->cell);
		add_number(state, one->n_namespaces);
		for (size_t k = 0; k < one->n_namespaces; k++)
			add_text(state, one->namespaces[k]);
		add_text(state, one->key);
		add(state, one->digest, one->n_digest);
		add_text(state, one->trouble);
		/* Another program may give other text with the same signatures. */
		if (provides_any(basis, one))
			add(state, one->program, one->n_program);
	}
}

void memo_circumstances(uint8_t hash[MEMO_HASH_SIZE], const struct expansion_basis *basis,
			const struct lock *locks, size_t n,
			const struct macro_macros *catalogs, const char *trouble,
			const char *root, struct cell_arena *arena)
{
	hasher state;

	(void)crypto_generichash_init(&state, NULL, 0, MEMO_HASH_SIZE);
	add_number(&state, catalogs != NULL);
	if (catalogs)
		add_catalogs(&state, basis, catalogs);
	else
		add_text(&state, trouble);
	add_locks(&state, basis, locks, n, root, arena);
	(void)crypto_generichash_final(&state, hash, MEMO_HASH_SIZE);
}

/* ---- writing
 * ------------------------------------------------------------------------------- */

static void put_number(struct writer *out, uint64_t number)
{
	uint8_t bytes[8];

	cell_store_u64(bytes, number);
	writer_add(out, (const char *)bytes, sizeof bytes);
}

static void put_bytes(struct writer *out, const void *bytes, size_t len)
{
	put_number(out, len);
	writer_add(out, bytes, len);
}

/* With its NUL, to be used where it is; NULL is none. */
static void put_text(struct writer *out, const char *text)
{
	put_bytes(out, text ? text : "", text ? strlen(text) + 1 : 0);
}

static void put_place(struct writer *out, const struct place *place)
{
	put_text(out, place->file);
	put_number(out, place->line);
	put_number(out, place->column);
	put_number(out, place->width);
}

/* Copy N bytes of the preprocessed text from FROM on, then take LEN that are here. */
static void put_step(struct writer *out, size_t from, size_t n, const char *bytes, size_t len)
{
	put_number(out, from);
	put_number(out, n);
	put_bytes(out, bytes, len);
}

static void put_result(struct writer *out, const struct memo *memo, const char *text)
{
	size_t done = 0, from = 0, copied = 0;

	put_number(out, memo->text_len);
	/* What lies between two stretches that are worth copying goes with the first. */
	for (size_t i = 0; i < memo->n_copies; i++) {
		const struct splice_copy *copy = &memo->copies[i];

		for (size_t at = 0; at < copy->n;) {
			size_t start = at;

			while (at < copy->n &&
			       memo->text[copy->to + at] == text[copy->from + at])
				at++;
			if (at - start >= COPY_MIN) {
				put_step(out, from, copied, memo->text + done,
					 copy->to + start - done);
				from = copy->from + start;
				copied = at - start;
				done = copy->to + at;
			}
			while (at < copy->n &&
			       memo->text[copy->to + at] != text[copy->from + at])
				at++;
		}
	}
	put_step(out, from, copied, memo->text + done, memo->text_len - done);
}

static void put_basis(struct writer *out, const struct expansion_basis *basis)
{
	put_number(out, basis->asks);
	put_text(out, basis->main_file);
	put_number(out, basis->n_namespaces);
	for (size_t i = 0; i < basis->n_namespaces; i++)
		put_text(out, basis->namespaces[i]);
	put_number(out, basis->n_declarations);
	for (size_t i = 0; i < basis->n_declarations; i++) {
		put_text(out, basis->declarations[i].file);
		put_text(out, basis->declarations[i].name);
	}
	put_number(out, basis->n_states);
	for (size_t i = 0; i < basis->n_states; i++) {
		put_text(out, basis->states[i].id);
		put_text(out, basis->states[i].digest);
	}
	put_number(out, basis->n_files);
	for (size_t i = 0; i < basis->n_files; i++) {
		put_text(out, basis->files[i].path);
		put_text(out, basis->files[i].hash);
	}
}

static void put_site(struct writer *out, const struct expansion_site *site)
{
	put_text(out, site->ns);
	put_text(out, site->name);
	put_place(out, &site->at);
	put_number(out, site->n_spots);
	for (size_t i = 0; i < site->n_spots; i++) {
		put_text(out, site->spots[i].member);
		put_text(out, site->spots[i].macro);
		put_text(out, site->spots[i].argument);
		put_place(out, &site->spots[i].at);
	}
}

static void put_rest(struct writer *out, const struct memo *memo)
{
	put_number(out, memo->n_messages);
	for (size_t i = 0; i < memo->n_messages; i++) {
		put_number(out, memo->messages[i].severity);
		put_place(out, &memo->messages[i].place);
		put_text(out, memo->messages[i].ns);
		put_text(out, memo->messages[i].text);
	}
	put_number(out, memo->n_depends);
	for (size_t i = 0; i < memo->n_depends; i++)
		put_text(out, memo->depends[i]);
	put_number(out, memo->n_declared);
	for (size_t i = 0; i < memo->n_declared; i++) {
		put_text(out, memo->declared[i].ns);
		put_text(out, memo->declared[i].name);
		put_bytes(out, memo->declared[i].digest, memo->declared[i].n_digest);
		put_bytes(out, memo->declared[i].body, memo->declared[i].n_body);
		put_number(out, memo->declared[i].attribute);
		put_site(out, &memo->sites[i]);
	}
	put_number(out, memo->n_files);
	for (size_t i = 0; i < memo->n_files; i++) {
		put_text(out, memo->files[i].path);
		put_bytes(out, memo->files[i].content, memo->files[i].n_content);
	}
}

void memo_encode(const struct memo *memo, const char *text, size_t len,
		 struct cell_arena *arena, const uint8_t **ret_bytes, size_t *ret_len)
{
	struct writer out = writer_new(arena);
	uint8_t hash[MEMO_HASH_SIZE] = { 0 };

	put_number(&out, MAGIC);
	writer_add(&out, (const char *)hash, sizeof hash);
	put_number(&out, len);
	writer_add(&out, (const char *)memo->circumstances, MEMO_HASH_SIZE);
	put_text(&out, memo->libclang.path);
	put_number(&out, memo->libclang.size);
	put_number(&out, memo->libclang.mtime_ns);
	put_number(&out, memo->libclang.inode);
	put_basis(&out, &memo->basis);
	put_rest(&out, memo);
	put_result(&out, memo, text);
	(void)crypto_generichash(hash, sizeof hash, (const uint8_t *)out.text + 8 + sizeof hash,
				 out.len - 8 - sizeof hash, NULL, 0);
	memcpy(out.text + 8, hash, sizeof hash);
	*ret_bytes = (const uint8_t *)out.text;
	*ret_len = out.len;
}

/* ---- reading
 * ------------------------------------------------------------------------------- */

struct input {
	struct cell_reader reader;
	struct cell_arena *arena;
};

static uint64_t take_number(struct input *in)
{
	return cell_read_u64(&in->reader);
}

static const uint8_t *take_bytes(struct input *in, size_t *ret_len)
{
	uint64_t len = take_number(in);
	const uint8_t *bytes = cell_read_bytes(&in->reader, len);

	*ret_len = bytes ? len : 0;
	return bytes;
}

static const char *take_text(struct input *in)
{
	size_t len;
	const char *text = (const char *)take_bytes(in, &len);

	if (!text || len == 0)
		return NULL;
	if (memchr(text, '\0', len) != text + len - 1) {
		in->reader.failed = true;
		return NULL;
	}
	return text;
}

/* One that must be there. */
static const char *take_string(struct input *in)
{
	const char *text = take_text(in);

	in->reader.failed |= !text;
	return text ? text : "";
}

/* How many follow, each of which has at least 8 bytes. */
static size_t take_count(struct input *in)
{
	uint64_t n = take_number(in);

	if (n > (uint64_t)(in->reader.end - in->reader.at) / 8) {
		in->reader.failed = true;
		return 0;
	}
	return n;
}

static struct place take_place(struct input *in)
{
	struct place place = { .file = take_text(in) };

	place.line = (uint32_t)take_number(in);
	place.column = (uint32_t)take_number(in);
	place.width = (uint32_t)take_number(in);
	return place;
}

static const char **take_list(struct input *in, size_t *ret_n)
{
	size_t n = take_count(in);
	const char **list = must_new(in->arena, const char *, n);

	for (size_t i = 0; i < n; i++)
		list[i] = take_string(in);
	*ret_n = n;
	return list;
}

static void take_basis(struct input *in, struct expansion_basis *basis)
{
	struct expansion_declaration *declarations;
	struct expansion_file *files;
	struct lock_state *states;

	basis->asks = take_number(in);
	basis->main_file = take_string(in);
	basis->namespaces = take_list(in, &basis->n_namespaces);
	basis->n_declarations = take_count(in);
	basis->declarations = declarations =
		must_new(in->arena, struct expansion_declaration, basis->n_declarations);
	for (size_t i = 0; i < basis->n_declarations; i++) {
		declarations[i].file = take_string(in);
		declarations[i].name = take_string(in);
	}
	basis->n_states = take_count(in);
	basis->states = states = must_new(in->arena, struct lock_state, basis->n_states);
	for (size_t i = 0; i < basis->n_states; i++) {
		states[i].id = take_string(in);
		states[i].digest = take_string(in);
	}
	basis->n_files = take_count(in);
	basis->files = files = must_new(in->arena, struct expansion_file, basis->n_files);
	for (size_t i = 0; i < basis->n_files; i++) {
		files[i].path = take_string(in);
		files[i].hash = take_string(in);
	}
}

static void take_messages(struct input *in, struct memo *memo)
{
	memo->n_messages = take_count(in);
	memo->messages = must_new(in->arena, struct memo_message, memo->n_messages);
	for (size_t i = 0; i < memo->n_messages; i++) {
		uint64_t severity = take_number(in);

		in->reader.failed |= severity > SEVERITY_NOTE;
		memo->messages[i].severity = (enum severity)severity;
		memo->messages[i].place = take_place(in);
		memo->messages[i].ns = take_text(in);
		memo->messages[i].text = take_string(in);
	}
}

static struct expansion_site take_site(struct input *in)
{
	struct expansion_site site = { .ns = take_string(in) };
	struct expansion_spot *spots;

	site.name = take_string(in);
	site.at = take_place(in);
	site.n_spots = take_count(in);
	site.spots = spots = must_new(in->arena, struct expansion_spot, site.n_spots);
	for (size_t i = 0; i < site.n_spots; i++) {
		spots[i].member = take_string(in);
		spots[i].macro = take_string(in);
		spots[i].argument = take_string(in);
		spots[i].at = take_place(in);
	}
	return site;
}

static void take_declared(struct input *in, struct memo *memo)
{
	struct macro_declared *declared;
	struct expansion_site *sites;

	memo->n_declared = take_count(in);
	memo->declared = declared =
		must_new(in->arena, struct macro_declared, memo->n_declared);
	memo->sites = sites = must_new(in->arena, struct expansion_site, memo->n_declared);
	for (size_t i = 0; i < memo->n_declared; i++) {
		declared[i].ns = take_string(in);
		declared[i].name = take_string(in);
		declared[i].digest = take_bytes(in, &declared[i].n_digest);
		declared[i].body = take_bytes(in, &declared[i].n_body);
		declared[i].attribute = (uint32_t)take_number(in);
		sites[i] = take_site(in);
	}
}

static void take_files(struct input *in, struct memo *memo)
{
	struct macro_file *files;

	memo->n_files = take_count(in);
	memo->files = files = must_new(in->arena, struct macro_file, memo->n_files);
	for (size_t i = 0; i < memo->n_files; i++) {
		files[i].path = take_string(in);
		files[i].content = take_bytes(in, &files[i].n_content);
	}
}

/* The steps to the end of the entry must make just the text. */
static void take_result(struct input *in, struct memo *memo, const char *text, size_t len)
{
	uint64_t whole = take_number(in);
	char *made;
	size_t at = 0;

	if (in->reader.failed || whole > TEXT_MAX) {
		in->reader.failed = true;
		return;
	}
	made = must(cell_arena_alloc(in->arena, whole + 1));
	while (!in->reader.failed && in->reader.at < in->reader.end) {
		uint64_t from = take_number(in), n = take_number(in);
		size_t n_bytes;
		const uint8_t *bytes = take_bytes(in, &n_bytes);

		if (!bytes || from > len || n > len - from || n > whole - at ||
		    n_bytes > whole - at - n) {
			in->reader.failed = true;
			return;
		}
		memcpy(made + at, text + from, n);
		memcpy(made + at + n, bytes, n_bytes);
		at += n + n_bytes;
	}
	in->reader.failed |= at != whole;
	made[at] = '\0';
	memo->text = made;
	memo->text_len = at;
}

bool memo_decode(struct memo *ret, const uint8_t *bytes, size_t n_bytes, const char *text,
		 size_t len, struct cell_arena *arena)
{
	struct input in = { cell_reader(bytes, n_bytes), arena };
	const uint8_t *hash, *circumstances;
	uint8_t now[MEMO_HASH_SIZE];
	struct memo memo = { .n_copies = 0 };

	if (take_number(&in) != MAGIC)
		return false;
	hash = cell_read_bytes(&in.reader, MEMO_HASH_SIZE);
	if (!hash)
		return false;
	(void)crypto_generichash(now, sizeof now, in.reader.at,
				 (size_t)(in.reader.end - in.reader.at), NULL, 0);
	if (memcmp(now, hash, sizeof now) != 0 || take_number(&in) != len)
		return false;
	circumstances = cell_read_bytes(&in.reader, MEMO_HASH_SIZE);
	if (!circumstances)
		return false;
	memcpy(memo.circumstances, circumstances, MEMO_HASH_SIZE);
	memo.libclang.path = take_string(&in);
	memo.libclang.size = take_number(&in);
	memo.libclang.mtime_ns = take_number(&in);
	memo.libclang.inode = take_number(&in);
	take_basis(&in, &memo.basis);
	take_messages(&in, &memo);
	memo.depends = take_list(&in, &memo.n_depends);
	take_declared(&in, &memo);
	take_files(&in, &memo);
	take_result(&in, &memo, text, len);
	if (!cell_reader_is_done(&in.reader))
		return false;
	*ret = memo;
	return true;
}

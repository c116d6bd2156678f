/*
 * Two ways in which an old answer could be wrong, and what is done about each.
 *
 * A file has changed: its size, times and inode are compared, and if one differs its hash.
 * A file that changed within SEEN_SETTLED_NS before we looked, or since, is not relied on.
 *
 * Another file would be found first now: that is one of some name in a folder that the
 * compiler searches. The parts of all names by which the files can have been included are
 * "components"; each folder's entry has a sum over those of them that it holds. Only when a
 * folder's times differ is it read again, as objects come and go where headers do not.
 */
#include "seen.h"

#include <cell/bytes.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Changes when the format does, or what the scanner finds. */
#define MAGIC     UINT64_C(0x316e656573636363) /* "cccseen1" */
#define HASH_SIZE POOL_HASH_SIZE
#define ENTRY_MAX (4u * 1024 * 1024)
#define SLOTS     (2 * SEEN_FILES_MAX)
#define NS_PER_S  UINT64_C(1000000000)

struct seen_file {
	const char *path;
	bool is_system;
};

struct times {
	uint64_t size, mtime_ns, ctime_ns, inode;
};

static uint64_t ns_of(struct timespec time)
{
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static struct times times_of(const struct stat *stat)
{
	return (struct times){ (uint64_t)stat->st_size, ns_of(stat->st_mtim),
			       ns_of(stat->st_ctim), (uint64_t)stat->st_ino };
}

static bool times_equal(const struct times *a, const struct times *b)
{
	return a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns && a->inode == b->inode;
}

/* Whether a change from now on would show. Some file systems count in seconds, or two. */
static bool is_settled(const struct seen *seen, const struct times *times)
{
	uint64_t newest =
		times->mtime_ns > times->ctime_ns ? times->mtime_ns : times->ctime_ns;
	bool is_coarse = times->mtime_ns % NS_PER_S == 0 && times->ctime_ns % NS_PER_S == 0;

	return newest + (is_coarse ? 2 * NS_PER_S : SEEN_SETTLED_NS) < seen->started_ns;
}

static uint64_t name_hash(const char *name, size_t len)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 29;
}

/* ---- the key ------------------------------------------------------------------------- */

static void hash_text(crypto_generichash_state *state, const char *text)
{
	if (text)
		(void)crypto_generichash_update(state, (const unsigned char *)text,
						strlen(text) + 1);
	else
		(void)crypto_generichash_update(state, (const unsigned char *)"\xff", 1);
}

/* What makes the folders in which headers are looked for more than we can tell. */
static bool is_beyond_us(const struct command_line *line)
{
	static const char *const words[] = { "-imacros",     "-iprefix",     "-iwithprefix",
					     "-ivfsoverlay", "-I-",          "-Xpreprocessor",
					     "-Xclang",      "-working-dir", "-include-pch",
					     "-F",           "-fmodules" };

	for (const char **word = line->preprocess; *word; word++)
		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			if (strncmp(*word, words[i], strlen(words[i])) == 0)
				return true;
	for (const char **folder = line->directories; *folder; folder++)
		if (**folder == '=' || strncmp(*folder, "$SYSROOT", 8) == 0)
			return true;
	for (size_t i = 0; i < line->n_inputs; i++)
		if (strcmp(line->inputs[i].path, "-") == 0)
			return true;
	return getenv("CPATH") || getenv("C_INCLUDE_PATH") || getenv("GCC_EXEC_PREFIX") ||
	       getenv("COMPILER_PATH");
}

void seen_init(struct seen *seen, const char *cache, const struct command_line *line,
	       const struct compiler *compiler, struct cell_arena *arena)
{
	crypto_generichash_state state;
	static const struct pool_limits limits = {
		.entries = SEEN_ENTRIES_MAX, .bytes = SIZE_MAX, .entry = ENTRY_MAX
	};
	unsigned char hash[HASH_SIZE];
	struct timespec now;
	char *cwd;

	*seen = (struct seen){ .arena = arena, .line = line };
	if (!cache || is_beyond_us(line))
		return;
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return;
	/* The clock that files are stamped by. */
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	seen->started_ns = ns_of(now);
	(void)crypto_generichash_init(&state, NULL, 0, sizeof hash);
	hash_text(&state, CELL_VERSION);
	hash_text(&state, cwd);
	hash_text(&state, compiler->path);
	(void)crypto_generichash_update(&state, (const unsigned char *)&compiler->size,
					sizeof compiler->size);
	(void)crypto_generichash_update(&state, (const unsigned char *)&compiler->mtime_ns,
					sizeof compiler->mtime_ns);
	(void)crypto_generichash_update(&state, (const unsigned char *)&compiler->inode,
					sizeof compiler->inode);
	for (size_t i = 0; i < compiler->n_words; i++)
		hash_text(&state, compiler->words[i]);
	hash_text(&state, NULL);
	for (size_t i = 1; i < line->n_expanded; i++)
		hash_text(&state, line->expanded[i]);
	(void)crypto_generichash_final(&state, hash, sizeof hash);
	free(cwd);
	pool_locate(&seen->entry, cache, "seen", hash, &limits, arena);
}

/* ---- files and folders as they are
 * --------------------------------------------------------- */

static bool contains(const char *text, size_t len, const char *word)
{
	return memmem(text, len, word, strlen(word)) != NULL;
}

/* The hash of a file; *RET_ASKS, which may be NULL: whether it asks which headers there are.
 */
static bool file_hash(const char *path, unsigned char hash[HASH_SIZE], bool *ret_asks)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat stat;
	void *text = NULL;
	size_t len;
	bool ok;

	if (fd < 0)
		return false;
	ok = fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
	len = ok ? (size_t)stat.st_size : 0;
	if (len) {
		/* Read, not mapped: it may shrink meanwhile. */
		text = malloc(len);
		ok = text && pread(fd, text, len, 0) == (ssize_t)len;
	}
	(void)close(fd);
	if (ok) {
		(void)crypto_generichash(hash, HASH_SIZE, text, len, NULL, 0);
		if (ret_asks)
			*ret_asks = len && contains(text, len, "__has_include");
	}
	free(text);
	return ok;
}

struct components {
	uint64_t *hashes; /* sorted */
	size_t n;
};

static bool components_have(const struct components *components, uint64_t hash)
{
	size_t low = 0, high = components->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (components->hashes[middle] < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low < components->n && components->hashes[low] == hash;
}

typedef void component_fn(void *userdata, DIR *dir, const char *name);

/* The sum over the components that FOLDER holds; each goes to ON_NAME, which may be NULL. */
static uint64_t folder_sum(const char *folder, const struct components *components,
			   component_fn *on_name, void *userdata)
{
	DIR *dir = opendir(folder);
	uint64_t sum = 1;

	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		uint64_t hash = name_hash(entry->d_name, strlen(entry->d_name));

		if (entry->d_name[0] == '.' || !components_have(components, hash))
			continue;
		sum += hash * UINT64_C(0x9e3779b97f4a7c15);
		if (on_name)
			on_name(userdata, dir, entry->d_name);
	}
	(void)closedir(dir);
	return sum;
}

/* ---- asking
 * ----------------------------------------------------------------------------------- */

static struct times read_times(struct cell_reader *reader)
{
	struct times times;

	times.size = cell_read_u64(reader);
	times.mtime_ns = cell_read_u64(reader);
	times.ctime_ns = cell_read_u64(reader);
	times.inode = cell_read_u64(reader);
	return times;
}

/* A path with its NUL, in place; NULL if there is none. */
static const char *read_path(struct cell_reader *reader)
{
	uint16_t len = cell_read_u16(reader);
	const char *path = (const char *)cell_read_bytes(reader, len);

	if (!path || !len || path[len - 1]) {
		reader->failed = true;
		return NULL;
	}
	return path;
}

/* Whether the next file of the entry is as it was. */
static bool file_is_same(struct cell_reader *reader)
{
	const char *path = read_path(reader);
	bool was_there = cell_read_u8(reader);
	struct times then = read_times(reader), now;
	const uint8_t *hash = cell_read_bytes(reader, HASH_SIZE);
	unsigned char hash_now[HASH_SIZE];
	struct stat st;

	if (!hash || !path)
		return false;
	if (stat(path, &st) < 0)
		return errno == ENOENT && !was_there;
	if (!was_there || !S_ISREG(st.st_mode))
		return false;
	now = times_of(&st);
	if (times_equal(&then, &now))
		return true;
	return then.size == now.size && file_hash(path, hash_now, NULL) &&
	       memcmp(hash, hash_now, HASH_SIZE) == 0;
}

static bool folder_is_same(struct cell_reader *reader, const struct components *components)
{
	const char *path = read_path(reader);
	uint64_t mtime_ns = cell_read_u64(reader), ctime_ns = cell_read_u64(reader);
	uint64_t sum = cell_read_u64(reader);
	struct stat st;

	if (reader->failed || !path)
		return false;
	if (stat(path, &st) < 0)
		return sum == 0;
	if (mtime_ns && mtime_ns == ns_of(st.st_mtim) && ctime_ns == ns_of(st.st_ctim))
		return true;
	return folder_sum(path, components, NULL, NULL) == sum;
}

static bool entry_holds(const uint8_t *bytes, size_t len, struct cell_arena *arena)
{
	struct cell_reader reader = cell_reader(bytes, len);
	struct components components = { 0 };
	uint32_t n;

	if (cell_read_u64(&reader) != MAGIC)
		return false;
	n = cell_read_u32(&reader);
	for (uint32_t i = 0; i < n; i++)
		if (!file_is_same(&reader))
			return false;
	components.n = cell_read_u32(&reader);
	if (reader.failed || components.n > len / 8)
		return false;
	components.hashes = cell_arena_calloc(arena, components.n, sizeof(uint64_t));
	if (!components.hashes)
		return false;
	for (size_t i = 0; i < components.n; i++)
		components.hashes[i] = cell_read_u64(&reader);
	while (cell_read_u8(&reader) == 1)
		if (!folder_is_same(&reader, &components))
			return false;
	return cell_reader_is_done(&reader);
}

bool seen_is_clean(struct seen *seen)
{
	const uint8_t *bytes;
	size_t len;

	return pool_read(&seen->entry, seen->arena, &bytes, &len) &&
	       entry_holds(bytes, len, seen->arena);
}

/* ---- noting
 * -------------------------------------------------------------------------------------- */

static void file_add(struct seen *seen, const char *path, bool is_system)
{
	size_t slot = name_hash(path, strlen(path)) % SLOTS;

	for (; seen->slots[slot]; slot = (slot + 1) % SLOTS) {
		struct seen_file *file = &seen->files[seen->slots[slot] - 1];

		if (strcmp(file->path, path) == 0) {
			file->is_system &= is_system;
			return;
		}
	}
	if (seen->n_files == SEEN_FILES_MAX) {
		seen->is_spoilt = true;
		return;
	}
	path = cell_arena_strdup(seen->arena, path);
	if (!path) {
		seen->is_spoilt = true;
		return;
	}
	seen->files[seen->n_files++] = (struct seen_file){ path, is_system };
	seen->slots[slot] = (uint32_t)seen->n_files;
}

/* `"path" flags` behind a marker's number. */
static void marker_note(struct seen *seen, const char *at, const char *end)
{
	char path[4096];
	size_t n = 0;

	if (at == end || *at++ != '"')
		return;
	for (; at < end && *at != '"'; at++) {
		/* Names with other escapes than these are not worth the trouble. */
		if (*at == '\\' && (++at == end || (*at != '\\' && *at != '"')))
			goto spoilt;
		if (n + 1 == sizeof path)
			goto spoilt;
		path[n++] = *at;
	}
	path[n] = '\0';
	/* "<built-in>", and the working folder: "/tmp//". */
	if (at == end || n == 0 || path[0] == '<' || path[n - 1] == '/')
		return;
	file_add(seen, path, memmem(at, (size_t)(end - at), " 3", 2) != NULL);
	return;
spoilt:
	seen->is_spoilt = true;
}

void seen_note(struct seen *seen, const char *text, size_t len)
{
	const char *end = text + len, *next;

	if (!seen->entry.folder || seen->is_spoilt)
		return;
	if (!seen->files) {
		seen->files =
			cell_arena_calloc(seen->arena, SEEN_FILES_MAX, sizeof *seen->files);
		seen->slots = cell_arena_calloc(seen->arena, SLOTS, sizeof *seen->slots);
		seen->is_spoilt = !seen->files || !seen->slots;
	}
	for (const char *line = text; line < end && !seen->is_spoilt; line = next) {
		const char *newline = memchr(line, '\n', (size_t)(end - line)),
			   *at = line + 1;

		newline = newline ? newline : end;
		next = newline + 1;
		if (*line != '#')
			continue;
		while (at < newline && (*at == ' ' || *at == '\t'))
			at++;
		if (newline - at > 5 && memcmp(at, "line", 4) == 0)
			at += 5;
		if (at == newline || *at < '0' || *at > '9')
			continue;
		while (at < newline && *at >= '0' && *at <= '9')
			at++;
		while (at < newline && (*at == ' ' || *at == '\t'))
			at++;
		marker_note(seen, at, newline);
	}
}

/* ---- keeping
 * ----------------------------------------------------------------------------------- */

struct keeper {
	struct seen *seen;
	FILE *out;
	const char **folders;
	size_t n_folders;
	struct components components;
	size_t room; /* for components */
	/* The folder that is read. */
	const char *folder;
	bool folder_is_settled;
};

static void write_number(FILE *out, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		(void)putc_unlocked((int)(value >> (8 * i) & 0xff), out);
}

static void write_path(FILE *out, const char *path)
{
	size_t len = strlen(path) + 1;

	write_number(out, len, 2);
	(void)fwrite_unlocked(path, 1, len, out);
}

static void folder_add(struct keeper *keeper, const char *folder, size_t len)
{
	char *copy;

	if (len == 0)
		folder = ".", len = 1;
	for (size_t i = 0; i < keeper->n_folders; i++)
		if (strlen(keeper->folders[i]) == len &&
		    memcmp(keeper->folders[i], folder, len) == 0)
			return;
	copy = cell_arena_strndup(keeper->seen->arena, folder, len);
	if (!copy || keeper->n_folders == SEEN_FOLDERS_MAX)
		keeper->seen->is_spoilt = true;
	else
		keeper->folders[keeper->n_folders++] = copy;
}

static void component_add(struct keeper *keeper, const char *name, size_t len)
{
	struct components *components = &keeper->components;

	if (len == 0 || name[0] == '.')
		return;
	if (components->n == keeper->room) {
		uint64_t *more;

		keeper->room = keeper->room ? 2 * keeper->room : 1024;
		more = realloc(components->hashes, keeper->room * sizeof *more);
		if (!more) {
			keeper->seen->is_spoilt = true;
			keeper->room = components->n;
			return;
		}
		components->hashes = more;
	}
	components->hashes[components->n++] = name_hash(name, len);
}

/* All parts of the names that FILE may have been included by, and the folder it is in. */
static void file_names(struct keeper *keeper, const char *path)
{
	const char *slash = strrchr(path, '/');

	folder_add(keeper, path, slash ? (slash == path ? 1 : (size_t)(slash - path)) : 0);
	for (const char *part = path, *end;; part = end + 1) {
		end = strchrnul(part, '/');
		/* "a/../b.h": from a it is "../b.h", so b.h matters in a/.. as well. */
		if (end - part == 2 && memcmp(part, "..", 2) == 0)
			folder_add(keeper, path, (size_t)(end - path));
		component_add(keeper, part, (size_t)(end - part));
		if (!*end)
			break;
	}
}

static int number_compare(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

static void components_sort(struct components *components)
{
	size_t n = 0;

	if (components->n)
		qsort(components->hashes, components->n, sizeof *components->hashes,
		      number_compare);
	for (size_t i = 0; i < components->n; i++)
		if (n == 0 || components->hashes[n - 1] != components->hashes[i])
			components->hashes[n++] = components->hashes[i];
	components->n = n;
}

static void file_write(struct keeper *keeper, const struct seen_file *file)
{
	unsigned char hash[HASH_SIZE] = { 0 };
	struct times times = { 0 };
	bool asks = false, is_there;
	struct stat st;

	/* #line may name a file that is not there: it stays so, or the entry counts no more.
	 */
	is_there = stat(file->path, &st) == 0;
	if (!is_there && errno != ENOENT)
		keeper->seen->is_spoilt = true;
	if (is_there) {
		times = times_of(&st);
		if (!S_ISREG(st.st_mode) || !is_settled(keeper->seen, &times) ||
		    !file_hash(file->path, hash, &asks) || (asks && !file->is_system))
			keeper->seen->is_spoilt = true;
	}
	write_path(keeper->out, file->path);
	write_number(keeper->out, is_there, 1);
	write_number(keeper->out, times.size, 8);
	write_number(keeper->out, times.mtime_ns, 8);
	write_number(keeper->out, times.ctime_ns, 8);
	write_number(keeper->out, times.inode, 8);
	(void)fwrite_unlocked(hash, 1, sizeof hash, keeper->out);
}

/* Of a folder that holds a component: one that came just now may not have been seen. */
static void on_component(void *userdata, DIR *dir, const char *name)
{
	struct keeper *keeper = userdata;
	struct times times;
	struct stat st;
	char *folder;

	if (fstatat(dirfd(dir), name, &st, 0) < 0)
		return;
	times = times_of(&st);
	if (S_ISDIR(st.st_mode)) {
		folder =
			cell_arena_printf(keeper->seen->arena, "%s/%s", keeper->folder, name);
		if (folder)
			folder_add(keeper, folder, strlen(folder));
		else
			keeper->seen->is_spoilt = true;
	} else if (!keeper->folder_is_settled && !is_settled(keeper->seen, &times)) {
		keeper->seen->is_spoilt = true;
	}
}

static void folder_write(struct keeper *keeper, const char *folder)
{
	struct times times = { 0 };
	uint64_t sum = 0;
	struct stat st;

	if (stat(folder, &st) == 0) {
		times = times_of(&st);
		keeper->folder = folder;
		keeper->folder_is_settled = is_settled(keeper->seen, &times);
		sum = folder_sum(folder, &keeper->components, on_component, keeper);
		if (!keeper->folder_is_settled)
			times.mtime_ns = 0;
	}
	write_path(keeper->out, folder);
	write_number(keeper->out, times.mtime_ns, 8);
	write_number(keeper->out, times.ctime_ns, 8);
	write_number(keeper->out, sum, 8);
}

static void entry_write(struct keeper *keeper)
{
	struct seen *seen = keeper->seen;

	write_number(keeper->out, MAGIC, 8);
	write_number(keeper->out, seen->n_files, 4);
	for (size_t i = 0; i < seen->n_files && !seen->is_spoilt; i++) {
		file_names(keeper, seen->files[i].path);
		file_write(keeper, &seen->files[i]);
	}
	folder_add(keeper, ".", 1);
	folder_add(keeper, "/usr/local/include", strlen("/usr/local/include"));
	for (const char **folder = seen->line->directories; *folder; folder++)
		folder_add(keeper, *folder, strlen(*folder));
	components_sort(&keeper->components);
	write_number(keeper->out, keeper->components.n, 4);
	for (size_t i = 0; i < keeper->components.n; i++)
		write_number(keeper->out, keeper->components.hashes[i], 8);
	/* Each may add some; a 0 ends them. */
	for (size_t i = 0; i < keeper->n_folders && !seen->is_spoilt; i++) {
		write_number(keeper->out, 1, 1);
		folder_write(keeper, keeper->folders[i]);
	}
	write_number(keeper->out, 0, 1);
}

void seen_keep(struct seen *seen)
{
	struct keeper keeper = { .seen = seen };
	char *bytes = NULL;
	size_t len = 0;

	if (!seen->entry.folder || seen->is_spoilt || !seen->n_files)
		return;
	keeper.folders =
		cell_arena_calloc(seen->arena, SEEN_FOLDERS_MAX, sizeof *keeper.folders);
	keeper.out = open_memstream(&bytes, &len);
	if (keeper.folders && keeper.out)
		entry_write(&keeper);
	if (keeper.out && fclose(keeper.out) == 0 && keeper.folders && !seen->is_spoilt &&
	    len <= ENTRY_MAX)
		pool_put(&seen->entry, bytes, len);
	free(bytes);
	free(keeper.components.hashes);
}

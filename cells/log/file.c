#include "file.h"

#include "rotate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Buffered per cell: a burst of lines becomes one write. */
#define BUFFER_SIZE 65536
/* Cells whose file is open at once; the one that was used least recently is closed. */
#define OPEN_MAX_FILES 128
/* Read again of each file when we start. */
#define RELOAD_BYTES 65536

struct file {
	struct file *next;
	char cell[64];
	int fd; /* -1: not open */
	uint64_t size;
	uint64_t total;
	uint64_t used_at; /* of `files->clock` */
	size_t len;
	char *buffer; /* while it is open */
};

struct files {
	int dir;
	struct file *list;
	unsigned n_open;
	uint64_t clock;
};

struct files *files_open(const char *dir)
{
	struct files *files = calloc(1, sizeof *files);

	if (!files)
		return NULL;
	files->dir = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (files->dir < 0) {
		free(files);
		return NULL;
	}
	return files;
}

static int file_write(struct file *file)
{
	size_t done = 0;
	int r = 0;

	while (r == 0 && done < file->len) {
		ssize_t n = write(file->fd, file->buffer + done, file->len - done);

		if (n < 0 && errno != EINTR)
			r = -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	/* What could not be written is lost, and counted by who asked. */
	file->size += done;
	file->len = 0;
	return r;
}

static void file_shut(struct files *files, struct file *file)
{
	if (file->fd < 0)
		return;
	(void)file_write(file);
	(void)close(file->fd);
	free(file->buffer);
	file->fd = -1;
	file->buffer = NULL;
	files->n_open--;
}

void files_close(struct files *files)
{
	if (!files)
		return;
	while (files->list) {
		struct file *file = files->list;

		files->list = file->next;
		file_shut(files, file);
		free(file);
	}
	(void)close(files->dir);
	free(files);
}

static void make_room(struct files *files)
{
	struct file *oldest = NULL;

	if (files->n_open < OPEN_MAX_FILES)
		return;
	for (struct file *file = files->list; file; file = file->next)
		if (file->fd >= 0 && (!oldest || file->used_at < oldest->used_at))
			oldest = file;
	if (oldest)
		file_shut(files, oldest);
}

static int file_open(struct files *files, struct file *file)
{
	char name[NAME_MAX + 1];
	struct stat st;

	make_room(files);
	if (!rotate_name(name, sizeof name, file->cell, 0))
		return -ENAMETOOLONG;
	file->buffer = malloc(BUFFER_SIZE);
	if (!file->buffer)
		return -ENOMEM;
	file->fd = openat(files->dir, name,
			  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file->fd < 0 || fstat(file->fd, &st) < 0) {
		int r = -errno;

		if (file->fd >= 0)
			(void)close(file->fd);
		free(file->buffer);
		file->buffer = NULL;
		file->fd = -1;
		return r;
	}
	file->size = (uint64_t)st.st_size;
	files->n_open++;
	return 0;
}

static struct file *file_get(struct files *files, const char *cell)
{
	struct file *file;

	for (file = files->list; file; file = file->next)
		if (strcmp(file->cell, cell) == 0)
			return file;
	file = calloc(1, sizeof *file);
	if (!file)
		return NULL;
	(void)snprintf(file->cell, sizeof file->cell, "%s", cell);
	file->fd = -1;
	file->next = files->list;
	files->list = file;
	return file;
}

/* NAME.log becomes NAME.log.1, and so on; a new one is begun at the next line. */
static int file_rotate(struct files *files, struct file *file)
{
	char from[NAME_MAX + 1], to[NAME_MAX + 1];

	file_shut(files, file);
	for (unsigned n = ROTATE_KEEP; n > 0; n--) {
		if (!rotate_name(from, sizeof from, file->cell, n - 1) ||
		    !rotate_name(to, sizeof to, file->cell, n))
			return -ENAMETOOLONG;
		if (renameat(files->dir, from, files->dir, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return file_open(files, file);
}

int files_append(struct files *files, const struct recent_line *line, uint64_t total,
		 struct cell_error *err)
{
	struct file *file = file_get(files, line->cell);
	char head[ROTATE_HEAD_SIZE];
	size_t head_len, len;
	int r = 0;

	if (!file)
		return cell_fail(err, -ENOMEM, "%s: no memory", line->cell);
	head_len = rotate_head_write(head, line);
	len = head_len + line->text_len + 1;
	if (len > BUFFER_SIZE)
		return cell_fail(err, -EMSGSIZE, "%s: a line of %zu bytes", line->cell, len);
	file->used_at = ++files->clock;
	if (file->fd < 0)
		r = file_open(files, file);
	if (r == 0 && rotate_is_due(file->size + file->len, len, total))
		r = file_rotate(files, file);
	if (r == 0 && file->len + len > BUFFER_SIZE)
		r = file_write(file);
	if (r < 0)
		return cell_fail(err, r, "%s.log: %s", line->cell, strerror(-r));
	memcpy(file->buffer + file->len, head, head_len);
	memcpy(file->buffer + file->len + head_len, line->text, line->text_len);
	file->buffer[file->len + len - 1] = '\n';
	file->len += len;
	return 0;
}

int files_flush(struct files *files, struct cell_error *err)
{
	int first = 0;

	for (struct file *file = files->list; file; file = file->next) {
		int r = file->len ? file_write(file) : 0;

		if (r < 0 && first == 0)
			first = cell_fail(err, r, "%s.log: %s", file->cell, strerror(-r));
	}
	return first;
}

/* ---- what was written before ------------------------------------------------------------
 */

struct tail {
	char *text; /* terminated */
	char *at;   /* the next line */
	struct recent_line line;
	char cell[64];
	bool has_line;
};

/* The tail's next line that is one of ours. */
static void tail_next(struct tail *tail)
{
	tail->has_line = false;
	while (!tail->has_line && *tail->at) {
		size_t len = strcspn(tail->at, "\n");

		tail->has_line = rotate_line_read(&tail->line, tail->cell, tail->at, len);
		tail->at += len + (tail->at[len] == '\n');
	}
}

static bool tail_read(struct files *files, const char *name, struct tail *tail)
{
	int fd = openat(files->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	off_t from = end > RELOAD_BYTES ? end - RELOAD_BYTES : 0;
	ssize_t n;

	*tail = (struct tail){ .text = malloc(RELOAD_BYTES + 1) };
	n = fd < 0 || !tail->text ? 0 : pread(fd, tail->text, RELOAD_BYTES, from);
	if (fd >= 0)
		(void)close(fd);
	if (n <= 0) {
		free(tail->text);
		return false;
	}
	tail->text[n] = '\0';
	tail->at = tail->text;
	/* The first line is likely cut. */
	if (from > 0)
		tail->at += strcspn(tail->at, "\n");
	tail_next(tail);
	return true;
}

static struct tail *tails_read(struct files *files, size_t *ret_n)
{
	int fd = dup(files->dir);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct tail *tails = NULL;
	struct dirent *entry;
	size_t n = 0;

	if (!dir && fd >= 0)
		(void)close(fd);
	while (dir && (entry = readdir(dir))) {
		struct tail tail, *more;
		char cell[64];

		if (!rotate_cell_of(cell, sizeof cell, entry->d_name) ||
		    !tail_read(files, entry->d_name, &tail))
			continue;
		more = realloc(tails, (n + 1) * sizeof *tails);
		if (!more) {
			free(tail.text);
			break;
		}
		tails = more;
		tails[n] = tail;
		/* It moved, and with it the name that its line points to. */
		tails[n].line.cell = tails[n].cell;
		for (size_t i = 0; i < n; i++)
			tails[i].line.cell = tails[i].cell;
		n++;
	}
	if (dir)
		(void)closedir(dir);
	*ret_n = n;
	return tails;
}

void files_reload(struct files *files, void (*on_line)(void *, const struct recent_line *),
		  void *userdata)
{
	size_t n;
	struct tail *tails = tails_read(files, &n);

	for (;;) {
		struct tail *first = NULL;

		for (size_t i = 0; i < n; i++)
			if (tails[i].has_line &&
			    (!first || tails[i].line.at_ns < first->line.at_ns))
				first = &tails[i];
		if (!first)
			break;
		on_line(userdata, &first->line);
		tail_next(first);
	}
	for (size_t i = 0; i < n; i++)
		free(tails[i].text);
	free(tails);
}

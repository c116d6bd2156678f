/*
 * Any bytes as the data file of a store: its first pages are read and it is walked, and both
 * stay within it. What is good of a file of any bytes is its own business; only that there
 * are no more entries than the file has room for is checked.
 */
#include "libcellstore/format.h"
#include "libcellstore/walk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_page(struct walk *walk)
{
	return walk->pages < PAGES_MAX;
}

static void walk(const uint8_t *data, size_t size, const struct format_meta *meta)
{
	struct walk walk = {
		.path = "fuzz", .size = size, .meta = *meta, .on_page = on_page
	};
	struct cell_error err = { 0 };
	unsigned char *file = malloc(size);
	int r;

	if (!file)
		return;
	/* Of exactly this size, so that a sanitizer sees what lies behind it. */
	memcpy(file, data, size);
	walk.file = file;
	r = walk_file(&walk, &err);
	if (r < 0 && (r != err.code || !err.text[0]))
		abort();
	if (walk.entries > size / 16)
		abort();
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cell_error err = { 0 };
	struct format_meta meta;
	uint64_t file_size, missing;
	int r, fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || (size && write(fd, data, size) != (ssize_t)size))
		abort();
	r = format_read(fd, "fuzz", FORMAT_NEWEST, &meta, &file_size, &missing, &err);
	if (r < 0 ? r != err.code : file_size != size)
		abort();
	/* A bit for each page that it claims: as many as its user has memory for. */
	if (r == 0 && meta.last_page < 1 << 20)
		walk(data, size, &meta);
	(void)close(fd);
	return 0;
}

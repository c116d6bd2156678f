/*
 * What a cell writes to its stderr, on its way through the log cell: into lines, to a file's
 * line and back, into memory. The first byte says how much is read at a time.
 */
#include "log/intake.h"
#include "log/recent.h"
#include "log/rotate.h"

#include <cell/cell.h>
#include <cell/codec.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct recent *recent;
static char file_line[ROTATE_HEAD_SIZE + INTAKE_LINE_MAX + 256];

static void on_line(void *userdata, const char *text, size_t len)
{
	struct recent_line line = { .at_ns = (uint64_t)len * 1000000,
				    .cell = userdata,
				    .instance = len,
				    .pid = 1,
				    .text = text,
				    .text_len = len,
				    .level = recent_level_of(text, len) };
	struct recent_line back;
	const struct recent_line *kept;
	char cell[64];
	size_t head;

	cell_assert(strlen(text) == len);
	cell_assert(cell_text_is_valid((const uint8_t *)text, len));
	for (size_t i = 0; i < len; i++)
		cell_assert((unsigned char)text[i] >= ' ' || text[i] == '\t');
	head = rotate_head_write(file_line, &line);
	memcpy(file_line + head, text, len);
	cell_assert(rotate_line_read(&back, cell, file_line, head + len));
	cell_assert(back.at_ns == line.at_ns && back.instance == len && back.text_len == len);
	kept = recent_get(recent, recent_add(recent, &line));
	cell_assert(kept->text_len == len && memcmp(kept->text, text, len) == 0);
	cell_assert(kept->level == back.level);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct intake intake;
	static char name[] = "fuzz";
	struct intake_counts counts = { 0 };
	struct recent_line line;
	char cell[64];
	size_t step;

	if (size == 0)
		return 0;
	step = data[0] ? data[0] : 4096;
	recent = recent_new(0, 64);
	cell_assert(recent);
	intake_init(&intake, data[0] % 2 ? 0 : 5, 0, &counts, on_line, name);
	for (size_t at = 1; at < size; at += step)
		intake_feed(&intake, (const char *)data + at,
			    step < size - at ? step : size - at, (uint64_t)at * 100000000);
	intake_end(&intake, (uint64_t)size * 100000000);
	/* A file's line may have been written by anybody. */
	(void)rotate_line_read(&line, cell, (const char *)data + 1, size - 1);
	recent_free(recent);
	return 0;
}

#include "lines.h"

#include "vector.h"

void lines_init(struct lines *lines, const char *text, size_t len, struct cell_arena *arena)
{
	size_t n = 1, *starts;

	*lines = (struct lines){ .text = text, .len = len };
	for (const char *at = text, *end = text + len; at < end; at++, n++) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			break;
	}
	starts = memory_new(arena, n, sizeof *starts);
	n = 1;
	for (const char *at = text, *end = text + len; at < end; at++) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			break;
		starts[n++] = (size_t)(at - text) + 1;
	}
	lines->starts = starts;
	lines->n_starts = n;
}

/* The index of the last line that starts at OFFSET or before. */
static size_t line_index(const struct lines *lines, size_t offset)
{
	size_t low = 0, high = lines->n_starts;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (lines->starts[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

const struct line_marker *lines_marker(const struct lines *lines, size_t offset)
{
	size_t low = 0, high = lines->n_markers;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (lines->markers[middle].at <= offset)
			low = middle;
		else
			high = middle;
	}
	return &lines->markers[low];
}

size_t lines_start(const struct lines *lines, size_t offset)
{
	return lines->starts[line_index(lines, offset)];
}

struct place lines_place(const struct lines *lines, size_t start, size_t end)
{
	const struct line_marker *marker = lines_marker(lines, start);
	size_t index = line_index(lines, start), line_end;

	line_end = index + 1 < lines->n_starts ? lines->starts[index + 1] - 1 : lines->len;
	if (end > line_end)
		end = line_end;
	return (struct place){
		.file = marker->file,
		.line = marker->line + (uint32_t)(index - line_index(lines, marker->at)),
		.column = (uint32_t)(start - lines->starts[index]) + 1,
		.width = end > start ? (uint32_t)(end - start) : 0,
	};
}

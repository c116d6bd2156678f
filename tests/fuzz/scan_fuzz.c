/*
 * The scanner, the arguments and the blanking of attributes, with any bytes: every offset is
 * within the text, and what is overwritten leaves its length and its lines.
 */
#include "cellc/scan.h"
#include "cellc/splice.h"

#include <cell/cell.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_place(const struct place *place)
{
	cell_assert(place->file && place->column > 0);
}

/* Every byte of the text, and some behind it. */
static void check_sources(const struct attribute *attribute, const struct lines *lines,
			  struct cell_arena *arena)
{
	for (size_t i = 0; i < attribute->n_values; i++) {
		const struct value_source *source = &attribute->value_sources[i];
		size_t n = strlen(attribute->values[i].text), step = n / 64 + 1;

		for (size_t at = 0; source->n && at < n + 2; at += step) {
			struct place place = arguments_place(source, lines, at, arena);

			check_place(&place);
		}
	}
}

static void check_attribute(const struct attribute *attribute, size_t len)
{
	cell_assert(attribute->start < attribute->end && attribute->end <= len);
	cell_assert(attribute->item_start < attribute->item_end);
	cell_assert(attribute->list_start < attribute->list_open &&
		    attribute->list_open <= attribute->item_start &&
		    attribute->item_end <= attribute->list_close &&
		    attribute->list_close < attribute->list_end &&
		    attribute->list_end <= len);
	cell_assert(attribute->list_start <= attribute->start &&
		    attribute->end <= attribute->list_end);
	cell_assert(attribute->before_start <= attribute->list_start);
	cell_assert(attribute->after_start >= attribute->list_close &&
		    attribute->after_start <= len);
	check_place(&attribute->at);
	check_place(&attribute->name_at);
	cell_assert(attribute->ns[0] && attribute->name[0]);
	for (size_t i = 0; i < attribute->n_values; i++) {
		cell_assert(attribute->values[i].parent <= i);
		cell_assert(attribute->values[i].name && attribute->values[i].text);
		cell_assert(attribute->values[i].kind != MACRO_VALUE_KIND_ANY);
		check_place(&attribute->value_places[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diag_options options = { .as_json = true };
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct diag *diag = diag_new(&options, fd);
	/* No byte behind it may be read. */
	char *text = memcpy(malloc(size ? size : 1), data, size);
	struct splice splice = { 0 };
	struct cell_arena arena;
	struct unit unit = { .text = text, .len = size };
	const char *out;
	size_t len;
	int r;

	cell_arena_init(&arena, 0);
	r = scan_text(&unit.scan, text, size, "main.c", &arena, diag);
	cell_assert((r < 0) == (diag_errors(diag) > 0));
	for (size_t i = 0; i < unit.scan.n_attributes; i++) {
		const struct attribute *attribute = &unit.scan.attributes[i];

		check_attribute(attribute, size);
		check_sources(attribute, &unit.scan.lines, &arena);
		if (i)
			cell_assert(attribute[-1].item_end <= attribute->item_start);
	}
	if (unit.scan.n_attributes) {
		struct place place =
			scan_place(text, size, unit.scan.attributes[0].list_start, &arena);

		cell_assert(place.line == unit.scan.attributes[0].at.line ||
			    memchr(text + unit.scan.attributes[0].list_start, '\n',
				   unit.scan.attributes[0].item_start -
					   unit.scan.attributes[0].list_start));
	}

	cell_assert(splice_text(&unit, &splice, &arena, &out, &len, NULL) == 0);
	cell_assert(len == size);
	for (size_t i = 0; i < size; i++) {
		cell_assert((out[i] == '\n') == (text[i] == '\n'));
		cell_assert(out[i] == text[i] || out[i] == ' ');
	}
	cell_arena_deinit(&arena);
	diag_free(diag);
	close(fd);
	free(text);
	return 0;
}

/*
 * Arrays and messages by value, which only structs of programs have: any bytes decode or are
 * refused, and what was decoded is the same after another round.
 */
#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

extern const struct cell_message_type cell_report_type; /* bank_expanded.c */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t encode(const void *message, uint8_t **ret)
{
	size_t bound = cell_report_type.bound(message);

	*ret = malloc(bound + 1);
	if (!*ret)
		abort();
	return (size_t)(cell_report_type.encode(message, *ret) - *ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cell_error err;
	struct cell_arena arena;
	uint8_t *copy = malloc(size + 1), *first, *second;
	size_t n_first, n_second;
	void *message;

	cell_arena_init(&arena, 1 << 24);
	message = cell_arena_alloc(&arena, cell_report_type.size);
	if (!copy || !message)
		abort();
	if (size)
		memcpy(copy, data, size);
	if (cell_report_type.decode(message, copy, size, CELL_DECODE_IN_PLACE, &arena, &err) == 0) {
		n_first = encode(message, &first);
		if (cell_report_type.decode(message, first, n_first, 0, &arena, &err) < 0)
			abort();
		n_second = encode(message, &second);
		if (n_first != n_second || memcmp(first, second, n_first) != 0)
			abort();
		free(first);
		free(second);
	}
	cell_arena_deinit(&arena);
	free(copy);
	return 0;
}

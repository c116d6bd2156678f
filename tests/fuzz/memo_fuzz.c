/*
 * Memos are read back from a cache in which anything may have happened. The bytes here are
 * what follows the hash, which is made right: past that, the decoder is on its own.
 */
#include "cellc/memo.h"

#include <sodium/crypto_generichash.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)          \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

static const char text[] = "int before;\nint [[t::x]] a; /* as it was preprocessed */\n";

/* Eight bytes that every memo begins with, the hash of the rest, the rest. */
static uint8_t *whole(const uint8_t *data, size_t size, struct cell_arena *arena)
{
	struct memo none = { .basis = { .main_file = "" }, .libclang = { .path = "" },
			     .text = "" };
	uint8_t *bytes = cell_arena_alloc(arena, 8 + MEMO_HASH_SIZE + size);
	const uint8_t *sample;
	size_t n;

	MUST(bytes);
	memo_encode(&none, text, sizeof text - 1, arena, &sample, &n);
	memcpy(bytes, sample, 8);
	if (size)
		memcpy(bytes + 8 + MEMO_HASH_SIZE, data, size);
	(void)crypto_generichash(bytes + 8, MEMO_HASH_SIZE, bytes + 8 + MEMO_HASH_SIZE, size,
				 NULL, 0);
	return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cell_arena arena;
	const uint8_t *written;
	struct memo memo, again;
	size_t n;

	cell_arena_init(&arena, 0);
	if (memo_decode(&memo, whole(data, size, &arena), 8 + MEMO_HASH_SIZE + size, text,
			sizeof text - 1, &arena)) {
		MUST(strlen(memo.text) <= memo.text_len);
		memo_encode(&memo, text, sizeof text - 1, &arena, &written, &n);
		MUST(memo_decode(&again, written, n, text, sizeof text - 1, &arena));
		MUST(again.text_len == memo.text_len &&
		     memcmp(again.text, memo.text, memo.text_len) == 0);
		MUST(again.n_declared == memo.n_declared && again.n_files == memo.n_files &&
		     again.basis.n_files == memo.basis.n_files);
	}
	cell_arena_deinit(&arena);
	return 0;
}

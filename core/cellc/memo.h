/*
 * What a unit was expanded to, so that the next time neither libclang nor any declaration of
 * it has to be looked at. Pure but for access() in memo_circumstances(): bytes in, bytes out.
 *
 * Two things must be as they were. The key covers what is known before anything is asked: the
 * text, the compiler and its words, the project's settings and manifest, cellc itself. The
 * circumstances are what the memo itself names: catalogues, states, and of the locks the
 * lines about this unit, as other units write into them, too.
 */
#pragma once

#include "compiler.h"
#include "expand.h"
#include "lock.h"
#include "pool.h"

#define MEMO_HASH_SIZE POOL_HASH_SIZE

/* What the key is made of. */
struct memo_source {
	const void *build; /* of cellc: what differs between two programs */
	size_t build_len;
	const char *cwd;
	const char *path; /* of the source, as given */
	const char *text; /* preprocessed */
	size_t len;
	bool is_plain;
	const struct command_line *line;
	const struct compiler *compiler;
	const struct project *project;
	const char *manifest; /* text of the project's; NULL = none */
	size_t manifest_len;
	const char *libclang; /* that is asked for; NULL = any */
};

struct memo_message {
	enum severity severity;
	struct place place;
	const char *ns; /* NULL = of none */
	const char *text;
};

/* A program or library that may be another one next time. */
struct memo_program {
	const char *path; /* "" = none */
	uint64_t size, mtime_ns, inode;
};

/* Strings and lists are those of whoever fills it; of memo_decode(), they are in ARENA. */
struct memo {
	struct expansion_basis basis; /* without locks */
	struct memo_program libclang; /* that was used */
	uint8_t circumstances[MEMO_HASH_SIZE];
	struct memo_message *messages;
	size_t n_messages;
	/* What the compiler gets, and where the bytes of the preprocessed text are in it:
	 * those are not stored. Decoding needs the same preprocessed text. */
	const char *text;
	size_t text_len;
	const struct splice_copy *copies;
	size_t n_copies;
	const char **depends;
	size_t n_depends;
	const struct macro_declared *declared;
	const struct expansion_site *sites;
	size_t n_declared;
	const struct macro_file *files;
	size_t n_files;
};

void memo_key(uint8_t hash[MEMO_HASH_SIZE], const struct memo_source *source);

/*
 * What BASIS depends on as it is now: CATALOGS (NULL: nobody answers, because of TROUBLE) and
 * LOCKS (N, all of the project in ROOT). Equal hashes: the answers would be equal.
 */
void memo_circumstances(uint8_t hash[MEMO_HASH_SIZE], const struct expansion_basis *basis,
			const struct lock *locks, size_t n,
			const struct macro_macros *catalogs, const char *trouble,
			const char *root, struct cell_arena *arena);

/*
 * Whether cells say of each state that BASIS looked at what they said then. A catalogue that
 * was read before the expansion need not have had it, so this is no part of the hash. With
 * CATALOGS NULL the locks have them.
 */
bool memo_states_hold(const struct expansion_basis *basis, const struct macro_macros *catalogs,
		      struct cell_arena *arena);

/* MEMO as bytes, in ARENA, given the LEN bytes of preprocessed TEXT. */
void memo_encode(const struct memo *memo, const char *text, size_t len,
		 struct cell_arena *arena, const uint8_t **ret_bytes, size_t *ret_len);

/* Returns whether BYTES are a whole memo about the LEN bytes of preprocessed TEXT. */
bool memo_decode(struct memo *ret, const uint8_t *bytes, size_t n_bytes, const char *text,
		 size_t len, struct cell_arena *arena);

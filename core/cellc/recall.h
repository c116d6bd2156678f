/*
 * Finding and keeping the memo of one source, below $XDG_CACHE_HOME/cell/cellc/units. A memo
 * is taken only if all that it was made from is as it was: if in doubt, nothing is found.
 */
#pragma once

#include "memo.h"
#include "preprocess.h"

/* One entry, and what is in one of 256 folders: 256 MB in all. */
#define RECALL_ENTRY_MAX   (1024 * 1024)
#define RECALL_BYTES_MAX   (1024 * 1024)
#define RECALL_ENTRIES_MAX 64

struct recall {
	struct cell_arena *arena;
	struct diag *diag;
	const char *text;
	size_t len;
	struct pool_entry entry;
	bool has_project; /* else ERR says why it was not found */
	struct cell_error err;
	struct project project;
	struct session *session; /* NULL until somebody is asked; the caller frees it */
	struct memo_message *messages;
	size_t n_messages;
	bool is_found;
	struct memo memo; /* if it is found */
};

/* project_find() for the source at PATH, with what LINE says on top. */
int recall_project(struct project *ret, const struct command_line *line, const char *path,
		   struct cell_arena *arena, struct cell_error *err);

/*
 * Begin with SOURCE, preprocessed to TEXT: find its project and the place of its entry. HOME
 * as of pool_home(). Everything that RET gets lives in ARENA; LINE, TEXT and DIAG must live
 * as long. Never fails: without an entry nothing is found or kept.
 */
void recall_init(struct recall *ret, const struct command_line *line,
		 const struct compiler *compiler, const struct command_input *source,
		 const struct preprocessed *text, const char *home, struct cell_arena *arena,
		 struct diag *diag);

/*
 * Whether the memo is there and holds: the macro cell may be asked for catalogues. Then
 * what was said when it was made is said again.
 */
bool recall_find(struct recall *recall);

/* Note what is said from now on, as part of the memo; or no longer. */
void recall_listen(struct recall *recall, bool yes);

/*
 * Keep that the source was expanded to TEXT_LEN bytes at TEXT, of which COPIES (N) tells what
 * was there before, by EXPANSION, for which SESSION was asked.
 */
void recall_keep(const struct recall *recall, const struct expansion *expansion,
		 struct session *session, const char *text, size_t text_len,
		 const struct splice_copy *copies, size_t n_copies);

#include "expansion.h"

#include "cellc/unit.h"

#include <cell/cell.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROLOGUE "#include <cell/cell.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <string.h>\n# 1 \"t.c\"\n"

/* ---- files and commands ------------------------------------------------------------------- */

static void folder_make(char folder[32])
{
	(void)strcpy(folder, "/tmp/cell-expansion.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void file_write(const char *folder, const char *name, const char *text)
{
	char path[96];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void folder_remove(const char *folder)
{
	char command[96];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

/* Everything COMMAND prints; its exit status. The caller frees *RET. */
static int run(const char *command, char **ret)
{
	FILE *pipe = popen(command, "r");
	size_t len = 0, size = 1 << 16;
	int status;

	ck_assert_ptr_nonnull(pipe);
	*ret = malloc(size);
	while (*ret) {
		size_t n = fread(*ret + len, 1, size - len - 1, pipe);

		len += n;
		if (!n)
			break;
		if (len + 1 == size)
			*ret = realloc(*ret, size *= 2);
	}
	ck_assert_ptr_nonnull(*ret);
	(*ret)[len] = 0;
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static const char *top(void)
{
	const char *top = getenv("CELL_TOP");

	return top ? top : ".";
}

static const char *build(void)
{
	const char *build = getenv("CELL_BUILD");

	return build ? build : "build";
}

static char *preprocess(const char *source)
{
	char folder[32], *command, *text, *all;

	folder_make(folder);
	ck_assert_int_ge(asprintf(&all, "%s%s", PROLOGUE, source), 0);
	file_write(folder, "t.c", all);
	ck_assert_int_ge(asprintf(&command,
				  "gcc -std=gnu2x -E -fdirectives-only -I '%s/core/include' -I '%s/gen' "
				  "'%s/t.c' 2>&1",
				  top(), build(), folder),
			 0);
	ck_assert_msg(run(command, &text) == 0, "%s", text);
	free(command);
	free(all);
	folder_remove(folder);
	return text;
}

/* ---- expanding -------------------------------------------------------------------------------- */

struct sink {
	FILE *text, *diagnostics, *wrappers, *kept, *planned, *states;
	char *end; /* pieces for the end of the file */
	size_t end_len;
	FILE *end_text;
	struct expansion_result *result;
	bool weaves; /* wrappers around their function, in the text */
	const struct unit *unit;
	struct cell_arena *arena;
	size_t done; /* bytes of the unit's text that are in `text` */
};

static struct place place_of(const struct sink *sink, const struct declaration *declaration,
			     const struct macro_diagnostic *d)
{
	for (size_t i = 0; *d->member && i < declaration->n_members; i++)
		if (strcmp(declaration->member_names[i], d->member) == 0)
			return declaration->members[i];
	if (!d->attribute || d->attribute > declaration->n_attributes)
		return declaration->at;
	if (d->value && d->offset)
		return arguments_place(
			&declaration->attributes[d->attribute - 1]->value_sources[d->value - 1],
			&sink->unit->scan.lines, d->offset - 1, sink->arena);
	if (d->value)
		return declaration->attributes[d->attribute - 1]->value_places[d->value - 1];
	return declaration->attributes[d->attribute - 1]->at;
}

static void say(struct sink *sink, const struct declaration *declaration,
		const struct macro_diagnostic *diagnostics, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct macro_diagnostic *d = &diagnostics[i];
		struct place at = place_of(sink, declaration, d);

		fprintf(sink->diagnostics, "%u:%u: %s: %s\n", at.line, at.column,
			d->severity == MACRO_DIAGNOSTIC_SEVERITY_ERROR ? "error" : "warning", d->text);
		for (size_t note = 0; note < d->n_notes; note++)
			fprintf(sink->diagnostics, "note: %s\n", d->notes[note]);
	}
}

/* The unit's text up to END, attributes as spaces. */
static void copy_until(struct sink *sink, size_t end)
{
	const struct unit *unit = sink->unit;

	for (; sink->done < end; sink->done++) {
		char c = unit->text[sink->done];

		for (size_t i = 0; i < unit->scan.n_attributes && c != '\n'; i++)
			if (sink->done >= unit->scan.attributes[i].list_start &&
			    sink->done < unit->scan.attributes[i].list_end)
				c = ' ';
		fputc(c, sink->text);
	}
}

static void put_pieces(struct sink *sink, const struct macro_generated_code *code,
		       enum macro_anchor anchor)
{
	FILE *to = anchor == MACRO_ANCHOR_WRAP  ? sink->wrappers
		   : anchor == MACRO_ANCHOR_END ? sink->end_text
						: sink->text;

	for (size_t i = 0; i < code->n_pieces; i++)
		/* A unit of its own has its own declarations: here they would be seconds. */
		if (code->pieces[i].anchor == anchor && code->pieces[i].kind != MACRO_PIECE_KIND_UNIT)
			fprintf(to, "%s%s%s", anchor == MACRO_ANCHOR_WRAP ? "" : "\n",
				code->pieces[i].text, anchor == MACRO_ANCHOR_WRAP ? "" : "\n");
}

static void keep_plan(struct sink *sink, const struct macro_plan *plan)
{
	for (size_t i = 0; i < plan->n_symbols; i++)
		fprintf(sink->planned, "%s %s\n", plan->symbols[i].is_type ? "tag" : "symbol",
			plan->symbols[i].name);
	for (size_t i = 0; i < plan->n_uses; i++)
		fprintf(sink->planned, "use %s %s\n", plan->uses[i].cell, plan->uses[i].channel);
	for (size_t i = 0; i < plan->n_reads; i++)
		fprintf(sink->planned, "reads %s\n", plan->reads[i]);
}

static void keep_code(struct sink *sink, const struct macro_generated_code *code)
{
	struct expansion_result *ret = sink->result;

	for (size_t i = 0; i < code->n_kept; i++)
		for (size_t k = 0; k < code->kept[i].n_kept; k++)
			fprintf(sink->kept, "%s = %s\n", code->kept[i].kept[k].key,
				code->kept[i].kept[k].value);
	for (size_t i = 0; i < code->n_states; i++) {
		fprintf(sink->states, "state %s ", code->states[i].id);
		for (size_t k = 0; k < code->states[i].n_digest; k++)
			fprintf(sink->states, "%02x", code->states[i].digest[k]);
		fputc('\n', sink->states);
	}
	for (size_t i = 0; i < code->n_declared; i++) {
		free(ret->declared_name);
		free(ret->declared);
		ret->declared_name = strdup(code->declared[i].name);
		ret->declared_len = code->declared[i].n_body;
		ret->declared = malloc(ret->declared_len + 1);
		ck_assert_ptr_nonnull(ret->declared);
		memcpy(ret->declared, code->declared[i].body, ret->declared_len);
	}
}

static bool is_of(const struct cell_macro_provider *provider, const struct declaration *declaration)
{
	for (size_t i = 0; i < declaration->request.n_attributes; i++)
		for (const char *const *ns = provider->namespaces; *ns; ns++)
			if (strcmp(declaration->request.attributes[i].ns, *ns) == 0)
				return true;
	return false;
}

/* False if it refused. */
static bool expand_by(struct sink *sink, struct cell_call *call,
		      const struct expansion_provider *by, struct declaration *declaration,
		      struct macro_generated_code *code)
{
	struct macro_plan plan;
	struct macro_go go = { .request = &declaration->request };

	ck_assert_msg(cell_macro_plan(call, by->provider, by->self, &declaration->request, &plan) == 0,
		      "%s", cell_error(call)->text);
	say(sink, declaration, plan.diagnostics, plan.n_diagnostics);
	for (size_t i = 0; i < plan.n_diagnostics; i++)
		if (plan.diagnostics[i].severity == MACRO_DIAGNOSTIC_SEVERITY_ERROR)
			return false;
	keep_plan(sink, &plan);
	ck_assert_msg(cell_macro_expand(call, by->provider, by->self, &go, NULL, NULL, code) == 0, "%s",
		      cell_error(call)->text);
	say(sink, declaration, code->diagnostics, code->n_diagnostics);
	keep_code(sink, code);
	return true;
}

#define PROVIDERS_MAX 4

/* The wrapper of the largest phase below BELOW: what is further out comes later. */
static const struct macro_piece *wrapper_below(const struct macro_generated_code *code, size_t n,
					       uint32_t below)
{
	const struct macro_piece *best = NULL;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < code[i].n_pieces; k++)
			if (code[i].pieces[k].anchor == MACRO_ANCHOR_WRAP &&
			    code[i].pieces[k].phase < below &&
			    (!best || code[i].pieces[k].phase > best->phase))
				best = &code[i].pieces[k];
	return best;
}

static void put_replaced(FILE *to, const char *text, const char *next)
{
	const char *at;

	for (; (at = strstr(text, "$next$")); text = at + strlen("$next$"))
		fprintf(to, "%.*s%s", (int)(at - text), text, next);
	fputs(text, to);
}

/*
 * Around the function, as the macro cell does it: with an entry the function keeps its name,
 * else the outermost wrapper takes it.
 */
static void weave(struct sink *sink, const struct declaration *declaration,
		  const struct macro_generated_code *code, size_t n)
{
	const char *name = declaration->request.declaration->name, *next = name;
	const struct macro_piece *piece, *outermost = NULL;
	char *body = NULL;

	for (uint32_t below = UINT32_MAX; (piece = wrapper_below(code, n, below)); below = piece->phase)
		outermost = piece;
	if (!outermost || !sink->weaves) {
		copy_until(sink, declaration->end);
		return;
	}
	if (outermost->phase != MACRO_PHASE_ENTRY)
		fprintf(sink->text, "\n#define %s cell_body_%s\n", name, name);
	copy_until(sink, declaration->end);
	if (outermost->phase != MACRO_PHASE_ENTRY) {
		fprintf(sink->text, "\n#undef %s\n#define %s %s\n", name, outermost->symbol, name);
		ck_assert_int_ge(asprintf(&body, "cell_body_%s", name), 0);
		next = body;
	}
	fputc('\n', sink->text);
	for (uint32_t below = UINT32_MAX; (piece = wrapper_below(code, n, below)); below = piece->phase) {
		/* Who takes the user's name has his linkage, too. */
		bool is_bare = piece == outermost && piece->phase != MACRO_PHASE_ENTRY &&
			       !declaration->request.declaration->is_static &&
			       strncmp(piece->text, "static ", 7) == 0;

		put_replaced(sink->text, piece->text + (is_bare ? 7 : 0), next);
		next = piece->symbol;
	}
	free(body);
}

static void expand(struct sink *sink, struct cell_call *call,
		   const struct expansion_provider *providers, struct declaration *declaration)
{
	struct macro_generated_code code[PROVIDERS_MAX];
	size_t n = 0;

	for (; providers->provider; providers++) {
		if (!is_of(providers->provider, declaration))
			continue;
		ck_assert_uint_lt(n, PROVIDERS_MAX);
		if (!expand_by(sink, call, providers, declaration, &code[n++]))
			return;
	}
	copy_until(sink, declaration->start);
	for (size_t i = 0; i < n; i++)
		put_pieces(sink, &code[i], MACRO_ANCHOR_BEFORE);
	weave(sink, declaration, code, n);
	for (size_t i = 0; i < n; i++) {
		put_pieces(sink, &code[i], MACRO_ANCHOR_AFTER);
		put_pieces(sink, &code[i], MACRO_ANCHOR_WRAP);
		put_pieces(sink, &code[i], MACRO_ANCHOR_END);
	}
}

static void sink_open(struct sink *sink, struct expansion_result *ret, const struct unit *unit)
{
	static size_t lengths[6];

	memset(ret, 0, sizeof *ret);
	*sink = (struct sink){ .unit = unit, .result = ret };
	sink->text = open_memstream(&ret->text, &lengths[0]);
	sink->diagnostics = open_memstream(&ret->diagnostics, &lengths[1]);
	sink->wrappers = open_memstream(&ret->wrappers, &lengths[2]);
	sink->kept = open_memstream(&ret->kept, &lengths[3]);
	sink->planned = open_memstream(&ret->planned, &lengths[4]);
	sink->states = open_memstream(&ret->states, &lengths[5]);
	sink->end_text = open_memstream(&sink->end, &sink->end_len);
}

static void sink_close(struct sink *sink)
{
	ck_assert_int_eq(fclose(sink->end_text), 0);
	fputs(sink->end, sink->text);
	free(sink->end);
	ck_assert_int_eq(fclose(sink->text) | fclose(sink->diagnostics) | fclose(sink->wrappers) |
				 fclose(sink->kept) | fclose(sink->planned) | fclose(sink->states),
			 0);
}

static bool has_kept(const struct expansion_project *project, const struct declaration *declaration)
{
	for (size_t i = 0; project->n_kept && i < declaration->request.n_attributes; i++)
		if (strcmp(declaration->request.attributes[i].ns, project->kept_ns) == 0)
			return true;
	return false;
}

void expansion_make_by(struct expansion_result *ret, const struct expansion_provider *providers,
		       const struct expansion_project *project, const char *source)
{
	const struct unit_options options = { .main_file = "t.c", .standard = "gnu2x" };
	const struct diag_options plain = { .color = false };
	struct cell_call *call = cell_open("expansion");
	struct diag *diag = diag_new(&plain, STDERR_FILENO);
	struct cell_error err = { .code = 0 };
	char *text = preprocess(source);
	struct unit unit = { .text = text, .len = strlen(text) };
	struct macro_kept_of kept = { .ns = "" };
	struct cell_arena arena;
	struct sink sink;

	if (project)
		kept = (struct macro_kept_of){ .ns = project->kept_ns, .n_kept = project->n_kept,
					       .kept = project->kept };
	cell_arena_init(&arena, 0);
	ck_assert_int_eq(scan_text(&unit.scan, unit.text, unit.len, "t.c", &arena, diag), 0);
	ck_assert_msg(unit_parse(&unit, &options, &arena, diag, &err) == 0, "%s", err.text);
	sink_open(&sink, ret, &unit);
	sink.arena = &arena;
	sink.weaves = project != NULL;
	for (size_t i = 0; i < unit.n_declarations; i++) {
		struct declaration *declaration = &unit.declarations[i];

		if (project)
			declaration->request.program = project->program;
		if (project && has_kept(project, declaration)) {
			declaration->request.kept = &kept;
			declaration->request.n_kept = 1;
		}
		expand(&sink, call, providers, declaration);
	}
	copy_until(&sink, unit.len);
	sink_close(&sink);
	cell_arena_deinit(&arena);
	diag_free(diag);
	cell_close(call);
	free(text);
}

void expansion_make(struct expansion_result *ret, const struct cell_macro_provider *provider,
		    void *self, const char *source)
{
	expansion_make_by(ret, (const struct expansion_provider[]){ { provider, self }, { NULL, NULL } },
			  NULL, source);
}

void expansion_free(struct expansion_result *result)
{
	free(result->text);
	free(result->diagnostics);
	free(result->wrappers);
	free(result->kept);
	free(result->planned);
	free(result->states);
	free(result->declared_name);
	free(result->declared);
}

/*
 * Text that gcc has preprocessed is for gcc alone; clang gets the source's own part, behind
 * the headers as it reads them itself.
 */
static const char *own_part(const char *text)
{
	static const char marker[] = "# 1 \"t.c\"\n";
	const char *own = text;

	for (const char *at = text; (at = strstr(at, marker)); at++)
		if (at == text || at[-1] == '\n')
			own = at;
	return own;
}

#define SANITIZERS "$(grep -oE -e '-fsanitize=[a-z]+' '%s/flags' | sort -u)"

bool expansion_can_run(const char *compiler)
{
	char *command, *said;
	int status;

	ck_assert_int_ge(asprintf(&command,
				  "echo 'int main(void) { return 0; }' | %s " SANITIZERS
				  " -x c -o /dev/null - 2>&1",
				  compiler, build()),
			 0);
	status = run(command, &said);
	free(said);
	free(command);
	return status == 0;
}

int expansion_run(const char *compiler, const char *text, char *output, size_t size)
{
	const bool is_clang = strncmp(compiler, "clang", 5) == 0;
	char folder[32], *command, *all = NULL, *said;
	int status;

	if (is_clang)
		ck_assert_int_ge(asprintf(&all, "%.*s%s", (int)(sizeof PROLOGUE - sizeof "# 1 \"t.c\"\n"),
					  PROLOGUE, own_part(text)),
				 0);
	folder_make(folder);
	file_write(folder, "t.c", all ? all : text);
	ck_assert_int_ge(
		asprintf(&command,
			 "exec 2>&1; %s " SANITIZERS " "
			 "-std=gnu2x -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror %s "
			 "-I '%s/core/include' -I '%s/gen' -O1 -o '%s/t' '%s/t.c' "
			 "'%s/lib/libcell.a' -lev -lprotobuf-c -lsodium -linih -lm -lpthread && '%s/t'",
			 compiler, build(),
			 /* What is not used is in a system header's place, as cellc splices it. */
			 is_clang ? "-Wno-unused-function -Wno-gnu-line-marker -Wno-unknown-warning-option"
				  : "-fpreprocessed -fdirectives-only",
			 top(), build(), folder,
			 folder, build(), folder),
		0);
	status = run(command, &said);
	(void)snprintf(output, size, "%s", said);
	free(said);
	free(command);
	free(all);
	folder_remove(folder);
	return status;
}

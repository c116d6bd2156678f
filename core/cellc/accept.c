#include "accept.h"

#include <cell/cell.h>
#include <cell/internal/macrocheck.h>
#include <cell/internal/macrotext.h>
#include <stdio.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define DIGITS  "0123456789"

bool accept_identifier(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= 255 && !strchr(DIGITS, name[0]) &&
	       strspn(name, LETTERS DIGITS) == len;
}

bool accept_path(const char *path)
{
	size_t len = strlen(path);

	if (len == 0 || len > 1024 || path[len - 1] == '/')
		return false;
	for (const char *c = path; *c; c++)
		if ((unsigned char)*c < ' ' || *c == '\\' || *c == 0x7f)
			return false;
	for (const char *part = path; part;
	     part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
		if (*part == '/' || *part == '.' || *part == 0)
			return false;
	return true;
}

bool accept_header(const char *header)
{
	size_t len = strlen(header);

	if (len < 3 || len > 255)
		return false;
	if (!(header[0] == '<' && header[len - 1] == '>') &&
	    !(header[0] == '"' && header[len - 1] == '"'))
		return false;
	return strspn(header + 1, LETTERS DIGITS "./+-") == len - 2 &&
	       !strstr(header, "..") && header[1] != '/';
}

bool accept_link(const char *flag)
{
	if (strcmp(flag, "-pthread") == 0)
		return true;
	return strncmp(flag, "-l", 2) == 0 && flag[2] &&
	       strspn(flag + 2, LETTERS DIGITS "+.-") == strlen(flag + 2);
}

/* ---- one text ------------------------------------------------------------------------- */

int accept_text(const struct macro_piece *piece, bool may_asm,
		const struct accept_rules *rules, struct cell_error *err)
{
	const struct macro_text_rules text = {
		.allows_asm = may_asm,
		.is_unit = piece->kind == MACRO_PIECE_KIND_UNIT,
		.request = rules->request,
	};
	enum macro_text_verdict verdict;
	const char *root = rules->root, *why = "";
	unsigned line = 0;

	if (root && strlen(root) > 1 && strstr(piece->text, root))
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "its text names a path of this machine");
	if (strstr(piece->text, "$next$"))
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "its text still has a $next$ in it");
	verdict = macro_text_check(piece->text, &text, &why, &line);
	if (verdict != MACRO_TEXT_FINE)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "line %u of its text has %s%s",
				 line, why,
				 verdict == MACRO_TEXT_NEEDS_ASM
					 ? ", which none of its macros announces"
					 : "");
	if (cell_macro_check_names(rules->request, rules->plan, piece, err) < 0) {
		if (err)
			err->code = CELL_INVALID_ARGUMENT;
		return CELL_INVALID_ARGUMENT;
	}
	return 0;
}

/* ---- all of it ---------------------------------------------------------------------------
 */

static int check_may(const struct accept_rules *rules, enum macro_addition bit,
		     const char *what, struct cell_error *err)
{
	if (rules->may >> bit & 1)
		return 0;
	return cell_fail(err, CELL_INVALID_ARGUMENT,
			 "it came with %s, which no macro on this "
			 "declaration announces",
			 what);
}

static bool is_braced(const char *text)
{
	size_t len = strlen(text);
	size_t start = strspn(text, " \t\n");

	while (len > 0 && strchr(" \t\n", text[len - 1]))
		len--;
	return len > start + 1 && text[start] == '{' && text[len - 1] == '}';
}

static int check_wrap(const struct macro_piece *piece, const struct macro_plan *plan,
		      struct cell_error *err)
{
	if (!accept_identifier(piece->symbol))
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "its wrapper has no proper name");
	for (size_t i = 0; i < plan->n_wraps; i++)
		if (plan->wraps[i].phase == piece->phase)
			return 0;
	return cell_fail(err, CELL_INVALID_ARGUMENT,
			 "its wrapper '%s' (phase %u) was not planned", piece->symbol,
			 piece->phase);
}

static int check_piece(const struct accept_rules *rules, const struct macro_piece *piece,
		       struct cell_error *err)
{
	bool may_asm = rules->may >> MACRO_ADDITION_ASM & 1;
	bool is_function = rules->request->declaration->place == MACRO_PLACE_FUNCTION ||
			   (rules->request->declaration->place == MACRO_PLACE_PROTOTYPE &&
			    rules->plan->body);
	int r = 0;

	switch (piece->anchor) {
	case MACRO_ANCHOR_STRUCT_END:
		r = check_may(rules, MACRO_ADDITION_FIELDS, "members", err);
		if (r == 0 && rules->request->declaration->place != MACRO_PLACE_STRUCT &&
		    rules->request->declaration->place != MACRO_PLACE_UNION)
			r = cell_fail(err, CELL_INVALID_ARGUMENT,
				      "it has members for what is no struct");
		break;
	case MACRO_ANCHOR_BODY:
		r = check_may(rules, MACRO_ADDITION_BODY, "a body", err);
		if (r == 0 && (rules->request->declaration->place != MACRO_PLACE_PROTOTYPE ||
			       !is_braced(piece->text)))
			r = cell_fail(err, CELL_INVALID_ARGUMENT,
				      "it has a body that is none");
		break;
	case MACRO_ANCHOR_WRAP:
		r = check_may(rules, MACRO_ADDITION_WRAP, "a wrapper", err);
		if (r == 0)
			r = is_function ? check_wrap(piece, rules->plan, err)
					: cell_fail(err, CELL_INVALID_ARGUMENT,
						    "it wraps what has no body");
		break;
	case MACRO_ANCHOR_AFTER:
	case MACRO_ANCHOR_BEFORE:
	case MACRO_ANCHOR_TOP:
	case MACRO_ANCHOR_END:
		r = check_may(rules, MACRO_ADDITION_DECLARATIONS, "declarations", err);
		break;
	default: r = cell_fail(err, CELL_INVALID_ARGUMENT, "it is to go to an unknown place");
	}
	if (r == 0 && (unsigned)piece->kind > MACRO_PIECE_KIND_UNIT)
		r = cell_fail(err, CELL_INVALID_ARGUMENT, "it is of an unknown kind");
	return r < 0 ? r : accept_text(piece, may_asm, rules, err);
}

static int check_plan(const struct macro_plan *plan, struct cell_error *err)
{
	for (size_t i = 0; i < plan->n_symbols; i++)
		if (!accept_identifier(plan->symbols[i].name))
			return cell_fail(err, CELL_INVALID_ARGUMENT,
					 "its plan names a symbol '%.60s'",
					 plan->symbols[i].name);
	for (size_t i = 0; i < plan->n_headers; i++)
		if (!accept_header(plan->headers[i]))
			return cell_fail(err, CELL_INVALID_ARGUMENT,
					 "its plan names a header '%.60s'", plan->headers[i]);
	for (size_t i = 0; i < plan->n_link; i++)
		if (!accept_link(plan->link[i]))
			return cell_fail(err, CELL_INVALID_ARGUMENT,
					 "its plan wants to link with '%.60s'",
					 plan->link[i]);
	return 0;
}

int accept_code(const struct accept_rules *rules, const struct macro_generated_code *code,
		uint32_t *ret_attribute, struct cell_error *err)
{
	size_t total = 0;
	int r = check_plan(rules->plan, err);

	*ret_attribute = 0;
	if (r == 0 && *code->rename && strncmp(code->rename, "cell_body_", 10) != 0)
		r = cell_fail(err, CELL_INVALID_ARGUMENT,
			      "it gives the function the name '%.60s'", code->rename);
	if (r == 0 && *code->rename && !accept_identifier(code->rename))
		r = cell_fail(err, CELL_INVALID_ARGUMENT,
			      "it gives the function no proper name");
	for (size_t i = 0; i < code->n_pieces && r == 0; i++) {
		total += strlen(code->pieces[i].text);
		if (total > MACRO_TEXT_MAX_BYTES)
			r = cell_fail(err, CELL_INVALID_ARGUMENT,
				      "its text is longer than %u bytes",
				      MACRO_TEXT_MAX_BYTES);
		if (r == 0)
			r = check_piece(rules, &code->pieces[i], err);
		if (r < 0)
			*ret_attribute = code->pieces[i].attribute;
	}
	for (size_t i = 0; i < code->n_files && r == 0; i++) {
		r = check_may(rules, MACRO_ADDITION_FILES, "files", err);
		if (r == 0 && !accept_path(code->files[i].path))
			r = cell_fail(err, CELL_INVALID_ARGUMENT,
				      "its file '%.80s' would not be "
				      "below the build's output",
				      code->files[i].path);
		total += code->files[i].n_content;
		if (r == 0 && total > MACRO_TEXT_MAX_BYTES)
			r = cell_fail(err, CELL_INVALID_ARGUMENT,
				      "its files are longer than %u bytes",
				      MACRO_TEXT_MAX_BYTES);
	}
	return r;
}

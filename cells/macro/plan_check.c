/* Answers of providers are believed only if they make sense. */
#include "plan_internal.h"

#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Longer ones are nobody's, and errors must be readable. */
#define NAME_MAX_BYTES 255

static bool is_word(const char *word)
{
	size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return len > 0 && len <= NAME_MAX_BYTES && word[len] == '\0' &&
	       !(word[0] >= '0' && word[0] <= '9');
}

/* One line, printable; what a header, option or key may be. */
static bool is_line(const char *text, size_t max)
{
	size_t len = strcspn(text, "\n\r\t\v\f\\\"");

	return len > 0 && len <= max && text[len] == '\0';
}

static bool is_own(const struct macro_plan_request *request, const struct plan_part *part,
		   uint32_t attribute)
{
	const struct macro_attribute *at = plan_attribute(request, attribute);

	return at && plan_list_has(part->namespaces, part->n_namespaces, at->ns);
}

static int garbage(const struct plan_part *part, struct cell_error *err, const char *what,
		   const char *name)
{
	return cell_fail(err, CELL_INTERNAL, "cell '%s' answered what makes no sense: %s '%.40s'",
			 part->cell, what, name);
}

static int check_names(const struct macro_plan_request *request, const struct plan_part *part,
		       struct cell_error *err)
{
	const struct macro_plan *plan = part->plan;

	for (size_t i = 0; i < plan->n_fields; i++)
		if (!is_word(plan->fields[i].name) || !is_line(plan->fields[i].type, 1024) ||
		    !is_own(request, part, plan->fields[i].attribute))
			return garbage(part, err, "the field", plan->fields[i].name);
	for (size_t i = 0; i < plan->n_symbols; i++)
		if (!is_word(plan->symbols[i].name) ||
		    !is_own(request, part, plan->symbols[i].attribute) ||
		    (unsigned)plan->symbols[i].piece > MACRO_PIECE_KIND_UNIT)
			return garbage(part, err, "the symbol", plan->symbols[i].name);
	for (size_t i = 0; i < plan->n_uses; i++)
		if (!is_line(plan->uses[i].cell, NAME_MAX_BYTES) ||
		    !is_own(request, part, plan->uses[i].attribute))
			return garbage(part, err, "the use of", plan->uses[i].cell);
	for (size_t i = 0; i < plan->n_wants; i++)
		if (!is_word(plan->wants[i].ns) || !is_own(request, part, plan->wants[i].attribute))
			return garbage(part, err, "the want of", plan->wants[i].ns);
	return 0;
}

static int check_lists(const struct plan_part *part, struct cell_error *err)
{
	const struct macro_plan *plan = part->plan;

	for (size_t i = 0; i < plan->n_headers; i++) {
		const char *header = plan->headers[i];

		if (!is_line(header, NAME_MAX_BYTES) || header[0] != '<' ||
		    header[strlen(header) - 1] != '>')
			return garbage(part, err, "the header", header);
	}
	for (size_t i = 0; i < plan->n_link; i++) {
		const char *link = plan->link[i];

		/* A linker's other options can run programs. */
		if (!is_line(link, NAME_MAX_BYTES) || strncmp(link, "-l", 2) != 0 ||
		    strpbrk(link, " ,"))
			return garbage(part, err, "the option", link);
	}
	return 0;
}

static int check_counts(const struct plan_part *part, struct cell_error *err)
{
	const struct macro_plan *plan = part->plan;
	const size_t counts[] = { plan->n_fields, plan->n_wraps,    plan->n_symbols,
				  plan->n_wants,  plan->n_provides, plan->n_reads,
				  plan->n_uses,   plan->n_headers,  plan->n_link,
				  plan->n_diagnostics };

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		if (counts[i] > PLAN_ITEMS_MAX)
			return cell_fail(err, CELL_INTERNAL,
					 "cell '%s' plans %zu of one kind, limit %d", part->cell,
					 counts[i], PLAN_ITEMS_MAX);
	return 0;
}

int plan_check(const struct macro_plan_request *request, const struct plan_part *part,
	       struct cell_error *err)
{
	const struct macro_plan *plan = part->plan;
	int r = check_counts(part, err);

	if (r == 0)
		r = check_names(request, part, err);
	if (r == 0)
		r = check_lists(part, err);
	if (r < 0)
		return r;
	if (plan->body && !is_own(request, part, plan->body))
		return garbage(part, err, "a body of", "another's attribute");
	for (size_t i = 0; i < plan->n_wraps; i++)
		if (!is_own(request, part, plan->wraps[i].attribute))
			return garbage(part, err, "a wrapper of", "another's attribute");
	for (size_t i = 0; i < plan->n_diagnostics; i++)
		if ((unsigned)plan->diagnostics[i].severity > MACRO_DIAGNOSTIC_SEVERITY_NOTE ||
		    (plan->diagnostics[i].attribute &&
		     !is_own(request, part, plan->diagnostics[i].attribute)))
			return garbage(part, err, "the message", plan->diagnostics[i].text);
	return 0;
}

int plan_digest(struct merge *m)
{
	struct macro_plan *plan = &m->merged->plan;
	uint8_t *digest = cell_arena_alloc(m->arena, MESSAGE_DIGEST_SIZE), *bytes;
	size_t len;

	plan->diagnostics = NULL;
	plan->n_diagnostics = 0;
	bytes = message_bytes(m->arena, &macro_plan_type, plan, &len);
	if (!digest || !bytes)
		return -ENOMEM;
	message_digest(bytes, len, digest);
	plan->digest = digest;
	plan->n_digest = MESSAGE_DIGEST_SIZE;
	plan->diagnostics = m->diagnostics;
	plan->n_diagnostics = m->n_diagnostics;
	return 0;
}

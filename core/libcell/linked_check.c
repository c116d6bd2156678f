#include "callstate.h"

#include <cell/cell.h>
#include <string.h>

/* Whether who stands in for a cell, and who calls it, mean the same messages. */

/* Schemas do not contain themselves; this is far off. */
#define PARTS_DEPTH_MAX 32

/* The field that starts at TEXT, or "nothing". */
static const char *field_at(const char *text, int *ret_len)
{
	*ret_len = *text ? (int)strcspn(text, ";") : 7;
	return *text ? text : "nothing";
}

/* Say the first field at which the two part. */
static int differ(const struct cell_method *method, const struct cell_message_type *type,
		  const char *theirs, const char *ours, struct cell_error *err)
{
	size_t at = 0, i = 0;
	int theirs_len, ours_len;

	for (; theirs[i] && theirs[i] == ours[i]; i++)
		if (theirs[i] == ';')
			at = i + 2;
	theirs += at;
	ours += at;
	/* One ends here, the other goes on. */
	if (i >= at && !theirs[i - at] && ours[i - at] == ';') {
		theirs += i - at;
		ours += i - at + 2;
	} else if (i >= at && !ours[i - at] && theirs[i - at] == ';') {
		ours += i - at;
		theirs += i - at + 2;
	}
	theirs = field_at(theirs, &theirs_len);
	ours = field_at(ours, &ours_len);
	return cell_fail(err, CELL_FAILED_PRECONDITION,
			 "%s: the service linked in has '%.*s' in %s, the schema that its caller "
			 "was made of has '%.*s'",
			 method->full_name, theirs_len, theirs, type->name, ours_len, ours);
}

/* How often SHAPE says "message": what PARTS has. */
static size_t parts_count(const char *shape)
{
	size_t n = 0;

	for (; *shape; shape += strcspn(shape, ";"), shape += *shape ? 2 : 0) {
		size_t len = strcspn(shape, ";");
		const char *word = memmem(shape, len, "message", 7);

		/* The last word is a name. */
		n += word && memchr(word, ' ', len - (size_t)(word - shape));
	}
	return n;
}

static int types_check(const struct cell_method *method, const struct cell_message_type *theirs,
		       const struct cell_message_type *ours, unsigned depth,
		       struct cell_error *err)
{
	int r = 0;

	if (!theirs->shape || !ours->shape || depth == PARTS_DEPTH_MAX)
		return 0;
	if (strcmp(theirs->shape, ours->shape) != 0)
		return differ(method, theirs, theirs->shape, ours->shape, err);
	for (size_t i = 0, n = parts_count(ours->shape); r == 0 && i < n; i++)
		r = types_check(method, theirs->parts[i], ours->parts[i], depth + 1, err);
	return r;
}

int linked_check(const struct runtime *rt, const struct cell_method *method, struct cell_error *err)
{
	const unsigned streams = CELL_METHOD_CLIENT_STREAM | CELL_METHOD_SERVER_STREAM;
	const struct cell_method *theirs = linked_method(rt, method->hash);
	int r;

	/* Who serves no such method says so. */
	if (!theirs || theirs == method)
		return 0;
	if ((theirs->flags ^ method->flags) & streams)
		return cell_fail(err, CELL_FAILED_PRECONDITION,
				 "%s: the service linked in and its caller do not mean the same streams",
				 method->full_name);
	r = types_check(method, theirs->in, method->in, 0, err);
	return r < 0 ? r : types_check(method, theirs->out, method->out, 0, err);
}

#include "intake.h"

#include <cell/codec.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void intake_init(struct intake *intake, uint64_t rate, uint64_t now_ns,
		 struct intake_counts *counts, intake_line_fn *on_line, void *userdata)
{
	memset(intake, 0, offsetof(struct intake, line));
	intake->on_line = on_line;
	intake->userdata = userdata;
	intake->counts = counts;
	intake->rate = rate;
	intake->tokens = (double)rate;
	intake->filled_at_ns = now_ns;
}

/* ---- text ---------------------------------------------------------------------------- */

/* Bytes of the UTF-8 sequence at AT; 0 if it is none. */
static size_t sequence_length(const char *at, size_t left)
{
	unsigned char c = (unsigned char)*at;
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return c && n <= left && cell_text_is_valid((const uint8_t *)at, n) ? n : 0;
}

/* Nothing that is kept may steer a terminal or break a reader: '?' for each such byte. */
static void text_clean(char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = sequence_length(text + i, len - i);
		unsigned char c = (unsigned char)text[i];
		/* U+0080 to U+009F are control characters, too. */
		bool is_control =
			n == 1 ? (c < ' ' && c != '\t') || c == 0x7f
			       : n == 2 && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;

		if (n == 0 || is_control) {
			memset(text + i, '?', n ? n : 1);
			i += n ? n : 1;
		} else {
			i += n;
		}
	}
}

/* FNV-1a; never 0. */
static uint64_t text_hash(const char *text, size_t len)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
	return hash ? hash : 1;
}

/* ---- lines ------------------------------------------------------------------------------
 */

static void hand_out(struct intake *intake, const char *text, size_t len)
{
	intake->counts->lines++;
	intake->counts->bytes += len;
	intake->on_line(intake->userdata, text, len);
}

/* What was held back, as lines of our own. */
static void tell_held(struct intake *intake)
{
	char text[128];
	int len;

	if (intake->repeats) {
		len = snprintf(text, sizeof text,
			       "level=info cell=log event=line_repeated times=%" PRIu64,
			       intake->repeats);
		hand_out(intake, text, (size_t)len);
	}
	if (intake->drops) {
		len = snprintf(text, sizeof text,
			       "level=warn cell=log event=lines_dropped lines=%" PRIu64
			       " rate=%" PRIu64,
			       intake->drops, intake->rate);
		hand_out(intake, text, (size_t)len);
	}
	intake->repeats = intake->drops = 0;
}

static void hold(struct intake *intake, uint64_t *count, uint64_t *total, uint64_t now_ns)
{
	if (!intake->repeats && !intake->drops)
		intake->held_since_ns = now_ns;
	++*count;
	++*total;
}

/* A bucket that holds a second's worth of lines. */
static bool may_pass(struct intake *intake, uint64_t now_ns)
{
	double rate = (double)intake->rate;

	if (intake->rate == 0)
		return true;
	intake->tokens += (double)(now_ns - intake->filled_at_ns) / 1e9 * rate;
	if (intake->tokens > rate)
		intake->tokens = rate;
	intake->filled_at_ns = now_ns;
	if (intake->tokens < 1)
		return false;
	intake->tokens -= 1;
	return true;
}

/* The line that is complete in the buffer. */
static void line_end(struct intake *intake, uint64_t now_ns)
{
	size_t len = intake->len;
	uint64_t hash;

	intake->counts->cut += intake->is_cut;
	intake->len = 0;
	intake->is_cut = false;
	if (len && intake->line[len - 1] == '\r')
		len--;
	if (len == 0)
		return;
	text_clean(intake->line, len);
	intake->line[len] = '\0';
	hash = text_hash(intake->line, len);
	if (hash == intake->last_hash && len == intake->last_len) {
		hold(intake, &intake->repeats, &intake->counts->repeated, now_ns);
		return;
	}
	if (!may_pass(intake, now_ns)) {
		hold(intake, &intake->drops, &intake->counts->dropped, now_ns);
		return;
	}
	tell_held(intake);
	intake->last_hash = hash;
	intake->last_len = len;
	hand_out(intake, intake->line, len);
}

void intake_feed(struct intake *intake, const char *bytes, size_t len, uint64_t now_ns)
{
	while (len) {
		const char *newline = memchr(bytes, '\n', len);
		size_t n = newline ? (size_t)(newline - bytes) : len;
		size_t fits = INTAKE_LINE_MAX - intake->len;

		memcpy(intake->line + intake->len, bytes, n < fits ? n : fits);
		intake->len += n < fits ? n : fits;
		intake->is_cut = intake->is_cut || n > fits;
		if (newline) {
			line_end(intake, now_ns);
			n++;
		}
		bytes += n;
		len -= n;
	}
}

uint64_t intake_due_ns(const struct intake *intake)
{
	return intake->repeats || intake->drops ? intake->held_since_ns + INTAKE_HELD_MAX_NS
						: UINT64_MAX;
}

void intake_tick(struct intake *intake, uint64_t now_ns)
{
	if (now_ns >= intake_due_ns(intake))
		tell_held(intake);
}

void intake_end(struct intake *intake, uint64_t now_ns)
{
	if (intake->len)
		line_end(intake, now_ns);
	tell_held(intake);
}

#include "recent.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_MIN ((size_t)64 * 1024)
#define ALIGN    8

/* In the buffer: this, the cell's name and a NUL, the text and a NUL. */
struct record {
	uint64_t number;
	uint64_t at_ns;
	uint64_t instance;
	uint32_t pid;
	uint32_t level;
	uint32_t cell_len;
	uint32_t text_len;
};

struct recent {
	uint8_t *bytes;
	size_t size;
	size_t head;     /* where the next record goes */
	size_t *offsets; /* of records, by number modulo `lines` */
	size_t lines;
	uint64_t oldest;
	uint64_t next;
	uint64_t used;
	struct recent_line line; /* what recent_get() gives out */
};

struct recent *recent_new(size_t size, size_t lines)
{
	struct recent *recent = calloc(1, sizeof *recent);

	if (!recent)
		return NULL;
	recent->size = (size < SIZE_MIN ? SIZE_MIN : size) & ~(size_t)(ALIGN - 1);
	recent->lines = lines ? lines : 1;
	recent->oldest = recent->next = 1;
	recent->bytes = malloc(recent->size);
	recent->offsets = calloc(recent->lines, sizeof recent->offsets[0]);
	if (!recent->bytes || !recent->offsets) {
		recent_free(recent);
		return NULL;
	}
	return recent;
}

void recent_free(struct recent *recent)
{
	if (!recent)
		return;
	free(recent->bytes);
	free(recent->offsets);
	free(recent);
}

static size_t record_size(size_t cell_len, size_t text_len)
{
	return (sizeof(struct record) + cell_len + text_len + 2 + ALIGN - 1) &
	       ~(size_t)(ALIGN - 1);
}

static struct record *record_at(const struct recent *recent, uint64_t number)
{
	return (struct record *)(void *)(recent->bytes +
					 recent->offsets[number % recent->lines]);
}

static void oldest_drop(struct recent *recent)
{
	const struct record *record = record_at(recent, recent->oldest++);

	recent->used -= record_size(record->cell_len, record->text_len);
}

/* Free SIZE bytes in one piece at head, which may go back to the start for it. */
static void room_make(struct recent *recent, size_t size)
{
	if (recent->head + size > recent->size) {
		/* What lies between here and the end is what is oldest. */
		while (recent->oldest < recent->next &&
		       recent->offsets[recent->oldest % recent->lines] >= recent->head)
			oldest_drop(recent);
		recent->head = 0;
	}
	while (recent->oldest < recent->next) {
		size_t offset = recent->offsets[recent->oldest % recent->lines];

		if (offset < recent->head || offset >= recent->head + size)
			break;
		oldest_drop(recent);
	}
	if (recent->next - recent->oldest >= recent->lines)
		oldest_drop(recent);
}

uint64_t recent_add(struct recent *recent, const struct recent_line *line)
{
	size_t cell_len = strlen(line->cell), text_len = line->text_len, size;
	struct record *record;
	char *to;

	/* One line never takes more than half of it. */
	if (cell_len > 255)
		cell_len = 255;
	if (text_len > recent->size / 2 - 512)
		text_len = recent->size / 2 - 512;
	size = record_size(cell_len, text_len);
	room_make(recent, size);
	record = (struct record *)(void *)(recent->bytes + recent->head);
	*record = (struct record){
		.number = recent->next,
		.at_ns = line->at_ns,
		.instance = line->instance,
		.pid = line->pid,
		.level = line->level,
		.cell_len = (uint32_t)cell_len,
		.text_len = (uint32_t)text_len,
	};
	to = (char *)(record + 1);
	memcpy(to, line->cell, cell_len);
	to[cell_len] = '\0';
	memcpy(to + cell_len + 1, line->text, text_len);
	to[cell_len + 1 + text_len] = '\0';
	recent->offsets[recent->next % recent->lines] = recent->head;
	recent->head += size;
	recent->used += size;
	return recent->next++;
}

uint64_t recent_oldest(const struct recent *recent)
{
	return recent->oldest;
}

uint64_t recent_next(const struct recent *recent)
{
	return recent->next;
}

uint64_t recent_bytes(const struct recent *recent)
{
	return recent->used;
}

const struct recent_line *recent_get(struct recent *recent, uint64_t number)
{
	const struct record *record;

	if (number < recent->oldest || number >= recent->next)
		return NULL;
	record = record_at(recent, number);
	recent->line = (struct recent_line){
		.number = record->number,
		.at_ns = record->at_ns,
		.instance = record->instance,
		.pid = record->pid,
		.level = (enum recent_level)record->level,
		.cell = (const char *)(record + 1),
		.text = (const char *)(record + 1) + record->cell_len + 1,
		.text_len = record->text_len,
	};
	return &recent->line;
}

bool recent_matches(const struct recent_line *line, const struct recent_query *query)
{
	enum recent_level level = line->level ? line->level : RECENT_INFO;

	if (query->cell && *query->cell && strcmp(query->cell, line->cell) != 0)
		return false;
	if (query->instance && query->instance != line->instance)
		return false;
	if (query->level && level > query->level)
		return false;
	if (line->at_ns < query->since_ns)
		return false;
	return !query->contains || !*query->contains || strstr(line->text, query->contains);
}

uint64_t recent_from(struct recent *recent, const struct recent_query *query, uint64_t last)
{
	uint64_t at = recent->next, from = recent->next;

	if (last == 0)
		return recent->oldest;
	while (at > recent->oldest && last) {
		at--;
		if (!recent_matches(recent_get(recent, at), query))
			continue;
		from = at;
		last--;
	}
	return from;
}

enum recent_level recent_level_of(const char *text, size_t len)
{
	static const struct {
		const char *name;
		enum recent_level level;
	} levels[] = {
		{ "err", RECENT_ERR },   { "error", RECENT_ERR },
		{ "warn", RECENT_WARN }, { "warning", RECENT_WARN },
		{ "info", RECENT_INFO }, { "debug", RECENT_DEBUG },
	};
	static const char key[] = "level=";
	const char *end = text + len, *at = text;

	while ((at = memmem(at, (size_t)(end - at), key, sizeof key - 1))) {
		const char *value = at + sizeof key - 1;
		size_t n = 0;

		while (value + n < end && value[n] != ' ')
			n++;
		if (at == text || at[-1] == ' ')
			for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
				if (strlen(levels[i].name) == n &&
				    memcmp(value, levels[i].name, n) == 0)
					return levels[i].level;
		at = value;
	}
	return RECENT_NONE;
}

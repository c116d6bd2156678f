#include "sequences.h"

#include <stddef.h>
#include <stdlib.h>

struct sequence {
	uint32_t table, column;
	int64_t next, end;
};

struct sequences {
	unsigned n;
	struct sequence items[SEQUENCES_MAX];
};

struct sequences *sequences_new(void)
{
	return calloc(1, sizeof(struct sequences));
}

void sequences_free(struct sequences *all)
{
	free(all);
}

static struct sequence *find(struct sequences *all, uint32_t table, uint32_t column)
{
	for (unsigned i = 0; i < all->n; i++)
		if (all->items[i].table == table && all->items[i].column == column)
			return &all->items[i];
	return NULL;
}

bool sequences_take(struct sequences *all, uint32_t table, uint32_t column, uint32_t n,
		    int64_t *ret_first)
{
	struct sequence *sequence = find(all, table, column);

	if (!sequence || sequence->end - sequence->next < (int64_t)n)
		return false;
	*ret_first = sequence->next;
	sequence->next += n;
	return true;
}

void sequences_keep(struct sequences *all, uint32_t table, uint32_t column, int64_t first,
		    uint32_t n)
{
	struct sequence *sequence = find(all, table, column);

	/* Another call may have brought more meanwhile: the larger rest is kept. */
	if (sequence && sequence->end - sequence->next >= (int64_t)n)
		return;
	if (!sequence && all->n < SEQUENCES_MAX)
		sequence = &all->items[all->n++];
	if (sequence)
		*sequence = (struct sequence){ table, column, first, first + (int64_t)n };
}

/* Looking at a coordinator from outside: see decide.h. */
#include "transaction.h"

static bool is_known_everywhere(const struct transaction *transaction)
{
	return transaction->n_told == transaction->n_parts;
}

static void view(const struct transaction *transaction, struct decide_view *ret_view)
{
	*ret_view = (struct decide_view){
		.id = transaction->id,
		.stage = transaction->stage,
		.owner = transaction->owner,
		.began_ms = transaction->began_ms,
		.n_parts = transaction->n_parts,
	};
	for (size_t i = 0; i < transaction->n_parts; i++)
		ret_view->parts[i] = (struct decide_part){
			.participant = transaction->parts[i].participant->name,
			.is_told = transaction->parts[i].is_told,
			.version = transaction->parts[i].version,
		};
}

bool decide_find(const struct decide *decide, const uint8_t *id, struct decide_view *ret_view)
{
	const struct transaction *transaction = transaction_find(decide, id);

	if (transaction)
		view(transaction, ret_view);
	return transaction;
}

bool decide_next(const struct decide *decide, const void **at, struct decide_view *ret_view)
{
	const struct transactions *const lists[] = { &decide->overdue, &decide->keeping,
						     &decide->logging, &decide->pending };
	const struct transaction *next = *at;
	size_t list = 0;

	if (next) {
		while (lists[list] != next->list)
			list++;
		next = TAILQ_NEXT(next, link);
	} else {
		next = TAILQ_FIRST(lists[0]);
	}
	for (;;) {
		while (next && next->list == &decide->keeping && is_known_everywhere(next))
			next = TAILQ_NEXT(next, link);
		if (next || ++list == sizeof lists / sizeof lists[0])
			break;
		next = TAILQ_FIRST(lists[list]);
	}
	*at = next;
	if (next)
		view(next, ret_view);
	return next;
}

struct decide_counts decide_counts(const struct decide *decide)
{
	return (struct decide_counts){ .committed = decide->committed,
				       .aborted = decide->aborted,
				       .pending = decide->n_pending,
				       .known = decide->n_known };
}

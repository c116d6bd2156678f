/* fraud: whether a deposit looks like what it should not be. A real one would know more. */
#include <cell/cell.h>

#define SUSPICIOUS 1000000

struct [[cell::message]] query   { const char *owner; int64_t amount; };
struct [[cell::message]] verdict { bool suspicious; const char *reason; };

[[cell::service("fraud")]];

/* Idempotent: whoever asks within a transaction may run again, and asks again then. */
[[cell::handler(idempotent = true)]]
static int check(struct cell_call *call, const struct query *in, struct verdict *out)
{
	(void)call;
	if (in->amount >= SUSPICIOUS)
		*out = (struct verdict){ .suspicious = true, .reason = "where does so much come from?" };
	return 0;
}

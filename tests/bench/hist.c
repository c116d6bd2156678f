#include "hist.h"

#include <string.h>

void hist_reset(struct hist *hist)
{
	memset(hist, 0, sizeof *hist);
}

/* Below HIST_STEPS a bucket is one nanosecond; from there each doubling has HIST_STEPS. */
static unsigned bucket_of(uint64_t value)
{
	unsigned shift;

	if (value < HIST_STEPS)
		return (unsigned)value;
	shift = 56U - (unsigned)__builtin_clzll(value);
	return shift * HIST_STEPS + (unsigned)(value >> shift);
}

static double bucket_middle(unsigned bucket)
{
	unsigned shift;
	uint64_t low;

	if (bucket < 2 * HIST_STEPS)
		return bucket;
	shift = bucket / HIST_STEPS - 1;
	low = (uint64_t)(bucket - shift * HIST_STEPS) << shift;
	return (double)low + (double)((UINT64_C(1) << shift) - 1) / 2;
}

void hist_add(struct hist *hist, uint64_t value_ns)
{
	hist->buckets[bucket_of(value_ns)]++;
	hist->count++;
}

void hist_merge(struct hist *hist, const struct hist *other)
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		hist->buckets[i] += other->buckets[i];
	hist->count += other->count;
}

double hist_percentile(const struct hist *hist, double fraction)
{
	uint64_t rank = (uint64_t)(fraction * (double)hist->count);
	uint64_t seen = 0;

	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += hist->buckets[i];
		if (seen > rank || (seen == hist->count && seen > 0))
			return bucket_middle(i);
	}
	return 0;
}

#include "guess.h"

#include <string.h>

/* Edit distance with swapped neighbours as one edit; both words are at most GUESS_MAX. */
static size_t word_distance(const char *a, const char *b)
{
	size_t rows[3][GUESS_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	for (size_t j = 0; j <= m; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    rows[(i + 1) % 3][j - 2] + 1 < best)
				best = rows[(i + 1) % 3][j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[n % 3][m];
}

void guess_try(struct guess *guess, const char *candidate)
{
	size_t len = strlen(guess->word), distance;

	if (len > GUESS_MAX || strlen(candidate) > GUESS_MAX)
		return;
	distance = word_distance(guess->word, candidate);
	/* Two slips, or one in a short word; never a word of which nothing is left. */
	if (distance > (len > 4 ? 2u : 1u) || distance >= len)
		return;
	if (!guess->best || distance < guess->distance) {
		guess->best = candidate;
		guess->distance = distance;
	}
}

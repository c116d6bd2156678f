#include <cell/internal/guess.h>

#include <ctype.h>
#include <string.h>

/* Case, and one kind of dash for the other, are no mistakes worth counting. */
static int fold(char c)
{
	return c == '_' ? '-' : tolower((unsigned char)c);
}

/* Edit distance with swapped neighbours as one edit; both words are at most CELL_GUESS_MAX.
 */
static size_t word_distance(const char *a, const char *b)
{
	size_t rows[3][CELL_GUESS_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	for (size_t j = 0; j <= m; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = above[j - 1] + (fold(a[i - 1]) != fold(b[j - 1]));

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]) &&
			    rows[(i + 1) % 3][j - 2] + 1 < best)
				best = rows[(i + 1) % 3][j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[n % 3][m];
}

struct cell_guess cell_guess(const char *word)
{
	return (struct cell_guess){ .word = word };
}

void cell_guess_try(struct cell_guess *guess, const char *candidate)
{
	size_t len = strlen(guess->word), distance;

	if (len > CELL_GUESS_MAX || strlen(candidate) > CELL_GUESS_MAX)
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

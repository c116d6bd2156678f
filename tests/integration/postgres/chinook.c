/* Reads the sample database through tables and queries, and says what it found. */
#include "chinook.h"

#include <stdio.h>
#include <string.h>

struct sale {
	const char *country;
	int64_t n;
	const char *total;
};

[[postgres::query("SELECT coalesce(country, '') AS country, count(*) AS n, sum(total) AS total FROM invoice "
		  "JOIN customer USING (customer_id) WHERE country = $1 GROUP BY 1")]]
static int sales_in(struct cell_call *call, const char *country, struct sale *ret);

[[postgres::query("SELECT count(*) FROM track WHERE milliseconds > $1")]]
static int longer_than(struct cell_call *call, int32_t ms, uint64_t *ret);

[[postgres::query("SELECT * FROM album WHERE artist_id = ANY ($1) ORDER BY title COLLATE \"C\"")]]
static int albums_of(struct cell_call *call, size_t n_artists, const int32_t *artists, size_t *ret_n,
		     struct album **ret_rows);

[[postgres::query("SELECT t.* FROM track t JOIN playlist_track USING (track_id) "
		  "WHERE playlist_id = $1 ORDER BY track_id")]]
static struct track *tracks_in(struct cell_call *call, struct cell_rows *rows, int32_t playlist);

[[postgres::query("UPDATE track SET composer = $2 WHERE track_id <= $1")]]
static int compose(struct cell_call *call, int32_t last, bool has_composer, const char *composer,
		   uint64_t *ret_changed);

static int queries(struct cell_call *call)
{
	struct cell_rows rows = { 0 };
	struct album *albums;
	uint64_t n, changed;
	size_t n_albums, n_tracks = 0;
	struct sale sale;
	int err = sales_in(call, "Chile", &sale);

	err = err ? err : longer_than(call, 290000, &n);
	err = err ? err : albums_of(call, 2, (const int32_t[]){ 1, 2 }, &n_albums, &albums);
	err = err ? err : compose(call, 10, true, "Nobody", &changed);
	if (err)
		return err;
	printf("%s %lld %s; %llu long; %zu albums, first %s; %llu composed\n", sale.country,
	       (long long)sale.n, sale.total, (unsigned long long)n, n_albums, albums[0].title,
	       (unsigned long long)changed);
	for (struct track *t; (t = tracks_in(call, &rows, 1));)
		n_tracks += t->track_id == (int32_t)n_tracks + 1 && !strcmp(t->unit_price, "0.99");
	err = cell_rows_end(&rows);
	printf("%zu tracks\n", n_tracks);
	if (!err && sales_in(call, "Nowhere", &sale) != CELL_NOT_FOUND)
		err = cell_refuse(call, CELL_DATA_LOSS, "a sale in no country");
	return err;
}

static int tables(struct cell_call *call)
{
	struct album_cursor of_first = album_by_artist_id(call, 1);
	struct invoice invoice;
	struct artist artist;
	int err = artist_get(call, 2, &artist);

	for (struct album *a; (a = album_next(&of_first));)
		printf("album %s\n", a->title);
	err = err ? err : album_end(&of_first);
	err = err ? err : invoice_get(call, 1, &invoice);
	if (err)
		return err;
	printf("%s; invoice of %lld, %s\n", artist.name, (long long)invoice.invoice_date, invoice.total);
	artist.artist_id = 4;
	artist.has_name = false;
	err = artist_insert(call, &artist);
	if (!err && artist_insert(call, &artist) != CELL_ALREADY_EXISTS)
		err = cell_refuse(call, CELL_DATA_LOSS, "twice the same");
	printf("%s\n", cell_error(call)->text);
	return err;
}

int main(void)
{
	struct cell_call *call = cell_open("bank");
	int err = tables(call);

	err = err ? err : queries(call);
	return cell_exit(call, err);
}

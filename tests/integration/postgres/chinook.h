/* The tables of the sample database Chinook, which are there before us, as structs. */
#pragma once

#include <cell/cell.h>

struct [[postgres::table]] artist {
	[[postgres::key]] int32_t artist_id;
	bool has_name;
	[[postgres::varchar(120)]] const char *name;
};

struct [[postgres::table]] album {
	[[postgres::key]] int32_t album_id;
	const char *title;
	[[postgres::index]] int32_t artist_id;
};

struct [[postgres::table]] employee {
	[[postgres::key]] int32_t employee_id;
	const char *last_name;
	const char *first_name;
	bool has_title;
	const char *title;
	bool has_reports_to;
	int32_t reports_to;
	bool has_birth_date;
	[[postgres::timestamp]] int64_t birth_date;
	bool has_hire_date;
	[[postgres::timestamp]] int64_t hire_date;
	bool has_email;
	const char *email;
};

struct [[postgres::table]] customer {
	[[postgres::key]] int32_t customer_id;
	const char *first_name;
	const char *last_name;
	const char *email;
	bool has_country;
	const char *country;
	bool has_support_rep_id;
	int32_t support_rep_id;
};

struct [[postgres::table]] genre {
	[[postgres::key]] int32_t genre_id;
	bool has_name;
	const char *name;
};

struct [[postgres::table]] media_type {
	[[postgres::key]] int32_t media_type_id;
	bool has_name;
	const char *name;
};

struct [[postgres::table]] invoice {
	[[postgres::key]] int32_t invoice_id;
	int32_t customer_id;
	[[postgres::timestamp]] int64_t invoice_date;
	bool has_billing_country;
	const char *billing_country;
	[[postgres::numeric(10, 2)]] const char *total;
};

struct [[postgres::table]] track {
	[[postgres::key]] int32_t track_id;
	const char *name;
	bool has_album_id;
	int32_t album_id;
	int32_t media_type_id;
	bool has_genre_id;
	int32_t genre_id;
	bool has_composer;
	const char *composer;
	int32_t milliseconds;
	bool has_bytes;
	int32_t bytes;
	[[postgres::numeric(10, 2)]] const char *unit_price;
};

struct [[postgres::table]] invoice_line {
	[[postgres::key]] int32_t invoice_line_id;
	int32_t invoice_id;
	int32_t track_id;
	[[postgres::numeric(10, 2)]] const char *unit_price;
	int32_t quantity;
};

struct [[postgres::table]] playlist {
	[[postgres::key]] int32_t playlist_id;
	bool has_name;
	const char *name;
};

struct [[postgres::table]] playlist_track {
	[[postgres::key]] int32_t playlist_id;
	[[postgres::key]] int32_t track_id;
};

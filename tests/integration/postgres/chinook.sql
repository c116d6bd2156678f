-- The tables of the sample database Chinook (a shop for music), with a few rows of our own.
CREATE TABLE artist (artist_id integer PRIMARY KEY, name varchar(120));
CREATE TABLE album (album_id integer PRIMARY KEY, title varchar(160) NOT NULL,
	artist_id integer NOT NULL REFERENCES artist);
CREATE INDEX album_artist_id_idx ON album (artist_id);
CREATE TABLE employee (employee_id integer PRIMARY KEY, last_name varchar(20) NOT NULL,
	first_name varchar(20) NOT NULL, title varchar(30), reports_to integer REFERENCES employee,
	birth_date timestamp, hire_date timestamp, address varchar(70), city varchar(40),
	state varchar(40), country varchar(40), postal_code varchar(10), phone varchar(24),
	fax varchar(24), email varchar(60));
CREATE TABLE customer (customer_id integer PRIMARY KEY, first_name varchar(40) NOT NULL,
	last_name varchar(20) NOT NULL, company varchar(80), address varchar(70), city varchar(40),
	state varchar(40), country varchar(40), postal_code varchar(10), phone varchar(24),
	fax varchar(24), email varchar(60) NOT NULL, support_rep_id integer REFERENCES employee);
CREATE TABLE genre (genre_id integer PRIMARY KEY, name varchar(120));
CREATE TABLE media_type (media_type_id integer PRIMARY KEY, name varchar(120));
CREATE TABLE invoice (invoice_id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customer,
	invoice_date timestamp NOT NULL, billing_address varchar(70), billing_city varchar(40),
	billing_state varchar(40), billing_country varchar(40), billing_postal_code varchar(10),
	total numeric(10, 2) NOT NULL);
CREATE TABLE track (track_id integer PRIMARY KEY, name varchar(200) NOT NULL,
	album_id integer REFERENCES album, media_type_id integer NOT NULL REFERENCES media_type,
	genre_id integer REFERENCES genre, composer varchar(220), milliseconds integer NOT NULL,
	bytes integer, unit_price numeric(10, 2) NOT NULL);
CREATE TABLE invoice_line (invoice_line_id integer PRIMARY KEY,
	invoice_id integer NOT NULL REFERENCES invoice, track_id integer NOT NULL REFERENCES track,
	unit_price numeric(10, 2) NOT NULL, quantity integer NOT NULL);
CREATE TABLE playlist (playlist_id integer PRIMARY KEY, name varchar(120));
CREATE TABLE playlist_track (playlist_id integer NOT NULL REFERENCES playlist,
	track_id integer NOT NULL REFERENCES track, PRIMARY KEY (playlist_id, track_id));

INSERT INTO artist VALUES (1, 'Die Erste'), (2, 'Ångström & Söhne'), (3, NULL);
INSERT INTO album VALUES (1, 'Anfang', 1), (2, 'Mitte', 1), (3, 'Länge', 2);
INSERT INTO genre VALUES (1, 'Rock'), (2, 'Jazz');
INSERT INTO media_type VALUES (1, 'MPEG audio file');
INSERT INTO track SELECT n, 'Track ' || n, 1 + n % 3, 1, 1 + n % 2, NULL, 1000 * n, 100 * n, 0.99
	FROM generate_series(1, 300) AS n;
INSERT INTO playlist VALUES (1, 'All of it');
INSERT INTO playlist_track SELECT 1, n FROM generate_series(1, 300) AS n;
INSERT INTO employee VALUES (1, 'Boss', 'Ada', 'Chief', NULL, '1962-02-18', '2002-08-14');
INSERT INTO employee VALUES (2, 'Helper', 'Ben', 'Support', 1, '1973-08-29', '2003-04-01');
INSERT INTO customer (customer_id, first_name, last_name, email, country, support_rep_id)
	VALUES (1, 'Cleo', 'Buyer', 'cleo@example.org', 'Chile', 2);
INSERT INTO invoice VALUES (1, 1, '2009-01-01 12:30:00', NULL, NULL, NULL, 'Chile', NULL, 1.98);
INSERT INTO invoice_line VALUES (1, 1, 7, 0.99, 1), (2, 1, 8, 0.99, 1);

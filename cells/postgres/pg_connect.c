/* Connecting: step by step as libpq wants to read or write, by the settings of the file. */
#include "pg_internal.h"

#include <arpa/inet.h>
#include <cell/cell.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- settings ----------------------------------------------------------------------------- */

static int text_read(char *text, size_t room, size_t *ret_len, struct stat *ret_st, const char *path,
		     struct cell_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;
	size_t len = 0;
	int r = 0;

	if (fd < 0)
		return cell_fail(err, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, ret_st) < 0)
		r = -errno;
	while (!r && len < room && (n = read(fd, text + len, room - len)) != 0) {
		if (n < 0)
			r = -errno;
		else
			len += (size_t)n;
	}
	(void)close(fd);
	*ret_len = len;
	return r ? cell_fail(err, r, "%s: %s", path, strerror(-r)) : 0;
}

/* Whether KEY is one of libpq's. */
static bool is_known(const PQconninfoOption *options, const char *key)
{
	for (; options->keyword; options++)
		if (strcmp(options->keyword, key) == 0)
			return true;
	return false;
}

static int keys_check(const struct conf *conf, const char *path, struct cell_error *err)
{
	PQconninfoOption *options = PQconndefaults();
	int r = 0;

	if (!options)
		return cell_fail(err, -ENOMEM, "%s", path);
	for (size_t i = 0; !r && i < conf->n_words; i++)
		if (!is_known(options, conf->words[i].key))
			r = cell_fail(err, CELL_INVALID_ARGUMENT, "%s: line %u: no setting '%.40s'",
				      path, conf->words[i].line, conf->words[i].key);
	PQconninfoFree(options);
	return r;
}

int pg_settings(const char *path, struct conf *ret, struct cell_error *err)
{
	struct stat st = { .st_mode = 0 };
	char text[CONF_TEXT_MAX];
	size_t len = 0;
	int r = text_read(text, sizeof text, &len, &st, path, err);

	if (r == -ENOENT)
		r = 0;
	if (!r) {
		r = conf_parse(ret, text, len, err);
		if (r)
			r = cell_wrap(err, r, "%s", path);
	}
	explicit_bzero(text, sizeof text);
	if (!r && ret->has_password && (st.st_mode & 077))
		r = cell_fail(err, CELL_PERMISSION_DENIED,
			      "%s has a password, and others may read it: chmod 600", path);
	return r ? r : keys_check(ret, path, err);
}

/* ---- the server's address: getaddrinfo() blocks, so a thread asks --------------------------- */

struct lookup {
	char host[256];
	char found[64];
	char why[128];
	int event;
	int users; /* the thread and who waits for it */
};

static void lookup_drop(struct lookup *lookup)
{
	if (__atomic_sub_fetch(&lookup->users, 1, __ATOMIC_ACQ_REL))
		return;
	(void)close(lookup->event);
	free(lookup);
}

static void *lookup_run(void *userdata)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct lookup *lookup = userdata;
	struct addrinfo *all = NULL;
	int r = getaddrinfo(lookup->host, NULL, &hints, &all);

	if (r)
		(void)snprintf(lookup->why, sizeof lookup->why, "%s", gai_strerror(r));
	else
		(void)getnameinfo(all->ai_addr, all->ai_addrlen, lookup->found,
				  sizeof lookup->found, NULL, 0, NI_NUMERICHOST);
	if (all)
		freeaddrinfo(all);
	(void)eventfd_write(lookup->event, 1);
	lookup_drop(lookup);
	return NULL;
}

static bool is_name(const char *host)
{
	uint8_t address[16];

	return *host && *host != '/' && *host != '@' && !strchr(host, ',') &&
	       inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

/* The address of HOST, as text in FOUND. */
static int lookup(struct cell_call *call, const char *host, char *found, size_t size)
{
	struct lookup *lookup = calloc(1, sizeof *lookup);
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	if (!lookup)
		return cell_refuse(call, -ENOMEM, "looking up '%.200s'", host);
	lookup->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	lookup->users = 2;
	(void)snprintf(lookup->host, sizeof lookup->host, "%s", host);
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	r = lookup->event < 0 ? errno : pthread_create(&thread, &attributes, lookup_run, lookup);
	(void)pthread_attr_destroy(&attributes);
	if (r) {
		lookup->users = 1;
		lookup_drop(lookup);
		return cell_refuse(call, CELL_UNAVAILABLE, "looking up '%.150s': %s", host, strerror(r));
	}
	r = cell_wait_readable(call, lookup->event);
	if (!r && *lookup->found)
		(void)snprintf(found, size, "%s", lookup->found);
	else if (!r)
		r = cell_refuse(call, CELL_UNAVAILABLE, "host '%.100s': %.100s", host, lookup->why);
	lookup_drop(lookup);
	return r;
}

/* ---- one connection ------------------------------------------------------------------------ */

static void on_notice(void *userdata, const char *message)
{
	char text[256];

	(void)userdata;
	cell_log(CELL_LOG_DEBUG, "pg", "notice", "text=\"%s\"",
		 cell_log_quote(text, sizeof text, message));
}

static int status_of_refusal(const char *text)
{
	/* Before it knows us the server says what is wrong in words alone. */
	return strstr(text, "authentication failed") || strstr(text, "no password supplied") ||
			       strstr(text, "pg_hba.conf")
		       ? CELL_UNAUTHENTICATED
	       : strstr(text, "does not exist") ? CELL_FAILED_PRECONDITION
						: CELL_UNAVAILABLE;
}

static int refused(struct cell_call *call, const PGconn *conn)
{
	const char *text = PQerrorMessage(conn);
	char line[200];
	size_t n = 0;

	for (; *text && n < sizeof line - 1; text++)
		if (*text != '\n' || text[1])
			line[n++] = *text == '\n' || *text == '\t' ? ' ' : *text;
	line[n] = '\0';
	return cell_refuse(call, status_of_refusal(line), "%s", line);
}

static int finish_connecting(struct cell_call *call, PGconn *conn)
{
	PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
	int r = 0;

	while (!r && wants != PGRES_POLLING_OK) {
		if (PQstatus(conn) == CONNECTION_BAD || wants == PGRES_POLLING_FAILED)
			return refused(call, conn);
		r = wants == PGRES_POLLING_READING ? cell_wait_readable(call, PQsocket(conn))
						   : cell_wait_writable(call, PQsocket(conn));
		if (!r)
			wants = PQconnectPoll(conn);
	}
	return r;
}

static void told_server(struct pg *pg, const PGconn *conn)
{
	const char *host = PQhost(conn);

	(void)snprintf(pg->told.server, sizeof pg->told.server, "%s %.60s, port %.8s, database %.40s",
		       *host == '/' ? "socket in" : "host", host, PQport(conn), PQdb(conn));
	pg->told.server_version = PQserverVersion(conn);
}

/* libpq's words, and after them those that the user did not choose. */
static PGconn *start(struct conf *conf, const char *address)
{
	static const char *const ours[][2] = {
		/* Kerberos would ask its own server, and wait for it. */
		{ "gssencmode", "disable" },
		{ "application_name", "cell" },
		{ "connect_timeout", "10" },
		{ "client_encoding", "UTF8" },
	};
	const char *keys[CONF_WORDS_MAX + 8], *values[CONF_WORDS_MAX + 8];
	size_t n = 0;

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		keys[n] = ours[i][0];
		values[n++] = ours[i][1];
	}
	for (size_t i = 0; i < conf->n_words; i++) {
		if (strcmp(conf->words[i].key, "client_encoding") == 0)
			continue;
		keys[n] = conf->words[i].key;
		values[n++] = conf->words[i].value;
	}
	if (*address) {
		keys[n] = "hostaddr";
		values[n++] = address;
	}
	keys[n] = values[n] = NULL;
	return PQconnectStartParams(keys, values, 0);
}

static const char *word(const struct conf *conf, const char *key)
{
	for (size_t i = 0; i < conf->n_words; i++)
		if (strcmp(conf->words[i].key, key) == 0)
			return conf->words[i].value;
	return NULL;
}

static int connect_by(struct cell_call *call, struct pg *pg, struct conf *conf, PGconn **ret)
{
	const char *host = word(conf, "host");
	char address[64] = "";
	PGconn *conn;
	int r = 0;

	if (!host)
		host = getenv("PGHOST");
	if (host && is_name(host) && !word(conf, "hostaddr"))
		r = lookup(call, host, address, sizeof address);
	if (r)
		return r;
	conn = start(conf, address);
	if (!conn)
		return cell_refuse(call, -ENOMEM, "connecting to PostgreSQL");
	r = finish_connecting(call, conn);
	if (!r && (PQsetnonblocking(conn, 1) || !PQenterPipelineMode(conn)))
		r = refused(call, conn);
	if (r) {
		PQfinish(conn);
		return r;
	}
	(void)PQsetNoticeProcessor(conn, on_notice, NULL);
	told_server(pg, conn);
	*ret = conn;
	return 0;
}

int pg_connect(struct cell_call *call, struct pg *pg, PGconn **ret)
{
	struct conf *conf = malloc(sizeof *conf);
	int r;

	if (!conf)
		return cell_refuse(call, -ENOMEM, "connecting to PostgreSQL");
	r = pg_settings(pg->path, conf, cell_error_slot(call));
	if (!r) {
		pg->limit = conf->pool;
		pg->wait_ms = conf->wait_ms;
		r = connect_by(call, pg, conf, ret);
	}
	conf_wipe(conf);
	free(conf);
	return r;
}

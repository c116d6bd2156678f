/* Statements: prepared once a connection, several in one round trip (libpq's pipeline mode). */
#include "pg_internal.h"

#include <cell/cell.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 1600 /* columns of a table, PostgreSQL's own limit */

/* ---- what went wrong ------------------------------------------------------------------------ */

int pg_status_of(const char *sqlstate)
{
	/* By the whole code, else by its class; the more special one stands first. */
	static const struct {
		const char *code;
		int status;
	} known[] = {
		{ "23505", CELL_ALREADY_EXISTS },      { "23", CELL_FAILED_PRECONDITION },
		{ "40", CELL_ABORTED },		       { "55P03", CELL_ABORTED },
		{ "55", CELL_FAILED_PRECONDITION },    { "08", CELL_UNAVAILABLE },
		{ "57014", CELL_DEADLINE_EXCEEDED },   { "57", CELL_UNAVAILABLE },
		{ "53300", CELL_UNAVAILABLE },	       { "53", CELL_RESOURCE_EXHAUSTED },
		{ "54", CELL_RESOURCE_EXHAUSTED },     { "22003", CELL_OUT_OF_RANGE },
		{ "22008", CELL_OUT_OF_RANGE },	       { "22", CELL_INVALID_ARGUMENT },
		{ "42501", CELL_PERMISSION_DENIED },   { "42P01", CELL_FAILED_PRECONDITION },
		{ "42703", CELL_FAILED_PRECONDITION }, { "42704", CELL_NOT_FOUND },
		{ "42", CELL_INVALID_ARGUMENT },       { "28", CELL_UNAUTHENTICATED },
		{ "0A", CELL_FAILED_PRECONDITION },    { "25", CELL_FAILED_PRECONDITION },
		{ "3D", CELL_FAILED_PRECONDITION },    { "3F", CELL_FAILED_PRECONDITION },
		{ "P0", CELL_FAILED_PRECONDITION },    { "XX001", CELL_DATA_LOSS },
		{ "XX002", CELL_DATA_LOSS },	       { "XX", CELL_INTERNAL },
		{ "58", CELL_UNAVAILABLE },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strncmp(sqlstate, known[i].code, strlen(known[i].code)) == 0)
			return known[i].status;
	return CELL_UNKNOWN;
}

const struct pg_fault *pg_fault(const struct pg_session *session)
{
	return &session->fault;
}

bool pg_fault_is_race(const struct pg_session *session)
{
	return strncmp(session->fault.sqlstate, "40", 2) == 0;
}

static void field_copy(char *out, size_t size, const PGresult *result, int code)
{
	const char *text = PQresultErrorField(result, code);

	(void)snprintf(out, size, "%s", text ? text : "");
	for (char *at = out; *at; at++)
		if (*at == '\n' || *at == '\t')
			*at = ' ';
}

static void fault_fill(struct pg_fault *fault, const PGresult *result)
{
	const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);

	field_copy(fault->sqlstate, sizeof fault->sqlstate, result, PG_DIAG_SQLSTATE);
	field_copy(fault->message, sizeof fault->message, result, PG_DIAG_MESSAGE_PRIMARY);
	field_copy(fault->detail, sizeof fault->detail, result, PG_DIAG_MESSAGE_DETAIL);
	field_copy(fault->hint, sizeof fault->hint, result, PG_DIAG_MESSAGE_HINT);
	field_copy(fault->constraint, sizeof fault->constraint, result, PG_DIAG_CONSTRAINT_NAME);
	field_copy(fault->table, sizeof fault->table, result, PG_DIAG_TABLE_NAME);
	field_copy(fault->column, sizeof fault->column, result, PG_DIAG_COLUMN_NAME);
	fault->position = position ? strtoul(position, NULL, 10) : 0;
}

int pg_failed(struct cell_call *call, struct pg_session *session, const PGresult *result)
{
	struct pg_fault *fault = &session->fault;

	memset(fault, 0, sizeof *fault);
	fault->statement = session->n_results;
	if (result)
		fault_fill(fault, result);
	if (!*fault->sqlstate) {
		session->is_broken = true;
		(void)snprintf(fault->message, sizeof fault->message, "%s",
			       PQerrorMessage(session->conn));
		fault->message[strcspn(fault->message, "\n")] = '\0';
		return cell_refuse(call, CELL_UNAVAILABLE, "the connection to PostgreSQL broke: %s",
				   *fault->message ? fault->message : "end of file");
	}
	/* A table changed its columns under a statement: on a new connection it is prepared anew. */
	if (strcmp(fault->sqlstate, "0A000") == 0 && strstr(fault->message, "cached plan")) {
		session->is_broken = true;
		return cell_refuse(call, CELL_ABORTED, "%s", fault->message);
	}
	if (strncmp(fault->sqlstate, "57P", 3) == 0 || strncmp(fault->sqlstate, "08", 2) == 0)
		session->is_broken = true;
	return cell_refuse(call, pg_status_of(fault->sqlstate), "%s%s%s", fault->message,
			   *fault->detail ? ": " : "", fault->detail);
}

/* ---- the statements that a connection knows ------------------------------------------------ */

static uint32_t hash_of(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash;
}

/* The types of the parameters as one number: equal texts of other types are other statements. */
static uint64_t types_of(const struct pg_value *values, size_t n)
{
	uint64_t types = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		types = (types ^ values[i].oid) * 1099511628211u;
	return types;
}

static int statement_find(const struct pg_session *session, const char *text, uint32_t hash,
			  uint64_t types)
{
	for (size_t i = 0; i < session->n_statements; i++)
		if (session->statements[i].hash == hash && session->statements[i].types == types &&
		    strcmp(session->statements[i].text, text) == 0)
			return (int)i;
	return -1;
}

static bool is_pending(const struct pg_session *session, size_t statement)
{
	for (size_t i = 0; i < session->n_pending; i++)
		if ((size_t)session->pending[i].statement == statement)
			return true;
	return false;
}

/* The place of the statement that was not used for longest; -1 if all are under way. */
static int statement_oldest(const struct pg_session *session)
{
	int oldest = -1;

	for (size_t i = 0; i < session->n_statements; i++)
		if (!is_pending(session, i) &&
		    (oldest < 0 || session->statements[i].used < session->statements[oldest].used))
			oldest = (int)i;
	return oldest;
}

static void statement_name(char name[16], uint32_t number)
{
	(void)snprintf(name, 16, "s%u", number);
}

static bool statement_drop(struct pg_session *session, struct pg_statement *statement)
{
	char text[32];

	/* Its answer is nobody's: in a pipeline it would have to be waited for like any other. */
	(void)snprintf(text, sizeof text, "DEALLOCATE s%u", statement->number);
	free(statement->text);
	statement->text = NULL;
	return PQsendQueryParams(session->conn, text, 0, NULL, NULL, NULL, NULL, 0) == 1;
}

/* A place for TEXT, or -errno. */
static int statement_place(struct pg_session *session, const char *text, uint32_t hash,
			   uint64_t types)
{
	struct pg_statement *statement;
	char *copy = strdup(text);
	int place = (int)session->n_statements;

	if (!copy)
		return -ENOMEM;
	if (place == PG_STATEMENTS_MAX) {
		place = statement_oldest(session);
		if (place < 0 || !statement_drop(session, &session->statements[place])) {
			free(copy);
			return -ENOBUFS;
		}
		session->pending[session->n_pending++] = (struct pg_pending){ .statement = -1 };
	} else {
		session->n_statements++;
	}
	statement = &session->statements[place];
	*statement = (struct pg_statement){ .text = copy, .hash = hash, .types = types,
					    .is_due = true,
					    .number = session->next_number++ };
	return place;
}

static void statement_forget(struct pg_session *session, int place)
{
	free(session->statements[place].text);
	session->statements[place].text = NULL;
	session->statements[place].hash = 0;
}

/* Those whose preparation failed or never came about leave a hole: close it. */
static void statements_tidy(struct pg_session *session)
{
	size_t n = 0;

	for (size_t i = 0; i < session->n_statements; i++) {
		struct pg_statement *statement = &session->statements[i];

		if (statement->is_due) {
			statement_forget(session, (int)i);
			continue;
		}
		session->statements[n++] = *statement;
	}
	session->n_statements = n;
}

void pg_statements_clear(struct pg_session *session)
{
	for (size_t i = 0; i < session->n_statements; i++)
		free(session->statements[i].text);
	session->n_statements = 0;
}

/* ---- sending --------------------------------------------------------------------------------- */

struct arguments {
	Oid types[VALUES_MAX];
	const char *values[VALUES_MAX];
	int lengths[VALUES_MAX];
	int formats[VALUES_MAX];
};

static int send(struct pg_session *session, const char *text, const struct pg_value *values, size_t n)
{
	uint32_t hash = hash_of(text);
	uint64_t types = types_of(values, n);
	int place = statement_find(session, text, hash, types);
	bool prepares = place < 0;
	struct arguments *a;
	char name[16];
	int r = 0;

	if (n > VALUES_MAX)
		return -E2BIG;
	/* One more may be needed to make room for it. */
	if (session->n_pending + 2 > sizeof session->pending / sizeof *session->pending)
		return -ENOBUFS;
	if (prepares)
		place = statement_place(session, text, hash, types);
	if (place < 0)
		return place;
	a = malloc(sizeof *a);
	if (!a)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		a->types[i] = values[i].oid;
		a->values[i] = values[i].bytes;
		a->lengths[i] = (int)values[i].len;
		a->formats[i] = !values[i].is_text;
	}
	statement_name(name, session->statements[place].number);
	session->statements[place].used = ++session->uses;
	if ((prepares && !PQsendPrepare(session->conn, name, text, (int)n, a->types)) ||
	    !PQsendQueryPrepared(session->conn, name, (int)n, a->values, a->lengths, a->formats, 1))
		r = -EIO;
	session->pending[session->n_pending++] =
		(struct pg_pending){ .statement = place, .prepares = prepares };
	free(a);
	return r;
}

void pg_add(struct pg_session *session, const char *text, const struct pg_value *values, size_t n)
{
	if (!session->add_err)
		session->add_err = send(session, text, values, n);
}

/* ---- receiving ------------------------------------------------------------------------------ */

int pg_next_result(struct cell_call *call, PGconn *conn, PGresult **ret)
{
	while (PQisBusy(conn)) {
		int flushed = PQflush(conn);
		int r = flushed > 0 ? cell_wait_writable(call, PQsocket(conn))
				    : cell_wait_readable(call, PQsocket(conn));

		if (r)
			return r;
		/* A broken connection shows in the result. */
		if (!PQconsumeInput(conn))
			break;
	}
	*ret = PQgetResult(conn);
	return 0;
}

void pg_results_clear(struct pg_session *session)
{
	for (size_t i = 0; i < session->n_results; i++)
		PQclear(session->results[i]);
	session->n_results = 0;
}

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/*
 * The answer to one message, and the NULL behind it. *ERR keeps the first failure; later ones
 * say only that the batch was given up.
 */
static int answer_take(struct cell_call *call, struct pg_session *session, PGresult **ret, int *err)
{
	PGresult *result = NULL, *end = NULL;
	int r = pg_next_result(call, session->conn, &result);

	if (r)
		return r;
	if (!result || PQstatus(session->conn) == CONNECTION_BAD) {
		if (!*err)
			*err = pg_failed(call, session, result);
		PQclear(result);
		session->is_broken = true;
		return *err;
	}
	if (!is_good(result) && PQresultStatus(result) != PGRES_PIPELINE_ABORTED && !*err)
		*err = pg_failed(call, session, result);
	r = pg_next_result(call, session->conn, &end);
	PQclear(end);
	*ret = result;
	return r;
}

/* Answers to all that was sent, up to the sync. */
static int answers_take(struct cell_call *call, struct pg_session *session, int *err)
{
	PGresult *result;
	int r = 0;

	for (size_t i = 0; !r && i < session->n_pending; i++) {
		const struct pg_pending *pending = &session->pending[i];

		if (pending->prepares) {
			r = answer_take(call, session, &result, err);
			if (r)
				break;
			if (is_good(result))
				session->statements[pending->statement].is_due = false;
			PQclear(result);
		}
		r = answer_take(call, session, &result, err);
		if (r)
			break;
		if (pending->statement < 0)
			PQclear(result);
		else
			session->results[session->n_results++] = result;
	}
	if (r)
		return r;
	r = pg_next_result(call, session->conn, &result);
	if (!r && PQresultStatus(result) != PGRES_PIPELINE_SYNC)
		session->is_broken = true;
	if (!r)
		PQclear(result);
	return r;
}

int pg_run(struct cell_call *call, struct pg_session *session,
	   const struct pg_result *const **ret_results)
{
	int err = 0, r = session->add_err;

	pg_results_clear(session);
	memset(&session->fault, 0, sizeof session->fault);
	if (session->is_broken)
		return cell_refuse(call, CELL_UNAVAILABLE, "the connection to PostgreSQL broke");
	if (r == -EIO)
		r = pg_failed(call, session, NULL);
	else if (r)
		r = cell_refuse(call, r, "a statement: %s", strerror(-r));
	if (!r && !PQpipelineSync(session->conn))
		r = pg_failed(call, session, NULL);
	if (!r)
		r = answers_take(call, session, &err);
	/* Answers that nobody took would be the next one's. */
	if (r)
		session->is_broken = true;
	statements_tidy(session);
	session->n_pending = 0;
	session->add_err = 0;
	if (!r && !err && ret_results)
		*ret_results = (const struct pg_result *const *)session->results;
	return r ? r : err;
}

int pg_do(struct cell_call *call, struct pg_session *session, const char *text,
	  const struct pg_value *values, size_t n, const struct pg_result **ret)
{
	const struct pg_result *const *results;
	int r;

	pg_add(session, text, values, n);
	r = pg_run(call, session, &results);
	if (!r && ret)
		*ret = results[0];
	return r;
}

/* ---- the end of a transaction that was left open --------------------------------------------- */

bool pg_settle_start(struct pg_session *session)
{
	session->is_settling = PQsendQueryParams(session->conn, "ROLLBACK", 0, NULL, NULL, NULL,
						 NULL, 0) &&
			       PQpipelineSync(session->conn) && PQflush(session->conn) >= 0;
	return session->is_settling;
}

int pg_settle_end(struct cell_call *call, struct pg_session *session)
{
	PGresult *result = NULL;
	int err = 0, r;

	session->is_settling = false;
	r = answer_take(call, session, &result, &err);
	if (!r)
		PQclear(result);
	result = NULL;
	r = r ? r : pg_next_result(call, session->conn, &result);
	PQclear(result);
	if (r || err)
		session->is_broken = true;
	return r ? r : err;
}

/* ---- results ---------------------------------------------------------------------------------- */

static const PGresult *native(const struct pg_result *result)
{
	return (const PGresult *)result;
}

size_t pg_rows(const struct pg_result *result)
{
	return (size_t)PQntuples(native(result));
}

size_t pg_columns(const struct pg_result *result)
{
	return (size_t)PQnfields(native(result));
}

const uint8_t *pg_cell(const struct pg_result *result, size_t row, size_t column, size_t *ret_len)
{
	if (PQgetisnull(native(result), (int)row, (int)column))
		return NULL;
	*ret_len = (size_t)PQgetlength(native(result), (int)row, (int)column);
	return (const uint8_t *)PQgetvalue(native(result), (int)row, (int)column);
}

uint32_t pg_column_oid(const struct pg_result *result, size_t column)
{
	return PQftype(native(result), (int)column);
}

uint64_t pg_changed(const struct pg_result *result)
{
	/* libpq has no constness here, and changes nothing. */
	return strtoull(PQcmdTuples((PGresult *)native(result)), NULL, 10);
}

int64_t pg_integer(const struct pg_result *result, size_t row, size_t column)
{
	size_t len = 0;
	const uint8_t *bytes = pg_cell(result, row, column, &len);
	uint64_t n = 0;

	if (!bytes || !len || len > 8)
		return 0;
	n = bytes[0] & 0x80 ? UINT64_MAX : 0;
	if (len == 1)
		n = 0; /* a bool or "char" */
	for (size_t i = 0; i < len; i++)
		n = n << 8 | bytes[i];
	return (int64_t)n;
}

const char *pg_text(const struct pg_result *result, size_t row, size_t column)
{
	return PQgetvalue(native(result), (int)row, (int)column);
}

/* ---- describing ---------------------------------------------------------------------------------- */

static int described(struct cell_call *call, const PGresult *result, struct pg_described *ret)
{
	struct cell_arena *arena = cell_arena(call);

	ret->n_parameters = (size_t)PQnparams(result);
	ret->n_columns = (size_t)PQnfields(result);
	ret->parameters = cell_arena_calloc(arena, ret->n_parameters + 1, sizeof *ret->parameters);
	ret->columns = cell_arena_calloc(arena, ret->n_columns + 1, sizeof *ret->columns);
	if (!ret->parameters || !ret->columns)
		return cell_refuse(call, -ENOMEM, "describing a statement");
	for (size_t i = 0; i < ret->n_parameters; i++)
		ret->parameters[i] = PQparamtype(result, (int)i);
	for (size_t i = 0; i < ret->n_columns; i++) {
		ret->columns[i] = (struct pg_described_column){
			.name = cell_arena_strdup(arena, PQfname(result, (int)i)),
			.oid = PQftype(result, (int)i),
			.modifier = PQfmod(result, (int)i),
			.table = PQftable(result, (int)i),
			.column = (int16_t)PQftablecol(result, (int)i),
		};
		if (!ret->columns[i].name)
			return cell_refuse(call, -ENOMEM, "describing a statement");
	}
	return 0;
}

int pg_describe(struct cell_call *call, struct pg_session *session, const char *text,
		struct pg_described *ret)
{
	PGresult *prepared = NULL, *description = NULL, *sync = NULL;
	int err = 0, r;

	pg_results_clear(session);
	if (!PQsendPrepare(session->conn, "", text, 0, NULL) ||
	    !PQsendDescribePrepared(session->conn, "") || !PQpipelineSync(session->conn))
		return pg_failed(call, session, NULL);
	r = answer_take(call, session, &prepared, &err);
	r = r ? r : answer_take(call, session, &description, &err);
	r = r ? r : pg_next_result(call, session->conn, &sync);
	if (r)
		session->is_broken = true;
	if (!r && !err)
		err = described(call, description, ret);
	PQclear(prepared);
	PQclear(description);
	PQclear(sync);
	return r ? r : err;
}

/* ---- notifications --------------------------------------------------------------------------------- */

static bool notification_take(PGconn *conn)
{
	bool any = false;

	for (PGnotify *notify; (notify = PQnotifies(conn)); any = true)
		PQfreemem(notify);
	return any;
}

int pg_wait_notified(struct cell_call *call, struct pg_session *session, uint64_t ms)
{
	int r;

	if (notification_take(session->conn))
		return 0;
	r = cell_wait_readable(cell_within_ms(call, ms), PQsocket(session->conn));
	if (r == CELL_DEADLINE_EXCEEDED && cell_call_left_ns(call) > 0)
		return 0;
	if (r)
		return r;
	if (!PQconsumeInput(session->conn))
		return pg_failed(call, session, NULL);
	(void)notification_take(session->conn);
	return 0;
}

#include "session.h"

#include "writer.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

struct session {
	struct project project; /* a copy: its strings must live as long */
	struct cell_call *call; /* NULL: never needed */
	struct cell_call *file; /* CALL with the deadline of a file */
	const char *const *states; /* that locks have */
	size_t n_states;
	struct macro_macros catalogs;
	struct macro_macro_info info;
	bool asked, answered, has_info, warned;
	struct cell_error trouble;
};

struct session *session_new(const struct project *project, struct diag *diag)
{
	struct session *session = must(calloc(1, sizeof *session));

	(void)diag;
	session->project = *project;
	return session;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	if (session->call)
		cell_close(session->call);
	free(session);
}

static void open_call(struct session *session)
{
	if (session->call)
		return;
	/* What goes wrong is said by us, in the compiler's words. */
	if (!getenv("CELL_LOG"))
		(void)cell_log_set("err");
	session->call = cell_open("cellc");
	session->file = cell_within_ms(session->call, SESSION_FILE_MS);
}

void session_begin_file(struct session *session)
{
	if (session->call)
		session->file = cell_within_ms(session->call, SESSION_FILE_MS);
}

static size_t count(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

const struct macro_macros *session_catalogs(struct session *session)
{
	const char *const *off = session->project.features_off;
	struct macro_hello hello = { .protocol = 1,
				     .n_features_off = count(off),
				     .features_off = off,
				     .n_states = session->n_states,
				     .states = session->states };
	struct cell_call *call;

	if (session->project.offline)
		return NULL;
	if (!session->asked) {
		session->asked = true;
		open_call(session);
		call = cell_within_ms(session->file, SESSION_HELLO_MS);
		session->answered = macro_what_macros_do_you_provide(call, &hello,
								     &session->catalogs) == 0;
		if (!session->answered)
			session->trouble = *cell_error(call);
	}
	return session->answered ? &session->catalogs : NULL;
}

void session_recall(struct session *session, const char *const *ids, size_t n)
{
	session->states = ids;
	session->n_states = n;
}

void session_forget(struct session *session)
{
	session->asked = session->answered = false;
}

const char *session_trouble(const struct session *session)
{
	return session->answered ? "" : session->trouble.text;
}

int session_macros(struct session *session, const struct macro_macro_info **ret_info,
		   struct cell_error *err)
{
	struct macro_macro_names names = { 0 };

	if (!session->has_info) {
		int r = macro_get_macro_info(session->file, &names, &session->info);

		if (r < 0) {
			*err = *cell_error(session->file);
			return cell_wrap(err, r, "asking for signatures");
		}
		session->has_info = true;
	}
	*ret_info = &session->info;
	return 0;
}

/* Out of memory in a stub is an error like another. */
static void keep_error(struct session *session, int r, struct cell_error *ret)
{
	*ret = (struct cell_error){ .code = 0 };
	if (r < 0) {
		*ret = *cell_error(session->file);
		ret->code = r;
	}
}

void session_plan(struct session *session, const struct macro_plan_request *const *requests,
		  size_t n, struct macro_plan *ret_plans, struct cell_error *ret_errors)
{
	struct macro_plan_expansion_future *futures = must(calloc(n + 1, sizeof *futures));

	for (size_t i = 0; i < n; i++)
		futures[i] = macro_plan_expansion_start(session->file, requests[i]);
	for (size_t i = 0; i < n; i++)
		keep_error(session, macro_plan_expansion_wait(&futures[i], &ret_plans[i]),
			   &ret_errors[i]);
	free(futures);
}

void session_expand(struct session *session, const struct macro_plan_request *const *requests,
		    const struct macro_plan *plans, size_t n,
		    struct macro_generated_code *ret_codes, struct cell_error *ret_errors)
{
	struct macro_coordinate_expansion_future *futures =
		must(calloc(n + 1, sizeof *futures));

	for (size_t i = 0; i < n; i++) {
		struct macro_expansion_request request = {
			.request = requests[i],
			.n_plan = plans[i].n_digest,
			.plan = plans[i].digest,
			.strict = session->project.strict || session->project.locked,
		};

		futures[i] = macro_coordinate_expansion_start(session->file, &request);
	}
	for (size_t i = 0; i < n; i++)
		keep_error(session,
			   macro_coordinate_expansion_wait(&futures[i], &ret_codes[i]),
			   &ret_errors[i]);
	free(futures);
}

int session_provision(struct session *session, const struct macro_provision_request *request,
		      struct macro_provisioned *ret, struct cell_error *err)
{
	int r;

	open_call(session);
	r = macro_provision(session->file, request, ret);
	if (r < 0)
		*err = *cell_error(session->file);
	return r;
}

const char *session_program(const struct session *session)
{
	return session->project.program ? session->project.program : "";
}

bool session_warn_once(struct session *session)
{
	bool first = !session->warned;

	session->warned = true;
	return first;
}

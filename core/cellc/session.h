/*
 * One connection to the macro cell per process, opened when it is first needed. That nobody
 * answers is a state, not an error: whether it matters is for those who find something
 * missing.
 */
#pragma once

#include "expand.h"

/* A provider has 2 s for each answer; the macro cell asks them side by side. */
#define SESSION_HELLO_MS 6000
/* All that one file takes. */
#define SESSION_FILE_MS 30000

/* The 30 s of the next file begin. */
void session_begin_file(struct session *session);

/* States that locks have, N ids that live as long as SESSION: for session_catalogs(). */
void session_recall(struct session *session, const char *const *ids, size_t n);

/*
 * Who provides what, asked once per process: NULL if nobody answers, or with --offline.
 * Lives as long as SESSION.
 */
const struct macro_macros *session_catalogs(struct session *session);

/* They have changed: ask again next time. */
void session_forget(struct session *session);

/* Why there are no catalogues: "" if there are, or if that is wanted (--offline). */
const char *session_trouble(const struct session *session);

/* Signatures of all macros, asked once. 0 or negative with ERR. */
int session_macros(struct session *session, const struct macro_macro_info **ret_info,
		   struct cell_error *err);

/*
 * The N requests at once. Fills RET_PLANS and RET_ERRORS (code 0: it went well). Lives as
 * long as SESSION.
 */
void session_plan(struct session *session, const struct macro_plan_request *const *requests,
		  size_t n, struct macro_plan *ret_plans, struct cell_error *ret_errors);

/* The same for the text, given the plans that were answered. */
void session_expand(struct session *session, const struct macro_plan_request *const *requests,
		    const struct macro_plan *plans, size_t n,
		    struct macro_generated_code *ret_codes, struct cell_error *ret_errors);

int session_provision(struct session *session, const struct macro_provision_request *request,
		      struct macro_provisioned *ret, struct cell_error *err);

/* The program of the project, "" if it has none. */
const char *session_program(const struct session *session);

/* Once per process: true, and afterwards false. For the warning that nobody answers. */
bool session_warn_once(struct session *session);

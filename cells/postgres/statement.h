/* Which statements a query may be: connections are shared by all who call. Pure. */
#pragma once

/*
 * Why TEXT can be no query: there is no statement in it, or it is about the session or its
 * transaction, which the next caller would inherit. A statement of static storage; NULL = none.
 * What a function does to the session (set_config()) is not seen.
 */
const char *statement_fault(const char *text);
